//! Following trails: a task for each Region reads what is new, one listens to a queue, one for files reads those, and
//! one keeps it all and publishes after each page.
//!
//! CloudTrail delivers late and out of order, so each sweep reads an overlap again, and every few minutes a wide
//! one; the store knows what it has. Changes are swept often, the use of keys less often and only so many pages.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::files::{Found, Tally, load_into};
use super::listen::Listening;
use super::rules::rules_of;
use super::store::{Batch, Store};
use super::sweep::{Page, Step, Sweep};
use super::view::{Backfill, TrailSource, TrailView};
use super::watched::KMS;
use super::{Filter, Unparsed};
use crate::clock::Clock;
use crate::cloud::{Failure, Lookup, TrailReads};
use crate::detect::{Context, Engine};
use crate::estate::Estate;
use crate::model::arn::KeyArn;
use crate::model::source::Source;
use crate::settings::TrailSettings;

/// How a trail is followed. Spans of events are in the estate's time, cadences in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FollowOptions {
    /// How far back the first sweep of changes reaches.
    pub lookback: SignedDuration,
    /// How far back the first sweep of key use reaches.
    pub use_lookback: SignedDuration,
    /// What each later sweep reads again: events are delivered late.
    pub overlap: SignedDuration,
    /// What one sweep every `wide_every` reads again: some events are delivered very late.
    pub wide_overlap: SignedDuration,
    pub wide_every: Duration,
    /// From the end of one sweep of changes to the beginning of the next.
    pub changes_every: Duration,
    pub uses_every: Duration,
    /// From the end of one sweep of the roles and secrets watched to the beginning of the next.
    pub watched_every: Duration,
    /// Pages of 50 that a sweep of changes reads at most.
    pub change_pages: usize,
    pub use_pages: usize,
    /// Pages that reading back one key's events takes at most.
    pub backfill_pages: usize,
    /// The longest wait after failures; the first is a second, each next one twice as long.
    pub longest_backoff: Duration,
    /// Events kept.
    pub capacity: usize,
}

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            lookback: SignedDuration::from_hours(24),
            use_lookback: SignedDuration::from_hours(1),
            overlap: SignedDuration::from_mins(10),
            wide_overlap: SignedDuration::from_mins(60),
            wide_every: Duration::from_mins(5),
            changes_every: Duration::from_secs(5),
            uses_every: Duration::from_secs(30),
            watched_every: Duration::from_mins(1),
            change_pages: 200,
            use_pages: 10,
            backfill_pages: 200,
            longest_backoff: Duration::from_mins(1),
            capacity: 1_000_000,
        }
    }
}

/// Trails being followed, in every Region of an environment, and files being read. Dropping it stops both.
#[derive(Debug)]
pub struct Follower {
    views: watch::Receiver<Arc<TrailView>>,
    backfills: Backfills,
    circumstances: watch::Sender<Context>,
    tasks: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

/// Asks for one key's events to be read back. Clones ask the same follower.
#[derive(Clone, Debug, Default)]
pub struct Backfills(BTreeMap<String, mpsc::Sender<(KeyArn, SignedDuration)>>);

impl Backfills {
    /// Asks for the events of the last `span` (CloudTrail has 90 days) about a key; they come with the views. False
    /// where its Region is not followed, or too many are asked for already.
    #[must_use]
    pub fn ask(&self, key: &KeyArn, span: SignedDuration) -> bool {
        self.0.get(key.region()).is_some_and(|region| region.try_send((key.clone(), span)).is_ok())
    }
}

/// What a reader tells the keeper.
pub(super) struct News {
    /// Which source it is about.
    source: usize,
    standing: TrailSource,
    page: Page,
    batch: Batch,
    unparsed: Vec<Unparsed>,
    /// To be told once it is all kept.
    kept: Option<oneshot::Sender<()>>,
}

impl News {
    /// How a source stands, without any event.
    fn of(source: usize, standing: TrailSource) -> Self {
        let (page, batch, unparsed) = (Page::default(), Batch::default(), Vec::new());
        Self { source, standing, page, batch, unparsed, kept: None }
    }

