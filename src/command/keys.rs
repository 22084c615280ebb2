//! `keys`: the pairs of column keys and KMS keys, as the console lists them.

use std::io::Write;
use std::sync::Arc;

use super::CommandError;
use super::output::{self, Format};
use crate::estate::Estate;
use crate::inventory::filter::Filter;
use crate::inventory::index::Index;
use crate::inventory::present::{self, PairLine, PairRecord};
use crate::inventory::refresh::{Progress, load_once};
use crate::model::pair::Inventory;

const HEAD: [&str; 9] =
    ["state", "column key", "master key", "cmk", "database", "rotated", "age", "next", "last used"];

/// Loads the inventory and prints the rows that `filter` lets through. `progress` is told how far it has come.
///
/// # Errors
/// When writing fails; when a source could not be read at all, after printing what the others say.
pub async fn run(
    estate: &Arc<Estate>,
    format: Format,
    filter: &str,
    progress: impl FnMut(Progress),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let inventory = load_once(estate, progress).await;
    let (policies, now) = (&estate.environment.age, estate.clock.now());
    let shown = Index::build(&inventory, policies, now).matching(&Filter::parse(filter), None);
    let rows = shown.iter().filter_map(|&at| inventory.rows.get(at as usize));
    match format {
        Format::Json => {
            let records: Vec<_> = rows.map(|row| present::record(&inventory, row, policies, now)).collect();
            output::json(out, &records)?;
        }
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
fn complete(inventory: &Inventory) -> Result<(), CommandError> {
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
    let age = line.age_percent.map_or(String::new(), |percent| format!("{percent} %"));
    [
        format!("{} {}", line.kind.glyph(), line.state),
        line.column_key,
        line.master_key,
        line.cmk,
        line.database,
        line.rotated,
        age,
        line.next,
        line.last_used,
    ]
}
