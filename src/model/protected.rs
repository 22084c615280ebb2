//! The columns that column encryption keys protect.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

use super::text::Untrusted;

/// A column that a CEK protects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EncryptedColumn {
    /// Its database, where that is another than its key's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<Untrusted>,
    pub schema: Untrusted,
    pub table: Untrusted,
    pub name: Untrusted,
    pub column_key_id: i32,
    pub encryption: EncryptionType,
}

impl EncryptedColumn {
    /// Its parts as they came, from the outermost: the database only where that is another than its key's.
    pub fn parts(&self) -> impl Iterator<Item = &Untrusted> {
        self.database.iter().chain([&self.schema, &self.table, &self.name])
    }
}

/// A column whose CEK lives in another database of the same server: `column_encryption_key_id` is an id over there,
/// and says nothing about the CEK of that id here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnElsewhere {
    /// `column_encryption_key_database_name`.
    pub key_database: Untrusted,
    /// It names its own database.
    pub column: EncryptedColumn,
}

/// `sys.columns.encryption_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncryptionType {
    Deterministic,
    Randomized,
}

impl EncryptionType {
    /// SQL Server's word, in lower case.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deterministic => "deterministic",
            Self::Randomized => "randomized",
        }
    }
}

/// Columns by their CEK; those of one CEK in the order in which they were read. A database's are kept once: what a
/// CEK protects is a stretch of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Vec<EncryptedColumn>")]
pub struct EncryptedColumns {
    all: Arc<[EncryptedColumn]>,
    from: u32,
    to: u32,
}

impl EncryptedColumns {
    /// Those that one CEK protects.
    #[must_use]
    pub fn of_key(&self, column_key_id: i32) -> Self {
        let before = self.partition_point(|column| column.column_key_id < column_key_id);
        let count = self[before..].partition_point(|column| column.column_key_id == column_key_id);
        self.stretch(before, count)
    }

    /// The ids of the CEKs that protect some, each once.
    pub fn key_ids(&self) -> impl Iterator<Item = i32> {
        self.chunk_by(|a, b| a.column_key_id == b.column_key_id).map(|columns| columns[0].column_key_id)
    }

    /// These and `more`.
    #[must_use]
    pub fn and(&self, more: impl IntoIterator<Item = EncryptedColumn>) -> Self {
        self.iter().cloned().chain(more).collect()
    }

    /// The texts that many columns have in common: databases, schemas, tables.
    pub fn common_texts_mut(&mut self) -> impl Iterator<Item = &mut Untrusted> {
        let (from, to) = (self.from as usize, self.to as usize);
        let own = &mut Arc::make_mut(&mut self.all)[from..to];
        own.iter_mut()
            .flat_map(|column| column.database.iter_mut().chain([&mut column.schema, &mut column.table]))
    }

    fn stretch(&self, skipped: usize, count: usize) -> Self {
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let from = self.from + place(skipped);
        Self { all: Arc::clone(&self.all), from, to: from + place(count) }
    }
}

impl Deref for EncryptedColumns {
    type Target = [EncryptedColumn];

    fn deref(&self) -> &[EncryptedColumn] {
        &self.all[self.from as usize..self.to as usize]
    }
}

impl From<Vec<EncryptedColumn>> for EncryptedColumns {
    fn from(mut columns: Vec<EncryptedColumn>) -> Self {
        columns.sort_by_key(|column| column.column_key_id);
        let to = u32::try_from(columns.len()).unwrap_or(u32::MAX);
        Self { all: columns.into(), from: 0, to }
    }
}

impl FromIterator<EncryptedColumn> for EncryptedColumns {
    fn from_iter<I: IntoIterator<Item = EncryptedColumn>>(columns: I) -> Self {
        columns.into_iter().collect::<Vec<_>>().into()
    }
}

impl Default for EncryptedColumns {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl PartialEq for EncryptedColumns {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for EncryptedColumns {}

impl Serialize for EncryptedColumns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.deref().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::{EncryptedColumn, EncryptedColumns, EncryptionType};
    use proptest::prelude::*;

    fn column(nth: usize, column_key_id: i32) -> EncryptedColumn {
        EncryptedColumn {
            database: None,
            schema: "dbo".into(),
            table: "T".into(),
            name: format!("C{nth:03}").into(),
            column_key_id,
            encryption: EncryptionType::Randomized,
        }
    }

    proptest! {
        #[test]
        fn each_key_has_its_columns_in_their_order_and_no_others(ids in prop::collection::vec(-3..6_i32, 0..40)) {
            let read: Vec<EncryptedColumn> = ids.iter().enumerate().map(|(n, id)| column(n, *id)).collect();
            let all = EncryptedColumns::from(read.clone());
            for id in -5..8 {
                let own: Vec<_> = read.iter().filter(|column| column.column_key_id == id).cloned().collect();
                prop_assert_eq!(&*all.of_key(id), own.as_slice());
                prop_assert_eq!(all.of_key(id).of_key(id), all.of_key(id));
                prop_assert_eq!(all.key_ids().filter(|key| *key == id).count(), usize::from(!own.is_empty()));
            }
        }

        #[test]
        fn what_is_kept_is_read_back(ids in prop::collection::vec(0..6_i32, 0..10)) {
            let all: EncryptedColumns = ids.iter().enumerate().map(|(n, id)| column(n, *id)).collect();
            let part = all.of_key(2);
            let read: EncryptedColumns = serde_json::from_str(&serde_json::to_string(&part).unwrap()).unwrap();
            prop_assert_eq!(part, read);
        }
    }
}
