//! The views of the instance as a whole.

use super::super::environment::Environment;
use super::super::state::Database;
use super::super::types::{Length, SYSNAME, Type, Value};
use super::{COLLATION_NAME, DESC, View};

pub const VIEWS: &[View] = &[View {
    name: "databases",
    columns: &[
        ("name", SYSNAME, 0),
        ("database_id", Type::Int, 0),
        ("source_database_id", Type::Int, 0),
        ("owner_sid", Type::VarBinary(Length::UpTo(85)), 0),
        ("create_date", Type::DateTime, 0),
        ("compatibility_level", Type::TinyInt, 0),
        ("collation_name", SYSNAME, 0),
        ("user_access", Type::TinyInt, 0),
        ("user_access_desc", DESC, 0),
        ("is_read_only", Type::Bit, 0),
        ("is_auto_close_on", Type::Bit, 0),
        ("state", Type::TinyInt, 0),
        ("state_desc", DESC, 0),
        ("is_in_standby", Type::Bit, 0),
        ("recovery_model", Type::TinyInt, 0),
        ("recovery_model_desc", DESC, 0),
        ("is_master_key_encrypted_by_server", Type::Bit, 0),
        ("is_encrypted", Type::Bit, 0),
        ("containment", Type::TinyInt, 11),
        ("containment_desc", DESC, 11),
    ],
    needs: None,
    rows: databases,
}];

fn databases(environment: &Environment, _: &Database) -> Vec<Vec<Value>> {
    let version = environment.server.version;
    let rows = environment.databases().into_iter().map(|database| {
        let state = database.state_desc.to_uppercase();
        let number = state_number(&state);
        let encrypted = database.tde_state.is_some_and(|state| matches!(state, 2..=4 | 6));
        vec![
            database.name.as_str().into(),
            database.database_id.into(),
            Value::Null,
            Value::Bytes(vec![1]),
            created(),
            Value::Int(i64::from(version) * 10),
            // The server does not know the collation of a database that it has not opened.
            if number == 0 { COLLATION_NAME.into() } else { Value::Null },
            0.into(),
            "MULTI_USER".into(),
            false.into(),
            false.into(),
            number.into(),
            Value::Text(state),
            false.into(),
            1.into(),
            "FULL".into(),
            false.into(),
            encrypted.into(),
            0.into(),
            "NONE".into(),
        ]
    });
    rows.collect()
}

/// When `master` was made, on every SQL Server there is.
fn created() -> Value {
    "2003-04-08T09:13:36.390Z".parse().map_or(Value::Null, Value::Time)
}

fn state_number(state: &str) -> i32 {
    match state {
        "ONLINE" => 0,
        "RESTORING" => 1,
        "RECOVERING" => 2,
        "RECOVERY_PENDING" => 3,
        "SUSPECT" => 4,
        "EMERGENCY" => 5,
        _ => 6,
    }
}
