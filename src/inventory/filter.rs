//! What a person types to see fewer rows.

/// A filter, parsed. Words are AND-ed; each is a part of a row's text, whatever its case. `field:value`
/// (`state:`, `db:`, `cek:`, `cmk:`, `key:`) looks in that field alone, and a word that begins with `-` must
/// not be found. An unknown field is an ordinary word.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub(super) terms: Vec<Term>,
}

/// One word of a filter, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Term {
    pub field: Option<Field>,
    pub text: String,
    pub absent: bool,
}

/// The part of a row that a word looks in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    State,
    Database,
    ColumnKey,
    MasterKey,
    Key,
}

impl Filter {
    /// Reads what was typed. Every text is a filter.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let _ = text;
        todo!("filled in next")
    }

    /// Whether it lets every row through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }
}
