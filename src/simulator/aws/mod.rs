//! The AWS side: one front for every service, told apart as AWS does by signature scope and target.

pub mod access;
pub mod cloudtrail;
pub mod front;
pub mod iam;
pub mod kms;
pub mod policy;
pub mod quota;
pub mod rds;
pub mod sigv4;
pub mod sns;
pub mod sqs;
pub mod sts;
pub mod wire;

use http::StatusCode;
use jiff::Timestamp;
use rand::rngs::StdRng;
use serde_json::{Map, Value};

/// One call that has passed the front: its signature checks, and it names an operation we know.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: Timestamp,
    /// The signing name: `kms`, `sts`, `cloudtrail`, `sns`, `sqs`, `rds`, `iam`.
    pub service: String,
    pub region: String,
    /// e.g. `DescribeKey`.
    pub operation: String,
    pub caller: Caller,
    /// The JSON body; a query-protocol form becomes an object of strings.
    pub input: Value,
    pub request_id: String,
    pub source_ip: String,
    pub user_agent: String,
}

/// Who signed a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub account: String,
    pub access_key_id: String,
    pub identity: Identity,
}

/// What kind of principal a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    Root,
    User {
        name: String,
        /// Set for a session from `GetSessionToken` with MFA.
        mfa: bool,
    },
    /// An assumed role's session.
    Session {
        role: String,
        session_name: String,
        mfa: bool,
        source_identity: Option<String>,
        tags: Vec<(String, String)>,
        /// The inline session policy, as sent.
        session_policy: Option<String>,
        issued_at: Timestamp,
        expires_at: Timestamp,
    },
    /// A service acting on a customer's behalf, e.g. `rds.amazonaws.com` (only in recorded events).
    Service {
        name: String,
    },
}

/// A successful answer, in the protocol of its service.
#[derive(Clone, Debug)]
pub enum Reply {
    /// awsJson1.1.
    Json(Value),
    /// The inside of `<OperationResult>` in the query protocol.
    Xml(String),
}

/// AWS's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: StatusCode,
    /// e.g. `NotFoundException`, without prefix.
    pub code: String,
    pub message: String,
}

impl Refusal {
    /// HTTP 400 with this code and message, as most refusals are.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, code: code.to_owned(), message: message.into() }
    }
}

/// What a service is handed beside the call itself.
#[derive(Debug)]
pub struct Context<'a> {
    /// The simulated account's id.
    pub account: &'a str,
    /// The world's one source of chance.
    pub rng: &'a mut StdRng,
    /// What `CloudTrail` will have to say about the call; filled in as the service learns it, so that a
    /// refused call's record names its key too.
    pub facts: Facts,
}

/// What a `CloudTrail` record needs beyond the call and its outcome.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The resources touched, with their owners' accounts.
    pub resources: Vec<Resource>,
    /// As `CloudTrail` shows them: plaintext, ciphertext and secrets are never in it. `Null` for none.
    pub request_parameters: Value,
    /// Only changes have them. `Null` for none.
    pub response_elements: Value,
    /// e.g. `keyMaterialId` of a Decrypt.
    pub additional_event_data: Map<String, Value>,
    /// `CloudTrail`'s `readOnly`; cryptographic operations count as read-only there.
    pub read_only: bool,
    /// The id that the record will have, so that `GetKeyLastUsage` can name it; the front draws it.
    pub event_id: Option<String>,
    /// The call asked for a dry run.
    pub dry_run: bool,
}

/// One entry of a record's `resources`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    pub account: String,
    /// e.g. `AWS::KMS::Key`.
    pub kind: String,
    pub arn: String,
}

/// Something that AWS did by itself, which `CloudTrail` records as an `AwsServiceEvent`.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceEvent {
    pub at: Timestamp,
    pub region: String,
    /// The account that owns the resource.
    pub account: String,
    /// e.g. `kms`.
    pub service: String,
    /// e.g. `RotateKey`, `DeleteKey`, `DeleteExpiredKeyMaterial`.
    pub name: String,
    pub resources: Vec<Resource>,
    /// The record's `serviceEventDetails`; `Null` for none.
    pub details: Value,
}

/// Where a request came from, put into its extensions by a server; calls without it come from [`IN_PROCESS_IP`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceIp(pub String);

/// The address that calls made in process come from (a documentation address, RFC 5737).
pub const IN_PROCESS_IP: &str = "203.0.113.10";

impl Caller {
    /// The caller's ARN as STS and `CloudTrail` show it.
    #[must_use]
    pub fn arn(&self) -> String {
        let account = &self.account;
        match &self.identity {
            Identity::Root => format!("arn:aws:iam::{account}:root"),
            Identity::User { name, .. } => format!("arn:aws:iam::{account}:user/{name}"),
            Identity::Session { role, session_name, .. } => {
                format!("arn:aws:sts::{account}:assumed-role/{role}/{session_name}")
            }
            Identity::Service { name } => name.clone(),
        }
    }
}

impl Refusal {
    /// What AWS says to an operation that the service does not have.
    #[must_use]
    pub fn unknown_operation(call: &Call) -> Self {
        match call.service.as_str() {
            "sts" | "sns" | "rds" | "iam" => Self::new(
                "InvalidAction",
                format!("Could not find operation {} for this service", call.operation),
            ),
            _ => Self::new("UnknownOperationException", ""),
        }
    }

    /// The `AccessDenied` of the query protocol or `AccessDeniedException` of the JSON one, by service.
    #[must_use]
    pub fn access_denied(service: &str, message: impl Into<String>) -> Self {
        match service {
            "sts" | "rds" | "iam" => {
                Self { status: StatusCode::FORBIDDEN, ..Self::new("AccessDenied", message) }
            }
            "sns" => Self { status: StatusCode::FORBIDDEN, ..Self::new("AuthorizationError", message) },
            _ => Self::new("AccessDeniedException", message),
        }
    }
}
