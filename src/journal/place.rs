//! Where journals lie.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::JournalError;
use crate::model::IncidentId;

/// A journal that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub incident: IncidentId,
    pub path: PathBuf,
    pub bytes: u64,
}

/// The file of one incident: `STATE_DIR/journal/ENVIRONMENT/INCIDENT.jsonl`.
///
/// # Errors
/// Where the environment's name is not fit for a file name.
pub fn path_of(state_dir: &Path, environment: &str, incident: &IncidentId) -> Result<PathBuf, JournalError> {
    Ok(folder_of(state_dir, environment)?.join(format!("{incident}.jsonl")))
}

/// Every journal of an environment, by incident; none where there has been no incident yet.
///
/// # Errors
/// Where the folder cannot be read, or the environment's name is not fit for a file name.
pub fn list(state_dir: &Path, environment: &str) -> Result<Vec<Listed>, JournalError> {
    let folder = folder_of(state_dir, environment)?;
    let found = match fs::read_dir(&folder) {
        Err(none) if none.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        found => found.map_err(JournalError::io("list", &folder))?,
    };
    let mut journals = Vec::new();
    for file in found {
        let file = file.map_err(JournalError::io("list", &folder))?;
        let path = file.path();
        let incident = path.file_stem().and_then(OsStr::to_str).and_then(|stem| stem.parse().ok());
        if let (Some("jsonl"), Some(incident)) = (path.extension().and_then(OsStr::to_str), incident) {
            let bytes = file.metadata().map_err(JournalError::io("look at", &path))?.len();
            journals.push(Listed { incident, path, bytes });
        }
    }
    journals.sort_by(|a, b| a.incident.cmp(&b.incident));
    Ok(journals)
}

fn folder_of(state_dir: &Path, environment: &str) -> Result<PathBuf, JournalError> {
    // An incident id and a file name bear the same characters, for the same reason.
    let _: IncidentId =
        environment.parse().map_err(|_| JournalError::BadEnvironment(environment.to_owned()))?;
    Ok(state_dir.join("journal").join(environment))
}

/// Makes an environment's folder, for its owner's eyes alone, and gives its path.
pub(super) fn make_folder(state_dir: &Path, environment: &str) -> Result<PathBuf, JournalError> {
    let folder = folder_of(state_dir, environment)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(JournalError::io("make the folder", &folder))?;
    for made in folder.ancestors().take(2) {
        fs::set_permissions(made, Permissions::from_mode(0o700))
            .map_err(JournalError::io("close to others the folder", made))?;
        if let Some(parent) = made.parent() {
            sync_folder(parent)?;
        }
    }
    Ok(folder)
}

/// Makes a folder's list of names durable: a file's own fsync does not.
pub(super) fn sync_folder(folder: &Path) -> Result<(), JournalError> {
    File::open(folder)
        .and_then(|handle| handle.sync_all())
        .map_err(JournalError::io("write to disk the folder", folder))
}
