//! One condition of a filter, held against every row at once.

use memchr::memmem::Finder;

use crate::filter::{BETWEEN, Loose, Term, Test};
use crate::inventory::filter::KeyField;
use crate::inventory::present::StateKind;
use crate::inventory::traits::Traits;

use super::Index;
use super::group::{Group, aliases, both};
use super::texts::{FAR, Texts, near};

/// Which rows a condition holds for: all those of a group, or single ones.
#[derive(Debug)]
pub(in crate::inventory) struct Leaf {
    in_group: Vec<bool>,
    in_row: Option<Vec<bool>>,
    /// How far each group and each row is from a word taken loosely; [`FAR`] where it is not close.
    distances: Option<(Vec<u8>, Vec<u8>)>,
    /// The word that it asks for, where it may be taken loosely.
    pub word: Option<String>,
}

impl Leaf {
    /// Whether it holds for that row of that group.
    pub fn holds(&self, group: usize, row: usize) -> bool {
        match &self.distances {
            Some((groups, rows)) => groups[group] != FAR || rows[row] != FAR,
            None => self.in_group[group] || self.in_row.as_ref().is_some_and(|rows| rows[row]),
        }
    }

    /// How far the row is from it; 0 where it is not taken loosely.
    pub fn distance(&self, group: usize, row: usize) -> u32 {
        self.distances.as_ref().map_or(0, |(groups, rows)| u32::from(groups[group].min(rows[row])))
    }

    /// Whether any row at all has it, or is close to it where it is taken loosely.
    pub fn is_anywhere(&self) -> bool {
        let close = |all: &[u8]| all.iter().any(|distance| *distance != FAR);
        self.in_row.is_some()
            || self.in_group.contains(&true)
            || self.distances.as_ref().is_some_and(|(groups, rows)| close(groups) || close(rows))
    }

    fn of_groups(in_group: Vec<bool>) -> Self {
        Self { in_group, in_row: None, distances: None, word: None }
    }
}

/// What a condition is read against beside the rows.
#[derive(Clone, Copy)]
pub(in crate::inventory) struct Ground<'a> {
    /// In lower case.
    pub environment: &'a str,
    /// Seconds since 1970.
    pub now: i64,
}

impl Index {
    /// A condition, held against every row. `wanted` is false under a *not*, where nothing is taken loosely.
    pub(in crate::inventory) fn leaf(&self, term: Term<KeyField>, wanted: bool, ground: Ground<'_>) -> Leaf {
        match term {
            Term::Word { text, quoted } => {
                let finder = Finder::new(&text);
                let in_text = |own: &str| finder.find(own.as_bytes()).is_some();
                let has = |texts: &Texts| texts.which(in_text);
                let (states, databases) = (has(&self.shared.states), has(&self.shared.databases));
                let servers = has(&self.shared.servers);
                let (names, keys) = (self.names.holding(&text), self.keys.holding(&text));
                let everywhere = ground.environment.contains(&text);
                let holds = |(at, group): (usize, &Group)| {
                    let own = |lines: &Option<Vec<bool>>| lines.as_ref().is_some_and(|lines| lines[at]);
                    everywhere
                        || states[group.state as usize]
                        || databases[group.database as usize]
                        || servers[group.server as usize]
                        || own(&names)
                        || own(&keys)
                };
                let in_group = self.groups.iter().enumerate().map(holds).collect();
                let in_row = self.ceks.holding(&text);
                let word = (wanted && !quoted).then_some(text);
                Leaf { in_row, word, ..Leaf::of_groups(in_group) }
            }
            Term::Field { field, test } => self.field_leaf(field, &test, ground),
        }
    }

