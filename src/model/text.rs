//! Text that somebody else wrote: aliases, descriptions, user agents, SQL names.
//!
//! An attacker may have chosen it, so it reaches a screen or a printed table only with control characters,
//! escape sequences, bidirectional overrides and zero-width characters made visible.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Text from outside. [`fmt::Display`] shows it made visible; [`Untrusted::raw`] gives it as it came,
/// for comparing and for machine-readable output, never for a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Untrusted(Arc<str>);

impl Untrusted {
    /// Wraps text from outside.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into().into())
    }

    /// The text as it came. Not for a terminal.
    #[must_use]
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The text with everything that could deceive made visible.
    #[must_use]
    pub fn shown(&self) -> Cow<'_, str> {
        visible(&self.0)
    }

    /// Whether there is any text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.shown())
    }
}

/// The parts of a SQL name, joined by dots and made visible.
#[must_use]
pub fn dotted<'a>(parts: impl Iterator<Item = &'a Untrusted>) -> String {
    parts.map(Untrusted::shown).collect::<Vec<_>>().join(".")
}

/// Texts of which many are the same: each is kept once, whoever holds it.
#[derive(Debug, Default)]
pub struct Texts(HashSet<Untrusted>);

impl Texts {
    /// Puts the text that is known already in the place of one that reads the same.
    pub fn share(&mut self, text: &mut Untrusted) {
        match self.0.get(text) {
            Some(known) => *text = known.clone(),
            None => {
                self.0.insert(text.clone());
            }
        }
    }
}

/// `text` with each deceiving character replaced by what it is: control characters by their Unicode
/// pictures (`␛`), others by their code point (`⟨U+202E⟩`). Borrowed where nothing had to change.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(deceives) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\0'..='\u{1f}' => {
                shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            '\u{7f}' => shown.push('\u{2421}'),
            c if deceives(c) => {
                // Writing to a String cannot fail.
                let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character can change how others are shown, or is itself not to be seen.
fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::{Untrusted, deceives, visible};
    use proptest::prelude::*;
    use std::borrow::Cow;

    #[test]
    fn honest_text_is_left_alone() {
        assert!(matches!(visible("buzz-tutor/user-data · Zürich 鍵"), Cow::Borrowed(_)));
    }

    #[test]
    fn an_escape_sequence_shows_as_its_pictures() {
        assert_eq!(visible("a\u{1b}[2Jb\r\n\u{7f}"), "a␛[2Jb␍␊␡");
    }

    #[test]
    fn a_bidi_override_shows_its_code_point() {
        assert_eq!(Untrusted::from("user\u{202e}atad").to_string(), "user⟨U+202E⟩atad");
    }

    proptest! {
        #[test]
        fn nothing_shown_deceives(text in any::<String>()) {
            prop_assert!(!visible(&text).chars().any(deceives));
        }
    }
}
