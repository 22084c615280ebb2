//! Always Encrypted's data definition, in the current database.

use super::errors::{Result, SqlError};
use super::execute::Execution;
use super::state::{ColumnKey, ColumnKeyValue, Database, MasterKey};
use super::syntax::{Definition, WrappedKey};

const MASTER_KEY: &str = "column master key";
const COLUMN_KEY: &str = "column encryption key";
const ALTER_MASTER_KEYS: &str = "ALTER ANY COLUMN MASTER KEY";
const ALTER_COLUMN_KEYS: &str = "ALTER ANY COLUMN ENCRYPTION KEY";
/// A column encryption key has one value, and a second while it is being rotated.
const MOST_VALUES: usize = 2;

impl Execution<'_> {
    /// Carries a definition out.
    ///
    /// # Errors
    /// 15151 for what does not exist (or may not be seen), 15247 without permission, 15530 for a name that is taken,
    /// 15580 for a key that is still in use, and where a key would have more than two values or none.
    pub fn define(&mut self, definition: &Definition) -> Result<()> {
        match definition {
            Definition::CreateMasterKey { name, provider, path, enclave } => {
                self.create_master_key(name, provider, path, *enclave)
            }
            Definition::DropMasterKey(name) => self.drop_master_key(name),
            Definition::CreateColumnKey { name, values } => self.create_column_key(name, values),
            Definition::AddValue { name, value } => self.add_value(name, value),
            Definition::DropValue { name, master_key } => self.drop_value(name, master_key),
            Definition::DropColumnKey(name) => self.drop_column_key(name),
        }
    }

    /// The current database, to be changed by a login that has `permission`.
    fn defined_in(&mut self, permission: &str, refusal: impl FnOnce() -> SqlError) -> Result<&mut Database> {
        if !self.environment().may(permission) {
            return Err(refusal());
        }
        let name = self.session.database.clone();
        self.change(&name)
    }

    fn create_master_key(&mut self, name: &str, provider: &str, path: &str, enclave: bool) -> Result<()> {
        let now = self.now;
        if enclave && self.server.version < 15 {
            return Err(SqlError::syntax("ENCLAVE_COMPUTATIONS"));
        }
        let database = self.defined_in(ALTER_MASTER_KEYS, not_allowed)?;
        if database.master_keys.iter().any(|key| key.name.eq_ignore_ascii_case(name)) {
            return Err(taken(MASTER_KEY, name));
        }
        let id = next(database.master_keys.iter().map(|key| key.column_master_key_id));
        database.master_keys.push(MasterKey {
            name: name.to_owned(),
            column_master_key_id: id,
            create_date: now,
            modify_date: now,
            key_store_provider_name: provider.to_owned(),
            key_path: path.to_owned(),
            allow_enclave_computations: enclave,
        });
        Ok(())
    }

    fn drop_master_key(&mut self, name: &str) -> Result<()> {
        let missing = || SqlError::missing_or_forbidden("drop", MASTER_KEY, name);
        let database = self.defined_in(ALTER_MASTER_KEYS, missing)?;
        let id = master_key(database, name).ok_or_else(missing)?;
        if let Some(value) = database.values.iter().find(|value| value.column_master_key_id == id) {
            let user = database
                .column_keys
                .iter()
                .find(|key| key.column_encryption_key_id == value.column_encryption_key_id)
                .map_or("", |key| key.name.as_str());
            return Err(in_use(MASTER_KEY, COLUMN_KEY, user));
        }
        database.master_keys.retain(|key| key.column_master_key_id != id);
        Ok(())
    }

    fn create_column_key(&mut self, name: &str, values: &[WrappedKey]) -> Result<()> {
        let now = self.now;
        let database = self.defined_in(ALTER_COLUMN_KEYS, not_allowed)?;
        if database.column_keys.iter().any(|key| key.name.eq_ignore_ascii_case(name)) {
            return Err(taken(COLUMN_KEY, name));
        }
        if values.len() > MOST_VALUES {
            return Err(too_many_values(name));
        }
        let id = next(database.column_keys.iter().map(|key| key.column_encryption_key_id));
        let mut wrapped: Vec<ColumnKeyValue> = Vec::new();
        for value in values {
            let value = bind_value(database, id, value)?;
            if wrapped.iter().any(|other| other.column_master_key_id == value.column_master_key_id) {
                return Err(already_wrapped(name));
            }
            wrapped.push(value);
        }
        database.values.extend(wrapped);
        database.column_keys.push(ColumnKey {
            name: name.to_owned(),
            column_encryption_key_id: id,
            create_date: now,
            modify_date: now,
        });
        Ok(())
    }

    fn add_value(&mut self, name: &str, value: &WrappedKey) -> Result<()> {
        let now = self.now;
        let missing = || SqlError::missing_or_forbidden("alter", COLUMN_KEY, name);
        let database = self.defined_in(ALTER_COLUMN_KEYS, missing)?;
        let id = column_key(database, name).ok_or_else(missing)?;
        let value = bind_value(database, id, value)?;
        let has = |this: &&ColumnKeyValue| this.column_encryption_key_id == id;
        if database
            .values
            .iter()
            .filter(has)
            .any(|other| other.column_master_key_id == value.column_master_key_id)
        {
            return Err(already_wrapped(name));
        }
        if database.values.iter().filter(has).count() >= MOST_VALUES {
            return Err(too_many_values(name));
        }
        database.values.push(value);
        touch(database, id, now);
        Ok(())
    }

    fn drop_value(&mut self, name: &str, master: &str) -> Result<()> {
        let now = self.now;
        let missing = || SqlError::missing_or_forbidden("alter", COLUMN_KEY, name);
        let database = self.defined_in(ALTER_COLUMN_KEYS, missing)?;
        let id = column_key(database, name).ok_or_else(missing)?;
        let no_master = || SqlError::missing_or_forbidden("find", MASTER_KEY, master);
        let master = master_key(database, master).ok_or_else(no_master)?;
        let is = |value: &ColumnKeyValue| {
            value.column_encryption_key_id == id && value.column_master_key_id == master
        };
        if !database.values.iter().any(is) {
            return Err(no_master());
        }
        if database.values.iter().filter(|value| value.column_encryption_key_id == id).count() == 1 {
            let message = format!(
                "The only value of the column encryption key '{name}' cannot be dropped; drop the key itself instead."
            );
            return Err(SqlError::new(VALUE_COUNT, message));
        }
        database.values.retain(|value| !is(value));
        touch(database, id, now);
        Ok(())
    }

    fn drop_column_key(&mut self, name: &str) -> Result<()> {
        let missing = || SqlError::missing_or_forbidden("drop", COLUMN_KEY, name);
        let database = self.defined_in(ALTER_COLUMN_KEYS, missing)?;
        let id = column_key(database, name).ok_or_else(missing)?;
        if let Some(column) = database.columns.iter().find(|column| column.column_encryption_key_id == id) {
            return Err(in_use(COLUMN_KEY, "column", &column.name));
        }
        database.column_keys.retain(|key| key.column_encryption_key_id != id);
        database.values.retain(|value| value.column_encryption_key_id != id);
        Ok(())
    }
}

