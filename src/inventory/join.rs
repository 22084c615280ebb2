//! From what the sources said to rows: every wrapped key in exactly one pair, nothing dropped.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{
    ColumnElsewhere, ColumnKey, DatabaseCatalog, EncryptedColumns, EncryptionObjects, KeyValue, MasterKey,
    ServerCatalog, ServerName,
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
    let databases = databases(gathered);
    let mut cmks: Vec<Cmks> = databases.iter().map(|(name, objects)| cmks(name, objects, &links)).collect();
    count_siblings(&mut cmks);
    let unreferenced = unreferenced(gathered, &cmks);
    let mut visiting = visiting_columns(&databases);

    let regions = gathered.keys_listed.iter().filter_map(unreadable_region);
    let mut rows: Vec<Row> = regions.chain(gathered.servers.iter().filter_map(unreadable_server)).collect();
    for ((name, objects), cmks) in databases.into_iter().zip(cmks) {
        match objects {
            Seen::Known(objects) => {
                let visiting = visiting.remove(&home(&name.server, &name.database)).unwrap_or_default();
                let cmks = cmks.into_iter().map(|(id, cmk)| (id, Arc::new(cmk))).collect();
                rows.extend(Database { name, objects, links: &links, cmks, visiting }.rows());
            }
            Seen::NotVisible(why) => rows.push(Row::UnreadableDatabase { database: name, why: why.clone() }),
            Seen::Loading => rows.push(Row::UnreadableDatabase {
                database: name,
                why: NotVisible::new(Cause::Unreadable, "it has not been read yet"),
            }),
        }
    }
    rows.extend(visiting.into_iter().flat_map(|(home, columns)| keys_out_of_sight(home, columns)));
    rows.extend(unreferenced);
    rows.shrink_to_fit();
    rows.into()
}

/// Every database of the servers that were read, by name.
fn databases(gathered: &Gathered) -> Vec<(DatabaseRef, &Seen<EncryptionObjects>)> {
    let known = gathered.servers.iter().filter_map(|(name, catalog)| Some((name, catalog.known()?)));
    let place = |server: &ServerName, database: &DatabaseCatalog| DatabaseRef {
        server: server.clone(),
        database: database.name.clone(),
    };
    let mut databases: Vec<_> = known
        .flat_map(|(server, catalog)| catalog.databases.iter().map(move |d| (place(server, d), &d.objects)))
        .collect();
    databases.sort_by(|(a, _), (b, _)| (&a.database, &a.server).cmp(&(&b.database, &b.server)));
    databases
}

/// A database's CMKs by their ids there.
type Cmks = BTreeMap<i32, CmkRef>;

/// Those that the catalog lists, and where each leads.
fn cmks(database: &DatabaseRef, objects: &Seen<EncryptionObjects>, links: &Links<'_>) -> Cmks {
    let cmk = |key: &MasterKey| CmkRef {
        database: database.clone(),
        name: key.name.clone(),
        provider: key.provider.clone(),
        key_path: key.key_path.clone(),
        link: links.follow(&key.key_path),
        place: links.place(&key.key_path),
        siblings: 0,
    };
    let listed = objects.known().into_iter().flat_map(|objects| &objects.master_keys);
    listed.map(|key| (key.id, cmk(key))).collect()
}

/// A database of a server, for finding: SQL Server's names are commonly compared without case.
type Home = (ServerName, String);

fn home(server: &ServerName, database: &Untrusted) -> Home {
    (server.clone(), database.raw().to_lowercase())
}

/// Columns whose CEK is in another database than they are, by the CEK's.
fn visiting_columns(
    databases: &[(DatabaseRef, &Seen<EncryptionObjects>)],
) -> BTreeMap<Home, Vec<ColumnElsewhere>> {
    let mut visiting: BTreeMap<Home, Vec<ColumnElsewhere>> = BTreeMap::new();
    for (name, objects) in databases {
        for column in objects.known().into_iter().flat_map(|objects| &objects.columns_elsewhere) {
            visiting.entry(home(&name.server, &column.key_database)).or_default().push(column.clone());
        }
    }
    visiting
}

