//! Counting records without keeping them.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};
use std::thread;

use foldhash::fast::RandomState;
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
/// Parts in which records are sorted once all are read, so that each fits a core's own memory.
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
    let (unparsed, names) = (Mutex::default(), KeyNames::default());
    let (tally, counters) = read(found, stop, || Counter {
        unparsed: &unparsed,
        column,
        filter,
        names: &names,
        now,
        event: Finder::new(EVENT),
        texts: HashMap::default(),
        seen: std::array::from_fn(|_| Vec::new()),
        matching: 0,
    });
    let matching: u64 = counters.iter().map(|counter| counter.matching).sum();
    let (mut counts, distinct) = count(counters, column == Column::Keys);
    counts.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.text.cmp(&b.text)));
    let unparsed = unparsed.into_inner().unwrap_or_else(PoisonError::into_inner);
    Counted { counts, repeated: matching - distinct, tally, unparsed }
}

/// A record that matched: its event's key in two halves, and the number of one of its texts.
type Seen = (u64, u64, u32);

/// The number of a text that an event does not have.
const WITHOUT: u32 = u32::MAX;

/// Counts what each core saw, each event once, or once for each of its texts: how many have each text, and how many
/// events there are.
fn count(counters: Vec<Counter<'_>>, each_text: bool) -> (Vec<Count>, u64) {
    let mut texts: HashMap<Vec<u8>, u32, RandomState> = HashMap::default();
    let mut shards: Vec<Vec<Seen>> = vec![Vec::new(); SHARDS];
    for counter in counters {
        // What this core's numbers are among all.
        let mut numbers = vec![0; counter.texts.len()];
        for (text, number) in counter.texts {
            let next = number_of(texts.len());
            numbers[number as usize] = *texts.entry(text).or_insert(next);
        }
        for (shard, mut seen) in shards.iter_mut().zip(counter.seen) {
            for (_, _, text) in seen.iter_mut().filter(|(_, _, text)| *text != WITHOUT) {
                *text = numbers[*text as usize];
            }
            shard.append(&mut seen);
        }
    }
    let (events, without, distinct) = tally_up(&mut shards, texts.len(), each_text);
    let with_text = texts.into_iter().map(|(text, number)| Count {
        text: Some(String::from_utf8_lossy(&text).into_owned()),
        events: events[number as usize],
    });
    let without = (without > 0).then_some(Count { text: None, events: without });
    (with_text.chain(without).collect(), distinct)
}

/// How many events have each of the texts, how many have none, and how many there are; on every core.
fn tally_up(shards: &mut [Vec<Seen>], texts: usize, each_text: bool) -> (Vec<u64>, u64, u64) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let work = |shards: &mut [Vec<Seen>]| {
        let (mut events, mut without, mut distinct) = (vec![0; texts], 0, 0);
        for seen in shards {
            // Sorting is quicker than a hash set of this size, which misses every cache.
            seen.sort_unstable();
            seen.dedup_by(|a, b| (a.0, a.1) == (b.0, b.1) && (a.2 == b.2 || !each_text));
            let mut last = None;
            for (high, low, text) in seen {
                match events.get_mut(*text as usize) {
                    Some(count) => *count += 1,
                    None => without += 1,
                }
                distinct += u64::from(last.replace((*high, *low)) != Some((*high, *low)));
            }
        }
        (events, without, distinct)
    };
    let (mut events, mut without, mut distinct) = (vec![0; texts], 0, 0);
    thread::scope(|scope| {
        let parts = shards.chunks_mut(SHARDS.div_ceil(cores));
        let workers: Vec<_> = parts.map(|part| scope.spawn(|| work(part))).collect();
        for worker in workers {
            // A panic there is a panic here.
            let part = worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            events.iter_mut().zip(part.0).for_each(|(all, some)| *all += some);
            without += part.1;
            distinct += part.2;
        }
    });
    (events, without, distinct)
}

fn number_of(text: usize) -> u32 {
    // Four billion different texts would not fit in memory.
    u32::try_from(text).unwrap_or(WITHOUT)
}

/// What one core saw.
struct Counter<'a> {
    unparsed: &'a Mutex<Vec<Unparsed>>,
    column: Column,
    filter: &'a Filter,
    names: &'a KeyNames,
    now: Timestamp,
    event: Finder<'static>,
    /// The texts there are, numbered.
    texts: HashMap<Vec<u8>, u32, RandomState>,
    seen: [Vec<Seen>; SHARDS],
    /// Records that match, repeated ones among them.
    matching: u64,
}

impl Sink for Counter<'_> {
    fn take(&mut self, piece: Piece<'_>) -> bool {
        let record = match piece {
            Piece::Record(record) => record,
            Piece::Garbage(text) => {
                self.note(Unparsed::of_bytes("it is no record in JSON", text));
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
                self.note(unparsed);
                false
            }
        }
    }

    fn file_done(&mut self) {}
}

impl Counter<'_> {
    fn note(&self, unparsed: Unparsed) {
        let mut kept = self.unparsed.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < UNPARSED_KEPT {
            kept.push(unparsed);
        }
    }

    /// Counts a record by its name without parsing it; false where it is not plain enough for that.
    fn at_a_glance(&mut self, record: &Skimmed<'_>) -> bool {
        let Some(Glance { id, time, name }) = record.glance(&self.event) else { return false };
        if id.is_empty() || name.is_empty() || !is_time(time) {
            return false;
        }
        let Ok(id) = std::str::from_utf8(id) else { return false };
        self.matching += 1;
        self.see(EventKey::from_id(id), Some(name));
        true
    }

    fn count(&mut self, event: &KeyEvent) {
        if !self.filter.matches(event, self.names, self.now) {
            return;
        }
        self.matching += 1;
        let key = EventKey::from_id(&event.id);
        match column_text(event, self.column) {
            Some(text) if self.column == Column::Keys => {
                text.lines().for_each(|one| self.see(key, Some(one.as_bytes())));
            }
            text => self.see(key, text.as_deref().map(str::as_bytes)),
        }
    }

    fn see(&mut self, key: EventKey, text: Option<&[u8]>) {
        // Nearly always it is there already, and nothing is copied.
        let number = match text.map(|text| (text, self.texts.get(text))) {
            None => WITHOUT,
            Some((_, Some(number))) => *number,
            Some((text, None)) => {
                let next = number_of(self.texts.len());
                self.texts.insert(text.to_owned(), next);
                next
            }
        };
        let (high, low) = key.halves();
        self.seen[key.shard(SHARDS)].push((high, low, number));
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
