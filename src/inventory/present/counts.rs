//! The figures above the list.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::pair::{Inventory, Row};

use super::state::{StateKind, key_state, row_state};

/// The figures above the list. `enabled`, `overdue`, `disabled`, `pending_deletion`, `not_visible` and
/// `other` count pairs, and add up to `pairs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Rows that are pairs.
    pub pairs: usize,
    /// Column master keys, used or not.
    pub master_keys: usize,
    /// Pairs whose key is enabled and not overdue.
    pub enabled: usize,
    /// Pairs whose key is enabled and overdue.
    pub overdue: usize,
    pub disabled: usize,
    pub pending_deletion: usize,
    pub not_visible: usize,
    /// Pairs in any other state: gone, not KMS, loading, importing …
    pub other: usize,
    /// Databases, servers and Regions that could not be read, so that nobody knows how many pairs they hold.
    pub unreadable: usize,
    /// KMS keys that no visible CMK names.
    pub unreferenced: usize,
}

/// The figures above the list, at `now`.
#[must_use]
pub fn counts(inventory: &Inventory, policies: &AgePolicies, now: Timestamp) -> Counts {
    let mut counts = Counts::default();
    let mut master_keys = HashSet::new();
    let mut states: HashMap<&KeyArn, StateKind> = HashMap::new();
    for row in &inventory.rows {
        if let Some(cmk) = row.cmk() {
            master_keys.insert((&cmk.database, &cmk.name));
        }
        match row {
            Row::Pair(_) => {
                let kind = match inventory.key_of(row) {
                    Some(key) => *states.entry(&key.arn).or_insert_with(|| key_state(key, policies, now).0),
                    None => row_state(inventory, row, policies, now).0,
                };
                counts.add(kind);
            }
            Row::UnreadableDatabase { .. }
            | Row::UnreadableServer { .. }
            | Row::UnreadableRegion { .. }
            | Row::UnreadableEnvironment { .. } => {
                counts.unreadable += 1;
            }
            Row::UnreferencedKey { .. } => counts.unreferenced += 1,
            Row::UnusedMasterKey { .. } | Row::OrphanColumnKey { .. } => {}
        }
    }
    Counts { master_keys: master_keys.len(), ..counts }
}

impl Counts {
    fn add(&mut self, pair: StateKind) {
        self.pairs += 1;
        *match pair {
            StateKind::Enabled => &mut self.enabled,
            StateKind::Overdue => &mut self.overdue,
            StateKind::Disabled => &mut self.disabled,
            StateKind::PendingDeletion | StateKind::PendingReplicaDeletion => &mut self.pending_deletion,
            StateKind::NotVisible => &mut self.not_visible,
            _ => &mut self.other,
        } += 1;
    }
}
