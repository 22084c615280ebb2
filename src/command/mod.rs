//! Headless commands, one file each: words in, domain call, table or JSON out.

pub mod assets;
pub mod change;
pub mod config;
pub mod dependents;
pub mod detections;
pub mod events;
pub mod init;
pub mod journal;
pub mod keys;
pub mod output;
pub mod runbook;
pub mod serve;

use std::io;

/// How a command ended: what the process answers to whoever started it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done and verified.
    Done,
    /// Failed, nothing changed.
    Failed,
    /// Wrong words or settings.
    Usage,
    /// Not allowed, not approved, or a stale plan.
    Refused,
    /// Changed but not verified, or the outcome is unknown.
    Unverified,
    /// A check found something wrong.
    Findings,
}

impl Exit {
    /// The process's exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Refused => 3,
            Self::Unverified => 4,
            Self::Findings => 5,
        }
    }
}

/// Why a command could not do its work, with what to do next, and how the process ends.
#[derive(Debug, thiserror::Error)]
#[error("{say}")]
pub struct CommandError {
    pub exit: Exit,
    pub say: String,
}

impl CommandError {
    /// An error about the words or the settings.
    pub fn usage(say: impl Into<String>) -> Self {
        Self { exit: Exit::Usage, say: say.into() }
    }

    /// A failure that changed nothing.
    pub fn failed(say: impl Into<String>) -> Self {
        Self { exit: Exit::Failed, say: say.into() }
    }
}

impl From<crate::settings::Mistakes> for CommandError {
    fn from(mistakes: crate::settings::Mistakes) -> Self {
        Self::usage(mistakes.to_string())
    }
}

impl From<crate::journal::JournalError> for CommandError {
    fn from(error: crate::journal::JournalError) -> Self {
        Self::failed(error.to_string())
    }
}

/// Writing the answer failed. A reader that went away (`| head`) is no failure.
impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self { exit: Exit::Done, say: String::new() },
            _ => Self::failed(format!("the answer could not be written: {error}")),
        }
    }
}
