//! Filters over events, in the language of [`crate::filter`].

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use super::names::KeyNames;
use super::store::{Column, Ending, Question};
use crate::filter::{self, Bounds, Expr, Kind, Language, Mistake, Term, Test};
use crate::model::event::{KeyEvent, Severity};

/// What events have to match. The default one matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(Expr<Term<Field>>);

/// What an event can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Name,
    Who,
    Role,
    Key,
    From,
    Agent,
    Source,
    Region,
    Account,
    AccessKey,
    Error,
    Type,
    Outcome,
    Severity,
    Mfa,
    Does,
    Since,
    At,
    Environment,
}

const OUTCOMES: [&str; 4] = ["allowed", "denied", "failed", "dry-run"];
const SEVERITIES: [&str; 4] = ["info", "notice", "high", "critical"];
const DOES: [&str; 3] = ["read", "change", "use"];

/// The fields of events.
pub const LANGUAGE: Language<Field> = Language {
    fields: &[
        field(Field::Name, "name", Kind::Text, "the call's name, e.g. DisableKey"),
        field(Field::Who, "who", Kind::Text, "person, session, role, principal, service"),
        field(Field::Role, "role", Kind::Text, "the role acted through"),
        field(Field::Key, "key", Kind::Text, "a key's name, ARN, or what was typed for it"),
        field(Field::From, "from", Kind::Text, "source address or service"),
        field(Field::Agent, "agent", Kind::Text, "user agent"),
        field(Field::Source, "source", Kind::Text, "the service called, e.g. kms"),
        field(Field::Region, "region", Kind::Text, "the Region"),
        field(Field::Account, "account", Kind::Text, "the caller's account, or the one that has the record"),
        field(Field::AccessKey, "accesskey", Kind::Text, "the id of the access key that signed the call"),
        field(Field::Error, "error", Kind::Text, "AWS's error code or message"),
        field(Field::Type, "type", Kind::Text, "the record's kind, e.g. AwsServiceEvent"),
        field(Field::Outcome, "outcome", Kind::Words(&OUTCOMES), "how it ended"),
        field(Field::Severity, "severity", Kind::Level(&SEVERITIES), "how much it matters"),
        field(Field::Mfa, "mfa", Kind::Words(&["yes", "no", "unknown"]), "whether MFA was given"),
        field(
            Field::Does,
            "does",
            Kind::Words(&DOES),
            "read (use of keys too), change, or use of a key alone",
        ),
        field(Field::Since, "since", Kind::Span(&[]), "how long ago"),
        field(Field::At, "at", Kind::Moment, "when"),
        field(Field::Environment, "env", Kind::Text, "the environment, where several are shown"),
    ],
};

const fn field(id: Field, name: &'static str, kind: Kind, help: &'static str) -> filter::Field<Field> {
    filter::Field { id, name, kind, help }
}

/// Where a word without a field may stand.
const SHOWN: &[Column] = &[
    Column::Name,
    Column::Source,
    Column::From,
    Column::UserAgent,
    Column::Who,
    Column::Role,
    Column::Session,
    Column::Principal,
    Column::InvokedBy,
    Column::Keys,
    Column::KeyAsTyped,
    Column::AccessKey,
    Column::ErrorCode,
    Column::EventType,
    Column::Region,
];

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// [`Mistake`] where a field was given a value that it does not take.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        LANGUAGE.parse(text).map(Self)
    }

    /// The same, and not longer ago than `span`.
    #[must_use]
    pub fn and_since(self, span: SignedDuration) -> Self {
        let test = Test::Within(Bounds { least: i64::MIN, most: span.as_secs() });
        let since = Expr::Is(Term::Field { field: Field::Since, test });
        Self(Expr::All(vec![self.0, since]))
    }

    /// The same without daily use: cryptographic use of keys that matters no more than any other.
    #[must_use]
    pub fn without_daily_use(self) -> Self {
        let is = |field, word| Expr::Is(Term::Field { field, test: Test::Words(vec![word]) });
        let daily = Expr::All(vec![is(Field::Does, "use"), is(Field::Severity, Severity::Info.word())]);
        Self(Expr::All(vec![self.0, Expr::Not(Box::new(daily))]))
    }

    /// What both let through.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(Expr::All(vec![self.0, other.0]))
    }

    /// Whether every event matches.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_everything()
    }

    /// What [`Events::matching`](super::Events::matching) is to be asked, keys going by these names too.
    #[must_use]
    pub fn question(&self, names: &KeyNames, now: Timestamp) -> Expr<Question> {
        self.question_in("", names, now)
    }

    /// The same of the events of an environment.
    #[must_use]
    pub fn question_in(&self, environment: &str, names: &KeyNames, now: Timestamp) -> Expr<Question> {
        self.0.clone().map(&mut |term, _| question(term, environment, names, now))
    }

    /// Whether one event matches at `now`. For many, [`Self::question`] is far quicker.
    #[must_use]
    pub fn matches(&self, event: &KeyEvent, names: &KeyNames, now: Timestamp) -> bool {
        self.is_empty() || self.question(names, now).holds(&|question| question.holds(event))
    }
}

