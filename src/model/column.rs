//! The columns of the list: what the console shows and chooses from, and `--columns` and `--sort` name.

use std::fmt;
use std::str::FromStr;

/// A column that the list can show and be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// The most urgent first where ascending.
    State,
    Environment,
    ColumnKey,
    /// The KMS key by its name.
    MasterKey,
    /// The column master key by its own name.
    Cmk,
    Database,
    Server,
    /// When the material came: the oldest first where ascending.
    Rotated,
    /// Age of the material: the youngest first where ascending.
    Age,
    Next,
    LastUsed,
    Region,
    Account,
    /// Key spec and origin.
    Kind,
}

/// An order of rows. Without one they keep the inventory's own: by database, CEK, CMK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

impl Column {
    /// All, in the order in which they stand.
    pub const ALL: [Self; 14] = [
        Self::State,
        Self::Environment,
        Self::ColumnKey,
        Self::MasterKey,
        Self::Cmk,
        Self::Database,
        Self::Server,
        Self::Rotated,
        Self::Age,
        Self::Next,
        Self::LastUsed,
        Self::Region,
        Self::Account,
        Self::Kind,
    ];

    /// What is shown where nobody chose.
    pub const USUAL: [Self; 8] = [
        Self::State,
        Self::ColumnKey,
        Self::MasterKey,
        Self::Database,
        Self::Rotated,
        Self::Age,
        Self::Next,
        Self::LastUsed,
    ];

    /// Its word in settings, on the command line and in what is kept.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Environment => "env",
            Self::ColumnKey => "cek",
            Self::MasterKey => "key",
            Self::Cmk => "cmk",
            Self::Database => "db",
            Self::Server => "server",
            Self::Rotated => "rotated",
            Self::Age => "age",
            Self::Next => "next",
            Self::LastUsed => "lastused",
            Self::Region => "region",
            Self::Account => "account",
            Self::Kind => "kind",
        }
    }

    /// Its heading.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::State => "STATE",
            Self::Environment => "ENV",
            Self::ColumnKey => "COLUMN KEY",
            Self::MasterKey => "MASTER KEY",
            Self::Cmk => "CMK",
            Self::Database => "DATABASE",
            Self::Server => "SERVER",
            Self::Rotated => "ROTATED",
            Self::Age => "AGE",
            Self::Next => "NEXT",
            Self::LastUsed => "LAST USED",
            Self::Region => "REGION",
            Self::Account => "ACCOUNT",
            Self::Kind => "KIND",
        }
    }
}

/// A word that names no column.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is no column; there are: {}", crate::model::text::visible(.0), Column::ALL.map(Column::word).join(", "))]
pub struct NoColumn(String);

impl FromStr for Column {
    type Err = NoColumn;

    fn from_str(word: &str) -> Result<Self, NoColumn> {
        let word = word.trim();
        let found = Self::ALL.into_iter().find(|column| column.word().eq_ignore_ascii_case(word));
        found.ok_or_else(|| NoColumn(word.to_owned()))
    }
}

impl FromStr for Sort {
    type Err = NoColumn;

    /// `age`, or `-age` for the other way round.
    fn from_str(word: &str) -> Result<Self, NoColumn> {
        let (descending, word) = word.strip_prefix('-').map_or((false, word), |rest| (true, rest));
        Ok(Self { column: word.parse()?, descending })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
