//! `revoke` and `recover`: the same runbooks and the same gate, without a screen.
//!
//! A step that only a person can do is attested before the change with the words given for it, and left for
//! the console after the change: a command must not attest what nobody did.

use std::io::Write;

use serde::Serialize;
use tokio::sync::mpsc;

use super::output::{self, Format};
use super::{CommandError, Exit};
use crate::cloud::MfaCode;
use crate::gate::preview::Preview;
use crate::gate::{proved, unfinished};
use crate::journal::Entry;
use crate::model::duty::Duty;
use crate::model::text::{Untrusted, visible};
use crate::respond::view::{Ask, RunView, StepStatus, Target, Told, Waiting};

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// `emergency-revocation` or `key-recovery`.
    pub runbook: &'static str,
    pub target: Target,
    pub reason: String,
    /// The typed confirmation, given beforehand.
    pub typed: Option<String>,
    /// How it is known that what a person must see to before the change has been seen to.
    pub attest: Option<String>,
}

/// Answers what has to be asked of a person; None where nobody is there to be asked.
pub trait Person {
    /// Shows the plan and takes the typed confirmation.
    fn confirm(&mut self, preview: &Preview, wrong: Option<&str>) -> Option<String>;
    /// Shows a step and takes the note that attests it.
    fn attest(&mut self, title: &str, text: &str) -> Option<String>;
    /// Takes the code that the MFA device shows; `wrong` says why the last was refused.
    fn mfa_code(&mut self, device: &str, duty: Duty, wrong: Option<&str>) -> Option<MfaCode>;
    /// Is told how it goes on.
    fn progress(&mut self, text: &str);
}

/// How it ended, for machines. These field names are stable.
#[derive(Debug, Serialize)]
struct ChangeRecord {
    incident: String,
    runbook: String,
    key_arn: Option<String>,
    key_name: Option<String>,
    /// `verified`, `unknown`, `refused` or `failed`.
    outcome: &'static str,
    /// In words.
    summary: String,
    /// What people still have to do, in the console.
    steps_left: Vec<String>,
    /// Notifications and audit rows not delivered yet.
    owed: Vec<String>,
    journal_head: Option<String>,
}

/// Runs the runbook to the end of what a program can do.
///
/// # Errors
/// With the exit code that says how it ended: refused, failed, or changed and not verified.
pub async fn run(
    wanted: Wanted,
    incident: &str,
    ask: mpsc::Sender<Ask>,
    told: mpsc::Receiver<Told>,
    person: &mut impl Person,
    format: Format,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let runbook = wanted.runbook;
    let mut run = Run { wanted, ask, told, entries: Vec::new(), owed: Vec::new(), view: None };
    let Ended { exit, summary } = run.drive(person).await;
    let (outcome, exit) = run.outcome(exit);
    let record = ChangeRecord {
        incident: incident.to_owned(),
        runbook: runbook.to_owned(),
        key_arn: run.view.as_ref().and_then(|v| v.key.as_ref()).map(|key| key.as_str().to_owned()),
        key_name: run.view.as_ref().and_then(|v| v.key_name.clone()),
        outcome,
        summary,
        steps_left: run.steps_left(),
        owed: run.owed.clone(),
        journal_head: run.entries.last().map(|entry| entry.hash.clone()),
    };
    print(&record, format, out)?;
    match exit {
        Exit::Done => Ok(()),
        exit => Err(CommandError { exit, say: record.summary }),
    }
}

fn print(record: &ChangeRecord, format: Format, out: &mut impl Write) -> Result<(), CommandError> {
    if format == Format::Json {
        serde_json::to_writer_pretty(&mut *out, record).map_err(std::io::Error::from)?;
        writeln!(out)?;
        return Ok(());
    }
    let rows = [
        ("incident", record.incident.clone()),
        ("key", record.key_name.clone().unwrap_or_default()),
        ("key ARN", record.key_arn.clone().unwrap_or_default()),
        ("outcome", record.outcome.to_owned()),
        ("summary", record.summary.clone()),
        ("steps left for people", record.steps_left.join("; ")),
        ("owed", record.owed.join("; ")),
        ("journal head", record.journal_head.clone().unwrap_or_default()),
    ];
    output::table(out, &["what", "how"], rows.map(|(what, how)| [what.to_owned(), how]))?;
    Ok(())
}

/// The last words, and the exit code where the journal does not know better.
struct Ended {
    exit: Exit,
    summary: String,
}

impl Ended {
    fn done(summary: String) -> Self {
        Self { exit: Exit::Done, summary }
    }

    fn failed(summary: String) -> Self {
        Self { exit: Exit::Failed, summary }
    }

    fn refused(summary: String) -> Self {
        Self { exit: Exit::Refused, summary }
    }
}

struct Run {
    wanted: Wanted,
    ask: mpsc::Sender<Ask>,
    told: mpsc::Receiver<Told>,
    entries: Vec<Entry>,
    owed: Vec<String>,
    view: Option<Box<RunView>>,
}

impl Run {
    async fn drive(&mut self, person: &mut impl Person) -> Ended {
        let start = Ask::Start {
            runbook: self.wanted.runbook.to_owned(),
            target: self.wanted.target.clone(),
            reason: Untrusted::new(self.wanted.reason.clone()),
        };
        let mut started = false;
        let mut typed = self.wanted.typed.take();
        while let Some(message) = self.told.recv().await {
            let view = match message {
                Told::Journal(more) => {
                    self.entries.extend(more);
                    continue;
                }
                Told::Standing(standing) => {
                    self.owed = standing.owed;
                    if !started {
                        if let Some(change) = standing.unfinished.first() {
                            return Ended::refused(format!(
                                "this incident has an unfinished {} of {}: {}. Take it up first: portcullis respond --incident …",
                                change.operation, change.key_name, change.now
                            ));
                        }
                        started = true;
                        self.say(start.clone()).await;
                    }
                    continue;
                }
                Told::Refused { reason } => return Ended::failed(reason),
                Told::Run(view) => view,
            };
            let answer = self.answer(&view, person, &mut typed);
            self.view = Some(view);
            match answer {
                Answer::Wait => {}
                Answer::Say(ask) => self.say(ask).await,
                Answer::End(ended) => return ended,
            }
        }
        Ended::failed("the responder ended before the run did; the journal says how far it came".to_owned())
    }

