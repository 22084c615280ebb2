//! `runbook`: lists the runbooks, shows one, checks documents, prints one to be followed on paper.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::model::text::visible;
use crate::runbook::{Change, Form, Library, Mistake, Runbook};

/// One runbook in a list, for machines. These field names are stable; `assets/docs/runbooks.md` has them.
#[derive(Debug, Serialize)]
struct ListedRecord {
    id: String,
    title: String,
    summary: String,
    /// The duty in whose role its changes are made.
    role: Option<&'static str>,
    steps: usize,
    changes: Vec<&'static str>,
    controls: Vec<String>,
    undone_by: Option<String>,
    /// None for one that is built in.
    file: Option<String>,
    /// SHA-256 of the document, in lower-case hex.
    digest: String,
}

impl ListedRecord {
    const FIELDS: [&str; 10] =
        ["id", "title", "steps", "changes", "role", "undone_by", "summary", "controls", "file", "digest"];

    fn of(runbook: &Runbook) -> Self {
        let mut changes: Vec<_> = runbook.changes().map(Change::word).collect();
        changes.dedup();
        Self {
            id: runbook.id.clone(),
            title: runbook.title.clone(),
            summary: runbook.summary.clone(),
            role: runbook.role.map(crate::model::duty::Duty::word),
            steps: runbook.steps.len(),
            changes,
            controls: runbook.controls.clone(),
            undone_by: runbook.undone_by.clone(),
            file: runbook.file.as_ref().map(|file| file.display().to_string()),
            digest: runbook.digest.clone(),
        }
    }

    fn row(&self) -> [String; 10] {
        [
            self.id.clone(),
            self.title.clone(),
            self.steps.to_string(),
            self.changes.join(" "),
            self.role.unwrap_or_default().to_owned(),
            self.undone_by.clone().unwrap_or_default(),
            self.summary.clone(),
            self.controls.join(" "),
            self.file.clone().unwrap_or_else(|| "built in".to_owned()),
            self.digest.clone(),
        ]
    }
}

/// A whole runbook, for machines.
#[derive(Debug, Serialize)]
struct ShownRecord<'a> {
    #[serde(flatten)]
    listed: ListedRecord,
    when_to_use: &'a [String],
    when_not_to_use: &'a [String],
    prerequisites: &'a [String],
    tell: &'a [String],
    afterwards: &'a [String],
    /// What stands before the steps, Markdown.
    intro: String,
    procedure: Vec<StepRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct StepRecord<'a> {
    title: &'a str,
    /// `manual`, `check`, `approval`, `assume-role`, `change`, `verify`, `notify`, `audit`, `wait`, `choose` or `ask`.
    kind: &'static str,
    /// What the program does, when, and where it leads, in words.
    does: String,
    /// Markdown, with its placeholders.
    text: String,
    deadline_seconds: Option<i64>,
    if_it_fails: Option<String>,
}

/// The runbooks at hand; those with mistakes are told on standard error and left out.
fn load(folders: &[PathBuf]) -> Library {
    let (library, mistakes) = Library::load(folders);
    for mistake in mistakes {
        eprintln!("portcullis: a runbook is left out: {mistake}");
    }
    library
}

fn find(library: &Library, id: &str) -> Result<Arc<Runbook>, CommandError> {
    library.get(id).cloned().ok_or_else(|| {
        let known: Vec<_> = library.iter().map(|runbook| runbook.id.as_str()).collect();
        CommandError::usage(format!("there is no runbook `{}`: there are {}", visible(id), known.join(", ")))
    })
}

/// Lists the runbooks.
///
/// # Errors
/// When writing fails.
pub fn list(folders: &[PathBuf], format: Format, out: &mut impl Write) -> Result<(), CommandError> {
    let library = load(folders);
    let records: Vec<_> = library.iter().map(|runbook| ListedRecord::of(runbook)).collect();
    match format {
        Format::Json => output::json(out, &records),
        Format::Jsonl => output::jsonl(out, &records),
        Format::Csv => output::csv(out, &ListedRecord::FIELDS, records.iter().map(ListedRecord::row)),
        Format::Table => {
            let rows = records.iter().map(|r| {
                let row = r.row();
                [row[0].clone(), row[2].clone(), row[4].clone(), row[6].clone()]
            });
            output::table(out, &["runbook", "steps", "role", "what it is for"], rows)
        }
    }?;
    Ok(())
}

