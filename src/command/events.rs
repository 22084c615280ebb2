//! `events`: recent key events, newest first.

use std::io::Write;
use std::sync::Arc;

use jiff::SignedDuration;

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::estate::Estate;
use crate::trail::{EventLine, EventRecord, Filter, KeyNames, Limits, load_once};

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
    let filter = Filter::parse(filter).map_err(|bad| CommandError::usage(bad.to_string()))?;
    let limits = Limits { pages: limit.div_ceil(PAGE).max(1), events: limit };
    let view = load_once(estate, since, limits).await;
    let (names, now) = (names(estate).await, estate.clock.now());
    let shown = view.events.iter().filter(|event| filter.matches(event, &names, now));
    match format {
        Format::Json => {
            let records: Vec<_> = shown.map(|event| EventRecord::of(event, &names)).collect();
            output::json(out, &records)?;
        }
        Format::Jsonl => output::jsonl(out, shown.map(|event| EventRecord::of(event, &names)))?,
        Format::Csv => {
            let rows = shown.map(|event| EventRecord::of(event, &names).csv_row());
            output::csv(out, &EventRecord::CSV_HEADER, rows)?;
        }
        Format::Table => {
            output::table(out, &HEAD, shown.map(|event| cells(EventLine::of(event, &names, now))))?;
        }
    }
    match &view.health.failing {
        None => Ok(()),
        Some((_, why)) => Err(CommandError {
            exit: Exit::Failed,
            say: format!("the list is not complete: {} could not be read: {}", view.source, why.reason),
        }),
    }
}

/// What the keys of the home Region are called; none where aliases may not be listed, and keys go by their ids.
async fn names(estate: &Estate) -> KeyNames {
    let aliases = estate.cloud.kms(estate.cloud.home()).list_aliases().await.unwrap_or_default();
    aliases.iter().filter_map(|alias| Some((alias.key()?, alias.name.to_string()))).collect()
}

fn cells(line: EventLine) -> [String; 7] {
    [line.time, line.severity.word().to_owned(), line.who, line.what, line.key, line.from, line.outcome]
}
