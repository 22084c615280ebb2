//! A step's text, with its placeholders: filled in when it is shown, never executed.

use std::collections::BTreeMap;

use super::kind::Value;
use super::mistake::Wrong;
use crate::model::text::visible;

/// What a `{word}` in a document stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placeholder {
    Key,
    KeyArn,
    Cek,
    Database,
    Incident,
    Reason,
    Environment,
    Account,
    Region,
    Requester,
    ColumnKeyCache,
    ExposedUntil,
    RecoveryWindow,
    /// When KMS will delete the key, where its deletion is pending.
    DeletionDate,
    /// From when on RDS storage under the key is lost, where the key is down.
    RdsDeadline,
    /// What the run has found out.
    Value(Value),
}

impl Placeholder {
    /// Every placeholder.
    pub const ALL: [Self; 21] = [
        Self::Key,
        Self::KeyArn,
        Self::Cek,
        Self::Database,
        Self::Incident,
        Self::Reason,
        Self::Environment,
        Self::Account,
        Self::Region,
        Self::Requester,
        Self::ColumnKeyCache,
        Self::ExposedUntil,
        Self::RecoveryWindow,
        Self::DeletionDate,
        Self::RdsDeadline,
        Self::Value(Value::Grant),
        Self::Value(Value::Principal),
        Self::Value(Value::DeniedPrincipal),
        Self::Value(Value::DbInstance),
        Self::Value(Value::NewKey),
        Self::Value(Value::Material),
    ];

    /// The word between the braces.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::KeyArn => "key_arn",
            Self::Cek => "cek",
            Self::Database => "database",
            Self::Incident => "incident",
            Self::Reason => "reason",
            Self::Environment => "environment",
            Self::Account => "account",
            Self::Region => "region",
            Self::Requester => "requester",
            Self::ColumnKeyCache => "column_key_cache",
            Self::ExposedUntil => "exposed_until",
            Self::RecoveryWindow => "recovery_window",
            Self::DeletionDate => "deletion_date",
            Self::RdsDeadline => "rds_deadline",
            Self::Value(Value::Grant) => "grant",
            Self::Value(Value::Principal) => "principal",
            Self::Value(Value::DeniedPrincipal) => "denied_principal",
            Self::Value(Value::DbInstance) => "db_instance",
            Self::Value(Value::NewKey) => "new_key",
            Self::Value(Value::Material) => "key_material",
        }
    }

    /// What is shown while the run does not know it.
    fn unknown(self) -> &'static str {
        match self {
            Self::Key => "(key not found yet)",
            Self::KeyArn => "(ARN not found yet)",
            Self::Cek => "(no column key named)",
            Self::Database => "(no database named)",
            Self::Incident => "(no incident)",
            Self::Reason => "(no reason given)",
            Self::Environment => "(environment not known)",
            Self::Account => "(account not known)",
            Self::Region => "(Region not known)",
            Self::Requester => "(identity not known)",
            Self::ColumnKeyCache => "(cache time not known)",
            Self::ExposedUntil => "(the gate is not down)",
            Self::RecoveryWindow => "(no window set)",
            Self::DeletionDate => "(no deletion is pending)",
            Self::RdsDeadline => "(no RDS instance's clock runs, as far as is known)",
            Self::Value(Value::Material) => "(material not read yet)",
            Self::Value(_) => "(not chosen yet)",
        }
    }
}

/// What the placeholders stand for in one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context(BTreeMap<Placeholder, String>);

impl Context {
    /// Sets a value. Whatever could deceive in it is made visible.
    pub fn set(&mut self, placeholder: Placeholder, value: &str) {
        self.0.insert(placeholder, visible(value).into_owned());
    }
}

/// Markdown with placeholders.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Placeholder(Placeholder),
}

