//! Events and findings in OCSF's words, version 1.5.0: API Activity (6003) and Detection Finding (2004), with the cloud
//! profile. Source: schema.ocsf.io. Text from outside stands as it came.

use serde_json::{Value, json};

use super::{Finding, Technique};
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::Untrusted;

const VERSION: &str = "1.5.0";
/// The class is API Activity, of the category Application Activity.
const API_ACTIVITY: u32 = 6003;
/// The class is Detection Finding, of the category Findings.
const DETECTION_FINDING: u32 = 2004;

/// An event as API Activity.
#[must_use]
pub fn api_activity(event: &KeyEvent) -> Value {
    let (activity_id, activity) = activity(event);
    let (status_id, status) = match &event.outcome {
        Outcome::Allowed | Outcome::DryRun => (1, "Success"),
        Outcome::Denied { .. } | Outcome::Failed { .. } => (2, "Failure"),
    };
    let mut record = json!({
        "class_uid": API_ACTIVITY,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": activity_id,
        "activity_name": activity,
        "type_uid": API_ACTIVITY * 100 + activity_id,
        "type_name": format!("API Activity: {activity}"),
        "time": event.at.as_millisecond(),
        "status_id": status_id,
        "status": status,
        "metadata": metadata(&event.id, Some(event)),
        "message": event.sentence(),
        "api": api(event),
        "actor": actor(&event.who),
        "src_endpoint": endpoint(&event.from, event.vpc_endpoint.as_deref()),
        "http_request": {"user_agent": event.user_agent.raw()},
        "cloud": cloud(event.recipient.as_deref().or(event.who.account.as_deref()), &event.region),
        "resources": event.keys.iter().map(|key| resource(key, None)).collect::<Vec<_>>(),
    });
    put_severity(&mut record, event.severity);
    if let Outcome::Denied { code, message } | Outcome::Failed { code, message } = &event.outcome {
        record["status_code"] = code.as_str().into();
        record["status_detail"] = message.raw().into();
    }
    record
}

/// A finding as Detection Finding; `name` tells what people call a key.
#[must_use]
pub fn detection_finding<'a>(finding: &'a Finding, name: impl Fn(&'a KeyArn) -> &'a str) -> Value {
    let rule = finding.rule;
    let (status_id, status) = if finding.muted.is_some() { (3, "Suppressed") } else { (1, "New") };
    let account = finding.keys.first().map(KeyArn::account);
    let account = account.or_else(|| finding.who.as_ref().and_then(|who| who.account.as_deref()));
    let mut record = json!({
        "class_uid": DETECTION_FINDING,
        "class_name": "Detection Finding",
        "category_uid": 2,
        "category_name": "Findings",
        "activity_id": 1,
        "activity_name": "Create",
        "type_uid": DETECTION_FINDING * 100 + 1,
        "type_name": "Detection Finding: Create",
        "time": finding.at.as_millisecond(),
        "status_id": status_id,
        "status": status,
        "metadata": metadata(&finding.id, None),
        "message": finding.reason,
        "finding_info": finding_info(finding),
        "cloud": cloud(account, &finding.region),
        "resources": finding.keys.iter().map(|key| resource(key, Some(name(key)))).collect::<Vec<_>>(),
        "remediation": {"desc": rule.next.say, "references": rule.references},
        "is_alert": finding.severity >= Severity::High && finding.muted.is_none(),
    });
    put_severity(&mut record, finding.severity);
    if let Some(muted) = &finding.muted {
        record["comment"] = format!("muted until {}: {}", muted.expires, muted.reason).into();
    }
    if let Some(who) = &finding.who {
        let from = finding.from.clone().unwrap_or_default();
        record["evidences"] = json!([{"actor": actor(who), "src_endpoint": endpoint(&from, None)}]);
    }
    record
}

