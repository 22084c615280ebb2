//! One CloudTrail record, as LookupEvents and trail files hold it, read into an event.
//!
//! Only what an event cannot be without is required (`eventID`, `eventTime`, `eventName`); everything else may
//! be missing, null or of an unforeseen shape. Record shape: CloudTrail user guide, "CloudTrail record contents".

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::severity;
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::{Untrusted, visible};

/// A record that could not be read as an event. It is kept, so that nothing is lost.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a CloudTrail record could not be read: {reason}")]
pub struct Unparsed {
    /// Fit for a screen.
    pub reason: String,
    pub raw: Arc<str>,
}

/// Reads one record.
///
/// # Errors
/// [`Unparsed`], with the record, where it is no JSON object or lacks its id, time or name.
pub fn parse(record_json: &str) -> Result<KeyEvent, Unparsed> {
    let raw: Arc<str> = record_json.into();
    let record = serde_json::from_str(record_json).map_err(|e| format!("it is no JSON: {e}"));
    record
        .and_then(|record| event(&record, Arc::clone(&raw)))
        .map_err(|reason| Unparsed { reason: visible(&reason).into_owned(), raw })
}

/// Reads a trail file's text: `{"Records": […]}`.
///
/// # Errors
/// [`Unparsed`] where the file itself is not of that shape; a record's own error stands in its place.
pub fn parse_file(json: &str) -> Result<Vec<Result<KeyEvent, Unparsed>>, Unparsed> {
    let bad = |reason: String| Unparsed { reason: visible(&reason).into_owned(), raw: json.into() };
    let file: Value = serde_json::from_str(json).map_err(|e| bad(format!("it is no JSON: {e}")))?;
    let records = file.get("Records").and_then(Value::as_array);
    let records = records.ok_or_else(|| bad("a trail file holds `Records`, a list".to_owned()))?;
    Ok(records.iter().map(|record| parse(&record.to_string())).collect())
}

fn event(record: &Value, raw: Arc<str>) -> Result<KeyEvent, String> {
    let required = |field: &str| text(record, field).ok_or_else(|| format!("it has no `{field}`"));
    let time = required("eventTime")?;
    let at: Timestamp = time.parse().map_err(|_| format!("its `eventTime` is no time: {time}"))?;
    let keys = keys(record);
    let mut event = KeyEvent {
        id: required("eventID")?.to_owned(),
        at,
        name: required("eventName")?.into(),
        source: text(record, "eventSource").unwrap_or_default().into(),
        region: text(record, "awsRegion").unwrap_or_default().to_owned(),
        who: who(record),
        key_as_typed: if keys.is_empty() { key_as_typed(record) } else { None },
        keys,
        from: text(record, "sourceIPAddress").unwrap_or_default().into(),
        user_agent: text(record, "userAgent").unwrap_or_default().into(),
        outcome: outcome(record),
        read_only: truth(record.get("readOnly")),
        severity: Severity::Info,
        raw,
    };
    event.severity = severity::of(&event, invoked_by(record).is_some());
    Ok(event)
}

/// A field's text, where it has any.
fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str().filter(|text| !text.is_empty())
}

