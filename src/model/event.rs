//! Events: CloudTrail records about keys, in tidy form.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::text::Untrusted;

/// One CloudTrail record, without its text: the store keeps that beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyEvent {
    /// CloudTrail's `eventID`: the same event may be delivered twice, its id tells.
    pub id: String,
    pub at: Timestamp,
    /// e.g. `DisableKey`.
    pub name: Untrusted,
    /// e.g. `kms.amazonaws.com`.
    pub source: Untrusted,
    /// `AwsApiCall`, `AwsServiceEvent` (the service did it by itself), `AwsConsoleSignIn` …
    pub event_type: Untrusted,
    pub region: String,
    pub who: Who,
    /// The keys it names, by ARN where the record has one.
    pub keys: Vec<KeyArn>,
    /// What the caller typed as key id, where no ARN can be had.
    pub key_as_typed: Option<Untrusted>,
    /// The id of the key material that KMS used, where it says so.
    pub key_material: Option<String>,
    /// Source address or service name.
    pub from: Untrusted,
    pub user_agent: Untrusted,
    /// The VPC endpoint through which the call came.
    pub vpc_endpoint: Option<String>,
    pub outcome: Outcome,
    /// Whether CloudTrail calls it read-only. Cryptographic use is read-only there too.
    pub read_only: Option<bool>,
    /// The account whose trail has this record: the keys' owner, for a call across accounts.
    pub recipient: Option<String>,
    /// On both halves of a call across accounts.
    pub shared_id: Option<String>,
    pub severity: Severity,
}

/// Who did it, really.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    /// The person or service, as near as the record tells: source identity, user name, session name, `invokedBy`.
    pub name: Untrusted,
    /// The role acted through.
    pub role: Option<Untrusted>,
    /// The role session's name: whoever assumed the role chose it.
    pub session: Option<Untrusted>,
    /// STS's source identity: set when the first role was assumed, and not to be changed after.
    pub source_identity: Option<Untrusted>,
    /// The ARN that CloudTrail gives.
    pub principal: Option<Untrusted>,
    pub account: Option<String>,
    pub access_key: Option<String>,
    /// The AWS service that called for somebody, e.g. `rds.amazonaws.com`, or `AWS Internal`.
    pub invoked_by: Option<Untrusted>,
    /// CloudTrail's `mfaAuthenticated`; None where the record does not say.
    pub mfa: Option<bool>,
    /// Whether the credentials came from signing in to the web console.
    pub from_console: bool,
    /// `IAMUser`, `AssumedRole`, `Root`, `AWSService` …
    pub kind: Untrusted,
}

impl Who {
    /// Whether an AWS service made the call, on somebody's behalf or its own.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.kind.raw() == "AWSService"
            || self.invoked_by.as_ref().is_some_and(|by| by.raw().ends_with(".amazonaws.com"))
    }

    /// Whether it was the account's root user.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.kind.raw() == "Root"
    }
}

/// How the call ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    #[default]
    Allowed,
    /// A permission was missing.
    Denied { code: String, message: Untrusted },
    /// It failed for another reason.
    Failed { code: String, message: Untrusted },
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

/// KMS's name in CloudTrail.
pub const KMS: &str = "kms.amazonaws.com";

impl KeyEvent {
    /// Whether it is cryptographic use of a key, or an attempt at it.
    #[must_use]
    pub fn is_use(&self) -> bool {
        self.source.raw() == KMS && super::usage::is_cryptographic(self.name.raw())
    }

    /// Whether the service did it by itself, without a call: a rotation, a deletion come due.
    #[must_use]
    pub fn is_service_event(&self) -> bool {
        self.event_type.raw() == "AwsServiceEvent"
    }

    /// Whether caller and trail are of different accounts, as far as the record tells.
    #[must_use]
    pub fn crosses_accounts(&self) -> bool {
        self.shared_id.is_some()
            || matches!((&self.who.account, &self.recipient), (Some(caller), Some(owner)) if caller != owner)
    }
}
