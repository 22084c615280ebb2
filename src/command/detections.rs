//! `detections`: names the rules, and tells one.

use std::io::Write;

use serde::Serialize;

use super::CommandError;
use super::output::{self, Format};
use crate::detect::{RULES, Rule, rule};
use crate::model::event::Severity;

/// A rule, for machines. These field names are stable.
#[derive(Debug, Serialize)]
struct RuleRecord {
    id: &'static str,
    title: &'static str,
    /// The highest that it gives: `notice`, `high` or `critical`. A refused attempt counts one step less.
    severity: Severity,
    why: &'static str,
    next: &'static str,
    /// The id of the runbook that fits.
    runbook: Option<&'static str>,
    references: &'static [&'static str],
    techniques: Vec<TechniqueRecord>,
}

/// A technique of MITRE ATT&CK.
#[derive(Debug, Serialize)]
struct TechniqueRecord {
    id: &'static str,
    name: &'static str,
}

impl RuleRecord {
    fn of(rule: &'static Rule) -> Self {
        let technique = |one: &crate::detect::Technique| TechniqueRecord { id: one.id, name: one.name };
        Self {
            id: rule.id,
            title: rule.title,
            severity: rule.severity,
            why: rule.why,
            next: rule.next.say,
            runbook: rule.next.runbook,
            references: rule.references,
            techniques: rule.techniques.iter().map(technique).collect(),
        }
    }
}

const HEAD: [&str; 4] = ["id", "severity", "title", "references"];

/// Lists every rule.
///
/// # Errors
/// When writing fails.
pub fn list(format: Format, out: &mut impl Write) -> Result<(), CommandError> {
    let records = || RULES.into_iter().map(RuleRecord::of);
    let row = |rule: &'static Rule| {
        [
            rule.id.to_owned(),
            rule.severity.word().to_owned(),
            rule.title.to_owned(),
            rule.references.join("; "),
        ]
    };
    match format {
        Format::Json => output::json(out, &records().collect::<Vec<_>>())?,
        Format::Jsonl => output::jsonl(out, records())?,
        Format::Csv => output::csv(out, &HEAD, RULES.into_iter().map(row))?,
        Format::Table => output::table(out, &HEAD, RULES.into_iter().map(row))?,
    }
    Ok(())
}

/// Tells one rule.
///
/// # Errors
/// Where there is no such rule; when writing fails.
pub fn show(id: &str, as_json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let Some(rule) = rule(id) else {
        let id = crate::model::text::visible(id);
        return Err(CommandError::usage(format!(
            "there is no rule `{id}`: `portcullis detections list` names them all"
        )));
    };
    if as_json {
        serde_json::to_writer_pretty(&mut *out, &RuleRecord::of(rule)).map_err(std::io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "{}  ({})\n{}\n", rule.id, rule.severity.word(), rule.title)?;
    writeln!(out, "Why it matters   {}", rule.why)?;
    writeln!(out, "What to do next  {}", rule.next.say)?;
    if let Some(runbook) = rule.next.runbook {
        writeln!(out, "Runbook          {runbook}")?;
    }
    for (number, reference) in rule.references.iter().enumerate() {
        writeln!(out, "{:<17}{reference}", if number == 0 { "Corresponds to" } else { "" })?;
    }
    for (number, technique) in rule.techniques.iter().enumerate() {
        writeln!(
            out,
            "{:<17}{} {}",
            if number == 0 { "MITRE ATT&CK" } else { "" },
            technique.id,
            technique.name
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{list, show};
    use crate::command::Exit;
    use crate::command::output::Format;
    use crate::detect::RULES;

    fn said(tell: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        tell(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_rule_is_listed_for_people_and_machines() {
        let json = said(|out| list(Format::Json, out).unwrap());
        let records: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
        assert_eq!(records.len(), RULES.len());
        assert!(
            records.iter().all(|record| record["references"][0].is_string() && record["severity"] != "info")
        );
        let table = said(|out| list(Format::Table, out).unwrap());
        assert_eq!(table.lines().count(), RULES.len() + 1);
    }

    #[test]
    fn one_is_told_with_what_to_do() {
        let told = said(|out| show("kms-key-disabled", false, out).unwrap());
        assert!(told.contains("key-recovery") && told.contains("T1489") && told.contains("4.7"), "{told}");
        let json = said(|out| show("kms-key-disabled", true, out).unwrap());
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap()["runbook"], "key-recovery");
        assert_eq!(show("kms-\u{1b}[2J", false, &mut Vec::new()).unwrap_err().exit, Exit::Usage);
    }
}
