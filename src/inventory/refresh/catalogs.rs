//! What becomes of a SQL catalog before it is found.

use crate::model::catalog::ServerCatalog;
use crate::model::seen::Seen;

use super::told::is_silence;

/// Databases that gave no answer this time keep what they said before.
pub(super) fn keep_silent_databases(before: &ServerCatalog, now: &mut ServerCatalog) {
    for database in &mut now.databases {
        if let Some(had) = before.databases.iter().find(|had| had.name == database.name) {
            renewed_from(&mut database.objects, &had.objects);
            renewed_from(&mut database.tde, &had.tde);
        }
    }
}

/// The fact we had, in the new one's place, where only silence came.
fn renewed_from<T: Clone>(new: &mut Seen<T>, had: &Seen<T>) {
    if had.known().is_some() && new.not_visible().is_some_and(is_silence) {
        *new = had.clone();
    }
}
