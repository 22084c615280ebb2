//! Reads which keys there are, and every key's state.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::{self, FuturesUnordered};
use tokio::sync::mpsc;

use crate::cloud::Haste;
use crate::model::arn::{KeyArn, KeyPath};
use crate::model::seen::NotVisible;
use crate::model::source::Source;

use super::pace::{self, Rest, Silences};
use super::told::is_silence;
use super::work::{Region, Work};

/// Keys after whose states the rotations and last uses of those keys may be begun with.
const STIR_EACH: usize = 256;

/// Reads a Region's states again and again.
pub(super) async fn keep(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    let (mut rest, mut again) = (Rest::of(pace::STATES), work.again());
    let mut haste = Haste::Hasty;
    loop {
        again.mark_unchanged();
        region.kms.set_haste("kms:DescribeKey", haste);
        let (went_well, keys) = Box::pin(read(&work, &name, region)).await;
        region.listed.send_replace(true);
        read_relatives(&work, &name).await;
        let wished = pace::rest(rest.after(went_well, keys), &mut again).await;
        // Only the first read, and one that somebody wishes for, is waited for.
        haste = if wished { Haste::Hasty } else { Haste::Standing };
    }
}

/// Reads a Region's states once.
pub(super) async fn load(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    Box::pin(read(&work, &name, region)).await;
    region.listed.send_replace(true);
    read_relatives(&work, &name).await;
}

/// Reads the states of multi-Region relatives in Regions that the settings do not name, by clients for those: each
/// has a state of its own.
async fn read_relatives(work: &Work, name: &str) {
    let wanted = work.with(|findings| findings.relatives_elsewhere(name));
    let asking = wanted.into_iter().flat_map(|(region, keys)| {
        let kms = work.estate.cloud.kms_at_a_pace(&region);
        keys.into_iter().map(move |key| {
            let kms = kms.clone();
            async move { (kms.describe(key.as_str()).await.map_err(NotVisible::from), key) }
        })
    });
    let mut answers = stream::iter(asking).buffer_unordered(pace::DESCRIBES_IN_FLIGHT);
    while let Some((answer, key)) = answers.next().await {
        work.found(|findings| findings.described(&key, answer));
    }
}

/// Lists a Region's keys and aliases and reads every key's state, as the pages of the list come in. Says
/// whether KMS answered in full, and how many keys there were.
async fn read(work: &Work, name: &str, region: &Region) -> (bool, usize) {
    let (page, pages) = mpsc::unbounded_channel();
    let listing = async move {
        // Whoever reads the pages outlives the listing.
        region.kms.each_page_of_keys(|keys| drop(page.send(keys))).await.map_err(NotVisible::from)
    };
    let aliases = async {
        let answer = region.kms.list_aliases().await.map_err(NotVisible::from);
        let trouble = answer.as_ref().err().cloned();
        work.found(|findings| findings.aliases_listed(name, answer));
        trouble
    };
    let ((listed, states), aliases) = tokio::join!(read_listed(work, name, region, listing, pages), aliases);
    let States { keys, trouble } = states;
    let trouble = aliases.or(listed.err()).or(trouble);
    region.stir();
    (work.health(Source::Kms(name.to_owned()), trouble), keys)
}

/// How a read of states went.
#[derive(Debug, Default)]
struct States {
    keys: usize,
    trouble: Option<NotVisible>,
}

/// Reads the states of the keys that `pages` bring while the `listing` goes on, then of those that only we know.
async fn read_listed(
    work: &Work,
    name: &str,
    region: &Region,
    listing: impl Future<Output = Result<(), NotVisible>>,
    mut pages: mpsc::UnboundedReceiver<Vec<KeyArn>>,
) -> (Result<(), NotVisible>, States) {
    let mut reading = Reading {
        work,
        region,
        asked: BTreeSet::new(),
        silences: Silences::default(),
        states: States::default(),
    };
    let all = async {
        while let Some(page) = pages.recv().await {
            reading.expect(page.len());
            reading.read(page).await;
        }
        reading
    };
    // The listing ends the pages when it ends; states are read while it still goes on.
    let (listed, mut reading) = tokio::join!(listing, all);
    work.with(|findings| findings.keys_listed(name, listed.clone()));
    if listed.is_ok() {
        let listed = reading.asked.clone();
        work.with(|findings| findings.only_these(name, &listed));
    }
    let known = work.with(|findings| findings.known_here(name));
    let unlisted: Vec<KeyArn> = known.difference(&reading.asked).cloned().collect();
    reading.expect(unlisted.len());
    reading.read(unlisted).await;
    region.expected.store(reading.states.keys, std::sync::atomic::Ordering::Relaxed);
    (listed, reading.states)
}

