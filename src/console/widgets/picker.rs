//! A list that a filter and a sort choose the rows of.

use super::input::TextInput;
use super::table::ListState;

/// Which rows of a source are shown, in which order, and which is selected.
#[derive(Clone, Debug)]
pub struct Picker<Id = u32> {
    rows: Vec<Id>,
    pub filter: TextInput,
    pub list: ListState,
}

impl<Id> Default for Picker<Id> {
    fn default() -> Self {
        Self { rows: Vec::new(), filter: TextInput::default(), list: ListState::default() }
    }
}

impl Picker {
    /// Shows these rows. The selection follows the row that `same` knows again.
    pub fn show(&mut self, rows: Vec<u32>, same: impl Fn(usize) -> bool) {
        self.show_where(rows, |row| same(*row as usize));
    }

    /// The source's row that stands at `index` of the list.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<usize> {
        self.rows.get(index).map(|row| *row as usize)
    }

    /// The source's row that is selected.
    #[must_use]
    pub fn selected(&self) -> Option<usize> {
        self.row(self.list.selected)
    }

    /// Selects the row that shows the source's row; false where none does.
    pub fn select(&mut self, source: Option<usize>) -> bool {
        let at = self.rows.iter().position(|row| Some(*row as usize) == source);
        self.list.selected = at.unwrap_or(self.list.selected);
        at.is_some()
    }
}

impl<Id> Picker<Id> {
    /// Shows these rows. The selection follows the row that `same` knows again.
    pub fn show_where(&mut self, rows: Vec<Id>, same: impl Fn(&Id) -> bool) {
        self.rows = rows;
        if let Some(at) = self.rows.iter().position(same) {
            self.list.selected = at;
        }
        self.list.hold(self.rows.len());
    }

    /// All rows, in order.
    #[must_use]
    pub fn rows(&self) -> &[Id] {
        &self.rows
    }

    /// The row that is selected.
    #[must_use]
    pub fn chosen(&self) -> Option<&Id> {
        self.rows.get(self.list.selected)
    }

    /// Shows these rows from the first on.
    pub fn show_from_top(&mut self, rows: Vec<Id>) {
        self.rows = rows;
        self.list.selected = 0;
    }

    /// How many rows there are to see.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The list, and how many rows it has.
    pub fn list_and_len(&mut self) -> (&mut ListState, usize) {
        (&mut self.list, self.rows.len())
    }

    /// Whether a filter is at work.
    #[must_use]
    pub fn filtered(&self) -> bool {
        !self.filter.text().trim().is_empty()
    }
}
