//! The right to make one call, once.

use crate::journal::Entry;
use crate::model::arn::KeyArn;
use crate::model::plan::Plan;

/// The right to make the one mutating call that a plan is for. The gate makes it after the plan's intent is
/// on the disk, and the call uses it up.
///
/// No other code can make one, so no other code can reach a mutating call:
///
/// ```compile_fail
/// use portcullis::gate::Warrant;
/// fn forge(plan: portcullis::model::plan::Plan) -> Warrant {
///     Warrant { call: portcullis::gate::Call::OnKey(portcullis::gate::KeyCall::DisableKey), key: plan.key }
/// }
/// ```
///
/// ```compile_fail
/// fn forge(plan: &portcullis::model::plan::Plan, intent: &portcullis::journal::Entry) {
///     let call = portcullis::gate::Call::OnKey(portcullis::gate::KeyCall::DisableKey);
///     let _ = portcullis::gate::Warrant::issue(plan, call, intent);
/// }
/// ```
///
/// It is neither copied nor cloned:
///
/// ```compile_fail
/// fn twice(warrant: portcullis::gate::Warrant) -> [portcullis::gate::Warrant; 2] {
///     [warrant.clone(), warrant]
/// }
/// ```
#[derive(Debug)]
#[must_use = "a warrant that is not used changes nothing"]
pub struct Warrant {
    call: Call,
    key: KeyArn,
}

/// A call that changes something, with all that it sends.
#[derive(Debug, PartialEq, Eq)]
pub enum Call {
    /// On the warrant's key.
    OnKey(KeyCall),
    /// On an RDS instance in the key's Region.
    StartDbInstance { instance: String },
}

/// A call that changes a key.
#[derive(Debug, PartialEq, Eq)]
pub enum KeyCall {
    DisableKey,
    EnableKey,
    CancelKeyDeletion,
    ScheduleKeyDeletion {
        days: u8,
    },
    EnableKeyRotation {
        period_days: u32,
    },
    RotateKeyOnDemand,
    RevokeGrant {
        grant: String,
    },
    /// The whole policy, as JSON.
    PutKeyPolicy {
        policy: String,
    },
}

impl KeyCall {
    /// The IAM action, e.g. `kms:DisableKey`.
    #[must_use]
    pub fn action(&self) -> &'static str {
        match self {
            Self::DisableKey => "kms:DisableKey",
            Self::EnableKey => "kms:EnableKey",
            Self::CancelKeyDeletion => "kms:CancelKeyDeletion",
            Self::ScheduleKeyDeletion { .. } => "kms:ScheduleKeyDeletion",
            Self::EnableKeyRotation { .. } => "kms:EnableKeyRotation",
            Self::RotateKeyOnDemand => "kms:RotateKeyOnDemand",
            Self::RevokeGrant { .. } => "kms:RevokeGrant",
            Self::PutKeyPolicy { .. } => "kms:PutKeyPolicy",
        }
    }
}

impl Warrant {
    /// Issued for a journalled intent alone: the call that its plan came to on the ground as it was read last.
    pub(in crate::gate) fn issue(plan: &Plan, call: Call, _intent: &Entry) -> Self {
        Self { call, key: plan.key.clone() }
    }

    /// What may be done, and to which key, in the Region of its ARN.
    #[must_use]
    pub fn spend(self) -> (Call, KeyArn) {
        (self.call, self.key)
    }
}
