//! Marks, and the names of rows on the clipboard.

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::{Entry, identity};
use crate::console::commands::Command;
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::inventory::RowId;
use crate::model::pair::{Inventory, Row};

/// Marks the selected row, or takes its mark away, and goes on to the next; on a group, all its rows.
pub fn mark(state: &mut State) {
    let rows = state.keys.chosen().to_vec();
    turn(state, &rows);
    let count = state.keys.picker.len();
    if matches!(state.keys.picker.chosen(), Some(Entry::Row(_))) {
        state.keys.picker.list.on_command(Command::Down, count);
        super::follow(state);
    }
}

/// Marks every row that the filter lets through; where all are marked, takes all marks away.
pub fn mark_all(state: &mut State) {
    let rows: Vec<RowId> = match state.keys.grouping {
        Some(_) => state.keys.groups.iter().flat_map(|head| &head.rows).copied().collect(),
        None => state.keys.picker.rows().iter().filter_map(row_of).collect(),
    };
    if turn(state, &rows) {
        state.say(Words::plain(format!("{} marked", state.keys.marked.len())));
    } else {
        state.keys.marked.clear();
        state.say(Words::plain("no row is marked any more"));
    }
}

fn row_of(entry: &Entry) -> Option<RowId> {
    match entry {
        Entry::Row(id) => Some(*id),
        Entry::Group(_) => None,
    }
}

/// Marks these rows; where all are marked already, takes their marks away. True where they are marked now.
fn turn(state: &mut State, rows: &[RowId]) -> bool {
    let known = |id: &RowId| {
        let environment = &state.options.places.get(usize::from(id.part))?.environment;
        Some(identity(environment, state.row(*id)?))
    };
    let marks: HashSet<u64> = rows.iter().filter_map(known).collect();
    let all = marks.iter().all(|mark| state.keys.marked.contains(mark));
    if all {
        state.keys.marked.retain(|mark| !marks.contains(mark));
    } else {
        state.keys.marked.extend(marks);
    }
    !all
}

/// Opens the menu of what can be copied.
pub fn open(state: &mut State) -> Vec<Action> {
    if state.keys.marked.is_empty() && state.keys.chosen().is_empty() {
        state.say(Words::plain("there is no row to copy from"));
    } else {
        state.overlay = Some(Overlay::Copy(CopyMenu));
    }
    Vec::new()
}

/// Asks which name to copy.
pub struct CopyMenu;

/// A kind of name: its key, its word, and what is said once it is copied, of one row and of several.
struct Kind {
    key: char,
    word: &'static str,
    one: &'static str,
    several: &'static str,
    of: fn(&Inventory, &Row) -> Option<String>,
}

const KINDS: [Kind; 4] = [
    Kind {
        key: 'a',
        word: "ARN of the KMS key, else the key path",
        one: "the ARN",
        several: "the ARNs",
        of: arn,
    },
    Kind { key: 'l', word: "alias of the KMS key", one: "the alias", several: "the aliases", of: alias },
    Kind {
        key: 'c',
        word: "name of the column key",
        one: "the column key",
        several: "the column keys",
        of: cek,
    },
    Kind {
        key: 'm',
        word: "name of the master key (CMK)",
        one: "the master key",
        several: "the master keys",
        of: cmk,
    },
];

fn arn(_: &Inventory, row: &Row) -> Option<String> {
    let arn = row.key_arn().map(ToString::to_string);
    arn.or_else(|| row.cmk().map(|cmk| cmk.key_path.to_string()))
}

fn alias(inventory: &Inventory, row: &Row) -> Option<String> {
    inventory.key_of(row)?.aliases.known()?.first().map(|alias| format!("alias/{alias}"))
}

fn cek(_: &Inventory, row: &Row) -> Option<String> {
    match row {
        Row::Pair(pair) => Some(pair.cek.to_string()),
        Row::OrphanColumnKey { cek, .. } => Some(cek.to_string()),
        _ => None,
    }
}

fn cmk(_: &Inventory, row: &Row) -> Option<String> {
    row.cmk().map(|cmk| cmk.name.to_string())
}

impl CopyMenu {
    pub fn on_key(self, state: &mut State, key: KeyEvent) -> Vec<Action> {
        let kind = match key.code {
            // The same key again, or enter: what is wanted most.
            KeyCode::Char('y') | KeyCode::Enter => Some(&KINDS[0]),
            KeyCode::Char(c) => KINDS.iter().find(|kind| kind.key == c),
            _ => return Vec::new(),
        };
        let Some(kind) = kind else {
            state.overlay = Some(Overlay::Copy(self));
            return Vec::new();
        };
        let rows = wanted(state);
        let mut names: Vec<String> = Vec::new();
        let mut known = HashSet::new();
        for (inventory, row) in &rows {
            let name = (kind.of)(inventory, row).filter(|name| known.insert(name.clone()));
            names.extend(name);
        }
        if names.is_empty() {
            let what = if rows.len() == 1 { "this row has" } else { "these rows have" };
            state.say(Words::plain(format!("{what} none: {}", kind.word)));
            return Vec::new();
        }
        let what = if names.len() == 1 { kind.one } else { kind.several };
        vec![Action::Copy { text: names.join("\n"), what }]
    }
}

/// The marked rows, whether the filter shows them or not; where none is, the selected ones.
fn wanted(state: &State) -> Vec<(&Inventory, &Row)> {
    let of = |id: &RowId| {
        let part = state.parts.get(usize::from(id.part))?;
        Some((&*part.snapshot.inventory, state.row(*id)?))
    };
    if state.keys.marked.is_empty() {
        return state.keys.chosen().iter().filter_map(of).collect();
    }
    let rows = state.places().flat_map(|(place, part)| {
        let inventory = &*part.snapshot.inventory;
        inventory.rows.iter().map(move |row| (place, inventory, row))
    });
    rows.filter(|(place, _, row)| state.keys.marked.contains(&identity(&place.environment, row)))
        .map(|(_, inventory, row)| (inventory, row))
        .collect()
}

/// Draws the menu over the screen.
pub fn draw(state: &State, buf: &mut Buffer, screen: Rect) {
    let theme = &state.theme;
    let count = wanted(state).len();
    let title = match (state.keys.marked.is_empty(), count) {
        (true, 1) => "Copy, of this row".to_owned(),
        (true, _) => format!("Copy, of {count} rows"),
        (false, _) => format!("Copy, of {} marked", super::counted(count, "row")),
    };
    let height = u16::try_from(KINDS.len()).unwrap_or(0) + 3;
    let inner = panel::overlay(buf, screen, theme, (52, height), &title, "esc back");
    let room = usize::from(inner.width);
    for (kind, y) in KINDS.iter().zip(inner.y..inner.bottom()) {
        buf.set_stringn(inner.x, y, kind.key.to_string(), room, theme.tone(Tone::Accent));
        buf.set_stringn(inner.x + 3, y, kind.word, room.saturating_sub(3), theme.tone(Tone::Text));
    }
}