fn finding_info(finding: &Finding) -> Value {
    let rule = finding.rule;
    let (first, last) = (finding.events.first(), finding.events.last());
    let seen =
        |event: Option<&(jiff::Timestamp, String)>| event.map_or(finding.at, |(at, _)| *at).as_millisecond();
    json!({
        "uid": finding.id,
        "title": rule.title,
        "desc": format!("{}. {}", finding.reason, rule.why),
        "analytic": {"uid": rule.id, "name": rule.title, "type_id": 1, "type": "Rule"},
        "attacks": rule.techniques.iter().map(attack).collect::<Vec<_>>(),
        "created_time": finding.at.as_millisecond(),
        "first_seen_time": seen(first),
        "last_seen_time": seen(last),
        "related_events": finding.events.iter().map(|(_, id)| json!({"uid": id, "type_uid": API_ACTIVITY * 100})).collect::<Vec<_>>(),
        "data_sources": ["AWS CloudTrail"],
    })
}

fn attack(technique: &Technique) -> Value {
    let (main, _) = technique.id.split_once('.').unwrap_or((technique.id, ""));
    let (name, sub) = technique.name.split_once(": ").unwrap_or((technique.name, ""));
    let mut attack = json!({"version": "17.1", "technique": {"uid": main, "name": name}});
    if main != technique.id {
        attack["sub_technique"] = json!({"uid": technique.id, "name": sub});
    }
    attack
}

/// Create, Read, Update, Delete, by what CloudTrail says and how AWS names its calls.
fn activity(event: &KeyEvent) -> (u32, &'static str) {
    let name = event.name.raw();
    let begins = |words: &[&str]| words.iter().any(|word| name.starts_with(word));
    if event.read_only == Some(true) || event.is_use() {
        (2, "Read")
    } else if begins(&["Create", "Import", "Replicate"]) {
        (1, "Create")
    } else if begins(&["Delete", "Revoke", "Retire"]) {
        (4, "Delete")
    } else if event.read_only.is_none() {
        (0, "Unknown")
    } else {
        (3, "Update")
    }
}

fn put_severity(record: &mut Value, severity: Severity) {
    let (id, word) = match severity {
        Severity::Info => (1, "Informational"),
        Severity::Notice => (2, "Low"),
        Severity::High => (4, "High"),
        Severity::Critical => (5, "Critical"),
    };
    record["severity_id"] = id.into();
    record["severity"] = word.into();
}

fn metadata(id: &str, event: Option<&KeyEvent>) -> Value {
    let mut metadata = json!({
        "version": VERSION,
        "uid": id,
        "profiles": ["cloud"],
        "product": {"vendor_name": "portcullis", "name": "portcullis", "version": env!("CARGO_PKG_VERSION")},
    });
    if let Some(event) = event {
        metadata["event_code"] = event.event_type.raw().into();
        metadata["log_provider"] = "AWS CloudTrail".into();
        if let Some(shared) = &event.shared_id {
            metadata["correlation_uid"] = shared.as_str().into();
        }
    }
    metadata
}

fn api(event: &KeyEvent) -> Value {
    let mut api = json!({"operation": event.name.raw(), "service": {"name": event.source.raw()}});
    if let Outcome::Denied { code, message } | Outcome::Failed { code, message } = &event.outcome {
        api["response"] = json!({"error": code, "error_message": message.raw()});
    }
    api
}

fn actor(who: &Who) -> Value {
    let raw = |text: &Option<Untrusted>| text.as_ref().map(|text| text.raw().to_owned());
    let mut user = json!({"name": who.name.raw(), "type": who.kind.raw()});
    let mut actor = json!({});
    if let Some(arn) = raw(&who.principal) {
        user["uid"] = arn.into();
    }
    if let Some(key) = &who.access_key {
        user["credential_uid"] = key.as_str().into();
    }
    if let Some(account) = &who.account {
        user["account"] = account_of(account);
    }
    if let Some(session) = raw(&who.session) {
        actor["session"] = json!({"uid": session});
        if let Some(mfa) = who.mfa {
            actor["session"]["is_mfa"] = mfa.into();
        }
        if let Some(role) = raw(&who.role) {
            actor["session"]["issuer"] = role.into();
        }
    }
    if let Some(by) = raw(&who.invoked_by) {
        actor["invoked_by"] = by.into();
    }
    actor["user"] = user;
    actor
}

