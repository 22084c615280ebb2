//! The runbook format and the engine that walks it. No I/O but reading the documents: steps in, requests out.
//!
//! A runbook is Markdown that a person can read on paper and that the program executes. It begins with TOML
//! front matter between two `+++` lines; each `##` heading is a step; a fenced block `step`, in TOML, says
//! what the program does there. A heading without one is a manual step.
//!
//! Front matter: `id`, `title`, `summary` (needed); the lists `when_to_use`, `when_not_to_use`, `prerequisites`,
//! `tell` (people), `afterwards`, `controls`; `role` (the duty in whose role its changes are made);
//! `undone_by` (the id of the runbook that takes its changes
//! back); `replaces` (the id of a built-in runbook in whose place this document stands, and its own id too);
//! `takes_lost_keys = true` where it is for keys that KMS does not show any more.
//!
//! A `step` block holds exactly one of
//!
//! | key | what happens |
//! |---|---|
//! | `manual = "attest"` or `"clients-restarted"` | a person does it and says so, with a note |
//! | `check = "…"` | one look, kept as evidence: see [`Check`] |
//! | `approval = "who must agree"`, `people = 1–9` | people other than the requester agreed, and are named |
//! | `assume-role = "emergency-key-admin"` | sees beforehand that the role of that duty can be asked for |
//! | `change = "…"` | through the gate: see [`Change`]; `undo` may name what takes it back |
//! | `verify = "…"` | proof after a change: see [`Verify`] |
//! | `notify = "alert-topic"` | sees that people have been told |
//! | `audit = "sql"` | sees that the audit row is written |
//! | `wait = "10m"` | waits; a person may cut it short |
//! | `choose = "question"`, `options = [{ text, then }]` | a person decides where to go on |
//! | `ask = "grant"`, `question` | a person picks a value from what was read: see [`Value`] |
//!
//! and may hold
//!
//! | key | what it means |
//! |---|---|
//! | `only_if_state = […]`, `only_if = […]` | else the step is skipped: key states, [`Circumstance`]s |
//! | `deadline = "15m"` | shown, counted down; once passed it is said aloud and journalled |
//! | `then` | where it goes on after the step, done or skipped: `next`, `finish`, or a later step's title |
//! | `retries = 1–60`, `retry_after = "30s"` | tries again by itself before it counts as failed |
//! | `on_failure` | `stop` (try again or leave), `go-on`, a later step's title, or `ask`, which lets a person go on to `otherwise` |
//!
//! Everything leads forward but the options of a `choose`, of which one must: so a run can always come to its end.
//! A change that failed never goes on by itself.

mod block;
mod by_hand;
mod engine;
mod kind;
mod library;
mod mistake;
mod paper;
mod plain;
mod read;
mod record;
mod step;
mod text;

use std::path::PathBuf;

use jiff::SignedDuration;

use crate::model::duty::Duty;
use crate::model::key::KeyState;

pub use engine::{Misfit, Moment, Next, Run, StepState};
pub use kind::{Attests, Change, Check, Choice, Circumstance, StepKind, Then, Value, Verify};
pub use library::Library;
pub use mistake::Mistake;
pub use paper::Form;
pub use record::{
    Aim, Fact, Found, Outcome, RunFinished, RunLeft, RunNote, RunRecord, RunResumed, RunStarted, StepDone,
    StepFailed, StepOverdue, TargetFound,
};
pub use text::{Context, Placeholder, Text};

/// A document, read and found to be without mistakes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Runbook {
    pub id: String,
    pub title: String,
    /// One line for a list.
    pub summary: String,
    /// The duty in whose role its changes are made.
    pub role: Option<Duty>,
    /// Controls that it serves, e.g. `NIST-800-53r5:IR-4`.
    pub controls: Vec<String>,
    /// When to take it up, one reason an entry.
    pub when_to_use: Vec<String>,
    /// When another one is right, or none.
    pub when_not_to_use: Vec<String>,
    /// What must be there before the first step.
    pub prerequisites: Vec<String>,
    /// Who has to be told, and when.
    pub tell: Vec<String>,
    /// What comes after the last step.
    pub afterwards: Vec<String>,
    /// The id of the runbook that takes its changes back.
    pub undone_by: Option<String>,
    /// The id of the built-in runbook in whose place it stands.
    pub replaces: Option<String>,
    /// Whether it may be aimed at a key that KMS does not show.
    pub takes_lost_keys: bool,
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
    /// The step is skipped unless all of these hold.
    pub only_if: Vec<Precondition>,
    /// How long it ought to take, from the moment it begins.
    pub deadline: Option<SignedDuration>,
    /// Where it goes on after it.
    pub then: Then,
    pub retry: Option<Retry>,
    pub on_failure: OnFailure,
}

/// A circumstance that must hold, or must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precondition {
    pub circumstance: Circumstance,
    pub holds: bool,
}

/// How a step is tried again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Tries after the first one, 1–60.
    pub times: u32,
    /// Between two tries.
    pub after: SignedDuration,
}

/// What happens when a step fails, after its retries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// The run waits for a person to try again or leave.
    #[default]
    Stop,
    /// The failure is evidence, and the run goes on there.
    GoOn(Then),
    /// A person tries again, leaves, or lets the run go on there.
    Ask(Then),
}

impl Runbook {
    /// The changes that it can make, in order.
    pub fn changes(&self) -> impl Iterator<Item = Change> {
        self.steps.iter().filter_map(|step| match step.kind {
            StepKind::Change(change) => Some(change),
            _ => None,
        })
    }

    /// The title of the step at an index, or that the run is over there.
    #[must_use]
    pub fn title_at(&self, index: usize) -> &str {
        self.steps.get(index).map_or("the end", |step| &step.title)
    }

    /// The index to which a step's `then` leads.
    #[must_use]
    pub fn index_after(&self, step: usize, then: Then) -> usize {
        match then {
            Then::Next => step + 1,
            Then::Step(index) => index,
            Then::Finish => self.steps.len(),
        }
    }
}
