//! What a call asked for and was answered, beyond what every event has.

/// The particulars of the calls that a judgement looks into. Texts stand as they came, for comparing only;
/// numbers are None where the record does not say, or says something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Particulars {
    /// `PutKeyPolicy` and `CreateKey`. No policy: the record leaves it out, or `CreateKey` takes the default one.
    KeyPolicy { policy: Option<String>, bypasses_lockout_check: bool },
    /// `ReplicateKey`: the Region of the new replica, and its policy where one is given.
    Replica { region: Option<String>, policy: Option<String>, bypasses_lockout_check: bool },
    /// `UpdatePrimaryRegion`.
    Primary { region: Option<String> },
    /// `CreateGrant`.
    Grant {
        grantee: Option<String>,
        retiring: Option<String>,
        operations: Vec<String>,
        /// Whether an encryption context bounds it.
        is_constrained: bool,
    },
    /// `ScheduleKeyDeletion`. KMS takes 30 days where none are given.
    Deletion { window_days: Option<u32> },
    /// `CreateAlias`, `UpdateAlias`, `DeleteAlias`.
    Alias { name: Option<String>, target: Option<String> },
    /// `EnableKeyRotation`. KMS takes 365 days where none are given.
    RotationOn { period_days: Option<u32> },
    /// `RotateKey`, KMS's own event: `AUTOMATIC` or `ON_DEMAND`, and the material before and after.
    Rotated { kind: Option<String>, previous: Option<String>, current: Option<String> },
    /// `ImportKeyMaterial`: when it expires, as the caller wrote it.
    Imported { expires: Option<String> },
    /// `AssumeRole` and its like.
    RoleAssumed {
        role: String,
        session: Option<String>,
        source_identity: Option<String>,
        mfa_serial: Option<String>,
    },
    /// `GetSecretValue`: a name or an ARN.
    SecretRead { secret: String },
    /// `PutEventSelectors`: whether the trail leaves KMS's events out from now on.
    EventSelectors { trail: Option<String>, leaves_out_kms: bool, leaves_out_management: bool },
    /// Another change to a trail or an event data store.
    Trail { name: Option<String> },
    /// `ConsoleLogin`: what CloudTrail calls `additionalEventData.MFAUsed`.
    SignIn { mfa: Option<bool> },
}
