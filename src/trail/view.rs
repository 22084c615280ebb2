//! What is known of the trail at one moment, and from where.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::files::Tally;
use super::store::Events;
use super::sweep::Page;
use crate::detect::Finding;
use crate::model::arn::KeyArn;
use crate::model::seen::NotVisible;
use crate::model::source::{Source, SourceHealth};

/// What is known at one moment. Immutable; a clone is cheap.
#[derive(Clone, Debug, Default)]
pub struct TrailView {
    pub events: Events,
    /// What the rules found in them, the newest first; muted ones are marked.
    pub findings: Arc<[Finding]>,
    /// Where events come from: the home Region's trail first.
    pub sources: Vec<TrailSource>,
}

/// How one source of events does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailSource {
    pub source: Source,
    pub health: SourceHealth,
    /// From when on the changes (`readOnly` false) are all here, as far as CloudTrail has delivered them:
    /// on average it takes 5 minutes. None before the first sweep is through, and for files.
    pub changes_since: Option<Timestamp>,
    /// The same for reads and cryptographic use of keys, which are followed more slowly.
    pub uses_since: Option<Timestamp>,
    /// When the newest event that it brought happened.
    pub newest: Option<Timestamp>,
    /// How long after it happened that event came: the source's lag. None where only history came yet.
    pub lag: Option<SignedDuration>,
    /// Keys whose use was asked for, the newest first.
    pub backfills: Vec<Backfill>,
    /// What was read of files, so far.
    pub files: Option<Tally>,
    /// Whether the files are all read.
    pub is_read: bool,
}

/// One key's events, read back on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backfill {
    pub key: KeyArn,
    /// How far back was asked for.
    pub wanted: Timestamp,
    /// From when on all is here; None while it is being read.
    pub reach: Option<Timestamp>,
}

impl TrailSource {
    /// A source of which nothing is known yet.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self {
            source,
            health: SourceHealth::default(),
            changes_since: None,
            uses_since: None,
            newest: None,
            lag: None,
            backfills: Vec::new(),
            files: None,
            is_read: false,
        }
    }

    fn is_followed(&self) -> bool {
        matches!(self.source, Source::Trail(_))
    }

    /// Notes what came at `now`. Where events come `one_by_one`, the first tells of the lag already; otherwise it is
    /// history.
    pub(super) fn came(&mut self, page: &Page, now: Timestamp, one_by_one: bool) {
        let Some(newest) = page.events.iter().map(|(event, _)| event.at).max() else { return };
        if self.newest.is_none_or(|before| newest > before) {
            if one_by_one || self.newest.is_some() {
                self.lag = Some(now.duration_since(newest));
            }
            self.newest = Some(newest);
        }
    }
}

impl TrailView {
    /// From when on changes are all here, of every Region that is followed.
    #[must_use]
    pub fn changes_since(&self) -> Option<Timestamp> {
        self.latest(|source| source.changes_since)
    }

    /// The same for reads and use of keys.
    #[must_use]
    pub fn uses_since(&self) -> Option<Timestamp> {
        self.latest(|source| source.uses_since)
    }

    fn latest(&self, since: impl Fn(&TrailSource) -> Option<Timestamp>) -> Option<Timestamp> {
        let followed = self.sources.iter().filter(|source| source.is_followed());
        followed.map(since).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Whether every event comes from files, and none from an account.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        !self.sources.is_empty() && !self.sources.iter().any(TrailSource::is_followed)
    }

    /// What was read of files, where any are.
    pub fn files(&self) -> impl Iterator<Item = (&TrailSource, &Tally)> {
        self.sources.iter().filter_map(|source| Some((source, source.files.as_ref()?)))
    }

    /// Whether a source that has the past too has answered in full: a queue has only what is to come.
    #[must_use]
    pub fn has_answered(&self) -> bool {
        let mut with_past = self.sources.iter().filter(|source| !matches!(source.source, Source::Queue(_)));
        with_past.any(|source| source.health.last_success.is_some())
    }

    /// How the trail of a Region does, where it is followed.
    #[must_use]
    pub fn region(&self, region: &str) -> Option<&TrailSource> {
        self.sources.iter().find(|one| matches!(&one.source, Source::Trail(name) if name == region))
    }

    /// The first source that fails, and why.
    #[must_use]
    pub fn failing(&self) -> Option<(&Source, &NotVisible)> {
        self.sources.iter().find_map(|source| Some((&source.source, &source.health.failing.as_ref()?.1)))
    }

    /// Whether a source is throttling us.
    #[must_use]
    pub fn throttled(&self) -> bool {
        self.sources.iter().any(|source| source.health.throttled)
    }

    /// The backfill of a key, where one was asked for.
    #[must_use]
    pub fn backfill(&self, key: &KeyArn) -> Option<&Backfill> {
        self.sources.iter().flat_map(|source| &source.backfills).find(|backfill| backfill.key == *key)
    }

    /// How far the newest event lies back at `now`; None while there is none.
    #[must_use]
    pub fn lag(&self, now: Timestamp) -> Option<SignedDuration> {
        self.events.newest().map(|newest| now.duration_since(newest))
    }
}
