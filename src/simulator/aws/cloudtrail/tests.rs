//! What `LookupEvents` promises, checked on a trail of its own.

use std::collections::BTreeSet;

use jiff::{Timestamp, ToSpan as _};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::actor::{Actor, Session};
use super::record::kms_key;
use super::*;
use crate::simulator::aws::{Call, Caller, Context, Facts, Identity, Refusal, Reply, ServiceEvent};

const ACCOUNT: &str = "111122223333";
const REGION: &str = "eu-west-1";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/0b6d3c0e-7b7e-4a53-9d3c-1d2f7ac1f001";

fn now() -> Timestamp {
    "2026-05-04T12:00:00Z".parse().unwrap()
}

fn call(at: Timestamp, service: &str, operation: &str, input: Value) -> Call {
    Call {
        at,
        service: service.into(),
        region: REGION.into(),
        operation: operation.into(),
        caller: Caller {
            account: ACCOUNT.into(),
            access_key_id: "AKIAONCALLA".into(),
            identity: Identity::User { name: "oncall-a".into(), mfa: false },
        },
        input,
        request_id: "5f3cb6e0-0000-4000-8000-000000000001".into(),
        source_ip: "203.0.113.7".into(),
        user_agent: "aws-cli/2".into(),
    }
}

fn noted(trail: &mut Trail, at: Timestamp, operation: &str, read_only: bool) {
    let facts = Facts {
        read_only,
        resources: vec![kms_key(KEY)],
        request_parameters: json!({"keyId": KEY}),
        ..Facts::default()
    };
    trail.note(&call(at, "kms", operation, Value::Null), &Ok(Reply::Json(Value::Null)), &facts);
}

fn lookup(trail: &mut Trail, at: Timestamp, input: Value) -> Result<Value, Refusal> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut context = Context { account: ACCOUNT, rng: &mut rng, facts: Facts::default() };
    match trail.handle(&call(at, "cloudtrail", "LookupEvents", input), &mut context)? {
        Reply::Json(answer) => Ok(answer),
        Reply::Xml(_) => panic!("CloudTrail speaks JSON"),
    }
}

fn names(answer: &Value) -> Vec<String> {
    let events = answer["Events"].as_array().unwrap();
    events.iter().map(|event| event["EventName"].as_str().unwrap().to_owned()).collect()
}

fn refusal(input: Value) -> String {
    lookup(&mut Trail::default(), now(), input).unwrap_err().code
}

#[test]
fn refuses_what_aws_refuses() {
    let attribute = |key: &str, value: &str| json!({"AttributeKey": key, "AttributeValue": value});
    let two = json!({"LookupAttributes": [attribute("EventName", "a"), attribute("ReadOnly", "true")]});
    assert_eq!(refusal(two), "InvalidLookupAttributesException");
    for (key, value) in [("Colour", "red"), ("EventName", ""), ("ReadOnly", "maybe")] {
        let input = json!({"LookupAttributes": [attribute(key, value)]});
        assert_eq!(refusal(input), "InvalidLookupAttributesException", "{key}={value}");
    }
    assert_eq!(refusal(json!({"StartTime": 20.5, "EndTime": 10})), "InvalidTimeRangeException");
    for count in [json!(0), json!(51), json!(-1)] {
        assert_eq!(refusal(json!({ "MaxResults": count })), "InvalidMaxResultsException");
    }
    assert_eq!(refusal(json!({"NextToken": "AAAA"})), "InvalidNextTokenException");
    assert_eq!(refusal(json!({"StartTime": "yesterday"})), "SerializationException");
    assert_eq!(refusal(json!({"EventCategory": "gossip"})), "InvalidEventCategoryException");
}

#[test]
fn a_record_appears_only_after_its_delay() {
    let mut trail = Trail::default();
    let delay = SignedDuration::from_secs(90);
    trail.set_delay(delay, delay);
    noted(&mut trail, now(), "DisableKey", false);
    assert!(
        names(&lookup(&mut trail, now() + delay - SignedDuration::from_millis(1), json!({})).unwrap())
            .is_empty()
    );
    assert_eq!(names(&lookup(&mut trail, now() + delay, json!({})).unwrap()), ["DisableKey"]);
}

