//! The steps that the program does by itself, and those that it asks a person for.

use super::actor::{Actor, Leaving};
use super::key_policy::{Administrable, administrable};
use super::trouble::{Stop, Trouble};
use super::view::Waiting;
use super::{show, target};
use crate::gate::{self, Channel, Owed};
use crate::model::age::short;
use crate::model::arn::KeyPath;
use crate::model::duty::Duty;
use crate::model::key::{KeyState, KmsKey};
use crate::model::pair::Inventory;
use crate::model::seen::Seen;
use crate::model::source::{Source, SourceHealth};
use crate::model::text::visible;
use crate::runbook::{Aim, Found, Outcome, RunFinished, RunRecord, Step, StepKind, TargetFound};
use crate::settings::Mfa;
use futures_util::FutureExt as _;
use jiff::SignedDuration;

/// How long a run waits for SQL catalogs that are from disk to be read again.
const CATALOG_IS_WAITED_FOR: std::time::Duration = std::time::Duration::from_secs(30);
/// Between the reads of a `verify` step: time for KMS's servers to tell one another.
const BETWEEN_READS: std::time::Duration = std::time::Duration::from_millis(400);

impl Actor {
    /// Finds the key, or asks which of two.
    pub(super) async fn find_target(&mut self) -> Result<(), Stop> {
        let Some(aim) = self.live.as_ref().map(|live| live.run.started.aim.clone()) else { return Ok(()) };
        self.wait_for_catalogs(&aim).await?;
        let inventory = self.inventory();
        let asked = self.ask_for(target::unasked(&aim, &inventory)).await?;
        let now = self.now();
        let Some(live) = &mut self.live else { return Ok(()) };
        let lost = live.runbook.takes_lost_keys;
        let mut candidates = target::resolve(&aim, &inventory, &asked, lost, now).map_err(|reason| {
            Trouble::new(reason, "Try again once it can be found, or leave and name another target")
        })?;
        if candidates.len() > 1 {
            let options = candidates.iter().map(|candidate| candidate.option.clone()).collect();
            live.candidates = candidates;
            return Err(Stop::Waits(Waiting::Choice {
                question: "This column key is in mid-rotation: two KMS keys wrap it, and either opens it. A change to one leaves the other as it is. Which one?".to_owned(),
                options,
            }));
        }
        let run = live.run.id;
        let Some(only) = candidates.pop() else { return Ok(()) };
        let found = TargetFound { run, found: only.found, evidence: only.evidence };
        Ok(self.record(RunRecord::TargetFound(found))?)
    }

    /// A column key is not looked up in a catalog from an earlier run while the true one is being read. Where
    /// it cannot be read, the run goes on with what there is, and says how old it is.
    async fn wait_for_catalogs(&mut self, aim: &Aim) -> Result<(), Stop> {
        if !matches!(aim, Aim::ColumnKey { .. }) || !is_kept(&self.inventory()) {
            return Ok(());
        }
        let mut inventories = self.inventory.clone();
        let read = async move {
            let read = inventories.wait_for(|inventory| !is_kept(inventory));
            // Late, or never: what there is will have to do.
            let _ = tokio::time::timeout(CATALOG_IS_WAITED_FOR, read).await.map(drop);
        };
        self.attend("reading the SQL catalogs: those on screen are from disk", Leaving::Allowed, read.boxed())
            .await
    }

    /// Asks KMS about key paths that the inventory has not asked about yet.
    async fn ask_for(&mut self, paths: Vec<String>) -> Result<target::Asked, Stop> {
        let mut asked = target::Asked::new();
        for path in paths {
            let region = match KeyPath::read(&path) {
                KeyPath::Key(arn) => arn.region().to_owned(),
                KeyPath::Alias(alias) => alias.region().to_owned(),
                KeyPath::Other(_) => continue,
            };
            let kms = self.kms(&region);
            let answer = self
                .attend("asking KMS about the key", Leaving::Allowed, kms.describe(&path).boxed())
                .await?;
            asked.insert(path, answer);
        }
        Ok(asked)
    }

