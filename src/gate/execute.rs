//! Carrying out an approved plan.

use super::outcome::{Boundary, Channel, Outcome, Owed, Progress, Refusal, Sight, Verdict};
use super::record::{Answer, Assumed, InRole, Intent, Proof, Record, Refused, Said, Unproved};
use super::verify::{Look, look_for};
use super::{Approved, Call, Gate, KeyCall, ProgressTo, Warrant, preview, unfinished};
use crate::cloud::changes::{ChangeFailure, carry_out};
use crate::cloud::{self, CloudSession, MfaCode, RoleSession};
use crate::estate::roles::Assumption;
use crate::journal::{Entry, JournalError};
use crate::model::aspect::Aspect;
use crate::model::plan::Plan;
use crate::model::text::visible;

impl Gate {
    /// Carries out an approved plan: intent journalled, state read again, the change's role assumed, call, answer
    /// journalled, verified, proof journalled, people told. It never sends anything twice.
    ///
    /// `code` is what the operator's MFA device shows, where [`Gate::device_for`] names one.
    ///
    /// Where the journal fails after the intent, the change goes on to be verified and told, because the
    /// outcome then matters most; [`Outcome::journal_trouble`] says what is missing from the journal.
    pub async fn execute(
        &self,
        approved: Approved,
        code: Option<MfaCode>,
        progress: ProgressTo<'_>,
    ) -> Outcome {
        let plan = approved.plan().clone();
        let mut execution = Execution {
            gate: self,
            plan: &plan,
            progress,
            intent: None,
            sight: None,
            unsent: Vec::new(),
            trouble: None,
        };
        let verdict = execution.run(&approved, code).await;
        let Execution { intent, sight, unsent, trouble, .. } = execution;
        let intent = intent.map(|entry| entry.seq);
        let mut owed = super::owed(&self.journal.entries());
        owed.retain(|known| {
            !unsent.iter().any(|o: &Owed| o.about == known.about && o.channel == known.channel)
        });
        owed.extend(unsent);
        Outcome { verdict, intent, sight, owed, journal_trouble: trouble, plan: plan.clone() }
    }

    /// The MFA device whose code a change is made with, in the role for it.
    ///
    /// # Errors
    /// Where the role's session could not bear the operator's name.
    pub fn device_for(&self, plan: &Plan) -> Result<Option<String>, String> {
        Ok(self.assumption(plan)?.and_then(|assumption| assumption.request.device))
    }

    fn assumption(&self, plan: &Plan) -> Result<Option<Assumption>, String> {
        Assumption::for_change(&self.estate.environment, self.estate.identity.known(), plan)
    }

    /// The role for a change, where there is one, and what it takes to assume it.
    fn role_for(&self, plan: &Plan, code: Option<&MfaCode>) -> Result<Option<Assumption>, Refusal> {
        let assumption =
            self.assumption(plan).map_err(|why| Refusal::NotAssumed { why, another_code: false })?;
        match assumption.as_ref().and_then(|assumption| assumption.request.device.as_deref()) {
            Some(device) if code.is_none() => Err(Refusal::NotAssumed {
                why: format!(
                    "the role for it is assumed with a code of {}, and none was given",
                    visible(device)
                ),
                another_code: true,
            }),
            _ => Ok(assumption),
        }
    }

