//! The figures above the list.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::pair::{EstateMark, Inventory, Row};

use super::state::{StateKind, key_state, row_state};

/// The figures above the list. They add up: the states of the pairs ([`Counts::states`]) to `pairs`, and
/// `pairs`, `unused_master_keys`, `no_value`, `unreferenced` and `unreadable` to `rows`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub rows: usize,
    /// Rows that are pairs.
    pub pairs: usize,
    /// Column master keys, used or not.
    pub master_keys: usize,
    /// Pairs whose key is enabled and not too old.
    pub enabled: usize,
    /// Pairs whose key is enabled and overdue.
    pub overdue: usize,
    /// Pairs whose key is enabled, and older than its policy says by an exception.
    pub excepted: usize,
    /// Pairs whose key is enabled, and whose policy of age cannot be told.
    pub unjudged: usize,
    pub disabled: usize,
    pub pending_deletion: usize,
    /// Pairs whose key does not exist any more.
    pub gone: usize,
    pub not_visible: usize,
    /// Pairs whose key another provider keeps.
    pub not_kms: usize,
    pub loading: usize,
    /// Pairs in any other state: unavailable, importing, creating …
    pub other: usize,
    /// CMKs that wrap no CEK.
    pub unused_master_keys: usize,
    /// CEKs of which the catalog shows no value.
    pub no_value: usize,
    /// KMS keys that no visible CMK names.
    pub unreferenced: usize,
    /// Those among them that are marked as of the estate.
    pub unused_estate: usize,
    /// Databases, servers and Regions that could not be read, so that nobody knows how many pairs they hold.
    pub unreadable: usize,
}

/// The figures above the list, at `now`.
#[must_use]
pub fn counts(inventory: &Inventory, policies: &AgePolicies, now: Timestamp) -> Counts {
    let mut counts = Counts { rows: inventory.rows.len(), ..Counts::default() };
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
            Row::UnreferencedKey { estate, .. } => {
                counts.unreferenced += 1;
                counts.unused_estate += usize::from(matches!(estate, EstateMark::Marked { .. }));
            }
            Row::UnusedMasterKey { .. } => counts.unused_master_keys += 1,
            Row::OrphanColumnKey { .. } => counts.no_value += 1,
        }
    }
    Counts { master_keys: master_keys.len(), ..counts }
}

/// The figures of two environments, as one.
impl std::ops::Add for Counts {
    type Output = Self;

    fn add(self, more: Self) -> Self {
        Self {
            rows: self.rows + more.rows,
            pairs: self.pairs + more.pairs,
            master_keys: self.master_keys + more.master_keys,
            enabled: self.enabled + more.enabled,
            overdue: self.overdue + more.overdue,
            excepted: self.excepted + more.excepted,
            unjudged: self.unjudged + more.unjudged,
            disabled: self.disabled + more.disabled,
            pending_deletion: self.pending_deletion + more.pending_deletion,
            gone: self.gone + more.gone,
            not_visible: self.not_visible + more.not_visible,
            not_kms: self.not_kms + more.not_kms,
            loading: self.loading + more.loading,
            other: self.other + more.other,
            unused_master_keys: self.unused_master_keys + more.unused_master_keys,
            no_value: self.no_value + more.no_value,
            unreferenced: self.unreferenced + more.unreferenced,
            unused_estate: self.unused_estate + more.unused_estate,
            unreadable: self.unreadable + more.unreadable,
        }
    }
}

impl Counts {
    fn add(&mut self, pair: StateKind) {
        self.pairs += 1;
        *match pair {
            StateKind::Enabled => &mut self.enabled,
            StateKind::Overdue => &mut self.overdue,
            StateKind::Excepted => &mut self.excepted,
            StateKind::Unjudged => &mut self.unjudged,
            StateKind::Disabled => &mut self.disabled,
            StateKind::PendingDeletion | StateKind::PendingReplicaDeletion => &mut self.pending_deletion,
            StateKind::Gone => &mut self.gone,
            StateKind::NotVisible => &mut self.not_visible,
            StateKind::NotKms => &mut self.not_kms,
            StateKind::Loading => &mut self.loading,
            _ => &mut self.other,
        } += 1;
    }

    /// The states of the pairs: how many, the word, and a state of that kind. They add up to `pairs`.
    #[must_use]
    pub fn states(&self) -> [(usize, &'static str, StateKind); 11] {
        [
            (self.pending_deletion, "pending deletion", StateKind::PendingDeletion),
            (self.gone, "gone", StateKind::Gone),
            (self.overdue, "overdue", StateKind::Overdue),
            (self.disabled, "disabled", StateKind::Disabled),
            (self.not_visible, "not visible", StateKind::NotVisible),
            (self.other, "other", StateKind::Other),
            (self.unjudged, "not judged", StateKind::Unjudged),
            (self.excepted, "excepted", StateKind::Excepted),
            (self.not_kms, "not KMS", StateKind::NotKms),
            (self.loading, "loading", StateKind::Loading),
            (self.enabled, "enabled", StateKind::Enabled),
        ]
    }

    /// The rows that are no pairs: how many, and what they are. With `pairs` they add up to `rows`.
    #[must_use]
    pub fn besides(&self) -> [(usize, &'static str); 5] {
        let counted = |count, one, many| (count, if count == 1 { one } else { many });
        [
            (self.unreadable, "unreadable"),
            counted(self.no_value, "column key without value", "column keys without value"),
            counted(self.unused_estate, "estate key unused", "estate keys unused"),
            counted(self.unused_master_keys, "master key unused", "master keys unused"),
            counted(self.unreferenced - self.unused_estate, "key unnamed", "keys unnamed"),
        ]
    }
}
