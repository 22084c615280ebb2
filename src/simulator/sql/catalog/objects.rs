//! Schemas, tables, procedures, columns and parameters of a database.

use std::collections::BTreeSet;

use super::super::environment::Environment;
use super::super::state::{Column, Database};
use super::super::syntax::Name;
use super::super::types::{Length, SYSNAME, Type, Value};
use super::{
    AUDIT_COLUMNS, AUDIT_PARAMETERS, AUDIT_PROCEDURE, AUDIT_TABLE, COLLATION_NAME, DESC, KIND, View, views,
};

/// Ids that no object of a database has otherwise.
const AUDIT_PROCEDURE_ID: i32 = 2_000_000_001;
const AUDIT_TABLE_ID: i32 = 2_000_000_002;
/// Catalog views have negative ids, from here down.
const FIRST_VIEW_ID: i32 = -101;
/// The schemas of every database.
const SCHEMAS: [(&str, i32); 4] = [("dbo", 1), ("guest", 2), ("INFORMATION_SCHEMA", 3), ("sys", 4)];

/// A table, a view or a procedure.
#[derive(Clone, Debug)]
pub struct Object {
    pub schema: String,
    pub name: String,
    pub id: i32,
    /// `U`, `V` or `P`.
    pub kind: &'static str,
    /// Of a table or view.
    pub columns: Vec<(String, Type)>,
    system: bool,
}

impl Object {
    /// Whether anyone may select from it: catalog views and the audit table.
    pub fn is_readable(&self) -> bool {
        self.kind == "V" || self.id == AUDIT_TABLE_ID
    }

    pub fn is_procedure(&self) -> bool {
        self.kind == "P"
    }

    fn kind_desc(&self) -> &'static str {
        match self.kind {
            "U" => "USER_TABLE",
            "V" => "VIEW",
            _ => "SQL_STORED_PROCEDURE",
        }
    }
}

/// An object by name, in the current database or the one that the name says.
pub fn find_object(environment: &Environment, name: &Name) -> Option<Object> {
    let database = super::database_of(environment, name).ok()?;
    objects(environment, &database).into_iter().find(|object| {
        object.schema.eq_ignore_ascii_case(name.schema().unwrap_or("dbo"))
            && object.name.eq_ignore_ascii_case(name.object())
    })
}

/// The objects of the database with this id, or of the current one.
pub fn objects_of(environment: &Environment, database_id: Option<i64>) -> Vec<Object> {
    let name = match database_id {
        Some(id) => environment
            .databases()
            .into_iter()
            .find(|it| i64::from(it.database_id) == id)
            .map(|it| it.name.clone()),
        None => Some(environment.session.database.clone()),
    };
    let database = name.and_then(|name| environment.open(&name).ok());
    database.map(|database| objects(environment, &database)).unwrap_or_default()
}

/// The schemas of the current database.
pub fn schemas(environment: &Environment) -> Vec<(String, i32)> {
    environment.open(&environment.session.database).map(|database| schemas_of(&database)).unwrap_or_default()
}

fn schemas_of(database: &Database) -> Vec<(String, i32)> {
    let known = |name: &str| SCHEMAS.iter().any(|(schema, _)| schema.eq_ignore_ascii_case(name));
    let own: BTreeSet<&str> =
        database.columns.iter().map(|column| column.schema.as_str()).filter(|name| !known(name)).collect();
    let fixed = SCHEMAS.iter().map(|(name, id)| ((*name).to_owned(), *id));
    fixed.chain(own.into_iter().map(str::to_owned).zip(5..)).collect()
}

fn schema_id(database: &Database, schema: &str) -> Value {
    let found = schemas_of(database).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(schema));
    found.map_or(Value::Null, |(_, id)| id.into())
}

