//! A KMS key as AWS tells it.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::seen::{Cause, NotVisible, Seen};
use super::text::Untrusted;

/// Everything known of one KMS key. `DescribeKey` gave the plain fields at `read_at`; each other fact has a
/// call of its own and so its own way of not being visible.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KmsKey {
    pub arn: KeyArn,
    pub state: KeyState,
    pub origin: Origin,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub manager: Manager,
    pub multi_region: Option<MultiRegion>,
    pub description: Untrusted,
    pub created: Timestamp,
    /// When KMS will delete it; it may come up to 24 h late.
    pub deletion_date: Option<Timestamp>,
    /// The days that were asked for while replicas hold a primary's deletion up; there is no date then.
    pub pending_window_days: Option<u32>,
    /// Whether imported material expires; None for material that was not imported, or is not there yet.
    pub expiration: Option<ExpirationModel>,
    /// When imported material expires: the earliest of all that the key has.
    pub valid_to: Option<Timestamp>,
    /// The material in use (`CurrentKeyMaterialId`): what events of decryption name too.
    pub material_id: Option<String>,
    /// Where the material is kept, if that is not KMS itself.
    pub key_store: Option<KeyStore>,
    /// When `DescribeKey` said all this.
    pub read_at: Timestamp,
    /// Names without the `alias/` prefix.
    pub aliases: Seen<Vec<Untrusted>>,
    pub tags: Seen<BTreeMap<String, Untrusted>>,
    pub rotation: Seen<RotationStatus>,
    /// Rotations of the material, newest first.
    pub rotations: Seen<Vec<RotationRecord>>,
    pub grants: Seen<Vec<Grant>>,
    /// The default key policy, as JSON text.
    pub policy: Seen<Untrusted>,
    pub last_use: Seen<LastUse>,
}

impl KmsKey {
    /// The name people know it by: its first alias, else its id.
    #[must_use]
    pub fn name(&self) -> String {
        self.aliases
            .known()
            .and_then(|aliases| aliases.first())
            .map_or_else(|| self.arn.id().to_owned(), ToString::to_string)
    }

    /// Whether KMS can rotate its material by itself, and why not where it cannot.
    #[must_use]
    pub fn automatic_rotation(&self) -> AutomaticRotation {
        if self.manager == Manager::Aws {
            AutomaticRotation::Impossible("AWS rotates its managed keys itself, every year")
        } else if self.spec != KeySpec::SymmetricDefault {
            AutomaticRotation::Impossible("asymmetric and HMAC keys do not rotate: a new key is the only way")
        } else {
            match self.origin {
                Origin::AwsKms => AutomaticRotation::Possible,
                Origin::External => AutomaticRotation::Impossible(
                    "imported material: import new material, then rotate on demand",
                ),
                Origin::CustomKeyStore | Origin::ExternalKeyStore | Origin::Other(_) => {
                    AutomaticRotation::Impossible(
                        "KMS does not rotate keys in custom key stores: a new key is the only way",
                    )
                }
            }
        }
    }

    /// When the material in use came: its last rotation, else the key's creation. Not known while the
    /// rotations are not; not to be had where there is no material.
    #[must_use]
    pub fn material_since(&self) -> Seen<Timestamp> {
        if self.state == KeyState::PendingImport {
            let why = "the key has no usable material: import it first";
            return Seen::NotVisible(NotVisible::new(Cause::Unsupported, why));
        }
        match &self.rotations {
            Seen::Loading => Seen::Loading,
            Seen::NotVisible(why) => Seen::NotVisible(why.clone()),
            Seen::Known(rotations) => {
                Seen::Known(rotations.iter().filter_map(|r| r.at).max().unwrap_or(self.created))
            }
        }
    }
}

/// Whether KMS can rotate a key's material on a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutomaticRotation {
    Possible,
    /// And why.
    Impossible(&'static str),
}

macro_rules! aws_words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub enum $name { $($(#[$vdoc])* $variant,)+
            /// A word that AWS has added since.
            Other(Box<str>),
        }
        impl $name {
            /// The word, as AWS writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)+ Self::Other(word) => word }
            }
        }
        impl From<String> for $name {
            fn from(word: String) -> Self {
                match word.as_str() { $($word => Self::$variant,)+ _ => Self::Other(word.into()) }
            }
        }
        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                Self::from(word.to_owned())
            }
        }
        impl From<$name> for String {
            fn from(word: $name) -> Self {
                word.as_str().to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&super::text::visible(self.as_str()))
            }
        }
    };
}

aws_words!(
    /// The state of a KMS key, in AWS's words.
    KeyState {
        Enabled = "Enabled",
        Disabled = "Disabled",
        PendingDeletion = "PendingDeletion",
        /// A multi-Region primary that waits for its replicas to go, perhaps for ever.
        PendingReplicaDeletion = "PendingReplicaDeletion",
        PendingImport = "PendingImport",
        Unavailable = "Unavailable",
        Creating = "Creating",
        Updating = "Updating",
    }
);

