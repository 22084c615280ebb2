//! The simulator's own record of calls, for tests and scores: what was asked of it, whoever asked.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

/// One call that reached the simulator, carried out or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    pub at: Timestamp,
    /// The signing name, e.g. `kms`.
    pub service: String,
    pub region: String,
    /// e.g. `DisableKey`.
    pub operation: String,
    /// Whether the operation changes something (a dry run changes nothing, and still counts by its operation).
    pub mutating: bool,
    /// The caller's ARN; `None` where the signature did not hold or the request could not be read.
    pub caller: Option<String>,
    /// The id of the KMS key it was about, where it was about one.
    pub key_id: Option<String>,
    /// `None` for success, else AWS's error code; `Timeout` and `ConnectionLoss` where a fault ate the call
    /// before it was carried out.
    pub error: Option<String>,
    /// Whether the caller got an answer.
    pub answered: bool,
}

/// The list; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Record {
    calls: Arc<Mutex<Vec<RecordedCall>>>,
    off: Arc<AtomicBool>,
}

impl Record {
    /// Everything recorded so far, oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<RecordedCall> {
        self.lock().clone()
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// Keeps nothing from now on: a server that nobody in this process asks would only fill memory.
    pub(super) fn stop(&self) {
        self.off.store(true, Ordering::Relaxed);
    }

    pub(super) fn push(&self, call: RecordedCall) {
        if !self.off.load(Ordering::Relaxed) {
            self.lock().push(call);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RecordedCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
