//! A plan: one intended change to one key, as it will be shown, confirmed, approved and carried out.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::IncidentId;
use super::arn::KeyArn;
use super::aspect::Aspect;
use super::key::KeyState;
pub use super::operation::Operation;
use super::text::Untrusted;

/// One intended change. Everything that decides what will happen is in here, so that its digest binds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub environment: String,
    pub account: String,
    pub region: String,
    pub key: KeyArn,
    /// What the operator has to type: the key's name on screen.
    pub key_name: String,
    #[serde(flatten)]
    pub operation: Operation,
    /// What the plan was made on.
    pub observed: Observed,
    pub incident: IncidentId,
    /// The CEK through which the key was found, if it was.
    pub cek: Option<Untrusted>,
    pub reason: Untrusted,
    /// The ARN of who asks.
    pub requester: String,
    /// After this the plan is stale.
    pub expires_at: Timestamp,
}

/// What was read of a key before a plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub state: KeyState,
    pub at: Timestamp,
    /// The aspect that the operation changes, where that is not the state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Aspect>,
}

impl Observed {
    /// A state alone.
    #[must_use]
    pub fn state(state: KeyState, at: Timestamp) -> Self {
        Self { state, at, beside: None }
    }

    /// The aspect that the operation changes.
    #[must_use]
    pub fn aspect(&self) -> Aspect {
        self.beside.clone().unwrap_or_else(|| Aspect::State(self.state.clone()))
    }
}

/// The SHA-256 of a plan's canonical JSON (RFC 8785), in lower-case hex.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub String);

impl Digest {
    /// The first and last four digits, for a screen.
    #[must_use]
    pub fn short(&self) -> String {
        match (self.0.get(..4), self.0.get(self.0.len().saturating_sub(4)..)) {
            (Some(head), Some(tail)) => format!("{head}…{tail}"),
            _ => self.0.clone(),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Plan {
    /// The digest that confirmations and approvals are bound to.
    ///
    /// # Errors
    /// Only where the plan cannot be written as JSON, which its types rule out.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        let canonical = serde_json_canonicalizer::to_vec(self)?;
        Ok(Digest(hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical))))
    }
}