/// The number of the errors about how many values a key may have. The rule is documented (one or two);
/// its number is not, and this one stands in for it.
const VALUE_COUNT: i32 = 33_500;

fn not_allowed() -> SqlError {
    SqlError::new(15247, "User does not have permission to perform this action.")
}

fn taken(kind: &str, name: &str) -> SqlError {
    SqlError::new(15530, format!("The {kind} with name \"{name}\" already exists."))
}

fn in_use(kind: &str, user_kind: &str, user: &str) -> SqlError {
    SqlError::new(15580, format!("Cannot drop {kind} because {user_kind} '{user}' is encrypted by it."))
}

fn too_many_values(name: &str) -> SqlError {
    let message = format!(
        "The column encryption key '{name}' already has two encrypted values, the most that it may have; drop one first."
    );
    SqlError::new(VALUE_COUNT, message)
}

fn already_wrapped(name: &str) -> SqlError {
    let message = format!(
        "The column encryption key '{name}' already has a value encrypted with this column master key."
    );
    SqlError::new(VALUE_COUNT, message)
}

fn next(ids: impl Iterator<Item = i32>) -> i32 {
    ids.max().unwrap_or(0) + 1
}

fn master_key(database: &Database, name: &str) -> Option<i32> {
    let key = database.master_keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))?;
    Some(key.column_master_key_id)
}

fn column_key(database: &Database, name: &str) -> Option<i32> {
    let key = database.column_keys.iter().find(|key| key.name.eq_ignore_ascii_case(name))?;
    Some(key.column_encryption_key_id)
}

fn bind_value(database: &Database, id: i32, value: &WrappedKey) -> Result<ColumnKeyValue> {
    let master = master_key(database, &value.master_key)
        .ok_or_else(|| SqlError::missing_or_forbidden("find", MASTER_KEY, &value.master_key))?;
    Ok(ColumnKeyValue {
        column_encryption_key_id: id,
        column_master_key_id: master,
        encrypted_value: value.encrypted_value.clone(),
        encryption_algorithm_name: value.algorithm.clone(),
    })
}

fn touch(database: &mut Database, id: i32, now: jiff::Timestamp) {
    for key in database.column_keys.iter_mut().filter(|key| key.column_encryption_key_id == id) {
        key.modify_date = now;
    }
}
