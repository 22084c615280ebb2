//! Reading files into a store.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use jiff::Timestamp;

use super::count::read_one;
use super::find::Found;
use super::read::{Sink, Tally, read};
use super::skim::Piece;
use crate::model::event::KeyEvent;
use crate::trail::names::KeyNames;
use crate::trail::store::{Batch, Store};
use crate::trail::{Filter, Unparsed};

/// Events that are handed on together, at most; and parts under way at one time. They bound the memory.
const TOGETHER: usize = 2048;
const UNDER_WAY: usize = 4;

/// Some events of a file, packed, and what could not be understood.
#[derive(Debug, Default)]
pub struct Loaded {
    pub batch: Batch,
    pub unparsed: Vec<Unparsed>,
}

/// Reads files into a store with room for the newest `capacity` events that match.
#[must_use]
pub fn load(
    found: &Found,
    capacity: usize,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
) -> (Store, Tally) {
    let mut store = Store::new(capacity);
    let tally = load_into(found, filter, now, stop, |loaded| {
        store.add(loaded.batch);
        loaded.unparsed.into_iter().for_each(|unparsed| store.note_unparsed(unparsed));
        true
    });
    (store, tally)
}

/// Reads files, and hands on what matches as it comes, until `take` answers false or `stop` is set.
pub fn load_into(
    found: &Found,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
    mut take: impl FnMut(Loaded) -> bool,
) -> Tally {
    let (send, receive) = sync_channel(UNDER_WAY);
    let names = KeyNames::default();
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let loader =
                || Loader { filter, names: &names, now, send: send.clone(), gathered: Gathered::default() };
            read(found, stop, loader).0
        });
        for loaded in receive {
            if !take(loaded) {
                stop.store(true, std::sync::atomic::Ordering::Relaxed);
            }
        }
        reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[derive(Default)]
struct Gathered {
    events: Vec<(KeyEvent, String)>,
    unparsed: Vec<Unparsed>,
}

struct Loader<'a> {
    filter: &'a Filter,
    names: &'a KeyNames,
    now: Timestamp,
    send: SyncSender<Loaded>,
    gathered: Gathered,
}

impl Sink for Loader<'_> {
    fn take(&mut self, piece: Piece<'_>) -> bool {
        let read = match piece {
            Piece::Record(record) => read_one(record.text).map(|event| (event, record.text)),
            Piece::Garbage(text) => Err(Unparsed::of_bytes("it is no record in JSON", text)),
        };
        let is_read = read.is_ok();
        match read {
            // What was read as an event is UTF-8.
            Ok((event, text)) if self.filter.matches(&event, self.names, self.now) => {
                self.gathered.events.push((event, String::from_utf8_lossy(text).into_owned()));
            }
            Ok(_) => {}
            Err(unparsed) => self.gathered.unparsed.push(unparsed),
        }
        if self.gathered.events.len() + self.gathered.unparsed.len() >= TOGETHER {
            self.file_done();
        }
        is_read
    }

    fn file_done(&mut self) {
        let Gathered { events, unparsed } = std::mem::take(&mut self.gathered);
        if !events.is_empty() || !unparsed.is_empty() {
            // Where nobody takes them any more, the reading is being stopped.
            let _ = self.send.send(Loaded { batch: Batch::of(events), unparsed });
        }
    }
}
