//! What is known, what is still being asked, and what may not be seen: three different things, always said apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// A fact that has to be asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen<T> {
    /// Not asked yet, or the answer is under way.
    #[default]
    Loading,
    Known(T),
    /// It could not be seen. That is never the same as "none".
    NotVisible(NotVisible),
}

/// Why a fact could not be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotVisible {
    pub cause: Cause,
    /// What was asked and what the answer was, in one line fit for a screen.
    pub reason: String,
}

/// The kinds of reason for not seeing a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A permission is missing.
    Denied,
    /// AWS or SQL Server says that the thing does not exist.
    NotFound,
    /// No answer within the time allowed.
    TimedOut,
    /// Too many requests; it will be asked again.
    Throttled,
    /// No connection.
    Unreachable,
    /// The service cannot say this for such a key.
    Unsupported,
    /// An answer came, but not one that could be understood.
    Unreadable,
}

impl Cause {
    /// The word for it on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::NotFound => "not found",
            Self::TimedOut => "timed out",
            Self::Throttled => "throttled",
            Self::Unreachable => "unreachable",
            Self::Unsupported => "not supported",
            Self::Unreadable => "unreadable",
        }
    }
}

impl NotVisible {
    pub fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, reason: reason.into() }
    }
}

impl fmt::Display for NotVisible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not visible: {}", self.reason)
    }
}

impl<T> Seen<T> {
    /// The fact, where it is known.
    #[must_use]
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(fact) => Some(fact),
            Self::Loading | Self::NotVisible(_) => None,
        }
    }

    /// Why it could not be seen, where that is so.
    #[must_use]
    pub fn not_visible(&self) -> Option<&NotVisible> {
        match self {
            Self::NotVisible(why) => Some(why),
            Self::Loading | Self::Known(_) => None,
        }
    }

    /// Another fact made of this one, where it is known.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Seen<U> {
        match self {
            Self::Loading => Seen::Loading,
            Self::Known(fact) => Seen::Known(make(fact)),
            Self::NotVisible(why) => Seen::NotVisible(why),
        }
    }

    /// The fact's text, or the words that stand for its absence.
    pub fn told(&self, tell: impl FnOnce(&T) -> String) -> String {
        match self {
            Self::Loading => "loading".to_owned(),
            Self::Known(fact) => tell(fact),
            Self::NotVisible(why) => why.to_string(),
        }
    }
}

/// What several places were asked for, each answering for itself: known here, not visible there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partly<T> {
    /// What the places that answered say.
    pub known: Vec<T>,
    /// The places (Regions) that could not be read, and why: there may be more in each.
    pub not_visible: BTreeMap<String, NotVisible>,
    /// The places whose answer is under way.
    pub loading: BTreeSet<String>,
}

impl<T> Default for Partly<T> {
    fn default() -> Self {
        Self { known: Vec::new(), not_visible: BTreeMap::new(), loading: BTreeSet::new() }
    }
}

impl<T> Partly<T> {
    /// Whether every place answered, so that what is known is all there is.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.not_visible.is_empty() && self.loading.is_empty()
    }

    /// Takes in what a place said.
    pub fn add(&mut self, place: &str, said: Seen<impl IntoIterator<Item = T>>) {
        match said {
            Seen::Known(all) => self.known.extend(all),
            Seen::Loading => {
                self.loading.insert(place.to_owned());
            }
            Seen::NotVisible(why) => {
                self.not_visible.insert(place.to_owned(), why);
            }
        }
    }

    /// What is not known, a place each, in words: `eu-west-1: not visible: …`, `us-east-1: loading`.
    pub fn gaps(&self) -> impl Iterator<Item = String> {
        let hidden = self.not_visible.iter().map(|(place, why)| format!("{place}: {why}"));
        hidden.chain(self.loading.iter().map(|place| format!("{place}: loading")))
    }
}

impl<T, E: Into<NotVisible>> From<Result<T, E>> for Seen<T> {
    fn from(answer: Result<T, E>) -> Self {
        match answer {
            Ok(fact) => Self::Known(fact),
            Err(why) => Self::NotVisible(why.into()),
        }
    }
}
