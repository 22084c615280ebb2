//! Reading files on every core.

use std::io;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::find::Found;
use super::inflate::{Part, Texts};
use super::skim::{Piece, Splitter};
use crate::model::text::visible;

/// What takes records, one on each core.
pub trait Sink: Send {
    /// Takes a record; says whether it could be understood.
    fn take(&mut self, piece: Piece<'_>) -> bool;

    /// A file is over: what was gathered may be handed on.
    fn file_done(&mut self);
}

/// What a reading came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files read, those with trouble among them.
    pub files: usize,
    /// Files that there are.
    pub files_found: usize,
    /// Bytes of JSON.
    pub bytes: u64,
    /// Records, those that could not be understood among them.
    pub records: u64,
    pub unparsed: u64,
    /// Files that could not be read to their end, in the order of their names.
    pub troubles: Vec<Trouble>,
    /// Whether it was stopped before all was read.
    pub stopped: bool,
}

/// A file that could not be read to its end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Trouble {
    pub path: PathBuf,
    /// Fit for a screen.
    pub reason: String,
    /// How many records could be read.
    pub records: u64,
}

impl Trouble {
    /// What is wrong with which file, in a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        let name = self.path.display().to_string();
        format!("{}: {}; {} records could be read from it", visible(&name), self.reason, self.records)
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.records += other.records;
        self.unparsed += other.unparsed;
        self.troubles.extend(other.troubles);
    }

    /// What was read, in a sentence.
    #[must_use]
    pub fn in_words(&self) -> String {
        let stopped = if self.stopped { "stopped: " } else { "" };
        let unparsed = match self.unparsed {
            0 => String::new(),
            count => format!(", {count} of them not understood"),
        };
        format!(
            "{stopped}read {} records{unparsed} from {} of {} files, {} MB of JSON",
            self.records,
            self.files,
            self.files_found,
            self.bytes / 1_000_000
        )
    }
}

/// Reads files on every core, each core into a sink of its own, until `stop` is set.
pub fn read<S: Sink>(found: &Found, stop: &AtomicBool, sink: impl Fn() -> S + Sync) -> (Tally, Vec<S>) {
    let cores = thread::available_parallelism().map_or(1, NonZero::get).min(found.files.len()).max(1);
    let next = AtomicUsize::new(0);
    let work = || {
        let (mut texts, mut sink, mut tally) = (Texts::default(), sink(), Tally::default());
        while let Some(path) = found.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            tally.add(read_file(path, &mut texts, stop, &mut sink));
            sink.file_done();
        }
        (tally, sink)
    };
    let mut tally = Tally { files_found: found.files.len(), ..Tally::default() };
    let mut sinks = Vec::with_capacity(cores);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            match worker.join() {
                Ok((read, sink)) => {
                    tally.add(read);
                    sinks.push(sink);
                }
                // A panic there is a panic here.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
    });
    tally.stopped = stop.load(Ordering::Relaxed);
    tally.troubles.sort();
    (tally, sinks)
}

fn read_file(path: &Path, texts: &mut Texts, stop: &AtomicBool, sink: &mut impl Sink) -> Tally {
    let mut tally = Tally { files: 1, ..Tally::default() };
    let mut splitter = Splitter::default();
    let (mut is_whole, mut is_larger) = (None, false);
    let read = texts.read(path, stop, |part| {
        let mut take = |piece: Piece<'_>| {
            tally.records += 1;
            tally.unparsed += u64::from(!sink.take(piece));
        };
        match part {
            Part::Whole(text) => {
                tally.bytes += text.len() as u64;
                is_whole = Some(Splitter::whole(text, &mut take));
                true
            }
            Part::Chunk(text) => {
                tally.bytes += text.len() as u64;
                is_larger = !splitter.push(text, &mut take);
                !is_larger && !stop.load(Ordering::Relaxed)
            }
        }
    });
    let is_whole = is_whole.unwrap_or_else(|| {
        splitter.finish(&mut |piece| {
            tally.records += 1;
            tally.unparsed += u64::from(!sink.take(piece));
        })
    });
    let reason = match read {
        // Cut short by whoever stopped it.
        Err(_) if stop.load(Ordering::Relaxed) => None,
        Err(error) => Some(why(&error)),
        Ok(()) if is_larger => Some("it holds a value of more than 16 MiB, which is no record".to_owned()),
        Ok(()) if stop.load(Ordering::Relaxed) => None,
        Ok(()) => (!is_whole).then(|| "its JSON is cut short".to_owned()),
    };
    tally.troubles = reason
        .map(|reason| Trouble { path: path.to_owned(), reason, records: tally.records - tally.unparsed })
        .into_iter()
        .collect();
    tally
}

fn why(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "its gzip is cut short".to_owned(),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            format!("its gzip is damaged ({})", visible(&error.to_string()))
        }
        _ => format!("it cannot be read ({})", visible(&error.to_string())),
    }
}

#[cfg(test)]
mod tests;
