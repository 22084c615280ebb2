//! `keys`: the pairs of column keys and KMS keys, as the console lists them.

use std::io::Write;
use std::sync::Arc;

use super::CommandError;
use super::output::{self, Format};
use crate::estate::Estate;
use crate::inventory::filter::Filter;
use crate::inventory::index::Index;
use crate::inventory::present::{self, PairLine, PairRecord};
use crate::inventory::refresh::Progress;
use crate::inventory::refresh::load_once;

const HEAD: [&str; 9] =
    ["state", "column key", "master key", "cmk", "database", "rotated", "age", "next", "last used"];

/// Loads the inventory and prints the rows that `filter` lets through. `progress` is told how far it has come,
/// and after it what could not be seen.
///
/// # Errors
/// When writing fails. A source that could not be read is said in the rows and through `progress`.
pub async fn run(
    estate: &Arc<Estate>,
    format: Format,
    filter: &str,
    progress: impl FnMut(Progress),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let inventory = load_once(estate, progress).await;
    let (policy, now) = (estate.environment.age, estate.clock.now());
    let shown = Index::build(&inventory, policy, now).matching(&Filter::parse(filter), None);
    let rows = shown.iter().filter_map(|&at| inventory.rows.get(at as usize));
    match format {
        Format::Json => {
            let records: Vec<_> = rows.map(|row| present::record(&inventory, row, policy, now)).collect();
            output::json(out, &records)?;
        }
        Format::Csv => {
            let rows = rows.map(|row| present::record(&inventory, row, policy, now).values());
            output::csv(out, &PairRecord::FIELDS, rows)?;
        }
        Format::Table => {
            output::table(out, &HEAD, rows.map(|row| cells(present::line(&inventory, row, policy, now))))?;
        }
    }
    Ok(())
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
