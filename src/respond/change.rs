//! A `change` step: looked for in the journal, planned on a fresh read, confirmed, and driven through the gate.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;

use super::actor::{Actor, Leaving};
use super::planning;
use super::run::Pending;
use super::standing::run_of;
use super::trouble::{Stop, Trouble};
use super::view::Waiting;
use crate::cloud::MfaCode;
use crate::gate::{
    self, Confirmed, Ground, Owed, Probe, Progress, Refusal, Settlement, UnfinishedChange, Verdict,
};
use crate::model::arn::KeyArn;
use crate::model::duty::Duty;
use crate::model::key::KmsKey;
use crate::model::plan::Operation;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::runbook::{Found, Next, Outcome, StepKind};
use crate::trail::{self, KeyUse};

/// How long a preview waits to be told who used the key, where no trail is followed.
const USE_READING: Duration = Duration::from_secs(8);
/// What a failed change can be followed by.
const PLAN_AGAIN: &str =
    "Nothing is sent again by itself. Try again to read the key anew and see a new plan, or leave";

impl Actor {
    /// Whether this step's change was made before: in a process that was killed, or under an answer that
    /// never came. Whatever of this key is not settled is settled first, by looking.
    pub(super) async fn made_before(&mut self, found: &Found, operation: &Operation) -> Result<bool, Stop> {
        let unsettled = gate::unfinished(&self.entries()).into_iter();
        for change in unsettled.filter(|change| change.plan.key == found.key).collect::<Vec<_>>() {
            self.settle(change).await?;
        }
        let Some((run, since)) = self.live.as_ref().map(|live| (live.run.id, live.run.entered.seq)) else {
            return Ok(false);
        };
        let entries = self.entries();
        let made = gate::proved(&entries).into_iter().rev().find(|change| {
            change.intent > since
                && change.plan.key == found.key
                && change.plan.operation == *operation
                && run_of(&entries, change.intent) == Some(run)
        });
        if let Some(change) = &made {
            let what = format!(
                "{operation} was made before (intent: entry {}), and {} agreeing reads prove it",
                change.intent, change.agreeing_reads
            );
            self.fact(true, what);
        }
        Ok(made.is_some())
    }

    /// Looks what became of an unfinished change. Nothing is sent.
    async fn settle(&mut self, change: UnfinishedChange) -> Result<(), Stop> {
        let gate = Arc::clone(&self.gate);
        let (tell, progress) = mpsc::unbounded_channel();
        let intent = change.intent;
        let what = format!("looking what became of {} (entry {intent})", change.plan.operation);
        let work = async move {
            let tell = |step: Progress| drop(tell.send(step));
            gate.settle(&change, &tell).await
        };
        let settled = self.attend_telling(&what, Leaving::NotNow, progress, work.boxed()).await?;
        let settled = settled.map_err(Trouble::from)?;
        self.sights.insert(intent, settled.to_string());
        self.tell_standing();
        match settled.settlement {
            Settlement::Happened => self.fact(true, format!("entry {intent}: {settled}")),
            Settlement::DoesNotStand => self.fact(false, format!("entry {intent}: {settled}")),
            Settlement::CannotBeTold => {
                return Err(Trouble::unknown(format!("entry {intent}: {settled}")).into());
            }
        }
        Ok(())
    }

    /// Makes a plan on a fresh read, and shows it.
    pub(super) async fn propose(&mut self, found: &Found, operation: Operation) -> Result<(), Stop> {
        let used = self.who_used(&found.key).await?;
        let key = self.read_key(&found.key, "reading the key for a plan").await?;
        planning::possible(&self.estate, &operation, &key)?;
        let ground = self.ground(&key, &operation).await?;
        planning::sensible(&self.estate, &self.incident, &operation, &key, &ground)?;
        let (now, inventory) = (self.now(), self.inventory());
        let Some(live) = &self.live else { return Ok(()) };
        let plan =
            planning::plan(&self.estate, &self.incident, &live.run, found, operation, &key, &ground, now);
        let keepers = ground.keepers(&plan.operation, &plan.key, &self.incident, &self.estate);
        let changes = gate::proved(&self.entries());
        let last = changes.iter().rev().find(|change| change.plan.key == found.key);
        let dropped = last.filter(|change| change.plan.operation == Operation::DisableKey);
        let mut preview = planning::preview(plan, &inventory, &self.estate, dropped, used, now)?;
        preview.change.extend(planning::kept_by(&keepers));
        Err(Stop::Waits(Waiting::Confirmation { preview: Box::new(preview), wrong: None }))
    }