#[test]
fn delays_stay_within_their_bounds_and_vary() {
    let mut trail = Trail::seeded(7);
    for _ in 0..500 {
        noted(&mut trail, now(), "Decrypt", true);
    }
    let delays: BTreeSet<_> =
        trail.records().map(|record| record.delivered.duration_since(record.entry.at)).collect();
    let (min, max) = Delivery::default().delay;
    assert!(delays.iter().all(|delay| (min..=max).contains(delay)));
    assert!(delays.len() > 100, "drawn, not fixed");
}

#[test]
fn paging_gives_every_event_exactly_once_though_new_ones_arrive() {
    let mut trail = Trail::seeded(3);
    trail.set_delay(SignedDuration::ZERO, SignedDuration::ZERO);
    for second in 0..123 {
        noted(&mut trail, now() - SignedDuration::from_secs(second), "Decrypt", true);
    }
    trail.set_delay(SignedDuration::from_mins(10), SignedDuration::from_mins(10));
    let mut seen = Vec::new();
    let mut token = Value::Null;
    let mut at = now();
    loop {
        let answer = lookup(&mut trail, at, json!({"MaxResults": 10, "NextToken": token})).unwrap();
        for event in answer["Events"].as_array().unwrap() {
            seen.push((event["EventTime"].as_i64().unwrap(), event["EventId"].as_str().unwrap().to_owned()));
        }
        // Both newer and older events are delivered while the client turns the pages.
        noted(&mut trail, now() - SignedDuration::from_secs(200), "Encrypt", true);
        noted(&mut trail, now(), "Encrypt", true);
        at += SignedDuration::from_mins(10);
        token = answer["NextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 123);
    assert_eq!(seen.iter().map(|(_, id)| id).collect::<BTreeSet<_>>().len(), 123);
    assert!(seen.is_sorted_by(|a, b| a.0 >= b.0), "newest first");
}

#[test]
fn no_token_after_a_last_page_that_is_exactly_full() {
    let mut trail = Trail::default();
    for _ in 0..50 {
        noted(&mut trail, now() - SignedDuration::from_hours(1), "Decrypt", true);
    }
    let answer = lookup(&mut trail, now(), json!({})).unwrap();
    assert_eq!(names(&answer).len(), 50);
    assert!(answer.get("NextToken").is_none());
}

#[test]
fn a_token_answers_its_own_question_only() {
    let mut trail = Trail::default();
    for _ in 0..3 {
        noted(&mut trail, now() - SignedDuration::from_hours(1), "Decrypt", true);
    }
    let by = |name: &str| json!([{"AttributeKey": "EventName", "AttributeValue": name}]);
    let first =
        lookup(&mut trail, now(), json!({"MaxResults": 1, "LookupAttributes": by("Decrypt")})).unwrap();
    let other = json!({"NextToken": first["NextToken"], "LookupAttributes": by("Encrypt")});
    assert_eq!(lookup(&mut trail, now(), other).unwrap_err().code, "InvalidNextTokenException");
}

#[test]
fn every_attribute_finds_its_events_and_no_others() {
    let mut trail = Trail::default();
    let hour_ago = now() - SignedDuration::from_hours(1);
    noted(&mut trail, hour_ago, "DisableKey", false);
    let event_id = trail.records().next().unwrap().event_id.to_string();
    let role = Actor::Role {
        account: ACCOUNT.into(),
        role: "buzz-app".into(),
        session_name: "i-0abc".into(),
        access_key_id: "ASIAAPP".into(),
        source_identity: None,
        session: Session { created: hour_ago, mfa: false, console: false },
    };
    trail.push(Entry {
        region: REGION.into(),
        ..Entry::new(hour_ago, &"sts.amazonaws.com".into(), &"GetCallerIdentity".into(), &Arc::new(role))
    });
    let mut find = |key: &str, value: &str| {
        let attributes = json!([{"AttributeKey": key, "AttributeValue": value}]);
        names(&lookup(&mut trail, now(), json!({ "LookupAttributes": attributes })).unwrap())
    };
    assert_eq!(find("EventId", &event_id), ["DisableKey"]);
    assert_eq!(find("EventName", "DisableKey"), ["DisableKey"]);
    assert_eq!(find("ReadOnly", "false"), ["DisableKey"]);
    assert_eq!(find("ReadOnly", "true"), ["GetCallerIdentity"]);
    assert_eq!(find("Username", "oncall-a"), ["DisableKey"]);
    assert_eq!(find("Username", "i-0abc"), ["GetCallerIdentity"]);
    assert_eq!(find("ResourceType", "AWS::KMS::Key"), ["DisableKey"]);
    assert_eq!(find("ResourceName", KEY), ["DisableKey"]);
    assert_eq!(find("EventSource", "kms.amazonaws.com"), ["DisableKey"]);
    assert_eq!(find("AccessKeyId", "ASIAAPP"), ["GetCallerIdentity"]);
    assert!(find("EventName", "disablekey").is_empty(), "case counts");
}

#[test]
fn times_regions_and_ninety_days_bound_the_answer() {
    let mut trail = Trail::default();
    noted(&mut trail, now() - SignedDuration::from_hours(91 * 24), "TooOld", false);
    noted(&mut trail, now() - 3.hours(), "Early", false);
    noted(&mut trail, now() - 1.hour(), "Late", false);
    assert_eq!(names(&lookup(&mut trail, now(), json!({})).unwrap()), ["Late", "Early"]);
    let two_hours_ago = (now() - 2.hours()).as_second();
    let early = lookup(&mut trail, now(), json!({"EndTime": two_hours_ago})).unwrap();
    let late = lookup(&mut trail, now(), json!({"StartTime": two_hours_ago})).unwrap();
    assert_eq!((names(&early), names(&late)), (vec!["Early".to_owned()], vec!["Late".to_owned()]));
    let mut elsewhere = call(now(), "cloudtrail", "LookupEvents", json!({}));
    elsewhere.region = "us-east-1".into();
    let mut rng = StdRng::seed_from_u64(1);
    let mut context = Context { account: ACCOUNT, rng: &mut rng, facts: Facts::default() };
    let Ok(Reply::Json(answer)) = trail.handle(&elsewhere, &mut context) else { panic!("a JSON answer") };
    assert!(names(&answer).is_empty());
}

#[test]
fn duplicates_share_their_event_id_and_reordering_shuffles_neighbours() {
    let mut trail = Trail::seeded(5);
    trail.set_delivery(Delivery { duplicates: 1.0, reorder: true, ..Delivery::default() });
    for second in 0..40 {
        noted(&mut trail, now() - SignedDuration::from_secs(3600 - second), "Decrypt", true);
    }
    let first = lookup(&mut trail, now(), json!({})).unwrap();
    let rest = lookup(&mut trail, now(), json!({"NextToken": first["NextToken"]})).unwrap();
    let events: Vec<&Value> =
        [&first, &rest].into_iter().flat_map(|page| page["Events"].as_array().unwrap()).collect();
    assert_eq!(events.len(), 80);
    assert_eq!(
        events.iter().map(|event| event["EventId"].as_str().unwrap()).collect::<BTreeSet<_>>().len(),
        40
    );
    assert!(!events.is_sorted_by(|a, b| a["EventTime"].as_i64() >= b["EventTime"].as_i64()));
}

#[test]
fn a_call_abroad_is_recorded_in_both_accounts_and_a_denied_one_in_the_callers_alone() {
    let foreign = "arn:aws:kms:eu-west-1:444455556666:key/0b6d3c0e-7b7e-4a53-9d3c-1d2f7ac1f009";
    let facts = Facts { read_only: true, resources: vec![kms_key(foreign)], ..Facts::default() };
    let decrypt = call(now(), "kms", "Decrypt", Value::Null);
    let mut trail = Trail::default();
    trail.note(&decrypt, &Err(Refusal::new("AccessDeniedException", "no")), &facts);
    let denied: Vec<Value> = trail.records().map(Record::render).collect();
    assert_eq!(denied.len(), 1);
    assert_eq!(denied[0]["recipientAccountId"], ACCOUNT);
    assert_eq!(denied[0]["errorCode"], "AccessDenied");

    let mut trail = Trail::default();
    trail.note(&decrypt, &Ok(Reply::Json(Value::Null)), &facts);
    let both: Vec<Value> = trail.records().map(Record::render).collect();
    assert_eq!(both.len(), 2);
    assert_eq!(both[0]["sharedEventID"], both[1]["sharedEventID"]);
    assert_ne!(both[0]["eventID"], both[1]["eventID"]);
    assert_eq!(both[1]["recipientAccountId"], "444455556666");
    assert_eq!(both[1]["userIdentity"]["type"], "AWSAccount");
}

#[test]
fn records_have_cloudtrails_shape() {
    let mut trail = Trail::default();
    let facts =
        Facts { resources: vec![kms_key(KEY)], response_elements: json!({"keyId": KEY}), ..Facts::default() };
    let mut disable = call(now(), "kms", "DisableKey", Value::Null);
    disable.caller.identity = Identity::Session {
        role: "BuzzTutorEmergencyKeyAdmin-production".into(),
        session_name: "INC-1".into(),
        mfa: true,
        source_identity: Some("oncall-a".into()),
        tags: Vec::new(),
        session_policy: None,
        issued_at: now(),
        expires_at: now() + SignedDuration::from_hours(1),
    };
    trail.note(&disable, &Ok(Reply::Json(Value::Null)), &facts);
    let record = trail.records().next().unwrap().render();
    let context = &record["userIdentity"]["sessionContext"];
    assert_eq!(record["eventVersion"], "1.11");
    assert_eq!(record["eventTime"], "2026-05-04T12:00:00Z");
    assert_eq!(record["userIdentity"]["type"], "AssumedRole");
    assert_eq!(context["attributes"]["mfaAuthenticated"], "true", "a string, as in CloudTrail");
    assert_eq!(context["sessionIssuer"]["userName"], "BuzzTutorEmergencyKeyAdmin-production");
    assert_eq!(context["sourceIdentity"], "oncall-a");
    assert_eq!(record["resources"], json!([{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": KEY}]));
    assert_eq!(record["responseElements"]["keyId"], KEY);
    assert_eq!(record["requestParameters"], Value::Null);
    assert_eq!(record["readOnly"], false);
    assert_eq!(record["eventType"], "AwsApiCall");
    assert_eq!(record["requestID"], "5f3cb6e0-0000-4000-8000-000000000001");
    assert_eq!(record["tlsDetails"]["clientProvidedHostHeader"], "kms.eu-west-1.amazonaws.com");
}

#[test]
fn what_aws_does_by_itself_is_a_service_event() {
    let mut trail = Trail::default();
    trail.note_service(&ServiceEvent {
        at: now(),
        region: REGION.into(),
        account: ACCOUNT.into(),
        service: "kms".into(),
        name: "RotateKey".into(),
        resources: vec![kms_key(KEY)],
        details: json!({"rotationType": "AUTOMATIC"}),
    });
    let record = trail.records().next().unwrap().render();
    assert_eq!(record["eventType"], "AwsServiceEvent");
    assert_eq!(record["userIdentity"], json!({"accountId": ACCOUNT, "invokedBy": "AWS Internal"}));
    assert_eq!(record["serviceEventDetails"]["rotationType"], "AUTOMATIC");
    assert!(record.get("tlsDetails").is_none());
    assert_eq!(record["requestParameters"], Value::Null);
}

#[test]
fn publishing_is_a_data_event_that_event_history_does_not_have() {
    let mut trail = Trail::default();
    let publish = call(now() - SignedDuration::from_hours(1), "sns", "Publish", Value::Null);
    trail.note(&publish, &Ok(Reply::Xml(String::new())), &Facts::default());
    assert_eq!(trail.records().count(), 1);
    assert!(names(&lookup(&mut trail, now(), json!({})).unwrap()).is_empty());
}

#[test]
fn a_hundred_thousand_records_are_searched_quickly() {
    let mut trail = Trail::seeded(1);
    let actor = Arc::new(Actor::Root { account: ACCOUNT.into() });
    let (source, name, region): (Arc<str>, Arc<str>, Arc<str>) =
        ("kms.amazonaws.com".into(), "Decrypt".into(), REGION.into());
    let entries = (0..100_000).map(|second| Entry {
        region: Arc::clone(&region),
        ..Entry::new(now() - SignedDuration::from_secs(1_000_000 - second), &source, &name, &actor)
    });
    trail.extend(entries.collect());
    let began = std::time::Instant::now();
    let miss = json!([{"AttributeKey": "EventName", "AttributeValue": "DisableKey"}]);
    assert!(names(&lookup(&mut trail, now(), json!({ "LookupAttributes": miss })).unwrap()).is_empty());
    // An unoptimised build on a busy machine; a full JSON parse of each would take seconds.
    assert!(began.elapsed() < std::time::Duration::from_millis(500), "{:?}", began.elapsed());
}
