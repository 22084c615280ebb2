//! The kinds of step, and the words that each takes.

use jiff::SignedDuration;

use crate::model::duty::Duty;
use crate::model::key::KeyState;
use crate::model::plan::Operation;

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A person does it and attests it.
    Manual {
        attests: Attests,
    },
    /// One fresh look.
    Check(Check),
    /// People agreed, other than the one who asks; the run keeps their names.
    Approval {
        /// Who must agree, in words.
        by: String,
        /// 1–9.
        people: u8,
    },
    /// Sees that the role of a duty can be asked for when a change needs it.
    AssumeRole {
        duty: Duty,
    },
    /// A change, through the gate.
    Change(Change),
    /// Proof after a change.
    Verify(Verify),
    /// Sees that the alert topic has been told.
    Notify,
    /// Sees that the SQL audit row has been written.
    Audit,
    Wait {
        time: SignedDuration,
    },
    Choose {
        question: String,
        options: Vec<Choice>,
    },
    /// A person picks a value, which the run keeps.
    Ask {
        value: Value,
        question: String,
    },
}

/// What an attested manual step means to the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attests {
    /// Only that it was done.
    #[default]
    Done,
    /// That the clients were restarted, so that none holds decrypted column keys any more.
    ClientsRestarted,
}

/// What a check looks at. Each leaves its own evidence in the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// `key-state`: the key must be in one of these states.
    State { expect: Vec<KeyState> },
    /// `key-gone`: KMS must say that there is no such key.
    Gone,
    /// `administrable`: the key policy must still let the account, or who acts, administer the key.
    Administrable,
    /// `grants`: every grant; those made within `since`, and those of other accounts, stand out.
    Grants { since: SignedDuration },
    /// `users`: who used the key, or tried to, within `since`.
    Users { since: SignedDuration },
    /// `rotation`: how the material changes, when next, and how many on-demand rotations are left.
    Rotation,
    /// `key-material`: the id of the material in use, kept to be compared with after a rotation.
    Material,
    /// `rds-storage`: the RDS instances whose storage the key encrypts, and their clock of 7 days.
    Storage,
    /// `replicas`: the key's relatives in other Regions, each with its own state.
    Relatives,
    /// `column-keys`: the column keys that the key wraps, and the columns under them.
    ColumnKeys,
}

/// What a `verify` step proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verify {
    /// `key-state`: several fresh reads, which must all show one of the states.
    State { expect: Vec<KeyState>, reads: u8 },
    /// `new-material`: the material in use is another one than `key-material` found.
    NewMaterial,
    /// `rotated`: the material in use came within `since`, and the one before it is kept.
    Rotated { since: SignedDuration },
    /// `clients-working`: the key was used with success since the last change, or since its material changed.
    ClientsWorking,
    /// `principal-cut-off`: `{principal}` has not used the key with success since the last change.
    PrincipalCutOff,
    /// `rds-available`: `{db_instance}`, or every instance under the key, is available.
    RdsAvailable,
    /// `rewrapped`: every column key under the key has a value under `{new_key}` too.
    Rewrapped,
}

/// A change as a step asks for it. What it is made with beyond that, the run has asked for: [`Change::needs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Change {
    DisableKey,
    EnableKey,
    CancelKeyDeletion,
    /// After a waiting period of 7–30 days.
    ScheduleKeyDeletion {
        days: u8,
    },
    /// Every 90–2560 days.
    EnableKeyRotation {
        period_days: u32,
    },
    RotateKeyOnDemand,
    /// Of `{grant}`.
    RevokeGrant,
    /// Adds a Deny statement for `{principal}` to the key policy.
    DenyPrincipal,
    /// Takes such a statement back.
    AllowPrincipal,
    /// Of `{db_instance}`.
    StartDbInstance,
}

impl Change {
    /// Every change, those with a parameter with the one that is used where a step gives none.
    pub const ALL: [Self; 10] = [
        Self::DisableKey,
        Self::EnableKey,
        Self::CancelKeyDeletion,
        Self::ScheduleKeyDeletion { days: 30 },
        Self::EnableKeyRotation { period_days: 90 },
        Self::RotateKeyOnDemand,
        Self::RevokeGrant,
        Self::DenyPrincipal,
        Self::AllowPrincipal,
        Self::StartDbInstance,
    ];

    /// The word in runbooks, plans and journals, e.g. `disable-key`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::DisableKey => "disable-key",
            Self::EnableKey => "enable-key",
            Self::CancelKeyDeletion => "cancel-key-deletion",
            Self::ScheduleKeyDeletion { .. } => "schedule-key-deletion",
            Self::EnableKeyRotation { .. } => "enable-key-rotation",
            Self::RotateKeyOnDemand => "rotate-key-on-demand",
            Self::RevokeGrant => "revoke-grant",
            Self::DenyPrincipal => "deny-principal",
            Self::AllowPrincipal => "allow-principal",
            Self::StartDbInstance => "start-db-instance",
        }
    }

    /// The word of what takes it back, where something does.
    #[must_use]
    pub fn undo(self) -> Option<&'static str> {
        match self {
            Self::DisableKey => Some("enable-key"),
            Self::EnableKey => Some("disable-key"),
            Self::ScheduleKeyDeletion { .. } => Some("cancel-key-deletion"),
            Self::DenyPrincipal => Some("allow-principal"),
            Self::AllowPrincipal => Some("deny-principal"),
            Self::CancelKeyDeletion
            | Self::EnableKeyRotation { .. }
            | Self::RotateKeyOnDemand
            | Self::RevokeGrant
            | Self::StartDbInstance => None,
        }
    }

    /// What an `ask` step before it must have found out.
    #[must_use]
    pub fn needs(self) -> Option<Value> {
        match self {
            Self::RevokeGrant => Some(Value::Grant),
            Self::DenyPrincipal => Some(Value::Principal),
            Self::AllowPrincipal => Some(Value::DeniedPrincipal),
            Self::StartDbInstance => Some(Value::DbInstance),
            _ => None,
        }
    }

    /// Whether this is what a step asks for that makes `operation`.
    #[must_use]
    pub fn makes(self, operation: &Operation) -> bool {
        self.word() == operation.word()
    }
}