    async fn say(&self, ask: Ask) {
        // If the responder is gone its channel closes, and the loop above ends.
        let _ = self.ask.send(ask).await;
    }

    fn answer(&self, view: &RunView, person: &mut impl Person, typed: &mut Option<String>) -> Answer {
        let step = view.steps.get(view.current);
        match &view.waiting {
            Waiting::Time { .. }
            | Waiting::Attestation
            | Waiting::Choice { .. }
            | Waiting::Value { .. }
            | Waiting::Approval { .. }
            | Waiting::Confirmation { .. }
                if self.changed() =>
            {
                Answer::End(Ended::done(
                    "done and verified; what is left is for people: take it up with `respond`".to_owned(),
                ))
            }
            Waiting::Program(what) | Waiting::Time { what, .. } => {
                person.progress(what);
                Answer::Wait
            }
            Waiting::Proceed { .. } => Answer::Say(Ask::Proceed),
            Waiting::Confirmation { preview, wrong } => {
                match typed.take().or_else(|| person.confirm(preview, wrong.as_deref())) {
                    Some(typed) => Answer::Say(Ask::Confirm { typed }),
                    None => Answer::End(Ended::refused(wrong.clone().unwrap_or_else(|| {
                        format!(
                            "not confirmed, nothing happened: it takes --yes-i-typed '{}'",
                            preview.must_type
                        )
                    }))),
                }
            }
            Waiting::MfaCode { device, duty, wrong } => {
                match person.mfa_code(device, *duty, wrong.as_deref()) {
                    Some(code) => Answer::Say(Ask::MfaCode { code }),
                    None => Answer::End(Ended::refused(wrong.clone().unwrap_or_else(|| {
                        format!(
                            "no MFA code was given, nothing happened: {duty} asks for one of {}: --mfa-code-fd N, or a terminal to ask at",
                            visible(device)
                        )
                    }))),
                }
            }
            Waiting::Attestation => {
                let (title, text) = step.map_or(("", ""), |step| (&step.title, &step.text));
                let note = self.wanted.attest.clone().or_else(|| person.attest(title, text));
                match note {
                    Some(note) => Answer::Say(Ask::Attest { note }),
                    None => Answer::End(Ended::refused(format!(
                        "nothing happened: `{}` has to be attested first: --attest 'how you know'",
                        visible(title)
                    ))),
                }
            }
            Waiting::Choice { question, .. } if self.changed() => Answer::End(Ended::done(format!(
                "done and verified; what is left is to be decided: {question} Take it up with `respond`, or name the other key by its ARN"
            ))),
            Waiting::Choice { question, options } => Answer::End(Ended::refused(format!(
                "{question} Name the KMS key by its ARN in place of the column key, or choose in the console (`respond`): {}",
                options.join(", ")
            ))),
            Waiting::Value { question, .. } => Answer::End(Ended::refused(format!(
                "nothing happened: the runbook asks for a value, which takes the console (`respond`): {question}"
            ))),
            Waiting::Approval { by, .. } => Answer::End(Ended::refused(format!(
                "nothing happened: the runbook asks who agreed, which takes the console (`respond`): {by}"
            ))),
            Waiting::Failed { reason, next, .. } => {
                let exit = if self.changed() { Exit::Unverified } else { Exit::Failed };
                Answer::End(Ended { exit, summary: format!("{}. {next}", reason.trim_end_matches('.')) })
            }
            Waiting::Finished { summary, .. } => Answer::End(Ended::done(summary.clone())),
            Waiting::Left => Answer::End(Ended::failed("the run was left".to_owned())),
        }
    }

    /// Whether the last change that the run is for has been proved.
    fn changed(&self) -> bool {
        self.view.as_ref().is_some_and(|view| self.proved_since(view.run))
    }

    fn proved_since(&self, run: u64) -> bool {
        let wanted = match self.wanted.runbook {
            "key-recovery" => crate::model::plan::Operation::EnableKey,
            _ => crate::model::plan::Operation::DisableKey,
        };
        proved(&self.entries).iter().any(|change| change.intent > run && change.plan.operation == wanted)
    }

    /// How it ended: the journal knows better than the last words.
    fn outcome(&self, exit: Exit) -> (&'static str, Exit) {
        let run = self.view.as_ref().map_or(u64::MAX, |view| view.run);
        if !unfinished(&self.entries).is_empty() {
            ("unknown", Exit::Unverified)
        } else if self.changed() {
            ("verified", exit)
        } else if exit == Exit::Refused || self.entries.iter().any(|e| e.seq > run && e.kind == "refused") {
            ("refused", Exit::Refused)
        } else {
            ("failed", Exit::Failed)
        }
    }

    fn steps_left(&self) -> Vec<String> {
        let Some(view) = &self.view else { return Vec::new() };
        view.steps
            .iter()
            .filter(|step| matches!(step.status, StepStatus::ToCome | StepStatus::Now | StepStatus::Failed))
            .map(|step| visible(&step.title).into_owned())
            .collect()
    }
}

enum Answer {
    Wait,
    Say(Ask),
    End(Ended),
}
