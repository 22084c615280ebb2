//! Events kept in memory: a million of them by column, bounded, newest first, each once; and cheap to hand out.
//!
//! [`Store`] takes events in, and hands out [`Events`]: what it has, as it is then. Events lie in segments of 16,384,
//! in the order in which they came; an index has them by time. Handing out costs some pointers; the next event taken
//! in copies the index (4 bytes an event) and the segment that is being filled, if what was handed out still lives.

mod columns;
mod events;
mod judged;
mod packed;
mod scan;
mod segment;

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use super::parse::Unparsed;
use crate::model::event::KeyEvent;
use judged::Judging;
use packed::{Kept, Pack};
use segment::{ROWS, Words};

pub use columns::{Column, Ending, column_text};
pub use events::{Count, Events};
pub use scan::Question;
pub use segment::EventKey;

/// Unparsed records kept, at most; more are only counted.
const UNPARSED_KEPT: usize = 200;

/// Where an event lies: its segment's number times 16,384, and its row.
type Place = u32;

fn split(place: Place) -> (usize, usize) {
    let place = place as usize;
    (place / ROWS, place % ROWS)
}

/// Takes events in.
#[derive(Debug)]
pub struct Store {
    events: Events,
    /// The ids of all events there are.
    known: HashSet<EventKey>,
    /// Of the segment that is being filled.
    words: Words,
    /// The segment that is being filled.
    open: usize,
    /// How many rows of each segment are still shown.
    living: Vec<usize>,
    /// Segments of which no row is shown: to be filled anew.
    free: Vec<usize>,
    unparsed_known: HashSet<u64>,
    judging: Option<Judging>,
    hasher: RandomState,
}

/// Events with their records, packed: made beside the store, on as many threads as there are, then taken in.
#[derive(Debug, Default)]
pub struct Batch(Vec<(KeyEvent, Kept)>);

impl Batch {
    /// Packs events with their records.
    #[must_use]
    pub fn of(events: Vec<(KeyEvent, impl AsRef<str>)>) -> Self {
        let kept = Pack::all(events.iter().map(|(_, raw)| raw.as_ref()));
        Self(events.into_iter().map(|(event, _)| event).zip(kept).collect())
    }
}

impl Batch {
    /// How many events it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Events that were not known.
    pub new: usize,
    /// Events that were there already.
    pub known: usize,
    /// Events for which there was no room, being older than all others.
    pub too_old: usize,
}

impl Default for Store {
    /// Room for 1,000,000 events.
    fn default() -> Self {
        Self::new(1_000_000)
    }
}

