//! Events as text: a line of columns for tables and screens, a record for machines.

use jiff::Timestamp;
use serde::Serialize;

use super::names::KeyNames;
use crate::model::event::{KeyEvent, Outcome, Severity};
use crate::model::text::{Untrusted, visible};

/// The word for an outcome: `allowed`, `denied`, `failed` or `dry-run`.
#[must_use]
pub fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Denied { .. } => "denied",
        Outcome::Failed { .. } => "failed",
        Outcome::DryRun => "dry-run",
    }
}

/// AWS's error code and message, where there is one.
pub(super) fn error_of(outcome: &Outcome) -> Option<(&str, &Untrusted)> {
    match outcome {
        Outcome::Denied { code, message } | Outcome::Failed { code, message } => Some((code, message)),
        Outcome::Allowed | Outcome::DryRun => None,
    }
}

/// An event's columns, every text fit for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// UTC, to the second: `14:02:31Z` on the day of `now`, `11-22 14:02:31Z` before.
    pub time: String,
    pub severity: Severity,
    /// The person, then the role in brackets.
    pub who: String,
    /// The call's name; other services than KMS stand before it: `cloudtrail:StopLogging`.
    pub what: String,
    /// The key's name, what the caller typed, or a dash; `+1` where there are more.
    pub key: String,
    pub from: String,
    /// The outcome's word and, where it failed, AWS's code.
    pub outcome: String,
}

impl EventLine {
    /// The event's columns at `now`.
    #[must_use]
    pub fn of(event: &KeyEvent, names: &KeyNames, now: Timestamp) -> Self {
        let who = match &event.who.role {
            Some(role) if *role != event.who.name => format!("{} ({role})", event.who.name),
            _ => event.who.name.to_string(),
        };
        let outcome = match error_of(&event.outcome) {
            Some((code, _)) => format!("{} {}", outcome_word(&event.outcome), visible(code)),
            None => outcome_word(&event.outcome).to_owned(),
        };
        Self {
            time: time(event.at, now),
            severity: event.severity,
            who,
            what: what(event),
            key: key(event, names),
            from: event.from.to_string(),
            outcome,
        }
    }
}

/// An event in one sentence, fit for a screen.
#[must_use]
pub fn sentence(event: &KeyEvent, names: &KeyNames, now: Timestamp) -> String {
    let has_key = !event.keys.is_empty() || event.key_as_typed.is_some();
    event.told(has_key.then(|| key(event, names)).as_deref(), &time(event.at, now))
}

fn time(at: Timestamp, now: Timestamp) -> String {
    let (day, today) = (at.strftime("%Y-%m-%d").to_string(), now.strftime("%Y-%m-%d").to_string());
    if day == today {
        at.strftime("%H:%M:%SZ").to_string()
    } else if day.get(..4) == today.get(..4) {
        at.strftime("%m-%d %H:%M:%SZ").to_string()
    } else {
        at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
    }
}

fn what(event: &KeyEvent) -> String {
    let service = event.source.raw().trim_end_matches(".amazonaws.com");
    match service {
        "kms" | "" => event.name.to_string(),
        other => format!("{}:{}", visible(other), event.name),
    }
}

fn key(event: &KeyEvent, names: &KeyNames) -> String {
    match (event.keys.as_slice(), &event.key_as_typed) {
        ([], Some(typed)) => typed.to_string(),
        ([], None) => "–".to_owned(),
        ([only], _) => visible(names.get(only)).into_owned(),
        ([first, more @ ..], _) => format!("{} +{}", visible(names.get(first)), more.len()),
    }
}

/// How many fields a record has.
const COLUMNS: usize = 32;

/// An event for machines. These field names are stable; text from outside stands as it came, so a program that
/// shows it on a terminal has to clean it. `null` is "the record does not say".
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventRecord {
    /// CloudTrail's `eventID`.
    pub id: String,
    /// RFC 3339, UTC.
    pub at: Timestamp,
    /// `info`, `notice`, `high` or `critical`.
    pub severity: Severity,
    /// e.g. `DisableKey`.
    pub name: String,
    /// e.g. `kms.amazonaws.com`.
    pub source: String,
    /// The Region whose trail has it.
    pub region: String,
    /// The person or service, as near as the record tells.
    pub who: String,
    /// The role acted through.
    pub role: Option<String>,
    /// The caller's account.
    pub account: Option<String>,
    /// Whether the session was begun with MFA.
    pub mfa: Option<bool>,
    /// CloudTrail's `userIdentity.type`.
    pub identity_type: String,
    /// The ARNs of the keys that the record names.
    pub keys: Vec<String>,
    /// Their names in the inventory, in the same order: first alias, else key id.
    pub key_names: Vec<String>,
    /// What the caller typed, where the record has no ARN.
    pub key_as_typed: Option<String>,
    /// Source address or service name.
    pub from: String,
    /// What the caller called its program: anybody may write anything there.
    pub user_agent: String,
    /// `allowed`, `denied`, `failed` or `dry-run`.
    pub outcome: &'static str,
    /// AWS's error code, where the call failed.
    pub error_code: Option<String>,
    /// What AWS said beside it.
    pub error_message: Option<String>,
    /// CloudTrail's `readOnly`; cryptographic use is read-only there too.
    pub read_only: Option<bool>,
    /// CloudTrail's `eventType`: `AwsApiCall`, `AwsServiceEvent`, `AwsConsoleSignIn` …
    pub event_type: String,
    /// The caller's ARN.
    pub principal: Option<String>,
    /// The name of the role's session.
    pub session: Option<String>,
    /// The person that the session was begun for, where one was named.
    pub source_identity: Option<String>,
    /// The AWS service that called for somebody.
    pub invoked_by: Option<String>,
    /// The id of the access key that signed the call.
    pub access_key: Option<String>,
    /// Whether the credentials came from signing in to the web console.
    pub from_console: bool,
    /// The account whose trail has the record.
    pub recipient_account: Option<String>,
    /// On both halves of a call across accounts.
    pub shared_id: Option<String>,
    /// The VPC endpoint that the call came through.
    pub vpc_endpoint: Option<String>,
    /// The id of the key material used.
    pub key_material: Option<String>,
    /// The environment of the settings whose trail has it; `null` for trail logs.
    pub environment: Option<String>,
}

