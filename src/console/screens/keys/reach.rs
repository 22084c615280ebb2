//! What hangs on each key, counted once an inventory.

use std::collections::{BTreeSet, HashMap};

use crate::model::arn::KeyArn;
use crate::model::pair::{DatabaseRef, Inventory, Row};
use crate::model::text::Untrusted;

/// What hangs on the keys.
#[derive(Debug, Default)]
pub struct Reach(HashMap<KeyArn, KeyReach>);

/// What hangs on one key, as far as the rows tell.
#[derive(Debug, Default)]
pub struct KeyReach {
    pub column_keys: usize,
    pub columns: usize,
    /// Each once, by name; mostly it is one.
    pub databases: Vec<DatabaseRef>,
}

impl Reach {
    #[must_use]
    pub fn of(inventory: &Inventory) -> Self {
        let mut seen: HashMap<&KeyArn, BTreeSet<(&DatabaseRef, &Untrusted)>> = HashMap::new();
        let mut reach: HashMap<KeyArn, KeyReach> = HashMap::new();
        for row in &inventory.rows {
            let (Row::Pair(pair), Some(arn)) = (row, row.key_arn()) else { continue };
            let database = &pair.cmk.database;
            // A CEK in rotation has two pairs; it and its columns count once.
            if !seen.entry(arn).or_default().insert((database, &pair.cek)) {
                continue;
            }
            if !reach.contains_key(arn) {
                reach.insert(arn.clone(), KeyReach::default());
            }
            if let Some(reach) = reach.get_mut(arn) {
                reach.column_keys += 1;
                reach.columns += pair.columns.len();
                if let Err(place) = reach.databases.binary_search(database) {
                    reach.databases.insert(place, database.clone());
                }
            }
        }
        Self(reach)
    }

    #[must_use]
    pub fn of_key(&self, key: &KeyArn) -> Option<&KeyReach> {
        self.0.get(key)
    }
}

/// Whether two rows, of two inventories, are about the same thing.
pub fn same(a: &Row, b: &Row) -> bool {
    match (a, b) {
        (Row::Pair(a), Row::Pair(b)) => {
            a.cek == b.cek && a.cmk.name == b.cmk.name && a.cmk.database == b.cmk.database
        }
        (Row::UnusedMasterKey { cmk: a }, Row::UnusedMasterKey { cmk: b }) => {
            a.name == b.name && a.database == b.database
        }
        (Row::UnreferencedKey { key: a, .. }, Row::UnreferencedKey { key: b, .. }) => a == b,
        (Row::UnreadableRegion { region: a, .. }, Row::UnreadableRegion { region: b, .. }) => a == b,
        // There is one at most in an environment.
        (Row::UnreadableEnvironment { .. }, Row::UnreadableEnvironment { .. }) => true,
        (Row::UnreadableServer { server: a, .. }, Row::UnreadableServer { server: b, .. }) => a == b,
        (Row::UnreadableDatabase { database: a, .. }, Row::UnreadableDatabase { database: b, .. }) => a == b,
        (
            Row::OrphanColumnKey { database: a, cek: x, .. },
            Row::OrphanColumnKey { database: b, cek: y, .. },
        ) => a == b && x == y,
        _ => false,
    }
}
