//! KMS's actions, and what a pattern of them comes to.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What an action lets somebody do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionGroup {
    /// Cryptographic use.
    Use,
    /// Making and ending grants, which hand use on.
    Grant,
    /// Changing the key, its policy or its life.
    Administer,
    /// Reading about it.
    Read,
}

impl ActionGroup {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Use => "use",
            Self::Grant => "grant",
            Self::Administer => "administer",
            Self::Read => "read",
        }
    }
}

use ActionGroup::{Administer, Grant, Read, Use};

/// The actions that a key policy can allow, without `kms:`. Source: Service Authorization Reference, "Actions,
/// resources, and condition keys for AWS Key Management Service"; those on keys and on no key at all that a
/// wildcard takes in.
const ACTIONS: [(&str, ActionGroup); 50] = [
    ("CancelKeyDeletion", Administer),
    ("CreateAlias", Administer),
    ("CreateGrant", Grant),
    ("CreateKey", Administer),
    ("Decrypt", Use),
    ("DeleteAlias", Administer),
    ("DeleteImportedKeyMaterial", Administer),
    ("DeriveSharedSecret", Use),
    ("DescribeKey", Read),
    ("DisableKey", Administer),
    ("DisableKeyRotation", Administer),
    ("EnableKey", Administer),
    ("EnableKeyRotation", Administer),
    ("Encrypt", Use),
    ("GenerateDataKey", Use),
    ("GenerateDataKeyPair", Use),
    ("GenerateDataKeyPairWithoutPlaintext", Use),
    ("GenerateDataKeyWithoutPlaintext", Use),
    ("GenerateMac", Use),
    ("GenerateRandom", Use),
    ("GetKeyLastUsage", Read),
    ("GetKeyPolicy", Read),
    ("GetKeyRotationStatus", Read),
    ("GetParametersForImport", Administer),
    ("GetPublicKey", Read),
    ("ImportKeyMaterial", Administer),
    ("ListAliases", Read),
    ("ListGrants", Read),
    ("ListKeyPolicies", Read),
    ("ListKeyRotations", Read),
    ("ListKeys", Read),
    ("ListResourceTags", Read),
    ("ListRetirableGrants", Read),
    ("PutKeyPolicy", Administer),
    ("ReEncryptFrom", Use),
    ("ReEncryptTo", Use),
    ("ReplicateKey", Administer),
    ("RetireGrant", Grant),
    ("RevokeGrant", Grant),
    ("RotateKeyOnDemand", Administer),
    ("ScheduleKeyDeletion", Administer),
    ("Sign", Use),
    ("SynchronizeMultiRegionKey", Administer),
    ("TagResource", Administer),
    ("UntagResource", Administer),
    ("UpdateAlias", Administer),
    ("UpdateKeyDescription", Administer),
    ("UpdatePrimaryRegion", Administer),
    ("Verify", Use),
    ("VerifyMac", Use),
];

/// What patterns of actions come to; `all_but` where they are what is left out.
pub(super) fn groups(all_but: bool, patterns: &[&str]) -> BTreeSet<ActionGroup> {
    let named = |action: &str| {
        let action = format!("kms:{action}");
        patterns.iter().any(|pattern| action_matches(pattern, &action))
    };
    ACTIONS.iter().filter(|(action, _)| named(action) != all_but).map(|(_, group)| *group).collect()
}

/// IAM's wildcard match, without case: `*` any run, `?` any one character. It goes back to the last `*` alone,
/// so that no pattern, however hostile, takes longer than the product of both lengths.
#[must_use]
pub fn action_matches(pattern: &str, action: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), action.as_bytes());
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                back = Some((p, t));
                p += 1;
            }
            Some(&c) if c == b'?' || c.eq_ignore_ascii_case(&text[t]) => (p, t) = (p + 1, t + 1),
            _ => match back {
                Some((star, from)) => {
                    back = Some((star, from + 1));
                    (p, t) = (star + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}
