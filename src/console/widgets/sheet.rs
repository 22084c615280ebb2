//! A page of facts: headings, and labelled values below them.

use std::borrow::Cow;

use ratatui::text::{Line, Span};

use crate::console::theme::{Theme, Tone};
use crate::model::seen::Seen;

/// A page in the making.
pub struct Sheet<'a> {
    theme: &'a Theme,
    label: usize,
    lines: Vec<Line<'static>>,
}

impl<'a> Sheet<'a> {
    /// An empty page; labels take `label` columns.
    #[must_use]
    pub fn new(theme: &'a Theme, label: usize) -> Self {
        Self { theme, label, lines: Vec::new() }
    }

    /// Begins a section.
    pub fn heading(&mut self, title: impl Into<Cow<'static, str>>) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        self.lines.push(Line::styled(title.into(), self.theme.tone(Tone::Heading)));
    }

    /// A labelled value.
    pub fn fact(&mut self, label: &'static str, value: impl Into<Cow<'static, str>>, tone: Tone) {
        let width = self.label;
        self.lines.push(Line::from(vec![
            Span::styled(format!("{label:<width$} "), self.theme.tone(Tone::Dim)),
            Span::styled(value.into(), self.theme.tone(tone)),
        ]));
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

    /// A paragraph.
    pub fn text(&mut self, text: impl Into<Cow<'static, str>>, tone: Tone) {
        self.lines.push(Line::styled(text.into(), self.theme.tone(tone)));
    }

    /// JSON, a line a line, made fit for a screen.
    pub fn json(&mut self, json: &str) {
        let pretty = serde_json::from_str::<serde_json::Value>(json)
            .and_then(|value| serde_json::to_string_pretty(&value))
            .unwrap_or_else(|_| json.to_owned());
        for line in pretty.lines() {
            self.lines.push(json_line(&crate::model::text::visible(line), self.theme));
        }
    }

    /// The page.
    #[must_use]
    pub fn done(self) -> Vec<Line<'static>> {
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
