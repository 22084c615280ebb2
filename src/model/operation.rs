//! The changes that the gate can make, each with what it takes.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::aspect::Aspect;
use super::key::KeyState;
use super::plan::Observed;
use super::policy::{Denial, Principal};

/// KMS deletes a key after this many days at the least and at the most (API reference, `ScheduleKeyDeletion`).
pub const DELETION_DAYS: std::ops::RangeInclusive<u8> = 7..=30;
/// Days between two automatic rotations (API reference, `EnableKeyRotation`).
pub const ROTATION_DAYS: std::ops::RangeInclusive<u32> = 90..=2560;
/// Rotations on demand that a key has in its life; no quota can be raised beyond it.
pub const ON_DEMAND_ROTATIONS: u32 = 25;

/// A change that the gate can make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "kebab-case")]
pub enum Operation {
    DisableKey,
    EnableKey,
    CancelKeyDeletion,
    /// Has KMS delete the key after so many days, 7–30.
    ScheduleKeyDeletion {
        days: u8,
    },
    /// Has KMS rotate the key by itself, every 90–2560 days.
    EnableKeyRotation {
        period_days: u32,
    },
    RotateKeyOnDemand,
    /// Ends the grant of this id.
    RevokeGrant {
        grant: String,
    },
    /// Adds a denial to the key policy, of everything, for the user or role of this ARN.
    DenyPrincipal {
        principal: String,
    },
    /// Takes that denial back.
    AllowPrincipal {
        principal: String,
    },
    /// Starts the RDS instance of this identifier again, whose storage the key encrypts.
    StartDbInstance {
        instance: String,
    },
}

use Operation::{
    AllowPrincipal, CancelKeyDeletion, DenyPrincipal, DisableKey, EnableKey, EnableKeyRotation, RevokeGrant,
    RotateKeyOnDemand, ScheduleKeyDeletion, StartDbInstance,
};

/// What a use of the key says once a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UseAfter {
    Refused,
    Allowed,
    /// Nothing: the change is not about the key's use by whoever acts.
    SaysNothing,
}