    /// Whether an approved plan is for this gate, still holds, and repeats nothing unsettled.
    fn admit(&self, approved: &Approved) -> Result<(), Refusal> {
        let (plan, environment) = (approved.plan(), &self.estate.environment);
        let not_this_gate = |why: String| Err(Refusal::NotThisGate { why });
        if plan.environment != environment.name || plan.environment != self.journal.environment() {
            return not_this_gate(format!("the plan is for the environment {}", plan.environment));
        }
        if plan.incident != *self.journal.incident() {
            return not_this_gate(format!("the plan is for the incident {}", plan.incident));
        }
        if plan.key.region() != plan.region || plan.key.account() != plan.account {
            return not_this_gate(format!("the key {} is not of the plan's account and Region", plan.key));
        }
        if let Some(identity) = self.estate.identity.known()
            && identity.account != plan.account
        {
            return not_this_gate(format!("the plan is for account {}, and we are in another", plan.account));
        }
        if let Err(why) = plan.operation.check() {
            return not_this_gate(why);
        }
        if !plan.operation.fits(&plan.observed) {
            return not_this_gate(format!(
                "a key that is {}, of which was read: {}, cannot be asked to {}",
                plan.observed.state,
                plan.observed.aspect(),
                plan.operation
            ));
        }
        // A preview is open to be made by anyone; what was typed and who approved is judged by this environment.
        let overridden = environment.approval_override
            && approved.typed() == preview::must_type_override(plan, environment.production);
        if !overridden && approved.typed() != preview::must_type(plan, environment.production) {
            return not_this_gate("what was typed does not confirm it in this environment".to_owned());
        }
        let needed = preview::approvals_needed(&plan.operation, environment);
        if !overridden && approved.approvers().len() < usize::from(needed) {
            return not_this_gate(format!("this change asks for {needed} approvals here"));
        }
        if self.now() >= plan.expires_at {
            return Err(Refusal::Expired { at: plan.expires_at });
        }
        match unfinished(&self.journal.entries()).into_iter().find(|change| change.plan.key == plan.key) {
            Some(change) => Err(Refusal::Unfinished { intent: change.intent }),
            None => Ok(()),
        }
    }

    /// Appends one of the gate's entries.
    pub(super) fn record<R: Record>(&self, record: &R) -> Result<Entry, JournalError> {
        self.journal.append(R::KIND, record)
    }

    /// Who is told of changes in this environment.
    fn channels(&self) -> Vec<Channel> {
        let environment = &self.estate.environment;
        let topic = environment.alert_topic.iter().map(|topic| Channel::Sns { topic: topic.clone() });
        let audit = environment.audit.iter().map(|audit| Channel::SqlAudit {
            server: audit.server.clone(),
            database: audit.database.clone(),
        });
        topic.chain(audit).collect()
    }
}

/// One execution under way.
struct Execution<'a> {
    gate: &'a Gate,
    plan: &'a Plan,
    progress: ProgressTo<'a>,
    intent: Option<Entry>,
    sight: Option<Sight>,
    /// What could not be sent and could not be journalled as owed either.
    unsent: Vec<Owed>,
    trouble: Option<String>,
}

