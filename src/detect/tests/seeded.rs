//! What the simulated account's history holds: the incidents that an investigator should find.

use jiff::Timestamp;

use super::super::{Context, Detections, Engine, Finding};
use super::show;
use crate::model::event::Severity;
use crate::simulator::seed::{ACCOUNT, HOME, buzz_tutor};

fn found() -> Vec<Finding> {
    let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let world = buzz_tutor(7, now);
    let context = Context { account: Some(ACCOUNT.into()), regions: vec![HOME.into()], ..Context::default() };
    let mut engine = Engine::new(Detections::default(), context);
    for record in world.trail.records().filter(|record| *record.entry.account == *ACCOUNT) {
        show(&mut engine, &record.render().to_string());
    }
    engine.findings(now)
}

#[test]
fn the_seeded_incidents_are_found_and_nothing_else_is_loud() {
    let findings = found();
    let mut loud: Vec<(&str, Severity, String)> = findings
        .iter()
        .filter(|finding| finding.severity >= Severity::High)
        .map(|finding| {
            (
                finding.rule.id,
                finding.severity,
                finding.who.as_ref().map_or(String::new(), |who| who.name.to_string()),
            )
        })
        .collect();
    loud.sort();
    let expected: Vec<(&str, Severity, String)> = [
        ("emergency-role-assumed", Severity::High, "oncall-b"),
        ("kms-denied-burst", Severity::High, "contractor-dev"),
        ("kms-grant-to-foreign-account", Severity::High, "platform"),
        ("kms-key-deleted", Severity::Critical, "AWS Internal"),
        ("kms-key-deletion-scheduled", Severity::Critical, "platform"),
        ("kms-key-deletion-scheduled", Severity::Critical, "platform"),
        ("kms-key-disabled", Severity::High, "oncall-b"),
        ("kms-key-policy-public", Severity::Critical, "platform"),
        ("kms-policy-lockout-check-bypassed", Severity::High, "platform"),
        ("kms-rotation-disabled", Severity::High, "platform"),
    ]
    .map(|(rule, severity, who)| (rule, severity, who.to_owned()))
    .to_vec();
    assert_eq!(loud, expected);
}

#[test]
fn what_is_only_worth_a_look_is_told_too() {
    let findings = found();
    let quiet = |rule: &str| {
        findings
            .iter()
            .filter(|finding| finding.rule.id == rule && finding.severity == Severity::Notice)
            .count()
    };
    assert_eq!(quiet("kms-key-disabled"), 1, "the auditor's attempt");
    assert!(
        quiet("kms-dropped-key-tried") >= 2,
        "the application goes on, the reports look for a key that is gone"
    );
    assert!(quiet("console-session-changes-key") >= 3, "the key manager works in the web console");
    assert_eq!(
        quiet("kms-alias-moved"),
        3,
        "three aliases, whose earlier target is out of sight the first time"
    );
}