    /// Reads what an operation changes, beside the state that was just read.
    async fn ground(&mut self, key: &KmsKey, operation: &Operation) -> Result<Ground, Stop> {
        if operation.changes_state() {
            return Ok(Ground::of_state(key.state.clone()));
        }
        let gate = Arc::clone(&self.gate);
        let reading = gate.ground(&key.arn, operation);
        let read = self.attend("reading what the change is about", Leaving::Allowed, reading.boxed()).await?;
        read.map_err(|why| {
            Trouble::new(
                format!("what {operation} is about could not be read: {why}"),
                "Nothing was changed. See to that, then try again, or leave",
            )
            .into()
        })
    }

    /// Who used the key of late: from the trail that is followed, as far as it reaches by now; where none is,
    /// CloudTrail is asked about the key, for some seconds. Nothing of it decides whether a plan can be made.
    async fn who_used(&mut self, key: &KeyArn) -> Result<KeyUse, Stop> {
        if let Some(trail) = &self.trail {
            let view = Arc::clone(&trail.borrow());
            return Ok(trail::key_use(key, Some(&view), None, self.now()));
        }
        let (estate, asked) = (Arc::clone(&self.estate), key.clone());
        let reading = async move {
            let reading = trail::read_key_trail(&estate, &asked, trail::in_a_hurry());
            match tokio::time::timeout(USE_READING, reading).await {
                Ok(answer) => Seen::from(answer.map(Arc::new)),
                Err(_) => Seen::NotVisible(NotVisible::new(
                    Cause::TimedOut,
                    format!("CloudTrail gave no answer within {} s", USE_READING.as_secs()),
                )),
            }
        };
        let answer = self.attend("reading who used the key", Leaving::Allowed, reading.boxed()).await?;
        Ok(trail::key_use(key, None, Some(&answer), self.now()))
    }

    /// Takes the typed confirmation.
    pub(super) async fn confirm(&mut self, typed: &str) -> Result<(), String> {
        let now = self.now();
        let live = self.under_way()?;
        let Waiting::Confirmation { preview, .. } = &live.waiting else {
            return Err("no plan waits to be confirmed".to_owned());
        };
        let confirmed = match preview.confirm(typed, now) {
            Ok(confirmed) => confirmed,
            Err(no @ (gate::NotConfirmed::Nothing { .. } | gate::NotConfirmed::Wrong { .. })) => {
                let preview = preview.clone();
                self.wait_for(Waiting::Confirmation { preview, wrong: Some(no.to_string()) });
                return Ok(());
            }
            Err(no) => {
                self.stop(Trouble::new(no.to_string(), PLAN_AGAIN).into());
                return Ok(());
            }
        };
        match self.gate.device_for(confirmed.plan()) {
            Ok(Some(device)) => {
                let waiting = self.code_wanted(Pending { confirmed, device, tried: false }, None);
                self.wait_for(waiting);
            }
            Ok(None) => self.go_on(confirmed, None).await,
            Err(why) => self.stop(Trouble::new(why, PLAN_AGAIN).into()),
        }
        Ok(())
    }

    /// Keeps a confirmed change until the code for its role is there, and says so.
    fn code_wanted(&mut self, pending: Pending, wrong: Option<String>) -> Waiting {
        let duty = Duty::of(&pending.confirmed.plan().operation);
        let waiting = Waiting::MfaCode { device: pending.device.clone(), duty, wrong };
        if let Some(live) = &mut self.live {
            live.pending = Some(pending);
        }
        waiting
    }

    /// Takes the code that the operator's device shows.
    pub(super) async fn take_code(&mut self, code: MfaCode) -> Result<(), String> {
        let live = self.under_way()?;
        let pending = match (&live.waiting, &live.pending) {
            (Waiting::MfaCode { .. }, Some(pending)) => pending.clone(),
            _ => return Err("no change waits for an MFA code".to_owned()),
        };
        self.go_on(pending.confirmed, Some(code)).await;
        Ok(())
    }