impl Execution<'_> {
    async fn run(&mut self, approved: &Approved, code: Option<MfaCode>) -> Verdict {
        if let Err(refusal) = self.gate.admit(approved) {
            return self.refuse(approved, refusal);
        }
        let role = match self.gate.role_for(self.plan, code.as_ref()) {
            Ok(role) => role,
            Err(refusal) => return self.refuse(approved, refusal),
        };
        self.reach(Boundary::BeforeIntent);
        let intent = match self.intend(approved, role.as_ref()) {
            Ok(intent) => intent,
            Err(refusal) => return Verdict::Refused(refusal),
        };
        self.intent = Some(intent.clone());
        (self.progress)(Progress::Intended { seq: intent.seq });
        self.reach(Boundary::AfterIntent);
        let call = match self.still_holds().await {
            Ok(call) => call,
            Err(refusal) => return self.refuse(approved, refusal),
        };
        let session = match self.assume(&intent, role, code).await {
            Ok(session) => session,
            Err(refusal) => return self.refuse(approved, refusal),
        };
        // Assuming took its time, and KMS cannot be asked to put a policy only where it is as it was.
        let call = match call {
            Call::OnKey(KeyCall::PutKeyPolicy { .. }) => self.still_holds().await,
            other => Ok(other),
        };
        let call = match call {
            Ok(call) => call,
            Err(refusal) => return self.refuse(approved, refusal),
        };
        let said = self.call(&session, call, &intent).await;
        self.reach(Boundary::AfterCall);
        self.write(&Answer { intent: intent.seq, said: said.clone() });
        match said {
            Said::Refused { why } => Verdict::Failed { why },
            Said::Accepted { .. } => self.prove(&intent, &session, None).await,
            Said::Unknown { why } => self.prove(&intent, &session, Some(why)).await,
        }
    }

    /// Journals what is about to be done. Without it, nothing is.
    fn intend(&self, approved: &Approved, role: Option<&Assumption>) -> Result<Entry, Refusal> {
        let plan = self.plan;
        let again_after = self.gate.journal.entries().into_iter().filter_map(|entry| {
            let earlier = Intent::of(&entry)?.plan;
            (earlier.key == plan.key && earlier.operation == plan.operation).then_some(entry.seq)
        });
        Ok(self.gate.record(&Intent {
            plan: plan.clone(),
            digest: approved.digest().clone(),
            typed: approved.typed().to_owned(),
            approved_by: approved.approvers().into_iter().map(ToOwned::to_owned).collect(),
            without_approval: approved.without_approval(),
            in_role: role.map(InRole::from),
            calls: preview::calls(plan, &self.gate.estate.environment),
            tell: self.gate.channels(),
            again_after: again_after.collect(),
        })?)
    }

    /// Reads again what the plan was made on, the state and what is changed beside it: the plan holds only for
    /// that. Gives the call that it comes to.
    async fn still_holds(&self) -> Result<Call, Refusal> {
        let (plan, gate) = (self.plan, self.gate);
        let same = |planned, now| if planned == now { Ok(()) } else { Err(Refusal::Stale { planned, now }) };
        let not_visible = |why| Refusal::StateNotVisible { why };
        if plan.observed.beside.is_some() {
            let state = gate.state(&plan.key).await.map_err(not_visible)?;
            same(Aspect::State(plan.observed.state.clone()), Aspect::State(state))?;
        }
        let ground = gate.ground(&plan.key, &plan.operation).await.map_err(not_visible)?;
        same(plan.observed.aspect(), ground.aspect.clone())?;
        let call = ground
            .call(&plan.operation, &plan.key, &plan.incident, &gate.estate)
            .map_err(|why| Refusal::NotThisGate { why })?;
        (self.progress)(Progress::GroundConfirmed { aspect: ground.aspect });
        Ok(call)
    }

    /// Opens a session of the change's role; without a role it is the estate's own.
    async fn assume(
        &self,
        intent: &Entry,
        role: Option<Assumption>,
        code: Option<MfaCode>,
    ) -> Result<CloudSession, Refusal> {
        let own = &self.gate.estate.cloud;
        let Some(Assumption { duty, request }) = role else { return Ok(own.clone()) };
        let session = cloud::assume(own, &request, code.as_ref()).await.map_err(|not| {
            Refusal::NotAssumed { why: not.to_string(), another_code: not.asks_for_another_code() }
        })?;
        let RoleSession { cloud, arn, expires_at } = session;
        self.gate.record(&Assumed { intent: intent.seq, session: arn, expires_at })?;
        (self.progress)(Progress::Assumed { duty, mfa: request.device.is_some(), expires_at });
        Ok(cloud)
    }

    /// Makes the one call.
    async fn call(&self, session: &CloudSession, call: Call, intent: &Entry) -> Said {
        let action = self.plan.operation.iam_action();
        (self.progress)(Progress::Calling { action });
        match carry_out(session, Warrant::issue(self.plan, call, intent)).await {
            Ok(accepted) => {
                (self.progress)(Progress::Accepted);
                Said::Accepted { request_id: accepted.request_id }
            }
            Err(ChangeFailure::Refused(failure)) => {
                let why = failure.to_string();
                (self.progress)(Progress::Refused { why: why.clone() });
                Said::Refused { why }
            }
            Err(ChangeFailure::Unknown(failure)) => {
                let why = failure.to_string();
                (self.progress)(Progress::NoAnswer { why: why.clone() });
                Said::Unknown { why }
            }
        }
    }

    /// Goes to look whether it happened, journals what was seen, and tells people.
    async fn prove(&mut self, intent: &Entry, session: &CloudSession, unanswered: Option<String>) -> Verdict {
        self.reach(Boundary::BeforeVerify);
        let Look { sight, proved } =
            self.gate.look(self.plan, look_for(&self.plan.operation), session, self.progress).await;
        self.sight = Some(sight.clone());
        let (verdict, entry) = if proved {
            let state = sight.aspect().cloned().unwrap_or_else(|| self.plan.observed.aspect());
            let Sight { reads, agreeing, probe } = sight;
            let entry = self.write(&Proof { intent: intent.seq, state, reads, agreeing, probe });
            (Verdict::Verified, entry)
        } else {
            let verdict = not_proved(self.plan, unanswered);
            let why = match &verdict {
                Verdict::Unknown { why } | Verdict::NotVerified { why } => why.clone(),
                _ => String::new(),
            };
            let accepted = matches!(verdict, Verdict::NotVerified { .. });
            (verdict, self.write(&Unproved { intent: intent.seq, accepted, why, sight }))
        };
        if let (true, Some(entry)) = (proved, &entry) {
            (self.progress)(Progress::Proved { seq: entry.seq });
        }
        self.reach(Boundary::BeforeNotify);
        self.tell(intent, entry, &verdict).await;
        verdict
    }

    /// Tells everybody of an outcome, whether or not the journal took it.
    async fn tell(&mut self, intent: &Entry, outcome: Option<Entry>, verdict: &Verdict) {
        let Some(intended) = Intent::of(intent) else { return };
        let about = outcome.as_ref().map_or(intent.seq, |entry| entry.seq);
        let at = outcome.map_or_else(|| self.gate.now(), |entry| entry.at);
        let notice = self.gate.notice(&intended, about, at, super::tell::word_of(verdict));
        for channel in intended.tell.clone() {
            let (unsent, trouble) = self.gate.send(&channel, &notice, self.progress).await;
            self.unsent.extend(unsent);
            self.trouble = self.trouble.take().or(trouble);
        }
    }

    fn refuse(&mut self, approved: &Approved, refusal: Refusal) -> Verdict {
        let intent = self.intent.as_ref().map(|entry| entry.seq);
        self.write(&Refused { intent, digest: approved.digest().clone(), why: refusal.to_string() });
        Verdict::Refused(refusal)
    }

    /// Appends an entry after the intent: a failure does not stop what has begun, and is said.
    fn write(&mut self, record: &impl Record) -> Option<Entry> {
        self.gate
            .record(record)
            .inspect_err(|error| {
                let why = error.to_string();
                (self.progress)(Progress::JournalFailed { why: why.clone() });
                self.trouble.get_or_insert(why);
            })
            .ok()
    }

    fn reach(&self, boundary: Boundary) {
        (self.gate.observer)(boundary);
    }
}

/// Why a change is not proved.
fn not_proved(plan: &Plan, unanswered: Option<String>) -> Verdict {
    let (wanted, seconds) = (plan.operation.proof(), look_for(&plan.operation).as_secs());
    match unanswered {
        None => Verdict::NotVerified {
            why: format!(
                "within {seconds} s no {} reads agreed on this: {wanted}; or a dry run said otherwise. Look at the key and at Events before anything else is done",
                super::AGREEING_READS
            ),
        },
        Some(why) => Verdict::Unknown {
            why: format!(
                "the call was sent and not answered ({why}), and within {seconds} s no reads agreed on this: {wanted}. It may still happen: look again before sending anything"
            ),
        },
    }
}
