//! What rows can be asked for: the fields of the Keys screen and of `keys --filter`.

use crate::filter::{Expr, Field, Kind, Language, Mistake, Term};

use super::present::StateKind;
use super::traits::Trait;

/// A field of the filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyField {
    State,
    Is,
    Age,
    Rotated,
    Next,
    LastUsed,
    Environment,
    Database,
    Server,
    ColumnKey,
    MasterKey,
    Key,
    Alias,
    Tag,
    Region,
    Account,
    Kind,
    Table,
    Column,
}

/// What `next:` takes beside a time.
pub(super) const NEXT: [&str; 7] = ["manual", "on-demand", "off", "paused", "none", "never", "unknown"];
/// What `lastused:` takes beside a time: no use seen is not the same as unused.
pub(super) const USE: [&str; 2] = ["not-seen", "unknown"];
/// What `age:` and `rotated:` take beside a time.
pub(super) const UNKNOWN: [&str; 1] = ["unknown"];

const fn field(id: KeyField, name: &'static str, kind: Kind, help: &'static str) -> Field<KeyField> {
    Field { id, name, kind, help }
}

/// The fields.
pub const LANGUAGE: Language<KeyField> = Language {
    fields: &[
        field(KeyField::State, "state", Kind::Words(&StateKind::WORDS), "the row's state, or KMS's own"),
        field(KeyField::Is, "is", Kind::Words(&Trait::WORDS), "what is out of the ordinary about it"),
        field(KeyField::Age, "age", Kind::Days(&UNKNOWN), "age of the material in use"),
        field(KeyField::Rotated, "rotated", Kind::Span(&UNKNOWN), "how long ago the material came"),
        field(KeyField::Next, "next", Kind::Span(&NEXT), "how soon it rotates"),
        field(KeyField::LastUsed, "lastused", Kind::Span(&USE), "how long ago it was last seen in use"),
        field(KeyField::Database, "db", Kind::Text, "database"),
        field(KeyField::Server, "server", Kind::Text, "SQL Server"),
        field(KeyField::Environment, "env", Kind::Text, "environment"),
        field(KeyField::ColumnKey, "cek", Kind::Text, "column encryption key"),
        field(KeyField::MasterKey, "cmk", Kind::Text, "column master key, and its KMS key's name"),
        field(KeyField::Key, "key", Kind::Text, "KMS key: alias, ARN, id, key path"),
        field(KeyField::Alias, "alias", Kind::Text, "an alias of the KMS key"),
        field(KeyField::Tag, "tag", Kind::Named, "a tag of the KMS key"),
        field(KeyField::Region, "region", Kind::Text, "Region of the KMS key"),
        field(KeyField::Account, "account", Kind::Text, "account of the KMS key"),
        field(KeyField::Kind, "kind", Kind::Text, "key spec, origin, usage, manager"),
        field(KeyField::Table, "table", Kind::Text, "a table that it protects"),
        field(KeyField::Column, "column", Kind::Text, "a column that it protects"),
    ],
};

/// A filter of rows, read. The empty one lets every row through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter(pub(super) Expr<Term<KeyField>>);

impl Filter {
    /// Reads what was typed.
    ///
    /// # Errors
    /// [`Mistake`] where a field was given what it does not take.
    pub fn parse(text: &str) -> Result<Self, Mistake> {
        LANGUAGE.parse(text).map(Self)
    }

    /// Whether it lets every row through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_everything()
    }
}
