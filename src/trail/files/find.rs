//! What there is to read under some paths.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files to be read, in the order of their names, and what stands beside them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// `-` is standard input.
    pub files: Vec<PathBuf>,
    pub passed_over: PassedOver,
}

/// What a folder holds that is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// Digest files, which prove that no log file was altered: they hold no events.
    pub digests: usize,
    /// Files whose names say neither JSON nor gzip, and the first of them.
    pub others: usize,
    pub first_other: Option<PathBuf>,
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be read: {why}. Name a file, a folder of trail logs, or - for standard input", path.display())]
pub struct Missing {
    pub path: PathBuf,
    why: io::Error,
}

impl Found {
    /// Looks through files and folders, folders as deep as they go. A file that is named is read whatever it is
    /// called; in a folder, `.json`, `.jsonl`, `.ndjson`, `.log` and these with `.gz` are.
    ///
    /// # Errors
    /// A named path that is not there, or a folder that may not be listed.
    pub fn under(paths: &[PathBuf]) -> Result<Self, Missing> {
        let mut found = Self::default();
        for path in paths {
            let missing = |why| Missing { path: path.clone(), why };
            if path.as_os_str() == "-" || !fs::metadata(path).map_err(missing)?.is_dir() {
                found.files.push(path.clone());
            } else {
                found.look_through(path)?;
            }
        }
        Ok(found)
    }

    fn look_through(&mut self, folder: &Path) -> Result<(), Missing> {
        let missing = |why| Missing { path: folder.to_owned(), why };
        let entries = fs::read_dir(folder).map_err(missing)?;
        let mut entries = entries.collect::<Result<Vec<_>, _>>().map_err(missing)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            // A link to a folder may lead in circles: only links to files are followed.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder {
                self.look_through(&entry.path())?;
            } else {
                self.judge(entry.path());
            }
        }
        Ok(())
    }

    fn judge(&mut self, path: PathBuf) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let in_digests = path.components().any(|part| part.as_os_str() == "CloudTrail-Digest");
        if in_digests || name.contains("_cloudtrail-digest_") {
            self.passed_over.digests += 1;
        } else if is_log(&name) {
            self.files.push(path);
        } else {
            self.passed_over.others += 1;
            self.passed_over.first_other.get_or_insert(path);
        }
    }
}

fn is_log(name: &str) -> bool {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    plain != name && !plain.contains('.')
        || [".json", ".jsonl", ".ndjson", ".log"].iter().any(|end| plain.ends_with(end))
}

impl PassedOver {
    /// What was passed over, in words; None where nothing was.
    #[must_use]
    pub fn in_words(&self) -> Option<String> {
        let digests =
            (self.digests > 0).then(|| format!("{} digest files (they hold no events)", self.digests));
        let others = self.first_other.as_ref().map(|first| {
            let name = first.display().to_string();
            let name = crate::model::text::visible(&name);
            format!("{} files that are neither JSON nor gzip by name, e.g. {name}", self.others)
        });
        let words: Vec<_> = digests.into_iter().chain(others).collect();
        (!words.is_empty()).then(|| format!("passed over {}", words.join(" and ")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, PassedOver};

    #[test]
    fn the_layout_of_a_bucket_is_walked_and_its_digests_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let day = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/23";
        let digest = "AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/11/23";
        let names = [
            format!("{day}/111122223333_CloudTrail_eu-west-1_20261123T1405Z_a.json.gz"),
            format!("{digest}/111122223333_CloudTrail-Digest_eu-west-1_x_20261123T1405Z.json.gz"),
            "notes.txt".to_owned(),
            "a.jsonl".to_owned(),
        ];
        for name in &names {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        let found = Found::under(&[folder.path().to_owned()]).unwrap();
        let [log, _, notes, lines] = names.each_ref().map(|name| folder.path().join(name));
        assert_eq!(found.files, [log, lines]);
        assert_eq!(found.passed_over, PassedOver { digests: 1, others: 1, first_other: Some(notes) });
        assert!(found.passed_over.in_words().unwrap().contains("1 digest files"));
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let missing = Found::under(&["/no/such/trail".into()]).unwrap_err().to_string();
        assert!(missing.contains("/no/such/trail") && missing.contains("standard input"), "{missing}");
    }
}
