//! The gate against the whole simulated account: KMS, SNS and the audit procedure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::super::{Approved, Gate, Outcome, Preview, Probe, Refusal, Settlement, Verdict, unfinished};
use super::preview;
use crate::cloud::{HttpWire, StaticCredentials};
use crate::drill::Stage;
use crate::estate::{Acting, Estate};
use crate::journal::Journal;
use crate::model::key::KeyState;
use crate::model::plan::{Observed, Operation, Plan};
use crate::settings::secrecy_text::SecretText;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::{Simulator, seed};

struct House {
    stage: Stage,
    gate: Gate,
    _dir: TempDir,
}

impl House {
    async fn open() -> Self {
        let now: Timestamp = "2026-05-04T12:00:00Z".parse().unwrap();
        let simulator = Simulator::new(seed::buzz_tutor(7, now), VirtualClock::frozen(now));
        let mut stage = Stage::around(simulator, 7).unwrap();
        let platform = seed::credentials(&stage.simulator.world(), "platform").unwrap();
        if let HttpWire::InProcess { credentials, .. } = &mut stage.wire.http {
            *credentials = StaticCredentials {
                access_key_id: platform.access_key_id,
                secret_access_key: SecretText::new(platform.secret_access_key),
                session_token: None,
            };
        }
        let dir = TempDir::new().unwrap();
        let estate =
            Estate::open(stage.environment.clone(), stage.wire.clone(), stage.clock.clone()).await.unwrap();
        let incident = "INC-1".parse().unwrap();
        let journal =
            Journal::open(dir.path(), &stage.environment.name, &incident, stage.clock.clone()).unwrap();
        let gate = Gate::open(&Acting::enter(Arc::clone(&estate), incident), journal);
        Self { stage, gate, _dir: dir }
    }

    /// A plan for the first key of ours, at home, in the state that the operation starts from.
    async fn plan(&self, operation: Operation) -> Plan {
        let kms = self.gate.estate.cloud.kms(seed::HOME);
        for alias in kms.list_aliases().await.unwrap() {
            let name = alias.arn.name().to_owned();
            let Ok(key) = kms.describe(&format!("alias/{name}")).await else { continue };
            if name.starts_with("aws/") || !operation.starts_from().contains(&key.state) {
                continue;
            }
            return self.plan_of(key.arn, name, operation, key.state);
        }
        panic!("the account has no key to {operation}")
    }

    fn plan_of(
        &self,
        key: crate::model::arn::KeyArn,
        name: String,
        operation: Operation,
        state: KeyState,
    ) -> Plan {
        let now = self.stage.clock.now();
        Plan {
            environment: self.stage.environment.name.clone(),
            account: seed::ACCOUNT.into(),
            region: seed::HOME.into(),
            key,
            key_name: name,
            operation,
            observed: Observed { state, at: now },
            incident: "INC-1".parse().unwrap(),
            cek: Some("CEK_User_12345".into()),
            reason: "it's '); DROP TABLE dbo.KeyRevocationAudit; --".into(),
            requester: "arn:aws:iam::111122223333:user/oncall-a".into(),
            expires_at: now + SignedDuration::from_mins(15),
        }
    }

    fn approved(&self, plan: Plan) -> Approved {
        let preview: Preview = preview(plan, &self.stage.environment);
        let now = self.stage.clock.now();
        preview.confirm(&preview.must_type, now).unwrap().approve(&[], now).unwrap()
    }

    async fn execute(&self, plan: Plan) -> Outcome {
        self.gate.execute(self.approved(plan), &|_| {}).await
    }

    fn fault(&self, operation: &str, effect: Effect) {
        let on = Target::Operation(operation.into());
        self.stage.simulator.faults().add(Fault { on, effect, times: None });
    }

