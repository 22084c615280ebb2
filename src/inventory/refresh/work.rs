//! What all the loops share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use crate::cloud::{Haste, KmsReads};
use crate::estate::Estate;
use crate::inventory::join::{self, Gathered};
use crate::model::arn::KeyArn;
use crate::model::pair::{Inventory, Rows};
use crate::model::seen::NotVisible;
use crate::model::source::Source;

use super::Progress;
use super::facts::{Fact, Wants};
use super::findings::Findings;

/// An estate being read.
#[derive(Debug)]
pub(super) struct Work {
    pub estate: Arc<Estate>,
    findings: Mutex<Findings>,
    /// The rows that were last joined, and what they are of.
    joined: Mutex<Option<(u64, Rows)>>,
    /// Something new was found.
    pub changed: Notify,
    /// Counts the wishes to read everything again.
    again: watch::Sender<u64>,
    /// The keys that somebody looks at.
    looked_at: watch::Sender<Arc<BTreeSet<KeyArn>>>,
    /// Whether every source has been read once, so that no further key can be found.
    all_found: watch::Sender<bool>,
    wants: Wants,
    regions: BTreeMap<String, Region>,
}

/// One Region's KMS.
#[derive(Debug)]
pub(super) struct Region {
    pub kms: KmsReads,
    /// Whether its keys and aliases have been listed once, and every state read.
    pub listed: watch::Sender<bool>,
    /// Keys that are listed so far.
    pub expected: AtomicUsize,
    /// Counts the occasions on which some key may have come to want a fact.
    stirs: watch::Sender<u64>,
}

impl Work {
    pub(super) fn new(estate: Arc<Estate>, wants: Wants) -> Self {
        let account = account(&estate);
        let names = &estate.environment.regions;
        let servers = estate.servers.iter().map(|server| server.name().clone());
        let region = |name: &String| (name.clone(), Region::new(estate.cloud.kms_at_a_pace(name)));
        let regions = names.iter().map(region).collect();
        let mut findings = Findings::new(account, names, servers);
        findings.gathered.estate.clone_from(&estate.environment.estate);
        Self {
            findings: Mutex::new(findings),
            joined: Mutex::new(None),
            changed: Notify::new(),
            again: watch::Sender::new(0),
            looked_at: watch::Sender::default(),
            all_found: watch::Sender::new(false),
            wants,
            regions,
            estate,
        }
    }

    pub(super) fn region_names(&self) -> Vec<String> {
        self.regions.keys().cloned().collect()
    }

    /// A configured Region.
    pub(super) fn region(&self, name: &str) -> Option<&Region> {
        self.regions.get(name)
    }

    pub(super) fn wants(&self) -> impl Iterator<Item = Fact> + use<> {
        let wants = self.wants;
        Fact::ALL.into_iter().filter(move |fact| wants.has(*fact))
    }

    /// Looks at, or adds to, what was found. Never held across an await.
    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Findings) -> T) -> T {
        f(&mut self.findings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds to what was found, and lets it be published.
    pub(super) fn found<T>(&self, f: impl FnOnce(&mut Findings) -> T) -> T {
        let told = self.with(f);
        self.changed.notify_one();
        told
    }

    /// Notes how a source did. Says whether it did well.
    pub(super) fn health(&self, source: Source, trouble: Option<NotVisible>) -> bool {
        let now = self.estate.clock.now();
        self.found(|findings| {
            findings.reshaped();
            let health = findings.gathered.sources.entry(source).or_default();
            match trouble {
                None => {
                    health.succeeded(now);
                    true
                }
                Some(why) => {
                    health.failed(now, why);
                    false
                }
            }
        })
    }

    pub(super) fn gathered(&self) -> Gathered {
        self.with(|findings| findings.gathered.clone())
    }

    /// Everything found so far, joined; with the rows of the last time, where nothing has changed in them.
    pub(super) fn inventory(&self) -> Inventory {
        let (gathered, shape) = self.with(|findings| (findings.gathered.clone(), findings.shape));
        let mut last = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = match last.take() {
            Some((of, rows)) if of == shape => rows,
            _ => join::rows(&gathered),
        };
        *last = Some((shape, rows.clone()));
        join::with_rows(gathered, rows)
    }

    /// How far the first read has come.
    pub(super) fn progress(&self) -> Progress {
        let expected = self.regions.values().map(|region| region.expected.load(Ordering::Relaxed)).sum();
        let all_listed = self.regions.values().all(|region| *region.listed.borrow());
        if !all_listed {
            let described = self.with(|findings| findings.described_count());
            return Progress { what: "keys".to_owned(), done: described.min(expected), of: expected };
        }
        let (done, of) = if self.wants.has(Fact::Rotations) {
            self.with(|findings| findings.rotations_known())
        } else {
            (expected, expected)
        };
        Progress { what: "rotations".to_owned(), done, of }
    }

    /// Takes up what was kept from before.
    pub(super) fn begin_with(&self, kept: Gathered) {
        self.found(|findings| findings.begin_with(kept));
    }

    pub(super) fn read_all_again(&self) {
        self.with(Findings::forget_ages);
        self.again.send_modify(|wishes| *wishes += 1);
        for region in self.regions.values() {
            for fact in [Fact::RotationStatus, Fact::Tags, Fact::Rotations] {
                region.kms.set_haste(fact.operation(), Haste::Hasty);
            }
            region.stir();
        }
    }

    /// Hears of wishes to read everything again.
    pub(super) fn again(&self) -> watch::Receiver<u64> {
        self.again.subscribe()
    }

    /// Notes which keys somebody looks at: they come first.
    pub(super) fn look_at(&self, keys: BTreeSet<KeyArn>) {
        let changed = self.looked_at.send_if_modified(|had| {
            let changes = **had != keys;
            if changes {
                *had = Arc::new(keys);
            }
            changes
        });
        if changed {
            self.regions.values().for_each(Region::stir);
        }
    }

    pub(super) fn looked_at(&self) -> watch::Receiver<Arc<BTreeSet<KeyArn>>> {
        self.looked_at.subscribe()
    }

    /// Every source has been read once.
    pub(super) fn found_all(&self) {
        self.all_found.send_replace(true);
    }

    pub(super) fn all_found(&self) -> watch::Receiver<bool> {
        self.all_found.subscribe()
    }
}

/// The account that is ours, as settings or STS say.
pub(super) fn account(estate: &Estate) -> Option<String> {
    let settled = estate.environment.account.clone();
    settled.or_else(|| estate.identity.known().map(|identity| identity.account.clone()))
}

impl Region {
    fn new(kms: KmsReads) -> Self {
        Self {
            kms,
            listed: watch::Sender::new(false),
            expected: AtomicUsize::new(0),
            stirs: watch::Sender::new(0),
        }
    }

    /// Lets the lanes look for keys that want something.
    pub(super) fn stir(&self) {
        self.stirs.send_modify(|stirs| *stirs += 1);
    }

    pub(super) fn stirred(&self) -> watch::Receiver<u64> {
        self.stirs.subscribe()
    }
}
