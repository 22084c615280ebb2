//! Looking at a key until it is certain how it stands: KMS is eventually consistent, so one read proves nothing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout_at};

use super::outcome::{Progress, Read, Sight};
use super::{Gate, ProgressTo};
use crate::cloud::{CloudSession, Probe};
use crate::model::operation::UseAfter;
use crate::model::plan::{Operation, Plan};

/// Reads in a row that must agree before a state counts as proved.
pub const AGREEING_READS: u8 = 3;
/// Between one read and the next.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a change is looked for before it counts as not proved. KMS takes seconds, sometimes minutes.
const LOOK_FOR: Duration = Duration::from_secs(45);
/// The same of a rotation on demand: KMS makes new material first.
const LOOK_FOR_ROTATION: Duration = Duration::from_mins(3);
/// What is given on top to reads that still disagree, or are too few to agree.
const LAST_CHANCE: Duration = Duration::from_secs(10);
/// How long one read or probe may take.
pub(super) const ONE_READ: Duration = Duration::from_secs(10);
/// Reads kept for the journal: the newest.
const KEPT: usize = 12;

/// What a look at a key came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub sight: Sight,
    /// Whether the last reads agree on what was wanted, and no use of the key says otherwise.
    pub proved: bool,
}

/// How long an operation is looked for.
pub(super) fn look_for(operation: &Operation) -> Duration {
    if *operation == Operation::RotateKeyOnDemand { LOOK_FOR_ROTATION } else { LOOK_FOR }
}

impl Gate {
    /// Reads once what the plan changes.
    async fn read(&self, plan: &Plan) -> Read {
        let aspect = self.ground(&plan.key, &plan.operation).await.map(|ground| ground.aspect);
        Read { at: self.now(), aspect }
    }

    /// Reads what the plan changes until enough reads in a row agree on what proves its operation and a
    /// dry run does not say otherwise; for `bound`, and a little longer while the reads still disagree.
    /// Reads go by the estate's own session, the dry run by `user`'s, which may use the key.
    pub(super) async fn look(
        &self,
        plan: &Plan,
        bound: Duration,
        user: &CloudSession,
        progress: ProgressTo<'_>,
    ) -> Look {
        let until = Instant::now() + bound;
        let mut sight = Sight { reads: Vec::new(), agreeing: 0, probe: Probe::NotAsked };
        loop {
            let read = self.read(plan).await;
            sight.take(read.clone());
            progress(Progress::Read { read, agreeing: sight.agreeing, needed: AGREEING_READS });
            if sight.proves(plan) {
                sight.probe = probe(user, plan).await;
                progress(Progress::Probed { probe: sight.probe.clone() });
                if agrees(&sight.probe, &plan.operation) {
                    return Look { sight, proved: true };
                }
            }
            let steady = sight.agreeing >= AGREEING_READS || sight.aspect().is_none();
            if Instant::now() >= until && steady || Instant::now() >= until + LAST_CHANCE {
                return Look { sight, proved: false };
            }
            sleep(PAUSE).await;
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.estate.clock.now()
    }
}

async fn probe(user: &CloudSession, plan: &Plan) -> Probe {
    if plan.operation.use_after() == UseAfter::SaysNothing {
        return Probe::NotApplicable { why: "our own use of the key says nothing about it".to_owned() };
    }
    let probing = crate::cloud::probe(user, &plan.key);
    timeout_at(Instant::now() + ONE_READ, probing).await.unwrap_or_else(|_| Probe::NoAnswer {
        call: "the".to_owned(),
        why: format!("no answer within {} s", ONE_READ.as_secs()),
    })
}

impl Sight {
    fn take(&mut self, read: Read) {
        let agrees = match (&read.aspect, self.aspect()) {
            (Ok(now), Some(before)) => now == before,
            _ => false,
        };
        self.agreeing = match (&read.aspect, agrees) {
            (Ok(_), true) => self.agreeing.saturating_add(1),
            (Ok(_), false) => 1,
            (Err(_), _) => 0,
        };
        self.probe = Probe::NotAsked;
        self.reads.push(read);
        if self.reads.len() > KEPT {
            self.reads.remove(0);
        }
    }

    /// Whether enough agreeing reads show what proves the plan's operation.
    fn proves(&self, plan: &Plan) -> bool {
        let proved = |now| plan.operation.is_proved_by(now, &plan.observed);
        self.agreeing >= AGREEING_READS && self.aspect().is_some_and(proved)
    }
}

/// Whether what a use of the key says goes with an operation being done. One that could not be made, or was not
/// permitted, says nothing, and goes with anything.
#[must_use]
pub fn agrees(probe: &Probe, operation: &Operation) -> bool {
    match (probe, operation.use_after()) {
        (Probe::Usable { .. }, after) => after != UseAfter::Refused,
        (Probe::RefusedAsDisabled { .. }, after) => after != UseAfter::Allowed,
        // KMS says so of a key that waits for deletion, and of none that is disabled.
        (Probe::RefusedForState { .. }, after) => {
            after == UseAfter::SaysNothing || matches!(operation, Operation::ScheduleKeyDeletion { .. })
        }
        _ => true,
    }
}
