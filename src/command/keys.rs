//! `keys`: the pairs of column keys and KMS keys, as the console lists them.

use std::io::Write;
use std::sync::Arc;

use super::CommandError;
use super::output::{self, Format};
use crate::estate::Estate;
use crate::inventory::filter::Filter;
use crate::inventory::index::Index;
use crate::inventory::present::{self, PairLine, PairRecord};
use crate::inventory::refresh::{Fact, Progress, Wants, load_once};
use crate::model::pair::Inventory;

const HEAD: [&str; 9] =
    ["state", "column key", "master key", "cmk", "database", "rotated", "age", "next", "last used"];

/// Loads the inventory and prints the rows that `filter` lets through. `progress` is told how far it has come.
///
/// When each key was last used is read only where `last_use` says so: KMS answers five such requests a second.
///
/// # Errors
/// When writing fails; when a source could not be read at all, after printing what the others say.
pub async fn run(
    estate: &Arc<Estate>,
    format: Format,
    filter: &str,
    last_use: bool,
    progress: impl FnMut(Progress),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let wants = if last_use { Wants::TABLE.with(Fact::LastUse) } else { Wants::TABLE };
    let inventory = load_once(estate, wants, progress).await;
    let (policies, now) = (&estate.environment.age, estate.clock.now());
    let shown = Index::build(&inventory, policies, now).matching(&Filter::parse(filter), None);
    let rows = shown.iter().filter_map(|&at| inventory.rows.get(at as usize));
    match format {
        Format::Json => {
            let records: Vec<_> = rows.map(|row| present::record(&inventory, row, policies, now)).collect();
            output::json(out, &records)?;
        }
        Format::Jsonl => output::jsonl(out, rows.map(|row| present::record(&inventory, row, policies, now)))?,
        Format::Csv => {
            let rows = rows.map(|row| present::record(&inventory, row, policies, now).values());
            output::csv(out, &PairRecord::FIELDS, rows)?;
        }
        Format::Table => {
            output::table(out, &HEAD, rows.map(|row| cells(present::line(&inventory, row, policies, now))))?;
        }
    }
    complete(&inventory)
}

/// Whether every source answered: a list with a source missing must not pass for the whole.
pub(super) fn complete(inventory: &Inventory) -> Result<(), CommandError> {
    let unread = inventory.sources.iter().filter(|(_, health)| health.last_success.is_none());
    let told: Vec<String> = unread
        .filter_map(|(source, health)| {
            health.failing.as_ref().map(|(_, why)| format!("\n  {source} could not be read: {}", why.reason))
        })
        .collect();
    if told.is_empty() {
        Ok(())
    } else {
        Err(CommandError::failed(format!("the list is not complete:{}", told.concat())))
    }
}

fn cells(line: PairLine) -> [String; 9] {
    // Nothing is cut here, so that there is room to say how many master keys share it.
    let shared = match line.master_keys_of_key {
        0 | 1 => String::new(),
        many => format!(" ×{many}"),
    };
    let age = line.age_percent.map_or(String::new(), |percent| format!("{percent} %"));
    [
        format!("{} {}", line.kind.glyph(), line.state),
        line.column_key,
        format!("{}{shared}", line.master_key),
        line.cmk,
        line.database,
        line.rotated,
        age,
        line.next,
        line.last_used,
    ]
}
