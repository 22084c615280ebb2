//! The Timeline screen: the incident's journal, told in order.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use serde_json::Value;

use super::filter_line;
use super::keys::WIDE;
use crate::console::commands::Command;
use crate::console::state::{Action, State};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::console::widgets::picker::Picker;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::table::{Cell, Column, Table, instead_of_rows};
use crate::console::widgets::text::{Paragraph, fit};
use crate::journal::Entry;
use crate::model::age::ago;
use crate::model::text::visible;

/// What the Timeline screen remembers.
#[derive(Default)]
pub struct TimelineScreen {
    pub picker: Picker,
    pub detail: Scroll,
    pub in_detail: bool,
}

const COLUMNS: [Column; 4] = [
    Column { title: "TIME", min: 9, max: 20, sacrifice: 0 },
    Column { title: "  WHAT", min: 18, max: 22, sacrifice: 0 },
    Column { title: "TOLD", min: 20, max: 200, sacrifice: 1 },
    Column { title: "#", min: 4, max: 5, sacrifice: 2 },
];

/// Takes the journal's new entries; the newest is selected while nobody looks at an older one.
pub fn refresh(state: &mut State) {
    let following = state.timeline.picker.list.selected + 1 >= state.timeline.picker.len();
    let selected = state.timeline.picker.selected();
    let rows = matching(state);
    let last = rows.last().map(|row| *row as usize);
    let keep = if following && !state.timeline.in_detail { last } else { selected };
    state.timeline.picker.show(rows, |row| Some(row) == keep);
}

/// Applies the filter as it is typed now.
pub fn refilter(state: &mut State) {
    let rows = matching(state);
    state.timeline.picker.show_from_top(rows);
    state.timeline.detail.reset();
}

fn matching(state: &State) -> Vec<u32> {
    let words: Vec<String> =
        state.timeline.picker.filter.text().split_whitespace().map(str::to_lowercase).collect();
    (0..)
        .zip(&state.journal)
        .filter(|(_, entry)| {
            let text = format!("{} {}", entry.kind, entry.body).to_lowercase();
            words.iter().all(|word| text.contains(word))
        })
        .map(|(row, _)| row)
        .collect()
}

