//! Pairs: what the Keys screen lists, one row each, nothing dropped.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::arn::{AliasArn, KeyArn, KeyPath};
use super::catalog::{DatabaseCatalog, EncryptedColumns, Envelope, ServerCatalog, ServerName};
use super::dependents::RdsInstance;
use super::key::KmsKey;
use super::seen::{Cause, NotVisible, Seen};
use super::selector::KeySelector;
use super::source::{Source, SourceHealth};
use super::text::Untrusted;

/// A database of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DatabaseRef {
    pub server: ServerName,
    pub database: Untrusted,
}

/// One row of the Keys screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Row {
    /// A CEK wrapped by a CMK: a row of `sys.column_encryption_key_values`.
    Pair(Pair),
    /// A CMK that wraps no CEK.
    UnusedMasterKey { cmk: Arc<CmkRef> },
    /// A CEK whose value or CMK the catalog does not show.
    OrphanColumnKey { database: DatabaseRef, cek: Untrusted, columns: EncryptedColumns },
    /// A KMS key that no visible CMK names.
    UnreferencedKey { key: KeyArn, estate: EstateMark },
    /// A database whose catalog could not be read, so that its pairs are missing from the list.
    UnreadableDatabase { database: DatabaseRef, why: NotVisible },
    /// A whole server that could not be read.
    UnreadableServer { server: ServerName, why: NotVisible },
    /// A Region whose KMS keys could not be listed, so that keys may be missing from the list.
    UnreadableRegion { region: String, why: NotVisible },
    /// A whole environment that could not be opened.
    UnreadableEnvironment { environment: String, why: NotVisible },
}

/// Whether a KMS key that no CMK names is marked, by the settings' tag or alias, as one of the estate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "mark")]
pub enum EstateMark {
    /// It is of the estate, and protects nothing there that can be seen.
    Marked { by: KeySelector },
    /// It is the replica, or the primary, of a key that a CMK names: it stands by.
    StandsBy { named: KeyArn },
    /// It may be of some other use.
    #[default]
    Unmarked,
    /// Its tags or aliases cannot be seen.
    CannotTell { why: NotVisible },
}

/// A column master key, and what its key path led to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CmkRef {
    pub database: DatabaseRef,
    pub name: Untrusted,
    pub provider: Untrusted,
    pub key_path: Untrusted,
    pub link: KeyLink,
    /// What is out of the ordinary about where its key is.
    #[serde(default)]
    pub place: KeyPlace,
    /// Other CMKs, of any database, that lead to the same KMS key.
    #[serde(default)]
    pub siblings: u32,
}

/// Where a key path's key is, as the path and the settings tell. Both may be out of the ordinary at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeyPlace {
    /// It belongs to another account than ours.
    pub foreign: bool,
    /// It is in a Region that the settings do not name, so that nobody asks for it.
    pub unwatched: bool,
}

/// A CEK, wrapped by a CMK.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    pub cek: Untrusted,
    pub cek_id: i32,
    /// Shared by all pairs of the CMK.
    pub cmk: Arc<CmkRef>,
    pub algorithm: Untrusted,
    pub envelope: Envelope,
    /// Whether the envelope names another key path than the CMK does: a warning, clients do not verify it.
    pub envelope_mismatch: bool,
    /// Whether the CEK has a second value: a rotation in progress.
    pub rotating: bool,
    pub columns: EncryptedColumns,
}

/// Where a key path led.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "to")]
pub enum KeyLink {
    /// A key in the inventory.
    Key { arn: KeyArn },
    /// Through an alias to a key in the inventory.
    ThroughAlias { alias: AliasArn, arn: KeyArn },
    /// The key was asked for and cannot be seen (denied, foreign account, Region out of reach).
    NotVisible { path: String, why: NotVisible },
    /// KMS says that no such key or alias exists.
    Gone { path: String },
    /// The key path is no KMS ARN.
    NotKms,
    /// Not asked yet.
    Loading { path: String },
}

impl KeyLink {
    /// The key that it led to.
    #[must_use]
    pub fn arn(&self) -> Option<&KeyArn> {
        match self {
            Self::Key { arn } | Self::ThroughAlias { arn, .. } => Some(arn),
            Self::NotVisible { .. } | Self::Gone { .. } | Self::NotKms | Self::Loading { .. } => None,
        }
    }
}

impl Row {
    /// The CMK that the row is about, if any.
    #[must_use]
    pub fn cmk(&self) -> Option<&CmkRef> {
        match self {
            Self::Pair(Pair { cmk, .. }) | Self::UnusedMasterKey { cmk } => Some(cmk),
            Self::OrphanColumnKey { .. }
            | Self::UnreferencedKey { .. }
            | Self::UnreadableDatabase { .. }
            | Self::UnreadableServer { .. }
            | Self::UnreadableRegion { .. }
            | Self::UnreadableEnvironment { .. } => None,
        }
    }