aws_words!(
    /// Where a key's material comes from.
    Origin {
        AwsKms = "AWS_KMS",
        External = "EXTERNAL",
        CustomKeyStore = "AWS_CLOUDHSM",
        ExternalKeyStore = "EXTERNAL_KEY_STORE",
    }
);

aws_words!(
    /// What kind of key it is. Other specs (RSA, ECC, HMAC, ML-DSA, SM2) are told by their own word.
    KeySpec { SymmetricDefault = "SYMMETRIC_DEFAULT" }
);

aws_words!(
    /// What the key is for.
    KeyUsage {
        EncryptDecrypt = "ENCRYPT_DECRYPT",
        SignVerify = "SIGN_VERIFY",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC",
        KeyAgreement = "KEY_AGREEMENT",
    }
);

aws_words!(
    /// Who manages the key.
    Manager { Customer = "CUSTOMER", Aws = "AWS" }
);

aws_words!(
    /// Whether imported material expires.
    ExpirationModel { Expires = "KEY_MATERIAL_EXPIRES", DoesNotExpire = "KEY_MATERIAL_DOES_NOT_EXPIRE" }
);

aws_words!(
    /// What brought new material.
    RotationType { Automatic = "AUTOMATIC", OnDemand = "ON_DEMAND" }
);

aws_words!(
    /// Whether material is the one in use.
    MaterialState {
        Current = "CURRENT",
        NonCurrent = "NON_CURRENT",
        PendingRotation = "PENDING_ROTATION",
        PendingMultiRegion = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION",
    }
);

aws_words!(
    /// Whether imported material is there.
    ImportState { Imported = "IMPORTED", PendingImport = "PENDING_IMPORT" }
);

/// A custom key store, and what a key is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum KeyStore {
    /// In a cluster of `CloudHSM`.
    CloudHsm { store_id: String, cluster_id: Option<String> },
    /// Outside AWS, behind a proxy: `xks_key_id` is the key's name in the external key manager.
    External { store_id: String, xks_key_id: Option<Untrusted> },
}

impl fmt::Display for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let visible = super::text::visible;
        match self {
            Self::CloudHsm { store_id, cluster_id } => {
                write!(f, "CloudHSM, store {}", visible(store_id))?;
                cluster_id.iter().try_for_each(|id| write!(f, ", cluster {}", visible(id)))
            }
            Self::External { store_id, xks_key_id } => {
                write!(f, "external, store {}", visible(store_id))?;
                xks_key_id.iter().try_for_each(|id| write!(f, ", key {id} there"))
            }
        }
    }
}

/// A multi-Region key's place among its relatives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MultiRegion {
    /// The primary; the key itself where it is the primary.
    pub primary: KeyArn,
    /// Every replica, this one included where it is one. Each has its own state.
    pub replicas: Vec<KeyArn>,
}

impl MultiRegion {
    /// The family without `key`: the primary first, each once.
    pub fn relatives_of<'a>(&'a self, key: &'a KeyArn) -> impl Iterator<Item = &'a KeyArn> {
        let replicas = self.replicas.iter().filter(|replica| **replica != self.primary);
        std::iter::once(&self.primary).chain(replicas).filter(move |arn| *arn != key)
    }
}

/// What `GetKeyRotationStatus` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationStatus {
    pub automatic: bool,
    /// 90–2560 days; given only where rotation is on.
    pub period_days: Option<u32>,
    pub next: Option<Timestamp>,
    /// When an on-demand rotation under way was started.
    pub on_demand_since: Option<Timestamp>,
}

/// One entry of `ListKeyRotations`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRecord {
    /// None for the first material, which was never rotated to.
    pub at: Option<Timestamp>,
    pub kind: Option<RotationType>,
    pub material_id: Option<String>,
    pub material_state: Option<MaterialState>,
    /// For imported material. Any that is missing makes the key unusable.
    pub import_state: Option<ImportState>,
    /// When this material expires, where it was imported and does.
    pub valid_to: Option<Timestamp>,
}

/// A grant on a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    pub id: String,
    pub name: Option<Untrusted>,
    pub grantee: Untrusted,
    pub operations: Vec<String>,
    /// The encryption context it is bound to, as JSON text.
    pub constraints: Option<Untrusted>,
    pub created: Option<Timestamp>,
    /// Who may retire it besides the grantee (where its operations say so) and the account.
    #[serde(default)]
    pub retiring: Option<Untrusted>,
    /// The account that it was issued under, as KMS writes it.
    pub issuing_account: Option<Untrusted>,
}

/// What `GetKeyLastUsage` says. Successful cryptographic use only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastUse {
    /// None: no use seen since tracking began, which is not the same as unused.
    pub used: Option<(Timestamp, String)>,
    pub tracked_since: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::KeyState;

    #[test]
    fn a_state_that_aws_adds_later_is_kept() {
        let state = KeyState::from("PendingQuantum");
        assert_eq!(state, KeyState::Other("PendingQuantum".into()));
        assert_eq!(serde_json::to_string(&state).unwrap(), "\"PendingQuantum\"");
    }
}
