//! What all the loops share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};

use crate::cloud::KmsReads;
use crate::estate::Estate;
use crate::inventory::join::join;
use crate::model::pair::Inventory;
use crate::model::seen::NotVisible;
use crate::model::source::Source;

use super::Progress;
use super::findings::Findings;
use super::pace::Pace;

/// An estate being read.
#[derive(Debug)]
pub(super) struct Work {
    pub estate: Arc<Estate>,
    findings: Mutex<Findings>,
    /// Something new was found.
    pub changed: Notify,
    /// Counts the wishes to read everything again.
    again: watch::Sender<u64>,
    regions: BTreeMap<String, Region>,
    progress: Option<mpsc::UnboundedSender<Progress>>,
}

/// One Region's KMS.
#[derive(Debug)]
pub(super) struct Region {
    pub kms: KmsReads,
    /// Whether its keys and aliases have been listed once.
    pub listed: watch::Sender<bool>,
    /// Some key's facts want reading.
    pub facts_wanted: Notify,
    pub describes: Pace,
    pub facts: Pace,
    pub last_use: Pace,
}

impl Work {
    pub(super) fn new(estate: Arc<Estate>, progress: Option<mpsc::UnboundedSender<Progress>>) -> Self {
        let account = estate
            .environment
            .account
            .clone()
            .or_else(|| estate.identity.known().map(|identity| identity.account.clone()));
        let names = &estate.environment.regions;
        let servers = estate.servers.iter().map(|server| server.name().clone());
        let regions = names.iter().map(|name| (name.clone(), Region::new(estate.cloud.kms(name)))).collect();
        let mut findings = Findings::new(account, names, servers);
        findings.gathered.estate.clone_from(&estate.environment.estate);
        Self {
            findings: Mutex::new(findings),
            changed: Notify::new(),
            again: watch::Sender::new(0),
            regions,
            progress,
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

    /// Everything found so far, joined.
    pub(super) fn inventory(&self) -> Inventory {
        let gathered = self.with(|findings| findings.gathered.clone());
        join(&gathered)
    }

    pub(super) fn read_all_again(&self) {
        self.with(Findings::forget_ages);
        self.again.send_modify(|wishes| *wishes += 1);
        for region in self.regions.values() {
            region.facts_wanted.notify_one();
        }
    }

    /// Hears of wishes to read everything again.
    pub(super) fn again(&self) -> watch::Receiver<u64> {
        self.again.subscribe()
    }

    pub(super) fn tell(&self, what: impl FnOnce() -> String, done: usize, of: usize) {
        if let Some(progress) = &self.progress {
            // Nobody has to listen.
            let _ = progress.send(Progress { what: what(), done, of });
        }
    }
}

impl Region {
    fn new(kms: KmsReads) -> Self {
        Self {
            kms,
            listed: watch::Sender::new(false),
            facts_wanted: Notify::new(),
            describes: Pace::of_describes(),
            facts: Pace::of_facts(),
            last_use: Pace::of_last_use(),
        }
    }
}