fn question(term: Term<Field>, environment: &str, names: &KeyNames, now: Timestamp) -> Question {
    match term {
        Term::Word { text, .. } => anywhere(text, names),
        Term::Field { field: Field::Environment, test } => {
            let is_it = test.holds_text(&environment.to_lowercase());
            Question::Any(
                is_it.then_some(Question::Between(Timestamp::MIN, Timestamp::MAX)).into_iter().collect(),
            )
        }
        Term::Field { field, test } => asked(field, test, names, now),
    }
}

/// Somewhere in what an event shows.
fn anywhere(text: String, names: &KeyNames) -> Question {
    let outcomes = ENDINGS.into_iter().filter(|ending| ending.word().contains(&text)).map(Question::Ended);
    let severities: Vec<_> = LEVELS.into_iter().filter(|level| level.word().contains(&text)).collect();
    let mut any: Vec<Question> = outcomes.collect();
    if !severities.is_empty() {
        any.push(Question::Severity(severities));
    }
    any.push(Question::OnKeys(named(&text, false, names)));
    any.push(Question::Holds { columns: SHOWN, text, whole: false });
    Question::Any(any)
}

const ENDINGS: [Ending; 4] = [Ending::Allowed, Ending::Denied, Ending::Failed, Ending::DryRun];
const LEVELS: [Severity; 4] = [Severity::Info, Severity::Notice, Severity::High, Severity::Critical];

fn asked(field: Field, test: Test, names: &KeyNames, now: Timestamp) -> Question {
    match test {
        Test::Text { text, whole } if field == Field::Key => Question::Any(vec![
            Question::OnKeys(named(&text, whole, names)),
            Question::Holds { columns: columns(field), text, whole },
        ]),
        Test::Text { text, whole } => Question::Holds { columns: columns(field), text, whole },
        Test::Words(words) => Question::Any(vec![one_of(field, &words)]),
        Test::Within(bounds) => {
            let ago = |seconds: i64| now.checked_sub(SignedDuration::from_secs(seconds));
            Question::Between(
                ago(bounds.most).unwrap_or(Timestamp::MIN),
                // Events may be a little ahead of this machine's clock.
                if bounds.least <= 0 { Timestamp::MAX } else { ago(bounds.least).unwrap_or(Timestamp::MIN) },
            )
        }
        Test::During(stretch) => {
            let (from, to) = stretch.between(now);
            Question::Between(from, to)
        }
        // No field of events is of that kind.
        Test::Named { .. } => Question::Any(Vec::new()),
    }
}

fn one_of(field: Field, words: &[&'static str]) -> Question {
    match field {
        Field::Outcome => Question::Any(
            ENDINGS
                .into_iter()
                .filter(|ending| words.contains(&ending.word()))
                .map(Question::Ended)
                .collect(),
        ),
        Field::Severity => {
            Question::Severity(LEVELS.into_iter().filter(|level| words.contains(&level.word())).collect())
        }
        Field::Mfa => {
            let truths = [("yes", Some(true)), ("no", Some(false)), ("unknown", None)].into_iter();
            Question::Any(
                truths.filter(|(word, _)| words.contains(word)).map(|(_, t)| Question::Mfa(t)).collect(),
            )
        }
        _ => {
            let truths = [("read", true), ("change", false)].into_iter();
            let truths = truths.filter(|(word, _)| words.contains(word)).map(|(_, t)| Question::ReadOnly(t));
            let uses = words.contains(&"use").then_some(Question::IsUse);
            Question::Any(truths.chain(uses).collect())
        }
    }
}

/// The columns that a field looks in.
fn columns(field: Field) -> &'static [Column] {
    match field {
        Field::Name => &[Column::Name],
        Field::Who => &[Column::Who, Column::Role, Column::Session, Column::Principal, Column::InvokedBy],
        Field::Role => &[Column::Role],
        Field::Key => &[Column::Keys, Column::KeyAsTyped],
        Field::From => &[Column::From],
        Field::Agent => &[Column::UserAgent],
        Field::Source => &[Column::Source],
        Field::Region => &[Column::Region],
        Field::Account => &[Column::Account, Column::Recipient],
        Field::AccessKey => &[Column::AccessKey],
        Field::Error => &[Column::ErrorCode, Column::ErrorMessage],
        Field::Type => &[Column::EventType],
        Field::Outcome
        | Field::Severity
        | Field::Mfa
        | Field::Does
        | Field::Since
        | Field::At
        | Field::Environment => &[],
    }
}

/// The ARNs of the keys whose name holds `text`, or is it.
fn named(text: &str, whole: bool, names: &KeyNames) -> HashSet<String> {
    let fits = |name: &str| {
        let name = name.to_lowercase();
        if whole { name == text } else { name.contains(text) }
    };
    names.iter().filter(|(_, name)| fits(name)).map(|(key, _)| key.as_str().to_owned()).collect()
}

#[cfg(test)]
mod tests;
