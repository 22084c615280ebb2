//! The gate against the whole simulated account: KMS, SNS and the audit procedure.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::super::{
    Approved, Gate, Outcome, Preview, Probe, Progress, Refusal, Settlement, Verdict, unfinished,
};
use super::preview;
use crate::cloud::{HttpWire, MfaCode, StaticCredentials};
use crate::drill::Stage;
use crate::estate::{Acting, Estate};
use crate::journal::Journal;
use crate::model::key::KeyState;
use crate::model::plan::{Observed, Operation, Plan};
use crate::settings::Roles;
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
        Self::of("platform", false).await
    }

    /// As `oncall-a`, who changes nothing but in a role.
    async fn in_roles() -> Self {
        Self::of("oncall-a", true).await
    }

    async fn of(user: &str, roles: bool) -> Self {
        let now: Timestamp = "2026-05-04T12:00:00Z".parse().unwrap();
        let simulator = Simulator::new(seed::buzz_tutor(7, now), VirtualClock::frozen(now));
        let mut stage = Stage::around(simulator, 7).unwrap();
        let given = seed::credentials(&stage.simulator.world(), user).unwrap();
        if let HttpWire::InProcess { credentials, .. } = &mut stage.wire.http {
            *credentials = StaticCredentials {
                access_key_id: given.access_key_id,
                secret_access_key: SecretText::new(given.secret_access_key),
                session_token: None,
            };
        }
        if !roles {
            stage.environment.roles = Roles::none("simulated");
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
            observed: Observed::state(state, now),
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
        {
            let typed = preview.must_type_override().unwrap_or(preview.must_type.clone());
            preview.confirm(&typed, now).unwrap()
        }
        .approve(&[], now)
        .unwrap()
    }

    async fn execute(&self, plan: Plan) -> Outcome {
        self.gate.execute(self.approved(plan), None, &|_| {}).await
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

impl House {
    async fn named(&self, alias: &str, operation: Operation) -> Plan {
        let key = self.gate.estate.cloud.kms(seed::HOME).describe(&format!("alias/{alias}")).await.unwrap();
        self.plan_of(key.arn, alias.to_owned(), operation, key.state)
    }

    fn digits(&self) -> String {
        let world = self.stage.simulator.world();
        world.sts.code_of(seed::ACCOUNT, "oncall-a", self.stage.clock.now()).unwrap().0
    }

    async fn execute_with(&self, plan: Plan, digits: &str) -> Outcome {
        self.gate.execute(self.approved(plan), Some(MfaCode::read(digits).unwrap()), &|_| {}).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_made_in_its_role_and_the_journal_says_which() {
    let house = House::in_roles().await;
    let plan = house.named("buzz-tutor/user-data", Operation::DisableKey).await;
    assert!(house.gate.device_for(&plan).unwrap().unwrap().ends_with("mfa/oncall-a"));
    let digits = house.digits();
    let outcome = house.execute_with(plan, &digits).await;
    assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
    let probe = outcome.sight.unwrap().probe;
    assert!(matches!(probe, Probe::RefusedAsDisabled { .. }), "the role may try the key: {probe}");
    let entries = house.gate.journal().entries();
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind.as_str()).collect();
    assert_eq!(kinds, ["intent", "assumed", "answer", "proof", "told", "told"]);
    let role = &entries[0].body["in_role"];
    assert_eq!(role["duty"], "emergency-key-admin");
    assert_eq!(role["source_identity"], "oncall-a");
    assert_eq!(role["tags"]["EmergencyAccess"], "true");
    assert_eq!(role["session_policy_digest"].as_str().unwrap().len(), 64);
    let calls = house.stage.simulator.calls();
    let by = |operation: &str| {
        let call = calls.iter().rfind(|call| call.operation == operation).unwrap();
        call.caller.clone().unwrap()
    };
    assert_eq!(by("DisableKey"), entries[1].body["session"].as_str().unwrap());
    assert_eq!(by("Publish"), "arn:aws:iam::111122223333:user/oncall-a", "people are told by the person");
    assert_eq!(house.count("AssumeRole"), 1);
    let journal = std::fs::read_to_string(house.gate.journal().path()).unwrap();
    for secret in [format!("\"{digits}\""), "ASIA".to_owned(), "AKIA".to_owned()] {
        assert!(!journal.contains(&secret), "{journal}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_its_role_nothing_is_sent_and_nothing_is_left_open() {
    let house = House::in_roles().await;
    let plan = house.named("buzz-tutor/user-data", Operation::DisableKey).await;
    let outcome = house.execute(plan.clone()).await;
    let Verdict::Refused(Refusal::NotAssumed { why, another_code: true }) = &outcome.verdict else {
        panic!("{outcome}")
    };
    assert!(why.contains("mfa/oncall-a") && outcome.intent.is_none(), "{why}");
    let outcome = house.execute_with(plan.clone(), "000000").await;
    let refused = matches!(outcome.verdict, Verdict::Refused(Refusal::NotAssumed { another_code: true, .. }));
    assert!(refused && outcome.exit_code() == 3, "{outcome}");
    assert!(unfinished(&house.gate.journal().entries()).is_empty());
    house.stage.simulator.world().sts.roles.retain(|role| !role.name.starts_with("BuzzTutorEmergency"));
    let outcome = house.execute_with(plan, &house.digits()).await;
    let refused =
        matches!(outcome.verdict, Verdict::Refused(Refusal::NotAssumed { another_code: false, .. }));
    assert!(refused, "no code helps: {outcome}");
    assert_eq!(house.count("DisableKey"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_in_the_middle_changed_nothing_and_says_so() {
    let house = House::in_roles().await;
    let plan = house.named("buzz-tutor/user-data", Operation::DisableKey).await;
    let key = plan.key.clone();
    let clock = house.stage.simulator.clock().clone();
    let code = MfaCode::read(&house.digits()).unwrap();
    let outcome = house
        .gate
        .execute(house.approved(plan), Some(code), &|step| {
            if matches!(step, Progress::Assumed { .. }) {
                clock.advance(SignedDuration::from_mins(16));
            }
        })
        .await;
    let Verdict::Failed { why } = &outcome.verdict else { panic!("{outcome}") };
    assert!(why.contains("expired"), "{why}");
    let state = house.gate.estate.cloud.kms(seed::HOME).describe(key.as_str()).await.unwrap().state;
    assert_eq!(state, KeyState::Enabled);
    assert!(unfinished(&house.gate.journal().entries()).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_role_does_not_reach_another_environments_keys() {
    let house = House::in_roles().await;
    let plan = house.named("buzz-tutor/tde-staging", Operation::DisableKey).await;
    let outcome = house.execute_with(plan, &house.digits()).await;
    let Verdict::Failed { why } = &outcome.verdict else { panic!("{outcome}") };
    assert!(why.contains("AccessDenied"), "{why}");
}

/// The key of most of these tests: enabled, tagged production, with grants and an instance under it.
const USER_DATA: &str = "buzz-tutor/user-data";
/// Whom the tests shut out.
const APP: &str = "arn:aws:iam::111122223333:role/BuzzTutorApp-production";

impl House {
    /// A plan for a key by alias, on what KMS and RDS say of it now.
    async fn on(&self, alias: &str, operation: Operation) -> Plan {
        let mut plan = self.named(alias, operation).await;
        if !plan.operation.changes_state() {
            plan.observed.beside = self.gate.ground(&plan.key, &plan.operation).await.unwrap().beside();
        }
        plan
    }

    /// Carries it out in its role, with a code that was not used yet.
    async fn in_role(&self, plan: Plan) -> Outcome {
        self.stage.simulator.clock().advance(SignedDuration::from_secs(31));
        let plan = Plan { expires_at: plan.expires_at + SignedDuration::from_mins(1), ..plan };
        self.execute_with(plan, &self.digits()).await
    }

    async fn grant_of(&self, alias: &str) -> String {
        let kms = self.gate.estate.cloud.kms(seed::HOME);
        let key = kms.describe(&format!("alias/{alias}")).await.unwrap().arn;
        let grants = kms.grants(&key).await.unwrap();
        let held_by_app = grants.into_iter().find(|grant| grant.grantee.raw() == APP);
        held_by_app.unwrap().id
    }

    /// Takes the key away for so long that RDS notices, and gives it back.
    fn cut_off(&self, alias: &str) {
        use crate::simulator::aws::kms::key::KeyState as Simulated;
        let now = self.stage.clock.now();
        let mut world = self.stage.simulator.world();
        let world = &mut *world;
        let named = format!("alias/{alias}");
        let mut aliases = world.kms.aliases();
        let id = aliases.find(|(place, _)| place.name == named && place.region == seed::HOME).unwrap();
        let id = id.1.target.clone().unwrap();
        drop(aliases);
        world.kms.key_mut(seed::HOME, &id).unwrap().state = Simulated::Disabled;
        world.rds.observe(&world.kms, now - SignedDuration::from_mins(10));
        world.rds.observe(&world.kms, now);
        world.kms.key_mut(seed::HOME, &id).unwrap().state = Simulated::Enabled;
    }
}

#[tokio::test(start_paused = true)]
async fn each_further_change_is_made_in_its_role_and_proved() {
    let house = House::in_roles().await;
    let grant = house.grant_of(USER_DATA).await;
    house.cut_off(USER_DATA);
    let principal = || APP.to_owned();
    for (operation, role) in [
        (Operation::EnableKeyRotation { period_days: 180 }, "BuzzTutorKeyManagementAdmin"),
        (Operation::RotateKeyOnDemand, "BuzzTutorKeyManagementAdmin"),
        (Operation::RevokeGrant { grant }, "BuzzTutorEmergencyKeyAdmin"),
        (Operation::DenyPrincipal { principal: principal() }, "BuzzTutorEmergencyKeyAdmin"),
        (Operation::AllowPrincipal { principal: principal() }, "BuzzTutorEmergencyKeyAdmin"),
        (Operation::StartDbInstance { instance: "buzz-prod-1".into() }, "BuzzTutorKeyRecoveryAdmin"),
        (Operation::ScheduleKeyDeletion { days: 30 }, "BuzzTutorEmergencyKeyAdmin"),
    ] {
        let plan = house.on(USER_DATA, operation.clone()).await;
        let outcome = house.in_role(plan).await;
        assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
        let call = operation.iam_action().rsplit(':').next().unwrap();
        let made = house.stage.simulator.calls().into_iter().rfind(|made| made.operation == call).unwrap();
        assert!(made.caller.as_deref().unwrap().contains(role), "{operation} by {:?}", made.caller);
    }
    assert_eq!(house.count("PutKeyPolicy"), 2, "one denial, taken back once");
    assert!(unfinished(&house.gate.journal().entries()).is_empty());
    let proofs = house.gate.journal().entries().into_iter().filter(|entry| entry.kind == "proof");
    assert_eq!(proofs.count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_denied_principal_is_shut_out_though_a_grant_lets_it_in() {
    let house = House::in_roles().await;
    let mut plan = house.on(USER_DATA, Operation::DenyPrincipal { principal: APP.into() }).await;
    plan.reason = "stolen instance credentials".into();
    let key = plan.key.clone();
    assert_eq!(house.in_role(plan).await.verdict, Verdict::Verified);
    let policy = house.gate.estate.cloud.kms(seed::HOME).policy(&key).await.unwrap();
    let told = crate::model::policy::read(policy.raw()).unwrap();
    let denial =
        told.told().find(|s| s.sid.as_ref().is_some_and(|sid| sid.raw().starts_with("portcullis-INC-1-")));
    assert!(denial.is_some(), "{policy}");
}

#[tokio::test(start_paused = true)]
async fn a_shorter_wait_than_the_role_allows_is_refused_by_iam() {
    let house = House::in_roles().await;
    let plan = house.on(USER_DATA, Operation::ScheduleKeyDeletion { days: 7 }).await;
    let outcome = house.in_role(plan).await;
    let Verdict::Failed { why } = &outcome.verdict else { panic!("{outcome}") };
    assert!(why.contains("AccessDenied"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_session_that_ends_in_the_middle_changes_nothing_whatever_the_change() {
    let grant = House::in_roles().await.grant_of(USER_DATA).await;
    for operation in [
        Operation::ScheduleKeyDeletion { days: 30 },
        Operation::EnableKeyRotation { period_days: 180 },
        Operation::RotateKeyOnDemand,
        Operation::RevokeGrant { grant },
        Operation::DenyPrincipal { principal: APP.into() },
        Operation::StartDbInstance { instance: "buzz-prod-1".into() },
    ] {
        let house = House::in_roles().await;
        house.cut_off(USER_DATA);
        let plan = house.on(USER_DATA, operation.clone()).await;
        let (key, before) = (plan.key.clone(), plan.observed.aspect());
        let clock = house.stage.simulator.clock().clone();
        let code = MfaCode::read(&house.digits()).unwrap();
        let ends = |step| {
            if matches!(step, Progress::Assumed { .. }) {
                clock.advance(SignedDuration::from_mins(16));
            }
        };
        let outcome = house.gate.execute(house.approved(plan), Some(code), &ends).await;
        let Verdict::Failed { why } = &outcome.verdict else { panic!("{outcome}") };
        assert!(why.contains("expired"), "{why}");
        assert_eq!(house.gate.ground(&key, &operation).await.unwrap().aspect, before, "{operation}");
        assert!(unfinished(&house.gate.journal().entries()).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn the_26th_rotation_on_demand_is_refused_by_kms() {
    let house = House::in_roles().await;
    for _ in 3..=28 {
        let plan = house.on(USER_DATA, Operation::RotateKeyOnDemand).await;
        let used_up = matches!(
            plan.observed.beside,
            Some(crate::model::aspect::Aspect::Material { on_demand_rotations: 25.., .. })
        );
        let outcome = house.in_role(plan).await;
        if used_up {
            let Verdict::Failed { why } = &outcome.verdict else { panic!("{outcome}") };
            assert!(why.contains("LimitExceededException"), "{why}");
            return;
        }
        assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
    }
    panic!("the limit was never reached");
}
