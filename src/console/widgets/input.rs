//! One line of typed text.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::text::width;

/// What has been typed, and where the next letter goes. Control characters never get in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextInput {
    text: String,
    /// In bytes, on a character's edge.
    cursor: usize,
}

impl TextInput {
    /// One with text in it already; the cursor stands after it.
    #[must_use]
    pub fn with(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Puts text in at the cursor, without its control characters.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// Takes a key; false where it means nothing to a line of text.
    pub fn on_key(&mut self, key: KeyEvent) -> bool {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('u') if control => self.remove(0),
            KeyCode::Char('w') if control => {
                let kept = self.text[..self.cursor].trim_end();
                let start = kept.rfind(char::is_whitespace).map_or(0, |at| at + 1);
                // A blank of more than one byte: step to the edge after it.
                let start = (start..=self.cursor).find(|at| self.text.is_char_boundary(*at)).unwrap_or(0);
                self.remove(start);
            }
            KeyCode::Char('a') if control => self.cursor = 0,
            KeyCode::Char('e') if control => self.cursor = self.text.len(),
            KeyCode::Char(c) if !control && !key.modifiers.contains(KeyModifiers::ALT) => {
                self.insert(c.encode_utf8(&mut [0; 4]));
            }
            KeyCode::Backspace => self.remove(self.before()),
            KeyCode::Delete if self.cursor < self.text.len() => {
                self.text.remove(self.cursor);
            }
            KeyCode::Left => self.cursor = self.before(),
            KeyCode::Right => {
                self.cursor += self.text[self.cursor..].chars().next().map_or(0, char::len_utf8);
            }
            KeyCode::Home => self.cursor = 0,
            KeyCode::End => self.cursor = self.text.len(),
            _ => return false,
        }
        true
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn remove(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    /// Draws the line with its cursor; a long one is shown around the cursor.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, style: Style) {
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width).saturating_sub(1);
        let mut start = 0;
        while width(&self.text[start..self.cursor]) > room {
            start += self.text[start..].chars().next().map_or(1, char::len_utf8);
        }
        let shown = crate::model::text::visible(&self.text[start..]);
        buf.set_stringn(area.x, area.y, shown, usize::from(area.width), style);
        let before = crate::model::text::visible(&self.text[start..self.cursor]);
        let at = area.x + u16::try_from(width(&before)).unwrap_or(u16::MAX).min(area.width - 1);
        if let Some(cell) = buf.cell_mut((at, area.y)) {
            cell.set_style(style.add_modifier(Modifier::REVERSED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TextInput;
    use proptest::prelude::*;
    use ratatui::buffer::Buffer;
    use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn key(code: KeyCode) -> KeyEvent {
        KeyEvent::new(code, KeyModifiers::NONE)
    }

    #[test]
    fn a_word_is_taken_back() {
        let mut input = TextInput::with("buzz-tutor/user data");
        input.on_key(KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL));
        assert_eq!(input.text(), "buzz-tutor/user ");
        input.on_key(key(KeyCode::Home));
        input.on_key(key(KeyCode::Delete));
        input.insert("\u{1b}F");
        assert_eq!(input.text(), "Fuzz-tutor/user ");
    }

    proptest! {
        #[test]
        fn any_typing_holds(
            text in "\\PC{0,20}",
            keys in proptest::collection::vec(0..12_u8, 0..40),
            room in 0..30_u16,
        ) {
            let mut input = TextInput::with(text);
            for choice in keys {
                let event = match choice {
                    0 => key(KeyCode::Left),
                    1 => key(KeyCode::Right),
                    2 => key(KeyCode::Backspace),
                    3 => key(KeyCode::Delete),
                    4 => key(KeyCode::Home),
                    5 => key(KeyCode::End),
                    6 => KeyEvent::new(KeyCode::Char('w'), KeyModifiers::CONTROL),
                    7 => key(KeyCode::Char('鍵')),
                    8 => key(KeyCode::Char('\u{3000}')),
                    9 => key(KeyCode::Char(' ')),
                    _ => key(KeyCode::Char('x')),
                };
                input.on_key(event);
                let area = Rect::new(0, 0, room, 1);
                input.draw(&mut Buffer::empty(area), area, Style::new());
            }
        }
    }
}
