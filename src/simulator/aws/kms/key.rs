//! What a KMS key is: its kind, its state, its materials, its grants.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::RngCore as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::material::{Material, RsaPair};

/// Names of the wire and the enum, kept together so that neither can drift.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(non_camel_case_types, reason = "AWS's own spelling is the clearest name")]
        pub enum $name { $($variant),+ }

        impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As AWS writes it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// From AWS's word for it.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == word)
            }
        }
    };
}

words! {
    /// Where a key's material comes from.
    Origin { AwsKms = "AWS_KMS", External = "EXTERNAL", CloudHsm = "AWS_CLOUDHSM", ExternalKeyStore = "EXTERNAL_KEY_STORE" }
}
words! {
    /// The key spec.
    KeySpec {
        SymmetricDefault = "SYMMETRIC_DEFAULT",
        Rsa2048 = "RSA_2048", Rsa3072 = "RSA_3072", Rsa4096 = "RSA_4096",
        EccNistP256 = "ECC_NIST_P256", EccNistP384 = "ECC_NIST_P384", EccNistP521 = "ECC_NIST_P521",
        EccSecgP256K1 = "ECC_SECG_P256K1",
        Hmac224 = "HMAC_224", Hmac256 = "HMAC_256", Hmac384 = "HMAC_384", Hmac512 = "HMAC_512",
    }
}
words! {
    /// What a key may be used for.
    KeyUsage {
        EncryptDecrypt = "ENCRYPT_DECRYPT", SignVerify = "SIGN_VERIFY",
        GenerateVerifyMac = "GENERATE_VERIFY_MAC", KeyAgreement = "KEY_AGREEMENT",
    }
}
words! {
    /// The key state, one column each of the state table.
    KeyState {
        Enabled = "Enabled", Disabled = "Disabled", PendingDeletion = "PendingDeletion",
        PendingReplicaDeletion = "PendingReplicaDeletion", PendingImport = "PendingImport",
        Unavailable = "Unavailable", Creating = "Creating", Updating = "Updating",
    }
}
words! {
    /// Who manages a key.
    KeyManager { Aws = "AWS", Customer = "CUSTOMER" }
}
words! {
    /// How a rotation came about.
    RotationType { Automatic = "AUTOMATIC", OnDemand = "ON_DEMAND" }
}

/// What to make; [`KeySpecification::symmetric`] fills in the usual.
#[derive(Clone, Debug)]
pub struct KeySpecification {
    pub region: String,
    pub account: String,
    pub created: Timestamp,
    pub origin: Origin,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub manager: KeyManager,
    /// The first key of a multi-Region family; replicas come by [`super::Kms::replicate`].
    pub multi_region: bool,
    pub description: String,
    pub tags: Vec<(String, String)>,
    /// Automatic rotation, in days (90–2560); `None` for off.
    pub rotation_period: Option<u32>,
    /// The key policy; `None` for AWS's default, which hands the key to the account's IAM policies.
    pub policy: Option<String>,
}

impl KeySpecification {
    /// An ordinary symmetric customer key with AWS-made material and no automatic rotation.
    #[must_use]
    pub fn symmetric(region: &str, account: &str, created: Timestamp) -> Self {
        Self {
            region: region.to_owned(),
            account: account.to_owned(),
            created,
            origin: Origin::AwsKms,
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsage::EncryptDecrypt,
            manager: KeyManager::Customer,
            multi_region: false,
            description: String::new(),
            tags: Vec::new(),
            rotation_period: None,
            policy: None,
        }
    }
}

/// One KMS key in one Region.
#[derive(Debug)]
pub struct Key {
    pub id: String,
    pub region: String,
    pub account: String,
    pub created: Timestamp,
    pub origin: Origin,
    pub spec: KeySpec,
    pub usage: KeyUsage,
    pub manager: KeyManager,
    pub multi_region: Option<MultiRegion>,
    pub description: String,
    pub tags: BTreeMap<String, String>,
    pub policy: String,
    pub grants: Vec<Grant>,
    pub state: KeyState,
    /// When the key is deleted; only while deletion is pending and no replica holds it up.
    pub deletion_date: Option<Timestamp>,
    /// The window asked for while replicas hold deletion up, in days.
    pub pending_window: Option<i64>,
    /// Automatic rotation, where it is on.
    pub rotation: Option<AutomaticRotation>,
    /// Oldest first; the last is current. Empty while an import is awaited.
    pub materials: Vec<Material>,
    /// Imported and not yet rotated to.
    pub pending_material: Option<Material>,
    /// Rotations done, oldest first.
    pub rotations: Vec<Rotation>,
    pub last_usage: Option<LastUsage>,
    /// Made when it is first needed: an RSA key pair takes a while.
    pub(super) rsa: Option<RsaPair>,
}

