//! What depends on a key, told: in sections and in one-liners for people, as a record for machines.

mod brief;
mod record;
mod sections;
mod words;

use jiff::{SignedDuration, Timestamp};

pub use brief::{grants_brief, policy_brief, relatives_brief, usage_brief};
pub use record::{DependentsRecord, record};
pub use sections::sections;

/// A part of the page about what depends on a key. Each says something: that there is none, that it is loading, or
/// why it is not visible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    pub title: &'static str,
    pub lines: Vec<Line>,
}

/// A line, fit for a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub weight: Weight,
    /// Whether it belongs under the line before it.
    pub under: bool,
}

/// How much a line weighs; its words and marks say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    Plain,
    Strong,
    /// There is none, or it is loading.
    Faint,
    /// Not visible, or not known.
    Unknown,
    /// Worth a second look.
    Warn,
}

/// When it is told, and how long warm clients may hold decrypted column keys.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    pub now: Timestamp,
    pub column_key_cache: SignedDuration,
}

impl Line {
    fn new(text: impl Into<String>, weight: Weight) -> Self {
        Self { text: text.into(), weight, under: false }
    }

    fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Weight::Plain)
    }

    fn faint(text: impl Into<String>) -> Self {
        Self::new(text, Weight::Faint)
    }

    fn unknown(text: impl AsRef<str>) -> Self {
        Self::new(format!("? {}", crate::model::text::visible(text.as_ref())), Weight::Unknown)
    }

    fn warn(text: impl std::fmt::Display) -> Self {
        Self::new(format!("▲ {text}"), Weight::Warn)
    }

    fn under(self) -> Self {
        Self { under: true, ..self }
    }
}

#[cfg(test)]
mod tests;
