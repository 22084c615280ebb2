//! `keys`: the pairs of column keys and KMS keys, as the console lists them, of one or more environments.

use std::collections::HashSet;
use std::io::Write;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::Timestamp;

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::estate::Estate;
use crate::inventory::filter::Filter;
use crate::inventory::find::{Part, RowId, find};
use crate::inventory::index::Index;
use crate::inventory::present::{self, PairLine, PairRecord, StateKind};
use crate::inventory::refresh::{Fact, Progress, Wants, load_once};
use crate::inventory::traits::Trait;
use crate::model::age::AgePolicies;
use crate::model::column::{Column, Sort};
use crate::model::pair::{Inventory, Row};
use crate::model::seen::{Cause, NotVisible};
use crate::model::text::visible;

/// The table's columns where nobody chose.
const USUAL: [Column; 9] = [
    Column::State,
    Column::ColumnKey,
    Column::MasterKey,
    Column::Cmk,
    Column::Database,
    Column::Rotated,
    Column::Age,
    Column::Next,
    Column::LastUsed,
];

/// What is to be listed, and how.
#[derive(Debug)]
pub struct Wanted {
    format: Format,
    filter: Filter,
    columns: Chosen,
    sort: Option<Sort>,
    fail_on: FailOn,
    wants: Wants,
}

/// What is printed of each row.
#[derive(Debug)]
enum Chosen {
    /// Of a table. None: the usual ones.
    Columns(Option<Vec<Column>>),
    /// Of records, by the names in [`PairRecord::FIELDS`]. None: all.
    Fields(Option<Vec<&'static str>>),
}

/// An environment that was asked for.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub environment: String,
    /// Why not, where it could not be opened.
    pub estate: Result<&'a Arc<Estate>, &'a str>,
}

impl Wanted {
    /// Reads the words, before anything is asked of anybody.
    ///
    /// # Errors
    /// What is wrong with them, and what they take.
    pub fn read(
        format: Format,
        filter: &str,
        columns: &[String],
        sort: Option<Sort>,
        fail_on: &[String],
        last_use: bool,
    ) -> Result<Self, CommandError> {
        let filter = Filter::parse(filter).map_err(|bad| CommandError::usage(format!("--filter: {bad}")))?;
        let chosen = (!columns.is_empty()).then_some(columns);
        let columns = match format {
            Format::Table => Chosen::Columns(chosen.map(table_columns).transpose()?),
            Format::Json | Format::Jsonl | Format::Csv => Chosen::Fields(chosen.map(fields).transpose()?),
        };
        let wants = if last_use { Wants::TABLE.with(Fact::LastUse) } else { Wants::TABLE };
        Ok(Self { format, filter, columns, sort, fail_on: FailOn::read(fail_on)?, wants })
    }
}

fn table_columns(words: &[String]) -> Result<Vec<Column>, CommandError> {
    let read: Result<Vec<Column>, _> = words.iter().map(|word| word.parse()).collect();
    read.map_err(|why| CommandError::usage(format!("--columns: {why}")))
}

fn fields(words: &[String]) -> Result<Vec<&'static str>, CommandError> {
    let known = words
        .iter()
        .map(|word| PairRecord::FIELDS.into_iter().find(|field| *field == word.trim()).ok_or(word));
    known.collect::<Result<_, _>>().map_err(|word| {
        CommandError::usage(format!(
            "--columns: `{}` is no field of this format; there are: {}",
            visible(word),
            PairRecord::FIELDS.join(", ")
        ))
    })
}