impl EventRecord {
    /// The columns of [`Self::csv_row`].
    pub const CSV_HEADER: [&'static str; COLUMNS] = [
        "id",
        "at",
        "severity",
        "name",
        "source",
        "region",
        "who",
        "role",
        "account",
        "mfa",
        "identity_type",
        "keys",
        "key_names",
        "key_as_typed",
        "from",
        "user_agent",
        "outcome",
        "error_code",
        "error_message",
        "read_only",
        "event_type",
        "principal",
        "session",
        "source_identity",
        "invoked_by",
        "access_key",
        "from_console",
        "recipient_account",
        "shared_id",
        "vpc_endpoint",
        "key_material",
        "environment",
    ];

    /// The event for machines.
    #[must_use]
    pub fn of(event: &KeyEvent, environment: Option<&str>, names: &KeyNames) -> Self {
        let raw = |text: &Untrusted| text.raw().to_owned();
        let error = error_of(&event.outcome);
        Self {
            id: event.id.clone(),
            at: event.at,
            severity: event.severity,
            name: raw(&event.name),
            source: raw(&event.source),
            region: event.region.clone(),
            who: raw(&event.who.name),
            role: event.who.role.as_ref().map(raw),
            account: event.who.account.clone(),
            mfa: event.who.mfa,
            identity_type: raw(&event.who.kind),
            keys: event.keys.iter().map(|key| key.as_str().to_owned()).collect(),
            key_names: event.keys.iter().map(|key| names.get(key).to_owned()).collect(),
            key_as_typed: event.key_as_typed.as_ref().map(raw),
            from: raw(&event.from),
            user_agent: raw(&event.user_agent),
            outcome: outcome_word(&event.outcome),
            error_code: error.map(|(code, _)| code.to_owned()),
            error_message: error.map(|(_, message)| raw(message)),
            read_only: event.read_only,
            event_type: raw(&event.event_type),
            principal: event.who.principal.as_ref().map(raw),
            session: event.who.session.as_ref().map(raw),
            source_identity: event.who.source_identity.as_ref().map(raw),
            invoked_by: event.who.invoked_by.as_ref().map(raw),
            access_key: event.who.access_key.clone(),
            from_console: event.who.from_console,
            recipient_account: event.recipient.clone(),
            shared_id: event.shared_id.clone(),
            vpc_endpoint: event.vpc_endpoint.clone(),
            key_material: event.key_material.clone(),
            environment: environment.map(str::to_owned),
        }
    }

    /// The fields as CSV cells: lists joined by blanks, the unknown empty, deceiving characters made visible,
    /// since CSV, unlike JSON, has no escapes for them.
    #[must_use]
    pub fn csv_row(&self) -> [String; COLUMNS] {
        let truth = |value: Option<bool>| value.map_or(String::new(), |value| value.to_string());
        let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
        [
            self.id.clone(),
            self.at.to_string(),
            self.severity.word().to_owned(),
            self.name.clone(),
            self.source.clone(),
            self.region.clone(),
            self.who.clone(),
            maybe(&self.role),
            maybe(&self.account),
            truth(self.mfa),
            self.identity_type.clone(),
            self.keys.join(" "),
            self.key_names.join(" "),
            maybe(&self.key_as_typed),
            self.from.clone(),
            self.user_agent.clone(),
            self.outcome.to_owned(),
            maybe(&self.error_code),
            maybe(&self.error_message),
            truth(self.read_only),
            self.event_type.clone(),
            maybe(&self.principal),
            maybe(&self.session),
            maybe(&self.source_identity),
            maybe(&self.invoked_by),
            maybe(&self.access_key),
            self.from_console.to_string(),
            maybe(&self.recipient_account),
            maybe(&self.shared_id),
            maybe(&self.vpc_endpoint),
            maybe(&self.key_material),
            maybe(&self.environment),
        ]
        .map(|cell| visible(&cell).into_owned())
    }
}

#[cfg(test)]
mod tests;