impl Text {
    /// Reads lines that begin at document line `first`. An unknown placeholder is a mistake.
    pub(super) fn read(lines: &[&str], first: usize, wrongs: &mut Vec<Wrong>) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        for (line, number) in lines.iter().zip(first..) {
            let mut rest = *line;
            while let Some((before, word, after)) = placeholder_in(rest) {
                literal.push_str(before);
                match Placeholder::ALL.into_iter().find(|p| p.word() == word) {
                    Some(placeholder) => {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                        pieces.push(Piece::Placeholder(placeholder));
                    }
                    None => wrongs.push(unknown(number, word)),
                }
                rest = after;
            }
            literal.push_str(rest);
            literal.push('\n');
        }
        pieces.push(Piece::Literal(literal.trim_end().to_owned()));
        if let Some(Piece::Literal(head)) = pieces.first_mut() {
            *head = head.trim_start_matches('\n').to_owned();
        }
        Self(pieces)
    }

    /// Adds another text as a paragraph of its own.
    pub(super) fn append(&mut self, other: Self) {
        if other.is_empty() {
            return;
        }
        if !self.is_empty() {
            self.0.push(Piece::Literal("\n\n".to_owned()));
        }
        self.0.extend(other.0);
    }

    /// Whether there is nothing to read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|piece| matches!(piece, Piece::Literal(text) if text.trim().is_empty()))
    }

    /// The text for a screen.
    #[must_use]
    pub fn filled(&self, context: &Context) -> String {
        self.0.iter().fold(String::new(), |mut text, piece| {
            text.push_str(match piece {
                Piece::Literal(literal) => literal,
                Piece::Placeholder(p) => context.0.get(p).map_or(p.unknown(), String::as_str),
            });
            text
        })
    }

    /// The text for paper: a blank to fill in where a run would know more.
    #[must_use]
    pub fn blank(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, piece| {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(p) => {
                    text.push_str("____ (");
                    text.push_str(&p.word().replace('_', " "));
                    text.push(')');
                }
            }
            text
        })
    }

    /// The text as the document has it, for `runbook show`.
    #[must_use]
    pub fn source(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, piece| {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Placeholder(p) => {
                    text.push('{');
                    text.push_str(p.word());
                    text.push('}');
                }
            }
            text
        })
    }
}

fn unknown(line: usize, word: &str) -> Wrong {
    let known: Vec<_> = Placeholder::ALL.iter().map(|p| format!("{{{}}}", p.word())).collect();
    Wrong::new(line, format!("`{{{word}}}` is no placeholder: there are {}", known.join(", ")))
}

/// The first `{word}` of a line, with what stands before and after it. Braces around anything but a
/// lower-case word are plain text, so JSON may stand in a runbook.
pub(super) fn placeholder_in(line: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    while let Some(open) = line[from..].find('{').map(|at| from + at) {
        let word_end = line[open + 1..].find(|c: char| !(c.is_ascii_lowercase() || c == '_'))? + open + 1;
        if word_end > open + 1 && line[word_end..].starts_with('}') {
            return Some((&line[..open], &line[open + 1..word_end], &line[word_end + 1..]));
        }
        from = open + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Context, Placeholder, Text, Wrong};
    use proptest::prelude::*;

    fn reading(lines: &[&str], first: usize) -> Result<Text, Vec<Wrong>> {
        let mut wrongs = Vec::new();
        let text = Text::read(lines, first, &mut wrongs);
        if wrongs.is_empty() { Ok(text) } else { Err(wrongs) }
    }

    #[test]
    fn placeholders_are_filled_and_json_is_left_alone() {
        let text = reading(&["Drop {key} for {cek}: {\"a\": {}} {", "end"], 1).unwrap();
        let mut context = Context::default();
        context.set(Placeholder::Key, "buzz\u{1b}[2J");
        assert_eq!(text.filled(&context), "Drop buzz␛[2J for (no column key named): {\"a\": {}} {\nend");
    }

    #[test]
    fn a_filled_in_value_is_not_read_again() {
        let text = reading(&["{reason}"], 1).unwrap();
        let mut context = Context::default();
        context.set(Placeholder::Reason, "{key}");
        context.set(Placeholder::Key, "k");
        assert_eq!(text.filled(&context), "{key}");
    }

    #[test]
    fn an_unknown_placeholder_is_refused_on_its_line() {
        let wrongs = reading(&["fine", "use {passwrd} and", "{keey}"], 7).unwrap_err();
        assert_eq!((wrongs[0].line, wrongs[1].line, wrongs.len()), (8, 9, 2));
        let reason = &wrongs[0].reason;
        assert!(reason.contains("`{passwrd}`") && reason.contains("{key}"), "{reason}");
    }

    proptest! {
        #[test]
        fn the_source_is_given_back(lines in prop::collection::vec("[a{} é]{0,8}|\\{key\\}", 1..6)) {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            if let Ok(text) = reading(&lines, 1) {
                let joined = lines.join("\n");
                let source = text.source();
                prop_assert_eq!(source.trim(), joined.trim());
            }
        }
    }
}