struct Reading<'a> {
    work: &'a Work,
    region: &'a Region,
    /// Every key that was to be read, AWS's own included.
    asked: BTreeSet<KeyArn>,
    silences: Silences,
    states: States,
}

impl Reading<'_> {
    fn expect(&mut self, more: usize) {
        self.states.keys += more;
        let expected = &self.region.expected;
        expected.fetch_max(self.states.keys, std::sync::atomic::Ordering::Relaxed);
    }

    async fn read(&mut self, keys: Vec<KeyArn>) {
        self.asked.extend(keys.iter().cloned());
        let wanted = self
            .work
            .with(|findings| keys.into_iter().filter(|key| findings.wants_state(key)).collect::<Vec<_>>());
        let mut waiting = wanted.into_iter();
        let mut in_flight = FuturesUnordered::new();
        let mut done = 0;
        loop {
            while in_flight.len() < pace::DESCRIBES_IN_FLIGHT
                && !self.silences.are_too_many()
                && let Some(key) = waiting.next()
            {
                in_flight.push(describe(self.work, self.region, key));
            }
            let Some(silence) = in_flight.next().await else { break };
            done += 1;
            if done % STIR_EACH == 0 {
                self.region.stir();
            }
            self.silences.note(silence.is_some());
            self.states.trouble = self.states.trouble.take().or(silence);
        }
        // The Region does not answer: what was not asked is as silent as the rest.
        if let Some(why) = self.states.trouble.clone() {
            self.work.found(|findings| waiting.for_each(|key| findings.described(&key, Err(why.clone()))));
        }
    }
}

/// Reads one key's state. Gives the reason where KMS gave no answer at all.
async fn describe(work: &Work, region: &Region, key: KeyArn) -> Option<NotVisible> {
    let answer = region.kms.describe(key.as_str()).await.map_err(NotVisible::from);
    let silence = answer.as_ref().err().filter(|why| is_silence(why)).cloned();
    work.found(|findings| findings.described(&key, answer));
    silence
}

/// Keeps the states fresh of the keys that somebody looks at.
pub(super) async fn keep_looked_at(work: Arc<Work>) {
    let mut looked_at = work.looked_at();
    loop {
        let keys = looked_at.borrow_and_update().clone();
        let old = work.with(|findings| findings.with_old_states(&keys, pace::STATES_ON_SCREEN));
        let reading = stream::iter(old).map(|key| {
            let work = &work;
            async move {
                if let Some(region) = work.region(key.region()) {
                    describe(work, region, key).await;
                }
            }
        });
        reading.buffer_unordered(pace::DESCRIBES_IN_FLIGHT).collect::<()>().await;
        tokio::select! {
            () = tokio::time::sleep(pace::STATES_ON_SCREEN) => {}
            changed = looked_at.changed() => if changed.is_err() { return },
        }
    }
}

/// Asks by name for what column master keys name and no list of ours holds: keys of other accounts, aliases
/// of theirs, and what is gone.
pub(super) async fn chase(work: &Work) {
    for name in work.region_names() {
        let Some(region) = work.region(&name) else { continue };
        // It cannot fail: the sender is the Region's own.
        let _ = region.listed.subscribe().wait_for(|listed| *listed).await;
        let paths = work.with(|findings| findings.to_chase(&name));
        let mut asking = stream::iter(paths)
            .map(|path| chase_one(work, region, path))
            .buffer_unordered(pace::DESCRIBES_IN_FLIGHT);
        let mut silences = Silences::default();
        while let Some(silent) = asking.next().await {
            silences.note(silent);
            if silences.are_too_many() {
                break;
            }
        }
        region.stir();
    }
}

async fn chase_one(work: &Work, region: &Region, path: KeyPath) -> bool {
    match path {
        KeyPath::Key(arn) => describe(work, region, arn).await.is_some(),
        KeyPath::Alias(alias) => {
            let answer = region.kms.describe(alias.as_str()).await.map_err(NotVisible::from);
            let silent = answer.as_ref().is_err_and(is_silence);
            work.found(|findings| findings.alias_described(&alias, answer));
            silent
        }
        KeyPath::Other(_) => false,
    }
}
