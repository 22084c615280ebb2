//! What depends on a KMS key: the blast radius of dropping it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::catalog::{EncryptedColumn, EncryptionType, Tde};
use super::key::{Grant, KeyState, KmsKey};
use super::pair::{DatabaseRef, Inventory, Row};
use super::policy::{self, KeyPolicy};
use super::seen::{Cause, NotVisible, Seen};
use super::text::Untrusted;
use super::usage::Usage;

/// How long an RDS instance whose storage key is down can still be saved by enabling the key; then only a restore
/// from backup helps. Source: RDS user guide, "inaccessible-encryption-credentials-recoverable".
pub const STORAGE_RECOVERABLE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// An RDS instance and the key that encrypts its storage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RdsInstance {
    pub id: Untrusted,
    pub status: Untrusted,
    pub engine: String,
    pub storage_key: Option<KeyArn>,
    pub endpoint: Option<Untrusted>,
    pub region: String,
}

/// What has become of an instance's storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// RDS can use the key, as far as the instance's status tells.
    Open,
    /// The key is down: enable it and start the instance, within [`STORAGE_RECOVERABLE`] of when RDS noticed.
    Recoverable,
    /// Only a restore from backup helps.
    Lost,
}

impl RdsInstance {
    /// What its status says of its storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        match self.status.raw() {
            "inaccessible-encryption-credentials-recoverable" => Storage::Recoverable,
            "inaccessible-encryption-credentials" => Storage::Lost,
            _ => Storage::Open,
        }
    }
}

/// A column that a column key under the key protects.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DependentColumn {
    /// Its column key's.
    pub database: DatabaseRef,
    pub cek: Untrusted,
    /// Its own database on that server, where that is another.
    #[serde(default)]
    pub elsewhere: Option<Untrusted>,
    pub schema: Untrusted,
    pub table: Untrusted,
    pub name: Untrusted,
    /// True where equal values look equal.
    pub deterministic: bool,
}

/// A multi-Region key's relative, which a change to the key does not touch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relative {
    pub arn: KeyArn,
    /// Whether it is the primary; else a replica.
    pub primary: bool,
    /// Its own state.
    pub state: Seen<KeyState>,
}

/// What depends on one key, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependents {
    pub key: KeyArn,
    /// The key's state and when it was read.
    pub state: Seen<(KeyState, Timestamp)>,
    /// Database and CEK, once each.
    pub column_keys: BTreeSet<(DatabaseRef, Untrusted)>,
    pub columns: BTreeSet<DependentColumn>,
    /// Each with its transparent data encryption, which another key protects.
    pub databases: BTreeMap<DatabaseRef, Seen<Option<Tde>>>,
    /// Servers whose catalogs were read, or tried to be.
    pub servers: usize,
    /// What may hide more column keys: unreadable databases and servers, in words.
    pub blind_spots: Vec<String>,
    pub rds: Seen<Vec<RdsInstance>>,
    pub grants: Seen<Vec<Grant>>,
    pub policy: Seen<KeyPolicy>,
    /// Relatives in other Regions.
    pub relatives: Seen<Vec<Relative>>,
    /// Who used it of late.
    pub usage: Seen<Usage>,
    /// Since when it is down, where it is and the trail tells.
    pub down_since: Option<Timestamp>,
}

impl DependentColumn {
    /// The database that it is in.
    #[must_use]
    pub fn home(&self) -> DatabaseRef {
        let database = self.elsewhere.as_ref().unwrap_or(&self.database.database).clone();
        DatabaseRef { server: self.database.server.clone(), database }
    }

    /// Its parts as they came, from the outermost: the database only where that is another than its key's.
    pub fn parts(&self) -> impl Iterator<Item = &Untrusted> {
        self.elsewhere.iter().chain([&self.schema, &self.table, &self.name])
    }
}

impl Dependents {
    /// Gathers what the inventory knows of `key`'s dependents. Who used it the trail knows:
    /// [`Dependents::used`].
    #[must_use]
    pub fn of(key: &KeyArn, inventory: &Inventory) -> Self {
        let mut found = Self {
            key: key.clone(),
            state: fact(key, inventory, |known| Seen::Known((known.state.clone(), known.read_at))),
            column_keys: BTreeSet::new(),
            columns: BTreeSet::new(),
            databases: BTreeMap::new(),
            servers: inventory.servers.len() + inventory.servers_loading.len(),
            blind_spots: Vec::new(),
            rds: storage(key, inventory),
            grants: fact(key, inventory, |known| known.grants.clone()),
            policy: fact(key, inventory, key_policy),
            relatives: fact(key, inventory, |known| Seen::Known(relatives(known, inventory))),
            usage: Seen::Loading,
            down_since: None,
        };
        for row in &inventory.rows {
            found.take(row, inventory);
        }
        found.blind_spots.extend(
            inventory
                .servers_loading
                .iter()
                .map(|server| format!("{server}: its catalog is still being read")),
        );
        found.blind_spots.extend(hidden_columns(&found.databases, inventory));
        found
    }

    /// Adds what the trail knows.
    #[must_use]
    pub fn used(self, usage: Seen<Usage>, down_since: Option<Timestamp>) -> Self {
        let is_down = !matches!(&self.state, Seen::Known((KeyState::Enabled, _)));
        Self { usage, down_since: down_since.filter(|_| is_down), ..self }
    }

