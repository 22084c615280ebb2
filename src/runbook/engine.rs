//! The engine: a runbook and what the journal records of a run give what is wanted next.
//!
//! A state machine without I/O and without a clock. Replaying a run's entries gives its state, which is how a
//! run that was killed is taken up again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::kind::{StepKind, Value};
use super::record::{Fact, Found, Outcome, RunRecord, RunStarted, StepDone, StepFailed};
use super::{OnFailure, Runbook, Step};
use crate::journal::Entry;
use crate::model::text::Untrusted;

/// A run's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The sequence number of its `run-started` entry.
    pub id: u64,
    pub started: RunStarted,
    pub started_at: Timestamp,
    /// None until the target was found.
    pub found: Option<Found>,
    /// One for each of the runbook's steps.
    pub steps: Vec<StepState>,
    /// Index of the step that the run is at; the number of steps once all are behind it.
    pub current: usize,
    /// When that step began.
    pub entered: Moment,
    /// Whether that step's deadline has passed, as the journal has it.
    pub overdue: bool,
    /// What the run has found out and keeps.
    pub values: BTreeMap<Value, Untrusted>,
    /// What was established, oldest first.
    pub evidence: Vec<Fact>,
    pub left: bool,
    /// The summary, once it is over.
    pub finished: Option<String>,
}

/// Where in the journal, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    pub seq: u64,
    pub at: Timestamp,
}

impl From<&Entry> for Moment {
    fn from(entry: &Entry) -> Self {
        Self { seq: entry.seq, at: entry.at }
    }
}

/// How a step stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepState {
    ToCome,
    Done {
        at: Timestamp,
        outcome: Outcome,
    },
    /// Passed over by a choice.
    PassedOver {
        at: Timestamp,
    },
    Failed {
        at: Timestamp,
        failure: StepFailed,
        /// How often by now.
        times: u32,
    },
}

/// What is wanted next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// The key that the run is aimed at.
    Target,
    /// The step at this index. One that failed before is asked for again.
    Step(usize, &'a Step),
    /// The `run-finished` record: every step is behind the run.
    Finish,
    /// Nothing: it is over.
    Nothing,
}

/// Why a record does not fit the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misfit {
    #[error("the journal has no run that began at entry {0}")]
    NoSuchRun(u64),
    #[error("entry {seq} ({kind}) cannot be read by this version: {why}")]
    Unreadable { seq: u64, kind: String, why: String },
    #[error("the runbook `{runbook}` has changed since the run began; start it anew on the same target")]
    OtherText { runbook: String },
    #[error("a record of step {got} came while the run was at step {at}")]
    OutOfOrder { got: usize, at: usize },
    #[error("a record came that does not fit the run: {0}")]
    OutOfPlace(&'static str),
}

impl Run {
    /// A run that begins with the entry at `moment`.
    ///
    /// # Errors
    /// If `started` is of another runbook, or of another text of it.
    pub fn begin(runbook: &Runbook, moment: Moment, started: RunStarted) -> Result<Self, Misfit> {
        if started.runbook != runbook.id || started.digest != runbook.digest {
            return Err(Misfit::OtherText { runbook: started.runbook });
        }
        Ok(Self {
            id: moment.seq,
            started,
            started_at: moment.at,
            found: None,
            steps: vec![StepState::ToCome; runbook.steps.len()],
            current: 0,
            entered: moment,
            overdue: false,
            values: BTreeMap::new(),
            evidence: Vec::new(),
            left: false,
            finished: None,
        })
    }

    /// The state to which a journal's entries bring run `id`.
    ///
    /// # Errors
    /// If the run is not there, the runbook's text has changed, or an entry does not fit.
    pub fn replay(runbook: &Runbook, id: u64, entries: &[Entry]) -> Result<Self, Misfit> {
        let mut run: Option<Self> = None;
        for entry in entries {
            let Some(record) = RunRecord::of(entry) else { continue };
            let record = record.map_err(|why| Misfit::Unreadable {
                seq: entry.seq,
                kind: entry.kind.clone(),
                why: why.to_string(),
            })?;
            if record.run(entry.seq) != Some(id) {
                continue;
            }
            match (&mut run, record) {
                (None, RunRecord::RunStarted(started)) => {
                    run = Some(Self::begin(runbook, entry.into(), started)?);
                }
                (Some(run), record) => run.apply(runbook, entry.into(), record)?,
                (None, _) => return Err(Misfit::OutOfPlace("it comes before its run began")),
            }
        }
        run.ok_or(Misfit::NoSuchRun(id))
    }

