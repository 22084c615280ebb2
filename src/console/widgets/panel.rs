//! Boxes, rules and the room inside them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::widgets::{Block, Borders, Clear, Widget as _};

use super::text::fit;
use crate::console::theme::{Theme, Tone};

/// A box with a title at the top left and a note at the bottom right; gives the room inside, a blank free at each side.
pub fn boxed(
    buf: &mut Buffer,
    area: Rect,
    border: Style,
    title: (&str, Style),
    note: &str,
    note_style: Style,
) -> Rect {
    let block = Block::new().borders(Borders::ALL).border_set(border::ROUNDED).border_style(border);
    let inner = block.inner(area);
    block.render(area, buf);
    let room = usize::from(area.width).saturating_sub(6);
    if !title.0.is_empty() && room > 0 {
        let text = format!(" {} ", fit(title.0, room));
        buf.set_stringn(area.x + 2, area.y, text, room + 2, title.1);
    }
    if !note.is_empty() && area.height > 1 && room > 0 {
        let text = format!(" {} ", fit(note, room));
        let wide = u16::try_from(super::text::width(&text)).unwrap_or(u16::MAX);
        let x = area.right().saturating_sub(wide.saturating_add(2)).max(area.x);
        buf.set_stringn(x, area.bottom() - 1, text, room + 2, note_style);
    }
    pad(inner, 1)
}

/// A box over everything else, in the middle, at most as large as asked for.
pub fn overlay(
    buf: &mut Buffer,
    screen: Rect,
    theme: &Theme,
    size: (u16, u16),
    title: &str,
    note: &str,
) -> Rect {
    let area = screen.centered(
        ratatui::layout::Constraint::Length(size.0.min(screen.width)),
        ratatui::layout::Constraint::Length(size.1.min(screen.height)),
    );
    Clear.render(area, buf);
    buf.set_style(area, theme.overlay);
    boxed(buf, area, theme.border_focus, (title, theme.tone(Tone::Heading)), note, theme.tone(Tone::Dim))
}

/// `area` without `columns` at its left and right.
#[must_use]
pub fn pad(area: Rect, columns: u16) -> Rect {
    Rect { x: area.x + columns.min(area.width), width: area.width.saturating_sub(columns * 2), ..area }
}

/// A list at the left and its detail at the right, with a rule between: (list, detail).
#[must_use]
pub fn beside(buf: &mut Buffer, area: Rect, detail_width: u16, rule: Style) -> (Rect, Rect) {
    let right = detail_width.min(area.width);
    let left = Rect { width: area.width - right, ..area };
    let detail = Rect { x: left.right(), width: right, ..area };
    for y in area.top()..area.bottom() {
        buf.set_stringn(detail.x, y, "│", usize::from(detail.width), rule);
    }
    (left, Rect { x: detail.x + 2.min(detail.width), width: detail.width.saturating_sub(2), ..detail })
}