    /// Does the current step, or says what it waits for.
    pub(super) async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        let Some(found) = self.live.as_ref().and_then(|live| live.run.found.clone()) else { return Ok(()) };
        self.wait_for_next_try()?;
        if let StepKind::Change(change) = step.kind
            && let Ok(operation) = self.operation(change)
            && self.made_before(&found, &operation).await?
        {
            return Ok(self.done(Outcome::Done)?);
        }
        if let Some(skipped) = self.precondition(step, &found).await? {
            return Ok(self.done(skipped)?);
        }
        match &step.kind {
            StepKind::Manual { .. } => Err(Stop::Waits(Waiting::Attestation)),
            StepKind::Choose { question, options } => Err(Stop::Waits(Waiting::Choice {
                question: question.clone(),
                options: options.iter().map(|option| option.text.clone()).collect(),
            })),
            StepKind::Ask { value, question } => self.ask_for_value(&found, *value, question).await,
            StepKind::Approval { by, people } => {
                Err(Stop::Waits(Waiting::Approval { by: by.clone(), people: *people, wrong: None }))
            }
            StepKind::AssumeRole { duty } => self.see_role(*duty),
            StepKind::Wait { time } => self.wait(*time),
            StepKind::Check(check) => self.check(&found, check).await,
            StepKind::Verify(verify) => self.verify(&found, verify).await,
            StepKind::Change(change) => {
                let operation = self.operation(*change)?;
                self.propose(&found, operation).await
            }
            StepKind::Notify => self.notify().await,
            StepKind::Audit => self.audit().await,
        }
    }

    /// A step that failed and is tried again by itself waits for its time, unless a person wants it at once.
    fn wait_for_next_try(&mut self) -> Result<(), Stop> {
        let now = self.now();
        let Some(live) = &mut self.live else { return Ok(()) };
        let at_once = std::mem::take(&mut live.try_now);
        let Some((until, nth, of)) = live.run.next_try(&live.runbook) else { return Ok(()) };
        if at_once || until <= now {
            return Ok(());
        }
        let reason = live.run.failure().map(|failure| failure.reason.clone()).unwrap_or_default();
        Err(Stop::Waits(Waiting::Time {
            until,
            what: format!("it is tried again ({nth} of {of}): {reason}"),
        }))
    }

    /// The outcome of a step that is not for the key as it is.
    async fn precondition(&mut self, step: &Step, found: &Found) -> Result<Option<Outcome>, Stop> {
        if let Some(states) = &step.only_if_state {
            let key = self.read_key(&found.key, "reading the key's state").await?;
            if !states.contains(&key.state) {
                let reason = format!("only while the key is {}; it is {}", words(states), key.state);
                self.fact(true, format!("skipped: {reason}"));
                return Ok(Some(Outcome::Skipped { reason }));
            }
        }
        for only in &step.only_if {
            if self.holds(found, only.circumstance).await? == Some(!only.holds) {
                let told = only.circumstance.told();
                let reason = if only.holds { format!("not so: {told}") } else { told.to_owned() };
                self.fact(true, format!("skipped: {reason}"));
                return Ok(Some(Outcome::Skipped { reason }));
            }
        }
        Ok(None)
    }

    fn wait(&mut self, time: SignedDuration) -> Result<(), Stop> {
        let now = self.now();
        let Some(live) = &self.live else { return Ok(()) };
        let until = live.run.entered.at + time;
        if now >= until {
            return Ok(self.done(Outcome::Done)?);
        }
        Err(Stop::Waits(Waiting::Time { until, what: "the run goes on".to_owned() }))
    }

    /// Says in which role a change of this duty is made, so that what is missing is known before it is needed.
    ///
    /// No role is assumed here: a session is for one change, and a code of an MFA device works once.
    fn see_role(&mut self, duty: Duty) -> Result<(), Stop> {
        let roles = &self.estate.environment.roles;
        let told = match (roles.role(duty), &roles.mfa) {
            (None, _) => Err(format!(
                "settings name no role for {duty}: changes are made with the credentials at hand, with all that they may do"
            )),
            (Some(role), Mfa::Device(device)) => {
                Ok(format!("{duty} is {}, with a code of {}", visible(role), visible(device)))
            }
            (Some(role), Mfa::Session) => {
                Ok(format!("{duty} is {}, by the MFA of the session at hand", visible(role)))
            }
            (Some(role), Mfa::Ask) => Err(format!(
                "{duty} is {}, and no MFA device was named at the start: it will be refused where it asks for MFA",
                visible(role)
            )),
        };
        if let (Ok(_), Seen::NotVisible(why)) = (&told, &self.estate.identity) {
            return Err(Trouble::new(
                format!(
                    "a role's session has to bear your name, and who you are could not be read: {}",
                    why.reason
                ),
                "See to sts:GetCallerIdentity, then start again",
            )
            .into());
        }
        match told {
            Ok(told) => self.fact(true, told),
            Err(told) => self.fact(false, told),
        }
        Ok(self.done(Outcome::Done)?)
    }

    /// Reads the key `reads` times; every read must show one of the states, and the same one.
    pub(super) async fn agree_on(
        &mut self,
        found: &Found,
        expect: &[KeyState],
        reads: u8,
    ) -> Result<(), Stop> {
        let mut agreed: Option<KeyState> = None;
        for nth in 1..=reads {
            if nth > 1 {
                self.attend(
                    "letting KMS settle",
                    Leaving::Allowed,
                    tokio::time::sleep(BETWEEN_READS).boxed(),
                )
                .await?;
            }
            let key = self.read_key(&found.key, "reading the key's state").await?;
            let expected =
                expect.contains(&key.state) && agreed.as_ref().is_none_or(|state| *state == key.state);
            let at = show::clock(key.read_at);
            self.fact(expected, format!("KMS says {} (read {nth} of {reads}, {at})", key.state));
            if nth == 1 {
                self.note_deletion_date(&key);
            }
            if !expected {
                return Err(unexpected(&key.state, expect, nth).into());
            }
            agreed = Some(key.state);
        }
        Ok(self.done(Outcome::Done)?)
    }

    /// The one clock of a pending deletion that counts.
    fn note_deletion_date(&mut self, key: &KmsKey) {
        if let Some(date) = key.deletion_date {
            let left = short(date.duration_since(self.now()));
            self.fact(false, format!("KMS deletes it from {} on: {left} left", show::when(date)));
        }
    }

    pub(super) async fn check_administrable(&mut self, found: &Found) -> Result<(), Stop> {
        let kms = self.kms(found.key.region());
        let read =
            self.attend("reading the key policy", Leaving::Allowed, kms.policy(&found.key).boxed()).await?;
        let advice = "Read the key policy on the Keys screen. If it was altered, put it right first (kms:PutKeyPolicy works while deletion is pending), then try again; or leave";
        let policy = read.map_err(|failure| {
            Trouble::new(format!("whether the key still obeys this account is not known: {failure}"), advice)
        })?;
        let requester = self.estate.identity.known().map(|identity| identity.arn.as_str());
        match administrable(policy.raw(), found.key.account(), requester) {
            Administrable::Yes(by) => {
                self.fact(true, format!("the key policy lets {by} administer the key"));
                Ok(self.done(Outcome::Done)?)
            }
            Administrable::Doubtful(why) => Err(Trouble::new(why, advice).into()),
        }
    }

    async fn notify(&mut self) -> Result<(), Stop> {
        let Some(topic) = self.estate.environment.alert_topic.clone() else {
            self.fact(false, "no alert topic is set for this environment: tell people yourself");
            return Ok(self.done(Outcome::Done)?);
        };
        let told = crate::model::text::visible(&topic).into_owned();
        self.see_told(|owed| matches!(owed.channel, Channel::Sns { .. }), &told).await
    }

    async fn audit(&mut self) -> Result<(), Stop> {
        let Some(audit) = self.estate.environment.audit.clone() else {
            self.fact(false, "no audit database is set for this environment: the journal is the only record");
            return Ok(self.done(Outcome::Done)?);
        };
        let told = format!(
            "the audit table of {} on {}",
            crate::model::text::visible(&audit.database),
            audit.server
        );
        self.see_told(|owed| matches!(owed.channel, Channel::SqlAudit { .. }), &told).await
    }

    /// Sees that nothing is owed to a channel, sending again what is.
    async fn see_told(&mut self, ours: fn(&Owed) -> bool, whom: &str) -> Result<(), Stop> {
        let mut owed = gate::owed(&self.entries());
        if owed.iter().any(ours) {
            owed = self.send_owed(&format!("telling {whom}"), Leaving::NotNow).await?;
            self.tell_standing();
        }
        match owed.iter().find(|owed| ours(owed)) {
            None => {
                self.fact(true, format!("nothing is owed to {whom}"));
                Ok(self.done(Outcome::Done)?)
            }
            Some(owed) => Err(Trouble::new(
                format!("owed: {owed}"),
                "It stays owed until it is sent. Try again, or tell people yourself",
            )
            .into()),
        }
    }

    /// Writes down that the run is over.
    pub(super) fn finish(&mut self) -> Result<(), Stop> {
        let Some(run) = self.live.as_ref().map(|live| live.run.id) else { return Ok(()) };
        let summary = self.summary(run);
        self.record(RunRecord::RunFinished(RunFinished { run, summary }))?;
        self.tell_standing();
        Ok(())
    }

    /// Shows a run that is over.
    pub(super) fn rest(&mut self) -> Result<(), Stop> {
        let undo = self.undo_of_this_run();
        let summary = self.live.as_ref().and_then(|live| live.run.finished.clone()).unwrap_or_default();
        Err(Stop::Waits(Waiting::Finished { summary, undo }))
    }

    /// What a run came to, in a sentence.
    fn summary(&self, run: u64) -> String {
        let entries = self.entries();
        let made = gate::proved(&entries).into_iter();
        let mut parts: Vec<_> = made
            .filter(|change| super::standing::run_of(&entries, change.intent) == Some(run))
            .map(|change| {
                let (plan, reads) = (change.plan, change.agreeing_reads);
                format!("{} of {}: done, verified by {reads} agreeing reads", plan.operation, plan.key_name)
            })
            .collect();
        if parts.is_empty() {
            parts.push("nothing was changed".to_owned());
        }
        parts.extend(gate::owed(&entries).iter().map(|owed| format!("still owed: {owed}")));
        parts.join("; ")
    }
}

