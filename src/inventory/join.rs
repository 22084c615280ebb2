//! From what the sources said to rows: every wrapped key in exactly one pair, nothing dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{
    ColumnKey, DatabaseCatalog, EncryptedColumn, EncryptionObjects, KeyValue, MasterKey, ServerCatalog,
    ServerName,
};
use crate::model::dependents::RdsInstance;
use crate::model::key::{KmsKey, Manager};
use crate::model::pair::{CmkRef, DatabaseRef, EstateMark, Inventory, KeyPlace, Pair, Row, Rows};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::selector::KeySelector;
use crate::model::source::{Source, SourceHealth};
use crate::model::text::Untrusted;

use super::link::Links;

/// What the sources have said so far.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The account that is ours, where it is known.
    pub account: Option<String>,
    /// The configured Regions, and whether each one's aliases are all known.
    pub regions: BTreeMap<String, Seen<()>>,
    /// Whether each configured Region's keys could be listed.
    pub keys_listed: BTreeMap<String, Seen<()>>,
    /// What marks a KMS key as one of the estate's.
    pub estate: Vec<KeySelector>,
    /// Keys that were described.
    pub keys: BTreeMap<KeyArn, Arc<KmsKey>>,
    /// Keys that were asked for and could not be described, and why; a `Cause::NotFound` means gone.
    pub missing: BTreeMap<KeyArn, NotVisible>,
    /// Where aliases lead: those listed, and others that a key path names and that were asked for.
    pub aliases: BTreeMap<AliasArn, Seen<KeyArn>>,
    pub servers: BTreeMap<ServerName, Seen<Arc<ServerCatalog>>>,
    pub rds: BTreeMap<String, Seen<Vec<RdsInstance>>>,
    pub sources: BTreeMap<Source, SourceHealth>,
}

/// Joins what was gathered.
#[must_use]
pub fn join(gathered: &Gathered) -> Inventory {
    with_rows(gathered.clone(), rows(gathered))
}

/// What was gathered, with the rows that it was joined into.
#[must_use]
pub fn with_rows(gathered: Gathered, rows: Rows) -> Inventory {
    Inventory {
        keys: gathered.keys,
        missing: gathered.missing,
        servers: gathered.servers.values().filter_map(|catalog| catalog.known().cloned()).collect(),
        servers_loading: gathered
            .servers
            .iter()
            .filter(|(_, catalog)| matches!(catalog, Seen::Loading))
            .map(|(name, _)| name.clone())
            .collect(),
        regions: gathered.regions.keys().cloned().collect(),
        rds: gathered.rds,
        rows,
        sources: gathered.sources,
    }
}

/// Joins what was gathered into rows. Their order: Regions and servers that could not be read; then by
/// database, in each one its pairs and orphans by CEK and CMK, then its unused CMKs; then KMS keys that no CMK
/// names.
#[must_use]
pub fn rows(gathered: &Gathered) -> Rows {
    let links = Links::of(gathered);
    let regions = gathered.keys_listed.iter().filter_map(unreadable_region);
    let mut rows: Vec<Row> = regions.chain(gathered.servers.iter().filter_map(unreadable_server)).collect();
    let mut databases: Vec<(&ServerName, &DatabaseCatalog)> = gathered
        .servers
        .iter()
        .filter_map(|(name, catalog)| Some((name, catalog.known()?)))
        .flat_map(|(name, catalog)| catalog.databases.iter().map(move |database| (name, database)))
        .collect();
    databases.sort_by(|(server, database), (other_server, other)| {
        database.name.cmp(&other.name).then_with(|| server.cmp(other_server))
    });
    for (server, database) in databases {
        let name = DatabaseRef { server: server.clone(), database: database.name.clone() };
        match &database.objects {
            Seen::Known(objects) => rows.extend(Database { name, objects, links: &links }.rows()),
            Seen::NotVisible(why) => rows.push(Row::UnreadableDatabase { database: name, why: why.clone() }),
            Seen::Loading => rows.push(Row::UnreadableDatabase {
                database: name,
                why: NotVisible::new(Cause::Unreadable, "it has not been read yet"),
            }),
        }
    }
    count_siblings(&mut rows);
    rows.extend(unreferenced(gathered, &rows));
    rows.shrink_to_fit();
    rows.into()
}

