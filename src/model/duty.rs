//! Duties: what a role is for. Each change is made in the role of its duty, and in no other.

use std::fmt;

use super::plan::Operation;

/// A duty, as the shipped IAM policies divide them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Drops the gate.
    EmergencyKeyAdmin,
    /// Raises it again.
    KeyRecoveryAdmin,
    /// Rotates keys and keeps their policies.
    KeyManagementAdmin,
    /// Reads, and nothing else.
    Audit,
}

impl Duty {
    /// Every duty.
    pub const ALL: [Self; 4] =
        [Self::EmergencyKeyAdmin, Self::KeyRecoveryAdmin, Self::KeyManagementAdmin, Self::Audit];

    /// The duty that a change is part of.
    #[must_use]
    pub fn of(operation: &Operation) -> Self {
        match operation {
            // Who puts a denial up takes it down, so that one role alone of those who respond may put a key policy.
            Operation::DisableKey
            | Operation::ScheduleKeyDeletion { .. }
            | Operation::RevokeGrant { .. }
            | Operation::DenyPrincipal { .. }
            | Operation::AllowPrincipal { .. } => Self::EmergencyKeyAdmin,
            Operation::EnableKey | Operation::CancelKeyDeletion | Operation::StartDbInstance { .. } => {
                Self::KeyRecoveryAdmin
            }
            Operation::EnableKeyRotation { .. } | Operation::RotateKeyOnDemand => Self::KeyManagementAdmin,
        }
    }

    /// The word in settings, runbooks and journals, e.g. `emergency-key-admin`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::EmergencyKeyAdmin => "emergency-key-admin",
            Self::KeyRecoveryAdmin => "key-recovery-admin",
            Self::KeyManagementAdmin => "key-management-admin",
            Self::Audit => "audit",
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}
