//! Looking at a key until its state is certain: KMS is eventually consistent, so one read proves nothing.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep, timeout_at};

use super::outcome::{Progress, Read, Sight};
use super::{Gate, ProgressTo};
use crate::cloud::{CloudSession, KmsReads, Probe};
use crate::model::key::KeyState;
use crate::model::plan::Plan;

/// Reads in a row that must agree before a state counts as proved.
pub const AGREEING_READS: u8 = 3;
/// Between one read and the next.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a change is looked for before it counts as not proved. KMS takes seconds, sometimes minutes.
pub(super) const LOOK_FOR: Duration = Duration::from_secs(45);
/// What is given on top to reads that still disagree, or are too few to agree.
const LAST_CHANCE: Duration = Duration::from_secs(10);
/// How long one read or probe may take.
const ONE_READ: Duration = Duration::from_secs(10);
/// Reads kept for the journal: the newest.
const KEPT: usize = 12;

/// What a look at a key came to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Look {
    pub sight: Sight,
    /// Whether the last reads agree on the state that was wanted, and no use of the key says otherwise.
    pub proved: bool,
}

impl Gate {
    /// Reads of the Region that a plan's key is in.
    pub(super) fn reads(&self, plan: &Plan) -> KmsReads {
        self.estate.cloud.kms(plan.key.region())
    }

    /// Reads the state once.
    pub(super) async fn read_state(&self, kms: &KmsReads, plan: &Plan) -> Read {
        let reading = kms.describe(plan.key.as_str());
        let state = match timeout_at(Instant::now() + ONE_READ, reading).await {
            Ok(Ok(key)) => Ok(key.state),
            Ok(Err(failure)) => Err(failure.to_string()),
            Err(_) => Err(format!("no answer within {} s", ONE_READ.as_secs())),
        };
        Read { at: self.now(), state }
    }

    /// Reads the state until enough reads in a row agree on the one that proves the plan's operation and a
    /// dry run does not say otherwise; for `bound`, and a little longer while the reads still disagree.
    /// Reads go by the estate's own session, the dry run by `user`'s, which may use the key.
    pub(super) async fn look(
        &self,
        plan: &Plan,
        bound: Duration,
        user: &CloudSession,
        progress: ProgressTo<'_>,
    ) -> Look {
        let kms = self.reads(plan);
        let until = Instant::now() + bound;
        let mut sight = Sight { reads: Vec::new(), agreeing: 0, probe: Probe::NotAsked };
        loop {
            let read = self.read_state(&kms, plan).await;
            sight.take(read.clone());
            progress(Progress::Read { read, agreeing: sight.agreeing, needed: AGREEING_READS });
            if sight.proves(plan) {
                sight.probe = probe(user, plan).await;
                progress(Progress::Probed { probe: sight.probe.clone() });
                if !contradicts(&sight.probe, &plan.operation.proved_by()) {
                    return Look { sight, proved: true };
                }
            }
            let steady = sight.agreeing >= AGREEING_READS || sight.state().is_none();
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
    let probing = crate::cloud::probe(user, &plan.key);
    timeout_at(Instant::now() + ONE_READ, probing).await.unwrap_or_else(|_| Probe::NoAnswer {
        call: "the".to_owned(),
        why: format!("no answer within {} s", ONE_READ.as_secs()),
    })
}

impl Sight {
    fn take(&mut self, read: Read) {
        let agrees = match (&read.state, self.state()) {
            (Ok(now), Some(before)) => now == before,
            _ => false,
        };
        self.agreeing = match (&read.state, agrees) {
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

    /// Whether enough agreeing reads show the state that proves the plan's operation.
    fn proves(&self, plan: &Plan) -> bool {
        self.agreeing >= AGREEING_READS && self.state() == Some(&plan.operation.proved_by())
    }
}

/// Whether a use of the key says that it is not in this state after all.
fn contradicts(probe: &Probe, state: &KeyState) -> bool {
    match probe {
        Probe::Usable { .. } => *state == KeyState::Disabled,
        Probe::RefusedAsDisabled { .. } => *state == KeyState::Enabled,
        Probe::RefusedForState { .. } => true,
        Probe::NotPermitted { .. }
        | Probe::NotApplicable { .. }
        | Probe::NoAnswer { .. }
        | Probe::NotAsked => false,
    }
}
