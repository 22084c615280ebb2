//! One writer: a lock file beside the journal, held for as long as the process lives.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::JournalError;

/// Who holds a journal. The operating system lets go of the lock when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the journal's lock, or says who has it.
    pub(super) fn take(journal: &Path) -> Result<Self, JournalError> {
        let path = journal.with_extension("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(JournalError::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(JournalError::Held { path: journal.to_owned(), by: holder(&mut file) });
            }
            Err(TryLockError::Error(e)) => return Err(JournalError::io("lock", &path)(e)),
        }
        // Who holds it is a courtesy to the second comer; the lock itself is what counts.
        let name = format!("process {} on {}\n", std::process::id(), host());
        file.set_len(0)
            .and_then(|()| file.write_all(name.as_bytes()))
            .map_err(JournalError::io("write the lock file", &path))?;
        Ok(Self { _held: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let text = crate::model::text::visible(text.trim()).into_owned();
    if text.is_empty() { "another process".to_owned() } else { text }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this machine".to_owned())
}
