//! A store whose events the rules look at: each is shown to them as it is taken in, and is worth as much as the worst
//! that they find on it.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{EventKey, Store, split};
use crate::detect::{Context, Engine, Finding, severities};
use crate::model::event::{KeyEvent, Severity};
use crate::trail::parse::particulars;
use crate::trail::store::packed::Kept;

/// The rules, and which events they have raised.
#[derive(Debug)]
pub(super) struct Judging {
    engine: Engine,
    /// What each event that was raised is worth by itself.
    raised: HashMap<EventKey, (Timestamp, Severity)>,
}

impl Judging {
    pub(super) fn see(&mut self, event: &KeyEvent, kept: &Kept) {
        self.engine.see(event, || particulars(event, &kept.pack.record(kept.place)?));
    }
}

impl Store {
    /// The same store, with rules to look at whatever it takes in from now on.
    #[must_use]
    pub fn with_rules(mut self, engine: Engine) -> Self {
        self.judging = Some(Judging { engine, raised: HashMap::new() });
        self
    }

    /// Tells the rules of new circumstances.
    pub fn learn(&mut self, context: Context) {
        if let Some(judging) = &mut self.judging {
            judging.engine.learn(context);
        }
    }

    /// What the rules have found so far, the newest first; none without rules. From now on each event is worth the
    /// worst of what was found on it and is not muted at `now`.
    pub fn judge(&mut self, now: Timestamp) -> Vec<Finding> {
        let Some(mut judging) = self.judging.take() else { return Vec::new() };
        let findings = judging.engine.findings(now);
        let worst: HashMap<EventKey, (Timestamp, Severity)> =
            severities(&findings).into_iter().map(|(id, worst)| (EventKey::from_id(id), worst)).collect();
        judging.raised.retain(|key, (at, itself)| {
            let is_raised = worst.contains_key(key);
            if !is_raised {
                self.set_severity(*key, *at, *itself);
            }
            is_raised
        });
        for (key, (at, severity)) in worst {
            let Some(now) = self.severity(key, at) else { continue };
            let (_, itself) = *judging.raised.entry(key).or_insert((at, now));
            self.set_severity(key, at, itself.max(severity));
        }
        self.judging = Some(judging);
        findings
    }

    fn severity(&self, key: EventKey, at: Timestamp) -> Option<Severity> {
        self.events.severity(self.events.rank(key, at)?)
    }

    fn set_severity(&mut self, key: EventKey, at: Timestamp, severity: Severity) {
        let Some(rank) =
            self.events.rank(key, at).filter(|rank| self.events.severity(*rank) != Some(severity))
        else {
            return;
        };
        let (segment, row) = split(self.events.order[rank]);
        std::sync::Arc::make_mut(&mut self.events.segments[segment]).set_severity(row, severity);
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::json;

    use super::*;
    use crate::detect::{Detections, Incident};
    use crate::trail::parse::parse;

    const AT: &str = "2026-11-23T14:00:00Z";
    const ID: &str = "00000000-0000-4000-8000-000000000001";

    fn put(store: &mut Store, id: &str, name: &str, code: Option<&str>) {
        let raw = json!({
            "eventID": id, "eventTime": AT, "eventName": name, "eventSource": "kms.amazonaws.com",
            "awsRegion": "eu-west-1", "readOnly": false, "errorCode": code,
            "userIdentity": {
                "type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/EmergencyKeyAdmin/INC-1",
                "sessionContext": {"sessionIssuer": {"type": "Role", "userName": "EmergencyKeyAdmin"}}
            },
            "requestParameters": {"pendingWindowInDays": 9},
            "resources": [{"ARN": "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}]
        })
        .to_string();
        store.insert(parse(&raw).unwrap(), &raw);
    }

    fn severity(store: &Store, id: &str) -> Severity {
        store.events().find(id).unwrap().severity
    }

    #[test]
    fn an_event_is_worth_the_worst_that_was_found_on_it_and_its_record_is_looked_into() {
        let mut store = Store::new(10).with_rules(Engine::default());
        put(&mut store, ID, "ScheduleKeyDeletion", None);
        put(&mut store, "00000000-0000-4000-8000-000000000002", "ScheduleKeyDeletion", Some("AccessDenied"));
        put(&mut store, "00000000-0000-4000-8000-000000000003", "TagResource", None);
        let before = store.events().clone();
        let findings = store.judge(AT.parse().unwrap());
        assert_eq!(findings.len(), 2);
        assert!(findings[0].reason.contains("9 days"), "{}", findings[0].reason);
        assert_eq!(severity(&store, ID), Severity::Critical);
        assert_eq!(severity(&store, "00000000-0000-4000-8000-000000000002"), Severity::High);
        assert_eq!(severity(&store, "00000000-0000-4000-8000-000000000003"), Severity::Notice);
        assert_eq!(
            before.find(ID).unwrap().severity,
            Severity::Notice,
            "what was handed out stays as it was"
        );
    }

    #[test]
    fn what_is_learnt_later_lowers_it_again() {
        let mut store = Store::new(10).with_rules(Engine::new(Detections::default(), Context::default()));
        let at: Timestamp = AT.parse().unwrap();
        put(&mut store, ID, "DisableKey", None);
        store.judge(at);
        assert_eq!(severity(&store, ID), Severity::High);
        let incident = Incident { id: "INC-1".into(), from: at - SignedDuration::from_hours(1), until: None };
        store.learn(Context { incidents: vec![incident], ..Context::default() });
        store.judge(at);
        assert_eq!(severity(&store, ID), Severity::Notice);
    }

    #[test]
    fn a_store_without_rules_finds_nothing() {
        let mut store = Store::new(10);
        put(&mut store, ID, "DisableKey", None);
        assert!(store.judge(AT.parse().unwrap()).is_empty());
        assert_eq!(severity(&store, ID), Severity::Notice);
    }
}
