//! The trail: followed through all that CloudTrail does to it, and read from files by the program.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use portcullis::drill::Stage;
use portcullis::estate::Estate;
use portcullis::simulator::aws::cloudtrail::Delivery;
use portcullis::simulator::aws::cloudtrail::record::Record;
use portcullis::simulator::clock::VirtualClock;
use portcullis::simulator::faults::{Effect, Fault, Target};
use portcullis::simulator::{Simulator, seed};
use portcullis::trail::{FollowOptions, Follower};

use crate::program::{Ran, command, run};

fn now() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

/// Lets tokio's paused time and the account's go on together.
async fn live(stage: &Stage, minutes: u64) {
    for _ in 0..minutes * 120 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        stage.simulator.clock().advance(SignedDuration::from_millis(500));
    }
}

#[tokio::test(start_paused = true)]
async fn every_event_shows_once_through_delay_disorder_repetition_and_throttling() {
    let simulator = Simulator::new(seed::buzz_tutor(7, now()), VirtualClock::frozen(now()));
    let stage = Stage::around(simulator, 7).unwrap();
    let delivery = Delivery {
        delay: (SignedDuration::from_mins(1), SignedDuration::from_mins(9)),
        duplicates: 0.3,
        reorder: true,
    };
    stage.simulator.world().trail.set_delivery(delivery);
    let opened = Estate::open(stage.environment.clone(), stage.wire.clone(), stage.clock.clone()).await;
    let estate = opened.unwrap();
    let follower = Follower::spawn(&estate, FollowOptions { use_pages: 40, ..FollowOptions::default() });
    live(&stage, 15).await;
    let lookups = || stage.simulator.calls().into_iter().filter(|call| call.operation == "LookupEvents");
    assert!(lookups().count() > 100, "it does follow: {}", lookups().count());
    assert_eq!(lookups().filter(|call| call.error.is_some()).count(), 0, "the quota is never overrun");
    let on = Target::Operation("LookupEvents".to_owned());
    stage.simulator.faults().add(Fault { on, effect: Effect::Throttle(0.2), times: None });
    live(&stage, 20).await;
    assert!(lookups().any(|call| call.error.is_some()), "some were throttled");
    stage.simulator.faults().clear();
    live(&stage, 8).await;

    let view = follower.views().borrow().clone();
    let shown: Vec<String> = view.events.iter().map(|event| event.id).collect();
    let distinct: BTreeSet<&String> = shown.iter().collect();
    assert_eq!(distinct.len(), shown.len(), "each once");
    // What was delivered before the last wide sweep has to be here.
    let due = stage.clock.now() - SignedDuration::from_mins(6);
    let world = stage.simulator.world();
    let wanted: BTreeSet<String> = world
        .trail
        .records()
        .filter(|record| {
            &*record.entry.account == seed::ACCOUNT && &*record.entry.source == "kms.amazonaws.com"
        })
        .filter(|record| record.is_management() && record.entry.at >= now() && record.delivered <= due)
        .map(|record| record.event_id.to_string())
        .collect();
    assert!(wanted.len() > 60, "{}", wanted.len());
    let missing: Vec<&String> = wanted.iter().filter(|id| !distinct.contains(id)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test(start_paused = true)]
async fn with_a_queue_every_event_is_here_within_seconds_and_once() {
    let mut world = seed::buzz_tutor(7, now());
    let url = seed::event_queue(&mut world, now());
    let simulator = Simulator::new(world, VirtualClock::frozen(now()));
    let mut stage = Stage::around(simulator, 7).unwrap();
    let delivery = Delivery {
        delay: (SignedDuration::from_mins(4), SignedDuration::from_mins(9)),
        duplicates: 0.3,
        reorder: true,
    };
    stage.simulator.world().trail.set_delivery(delivery);
    stage.environment.trail.queue = Some(url.parse().unwrap());
    let opened = Estate::open(stage.environment.clone(), stage.wire.clone(), stage.clock.clone()).await;
    let follower = Follower::spawn(&opened.unwrap(), FollowOptions::default());
    live(&stage, 3).await;
    // Until now LookupEvents cannot have brought anything of what has happened meanwhile.
    assert_eq!(missing(&stage, &follower, SignedDuration::from_secs(5)), Vec::<String>::new());
    // The queue refuses, loses answers after it gave them, and comes back.
    let trouble = |operation: &str, effect| Fault {
        on: Target::Operation(operation.to_owned()),
        effect,
        times: Some(3),
    };
    let faults = stage.simulator.faults();
    faults.add(trouble("ReceiveMessage", Effect::AccessDenied));
    faults.add(trouble("ReceiveMessage", Effect::ConnectionLossAfter));
    faults.add(trouble("DeleteMessageBatch", Effect::ConnectionLoss));
    live(&stage, 12).await;
    assert_eq!(missing(&stage, &follower, SignedDuration::from_mins(3)), Vec::<String>::new());
    let view = follower.views().borrow().clone();
    let lag = |number: usize| view.sources[number].lag.unwrap();
    let queue = view.sources.len() - 1;
    assert!(
        lag(queue) < SignedDuration::from_secs(10) && lag(0) > SignedDuration::from_mins(3),
        "{:?}",
        view.sources
    );
    assert!(stage.simulator.world().sqs.depth(seed::EVENT_QUEUE) < 30, "what is kept is deleted");
    let lookups = stage.simulator.calls().into_iter().filter(|call| call.operation == "LookupEvents");
    assert_eq!(lookups.filter(|call| call.error.is_some()).count(), 0, "the quota is never overrun");
}

/// Those of KMS's events from the start until so long ago that are not shown. What is shown is shown once.
fn missing(stage: &Stage, follower: &Follower, until: SignedDuration) -> Vec<String> {
    let view = follower.views().borrow().clone();
    let shown: Vec<String> = view.events.iter().map(|event| event.id).collect();
    let distinct: BTreeSet<&String> = shown.iter().collect();
    let (world, due) = (stage.simulator.world(), stage.clock.now() - until);
    assert_eq!(distinct.len(), shown.len(), "each once");
    let is_wanted = |record: &&Record| {
        let entry = &record.entry;
        let is_kms = &*entry.account == seed::ACCOUNT && &*entry.source == "kms.amazonaws.com";
        is_kms && record.is_management() && entry.at > now() && entry.at <= due
    };
    let wanted: Vec<&Record> = world.trail.records().filter(is_wanted).collect();
    assert!(wanted.len() > 5, "{}", wanted.len());
    let is_missing = |record: &&&Record| !distinct.contains(&record.event_id.to_string());
    let missing = wanted.iter().filter(is_missing);
    missing.map(|record| format!("{} of {}", record.entry.name, record.entry.at)).collect()
}

/// The records of the simulated account.
fn records() -> Vec<Value> {
    let world = seed::buzz_tutor(7, now());
    world.trail.records().filter(|record| record.is_management()).map(Record::render).collect()
}

fn gzip(records: &[Value]) -> Vec<u8> {
    let text = serde_json::json!({ "Records": records }).to_string();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap()
}

/// A bucket's folder of these records, some of them in two files.
fn bucket(folder: &Path, records: &[Value]) {
    let day = folder.join("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23");
    std::fs::create_dir_all(&day).unwrap();
    for (number, chunk) in records.chunks(300).enumerate() {
        std::fs::write(day.join(format!("{number:04}.json.gz")), gzip(chunk)).unwrap();
    }
    std::fs::write(day.join("again.json.gz"), gzip(&records[..100])).unwrap();
    let digests = folder.join("AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/23");
    std::fs::create_dir_all(&digests).unwrap();
    std::fs::write(digests.join("digest.json.gz"), gzip(&[])).unwrap();
}

fn from(folder: &Path, words: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    let folder = folder.to_str().unwrap();
    run(home.path(), &Vec::new(), &[&["events", "--from", folder], words].concat())
}

fn distinct(records: &[Value], field: &str) -> BTreeMap<String, u64> {
    let mut seen = BTreeSet::new();
    let mut counts = BTreeMap::new();
    for record in records.iter().filter(|record| seen.insert(record["eventID"].to_string())) {
        *counts.entry(record[field].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn a_bucket_is_listed_and_counted_without_account_or_settings() {
    let folder = tempfile::tempdir().unwrap();
    let records = records();
    bucket(folder.path(), &records);
    let names = distinct(&records, "eventName");
    let total: u64 = names.values().sum();

    let counted = from(folder.path(), &["--count-by", "name", "--format", "json"]);
    assert!(counted.err.contains("passed over 1 digest files"), "{}", counted.err);
    assert!(counted.err.contains("100 records repeat an event"), "{}", counted.err);
    let counts: BTreeMap<String, u64> = counted
        .records()
        .iter()
        .map(|line| (line["value"].as_str().unwrap().to_owned(), line["events"].as_u64().unwrap()))
        .collect();
    assert_eq!(counts, names);

    let lines = from(folder.path(), &["--format", "jsonl"]).done();
    assert_eq!(lines.lines().count() as u64, total, "each distinct event one line");
    let disabled = from(folder.path(), &["--format", "json", "--filter", "name:=DisableKey"]).records();
    assert_eq!(disabled.len() as u64, names["DisableKey"]);
    let newest = from(folder.path(), &["--format", "csv", "--limit", "5"]);
    assert!(newest.err.contains("older events match too"), "{}", newest.err);
    assert_eq!(newest.done().lines().count(), 6);
}

#[test]
fn a_file_cut_short_is_named_and_what_could_be_read_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let whole = gzip(&records());
    std::fs::write(folder.path().join("cut.json.gz"), &whole[..whole.len() / 2]).unwrap();
    let ran = from(folder.path(), &["--format", "jsonl"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cut.json.gz") && ran.err.contains("cut short"), "{}", ran.err);
    assert!(ran.out.lines().count() > 50, "{}", ran.out.lines().count());
}

#[test]
fn a_path_that_is_not_there_is_wrong_usage() {
    let ran = from(Path::new("/no/such/trail"), &[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("/no/such/trail"), "{}", ran.err);
}

#[test]
fn interrupted_it_ends_with_a_count_of_what_was_read() {
    let home = tempfile::tempdir().unwrap();
    let mut child = command(home.path(), &Vec::new())
        .args(["events", "--from", "-", "--count-by", "name"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // More than a pipe holds: when all is written, the program has long been reading.
    let records = records();
    let lines: String = records.iter().flat_map(|record| [record.to_string(), "\n".to_owned()]).collect();
    assert!(lines.len() > 1 << 20, "{}", lines.len());
    pipe.write_all(lines.as_bytes()).unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    // The pipe stays open: nothing but the signal ends it.
    let output = child.wait_with_output().unwrap();
    drop(pipe);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("stopped: read ") && told.contains(" records"), "{told}");
    let counted = String::from_utf8(output.stdout).unwrap();
    assert!(counted.contains("Decrypt"), "what was read is counted:\n{counted}");
}