/// A boolean, which CloudTrail writes as one or as a string.
fn truth(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(truth) => Some(*truth),
        Value::String(word) if word.eq_ignore_ascii_case("true") => Some(true),
        Value::String(word) if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// The AWS service that made the call for somebody, e.g. `rds.amazonaws.com`.
fn invoked_by(record: &Value) -> Option<&str> {
    text(record.get("userIdentity")?, "invokedBy").filter(|by| by.ends_with(".amazonaws.com"))
}

/// Who did it, really: the person before the session, the session before the role.
fn who(record: &Value) -> Who {
    let identity = record.get("userIdentity").unwrap_or(&Value::Null);
    let session = identity.get("sessionContext").unwrap_or(&Value::Null);
    let issuer = session.get("sessionIssuer").unwrap_or(&Value::Null);
    let kind = text(identity, "type").unwrap_or_default();
    let (role_of_arn, session_name) = text(identity, "arn").and_then(assumed_role).unzip();
    let role = (kind == "AssumedRole" || text(issuer, "type") == Some("Role"))
        .then(|| text(issuer, "userName").or(role_of_arn))
        .flatten();
    let session_name = session_name
        .or_else(|| text(identity, "principalId").and_then(|id| id.split_once(':')).map(|(_, name)| name));
    let name = text(session, "sourceIdentity")
        .or_else(|| text(identity, "sourceIdentity"))
        .or(session_name)
        .or_else(|| text(identity, "userName"))
        .or_else(|| (kind == "Root").then_some("root"))
        .or_else(|| text(identity, "invokedBy"))
        .or_else(|| text(issuer, "userName"))
        .or_else(|| text(identity, "arn"))
        .or_else(|| text(identity, "principalId"))
        .or_else(|| text(identity, "accountId"))
        // A service event of KMS itself (a rotation, a deletion come due) names nobody.
        .or_else(|| (text(record, "eventType") == Some("AwsServiceEvent")).then_some("AWS"))
        .unwrap_or("unknown");
    Who {
        name: name.into(),
        role: role.map(Untrusted::from),
        account: text(identity, "accountId").or_else(|| text(issuer, "accountId")).map(str::to_owned),
        mfa: truth(session.get("attributes").and_then(|attributes| attributes.get("mfaAuthenticated"))),
        kind: kind.into(),
    }
}

/// Role and session name of `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn assumed_role(arn: &str) -> Option<(&str, &str)> {
    let (_, path) = arn.split_once(":assumed-role/")?;
    path.rsplit_once('/').filter(|(role, session)| !role.is_empty() && !session.is_empty())
}

/// Where a record names keys beside its `resources`, as the caller or KMS wrote them.
const KEY_FIELDS: [(&str, &str); 7] = [
    ("responseElements", "keyId"),
    ("responseElements", "keyArn"),
    ("requestParameters", "keyId"),
    ("requestParameters", "targetKeyId"),
    ("requestParameters", "destinationKeyId"),
    ("requestParameters", "sourceKeyId"),
    ("serviceEventDetails", "keyId"),
];

/// Every key that the record names by ARN, once each, `resources` first: they alone are normalised.
fn keys(record: &Value) -> Vec<KeyArn> {
    let resources = record.get("resources").and_then(Value::as_array).into_iter().flatten();
    let resources = resources.filter_map(|resource| text(resource, "ARN").or_else(|| text(resource, "arn")));
    let named = KEY_FIELDS.iter().filter_map(|(part, field)| text(record.get(part)?, field));
    let created = ["keyMetadata", "replicaKeyMetadata"]
        .into_iter()
        .filter_map(|made| text(record.get("responseElements")?.get(made)?, "arn"));
    let mut keys: Vec<KeyArn> = Vec::new();
    for key in resources.chain(named).chain(created).filter_map(|arn| arn.parse().ok()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// What the caller typed for a key: an id, an alias.
fn key_as_typed(record: &Value) -> Option<Untrusted> {
    let typed = KEY_FIELDS.iter().find_map(|(part, field)| text(record.get(part)?, field));
    typed.or_else(|| text(record.get("requestParameters")?, "aliasName")).map(Untrusted::from)
}

fn outcome(record: &Value) -> Outcome {
    let Some(code) = text(record, "errorCode") else { return Outcome::Allowed };
    let message: Untrusted = text(record, "errorMessage").unwrap_or_default().into();
    // Some services put their own word before it: `Client.UnauthorizedOperation`.
    let bare = code.rsplit('.').next().unwrap_or(code);
    match bare {
        "DryRunOperationException" | "DryRunOperation" => Outcome::DryRun,
        "AccessDenied"
        | "AccessDeniedException"
        | "VpceAccessDenied"
        | "UnauthorizedOperation"
        | "UnauthorizedException"
        | "UnauthorizedAccess"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "NotAuthorized"
        | "NotAuthorizedException"
        | "Forbidden" => Outcome::Denied { code: code.to_owned(), message },
        _ => Outcome::Failed { code: code.to_owned(), message },
    }
}

#[cfg(test)]
mod tests;
