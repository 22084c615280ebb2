//! Why a run does not go on, and what can be done.

use super::view::Waiting;
use crate::journal::JournalError;
use crate::runbook::Misfit;

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub reason: String,
    pub next: String,
    /// Whether a change was sent of which nobody knows whether it happened.
    pub unknown: bool,
}

/// Why a run stops for now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// It waits for a person, or for time to pass.
    Waits(Waiting),
    Failed(Trouble),
    /// The operator left while the program was reading.
    Left,
}

impl Trouble {
    pub fn new(reason: impl Into<String>, next: impl Into<String>) -> Self {
        Self { reason: reason.into(), next: next.into(), unknown: false }
    }

    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            next: "Go on to look at the key again: looking sends nothing. If it turns out that nothing happened, a new plan is shown before anything is sent".to_owned(),
            unknown: true,
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble)
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::new(error.to_string(), "Nothing goes on without a journal. See to that, then try again")
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        Self::new(
            format!("this could not be written as JSON: {error}"),
            "This is a mistake in portcullis: please report it. The runbook can be followed on paper",
        )
    }
}

impl From<Misfit> for Trouble {
    fn from(misfit: Misfit) -> Self {
        Self::new(misfit.to_string(), "Leave this run and begin the runbook anew on the same target")
    }
}
