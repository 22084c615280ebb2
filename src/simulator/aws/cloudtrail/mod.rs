//! `CloudTrail`: every call becomes a record, delivered after a delay.

pub mod actor;
mod lookup;
mod note;
pub mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use record::{Entry, Record};

/// How far the reordering switch moves a record among its neighbours, either way.
const DISORDER: SignedDuration = SignedDuration::from_secs(30);

/// As many records as one log holds; beyond it the oldest reads go. CloudTrail keeps 90 days however many they
/// are, but nobody drills with more, and an inventory of 10,000 keys makes 50,000 in a minute.
const MOST_RECORDS: usize = 200_000;

/// Every event of every account, and how it is delivered.
#[derive(Debug)]
pub struct Trail {
    /// By account and Region; each sorted by `(order, seq)`, oldest first.
    logs: BTreeMap<(Arc<str>, Arc<str>), Vec<Record>>,
    delivery: Delivery,
    rng: SmallRng,
    next_seq: u64,
    /// Records that EventBridge has not heard of yet, where it listens.
    fresh: Option<Vec<Record>>,
}

/// How late, how often and in which order records arrive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// The shortest and the longest time from an event to its record.
    pub delay: (SignedDuration, SignedDuration),
    /// The share of records (0 to 1) that arrive a second time, later, under the same event id.
    pub duplicates: f64,
    /// Whether neighbours (up to 30 s) may come in the wrong order.
    pub reorder: bool,
}

impl Default for Delivery {
    /// 2 to 7 minutes, nothing twice, in order. AWS: "typically … within an average of about 5 minutes".
    fn default() -> Self {
        Self {
            delay: (SignedDuration::from_mins(2), SignedDuration::from_mins(7)),
            duplicates: 0.0,
            reorder: false,
        }
    }
}

impl Default for Trail {
    fn default() -> Self {
        Self::seeded(0)
    }
}

impl Trail {
    /// An empty trail whose ids and delays follow from `seed`.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            logs: BTreeMap::new(),
            delivery: Delivery::default(),
            rng: SmallRng::seed_from_u64(seed ^ 0x007e_0a11),
            next_seq: 0,
            fresh: None,
        }
    }

    /// Sets the delivery delay of the events to come. A `max` below `min` counts as `min`.
    pub fn set_delay(&mut self, min: SignedDuration, max: SignedDuration) {
        self.delivery.delay = (min, max.max(min));
    }

    /// Changes how the events to come are delivered.
    pub fn set_delivery(&mut self, delivery: Delivery) {
        self.delivery = delivery;
        self.set_delay(delivery.delay.0, delivery.delay.1);
    }

    /// Has EventBridge hear of the management events to come.
    pub fn tell_the_bus(&mut self) {
        self.fresh.get_or_insert_default();
    }

    /// What EventBridge has not heard of yet.
    pub(super) fn take_fresh(&mut self) -> Vec<Record> {
        self.fresh.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Keeps one event; answers the id that `CloudTrail` gave it.
    pub fn push(&mut self, entry: Entry) -> Uuid {
        let record = self.draw(entry);
        let event_id = record.event_id;
        if let Some(fresh) = self.fresh.as_mut().filter(|_| record.is_management()) {
            fresh.push(record.clone());
        }
        if self.delivery.duplicates > 0.0 && self.rng.random_bool(self.delivery.duplicates.min(1.0)) {
            let again = self.draw_delay();
            let second =
                Record { delivered: record.delivered + again, seq: self.take_seq(), ..record.clone() };
            // EventBridge too delivers at least once.
            if let Some(fresh) = self.fresh.as_mut().filter(|_| second.is_management()) {
                fresh.push(second.clone());
            }
            self.insert(second);
        }
        self.insert(record);
        event_id
    }

    /// Keeps a call across accounts in both: the caller's log and the owner's, under one shared id.
    pub fn push_shared(&mut self, entry: Entry, owner: &str) -> Uuid {
        let shared_id = Some(self.draw_uuid());
        let theirs = Entry {
            account: owner.into(),
            actor: Arc::new(entry.actor.seen_from_abroad()),
            shared_id,
            event_id: None,
            ..entry.clone()
        };
        self.push(theirs);
        self.push(Entry { shared_id, ..entry })
    }

    /// Keeps many events at once, in any order: quicker than one by one. Delivered like the rest.
    pub fn extend(&mut self, mut entries: Vec<Entry>) {
        entries.sort_by_key(|entry| entry.at);
        for entry in entries {
            self.push(entry);
        }
    }

    /// Every record there is, delivered or not, each log's oldest first: the truth, for tests and drills.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.logs.values().flatten()
    }

    /// One account's records in one Region.
    fn log(&self, account: &str, region: &str) -> &[Record] {
        self.logs.get(&(account.into(), region.into())).map_or(&[], Vec::as_slice)
    }

    fn draw(&mut self, entry: Entry) -> Record {
        let delay = self.draw_delay();
        let jitter =
            if self.delivery.reorder { self.draw_between(-DISORDER, DISORDER) } else { SignedDuration::ZERO };
        let event_id = entry.event_id.unwrap_or_else(|| self.draw_uuid());
        let request_id = entry.request_id.unwrap_or_else(|| self.draw_uuid());
        let (delivered, order) = (entry.at + delay, entry.at + jitter);
        Record { delivered, order, seq: self.take_seq(), event_id, request_id, entry }
    }

    fn insert(&mut self, record: Record) {
        let key = (Arc::clone(&record.entry.account), Arc::clone(&record.entry.region));
        let log = self.logs.entry(key).or_default();
        let position = (record.order, record.seq);
        // Nearly always the newest: look from the end.
        let after = log.iter().rev().take_while(|other| (other.order, other.seq) > position).take(64).count();
        let at = if after < 64 {
            log.len() - after
        } else {
            log.partition_point(|other| (other.order, other.seq) < position)
        };
        log.insert(at, record);
        if log.len() > MOST_RECORDS {
            let mut surplus = MOST_RECORDS / 4;
            log.retain(|record| {
                let goes = surplus > 0 && record.entry.read_only;
                surplus -= usize::from(goes);
                !goes
            });
        }
    }

    fn draw_delay(&mut self) -> SignedDuration {
        let (min, max) = self.delivery.delay;
        self.draw_between(min, max)
    }

    fn draw_between(&mut self, min: SignedDuration, max: SignedDuration) -> SignedDuration {
        let (min, max) = (min.as_millis(), max.as_millis());
        let millis = self.rng.random_range(min..=max.max(min));
        SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
    }

    fn draw_uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid()
    }

    fn take_seq(&mut self) -> u64 {
        self.next_seq += 1;
        self.next_seq
    }
}
