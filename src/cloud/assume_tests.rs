//! Roles against the simulated account: assumed, and refused for each reason that there is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{MfaCode, NotAssumed, RoleRequest, Why, assume};
use crate::clock::Clock;
use crate::cloud::{CloudSession, HttpWire};
use crate::drill::Stage;
use crate::estate::roles::Assumption;
use crate::model::plan::{Observed, Operation, Plan};
use crate::settings::secrecy_text::SecretText;
use crate::simulator::aws::sts::totp;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::{Simulator, seed};

fn now() -> Timestamp {
    "2026-11-23T14:00:07Z".parse().unwrap()
}

struct House {
    stage: Stage,
    session: CloudSession,
    seed: Vec<u8>,
}

impl House {
    async fn open() -> Self {
        let simulator = Simulator::new(seed::buzz_tutor(7, now()), VirtualClock::frozen(now()));
        let device = seed::mfa_device(&simulator.world(), "oncall-a").unwrap();
        let stage = Stage::around(simulator, 7).unwrap();
        let session =
            CloudSession::open(&stage.environment, stage.wire.http.clone(), &stage.clock).await.unwrap();
        Self { stage, session, seed: device.seed }
    }

    /// What the gate would ask for to drop a key.
    async fn request(&self) -> RoleRequest {
        let identity = self.session.identity().await.unwrap();
        let plan = Plan {
            environment: "simulated".into(),
            account: seed::ACCOUNT.into(),
            region: seed::HOME.into(),
            key: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
                .parse()
                .unwrap(),
            key_name: "k".into(),
            operation: Operation::DisableKey,
            observed: Observed::state(crate::model::key::KeyState::Enabled, now()),
            incident: "INC-1".parse().unwrap(),
            cek: None,
            reason: "r".into(),
            requester: identity.arn.clone(),
            expires_at: now(),
        };
        let made = Assumption::for_change(&self.stage.environment, Some(&identity), &plan);
        made.unwrap().unwrap().request
    }

    fn code(&self, later: i64) -> MfaCode {
        MfaCode::read(&totp::code(&self.seed, now() + SignedDuration::from_secs(later))).unwrap()
    }

    async fn refused(&self, request: &RoleRequest, code: Option<&MfaCode>) -> NotAssumed {
        let not = assume(&self.session, request, code).await.unwrap_err();
        let told = not.to_string();
        assert!(
            !told.contains(&totp::code(&self.seed, now())) && !format!("{not:?}").contains("TokenCode"),
            "{told}"
        );
        not
    }

