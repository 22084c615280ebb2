//! Appending: on the disk before anything rests on it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

use super::chain::{self, Chain, GENESIS, Verdict};
use super::lock::Lock;
use super::{Entry, JournalError, place, torn};
use crate::clock::Clock;
use crate::model::IncidentId;

/// The journal of one incident, open for writing by this process alone. Clones share it.
///
/// Bodies are typed: whatever is appended is a struct that says what it holds, and none of ours holds a secret.
#[derive(Clone, Debug)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    environment: String,
    incident: IncidentId,
    clock: Clock,
    open: Mutex<Open>,
    length: watch::Sender<usize>,
    /// Given up last, when the file is closed.
    _lock: Lock,
}

#[derive(Debug)]
struct Open {
    file: File,
    /// Bytes of whole lines on disk.
    bytes: u64,
    entries: Vec<Entry>,
    /// Whether a failure left it uncertain what the disk holds.
    failed: bool,
    /// Pretends that the disk is full from this entry on.
    #[cfg(test)]
    full_from: Option<u64>,
}

/// Where a journal stands: what goes out with each message, so that a rewritten journal can be shown to be one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Head {
    /// How many entries there are.
    pub entries: u64,
    /// The last one's hash; 64 zeros where there is none.
    pub hash: String,
}

/// The body of a `clock-skew` entry.
#[derive(Serialize)]
struct ClockSkew {
    last_entry_at: Timestamp,
    now: Timestamp,
}

impl Journal {
    /// Opens the journal of an incident, making it where there is none. A torn last line is set aside,
    /// kept and journalled as `torn-tail`.
    ///
    /// # Errors
    /// Where another process writes to it, its chain is broken, or the disk does not let us: then there is
    /// no change either.
    pub fn open(
        state_dir: &Path,
        environment: &str,
        incident: &IncidentId,
        clock: Clock,
    ) -> Result<Self, JournalError> {
        let path = place::path_of(state_dir, environment, incident)?;
        let folder = place::make_folder(state_dir, environment)?;
        let lock = Lock::take(&path)?;
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("open the journal", &path))?;
        place::sync_folder(&folder)?;
        let mut found = Vec::new();
        file.read_to_end(&mut found).map_err(JournalError::io("read the journal", &path))?;
        let Chain { entries, verdict } = Chain::parse(&found);
        let (bytes, torn) = match verdict {
            Verdict::Whole => (found.len() as u64, None),
            Verdict::Broken { line, why } => return Err(JournalError::Broken { path, line, why }),
            Verdict::TornTail { offset, bytes } => {
                let tail = &found[found.len() - usize::try_from(bytes).unwrap_or(0)..];
                (offset, Some(torn::set_aside(&path, &file, offset, tail)?))
            }
        };
        let journal = Self {
            shared: Arc::new(Shared {
                path,
                environment: environment.to_owned(),
                incident: incident.clone(),
                clock,
                length: watch::Sender::new(entries.len()),
                open: Mutex::new(Open {
                    file,
                    bytes,
                    entries,
                    failed: false,
                    #[cfg(test)]
                    full_from: None,
                }),
                _lock: lock,
            }),
        };
        if let Some(torn) = torn {
            journal.append("torn-tail", &torn)?;
        }
        Ok(journal)
    }

    /// Appends an entry. It is on the disk when this returns.
    ///
    /// It blocks for as long as the disk takes, a few milliseconds: the caller must not go on before.
    ///
    /// # Errors
    /// Where the disk does not take it. Nothing may then be done that rests on the entry.
    pub fn append(&self, kind: &str, body: &impl Serialize) -> Result<Entry, JournalError> {
        let body = serde_json::to_value(body).map_err(|e| JournalError::Body(e.to_string()))?;
        let mut open = self.lock();
        let now = self.shared.clock.now();
        if let Some(last_entry_at) = open.entries.last().map(|last| last.at).filter(|last| *last > now) {
            let skew = serde_json::to_value(ClockSkew { last_entry_at, now })
                .map_err(|e| JournalError::Body(e.to_string()))?;
            open.append(&self.shared.path, now, "clock-skew", skew)?;
        }
        let appended = open.append(&self.shared.path, now, kind, body);
        self.shared.length.send_replace(open.entries.len());
        appended
    }

    /// Every entry so far.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        self.entries_from(0)
    }

    /// The entries from this sequence number on.
    #[must_use]
    pub fn entries_from(&self, seq: u64) -> Vec<Entry> {
        let from = usize::try_from(seq).unwrap_or(usize::MAX);
        self.lock().entries.get(from..).unwrap_or_default().to_vec()
    }

    /// Tells the number of entries each time it grows.
    #[must_use]
    pub fn growth(&self) -> watch::Receiver<usize> {
        self.shared.length.subscribe()
    }

    /// Where the journal stands.
    #[must_use]
    pub fn head(&self) -> Head {
        let open = self.lock();
        Head {
            entries: open.entries.len() as u64,
            hash: open.entries.last().map_or_else(|| GENESIS.to_owned(), |last| last.hash.clone()),
        }
    }

    /// The incident that this is the journal of.
    #[must_use]
    pub fn incident(&self) -> &IncidentId {
        &self.shared.incident
    }

    /// The environment that the incident is in.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.shared.environment
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// A panic elsewhere does not make the entries untrue: each is whole before it is pushed.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.shared.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the disk look full from an entry on; `None` makes room again.
    #[cfg(test)]
    pub(crate) fn fill_disk_from(&self, seq: Option<u64>) {
        self.lock().full_from = seq;
    }
}

impl Open {
    fn append(
        &mut self,
        path: &Path,
        at: Timestamp,
        kind: &str,
        body: serde_json::Value,
    ) -> Result<Entry, JournalError> {
        if self.failed {
            return Err(JournalError::Failed { path: path.to_owned() });
        }
        let entry = self.next(at, kind, body)?;
        let mut line = chain::line_of(&entry).map_err(|e| JournalError::Body(e.to_string()))?;
        // What would not verify when read back (a number that JSON cannot carry) must not be written at all.
        chain::holds(&line, self.entries.last()).map_err(JournalError::Body)?;
        line.push(b'\n');
        self.write(&line, entry.seq).map_err(JournalError::io("write to the journal", path))?;
        self.bytes += line.len() as u64;
        self.entries.push(entry.clone());
        Ok(entry)
    }

    fn next(&self, at: Timestamp, kind: &str, body: serde_json::Value) -> Result<Entry, JournalError> {
        let (seq, prev) = self
            .entries
            .last()
            .map_or_else(|| (0, GENESIS.to_owned()), |last| (last.seq + 1, last.hash.clone()));
        let mut entry = Entry { seq, at, kind: kind.to_owned(), body, prev, hash: String::new() };
        entry.hash = chain::hash_of(&entry).map_err(|e| JournalError::Body(e.to_string()))?;
        Ok(entry)
    }

    /// Writes a line and waits for the disk. A line that did not go down whole is taken off again; where
    /// even that fails, or the disk does not confirm, nothing more is written.
    #[cfg_attr(not(test), expect(unused_variables, reason = "only tests fill the disk at an entry"))]
    fn write(&mut self, line: &[u8], seq: u64) -> std::io::Result<()> {
        #[cfg(test)]
        if self.full_from.is_some_and(|full| seq >= full) {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        if let Err(e) = self.file.write_all(line) {
            self.failed = self.file.set_len(self.bytes).and_then(|()| self.file.sync_all()).is_err();
            return Err(e);
        }
        self.file.sync_all().inspect_err(|_| self.failed = true)
    }
}
