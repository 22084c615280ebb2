//! What a row is about, as a number: the same in every inventory.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::model::pair::Row;

/// Tells `row` of `environment` from every other. Two rows that [are about the same](super::reach::same) have one.
pub fn identity(environment: &str, row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    environment.hash(&mut hasher);
    std::mem::discriminant(row).hash(&mut hasher);
    match row {
        Row::Pair(pair) => (&pair.cmk.database, &pair.cek, &pair.cmk.name).hash(&mut hasher),
        Row::UnusedMasterKey { cmk } => (&cmk.database, &cmk.name).hash(&mut hasher),
        Row::OrphanColumnKey { database, cek, .. } => (database, cek).hash(&mut hasher),
        Row::UnreferencedKey { key, .. } => key.hash(&mut hasher),
        Row::UnreadableDatabase { database, .. } => database.hash(&mut hasher),
        Row::UnreadableServer { server, .. } => server.hash(&mut hasher),
        Row::UnreadableRegion { region, .. } => region.hash(&mut hasher),
        Row::UnreadableEnvironment { .. } => {}
    }
    hasher.finish()
}
