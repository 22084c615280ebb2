//! What the operator asks for, taken or refused with a reason.

use std::sync::Arc;

use super::actor::{Actor, Leaving};
use super::run::Live;
use super::standing::{last_change, started};
use super::view::{Ask, Waiting};
use crate::model::plan::Operation;
use crate::model::text::{Untrusted, visible};
use crate::runbook::{
    Aim, Attests, Next, Outcome, Run, RunRecord, RunResumed, RunStarted, Runbook, StepKind, TargetFound,
};

impl Actor {
    pub(super) async fn take(&mut self, ask: Ask) {
        let taken = match ask {
            Ask::Start { runbook, target, reason } => self.start(&runbook, target.into(), reason).await,
            Ask::Proceed => self.proceed().await,
            Ask::Attest { note } => self.attest(note).await,
            Ask::Choose { option } => self.choose(&option).await,
            Ask::Answer { value } => self.take_value(value).await,
            Ask::Approved { by, note } => self.take_approval(by, note).await,
            Ask::GoOn => self.go_on_without().await,
            Ask::Confirm { typed } => self.confirm(&typed).await,
            Ask::MfaCode { code } => self.take_code(code).await,
            Ask::Leave => self.leave_asked(),
            Ask::Resume { run } => self.resume(run).await,
            Ask::Undo => self.undo().await,
            Ask::Note { text } => {
                self.note(text);
                Ok(())
            }
            Ask::SettleOwed => self.settle_owed().await,
        };
        if let Err(reason) = taken {
            self.refuse(reason);
        }
    }

    async fn start(&mut self, runbook: &str, aim: Aim, reason: Untrusted) -> Result<(), String> {
        self.refuse_while_under_way()?;
        if reason.raw().trim().is_empty() {
            return Err(
                "a run needs a reason: it goes into the plan, the audit row and the message".to_owned()
            );
        }
        let runbook = self.library.get(runbook).cloned().ok_or_else(|| {
            let known: Vec<_> = self.library.iter().map(|runbook| runbook.id.clone()).collect();
            format!("there is no runbook `{}`: there are {}", visible(runbook), known.join(", "))
        })?;
        // Refused before anything is written, where the target cannot be found. What KMS has not been asked
        // about yet, it is asked in the run.
        let inventory = self.inventory();
        if super::target::unasked(&aim, &inventory).is_empty() {
            let asked = super::target::Asked::new();
            super::target::resolve(&aim, &inventory, &asked, runbook.takes_lost_keys, self.now())?;
        }
        self.begin(runbook, aim, reason).await
    }

    pub(super) async fn begin(
        &mut self,
        runbook: Arc<Runbook>,
        aim: Aim,
        reason: Untrusted,
    ) -> Result<(), String> {
        let started = RunStarted {
            runbook: runbook.id.clone(),
            title: runbook.title.clone(),
            digest: runbook.digest.clone(),
            aim,
            reason,
            requester: self.estate.identity.known().map(|identity| identity.arn.clone()),
        };
        self.live = None;
        self.record(RunRecord::RunStarted(started.clone()))
            .map_err(|t| format!("{}. {}", t.reason, t.next))?;
        let entry = self.entries().pop().ok_or("the journal lost the run's first entry")?;
        let run = Run::begin(&runbook, (&entry).into(), started).map_err(|misfit| misfit.to_string())?;
        self.live = Some(Live::new(runbook, run));
        self.advance().await;
        Ok(())
    }

    fn refuse_while_under_way(&self) -> Result<(), String> {
        match &self.live {
            Some(live) if live.under_way() => {
                Err(format!("the run `{}` is under way: finish it or leave it first", live.runbook.title))
            }
            _ => Ok(()),
        }
    }

