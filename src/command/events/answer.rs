//! What `events` tells of what was read: the events, or what the rules found in them.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::io::Write;

use jiff::Timestamp;

use super::super::output;
use super::super::{CommandError, Exit};
use super::{Format, HEAD, Wanted, cells};
use crate::detect::{Finding, FindingRecord, ocsf};
use crate::model::event::Severity;
use crate::model::text::visible;
use crate::trail::{EventId, EventKey, EventLine, EventRecord, Events, Filter, KeyNames, newest_first};

/// The columns of a table of findings.
const FINDINGS_HEAD: [&str; 6] = ["time", "severity", "rule", "key", "what", "next"];
/// Where several environments are told of, the third column of a table.
const ENVIRONMENT_AT: usize = 2;

/// What was read.
pub(super) struct Answer<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// Whether tables name the environment.
    pub(super) several: bool,
    pub(super) now: Timestamp,
}

/// What was read of one environment, or of trail logs.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// None for trail logs.
    pub(super) environment: Option<&'a str>,
    pub(super) events: &'a Events,
    pub(super) findings: &'a [Finding],
    pub(super) names: &'a KeyNames,
}

/// A finding, and where it was found.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) finding: &'a Finding,
    part: Part<'a>,
}

impl<'a> Part<'a> {
    /// The ranks of the events that match, the newest first.
    fn matching(&self, filter: &Filter, now: Timestamp) -> Vec<u32> {
        let environment = self.environment.unwrap_or_default();
        self.events.matching(&filter.question_in(environment, self.names, now))
    }

    /// The findings that rest on an event that matches; all of them where every event does.
    fn findings(self, filter: &Filter, now: Timestamp) -> impl Iterator<Item = Found<'a>> {
        let matching: Option<HashSet<EventKey>> = (!filter.is_empty()).then(|| {
            let ranks = self.matching(filter, now).into_iter();
            ranks.filter_map(|rank| self.events.key(rank as usize)).collect()
        });
        let matches = move |finding: &&Finding| match &matching {
            None => true,
            Some(matching) => finding.events.iter().any(|(_, id)| matching.contains(&EventKey::from_id(id))),
        };
        self.findings.iter().filter(matches).map(move |finding| Found { finding, part: self })
    }
}

impl<'a> Answer<'a> {
    /// Prints what is wanted, and tells on `say` what is left out.
    ///
    /// # Errors
    /// When writing fails; with [`Exit::Findings`], where a finding is as bad as `--fail-on` says or worse.
    pub(super) fn tell(
        &self,
        wanted: &Wanted,
        filter: &Filter,
        out: &mut impl Write,
        say: &mut impl FnMut(&str),
    ) -> Result<(), CommandError> {
        let findings = self.findings(wanted, filter);
        let muted = findings.iter().filter(|found| found.finding.muted.is_some()).count();
        if wanted.findings {
            self.print_findings(&findings, wanted.format, out)?;
            if muted > 0 && wanted.format == Format::As(output::Format::Table) {
                say(&format!("{muted} more are muted; --format json lists them with the reasons"));
            }
        } else {
            self.print_events(&self.ids(wanted, filter, say), wanted.format, out)?;
        }
        judged(findings.iter().map(|found| found.finding), wanted.fail_on)
    }

    /// The events that match, the newest first.
    pub(super) fn ids(&self, wanted: &Wanted, filter: &Filter, say: &mut impl FnMut(&str)) -> Vec<EventId> {
        let ranks = self.parts.iter().map(|part| {
            let mut ranks = part.matching(filter, self.now);
            if let Some(least) = wanted.min_severity {
                ranks.retain(|rank| part.events.severity(*rank as usize) >= Some(least));
            }
            ranks
        });
        let trails: Vec<&Events> = self.parts.iter().map(|part| part.events).collect();
        let mut ids = newest_first(&trails, ranks.collect());
        if ids.len() > wanted.limit {
            say(&format!("{} older events match too; --limit shows more", ids.len() - wanted.limit));
            ids.truncate(wanted.limit);
        }
        ids
    }

    /// The key of an event.
    pub(super) fn key(&self, id: EventId) -> Option<EventKey> {
        self.parts.get(usize::from(id.part))?.events.key(id.rank as usize)
    }

