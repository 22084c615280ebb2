//! Keeps an inventory up to date.
//!
//! Each source is read by a loop of its own, so that none waits for another: per KMS Region the keys' states
//! ([`states`]), then their facts, a lane each ([`lanes`]), because KMS's quotas on them differ by a factor of
//! 400; each SQL server; RDS per Region. What they find goes into one store ([`findings`]), which is joined and
//! published as it grows, and kept on disk for the next start ([`kept`](super::kept)).

mod catalogs;
mod derived;
mod facts;
mod findings;
mod lanes;
mod pace;
mod sql;
mod states;
mod told;
mod work;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::estate::Estate;
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;

use super::kept::Keeper;
use lanes::Ending;
use work::Work;

pub use facts::{Fact, Wants};

/// Reads an estate again and again.
#[derive(Debug)]
pub struct Refresher;

/// Asks for an immediate read. The refreshing stops when the last handle is dropped.
#[derive(Clone, Debug)]
pub struct RefreshHandle {
    wishes: mpsc::UnboundedSender<Wish>,
    progress: watch::Receiver<Progress>,
    _running: Arc<JoinSet<()>>,
}

/// What to read at once.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wish {
    All,
    Key(KeyArn),
    LookedAt(BTreeSet<KeyArn>),
}

/// How far a first load has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What is being read: `keys`, then `rotations`.
    pub what: String,
    pub done: usize,
    /// As far as is known yet: it grows while keys are listed.
    pub of: usize,
}

impl Refresher {
    /// Starts reading. The first inventory is what `keeper` kept, if anything; the next ones come early and
    /// hold what is known by then; the rest of each key is still loading in them.
    #[must_use]
    pub fn spawn(
        estate: Arc<Estate>,
        keeper: Option<Keeper>,
    ) -> (watch::Receiver<Arc<Inventory>>, RefreshHandle) {
        let work = Arc::new(Work::new(estate, Wants::ALL));
        let (publish, inventories) = watch::channel(Arc::new(work.inventory()));
        let (tell, progress) = watch::channel(Progress::default());
        let (wishes, asked) = mpsc::unbounded_channel();
        let mut running = JoinSet::new();
        running.spawn(begin(Arc::clone(&work), keeper, publish, tell));
        running.spawn(grant_wishes(Arc::clone(&work), asked));
        (inventories, RefreshHandle { wishes, progress, _running: Arc::new(running) })
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

    /// Says which keys somebody looks at: on screen, or open. They are read first and kept fresher than others.
    /// Each call takes the place of the one before.
    pub fn interested(&self, keys: &[KeyArn]) {
        let _ = self.wishes.send(Wish::LookedAt(keys.iter().cloned().collect()));
    }

    /// How far the first load has come.
    #[must_use]
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.clone()
    }
}

/// Loads what is wanted once, for headless commands; a source that cannot be read is in the inventory as such.
/// `progress` is told how far it has come, ten times a second at most.
///
/// A key's state is always read. Ask for no more than is shown: KMS answers 100 requests a second for
/// rotations and five for last uses, so that 10,000 keys take two minutes and half an hour.
pub async fn load_once(estate: &Arc<Estate>, wants: Wants, mut progress: impl FnMut(Progress)) -> Inventory {
    let work = Arc::new(Work::new(Arc::clone(estate), wants));
    let (mut sources, mut lanes) = (JoinSet::new(), JoinSet::new());
    for region in work.region_names() {
        sources.spawn(states::load(Arc::clone(&work), region.clone()));
        sources.spawn(sql::load_rds(Arc::clone(&work), region.clone()));
        for fact in work.wants() {
            lanes.spawn(lanes::run(Arc::clone(&work), region.clone(), fact, Ending::WhenAllIsRead));
        }
    }
    for server in estate.servers.clone() {
        sources.spawn(sql::load_catalog(Arc::clone(&work), server));
    }
    let reading = async {
        while sources.join_next().await.is_some() {}
        work.found_all();
        while lanes.join_next().await.is_some() {}
    };
    let mut reading = std::pin::pin!(reading);
    let mut tick = tokio::time::interval(pace::BETWEEN_PUBLISHED);
    loop {
        tokio::select! {
            () = &mut reading => break,
            _ = tick.tick() => progress(work.progress()),
        }
    }
    let Progress { what, of, .. } = work.progress();
    progress(Progress { what, done: of, of });
    work.inventory()
}