fn unreadable_server((server, catalog): (&ServerName, &Seen<Arc<ServerCatalog>>)) -> Option<Row> {
    let why = catalog.not_visible()?.clone();
    Some(Row::UnreadableServer { server: server.clone(), why })
}

fn unreadable_region((region, listed): (&String, &Seen<()>)) -> Option<Row> {
    let why = listed.not_visible()?.clone();
    Some(Row::UnreadableRegion { region: region.clone(), why })
}

/// Tells each CMK how many others lead to its KMS key.
fn count_siblings(rows: &mut [Row]) {
    let mut leading: HashMap<KeyArn, BTreeSet<(DatabaseRef, Untrusted)>> = HashMap::new();
    for row in rows.iter() {
        if let (Some(cmk), Some(arn)) = (row.cmk(), row.key_arn()) {
            let one = (cmk.database.clone(), cmk.name.clone());
            leading.entry(arn.clone()).or_default().insert(one);
        }
    }
    for row in rows {
        let (Row::Pair(Pair { cmk, .. }) | Row::UnusedMasterKey { cmk }) = row else { continue };
        let others = cmk.link.arn().and_then(|arn| leading.get(arn)).map_or(0, |all| all.len() - 1);
        cmk.siblings = u32::try_from(others).unwrap_or(u32::MAX);
    }
}

/// Customer keys of ours that no row leads to, by name. AWS's own keys cannot wrap column keys of SQL Server
/// and are left out; a key of which even that is not known is listed.
fn unreferenced(gathered: &Gathered, rows: &[Row]) -> Vec<Row> {
    let named: HashSet<&KeyArn> = rows.iter().filter_map(Row::key_arn).collect();
    let pointed_at: HashSet<KeyArn> = rows.iter().filter_map(named_key).collect();
    let ours = |arn: &KeyArn| gathered.account.as_ref().is_none_or(|account| account == arn.account());
    let described = gathered
        .keys
        .values()
        .filter(|key| key.manager != Manager::Aws && ours(&key.arn) && !named.contains(&key.arn))
        .map(|key| (key.name(), key.arn.clone()));
    let hidden = gathered
        .missing
        .iter()
        .filter(|(arn, why)| why.cause != Cause::NotFound && ours(arn) && !pointed_at.contains(*arn))
        .filter(|(arn, _)| !gathered.keys.contains_key(*arn))
        .map(|(arn, _)| (arn.id().to_owned(), arn.clone()));
    let keys: BTreeSet<(String, KeyArn)> = described.chain(hidden).collect();
    let row = |key: KeyArn| Row::UnreferencedKey { estate: estate_mark(gathered, &key, &named), key };
    keys.into_iter().map(|(_, key)| row(key)).collect()
}

/// Whether a key that is not `named` is marked as one of the estate. The first mark that it bears is told.
fn estate_mark(gathered: &Gathered, arn: &KeyArn, named: &HashSet<&KeyArn>) -> EstateMark {
    let Some(key) = gathered.keys.get(arn) else {
        return match (gathered.estate.is_empty(), gathered.missing.get(arn)) {
            (false, Some(why)) => EstateMark::CannotTell { why: why.clone() },
            _ => EstateMark::Unmarked,
        };
    };
    let mut family = key.multi_region.iter().flat_map(|family| family.relatives_of(arn));
    if let Some(named) = family.find(|relative| named.contains(relative)) {
        return EstateMark::StandsBy { named: named.clone() };
    }
    let mut mark = EstateMark::Unmarked;
    for by in &gathered.estate {
        match by.selects(key) {
            Ok(true) => return EstateMark::Marked { by: by.clone() },
            Ok(false) => {}
            Err(why) => mark = EstateMark::CannotTell { why },
        }
    }
    mark
}

/// The key that a row's key path names by ARN, seen or not.
fn named_key(row: &Row) -> Option<KeyArn> {
    row.cmk()?.key_path.raw().trim().parse().ok()
}

/// One readable database, being turned into rows.
struct Database<'a> {
    name: DatabaseRef,
    objects: &'a EncryptionObjects,
    links: &'a Links<'a>,
}

