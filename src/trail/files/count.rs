//! Counting records without keeping them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use memchr::memmem::Finder;

use super::find::Found;
use super::read::{Sink, Tally, read};
use super::skim::{EVENT, Glance, Piece, Skimmed};
use crate::model::event::KeyEvent;
use crate::trail::names::KeyNames;
use crate::trail::parse::parse;
use crate::trail::store::{Column, Count, EventKey, column_text};
use crate::trail::{Filter, Unparsed};

/// What a count came to.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The most first, then by text.
    pub counts: Vec<Count>,
    /// Records of events that were counted already: the same one may stand in several files.
    pub repeated: u64,
    pub tally: Tally,
    /// The first few records that were not understood.
    pub unparsed: Vec<Unparsed>,
}

/// Unparsed records kept, at most.
const UNPARSED_KEPT: usize = 200;
const SHARDS: usize = 64;

/// Counts the distinct events that match by a text of theirs, each key of an event by itself. Where all match and
/// the texts are calls' names, records are not parsed: their own `eventID`, `eventTime` and `eventName` are looked at,
/// and nothing else of them.
#[must_use]
pub fn count_by(
    found: &Found,
    column: Column,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
) -> Counted {
    let shared = Shared::default();
    let names = KeyNames::default();
    let (tally, sinks) = read(found, stop, || Counter {
        shared: &shared,
        column,
        filter,
        names: &names,
        now,
        event: Finder::new(EVENT),
        counts: HashMap::new(),
        without: 0,
    });
    let mut total: HashMap<Option<String>, u64> = HashMap::new();
    for sink in sinks {
        if sink.without > 0 {
            *total.entry(None).or_default() += sink.without;
        }
        for (text, count) in sink.counts {
            *total.entry(Some(String::from_utf8_lossy(&text).into_owned())).or_default() += count;
        }
    }
    let mut counts: Vec<Count> = total.into_iter().map(|(text, events)| Count { text, events }).collect();
    counts.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.text.cmp(&b.text)));
    let unparsed = shared.unparsed.into_inner().unwrap_or_else(PoisonError::into_inner);
    Counted { counts, repeated: shared.repeated.into_inner(), tally, unparsed }
}

/// What all cores count against.
struct Shared {
    /// The ids of the events that were counted, in parts, so that the cores seldom wait for one another.
    known: [Mutex<HashSet<EventKey>>; SHARDS],
    repeated: AtomicU64,
    unparsed: Mutex<Vec<Unparsed>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            known: std::array::from_fn(|_| Mutex::default()),
            repeated: AtomicU64::new(0),
            unparsed: Mutex::default(),
        }
    }
}

impl Shared {
    fn is_new(&self, key: EventKey) -> bool {
        let shard = key.shard(SHARDS);
        let is_new = self.known[shard].lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        if !is_new {
            self.repeated.fetch_add(1, Ordering::Relaxed);
        }
        is_new
    }

    fn note(&self, unparsed: Unparsed) {
        let mut kept = self.unparsed.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < UNPARSED_KEPT {
            kept.push(unparsed);
        }
    }
}

struct Counter<'a> {
    shared: &'a Shared,
    column: Column,
    filter: &'a Filter,
    names: &'a KeyNames,
    now: Timestamp,
    event: Finder<'static>,
    counts: HashMap<Vec<u8>, u64>,
    /// Events that have no such text.
    without: u64,
}

impl Sink for Counter<'_> {
    fn take(&mut self, piece: Piece<'_>) -> bool {
        let record = match piece {
            Piece::Record(record) => record,
            Piece::Garbage(text) => {
                self.shared.note(Unparsed::of_bytes("it is no record in JSON", text));
                return false;
            }
        };
        if self.column == Column::Name && self.filter.is_empty() && self.at_a_glance(&record) {
            return true;
        }
        match read_one(record.text) {
            Ok(event) => {
                self.count(&event);
                true
            }
            Err(unparsed) => {
                self.shared.note(unparsed);
                false
            }
        }
    }

    fn file_done(&mut self) {}
}

impl Counter<'_> {
    /// Counts a record by its name without parsing it; false where it is not plain enough for that.
    fn at_a_glance(&mut self, record: &Skimmed<'_>) -> bool {
        let Some(Glance { id, time, name }) = record.glance(&self.event) else { return false };
        let Some(key) = std::str::from_utf8(id).ok().filter(|id| !id.is_empty()).map(EventKey::from_id)
        else {
            return false;
        };
        if !is_time(time) || name.is_empty() {
            return false;
        }
        if self.shared.is_new(key) {
            self.add(Some(name));
        }
        true
    }

    fn count(&mut self, event: &KeyEvent) {
        if !self.filter.matches(event, self.names, self.now)
            || !self.shared.is_new(EventKey::from_id(&event.id))
        {
            return;
        }
        match column_text(event, self.column) {
            Some(text) if self.column == Column::Keys => {
                text.lines().for_each(|key| self.add(Some(key.as_bytes())));
            }
            text => self.add(text.as_deref().map(str::as_bytes)),
        }
    }

    fn add(&mut self, text: Option<&[u8]>) {
        let Some(text) = text else {
            self.without += 1;
            return;
        };
        // Nearly always it is there already, and nothing is copied.
        match self.counts.get_mut(text) {
            Some(count) => *count += 1,
            None => drop(self.counts.insert(text.to_owned(), 1)),
        }
    }
}

/// `2026-11-23T14:02:31Z`, as CloudTrail writes every time.
fn is_time(text: &[u8]) -> bool {
    let shape = b"dddd-dd-ddTdd:dd:ddZ";
    text.len() == shape.len()
        && text.iter().zip(shape).all(|(byte, shape)| match shape {
            b'd' => byte.is_ascii_digit(),
            other => byte == other,
        })
}

/// Reads one record's bytes.
///
/// # Errors
/// [`Unparsed`], with as much of the text as is kept.
pub(super) fn read_one(text: &[u8]) -> Result<KeyEvent, Unparsed> {
    match std::str::from_utf8(text) {
        Ok(text) => parse(text),
        Err(error) => Err(Unparsed::of_bytes(&format!("it is no UTF-8: {error}"), text)),
    }
}