impl Operation {
    /// The word in runbooks, plans and journals, e.g. `disable-key`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            DisableKey => "disable-key",
            EnableKey => "enable-key",
            CancelKeyDeletion => "cancel-key-deletion",
            ScheduleKeyDeletion { .. } => "schedule-key-deletion",
            EnableKeyRotation { .. } => "enable-key-rotation",
            RotateKeyOnDemand => "rotate-key-on-demand",
            RevokeGrant { .. } => "revoke-grant",
            DenyPrincipal { .. } => "deny-principal",
            AllowPrincipal { .. } => "allow-principal",
            StartDbInstance { .. } => "start-db-instance",
        }
    }

    /// The IAM action, e.g. `kms:DisableKey`.
    #[must_use]
    pub fn iam_action(&self) -> &'static str {
        match self {
            DisableKey => "kms:DisableKey",
            EnableKey => "kms:EnableKey",
            CancelKeyDeletion => "kms:CancelKeyDeletion",
            ScheduleKeyDeletion { .. } => "kms:ScheduleKeyDeletion",
            EnableKeyRotation { .. } => "kms:EnableKeyRotation",
            RotateKeyOnDemand => "kms:RotateKeyOnDemand",
            RevokeGrant { .. } => "kms:RevokeGrant",
            DenyPrincipal { .. } | AllowPrincipal { .. } => "kms:PutKeyPolicy",
            StartDbInstance { .. } => "rds:StartDBInstance",
        }
    }

    /// The states in which it makes sense to ask for it. Others are refused before KMS is troubled.
    #[must_use]
    pub fn starts_from(&self) -> &'static [KeyState] {
        use KeyState::{
            Creating, Disabled, Enabled, PendingDeletion, PendingImport, PendingReplicaDeletion, Unavailable,
            Updating,
        };
        match self {
            DisableKey | EnableKeyRotation { .. } | RotateKeyOnDemand | StartDbInstance { .. } => &[Enabled],
            EnableKey => &[Disabled],
            CancelKeyDeletion => &[PendingDeletion, PendingReplicaDeletion],
            ScheduleKeyDeletion { .. } => &[Disabled, Enabled, PendingImport, Unavailable],
            RevokeGrant { .. } | DenyPrincipal { .. } | AllowPrincipal { .. } => &[
                Enabled,
                Disabled,
                PendingDeletion,
                PendingReplicaDeletion,
                PendingImport,
                Unavailable,
                Creating,
                Updating,
            ],
        }
    }

    /// What takes it back, where something does.
    #[must_use]
    pub fn undo(&self) -> Option<Self> {
        match self {
            DisableKey => Some(EnableKey),
            EnableKey => Some(DisableKey),
            ScheduleKeyDeletion { .. } => Some(CancelKeyDeletion),
            DenyPrincipal { principal } => Some(AllowPrincipal { principal: principal.clone() }),
            AllowPrincipal { principal } => Some(DenyPrincipal { principal: principal.clone() }),
            CancelKeyDeletion
            | EnableKeyRotation { .. }
            | RotateKeyOnDemand
            | RevokeGrant { .. }
            | StartDbInstance { .. } => None,
        }
    }

    /// Whether it takes something away until it is taken back.
    #[must_use]
    pub fn stands(&self) -> bool {
        matches!(self, DisableKey | ScheduleKeyDeletion { .. } | DenyPrincipal { .. })
    }

    /// Whether it ends an earlier change of the same key, which stood until now.
    #[must_use]
    pub fn lifts(&self, earlier: &Self) -> bool {
        match earlier {
            DenyPrincipal { .. } => earlier.undo().as_ref() == Some(self),
            _ => earlier.stands() && self.changes_state(),
        }
    }

    /// Whether it changes the key's state.
    #[must_use]
    pub fn changes_state(&self) -> bool {
        matches!(self, DisableKey | EnableKey | CancelKeyDeletion | ScheduleKeyDeletion { .. })
    }

    /// Whether it makes the key unusable to everybody.
    #[must_use]
    pub fn drops(&self) -> bool {
        matches!(self, DisableKey | ScheduleKeyDeletion { .. })
    }

    /// Whether what it changes is shared by a whole multi-Region family: rotation is, state is not.
    #[must_use]
    pub fn reaches_relatives(&self) -> bool {
        matches!(self, EnableKeyRotation { .. } | RotateKeyOnDemand)
    }

    /// The approvals that it asks for, whatever an environment asks for beside it.
    #[must_use]
    pub fn least_approvals(&self) -> u8 {
        u8::from(matches!(self, ScheduleKeyDeletion { .. }))
    }

    /// Whether what it is given is such that AWS could take it.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn check(&self) -> Result<(), String> {
        match self {
            ScheduleKeyDeletion { days } if !DELETION_DAYS.contains(days) => Err(format!(
                "KMS deletes a key after {}–{} days, and {days} were asked for",
                DELETION_DAYS.start(),
                DELETION_DAYS.end()
            )),
            EnableKeyRotation { period_days } if !ROTATION_DAYS.contains(period_days) => Err(format!(
                "KMS rotates a key every {}–{} days, and {period_days} were asked for",
                ROTATION_DAYS.start(),
                ROTATION_DAYS.end()
            )),
            DenyPrincipal { principal } | AllowPrincipal { principal } => deniable(principal),
            RevokeGrant { grant } if grant.is_empty() => Err("no grant was named".to_owned()),
            StartDbInstance { instance } if instance.is_empty() => Err("no instance was named".to_owned()),
            _ => Ok(()),
        }
    }

    /// Whether a plan for it can be made on what was observed: the key in a state that it starts from, and the
    /// right thing read beside it.
    #[must_use]
    pub fn fits(&self, observed: &Observed) -> bool {
        let beside = match (self, &observed.beside) {
            (EnableKeyRotation { .. }, Some(Aspect::Rotation { .. }))
            | (RotateKeyOnDemand, Some(Aspect::Material { .. })) => true,
            (RevokeGrant { grant }, Some(Aspect::Grant { grant: listed })) => listed.id == *grant,
            (DenyPrincipal { .. }, Some(Aspect::Policy { denied, .. })) => !denied,
            (AllowPrincipal { .. }, Some(Aspect::Policy { denied, .. })) => *denied,
            (StartDbInstance { .. }, Some(instance @ Aspect::Instance { .. })) => instance.is_down(),
            (_, beside) => self.changes_state() && beside.is_none(),
        };
        beside && self.starts_from().contains(&observed.state)
    }

    /// Whether what is seen of it now proves it done, of a plan made on `observed`.
    #[must_use]
    pub fn is_proved_by(&self, now: &Aspect, observed: &Observed) -> bool {
        match (self, now) {
            // CancelKeyDeletion leaves the key disabled.
            (DisableKey | CancelKeyDeletion, Aspect::State(state)) => *state == KeyState::Disabled,
            (EnableKey, Aspect::State(state)) => *state == KeyState::Enabled,
            (ScheduleKeyDeletion { .. }, Aspect::State(state)) => {
                matches!(state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion)
            }
            (EnableKeyRotation { period_days }, Aspect::Rotation { automatic, period_days: now }) => {
                *automatic && *now == Some(*period_days)
            }
            (RotateKeyOnDemand, Aspect::Material { material_id: now, .. }) => {
                matches!(&observed.beside, Some(Aspect::Material { material_id, .. }) if material_id != now)
            }
            (RevokeGrant { grant }, Aspect::NoGrant { no_grant }) => grant == no_grant,
            (DenyPrincipal { .. }, Aspect::Policy { denied, .. }) => *denied,
            (AllowPrincipal { .. }, Aspect::Policy { denied, .. }) => !denied,
            (StartDbInstance { .. }, Aspect::Instance { .. }) => !now.is_down(),
            _ => false,
        }
    }

    /// What proves it, in words, e.g. `Disabled`.
    #[must_use]
    pub fn proof(&self) -> String {
        match self {
            DisableKey | CancelKeyDeletion => KeyState::Disabled.to_string(),
            EnableKey => KeyState::Enabled.to_string(),
            ScheduleKeyDeletion { .. } => KeyState::PendingDeletion.to_string(),
            EnableKeyRotation { period_days } => format!("rotation every {period_days} days"),
            RotateKeyOnDemand => "another key material in use".to_owned(),
            RevokeGrant { .. } => "the grant is gone".to_owned(),
            DenyPrincipal { .. } => "the policy holds the denial".to_owned(),
            AllowPrincipal { .. } => "the policy does not hold the denial".to_owned(),
            StartDbInstance { .. } => "the instance is starting, or available".to_owned(),
        }
    }

    /// The calls that read it back.
    #[must_use]
    pub fn reads(&self) -> &'static str {
        match self {
            DisableKey | EnableKey | CancelKeyDeletion | ScheduleKeyDeletion { .. } => "kms:DescribeKey",
            EnableKeyRotation { .. } => "kms:GetKeyRotationStatus",
            RotateKeyOnDemand => "kms:DescribeKey and ListKeyRotations",
            RevokeGrant { .. } => "kms:ListGrants",
            DenyPrincipal { .. } | AllowPrincipal { .. } => "kms:GetKeyPolicy",
            StartDbInstance { .. } => "rds:DescribeDBInstances",
        }
    }

    /// What a use of the key must say once it is done.
    #[must_use]
    pub fn use_after(&self) -> UseAfter {
        match self {
            DisableKey | CancelKeyDeletion | ScheduleKeyDeletion { .. } => UseAfter::Refused,
            EnableKey | EnableKeyRotation { .. } | RotateKeyOnDemand => UseAfter::Allowed,
            RevokeGrant { .. } | DenyPrincipal { .. } | AllowPrincipal { .. } | StartDbInstance { .. } => {
                UseAfter::SaysNothing
            }
        }
    }
}

