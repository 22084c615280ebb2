//! The columns that a person chose, kept for the next start.

use std::io;
use std::path::Path;

use crate::inventory::Column;

/// What was kept. None where nothing was, or nothing that can be used: then the usual columns are as good.
#[must_use]
pub fn kept(file: &Path) -> Option<Vec<Column>> {
    let text = std::fs::read_to_string(file).ok()?;
    let words: Vec<String> = serde_json::from_str(&text).ok()?;
    let mut columns: Vec<Column> = Vec::new();
    for column in words.iter().filter_map(|word| word.parse().ok()) {
        if !columns.contains(&column) {
            columns.push(column);
        }
    }
    (!columns.is_empty()).then_some(columns)
}

/// Keeps columns: the file is there whole, or as it was.
///
/// # Errors
/// When the file cannot be written.
pub fn keep(file: &Path, columns: &[Column]) -> io::Result<()> {
    let words: Vec<&str> = columns.iter().map(|column| column.word()).collect();
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, serde_json::to_string(&words)?)?;
    std::fs::rename(fresh, file)
}

#[cfg(test)]
mod tests {
    use super::{keep, kept};
    use crate::inventory::Column;

    #[test]
    fn columns_are_kept_and_what_cannot_be_used_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new/columns.json");
        assert_eq!(kept(&file), None);
        keep(&file, &[Column::State, Column::Region]).unwrap();
        assert_eq!(kept(&file), Some(vec![Column::State, Column::Region]));
        for (text, columns) in [
            ("[]", None),
            ("not json", None),
            ("[\"of another version\"]", None),
            ("[\"age\", \"nonsense\", \"age\"]", Some(vec![Column::Age])),
        ] {
            std::fs::write(&file, text).unwrap();
            assert_eq!(kept(&file), columns, "{text}");
        }
    }
}
