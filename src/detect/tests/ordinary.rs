//! A day on which nothing happens.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::super::{Context, Detections, Engine};
use super::show;
use crate::model::event::Severity;
use crate::simulator::Simulator;
use crate::simulator::clock::VirtualClock;
use crate::simulator::seed;
use crate::simulator::traffic::Traffic;
use crate::trail::{parse, particulars};

const EVENTS: usize = 50_000;
const DAY: i64 = 86_400;
const START: &str = "2026-11-23T00:00:00Z";
const HOSTS: [(&str, &str); 3] =
    [("i-0a41", "10.20.1.17"), ("i-0b92", "10.20.2.41"), ("i-0cd3", "10.20.3.8")];
const SERVICES: [&str; 5] = [
    "rds.amazonaws.com",
    "ebs.amazonaws.com",
    "backup.amazonaws.com",
    "s3.amazonaws.com",
    "dynamodb.amazonaws.com",
];

fn key(number: usize) -> String {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{number:08x}-12ab-34cd-56ef-1234567890ab")
}

fn role(role: &str, session: &str) -> Value {
    json!({
        "type": "AssumedRole", "principalId": format!("AROA{role}:{session}"), "accountId": "111122223333",
        "arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}"), "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "accountId": "111122223333", "userName": role},
            "attributes": {"mfaAuthenticated": "false"}
        }
    })
}

/// One call, mostly of those that fill every trail: programs and services that open what they keep.
fn call(rng: &mut SmallRng) -> Value {
    let service = *SERVICES.choose(rng).unwrap();
    let by_service = |name: &str, read_only| json!({"eventName": name, "readOnly": read_only, "sourceIPAddress": service, "userIdentity": {"type": "AWSService", "invokedBy": service}});
    let by_role = |name: &str, read_only, role_name: &str, session: &str, address: &str| json!({"eventName": name, "readOnly": read_only, "sourceIPAddress": address, "userIdentity": role(role_name, session)});
    let shift = rng.random_range(0..4);
    match rng.random_range(0..1000) {
        0..450 => {
            let (host, address) = HOSTS.choose(rng).unwrap();
            let mut call = by_role("Decrypt", true, "App", &format!("{host}-{shift}"), address);
            call["vpcEndpointId"] = "vpce-0f1e".into();
            call
        }
        450..800 => by_service(
            ["GenerateDataKey", "Decrypt", "GenerateDataKeyWithoutPlaintext"].choose(rng).unwrap(),
            true,
        ),
        800..860 => by_service(["CreateGrant", "RetireGrant"].choose(rng).unwrap(), false),
        860..960 => by_role("DescribeKey", true, "Monitoring", "key-monitor", "10.20.9.30"),
        960..985 => {
            let mut call = by_role("AssumeRole", true, "App", "deployer", "198.51.100.20");
            call["eventSource"] = "sts.amazonaws.com".into();
            call["requestParameters"] = json!({"roleArn": "arn:aws:iam::111122223333:role/App"});
            call
        }
        985..988 => by_role("TagResource", false, "DevOps", "release", "198.51.100.20"),
        988..992 => {
            // A program whose permission is narrower than its appetite.
            let mut call = by_role("ListGrants", true, "Monitoring", "key-monitor", "10.20.9.30");
            call["errorCode"] = "DryRunOperationException".into();
            call
        }
        992..996 => {
            let mut call = by_service("Decrypt", true);
            call["errorCode"] = "AccessDenied".into();
            call["errorMessage"] = "no".into();
            call
        }
        _ => json!({
            "eventName": "RotateKey", "readOnly": false, "eventType": "AwsServiceEvent", "sourceIPAddress": "AWS Internal",
            "userIdentity": {"accountId": "111122223333", "invokedBy": "AWS Internal"}
        }),
    }
}

fn day() -> impl Iterator<Item = String> {
    let mut rng = SmallRng::seed_from_u64(7);
    let start: Timestamp = START.parse().unwrap();
    (0..EVENTS).map(move |number| {
        let mut record = call(&mut rng);
        let arn = key(rng.random_range(0..20));
        let at = start + SignedDuration::from_secs(rng.random_range(0..DAY));
        record["eventID"] = format!("{number:08x}-0000-4000-8000-000000000000").into();
        record["eventTime"] = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        record["awsRegion"] = "eu-west-1".into();
        record["recipientAccountId"] = "111122223333".into();
        if record["eventSource"].is_null() {
            record["eventSource"] = "kms.amazonaws.com".into();
            record["requestParameters"] = json!({"keyId": arn});
            record["resources"] = json!([{"ARN": arn, "accountId": "111122223333", "type": "AWS::KMS::Key"}]);
        }
        record.to_string()
    })
}

