//! A gate on a fake AWS, and what goes through it.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::wire::FakeAws;
use crate::clock::Clock;
use crate::cloud::{HttpWire, StaticCredentials};
use crate::database::Dialer;
use crate::estate::{Acting, Estate, Wire};
use crate::gate::{Approved, Gate, Outcome, Preview, Progress, UnfinishedChange, unfinished};
use crate::journal::Journal;
use crate::model::age::AgePolicies;
use crate::model::dependents::Dependents;
use crate::model::operation::tests::observed;
use crate::model::pair::Inventory;
use crate::model::plan::{Observed, Operation, Plan};
use crate::settings::Environment;
use crate::settings::secrecy_text::SecretText;

pub(in crate::gate) const KEY: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const TOPIC: &str = "arn:aws:sns:eu-west-1:111122223333:alerts";
pub(super) const SECRET: &str = "wJalrXUtnFEMI-not-to-be-seen";

pub(in crate::gate) fn environment() -> Environment {
    Environment {
        name: "production".into(),
        production: true,
        simulated: true,
        account: Some("111122223333".into()),
        regions: vec!["eu-west-1".into()],
        profile: None,
        endpoint: None,
        sql: Vec::new(),
        trail: crate::settings::TrailSettings::default(),
        alert_topic: Some(TOPIC.into()),
        audit: None,
        age: AgePolicies::default(),
        roles: crate::settings::Roles::none("production"),
        estate: Vec::new(),
        column_key_cache: SignedDuration::from_hours(2),
        approvals: 0,
        approval_override: true,
        recovery_window: SignedDuration::from_hours(7 * 24),
    }
}

pub(in crate::gate) fn plan(operation: Operation, now: Timestamp) -> Plan {
    Plan {
        environment: "production".into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        key: KEY.parse().unwrap(),
        key_name: "buzz-tutor/user-data".into(),
        observed: Observed { at: now, ..observed(&operation) },
        operation,
        incident: "INC-1".parse().unwrap(),
        cek: Some("CEK_User_12345".into()),
        reason: "stolen \u{202e}credentials".into(),
        requester: "arn:aws:iam::111122223333:user/oncall-a".into(),
        expires_at: now + SignedDuration::from_mins(15),
    }
}

pub(in crate::gate) fn preview(plan: Plan, environment: &Environment) -> Preview {
    let dependents = Dependents::of(&plan.key, &Inventory::default());
    Preview::of(plan, dependents, environment, "oncall-a".into()).unwrap()
}

/// A gate on a fake AWS, its journal in a folder of its own, its clock tokio's.
pub(super) struct House {
    pub aws: FakeAws,
    pub gate: Gate,
    pub clock: Clock,
    pub environment: Environment,
    pub dir: TempDir,
    pub told: Mutex<Vec<Progress>>,
}

impl House {
    pub(super) async fn with(aws: FakeAws, environment: Environment) -> Self {
        let began = tokio::time::Instant::now();
        let clock = Clock::from_fn(move || {
            let passed = SignedDuration::try_from(began.elapsed()).unwrap();
            "2026-11-23T14:00:00Z".parse::<Timestamp>().unwrap() + passed
        });
        Self::at(TempDir::new().unwrap(), aws, environment, clock).await
    }

    pub(super) async fn at(dir: TempDir, aws: FakeAws, environment: Environment, clock: Clock) -> Self {
        let credentials = StaticCredentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: SecretText::new(SECRET.into()),
            session_token: None,
        };
        let http = HttpWire::InProcess { http: Arc::new(aws.clone()), credentials };
        let wire = Wire { http, sql: Dialer::Tcp, sql_ca: None };
        let estate = Estate::open(environment.clone(), wire, clock.clone()).await.unwrap();
        let incident = "INC-1".parse().unwrap();
        let journal = Journal::open(dir.path(), "production", &incident, clock.clone()).unwrap();
        aws.script(|s| s.journal = Some(journal.path().to_owned()));
        let gate = Gate::open(&Acting::enter(estate, incident), journal);
        Self { aws, gate, clock, environment, dir, told: Mutex::default() }
    }

    pub(super) async fn holding(state: &'static str) -> Self {
        Self::with(FakeAws::holding(state), environment()).await
    }

    /// One where the operation can be made.
    pub(super) async fn ready_for(operation: &Operation) -> Self {
        Self::with(FakeAws::ready_for(operation), environment()).await
    }

    /// The same house after the process ended and began again.
    pub(super) async fn restarted(self) -> Self {
        let Self { aws, gate, environment, dir, clock, .. } = self;
        drop(gate);
        Self::at(dir, aws, environment, clock).await
    }

    pub(super) fn approved(&self, operation: Operation) -> Approved {
        self.approve(plan(operation, self.clock.now()))
    }

    pub(super) fn approve(&self, plan: Plan) -> Approved {
        let preview = preview(plan, &self.environment);
        let now = self.clock.now();
        let typed = preview.must_type_override().unwrap_or(preview.must_type.clone());
        preview.confirm(&typed, now).unwrap().approve(&[], now).unwrap()
    }

    /// A plan on what AWS says now; a state is taken as it should be.
    pub(super) async fn plan_now(&self, operation: Operation) -> Plan {
        let mut plan = plan(operation, self.clock.now());
        if !plan.operation.changes_state() {
            let ground = self.gate.ground(&plan.key, &plan.operation).await.unwrap();
            plan.observed.beside = ground.beside();
        }
        plan
    }

    pub(super) async fn planned(&self, operation: Operation) -> Approved {
        self.approve(self.plan_now(operation).await)
    }

    pub(super) async fn execute(&self, approved: Approved) -> Outcome {
        self.gate.execute(approved, None, &|progress| self.told.lock().unwrap().push(progress)).await
    }

    pub(super) async fn run(&self, operation: Operation) -> Outcome {
        self.execute(self.planned(operation).await).await
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        self.gate.journal().entries().into_iter().map(|entry| entry.kind).collect()
    }

    pub(super) fn unfinished(&self) -> Vec<UnfinishedChange> {
        unfinished(&self.gate.journal().entries())
    }
}
