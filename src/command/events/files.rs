//! `events --from`: the same from trail logs, without an account.

use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::super::output::{self, Format};
use super::super::{CommandError, Exit};
use super::{print, read_filter};
use crate::model::text::visible;
use crate::trail::files::{Found, Tally, count_by, load};
use crate::trail::{Column, Count, Filter, KeyNames, Unparsed};

/// Reasons of records not understood that are told, at most.
const REASONS: usize = 3;

/// What is to be read, and how it is to be told.
#[derive(Clone, Debug)]
pub struct FromFiles {
    /// Files, folders, or `-` for standard input.
    pub paths: Vec<PathBuf>,
    pub format: Format,
    pub filter: String,
    /// None goes back as far as the files do.
    pub since: Option<SignedDuration>,
    /// Events printed at most, the newest.
    pub limit: usize,
    /// Counts events by this instead of listing them.
    pub count_by: Option<Column>,
    /// Whether somebody is there to read how it went.
    pub is_watched: bool,
}

/// A line of a count.
#[derive(Serialize)]
struct Line<'a> {
    /// None where events have none.
    value: Option<&'a str>,
    events: u64,
}

/// Reads trail logs until their end or until `stop` is set, prints what matches, and tells on `say` how it went.
///
/// # Errors
/// A filter that cannot be understood or a path that is not there, before anything is read; files that could not be
/// read to their end, or having been stopped, after printing what was read.
pub fn from_files(
    wanted: &FromFiles,
    now: Timestamp,
    stop: &AtomicBool,
    out: &mut impl Write,
    mut say: impl FnMut(&str),
) -> Result<(), CommandError> {
    let filter = read_filter(&wanted.filter)?;
    let filter = wanted.since.map_or(filter.clone(), |since| filter.and_since(since));
    let found = Found::under(&wanted.paths).map_err(|missing| CommandError::usage(missing.to_string()))?;
    if let Some(words) = found.passed_over.in_words() {
        say(&words);
    }
    let tally = match wanted.count_by {
        Some(column) => counted(wanted, column, &found, &filter, now, stop, out, &mut say)?,
        None => listed(wanted, &found, &filter, now, stop, out, &mut say)?,
    };
    told(&tally, wanted.is_watched, &mut say)
}

#[expect(clippy::too_many_arguments, reason = "two halves of one function")]
fn counted(
    wanted: &FromFiles,
    column: Column,
    found: &Found,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
    out: &mut impl Write,
    say: &mut impl FnMut(&str),
) -> Result<Tally, CommandError> {
    let counted = count_by(found, column, filter, now, stop);
    if counted.repeated > 0 {
        say(&format!("{} records repeat an event, and were not counted again", counted.repeated));
    }
    not_understood(counted.unparsed.iter(), counted.tally.unparsed, say);
    print_counts(&counted.counts, wanted.format, out)?;
    Ok(counted.tally)
}

fn listed(
    wanted: &FromFiles,
    found: &Found,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
    out: &mut impl Write,
    say: &mut impl FnMut(&str),
) -> Result<Tally, CommandError> {
    let (store, tally) = load(found, wanted.limit, filter, now, stop);
    let events = store.events();
    if events.dropped() > 0 {
        say(&format!("{} older events match too; --limit shows more", events.dropped()));
    }
    not_understood(events.unparsed().map(AsRef::as_ref), tally.unparsed, say);
    let all = events.matching(&Filter::default().question(&KeyNames::default(), now));
    print(events, &all, &KeyNames::default(), now, wanted.format, out)?;
    Ok(tally)
}

fn print_counts(counts: &[Count], format: Format, out: &mut impl Write) -> Result<(), CommandError> {
    let lines = || counts.iter().map(|count| Line { value: count.text.as_deref(), events: count.events });
    let cells =
        |count: &Count| [count.events.to_string(), count.text.clone().unwrap_or_else(|| "–".to_owned())];
    match format {
        Format::Json => output::json(out, &lines().collect::<Vec<_>>())?,
        Format::Jsonl => output::jsonl(out, lines())?,
        Format::Csv => output::csv(
            out,
            &["events", "value"],
            counts.iter().map(|count| {
                [count.events.to_string(), visible(count.text.as_deref().unwrap_or_default()).into_owned()]
            }),
        )?,
        Format::Table => output::table(out, &["events", "value"], counts.iter().map(cells))?,
    }
    Ok(())
}

fn not_understood<'a>(unparsed: impl Iterator<Item = &'a Unparsed>, count: u64, say: &mut impl FnMut(&str)) {
    for one in unparsed.take(REASONS) {
        let start: String = one.raw.chars().take(120).collect();
        say(&format!("not understood: {}: {}", one.reason, visible(&start)));
    }
    if count > REASONS as u64 {
        say(&format!("not understood: {count} records in all"));
    }
}

fn told(tally: &Tally, is_watched: bool, say: &mut impl FnMut(&str)) -> Result<(), CommandError> {
    for trouble in &tally.troubles {
        say(&trouble.in_words());
    }
    let failed = |say| Err(CommandError { exit: Exit::Failed, say });
    if tally.stopped {
        return failed(tally.in_words());
    }
    if !tally.troubles.is_empty() {
        let files = tally.troubles.len();
        return failed(format!(
            "the list is not complete, {files} files above are not read to their end: {}",
            tally.in_words()
        ));
    }
    if is_watched {
        say(&tally.in_words());
    }
    Ok(())
}
