//! Which keys a rule of the settings is about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::KmsKey;
use super::seen::{Cause, NotVisible, Seen};
use super::text::visible;

/// Keys, by what people write on them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeySelector {
    /// Those with this tag; name and value are compared by case, as KMS does.
    Tag { name: String, value: String },
    /// Those with an alias of this pattern.
    Alias(AliasPattern),
}

impl KeySelector {
    /// Whether a key is among them.
    ///
    /// # Errors
    /// Why that cannot be told: its tags or aliases are not visible, or not read yet.
    pub fn selects(&self, key: &KmsKey) -> Result<bool, NotVisible> {
        match self {
            Self::Tag { name, value } => {
                let tags = seen(&key.tags, "its tags have not been read yet")?;
                Ok(tags.get(name).is_some_and(|held| held.raw() == value))
            }
            Self::Alias(pattern) => {
                let aliases = seen(&key.aliases, "its aliases have not been read yet")?;
                Ok(aliases.iter().any(|alias| pattern.matches(alias.raw())))
            }
        }
    }
}

fn seen<'a, T>(fact: &'a Seen<T>, loading: &str) -> Result<&'a T, NotVisible> {
    match fact {
        Seen::Known(fact) => Ok(fact),
        Seen::NotVisible(why) => Err(why.clone()),
        Seen::Loading => Err(NotVisible::new(Cause::Unreadable, loading)),
    }
}

impl fmt::Display for KeySelector {
    /// `tag DataClass=pci`, `alias buzz-tutor/archive-*`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag { name, value } => write!(f, "tag {}={}", visible(name), visible(value)),
            Self::Alias(pattern) => write!(f, "alias {pattern}"),
        }
    }
}

/// A pattern of alias names without their `alias/`: `*` stands for any run of characters, slashes included;
/// everything else for itself, by case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AliasPattern(String);

impl AliasPattern {
    /// A pattern; an `alias/` before it is passed over.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.strip_prefix("alias/").unwrap_or(pattern).to_owned())
    }

    /// Whether an alias's name is of this pattern.
    #[must_use]
    pub fn matches(&self, alias: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = alias.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            // The leftmost place leaves the most for the pieces that follow.
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last)
    }
}

impl fmt::Display for AliasPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&visible(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::AliasPattern;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_any_run() {
        for (pattern, alias, fits) in [
            ("buzz-tutor/archive-*", "buzz-tutor/archive-2019", true),
            ("buzz-tutor/archive-*", "buzz-tutor/archive-", true),
            ("buzz-tutor/archive-*", "buzz-tutor/archives", false),
            ("alias/buzz-tutor/*", "buzz-tutor/a/b", true),
            ("*", "", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
            ("a*b*a", "aba", true),
            ("a*a", "a", false),
            ("*-old", "x-old-old", true),
            ("", "x", false),
        ] {
            assert_eq!(AliasPattern::new(pattern).matches(alias), fits, "{pattern} {alias}");
        }
    }

    /// The definition, slowly.
    fn fits(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|at| fits(rest, &text[at..])),
            Some((one, rest)) => text.first() == Some(one) && fits(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_it_is_defined_to_be(pattern in "[abé*]{0,7}", text in "[abé]{0,9}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            let told = AliasPattern::new(&pattern).matches(&text);
            prop_assert_eq!(told, fits(&chars(&pattern), &chars(&text)));
        }
    }
}
