//! EventBridge's part: records of CloudTrail become events, and a rule puts them into a queue.
//!
//! Source: Amazon EventBridge user guide, "AWS service events delivered via AWS CloudTrail".

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use serde_json::json;

use super::{Body, Sqs};
use crate::simulator::aws::cloudtrail::record::{Kind, Record};

/// From an event to its message, in milliseconds.
const DELAY: std::ops::Range<i64> = 300..3000;

impl Sqs {
    /// Puts records that are new into the queues that have a rule: soon, in no certain order.
    pub(in crate::simulator::aws) fn take_records(&mut self, records: Vec<Record>, now: Timestamp) {
        for record in records {
            let wanted = |queue: &super::Queue| queue.has_rule && *queue.account == *record.entry.account;
            let Some(queue) = self.queues.iter().position(wanted) else { continue };
            let delay = SignedDuration::from_millis(self.rng.random_range(DELAY));
            let visible = record.entry.at + delay;
            self.push(queue, Body::Event(Box::new(record)), now, visible);
        }
    }
}

impl Body {
    /// The message's text.
    pub(super) fn text(&self, id: &str) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Event(record) => envelope(id, record),
        }
    }
}

fn envelope(id: &str, record: &Record) -> String {
    let entry = &record.entry;
    let kind = match entry.kind {
        Kind::ServiceEvent(_) => "AWS Service Event via CloudTrail",
        Kind::ApiCall | Kind::DataCall => "AWS API Call via CloudTrail",
    };
    let service = entry.source.split('.').next().unwrap_or_default();
    json!({
        "version": "0",
        "id": id,
        "detail-type": kind,
        "source": format!("aws.{service}"),
        "account": entry.account.as_ref(),
        "time": entry.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "region": entry.region.as_ref(),
        "resources": [],
        "detail": record.render(),
    })
    .to_string()
}
