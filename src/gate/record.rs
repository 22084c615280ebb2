//! What the gate writes to the journal, entry by entry.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::outcome::{Channel, Read, Sight};
use crate::cloud::Probe;
use crate::estate::roles::Assumption;
use crate::journal::Entry;
use crate::model::aspect::Aspect;
use crate::model::duty::Duty;
use crate::model::plan::{Digest, Plan};

/// The body of an entry that the gate writes and reads.
pub(super) trait Record: Serialize + DeserializeOwned {
    /// The entry's kind.
    const KIND: &'static str;

    /// The body of an entry, if it is of this kind.
    fn of(entry: &Entry) -> Option<Self> {
        (entry.kind == Self::KIND).then(|| serde_json::from_value(entry.body.clone()).ok()).flatten()
    }
}

macro_rules! records {
    ($($record:ty = $kind:literal),+ $(,)?) => {
        $(impl Record for $record { const KIND: &'static str = $kind; })+
    };
}
records! {
    Intent = "intent", Assumed = "assumed", Refused = "refused", Answer = "answer", Proof = "proof", Unproved = "unproved",
    SettledAs = "settled", Told = "told", StillOwed = "owed",
}

/// What is about to be done. On the disk before anything is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Intent {
    pub plan: Plan,
    pub digest: Digest,
    /// What the operator typed.
    pub typed: String,
    pub approved_by: Vec<String>,
    /// Whether the operator did without the approvals that were asked for, and typed so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub without_approval: bool,
    /// The role that it is made in; `None` for the credentials at hand.
    #[serde(default)]
    pub in_role: Option<InRole>,
    /// The calls to come.
    pub calls: Vec<String>,
    /// Who is to be told of the outcome.
    pub tell: Vec<Channel>,
    /// Earlier intents of this incident for the same change to the same key.
    pub again_after: Vec<u64>,
}

/// A role, and how its session is asked for. No credentials, and no code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct InRole {
    pub duty: Duty,
    pub role: String,
    pub session_name: String,
    /// The person, as `CloudTrail` will name them.
    pub source_identity: String,
    pub tags: BTreeMap<String, String>,
    /// SHA-256 of the session policy, in lower-case hex.
    pub session_policy_digest: Digest,
    /// The MFA device whose code goes along, if one does.
    pub mfa_device: Option<String>,
}

impl From<&Assumption> for InRole {
    fn from(assumption: &Assumption) -> Self {
        let request = assumption.request.clone();
        Self {
            duty: assumption.duty,
            role: request.role,
            session_name: request.session_name,
            source_identity: request.source_identity,
            tags: request.tags,
            session_policy_digest: assumption.policy_digest(),
            mfa_device: request.device,
        }
    }
}

/// The role was assumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Assumed {
    pub intent: u64,
    /// The session's ARN.
    pub session: String,
    pub expires_at: Timestamp,
}

/// The gate refused: nothing was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Refused {
    /// The intent, where it had got as far as one.
    pub intent: Option<u64>,
    pub digest: Digest,
    pub why: String,
}

/// What AWS said to the call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    pub intent: u64,
    #[serde(flatten)]
    pub said: Said,
}

/// The kinds of answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "answer")]
pub(super) enum Said {
    /// It is done, or will be.
    Accepted { request_id: Option<String> },
    /// It is not done.
    Refused { why: String },
    /// No answer came, or none that settles it.
    Unknown { why: String },
}

/// Agreeing reads that prove a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Proof {
    pub intent: u64,
    /// What the reads agree on.
    pub state: Aspect,
    pub reads: Vec<Read>,
    pub agreeing: u8,
    pub probe: Probe,
}

/// The change was sent and could not be proved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Unproved {
    pub intent: u64,
    /// Whether AWS accepted the call; if not, nobody knows.
    pub accepted: bool,
    pub why: String,
    pub sight: Sight,
}

/// What the key says of an unfinished change, when somebody went to look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SettledAs {
    pub intent: u64,
    pub settlement: Settlement,
    pub sight: Sight,
}

/// What became of an unfinished change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Settlement {
    /// The key is in the state that the change leads to.
    Happened,
    /// The key is in the state that the plan was made on: it never happened, or another hand undid it.
    DoesNotStand,
    /// Neither: another state, reads that disagree, or none at all.
    CannotBeTold,
}

/// Somebody was told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Told {
    /// The entry that they were told of.
    pub about: u64,
    pub channel: Channel,
    /// What the other side calls it, e.g. an SNS message id.
    pub reference: Option<String>,
}

/// Somebody could not be told yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StillOwed {
    pub about: u64,
    pub channel: Channel,
    pub why: String,
}