/// Whether some SQL catalog is from disk, and its server has not failed to answer since.
fn is_kept(inventory: &Inventory) -> bool {
    let waited_for = |(source, health): (&Source, &SourceHealth)| {
        matches!(source, Source::Sql(_)) && health.kept.is_some() && health.failing.is_none()
    };
    inventory.sources.iter().any(waited_for)
}

fn unexpected(state: &KeyState, expect: &[KeyState], nth: u8) -> Trouble {
    let next = match (state, nth) {
        (_, 2..) => {
            "Successive reads may differ while KMS settles. Try again; if it stays so, look at the Events screen: somebody else may be at work on this key"
        }
        (KeyState::Disabled, _) => {
            "Nothing was changed. The key is disabled already: look at the Events screen for who did it. To enable it take the key-recovery runbook"
        }
        (KeyState::Enabled, _) => {
            "Nothing was changed. The key is enabled already: there is nothing to recover. If something still fails, it is for another reason"
        }
        (KeyState::PendingDeletion | KeyState::PendingReplicaDeletion, _) => {
            "Nothing was changed. The key is about to be deleted: take the key-recovery runbook while there is time"
        }
        _ => "Nothing was changed. Try again once the key has settled, or leave",
    };
    Trouble::new(format!("the key is {state}, and this step takes {}", words(expect)), next)
}

fn words(states: &[KeyState]) -> String {
    states.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