    async fn go_on(&mut self, confirmed: Confirmed, code: Option<MfaCode>) {
        match self.carry_out(confirmed, code).await {
            Ok(()) => self.advance().await,
            Err(stop) => self.stop(stop),
        }
    }

    /// The change whose code was refused, the first time: it may be tried with another one.
    fn may_try_another_code(&mut self, verdict: &Verdict) -> Option<(Pending, String)> {
        let Verdict::Refused(Refusal::NotAssumed { why, another_code: true }) = verdict else { return None };
        let pending = self.live.as_mut()?.pending.take().filter(|pending| !pending.tried)?;
        Some((Pending { tried: true, ..pending }, why.clone()))
    }

    /// Has the gate carry out a confirmed plan, and records the step once it is proved.
    async fn carry_out(&mut self, confirmed: Confirmed, code: Option<MfaCode>) -> Result<(), Stop> {
        let approved = confirmed.approve(&[], self.now()).map_err(|no| {
            Trouble::new(no.to_string(), "Nothing was sent. See to that, then try again, or leave")
        })?;
        let gate = Arc::clone(&self.gate);
        let (tell, progress) = mpsc::unbounded_channel();
        let what = format!("carrying out {}", approved.plan().operation);
        let work = async move {
            let tell = |step: Progress| drop(tell.send(step));
            gate.execute(approved, code, &tell).await
        };
        let outcome = self.attend_telling(&what, Leaving::NotNow, progress, work.boxed()).await?;
        let told = outcome.to_string();
        if let Some(trouble) = &outcome.journal_trouble {
            self.fact(false, format!("THE JOURNAL IS INCOMPLETE: {trouble}"));
        }
        if let (Some(intent), Some(sight)) = (outcome.intent, &outcome.sight) {
            self.sights.insert(intent, sight.to_string());
        }
        self.tell_standing();
        if let Some((pending, wrong)) = self.may_try_another_code(&outcome.verdict) {
            self.fact(false, told);
            return Err(Stop::Waits(self.code_wanted(pending, Some(wrong))));
        }
        match outcome.verdict {
            Verdict::Verified => {
                self.fact(true, told);
                Ok(self.done(Outcome::Done)?)
            }
            Verdict::NotVerified { .. } | Verdict::Unknown { .. } => Err(Trouble::unknown(told).into()),
            Verdict::Failed { .. } | Verdict::Refused(_) => Err(Trouble::new(told, PLAN_AGAIN).into()),
        }
    }

    /// Sends again what is owed; gives what is owed after that.
    pub(super) async fn send_owed(&mut self, what: &str, leaving: Leaving) -> Result<Vec<Owed>, Stop> {
        let gate = Arc::clone(&self.gate);
        let (tell, progress) = mpsc::unbounded_channel();
        let work = async move {
            let tell = |step: Progress| drop(tell.send(step));
            gate.settle_owed(&tell).await
        };
        self.attend_telling(what, leaving, progress, work.boxed()).await
    }

    /// The change that the run is at.
    pub(super) fn changing(&self) -> Option<Operation> {
        let live = self.live.as_ref()?;
        match live.run.next(&live.runbook) {
            Next::Step(_, step) => match step.kind {
                StepKind::Change(change) => self.operation(change).ok(),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether a step of an execution is evidence, and for or against.
pub(super) fn weight(step: &Progress, changing: Option<&Operation>) -> Option<bool> {
    match step {
        Progress::Intended { .. } | Progress::Calling { .. } | Progress::Telling { .. } => None,
        Progress::GroundConfirmed { .. }
        | Progress::Assumed { .. }
        | Progress::Accepted
        | Progress::Proved { .. }
        | Progress::Told { .. } => Some(true),
        Progress::Read { read, .. } => Some(read.aspect.is_ok()),
        Progress::Probed { probe } if !matches!(probe, Probe::NoAnswer { .. } | Probe::NotAsked) => {
            Some(changing.is_none_or(|operation| gate::agrees(probe, operation)))
        }
        Progress::Probed { .. }
        | Progress::Refused { .. }
        | Progress::NoAnswer { .. }
        | Progress::Owed { .. }
        | Progress::JournalFailed { .. } => Some(false),
    }
}
