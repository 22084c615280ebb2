//! The run under way.

use std::sync::Arc;

use super::target::Candidate;
use super::view::Waiting;
use crate::gate::Confirmed;
use crate::runbook::{Fact, Run, Runbook};

/// A run in this process: what the journal knows of it, and what only lives here.
#[derive(Debug)]
pub(super) struct Live {
    pub runbook: Arc<Runbook>,
    pub run: Run,
    pub waiting: Waiting,
    /// The keys to choose among while the target is not settled.
    pub candidates: Vec<Candidate>,
    /// The change that waits for an MFA code.
    pub pending: Option<Pending>,
    /// Facts of the step under way, not in the journal yet.
    pub fresh: Vec<Fact>,
}

/// A confirmed change whose role asks for an MFA code.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    pub confirmed: Confirmed,
    pub device: String,
    /// Whether a code for it was refused already.
    pub tried: bool,
}

impl Live {
    pub fn new(runbook: Arc<Runbook>, run: Run) -> Self {
        Self {
            runbook,
            run,
            waiting: Waiting::Program("starting".to_owned()),
            candidates: Vec::new(),
            pending: None,
            fresh: Vec::new(),
        }
    }

    /// Whether something may still happen in it.
    pub fn under_way(&self) -> bool {
        !self.run.left && self.run.finished.is_none()
    }
}
