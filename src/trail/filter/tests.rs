use jiff::Timestamp;
use serde_json::json;

use super::Filter;
use crate::model::event::{KeyEvent, Severity};
use crate::trail::{KeyNames, parse};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn now() -> Timestamp {
    "2026-11-23T15:00:00Z".parse().unwrap()
}

fn denied() -> KeyEvent {
    let record = json!({
        "eventID": "e-1", "eventTime": "2026-11-23T14:02:31Z", "eventName": "ScheduleKeyDeletion",
        "eventSource": "kms.amazonaws.com", "sourceIPAddress": "203.0.113.7", "userAgent": "aws-cli/2",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/app/Mallory"},
        "errorCode": "AccessDenied", "readOnly": false, "resources": [{"ARN": KEY}]
    });
    // What a rule would make of it.
    KeyEvent { severity: Severity::High, ..parse(&record.to_string()).unwrap() }
}

fn matches(filter: &str) -> bool {
    let names: KeyNames = [(KEY.parse().unwrap(), "buzz-tutor/User-Data".to_owned())].into_iter().collect();
    Filter::parse(filter).unwrap().matches(&denied(), &names, now())
}

#[test]
fn words_are_all_needed_in_any_case() {
    assert!(matches(""));
    assert!(matches("mallory schedule"));
    assert!(matches("ACCESSDENIED"));
    assert!(matches("buzz-tutor/user-data"), "by the key's alias");
    assert!(matches(KEY), "an ARN is a word, for all its colons");
    assert!(!matches("mallory disable"));
}

#[test]
fn fields_look_only_where_they_say() {
    assert!(matches("name:schedule who:MALLORY key:user-data from:203.0 source:kms"));
    assert!(matches("who:app"), "by the role");
    assert!(!matches("who:schedule"));
    assert!(!matches("name:mallory"));
}

#[test]
fn outcomes_severities_and_times() {
    assert!(matches("outcome:denied") && !matches("outcome:allowed"));
    assert!(matches("severity:high") && matches("severity:notice") && !matches("severity:critical"));
    assert!(matches("since:2h") && matches("since:1d") && !matches("since:30m"));
}

#[test]
fn a_filter_being_typed_does_not_fail() {
    assert!(matches("outcome:") && matches("since:") && matches("outcome:den") && matches("since:60"));
}

#[test]
fn a_wrong_value_is_refused_with_what_it_takes() {
    for (wrong, takes) in [("outcome:maybe", "denied"), ("severity:huge", "critical"), ("since:2x", "2h")] {
        let refused = Filter::parse(wrong).unwrap_err().to_string();
        assert!(refused.contains(wrong) && refused.contains(takes), "{refused}");
    }
}

#[test]
fn words_beyond_ascii_match_in_any_case() {
    let mut event = denied();
    event.who.name = "ZÜRICH".into();
    assert!(Filter::parse("zürich").unwrap().matches(&event, &KeyNames::default(), now()));
}