    /// Adds a row's column key, or that the row hides some.
    fn take(&mut self, row: &Row, inventory: &Inventory) {
        match row {
            Row::Pair(pair) if pair.cmk.link.arn() == Some(&self.key) => {
                let database = &pair.cmk.database;
                self.reaches(database, inventory);
                for home in pair.columns.iter().filter_map(|column| column.database.clone()) {
                    self.reaches(&DatabaseRef { server: database.server.clone(), database: home }, inventory);
                }
                self.column_keys.insert((database.clone(), pair.cek.clone()));
                self.columns.extend(pair.columns.iter().map(|column| protected(database, &pair.cek, column)));
            }
            Row::UnreadableDatabase { database, why } => {
                self.blind_spots.push(format!("{} on {}: {why}", database.database, database.server));
            }
            // An alias that cannot be listed may lead here from any database.
            Row::UnreadableRegion { region, why } if region == self.key.region() => {
                self.blind_spots.push(format!("KMS {region}: {why}"));
            }
            Row::UnreadableServer { server, why } => {
                self.servers += 1;
                self.blind_spots.push(format!("{server}: {why}"));
            }
            _ => {}
        }
    }

    /// Adds a database that holds column keys under the key, or columns under those.
    fn reaches(&mut self, database: &DatabaseRef, inventory: &Inventory) {
        if !self.databases.contains_key(database) {
            let tde = inventory.database(database).map(|known| known.tde.clone());
            self.databases.insert(database.clone(), tde.unwrap_or_default());
        }
    }

    /// Instances that a drop would take down: those of which nothing is lost yet.
    #[must_use]
    pub fn storage_at_stake(&self) -> Vec<&RdsInstance> {
        let known = self.rds.known().into_iter().flatten();
        known.filter(|instance| instance.storage() != Storage::Lost).collect()
    }

    /// Whether a grant's grantee is of another account than the key's.
    #[must_use]
    pub fn is_foreign(&self, grant: &Grant) -> bool {
        account_of(grant.grantee.raw()).is_some_and(|account| account != self.key.account())
    }
}

fn protected(database: &DatabaseRef, cek: &Untrusted, column: &EncryptedColumn) -> DependentColumn {
    DependentColumn {
        database: database.clone(),
        cek: cek.clone(),
        elsewhere: column.database.clone(),
        schema: column.schema.clone(),
        table: column.table.clone(),
        name: column.name.clone(),
        deterministic: column.encryption == EncryptionType::Deterministic,
    }
}

/// The account in an ARN, or an account by itself; services have none.
fn account_of(principal: &str) -> Option<&str> {
    let account = principal.split(':').nth(4).unwrap_or(principal);
    (account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit())).then_some(account)
}

/// A fact of a key; where the key itself cannot be seen, neither can its facts.
fn fact<T>(key: &KeyArn, inventory: &Inventory, tell: impl FnOnce(&KmsKey) -> Seen<T>) -> Seen<T> {
    match inventory.relative(key) {
        Seen::Known(known) => tell(known),
        Seen::NotVisible(why) => Seen::NotVisible(why),
        Seen::Loading => Seen::Loading,
    }
}

/// The instances under a key. RDS takes storage keys of the instance's own Region alone, so that no other can hide one.
fn storage(key: &KeyArn, inventory: &Inventory) -> Seen<Vec<RdsInstance>> {
    let Some(said) = inventory.rds.get(key.region()) else {
        let why = format!(
            "{} is not among this environment's Regions: add it to the settings to see its instances",
            key.region()
        );
        return Seen::NotVisible(NotVisible::new(Cause::Unreachable, why));
    };
    let under = |one: &RdsInstance| one.storage_key.as_ref() == Some(key);
    said.clone().map(|all| all.into_iter().filter(under).collect())
}

fn key_policy(key: &KmsKey) -> Seen<KeyPolicy> {
    match &key.policy {
        Seen::Loading => Seen::Loading,
        Seen::NotVisible(why) => Seen::NotVisible(why.clone()),
        Seen::Known(json) => policy::read(json.raw())
            .map_err(|unreadable| NotVisible::new(Cause::Unreadable, unreadable.to_string()))
            .into(),
    }
}

/// Databases among `databases` of which SQL Server may not list every column, in words.
fn hidden_columns<T>(databases: &BTreeMap<DatabaseRef, T>, inventory: &Inventory) -> Vec<String> {
    let hidden = |place: &DatabaseRef| {
        let why = inventory.database(place)?.objects.known()?.columns_hidden.as_ref()?;
        Some(format!("{} on {}: {}", place.database, place.server, why.reason))
    };
    databases.keys().filter_map(hidden).collect()
}

/// The key's multi-Region relatives, without itself.
fn relatives(key: &KmsKey, inventory: &Inventory) -> Vec<Relative> {
    let Some(multi) = &key.multi_region else { return Vec::new() };
    multi
        .relatives_of(&key.arn)
        .map(|arn| Relative {
            arn: arn.clone(),
            primary: *arn == multi.primary,
            state: fact(arn, inventory, |relative| Seen::Known(relative.state.clone())),
        })
        .collect()
}

/// Until when clients that hold decrypted column keys may go on decrypting after a drop.
///
/// SqlClient caches a decrypted CEK for 2 hours by default (`ColumnEncryptionKeyCacheTtl`).
#[must_use]
pub fn exposed_until(dropped_at: Timestamp, cache_ttl: SignedDuration) -> Timestamp {
    dropped_at + cache_ttl
}

/// From when on, at the earliest, RDS storage under a key that went down can only be restored from backup. RDS
/// counts from when it notices, which is after the drop.
#[must_use]
pub fn storage_lost_from(down_since: Timestamp) -> Timestamp {
    down_since + STORAGE_RECOVERABLE
}