    fn field_leaf(&self, field: KeyField, test: &Test, ground: Ground<'_>) -> Leaf {
        let groups =
            |holds: &dyn Fn(&Group) -> bool| Leaf::of_groups(self.groups.iter().map(holds).collect());
        let shared = |texts: &Texts, number: fn(&Group) -> u32| {
            let which = texts.which(|text| text.split(BETWEEN).any(|part| test.holds_text(part)));
            groups(&|group| which[number(group) as usize])
        };
        let holds = |part: &str| test.holds_text(part);
        let time = |at: Option<i64>, word: &str, forward: bool| match at {
            Some(at) if forward => test.holds_number(at - ground.now),
            Some(at) => test.holds_number(ground.now - at),
            None => test.wants(if word.is_empty() { "unknown" } else { word }),
        };
        match field {
            KeyField::State => {
                let wanted = StateKind::bits(|word| test.wants(word));
                groups(&|group| group.states & wanted != 0)
            }
            KeyField::Is => {
                let Test::Words(words) = test else { return groups(&|_| false) };
                let wanted = Traits::named(words);
                let rows = self.traits.iter().map(|traits| traits.any_of(wanted)).collect();
                Leaf { in_row: Some(rows), ..groups(&|_| false) }
            }
            KeyField::Age => groups(&|group| match group.age_days {
                Some(days) => test.holds_number(days),
                None => test.wants("unknown"),
            }),
            KeyField::Rotated => groups(&|group| time(group.rotated, "", false)),
            KeyField::Next => groups(&|group| time(group.next, group.next_word, true)),
            KeyField::LastUsed => groups(&|group| time(group.last_used, group.use_word, false)),
            KeyField::Environment => {
                let holds = test.holds_text(ground.environment);
                groups(&|_| holds)
            }
            KeyField::Database => shared(&self.shared.databases, |group| group.database),
            KeyField::Server => shared(&self.shared.servers, |group| group.server),
            KeyField::Region => shared(&self.shared.regions, |group| group.region),
            KeyField::Account => shared(&self.shared.accounts, |group| group.account),
            KeyField::Kind => shared(&self.shared.kinds, |group| group.kind),
            KeyField::Tag => {
                let which = self.shared.tags.which(|tags| has_tag(tags, test));
                groups(&|group| which[group.tags as usize])
            }
            KeyField::MasterKey => Leaf::of_groups(self.names.which(|names| both(names).any(holds))),
            KeyField::Key => {
                let aliased = self.with_alias(holds);
                let named = self.keys.which(|key| key.split(BETWEEN).chain([arn_id(key)]).any(holds));
                Leaf::of_groups(aliased.into_iter().zip(named).map(|(a, b)| a || b).collect())
            }
            KeyField::Alias => Leaf::of_groups(self.with_alias(holds)),
            KeyField::ColumnKey => Leaf { in_row: self.ceks.passing(test), ..groups(&|_| false) },
            KeyField::Table => Leaf { in_row: Some(self.tables.passing(test)), ..groups(&|_| false) },
            KeyField::Column => Leaf { in_row: Some(self.columns.passing(test)), ..groups(&|_| false) },
        }
    }

    /// The same condition, taken loosely: what comes close to its word. None where the word is too short for that.
    pub(in crate::inventory) fn loosened(&self, word: &str) -> Option<Leaf> {
        let loose = Loose::new(word)?;
        let databases = self.shared.databases.each(|text| near(loose.distance(text)));
        let names = self.names.distances(word, &loose);
        let group = |(group, own): (&Group, u8)| own.min(databases[group.database as usize]);
        let groups = self.groups.iter().zip(names).map(group).collect();
        let rows = self.ceks.distances(word, &loose);
        Some(Leaf { distances: Some((groups, rows)), ..Leaf::of_groups(Vec::new()) })
    }

    /// The groups of which an alias passes.
    fn with_alias(&self, holds: impl Fn(&str) -> bool) -> Vec<bool> {
        let passes = |(at, group): (usize, &Group)| group.aliased && aliases(self.names.get(at)).any(&holds);
        self.groups.iter().enumerate().map(passes).collect()
    }
}

/// A key's id, for `key:=ID`: what follows the last slash of an ARN.
fn arn_id(key: &str) -> &str {
    key.rsplit_once(":key/").map_or("", |(_, id)| id)
}

fn has_tag(tags: &str, test: &Test) -> bool {
    let Test::Named { name, value } = test else { return false };
    tags.split(BETWEEN)
        .filter_map(|tag| tag.split_once('='))
        .any(|(own, held)| own == name && value.as_ref().is_none_or(|value| held.contains(value.as_str())))
}
