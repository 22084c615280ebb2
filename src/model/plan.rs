//! A plan: one intended change to one key, as it will be shown, confirmed, approved and carried out.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::IncidentId;
use super::arn::KeyArn;
use super::key::KeyState;
use super::text::Untrusted;

/// A change that the gate can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    DisableKey,
    EnableKey,
    CancelKeyDeletion,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 3] = [Self::DisableKey, Self::EnableKey, Self::CancelKeyDeletion];

    /// The word in runbooks, plans and journals, e.g. `disable-key`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DisableKey => "disable-key",
            Self::EnableKey => "enable-key",
            Self::CancelKeyDeletion => "cancel-key-deletion",
        }
    }

    /// The IAM action, e.g. `kms:DisableKey`.
    #[must_use]
    pub fn iam_action(self) -> &'static str {
        match self {
            Self::DisableKey => "kms:DisableKey",
            Self::EnableKey => "kms:EnableKey",
            Self::CancelKeyDeletion => "kms:CancelKeyDeletion",
        }
    }

    /// The state that proves it done. CancelKeyDeletion leaves the key disabled.
    #[must_use]
    pub fn proved_by(self) -> KeyState {
        match self {
            Self::DisableKey | Self::CancelKeyDeletion => KeyState::Disabled,
            Self::EnableKey => KeyState::Enabled,
        }
    }

    /// The states in which it makes sense to ask for it. Others are refused before KMS is troubled.
    #[must_use]
    pub fn starts_from(self) -> &'static [KeyState] {
        match self {
            Self::DisableKey => &[KeyState::Enabled],
            Self::EnableKey => &[KeyState::Disabled],
            Self::CancelKeyDeletion => &[KeyState::PendingDeletion, KeyState::PendingReplicaDeletion],
        }
    }

    /// What takes it back, where something does.
    #[must_use]
    pub fn undo(self) -> Option<Self> {
        match self {
            Self::DisableKey => Some(Self::EnableKey),
            Self::EnableKey => Some(Self::DisableKey),
            Self::CancelKeyDeletion => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Operation {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|op| op.word() == word).ok_or_else(|| {
            let words: Vec<_> = Self::ALL.iter().map(|op| op.word()).collect();
            format!(
                "`{}` is no change that the gate knows: it takes {}",
                super::text::visible(word),
                words.join(", ")
            )
        })
    }
}

/// One intended change. Everything that decides what will happen is in here, so that its digest binds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    pub environment: String,
    pub account: String,
    pub region: String,
    pub key: KeyArn,
    /// What the operator has to type: the key's name on screen.
    pub key_name: String,
    pub operation: Operation,
    /// The state that the plan was made on.
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

/// A state, and when it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    pub state: KeyState,
    pub at: Timestamp,
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
