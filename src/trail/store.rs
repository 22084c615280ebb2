//! Events kept in memory: bounded, newest first, each once; and cheap to hand out.
//!
//! They lie in chunks behind shared pointers. A clone copies the chunks' pointers (some 200 for 100,000 events);
//! an insertion copies the one chunk that it lands in, and only while a clone still holds it.

use std::cmp::Ordering;
use std::sync::Arc;

use jiff::Timestamp;

use super::parse::Unparsed;
use crate::model::event::KeyEvent;

/// Events in a chunk, at most.
const CHUNK: usize = 512;
/// Unparsed records kept, at most; more are only counted.
const UNPARSED_KEPT: usize = 200;

/// Events, newest first. A clone is a cheap snapshot.
#[derive(Clone, Debug)]
pub struct Store {
    /// None is empty; each holds its events newest first, as they do among each other.
    chunks: Vec<Arc<Vec<Arc<KeyEvent>>>>,
    len: usize,
    capacity: usize,
    dropped: u64,
    unparsed: Arc<Vec<Arc<Unparsed>>>,
    unparsed_count: u64,
}

impl Default for Store {
    /// Room for 100,000 events.
    fn default() -> Self {
        Self::new(100_000)
    }
}

/// Newest first; events of one time by id. One id has one time, so this also tells what is the same event.
fn order(a: &KeyEvent, b: &KeyEvent) -> Ordering {
    b.at.cmp(&a.at).then_with(|| a.id.cmp(&b.id))
}

impl Store {
    /// An empty store with room for `capacity` events (at least 1).
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            chunks: Vec::new(),
            len: 0,
            capacity: capacity.max(1),
            dropped: 0,
            unparsed: Arc::default(),
            unparsed_count: 0,
        }
    }

    /// Takes an event in, in its place by time, unless it is there already; says whether it was new and kept.
    /// Where there is no room left, the oldest goes.
    pub fn insert(&mut self, event: KeyEvent) -> bool {
        let chunk = self
            .chunks
            .partition_point(|chunk| chunk.last().is_some_and(|last| order(last, &event) == Ordering::Less));
        let chunk = chunk.min(self.chunks.len().saturating_sub(1));
        let place = self
            .chunks
            .get(chunk)
            .map_or(Err(0), |events| events.binary_search_by(|held| order(held, &event)));
        let Err(place) = place else { return false };
        let is_oldest = chunk + 1 >= self.chunks.len() && self.chunks.last().is_none_or(|c| place == c.len());
        if self.len >= self.capacity {
            self.dropped += 1;
            if is_oldest {
                return false;
            }
            self.drop_oldest();
        }
        self.insert_at(chunk, place, event);
        true
    }

    fn insert_at(&mut self, chunk: usize, place: usize, event: KeyEvent) {
        self.len += 1;
        let Some(events) = self.chunks.get_mut(chunk) else {
            self.chunks.push(Arc::new(vec![Arc::new(event)]));
            return;
        };
        let events = Arc::make_mut(events);
        events.insert(place.min(events.len()), Arc::new(event));
        if events.len() > CHUNK {
            let older = events.split_off(CHUNK / 2);
            self.chunks.insert(chunk + 1, Arc::new(older));
        }
    }

    fn drop_oldest(&mut self) {
        if let Some(last) = self.chunks.last_mut() {
            Arc::make_mut(last).pop();
            self.len -= 1;
        }
        self.chunks.pop_if(|last| last.is_empty());
    }

    /// Keeps a record that could not be read, once.
    pub fn note_unparsed(&mut self, record: Unparsed) {
        if self.unparsed.iter().any(|held| held.raw == record.raw) {
            return;
        }
        self.unparsed_count += 1;
        if self.unparsed.len() < UNPARSED_KEPT {
            Arc::make_mut(&mut self.unparsed).push(Arc::new(record));
        }
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Every event, newest first.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<KeyEvent>> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The events from the one at `index` on, newest first: what a screen shows.
    pub fn from(&self, index: usize) -> impl Iterator<Item = &Arc<KeyEvent>> {
        let (mut chunk, mut skip) = (0, index);
        while let Some(events) = self.chunks.get(chunk)
            && skip >= events.len()
        {
            skip -= events.len();
            chunk += 1;
        }
        self.chunks[chunk..].iter().flat_map(|events| events.iter()).skip(skip)
    }

    /// The event at `index`, 0 being the newest.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Arc<KeyEvent>> {
        self.from(index).next()
    }

    /// The event with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<KeyEvent>> {
        self.iter().find(|event| event.id == id)
    }

    /// When the newest event happened.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.get(0).map(|event| event.at)
    }

    /// When the oldest event happened.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.chunks.last().and_then(|chunk| chunk.last()).map(|event| event.at)
    }

    /// How many events were let go for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// How many records could not be read.
    #[must_use]
    pub fn unparsed_count(&self) -> u64 {
        self.unparsed_count
    }

    /// The first 200 records that could not be read.
    pub fn unparsed(&self) -> impl Iterator<Item = &Arc<Unparsed>> {
        self.unparsed.iter()
    }
}

#[cfg(test)]
mod tests;
