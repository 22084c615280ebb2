//! What is out of the ordinary about a row: one list, from which the screens, `is:` and JSON have their words.

use serde::Serialize;

use crate::model::age::Verdict;
use crate::model::arn::KeyArn;
use crate::model::key::{KmsKey, Manager, MultiRegion, Origin};
use crate::model::pair::{CmkRef, EstateMark, KeyLink, Pair, Row};

macro_rules! traits {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// Something out of the ordinary about a row. Those up to [`Trait::LAST_ANOMALY`] are about how its SQL side
        /// and its KMS side meet: its anomalies, which JSON lists by these names. The others are about its key.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[repr(u8)]
        pub enum Trait { $($(#[$doc])* $variant),+ }

        impl Trait {
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$variant),+];

            /// The words for it on screen.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

traits!(
    /// KMS says that the key or alias that the CMK names does not exist.
    KeyGone = "key gone",
    /// The key is of our account, in a Region of ours, and cannot be seen.
    KeyNotVisible = "key not visible",
    /// The key belongs to another account, visible or not.
    ForeignKey = "another account's key",
    /// The key is in a Region that the settings do not name.
    UnwatchedRegion = "Region not in the settings",
    /// The key path is no KMS ARN.
    NotKms = "not a KMS key",
    /// The catalog lists a value of a CMK that it does not list.
    UnlistedMasterKey = "master key not listed",
    /// The CEK has two values: a rotation of its CMK is in progress.
    TwoValues = "two values",
    /// Other CMKs lead to the same KMS key.
    SharedKey = "key shared by master keys",
    /// The encrypted value names another key than the CMK does.
    EnvelopeMismatch = "value names another key",
    /// A CMK that wraps no CEK.
    UnusedMasterKey = "wraps no column key",
    /// A CEK of which the catalog shows no value.
    NoValue = "no value",
    /// A KMS key marked as one of the estate, which no CMK names.
    UnusedEstateKey = "estate key, unused",
    /// A multi-Region key that no CMK names, while one names its relative.
    StandsBy = "stands by for its relative",
    /// A KMS key that no CMK names, and that nothing marks as one of the estate.
    UnnamedKey = "no master key names it",
    /// A database whose pairs are missing from the list.
    UnreadableDatabase = "database not readable",
    /// A server whose pairs are missing from the list.
    UnreadableServer = "server not readable",
    /// A Region whose KMS keys may be missing from the list.
    UnreadableRegion = "Region not readable",
    /// An environment that could not be opened.
    UnreadableEnvironment = "environment not readable",
    /// Past the age policy and its grace.
    Overdue = "overdue",
    /// Past the age policy, within its grace.
    Due = "due",
    /// Past the age policy, and let off by an exception.
    Exception = "excepted",
    /// Which age policy counts cannot be told.
    Unjudged = "not judged",
    /// The key path names an alias.
    ThroughAlias = "through an alias",
    Primary = "multi-Region primary",
    Replica = "multi-Region replica",
    /// Imported material.
    Imported = "imported material",
    /// A key that AWS manages.
    AwsManaged = "AWS-managed",
);

/// The words of `is:` and what each asks for: a word may stand for several traits, of which any will do.
const WORDS: [(&str, &[Trait]); 23] = [
    ("overdue", &[Trait::Overdue]),
    ("due", &[Trait::Due]),
    ("exception", &[Trait::Exception]),
    ("unjudged", &[Trait::Unjudged]),
    ("rotating", &[Trait::TwoValues]),
    ("gone", &[Trait::KeyGone]),
    ("hidden", &[Trait::KeyNotVisible]),
    ("orphan", &[Trait::NoValue]),
    ("unused", &[Trait::UnusedMasterKey, Trait::UnusedEstateKey]),
    ("unreferenced", &[Trait::UnusedEstateKey, Trait::StandsBy, Trait::UnnamedKey]),
    ("stands-by", &[Trait::StandsBy]),
    ("unlisted", &[Trait::UnlistedMasterKey]),
    (
        "unreadable",
        &[
            Trait::UnreadableDatabase,
            Trait::UnreadableServer,
            Trait::UnreadableRegion,
            Trait::UnreadableEnvironment,
        ],
    ),
    ("shared", &[Trait::SharedKey]),
    ("through-alias", &[Trait::ThroughAlias]),
    ("mismatch", &[Trait::EnvelopeMismatch]),
    ("foreign", &[Trait::ForeignKey]),
    ("unwatched", &[Trait::UnwatchedRegion]),
    ("other-store", &[Trait::NotKms]),
    ("primary", &[Trait::Primary]),
    ("replica", &[Trait::Replica]),
    ("imported", &[Trait::Imported]),
    ("aws-managed", &[Trait::AwsManaged]),
];

impl Trait {
    pub const LAST_ANOMALY: Self = Self::UnreadableEnvironment;

    /// The words of `is:`.
    pub const WORDS: [&'static str; WORDS.len()] = {
        let mut words = [""; WORDS.len()];
        let mut at = 0;
        while at < WORDS.len() {
            words[at] = WORDS[at].0;
            at += 1;
        }
        words
    };
}

/// A set of [`Trait`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u32);

impl FromIterator<Trait> for Traits {
    fn from_iter<I: IntoIterator<Item = Trait>>(traits: I) -> Self {
        traits.into_iter().fold(Self::default(), |set, one| set.with(one, true))
    }
}

impl Traits {
    /// Those that the words of `is:` ask for.
    #[must_use]
    pub fn named(words: &[&str]) -> Self {
        let wanted = WORDS.iter().filter(|(word, _)| words.contains(word));
        wanted.flat_map(|(_, traits)| traits.iter().copied()).collect()
    }

    /// With `one` too, where `holds`.
    #[must_use]
    pub fn with(self, one: Trait, holds: bool) -> Self {
        Self(self.0 | (u32::from(holds) << one as u8))
    }

    /// Both sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has any of `others`.
    #[must_use]
    pub fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Those of `row`, as far as it alone tells.
    #[must_use]
    pub fn of_row(row: &Row) -> Self {
        let of_cmk = row.cmk().map(Self::of_cmk).unwrap_or_default();
        of_cmk.with(
            match row {
                Row::Pair(pair) => return of_cmk.and(Self::of_pair(pair)),
                Row::UnusedMasterKey { .. } => Trait::UnusedMasterKey,
                Row::OrphanColumnKey { .. } => Trait::NoValue,
                Row::UnreferencedKey { estate: EstateMark::Marked { .. }, .. } => Trait::UnusedEstateKey,
                Row::UnreferencedKey { estate: EstateMark::StandsBy { .. }, .. } => Trait::StandsBy,
                Row::UnreferencedKey { .. } => Trait::UnnamedKey,
                Row::UnreadableDatabase { .. } => Trait::UnreadableDatabase,
                Row::UnreadableServer { .. } => Trait::UnreadableServer,
                Row::UnreadableRegion { .. } => Trait::UnreadableRegion,
                Row::UnreadableEnvironment { .. } => Trait::UnreadableEnvironment,
            },
            true,
        )
    }

    fn of_pair(pair: &Pair) -> Self {
        Self::default()
            .with(Trait::TwoValues, pair.rotating)
            .with(Trait::EnvelopeMismatch, pair.envelope_mismatch)
    }

    fn of_cmk(cmk: &CmkRef) -> Self {
        // Without a path there was no row of it in the catalog.
        let unlisted = matches!(&cmk.link, KeyLink::NotVisible { path, .. } if path.is_empty());
        let elsewhere = cmk.place.foreign || cmk.place.unwatched;
        let hidden = matches!(cmk.link, KeyLink::NotVisible { .. }) && !unlisted && !elsewhere;
        Self::default()
            .with(Trait::KeyGone, matches!(cmk.link, KeyLink::Gone { .. }))
            .with(Trait::KeyNotVisible, hidden)
            .with(Trait::ForeignKey, cmk.place.foreign)
            .with(Trait::UnwatchedRegion, cmk.place.unwatched)
            .with(Trait::NotKms, matches!(cmk.link, KeyLink::NotKms))
            .with(Trait::UnlistedMasterKey, unlisted)
            .with(Trait::SharedKey, cmk.siblings > 0)
            .with(Trait::ThroughAlias, matches!(cmk.link, KeyLink::ThroughAlias { .. }))
    }

    /// Those of a row's key, and of what its age policy says of it.
    #[must_use]
    pub fn of_key(key: Option<&KmsKey>, verdict: Option<Verdict>) -> Self {
        let relatives = key.and_then(|key| Some((&key.arn, key.multi_region.as_ref()?)));
        let is_primary = |(arn, family): (&KeyArn, &MultiRegion)| family.primary == *arn;
        Self::default()
            .with(Trait::Overdue, verdict == Some(Verdict::Overdue))
            .with(Trait::Due, verdict == Some(Verdict::Due))
            .with(Trait::Exception, verdict == Some(Verdict::Excepted))
            .with(Trait::Unjudged, verdict == Some(Verdict::Unjudged))
            .with(Trait::Primary, relatives.is_some_and(is_primary))
            .with(Trait::Replica, relatives.is_some_and(|family| !is_primary(family)))
            .with(Trait::Imported, key.is_some_and(|key| key.origin == Origin::External))
            .with(Trait::AwsManaged, key.is_some_and(|key| key.manager == Manager::Aws))
    }

    /// Those that are anomalies, in their order.
    pub fn anomalies(self) -> impl Iterator<Item = Trait> {
        let has = move |one: &Trait| *one <= Trait::LAST_ANOMALY && self.0 & (1 << *one as u8) != 0;
        Trait::ALL.into_iter().filter(has)
    }
}

/// What is out of the ordinary about how a row's SQL side and KMS side meet.
#[must_use]
pub fn anomalies(row: &Row) -> Vec<Trait> {
    Traits::of_row(row).anomalies().collect()
}

#[cfg(test)]
mod tests {
    use super::{Trait, Traits, WORDS};

    #[test]
    fn every_trait_has_a_bit_a_word_and_a_place_in_a_filter() {
        let asked: Traits = Traits::named(&Trait::WORDS);
        for (place, one) in Trait::ALL.into_iter().enumerate() {
            assert_eq!(one as usize, place);
            let own: Traits = [one].into_iter().collect();
            assert!(asked.any_of(own), "no word of `is:` finds {one:?}");
            assert_eq!(own.anomalies().count(), usize::from(one <= Trait::LAST_ANOMALY), "{one:?}");
        }
        assert!(Trait::ALL.len() <= 32, "a bit each");
        assert_eq!(WORDS.len(), Trait::WORDS.iter().collect::<std::collections::BTreeSet<_>>().len());
    }
}
