//! The menu of columns: which are shown, and by which the rows are sorted.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::{list, sort_by};
use crate::console::commands::Command;
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::inventory::{Column, Sort};

/// The menu while it is open.
pub struct ViewMenu {
    at: usize,
}

impl ViewMenu {
    /// Opened at the column that the rows are sorted by.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let at = Column::ALL.iter().position(|column| *column == state.keys.sort.column);
        Self { at: at.unwrap_or(0) }
    }

    pub fn on_key(mut self, state: &mut State, key: KeyEvent, command: Option<Command>) -> Vec<Action> {
        let last = Column::ALL.len() - 1;
        let column = Column::ALL[self.at];
        let mut actions = Vec::new();
        match (key.code, command) {
            (KeyCode::Esc, _) | (_, Some(Command::View | Command::Back)) => return actions,
            (KeyCode::Char(' '), _) => actions = turn(state, column),
            (KeyCode::Enter, _) | (_, Some(Command::Sort)) => {
                let sort = state.keys.sort;
                sort_by(state, Sort { column, descending: sort.column == column && !sort.descending });
            }
            (_, Some(Command::Up)) => self.at = self.at.saturating_sub(1),
            (_, Some(Command::Down)) => self.at = (self.at + 1).min(last),
            (_, Some(Command::Top)) => self.at = 0,
            (_, Some(Command::Bottom)) => self.at = last,
            _ => {}
        }
        state.overlay = Some(Overlay::View(self));
        actions
    }
}

/// Shows a column, or takes it away; what is chosen is kept.
fn turn(state: &mut State, column: Column) -> Vec<Action> {
    let chosen = &mut state.keys.columns;
    match chosen.iter().position(|one| *one == column) {
        Some(_) if chosen.len() == 1 => {
            state.say(Words::plain("one column stays at least"));
            return Vec::new();
        }
        Some(at) => drop(chosen.remove(at)),
        None => chosen.push(column),
    }
    vec![Action::KeepColumns(Column::ALL.into_iter().filter(|one| chosen.contains(one)).collect())]
}

/// Draws the menu over the screen.
pub fn draw(state: &State, menu: &ViewMenu, buf: &mut Buffer, screen: Rect) {
    let theme = &state.theme;
    let shown = list::columns(state);
    let height = u16::try_from(Column::ALL.len()).unwrap_or(0) + 3;
    let note = "space show or hide · enter sort, again turns · esc back";
    let inner = panel::overlay(buf, screen, theme, (62, height), "Columns and order", note);
    let room = usize::from(inner.width);
    let lines = usize::from(inner.height.max(1));
    let first = menu.at.saturating_sub(lines - 1);
    for ((at, column), y) in Column::ALL.iter().enumerate().skip(first).zip(inner.y..inner.bottom()) {
        let sort = state.keys.sort;
        let order = match (sort.column == *column, sort.descending) {
            (true, false) => " ▴",
            (true, true) => " ▾",
            (false, _) => "",
        };
        let sign = if shown.contains(column) { "[x]" } else { "[ ]" };
        let tone = if shown.contains(column) { Tone::Text } else { Tone::Dim };
        let text = format!("{sign} {}{order}", column.title());
        buf.set_stringn(inner.x, y, text, room, theme.tone(tone));
        if room > 24 {
            buf.set_stringn(inner.x + 22, y, about(*column), room - 22, theme.tone(Tone::Dim));
        }
        if at == menu.at {
            buf.set_style(Rect { y, height: 1, ..inner }, theme.selected);
        }
    }
}

fn about(column: Column) -> &'static str {
    match column {
        Column::State => "the most urgent first",
        Column::Environment => "always there, with several",
        Column::ColumnKey => "column encryption key",
        Column::MasterKey => "the KMS key by its name",
        Column::Cmk => "column master key by its own name",
        Column::Database => "",
        Column::Server => "SQL Server",
        Column::Rotated => "when the material came",
        Column::Age => "of what the policy allows",
        Column::Next => "the next rotation",
        Column::LastUsed => "as KMS tells",
        Column::Region | Column::Account => "of the KMS key",
        Column::Kind => "key spec and origin",
    }
}