/// A key's place in its multi-Region family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MultiRegion {
    pub primary_region: String,
    /// The Regions of its replicas, the primary's left out.
    pub replica_regions: Vec<String>,
}

/// Automatic rotation that is switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutomaticRotation {
    /// In days, 90–2560.
    pub period: u32,
    /// `NextRotationDate`.
    pub next: Timestamp,
    /// A rotation that fails to come: the date passes and nothing happens (a fault for drills).
    pub stalled: bool,
}

/// One rotation that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    pub at: Timestamp,
    pub kind: RotationType,
    /// The material that became current.
    pub material_id: String,
}

/// The last successful cryptographic use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsage {
    pub operation: String,
    pub at: Timestamp,
    /// The `CloudTrail` event id of the use, where known.
    pub event_id: Option<String>,
    pub request_id: String,
}

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub token: String,
    pub name: Option<String>,
    pub created: Timestamp,
    /// A principal's ARN, or a service's name such as `rds.eu-west-1.amazonaws.com`.
    pub grantee: String,
    pub retiring: Option<String>,
    pub issuing_account: String,
    pub operations: Vec<String>,
    pub context_equals: Option<BTreeMap<String, String>>,
    pub context_subset: Option<BTreeMap<String, String>>,
}

impl Grant {
    /// A grant without constraints or name, with ids drawn from `rng`.
    pub fn new(
        grantee: &str,
        operations: &[&str],
        account: &str,
        created: Timestamp,
        rng: &mut StdRng,
    ) -> Self {
        Self {
            id: random_hex(32, rng),
            token: random_hex(64, rng),
            name: None,
            created,
            grantee: grantee.to_owned(),
            retiring: None,
            issuing_account: format!("arn:aws:iam::{account}:root"),
            operations: operations.iter().map(|&operation| operation.to_owned()).collect(),
            context_equals: None,
            context_subset: None,
        }
    }
}

impl Key {
    /// A new key as `specification` says: enabled, or awaiting its import.
    pub(super) fn new(specification: KeySpecification, rng: &mut StdRng) -> Self {
        let KeySpecification { region, account, created, origin, spec, usage, manager, multi_region, .. } =
            specification;
        let id = if multi_region { format!("mrk-{}", random_hex(16, rng)) } else { random_uuid(rng) };
        let policy = specification.policy.unwrap_or_else(|| match manager {
            KeyManager::Customer => default_policy(&account),
            KeyManager::Aws => managed_policy(&account),
        });
        let awaits_import = origin == Origin::External;
        let materials = if awaits_import || spec != KeySpec::SymmetricDefault {
            Vec::new()
        } else {
            vec![Material::new(rng)]
        };
        let mut key = Self {
            id,
            account,
            created,
            origin,
            spec,
            usage,
            manager,
            multi_region: multi_region
                .then(|| MultiRegion { primary_region: region.clone(), replica_regions: Vec::new() }),
            region,
            description: specification.description,
            tags: specification.tags.into_iter().collect(),
            policy,
            grants: Vec::new(),
            state: if awaits_import { KeyState::PendingImport } else { KeyState::Enabled },
            deletion_date: None,
            pending_window: None,
            rotation: None,
            materials,
            pending_material: None,
            rotations: Vec::new(),
            last_usage: None,
            rsa: None,
        };
        if let Some(period) = specification.rotation_period {
            key.enable_rotation(period, created);
        }
        key
    }

