//! From a change as a step asks for it to one that the gate can make.

use super::actor::Actor;
use super::trouble::Trouble;
use crate::model::plan::Operation;
use crate::runbook::Change;

impl Actor {
    /// The operation that a step's change comes to in this run.
    pub(super) fn operation(&self, change: Change) -> Result<Operation, Trouble> {
        if let Some(needed) = change.needs()
            && self.value(needed).is_none()
        {
            return Err(Trouble::new(
                format!("{} needs a {}, and this run has chosen none", change.word(), needed.word()),
                "Leave, and begin the runbook anew",
            ));
        }
        match change {
            Change::DisableKey => Ok(Operation::DisableKey),
            Change::EnableKey => Ok(Operation::EnableKey),
            Change::CancelKeyDeletion => Ok(Operation::CancelKeyDeletion),
            other => Err(Trouble::new(
                format!("this version's gate cannot make {}", other.word()),
                "Make it by hand, as the printed runbook has it, and write a note; or leave",
            )),
        }
    }
}
