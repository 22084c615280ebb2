//! The hash-chained log on disk.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
