//! Reading a window of time from CloudTrail, page by page.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::parse::parse;
use super::store::Store;
use crate::cloud::{Failure, Lookup, TrailReads};
use crate::estate::Estate;
use crate::model::event::KeyEvent;
use crate::model::seen::Cause;
use crate::model::source::{Source, SourceHealth};

/// KMS's name in CloudTrail.
pub(super) const KMS: &str = "kms.amazonaws.com";
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
/// How often a throttled page is asked again by [`load_once`], waiting 1, 2, 4 … seconds.
const TRIES: u32 = 5;

/// What is known of a trail at one moment. Immutable; a clone is cheap.
#[derive(Clone, Debug)]
pub struct TrailView {
    pub source: Source,
    pub events: Store,
    pub health: SourceHealth,
    /// From when on the changes (`readOnly` false) are all here, as far as CloudTrail has delivered them:
    /// on average it takes 5 minutes. None before the first sweep is through.
    pub changes_since: Option<Timestamp>,
    /// The same for reads and cryptographic use of keys, which are followed more slowly.
    pub uses_since: Option<Timestamp>,
}

impl TrailView {
    pub(super) fn new(region: &str, capacity: usize) -> Self {
        Self {
            source: Source::Trail(region.to_owned()),
            events: Store::new(capacity),
            health: SourceHealth::default(),
            changes_since: None,
            uses_since: None,
        }
    }

    /// How far the newest event lies back at `now`; None while there is none.
    #[must_use]
    pub fn lag(&self, now: Timestamp) -> Option<SignedDuration> {
        self.events.newest().map(|newest| now.duration_since(newest))
    }
}

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pages of 50 events for each of the two sweeps, of changes and of use; half a second each.
    pub pages: usize,
    /// Events kept, the newest first.
    pub events: usize,
}

impl Default for Limits {
    /// 40 pages (20 s at the most for each sweep), 100,000 events.
    fn default() -> Self {
        Self { pages: 40, events: 100_000 }
    }
}

/// Reads the events of the last `since`, once: changes first, then the use of keys. A failure stands in
/// the view's health, beside what was read before it came.
pub async fn load_once(estate: &Estate, since: SignedDuration, limits: Limits) -> TrailView {
    let reads = estate.cloud.trail(estate.cloud.home());
    let mut view = TrailView::new(reads.region(), limits.events);
    let end = estate.clock.now();
    let start = end.checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
    for lookup in [Lookup::ReadOnly(false), Lookup::Source(KMS.to_owned())] {
        let is_changes = matches!(lookup, Lookup::ReadOnly(_));
        let mut sweep = Sweep::new(lookup, start, end, limits.pages);
        match finish(&mut sweep, &reads, &mut view.events).await {
            Ok(reach) if is_changes => view.changes_since = Some(reach),
            Ok(reach) => view.uses_since = Some(reach),
            Err(failure) => {
                view.health.failed(estate.clock.now(), failure.into());
                return view;
            }
        }
    }
    view.health.succeeded(estate.clock.now());
    view
}

/// Reads a sweep to its end, patiently where it is throttled.
pub(super) async fn finish(
    sweep: &mut Sweep,
    reads: &TrailReads,
    store: &mut Store,
) -> Result<Timestamp, Failure> {
    let mut tries = 0;
    loop {
        match sweep.page(reads, store).await {
            Ok(Step::More) => tries = 0,
            Ok(Step::Done { reach }) => return Ok(reach),
            Err(failure) if failure.cause == Cause::Throttled && tries < TRIES => {
                tokio::time::sleep(Duration::from_secs(1 << tries)).await;
                tries += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// One reading of a window by one lookup. It can be taken up again after a failed page.
#[derive(Debug)]
pub(super) struct Sweep {
    lookup: Lookup,
    start: Timestamp,
    pub(super) end: Timestamp,
    token: Option<String>,
    tokens: HashSet<String>,
    pages_left: usize,
    oldest: Timestamp,
}

/// What a page led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    More,
    /// The window is read, or as much of it as was allowed: all from `reach` on.
    Done {
        reach: Timestamp,
    },
}

impl Sweep {
    pub(super) fn new(lookup: Lookup, start: Timestamp, end: Timestamp, pages: usize) -> Self {
        Self {
            lookup,
            start,
            end,
            token: None,
            tokens: HashSet::new(),
            pages_left: pages.max(1),
            oldest: end,
        }
    }

    /// Reads the next page into the store.
    pub(super) async fn page(&mut self, reads: &TrailReads, store: &mut Store) -> Result<Step, Failure> {
        let page = match reads.page(&self.lookup, self.start, self.end, self.token.clone()).await {
            Ok(page) => page,
            Err(failure) => {
                // A token lives some minutes only; without one the sweep begins anew.
                if failure.code.as_deref().is_some_and(|code| code.contains("NextToken")) {
                    self.token = None;
                    self.tokens.clear();
                }
                return Err(failure);
            }
        };
        for record in &page.records {
            self.take(record, store);
        }
        self.pages_left -= 1;
        let Some(token) = page.next else { return Ok(Step::Done { reach: self.start }) };
        // Pages come newest first, so what a sweep cut short has seen is whole from its oldest event on.
        // A token that comes again would lead in circles, and counts as cut short too.
        if self.pages_left == 0 || !self.tokens.insert(token.clone()) {
            return Ok(Step::Done { reach: self.oldest });
        }
        self.token = Some(token);
        Ok(Step::More)
    }

    fn take(&mut self, record: &str, store: &mut Store) {
        match parse(record) {
            Ok(event) => {
                self.oldest = self.oldest.min(event.at);
                if tells_of_keys(&event) {
                    store.insert(event);
                }
            }
            Err(unparsed) => store.note_unparsed(unparsed),
        }
    }
}

/// Whether an event belongs here: KMS's own, any that names a key, and changes to the trail itself.
fn tells_of_keys(event: &KeyEvent) -> bool {
    let source = event.source.raw();
    source == KMS || !event.keys.is_empty() || (source == CLOUDTRAIL && event.read_only != Some(true))
}