    /// What a source brings, and whom to tell once it is kept.
    pub(super) fn to_keep(source: usize, standing: TrailSource, page: Page) -> (Self, oneshot::Receiver<()>) {
        let (kept, is_kept) = oneshot::channel();
        (Self { page, kept: Some(kept), ..Self::of(source, standing) }, is_kept)
    }
}

impl Follower {
    /// Begins to follow the trail of every Region of the environment.
    #[must_use]
    pub fn spawn(estate: &Estate, options: FollowOptions) -> Self {
        Self::with_files(Some(estate), None, &estate.clock, options)
    }

    /// Begins to follow an environment's trails, where there is one, and to read trail files, where there are any.
    #[must_use]
    pub fn with_files(
        estate: Option<&Estate>,
        files: Option<(String, Found)>,
        clock: &Clock,
        options: FollowOptions,
    ) -> Self {
        let (news, keeper_ear) = mpsc::channel(8);
        let stop = Arc::new(AtomicBool::new(false));
        let (mut sources, mut tasks, mut backfills) = (Vec::new(), Vec::new(), BTreeMap::new());
        let regions = estate.map_or(&[][..], |estate| &estate.environment.regions);
        for (estate, region) in
            estate.iter().flat_map(|estate| regions.iter().map(move |region| (estate, region)))
        {
            let standing = TrailSource::new(Source::Trail(region.clone()));
            let (ask, asked) = mpsc::channel(32);
            let following =
                Following::new(estate, region, options, sources.len(), standing.clone(), asked, news.clone());
            tasks.push(tokio::spawn(following.run()));
            sources.push(standing);
            backfills.insert(region.clone(), ask);
        }
        if let Some((estate, address)) =
            estate.and_then(|estate| Some((estate, estate.environment.trail.queue.as_ref()?)))
        {
            let queue = estate.cloud.trail_queue(address);
            let standing = TrailSource::new(Source::Queue(queue.name().to_owned()));
            let listening = Listening {
                queue,
                clock: clock.clone(),
                watched: estate.environment.trail.clone(),
                longest_backoff: options.longest_backoff,
                source: sources.len(),
                standing: standing.clone(),
                news: news.clone(),
            };
            tasks.push(tokio::spawn(listening.run()));
            sources.push(standing);
        }
        if let Some((name, found)) = files {
            let standing = TrailSource::new(Source::Files(name));
            let reader = Files {
                source: sources.len(),
                standing: standing.clone(),
                clock: clock.clone(),
                stop: Arc::clone(&stop),
            };
            let news = news.clone();
            tasks.push(tokio::task::spawn_blocking(move || reader.read(&found, &news)));
            sources.push(standing);
        }
        let engine = estate.map_or_else(Engine::default, rules_of);
        let (circumstances, learnt) = watch::channel(engine.context().clone());
        let store = Store::new(options.capacity).with_rules(engine);
        let view = TrailView { events: store.events().clone(), findings: Arc::default(), sources };
        let (publish, views) = watch::channel(Arc::new(view.clone()));
        tasks.push(tokio::spawn(keep(store, view, clock.clone(), keeper_ear, learnt, publish)));
        Self { views, backfills: Backfills(backfills), circumstances, tasks, stop }
    }

    /// What is known, now and after each change.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<TrailView>> {
        self.views.clone()
    }

    /// To tell the rules what else is known: names, incidents, what the inventory says.
    #[must_use]
    pub fn circumstances(&self) -> watch::Sender<Context> {
        self.circumstances.clone()
    }