    /// The key's ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{}:key/{}", self.region, self.account, self.id)
    }

    /// The material in use, where there is any.
    #[must_use]
    pub fn current(&self) -> Option<&Material> {
        self.materials.last()
    }

    /// Whether this is a replica of a multi-Region key.
    #[must_use]
    pub fn is_replica(&self) -> bool {
        self.multi_region.as_ref().is_some_and(|family| family.primary_region != self.region)
    }

    /// This primary's replica in another Region: same id and materials, a life of its own.
    pub(super) fn replica(&self, region: &str, at: Timestamp) -> Self {
        Self {
            id: self.id.clone(),
            region: region.to_owned(),
            account: self.account.clone(),
            created: at,
            origin: self.origin,
            spec: self.spec,
            usage: self.usage,
            manager: self.manager,
            multi_region: self.multi_region.clone(),
            description: self.description.clone(),
            tags: BTreeMap::new(),
            policy: default_policy(&self.account),
            grants: Vec::new(),
            state: KeyState::Enabled,
            deletion_date: None,
            pending_window: None,
            rotation: self.rotation.clone(),
            materials: self.materials.clone(),
            pending_material: self.pending_material.clone(),
            rotations: self.rotations.clone(),
            last_usage: None,
            rsa: None,
        }
    }

    /// Rotates to fresh material, as at `at`. Old material stays, for decryption.
    pub fn rotate(&mut self, at: Timestamp, kind: RotationType, rng: &mut StdRng) {
        let material = Material::new(rng);
        self.rotate_to(material, at, kind);
    }

    pub(super) fn rotate_to(&mut self, material: Material, at: Timestamp, kind: RotationType) {
        self.rotations.push(Rotation { at, kind, material_id: material.id.clone() });
        self.materials.push(material);
        if let (Some(rotation), RotationType::Automatic) = (&mut self.rotation, kind) {
            rotation.next = at + days(i64::from(rotation.period));
        }
    }

    /// Switches automatic rotation on, the first due `period` days after `from`.
    pub fn enable_rotation(&mut self, period: u32, from: Timestamp) {
        self.rotation =
            Some(AutomaticRotation { period, next: from + days(i64::from(period)), stalled: false });
    }

    /// Imports material into an `EXTERNAL` key; `valid_to` is when it expires. The first is used at once; a
    /// later one waits for an on-demand rotation.
    pub fn import(&mut self, valid_to: Option<Timestamp>, rng: &mut StdRng) {
        let mut material = Material::new(rng);
        material.valid_to = valid_to;
        if self.materials.is_empty() {
            self.materials.push(material);
        } else {
            self.pending_material = Some(material);
        }
        if self.state == KeyState::PendingImport {
            self.state = KeyState::Enabled;
        }
    }

    /// Schedules deletion `window` days after `at`. A primary with replicas waits for them, without a date.
    pub fn schedule_deletion(&mut self, at: Timestamp, window: i64) {
        let held_up = !self.is_replica()
            && self.multi_region.as_ref().is_some_and(|family| !family.replica_regions.is_empty());
        if held_up {
            self.state = KeyState::PendingReplicaDeletion;
            self.pending_window = Some(window);
        } else {
            self.state = KeyState::PendingDeletion;
            self.deletion_date = Some(at + days(window));
            self.pending_window = None;
        }
    }

    /// Takes scheduled deletion back; the key is then disabled, as AWS leaves it.
    pub fn cancel_deletion(&mut self) {
        self.state = KeyState::Disabled;
        self.deletion_date = None;
        self.pending_window = None;
    }
}

/// A time as awsJson1.1 writes it: seconds since 1970, with milliseconds.
pub(super) fn epoch(at: Timestamp) -> Value {
    let millis = SignedDuration::from_millis(at.as_millisecond());
    json!(millis.as_secs_f64())
}

/// A span of whole days of 24 hours.
pub(super) fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count * 24)
}

/// The policy that AWS gives a key made without one: the account decides by IAM.
#[must_use]
pub fn default_policy(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// The policy of an AWS managed key: the account may look, and change nothing.
#[must_use]
pub fn managed_policy(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "auto-managed-1",
  "Statement" : [ {{
    "Sid" : "Allow direct access to key metadata to the account",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:aws:iam::{account}:root"
    }},
    "Action" : [ "kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant" ],
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// A random (version 4) UUID.
pub(in crate::simulator) fn random_uuid(rng: &mut StdRng) -> String {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// `bytes` random bytes in hexadecimal.
pub(in crate::simulator) fn random_hex(bytes: usize, rng: &mut StdRng) -> String {
    let mut buffer = vec![0; bytes];
    rng.fill_bytes(&mut buffer);
    hex::encode(buffer)
}
