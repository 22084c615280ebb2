//! Always Encrypted's views, and TDE's. A missing permission hides the first three's rows; only the last says so.

use super::super::environment::{Environment, VIEW_COLUMN_KEYS, VIEW_MASTER_KEYS};
use super::super::state::Database;
use super::super::types::{Length, SYSNAME, Type, Value};
use super::{VARBINARY_MAX, View};

const TDE_TEXT: Type = Type::NVarChar(Length::UpTo(32));

pub const VIEWS: &[View] = &[
    View {
        name: "column_master_keys",
        columns: &[
            ("name", SYSNAME, 13),
            ("column_master_key_id", Type::Int, 13),
            ("create_date", Type::DateTime, 13),
            ("modify_date", Type::DateTime, 13),
            ("key_store_provider_name", SYSNAME, 13),
            ("key_path", Type::NVarChar(Length::UpTo(4000)), 13),
            ("allow_enclave_computations", Type::Bit, 15),
            ("signature", VARBINARY_MAX, 15),
        ],
        needs: None,
        rows: master_keys,
    },
    View {
        name: "column_encryption_keys",
        columns: &[
            ("name", SYSNAME, 13),
            ("column_encryption_key_id", Type::Int, 13),
            ("create_date", Type::DateTime, 13),
            ("modify_date", Type::DateTime, 13),
        ],
        needs: None,
        rows: column_keys,
    },
    View {
        name: "column_encryption_key_values",
        columns: &[
            ("column_encryption_key_id", Type::Int, 13),
            ("column_master_key_id", Type::Int, 13),
            ("encrypted_value", Type::VarBinary(Length::UpTo(8000)), 13),
            ("encryption_algorithm_name", SYSNAME, 13),
        ],
        needs: None,
        rows: values,
    },
    View {
        name: "dm_database_encryption_keys",
        columns: &[
            ("database_id", Type::Int, 10),
            ("encryption_state", Type::Int, 10),
            ("create_date", Type::DateTime, 10),
            ("regenerate_date", Type::DateTime, 10),
            ("modify_date", Type::DateTime, 10),
            ("set_date", Type::DateTime, 10),
            ("opened_date", Type::DateTime, 10),
            ("key_algorithm", TDE_TEXT, 10),
            ("key_length", Type::Int, 10),
            ("encryptor_thumbprint", Type::VarBinary(Length::UpTo(20)), 10),
            ("encryptor_type", TDE_TEXT, 11),
            ("percent_complete", Type::Real, 10),
            ("encryption_state_desc", TDE_TEXT, 15),
            ("encryption_scan_state", Type::Int, 15),
            ("encryption_scan_state_desc", TDE_TEXT, 15),
            ("encryption_scan_modify_date", Type::DateTime, 15),
        ],
        needs: Some(|version| if version >= 16 { "VIEW SERVER SECURITY STATE" } else { "VIEW SERVER STATE" }),
        rows: database_keys,
    },
];

fn master_keys(environment: &Environment, database: &Database) -> Vec<Vec<Value>> {
    if !environment.may(VIEW_MASTER_KEYS) {
        return Vec::new();
    }
    let rows = database.master_keys.iter().map(|key| {
        // The signature lets an enclave trust the setting; we only know whether there is one.
        let signature = key.allow_enclave_computations.then(|| Value::Bytes(vec![0; 256]));
        vec![
            key.name.as_str().into(),
            key.column_master_key_id.into(),
            key.create_date.into(),
            key.modify_date.into(),
            key.key_store_provider_name.as_str().into(),
            key.key_path.as_str().into(),
            key.allow_enclave_computations.into(),
            signature.unwrap_or(Value::Null),
        ]
    });
    rows.collect()
}

fn column_keys(environment: &Environment, database: &Database) -> Vec<Vec<Value>> {
    if !environment.may(VIEW_COLUMN_KEYS) {
        return Vec::new();
    }
    let rows = database.column_keys.iter().map(|key| {
        vec![
            key.name.as_str().into(),
            key.column_encryption_key_id.into(),
            key.create_date.into(),
            key.modify_date.into(),
        ]
    });
    rows.collect()
}

fn values(environment: &Environment, database: &Database) -> Vec<Vec<Value>> {
    if !environment.may(VIEW_COLUMN_KEYS) {
        return Vec::new();
    }
    let rows = database.values.iter().map(|value| {
        vec![
            value.column_encryption_key_id.into(),
            value.column_master_key_id.into(),
            Value::Bytes(value.encrypted_value.clone()),
            value.encryption_algorithm_name.as_str().into(),
        ]
    });
    rows.collect()
}

/// The whole instance's, whichever database is asked. The dates are not known: they are NULL.
fn database_keys(environment: &Environment, _: &Database) -> Vec<Vec<Value>> {
    let rows = environment.server.databases.iter().filter_map(|database| {
        let state = database.tde_state?;
        let changing = matches!(state, 2 | 4 | 5);
        Some(vec![
            database.database_id.into(),
            state.into(),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
            "AES".into(),
            256.into(),
            Value::Bytes(vec![0; 20]),
            "CERTIFICATE".into(),
            Value::Float(if changing { 50.0 } else { 0.0 }),
            encryption_state(state).into(),
            i32::from(changing).into(),
            if changing { "RUNNING" } else { "NONE" }.into(),
            Value::Null,
        ])
    });
    rows.collect()
}

fn encryption_state(state: i32) -> &'static str {
    match state {
        0 => "NONE",
        1 => "UNENCRYPTED",
        2 => "ENCRYPTION_IN_PROGRESS",
        3 => "ENCRYPTED",
        4 => "ENCRYPTION_KEY_CHANGE_IN_PROGRESS",
        5 => "DECRYPTION_IN_PROGRESS",
        6 => "PROTECTION_CHANGE_IN_PROGRESS",
        _ => "UNKNOWN",
    }
}