    /// To ask for one key's events.
    #[must_use]
    pub fn backfills(&self) -> Backfills {
        self.backfills.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Takes in what the readers bring, and publishes what there is then.
async fn keep(
    mut store: Store,
    mut view: TrailView,
    clock: Clock,
    mut ear: mpsc::Receiver<News>,
    mut learnt: watch::Receiver<Context>,
    publish: watch::Sender<Arc<TrailView>>,
) {
    loop {
        let mut news = tokio::select! {
            news = ear.recv() => match news {
                Some(news) => Some(news),
                None => return,
            },
            Ok(()) = learnt.changed() => {
                store.learn(learnt.borrow_and_update().clone());
                None
            }
        };
        // Whatever else has come by now is published with it.
        while let Some(one) = news {
            one.page.keep(&mut store);
            store.add(one.batch);
            one.unparsed.into_iter().for_each(|unparsed| store.note_unparsed(unparsed));
            view.sources[one.source] = one.standing;
            if let Some(kept) = one.kept {
                // Whoever waited for it may be gone.
                let _ = kept.send(());
            }
            news = ear.try_recv().ok();
        }
        view.findings = store.judge(clock.now()).into();
        view.events = store.events().clone();
        publish.send_replace(Arc::new(view.clone()));
    }
}

/// Reads files beside the runtime.
struct Files {
    source: usize,
    standing: TrailSource,
    clock: Clock,
    stop: Arc<AtomicBool>,
}

impl Files {
    fn read(mut self, found: &Found, news: &mpsc::Sender<News>) {
        let tell = |standing: TrailSource, batch, unparsed| {
            news.blocking_send(News { batch, unparsed, ..News::of(self.source, standing) }).is_ok()
        };
        self.standing.files = Some(Tally { files_found: found.files.len(), ..Tally::default() });
        let (everything, now) = (Filter::default(), self.clock.now());
        let tally = load_into(found, &everything, now, &self.stop, |loaded| {
            if let Some(tally) = &mut self.standing.files {
                tally.records += (loaded.batch.len() + loaded.unparsed.len()) as u64;
            }
            tell(self.standing.clone(), loaded.batch, loaded.unparsed)
        });
        self.standing.health.succeeded(self.clock.now());
        self.standing.files = Some(tally);
        self.standing.is_read = true;
        tell(self.standing, Batch::default(), Vec::new());
    }
}

/// One kind of events, as it is being followed.
#[derive(Debug)]
struct Track {
    lookup: Lookup,
    /// From the end of one sweep to the beginning of the next; None sweeps once.
    every: Option<Duration>,
    pages: usize,
    lookback: SignedDuration,
    /// When its next page is due.
    due: Instant,
    /// Until when it has been swept.
    swept: Option<Timestamp>,
    /// From when on all is here.
    reach: Option<Timestamp>,
    next_wide: Instant,
    /// The sweep under way.
    sweep: Option<Sweep>,
}

impl Track {
    fn new(lookup: Lookup, every: Duration, pages: usize, lookback: SignedDuration, due: Instant) -> Self {
        let every = Some(every);
        Self { lookup, every, pages, lookback, due, swept: None, reach: None, next_wide: due, sweep: None }
    }

    /// The sweep under way, or the next one: from an overlap before the last one's end until now.
    fn sweep(&mut self, options: &FollowOptions, now: Timestamp) -> &mut Sweep {
        let start = match self.swept {
            None => now.checked_sub(self.lookback),
            Some(_) if self.sweep.is_some() => Ok(now),
            Some(swept) if Instant::now() >= self.next_wide => {
                self.next_wide = Instant::now() + options.wide_every;
                swept.checked_sub(options.wide_overlap)
            }
            Some(swept) => swept.checked_sub(options.overlap),
        };
        let (lookup, pages) = (&self.lookup, self.pages);
        self.sweep.get_or_insert_with(|| {
            Sweep::new(lookup.clone(), start.unwrap_or(Timestamp::UNIX_EPOCH), now, pages)
        })
    }

    /// Notes that the sweep under way is through, whole from `reach` on.
    fn done(&mut self, options: &FollowOptions, reach: Timestamp) {
        let end = self.sweep.take().map(|sweep| sweep.end);
        // Where the sweep did not get back to where the last one ended, there is a gap before `reach`.
        self.reach = match (self.reach, self.swept) {
            (Some(before), Some(swept)) if reach <= swept => Some(before),
            (Some(before), _) => Some(before.max(reach)),
            (None, _) => Some(reach),
        };
        if self.swept.is_none() {
            self.next_wide = Instant::now() + options.wide_every;
        }
        self.swept = end.or(self.swept);
        self.due = Instant::now() + self.every.unwrap_or_default();
    }
}

/// One Region's task.
struct Following {
    reads: TrailReads,
    clock: Clock,
    options: FollowOptions,
    watched: TrailSettings,
    /// Of these the first is changes, the second use; then what settings watch; then keys read back.
    tracks: Vec<Track>,
    /// Failures since the last success.
    failures: u32,
    source: usize,
    standing: TrailSource,
    asked: mpsc::Receiver<(KeyArn, SignedDuration)>,
    news: mpsc::Sender<News>,
}

impl Following {
    fn new(
        estate: &Estate,
        region: &str,
        options: FollowOptions,
        source: usize,
        standing: TrailSource,
        asked: mpsc::Receiver<(KeyArn, SignedDuration)>,
        news: mpsc::Sender<News>,
    ) -> Self {
        let now = Instant::now();
        let FollowOptions { changes_every, change_pages, lookback, .. } = options;
        let FollowOptions { uses_every, use_pages, use_lookback, watched_every, .. } = options;
        let watched = estate.environment.trail.clone();
        // A little later each: the first page is to show changes.
        let later = |seconds: u64| now + Duration::from_secs(seconds);
        let kms = Lookup::Source(KMS.to_owned());
        let mut tracks = vec![
            Track::new(Lookup::ReadOnly(false), changes_every, change_pages, lookback, now),
            Track::new(kms, uses_every, use_pages, use_lookback, later(1)),
        ];
        let named = watched.lookups();
        tracks.extend(named.map(|lookup| Track::new(lookup, watched_every, use_pages, lookback, later(2))));
        let reads = estate.cloud.trail(region);
        let clock = estate.clock.clone();
        Self { reads, clock, options, watched, tracks, failures: 0, source, standing, asked, news }
    }

    async fn run(mut self) {
        loop {
            let due = self.tracks.iter().map(|track| track.due).min().unwrap_or_else(Instant::now);
            tokio::select! {
                Some((key, span)) = self.asked.recv() => {
                    self.read_back(key, span);
                    continue;
                }
                () = tokio::time::sleep_until(due) => {}
            }
            let page = self.page().await;
            self.standing.changes_since = self.tracks[0].reach;
            self.standing.uses_since = self.tracks[1].reach;
            let news = News { page, ..News::of(self.source, self.standing.clone()) };
            if self.news.send(news).await.is_err() {
                return;
            }
        }
    }

    /// Begins to read one key's events back, ahead of the next sweeps but one.
    fn read_back(&mut self, key: KeyArn, span: SignedDuration) {
        let wanted = self.clock.now().checked_sub(span).unwrap_or(Timestamp::UNIX_EPOCH);
        let is_here = |one: &Backfill| one.key == key && one.wanted <= wanted;
        if self.standing.backfills.iter().any(is_here) {
            return;
        }
        let lookup = Lookup::Resource(key.as_str().to_owned());
        self.standing.backfills.retain(|one| one.key != key);
        self.standing.backfills.insert(0, Backfill { key, wanted, reach: None });
        let pages = self.options.backfill_pages;
        let due = Instant::now() + Duration::from_secs(u64::from(self.failures > 0));
        let track = Track { every: None, ..Track::new(lookup, Duration::ZERO, pages, span, due) };
        self.tracks.push(track);
    }

    /// Reads one page of the track that is due first.
    async fn page(&mut self) -> Page {
        let next = (0..self.tracks.len()).min_by_key(|track| self.tracks[*track].due).unwrap_or_default();
        let track = &mut self.tracks[next];
        let sweep = track.sweep(&self.options, self.clock.now());
        match sweep.page(&self.reads, &self.watched).await {
            Ok((page, step)) => {
                self.failures = 0;
                self.standing.came(&page, self.clock.now(), false);
                match step {
                    Step::More => track.due = Instant::now(),
                    Step::Done { reach } => self.done(next, reach),
                }
                page
            }
            Err(failure) => {
                self.back_off(failure);
                Page::default()
            }
        }
    }

    fn done(&mut self, track: usize, reach: Timestamp) {
        self.tracks[track].done(&self.options, reach);
        self.standing.health.succeeded(self.clock.now());
        if self.tracks[track].every.is_none() {
            let over = self.tracks.swap_remove(track);
            let is_it = |one: &&mut Backfill| matches!(&over.lookup, Lookup::Resource(key) if one.key.as_str() == key);
            if let Some(one) = self.standing.backfills.iter_mut().find(is_it) {
                one.reach = Some(reach);
            }
        }
    }

    /// Waits longer after each failure, with all tracks: they share one quota.
    fn back_off(&mut self, failure: Failure) {
        let wait = Duration::from_secs(1 << self.failures.min(16)).min(self.options.longest_backoff);
        self.failures += 1;
        let until = Instant::now() + wait;
        for track in &mut self.tracks {
            track.due = track.due.max(until);
        }
        self.standing.health.failed(self.clock.now(), failure.into());
    }
}

#[cfg(test)]
mod tests;