    async fn proceed(&mut self) -> Result<(), String> {
        let live = self.under_way()?;
        let waits = matches!(live.run.next(&live.runbook), Next::Step(_, step) if matches!(step.kind, StepKind::Wait { .. }));
        match &live.waiting {
            Waiting::Time { .. } if waits => self.answer(Outcome::CutShort).await,
            Waiting::Failed { .. } | Waiting::Proceed { .. } | Waiting::Time { .. } => {
                live.fresh.clear();
                live.try_now = true;
                self.advance().await;
                Ok(())
            }
            Waiting::Confirmation { preview, .. } => {
                Err(format!("Enter alone never fires anything. Type `{}`", preview.must_type))
            }
            other => Err(not_asked_for(other)),
        }
    }

    async fn attest(&mut self, note: String) -> Result<(), String> {
        let live = self.under_way()?;
        let Next::Step(_, step) = live.run.next(&live.runbook) else {
            return Err(not_asked_for(&live.waiting));
        };
        if note.trim().is_empty() && live.waiting == Waiting::Attestation {
            return Err("an attestation needs a note: write how you know".to_owned());
        }
        let note = Untrusted::from(note);
        let outcome = match (&live.waiting, &step.kind) {
            (Waiting::Attestation, StepKind::Manual { attests: Attests::Done }) => Outcome::Attested { note },
            (Waiting::Attestation, StepKind::Manual { attests: Attests::ClientsRestarted }) => {
                Outcome::ClientsRestarted { note }
            }
            (other, _) => return Err(not_asked_for(other)),
        };
        self.answer(outcome).await?;
        self.tell_standing();
        Ok(())
    }

    async fn choose(&mut self, option: &str) -> Result<(), String> {
        let live = self.under_way()?;
        let Waiting::Choice { options, .. } = &live.waiting else { return Err(not_asked_for(&live.waiting)) };
        if !options.iter().any(|o| o == option) {
            return Err(format!("`{}` is none of the options: {}", visible(option), options.join(" · ")));
        }
        if let Some(taken) = self.take_offer(option).await {
            return taken;
        }
        let live = self.under_way()?;
        let Some(chosen) = live.candidates.iter().find(|candidate| candidate.option == option).cloned()
        else {
            return self.answer(Outcome::Chose { option: option.to_owned() }).await;
        };
        let run = live.run.id;
        live.candidates.clear();
        let found = TargetFound { run, found: chosen.found, evidence: chosen.evidence };
        self.record(RunRecord::TargetFound(found)).map_err(|t| format!("{}. {}", t.reason, t.next))?;
        self.advance().await;
        Ok(())
    }

    /// Records what became of the current step, and goes on.
    pub(super) async fn answer(&mut self, outcome: Outcome) -> Result<(), String> {
        self.done(outcome).map_err(|trouble| format!("{}. {}", trouble.reason, trouble.next))?;
        self.advance().await;
        Ok(())
    }

    fn leave_asked(&mut self) -> Result<(), String> {
        self.under_way()?;
        self.leave("left by the operator");
        Ok(())
    }

    async fn resume(&mut self, run: u64) -> Result<(), String> {
        self.refuse_while_under_way()?;
        let entries = self.entries();
        let started = started(&entries, run).ok_or_else(|| {
            format!(
                "entry {run} of the journal begins no run: the Timeline shows those that do (run-started)"
            )
        })?;
        let runbook = self.library.get(&started.runbook).cloned().ok_or_else(|| {
            format!(
                "the runbook `{}` is not here any more: take another one on the same target",
                visible(&started.runbook)
            )
        })?;
        let replayed = Run::replay(&runbook, run, &entries).map_err(|misfit| misfit.to_string())?;
        if replayed.finished.is_some() {
            return Err(format!("the run that began at entry {run} is over: there is nothing to go on with"));
        }
        self.live = Some(Live::new(runbook, replayed));
        self.record(RunRecord::RunResumed(RunResumed { run }))
            .map_err(|t| format!("{}. {}", t.reason, t.next))?;
        self.advance().await;
        Ok(())
    }