#[test]
fn a_day_of_ordinary_traffic_has_no_finding_to_wake_anybody_for() {
    // An hour's baseline is the hardest: most of the day is beyond it.
    let baselines = [SignedDuration::from_hours(1), Detections::default().baseline];
    let mut engines = baselines
        .map(|baseline| Engine::new(Detections { baseline, ..Detections::default() }, Context::default()));
    let mut decrypts = 0;
    for raw in day() {
        let event = parse(&raw).unwrap();
        decrypts += usize::from(event.is_use());
        for engine in &mut engines {
            engine.see(&event, || particulars(&event, &raw));
        }
    }
    assert!(decrypts > EVENTS * 3 / 4, "mostly use: {decrypts}");
    for engine in engines {
        let findings = engine.findings(START.parse().unwrap());
        let loud: Vec<_> = findings.iter().filter(|finding| finding.severity >= Severity::High).collect();
        assert!(loud.is_empty(), "{loud:#?}");
    }
}

/// The simulated account, lived in for a day by a dozen times the programs that it has: what was done to its keys before
/// is known, and nothing is done that day but use, looks and releases.
#[test]
fn a_day_of_the_simulated_account_has_no_finding_to_wake_anybody_for() {
    let start: Timestamp = START.parse().unwrap();
    let sim = Simulator::new(seed::buzz_tutor(7, start), VirtualClock::frozen(start));
    let mut lives: Vec<Traffic> = (0..12).map(|seed| Traffic::new(&sim, seed)).collect();
    for _ in 0..24 {
        sim.clock().advance(SignedDuration::from_hours(1));
        for life in &mut lives {
            life.tick(&sim);
        }
    }
    let context = Context {
        account: Some(seed::ACCOUNT.into()),
        regions: vec![seed::HOME.into(), seed::REPLICA.into()],
        ..Context::default()
    };
    let baseline = SignedDuration::from_hours(24);
    let mut engine = Engine::new(Detections { baseline, ..Detections::default() }, context);
    let (mut events, mut uses) = (0, 0);
    for record in sim.world().trail.records().filter(|record| *record.entry.account == *seed::ACCOUNT) {
        let raw = record.render().to_string();
        let event = parse(&raw).unwrap();
        if event.at >= start {
            events += 1;
            uses += usize::from(event.is_use());
        }
        engine.see(&event, || particulars(&event, &raw));
    }
    assert!(events >= EVENTS && uses > EVENTS / 2, "{events} events, {uses} of them use");
    let findings = engine.findings(start);
    let that_day = findings.iter().filter(|finding| finding.events.iter().any(|(at, _)| *at >= start));
    let loud: Vec<_> = that_day.filter(|finding| finding.severity >= Severity::High).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

#[test]
fn the_same_day_with_one_intruder_in_it_has_his_findings_alone() {
    let mut engine = Engine::new(
        Detections { baseline: SignedDuration::from_hours(1), ..Detections::default() },
        Context::default(),
    );
    day().take(5_000).for_each(|record| show(&mut engine, &record));
    let intruder = json!({
        "eventID": "x-1", "eventTime": "2026-11-23T20:00:00Z", "eventName": "Decrypt", "readOnly": true,
        "eventSource": "kms.amazonaws.com", "awsRegion": "eu-west-1", "sourceIPAddress": "192.0.2.66",
        "recipientAccountId": "111122223333", "userIdentity": role("App", "stolen"),
        "resources": [{"ARN": key(3), "accountId": "111122223333", "type": "AWS::KMS::Key"}]
    });
    show(&mut engine, &intruder.to_string());
    let findings = engine.findings(START.parse().unwrap());
    let loud: Vec<_> = findings.iter().filter(|finding| finding.severity >= Severity::High).collect();
    let [only] = loud.as_slice() else { panic!("{loud:#?}") };
    assert_eq!((only.rule.id, only.events[0].1.as_str()), ("kms-key-used-from-new-network", "x-1"));
}

/// A million events are shown in some seconds, in a build that is not optimised.
#[test]
#[ignore = "a measurement: cargo test --lib a_million -- --ignored --nocapture"]
fn a_million_events_take_seconds() {
    let day: Vec<_> = day().map(|raw| (parse(&raw).unwrap(), raw)).collect();
    let mut engine = Engine::default();
    let started = std::time::Instant::now();
    for round in 0..20_i64 {
        for (event, raw) in &day {
            let mut event = event.clone();
            event.at += SignedDuration::from_secs(round * DAY);
            event.id = format!("{round}-{}", event.id);
            engine.see(&event, || particulars(&event, raw));
        }
    }
    let seen = started.elapsed();
    let started = std::time::Instant::now();
    let findings = engine.findings(START.parse().unwrap()).len();
    println!("a million events seen in {seen:?}; {findings} findings told in {:?}", started.elapsed());
}
