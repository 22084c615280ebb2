//! Events as they were when they were handed out, newest first.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::columns::Column;
use super::segment::{EventKey, Segment};
use super::{Place, UNPARSED_KEPT, split};
use crate::model::event::{KeyEvent, Severity};
use crate::trail::parse::Unparsed;

/// Events, by rank: 0 is the newest. Those of one second stand by their ids. A clone is cheap and never changes.
#[derive(Clone, Debug)]
pub struct Events {
    pub(super) segments: Vec<Arc<Segment>>,
    /// Newest first.
    pub(super) order: Arc<Vec<Place>>,
    pub(super) capacity: usize,
    pub(super) dropped: u64,
    pub(super) unparsed: Arc<Vec<Arc<Unparsed>>>,
    pub(super) unparsed_count: u64,
}

/// A text, and how many events have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    /// None: those without one.
    pub text: Option<String>,
    pub events: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self::empty(1)
    }
}

impl Events {
    pub(super) fn empty(capacity: usize) -> Self {
        Self {
            segments: vec![Arc::default()],
            order: Arc::default(),
            capacity,
            dropped: 0,
            unparsed: Arc::default(),
            unparsed_count: 0,
        }
    }

    fn lying(&self, rank: usize) -> Option<(&Segment, usize)> {
        let (segment, row) = split(*self.order.get(rank)?);
        Some((self.segments.get(segment)?, row))
    }

    /// Whether there is no room, and this event is older than all others.
    pub(super) fn is_full_of_newer(&self, event: &KeyEvent) -> bool {
        self.order.len() >= self.capacity && self.oldest().is_some_and(|oldest| event.at < oldest)
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// How many events there is room for.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The event of that rank, put together from its columns: about a microsecond.
    #[must_use]
    pub fn get(&self, rank: usize) -> Option<KeyEvent> {
        self.lying(rank).map(|(segment, row)| segment.event(row))
    }

    /// The event's record as it came, JSON text: some 50 µs.
    #[must_use]
    pub fn raw(&self, rank: usize) -> Option<String> {
        let (segment, row) = self.lying(rank)?;
        let kept = segment.kept(row);
        kept.pack.record(kept.place)
    }

    /// Every event, newest first.
    pub fn iter(&self) -> impl Iterator<Item = KeyEvent> {
        (0..self.len()).filter_map(|rank| self.get(rank))
    }

    /// When the event of that rank happened.
    #[must_use]
    pub fn at(&self, rank: usize) -> Option<Timestamp> {
        self.lying(rank).map(|(segment, row)| segment.at(row))
    }

    /// What tells the event of that rank from all others.
    #[must_use]
    pub fn key(&self, rank: usize) -> Option<EventKey> {
        self.lying(rank).map(|(segment, row)| segment.key(row))
    }

    /// How much the event of that rank matters.
    #[must_use]
    pub fn severity(&self, rank: usize) -> Option<Severity> {
        self.lying(rank).map(|(segment, row)| segment.severities()[row])
    }

    /// A text of the event of that rank, as it came: not for a terminal.
    #[must_use]
    pub fn text(&self, rank: usize, column: Column) -> Option<&str> {
        self.lying(rank).and_then(|(segment, row)| segment.text(row, column))
    }

    /// The rank of the event with this key that happened then.
    #[must_use]
    pub fn rank(&self, key: EventKey, at: Timestamp) -> Option<usize> {
        let wanted = (Reverse(at.as_microsecond()), key);
        let order = |place: &Place| {
            let (segment, row) = split(*place);
            self.segments[segment].order(row)
        };
        self.order.binary_search_by_key(&wanted, order).ok()
    }

    /// The event with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<KeyEvent> {
        let (key, _) = EventKey::of(id);
        (0..self.len()).find(|rank| self.key(*rank) == Some(key)).and_then(|rank| self.get(rank))
    }

    /// How many events happened at `at` or later: they have the ranks below.
    #[must_use]
    pub fn since(&self, at: Timestamp) -> usize {
        let at = at.as_microsecond();
        self.order.partition_point(|place| {
            let (segment, row) = split(*place);
            self.segments[segment].micros()[row] >= at
        })
    }

    /// When the newest event happened.
    #[must_use]
    pub fn newest(&self) -> Option<Timestamp> {
        self.at(0)
    }

    /// When the oldest event happened.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        self.at(self.len().checked_sub(1)?)
    }

    /// How many events were let go for want of room, the oldest first.
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
        self.unparsed.iter().take(UNPARSED_KEPT)
    }

    /// Sorts ranks by a text, those without one last; ranks of the same text stay as they are.
    pub fn sort_by(&self, ranks: &mut [u32], column: Column) {
        let mut all: Vec<&str> = Vec::new();
        for segment in &self.segments {
            all.extend(segment.dictionary(column).iter());
        }
        all.sort_unstable();
        all.dedup();
        // Each segment's texts by their place among all: comparing two events is then comparing two numbers.
        let places: Vec<Vec<u32>> = self
            .segments
            .iter()
            .map(|segment| {
                let place = |text| u32::try_from(all.partition_point(|other| *other < text));
                segment.dictionary(column).iter().map(|text| place(text).unwrap_or(u32::MAX)).collect()
            })
            .collect();
        ranks.sort_by_cached_key(|rank| {
            let (segment, row) = split(self.order[*rank as usize]);
            let id = usize::from(self.segments[segment].ids(column)[row]);
            places[segment].get(id).copied().unwrap_or(u32::MAX)
        });
    }

    /// How many of these events have which text, the most first, then by text.
    #[must_use]
    pub fn count_by(&self, ranks: impl IntoIterator<Item = u32>, column: Column) -> Vec<Count> {
        // One more for those without a text.
        let mut counts: Vec<Vec<u64>> =
            self.segments.iter().map(|segment| vec![0; segment.dictionary(column).len() + 1]).collect();
        for rank in ranks {
            let (segment, row) = split(self.order[rank as usize]);
            let id = usize::from(self.segments[segment].ids(column)[row]);
            let last = counts[segment].len() - 1;
            counts[segment][id.min(last)] += 1;
        }
        let mut total: HashMap<Option<&str>, u64> = HashMap::new();
        for (segment, counts) in self.segments.iter().zip(&counts) {
            let texts = segment.dictionary(column).iter().map(Some).chain([None]);
            for (text, count) in texts.zip(counts).filter(|(_, count)| **count > 0) {
                *total.entry(text).or_default() += count;
            }
        }
        let mut counts: Vec<Count> =
            total.into_iter().map(|(text, events)| Count { text: text.map(str::to_owned), events }).collect();
        counts.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.text.cmp(&b.text)));
        counts
    }

    /// The memory that the events take, beside their records; and that of the packed records. In bytes.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        // The set of known ids has 17 bytes for each, in a table that is filled between 7/16 and 7/8.
        let known = (self.len() * 8 / 7).next_power_of_two() * 17;
        let index = self.order.capacity() * size_of::<Place>() + known;
        self.segments
            .iter()
            .map(|segment| segment.size())
            .fold((index, 0), |(events, packs), (e, p)| (events + e, packs + p))
    }
}
