//! The hash-chained log on disk: what was intended, sent, answered and proved, one file an incident.
//!
//! JSON lines in `STATE_DIR/journal/ENVIRONMENT/INCIDENT.jsonl`, each in canonical form (RFC 8785). An entry
//! is on the disk when [`Journal::append`] returns; only then may anything be done that rests on it. Each
//! entry's hash covers the one before, so that a changed, dropped or reordered line shows. A journal cut
//! short at a line's end does not show by itself: the head's hash goes out with each message for that.

mod chain;
mod error;
mod lock;
mod place;
mod torn;
mod writer;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use chain::{Chain, Verdict, read};
pub use error::JournalError;
pub use place::{Listed, list, path_of};
pub use writer::{Head, Journal};

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 0, without gaps.
    pub seq: u64,
    pub at: Timestamp,
    /// e.g. `intent`, `answer`, `proof`, `note`.
    pub kind: String,
    pub body: serde_json::Value,
    /// The hash of the entry before; 64 zeros for the first.
    pub prev: String,
    /// SHA-256 of `prev` and the canonical JSON of the rest, in lower-case hex.
    pub hash: String,
}