/// What makes the command end with exit code 5.
#[derive(Debug, Default)]
pub struct FailOn(Vec<(&'static str, Filter)>);

impl FailOn {
    /// Every word that it takes: the states, and what `is:` takes.
    #[must_use]
    pub fn words() -> Vec<&'static str> {
        let traits = Trait::WORDS.into_iter().filter(|word| !StateKind::WORDS.contains(word));
        StateKind::WORDS.into_iter().chain(traits).collect()
    }

    fn read(words: &[String]) -> Result<Self, CommandError> {
        let all = Self::words();
        let read = |word: &String| {
            let known = all.iter().find(|one| **one == word.trim()).ok_or_else(|| {
                let told = all.join(", ");
                CommandError::usage(format!(
                    "--fail-on: `{}` is no such word; there are: {told}",
                    visible(word)
                ))
            })?;
            let field = if StateKind::WORDS.contains(known) { "state" } else { "is" };
            // A word of the field's own list is a filter.
            let filter = Filter::parse(&format!("{field}:={known}")).unwrap_or_default();
            Ok((*known, filter))
        };
        words.iter().map(read).collect::<Result<_, CommandError>>().map(Self)
    }
}

/// One environment, loaded.
struct Listed {
    environment: String,
    age: AgePolicies,
    inventory: Inventory,
    index: Index,
}

/// Loads the inventories and prints the rows that the filter lets through. `progress` is told how far a load has come,
/// where there is one environment.
///
/// When each key was last used is read only where `last_use` says so: KMS answers five such requests a second.
///
/// # Errors
/// When writing fails; [`Exit::Findings`] where a row printed is what `fail_on` names; when a source could not be read
/// at all, after printing what the others say.
pub async fn run(
    asked: &[Asked<'_>],
    wanted: &Wanted,
    mut progress: impl FnMut(Progress),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let loaded: Vec<Inventory> = match asked {
        [one] => vec![load(one, wanted.wants, &mut progress).await],
        several => join_all(several.iter().map(|one| load(one, wanted.wants, |_| ()))).await,
    };
    let clock = asked.iter().find_map(|one| one.estate.ok()).map(|estate| estate.clock.now());
    let now = clock.unwrap_or_else(Timestamp::now);
    let listed: Vec<Listed> =
        asked.iter().zip(loaded).map(|(one, inventory)| ready(one, inventory, now)).collect();
    let parts: Vec<Part<'_>> = listed.iter().map(Listed::part).collect();
    let rows = find(&parts, &wanted.filter, wanted.sort, now);
    for word in &rows.loosely {
        eprintln!("portcullis: nothing has `{}`; these are closest to it", visible(word));
    }
    print(&listed, &rows.rows, wanted, now, out)?;
    let findings = findings(&parts, &rows.rows, &wanted.fail_on, now);
    let missing = missing(&listed);
    match (findings.is_empty(), missing.is_empty()) {
        (true, true) => Ok(()),
        (true, false) => Err(CommandError::failed(missing)),
        (false, _) => {
            let more = if missing.is_empty() { String::new() } else { format!("\n{missing}") };
            Err(CommandError { exit: Exit::Findings, say: format!("{findings}{more}") })
        }
    }
}

async fn load(asked: &Asked<'_>, wants: Wants, progress: impl FnMut(Progress)) -> Inventory {
    match asked.estate {
        Ok(estate) => load_once(estate, wants, progress).await,
        Err(why) => {
            let why = NotVisible::new(Cause::Unreachable, why);
            let environment = asked.environment.clone();
            let rows = vec![Row::UnreadableEnvironment { environment, why }];
            Inventory { rows: rows.into(), ..Inventory::default() }
        }
    }
}

fn ready(asked: &Asked<'_>, inventory: Inventory, now: Timestamp) -> Listed {
    let age = asked.estate.map(|estate| estate.environment.age.clone()).unwrap_or_default();
    let index = Index::build(&inventory, &age, now);
    Listed { environment: asked.environment.clone(), age, inventory, index }
}

impl Listed {
    fn part(&self) -> Part<'_> {
        Part { environment: &self.environment, inventory: &self.inventory, index: &self.index }
    }

    fn line(&self, row: &Row, now: Timestamp) -> PairLine {
        present::line(&self.inventory, row, &self.age, now)
    }

    fn record(&self, row: &Row, now: Timestamp) -> PairRecord {
        present::record(&self.inventory, row, &self.age, now).of_environment(&self.environment)
    }
}

fn print(
    listed: &[Listed],
    rows: &[RowId],
    wanted: &Wanted,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let rows = rows.iter().filter_map(|id| {
        let of = &listed[usize::from(id.part)];
        Some((of, of.inventory.rows.get(id.row as usize)?))
    });
    match &wanted.columns {
        Chosen::Columns(chosen) => {
            let columns = chosen.clone().unwrap_or_else(|| usual(listed.len()));
            let head: Vec<&str> = columns.iter().map(|column| column.title()).collect();
            let cells = rows.map(|(of, row)| {
                let line = of.line(row, now);
                columns.iter().map(|column| cell(of, row, &line, *column)).collect::<Vec<_>>()
            });
            output::table(out, &head, cells)?;
        }
        Chosen::Fields(fields) => {
            let records = rows.map(|(of, row)| of.record(row, now));
            print_records(records, fields.as_deref(), wanted.format, out)?;
        }
    }
    Ok(())
}

fn usual(environments: usize) -> Vec<Column> {
    let environment = (environments > 1).then_some(Column::Environment);
    let (first, rest) = USUAL.split_at(1);
    first.iter().copied().chain(environment).chain(rest.iter().copied()).collect()
}

fn print_records(
    records: impl Iterator<Item = PairRecord>,
    fields: Option<&[&str]>,
    format: Format,
    out: &mut impl Write,
) -> std::io::Result<()> {
    if format == Format::Csv {
        let head = fields.unwrap_or(&PairRecord::FIELDS);
        let at: Vec<usize> =
            head.iter().filter_map(|field| PairRecord::FIELDS.iter().position(|one| one == field)).collect();
        let rows = records.map(|record| {
            let values = record.values();
            at.iter().filter_map(|at| values.get(*at).cloned()).collect::<Vec<_>>()
        });
        return output::csv(out, head, rows);
    }
    let Some(fields) = fields else {
        return match format {
            Format::Jsonl => output::jsonl(out, records),
            _ => output::json(out, &records.collect::<Vec<_>>()),
        };
    };
    let picked = records.map(|record| {
        let whole = serde_json::to_value(record).unwrap_or_default();
        let pick = |field: &&str| Some(((*field).to_owned(), whole.get(*field)?.clone()));
        fields.iter().filter_map(pick).collect::<serde_json::Map<_, _>>()
    });
    match format {
        Format::Jsonl => output::jsonl(out, picked),
        _ => output::json(out, &picked.collect::<Vec<_>>()),
    }
}

fn cell(of: &Listed, row: &Row, line: &PairLine, column: Column) -> String {
    match column {
        Column::State => format!("{} {}", line.kind.glyph(), line.state),
        Column::Environment => of.environment.clone(),
        Column::ColumnKey => line.column_key.clone(),
        // Nothing is cut here, so that there is room to say how many master keys share it.
        Column::MasterKey if line.master_keys_of_key > 1 => {
            format!("{} ×{}", line.master_key, line.master_keys_of_key)
        }
        Column::MasterKey => line.master_key.clone(),
        Column::Cmk => line.cmk.clone(),
        Column::Database => line.database.clone(),
        Column::Server => line.server.clone(),
        Column::Rotated => line.rotated.clone(),
        Column::Age => line.age_percent.map_or(String::new(), |percent| format!("{percent} %")),
        Column::Next => line.next.clone(),
        Column::LastUsed => line.last_used.clone(),
        Column::Region => row.key_arn().map_or(String::new(), |arn| arn.region().to_owned()),
        Column::Account => row.key_arn().map_or(String::new(), |arn| arn.account().to_owned()),
        Column::Kind => {
            of.inventory.key_of(row).map_or(String::new(), |key| format!("{} {}", key.spec, key.origin))
        }
    }
}

/// What among the rows printed is what the words name: which, and how many. Empty where nothing is.
fn findings(parts: &[Part<'_>], rows: &[RowId], fail_on: &FailOn, now: Timestamp) -> String {
    const NAMED: usize = 5;
    let printed: HashSet<&RowId> = rows.iter().collect();
    let told = fail_on.0.iter().filter_map(|(word, filter)| {
        let found = find(parts, filter, None, now).rows;
        let names: Vec<String> =
            found.iter().filter(|id| printed.contains(id)).filter_map(|id| name(parts, *id)).collect();
        let more = names.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let first = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        (!names.is_empty()).then(|| format!("{} {word}: {first}{more}", names.len()))
    });
    told.collect::<Vec<_>>().join("\n  ")
}

/// What a row is called in a sentence.
fn name(parts: &[Part<'_>], id: RowId) -> Option<String> {
    let part = parts.get(usize::from(id.part))?;
    let row = part.inventory.rows.get(id.row as usize)?;
    let key = || part.inventory.key_of(row).map(|key| key.name());
    let name = match row {
        Row::Pair(pair) => pair.cek.to_string(),
        Row::OrphanColumnKey { cek, .. } => cek.to_string(),
        Row::UnusedMasterKey { cmk } => cmk.name.to_string(),
        Row::UnreferencedKey { key: arn, .. } => key().unwrap_or_else(|| arn.id().to_owned()),
        Row::UnreadableDatabase { database, .. } => database.database.to_string(),
        Row::UnreadableServer { server, .. } => server.to_string(),
        Row::UnreadableRegion { region, .. } => visible(region).into_owned(),
        Row::UnreadableEnvironment { environment, .. } => visible(environment).into_owned(),
    };
    Some(if parts.len() > 1 { format!("{} {name}", visible(part.environment)) } else { name })
}

/// What could not be read at all: a list with a source missing must not pass for the whole. Empty where it is whole.
fn missing(listed: &[Listed]) -> String {
    let mut told = Vec::new();
    for one in listed {
        let of = if listed.len() > 1 { format!("{}: ", visible(&one.environment)) } else { String::new() };
        for row in &one.inventory.rows {
            if let Row::UnreadableEnvironment { why, .. } = row {
                told.push(format!("\n  {of}could not be opened: {}", why.reason));
            }
        }
        told.extend(unread(&one.inventory).map(|source| format!("\n  {of}{source}")));
    }
    not_complete(&told)
}

/// The sources that could not be read at all, and why.
fn unread(inventory: &Inventory) -> impl Iterator<Item = String> {
    inventory.sources.iter().filter_map(|(source, health)| match (health.last_success, &health.failing) {
        (None, Some((_, why))) => Some(format!("{source} could not be read: {}", why.reason)),
        _ => None,
    })
}

fn not_complete(told: &[String]) -> String {
    if told.is_empty() { String::new() } else { format!("the list is not complete:{}", told.concat()) }
}

/// Whether every source of an inventory answered.
pub(super) fn complete(inventory: &Inventory) -> Result<(), CommandError> {
    let missing: Vec<String> = unread(inventory).map(|source| format!("\n  {source}")).collect();
    if missing.is_empty() { Ok(()) } else { Err(CommandError::failed(not_complete(&missing))) }
}
