//! `events --from`: the same from trail logs, without an account.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;
use serde::Serialize;

use super::super::output;
use super::super::{CommandError, Exit};
use super::answer::{Answer, Part};
use super::{Format, Wanted, read_filter};
use crate::detect::{Context, Detections, Engine};
use crate::model::text::visible;
use crate::settings::TrailSettings;
use crate::trail::files::{Found, Tally, count_by, load_into};
use crate::trail::{Column, Count, Filter, KeyNames, Store, Unparsed};

/// Reasons of records not understood that are told, at most.
const REASONS: usize = 3;

/// What is to be read, and how it is to be told.
#[derive(Clone, Debug)]
pub struct FromFiles {
    /// Files, folders, or `-` for standard input.
    pub paths: Vec<PathBuf>,
    pub wanted: Wanted,
    /// Whether `since` is to be kept to: else it goes back as far as the files do.
    pub is_bounded: bool,
    /// What settings say about detections.
    pub detections: Arc<Detections>,
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
    let filter = read_filter(&wanted.wanted)?;
    let filter = if wanted.is_bounded { filter.and_since(wanted.wanted.since) } else { filter };
    let found = Found::under(&wanted.paths).map_err(|missing| CommandError::usage(missing.to_string()))?;
    if let Some(words) = found.passed_over.in_words() {
        say(&words);
    }
    let (tally, answered) = match wanted.count_by {
        Some(column) => counted(wanted, column, &found, &filter, now, stop, out, &mut say),
        None => listed(wanted, &found, &filter, now, stop, out, &mut say),
    };
    let read = told(&tally, wanted.is_watched, &mut say);
    match (answered, read) {
        // One exit code has to do for both; what was found is the worse news.
        (Err(found), Err(unread)) => {
            say(&unread.say);
            Err(found)
        }
        (answered, read) => answered.and(read),
    }
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
) -> (Tally, Result<(), CommandError>) {
    let counted = count_by(found, column, filter, now, stop);
    if counted.repeated > 0 {
        say(&format!("{} records repeat an event, and were not counted again", counted.repeated));
    }
    not_understood(counted.unparsed.iter(), counted.tally.unparsed, say);
    (counted.tally, print_counts(&counted.counts, wanted.wanted.format, out))
}

/// Reads everything, since rules judge an event in the light of others, and tells what matches.
fn listed(
    wanted: &FromFiles,
    found: &Found,
    filter: &Filter,
    now: Timestamp,
    stop: &AtomicBool,
    out: &mut impl Write,
    say: &mut impl FnMut(&str),
) -> (Tally, Result<(), CommandError>) {
    let engine = Engine::new(Arc::clone(&wanted.detections), Context::default());
    let room = wanted.wanted.limit.max(TrailSettings::EVENTS);
    let mut store = Store::new(room).with_rules(engine);
    let tally = load_into(found, &Filter::default(), now, stop, |loaded| {
        store.add(loaded.batch);
        loaded.unparsed.into_iter().for_each(|unparsed| store.note_unparsed(unparsed));
        true
    });
    let findings = store.judge(now);
    let events = store.events();
    if events.dropped() > 0 {
        say(&format!(
            "{} events older than the newest {room} are not listed: --limit makes room for more",
            events.dropped()
        ));
    }
    not_understood(events.unparsed().map(AsRef::as_ref), tally.unparsed, say);
    let names = KeyNames::default();
    let part = Part { environment: None, events, findings: &findings, names: &names };
    let answer = Answer { parts: vec![part], several: false, now };
    let answered = answer.tell(&wanted.wanted, filter, out, say);
    (tally, answered)
}

fn print_counts(counts: &[Count], format: Format, out: &mut impl Write) -> Result<(), CommandError> {
    let lines = || counts.iter().map(|count| Line { value: count.text.as_deref(), events: count.events });
    let cells =
        |count: &Count| [count.events.to_string(), count.text.clone().unwrap_or_else(|| "–".to_owned())];
    match format {
        Format::As(output::Format::Json) => output::json(out, &lines().collect::<Vec<_>>())?,
        Format::As(output::Format::Jsonl) => output::jsonl(out, lines())?,
        Format::As(output::Format::Csv) => output::csv(
            out,
            &["events", "value"],
            counts.iter().map(|count| {
                [count.events.to_string(), visible(count.text.as_deref().unwrap_or_default()).into_owned()]
            }),
        )?,
        Format::Ocsf => {
            return Err(CommandError::usage(
                "OCSF has no words for counts: --format takes table, json, jsonl or csv with --count-by",
            ));
        }
        Format::As(output::Format::Table) => {
            output::table(out, &["events", "value"], counts.iter().map(cells))?;
        }
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
