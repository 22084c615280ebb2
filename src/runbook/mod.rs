//! The runbook format and the engine that walks it. No I/O but reading the documents: steps in, requests out.
//!
//! A runbook is Markdown that a person can read on paper and that the program executes. It begins with TOML
//! front matter between two `+++` lines; each `##` heading is a step; a fenced block `step`, in TOML, says
//! what the program does there. A heading without one is a manual step.
//!
//! Front matter: `id`, `title`, `summary` (needed); `role`, `controls`, `when_to_use`, `undone_by` (the id
//! of the runbook that takes its change back).
//!
//! A `step` block holds exactly one of
//!
//! | key | what happens |
//! |---|---|
//! | `manual = "attest"` or `"clients-restarted"` | a person does it and says so |
//! | `check = "key-state"`, `expect = […]` | one read; another state stops the run |
//! | `check = "administrable"` | reads whether the key policy still lets us act |
//! | `change = "disable-key"`, `"enable-key"`, `"cancel-key-deletion"` | through the gate; `undo` may name what takes it back |
//! | `verify = "key-state"`, `expect = […]`, `reads = 1–9` | reads that must all agree |
//! | `notify = "alert-topic"` | sees that people have been told |
//! | `audit = "sql"` | sees that the audit row is written |
//! | `wait = "10m"` | waits; a person may cut it short |
//! | `choose = "question"`, `options = [{ text, then }]` | `then`: `next`, `finish`, or a later step's title |
//!
//! and may hold `only_if_state = […]` (else the step is skipped), `deadline = "15m"` (shown, counted down) and
//! `on_failure = "stop"` (the default) or `"go-on"`, which a `change` may not have.

mod engine;
mod library;
mod mistake;
mod read;
mod record;
mod step;
mod text;

use std::path::PathBuf;

use jiff::SignedDuration;

use crate::model::key::KeyState;
use crate::model::plan::Operation;

pub use engine::{Misfit, Moment, Next, Run, StepState};
pub use library::Library;
pub use mistake::Mistake;
pub use record::{
    Aim, Fact, Found, Outcome, RunFinished, RunLeft, RunNote, RunRecord, RunResumed, RunStarted, StepDone,
    StepFailed, TargetFound,
};
pub use text::{Context, Placeholder, Text};

/// A document, read and found to be without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    pub id: String,
    pub title: String,
    /// One line for a list.
    pub summary: String,
    /// The role in which its changes are made, in words.
    pub role: Option<String>,
    /// Controls that it serves, e.g. `NIST-800-53r5:IR-4`.
    pub controls: Vec<String>,
    /// When to take it up, one reason an entry.
    pub when_to_use: Vec<String>,
    /// The id of the runbook that takes its change back.
    pub undone_by: Option<String>,
    /// What stands before the first step.
    pub intro: Text,
    /// At least one.
    pub steps: Vec<Step>,
    /// SHA-256 of the document as it is on disk, in lower-case hex: journalled with each run.
    pub digest: String,
    /// Where it came from; None for one that is built in.
    pub file: Option<PathBuf>,
}

/// One `##` heading of a runbook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Unlike every other step's.
    pub title: String,
    pub text: Text,
    pub kind: StepKind,
    /// The step is skipped while the key is in none of these.
    pub only_if_state: Option<Vec<KeyState>>,
    /// How long it ought to take, from the moment it begins.
    pub deadline: Option<SignedDuration>,
    pub on_failure: OnFailure,
}

/// What happens when a step fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The run waits for a person to try again or leave.
    #[default]
    Stop,
    /// The failure is evidence, and the run goes on.
    GoOn,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A person does it and attests it.
    Manual {
        attests: Attests,
    },
    /// One fresh read of the key.
    Check(Check),
    /// A change, through the gate.
    Change {
        operation: Operation,
    },
    /// Several fresh reads, which must all show one of the states.
    Verify {
        expect: Vec<KeyState>,
        reads: u8,
    },
    /// Sees that the alert topic has been told.
    Notify,
    /// Sees that the SQL audit row has been written.
    Audit,
    Wait {
        time: SignedDuration,
    },
    Choose {
        question: String,
        options: Vec<Choice>,
    },
}

/// What an attested manual step means to the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attests {
    /// Only that it was done.
    #[default]
    Done,
    /// That the clients were restarted, so that none holds decrypted column keys any more.
    ClientsRestarted,
}

/// What a check looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// The key must be in one of these states.
    State { expect: Vec<KeyState> },
    /// The key policy must still let the account, or who acts, administer the key.
    Administrable,
}

/// An answer to a `choose` step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub text: String,
    pub then: Then,
}

/// Where an answer leads: always forward, so that every run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    Next,
    /// Index of a later step.
    Step(usize),
    Finish,
}

impl Runbook {
    /// The changes that it can make, in order.
    pub fn changes(&self) -> impl Iterator<Item = Operation> {
        self.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Change { operation } => Some(operation.clone()),
            _ => None,
        })
    }

    /// The whole text for reading, Markdown, its placeholders as the document has them.
    #[must_use]
    pub fn paper(&self) -> String {
        self.steps.iter().fold(self.intro.source(), |mut paper, step| {
            paper.push_str("\n## ");
            paper.push_str(&step.title);
            paper.push_str("\n\n");
            paper.push_str(&step.text.source());
            paper
        })
    }
}

impl StepKind {
    /// The word for it in documents and journals.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Manual { .. } => "manual",
            Self::Check(_) => "check",
            Self::Change { .. } => "change",
            Self::Verify { .. } => "verify",
            Self::Notify => "notify",
            Self::Audit => "audit",
            Self::Wait { .. } => "wait",
            Self::Choose { .. } => "choose",
        }
    }
}
