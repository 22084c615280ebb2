//! What depends on a KMS key: the blast radius of dropping it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::key::Grant;
use super::pair::{DatabaseRef, Inventory};
use super::seen::{Cause, NotVisible, Partly, Seen};
use super::text::Untrusted;

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

/// What depends on one key, as far as it can be seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dependents {
    pub key: KeyArn,
    /// Database and CEK, once each.
    pub column_keys: BTreeSet<(DatabaseRef, Untrusted)>,
    /// `database.schema.table.column`, by parts.
    pub columns: BTreeSet<(DatabaseRef, Untrusted, Untrusted, Untrusted)>,
    pub databases: BTreeSet<DatabaseRef>,
    /// Instances whose storage it encrypts. A storage key is of the instance's own Region, so it is that
    /// Region alone that may be missing.
    pub rds: Partly<RdsInstance>,
    pub grants: Seen<Vec<Grant>>,
    /// Relatives in other Regions, which a change to this key does not touch.
    pub relatives: Vec<KeyArn>,
    /// What may hide more: unreadable databases and servers, in words.
    pub blind_spots: Vec<String>,
}

impl Dependents {
    /// Gathers what the inventory knows of `key`'s dependents.
    #[must_use]
    pub fn of(key: &KeyArn, inventory: &Inventory) -> Self {
        use super::pair::Row;
        let mut found = Self {
            key: key.clone(),
            column_keys: BTreeSet::new(),
            columns: BTreeSet::new(),
            databases: BTreeSet::new(),
            rds: storage_under(key, inventory),
            grants: inventory.keys.get(key).map(|k| k.grants.clone()).unwrap_or_default(),
            relatives: relatives(key, inventory),
            blind_spots: Vec::new(),
        };
        for row in &inventory.rows {
            match row {
                Row::Pair(pair) if pair.cmk.link.arn() == Some(key) => {
                    let database = &pair.cmk.database;
                    found.databases.insert(database.clone());
                    found.column_keys.insert((database.clone(), pair.cek.clone()));
                    found.columns.extend(
                        pair.columns
                            .iter()
                            .map(|c| (database.clone(), c.schema.clone(), c.table.clone(), c.name.clone())),
                    );
                }
                Row::UnreadableDatabase { database, why } => {
                    found.blind_spots.push(format!("{} on {}: {why}", database.database, database.server));
                }
                Row::UnreadableServer { server, why } => found.blind_spots.push(format!("{server}: {why}")),
                // An alias that cannot be listed may lead here from any database.
                Row::UnreadableRegion { region, why } if region == key.region() => {
                    found.blind_spots.push(format!("KMS {region}: {why}"));
                }
                _ => {}
            }
        }
        found.blind_spots.extend(hidden_columns(&found.databases, inventory));
        found
    }
}

/// The RDS instances whose storage `key` encrypts.
fn storage_under(key: &KeyArn, inventory: &Inventory) -> Partly<RdsInstance> {
    let mut found = Partly::default();
    let Some(said) = inventory.rds.get(key.region()) else {
        let why = "it is not among this environment's Regions: add it to the settings to see its instances";
        found.add(key.region(), Seen::<Vec<_>>::NotVisible(NotVisible::new(Cause::Unreachable, why)));
        return found;
    };
    let under = |all: Vec<RdsInstance>| all.into_iter().filter(|one| one.storage_key.as_ref() == Some(key));
    found.add(key.region(), said.clone().map(under));
    found
}

/// Databases among `databases` of which SQL Server may not list every column, in words.
fn hidden_columns(databases: &BTreeSet<DatabaseRef>, inventory: &Inventory) -> Vec<String> {
    let catalogs = inventory.servers.iter().flat_map(|s| s.databases.iter().map(|d| (&s.server, d)));
    catalogs
        .filter(|(server, d)| {
            databases.iter().any(|found| found.server == **server && found.database == d.name)
        })
        .filter_map(|(server, d)| {
            let why = d.objects.known()?.columns_hidden.as_ref()?;
            Some(format!("{} on {server}: {}", d.name, why.reason))
        })
        .collect()
}

/// The key's multi-Region relatives, without itself.
fn relatives(key: &KeyArn, inventory: &Inventory) -> Vec<KeyArn> {
    let Some(multi) = inventory.keys.get(key).and_then(|k| k.multi_region.as_ref()) else {
        return Vec::new();
    };
    multi.relatives_of(key).cloned().collect()
}

/// Until when clients that hold decrypted column keys may go on decrypting after a drop.
///
/// SqlClient caches a decrypted CEK for 2 hours by default (`ColumnEncryptionKeyCacheTtl`).
#[must_use]
pub fn exposed_until(dropped_at: Timestamp, cache_ttl: jiff::SignedDuration) -> Timestamp {
    dropped_at + cache_ttl
}
