//! Reads of keys: what they are, which there are, when one was last used.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::KeyRef;
use super::desk::Desk;
use super::key::{Key, epoch};
use super::operations::Outcome;
use super::paging::{Size, page};

/// When KMS began to track last usage (an assumption: AWS has not given one date for all Regions), 2026-01-01.
const TRACKING_SINCE: i64 = 1_767_225_600;

impl Desk<'_, '_> {
    pub fn describe_key(&mut self, place: &KeyRef) -> Outcome {
        Ok(json!({ "KeyMetadata": self.key(place)?.metadata() }))
    }

    pub fn list_keys(&mut self) -> Outcome {
        self.authorize_account("kms:ListKeys", "*")?;
        let own =
            |account: &str, region: &str| account == self.call.caller.account && region == self.call.region;
        let keys = self.kms.keys().filter(|key| own(&key.account, &key.region));
        let items = keys.map(|key| (key.id.as_str(), key));
        let entry = |key: &Key| json!({ "KeyId": key.id, "KeyArn": key.arn() });
        page(self, "Keys", Size { usual: 100, most: 1000 }, items, entry)
    }

    pub fn list_resource_tags(&mut self, place: &KeyRef) -> Outcome {
        let tags = self.key(place)?.tags.iter();
        let items = tags.map(|(key, value)| (key.as_str(), (key, value)));
        let entry = |(key, value)| json!({ "TagKey": key, "TagValue": value });
        page(self, "Tags", Size { usual: 50, most: 50 }, items, entry)
    }

    pub fn get_key_last_usage(&mut self, place: &KeyRef) -> Outcome {
        let key = self.key(place)?;
        let since = Timestamp::from_second(TRACKING_SINCE).unwrap_or(key.created).min(self.call.at);
        let usage = key.last_usage.as_ref().map_or_else(
            || json!({}),
            |usage| {
                let mut seen = json!({
                    "Operation": usage.operation,
                    "Timestamp": epoch(usage.at),
                    "KmsRequestId": usage.request_id,
                });
                if let Some(event) = &usage.event_id {
                    seen["CloudTrailEventId"] = Value::String(event.clone());
                }
                seen
            },
        );
        Ok(json!({
            "KeyId": key.id,
            "KeyLastUsage": usage,
            "TrackingStartDate": epoch(since.max(key.created)),
            "KeyCreationDate": epoch(key.created),
        }))
    }
}
