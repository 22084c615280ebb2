//! What SQL Server's catalog says of Always Encrypted keys.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyPath;
use super::seen::{NotVisible, Seen};
use super::text::{Texts, Untrusted};

pub use super::protected::{ColumnElsewhere, EncryptedColumn, EncryptedColumns, EncryptionType};

/// One SQL Server instance, as settings name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServerName(pub String);

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&super::text::visible(&self.0))
    }
}

/// Everything read of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerCatalog {
    pub server: ServerName,
    /// e.g. `16.0.4135.4`.
    pub version: Untrusted,
    /// Every database that the server names, readable or not.
    pub databases: Vec<DatabaseCatalog>,
    pub read_at: Timestamp,
}

/// One database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DatabaseCatalog {
    pub name: Untrusted,
    /// Its Always Encrypted objects. Not visible where the database is offline, out of reach, or a VIEW ANY
    /// COLUMN … DEFINITION permission is missing: SQL Server hides rows then, without an error.
    pub objects: Seen<EncryptionObjects>,
    /// Transparent data encryption; `None` where the database has no encryption key. Needs VIEW SERVER STATE,
    /// without which it is not visible.
    pub tde: Seen<Option<Tde>>,
}

/// A database's Always Encrypted objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EncryptionObjects {
    pub master_keys: Vec<MasterKey>,
    pub column_keys: Vec<ColumnKey>,
    pub values: Vec<KeyValue>,
    /// Those whose CEK is in this database.
    pub columns: EncryptedColumns,
    /// Those whose CEK is in another.
    #[serde(default)]
    pub columns_elsewhere: Vec<ColumnElsewhere>,
    /// Why columns may be missing: SQL Server leaves out tables that the login has no permission on.
    #[serde(default)]
    pub columns_hidden: Option<NotVisible>,
}

impl EncryptionObjects {
    /// Keeps what is the same in many rows (algorithms, key paths, tables) once.
    pub fn share_texts(&mut self, texts: &mut Texts) {
        for key in &mut self.master_keys {
            texts.share(&mut key.provider);
            texts.share(&mut key.key_path);
        }
        for value in &mut self.values {
            texts.share(&mut value.algorithm);
            if let Envelope::Common { key_path, .. } = &mut value.envelope {
                texts.share(key_path);
            }
        }
        self.columns.common_texts_mut().for_each(|text| texts.share(text));
    }
}

/// A row of `sys.column_master_keys` (CMK).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MasterKey {
    pub id: i32,
    pub name: Untrusted,
    pub provider: Untrusted,
    /// As the catalog has it; [`MasterKey::path`] reads it.
    pub key_path: Untrusted,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// None on versions that do not have the column (before 2019).
    pub enclave: Option<bool>,
}

impl MasterKey {
    /// What the key path names.
    #[must_use]
    pub fn path(&self) -> KeyPath {
        KeyPath::read(self.key_path.raw())
    }
}

/// A row of `sys.column_encryption_keys` (CEK).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnKey {
    pub id: i32,
    pub name: Untrusted,
    pub created: Timestamp,
    pub modified: Timestamp,
}

/// A row of `sys.column_encryption_key_values`: a CEK wrapped by a CMK. At most two a CEK; two are a rotation in progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyValue {
    pub column_key_id: i32,
    pub master_key_id: i32,
    pub algorithm: Untrusted,
    pub envelope: Envelope,
}

/// What the encrypted value looks like from outside. The bytes themselves are not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "layout")]
pub enum Envelope {
    /// The common layout, with the key path that it names; for troubleshooting, clients do not verify it.
    Common { key_path: Untrusted, ciphertext_bytes: usize, signature_bytes: usize },
    /// Some other layout, which is the provider's own affair and not an error.
    Opaque { bytes: usize },
}

/// A row of `sys.dm_database_encryption_keys`: a database's transparent data encryption (TDE).
///
/// On RDS a certificate of RDS's own protects this key; a KMS key encrypts the storage below, which is another thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tde {
    pub state: TdeState,
    /// `key_algorithm`, e.g. `AES`.
    pub algorithm: Untrusted,
    /// `key_length`, in bits.
    pub key_bits: i32,
    /// How far a change of state has come, in percent; none where nothing is changing.
    pub percent: Option<u8>,
}

impl Tde {
    /// Algorithm and length, e.g. `AES 256`.
    #[must_use]
    pub fn cipher(&self) -> String {
        format!("{} {}", self.algorithm, self.key_bits)
    }
}

/// `encrypted (AES 256)`, `encrypting, 50 % done (AES 256)`.
impl fmt::Display for Tde {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.state)?;
        if let Some(percent) = self.percent {
            write!(f, ", {percent} % done")?;
        }
        write!(f, " ({})", self.cipher())
    }
}

/// `sys.dm_database_encryption_keys.encryption_state`, 0–6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TdeState(pub i32);

impl TdeState {
    /// The state in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self.0 {
            0 => "no encryption key",
            1 => "unencrypted",
            2 => "encrypting",
            3 => "encrypted",
            4 => "key change in progress",
            5 => "decrypting",
            6 => "protection change in progress",
            _ => "unknown state",
        }
    }

    /// Whether the server is at work on it, so that a percentage means something.
    #[must_use]
    pub fn is_changing(self) -> bool {
        matches!(self.0, 2 | 4 | 5 | 6)
    }
}

impl fmt::Display for TdeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
