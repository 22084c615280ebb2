//! What a row's state comes to.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::age::{AgePolicies, RotationAge, Verdict, short};
use crate::model::key::{KeyState, KmsKey};
use crate::model::pair::{Inventory, KeyLink, Row};
use crate::model::seen::NotVisible;
use crate::model::text::visible;

/// What a row's state comes to; the most urgent first. It is always told by glyph *and* word; colour only
/// repeats it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StateKind {
    PendingDeletion,
    PendingReplicaDeletion,
    /// KMS says that there is no such key.
    Gone,
    Unavailable,
    /// Enabled, and its material is past the age policy and its grace.
    Overdue,
    Disabled,
    PendingImport,
    /// The key, the database or the server could not be seen.
    NotVisible,
    /// A column key whose value the catalog does not show.
    NoValue,
    /// A word that AWS has added since.
    Other,
    Creating,
    Updating,
    /// Enabled; which policy of age judges it cannot be told, and on that it hangs whether it is too old.
    Unjudged,
    /// Enabled, and older than its policy says: an exception lets it be.
    Excepted,
    /// The key path is no KMS ARN.
    NotKms,
    #[default]
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
            Self::Unjudged | Self::Excepted => '△',
            Self::NotVisible | Self::NoValue => '?',
            Self::NotKms => '◌',
            Self::Loading => '…',
            Self::PendingImport | Self::Creating | Self::Updating => '◔',
            Self::Unavailable => '!',
            Self::Other => '•',
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::PendingDeletion => "deletion",
            Self::PendingReplicaDeletion => "deletion waits",
            Self::Gone => "gone",
            Self::Overdue => "overdue",
            Self::NotVisible => "not visible",
            Self::NoValue => "no value",
            Self::Unjudged => "not judged",
            Self::Excepted => "excepted",
            Self::NotKms => "not KMS",
            Self::Loading => "loading",
            Self::PendingImport => "import pending",
            Self::Creating => "creating",
            Self::Updating => "updating",
            Self::Unavailable => "unavailable",
            Self::Other => "other",
        }
    }
}

/// What a key's state comes to at `now`, and the words for it, e.g. `deletion 6 d`.
#[must_use]
pub fn key_state(key: &KmsKey, policies: &AgePolicies, now: Timestamp) -> (StateKind, String) {
    let kind = match &key.state {
        KeyState::Enabled => enabled(key, policies, now),
        KeyState::Disabled => StateKind::Disabled,
        KeyState::PendingDeletion => StateKind::PendingDeletion,
        KeyState::PendingReplicaDeletion => StateKind::PendingReplicaDeletion,
        KeyState::PendingImport => StateKind::PendingImport,
        KeyState::Unavailable => StateKind::Unavailable,
        KeyState::Creating => StateKind::Creating,
        KeyState::Updating => StateKind::Updating,
        KeyState::Other(word) => return (StateKind::Other, visible(word).into_owned()),
    };
    let words = match (kind, key.deletion_date) {
        (StateKind::PendingDeletion, Some(at)) if at > now => {
            format!("deletion {}", short(at.duration_since(now)))
        }
        // KMS may take up to 24 hours longer.
        (StateKind::PendingDeletion, Some(_)) => "deletion due".to_owned(),
        _ => kind.word().to_owned(),
    };
    (kind, words)
}

fn enabled(key: &KmsKey, policies: &AgePolicies, now: Timestamp) -> StateKind {
    match RotationAge::of(key, policies, now).known() {
        Some(age) => match age.verdict {
            Verdict::Overdue => StateKind::Overdue,
            Verdict::Excepted => StateKind::Excepted,
            Verdict::Unjudged => StateKind::Unjudged,
            Verdict::Within | Verdict::Due => StateKind::Enabled,
        },
        None => StateKind::Enabled,
    }
}

/// What a row's state comes to at `now`, and the words for it. Where something is not visible, the words say
/// in brief why: `denied`, `timed out`, `other account`, `other Region`.
#[must_use]
pub fn row_state(
    inventory: &Inventory,
    row: &Row,
    policies: &AgePolicies,
    now: Timestamp,
) -> (StateKind, String) {
    if let Some(key) = inventory.key_of(row) {
        return key_state(key, policies, now);
    }
    let kind = match row {
        Row::OrphanColumnKey { .. } => StateKind::NoValue,
        Row::UnreferencedKey { .. }
        | Row::UnreadableDatabase { .. }
        | Row::UnreadableServer { .. }
        | Row::UnreadableRegion { .. }
        | Row::UnreadableEnvironment { .. } => StateKind::NotVisible,
        Row::Pair(_) | Row::UnusedMasterKey { .. } => match row.cmk().map(|cmk| &cmk.link) {
            Some(KeyLink::Gone { .. }) => StateKind::Gone,
            Some(KeyLink::NotKms) => StateKind::NotKms,
            Some(KeyLink::Loading { .. }) => StateKind::Loading,
            _ => StateKind::NotVisible,
        },
    };
    let words = match kind {
        StateKind::NotVisible => unseen(inventory, row).unwrap_or(kind.word()),
        _ => kind.word(),
    };
    (kind, words.to_owned())
}

/// Why a row's key, database, server or Region cannot be seen, in a word.
fn unseen(inventory: &Inventory, row: &Row) -> Option<&'static str> {
    match row.cmk().map(|cmk| cmk.place) {
        Some(place) if place.unwatched => Some("other Region"),
        Some(place) if place.foreign => Some("other account"),
        _ => why_not_visible(inventory, row).map(|why| why.cause.word()),
    }
}

/// Why a row's key, database, server or Region cannot be seen, where that is so.
#[must_use]
pub fn why_not_visible<'a>(inventory: &'a Inventory, row: &'a Row) -> Option<&'a NotVisible> {
    match row {
        Row::UnreadableDatabase { why, .. }
        | Row::UnreadableServer { why, .. }
        | Row::UnreadableRegion { why, .. }
        | Row::UnreadableEnvironment { why, .. } => Some(why),
        Row::UnreferencedKey { key, .. } => inventory.missing.get(key),
        Row::Pair(_) | Row::UnusedMasterKey { .. } | Row::OrphanColumnKey { .. } => match &row.cmk()?.link {
            KeyLink::NotVisible { why, .. } => Some(why),
            _ => None,
        },
    }
}
