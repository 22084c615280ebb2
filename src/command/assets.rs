//! `assets export`: writes out what the program carries inside.

use std::io::Write;
use std::path::Path;

use include_dir::{Dir, include_dir};

use super::CommandError;

static RUNBOOKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/runbooks");
static ASSETS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets");

/// Writes runbooks and templates below `dir`, one line a file.
///
/// # Errors
/// When a file cannot be written; what was written before stays.
pub fn export(dir: &Path, out: &mut impl Write) -> Result<(), CommandError> {
    for (name, carried) in [("runbooks", &RUNBOOKS), ("assets", &ASSETS)] {
        write_all(&dir.join(name), carried, out)?;
    }
    Ok(())
}

fn write_all(folder: &Path, carried: &Dir<'_>, out: &mut impl Write) -> Result<(), CommandError> {
    for file in carried.files() {
        let path = folder.join(file.path());
        let cannot =
            |e: std::io::Error| CommandError::failed(format!("{} cannot be written: {e}", path.display()));
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(cannot)?;
        }
        std::fs::write(&path, file.contents()).map_err(cannot)?;
        writeln!(out, "{}", path.display())?;
    }
    carried.dirs().try_for_each(|inner| write_all(folder, inner, out))
}
