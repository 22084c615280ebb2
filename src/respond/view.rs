//! What a run looks like from outside: all that a screen or a command needs to show it and to answer it.

use jiff::Timestamp;

use crate::cloud::MfaCode;
use crate::gate::preview::Preview;
use crate::model::arn::KeyArn;
use crate::model::duty::Duty;
use crate::model::pair::DatabaseRef;
use crate::model::plan::Operation;
use crate::model::text::Untrusted;

/// What a run is aimed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A column encryption key, found through the SQL catalog. Without a database it must be the only one of its name.
    ColumnKey { cek: Untrusted, database: Option<DatabaseRef> },
    /// A KMS key.
    Key(KeyArn),
}

/// What the operator says to the responder.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    /// Begin a runbook.
    Start { runbook: String, target: Target, reason: Untrusted },
    /// Go on to, or do again, the step that waits.
    Proceed,
    /// A manual step is done; with a note.
    Attest { note: String },
    /// Answer a `choose` step.
    Choose { option: String },
    /// Answer an `ask` step: a value offered, or one typed.
    Answer { value: String },
    /// Name those who agreed, and how it is known.
    Approved { by: Vec<String>, note: String },
    /// Go on from a step that failed, where its runbook leaves that to a person.
    GoOn,
    /// The typed confirmation.
    Confirm { typed: String },
    /// What the MFA device shows, for the role that the confirmed change is made in.
    MfaCode { code: MfaCode },
    /// Leave the run: nothing more happens, the journal keeps it.
    Leave,
    /// Take up a run that was left or killed, by the sequence number of its `run-started` entry.
    Resume { run: u64 },
    /// Start the runbook that undoes the last verified change.
    Undo,
    /// A free note for the journal.
    Note { text: String },
    /// Send again what is owed (notifications, audit rows).
    SettleOwed,
}

/// What the responder tells, on one ordered channel.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// The run's state, whole, after each change of it.
    Run(Box<RunView>),
    /// Changes of this incident that stand, and what is owed.
    Standing(Standing),
    /// The journal has grown (all of it at the start).
    Journal(Vec<crate::journal::Entry>),
    /// A request could not be taken: what, why, and what to do next.
    Refused { reason: String },
}

/// A run as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView {
    /// The sequence number of its `run-started` entry.
    pub run: u64,
    pub runbook: String,
    pub title: String,
    /// None until the target is found.
    pub key: Option<KeyArn>,
    pub key_name: Option<String>,
    pub started: Timestamp,
    pub steps: Vec<StepView>,
    /// Index into `steps`; equal to its length once finished.
    pub current: usize,
    /// What the run waits for.
    pub waiting: Waiting,
    /// Facts gathered so far, oldest first.
    pub evidence: Vec<Evidence>,
    /// What [`Ask::Undo`] would do now, where this run's last verified change can be taken back.
    pub undo: Option<Operation>,
    /// What the run has found out and keeps: the word for it, and the value.
    pub values: Vec<(&'static str, String)>,
}

/// One step, for the list on the left.
#[derive(Clone, Debug, PartialEq)]
pub struct StepView {
    pub title: String,
    /// The step's text, Markdown, with its placeholders filled in.
    pub text: String,
    pub status: StepStatus,
    pub finished: Option<Timestamp>,
    /// When it ought to be done.
    pub deadline: Option<Timestamp>,
    /// Whether that has passed, as the journal has it.
    pub overdue: bool,
    /// What the program does there, when, and where it leads, in words.
    pub does: String,
    /// Where it leads if it fails; None where it stops the run, as steps do.
    pub if_it_fails: Option<String>,
}

/// How a step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepStatus {
    ToCome,
    Now,
    Done,
    Skipped,
    Failed,
    /// Sent, and nobody knows whether it happened.
    Unknown,
}

/// What a run waits for.
#[derive(Clone, Debug, PartialEq)]
pub enum Waiting {
    /// The program is at work; in words.
    Program(String),
    /// Time has to pass; [`Ask::Proceed`] cuts it short.
    Time {
        until: Timestamp,
        /// What comes then, in words.
        what: String,
    },
    /// The operator starts the step with [`Ask::Proceed`].
    Proceed {
        what: String,
    },
    /// A manual step.
    Attestation,
    Choice {
        question: String,
        options: Vec<String>,
    },
    /// A value, of those offered or, where `typed`, another one.
    Value {
        question: String,
        offers: Vec<Offer>,
        typed: bool,
        /// Why the last answer was refused.
        wrong: Option<String>,
    },
    /// The names of those who agreed.
    Approval {
        /// Who must agree, in words.
        by: String,
        people: u8,
        /// Why the last answer was refused.
        wrong: Option<String>,
    },
    /// The gate's preview stands; the name has to be typed. `wrong` says why the last try was refused.
    Confirmation {
        preview: Box<Preview>,
        wrong: Option<String>,
    },
    /// The plan is confirmed, and its role asks for a code of an MFA device. `wrong` says why the last was refused.
    MfaCode {
        /// The device's ARN or serial number.
        device: String,
        duty: Duty,
        wrong: Option<String>,
    },
    /// A step failed: why, and what can be done ([`Ask::Proceed`] tries again).
    Failed {
        reason: String,
        next: String,
        /// The step to which [`Ask::GoOn`] would go, where the runbook leaves that to a person.
        otherwise: Option<String>,
    },
    /// Over; in words. `undo` where the last change can be taken back.
    Finished {
        summary: String,
        undo: Option<Operation>,
    },
    /// Left by the operator.
    Left,
}

/// A value that can be picked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    pub value: String,
    /// What is known of it, in words.
    pub told: String,
}

/// A fact gathered by a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub at: Timestamp,
    pub text: String,
    pub good: bool,
}

/// What of this incident stands: shown in the header until the incident is closed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub changes: Vec<StandingChange>,
    /// Changes whose outcome is not settled, from this or an earlier process.
    pub unfinished: Vec<Unfinished>,
    /// Notifications and audit rows that are owed, in words.
    pub owed: Vec<String>,
}

/// A verified drop that has not been raised again.
#[derive(Clone, Debug, PartialEq)]
pub struct StandingChange {
    pub key: KeyArn,
    pub key_name: String,
    pub operation: Operation,
    pub at: Timestamp,
    /// Agreeing reads that proved it.
    pub agreeing_reads: u8,
    pub exposed_until: Option<Timestamp>,
}

/// An intent in the journal without a settled outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    pub run: u64,
    pub key_name: String,
    pub operation: Operation,
    pub intended_at: Timestamp,
    /// The true state as read since, in words; or why it could not be read.
    pub now: String,
    /// Whether the call had been answered, so that only proof and telling are missing.
    pub answered: bool,
}
