//! What stands after a field's colon, read as the field's kind has it.

use super::moment::{self, Stretch};

/// What a field takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text: a part of it, or with `=` the whole of it.
    Text,
    /// One of these words or the beginning of one, or several with commas.
    Words(&'static [&'static str]),
    /// One of these words, the least first: that or more, where nothing else is said.
    Level(&'static [&'static str]),
    /// A whole number.
    Number,
    /// Whole days (`80`, `12w`), or one of these words.
    Days(&'static [&'static str]),
    /// A span of time (`90s`, `2h`, `7d`; a bare number, as it stands while it is typed, is minutes): no longer than
    /// that, where nothing else is said. Or one of these words.
    Span(&'static [&'static str]),
    /// A time in UTC, or a stretch of it: see [`Stretch`].
    Moment,
    /// Bytes (`4096`, `64k`, `1m`).
    Size,
    /// `NAME`, or `NAME=VALUE`.
    Named,
}

/// What is asked of a field. Texts are in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// Of [`Kind::Text`].
    Text { text: String, whole: bool },
    /// Any of these. Of [`Kind::Words`] and [`Kind::Level`], and of kinds that take a word beside numbers.
    Words(Vec<&'static str>),
    /// Of [`Kind::Number`]; of [`Kind::Days`] in days, [`Kind::Span`] in seconds, [`Kind::Size`] in bytes.
    Within(Bounds),
    /// Of [`Kind::Moment`].
    During(Stretch),
    /// Of [`Kind::Named`]: the whole name, and a part of the value.
    Named { name: String, value: Option<String> },
}

/// From the least to the most, both within.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub least: i64,
    pub most: i64,
}

impl Bounds {
    /// Whether `value` is within.
    #[must_use]
    pub fn hold(self, value: i64) -> bool {
        (self.least..=self.most).contains(&value)
    }
}

impl Test {
    /// Whether a text of the field's passes; `field` in lower case.
    #[must_use]
    pub fn holds_text(&self, field: &str) -> bool {
        match self {
            Self::Text { text, whole: true } => field == text,
            Self::Text { text, whole: false } => field.contains(text.as_str()),
            Self::Words(words) => words.contains(&field),
            Self::Within(_) | Self::During(_) | Self::Named { .. } => false,
        }
    }

    /// Whether a number of the field's passes, in the kind's unit.
    #[must_use]
    pub fn holds_number(&self, field: i64) -> bool {
        matches!(self, Self::Within(bounds) if bounds.hold(field))
    }

