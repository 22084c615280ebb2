//! `assets export`: writes out what the program carries inside.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::CommandError;
use crate::runbook::Library;
use crate::settings::TEMPLATE;

/// Writes the runbooks, the IAM policies and the settings template below `dir`, and tells each file's path.
///
/// # Errors
/// When a file cannot be written; what was written before stays.
pub fn export(dir: &Path, out: &mut impl Write) -> Result<(), CommandError> {
    let runbooks = Library::built_in_documents().map(|(name, text)| (Path::new("runbooks").join(name), text));
    let policies = crate::iam::DOCUMENTS.iter().map(|(name, text)| (Path::new("iam").join(name), *text));
    for (name, text) in runbooks.chain(policies).chain([(PathBuf::from("settings.toml"), TEMPLATE)]) {
        let path = dir.join(name);
        let cannot =
            |e: std::io::Error| CommandError::failed(format!("{} cannot be written: {e}", path.display()));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        std::fs::write(&path, text).map_err(cannot)?;
        writeln!(out, "{}", path.display())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::export;
    use crate::runbook::Library;

    #[test]
    fn what_is_exported_reads_as_what_is_built_in() {
        let dir = tempfile::tempdir().unwrap();
        export(dir.path(), &mut Vec::new()).unwrap();
        let (library, mistakes) = Library::load(&[dir.path().join("runbooks")]);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        for built_in in Library::built_in().iter() {
            assert_eq!(library.get(&built_in.id).unwrap().digest, built_in.digest);
        }
        assert!(dir.path().join("settings.toml").exists());
        for (name, text) in crate::iam::DOCUMENTS {
            assert_eq!(std::fs::read_to_string(dir.path().join("iam").join(name)).unwrap(), *text);
        }
    }
}
