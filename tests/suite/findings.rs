//! What the rules find, without a screen: from trail logs, and from an account that is followed.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{Ran, Server, command, run};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A home with a trail log in it: a drop, a deletion that was refused, a burst of refusals, a day's use.
struct Home {
    dir: tempfile::TempDir,
    log: PathBuf,
}

impl Home {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("trail.json");
        let mut records =
            vec![record(1, "DisableKey", None), record(2, "ScheduleKeyDeletion", Some("AccessDenied"))];
        records.extend((10..16).map(|number| record(number, "Decrypt", Some("AccessDenied"))));
        records.extend((20..40).map(|number| record(number, "Decrypt", None)));
        std::fs::write(&log, json!({"Records": records}).to_string()).unwrap();
        Self { dir, log }
    }

    fn events(&self, words: &[&str]) -> Ran {
        let from = ["events", "--from", self.log.to_str().unwrap()];
        run(self.dir.path(), &Vec::new(), &[&from, words].concat())
    }
}

fn record(number: u32, name: &str, code: Option<&str>) -> Value {
    json!({
        "eventID": format!("00000000-0000-4000-8000-{number:012}"), "eventTime": format!("2026-11-23T14:00:{number:02}Z"),
        "eventSource": "kms.amazonaws.com", "eventName": name, "awsRegion": "eu-west-1", "errorCode": code,
        "readOnly": name == "Decrypt", "sourceIPAddress": "192.0.2.66", "recipientAccountId": "111122223333",
        "userIdentity": {"type": "IAMUser", "userName": "dev", "arn": "arn:aws:iam::111122223333:user/dev", "accountId": "111122223333"},
        "requestParameters": {"keyId": KEY}, "resources": [{"ARN": KEY}]
    })
}

fn rules(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["rule"].as_str().unwrap()).collect()
}

#[test]
fn findings_are_told_worst_or_not_by_key_and_by_filter() {
    let home = Home::new();
    let all = home.events(&["--findings", "--format", "json"]).records();
    assert_eq!(rules(&all), ["kms-denied-burst", "kms-key-deletion-scheduled", "kms-key-disabled"]);
    assert_eq!(all[0]["events"].as_array().unwrap().len(), 7, "the refused deletion is one of them");
    assert_eq!((&all[1]["attempt"], &all[1]["severity"]), (&json!(true), &json!("high")));
    assert_eq!(all[2]["runbook"], "key-recovery");
    let of = |words: &[&str]| home.events(&[&["--findings", "--format", "json"], words].concat()).records();
    assert_eq!(rules(&of(&["--filter", "name:DisableKey"])), ["kms-key-disabled"]);
    assert_eq!(rules(&of(&["--key", "1234abcd"])).len(), 3);
    assert_eq!(rules(&of(&["--key", "another"])).len(), 0);
    assert_eq!(rules(&of(&["--min-severity", "critical"])).len(), 0);
}

#[test]
fn an_event_has_the_severity_of_its_worst_finding_and_can_be_asked_for_by_it() {
    let records = Home::new().events(&["--filter", "severity:high", "--format", "json"]).records();
    let names: Vec<_> = records.iter().map(|record| record["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "Decrypt",
            "Decrypt",
            "Decrypt",
            "Decrypt",
            "Decrypt",
            "Decrypt",
            "ScheduleKeyDeletion",
            "DisableKey"
        ]
    );
}

#[test]
fn a_check_fails_by_findings_that_nobody_muted() {
    let home = Home::new();
    let failed = home.events(&["--findings", "--fail-on", "high"]);
    assert_eq!(failed.code, Some(5), "{failed:?}");
    assert!(failed.err.contains("3 finding(s) of severity high or above"), "{failed:?}");
    home.events(&["--findings", "--fail-on", "critical"]).done();
    let sections: String = ["kms-denied-burst", "kms-key-deletion-scheduled", "kms-key-disabled"]
        .map(|rule| {
            format!(
                "[[detections.mutes]]\nrule = \"{rule}\"\nreason = \"a rehearsal\"\nexpires = 2999-01-01\n"
            )
        })
        .concat();
    let settings = home.dir.path().join("settings.toml");
    std::fs::write(&settings, sections).unwrap();
    let config = ["--config", settings.to_str().unwrap()];
    let muted = home.events(&[&["--findings", "--fail-on", "high"][..], &config].concat());
    assert!(muted.err.contains("3 more are muted"), "{muted:?}");
    muted.done();
    let records = home.events(&[&["--findings", "--format", "json"][..], &config].concat()).records();
    assert_eq!(records.len(), 3, "they are told to programs, with the reason");
    assert_eq!(records[0]["muted"]["reason"], "a rehearsal");
}

#[test]
fn a_mute_that_has_expired_is_told_by_the_check_of_settings() {
    let home = tempfile::tempdir().unwrap();
    let settings = home.path().join("settings.toml");
    let mute = "\n[[detections.mutes]]\nrule = \"kms-key-disabled\"\nreason = \"a rehearsal\"\nexpires = 2020-01-01\n";
    std::fs::write(&settings, mute).unwrap();
    let said =
        run(home.path(), &Vec::new(), &["--config", settings.to_str().unwrap(), "config", "check"]).done();
    assert!(said.contains("settings.toml:2: the mute of kms-key-disabled expired"), "{said}");
}

#[test]
fn every_format_has_every_finding() {
    let home = Home::new();
    let lines = |format: &str| home.events(&["--findings", "--format", format]).done().lines().count();
    assert_eq!((lines("table"), lines("csv"), lines("jsonl"), lines("ocsf")), (4, 4, 3, 3));
    let ocsf = home.events(&["--findings", "--format", "ocsf"]).done();
    let first: Value = serde_json::from_str(ocsf.lines().next().unwrap()).unwrap();
    assert_eq!((&first["class_uid"], &first["severity_id"]), (&json!(2004), &json!(4)));
}

#[test]
fn rules_are_listed_and_told() {
    let home = tempfile::tempdir().unwrap();
    let records = run(home.path(), &Vec::new(), &["detections", "list", "--format", "json"]).records();
    assert!(records.len() >= 30 && records.iter().any(|rule| rule["id"] == "trail-leaves-out-kms"));
    let told = run(home.path(), &Vec::new(), &["detections", "show", "kms-alias-moved"]).done();
    assert!(told.contains("PCI DSS v4.0.1 3.7.7"), "{told}");
    assert_eq!(run(home.path(), &Vec::new(), &["detections", "show", "none"]).code, Some(2));
}

#[test]
fn following_prints_each_finding_once_until_it_is_interrupted() {
    let server = Server::start();
    let home = tempfile::tempdir().unwrap();
    let mut follow = command(home.path(), &server.env)
        .args(["-e", "served", "events", "--follow", "--findings", "--format", "jsonl", "--since", "7d"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut before = Vec::new();
    let found = lines.by_ref().any(|line| {
        before.push(line);
        before.last().is_some_and(|line| line.contains("\"kms-key-deletion-scheduled\""))
    });
    assert!(found, "{before:#?}");
    assert!(Command::new("kill").args(["-INT", &follow.id().to_string()]).status().unwrap().success());
    before.extend(lines);
    assert_eq!(follow.wait().unwrap().code(), Some(0));
    let ids: Vec<Value> =
        before.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect();
    let distinct: std::collections::BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
    assert_eq!(distinct.len(), ids.len(), "{ids:#?}");
}