    async fn undo(&mut self) -> Result<(), String> {
        let (change, started) = last_change(&self.entries())
            .ok_or("nothing was changed in this incident that could be taken back")?;
        let runbook = self.undo_runbook(&change.plan.operation, &started)?;
        if let Some(live) = &self.live
            && live.under_way()
        {
            let reason = format!("left to undo {}", change.plan.operation);
            self.leave(&reason);
        }
        let reason = Untrusted::new(format!("undo of {}: {}", started.runbook, started.reason.raw()));
        self.begin(runbook, Aim::Key { key: change.plan.key }, reason).await
    }

    /// The runbook that takes back a change made by the run that `started`.
    pub(super) fn undo_runbook(
        &self,
        operation: &Operation,
        started: &RunStarted,
    ) -> Result<Arc<Runbook>, String> {
        let Some(undo) = operation.undo() else { return Err(format!("nothing takes {operation} back")) };
        let named = self.library.get(&started.runbook).and_then(|runbook| runbook.undone_by.clone());
        named
            .and_then(|id| self.library.get(&id).cloned())
            .filter(|runbook| runbook.changes().any(|change| change.makes(&undo)))
            .ok_or_else(|| {
                format!(
                    "the runbook `{}` names none that would {undo}: begin one yourself on the same key",
                    visible(&started.runbook)
                )
            })
    }

    async fn settle_owed(&mut self) -> Result<(), String> {
        if let Some(live) = &self.live
            && live.under_way()
            && matches!(live.waiting, Waiting::Program(_))
        {
            return Err("the program is at work: ask again once it waits".to_owned());
        }
        let waiting = self.live.as_ref().map(|live| live.waiting.clone());
        let sent = self.send_owed("telling those who have not been told", Leaving::NotNow).await;
        if let Some(waiting) = waiting {
            self.wait_for(waiting);
        }
        self.tell_standing();
        sent.map(|_| ()).map_err(|_| "left before everybody was told".to_owned())
    }

    pub(super) fn under_way(&mut self) -> Result<&mut Live, String> {
        let why = match &self.live {
            Some(live) if live.run.left => {
                format!("the run was left: resume it (run {}) or begin another", live.run.id)
            }
            Some(_) => "the run is over: begin another".to_owned(),
            None => "no run is under way: begin a runbook first".to_owned(),
        };
        self.live.as_mut().filter(|live| live.under_way()).ok_or(why)
    }
}

impl Actor {
    /// What an undo would do now, where this run's last change can be taken back.
    pub(super) fn undo_of_this_run(&self) -> Option<Operation> {
        let live = self.live.as_ref()?;
        let (change, started) = last_change(&self.entries())?;
        let ours = live.run.found.as_ref().is_some_and(|found| found.key == change.plan.key)
            && started == live.run.started;
        (ours && self.undo_runbook(&change.plan.operation, &started).is_ok())
            .then(|| change.plan.operation.undo())
            .flatten()
    }
}

pub(super) fn not_asked_for(waiting: &Waiting) -> String {
    let now = match waiting {
        Waiting::Program(what) => return format!("the program is at work: {what}"),
        Waiting::Proceed { .. } => "the run waits for you to go on",
        Waiting::Attestation => "the run waits for you to attest a manual step",
        Waiting::Time { what, .. } => return format!("the run waits until {what}"),
        Waiting::Choice { .. } => "the run waits for a choice",
        Waiting::Value { .. } => "the run waits for a value: pick one, or type it",
        Waiting::Approval { .. } => "the run waits for the names of those who agreed",
        Waiting::Confirmation { .. } => "the run waits for the typed confirmation",
        Waiting::MfaCode { .. } => "the run waits for a code of your MFA device",
        Waiting::Failed { .. } => "the step failed: go on to try again, or leave",
        Waiting::Finished { .. } => "the run is over",
        Waiting::Left => "the run was left",
    };
    now.to_owned()
}