    /// How often a call reached the account.
    fn count(&self, operation: &str) -> usize {
        self.stage.simulator.calls().iter().filter(|call| call.operation == operation).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_dropped_and_raised_and_everybody_told() {
    let house = House::open().await;
    let dropping = house.plan(Operation::DisableKey).await;
    let outcome = house.execute(dropping.clone()).await;
    assert_eq!((outcome.verdict.clone(), outcome.owed.as_slice()), (Verdict::Verified, &[][..]), "{outcome}");
    let sight = outcome.sight.unwrap();
    assert!(matches!(sight.probe, Probe::RefusedAsDisabled { .. }), "{sight}");
    let raising = house.plan_of(
        dropping.key.clone(),
        dropping.key_name.clone(),
        Operation::EnableKey,
        KeyState::Disabled,
    );
    let outcome = house.execute(raising).await;
    assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
    assert!(matches!(outcome.sight.unwrap().probe, Probe::Usable { .. }));

    let head = house.gate.journal().entries();
    let proof = head.iter().find(|entry| entry.kind == "proof").unwrap();
    let world = house.stage.simulator.world();
    let told: Vec<_> = world.sns.messages().iter().filter_map(|m| m.subject.clone()).collect();
    assert!(told.iter().any(|s| s.starts_with("[DRILL] [EMERGENCY] disable-key verified")), "{told:?}");
    let rows: Vec<_> = world.sql.iter().flat_map(|s| &s.databases).flat_map(|d| &d.audit_rows).collect();
    let words: Vec<_> = rows.iter().map(|row| row.operation.as_str()).collect();
    assert_eq!(words, ["disable-key", "enable-key"]);
    assert!(rows[0].reason.ends_with("it's '); DROP TABLE dbo.KeyRevocationAudit; --"), "{}", rows[0].reason);
    assert!(rows[0].reason.contains(&format!("entry {}", proof.seq)), "{}", rows[0].reason);
    assert_eq!((rows[0].cek_name.as_str(), rows[0].correlation_id.as_str()), ("CEK_User_12345", "INC-1"));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_is_cancelled_and_leaves_the_key_disabled() {
    let house = House::open().await;
    let plan = house.plan(Operation::CancelKeyDeletion).await;
    let outcome = house.execute(plan).await;
    assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_on_a_state_that_is_past_is_refused_before_the_call() {
    let house = House::open().await;
    let plan = house.plan(Operation::EnableKey).await;
    let stale = Plan { operation: Operation::DisableKey, ..plan };
    let stale = Plan { observed: Observed { state: KeyState::Enabled, ..stale.observed.clone() }, ..stale };
    let outcome = house.execute(stale).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::Stale { .. })), "{outcome}");
    assert_eq!(house.count("DisableKey"), 0);
}

#[tokio::test(start_paused = true)]
async fn what_got_lost_on_the_way_is_looked_for() {
    for effect in [Effect::TimeoutAfter, Effect::ConnectionLossAfter] {
        let house = House::open().await;
        house.fault("DisableKey", effect.clone());
        let outcome = house.execute(house.plan(Operation::DisableKey).await).await;
        assert_eq!(outcome.verdict, Verdict::Verified, "{effect:?}: {outcome}");
    }
    for effect in [Effect::Timeout, Effect::ConnectionLoss, Effect::ServerError] {
        let house = House::open().await;
        house.fault("DisableKey", effect.clone());
        let outcome = house.execute(house.plan(Operation::DisableKey).await).await;
        assert!(matches!(outcome.verdict, Verdict::Unknown { .. }), "{effect:?}: {outcome}");
        assert!(house.count("DisableKey") <= 1, "{effect:?}: sent again");
        let [change] = unfinished(&house.gate.journal().entries()).try_into().unwrap();
        let settled = house.gate.settle(&change, &|_| {}).await.unwrap();
        assert_eq!(settled.settlement, Settlement::DoesNotStand, "{settled}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_is_told_so_and_nothing_changed() {
    let house = House::open().await;
    house.fault("DisableKey", Effect::AccessDenied);
    let outcome = house.execute(house.plan(Operation::DisableKey).await).await;
    assert!(matches!(outcome.verdict, Verdict::Failed { .. }), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_audit_table_out_of_reach_is_owed_and_written_later() {
    let house = House::open().await;
    let on = Target::Sql(None);
    house.stage.simulator.faults().add(Fault { on, effect: Effect::LoginRefused, times: None });
    let outcome = house.execute(house.plan(Operation::DisableKey).await).await;
    assert_eq!((outcome.verdict.clone(), outcome.owed.len()), (Verdict::Verified, 1), "{outcome}");
    house.stage.simulator.faults().clear();
    assert_eq!(house.gate.settle_owed(&|_| {}).await, []);
    let world = house.stage.simulator.world();
    assert_eq!(world.sql.iter().flat_map(|s| &s.databases).flat_map(|d| &d.audit_rows).count(), 1);
}
