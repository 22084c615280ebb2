//! What can go wrong with a journal, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

/// Why a journal cannot be used. Without a journal there is no change.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error(
        "`{}` cannot name a journal folder: an environment's name takes 1–64 letters, digits, dots, dashes and underscores, and begins with a letter or digit. Rename it in settings",
        crate::model::text::visible(.0)
    )]
    BadEnvironment(String),
    #[error(
        "the journal {} is being written by {by}: one console an incident may act. Use that one, close it, or open another incident; `journal show` reads without taking it over",
        .path.display()
    )]
    Held { path: PathBuf, by: String },
    #[error(
        "the journal {} does not hold at line {line}: {why}. Nothing is appended to it, so nothing can be changed under this incident: keep the file as evidence, run `portcullis journal verify`, and act under a new incident id",
        .path.display()
    )]
    Broken { path: PathBuf, line: usize, why: String },
    #[error("cannot {doing} {}: {source}. {}", .path.display(), advice(source))]
    Io { doing: &'static str, path: PathBuf, source: io::Error },
    #[error(
        "a journal entry could not be written as JSON: {0}. This is a mistake in portcullis: please report it"
    )]
    Body(String),
    #[error(
        "the journal {} failed earlier in this process and may not hold what it was given: nothing more is written. Free the disk, then start portcullis again; it will say what is unfinished",
        .path.display()
    )]
    Failed { path: PathBuf },
}

impl JournalError {
    /// Wraps an I/O error with what was being done.
    pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }
}

/// What to do about an I/O error.
fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "Without a journal nothing is changed: free some space, or point XDG_STATE_HOME at another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "Without a journal nothing is changed: make the folder writable for you, or point XDG_STATE_HOME at one that is"
        }
        io::ErrorKind::NotFound => "No such journal: `portcullis journal list` names those that there are",
        _ => "Without a journal nothing is changed: see to the disk, or point XDG_STATE_HOME at another one",
    }
}
