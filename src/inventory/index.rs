//! An inventory made ready for filtering and sorting: 100,000 rows in a few milliseconds.
//!
//! Rows of one CMK differ in their CEK alone, so everything else stands once for the group of them.

use std::collections::HashMap;
use std::sync::OnceLock;

use jiff::Timestamp;
use memchr::memmem::Finder;

use crate::model::age::{AgePolicies, RotationAge};
use crate::model::key::KmsKey;
use crate::model::pair::{DatabaseRef, Inventory, Row};
use crate::model::text::{Untrusted, visible};

use super::filter::{Field, Filter, Term};
use super::present::row_state;

/// Columns that rows can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// The most urgent first where ascending.
    State,
    ColumnKey,
    MasterKey,
    Database,
    /// When the material came: the oldest first where ascending.
    Rotated,
    /// Age of the material: the youngest first where ascending.
    Age,
    Next,
    LastUsed,
}

/// An order of rows. Without one they keep the inventory's own: by database, CEK, CMK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

/// Made once for each inventory; holds nothing that borrows from it.
#[derive(Clone, Debug, Default)]
pub struct Index {
    groups: Vec<Group>,
    /// The group of each row.
    group_of: Vec<u32>,
    /// Every row's CEK in lower case, one after the other; `cek_ends` tells where each ends.
    ceks: String,
    cek_ends: Vec<usize>,
    /// Each row's place among all by CEK; made when it is first asked for.
    cek_ranks: OnceLock<Vec<i64>>,
}

/// What rows of one CMK (or one row without a CMK) have in common, in lower case.
#[derive(Clone, Debug)]
struct Group {
    state: String,
    database: String,
    master_key: String,
    key: String,
    urgency: i64,
    rotated: Option<i64>,
    next: Option<i64>,
    last_used: Option<i64>,
    /// Places by name among all groups.
    database_rank: i64,
    master_key_rank: i64,
}

/// What makes rows belong together: those of one CMK.
type Together<'a> = (&'a DatabaseRef, &'a Untrusted, &'a Untrusted);

impl Index {
    /// Prepares `inventory` as it is at `now`.
    #[must_use]
    pub fn build(inventory: &Inventory, policies: &AgePolicies, now: Timestamp) -> Self {
        let mut index = Self::default();
        let mut known: HashMap<Together<'_>, u32> = HashMap::new();
        for row in &inventory.rows {
            let together = row.cmk().map(|cmk| (&cmk.database, &cmk.name, &cmk.key_path));
            let group = together.and_then(|together| known.get(&together).copied()).unwrap_or_else(|| {
                let place = u32::try_from(index.groups.len()).unwrap_or(u32::MAX);
                index.groups.push(Group::of(inventory, row, policies, now));
                together.map(|together| known.insert(together, place));
                place
            });
            index.group_of.push(group);
            if let Row::Pair(crate::model::pair::Pair { cek, .. }) | Row::OrphanColumnKey { cek, .. } = row {
                index.ceks.push_str(&cek.shown().to_lowercase());
            }
            index.cek_ends.push(index.ceks.len());
        }
        index.rank();
        index
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.group_of.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.group_of.is_empty()
    }

    /// The rows that `filter` lets through, as places in `inventory.rows`, in order.
    #[must_use]
    pub fn matching(&self, filter: &Filter, sort: Option<Sort>) -> Vec<u32> {
        let sought: Vec<Sought<'_>> =
            filter.terms.iter().map(|term| Sought::in_groups(term, &self.groups)).collect();
        let passes = |row: usize| {
            sought.iter().all(|word| {
                let held = word.in_group[self.group_of[row] as usize] || word.is_in_cek(self.cek(row));
                held != word.absent
            })
        };
        let rows = (0..self.len()).filter(|row| passes(*row));
        let mut rows: Vec<u32> = rows.filter_map(|row| u32::try_from(row).ok()).collect();
        if let Some(sort) = sort {
            self.sort(&mut rows, sort);
        }
        rows
    }

    /// Sorts rows; equal ones keep their order, and those that have no value come last either way.
    fn sort(&self, rows: &mut [u32], sort: Sort) {
        let key = |row: &u32| match (self.value(*row as usize, sort.column), sort.descending) {
            (Some(value), false) => (false, value),
            (Some(value), true) => (false, value.saturating_neg()),
            (None, _) => (true, 0),
        };
        rows.sort_by_key(key);
    }

    fn value(&self, row: usize, column: Column) -> Option<i64> {
        let group = &self.groups[self.group_of[row] as usize];
        match column {
            Column::State => Some(group.urgency),
            Column::ColumnKey => Some(self.cek_ranks.get_or_init(|| self.rank_ceks())[row]),
            Column::MasterKey => Some(group.master_key_rank),
            Column::Database => Some(group.database_rank),
            Column::Rotated => group.rotated,
            Column::Age => group.rotated.map(i64::saturating_neg),
            Column::Next => group.next,
            Column::LastUsed => group.last_used,
        }
    }