    /// Changes the trust policy of the emergency role.
    fn trust(&self, from: &str, to: &str) {
        let mut world = self.stage.simulator.world();
        let roles = &mut world.sts.roles;
        let role =
            roles.iter_mut().find(|role| role.name == "BuzzTutorEmergencyKeyAdmin-production").unwrap();
        assert!(role.trust.contains(from));
        role.trust = role.trust.replace(from, to);
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_is_assumed_in_the_persons_name_for_as_long_as_asked() {
    let house = House::open().await;
    let request = house.request().await;
    let session = assume(&house.session, &request, Some(&house.code(0))).await.unwrap();
    let who = session.cloud.identity().await.unwrap();
    assert_eq!(who.arn, session.arn);
    assert!(who.arn.contains(":assumed-role/BuzzTutorEmergencyKeyAdmin-production/INC-1-"), "{}", who.arn);
    assert_eq!(session.expires_at, now() + SignedDuration::from_mins(15));
    let shown = format!("{session:?}{:?}{request:?}", house.code(0));
    assert!(!shown.contains(&totp::code(&house.seed, now())), "{shown}");
    assert_eq!(house.session.identity().await.unwrap().arn, "arn:aws:iam::111122223333:user/oncall-a");
}

#[tokio::test(start_paused = true)]
async fn a_code_that_is_wrong_or_used_or_of_a_clock_out_of_step_may_be_followed_by_another() {
    let house = House::open().await;
    let request = house.request().await;
    let wrong = MfaCode::read(" 000 000 ").unwrap();
    let skewed = house.code(5 * 60);
    assume(&house.session, &request, Some(&house.code(0))).await.unwrap();
    for code in [wrong, skewed, house.code(0)] {
        let not = house.refused(&request, Some(&code)).await;
        assert_eq!(not.why, Why::Code);
        assert!(not.asks_for_another_code());
        let told = not.to_string();
        for words in ["not accepted", "works once", "clock is out of step"] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
    assume(&house.session, &request, Some(&house.code(30))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn each_other_refusal_says_what_to_put_right() {
    type Change = fn(&House, &mut RoleRequest);
    let cases: [(Why, &str, Change); 11] = [
        (Why::Device, "Enrol a device", |_, request| {
            request.device = Some("arn:aws:iam::111122223333:mfa/oncall-b".into());
        }),
        (Why::Trust, "the settings a device: `mfa`", |_, request| request.device = None),
        (Why::Trust, "has to name you", |house, _| house.trust("user/oncall-a", "user/somebody")),
        (Why::Trust, "with the tags and the source identity", |_, request| {
            request.tags.remove("EmergencyAccess");
        }),
        (Why::Trust, "has to name you", |_, request| request.role += "-of-nobody"),
        (Why::Tags, "sts:TagSession", |house, _| house.trust("sts:TagSession", "sts:GetAccessKeyInfo")),
        (Why::SourceIdentity, "sts:SetSourceIdentity", |house, _| {
            house.trust("sts:SetSourceIdentity", "sts:GetAccessKeyInfo");
        }),
        (Why::Duration, "MaxSessionDuration", |_, request| request.lasts = SignedDuration::from_hours(2)),
        (Why::Size, "Take tags out", |_, request| {
            let room = 2048 - request.policy.len() - 4;
            request
                .policy
                .insert_str(request.policy.len() - 1, &format!(",\"Id\":\"{}\"", "x".repeat(room - 6)));
        }),
        (Why::Size, "Take tags out", |_, request| request.policy += &" ".repeat(2048)),
        (Why::Policy, "mistake in portcullis", |_, request| request.policy = "{}".into()),
    ];
    for (why, words, change) in cases {
        let house = House::open().await;
        let mut request = house.request().await;
        change(&house, &mut request);
        let not = house.refused(&request, Some(&house.code(0))).await;
        assert_eq!(not.why, why, "{not}");
        assert!(not.to_string().contains(words), "{words}: {not}");
        assert!(!not.asks_for_another_code(), "{not}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_answer_leaves_no_session_and_the_code_may_be_spent() {
    let house = House::open().await;
    let request = house.request().await;
    let on = Target::Operation("AssumeRole".into());
    house.stage.simulator.faults().add(Fault { on, effect: Effect::TimeoutAfter, times: Some(1) });
    let not = house.refused(&request, Some(&house.code(0))).await;
    assert_eq!(not.why, Why::NoAnswer);
    assert!(not.asks_for_another_code() && not.to_string().contains("may have been used up"), "{not}");
    let calls = house.stage.simulator.calls();
    assert_eq!(calls.iter().filter(|call| call.operation == "AssumeRole").count(), 1, "asked once");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_do_not_hold_are_told_from_a_role_that_is_refused() {
    let mut house = House::open().await;
    let request = house.request().await;
    let HttpWire::InProcess { http, credentials } = &house.stage.wire.http else { unreachable!() };
    let mut credentials = credentials.clone();
    credentials.secret_access_key = SecretText::new("another".into());
    let wire = HttpWire::InProcess { http: Arc::clone(http), credentials };
    let clock: Clock = house.stage.clock.clone();
    house.session = CloudSession::open(&house.stage.environment, wire, &clock).await.unwrap();
    let not = house.refused(&request, Some(&house.code(0))).await;
    assert_eq!(not.why, Why::OwnCredentials, "{not}");
    assert!(not.to_string().contains("Sign in again"), "{not}");
}

#[tokio::test(start_paused = true)]
async fn reading_in_a_role_goes_on_when_its_session_ends() {
    let house = House::open().await;
    let identity = house.session.identity().await.unwrap();
    let reading = Assumption::for_reading(&house.stage.environment, Some(&identity)).unwrap().unwrap();
    let reader = house.session.reading_as(reading.request).await.unwrap();
    let who = reader.identity().await.unwrap().arn;
    assert!(who.contains(":assumed-role/BuzzTutorAuditLogger/portcullis-reads-"), "{who}");
    let key = reader.kms(seed::HOME).list_keys().await.unwrap().remove(0);
    let kms = reader.kms(seed::HOME);
    kms.describe(key.as_str()).await.unwrap();
    house.stage.simulator.clock().advance(SignedDuration::from_hours(3));
    kms.describe(key.as_str()).await.unwrap();
    let assumed = house.stage.simulator.calls().iter().filter(|call| call.operation == "AssumeRole").count();
    assert!(assumed >= 3, "once to see that it can be, once to read, once when that was over: {assumed}");
}

#[test]
fn a_code_is_six_digits() {
    for typed in ["", "12345", "1234567", "12345a", "１２３４５６"] {
        let said = MfaCode::read(typed).unwrap_err();
        assert!(typed.is_empty() || !said.contains(typed));
    }
}
