//! The command palette: any command by its word.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::commands::{ALL, Entry};
use super::state::{Action, Overlay, State, Words, perform};
use super::theme::Tone;
use super::widgets::input::TextInput;
use super::widgets::panel;
use super::widgets::text::fit;

/// The palette while it is open.
#[derive(Default)]
pub struct Palette {
    pub input: TextInput,
    selected: usize,
}

impl Palette {
    /// Takes a key; enter does what is selected.
    pub fn on_key(mut self, state: &mut State, key: KeyEvent) -> Vec<Action> {
        let found = self.found(state);
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Enter => {
                let Some(entry) = found.get(self.selected) else {
                    state.say(Words::plain(format!("no command `{}`; ? lists them", self.input.text())));
                    return Vec::new();
                };
                return perform(state, entry.command);
            }
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Tab => {
                self.selected = (self.selected + 1).min(found.len().saturating_sub(1));
            }
            KeyCode::Backspace if self.input.text().is_empty() => return Vec::new(),
            _ => {
                self.input.on_key(key);
                self.selected = 0;
            }
        }
        state.overlay = Some(Overlay::Palette(self));
        Vec::new()
    }

    /// The commands that fit what was typed, best first.
    fn found(&self, state: &State) -> Vec<&'static Entry> {
        let typed = self.input.text().trim().to_lowercase();
        let mut found: Vec<(u8, &Entry)> = ALL
            .iter()
            .filter(|entry| entry.works_on(state.screen))
            .filter_map(|entry| Some((fitness(entry, &typed)?, entry)))
            .collect();
        found.sort_by_key(|(fitness, _)| *fitness);
        found.into_iter().map(|(_, entry)| entry).collect()
    }
}

/// How well a command fits, 0 best: the beginning of its word, a part of it, its letters in order, its description.
fn fitness(entry: &Entry, typed: &str) -> Option<u8> {
    if entry.word == typed {
        Some(0)
    } else if entry.word.starts_with(typed) {
        Some(1)
    } else if entry.word.contains(typed) {
        Some(2)
    } else if in_order(entry.word, typed) {
        Some(3)
    } else if entry.description.to_lowercase().contains(typed) {
        Some(4)
    } else {
        None
    }
}

fn in_order(word: &str, letters: &str) -> bool {
    let mut rest = word.chars();
    letters.chars().all(|letter| rest.any(|c| c == letter))
}

/// Draws it over the screen.
pub fn draw(state: &State, palette: &Palette, buf: &mut Buffer, screen: Rect) {
    let theme = &state.theme;
    let found = palette.found(state);
    let height = u16::try_from(found.len()).unwrap_or(u16::MAX).saturating_add(4).clamp(5, 16);
    let inner = panel::overlay(buf, screen, theme, (72, height), "Command", "enter do it · esc back");
    if inner.is_empty() {
        return;
    }
    let room = usize::from(inner.width);
    buf.set_stringn(inner.x, inner.y, ":", room, theme.tone(Tone::Accent));
    let field = Rect { x: inner.x + 1, width: inner.width.saturating_sub(1), height: 1, ..inner };
    palette.input.draw(buf, field, theme.input);
    let rows = usize::from(inner.height.saturating_sub(2));
    let first = palette.selected.saturating_sub(rows.saturating_sub(1));
    for (at, (entry, y)) in found.iter().skip(first).take(rows).zip(inner.y + 2..).enumerate() {
        let key = state.options.keymap.key(entry.command).map(|key| key.to_string()).unwrap_or_default();
        let off = entry.acts && !state.can_act();
        let tone = if off { Tone::Dim } else { Tone::Text };
        buf.set_stringn(inner.x, y, format!(" {:<16}", entry.word), room, theme.tone(Tone::Strong));
        let described = if off { "not while read-only" } else { entry.description };
        let room = room.saturating_sub(28);
        buf.set_stringn(inner.x + 18, y, fit(described, room), room, theme.tone(tone));
        let x = inner.right().saturating_sub(u16::try_from(key.len()).unwrap_or(0) + 1);
        buf.set_string(x, y, key, theme.tone(Tone::Accent));
        if at + first == palette.selected {
            buf.set_style(Rect { y, height: 1, ..inner }, theme.selected);
        }
    }
    if found.is_empty() && inner.height > 2 {
        buf.set_stringn(inner.x + 1, inner.y + 2, "no such command", room, theme.tone(Tone::Dim));
    }
}
