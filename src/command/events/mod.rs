//! `events`: recent key events, newest first; from an account, or from trail logs in files.

mod files;

use std::io::Write;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::estate::Estate;
use crate::trail::{EventLine, EventRecord, Events, Filter, KeyNames, Limits, load_once};

pub use files::{FromFiles, from_files};

const HEAD: [&str; 7] = ["time", "severity", "who", "what", "key", "from", "outcome"];

/// CloudTrail's page.
const PAGE: usize = 50;

/// Loads the events of the last `since`, `limit` at most, and prints those that `filter` lets through.
///
/// # Errors
/// A filter that cannot be understood, before anything is asked; a trail that cannot be read, after printing what came.
pub async fn run(
    estate: &Arc<Estate>,
    format: Format,
    filter: &str,
    since: SignedDuration,
    limit: usize,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let filter = read_filter(filter)?;
    let limits = Limits { pages: limit.div_ceil(PAGE).max(1), events: limit };
    let view = load_once(estate, since, limits).await;
    let (names, now) = (names(estate).await, estate.clock.now());
    let shown = view.events.matching(&filter.question(&names, now));
    print(&view.events, &shown, &names, now, format, out)?;
    match view.failing() {
        None => Ok(()),
        Some((source, why)) => Err(CommandError {
            exit: Exit::Failed,
            say: format!("the list is not complete: {source} could not be read: {}", why.reason),
        }),
    }
}

fn read_filter(text: &str) -> Result<Filter, CommandError> {
    Filter::parse(text).map_err(|bad| CommandError::usage(bad.to_string()))
}

/// Prints the events of these ranks.
fn print(
    events: &Events,
    ranks: &[u32],
    names: &KeyNames,
    now: Timestamp,
    format: Format,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let shown = ranks.iter().filter_map(|rank| events.get(*rank as usize));
    let records = || shown.clone().map(|event| EventRecord::of(&event, names));
    match format {
        Format::Json => output::json(out, &records().collect::<Vec<_>>())?,
        Format::Jsonl => output::jsonl(out, records())?,
        Format::Csv => output::csv(out, &EventRecord::CSV_HEADER, records().map(|record| record.csv_row()))?,
        Format::Table => {
            output::table(out, &HEAD, shown.map(|event| cells(EventLine::of(&event, names, now))))?;
        }
    }
    Ok(())
}

/// What the keys of every Region are called; where aliases may not be listed, keys go by their ids.
async fn names(estate: &Estate) -> KeyNames {
    let regions = estate.environment.regions.iter();
    let asked = regions.map(async |region| estate.cloud.kms(region).list_aliases().await.unwrap_or_default());
    let aliases = futures_util::future::join_all(asked).await;
    aliases.iter().flatten().filter_map(|alias| Some((alias.key()?, alias.name.to_string()))).collect()
}

fn cells(line: EventLine) -> [String; 7] {
    [line.time, line.severity.word().to_owned(), line.who, line.what, line.key, line.from, line.outcome]
}