/// A user or a role can be denied by itself; anything wider would shut out more than the one who is meant.
fn deniable(principal: &str) -> Result<(), String> {
    let shown = super::text::visible(principal);
    match Principal::of_arn(principal) {
        Some(Principal::User { .. } | Principal::Role { .. }) => Ok(()),
        Some(Principal::Session { account, role, .. }) => Err(format!(
            "{shown} is one session of a role, and a denial that names it ends with it: name the role, arn:aws:iam::{account}:role/{role}"
        )),
        Some(Principal::Account { account }) => Err(format!(
            "{shown} is the whole of account {account}: a denial takes a user or a role, so that it shuts out nobody else"
        )),
        _ => Err(format!("{shown} is no ARN of an IAM user or role: a denial takes one of those")),
    }
}

/// The denial that an operation is about, in an incident's name.
#[must_use]
pub fn denial(operation: &Operation, incident: &super::IncidentId) -> Option<Denial> {
    match operation {
        DenyPrincipal { principal } | AllowPrincipal { principal } => Some(Denial::of(incident, principal)),
        _ => None,
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl std::str::FromStr for Operation {
    type Err = String;

    /// By its word, where the word says all.
    fn from_str(word: &str) -> Result<Self, String> {
        let plain = [DisableKey, EnableKey, CancelKeyDeletion, RotateKeyOnDemand];
        plain.iter().find(|op| op.word() == word).cloned().ok_or_else(|| {
            let words: Vec<_> = plain.iter().map(Self::word).collect();
            format!(
                "`{}` is no change that the gate makes without being told more: it takes {}",
                super::text::visible(word),
                words.join(", ")
            )
        })
    }
}

#[cfg(test)]
pub mod tests {
    use super::{Denial, Operation, UseAfter, denial};
    use crate::model::aspect::Aspect;
    use crate::model::key::{Grant, KeyState};
    use crate::model::plan::Observed;
    use proptest::prelude::*;

    pub const PRINCIPAL: &str = "arn:aws:iam::111122223333:role/app-decryptor";

    /// One of each operation.
    #[must_use]
    pub fn each() -> [Operation; 10] {
        let principal = || PRINCIPAL.to_owned();
        [
            Operation::DisableKey,
            Operation::EnableKey,
            Operation::CancelKeyDeletion,
            Operation::ScheduleKeyDeletion { days: 30 },
            Operation::EnableKeyRotation { period_days: 90 },
            Operation::RotateKeyOnDemand,
            Operation::RevokeGrant {
                grant: "0c237476b39f8bc44e45212e08498fbe3151305030726c0590dd8d3e9f3d6a60".into(),
            },
            Operation::DenyPrincipal { principal: principal() },
            Operation::AllowPrincipal { principal: principal() },
            Operation::StartDbInstance { instance: "buzz-prod-1".into() },
        ]
    }

    /// A grant of this id.
    fn grant(id: &str) -> Grant {
        Grant {
            id: id.to_owned(),
            name: None,
            grantee: PRINCIPAL.into(),
            operations: vec!["Decrypt".into()],
            constraints: None,
            created: Some("2026-11-01T00:00:00Z".parse().unwrap()),
            retiring: None,
            issuing_account: None,
        }
    }

    /// What a plan for it could be made on.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a test's own")]
    pub fn observed(operation: &Operation) -> Observed {
        let policy = |denied| {
            Some(Aspect::Policy { policy_digest: crate::model::plan::Digest("0".repeat(64)), denied })
        };
        let beside = match operation {
            Operation::EnableKeyRotation { .. } => {
                Some(Aspect::Rotation { automatic: false, period_days: None })
            }
            Operation::RotateKeyOnDemand => {
                Some(Aspect::Material { material_id: "a".repeat(64), on_demand_rotations: 3 })
            }
            Operation::RevokeGrant { grant: id } => Some(Aspect::Grant { grant: Box::new(grant(id)) }),
            Operation::DenyPrincipal { .. } => policy(false),
            Operation::AllowPrincipal { .. } => policy(true),
            Operation::StartDbInstance { .. } => Some(Aspect::Instance { instance_status: "stopped".into() }),
            _ => None,
        };
        let at = "2026-11-23T14:00:00Z".parse().unwrap();
        Observed { state: operation.starts_from()[0].clone(), at, beside }
    }

    #[test]
    fn every_operation_fits_what_it_is_made_on_which_proves_nothing() {
        for operation in each() {
            let observed = observed(&operation);
            assert_eq!(operation.check(), Ok(()));
            assert!(operation.fits(&observed), "{operation}");
            assert!(!operation.is_proved_by(&observed.aspect(), &observed), "{operation}");
            let json = serde_json::to_string(&observed).unwrap();
            assert_eq!(serde_json::from_str::<Observed>(&json).unwrap(), observed, "{json}");
        }
    }

    #[test]
    fn an_operation_does_not_fit_what_another_is_made_on() {
        let kinds = |operation: &Operation| std::mem::discriminant(&observed(operation).aspect());
        for operation in each() {
            for other in each().iter().filter(|other| kinds(other) != kinds(&operation)) {
                assert!(!operation.fits(&observed(other)), "{operation} on what {other} is made on");
            }
        }
    }

    #[test]
    fn every_operation_has_a_word_and_json_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for operation in each() {
            assert!(seen.insert(operation.word()), "{operation}");
            let json = serde_json::to_value(&operation).unwrap();
            assert_eq!(json["operation"], operation.word());
            assert_eq!(serde_json::from_value::<Operation>(json).unwrap(), operation);
            if let Some(undo) = operation.undo() {
                assert_ne!(undo, operation);
            }
        }
    }

    #[test]
    fn what_aws_would_not_take_is_refused_with_its_bounds() {
        for (operation, words) in [
            (Operation::ScheduleKeyDeletion { days: 6 }, "7–30"),
            (Operation::ScheduleKeyDeletion { days: 31 }, "7–30"),
            (Operation::EnableKeyRotation { period_days: 89 }, "90–2560"),
            (Operation::EnableKeyRotation { period_days: 2561 }, "90–2560"),
            (Operation::DenyPrincipal { principal: "*".into() }, "no ARN"),
            (Operation::DenyPrincipal { principal: "111122223333".into() }, "no ARN"),
            (Operation::DenyPrincipal { principal: "rds.amazonaws.com".into() }, "no ARN"),
            (
                Operation::DenyPrincipal { principal: "arn:aws:iam::111122223333:root".into() },
                "whole of account",
            ),
            (
                Operation::AllowPrincipal {
                    principal: "arn:aws:sts::111122223333:assumed-role/App/i-1".into(),
                },
                "role/App",
            ),
            (Operation::RevokeGrant { grant: String::new() }, "no grant"),
        ] {
            let why = operation.check().unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn a_key_that_others_need_is_used_to_prove_a_change_only_where_that_says_something() {
        for operation in each() {
            let on_the_key =
                operation.iam_action().starts_with("kms:") && !operation.iam_action().contains("Policy");
            assert!(on_the_key || operation.use_after() == UseAfter::SaysNothing, "{operation}");
            assert_eq!(operation.drops(), operation.stands() && operation.use_after() == UseAfter::Refused);
        }
    }

    #[test]
    fn a_denial_bears_the_incidents_name_and_tells_principals_apart() {
        let incident = "INC-2026-0142".parse().unwrap();
        let [deny, allow] = [each()[7].clone(), each()[8].clone()].map(|op| denial(&op, &incident).unwrap());
        assert_eq!(deny, allow);
        assert!(deny.sid().starts_with("portcullis-INC-2026-0142-"));
        assert_ne!(deny.sid(), Denial::of(&incident, "arn:aws:iam::111122223333:role/other").sid());
        assert_eq!(denial(&Operation::DisableKey, &incident), None);
    }

    proptest! {
        #[test]
        fn only_what_an_operation_leads_to_proves_it(state in "Enabled|Disabled|PendingDeletion|PendingImport|Other", nth in 0..10_usize) {
            let operation = each()[nth].clone();
            let observed = observed(&operation);
            let now = Aspect::State(KeyState::from(state.as_str()));
            let proved = operation.is_proved_by(&now, &observed);
            prop_assert_eq!(proved, observed.beside.is_none() && operation.proof() == state);
        }
    }
}
