//! A page of facts: headings, and labelled values below them.

use std::borrow::Cow;

use ratatui::text::{Line, Span};

use super::text::Paragraph;
use crate::console::theme::{Theme, Tone};
use crate::model::seen::Seen;

/// A page in the making.
pub struct Sheet<'a> {
    theme: &'a Theme,
    label: usize,
    compact: bool,
    lines: Vec<Paragraph>,
}

impl<'a> Sheet<'a> {
    /// An empty page; labels take `label` columns.
    #[must_use]
    pub fn new(theme: &'a Theme, label: usize) -> Self {
        Self { theme, label, compact: false, lines: Vec::new() }
    }

    /// Without blank lines between sections.
    #[must_use]
    pub fn compact(mut self, compact: bool) -> Self {
        self.compact = compact;
        self
    }

    /// Begins a section.
    pub fn heading(&mut self, title: impl Into<Cow<'static, str>>) {
        if !self.lines.is_empty() && !self.compact {
            self.lines.push(Paragraph::default());
        }
        self.lines.push(Line::styled(title.into(), self.theme.tone(Tone::Heading)).into());
    }

    /// A labelled value.
    pub fn fact(&mut self, label: &'static str, value: impl Into<Cow<'static, str>>, tone: Tone) {
        let width = self.label;
        let line = Line::from(vec![
            Span::styled(format!("{label:<width$} "), self.theme.tone(Tone::Dim)),
            Span::styled(value.into(), self.theme.tone(tone)),
        ]);
        self.lines.push(Paragraph::hanging(line, width + 1));
    }

    /// A labelled fact that may be loading or not visible, which is said and set apart.
    pub fn seen<T>(&mut self, label: &'static str, fact: &Seen<T>, tell: impl FnOnce(&T) -> String) {
        let tone = match fact {
            Seen::Known(_) => Tone::Text,
            Seen::Loading => Tone::Dim,
            Seen::NotVisible(_) => Tone::Notice,
        };
        let mark = if matches!(fact, Seen::NotVisible(_)) { "? " } else { "" };
        let told = fact.told(tell);
        self.fact(label, format!("{mark}{}", crate::model::text::visible(&told)), tone);
    }

    /// A paragraph; what continues it stands under its first letter.
    pub fn text(&mut self, text: impl Into<Cow<'static, str>>, tone: Tone) {
        let text = text.into();
        let indent = text.chars().take_while(|c| !c.is_alphanumeric()).count();
        let indent = if indent == text.chars().count() { 0 } else { indent };
        self.lines.push(Paragraph::hanging(Line::styled(text, self.theme.tone(tone)), indent));
    }

    /// JSON, a line a line, made fit for a screen.
    pub fn json(&mut self, json: &str) {
        let pretty = serde_json::from_str::<serde_json::Value>(json)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| json.to_owned());
        for line in pretty.lines() {
            let indent = line.len() - line.trim_start().len() + 4;
            let line = json_line(&crate::model::text::visible(line), self.theme);
            self.lines.push(Paragraph::hanging(line, indent));
        }
    }

    /// The page.
    #[must_use]
    pub fn done(self) -> Vec<Paragraph> {
        self.lines
    }
}

/// One line of pretty JSON: the member's name set apart from its value.
fn json_line(line: &str, theme: &Theme) -> Line<'static> {
    match line.split_once("\": ") {
        Some((name, value)) if line.trim_start().starts_with('"') => Line::from(vec![
            Span::styled(format!("{name}\": "), theme.tone(Tone::Dim)),
            Span::styled(value.to_owned(), theme.tone(Tone::Text)),
        ]),
        _ => Line::styled(line.to_owned(), theme.tone(Tone::Dim)),
    }
}
