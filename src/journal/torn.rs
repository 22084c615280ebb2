//! A last line that was never finished: set aside, kept, reported.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::{JournalError, place};

/// The body of a `torn-tail` entry.
#[derive(Debug, Serialize)]
pub(super) struct TornTail {
    /// The name of the file beside the journal that keeps the bytes.
    file: String,
    bytes: usize,
    /// Of those bytes, in lower-case hex.
    sha256: String,
}

/// Keeps `tail` in a file of its own, and only then takes it off the journal.
pub(super) fn set_aside(
    journal: &Path,
    file: &File,
    offset: u64,
    tail: &[u8],
) -> Result<TornTail, JournalError> {
    let (kept, mut copy) = create_beside(journal)?;
    copy.write_all(tail)
        .and_then(|()| copy.sync_all())
        .map_err(JournalError::io("set a torn line aside in", &kept))?;
    if let Some(folder) = kept.parent() {
        place::sync_folder(folder)?;
    }
    file.set_len(offset)
        .and_then(|()| file.sync_all())
        .map_err(JournalError::io("take a torn line off", journal))?;
    Ok(TornTail {
        file: kept.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: tail.len(),
        sha256: hex::encode(digest(&SHA256, tail)),
    })
}

/// The first free `INCIDENT.jsonl.torn-N`.
fn create_beside(journal: &Path) -> Result<(PathBuf, File), JournalError> {
    let mut n = 1_u32;
    loop {
        let mut name = journal.as_os_str().to_owned();
        name.push(format!(".torn-{n}"));
        let path = PathBuf::from(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(taken) if taken.kind() == io::ErrorKind::AlreadyExists => n += 1,
            Err(e) => return Err(JournalError::io("set a torn line aside in", &path)(e)),
        }
    }
}