impl Store {
    /// An empty store with room for `capacity` events (at least 1, at most 4 billion).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.clamp(1, u32::MAX as usize / 2);
        Self {
            events: Events::empty(capacity),
            known: HashSet::new(),
            words: Words::default(),
            open: 0,
            living: vec![0],
            free: Vec::new(),
            unparsed_known: HashSet::new(),
            judging: None,
            hasher: RandomState::new(),
        }
    }

    /// What there is now: a snapshot that stays as it is.
    #[must_use]
    pub fn events(&self) -> &Events {
        &self.events
    }

    /// Whether the event with this id is here.
    #[must_use]
    pub fn knows(&self, id: &str) -> bool {
        self.known.contains(&EventKey::from_id(id))
    }

    /// Takes one event in; says whether it was new and is kept.
    pub fn insert(&mut self, event: KeyEvent, raw: &str) -> bool {
        self.add(Batch::of(vec![(event, raw)])).new == 1
    }

    /// Takes events in, each in its place by time, but for those that are here already. Where there is no room left,
    /// the oldest go.
    pub fn add(&mut self, batch: Batch) -> Taken {
        let mut taken = Taken::default();
        let mut places = Vec::with_capacity(batch.0.len());
        for (event, kept) in batch.0 {
            let (key, _) = EventKey::of(&event.id);
            if self.known.contains(&key) {
                taken.known += 1;
                continue;
            }
            if self.events.is_full_of_newer(&event) {
                taken.too_old += 1;
                self.events.dropped += 1;
                continue;
            }
            taken.new += 1;
            if let Some(judging) = &mut self.judging {
                judging.see(&event, &kept);
            }
            self.known.insert(key);
            places.push(self.push(&event, &kept));
        }
        self.sort_in(places);
        self.drop_oldest();
        taken
    }

    fn push(&mut self, event: &KeyEvent, kept: &Kept) -> Place {
        if self.events.segments[self.open].len() == ROWS {
            self.next_segment();
        }
        let segment = Arc::make_mut(&mut self.events.segments[self.open]);
        segment.push(&mut self.words, event, kept);
        self.living[self.open] += 1;
        // There are at most 2^17 segments, since there are at most 2^31 events.
        u32::try_from(self.open * ROWS + segment.len() - 1).unwrap_or(Place::MAX)
    }

    fn next_segment(&mut self) {
        Arc::make_mut(&mut self.events.segments[self.open]).seal();
        self.words = Words::default();
        if self.living[self.open] == 0 {
            self.events.segments[self.open] = Arc::default();
            self.free.push(self.open);
        }
        self.open = self.free.pop().unwrap_or_else(|| {
            self.events.segments.push(Arc::default());
            self.living.push(0);
            self.living.len() - 1
        });
    }

    /// Puts new places into the index: each where it belongs, what is between copied as it is.
    fn sort_in(&mut self, mut places: Vec<Place>) {
        if places.is_empty() {
            return;
        }
        let segments = &self.events.segments;
        let key = |place: &Place| {
            let (segment, row) = split(*place);
            segments[segment].order(row)
        };
        places.sort_unstable_by_key(key);
        let old = &self.events.order;
        let mut order = Vec::with_capacity(old.len() + places.len());
        let mut from = 0;
        for place in &places {
            let wanted = key(place);
            let to = from + old[from..].partition_point(|held| key(held) < wanted);
            order.extend_from_slice(&old[from..to]);
            order.push(*place);
            from = to;
        }
        order.extend_from_slice(&old[from..]);
        self.events.order = Arc::new(order);
    }

    fn drop_oldest(&mut self) {
        let excess = self.events.order.len().saturating_sub(self.events.capacity);
        if excess == 0 {
            return;
        }
        let order = Arc::make_mut(&mut self.events.order);
        let gone = order.split_off(order.len() - excess);
        self.events.dropped += gone.len() as u64;
        for place in gone {
            let (segment, row) = split(place);
            self.known.remove(&self.events.segments[segment].key(row));
            self.living[segment] -= 1;
            if self.living[segment] == 0 && segment != self.open {
                self.events.segments[segment] = Arc::default();
                self.free.push(segment);
            }
        }
        self.gather_scattered();
    }

    /// Where most rows of the segments are no longer shown, moves the others together, so that what is held does not
    /// grow beyond what is shown by more than a half and two segments.
    fn gather_scattered(&mut self) {
        let held = (self.living.len() - self.free.len()) * ROWS;
        if held <= self.events.order.len() * 3 / 2 + 2 * ROWS {
            return;
        }
        let is_sparse: Vec<bool> = (0..self.living.len())
            .map(|segment| {
                segment != self.open && self.living[segment] > 0 && self.living[segment] < ROWS / 2
            })
            .collect();
        let mut order = (*self.events.order).clone();
        for place in &mut order {
            let (segment, row) = split(*place);
            if is_sparse[segment] {
                let old = Arc::clone(&self.events.segments[segment]);
                *place = self.push(&old.event(row), &old.kept(row));
            }
        }
        self.events.order = Arc::new(order);
        for segment in (0..is_sparse.len()).filter(|segment| is_sparse[*segment]) {
            self.events.segments[segment] = Arc::default();
            self.living[segment] = 0;
            self.free.push(segment);
        }
    }

    /// Keeps a record that could not be read, once.
    pub fn note_unparsed(&mut self, record: Unparsed) {
        if !self.unparsed_known.insert(self.hasher.hash_one(&record.raw)) {
            return;
        }
        self.events.unparsed_count += 1;
        if self.events.unparsed.len() < UNPARSED_KEPT {
            Arc::make_mut(&mut self.events.unparsed).push(Arc::new(record));
        }
    }
}

#[cfg(test)]
mod tests;
