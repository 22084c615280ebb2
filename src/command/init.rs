//! `init`: writes a commented settings file.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::CommandError;
use crate::settings::TEMPLATE;

/// Writes the template to `path`, readable by its owner alone; an existing file only with `force`.
///
/// # Errors
/// When the file is there already, or cannot be written.
pub fn run(path: &Path, force: bool, out: &mut impl Write) -> Result<(), CommandError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let cannot = |error: std::io::Error| {
        CommandError::failed(format!("{} cannot be written: {error}", path.display()))
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    match options.open(path) {
        Ok(mut file) => file.write_all(TEMPLATE.as_bytes()).map_err(cannot)?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(CommandError::usage(format!(
                "{} is there already and was left alone; --force writes over it",
                path.display()
            )));
        }
        Err(error) => return Err(cannot(error)),
    }
    writeln!(out, "wrote {}\nedit it, then run: portcullis config check", path.display())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::run;
    use crate::command::Exit;

    #[test]
    fn a_file_that_is_there_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/settings.toml");
        run(&path, false, &mut Vec::new()).unwrap();
        std::fs::write(&path, "mine").unwrap();
        assert_eq!(run(&path, false, &mut Vec::new()).unwrap_err().exit, Exit::Usage);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        run(&path, true, &mut Vec::new()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), crate::settings::TEMPLATE);
    }
}
