//! The runbooks at hand: those built in, and the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Mistake, Runbook};

/// `include_str!`, not `include_dir!`: cargo builds anew when one of them changes.
const BUILT_IN: [(&str, &str); 6] = [
    ("emergency-revocation.md", include_str!("../../runbooks/emergency-revocation.md")),
    ("key-compromise.md", include_str!("../../runbooks/key-compromise.md")),
    ("key-loss.md", include_str!("../../runbooks/key-loss.md")),
    ("key-recovery.md", include_str!("../../runbooks/key-recovery.md")),
    ("post-rotation-verification.md", include_str!("../../runbooks/post-rotation-verification.md")),
    ("standard-rotation.md", include_str!("../../runbooks/standard-rotation.md")),
];

/// Runbooks by id.
#[derive(Clone, Debug, Default)]
pub struct Library {
    runbooks: BTreeMap<String, Arc<Runbook>>,
}

impl Library {
    /// The runbooks that the program carries inside. A test holds that none of them has a mistake.
    #[must_use]
    pub fn built_in() -> Self {
        let mut library = Self::default();
        for (path, document) in Self::built_in_documents() {
            if let Ok(runbook) = Runbook::read(document, path) {
                library.runbooks.insert(runbook.id.clone(), Arc::new(runbook));
            }
        }
        library
    }

    /// The documents that the program carries inside, to be written out or printed.
    pub fn built_in_documents() -> impl Iterator<Item = (&'static Path, &'static str)> {
        BUILT_IN.into_iter().map(|(path, document)| (Path::new(path), document))
    }

    /// The built-in runbooks and every `*.md` of `dirs`. A document with the id of a built-in one takes its place
    /// only where it says so (`replaces`). Documents with mistakes are left out, and their mistakes told: at
    /// 3 a.m. a slip in one document must not cost the others.
    #[must_use]
    pub fn load(dirs: &[PathBuf]) -> (Self, Vec<Mistake>) {
        let mut library = Self::built_in();
        let mut mistakes = Vec::new();
        for dir in dirs {
            match documents(dir) {
                Ok(files) => files.iter().for_each(|file| {
                    mistakes.extend(library.take(file).err().into_iter().flatten());
                }),
                Err(why) => mistakes
                    .push(Mistake::of_file(dir, format!("this folder of runbooks cannot be read: {why}"))),
            }
        }
        library.check_undone_by(&mut mistakes);
        (library, mistakes)
    }

    /// The runbook of this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Runbook>> {
        self.runbooks.get(id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Runbook>> {
        self.runbooks.values()
    }

    /// Reads one more document.
    ///
    /// # Errors
    /// Every mistake in it; the library is as it was then.
    pub fn take(&mut self, file: &Path) -> Result<Arc<Runbook>, Vec<Mistake>> {
        let whole = |reason: String| vec![Mistake::of_file(file, reason)];
        let document =
            std::fs::read_to_string(file).map_err(|why| whole(format!("cannot be read: {why}")))?;
        let mut runbook = Runbook::read(&document, file)?;
        let id = &runbook.id;
        match self.runbooks.get(id) {
            Some(other) if other.file.as_deref().is_some_and(|other| other != file) => {
                let other = other.file.as_deref().unwrap_or(file);
                return Err(whole(format!("the id `{id}` is taken by {}: give it another", other.display())));
            }
            // A copy, as `assets export` writes it, is no other runbook.
            Some(built_in) if built_in.digest == runbook.digest => {}
            Some(_) if runbook.replaces.is_none() => {
                return Err(whole(format!(
                    "the id `{id}` is that of a built-in runbook: give it another, or say `replaces = \"{id}\"` if it is to stand in its place"
                )));
            }
            None if runbook.replaces.is_some() => {
                return Err(whole(format!(
                    "`replaces` names `{id}`, and no built-in runbook is called that"
                )));
            }
            _ => {}
        }
        runbook.file = Some(file.to_owned());
        let runbook = Arc::new(runbook);
        self.runbooks.insert(runbook.id.clone(), Arc::clone(&runbook));
        Ok(runbook)
    }

    /// A runbook that promises an undo must lead to one. Those that do not are told, and kept: the promise
    /// fails aloud when it is called in.
    fn check_undone_by(&self, mistakes: &mut Vec<Mistake>) {
        for runbook in self.iter() {
            if let (Some(undo), Some(file)) = (&runbook.undone_by, &runbook.file)
                && !self.runbooks.contains_key(undo)
            {
                let reason = format!("`undone_by` names `{undo}`, and there is no such runbook");
                mistakes.push(Mistake::of_file(file, reason));
            }
        }
    }
}

/// The `*.md` files of a folder, by name.
fn documents(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("md")) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
