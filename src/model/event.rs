//! Events: CloudTrail records about keys, in tidy form.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::text::Untrusted;

/// One CloudTrail record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    /// CloudTrail's `eventID`: the same event may be delivered twice, its id tells.
    pub id: String,
    pub at: Timestamp,
    /// e.g. `DisableKey`.
    pub name: Untrusted,
    /// e.g. `kms.amazonaws.com`.
    pub source: Untrusted,
    pub region: String,
    pub who: Who,
    /// The keys it names, by ARN where the record has one.
    pub keys: Vec<KeyArn>,
    /// What the caller typed as key id, where no ARN can be had.
    pub key_as_typed: Option<Untrusted>,
    /// Source address or service name.
    pub from: Untrusted,
    pub user_agent: Untrusted,
    pub outcome: Outcome,
    /// Whether CloudTrail calls it read-only. Cryptographic use is read-only there too.
    pub read_only: Option<bool>,
    pub severity: Severity,
    /// The record as it came, JSON text.
    pub raw: Arc<str>,
}

/// Who did it, really.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The person or service, as near as the record tells: source identity, user name, session name, `invokedBy`.
    pub name: Untrusted,
    /// The role acted through.
    pub role: Option<Untrusted>,
    pub account: Option<String>,
    /// CloudTrail's `mfaAuthenticated`; None where the record does not say.
    pub mfa: Option<bool>,
    /// `IAMUser`, `AssumedRole`, `Root`, `AWSService` …
    pub kind: Untrusted,
}

/// How the call ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    Allowed,
    /// A permission was missing.
    Denied {
        code: String,
        message: Untrusted,
    },
    /// It failed for another reason.
    Failed {
        code: String,
        message: Untrusted,
    },
    /// A dry run that would have been allowed: nothing happened.
    DryRun,
}

/// How much an event or a finding matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Daily traffic.
    #[default]
    Info,
    /// A change, or a denied call: worth a look.
    Notice,
    High,
    Critical,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Notice => "notice",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

impl KeyEvent {
    /// The event in one sentence, made fit for a screen: who, through what, did what to which key, from where, and how it ended.
    #[must_use]
    pub fn sentence(&self) -> String {
        let role = match (&self.who.role, self.who.mfa) {
            (Some(role), Some(true)) => format!(" (via {role}, MFA)"),
            (Some(role), Some(false)) => format!(" (via {role}, no MFA)"),
            (Some(role), None) => format!(" (via {role})"),
            (None, Some(true)) => " (MFA)".to_owned(),
            (None, _) => String::new(),
        };
        let key = self
            .keys
            .first()
            .map(ToString::to_string)
            .or_else(|| self.key_as_typed.as_ref().map(ToString::to_string));
        let on = key.map(|key| format!(" on {key}")).unwrap_or_default();
        let outcome = match &self.outcome {
            Outcome::Allowed => "allowed".to_owned(),
            Outcome::DryRun => "a dry run, nothing happened".to_owned(),
            Outcome::Denied { code, .. } => format!("denied ({})", super::text::visible(code)),
            Outcome::Failed { code, .. } => format!("failed ({})", super::text::visible(code)),
        };
        format!(
            "{}{role} called {}{on} from {} at {}; {outcome}",
            self.who.name, self.name, self.from, self.at
        )
    }
}