/// A value that a run finds out and keeps: its placeholder stands for it from there on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// The id of a grant on the key.
    Grant,
    /// The ARN of an IAM user or role.
    Principal,
    /// The ARN of a principal to whom this program's own Deny statement in the key policy applies.
    DeniedPrincipal,
    /// The identifier of an RDS instance whose storage the key encrypts.
    DbInstance,
    /// The ARN of the KMS key that takes over.
    NewKey,
    /// The id of the key material that was in use. Found by a check, never asked for.
    Material,
}

impl Value {
    /// Every value that can be asked for.
    pub const ASKED: [Self; 5] =
        [Self::Grant, Self::Principal, Self::DeniedPrincipal, Self::DbInstance, Self::NewKey];

    /// The word in an `ask` step.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::Principal => "principal",
            Self::DeniedPrincipal => "denied-principal",
            Self::DbInstance => "db-instance",
            Self::NewKey => "new-key",
            Self::Material => "key-material",
        }
    }

    /// The question of an `ask` step that has none of its own.
    #[must_use]
    pub fn question(self) -> &'static str {
        match self {
            Self::Grant => "Which grant?",
            Self::Principal => "Which principal? Pick one, or type the ARN of an IAM user or role.",
            Self::DeniedPrincipal => "Whose Deny statement is to be taken back?",
            Self::DbInstance => "Which RDS instance?",
            Self::NewKey => "Which KMS key takes over? Pick one, or type its ARN.",
            Self::Material => "Which key material?",
        }
    }
}

/// Something about the key on which a step may depend. Read afresh; where it cannot be told, the step is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Circumstance {
    /// An RDS instance stores its data under the key.
    StoresRds,
    /// It has relatives in other Regions.
    MultiRegion,
    /// It has grants.
    HasGrants,
    /// It wraps column keys.
    WrapsColumnKeys,
    /// KMS can rotate its material on a schedule.
    Rotatable,
    /// Its material was imported.
    ImportedMaterial,
}

impl Circumstance {
    /// Every circumstance.
    pub const ALL: [Self; 6] = [
        Self::StoresRds,
        Self::MultiRegion,
        Self::HasGrants,
        Self::WrapsColumnKeys,
        Self::Rotatable,
        Self::ImportedMaterial,
    ];

    /// The word in `only_if`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::StoresRds => "stores-rds",
            Self::MultiRegion => "multi-region",
            Self::HasGrants => "has-grants",
            Self::WrapsColumnKeys => "wraps-column-keys",
            Self::Rotatable => "rotatable",
            Self::ImportedMaterial => "imported-material",
        }
    }

    /// The sentence that it stands for.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Self::StoresRds => "an RDS instance stores its data under this key",
            Self::MultiRegion => "the key has relatives in other Regions",
            Self::HasGrants => "the key has grants",
            Self::WrapsColumnKeys => "the key wraps column keys",
            Self::Rotatable => "KMS can rotate this key on a schedule",
            Self::ImportedMaterial => "the key's material was imported",
        }
    }
}

/// An answer to a `choose` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub text: String,
    pub then: Then,
}

/// Where it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Then {
    #[default]
    Next,
    /// Index of a step: a later one, or, for an option of a `choose`, any other.
    Step(usize),
    Finish,
}

impl StepKind {
    /// The word for it in documents and journals.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Manual { .. } => "manual",
            Self::Check(_) => "check",
            Self::Approval { .. } => "approval",
            Self::AssumeRole { .. } => "assume-role",
            Self::Change(_) => "change",
            Self::Verify(_) => "verify",
            Self::Notify => "notify",
            Self::Audit => "audit",
            Self::Wait { .. } => "wait",
            Self::Choose { .. } => "choose",
            Self::Ask { .. } => "ask",
        }
    }

    /// What the step may leave in the run's values.
    #[must_use]
    pub fn learns(&self) -> Option<Value> {
        match self {
            Self::Ask { value, .. } => Some(*value),
            Self::Check(Check::Material) => Some(Value::Material),
            _ => None,
        }
    }
}

impl Check {
    /// The words that `check` takes.
    pub const WORDS: [&str; 10] = [
        "key-state",
        "key-gone",
        "administrable",
        "grants",
        "users",
        "rotation",
        "key-material",
        "rds-storage",
        "replicas",
        "column-keys",
    ];
}

impl Verify {
    /// The words that `verify` takes.
    pub const WORDS: [&str; 7] = [
        "key-state",
        "new-material",
        "rotated",
        "clients-working",
        "principal-cut-off",
        "rds-available",
        "rewrapped",
    ];

    /// What an earlier step must have found out.
    #[must_use]
    pub fn needs(&self) -> Option<Value> {
        match self {
            Self::NewMaterial => Some(Value::Material),
            Self::PrincipalCutOff => Some(Value::Principal),
            Self::Rewrapped => Some(Value::NewKey),
            Self::State { .. } | Self::Rotated { .. } | Self::ClientsWorking | Self::RdsAvailable => None,
        }
    }
}
