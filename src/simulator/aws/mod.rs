//! The AWS side: one front for every service, told apart as AWS does by signature scope and target.

pub mod cloudtrail;
pub mod kms;
pub mod rds;
pub mod sns;
pub mod sts;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

/// One call that has passed the front: its signature checks, and it names an operation we know.
#[derive(Clone, Debug)]
pub struct Call {
    pub at: Timestamp,
    /// The signing name: `kms`, `sts`, `cloudtrail`, `sns`, `rds`.
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
