//! The runbooks at hand: those built in, and the user's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Mistake, Runbook};

/// `include_str!`, not `include_dir!`: cargo builds anew when one of them changes.
const BUILT_IN: [(&str, &str); 2] = [
    ("emergency-revocation.md", include_str!("../../runbooks/emergency-revocation.md")),
    ("key-recovery.md", include_str!("../../runbooks/key-recovery.md")),
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

    /// The built-in runbooks and every `*.md` of `dirs`. A document of the user's takes the place of a built-in
    /// one with its id. Documents with mistakes are left out, and their mistakes told: at 3 a.m. a slip in
    /// one document must not cost the others.
    #[must_use]
    pub fn load(dirs: &[PathBuf]) -> (Self, Vec<Mistake>) {
        let mut library = Self::built_in();
        let mut mistakes = Vec::new();
        for dir in dirs {
            match documents(dir) {
                Ok(files) => files.into_iter().for_each(|file| {
                    if let Err(mistake) = library.take(&file) {
                        mistakes.push(mistake);
                    }
                }),
                Err(why) => mistakes.push(Mistake {
                    file: dir.clone(),
                    line: None,
                    reason: format!("this folder of runbooks cannot be read: {why}"),
                }),
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

    fn take(&mut self, file: &Path) -> Result<(), Mistake> {
        let whole = |reason: String| Mistake { file: file.to_owned(), line: None, reason };
        let document =
            std::fs::read_to_string(file).map_err(|why| whole(format!("cannot be read: {why}")))?;
        let mut runbook = Runbook::read(&document, file)?;
        if let Some(other) = self.runbooks.get(&runbook.id).and_then(|other| other.file.as_ref()) {
            return Err(whole(format!("the id `{}` is taken by {}", runbook.id, other.display())));
        }
        runbook.file = Some(file.to_owned());
        self.runbooks.insert(runbook.id.clone(), Arc::new(runbook));
        Ok(())
    }

    /// A runbook that promises an undo must lead to one. Those that do not are told, and kept: the promise
    /// fails aloud when it is called in.
    fn check_undone_by(&self, mistakes: &mut Vec<Mistake>) {
        for runbook in self.iter() {
            if let (Some(undo), Some(file)) = (&runbook.undone_by, &runbook.file)
                && !self.runbooks.contains_key(undo)
            {
                let reason = format!("`undone_by` names `{undo}`, and there is no such runbook");
                mistakes.push(Mistake { file: file.clone(), line: None, reason });
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
