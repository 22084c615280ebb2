//! Changes whose outcome is not settled: found in the journal, settled by looking.

use jiff::Timestamp;

use super::outcome::Sight;
use super::record::Settlement;
use super::{Gate, Progress};
use crate::journal::{Entry, JournalError};
use crate::model::plan::{Digest, Plan};

/// An intent in the journal without a settled outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfinishedChange {
    /// The sequence number of its `intent` entry.
    pub intent: u64,
    pub plan: Plan,
    pub digest: Digest,
    pub intended_at: Timestamp,
    /// What AWS said to the call: `Some(true)` accepted, `Some(false)` no answer; `None` where the journal
    /// ends before, so that nobody knows whether it was sent.
    pub accepted: Option<bool>,
}

/// What settling found.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    pub settlement: Settlement,
    pub sight: Sight,
    /// The sequence number of the `settled` entry.
    pub seq: u64,
}

/// The changes that the entries intend and do not settle, oldest first.
#[must_use]
pub fn unfinished(entries: &[Entry]) -> Vec<UnfinishedChange> {
    let _ = entries;
    Vec::new()
}

impl Gate {
    /// Goes to look at the key of an unfinished change, and journals what became of it. It never sends the
    /// change again. People who are to be told of it are owed from then on.
    ///
    /// # Errors
    /// Where the journal does not take the entry.
    pub async fn settle(
        &self,
        change: &UnfinishedChange,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Settled, JournalError> {
        let _ = (change, progress);
        Err(JournalError::Body(String::new()))
    }
}