    /// The findings that are wanted, the newest first.
    pub(super) fn findings(&self, wanted: &Wanted, filter: &Filter) -> Vec<Found<'a>> {
        let least = wanted.min_severity.unwrap_or(Severity::Info);
        let all = self.parts.iter().flat_map(|part| part.findings(filter, self.now));
        let mut findings: Vec<Found<'a>> = all.filter(|found| found.finding.severity >= least).collect();
        findings.sort_by_key(|found| Reverse(found.finding.at));
        findings
    }

    pub(super) fn print_events(
        &self,
        ids: &[EventId],
        format: Format,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let shown = ids.iter().filter_map(|id| {
            let part = self.parts.get(usize::from(id.part))?;
            Some((part, part.events.get(id.rank as usize)?))
        });
        let records =
            || shown.clone().map(|(part, event)| EventRecord::of(&event, part.environment, part.names));
        match format {
            Format::As(output::Format::Json) => output::json(out, &records().collect::<Vec<_>>())?,
            Format::As(output::Format::Jsonl) => output::jsonl(out, records())?,
            Format::As(output::Format::Csv) => {
                output::csv(out, &EventRecord::CSV_HEADER, records().map(|record| record.csv_row()))?;
            }
            Format::As(output::Format::Table) => {
                let row = |(part, event): (&Part<'_>, _)| {
                    self.with_environment(cells(EventLine::of(&event, part.names, self.now)).into(), *part)
                };
                output::table(out, &self.head(&HEAD), shown.map(row))?;
            }
            Format::Ocsf => output::jsonl(out, shown.map(|(_, event)| ocsf::api_activity(&event)))?,
        }
        Ok(())
    }

    pub(super) fn print_findings(
        &self,
        findings: &[Found<'_>],
        format: Format,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let records = || {
            findings.iter().map(|Found { finding, part }| {
                FindingRecord::of(finding, part.environment, |key| part.names.get(key))
            })
        };
        match format {
            Format::As(output::Format::Json) => output::json(out, &records().collect::<Vec<_>>())?,
            Format::As(output::Format::Jsonl) => output::jsonl(out, records())?,
            Format::As(output::Format::Csv) => {
                output::csv(out, &FindingRecord::CSV_HEADER, records().map(|record| record.csv_row()))?;
            }
            Format::As(output::Format::Table) => {
                let loud = findings.iter().filter(|found| found.finding.muted.is_none());
                let row = |found: &Found<'_>| self.with_environment(found.row().into(), found.part);
                output::table(out, &self.head(&FINDINGS_HEAD), loud.map(row))?;
            }
            Format::Ocsf => output::jsonl(
                out,
                findings.iter().map(|Found { finding, part }| {
                    ocsf::detection_finding(finding, |key| part.names.get(key))
                }),
            )?,
        }
        Ok(())
    }

    /// A table's head, which names the environment where there are several.
    fn head<'h>(&self, head: &[&'h str]) -> Vec<&'h str> {
        let mut head = head.to_vec();
        if self.several {
            head.insert(ENVIRONMENT_AT, "environment");
        }
        head
    }

    fn with_environment(&self, mut cells: Vec<String>, part: Part<'_>) -> Vec<String> {
        if self.several {
            cells.insert(ENVIRONMENT_AT, visible(part.environment.unwrap_or("–")).into_owned());
        }
        cells
    }
}

impl Found<'_> {
    fn row(&self) -> [String; 6] {
        let Self { finding, part } = self;
        let key = match finding.keys.as_slice() {
            [] => "–".to_owned(),
            [only] => visible(part.names.get(only)).into_owned(),
            [first, more @ ..] => format!("{} +{}", visible(part.names.get(first)), more.len()),
        };
        [
            finding.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
            finding.severity.word().to_owned(),
            finding.rule.id.to_owned(),
            key,
            finding.reason.clone(),
            finding
                .rule
                .next
                .runbook
                .map_or_else(|| finding.rule.next.say.to_owned(), |id| format!("runbook {id}")),
        ]
    }
}

/// Fails where a finding that nobody muted is as bad as `least` or worse.
pub(super) fn judged<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    least: Option<Severity>,
) -> Result<(), CommandError> {
    let Some(least) = least else { return Ok(()) };
    let bad = findings.filter(|finding| finding.muted.is_none() && finding.severity >= least).count();
    match bad {
        0 => Ok(()),
        bad => {
            let say =
                format!("{bad} finding(s) of severity {} or above; --findings lists them", least.word());
            Err(CommandError { exit: Exit::Findings, say })
        }
    }
}
