//! Filters over events: words, all of which must appear, and `field:value`.

use jiff::{SignedDuration, Timestamp};

use super::names::KeyNames;
use super::present::outcome_word;
use crate::model::event::{KeyEvent, Severity};
use crate::model::text::visible;

/// What events have to match. The empty filter matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    terms: Vec<Term>,
}

/// Why a text is no filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{term}` does not filter: {takes}")]
pub struct BadFilter {
    term: String,
    takes: &'static str,
}

/// One condition. Texts are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Term {
    /// Somewhere in what the event shows.
    Word(String),
    Name(String),
    Who(String),
    Key(String),
    From(String),
    Source(String),
    Outcome(&'static str),
    /// As severe as this, or more.
    Severity(Severity),
    /// Not longer ago than this.
    Since(SignedDuration),
}

const OUTCOMES: [&str; 4] = ["allowed", "denied", "failed", "dry-run"];
const SEVERITIES: [Severity; 4] = [Severity::Info, Severity::Notice, Severity::High, Severity::Critical];

impl Filter {
    /// Reads a filter: words and `name:`, `who:`, `key:`, `from:`, `source:`, `outcome:`, `severity:` (that or
    /// worse), `since:` (e.g. `30m`, `2h`, `7d`). What stands before any other colon is part of a word: ARNs have many.
    ///
    /// # Errors
    /// [`BadFilter`] where a value of `outcome:`, `severity:` or `since:` is none that it takes.
    pub fn parse(text: &str) -> Result<Self, BadFilter> {
        let terms = text.split_whitespace().map(term).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { terms: terms.into_iter().flatten().collect() })
    }

    /// Whether every event matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether an event matches at `now`, keys going by these names too.
    #[must_use]
    pub fn matches(&self, event: &KeyEvent, names: &KeyNames, now: Timestamp) -> bool {
        self.terms.iter().all(|term| term.matches(event, names, now))
    }
}

/// One blank-separated term; None while its value is still to be typed.
fn term(text: &str) -> Result<Option<Term>, BadFilter> {
    let lower = text.to_lowercase();
    let Some((field, value)) = lower.split_once(':') else { return Ok(Some(Term::Word(lower))) };
    let bad = |takes| BadFilter { term: visible(text).into_owned(), takes };
    let value = value.to_owned();
    let known = ["name", "who", "key", "from", "source", "outcome", "severity", "since"].contains(&field);
    if known && value.is_empty() {
        return Ok(None);
    }
    Ok(Some(match field {
        "name" => Term::Name(value),
        "who" => Term::Who(value),
        "key" => Term::Key(value),
        "from" => Term::From(value),
        "source" => Term::Source(value),
        "outcome" => {
            let found = OUTCOMES.into_iter().find(|outcome| outcome.starts_with(&value));
            Term::Outcome(found.ok_or_else(|| bad("`outcome:` takes allowed, denied, failed or dry-run"))?)
        }
        "severity" => {
            let found = SEVERITIES.into_iter().find(|severity| severity.word().starts_with(&value));
            Term::Severity(found.ok_or_else(|| bad("`severity:` takes info, notice, high or critical"))?)
        }
        "since" => Term::Since(span(&value).ok_or_else(|| bad("`since:` takes 90s, 30m, 2h or 7d"))?),
        _ => Term::Word(lower),
    }))
}

/// `90s`, `30m`, `2h`, `7d`; a bare number, as it stands while it is being typed, is minutes.
fn span(text: &str) -> Option<SignedDuration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "s" => 1,
        "m" | "" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let count: u32 = digits.parse().ok()?;
    Some(SignedDuration::from_secs(i64::from(count) * unit))
}

impl Term {
    fn matches(&self, event: &KeyEvent, names: &KeyNames, now: Timestamp) -> bool {
        match self {
            Self::Word(word) => anywhere(event, names, word),
            Self::Name(part) => holds(event.name.raw(), part),
            Self::Who(part) => is_by(event, part),
            Self::Key(part) => is_on(event, names, part),
            Self::From(part) => holds(event.from.raw(), part),
            Self::Source(part) => holds(event.source.raw(), part),
            Self::Outcome(word) => outcome_word(&event.outcome) == *word,
            Self::Severity(least) => event.severity >= *least,
            Self::Since(span) => now.duration_since(event.at) <= *span,
        }
    }
}

fn is_by(event: &KeyEvent, part: &str) -> bool {
    holds(event.who.name.raw(), part) || event.who.role.as_ref().is_some_and(|role| holds(role.raw(), part))
}

fn is_on(event: &KeyEvent, names: &KeyNames, part: &str) -> bool {
    event.keys.iter().any(|key| holds(key.as_str(), part) || holds(names.get(key), part))
        || event.key_as_typed.as_ref().is_some_and(|typed| holds(typed.raw(), part))
}

fn anywhere(event: &KeyEvent, names: &KeyNames, word: &str) -> bool {
    let plain = [event.name.raw(), event.source.raw(), event.from.raw(), event.user_agent.raw()];
    plain.into_iter().any(|text| holds(text, word))
        || is_by(event, word)
        || is_on(event, names, word)
        || holds(outcome_word(&event.outcome), word)
        || holds(event.severity.word(), word)
        || super::present::error_of(&event.outcome).is_some_and(|(code, _)| holds(code, word))
}

/// Whether `text` contains `part` (in lower case), upper and lower case alike. Nothing is copied for ASCII text,
/// so that 100,000 events can be filtered between two key presses.
fn holds(text: &str, part: &str) -> bool {
    if text.is_ascii() {
        part.is_empty()
            || text.as_bytes().windows(part.len()).any(|w| w.eq_ignore_ascii_case(part.as_bytes()))
    } else {
        text.to_lowercase().contains(part)
    }
}

#[cfg(test)]
mod tests;