/// CEKs of which only columns in other databases tell: their own database is not there, or not readable.
fn keys_out_of_sight((server, _): Home, columns: Vec<ColumnElsewhere>) -> impl Iterator<Item = Row> {
    let database = columns.first().map(|column| column.key_database.clone()).unwrap_or_default();
    let columns: EncryptedColumns = columns.into_iter().map(|visitor| visitor.column).collect();
    let ids: Vec<i32> = columns.key_ids().collect();
    ids.into_iter().map(move |id| Row::OrphanColumnKey {
        database: DatabaseRef { server: server.clone(), database: database.clone() },
        cek: unlisted("CEK", id),
        columns: columns.of_key(id),
    })
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
fn count_siblings(databases: &mut [Cmks]) {
    let mut leading: HashMap<KeyArn, u32> = HashMap::new();
    for arn in databases.iter().flat_map(Cmks::values).filter_map(|cmk| cmk.link.arn()) {
        *leading.entry(arn.clone()).or_default() += 1;
    }
    for cmk in databases.iter_mut().flat_map(Cmks::values_mut) {
        cmk.siblings = cmk.link.arn().and_then(|arn| leading.get(arn)).map_or(0, |all| all - 1);
    }
}

/// Customer keys of ours that no CMK leads to, by name. AWS's own keys cannot wrap column keys of SQL Server
/// and are left out; a key of which even that is not known is listed.
fn unreferenced(gathered: &Gathered, cmks: &[Cmks]) -> Vec<Row> {
    let cmks = || cmks.iter().flat_map(Cmks::values);
    let named: HashSet<&KeyArn> = cmks().filter_map(|cmk| cmk.link.arn()).collect();
    let pointed_at: HashSet<KeyArn> = cmks().filter_map(named_key).collect();
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

/// The key that a CMK's key path names by ARN, seen or not.
fn named_key(cmk: &CmkRef) -> Option<KeyArn> {
    cmk.key_path.raw().trim().parse().ok()
}

/// One readable database, being turned into rows.
struct Database<'a> {
    name: DatabaseRef,
    objects: &'a EncryptionObjects,
    links: &'a Links<'a>,
    cmks: BTreeMap<i32, Arc<CmkRef>>,
    /// Columns of other databases that CEKs of this one protect.
    visiting: Vec<ColumnElsewhere>,
}

impl Database<'_> {
    fn rows(&self) -> Vec<Row> {
        let column_keys: HashMap<i32, &ColumnKey> =
            self.objects.column_keys.iter().map(|key| (key.id, key)).collect();
        let mut values: HashMap<i32, usize> = HashMap::new();
        for value in &self.objects.values {
            *values.entry(value.column_key_id).or_default() += 1;
        }
        let cek_name =
            |id: i32| column_keys.get(&id).map_or_else(|| unlisted("CEK", id), |key| key.name.clone());

        let pair = |value: &KeyValue| {
            let cmk = self.cmks.get(&value.master_key_id);
            Pair {
                cek: cek_name(value.column_key_id),
                cek_id: value.column_key_id,
                cmk: cmk.cloned().unwrap_or_else(|| Arc::new(self.unlisted_cmk(value.master_key_id))),
                algorithm: value.algorithm.clone(),
                envelope: value.envelope.clone(),
                envelope_mismatch: cmk.is_some_and(|cmk| self.links.disagree(&cmk.key_path, &value.envelope)),
                rotating: values.get(&value.column_key_id).is_some_and(|n| *n > 1),
                columns: self.columns(value.column_key_id),
            }
        };
        let mut rows: Vec<Row> = self.objects.values.iter().map(|value| Row::Pair(pair(value))).collect();

        // Column keys without a value, and those that only their columns tell of.
        let visited = self.visiting.iter().map(|visitor| visitor.column.column_key_id);
        let told_of = self.objects.columns.key_ids().chain(visited);
        let orphans: BTreeSet<i32> =
            column_keys.keys().copied().chain(told_of).filter(|id| !values.contains_key(id)).collect();
        rows.extend(orphans.into_iter().map(|id| Row::OrphanColumnKey {
            database: self.name.clone(),
            cek: cek_name(id),
            columns: self.columns(id),
        }));
        rows.sort_by(|a, b| in_order(a).cmp(&in_order(b)));

        let used: HashSet<i32> = self.objects.values.iter().map(|value| value.master_key_id).collect();
        let mut unused: Vec<&Arc<CmkRef>> =
            self.cmks.iter().filter(|(id, _)| !used.contains(id)).map(|(_, cmk)| cmk).collect();
        unused.sort_by(|a, b| a.name.cmp(&b.name));
        rows.extend(unused.into_iter().map(|cmk| Row::UnusedMasterKey { cmk: Arc::clone(cmk) }));
        rows
    }

    /// What a CEK of this database protects, here and elsewhere.
    fn columns(&self, column_key_id: i32) -> EncryptedColumns {
        let own = self.objects.columns.of_key(column_key_id);
        let mut visitors = self.visiting.iter().map(|visitor| &visitor.column).peekable();
        if visitors.peek().is_none() {
            return own;
        }
        own.and(visitors.filter(|column| column.column_key_id == column_key_id).cloned())
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
