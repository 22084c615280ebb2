//! Rows in words: what each column of the Keys screen says, what machines read, and the counts above.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::age::{AgePolicy, Verdict};
use crate::model::key::KmsKey;
use crate::model::pair::{Inventory, Row};

/// What a row's state comes to. It is always told by glyph *and* word; colour only repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    PendingDeletion,
    PendingReplicaDeletion,
    Gone,
    Unavailable,
    /// Enabled, and its material is past the age policy and its grace.
    Overdue,
    Disabled,
    PendingImport,
    NotVisible,
    /// A word that AWS has added since.
    Other,
    Creating,
    Updating,
    NotKms,
    Loading,
    Enabled,
}

impl StateKind {
    /// One character, one column wide.
    #[must_use]
    pub fn glyph(self) -> char {
        match self {
            Self::Enabled => '●',
            Self::Disabled => '◐',
            Self::PendingDeletion | Self::PendingReplicaDeletion | Self::Gone => '✖',
            Self::Overdue => '▲',
            Self::NotVisible => '?',
            Self::NotKms => '◌',
            Self::Loading => '…',
            Self::PendingImport | Self::Creating | Self::Updating => '◔',
            Self::Unavailable => '!',
            Self::Other => '•',
        }
    }
}

/// A row, ready to show. Everything in it is fit for a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairLine {
    pub kind: StateKind,
    /// e.g. `enabled`, `deletion 6 d`.
    pub state: String,
    pub column_key: String,
    pub master_key: String,
    pub database: String,
    /// Age of the material in use, e.g. `41 d`.
    pub rotated: String,
    /// Percent of the policy's days; none where the age is not known.
    pub age_percent: Option<u32>,
    pub verdict: Option<Verdict>,
    /// `49 d`, `paused`, `manual`, `never` …
    pub next: String,
    /// `2 m`, or `not seen`: never `unused`.
    pub last_used: String,
}

/// The figures above the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that are pairs.
    pub pairs: usize,
    /// Column master keys, used or not.
    pub master_keys: usize,
    /// Pairs whose key is enabled and overdue.
    pub overdue: usize,
    pub disabled: usize,
    pub pending_deletion: usize,
    pub not_visible: usize,
    /// Pairs in any other state; with the four above and `enabled` they make up `pairs`.
    pub other: usize,
    /// Pairs whose key is enabled and not overdue.
    pub enabled: usize,
}

/// A row as machines read it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairRecord {
    pub kind: &'static str,
}

/// What a key's state comes to at `now`, and the words for it.
#[must_use]
pub fn key_state(key: &KmsKey, policy: AgePolicy, now: Timestamp) -> (StateKind, String) {
    let _ = (key, policy, now);
    todo!("filled in next")
}

/// What a row's state comes to at `now`, and the words for it.
#[must_use]
pub fn row_state(inventory: &Inventory, row: &Row, policy: AgePolicy, now: Timestamp) -> (StateKind, String) {
    let _ = (inventory, row, policy, now);
    todo!("filled in next")
}

/// One row's line. Made for the visible rows alone.
#[must_use]
pub fn line(inventory: &Inventory, row: &Row, policy: AgePolicy, now: Timestamp) -> PairLine {
    let _ = (inventory, row, policy, now);
    todo!("filled in next")
}

/// One row for machines.
#[must_use]
pub fn record(inventory: &Inventory, row: &Row, policy: AgePolicy, now: Timestamp) -> PairRecord {
    let _ = (inventory, row, policy, now);
    todo!("filled in next")
}

/// The figures above the list.
#[must_use]
pub fn counts(inventory: &Inventory, policy: AgePolicy, now: Timestamp) -> Counts {
    let _ = (inventory, policy, now);
    todo!("filled in next")
}
