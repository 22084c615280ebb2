//! What is out of the ordinary about a row, each with a word for `is:`.

use crate::model::age::Verdict;
use crate::model::arn::KeyArn;
use crate::model::key::{KmsKey, Manager, Origin};
use crate::model::pair::{CmkRef, EstateMark, KeyLink, Row};

use super::present::StateKind;

macro_rules! traits {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// Something out of the ordinary about a row.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Trait { $($(#[$doc])* $variant),+ }

        impl Trait {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];
            /// The word for each, in the same order.
            pub const WORDS: [&'static str; Self::ALL.len()] = [$($word),+];
        }
    };
}

traits!(
    /// Past the age policy and its grace.
    Overdue = "overdue",
    /// Past the age policy, within its grace.
    Due = "due",
    /// Past the age policy, and let off by an exception.
    Exception = "exception",
    /// Which age policy counts cannot be told.
    Unjudged = "unjudged",
    /// The CEK has a second value.
    Rotating = "rotating",
    /// KMS says that the key does not exist.
    Gone = "gone",
    /// A column key without a value that can be seen.
    Orphan = "orphan",
    /// A CMK that wraps no column key, or a key of the estate that no CMK names.
    Unused = "unused",
    /// A KMS key that no CMK names.
    Unreferenced = "unreferenced",
    /// A multi-Region key that no CMK names, while one names its relative.
    StandsBy = "stands-by",
    /// A CMK that the catalog does not list, though it lists a value of it.
    Unlisted = "unlisted",
    /// A part of the estate that could not be read.
    Unreadable = "unreadable",
    /// One KMS key behind several CMKs.
    Shared = "shared",
    /// The key path names an alias.
    ThroughAlias = "through-alias",
    /// The encrypted value names another key than the CMK does.
    Mismatch = "mismatch",
    /// A key of another account.
    Foreign = "foreign",
    /// A key in a Region that the settings do not name.
    Unwatched = "unwatched",
    Primary = "primary",
    Replica = "replica",
    /// Imported material.
    Imported = "imported",
    /// A key that AWS manages.
    AwsManaged = "aws-managed",
);

/// A set of [`Trait`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u32);

impl Traits {
    /// Those that the words name.
    #[must_use]
    pub fn named(words: &[&str]) -> Self {
        Trait::ALL
            .iter()
            .zip(Trait::WORDS)
            .filter(|(_, word)| words.contains(word))
            .fold(Self::default(), |set, (one, _)| set.with(*one, true))
    }

    /// With `one` too, where `holds`.
    #[must_use]
    pub fn with(self, one: Trait, holds: bool) -> Self {
        Self(self.0 | (u32::from(holds) << one as u8))
    }

    /// Whether it has any of `others`.
    #[must_use]
    pub fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those of `row`, as far as it alone tells.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        let unreadable = matches!(
            row,
            Row::UnreadableDatabase { .. }
                | Row::UnreadableServer { .. }
                | Row::UnreadableRegion { .. }
                | Row::UnreadableEnvironment { .. }
        );
        let (rotating, mismatch) = match row {
            Row::Pair(pair) => (pair.rotating, pair.envelope_mismatch),
            _ => (false, false),
        };
        let stands_by = matches!(row, Row::UnreferencedKey { estate: EstateMark::StandsBy { .. }, .. });
        let of_estate = matches!(row, Row::UnreferencedKey { estate: EstateMark::Marked { .. }, .. });
        let unused = of_estate || matches!(row, Row::UnusedMasterKey { .. });
        let set = Self::default()
            .with(Trait::Rotating, rotating)
            .with(Trait::Mismatch, mismatch)
            .with(Trait::Orphan, matches!(row, Row::OrphanColumnKey { .. }))
            .with(Trait::Unused, unused)
            .with(Trait::StandsBy, stands_by)
            .with(Trait::Unreferenced, matches!(row, Row::UnreferencedKey { .. }))
            .with(Trait::Unreadable, unreadable);
        row.cmk().map_or(set, |cmk| set.and(Self::of_cmk(cmk)))
    }

    fn of_cmk(cmk: &CmkRef) -> Self {
        Self::default()
            .with(Trait::Shared, cmk.siblings > 0)
            .with(Trait::ThroughAlias, matches!(cmk.link, KeyLink::ThroughAlias { .. }))
            .with(Trait::Unlisted, is_unlisted(cmk))
            .with(Trait::Foreign, cmk.place.foreign)
            .with(Trait::Unwatched, cmk.place.unwatched)
    }

    /// Those of a row's key and state.
    #[must_use]
    pub fn of_key(key: Option<&KmsKey>, kind: StateKind, verdict: Option<Verdict>) -> Self {
        let relatives = key.and_then(|key| Some((&key.arn, key.multi_region.as_ref()?)));
        let is_primary = |(arn, family): (&KeyArn, &crate::model::key::MultiRegion)| family.primary == *arn;
        Self::default()
            .with(Trait::Gone, kind == StateKind::Gone)
            .with(Trait::Overdue, verdict == Some(Verdict::Overdue))
            .with(Trait::Due, verdict == Some(Verdict::Due))
            .with(Trait::Exception, verdict == Some(Verdict::Excepted))
            .with(Trait::Unjudged, verdict == Some(Verdict::Unjudged))
            .with(Trait::Primary, relatives.is_some_and(is_primary))
            .with(Trait::Replica, relatives.is_some_and(|family| !is_primary(family)))
            .with(Trait::Imported, key.is_some_and(|key| key.origin == Origin::External))
            .with(Trait::AwsManaged, key.is_some_and(|key| key.manager == Manager::Aws))
    }

    /// Both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Without a path there was no row of it in the catalog.
fn is_unlisted(cmk: &CmkRef) -> bool {
    matches!(&cmk.link, KeyLink::NotVisible { path, .. } if path.is_empty())
}
