//! One condition of a filter, held against every row at once.

use memchr::memmem::Finder;

use crate::filter::{Loose, Term, Test};
use crate::inventory::filter::KeyField;
use crate::inventory::present::StateKind;
use crate::inventory::traits::Traits;
use crate::model::pair::{Inventory, Row};

use super::Index;
use super::group::Group;
use super::texts::{BETWEEN, Lines, Texts, letters};

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

const FAR: u8 = u8::MAX;

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
    pub inventory: &'a Inventory,
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
                let everywhere = ground.environment.contains(&text);
                let holds = |group: &Group| {
                    everywhere
                        || states[group.state as usize]
                        || databases[group.database as usize]
                        || servers[group.server as usize]
                        || in_text(&group.master_key)
                        || in_text(&group.key)
                };
                let in_group = self.groups.iter().map(holds).collect();
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
        let parts = |text: &str| text.split(BETWEEN).any(|part| test.holds_text(part));
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
            KeyField::MasterKey => groups(&|group| parts(&group.master_key)),
            KeyField::Key => groups(&|group| parts(&group.key) || parts(arn_id(&group.key))),
            KeyField::Alias => groups(&|group| parts(&group.key[..group.aliases])),
            KeyField::ColumnKey => Leaf { in_row: self.ceks.passing(test), ..groups(&|_| false) },
            KeyField::Table => {
                let tables = &self.columns(ground.inventory).0;
                Leaf { in_row: tables.passing(test), ..groups(&|_| false) }
            }
            KeyField::Column => {
                let columns = &self.columns(ground.inventory).1;
                Leaf { in_row: columns.passing(test), ..groups(&|_| false) }
            }
        }
    }

    /// The same condition, taken loosely: what comes close to its word. None where the word is too short for that.
    pub(in crate::inventory) fn loosened(&self, word: &str) -> Option<Leaf> {
        let loose = Loose::new(word)?;
        let sought = letters(word);
        // A letter that is missing costs at least one keystroke.
        let missing = |has: u64| (sought & !has).count_ones();
        let nearest = |has: u64, text: &str| match missing(has) {
            0 => loose.distance(text),
            some if some <= loose.allowed() => loose.mistyped(text),
            _ => None,
        };
        let far = |found: Option<u32>| found.and_then(|d| u8::try_from(d).ok()).unwrap_or(FAR);
        let databases: Vec<u8> = self.shared.databases.each(|text| far(loose.distance(text)));
        let group = |group: &Group| {
            if missing(group.letters) > loose.allowed() {
                return FAR;
            }
            let (name, cmk) = group.master_key.split_once(BETWEEN).unwrap_or_default();
            // The key's name is its first alias, mostly the only one.
            let others = group.key[..group.aliases].split(BETWEEN).filter(|alias| *alias != name);
            let names = [name, cmk].into_iter().chain(others);
            let closest = names.filter_map(|name| nearest(group.letters, name)).min();
            far(closest).min(databases[group.database as usize])
        };
        let row = |row: usize| far(nearest(self.ceks.letters(row), self.ceks.get(row)));
        let groups = self.groups.iter().map(group).collect();
        let rows = (0..self.ceks.len()).map(row).collect();
        Some(Leaf { distances: Some((groups, rows)), ..Leaf::of_groups(Vec::new()) })
    }

    /// Tables and columns that each row protects; made when they are first asked for.
    fn columns(&self, inventory: &Inventory) -> &(Lines, Lines) {
        self.columns.get_or_init(|| {
            let (mut tables, mut columns) = (Lines::default(), Lines::default());
            for row in &inventory.rows {
                let own = match row {
                    Row::Pair(pair) => pair.columns.as_slice(),
                    Row::OrphanColumnKey { columns, .. } => columns.as_slice(),
                    _ => &[],
                };
                let (mut table_line, mut column_line) = (String::new(), String::new());
                for column in own {
                    table_line.extend([&column.schema.shown(), ".", &column.table.shown(), "\t"]);
                    column_line.extend([&column.name.shown(), "\t"]);
                }
                tables.push(&table_line);
                columns.push(&column_line);
            }
            (tables, columns)
        })
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
