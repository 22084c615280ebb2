//! AWS's own clients read the seeded account, in process.

use std::collections::BTreeSet;

use aws_credential_types::Credentials;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use aws_sdk_rds::types::{DbInstance, Endpoint};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use serde_json::Value;

use super::*;
use crate::simulator::Simulator;
use crate::simulator::aws::kms::key::KeyState;
use crate::simulator::clock::VirtualClock;

/// Hands the SDK's requests to the simulator.
#[derive(Clone, Debug)]
struct Wire(Simulator);

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let simulator = self.0.clone();
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let request = request.map(|body| Bytes::copy_from_slice(body.bytes().unwrap_or_default()));
            let response = simulator.http(request).await.map_err(|lost| ConnectorError::io(lost.into()))?;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl Wire {
    fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

/// The SDK signs with the machine's time, so that is the simulator's too.
fn simulator() -> Simulator {
    let now = Timestamp::now();
    let sim = Simulator::new(buzz_tutor(9, now), VirtualClock::running(now, 1.0));
    sim.set_quotas(false);
    sim
}

fn login(sim: &Simulator, user: &str) -> Credentials {
    let key = credentials(&sim.world(), user).unwrap();
    Credentials::new(key.access_key_id, key.secret_access_key, None, None, "seed")
}

macro_rules! client {
    ($sdk:ident, $sim:expr, $user:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($sdk::config::BehaviorVersion::latest())
                .region($sdk::config::Region::new(HOME))
                .credentials_provider(login(&$sim, $user))
                .http_client(Wire($sim.clone()).client())
                .build(),
        )
    };
}

#[tokio::test]
async fn cloudtrail_pages_through_every_change_exactly_once() {
    let sim = simulator();
    let changes = LookupAttribute::builder()
        .attribute_key(LookupAttributeKey::ReadOnly)
        .attribute_value("false")
        .build()
        .unwrap();
    let client = client!(aws_sdk_cloudtrail, sim, "auditor");
    let pages = client.lookup_events().lookup_attributes(changes).max_results(7).into_paginator().items();
    let events: Vec<_> = pages.send().collect::<Result<_, _>>().await.unwrap();
    let now = sim.clock().now();
    let truth: BTreeSet<String> = sim
        .world()
        .trail
        .records()
        .filter(|record| !record.entry.read_only && record.delivered <= now)
        .filter(|record| *record.entry.account == *ACCOUNT && *record.entry.region == *HOME)
        .map(|record| record.event_id.to_string())
        .collect();
    let seen: BTreeSet<String> = events.iter().map(|event| event.event_id().unwrap().to_owned()).collect();
    assert!(truth.len() > 30);
    assert_eq!(events.len(), truth.len());
    assert_eq!(seen, truth);
    assert!(events.is_sorted_by(|a, b| a.event_time() >= b.event_time()));
    let drop = events.iter().find(|event| event.event_name() == Some("DisableKey")).unwrap();
    assert_eq!((drop.username(), drop.read_only()), (Some("oncall-b"), Some("false")));
    let record: Value = serde_json::from_str(drop.cloud_trail_event().unwrap()).unwrap();
    assert_eq!(record["eventID"], drop.event_id().unwrap());
    assert_eq!(drop.resources()[0].resource_name(), record["resources"][0]["ARN"].as_str());
}

#[tokio::test]
async fn cloudtrail_refuses_in_words_that_the_client_knows() {
    let sim = simulator();
    let client = client!(aws_sdk_cloudtrail, sim, "auditor");
    let refused = client.lookup_events().max_results(51).send().await.unwrap_err().into_service_error();
    assert!(refused.is_invalid_max_results_exception(), "{refused:?}");
    let refused = client.lookup_events().next_token("made up").send().await.unwrap_err().into_service_error();
    assert!(refused.is_invalid_next_token_exception(), "{refused:?}");
}

