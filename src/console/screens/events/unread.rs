//! The records that could not be read: why, and as they came.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::commands::Command;
use crate::console::screens::keys::WIDE;
use crate::console::state::{Action, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::table::{Cell, Column, ListState, Table};
use crate::console::widgets::text::{Paragraph, fit};
use crate::model::text::visible;
use crate::trail::Unparsed;

/// The list of unread records while it is open.
#[derive(Default)]
pub struct Unread {
    pub list: ListState,
    pub text: Scroll,
    in_text: bool,
}

const COLUMNS: [Column; 2] = [
    Column { title: "WHY IT COULD NOT BE READ", min: 24, max: 60, sacrifice: 0 },
    Column { title: "RECORD", min: 20, max: 200, sacrifice: 0 },
];

/// Opens the list, or says that there is nothing to open.
pub fn open(state: &mut State) {
    if counted(state) == 0 {
        state.say(Words::plain("every record that came could be read"));
    } else {
        state.events.unread = Some(Unread::default());
    }
}

/// Answers a command while the list is open. None where it is not for the list.
pub fn on_command(state: &mut State, command: Command) -> Option<Vec<Action>> {
    let count = kept(state).count();
    let open = state.events.unread.as_mut()?;
    if open.in_text && open.text.on_command(command) {
        return Some(Vec::new());
    }
    if open.list.on_command(command, count) {
        open.text.reset();
        return Some(Vec::new());
    }
    match command {
        Command::Open | Command::Right => open.in_text = true,
        Command::Left => open.in_text = false,
        Command::Back if open.in_text => open.in_text = false,
        Command::Back | Command::Unread => state.events.unread = None,
        Command::Copy => {
            let text = selected(state)?.raw.to_string();
            return Some(vec![Action::Copy { text, what: "the record" }]);
        }
        _ => state.say(Words::plain("these are records, not events: esc goes back to the events")),
    }
    Some(Vec::new())
}

/// How many records of every environment could not be read.
pub fn counted(state: &State) -> u64 {
    state.parts.iter().map(|part| part.trail.events.unparsed_count()).sum()
}

/// Those that are kept.
fn kept(state: &State) -> impl Iterator<Item = &Arc<Unparsed>> {
    state.parts.iter().flat_map(|part| part.trail.events.unparsed())
}

fn selected(state: &State) -> Option<Arc<Unparsed>> {
    let at = state.events.unread.as_ref()?.list.selected;
    kept(state).nth(at).cloned()
}

/// Draws the list where the events would be.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let Some(mut open) = state.events.unread.take() else { return };
    let room = usize::from(area.width.saturating_sub(2));
    let (here, count) = (kept(state).count() as u64, counted(state));
    let which = if here < count { format!(", the first {here} are kept") } else { String::new() };
    let line = format!("{count} records could not be read{which}; each may hide something · esc back");
    buf.set_stringn(area.x + 1, area.y, fit(&line, room), room, state.theme.tone(Tone::Notice));
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if open.in_text { state.theme.border_focus } else { state.theme.border };
        let (list, text) = panel::beside(buf, body, area.width / 2, rule);
        draw_list(state, &mut open, buf, list);
        let lines = page(state, &open);
        open.text.draw(buf, text, &state.theme, &lines);
    } else if open.in_text {
        let lines = page(state, &open);
        open.text.draw(buf, panel::pad(body, 1), &state.theme, &lines);
    } else {
        draw_list(state, &mut open, buf, body);
    }
    state.events.unread = Some(open);
}

fn draw_list(state: &State, open: &mut Unread, buf: &mut Buffer, area: Rect) {
    let records: Vec<&Arc<Unparsed>> = kept(state).collect();
    let table = Table { columns: &COLUMNS, sort: None, focused: !open.in_text };
    table.draw(buf, area, &state.theme, &mut open.list, records.len(), |index| {
        let Some(record) = records.get(index) else { return Vec::new() };
        let beginning: String = record.raw.chars().take(200).collect();
        vec![
            Cell::new(record.reason.clone(), Tone::Notice),
            Cell::new(visible(&beginning).into_owned(), Tone::Dim),
        ]
    });
}

fn page(state: &State, open: &Unread) -> Vec<Paragraph> {
    let mut sheet = Sheet::new(&state.theme, 10);
    if let Some(record) = kept(state).nth(open.list.selected) {
        sheet.heading("NOT READ");
        sheet.text(record.reason.clone(), Tone::Notice);
        if record.raw.len() >= Unparsed::KEPT {
            sheet.text("only its beginning is kept", Tone::Dim);
        }
        sheet.heading("AS IT CAME");
        sheet.json(&record.raw);
    }
    sheet.done()
}
