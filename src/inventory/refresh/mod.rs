//! Keeps an inventory up to date.
//!
//! Each source is read by a loop of its own, so that none waits for another: per KMS Region the keys' states,
//! then their facts, then their last use (five requests a second is all that KMS allows); each SQL server; RDS
//! per Region. What they find goes into one store ([`findings`]), which is joined and published as it grows.

mod findings;
mod kms;
mod pace;
mod sql;
mod work;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::estate::Estate;
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;

use work::Work;

/// Reads an estate again and again.
#[derive(Debug)]
pub struct Refresher;

/// Asks for an immediate read. The refreshing stops when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct RefreshHandle {
    wishes: mpsc::UnboundedSender<Wish>,
    _running: Arc<JoinSet<()>>,
}

/// What to read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    All,
    Key(KeyArn),
}

/// How far a first load has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is being read, e.g. `KMS eu-west-1: keys`.
    pub what: String,
    pub done: usize,
    pub of: usize,
}

impl Refresher {
    /// Starts reading. The first inventories come early and hold what is known by then; the rest of each key
    /// is still loading in them.
    #[must_use]
    pub fn spawn(estate: Arc<Estate>) -> (watch::Receiver<Arc<Inventory>>, RefreshHandle) {
        let work = Arc::new(Work::new(estate, None));
        let (publish, inventories) = watch::channel(Arc::new(work.inventory()));
        let (wishes, asked) = mpsc::unbounded_channel();
        let mut running = JoinSet::new();
        running.spawn(publish_changes(Arc::clone(&work), publish));
        running.spawn(grant_wishes(Arc::clone(&work), asked));
        for region in work.region_names() {
            running.spawn(kms::keep_states(Arc::clone(&work), region.clone()));
            running.spawn(kms::keep_facts(Arc::clone(&work), region.clone()));
            running.spawn(kms::keep_last_use(Arc::clone(&work), region.clone()));
            running.spawn(sql::keep_rds(Arc::clone(&work), region));
        }
        for server in work.estate.servers.clone() {
            running.spawn(sql::keep_catalog(Arc::clone(&work), server));
        }
        (inventories, RefreshHandle { wishes, _running: Arc::new(running) })
    }
}

impl RefreshHandle {
    /// Reads everything again, now.
    pub fn now(&self) {
        // A task that has ended has nothing left to refresh.
        let _ = self.wishes.send(Wish::All);
    }

    /// Reads one key again, now: its state and all its facts.
    pub fn key_now(&self, key: KeyArn) {
        let _ = self.wishes.send(Wish::Key(key));
    }
}

/// Loads everything once, for headless commands; a source that cannot be read is in the inventory as such.
/// `progress` is told how far each source has come.
pub async fn load_once(estate: &Arc<Estate>, mut progress: impl FnMut(Progress)) -> Inventory {
    let (tell, mut told) = mpsc::unbounded_channel();
    let work = Arc::new(Work::new(Arc::clone(estate), Some(tell)));
    let mut reading = JoinSet::new();
    for region in work.region_names() {
        reading.spawn(kms::load(Arc::clone(&work), region.clone()));
        reading.spawn(sql::load_rds(Arc::clone(&work), region));
    }
    for server in estate.servers.clone() {
        reading.spawn(sql::load_catalog(Arc::clone(&work), server));
    }
    loop {
        tokio::select! {
            Some(step) = told.recv() => progress(step),
            done = reading.join_next() => if done.is_none() { break },
        }
    }
    // Keys that only a catalog names were found on the way; their facts are still to be read.
    for region in work.region_names() {
        kms::load_facts(&work, &region).await;
    }
    work.inventory()
}

/// Publishes each change, joining no more often than is worth it: a joined inventory of 100,000 rows costs
/// a good part of a second.
async fn publish_changes(work: Arc<Work>, publish: watch::Sender<Arc<Inventory>>) {
    loop {
        work.changed.notified().await;
        let begun = tokio::time::Instant::now();
        if publish.send(Arc::new(work.inventory())).is_err() {
            return;
        }
        tokio::time::sleep(pace::BETWEEN_PUBLISHED.max(begun.elapsed() * 4)).await;
    }
}

async fn grant_wishes(work: Arc<Work>, mut asked: mpsc::UnboundedReceiver<Wish>) {
    while let Some(wish) = asked.recv().await {
        match wish {
            Wish::All => work.read_all_again(),
            Wish::Key(key) => Box::pin(kms::read_key(&work, &key)).await,
        }
    }
}

#[cfg(test)]
mod tests;
