//! What becomes of a SQL catalog before it is found.

use std::collections::HashSet;

use crate::model::catalog::{Envelope, ServerCatalog};
use crate::model::seen::Seen;
use crate::model::text::Untrusted;

use super::told::is_silence;

/// What is the same in many rows of a catalog (algorithms, key paths, tables) is kept once.
pub(super) fn share_texts(catalog: &mut ServerCatalog) {
    let mut texts: HashSet<Untrusted> = HashSet::new();
    let mut share = |text: &mut Untrusted| match texts.get(text) {
        Some(had) => *text = had.clone(),
        None => {
            texts.insert(text.clone());
        }
    };
    for database in &mut catalog.databases {
        let Seen::Known(objects) = &mut database.objects else { continue };
        for key in &mut objects.master_keys {
            share(&mut key.provider);
            share(&mut key.key_path);
        }
        for value in &mut objects.values {
            share(&mut value.algorithm);
            if let Envelope::Common { key_path, .. } = &mut value.envelope {
                share(key_path);
            }
        }
        for column in &mut objects.columns {
            share(&mut column.schema);
            share(&mut column.table);
        }
    }
}

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
