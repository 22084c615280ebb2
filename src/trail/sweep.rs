//! Reading a window of time from CloudTrail, page by page.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::parse::{Unparsed, parse};
use super::rules::rules_of;
use super::store::{Batch, Store};
use super::view::{TrailSource, TrailView};
use super::watched::{KMS, tells_of_keys};
use crate::cloud::{Failure, Lookup, TrailReads};
use crate::detect::Engine;
use crate::estate::Estate;
use crate::model::event::KeyEvent;
use crate::model::seen::Cause;
use crate::model::source::Source;
use crate::settings::TrailSettings;

/// How often a throttled page is asked again by [`load_once`], waiting 1, 2, 4 … seconds.
const TRIES: u32 = 5;

/// How much to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Pages of 50 events for each of the two sweeps, of changes and of use; half a second each.
    pub pages: usize,
    /// Events kept of all Regions, the newest first.
    pub events: usize,
}

impl Default for Limits {
    /// 40 pages (20 s at the most for each sweep), 100,000 events.
    fn default() -> Self {
        Self { pages: 40, events: 100_000 }
    }
}

/// Reads the events of the last `since`, once, in every Region: changes first, then the use of keys. A failure stands
/// in its source's health, beside what was read before it came.
pub async fn load_once(estate: &Estate, since: SignedDuration, limits: Limits) -> TrailView {
    load_judged(estate, rules_of(estate), since, limits).await
}

/// The same, judged by these rules.
pub async fn load_judged(estate: &Estate, rules: Engine, since: SignedDuration, limits: Limits) -> TrailView {
    let regions = estate.environment.regions.iter();
    let read = join_all(regions.map(|region| load_region(estate, region, since, limits))).await;
    let mut store = Store::new(limits.events).with_rules(rules);
    let mut sources = Vec::new();
    for (source, pages) in read {
        sources.push(source);
        for page in pages {
            page.keep(&mut store);
        }
    }
    let findings = store.judge(estate.clock.now()).into();
    TrailView { events: store.events().clone(), findings, sources }
}

async fn load_region(
    estate: &Estate,
    region: &str,
    since: SignedDuration,
    limits: Limits,
) -> (TrailSource, Vec<Page>) {
    let reads = estate.cloud.trail(region);
    let mut source = TrailSource::new(Source::Trail(region.to_owned()));
    let mut pages = Vec::new();
    let end = estate.clock.now();
    let start = end.checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
    let watched = &estate.environment.trail;
    for lookup in
        [Lookup::ReadOnly(false), Lookup::Source(KMS.to_owned())].into_iter().chain(watched.lookups())
    {
        let is_changes = matches!(lookup, Lookup::ReadOnly(_));
        let is_uses = matches!(lookup, Lookup::Source(_));
        let mut sweep = Sweep::new(lookup, start, end, limits.pages);
        match finish(&mut sweep, &reads, watched, &mut pages).await {
            Ok(reach) if is_changes => source.changes_since = Some(reach),
            Ok(reach) if is_uses => source.uses_since = Some(reach),
            Ok(_) => {}
            Err(failure) => {
                source.health.failed(estate.clock.now(), failure.into());
                return (source, pages);
            }
        }
    }
    source.health.succeeded(estate.clock.now());
    (source, pages)
}

/// Reads a sweep to its end, patiently where it is throttled.
pub(super) async fn finish(
    sweep: &mut Sweep,
    reads: &TrailReads,
    watched: &TrailSettings,
    pages: &mut Vec<Page>,
) -> Result<Timestamp, Failure> {
    let mut tries = 0;
    loop {
        match sweep.page(reads, watched).await {
            Ok((page, step)) => {
                pages.push(page);
                tries = 0;
                if let Step::Done { reach } = step {
                    return Ok(reach);
                }
            }
            Err(failure) if failure.cause == Cause::Throttled && tries < TRIES => {
                tokio::time::sleep(Duration::from_secs(1 << tries)).await;
                tries += 1;
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// What a page brought: the events that belong here with their records, and what could not be understood.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) events: Vec<(KeyEvent, String)>,
    pub(super) unparsed: Vec<Unparsed>,
}

impl Page {
    /// Takes it into a store, as far as that does not know it yet.
    pub(super) fn keep(self, store: &mut Store) {
        let new = self.events.into_iter().filter(|(event, _)| !store.knows(&event.id)).collect();
        store.add(Batch::of(new));
        self.unparsed.into_iter().for_each(|unparsed| store.note_unparsed(unparsed));
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

    /// Reads the next page.
    pub(super) async fn page(
        &mut self,
        reads: &TrailReads,
        watched: &TrailSettings,
    ) -> Result<(Page, Step), Failure> {
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
        let mut read = Page::default();
        for record in page.records {
            match parse(&record) {
                Ok(event) => {
                    self.oldest = self.oldest.min(event.at);
                    if tells_of_keys(&event, &record, watched) {
                        read.events.push((event, record));
                    }
                }
                Err(unparsed) => read.unparsed.push(unparsed),
            }
        }
        Ok((read, self.step(page.next)))
    }

    fn step(&mut self, next: Option<String>) -> Step {
        self.pages_left -= 1;
        let Some(token) = next else { return Step::Done { reach: self.start } };
        // Pages come newest first, so what a sweep cut short has seen is whole from its oldest event on.
        // A token that comes again would lead in circles, and counts as cut short too.
        if self.pages_left == 0 || !self.tokens.insert(token.clone()) {
            return Step::Done { reach: self.oldest };
        }
        self.token = Some(token);
        Step::More
    }
}

impl TrailSettings {
    /// What is to be looked up for the roles and secrets named, which CloudTrail counts as reads.
    pub(super) fn lookups(&self) -> impl Iterator<Item = Lookup> {
        let roles = (!self.roles.is_empty()).then(|| Lookup::Name("AssumeRole".to_owned()));
        let secrets = (!self.secrets.is_empty()).then(|| Lookup::Name("GetSecretValue".to_owned()));
        roles.into_iter().chain(secrets)
    }
}
