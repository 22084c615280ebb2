//! The run under way.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::regions::Offer;
use super::target::Candidate;
use super::view::Waiting;
use crate::gate::Confirmed;
use crate::model::text::Untrusted;
use crate::runbook::{Fact, Run, Runbook, Value};

/// A run in this process: what the journal knows of it, and what only lives here.
#[derive(Debug)]
pub(super) struct Live {
    pub runbook: Arc<Runbook>,
    pub run: Run,
    pub waiting: Waiting,
    /// The keys to choose among while the target is not settled.
    pub candidates: Vec<Candidate>,
    /// The relative in another Region that the run could go on with, and whether that was offered already.
    pub offer: Option<Offer>,
    pub offered: bool,
    /// The change that waits for an MFA code.
    pub pending: Option<Pending>,
    /// Facts of the step under way, not in the journal yet.
    pub fresh: Vec<Fact>,
    /// What the step under way has found out, not in the journal yet.
    pub learned: BTreeMap<Value, Untrusted>,
    /// A step that waits for its next try is to be tried at once.
    pub try_now: bool,
    /// A passed deadline could not be journalled: it is said once, and not every half second.
    pub overdue_unkept: bool,
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
            offer: None,
            offered: false,
            pending: None,
            fresh: Vec::new(),
            learned: BTreeMap::new(),
            try_now: false,
            overdue_unkept: false,
        }
    }

    /// Whether something may still happen in it.
    pub fn under_way(&self) -> bool {
        !self.run.left && self.run.finished.is_none()
    }
}