fn endpoint(from: &Untrusted, vpc_endpoint: Option<&str>) -> Value {
    let from = from.raw();
    let mut endpoint = match from.parse::<std::net::IpAddr>() {
        Ok(address) => json!({"ip": address.to_string()}),
        Err(_) if from.is_empty() => json!({"name": "unknown"}),
        Err(_) => json!({"svc_name": from, "name": from}),
    };
    if let Some(vpc_endpoint) = vpc_endpoint {
        endpoint["interface_uid"] = vpc_endpoint.into();
    }
    endpoint
}

fn cloud(account: Option<&str>, region: &str) -> Value {
    let mut cloud = json!({"provider": "AWS"});
    if !region.is_empty() {
        cloud["region"] = region.into();
    }
    if let Some(account) = account {
        cloud["account"] = account_of(account);
    }
    cloud
}

fn account_of(account: &str) -> Value {
    json!({"uid": account, "name": account, "type_id": 10, "type": "AWS Account"})
}

fn resource(key: &KeyArn, name: Option<&str>) -> Value {
    json!({"uid": key.as_str(), "name": name.unwrap_or(key.id()), "type": "AWS::KMS::Key", "region": key.region()})
}

#[cfg(test)]
mod tests {
    use super::super::tests::every_finding;
    use super::{api_activity, detection_finding};
    use crate::trail::parse;
    use serde_json::{Value, json};

    /// What every record of a class has to have, by the published schema.
    fn lacks(record: &Value, required: &[&str]) -> Vec<String> {
        required
            .iter()
            .filter(|path| record.pointer(path).is_none_or(Value::is_null))
            .map(|path| (*path).to_owned())
            .collect()
    }

    const BASE: [&str; 10] = [
        "/class_uid",
        "/category_uid",
        "/activity_id",
        "/type_uid",
        "/time",
        "/severity_id",
        "/metadata/version",
        "/metadata/product/vendor_name",
        "/metadata/product/name",
        "/cloud/provider",
    ];

    #[test]
    fn every_finding_has_what_the_schema_requires() {
        let findings = every_finding();
        assert!(findings.len() > 38, "{}", findings.len());
        for finding in &findings {
            let record = detection_finding(finding, |key| key.id());
            let required = [
                &BASE[..],
                &["/finding_info/uid", "/finding_info/title", "/status_id", "/finding_info/analytic/type_id"],
            ]
            .concat();
            assert_eq!(lacks(&record, &required), Vec::<String>::new(), "{record:#}");
            assert_eq!(record["type_uid"], json!(200_401));
            assert!(record["time"].as_i64().is_some_and(|time| time > 1_000_000_000_000), "milliseconds");
        }
    }

    #[test]
    fn every_event_has_what_the_schema_requires() {
        let bare = json!({"eventID": "e", "eventTime": "2026-11-23T14:00:00Z", "eventName": "Decrypt"});
        let mut denied = bare.clone();
        denied["errorCode"] = "AccessDenied".into();
        denied["readOnly"] = false.into();
        for (record, activity, status) in [(bare, 0, 1), (denied, 3, 2)] {
            let record = api_activity(&parse(&record.to_string()).unwrap());
            let required =
                [&BASE[..], &["/api/operation", "/actor/user", "/src_endpoint/name", "/status_id"]].concat();
            assert_eq!(lacks(&record, &required), Vec::<String>::new(), "{record:#}");
            assert_eq!((&record["activity_id"], &record["status_id"]), (&json!(activity), &json!(status)));
            assert_eq!(record["type_uid"].as_u64(), Some(600_300 + activity));
        }
    }
}
