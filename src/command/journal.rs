//! `journal`: lists the journals of incidents, tells one as a timeline, checks a chain.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::journal::{self, Chain, Entry, JournalError, Verdict};
use crate::model::IncidentId;
use crate::model::text::visible;

/// One journal, for machines.
#[derive(Debug, Serialize)]
struct JournalRecord {
    incident: IncidentId,
    path: String,
    bytes: u64,
    entries: usize,
    /// When the last entry was written; RFC 3339.
    last: Option<String>,
    /// The hash of the last entry; 64 zeros where there is none.
    head: String,
    /// `whole`, `torn tail` or `broken`.
    chain: &'static str,
}

impl JournalRecord {
    const FIELDS: [&str; 7] = ["incident", "entries", "last", "chain", "bytes", "head", "path"];

    fn row(&self) -> [String; 7] {
        [
            self.incident.to_string(),
            self.entries.to_string(),
            self.last.clone().unwrap_or_default(),
            self.chain.to_owned(),
            self.bytes.to_string(),
            self.head.clone(),
            self.path.clone(),
        ]
    }
}

/// Lists an environment's journals.
///
/// # Errors
/// When the folder or a journal cannot be read.
pub fn list(
    state_dir: &Path,
    environment: &str,
    format: Format,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut records = Vec::new();
    for listed in journal::list(state_dir, environment)? {
        let chain = journal::read(&listed.path)?;
        records.push(JournalRecord {
            incident: listed.incident,
            path: listed.path.display().to_string(),
            bytes: listed.bytes,
            entries: chain.entries.len(),
            last: chain.entries.last().map(|entry| entry.at.to_string()),
            head: chain.head_hash().to_owned(),
            chain: word(&chain.verdict),
        });
    }
    let rows = records.iter().map(JournalRecord::row);
    match format {
        Format::Json => output::json(out, &records),
        Format::Jsonl => output::jsonl(out, &records),
        Format::Csv => output::csv(out, &JournalRecord::FIELDS, rows),
        Format::Table => output::table(out, &JournalRecord::FIELDS, rows),
    }?;
    Ok(())
}

/// Tells one journal as a timeline.
///
/// # Errors
/// When it cannot be read; [`Exit::Findings`] when its chain is broken, after telling what holds.
pub fn show(
    state_dir: &Path,
    environment: &str,
    incident: &IncidentId,
    as_json: bool,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let chain = read(state_dir, environment, incident)?;
    if as_json {
        output::json(out, &chain.entries)?;
    } else {
        let rows = chain
            .entries
            .iter()
            .map(|entry| [entry.seq.to_string(), entry.at.to_string(), entry.kind.clone(), told(entry)]);
        output::table(out, &["seq", "at", "kind", "what"], rows)?;
    }
    judged(&chain)
}

/// Checks one journal's chain of hashes.
///
/// # Errors
/// When it cannot be read; [`Exit::Findings`] when it does not hold.
pub fn verify(
    state_dir: &Path,
    environment: &str,
    incident: &IncidentId,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let chain = read(state_dir, environment, incident)?;
    judged(&chain)?;
    writeln!(out, "whole: {} entries, head {}", chain.entries.len(), chain.head_hash())?;
    Ok(())
}

fn read(state_dir: &Path, environment: &str, incident: &IncidentId) -> Result<Chain, JournalError> {
    journal::read(&journal::path_of(state_dir, environment, incident)?)
}

fn judged(chain: &Chain) -> Result<(), CommandError> {
    let say = match &chain.verdict {
        Verdict::Whole => return Ok(()),
        Verdict::TornTail { bytes, .. } => format!(
            "the last line was never finished ({bytes} bytes): its writer died in the middle of it. The next `respond` on this incident sets it aside and goes on"
        ),
        Verdict::Broken { line, why } => format!(
            "the chain does not hold at line {line}: {why}. Keep the file as evidence; its head went out with every notification and audit row"
        ),
    };
    Err(CommandError { exit: Exit::Findings, say })
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Whole => "whole",
        Verdict::TornTail { .. } => "torn tail",
        Verdict::Broken { .. } => "broken",
    }
}

/// An entry's body in one line.
fn told(entry: &Entry) -> String {
    const WIDTH: usize = 120;
    let body = entry.body.to_string();
    let shown = visible(&body);
    match shown.char_indices().nth(WIDTH) {
        Some((at, _)) => format!("{}…", &shown[..at]),
        None => shown.into_owned(),
    }
}
