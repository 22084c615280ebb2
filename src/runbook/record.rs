//! What a run writes into the journal, and what replaying it reads back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::kind::Value;
use crate::journal::Entry;
use crate::model::arn::KeyArn;
use crate::model::pair::DatabaseRef;
use crate::model::text::Untrusted;

/// A run's entries. Their kind is the journal's kind, their content the journal's body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "body", rename_all = "kebab-case")]
pub enum RunRecord {
    RunStarted(RunStarted),
    TargetFound(TargetFound),
    StepDone(StepDone),
    StepFailed(StepFailed),
    StepOverdue(StepOverdue),
    RunLeft(RunLeft),
    RunResumed(RunResumed),
    RunFinished(RunFinished),
    Note(RunNote),
}

/// A run began. Its sequence number is the run's own from then on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunStarted {
    pub runbook: String,
    pub title: String,
    /// SHA-256 of the document.
    pub digest: String,
    pub aim: Aim,
    pub reason: Untrusted,
    /// The ARN of who began it; None where it could not be read.
    pub requester: Option<String>,
}

/// What the operator named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "named")]
pub enum Aim {
    ColumnKey { cek: Untrusted, database: Option<DatabaseRef> },
    Key { key: KeyArn },
}

/// The key that the run acts on, from here to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFound {
    pub run: u64,
    pub found: Found,
    pub evidence: Vec<Fact>,
}

/// A key, and how it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    pub key: KeyArn,
    /// Its first alias, made visible; else its id.
    pub key_name: String,
    pub cek: Option<Untrusted>,
    pub database: Option<DatabaseRef>,
}

/// A step is behind the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDone {
    pub run: u64,
    /// Its index in the runbook.
    pub step: usize,
    pub title: String,
    pub outcome: Outcome,
    pub evidence: Vec<Fact>,
    /// What the run knows from here on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub learned: BTreeMap<Value, Untrusted>,
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "how")]
pub enum Outcome {
    Done,
    Attested {
        note: Untrusted,
    },
    /// Attested, and with it that no client holds decrypted column keys any more.
    ClientsRestarted {
        note: Untrusted,
    },
    /// A wait that a person cut short.
    CutShort,
    /// The key was not in a state that the step is for.
    Skipped {
        reason: String,
    },
    Chose {
        option: String,
    },
    /// A value was picked or typed; it is in [`StepDone::learned`].
    Answered,
    /// People agreed, as the one who asks declares. The gate counts its own approvals apart from these.
    Approved {
        by: Vec<Untrusted>,
        note: Untrusted,
    },
    /// It failed, and the runbook, or a person where it leaves that to one, says to go on all the same.
    WentOn {
        reason: String,
    },
}

/// A step failed; the run waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepFailed {
    pub run: u64,
    pub step: usize,
    pub title: String,
    pub reason: String,
    /// What can be done.
    pub next: String,
    /// Whether a change was sent of which nobody knows whether it happened.
    pub unknown: bool,
    /// What was found out before it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Fact>,
}

/// A step's deadline passed before the step was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepOverdue {
    pub run: u64,
    pub step: usize,
    pub title: String,
    /// When it ought to have been done.
    pub deadline: Timestamp,
}

/// The operator left the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLeft {
    pub run: u64,
    pub reason: String,
}

/// The run was taken up again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResumed {
    pub run: u64,
}

/// The run is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunFinished {
    pub run: u64,
    pub summary: String,
}

/// A note of the operator's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunNote {
    pub run: Option<u64>,
    pub text: Untrusted,
}

/// Something established, for or against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    pub at: Timestamp,
    pub text: String,
    pub good: bool,
}

impl Fact {
    /// Something that is as it should be.
    pub fn good(at: Timestamp, text: impl Into<String>) -> Self {
        Self { at, text: text.into(), good: true }
    }

    /// Something that is not.
    pub fn bad(at: Timestamp, text: impl Into<String>) -> Self {
        Self { at, text: text.into(), good: false }
    }
}

impl RunRecord {
    const KINDS: [&str; 9] = [
        "run-started",
        "target-found",
        "step-done",
        "step-failed",
        "step-overdue",
        "run-left",
        "run-resumed",
        "run-finished",
        "note",
    ];

    /// The journal's kind and body for this record.
    ///
    /// # Errors
    /// Only where it cannot be written as JSON, which its types rule out.
    pub fn into_entry(self) -> Result<(&'static str, serde_json::Value), serde_json::Error> {
        let kind = self.kind();
        let mut whole = serde_json::to_value(self)?;
        Ok((kind, whole.get_mut("body").map(serde_json::Value::take).unwrap_or_default()))
    }

    /// Reads an entry; None for the entries of others (the gate's).
    ///
    /// # Errors
    /// If the kind is a run's and the body is not: another version of the program wrote it.
    #[must_use]
    pub fn of(entry: &Entry) -> Option<Result<Self, serde_json::Error>> {
        Self::KINDS
            .contains(&entry.kind.as_str())
            .then(|| serde_json::from_value(serde_json::json!({ "kind": entry.kind, "body": entry.body })))
    }

    /// The run that it belongs to; its own sequence number for a `run-started`.
    #[must_use]
    pub fn run(&self, seq: u64) -> Option<u64> {
        match self {
            Self::RunStarted(_) => Some(seq),
            Self::TargetFound(r) => Some(r.run),
            Self::StepDone(r) => Some(r.run),
            Self::StepFailed(r) => Some(r.run),
            Self::StepOverdue(r) => Some(r.run),
            Self::RunLeft(r) => Some(r.run),
            Self::RunResumed(r) => Some(r.run),
            Self::RunFinished(r) => Some(r.run),
            Self::Note(r) => r.run,
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::RunStarted(_) => "run-started",
            Self::TargetFound(_) => "target-found",
            Self::StepDone(_) => "step-done",
            Self::StepFailed(_) => "step-failed",
            Self::StepOverdue(_) => "step-overdue",
            Self::RunLeft(_) => "run-left",
            Self::RunResumed(_) => "run-resumed",
            Self::RunFinished(_) => "run-finished",
            Self::Note(_) => "note",
        }
    }
}
