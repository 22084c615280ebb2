//! `events`: recent key events, newest first, or what the rules find in them; from an account, or from trail logs in
//! files.

mod answer;
#[cfg(test)]
mod documents;
mod files;
mod follow;

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;

use super::keys::Asked;
use super::output;
use super::{CommandError, Exit};
use crate::detect::{Context, Engine};
use crate::estate::Estate;
use crate::model::event::Severity;
use crate::model::text::visible;
use crate::respond::learn_incidents;
use crate::trail::{EventLine, Filter, KeyNames, Limits, TrailView, context_of, load_judged};
use answer::{Answer, Part};

pub use files::{FromFiles, from_files};
pub use follow::follow;

const HEAD: [&str; 7] = ["time", "severity", "who", "what", "key", "from", "outcome"];

/// CloudTrail's page.
const PAGE: usize = 50;

/// How events and findings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    As(output::Format),
    /// OCSF, an object a line.
    Ocsf,
}

/// What is to be told.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub format: Format,
    pub filter: String,
    /// A key's name, ARN or id, or a part of one.
    pub key: Option<String>,
    pub since: SignedDuration,
    /// Events printed at most, the newest.
    pub limit: usize,
    /// What the rules find, instead of the events.
    pub findings: bool,
    pub min_severity: Option<Severity>,
    /// The command fails where a finding is as bad as this or worse.
    pub fail_on: Option<Severity>,
    /// Where journals lie that tell of incidents.
    pub state_dir: Option<PathBuf>,
}

/// Loads the events of `since`, `limit` at most of each environment, and prints those that the filter lets through, or
/// what the rules find in them, as one list.
///
/// # Errors
/// A filter that cannot be understood, before anything is asked; a trail that cannot be read, or a finding to fail on,
/// after printing what came.
pub async fn run(
    asked: &[Asked<'_>],
    wanted: &Wanted,
    out: &mut impl Write,
    mut say: impl FnMut(&str),
) -> Result<(), CommandError> {
    let filter = read_filter(wanted)?;
    let open = asked.iter().filter_map(|one| Some((one.environment.as_str(), one.estate.ok()?)));
    let reading = open.map(async |(environment, estate)| read(environment, estate, wanted).await);
    let read: Vec<Read<'_>> = join_all(reading).await;
    read.iter().flat_map(|read| &read.trouble).for_each(|trouble| say(trouble));
    let clock = asked.iter().find_map(|one| one.estate.ok()).map(|estate| estate.clock.now());
    let now = clock.unwrap_or_else(jiff::Timestamp::now);
    let answer = Answer { parts: read.iter().map(Read::part).collect(), several: asked.len() > 1, now };
    let told = answer.tell(wanted, &filter, out, &mut say);
    let missing = missing(asked, &read);
    if missing.is_empty() {
        return told;
    }
    let exit = told.as_ref().map_or_else(|error| error.exit, |()| Exit::Failed);
    let more = told.err().map(|error| format!("{}; ", error.say)).unwrap_or_default();
    Err(CommandError { exit, say: format!("{more}the list is not complete: {}", missing.join("; ")) })
}

/// One environment's trail.
struct Read<'a> {
    environment: &'a str,
    view: TrailView,
    names: KeyNames,
    /// What the rules could not be told.
    trouble: Option<String>,
}

impl Read<'_> {
    fn part(&self) -> Part<'_> {
        Part {
            environment: Some(self.environment),
            events: &self.view.events,
            findings: &self.view.findings,
            names: &self.names,
        }
    }
}

async fn read<'a>(environment: &'a str, estate: &Arc<Estate>, wanted: &Wanted) -> Read<'a> {
    let limits = Limits { pages: wanted.limit.div_ceil(PAGE).max(1), events: wanted.limit };
    let names = names(estate).await;
    let (context, trouble) = context(estate, wanted, &names);
    let rules = Engine::new(Arc::clone(&estate.environment.trail.detections), context);
    let view = load_judged(estate, rules, wanted.since, limits).await;
    Read { environment, view, names, trouble }
}

/// What could not be read, and why.
fn missing(asked: &[Asked<'_>], read: &[Read<'_>]) -> Vec<String> {
    let of = |environment: &str| {
        if asked.len() > 1 { format!("{}: ", visible(environment)) } else { String::new() }
    };
    let shut = asked.iter().filter_map(|one| Some((one.environment.as_str(), one.estate.err()?)));
    let shut = shut.map(|(environment, why)| format!("{}{why}", of(environment)));
    let failing = read.iter().filter_map(|read| Some((read.environment, read.view.failing()?)));
    let failing = failing.map(|(environment, (source, why))| {
        format!("{}{source} could not be read: {}", of(environment), why.reason)
    });
    shut.chain(failing).collect()
}

/// What the rules are told beside the events: names, and the incidents that journals here tell of; and what could not
/// be told.
fn context(estate: &Estate, wanted: &Wanted, names: &KeyNames) -> (Context, Option<String>) {
    let mut context = context_of(estate);
    context.names = names.iter().map(|(key, name)| (key.clone(), name.to_owned())).collect();
    let learnt = wanted
        .state_dir
        .as_ref()
        .map_or(Ok(()), |state_dir| learn_incidents(&mut context, state_dir, &estate.environment.name));
    let trouble =
        learnt.err().map(|error| format!("which incidents are open is not known to the rules: {error}"));
    (context, trouble)
}

/// The filter, and the key where one is wanted.
fn read_filter(wanted: &Wanted) -> Result<Filter, CommandError> {
    let usage = |bad: crate::filter::Mistake| CommandError::usage(bad.to_string());
    let filter = Filter::parse(&wanted.filter).map_err(usage)?;
    let Some(key) = &wanted.key else { return Ok(filter) };
    let name = key.strip_prefix("alias/").unwrap_or(key).replace('"', "\"\"");
    Ok(filter.and(Filter::parse(&format!("key:\"{name}\"")).map_err(usage)?))
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
