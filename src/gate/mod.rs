//! The only road to a change: plan → preview → confirm → approve → execute → verify.

mod execute;
mod ground;
mod outcome;
pub mod preview;
mod proved;
mod record;
mod stages;
mod tell;
#[cfg(test)]
mod tests;
mod unfinished;
mod verify;
mod warrant;

use std::sync::Arc;

pub use crate::cloud::Probe;
pub use ground::Ground;
pub use outcome::{Boundary, Channel, Outcome, Owed, Progress, Read, Refusal, Sight, Verdict};
pub use preview::Preview;
pub use proved::{ProvedChange, proved};
pub use record::Settlement;
pub use stages::{Approval, Approved, Confirmed, NotApproved, NotConfirmed};
pub use tell::owed;
pub use unfinished::{Settled, UnfinishedChange, unfinished};
pub use verify::{AGREEING_READS, agrees};
pub use warrant::{Call, KeyCall, Warrant};

use crate::estate::{Acting, Estate};
use crate::journal::Journal;

/// Hears each boundary of an execution as it is reached.
pub type Observer = Arc<dyn Fn(Boundary) + Send + Sync>;

/// Where an execution tells how it goes on.
pub type ProgressTo<'a> = &'a (dyn Fn(Progress) + Send + Sync);

/// The one place where a key can be changed, for one incident.
pub struct Gate {
    estate: Arc<Estate>,
    journal: Journal,
    observer: Observer,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("journal", &self.journal.path()).finish_non_exhaustive()
    }
}

impl Gate {
    /// The gate of an incident. It takes the right to act, which read-only commands never hold.
    #[must_use]
    pub fn open(acting: &Acting, journal: Journal) -> Self {
        Self { estate: Arc::clone(&acting.estate), journal, observer: Arc::new(|_| {}) }
    }

    /// Has each [`Boundary`] told to `observer`, which may halt there for good.
    #[must_use]
    pub fn observed_by(self, observer: Observer) -> Self {
        Self { observer, ..self }
    }

    /// The incident's journal.
    #[must_use]
    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
