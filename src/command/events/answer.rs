//! What `events` tells of what was read: the events, or what the rules found in them.

use std::collections::HashSet;
use std::io::Write;

use jiff::Timestamp;

use super::super::output;
use super::super::{CommandError, Exit};
use super::{Format, HEAD, Wanted, cells};
use crate::detect::{Finding, FindingRecord, ocsf};
use crate::model::event::Severity;
use crate::model::text::visible;
use crate::trail::{EventKey, EventLine, EventRecord, Events, Filter, KeyNames};

/// The columns of a table of findings.
const FINDINGS_HEAD: [&str; 6] = ["time", "severity", "rule", "key", "what", "next"];

/// What was read.
pub(super) struct Answer<'a> {
    pub(super) events: &'a Events,
    pub(super) findings: &'a [Finding],
    pub(super) names: &'a KeyNames,
    pub(super) now: Timestamp,
}

impl Answer<'_> {
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
        let muted = findings.iter().filter(|finding| finding.muted.is_some()).count();
        if wanted.findings {
            self.print_findings(&findings, wanted.format, out)?;
            if muted > 0 && wanted.format == Format::As(output::Format::Table) {
                say(&format!("{muted} more are muted; --format json lists them with the reasons"));
            }
        } else {
            self.print_events(&self.ranks(wanted, filter, say), wanted.format, out)?;
        }
        judged(&findings, wanted.fail_on)
    }

    /// The events that match, the newest first.
    pub(super) fn ranks(&self, wanted: &Wanted, filter: &Filter, say: &mut impl FnMut(&str)) -> Vec<u32> {
        let mut ranks = self.events.matching(&filter.question(self.names, self.now));
        if let Some(least) = wanted.min_severity {
            ranks.retain(|rank| self.events.severity(*rank as usize) >= Some(least));
        }
        if ranks.len() > wanted.limit {
            say(&format!("{} older events match too; --limit shows more", ranks.len() - wanted.limit));
            ranks.truncate(wanted.limit);
        }
        ranks
    }

    /// The findings that rest on an event that matches, or, without one of their own, are of the key that is wanted.
    pub(super) fn findings(&self, wanted: &Wanted, filter: &Filter) -> Vec<&Finding> {
        let least = wanted.min_severity.unwrap_or(Severity::Info);
        let matching: Option<HashSet<EventKey>> = (!filter.is_empty()).then(|| {
            let ranks = self.events.matching(&filter.question(self.names, self.now));
            ranks.into_iter().filter_map(|rank| self.events.key(rank as usize)).collect()
        });
        let matches = |finding: &&Finding| match &matching {
            None => true,
            Some(matching) => finding.events.iter().any(|(_, id)| matching.contains(&EventKey::from_id(id))),
        };
        self.findings.iter().filter(|finding| finding.severity >= least).filter(matches).collect()
    }

    pub(super) fn print_events(
        &self,
        ranks: &[u32],
        format: Format,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let shown = ranks.iter().filter_map(|rank| self.events.get(*rank as usize));
        let records = || shown.clone().map(|event| EventRecord::of(&event, self.names));
        match format {
            Format::As(output::Format::Json) => output::json(out, &records().collect::<Vec<_>>())?,
            Format::As(output::Format::Jsonl) => output::jsonl(out, records())?,
            Format::As(output::Format::Csv) => {
                output::csv(out, &EventRecord::CSV_HEADER, records().map(|record| record.csv_row()))?;
            }
            Format::As(output::Format::Table) => {
                output::table(
                    out,
                    &HEAD,
                    shown.map(|event| cells(EventLine::of(&event, self.names, self.now))),
                )?;
            }
            Format::Ocsf => output::jsonl(out, shown.map(|event| ocsf::api_activity(&event)))?,
        }
        Ok(())
    }

    pub(super) fn print_findings(
        &self,
        findings: &[&Finding],
        format: Format,
        out: &mut impl Write,
    ) -> Result<(), CommandError> {
        let records = || findings.iter().map(|finding| FindingRecord::of(finding, |key| self.names.get(key)));
        match format {
            Format::As(output::Format::Json) => output::json(out, &records().collect::<Vec<_>>())?,
            Format::As(output::Format::Jsonl) => output::jsonl(out, records())?,
            Format::As(output::Format::Csv) => {
                output::csv(out, &FindingRecord::CSV_HEADER, records().map(|record| record.csv_row()))?;
            }
            Format::As(output::Format::Table) => {
                let loud = findings.iter().filter(|finding| finding.muted.is_none());
                output::table(out, &FINDINGS_HEAD, loud.map(|finding| self.row(finding)))?;
            }
            Format::Ocsf => output::jsonl(
                out,
                findings.iter().map(|finding| ocsf::detection_finding(finding, |key| self.names.get(key))),
            )?,
        }
        Ok(())
    }

    fn row(&self, finding: &Finding) -> [String; 6] {
        let key = match finding.keys.as_slice() {
            [] => "–".to_owned(),
            [only] => visible(self.names.get(only)).into_owned(),
            [first, more @ ..] => format!("{} +{}", visible(self.names.get(first)), more.len()),
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
pub(super) fn judged(findings: &[&Finding], least: Option<Severity>) -> Result<(), CommandError> {
    let Some(least) = least else { return Ok(()) };
    let bad = findings.iter().filter(|finding| finding.muted.is_none() && finding.severity >= least).count();
    match bad {
        0 => Ok(()),
        bad => {
            let say =
                format!("{bad} finding(s) of severity {} or above; --findings lists them", least.word());
            Err(CommandError { exit: Exit::Findings, say })
        }
    }
}
