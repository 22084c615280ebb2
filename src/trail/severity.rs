//! A first judgement of how much an event matters, from the event alone.

use crate::model::event::{KeyEvent, Outcome, Severity};

/// What cannot be taken back, or blinds the trail.
const CRITICAL: [&str; 8] = [
    "ScheduleKeyDeletion",
    "DeleteKey",
    "DeleteImportedKeyMaterial",
    "DeleteCustomKeyStore",
    "DisconnectCustomKeyStore",
    "StopLogging",
    "DeleteTrail",
    "DeleteEventDataStore",
];

/// What takes a key away, hands it to others, puts another in its place, or narrows the trail.
const HIGH: [&str; 16] = [
    "DisableKey",
    "DisableKeyRotation",
    "PutKeyPolicy",
    "CreateGrant",
    "UpdateAlias",
    "DeleteAlias",
    "DeleteExpiredKeyMaterial",
    "ReplicateKey",
    "UpdatePrimaryRegion",
    "UpdateCustomKeyStore",
    "PutEventSelectors",
    "PutInsightSelectors",
    "UpdateTrail",
    "UpdateEventDataStore",
    "StopEventDataStoreIngestion",
    "PutResourcePolicy",
];

/// Use of a key, which CloudTrail calls read-only.
const CRYPTOGRAPHIC: [&str; 13] = [
    "Decrypt",
    "DeriveSharedSecret",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "GenerateRandom",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// How much an event matters.
pub(super) fn of(event: &KeyEvent) -> Severity {
    let weight = weight(event);
    match &event.outcome {
        Outcome::DryRun => Severity::Info,
        Outcome::Allowed => weight,
        // What was tried and did not happen counts one step less, but never as daily traffic.
        Outcome::Denied { .. } => lighter(weight).max(Severity::Notice),
        Outcome::Failed { .. } if is_use(event) => Severity::Notice,
        Outcome::Failed { .. } => lighter(weight),
    }
}

/// How much the call matters where it succeeds.
fn weight(event: &KeyEvent) -> Severity {
    let name = event.name.raw();
    // CloudTrail calls these reads; what they open is worth a look.
    if matches!(name, "GetSecretValue" | "AssumeRole" | "AssumeRoleWithSAML" | "AssumeRoleWithWebIdentity")
        && !event.who.is_service()
    {
        return Severity::Notice;
    }
    if name == "AssumeRoot" || (name == "ConsoleLogin" && event.who.is_root()) {
        return Severity::High;
    }
    if is_use(event) || event.read_only == Some(true) {
        return Severity::Info;
    }
    // RDS, EBS and their like make grants all day long.
    if name == "CreateGrant" && event.who.is_service() {
        return Severity::Notice;
    }
    if CRITICAL.contains(&name) {
        return Severity::Critical;
    }
    if HIGH.contains(&name) || event.who.is_root() {
        return Severity::High;
    }
    Severity::Notice
}

fn lighter(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        Severity::High | Severity::Notice => Severity::Notice,
        Severity::Info => Severity::Info,
    }
}

/// Whether it is cryptographic use of a key.
fn is_use(event: &KeyEvent) -> bool {
    CRYPTOGRAPHIC.contains(&event.name.raw())
}