/// Reads one key with all its facts into an inventory that lacks some: before a change to it is shown.
pub async fn read_into(estate: &Estate, inventory: &mut Inventory, key: &KeyArn) {
    let kms = estate.cloud.kms(key.region());
    let Ok(mut read) = kms.describe(key.as_str()).await else { return };
    if let Some(had) = inventory.keys.get(key) {
        read.aliases = had.aliases.clone();
    }
    inventory.keys.insert(key.clone(), Arc::new(Box::pin(kms.filled(read)).await));
}

/// Shows what was kept, then starts every loop. They end when this does.
async fn begin(
    work: Arc<Work>,
    keeper: Option<Keeper>,
    publish: watch::Sender<Arc<Inventory>>,
    tell: watch::Sender<Progress>,
) {
    if let Some(kept) = take_up(&work, keeper.as_ref()).await {
        work.begin_with(kept);
    }
    let mut running = JoinSet::new();
    for region in work.region_names() {
        running.spawn(states::keep(Arc::clone(&work), region.clone()));
        running.spawn(sql::keep_rds(Arc::clone(&work), region.clone()));
        for fact in work.wants() {
            running.spawn(lanes::run(Arc::clone(&work), region.clone(), fact, Ending::Never));
        }
    }
    for server in work.estate.servers.clone() {
        running.spawn(sql::keep_catalog(Arc::clone(&work), server));
    }
    running.spawn(states::keep_looked_at(Arc::clone(&work)));
    running.spawn(keep(Arc::clone(&work), keeper));
    publish_changes(work, publish, tell).await;
}

/// What was kept of this environment.
async fn take_up(work: &Arc<Work>, keeper: Option<&Keeper>) -> Option<super::join::Gathered> {
    let keeper = keeper?.clone();
    let estate = Arc::clone(&work.estate);
    let whose = super::kept::Whose::of(&estate, work::account(&estate)?);
    tokio::task::spawn_blocking(move || keeper.load(&whose)).await.ok().flatten()
}

/// Writes what was found to disk: once every state is there, once the table is, and from then on now and then.
async fn keep(work: Arc<Work>, keeper: Option<Keeper>) {
    let (Some(keeper), Some(account)) = (keeper, work::account(&work.estate)) else { return };
    for name in work.region_names() {
        let Some(region) = work.region(&name) else { continue };
        // It cannot fail: the sender is the Region's own.
        let _ = region.listed.subscribe().wait_for(|listed| *listed).await;
    }
    loop {
        let (keeper, gathered) = (keeper.clone(), work.gathered());
        let (whose, now) = (super::kept::Whose::of(&work.estate, account.clone()), work.estate.clock.now());
        let written = tokio::task::spawn_blocking(move || keeper.save(&whose, &gathered, now)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "the inventory could not be kept on disk: the next start will show nothing until KMS answers");
        }
        let is_whole = work.progress().done >= work.progress().of;
        if is_whole {
            tokio::time::sleep(pace::KEPT).await;
        } else {
            // A table takes minutes to complete; until then what was kept before lacks much.
            until_whole(&work).await;
        }
    }
}

async fn until_whole(work: &Work) {
    while work.progress().done < work.progress().of {
        tokio::time::sleep(pace::FACTS).await;
    }
}

/// Publishes each change, joining no more often than is worth it: a joined inventory of 100,000 rows costs
/// a good part of a second.
async fn publish_changes(
    work: Arc<Work>,
    publish: watch::Sender<Arc<Inventory>>,
    tell: watch::Sender<Progress>,
) {
    let told = async {
        let mut tick = tokio::time::interval(pace::BETWEEN_PUBLISHED);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let progress = work.progress();
            tell.send_if_modified(|had| {
                *had != progress && {
                    *had = progress;
                    true
                }
            });
        }
    };
    let published = async {
        loop {
            work.changed.notified().await;
            let begun = tokio::time::Instant::now();
            let joining = Arc::clone(&work);
            let Ok(inventory) = tokio::task::spawn_blocking(move || joining.inventory()).await else {
                return;
            };
            if publish.send(Arc::new(inventory)).is_err() {
                return;
            }
            tokio::time::sleep(pace::BETWEEN_PUBLISHED.max(begun.elapsed() * 4)).await;
        }
    };
    tokio::select! {
        () = told => {}
        () = published => {}
    }
}

async fn grant_wishes(work: Arc<Work>, mut asked: mpsc::UnboundedReceiver<Wish>) {
    let mut reading = JoinSet::new();
    while let Some(wish) = asked.recv().await {
        match wish {
            Wish::All => work.read_all_again(),
            Wish::LookedAt(keys) => work.look_at(keys),
            // Beside the others: what was wished for next does not wait for an answer to this.
            Wish::Key(key) => {
                let work = Arc::clone(&work);
                reading.spawn(async move { lanes::read_key(&work, &key).await });
            }
        }
        while reading.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests;
