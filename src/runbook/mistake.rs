//! What is wrong with a runbook document, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// A reason to refuse a document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Mistake {
    pub file: PathBuf,
    /// From 1. None where the file as a whole is at fault: it cannot be read, its id is taken.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub reason: String,
}

impl Mistake {
    /// A mistake of a file as a whole.
    pub(super) fn of_file(file: &Path, reason: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, reason: reason.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.to_string_lossy();
        write!(f, "{}", crate::model::text::visible(&file))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", crate::model::text::visible(&self.reason))
    }
}

/// A mistake on a line, in a file that its finder does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// From 1.
    pub line: usize,
    pub reason: String,
}

impl Wrong {
    pub fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line, reason: reason.into() }
    }

    pub fn within(self, file: &Path) -> Mistake {
        Mistake { file: file.to_owned(), line: Some(self.line), reason: self.reason }
    }
}