    fn cek(&self, row: usize) -> &str {
        let start = row.checked_sub(1).map_or(0, |before| self.cek_ends[before]);
        &self.ceks[start..self.cek_ends[row]]
    }

    fn rank(&mut self) {
        let by_name = |name: fn(&Group) -> &str, groups: &[Group]| ranks(groups.len(), |i| name(&groups[i]));
        let databases = by_name(|group| &group.database, &self.groups);
        let master_keys = by_name(|group| &group.master_key, &self.groups);
        for (group, (database, master_key)) in
            self.groups.iter_mut().zip(databases.into_iter().zip(master_keys))
        {
            group.database_rank = database;
            group.master_key_rank = master_key;
        }
    }

    fn rank_ceks(&self) -> Vec<i64> {
        ranks(self.len(), |row| self.cek(row))
    }
}

/// A word being sought in many rows. What a whole group holds need not be sought in each row of it.
struct Sought<'a> {
    word: Finder<'a>,
    absent: bool,
    may_be_cek: bool,
    in_group: Vec<bool>,
}

impl<'a> Sought<'a> {
    fn in_groups(term: &'a Term, groups: &[Group]) -> Self {
        let word = Finder::new(&term.text);
        let in_group = groups.iter().map(|group| group.holds(term.field, &word)).collect();
        let may_be_cek = matches!(term.field, None | Some(Field::ColumnKey));
        Self { word, absent: term.absent, may_be_cek, in_group }
    }

    fn is_in_cek(&self, cek: &str) -> bool {
        self.may_be_cek && self.word.find(cek.as_bytes()).is_some()
    }
}

/// Each item's place by name; equal names share one.
fn ranks<'a>(len: usize, name: impl Fn(usize) -> &'a str) -> Vec<i64> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|a, b| name(*a).cmp(name(*b)));
    let mut ranks = vec![0; len];
    let mut rank = 0;
    for pair in order.windows(2) {
        rank += i64::from(name(pair[0]) != name(pair[1]));
        ranks[pair[1]] = rank;
    }
    ranks
}

impl Group {
    fn of(inventory: &Inventory, row: &Row, policies: &AgePolicies, now: Timestamp) -> Self {
        let key = inventory.key_of(row).map(|key| &**key);
        let (kind, state) = row_state(inventory, row, policies, now);
        let kms_state = key.map(|key| key.state.as_str()).unwrap_or_default();
        let seconds = |at: Timestamp| at.as_second();
        let age = key.and_then(|key| RotationAge::of(key, policies, now).known().cloned());
        Self {
            state: format!("{} {state} {kms_state}", kind.word()).to_lowercase(),
            database: database(row).to_lowercase(),
            master_key: master_key_text(row, key).to_lowercase(),
            key: key_text(row, key).to_lowercase(),
            urgency: kind as i64,
            rotated: age.map(|age| seconds(age.since)),
            next: key.and_then(|key| key.rotation.known()?.next).map(seconds),
            last_used: key.and_then(|key| key.last_use.known()?.used.as_ref().map(|(at, _)| seconds(*at))),
            database_rank: 0,
            master_key_rank: 0,
        }
    }

    fn holds(&self, field: Option<Field>, word: &Finder<'_>) -> bool {
        let has = |text: &str| word.find(text.as_bytes()).is_some();
        match field {
            Some(Field::State) => has(&self.state),
            Some(Field::Database) => has(&self.database),
            Some(Field::MasterKey) => has(&self.master_key),
            Some(Field::Key) => has(&self.key),
            Some(Field::ColumnKey) => false,
            None => has(&self.state) || has(&self.database) || has(&self.master_key) || has(&self.key),
        }
    }
}

fn database(row: &Row) -> String {
    let both = |database: &DatabaseRef| format!("{} {}", database.database, database.server);
    match row {
        Row::Pair(pair) => both(&pair.cmk.database),
        Row::UnusedMasterKey { cmk } => both(&cmk.database),
        Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => both(database),
        Row::UnreadableServer { server, .. } => server.to_string(),
        Row::UnreadableRegion { region, .. } => visible(region).into_owned(),
        Row::UnreferencedKey { .. } => String::new(),
    }
}

/// The master key as the list shows it, by its KMS key's name, and by its own.
fn master_key_text(row: &Row, key: Option<&KmsKey>) -> String {
    let names = [key.map(KmsKey::name), row.cmk().map(|cmk| cmk.name.to_string())];
    names.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The key by all its names: aliases, ARN, key path.
fn key_text(row: &Row, key: Option<&KmsKey>) -> String {
    let mut words: Vec<String> = Vec::new();
    if let Some(aliases) = key.and_then(|key| key.aliases.known()) {
        words.extend(aliases.iter().map(ToString::to_string));
    }
    words.extend(row.key_arn().map(ToString::to_string));
    words.extend(row.cmk().map(|cmk| cmk.key_path.to_string()));
    words.join(" ")
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
