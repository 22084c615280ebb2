use jiff::Timestamp;
use serde_json::json;

use super::{EventLine, EventRecord};
use crate::model::event::KeyEvent;
use crate::trail::{KeyNames, parse};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

fn event() -> KeyEvent {
    let record = json!({
        "eventID": "e-1", "eventTime": "2026-11-23T14:02:31Z", "eventName": "StopLogging", "awsRegion": "eu-west-1",
        "eventSource": "cloudtrail.amazonaws.com", "sourceIPAddress": "203.0.113.7",
        "userAgent": "evil\u{1b}[2J,\u{202e}agent",
        "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/app/mallory"},
        "errorCode": "AccessDenied", "errorMessage": "no", "readOnly": false, "resources": [{"ARN": KEY}]
    });
    parse(&record.to_string()).unwrap()
}

fn names() -> KeyNames {
    [(KEY.parse().unwrap(), "buzz-tutor/user-data".to_owned())].into_iter().collect()
}

#[test]
fn a_line_says_when_who_what_and_how_it_ended() {
    let at = |now: &str| EventLine::of(&event(), &names(), now.parse::<Timestamp>().unwrap());
    let line = at("2026-11-23T15:00:00Z");
    assert_eq!(
        [&line.time, &line.who, &line.what, &line.key, &line.outcome],
        [
            "14:02:31Z",
            "mallory (app)",
            "cloudtrail:StopLogging",
            "buzz-tutor/user-data",
            "denied AccessDenied"
        ]
    );
    assert_eq!(at("2026-11-24T15:00:00Z").time, "11-23 14:02:31Z");
    assert_eq!(at("2027-01-01T00:00:00Z").time, "2026-11-23 14:02:31Z");
}

#[test]
fn the_json_field_names_are_the_csv_columns() {
    let record = EventRecord::of(&event(), Some("production"), &names());
    let json = serde_json::to_string(&record).unwrap();
    let mut at = 0;
    for column in EventRecord::CSV_HEADER {
        let field = format!("\"{column}\":");
        at += json[at..].find(&field).unwrap_or_else(|| panic!("{column} is not next in {json}"));
    }
    let fields: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&json).unwrap();
    assert_eq!(fields.len(), EventRecord::CSV_HEADER.len());
}

#[test]
fn json_keeps_text_as_it_came_and_csv_makes_it_visible() {
    let record = EventRecord::of(&event(), Some("production"), &names());
    assert_eq!(record.user_agent, "evil\u{1b}[2J,\u{202e}agent");
    let row = record.csv_row();
    assert!(row.contains(&"evil␛[2J,⟨U+202E⟩agent".to_owned()), "{row:?}");
    assert_eq!((row[8].as_str(), row[9].as_str()), ("", ""), "what the record does not say is empty");
}
