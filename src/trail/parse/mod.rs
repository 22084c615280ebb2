//! Reading CloudTrail records: LookupEvents' wrapping, EventBridge's, and bare ones as trail files hold them.

mod lenient;
mod particulars;
mod record;

use std::sync::Arc;

use jiff::Timestamp;

use super::severity;
use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::{Untrusted, visible};
use lenient::Text;
use record::{Envelope, Record, UserIdentity};

pub use crate::model::particulars::Particulars;
pub use particulars::particulars;

/// A record that could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsed {
    /// In words fit for a screen.
    pub reason: String,
    /// The record as it came; at most [`Unparsed::KEPT`] bytes of it.
    pub raw: Arc<str>,
}

impl Unparsed {
    /// How much of an unreadable record is kept, in bytes.
    pub const KEPT: usize = 64 << 10;

    /// A record that could not be read, its text cut to what is kept.
    #[must_use]
    pub fn new(reason: &str, raw: &str) -> Self {
        let cut = raw.floor_char_boundary(Self::KEPT);
        Self { reason: visible(reason).into_owned(), raw: raw[..cut].into() }
    }

    /// A record that is no text at all.
    #[must_use]
    pub fn of_bytes(reason: &str, raw: &[u8]) -> Self {
        Self::new(reason, &String::from_utf8_lossy(&raw[..raw.len().min(Self::KEPT)]))
    }
}

/// Reads one record. Fields and names that are not known make no difference; `eventID`, `eventTime` and
/// `eventName` have to be there.
///
/// # Errors
/// [`Unparsed`], with the text.
pub fn parse(json: &str) -> Result<KeyEvent, Unparsed> {
    with_record(json, event).and_then(|event| event).map_err(|reason| Unparsed::new(&reason, json))
}

/// Hands a record's fields on, taken out of LookupEvents' or EventBridge's wrapping where it is in one.
fn with_record<T>(json: &str, read: impl Fn(&Record<'_>) -> T) -> Result<T, String> {
    let no_json = |error: serde_json::Error| format!("it is no record in JSON: {error}");
    let record: Record<'_> = serde_json::from_str(json).map_err(no_json)?;
    if record.event_id.get().is_some() {
        return Ok(read(&record));
    }
    if let Some(inner) = record.cloud_trail_event.get() {
        return serde_json::from_str(inner).map(|record| read(&record)).map_err(no_json);
    }
    let envelope: Envelope<'_> = serde_json::from_str(json).map_err(no_json)?;
    let is_wrapped = envelope.detail.0.event_id.get().is_some();
    Ok(read(if is_wrapped { &envelope.detail.0 } else { &record }))
}

fn event(record: &Record<'_>) -> Result<KeyEvent, String> {
    let required = |field: &str, text: &Text<'_>| {
        text.get().map(str::to_owned).ok_or_else(|| format!("it has no `{field}`"))
    };
    let time = required("eventTime", &record.event_time)?;
    let at: Timestamp = time.parse().map_err(|_| format!("its `eventTime` is no time: {time}"))?;
    let keys = keys(record);
    let mut event = KeyEvent {
        id: required("eventID", &record.event_id)?,
        at,
        name: required("eventName", &record.event_name)?.into(),
        source: said(&record.event_source),
        event_type: said(&record.event_type),
        region: owned(&record.aws_region).unwrap_or_default(),
        who: who(record),
        key_as_typed: if keys.is_empty() { key_as_typed(record) } else { None },
        keys,
        key_material: owned(&record.additional_event_data.0.key_material_id),
        from: said(&record.source_ip_address),
        user_agent: said(&record.user_agent),
        vpc_endpoint: owned(&record.vpc_endpoint_id),
        outcome: outcome(record),
        read_only: record.read_only.0,
        recipient: owned(&record.recipient_account_id),
        shared_id: owned(&record.shared_event_id),
        severity: Severity::Info,
    };
    event.severity = severity::of(&event);
    Ok(event)
}

