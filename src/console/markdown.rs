//! Enough Markdown for runbooks: headings, lists, emphasis, code.

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::theme::{Theme, Tone};
use super::widgets::text::Paragraph;
use crate::model::text::visible;

/// A text as lines, to be wrapped by whoever draws them. Paragraphs are joined into one line each.
#[must_use]
pub fn render(text: &str, theme: &Theme) -> Vec<Paragraph> {
    let mut page = Page { theme, lines: Vec::new(), paragraph: String::new(), code: false };
    for line in text.lines() {
        page.line(line);
    }
    page.end_paragraph();
    while page.lines.last().is_some_and(|last| last.line.width() == 0) {
        page.lines.pop();
    }
    page.lines
}

struct Page<'a> {
    theme: &'a Theme,
    lines: Vec<Paragraph>,
    paragraph: String,
    code: bool,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        let trimmed = line.trim();
        if trimmed.starts_with("```") {
            self.end_paragraph();
            self.code = !self.code;
        } else if self.code {
            let shown = format!("  {}", visible(line));
            self.lines.push(Paragraph::hanging(Line::styled(shown, self.theme.tone(Tone::Accent)), 4));
        } else if trimmed.is_empty() {
            self.end_paragraph();
            self.blank();
        } else if let Some(title) = heading(trimmed) {
            self.end_paragraph();
            self.blank();
            let title = Line::styled(visible(title).into_owned(), self.theme.tone(Tone::Heading));
            self.lines.push(title.into());
        } else if let Some((bullet, item)) = item(trimmed) {
            self.end_paragraph();
            self.paragraph = format!("{bullet} {item}");
        } else {
            if !self.paragraph.is_empty() {
                self.paragraph.push(' ');
            }
            self.paragraph.push_str(trimmed);
        }
    }

    fn blank(&mut self) {
        if self.lines.last().is_some_and(|last| last.line.width() > 0) {
            self.lines.push(Paragraph::default());
        }
    }

    fn end_paragraph(&mut self) {
        if !self.paragraph.is_empty() {
            let text = std::mem::take(&mut self.paragraph);
            let indent = item(&text).map_or(0, |(bullet, _)| bullet.chars().count() + 1);
            let line = Line::from(inline(&visible(&text), self.theme));
            self.lines.push(Paragraph::hanging(line, indent));
        }
    }
}

fn heading(line: &str) -> Option<&str> {
    let title = line.trim_start_matches('#');
    (title.len() < line.len()).then_some(title).and_then(|title| title.strip_prefix(' '))
}

/// `- item`, `* item`, `1. item`.
fn item(line: &str) -> Option<(String, &str)> {
    if let Some(item) =
        line.strip_prefix("- ").or_else(|| line.strip_prefix("* ")).or_else(|| line.strip_prefix("• "))
    {
        return Some(("•".to_owned(), item));
    }
    let (number, item) = line.split_once(". ")?;
    (!number.is_empty() && number.len() < 4 && number.bytes().all(|b| b.is_ascii_digit()))
        .then(|| (format!("{number}."), item))
}

/// `**strong**`, `*emphasis*` and `code`; a mark without its partner stands as it is.
fn inline(text: &str, theme: &Theme) -> Vec<Span<'static>> {
    let plain = theme.tone(Tone::Text);
    let marks: [(&str, Style); 3] = [
        ("`", theme.tone(Tone::Accent)),
        ("**", theme.tone(Tone::Strong)),
        ("*", plain.add_modifier(Modifier::ITALIC)),
    ];
    let mut spans = Vec::new();
    let mut rest = text;
    let mut pending = String::new();
    while let Some(c) = rest.chars().next() {
        let marked = marks.iter().find_map(|(mark, style)| {
            let inner = rest.strip_prefix(mark)?;
            let end = inner.find(mark).filter(|end| *end > 0 && !inner.starts_with(' '))?;
            Some((&inner[..end], &inner[end + mark.len()..], *style))
        });
        if let Some((inner, after, style)) = marked {
            if !pending.is_empty() {
                spans.push(Span::styled(std::mem::take(&mut pending), plain));
            }
            spans.push(Span::styled(inner.to_owned(), style));
            rest = after;
        } else {
            pending.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    if !pending.is_empty() {
        spans.push(Span::styled(pending, plain));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::console::theme::{Theme, ThemeName};
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<String> {
        render(text, &Theme::new(ThemeName::Dark)).iter().map(|p| p.line.to_string()).collect()
    }

    #[test]
    fn marks_become_looks_and_paragraphs_flow() {
        assert_eq!(
            shown(
                "# Drop\nUse **only** when\nthe `key` is *leaked*.\n\n- one\n- two\n\n```\ncode *here*\n```\n"
            ),
            ["Drop", "Use only when the key is leaked.", "", "• one", "• two", "", "  code *here*"]
        );
        assert_eq!(shown("2 * 3 * 4 and **open"), ["2 * 3 * 4 and **open"]);
    }

    proptest! {
        #[test]
        fn any_text_is_shown_and_nothing_deceives(text in any::<String>()) {
            for line in shown(&text) {
                prop_assert!(!line.chars().any(char::is_control), "{line:?}");
            }
        }
    }
}