fn objects(environment: &Environment, database: &Database) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for column in &database.columns {
        let entry = (column.name.clone(), encrypted_type(column));
        match objects.iter_mut().find(|object| object.id == column.object_id) {
            Some(table) => table.columns.push(entry),
            None => objects.push(Object {
                schema: column.schema.clone(),
                name: column.table.clone(),
                id: column.object_id,
                kind: "U",
                columns: vec![entry],
                system: false,
            }),
        }
    }
    if database.audit_procedure {
        let own = |name: &str, id, kind, columns: &[(&str, Type)]| Object {
            schema: "dbo".to_owned(),
            name: name.to_owned(),
            id,
            kind,
            columns: columns.iter().map(|(name, ty)| ((*name).to_owned(), *ty)).collect(),
            system: false,
        };
        objects.push(own(AUDIT_TABLE, AUDIT_TABLE_ID, "U", AUDIT_COLUMNS));
        objects.push(own(AUDIT_PROCEDURE, AUDIT_PROCEDURE_ID, "P", &[]));
    }
    objects.extend(views().zip((i32::MIN..=FIRST_VIEW_ID).rev()).map(|(view, id)| {
        Object {
            schema: "sys".to_owned(),
            name: view.name.to_owned(),
            id,
            kind: "V",
            columns: view
                .columns(environment.server.version)
                .into_iter()
                .map(|(name, ty)| (name.to_owned(), ty))
                .collect(),
            system: true,
        }
    }));
    objects
}

/// The type that an encrypted column is declared with; we do not know it, so one that fits most.
fn encrypted_type(_: &Column) -> Type {
    Type::NVarChar(Length::UpTo(256))
}

const OBJECT_COLUMNS: &[(&str, Type, u8)] = &[
    ("name", SYSNAME, 0),
    ("object_id", Type::Int, 0),
    ("principal_id", Type::Int, 0),
    ("schema_id", Type::Int, 0),
    ("parent_object_id", Type::Int, 0),
    ("type", KIND, 0),
    ("type_desc", DESC, 0),
    ("create_date", Type::DateTime, 0),
    ("modify_date", Type::DateTime, 0),
    ("is_ms_shipped", Type::Bit, 0),
];

const COLUMN_COLUMNS: &[(&str, Type, u8)] = &[
    ("object_id", Type::Int, 0),
    ("name", SYSNAME, 0),
    ("column_id", Type::Int, 0),
    ("system_type_id", Type::TinyInt, 0),
    ("user_type_id", Type::Int, 0),
    ("max_length", Type::SmallInt, 0),
    ("precision", Type::TinyInt, 0),
    ("scale", Type::TinyInt, 0),
    ("collation_name", SYSNAME, 0),
    ("is_nullable", Type::Bit, 0),
    ("is_identity", Type::Bit, 0),
    ("is_computed", Type::Bit, 0),
    ("encryption_type", Type::Int, 13),
    ("encryption_type_desc", Type::NVarChar(Length::UpTo(64)), 13),
    ("encryption_algorithm_name", SYSNAME, 13),
    ("column_encryption_key_id", Type::Int, 13),
    ("column_encryption_key_database_name", SYSNAME, 13),
];