    /// Takes in a record of this run, written at `moment`.
    ///
    /// # Errors
    /// If it does not fit; the run is as it was then.
    pub fn apply(&mut self, runbook: &Runbook, moment: Moment, record: RunRecord) -> Result<(), Misfit> {
        if self.finished.is_some() && !matches!(record, RunRecord::Note(_)) {
            return Err(Misfit::OutOfPlace("the run is over"));
        }
        match record {
            RunRecord::RunStarted(_) => return Err(Misfit::OutOfPlace("the run has begun already")),
            RunRecord::TargetFound(_) if self.found.is_some() => {
                return Err(Misfit::OutOfPlace("the target was found already"));
            }
            RunRecord::TargetFound(target) => {
                self.found = Some(target.found);
                self.entered = moment;
                self.evidence.extend(target.evidence);
            }
            RunRecord::StepDone(done) => self.step_done(runbook, moment, done)?,
            RunRecord::StepFailed(failure) => self.step_failed(moment.at, failure)?,
            RunRecord::StepOverdue(late) => {
                self.at_step(late.step)?;
                if std::mem::replace(&mut self.overdue, true) {
                    return Err(Misfit::OutOfPlace("the step is overdue already"));
                }
                let told = format!("the deadline of `{}` passed", late.title);
                self.evidence.push(Fact::bad(late.deadline, told));
            }
            RunRecord::RunLeft(_) => self.left = true,
            RunRecord::RunResumed(_) => self.left = false,
            RunRecord::RunFinished(end) => {
                if self.found.is_none() || self.current < self.steps.len() {
                    return Err(Misfit::OutOfPlace("steps are still to come"));
                }
                self.finished = Some(end.summary);
            }
            RunRecord::Note(_) => {}
        }
        Ok(())
    }