#[tokio::test]
async fn a_call_turns_up_in_event_history_once_it_is_delivered() {
    let sim = simulator();
    sim.world().trail.set_delay(SignedDuration::ZERO, SignedDuration::ZERO);
    let topic = format!("arn:aws:sns:{HOME}:{ACCOUNT}:{ALERT_TOPIC}");
    client!(aws_sdk_rds, sim, "oncall-a").describe_db_instances().send().await.unwrap();
    client!(aws_sdk_sns, sim, "oncall-a").publish().topic_arn(topic).message("m").send().await.unwrap();
    let latest =
        client!(aws_sdk_cloudtrail, sim, "auditor").lookup_events().max_results(1).send().await.unwrap();
    let event = &latest.events()[0];
    assert_eq!(event.event_name(), Some("DescribeDBInstances"), "and not the data event Publish");
    assert_eq!(event.username(), Some("oncall-a"));
    assert_eq!(event.event_source(), Some("rds.amazonaws.com"));
}

#[tokio::test]
async fn sns_takes_an_alert_and_refuses_a_topic_that_is_not_there() {
    let sim = simulator();
    let client = client!(aws_sdk_sns, sim, "platform");
    let topics = client.list_topics().send().await.unwrap();
    let topic = topics.topics()[0].topic_arn().unwrap().to_owned();
    let sent = client
        .publish()
        .topic_arn(&topic)
        .subject("[EMERGENCY] Key Revoked - production")
        .message("Key CEK_User_12345 revoked & verified <✓>")
        .send()
        .await
        .unwrap();
    let kept = sim.world().sns.messages()[0].clone();
    assert_eq!(sent.message_id(), Some(kept.message_id.as_str()));
    assert_eq!(kept.message, "Key CEK_User_12345 revoked & verified <✓>");
    let refused = client.publish().topic_arn(topic + "x").message("m").send().await.unwrap_err();
    assert!(refused.into_service_error().is_not_found_exception());
}

#[tokio::test]
async fn rds_follows_its_storage_key() {
    let sim = simulator();
    let client = client!(aws_sdk_rds, sim, "platform");
    let all = client.describe_db_instances().send().await.unwrap();
    let names: Vec<_> = all.db_instances().iter().filter_map(DbInstance::db_instance_identifier).collect();
    assert_eq!(names, ["buzz-dev-1", "buzz-prod-1", "buzz-staging-1"]);
    let production = &all.db_instances()[1];
    let key = keys::arn_behind(&sim.world().kms, keys::USER_DATA);
    assert_eq!(production.kms_key_id(), Some(key.as_str()));
    assert_eq!((production.storage_encrypted(), production.multi_az()), (Some(true), Some(true)));
    assert_eq!(production.engine(), Some("sqlserver-se"));
    assert_eq!(production.endpoint().and_then(Endpoint::port), Some(1433));
    assert!(
        production.instance_create_time().is_some()
            && all.db_instances()[0].automatic_restart_time().is_some()
    );
    assert_eq!(production.tag_list().len(), 2);

    let status = async || {
        let answer =
            client.describe_db_instances().db_instance_identifier("buzz-prod-1").send().await.unwrap();
        answer.db_instances()[0].db_instance_status().unwrap().to_owned()
    };
    assert_eq!(status().await, "available");
    set_state(&sim, KeyState::Disabled);
    // Ten minutes ago, so far as RDS knows.
    let earlier = sim.clock().now() - SignedDuration::from_mins(10);
    {
        let mut world = sim.world();
        let World { rds, kms, .. } = &mut *world;
        rds.observe(kms, earlier);
    }
    assert_eq!(status().await, "inaccessible-encryption-credentials-recoverable");
    #[expect(clippy::disallowed_methods, reason = "the simulated account's own test")]
    let start = || client.start_db_instance().db_instance_identifier("buzz-prod-1").send();
    let refused = start().await.unwrap_err().into_service_error();
    assert!(refused.is_kms_key_not_accessible_fault(), "{refused:?}");
    set_state(&sim, KeyState::Enabled);
    let started = start().await.unwrap();
    assert_eq!(started.db_instance().and_then(|one| one.db_instance_status()), Some("starting"));
    let missing = client.describe_db_instances().db_instance_identifier("nobody").send().await.unwrap_err();
    assert!(missing.into_service_error().is_db_instance_not_found_fault());
}

fn set_state(sim: &Simulator, state: KeyState) {
    let mut world = sim.world();
    let id = keys::behind(&world.kms, keys::USER_DATA).unwrap().id.clone();
    world.kms.key_mut(HOME, &id).unwrap().state = state;
}