/// Shows a runbook: for reading, or its parts.
///
/// # Errors
/// When there is none of that id, or writing fails.
pub fn show(folders: &[PathBuf], id: &str, json: bool, out: &mut impl Write) -> Result<(), CommandError> {
    let runbook = find(&load(folders), id)?;
    if !json {
        let text = runbook.reading();
        writeln!(out, "# {}\n\n{}\n", visible(&runbook.title), visible(&runbook.summary))?;
        text.lines().try_for_each(|line| writeln!(out, "{}", visible(line)))?;
        return Ok(());
    }
    let steps = runbook.steps.iter().enumerate().map(|(index, step)| StepRecord {
        title: &step.title,
        kind: step.kind.word(),
        does: runbook.does(index),
        text: step.text.source(),
        deadline_seconds: step.deadline.map(|deadline| deadline.as_secs()),
        if_it_fails: runbook.if_it_fails(index),
    });
    let record = ShownRecord {
        listed: ListedRecord::of(&runbook),
        when_to_use: &runbook.when_to_use,
        when_not_to_use: &runbook.when_not_to_use,
        prerequisites: &runbook.prerequisites,
        tell: &runbook.tell,
        afterwards: &runbook.afterwards,
        intro: runbook.intro.source(),
        procedure: steps.collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &record).map_err(std::io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

/// Prints a runbook to be followed on paper.
///
/// # Errors
/// When there is none of that id, or writing fails.
pub fn print(folders: &[PathBuf], id: &str, form: Form, out: &mut impl Write) -> Result<(), CommandError> {
    let runbook = find(&load(folders), id)?;
    runbook.printed(form).lines().try_for_each(|line| writeln!(out, "{}", visible(line)))?;
    Ok(())
}

/// Says what is wrong with the files named; where none is, with the folders of the settings.
///
/// # Errors
/// With the findings, file, line and reason, one a line; or when writing fails.
pub fn check(folders: &[PathBuf], files: &[PathBuf], out: &mut impl Write) -> Result<(), CommandError> {
    let (good, mistakes) = if files.is_empty() {
        let (library, mistakes) = Library::load(folders);
        (library.iter().cloned().collect::<Vec<_>>(), mistakes)
    } else {
        of_files(files)
    };
    for runbook in &good {
        let place = runbook.file.as_ref().map_or_else(|| "built in".to_owned(), |f| f.display().to_string());
        writeln!(out, "{} ({}): {} steps, no mistakes", runbook.id, visible(&place), runbook.steps.len())?;
    }
    if mistakes.is_empty() {
        return Ok(());
    }
    let told: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    Err(CommandError { exit: Exit::Findings, say: told.join("\n") })
}

fn of_files(files: &[PathBuf]) -> (Vec<Arc<Runbook>>, Vec<Mistake>) {
    let mut library = Library::built_in();
    let (mut good, mut mistakes) = (Vec::new(), Vec::new());
    for file in files {
        match library.take(file) {
            Ok(runbook) => good.push(runbook),
            Err(found) => mistakes.extend(found),
        }
    }
    (good, mistakes)
}

#[cfg(test)]
mod tests {
    use super::{Form, Format, check, list, print, show};
    use crate::command::Exit;

    fn printed(run: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        run(&mut out);
        String::from_utf8(out).unwrap()
    }

    const DOCUMENT: &str = "+++\nid = \"x\"\ntitle = \"X\"\nsummary = \"s\"\n+++\n## One\nDo it.\n";

    #[test]
    fn every_field_is_documented() {
        const DOCS: &str = include_str!("../../assets/docs/runbooks.md");
        let json = printed(|out| show(&[], "key-recovery", true, out).unwrap());
        let shown: serde_json::Value = serde_json::from_str(&json).unwrap();
        let step = shown["procedure"][0].as_object().unwrap();
        for field in shown.as_object().unwrap().keys().chain(step.keys()) {
            assert!(DOCS.contains(&format!("| `{field}` |")), "{field} is not documented");
        }
        let csv = printed(|out| list(&[], Format::Csv, out).unwrap());
        assert_eq!(csv.lines().next().unwrap().split(',').count(), 10);
    }

    #[test]
    fn the_list_tells_what_each_is_for() {
        insta::assert_snapshot!(printed(|out| list(&[], Format::Table, out).unwrap()));
    }

    #[test]
    fn paper_has_boxes_deadlines_people_and_what_to_type() {
        let paper = printed(|out| print(&[], "emergency-revocation", Form::Text, out).unwrap());
        assert!(paper.lines().all(|line| line.chars().count() <= 78 || line.starts_with("    ")), "{paper}");
        insta::assert_snapshot!(paper);
        let markdown = printed(|out| print(&[], "key-compromise", Form::Markdown, out).unwrap());
        assert!(markdown.contains("- [ ] Revoke a grant: go to step 11, Pick the grant"), "{markdown}");
    }

    #[test]
    fn every_mistake_is_a_finding_with_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.md");
        std::fs::write(&file, DOCUMENT).unwrap();
        check(&[], std::slice::from_ref(&file), &mut Vec::new()).unwrap();
        std::fs::write(&file, format!("{DOCUMENT}{{nope}}\n## One\n```step\nwait = \"x\"\n```\n")).unwrap();
        for found in [check(&[], &[file], &mut Vec::new()), check(&[dir.path().into()], &[], &mut Vec::new())]
        {
            let found = found.unwrap_err();
            assert_eq!(found.exit, Exit::Findings);
            let lines: Vec<_> = found.say.lines().collect();
            assert_eq!(lines.len(), 3, "{}", found.say);
            assert!(lines[0].contains("x.md:8: `{nope}`") && lines[2].contains("x.md:11: `x` is no time"));
        }
    }

    #[test]
    fn a_runbook_that_is_not_there_is_named_with_those_that_are() {
        let error = show(&[], "nope", false, &mut Vec::new()).unwrap_err();
        assert!(error.exit == Exit::Usage && error.say.contains("key-loss, key-recovery"), "{}", error.say);
    }
}
