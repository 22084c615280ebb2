//! Reading a chain, and saying whether it holds.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::{Entry, JournalError};

/// The `prev` of the first entry.
pub(super) const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A journal as it was found on disk.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Every entry up to the first fault.
    pub entries: Vec<Entry>,
    pub verdict: Verdict,
}

/// Whether a chain holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every entry follows from the one before.
    Whole,
    /// The last line was never finished: the writer died in the middle of it, before anything rested on it.
    TornTail {
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        bytes: u64,
    },
    /// An entry is not what was once written there.
    Broken {
        /// From 1, as editors count.
        line: usize,
        why: String,
    },
}

impl Chain {
    /// The hash of the last good entry; 64 zeros where there is none.
    #[must_use]
    pub fn head_hash(&self) -> &str {
        self.entries.last().map_or(GENESIS, |entry| &entry.hash)
    }

    /// Checks the bytes of a journal.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let mut entries: Vec<Entry> = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            let end = rest.iter().position(|&b| b == b'\n');
            // A line without its end, or whose blocks never reached the disk and read as zeros, is torn.
            let torn = end.is_none_or(|end| end + 1 == rest.len() && rest.contains(&0));
            if torn {
                let verdict = Verdict::TornTail { offset: offset as u64, bytes: rest.len() as u64 };
                return Self { entries, verdict };
            }
            let end = end.unwrap_or(rest.len());
            match follow(&rest[..end], entries.last()) {
                Ok(entry) => entries.push(entry),
                Err(why) => {
                    let verdict = Verdict::Broken { line: entries.len() + 1, why };
                    return Self { entries, verdict };
                }
            }
            rest = &rest[end + 1..];
        }
        Self { entries, verdict: Verdict::Whole }
    }
}

/// Reads a journal without taking it over: a running console may be writing to it.
///
/// # Errors
/// Where the file cannot be read. A journal that does not hold is no error but a [`Verdict`].
pub fn read(path: &Path) -> Result<Chain, JournalError> {
    let bytes = std::fs::read(path).map_err(JournalError::io("read", path))?;
    Ok(Chain::parse(&bytes))
}

/// Reads one line as the entry that follows `last`.
fn follow(line: &[u8], last: Option<&Entry>) -> Result<Entry, String> {
    let entry: Entry = serde_json::from_slice(line).map_err(|e| format!("no journal entry: {e}"))?;
    let (seq, prev) = last.map_or((0, GENESIS), |last| (last.seq + 1, last.hash.as_str()));
    if entry.seq != seq {
        return Err(format!("entry {} stands where entry {seq} belongs", entry.seq));
    }
    if entry.prev != prev {
        return Err(format!("entry {seq} does not follow the entry before it"));
    }
    let hash = hash_of(&entry).map_err(|e| format!("entry {seq} has no canonical form: {e}"))?;
    if entry.hash != hash {
        return Err(format!("entry {seq} was changed: its contents hash to {hash}"));
    }
    // The hash covers what the line says; this covers how it is written, so that no byte can change unseen.
    match line_of(&entry) {
        Ok(canonical) if canonical == line => Ok(entry),
        _ => Err(format!("entry {seq} is not written as the journal writes: somebody rewrote it")),
    }
}

/// The hash that an entry ought to have.
pub(super) fn hash_of(entry: &Entry) -> Result<String, serde_json::Error> {
    #[derive(Serialize)]
    struct Rest<'a> {
        seq: u64,
        at: &'a jiff::Timestamp,
        kind: &'a str,
        body: &'a serde_json::Value,
    }
    let Entry { seq, at, kind, body, prev, .. } = entry;
    let mut bytes = prev.clone().into_bytes();
    bytes.extend(serde_json_canonicalizer::to_vec(&Rest { seq: *seq, at, kind, body })?);
    Ok(hex::encode(digest(&SHA256, &bytes)))
}

/// An entry's line, without its end.
pub(super) fn line_of(entry: &Entry) -> Result<Vec<u8>, serde_json::Error> {
    serde_json_canonicalizer::to_vec(entry)
}

/// Whether an entry, written and read back, is the one that was meant and holds.
pub(super) fn holds(line: &[u8], last: Option<&Entry>) -> Result<(), String> {
    follow(line, last).map(|_| ())
}