pub const VIEWS: &[View] = &[
    View {
        name: "schemas",
        columns: &[("name", SYSNAME, 0), ("schema_id", Type::Int, 0), ("principal_id", Type::Int, 0)],
        needs: None,
        rows: |_, database| {
            let schemas = schemas_of(database).into_iter();
            schemas.map(|(name, id)| vec![Value::Text(name), id.into(), id.min(1).into()]).collect()
        },
    },
    View {
        name: "objects",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |object| !object.system),
    },
    View {
        name: "all_objects",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |_| true),
    },
    View {
        name: "tables",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |object| object.kind == "U"),
    },
    View {
        name: "procedures",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |object| object.kind == "P"),
    },
    View {
        name: "all_views",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |object| object.kind == "V"),
    },
    View {
        name: "system_views",
        columns: OBJECT_COLUMNS,
        needs: None,
        rows: |environment, database| rows(environment, database, |object| object.system),
    },
    View {
        name: "columns",
        columns: COLUMN_COLUMNS,
        needs: None,
        rows: |environment, database| columns(environment, database, |object| !object.system),
    },
    View {
        name: "all_columns",
        columns: COLUMN_COLUMNS,
        needs: None,
        rows: |environment, database| columns(environment, database, |_| true),
    },
    View {
        name: "system_columns",
        columns: COLUMN_COLUMNS,
        needs: None,
        rows: |environment, database| columns(environment, database, |object| object.system),
    },
    View {
        name: "parameters",
        columns: &[
            ("object_id", Type::Int, 0),
            ("name", SYSNAME, 0),
            ("parameter_id", Type::Int, 0),
            ("system_type_id", Type::TinyInt, 0),
            ("user_type_id", Type::Int, 0),
            ("max_length", Type::SmallInt, 0),
            ("precision", Type::TinyInt, 0),
            ("scale", Type::TinyInt, 0),
            ("is_output", Type::Bit, 0),
            ("has_default_value", Type::Bit, 0),
            ("is_readonly", Type::Bit, 0),
            ("is_nullable", Type::Bit, 0),
        ],
        needs: None,
        rows: parameters,
    },
];

fn rows(environment: &Environment, database: &Database, wanted: fn(&Object) -> bool) -> Vec<Vec<Value>> {
    let rows = objects(environment, database).into_iter().filter(wanted).map(|object| {
        vec![
            object.name.as_str().into(),
            object.id.into(),
            Value::Null,
            schema_id(database, &object.schema),
            0.into(),
            object.kind.into(),
            object.kind_desc().into(),
            Value::Null,
            Value::Null,
            object.system.into(),
        ]
    });
    rows.collect()
}

fn columns(environment: &Environment, database: &Database, wanted: fn(&Object) -> bool) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    for object in objects(environment, database).into_iter().filter(wanted) {
        for ((name, ty), place) in object.columns.iter().zip(1..) {
            let encrypted =
                database.columns.iter().find(|column| column.object_id == object.id && column.name == *name);
            rows.push(column(object.id, name, *ty, place, encrypted));
        }
    }
    rows
}

fn column(object_id: i32, name: &str, ty: Type, place: i32, encrypted: Option<&Column>) -> Vec<Value> {
    let mut row = vec![
        object_id.into(),
        name.into(),
        encrypted.map_or(place, |column| column.column_id).into(),
        ty.system_type_id().into(),
        ty.system_type_id().into(),
        ty.max_length().into(),
        0.into(),
        0.into(),
        if ty.is_text() { COLLATION_NAME.into() } else { Value::Null },
        encrypted.is_some().into(),
        false.into(),
        false.into(),
    ];
    row.extend(match encrypted {
        Some(column) => [
            column.encryption_type.into(),
            if column.encryption_type == 1 { "DETERMINISTIC" } else { "RANDOMIZED" }.into(),
            column.encryption_algorithm_name.as_str().into(),
            column.column_encryption_key_id.into(),
            column.key_database.as_deref().map_or(Value::Null, Into::into),
        ],
        None => [const { Value::Null }; 5],
    });
    row
}

fn parameters(_: &Environment, database: &Database) -> Vec<Vec<Value>> {
    if !database.audit_procedure {
        return Vec::new();
    }
    let last = AUDIT_PARAMETERS.len() - 1;
    let rows = AUDIT_PARAMETERS.iter().zip(0_i32..).map(|((name, ty), index)| {
        let output = usize::try_from(index).is_ok_and(|index| index == last);
        vec![
            AUDIT_PROCEDURE_ID.into(),
            (*name).into(),
            (index + 1).into(),
            ty.system_type_id().into(),
            ty.system_type_id().into(),
            ty.max_length().into(),
            0.into(),
            0.into(),
            output.into(),
            // As on the server: for Transact-SQL procedures this is always 0.
            false.into(),
            false.into(),
            true.into(),
        ]
    });
    rows.collect()
}
