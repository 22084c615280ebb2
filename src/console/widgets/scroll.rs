//! A text that may be longer than its place.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::text::{Paragraph, wrap};
use crate::console::commands::Command;
use crate::console::theme::{Theme, Tone};

/// How far a text is scrolled, and what was last seen of it.
#[derive(Clone, Debug, Default)]
pub struct Scroll {
    offset: usize,
    /// Lines of the place, and of the text, when last drawn.
    place: usize,
    length: usize,
    /// Where it was drawn, for the mouse.
    pub area: Rect,
}

impl Scroll {
    pub fn reset(&mut self) {
        self.offset = 0;
    }

    /// Goes to where the newest stands.
    pub fn go_to_end(&mut self) {
        self.offset = usize::MAX;
    }

    /// Moves as a command says; false where it is none that moves.
    pub fn on_command(&mut self, command: Command) -> bool {
        let page = self.place.saturating_sub(1).max(1);
        self.offset = match command {
            Command::Up => self.offset.saturating_sub(1),
            Command::Down => self.offset + 1,
            Command::PageUp => self.offset.saturating_sub(page),
            Command::PageDown => self.offset + page,
            Command::Top => 0,
            Command::Bottom => self.length,
            _ => return false,
        };
        self.hold();
        true
    }

    /// Moves by lines, as a mouse's wheel does.
    pub fn wheel(&mut self, lines: isize) {
        self.offset = self.offset.saturating_add_signed(lines);
        self.hold();
    }

    fn hold(&mut self) {
        self.offset = self.offset.min(self.length.saturating_sub(self.place));
    }

    /// Draws `text` wrapped, and a bar where there is more than can be seen.
    pub fn draw(&mut self, buf: &mut Buffer, area: Rect, theme: &Theme, text: &[Paragraph]) {
        self.area = area;
        if area.is_empty() {
            return;
        }
        let room = usize::from(area.width.saturating_sub(2)).max(1);
        let wrapped = wrap(text, room);
        self.length = wrapped.len();
        self.place = usize::from(area.height);
        self.hold();
        for (line, y) in wrapped.iter().skip(self.offset).zip(area.top()..area.bottom()) {
            buf.set_line(area.x, y, line, area.width.saturating_sub(1).max(1));
        }
        if self.length > self.place {
            self.bar(buf, area, theme);
        }
    }

    fn bar(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let thumb = (self.place * self.place / self.length.max(1)).max(1);
        let room = self.place - thumb.min(self.place);
        let start = self.offset * room / (self.length - self.place).max(1);
        let x = area.right() - 1;
        for (row, y) in (area.top()..area.bottom()).enumerate() {
            let on_thumb = (start..start + thumb).contains(&row);
            let glyph = if on_thumb { "┃" } else { "│" };
            let tone = if on_thumb { theme.tone(Tone::Accent) } else { theme.border };
            buf.set_string(x, y, glyph, tone);
        }
    }
}
