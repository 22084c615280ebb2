//! From a change as a step asks for it to one that the gate can make.

use super::actor::Actor;
use super::trouble::Trouble;
use crate::model::plan::Operation;
use crate::runbook::Change;

impl Actor {
    /// The operation that a step's change comes to in this run, made with what the run's questions found out.
    pub(super) fn operation(&self, change: Change) -> Result<Operation, Trouble> {
        let chosen = || {
            let known = change.needs().and_then(|needed| self.value(needed));
            known.ok_or_else(|| {
                let needed = change.needs().map_or("value", crate::runbook::Value::word);
                Trouble::new(
                    format!("{} needs a {needed}, and this run has chosen none", change.word()),
                    "Leave, and begin the runbook anew",
                )
            })
        };
        Ok(match change {
            Change::DisableKey => Operation::DisableKey,
            Change::EnableKey => Operation::EnableKey,
            Change::CancelKeyDeletion => Operation::CancelKeyDeletion,
            Change::ScheduleKeyDeletion { days } => Operation::ScheduleKeyDeletion { days },
            Change::EnableKeyRotation { period_days } => Operation::EnableKeyRotation { period_days },
            Change::RotateKeyOnDemand => Operation::RotateKeyOnDemand,
            Change::RevokeGrant => Operation::RevokeGrant { grant: chosen()? },
            Change::DenyPrincipal => Operation::DenyPrincipal { principal: chosen()? },
            Change::AllowPrincipal => Operation::AllowPrincipal { principal: chosen()? },
            Change::StartDbInstance => Operation::StartDbInstance { instance: chosen()? },
        })
    }
}
