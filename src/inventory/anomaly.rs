//! What is out of the ordinary about a row: each kind by its word.

use serde::Serialize;

use crate::model::pair::{CmkRef, EstateMark, KeyLink, Pair, Row};

/// Something out of the ordinary about how a row's SQL side and KMS side meet. The state of the KMS key itself
/// is told by [`StateKind`](super::present::StateKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Anomaly {
    /// KMS says that the key or alias that the CMK names does not exist.
    KeyGone,
    /// The key is of our account, in a Region of ours, and cannot be seen.
    KeyNotVisible,
    /// The key belongs to another account, visible or not.
    ForeignKey,
    /// The key is in a Region that the settings do not name.
    UnwatchedRegion,
    /// The key path is no KMS ARN.
    NotKms,
    /// The catalog lists a value of a CMK that it does not list.
    UnlistedMasterKey,
    /// The CEK has two values: a rotation of its CMK is in progress.
    TwoValues,
    /// Other CMKs lead to the same KMS key.
    SharedKey,
    /// The encrypted value names another key than the CMK does.
    EnvelopeMismatch,
    /// A CMK that wraps no CEK.
    UnusedMasterKey,
    /// A CEK of which the catalog shows no value.
    NoValue,
    /// A KMS key marked as one of the estate, which no CMK names.
    UnusedEstateKey,
    /// A multi-Region key that no CMK names, while one names its relative.
    StandsBy,
    /// A KMS key that no CMK names, and that nothing marks as one of the estate.
    UnnamedKey,
    /// A database whose pairs are missing from the list.
    UnreadableDatabase,
    /// A server whose pairs are missing from the list.
    UnreadableServer,
    /// A Region whose KMS keys may be missing from the list.
    UnreadableRegion,
    /// An environment that could not be opened.
    UnreadableEnvironment,
}

impl Anomaly {
    /// The word for it on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KeyGone => "key gone",
            Self::KeyNotVisible => "key not visible",
            Self::ForeignKey => "another account's key",
            Self::UnwatchedRegion => "Region not in the settings",
            Self::NotKms => "not a KMS key",
            Self::UnlistedMasterKey => "master key not listed",
            Self::TwoValues => "two values",
            Self::SharedKey => "key shared by master keys",
            Self::EnvelopeMismatch => "value names another key",
            Self::UnusedMasterKey => "wraps no column key",
            Self::NoValue => "no value",
            Self::UnusedEstateKey => "estate key, unused",
            Self::StandsBy => "stands by for its relative",
            Self::UnnamedKey => "no master key names it",
            Self::UnreadableDatabase => "database not readable",
            Self::UnreadableServer => "server not readable",
            Self::UnreadableRegion => "Region not readable",
            Self::UnreadableEnvironment => "environment not readable",
        }
    }
}

/// What is out of the ordinary about a row, in the order of [`Anomaly`].
#[must_use]
pub fn anomalies(row: &Row) -> Vec<Anomaly> {
    let mut found = row.cmk().map(of_cmk).unwrap_or_default();
    match row {
        Row::Pair(pair) => found.extend(of_pair(pair)),
        Row::UnusedMasterKey { .. } => found.push(Anomaly::UnusedMasterKey),
        Row::OrphanColumnKey { .. } => found.push(Anomaly::NoValue),
        Row::UnreferencedKey { estate: EstateMark::Marked { .. }, .. } => {
            found.push(Anomaly::UnusedEstateKey);
        }
        Row::UnreferencedKey { estate: EstateMark::StandsBy { .. }, .. } => found.push(Anomaly::StandsBy),
        Row::UnreferencedKey { .. } => found.push(Anomaly::UnnamedKey),
        Row::UnreadableDatabase { .. } => found.push(Anomaly::UnreadableDatabase),
        Row::UnreadableServer { .. } => found.push(Anomaly::UnreadableServer),
        Row::UnreadableRegion { .. } => found.push(Anomaly::UnreadableRegion),
        Row::UnreadableEnvironment { .. } => found.push(Anomaly::UnreadableEnvironment),
    }
    found.sort_unstable();
    found
}

fn of_cmk(cmk: &CmkRef) -> Vec<Anomaly> {
    let mut found = Vec::new();
    match &cmk.link {
        KeyLink::Gone { .. } => found.push(Anomaly::KeyGone),
        KeyLink::NotKms => found.push(Anomaly::NotKms),
        // Without a path there was no row of it in the catalog.
        KeyLink::NotVisible { path, .. } if path.is_empty() => found.push(Anomaly::UnlistedMasterKey),
        KeyLink::NotVisible { .. } if !cmk.place.foreign && !cmk.place.unwatched => {
            found.push(Anomaly::KeyNotVisible);
        }
        _ => {}
    }
    if cmk.place.foreign {
        found.push(Anomaly::ForeignKey);
    }
    if cmk.place.unwatched {
        found.push(Anomaly::UnwatchedRegion);
    }
    if cmk.siblings > 0 {
        found.push(Anomaly::SharedKey);
    }
    found
}

fn of_pair(pair: &Pair) -> impl Iterator<Item = Anomaly> {
    let two = pair.rotating.then_some(Anomaly::TwoValues);
    two.into_iter().chain(pair.envelope_mismatch.then_some(Anomaly::EnvelopeMismatch))
}