    /// The KMS key that the row leads to, if it is visible.
    #[must_use]
    pub fn key_arn(&self) -> Option<&KeyArn> {
        match self {
            Self::UnreferencedKey { key, .. } => Some(key),
            _ => self.cmk().and_then(|cmk| cmk.link.arn()),
        }
    }

    /// What the key path names, for rows with a CMK.
    #[must_use]
    pub fn key_path(&self) -> Option<KeyPath> {
        self.cmk().map(|cmk| KeyPath::read(cmk.key_path.raw()))
    }
}

/// Rows that inventories share where nothing has changed in them: 100,000 rows are not kept twice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rows(Arc<Vec<Row>>);

impl Deref for Rows {
    type Target = Vec<Row>;

    fn deref(&self) -> &Vec<Row> {
        &self.0
    }
}

impl DerefMut for Rows {
    fn deref_mut(&mut self) -> &mut Vec<Row> {
        Arc::make_mut(&mut self.0)
    }
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        Self(Arc::new(rows))
    }
}

impl FromIterator<Row> for Rows {
    fn from_iter<I: IntoIterator<Item = Row>>(rows: I) -> Self {
        rows.into_iter().collect::<Vec<_>>().into()
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a Row;
    type IntoIter = std::slice::Iter<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> IntoIterator for &'a mut Rows {
    type Item = &'a mut Row;
    type IntoIter = std::slice::IterMut<'a, Row>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter_mut()
    }
}

/// Everything known at one moment: immutable, replaced whole by each refresh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    pub keys: BTreeMap<KeyArn, Arc<KmsKey>>,
    /// Keys that were asked for and could not be described, and why.
    #[serde(default)]
    pub missing: BTreeMap<KeyArn, NotVisible>,
    pub servers: Vec<Arc<ServerCatalog>>,
    /// Servers that have not answered yet: what depends on a key there is not known.
    #[serde(default)]
    pub servers_loading: Vec<ServerName>,
    /// The Regions that are read: those of the settings.
    #[serde(default)]
    pub regions: BTreeSet<String>,
    /// RDS instances, by Region: one that does not answer hides no other.
    pub rds: BTreeMap<String, Seen<Vec<RdsInstance>>>,
    pub rows: Rows,
    pub sources: BTreeMap<Source, SourceHealth>,
}

impl Inventory {
    /// The key behind a row, if it is visible.
    #[must_use]
    pub fn key_of(&self, row: &Row) -> Option<&Arc<KmsKey>> {
        row.key_arn().and_then(|arn| self.keys.get(arn))
    }

    /// What the catalog says of a database, where its server was read.
    #[must_use]
    pub fn database(&self, place: &DatabaseRef) -> Option<&DatabaseCatalog> {
        let server = self.servers.iter().find(|catalog| catalog.server == place.server)?;
        server.databases.iter().find(|database| database.name == place.database)
    }

    /// A multi-Region key's relative (or any key), read by a client for its own Region: each has its own state.
    #[must_use]
    pub fn relative(&self, arn: &KeyArn) -> Seen<&KmsKey> {
        match (self.keys.get(arn), self.missing.get(arn)) {
            (Some(key), _) => Seen::Known(key),
            (None, Some(why)) => Seen::NotVisible(why.clone()),
            (None, None) if self.regions.contains(arn.region()) => match self.unlisted(arn.region()) {
                Some(why) => Seen::NotVisible(why.clone()),
                None => Seen::Loading,
            },
            (None, None) => Seen::NotVisible(NotVisible::new(Cause::Unreachable, unwatched(arn.region()))),
        }
    }

    /// Whether what is known of a row's key or catalog is from an earlier run and has not been read again yet.
    #[must_use]
    pub fn is_kept(&self, row: &Row) -> bool {
        let before = |source: Source, read_at| {
            let kept = self.sources.get(&source).and_then(|health| health.kept);
            kept.is_some_and(|kept| read_at <= kept)
        };
        let key = self.key_of(row);
        let catalog = row.cmk().and_then(|cmk| self.servers.iter().find(|s| s.server == cmk.database.server));
        key.is_some_and(|key| before(Source::Kms(key.arn.region().to_owned()), key.read_at))
            || catalog.is_some_and(|catalog| before(Source::Sql(catalog.server.clone()), catalog.read_at))
    }

    /// Why a Region's keys could not be listed, where that is so.
    fn unlisted(&self, wanted: &str) -> Option<&NotVisible> {
        self.rows.iter().find_map(|row| match row {
            Row::UnreadableRegion { region, why } if region == wanted => Some(why),
            _ => None,
        })
    }

    /// The pairs among the rows.
    pub fn pairs(&self) -> impl Iterator<Item = &Pair> {
        self.rows.iter().filter_map(|row| match row {
            Row::Pair(pair) => Some(pair),
            _ => None,
        })
    }
}

/// Why a key in a Region that the settings do not name cannot be seen.
#[must_use]
pub fn unwatched(region: &str) -> String {
    format!(
        "the key is in {region}, which is not among this environment's Regions: add it to the settings to see it"
    )
}
