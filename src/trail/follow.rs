//! Following a trail: a task that reads what is new, and publishes after each page.
//!
//! CloudTrail delivers late and out of order, so each sweep reads an overlap again, and every few minutes a wide
//! one; the store knows what it has. Changes are swept often, the use of keys less often and only so many pages.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::sweep::{KMS, Step, Sweep, TrailView};
use crate::clock::Clock;
use crate::cloud::{Failure, Lookup, TrailReads};
use crate::estate::Estate;

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
    /// Pages of 50 that a sweep of changes reads at most.
    pub change_pages: usize,
    pub use_pages: usize,
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
            change_pages: 200,
            use_pages: 10,
            longest_backoff: Duration::from_mins(1),
            capacity: 100_000,
        }
    }
}

/// A trail being followed in the home Region. Dropping it stops the following.
#[derive(Debug)]
pub struct Follower {
    views: watch::Receiver<Arc<TrailView>>,
    task: JoinHandle<()>,
}

impl Follower {
    /// Begins to follow.
    #[must_use]
    pub fn spawn(estate: &Estate, options: FollowOptions) -> Self {
        let reads = estate.cloud.trail(estate.cloud.home());
        let view = TrailView::new(reads.region(), options.capacity);
        let (publish, views) = watch::channel(Arc::new(view.clone()));
        let clock = estate.clock.clone();
        let task = tokio::spawn(Following::new(reads, clock, options, view, publish).run());
        Self { views, task }
    }

    /// What is known, now and after each change.
    #[must_use]
    pub fn views(&self) -> watch::Receiver<Arc<TrailView>> {
        self.views.clone()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One kind of events, as it is being followed.
#[derive(Debug)]
struct Track {
    lookup: Lookup,
    every: Duration,
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
        self.due = Instant::now() + self.every;
    }
}

/// The task's own state.
struct Following {
    reads: TrailReads,
    clock: Clock,
    options: FollowOptions,
    changes: Track,
    uses: Track,
    /// Failures since the last success.
    failures: u32,
    view: TrailView,
    publish: watch::Sender<Arc<TrailView>>,
}

impl Following {
    fn new(
        reads: TrailReads,
        clock: Clock,
        options: FollowOptions,
        view: TrailView,
        publish: watch::Sender<Arc<TrailView>>,
    ) -> Self {
        let now = Instant::now();
        let FollowOptions { changes_every, change_pages, lookback, .. } = options;
        let FollowOptions { uses_every, use_pages, use_lookback, .. } = options;
        let kms = Lookup::Source(KMS.to_owned());
        Self {
            changes: Track::new(Lookup::ReadOnly(false), changes_every, change_pages, lookback, now),
            // A little later: the first page is to show changes.
            uses: Track::new(kms, uses_every, use_pages, use_lookback, now + Duration::from_secs(1)),
            reads,
            clock,
            options,
            failures: 0,
            view,
            publish,
        }
    }

    async fn run(mut self) {
        while !self.publish.is_closed() {
            tokio::time::sleep_until(self.changes.due.min(self.uses.due)).await;
            self.page().await;
            self.view.changes_since = self.changes.reach;
            self.view.uses_since = self.uses.reach;
            self.publish.send_replace(Arc::new(self.view.clone()));
        }
    }

    /// Reads one page of the track that is due first.
    async fn page(&mut self) {
        let Self { changes, uses, options, .. } = self;
        let track = if changes.due <= uses.due { changes } else { uses };
        let sweep = track.sweep(options, self.clock.now());
        match sweep.page(&self.reads, &mut self.view.events).await {
            Ok(step) => {
                self.failures = 0;
                match step {
                    Step::More => track.due = Instant::now(),
                    Step::Done { reach } => {
                        track.done(options, reach);
                        self.view.health.succeeded(self.clock.now());
                    }
                }
            }
            Err(failure) => self.back_off(failure),
        }
    }

    /// Waits longer after each failure, with both tracks: they share one quota.
    fn back_off(&mut self, failure: Failure) {
        let wait = Duration::from_secs(1 << self.failures.min(16)).min(self.options.longest_backoff);
        self.failures += 1;
        let until = Instant::now() + wait;
        self.changes.due = self.changes.due.max(until);
        self.uses.due = self.uses.due.max(until);
        self.view.health.failed(self.clock.now(), failure.into());
    }
}

#[cfg(test)]
mod tests;