impl Database<'_> {
    fn rows(&self) -> Vec<Row> {
        let master_keys: HashMap<i32, &MasterKey> =
            self.objects.master_keys.iter().map(|key| (key.id, key)).collect();
        let cmks: HashMap<i32, CmkRef> =
            self.objects.master_keys.iter().map(|key| (key.id, self.cmk(key))).collect();
        let column_keys: HashMap<i32, &ColumnKey> =
            self.objects.column_keys.iter().map(|key| (key.id, key)).collect();
        let mut columns = columns_by_key(&self.objects.columns);
        let mut values: HashMap<i32, usize> = HashMap::new();
        for value in &self.objects.values {
            *values.entry(value.column_key_id).or_default() += 1;
        }
        let cek_name =
            |id: i32| column_keys.get(&id).map_or_else(|| unlisted("CEK", id), |key| key.name.clone());

        let pair = |value: &KeyValue| {
            let key_path = master_keys.get(&value.master_key_id).map(|key| &key.key_path);
            Pair {
                cek: cek_name(value.column_key_id),
                cek_id: value.column_key_id,
                cmk: cmks
                    .get(&value.master_key_id)
                    .cloned()
                    .unwrap_or_else(|| self.unlisted_cmk(value.master_key_id)),
                algorithm: value.algorithm.clone(),
                envelope: value.envelope.clone(),
                envelope_mismatch: key_path.is_some_and(|path| self.links.disagree(path, &value.envelope)),
                rotating: values.get(&value.column_key_id).is_some_and(|n| *n > 1),
                columns: columns.get(&value.column_key_id).cloned().unwrap_or_default(),
            }
        };
        let mut rows: Vec<Row> = self.objects.values.iter().map(|value| Row::Pair(pair(value))).collect();

        // Column keys without a value, and those that only their columns tell of.
        let orphans: BTreeSet<i32> =
            column_keys.keys().chain(columns.keys()).copied().filter(|id| !values.contains_key(id)).collect();
        rows.extend(orphans.into_iter().map(|id| Row::OrphanColumnKey {
            database: self.name.clone(),
            cek: cek_name(id),
            columns: columns.remove(&id).unwrap_or_default(),
        }));
        rows.sort_by(|a, b| in_order(a).cmp(&in_order(b)));

        let used: HashSet<i32> = self.objects.values.iter().map(|value| value.master_key_id).collect();
        let mut unused: Vec<CmkRef> =
            cmks.into_iter().filter(|(id, _)| !used.contains(id)).map(|(_, cmk)| cmk).collect();
        unused.sort_by(|a, b| a.name.cmp(&b.name));
        rows.extend(unused.into_iter().map(|cmk| Row::UnusedMasterKey { cmk }));
        rows
    }

    fn cmk(&self, key: &MasterKey) -> CmkRef {
        CmkRef {
            database: self.name.clone(),
            name: key.name.clone(),
            provider: key.provider.clone(),
            key_path: key.key_path.clone(),
            link: self.links.follow(&key.key_path),
            place: self.links.place(&key.key_path),
            siblings: 0,
        }
    }

    /// A master key that a value names and the catalog does not list.
    fn unlisted_cmk(&self, id: i32) -> CmkRef {
        let why = "the catalog lists no such master key: it changed while it was read, or is hidden";
        CmkRef {
            database: self.name.clone(),
            name: unlisted("CMK", id),
            provider: Untrusted::default(),
            key_path: Untrusted::default(),
            link: crate::model::pair::KeyLink::NotVisible {
                path: String::new(),
                why: NotVisible::new(Cause::NotFound, why),
            },
            place: KeyPlace::default(),
            siblings: 0,
        }
    }
}

fn unlisted(what: &str, id: i32) -> Untrusted {
    format!("({what} {id}, not listed)").into()
}

fn columns_by_key(columns: &[EncryptedColumn]) -> HashMap<i32, Vec<EncryptedColumn>> {
    let mut by_key: HashMap<i32, Vec<EncryptedColumn>> = HashMap::new();
    for column in columns {
        by_key.entry(column.column_key_id).or_default().push(column.clone());
    }
    by_key
}

/// A database's pairs and orphans go by CEK, then CMK.
fn in_order(row: &Row) -> (Option<&Untrusted>, Option<&Untrusted>) {
    let cek = match row {
        Row::Pair(pair) => Some(&pair.cek),
        Row::OrphanColumnKey { cek, .. } => Some(cek),
        _ => None,
    };
    (cek, row.cmk().map(|cmk| &cmk.name))
}

#[cfg(test)]
#[path = "join_tests.rs"]
mod tests;
