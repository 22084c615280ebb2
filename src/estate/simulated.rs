//! The reads against the simulated account: every fact of every key, and every record of its trail.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Estate, Wire};
use crate::cloud::{HttpWire, InProcessHttp, NoAnswer, StaticCredentials, canned};
use crate::database::Dialer;
use crate::model::event::{Outcome, Severity};
use crate::model::key::{KeySpec, KeyState, Manager, Origin};
use crate::model::seen::{Cause, Seen};
use crate::settings::secrecy_text::SecretText;
use crate::simulator::aws::front;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::{Simulator, seed};
use crate::trail::{EventLine, KeyNames, Limits, load_once, sentence};

#[derive(Debug)]
struct Simulated(Simulator);

#[async_trait]
impl InProcessHttp for Simulated {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        self.0.http(request).await.map_err(|no| match no {
            front::NoAnswer::Timeout => NoAnswer::TimedOut,
            front::NoAnswer::ConnectionLost => NoAnswer::ConnectionLost,
        })
    }
}

fn now() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

async fn opened_as(user: &str) -> (Arc<Estate>, Simulator) {
    let simulator = Simulator::new(seed::buzz_tutor(7, now()), VirtualClock::frozen(now()));
    simulator.set_quotas(false);
    let given = seed::credentials(&simulator.world(), user).unwrap();
    let credentials = StaticCredentials {
        access_key_id: given.access_key_id,
        secret_access_key: SecretText::new(given.secret_access_key),
        session_token: None,
    };
    let http = HttpWire::InProcess { http: Arc::new(Simulated(simulator.clone())), credentials };
    let mut environment = canned::environment();
    environment.regions.push(seed::REPLICA.to_owned());
    let wire = Wire { http, sql: Dialer::Tcp, sql_ca: None };
    let estate = Estate::open(environment, wire, canned::clock()).await.unwrap();
    (estate, simulator)
}

#[tokio::test(start_paused = true)]
async fn every_fact_of_every_key_is_read() {
    let (estate, simulator) = opened_as("auditor").await;
    assert_eq!(estate.identity.known().unwrap().account, seed::ACCOUNT);
    let (mut states, mut asked, mut hidden, mut half_seen) = (BTreeSet::new(), 0, 0, 0);
    for region in [seed::HOME, seed::REPLICA] {
        let kms = estate.cloud.kms(region);
        let aliases = kms.list_aliases().await.unwrap();
        assert!(aliases.iter().all(|alias| alias.arn.region() == region));
        for arn in kms.list_keys().await.unwrap() {
            let key = match kms.describe(arn.as_str()).await {
                Ok(key) => kms.filled(key).await,
                // A key that its policy hides.
                Err(why) => {
                    assert_eq!(why.cause, Cause::Denied, "{arn}");
                    hidden += 1;
                    continue;
                }
            };
            assert_eq!(key.arn, arn);
            half_seen += usize::from(key.tags.not_visible().is_some());
            assert_eq!(key.tags.not_visible().is_some(), key.grants.not_visible().is_some(), "{arn}");
            for (fact, why) in
                [("policy", key.policy.not_visible()), ("last use", key.last_use.not_visible())]
            {
                assert_eq!(why, None, "{fact} of {arn}");
            }
            // What cannot rotate says so; it does not look like a key whose rotation is hidden.
            let rotates = key.spec == KeySpec::SymmetricDefault
                && matches!(key.origin, Origin::AwsKms | Origin::External);
            match &key.rotation {
                Seen::Known(_) => assert!(rotates, "{arn}"),
                other => {
                    let why = other.not_visible().map(|why| why.cause);
                    let may_not = !rotates || matches!(key.state, KeyState::PendingImport);
                    assert!(may_not && why == Some(Cause::Unsupported), "{arn}: {other:?}");
                }
            }
            assert!(!matches!(key.state, KeyState::Other(_)) && !matches!(key.manager, Manager::Other(_)));
            states.insert(key.state.clone());
            asked += 1;
        }
    }
    assert!(asked >= 12, "{asked} keys");
    assert_eq!((hidden, half_seen), (1, 1));
    for state in [KeyState::Enabled, KeyState::Disabled, KeyState::PendingDeletion] {
        assert!(states.contains(&state), "{states:?}");
    }
    let refused: Vec<_> = simulator.calls().into_iter().filter_map(|call| call.error).collect();
    assert!(
        refused
            .iter()
            .filter(|code| *code != "AccessDeniedException")
            .all(|code| code == "UnsupportedOperationException" || code == "KMSInvalidStateException"),
        "{refused:?}"
    );
    let instances = estate.cloud.rds(seed::HOME).instances().await.unwrap();
    assert!(
        instances.iter().any(|instance| instance.id.raw() == "buzz-prod-1" && instance.storage_key.is_some())
    );
}

