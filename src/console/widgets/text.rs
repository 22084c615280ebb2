//! Text cut and wrapped by the width it takes on a screen.

use std::borrow::Cow;

use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Columns that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// `text` in at most `room` columns, with `…` where something was cut off.
#[must_use]
pub fn fit(text: &str, room: usize) -> Cow<'_, str> {
    if text.len() <= room || width(text) <= room {
        return Cow::Borrowed(text);
    }
    if room == 0 {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{}…", head(text, room - 1)))
}

/// As much of the beginning as `room` columns hold.
fn head(text: &str, room: usize) -> &str {
    let mut taken = 0;
    let past = text.char_indices().find(|(_, c)| {
        taken += c.width().unwrap_or(0);
        taken > room
    });
    let mut head = past.map_or(text, |(at, _)| &text[..at]);
    // Characters may be wider together than each by itself: a digit is one column, as an emoji (U+FE0F) two.
    while width(head) > room {
        head = head.char_indices().next_back().map_or("", |(last, _)| &head[..last]);
    }
    head
}

/// A line that may be too long for its place, and how far what continues it is set in.
#[derive(Clone, Debug, Default)]
pub struct Paragraph {
    pub line: Line<'static>,
    pub indent: usize,
}

impl Paragraph {
    /// One whose continuation is set in by `indent` columns.
    #[must_use]
    pub fn hanging(line: Line<'static>, indent: usize) -> Self {
        Self { line, indent }
    }
}

impl From<Line<'static>> for Paragraph {
    fn from(line: Line<'static>) -> Self {
        Self { line, indent: 0 }
    }
}

/// Paragraphs broken at blanks to lines of `room` columns. A word longer than its room is cut.
#[must_use]
pub fn wrap(paragraphs: &[Paragraph], room: usize) -> Vec<Line<'static>> {
    let room = room.max(1);
    let mut out = Vec::with_capacity(paragraphs.len());
    for Paragraph { line, indent } in paragraphs {
        if line.width() <= room {
            out.push(line.clone());
        } else {
            let indent = if indent * 2 < room { *indent } else { 0 };
            wrap_one(line, room, indent, &mut out);
        }
    }
    out
}

/// A styled sentence, broken to lines of `room` columns.
#[must_use]
pub fn wrap_words(text: impl Into<String>, style: Style, room: usize) -> Vec<Line<'static>> {
    wrap(&[Line::styled(text.into(), style).into()], room)
}

fn wrap_one(line: &Line<'static>, room: usize, indent: usize, out: &mut Vec<Line<'static>>) {
    let mut wrapped = Wrapped { room, indent, spans: Vec::new(), taken: 0, empty: true, out };
    for span in &line.spans {
        for word in span.content.split_inclusive(' ') {
            wrapped.word(word, span.style);
        }
    }
    wrapped.end();
}

struct Wrapped<'a> {
    room: usize,
    indent: usize,
    spans: Vec<Span<'static>>,
    taken: usize,
    empty: bool,
    out: &'a mut Vec<Line<'static>>,
}

impl Wrapped<'_> {
    fn word(&mut self, word: &str, style: Style) {
        let long = width(word.trim_end());
        // A word that no line could hold whole is cut where it stands.
        if !self.empty && self.taken + long > self.room && long <= self.room - self.indent {
            self.turn();
        }
        let mut rest = word;
        while width(rest.trim_end()) > self.room - self.taken {
            let mut first = head(rest, self.room - self.taken);
            if first.is_empty() && self.taken > self.indent {
                self.turn();
                continue;
            }
            if first.is_empty() {
                // A wide character in a room of one column: it is drawn cut off rather than for ever.
                first = &rest[..rest.chars().next().map_or(0, char::len_utf8)];
            }
            self.push(first, style);
            rest = &rest[first.len()..];
            self.turn();
        }
        let fitting = head(rest, self.room - self.taken);
        self.push(fitting, style);
    }

    fn push(&mut self, text: &str, style: Style) {
        if text.is_empty() {
            return;
        }
        self.taken = (self.taken + width(text)).min(self.room);
        self.empty &= text.trim().is_empty();
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(text),
            _ => self.spans.push(Span::styled(text.to_owned(), style)),
        }
    }

    fn turn(&mut self) {
        self.end();
        if self.indent > 0 {
            self.spans.push(Span::raw(" ".repeat(self.indent)));
        }
        self.taken = self.indent;
        self.empty = true;
    }

    fn end(&mut self) {
        self.out.push(Line::from(std::mem::take(&mut self.spans)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Paragraph, fit, width, wrap};
    use proptest::prelude::*;
    use ratatui::text::Line;

    fn wrapped(text: &str, room: usize, indent: usize) -> Vec<String> {
        wrap(&[Paragraph::hanging(Line::from(text.to_owned()), indent)], room)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn text_is_cut_by_its_width() {
        assert_eq!(fit("buzz-tutor/user-data", 10), "buzz-tuto…");
        assert_eq!(fit("鍵鍵鍵", 5), "鍵鍵…");
        assert_eq!(fit("鍵鍵鍵", 4), "鍵…");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn what_is_wider_together_is_cut_by_the_width_it_has_together() {
        let digits = "0\u{fe0f}".repeat(30);
        for room in 0..9 {
            assert!(width(&fit(&digits, room)) <= room);
        }
        assert!(wrapped(&digits, 5, 0).iter().all(|line| width(line) <= 5));
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(
            wrapped("the instance goes down; restore it", 14, 2),
            ["the instance ", "  goes down; ", "  restore it"]
        );
        assert_eq!(wrapped("abcdefghij", 4, 0), ["abcd", "efgh", "ij"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_its_room(text in "\\PC{0,60}", room in 2..40_usize, indent in 0..6_usize) {
            prop_assert!(width(&fit(&text, room)) <= room);
            for line in wrapped(&text, room, indent) {
                prop_assert!(width(line.trim_end()) <= room, "{line:?}");
            }
        }
    }
}