fn selected(state: &State) -> Option<&Entry> {
    state.journal.get(state.timeline.picker.selected()?)
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    let count = state.timeline.picker.len();
    let timeline = &mut state.timeline;
    if timeline.in_detail && timeline.detail.on_command(command) {
        return Vec::new();
    }
    if timeline.picker.list.on_command(command, count) {
        timeline.detail.reset();
        return Vec::new();
    }
    match command {
        Command::Open | Command::Right => timeline.in_detail = count > 0,
        Command::Left => timeline.in_detail = false,
        Command::Back if timeline.in_detail => timeline.in_detail = false,
        Command::Back if timeline.picker.filtered() => {
            timeline.picker.filter.clear();
            refilter(state);
        }
        Command::Copy => {
            let text = selected(state).and_then(|entry| serde_json::to_string(entry).ok());
            if let Some(text) = text {
                return vec![Action::Copy { text, what: "the journal's entry" }];
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let line = Rect { height: 1, ..area };
    if state.filtering || state.timeline.picker.filtered() {
        filter_line(state, buf, line, &state.timeline.picker, state.journal.len());
    } else {
        let room = usize::from(area.width.saturating_sub(2));
        let head = state.journal.last().map_or_else(String::new, |entry| {
            format!(" · head {}", visible(entry.hash.get(..12).unwrap_or(&entry.hash)))
        });
        let text = format!("{} entries in the journal{head}", state.journal.len());
        buf.set_stringn(area.x + 1, area.y, fit(&text, room), room, state.theme.tone(Tone::Strong));
    }
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if state.timeline.in_detail { state.theme.border_focus } else { state.theme.border };
        let (list, detail) = panel::beside(buf, body, (area.width / 3).clamp(46, 76), rule);
        draw_list(state, buf, list);
        draw_detail(state, buf, detail);
    } else if state.timeline.in_detail {
        draw_detail(state, buf, panel::pad(body, 1));
    } else {
        draw_list(state, buf, body);
    }
}

fn draw_list(state: &mut State, buf: &mut Buffer, area: Rect) {
    let mut list = std::mem::take(&mut state.timeline.picker.list);
    let count = state.timeline.picker.len();
    let table = Table { columns: &COLUMNS, sort: None, focused: !state.timeline.in_detail };
    table.draw(buf, area, &state.theme, &mut list, count, |index| {
        let entry = state.timeline.picker.row(index).and_then(|row| state.journal.get(row));
        entry.map_or_else(Vec::new, |entry| cells(entry, state.now))
    });
    state.timeline.picker.list = list;
    if count == 0 {
        let sentence = if state.timeline.picker.filtered() {
            "no entry has all these words · esc shows all"
        } else if state.can_act() {
            "nothing has been done in this incident yet"
        } else {
            "read-only: no incident, so no journal is kept"
        };
        instead_of_rows(buf, area, &state.theme, sentence);
    }
}

fn cells(entry: &Entry, now: Timestamp) -> Vec<Cell> {
    let (glyph, tone) = look(&entry.kind);
    let today = entry.at.strftime("%Y-%m-%d").to_string() == now.strftime("%Y-%m-%d").to_string();
    let time = if today { "%H:%M:%SZ" } else { "%m-%d %H:%M:%SZ" };
    vec![
        Cell::new(entry.at.strftime(time).to_string(), Tone::Dim),
        Cell::new(format!("{glyph} {}", visible(&entry.kind.replace(['-', '_'], " "))), tone),
        Cell::new(told(&entry.body), Tone::Text),
        Cell::new(entry.seq.to_string(), Tone::Dim),
    ]
}

/// A kind's glyph and its look.
fn look(kind: &str) -> (&'static str, Tone) {
    let has = |word: &str| kind.contains(word);
    if has("fail") || has("refus") || has("unknown") || has("torn") {
        ("✗", Tone::Bad)
    } else if has("intent") {
        ("▸", Tone::Warn)
    } else if has("proof") || has("verified") || has("finished") || has("done") {
        ("✓", Tone::Good)
    } else if has("owed") {
        ("▲", Tone::Notice)
    } else if has("note") || has("attest") {
        ("✎", Tone::Accent)
    } else {
        ("·", Tone::Text)
    }
}

/// An entry's body in one line: its words first, then what else is short enough to matter.
fn told(body: &Value) -> String {
    const FIRST: [&str; 16] = [
        "text",
        "summary",
        "title",
        "step",
        "operation",
        "key_name",
        "call",
        "answer",
        "outcome",
        "state",
        "what",
        "note",
        "reason",
        "message",
        "runbook",
        "by",
    ];
    let Some(fields) = body.as_object() else { return plain(body) };
    let nested = fields.values().filter_map(Value::as_object);
    let every = || std::iter::once(fields).chain(nested.clone());
    let mut parts: Vec<String> = Vec::new();
    for name in FIRST {
        let value = every().find_map(|fields| fields.get(name));
        let part = value.filter(|value| !value.is_object() && !value.is_array()).map(plain);
        parts.extend(part.filter(|part| !part.is_empty() && !parts.contains(part)));
    }
    if parts.is_empty() {
        parts = fields
            .iter()
            .filter(|(_, value)| !value.is_object() && !value.is_array() && !value.is_null())
            .map(|(name, value)| format!("{} {}", visible(name), plain(value)))
            .collect();
    }
    parts.join(" · ")
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => visible(text).into_owned(),
        Value::Null => String::new(),
        other => visible(&other.to_string()).into_owned(),
    }
}

fn draw_detail(state: &mut State, buf: &mut Buffer, area: Rect) {
    let lines = selected(state).map_or_else(Vec::new, |entry| lines(state, entry));
    state.timeline.detail.draw(buf, area, &state.theme, &lines);
}

fn lines(state: &State, entry: &Entry) -> Vec<Paragraph> {
    let mut sheet = Sheet::new(&state.theme, 8);
    let (glyph, tone) = look(&entry.kind);
    sheet.heading(format!("{} {}", entry.seq, visible(&entry.kind)));
    sheet.text(format!("{glyph} {}", told(&entry.body)), tone);
    sheet.text("", Tone::Text);
    let at = entry.at.strftime("%Y-%m-%d %H:%M:%SZ");
    sheet.fact("when", format!("{at} ({} ago)", ago(entry.at, state.now)), Tone::Text);
    sheet.fact("hash", visible(&entry.hash).into_owned(), Tone::Dim);
    sheet.fact("before", visible(&entry.prev).into_owned(), Tone::Dim);
    sheet.heading("BODY");
    sheet.json(&entry.body.to_string());
    sheet.done()
}

#[cfg(test)]
mod tests {
    use super::told;
    use serde_json::json;

    #[test]
    fn an_entry_is_told_by_what_matters() {
        let body =
            json!({"plan": {"operation": "disable-key", "key_name": "buzz-tutor/user-data"}, "digest": "ab"});
        assert_eq!(told(&body), "disable-key · buzz-tutor/user-data");
        assert_eq!(told(&json!({"agreeing": 3, "list": [1]})), "agreeing 3");
        assert_eq!(told(&json!({"text": "a\u{1b}b"})), "a␛b");
    }
}
