//! Finding rows in the inventories of one or more environments, sorted as one list, and grouping them.

use std::cmp::Ordering;
use std::collections::HashMap;

use jiff::Timestamp;

use crate::filter::{Expr, Term};
use crate::model::pair::Inventory;

use super::filter::{Filter, KeyField};
use super::index::{Ground, Index, Leaf};
use crate::model::column::{Column, Sort};

/// One environment's share of the list.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    pub environment: &'a str,
    pub inventory: &'a Inventory,
    /// Of this inventory.
    pub index: &'a Index,
}

/// A row, by the part that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId {
    pub part: u16,
    /// Its place among the part's inventory's rows.
    pub row: u32,
}

/// What a filter lets through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub rows: Vec<RowId>,
    /// Words that no row has, and that were taken for what comes closest. The closest rows come first then.
    pub loosely: Vec<String>,
}

/// What rows can be put together by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grouping {
    MasterKey,
    Database,
    Environment,
    State,
}

/// Rows that belong together, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The same for the same thing, whatever the inventory.
    pub mark: u64,
    /// At least one.
    pub rows: Vec<RowId>,
}

/// The rows that `filter` lets through, in order. Those that `sort` has no value for come last either way; equal ones
/// keep the inventory's order.
#[must_use]
pub fn find(parts: &[Part<'_>], filter: &Filter, sort: Option<Sort>, now: Timestamp) -> Found {
    let mut exprs: Vec<Expr<Leaf>> = parts.iter().map(|part| held(*part, filter, now)).collect();
    let loosely = loosened(parts, &mut exprs);
    let mut lists: Vec<Vec<Line>> = Vec::with_capacity(parts.len());
    for (number, (part, expr)) in (0..).zip(parts.iter().zip(&exprs)) {
        let mut lines = matching(number, *part, expr, sort, !loosely.is_empty());
        if sort.is_some() || !loosely.is_empty() {
            lines.sort_by_key(Line::order);
        }
        lists.push(lines);
    }
    let several = lists.iter().filter(|lines| !lines.is_empty()).count() > 1;
    let mut lines = lists.concat();
    if several && let Some(sort) = sort {
        // A stable sort of what is sorted already is a merge.
        lines.sort_by(|a, b| across(parts, sort, a, b));
    } else if several && !loosely.is_empty() {
        lines.sort_by_key(|line| line.distance);
    }
    Found { rows: lines.into_iter().map(|line| line.id).collect(), loosely }
}

/// A row on its way into the list.
#[derive(Clone, Copy, Debug)]
struct Line {
    distance: u32,
    value: Option<i64>,
    id: RowId,
}

impl Line {
    fn order(&self) -> (u32, bool, i64) {
        (self.distance, self.value.is_none(), self.value.unwrap_or(0))
    }
}

/// A filter, held against a part's rows.
fn held(part: Part<'_>, filter: &Filter, now: Timestamp) -> Expr<Leaf> {
    let environment = part.environment.to_lowercase();
    let ground = Ground { environment: &environment, now: now.as_second() };
    filter.0.clone().map(&mut |term: Term<KeyField>, wanted| part.index.leaf(term, wanted, ground))
}

/// Takes the words that no part has loosely; gives them.
fn loosened(parts: &[Part<'_>], exprs: &mut [Expr<Leaf>]) -> Vec<String> {
    let Some(first) = exprs.first() else { return Vec::new() };
    let mut words: Vec<Option<String>> = first.conditions().map(|leaf| leaf.word.clone()).collect();
    for expr in &*exprs {
        for (word, leaf) in words.iter_mut().zip(expr.conditions()) {
            if leaf.is_anywhere() {
                *word = None;
            }
        }
    }
    if parts.iter().all(|part| part.index.is_empty()) || words.iter().all(Option::is_none) {
        return Vec::new();
    }
    // A word that nothing is even close to stays as it is.
    let mut loose: HashMap<(usize, String), Leaf> = HashMap::new();
    for (number, part) in parts.iter().enumerate() {
        for word in words.iter().flatten() {
            if let Some(leaf) = part.index.loosened(word) {
                loose.insert((number, word.clone()), leaf);
            }
        }
    }
    let close = |word: &String| {
        (0..parts.len()).any(|n| loose.get(&(n, word.clone())).is_some_and(Leaf::is_anywhere))
    };
    let words: Vec<Option<String>> = words.into_iter().map(|word| word.filter(|word| close(word))).collect();
    for (number, expr) in exprs.iter_mut().enumerate() {
        let mut each = words.iter();
        let own = std::mem::take(expr);
        *expr = own.map(&mut |leaf, _| {
            let word = each.next().and_then(Option::as_ref);
            word.and_then(|word| loose.remove(&(number, word.clone()))).unwrap_or(leaf)
        });
    }
    let mut taken: Vec<String> = words.into_iter().flatten().collect();
    taken.dedup();
    taken
}

fn matching(number: u16, part: Part<'_>, expr: &Expr<Leaf>, sort: Option<Sort>, loosely: bool) -> Vec<Line> {
    let index = part.index;
    let line = |row: usize| {
        let group = index.group_of(row);
        if !expr.holds(&|leaf: &Leaf| leaf.holds(group, row)) {
            return None;
        }
        let distance = if loosely {
            let close = expr.conditions().filter(|leaf| leaf.holds(group, row));
            close.map(|leaf| leaf.distance(group, row)).sum()
        } else {
            0
        };
        let value = sort.and_then(|sort| {
            let value = index.value(row, sort.column);
            if sort.descending { value.map(i64::saturating_neg) } else { value }
        });
        Some(Line { distance, value, id: RowId { part: number, row: u32::try_from(row).ok()? } })
    };
    (0..index.len()).filter_map(line).collect()
}

/// The order of two rows that may be of two parts.
fn across(parts: &[Part<'_>], sort: Sort, a: &Line, b: &Line) -> Ordering {
    let turned = |order: Ordering| if sort.descending { order.reverse() } else { order };
    let name = |line: &Line| match sort.column {
        Column::Environment => Some(parts[usize::from(line.id.part)].environment),
        column => parts[usize::from(line.id.part)].index.name(line.id.row as usize, column),
    };
    a.distance.cmp(&b.distance).then(a.value.is_none().cmp(&b.value.is_none())).then_with(|| {
        match (name(a), name(b)) {
            (Some(a), Some(b)) => turned(a.cmp(b)),
            // Turned round already.
            _ => a.value.cmp(&b.value),
        }
    })
}

/// Puts rows together. Groups come in the order of their first row.
#[must_use]
pub fn group(parts: &[Part<'_>], rows: &[RowId], by: Grouping) -> Vec<Group> {
    let mut places: HashMap<(u16, u64), usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for id in rows {
        let Some(part) = parts.get(usize::from(id.part)) else { continue };
        let row = id.row as usize;
        // A state is one whatever the environment; a name in two environments is two things.
        let key = match by {
            Grouping::MasterKey => (id.part, part.index.key_mark(row)),
            Grouping::Database => (id.part, part.index.database_mark(row)),
            Grouping::Environment => (id.part, 0),
            Grouping::State => (0, part.index.urgency(row).unsigned_abs()),
        };
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(Group { mark: mark(parts, by, key), rows: Vec::new() });
            groups.len() - 1
        });
        groups[place].rows.push(*id);
    }
    groups
}

fn mark(parts: &[Part<'_>], by: Grouping, (part, own): (u16, u64)) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let environment = (by != Grouping::State).then(|| parts.get(usize::from(part)).map(|p| p.environment));
    let mut hasher = DefaultHasher::new();
    (by, environment, own).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;