    /// Whether that word is asked for.
    #[must_use]
    pub fn wants(&self, word: &str) -> bool {
        matches!(self, Self::Words(words) if words.contains(&word))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    More,
    AtLeast,
    Less,
    AtMost,
}

/// The value that `text` is for a field of this kind. None while it is only half typed.
///
/// # Errors
/// Where the kind does not take it.
pub(super) fn read(kind: Kind, text: &str) -> Result<Option<Test>, ()> {
    let (op, operand) = split(text);
    let operand = operand.trim().to_lowercase();
    let words = |words| named(words, op, &operand);
    match kind {
        // In a text, only `=` is more than text.
        Kind::Text => {
            let whole = op == Some(Op::Equal);
            let text = if whole { operand } else { text.trim().to_lowercase() };
            Ok((!text.is_empty()).then_some(Test::Text { text, whole }))
        }
        Kind::Named => {
            let text = text.trim().to_lowercase();
            let (name, value) = text.split_once('=').map_or((text.as_str(), None), |(n, v)| (n, Some(v)));
            let value = value.filter(|value| !value.is_empty()).map(str::to_owned);
            Ok((!name.is_empty()).then(|| Test::Named { name: name.to_owned(), value }))
        }
        Kind::Moment => Ok(moment::read(&text.trim().to_lowercase())?.map(Test::During)),
        _ if operand.is_empty() => Ok(None),
        Kind::Words(all) => words(all).map(Some),
        Kind::Level(all) => level(all, op.unwrap_or(Op::AtLeast), &operand).map(Some),
        Kind::Number => number(&operand, &[("", 1)], op.unwrap_or(Op::Equal)).map(Some),
        Kind::Days(also) => match number(&operand, DAYS, op.unwrap_or(Op::Equal)) {
            Err(()) => words(also).map(Some),
            read => read.map(Some),
        },
        Kind::Span(also) => match number(&operand, SPANS, op.unwrap_or(Op::AtMost)) {
            Err(()) => words(also).map(Some),
            read => read.map(Some),
        },
        Kind::Size => number(&operand, SIZES, op.unwrap_or(Op::Equal)).map(Some),
    }
}

const DAYS: &[(&str, i64)] = &[("", 1), ("d", 1), ("w", 7), ("y", 365)];
const SPANS: &[(&str, i64)] =
    &[("", 60), ("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800), ("y", 31_536_000)];
const SIZES: &[(&str, i64)] = &[
    ("", 1),
    ("b", 1),
    ("k", 1 << 10),
    ("kb", 1 << 10),
    ("m", 1 << 20),
    ("mb", 1 << 20),
    ("g", 1 << 30),
    ("gb", 1 << 30),
];

fn split(text: &str) -> (Option<Op>, &str) {
    const OPS: [(&str, Op); 5] =
        [(">=", Op::AtLeast), ("<=", Op::AtMost), (">", Op::More), ("<", Op::Less), ("=", Op::Equal)];
    OPS.iter().find_map(|(sign, op)| Some((Some(*op), text.strip_prefix(sign)?))).unwrap_or((None, text))
}

/// The words that each of `typed`'s parts, between commas, begins.
fn named(all: &[&'static str], op: Option<Op>, typed: &str) -> Result<Test, ()> {
    if !matches!(op, None | Some(Op::Equal)) {
        return Err(());
    }
    let mut found = Vec::new();
    // `not visible` and `not_visible`, as screens and JSON have it, are the same word.
    let typed = typed.replace([' ', '_'], "-");
    for part in typed.split(',').map(|part| part.trim_matches('-')).filter(|part| !part.is_empty()) {
        let whole = all.iter().copied().find(|word| *word == part);
        let begun = all.iter().copied().filter(|word| begins(word, part));
        let before = found.len();
        match whole {
            Some(word) => found.push(word),
            None if op.is_none() => found.extend(begun),
            None => {}
        }
        if found.len() == before {
            return Err(());
        }
    }
    Ok(Test::Words(found))
}

/// Whether `part` begins the word or one of its parts: `del` is enough for `pending-deletion`.
fn begins(word: &str, part: &str) -> bool {
    word.starts_with(part)
        || word.match_indices('-').any(|(at, _)| word[at + 1..].starts_with(part))
        || (part.len() > 3 && word.replace('-', "").starts_with(part))
}

fn level(all: &[&'static str], op: Op, typed: &str) -> Result<Test, ()> {
    let whole = all.iter().position(|word| *word == typed);
    let at = whole.or_else(|| all.iter().position(|word| word.starts_with(typed))).ok_or(())?;
    let wanted = match op {
        Op::Equal => &all[at..=at],
        Op::AtLeast => &all[at..],
        Op::More => &all[at + 1..],
        Op::AtMost => &all[..=at],
        Op::Less => &all[..at],
    };
    Ok(Test::Words(wanted.to_vec()))
}

fn number(typed: &str, units: &[(&str, i64)], op: Op) -> Result<Test, ()> {
    let digits = typed.trim_end_matches(|c: char| !c.is_ascii_digit());
    let (_, unit) = units.iter().find(|(name, _)| *name == &typed[digits.len()..]).ok_or(())?;
    let count: u32 = digits.parse().map_err(|_| ())?;
    let value = i64::from(count).saturating_mul(*unit);
    let (least, most) = match op {
        // Two hours are not over until the third begins.
        Op::Equal => (value, value + if units.len() == SPANS.len() { unit - 1 } else { 0 }),
        Op::More => (value + 1, i64::MAX),
        Op::AtLeast => (value, i64::MAX),
        Op::Less => (i64::MIN, value - 1),
        Op::AtMost => (i64::MIN, value),
    };
    Ok(Test::Within(Bounds { least, most }))
}

impl Kind {
    /// What it takes, in words that complete "the field takes …".
    #[must_use]
    pub fn takes(self) -> String {
        let or = |what: &str, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| format!(", or {word}")).collect();
            format!("{what}{}", words.concat())
        };
        match self {
            Self::Text => "any text".to_owned(),
            Self::Words(words) => words.join(", "),
            Self::Level(words) => format!("{} (that or more; = for that alone)", words.join(", ")),
            Self::Number => "a number, e.g. 4, >=2".to_owned(),
            Self::Days(words) => or("days, e.g. >80, <=12w", words),
            Self::Span(words) => or("a time, e.g. 2h, >7d, <30m", words),
            Self::Moment => "a UTC time, e.g. 14:02, 2026-11-23, >14:00, 14:00..14:30".to_owned(),
            Self::Size => "a size in bytes, e.g. 4096, >64k".to_owned(),
            Self::Named => "NAME or NAME=VALUE".to_owned(),
        }
    }
}