#[tokio::test(start_paused = true)]
async fn every_record_of_the_trail_is_an_event() {
    let (estate, _) = opened_as("auditor").await;
    let all = Limits { pages: 2_000, events: 1_000_000 };
    let view = load_once(&estate, SignedDuration::from_hours(21 * 24), all).await;
    assert_eq!(view.failing(), None);
    assert_eq!(view.events.unparsed_count(), 0);
    assert!(view.events.len() > 500, "{} events", view.events.len());
    assert!(view.events.iter().is_sorted_by(|a, b| a.at >= b.at));
    let nobody = view.events.iter().filter(|event| event.who.name.raw() == "unknown").count();
    assert_eq!(nobody, 0, "every record names somebody");
    let (names, mut kinds) = (KeyNames::default(), BTreeSet::new());
    for event in view.events.iter() {
        kinds.insert(event.who.kind.raw().to_owned());
        let line = EventLine::of(&event, &names, now());
        let texts = [line.who, line.what, line.key, line.from, line.outcome, sentence(&event, &names, now())];
        assert!(texts.iter().all(|text| !text.contains(['\u{1b}', '\u{202e}', '\n'])), "{texts:?}");
    }
    assert!(kinds.contains("AssumedRole") && kinds.contains("IAMUser"), "{kinds:?}");
    assert!(view.events.iter().any(|event| matches!(event.outcome, Outcome::Denied { .. })));
    assert!(view.events.iter().any(|event| event.severity >= Severity::High));
    assert!(
        view.events.iter().any(|event| event.source.raw() == "kms.amazonaws.com" && !event.keys.is_empty())
    );
}

#[tokio::test(start_paused = true)]
async fn each_fault_is_told_by_its_cause() {
    for (effect, cause) in [
        (Effect::AccessDenied, Cause::Denied),
        (Effect::Throttle(1.0), Cause::Throttled),
        (Effect::Timeout, Cause::TimedOut),
        (Effect::ConnectionLoss, Cause::Unreachable),
        (Effect::ServerError, Cause::Unreachable),
    ] {
        let (estate, simulator) = opened_as("auditor").await;
        let on = Target::Operation("DescribeKey".to_owned());
        simulator.faults().add(Fault { on, effect, times: None });
        let kms = estate.cloud.kms(seed::HOME);
        let key = kms.list_keys().await.unwrap().remove(0);
        assert_eq!(kms.describe(key.as_str()).await.unwrap_err().cause, cause);
    }
}

#[tokio::test(start_paused = true)]
async fn every_grant_of_many_pages_is_read_once() {
    let (estate, simulator) = opened_as("auditor").await;
    let kms = estate.cloud.kms(seed::HOME);
    let key = kms.list_keys().await.unwrap().remove(0);
    let truth: BTreeSet<String> = {
        let mut world = simulator.world();
        let crate::simulator::world::World { kms, rng, .. } = &mut *world;
        let held = kms.key_mut(seed::HOME, key.id()).unwrap();
        for n in 0..1200 {
            let grantee = format!("arn:aws:iam::{}:role/many-{n}", seed::ACCOUNT);
            let grant = crate::simulator::aws::kms::key::Grant::new(
                &grantee,
                &["Decrypt"],
                seed::ACCOUNT,
                now(),
                rng,
            );
            held.grants.push(grant);
        }
        held.grants.iter().map(|grant| grant.id.clone()).collect()
    };
    for reads in [kms, estate.cloud.kms_at_a_pace(seed::HOME)] {
        let grants = reads.grants(&key).await.unwrap();
        assert!(grants.len() >= 1200 && grants.len() == truth.len());
        assert!(grants.iter().all(|grant| truth.contains(&grant.id)));
    }
}