    /// What is wanted next. A run that was left wants the same as before once it is taken up again.
    #[must_use]
    pub fn next<'a>(&self, runbook: &'a Runbook) -> Next<'a> {
        if self.finished.is_some() {
            return Next::Nothing;
        }
        if self.found.is_none() {
            return Next::Target;
        }
        runbook.steps.get(self.current).map_or(Next::Finish, |step| Next::Step(self.current, step))
    }

    /// The failure that the run waits on.
    #[must_use]
    pub fn failure(&self) -> Option<&StepFailed> {
        match self.steps.get(self.current) {
            Some(StepState::Failed { failure, .. }) => Some(failure),
            _ => None,
        }
    }

    /// When the present step ought to be done.
    #[must_use]
    pub fn deadline(&self, runbook: &Runbook) -> Option<Timestamp> {
        let step = runbook.steps.get(self.current).filter(|_| self.found.is_some())?;
        self.entered.at.checked_add(step.deadline?).ok()
    }

    /// When the present step, which failed, is tried again by itself; and which try that is, of how many.
    /// A change never is, nor a step of which nobody knows whether it happened.
    #[must_use]
    pub fn next_try(&self, runbook: &Runbook) -> Option<(Timestamp, u32, u32)> {
        let Some(StepState::Failed { at, failure, times }) = self.steps.get(self.current) else {
            return None;
        };
        let step = runbook.steps.get(self.current)?;
        let retry = step.retry.filter(|retry| *times <= retry.times && !failure.unknown)?;
        Some((at.checked_add(retry.after).ok()?, *times, retry.times))
    }

    /// Where the present step, which failed, may be gone on from: None while it may not.
    #[must_use]
    pub fn way_on(&self, runbook: &Runbook) -> Option<usize> {
        let step = runbook.steps.get(self.current)?;
        match (step.on_failure, self.failure()) {
            (OnFailure::GoOn(then) | OnFailure::Ask(then), Some(failure)) if !failure.unknown => {
                Some(runbook.index_after(self.current, then))
            }
            _ => None,
        }
    }

    fn at_step(&self, step: usize) -> Result<(), Misfit> {
        if self.found.is_none() {
            return Err(Misfit::OutOfPlace("the target was not found yet"));
        }
        if step == self.current && step < self.steps.len() {
            Ok(())
        } else {
            Err(Misfit::OutOfOrder { got: step, at: self.current })
        }
    }

    fn step_failed(&mut self, at: Timestamp, failure: StepFailed) -> Result<(), Misfit> {
        self.at_step(failure.step)?;
        self.evidence.extend(failure.evidence.iter().cloned());
        self.evidence.push(Fact::bad(at, failure.reason.clone()));
        let state = &mut self.steps[self.current];
        let before = if let StepState::Failed { times, .. } = state { *times } else { 0 };
        *state = StepState::Failed { at, failure, times: before.saturating_add(1) };
        Ok(())
    }

    fn step_done(&mut self, runbook: &Runbook, moment: Moment, done: StepDone) -> Result<(), Misfit> {
        self.at_step(done.step)?;
        let Some(step) = runbook.steps.get(done.step) else {
            return Err(Misfit::OutOfOrder { got: done.step, at: self.current });
        };
        let to = self.leads_to(runbook, step, &done)?;
        self.evidence.extend(done.evidence);
        self.values.extend(done.learned);
        self.steps[self.current] = StepState::Done { at: moment.at, outcome: done.outcome };
        self.go_to(to, moment);
        Ok(())
    }

    /// Moves to a step: what lies between is passed over on the way forward, and is to come again on the way back.
    fn go_to(&mut self, to: usize, moment: Moment) {
        if to > self.current {
            for passed in &mut self.steps[self.current + 1..to] {
                *passed = StepState::PassedOver { at: moment.at };
            }
        } else {
            self.steps[to..].fill(StepState::ToCome);
        }
        self.current = to;
        self.entered = moment;
        self.overdue = false;
    }

    /// The index to which an outcome of the current step leads.
    fn leads_to(&self, runbook: &Runbook, step: &Step, done: &StepDone) -> Result<usize, Misfit> {
        let on = runbook.index_after(self.current, step.then);
        if done.learned.keys().any(|value| step.kind.learns() != Some(*value)) {
            return Err(Misfit::OutOfPlace("this step does not find that out"));
        }
        match (&step.kind, &done.outcome) {
            (_, Outcome::Skipped { .. }) => Ok(on),
            (_, Outcome::WentOn { .. }) => {
                self.way_on(runbook).ok_or(Misfit::OutOfPlace("this step is not to be gone on from"))
            }
            (StepKind::Choose { options, .. }, Outcome::Chose { option }) => {
                let chosen = options.iter().find(|o| o.text == *option);
                let chosen = chosen.ok_or(Misfit::OutOfPlace("no such option"))?;
                Ok(runbook.index_after(self.current, chosen.then))
            }
            (StepKind::Choose { .. }, _) => Err(Misfit::OutOfPlace("this step takes a choice")),
            (_, Outcome::Chose { .. }) => Err(Misfit::OutOfPlace("this step takes no choice")),
            (StepKind::Ask { value, .. }, Outcome::Answered) if done.learned.contains_key(value) => Ok(on),
            (StepKind::Ask { .. }, _) => Err(Misfit::OutOfPlace("this step takes a value")),
            (_, Outcome::Answered) => Err(Misfit::OutOfPlace("this step takes no value")),
            (StepKind::Approval { people, .. }, Outcome::Approved { by, .. })
                if by.len() >= usize::from(*people) =>
            {
                Ok(on)
            }
            (StepKind::Approval { .. }, _) => {
                Err(Misfit::OutOfPlace("this step takes the names of those who agreed"))
            }
            (_, Outcome::Approved { .. }) => Err(Misfit::OutOfPlace("this step takes no names")),
            _ => Ok(on),
        }
    }
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