fn owned(text: &Text<'_>) -> Option<String> {
    text.get().map(str::to_owned)
}

fn said(text: &Text<'_>) -> Untrusted {
    text.get().unwrap_or_default().into()
}

/// Who did it, really: the person before the session, the session before the role.
fn who(record: &Record<'_>) -> Who {
    let identity = &record.user_identity.0;
    let session = &identity.session_context.0;
    let issuer = &session.session_issuer.0;
    let (role, session_name) = role_and_session(identity);
    let source_identity = session.source_identity.get().or(identity.source_identity.get());
    // A service event of KMS itself (a rotation, a deletion come due) names nobody.
    let nobody = if record.event_type.get() == Some("AwsServiceEvent") { "AWS" } else { "unknown" };
    let name = source_identity
        .or(session_name)
        .or(identity.user_name.get())
        .or((identity.kind.get() == Some("Root")).then_some("root"))
        .or(identity.invoked_by.get())
        .or(issuer.user_name.get())
        .or(identity.arn.get())
        .or(identity.principal_id.get())
        .or(identity.account_id.get())
        .unwrap_or(nobody);
    Who {
        name: name.into(),
        role: role.map(Untrusted::from),
        session: session_name.map(Untrusted::from),
        source_identity: source_identity.map(Untrusted::from),
        principal: identity.arn.get().map(Untrusted::from),
        account: identity.account_id.get().or(issuer.account_id.get()).map(str::to_owned),
        access_key: owned(&identity.access_key_id),
        invoked_by: identity.invoked_by.get().map(Untrusted::from),
        mfa: session.attributes.0.mfa_authenticated.0,
        from_console: record.session_credential_from_console.0 == Some(true),
        kind: said(&identity.kind),
    }
}

/// The role acted through and its session's name, where a role was.
fn role_and_session<'a>(identity: &'a UserIdentity<'_>) -> (Option<&'a str>, Option<&'a str>) {
    let issuer = &identity.session_context.0.session_issuer.0;
    let (role_of_arn, session_of_arn) = identity.arn.get().and_then(assumed_role).unzip();
    let is_role = identity.kind.get() == Some("AssumedRole") || issuer.kind.get() == Some("Role");
    let role = is_role.then(|| issuer.user_name.get().or(role_of_arn)).flatten();
    let of_principal = || identity.principal_id.get()?.split_once(':').map(|(_, name)| name);
    (role, session_of_arn.or_else(of_principal))
}

/// Role and session name of `arn:PARTITION:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
fn assumed_role(arn: &str) -> Option<(&str, &str)> {
    let (_, path) = arn.split_once(":assumed-role/")?;
    path.rsplit_once('/').filter(|(role, session)| !role.is_empty() && !session.is_empty())
}

/// Every key that the record names by ARN, once each, `resources` first: they alone are normalised.
fn keys(record: &Record<'_>) -> Vec<KeyArn> {
    let resources = record.resources.0.iter().filter_map(|resource| resource.arn.get());
    let mut keys: Vec<KeyArn> = Vec::new();
    for key in resources.chain(told(record)).filter_map(|arn| arn.parse().ok()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// What answer, parameters and a service's own details call keys.
fn told<'a>(record: &'a Record<'_>) -> impl Iterator<Item = &'a str> {
    let parts = [&record.response_elements, &record.request_parameters, &record.service_event_details];
    parts.into_iter().flat_map(|part| part.0.named())
}

/// What the caller typed for a key: an id, an alias.
fn key_as_typed(record: &Record<'_>) -> Option<Untrusted> {
    told(record).next().or(record.request_parameters.0.alias_name.get()).map(Untrusted::from)
}

fn outcome(record: &Record<'_>) -> Outcome {
    let Some(code) = record.error_code.get() else { return Outcome::Allowed };
    let message = said(&record.error_message);
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
