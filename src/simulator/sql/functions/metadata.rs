//! Functions about the server, its databases, its objects and who may use them.

use super::super::catalog;
use super::super::environment::Environment;
use super::super::parse;
use super::super::types::{Type, Value};
use super::{Function, int, sysname, variant};

pub const FUNCTIONS: &[Function] = &[
    Function { name: "HAS_PERMS_BY_NAME", arity: 3..=5, ty: int, run: has_perms_by_name },
    Function { name: "HAS_DBACCESS", arity: 1..=1, ty: int, run: has_db_access },
    Function { name: "IS_SRVROLEMEMBER", arity: 1..=2, ty: int, run: is_server_role_member },
    Function { name: "COL_LENGTH", arity: 2..=2, ty: |_| Type::SmallInt, run: col_length },
    Function { name: "OBJECT_ID", arity: 1..=2, ty: int, run: object_id },
    Function { name: "OBJECT_NAME", arity: 1..=2, ty: sysname, run: object_name },
    Function { name: "OBJECT_SCHEMA_NAME", arity: 1..=2, ty: sysname, run: object_schema_name },
    Function { name: "SCHEMA_NAME", arity: 0..=1, ty: sysname, run: schema_name },
    Function { name: "SCHEMA_ID", arity: 0..=1, ty: int, run: schema_id },
    Function { name: "DB_NAME", arity: 0..=1, ty: sysname, run: db_name },
    Function {
        name: "ORIGINAL_DB_NAME",
        arity: 0..=0,
        ty: sysname,
        run: |environment, _| environment.session.home.as_str().into(),
    },
    Function { name: "DB_ID", arity: 0..=1, ty: |_| Type::SmallInt, run: db_id },
    Function { name: "DATABASEPROPERTYEX", arity: 2..=2, ty: variant, run: database_property },
    Function { name: "SERVERPROPERTY", arity: 1..=1, ty: variant, run: server_property },
    Function { name: "CONNECTIONPROPERTY", arity: 1..=1, ty: variant, run: connection_property },
    Function { name: "SUSER_SNAME", arity: 0..=0, ty: sysname, run: user },
    Function { name: "SUSER_NAME", arity: 0..=0, ty: sysname, run: user },
    Function { name: "ORIGINAL_LOGIN", arity: 0..=0, ty: sysname, run: user },
    Function { name: "SYSTEM_USER", arity: 0..=0, ty: sysname, run: user },
    Function { name: "USER_NAME", arity: 0..=0, ty: sysname, run: user },
    Function { name: "CURRENT_USER", arity: 0..=0, ty: sysname, run: user },
    Function { name: "SESSION_USER", arity: 0..=0, ty: sysname, run: user },
    Function { name: "USER", arity: 0..=0, ty: sysname, run: user },
    Function {
        name: "HOST_NAME",
        arity: 0..=0,
        ty: sysname,
        run: |environment, _| environment.session.host.as_str().into(),
    },
    Function {
        name: "APP_NAME",
        arity: 0..=0,
        ty: sysname,
        run: |environment, _| environment.session.application.as_str().into(),
    },
];

/// `HAS_PERMS_BY_NAME(securable, class, permission)`: 1, 0, or NULL for what does not exist.
fn has_perms_by_name(environment: &Environment, arguments: &[Value]) -> Value {
    let [securable, class, permission] = [0, 1, 2].map(|index| arguments[index].display());
    let Some(permission) = permission else { return Value::Null };
    let open = match (class.map(|class| class.to_uppercase()).as_deref(), securable) {
        (Some("SERVER"), _) | (None | Some("DATABASE"), None) => true,
        (Some("DATABASE"), Some(database)) => {
            let name = parse::name(&database).map_or(database, |name| name.object().to_owned());
            match environment.database(&name) {
                None => return Value::Null,
                // A database that cannot be opened grants nothing.
                Some(database) => environment.open(&database.name).is_ok(),
            }
        }
        (Some("OBJECT"), Some(object)) => {
            let Some(found) = parse::name(&object).and_then(|name| catalog::find_object(environment, &name))
            else {
                return Value::Null;
            };
            // Catalog views and our procedure are open to all; other rights follow the login's own.
            let open = match permission.to_uppercase().as_str() {
                "SELECT" => found.is_readable(),
                "EXECUTE" => found.is_procedure(),
                other => environment.may(other),
            };
            return Value::Int(open.into());
        }
        _ => return Value::Null,
    };
    Value::Int((open && environment.may(&permission)).into())
}

fn has_db_access(environment: &Environment, arguments: &[Value]) -> Value {
    match arguments[0].display().and_then(|name| environment.database(&name)) {
        Some(database) => Value::Int(environment.open(&database.name).is_ok().into()),
        None => Value::Null,
    }
}

fn is_server_role_member(environment: &Environment, arguments: &[Value]) -> Value {
    match arguments[0].display().map(|role| role.to_lowercase()).as_deref() {
        Some("sysadmin") => Value::Int(environment.may("CONTROL SERVER").into()),
        Some("public") => 1.into(),
        Some(
            "securityadmin" | "serveradmin" | "setupadmin" | "processadmin" | "diskadmin" | "dbcreator"
            | "bulkadmin",
        ) => 0.into(),
        _ => Value::Null,
    }
}

fn col_length(environment: &Environment, arguments: &[Value]) -> Value {
    let (Some(table), Some(column)) = (arguments[0].display(), arguments[1].display()) else {
        return Value::Null;
    };
    let columns = parse::name(&table).and_then(|name| catalog::find_object(environment, &name));
    let column = columns
        .and_then(|object| object.columns.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&column)));
    column.map_or(Value::Null, |(_, ty)| ty.max_length().into())
}

fn object_id(environment: &Environment, arguments: &[Value]) -> Value {
    let object = arguments[0]
        .display()
        .and_then(|name| parse::name(&name))
        .and_then(|name| catalog::find_object(environment, &name));
    let wanted = arguments.get(1).and_then(Value::display);
    let fits =
        object.filter(|object| wanted.is_none_or(|kind| kind.trim().eq_ignore_ascii_case(object.kind)));
    fits.map_or(Value::Null, |object| object.id.into())
}

fn object_by_id(environment: &Environment, arguments: &[Value]) -> Option<catalog::Object> {
    let Value::Int(id) = arguments[0] else { return None };
    let database = match arguments.get(1) {
        Some(Value::Int(database)) => Some(*database),
        _ => None,
    };
    catalog::objects_of(environment, database).into_iter().find(|object| i64::from(object.id) == id)
}

fn object_name(environment: &Environment, arguments: &[Value]) -> Value {
    object_by_id(environment, arguments).map_or(Value::Null, |object| Value::Text(object.name))
}

fn object_schema_name(environment: &Environment, arguments: &[Value]) -> Value {
    object_by_id(environment, arguments).map_or(Value::Null, |object| Value::Text(object.schema))
}

fn schema_name(environment: &Environment, arguments: &[Value]) -> Value {
    let Some(wanted) = arguments.first() else { return "dbo".into() };
    let schemas = catalog::schemas(environment);
    let found = schemas.into_iter().find(|(_, id)| *wanted == Value::from(*id));
    found.map_or(Value::Null, |(name, _)| Value::Text(name))
}

fn schema_id(environment: &Environment, arguments: &[Value]) -> Value {
    let Some(wanted) = arguments.first() else { return 1.into() };
    let wanted = wanted.display().unwrap_or_default();
    let found =
        catalog::schemas(environment).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(&wanted));
    found.map_or(Value::Null, |(_, id)| id.into())
}

fn db_name(environment: &Environment, arguments: &[Value]) -> Value {
    let Some(id) = arguments.first() else { return environment.session.database.as_str().into() };
    let found = environment.databases().into_iter().find(|database| Value::from(database.database_id) == *id);
    found.map_or(Value::Null, |database| Value::Text(database.name.clone()))
}

fn db_id(environment: &Environment, arguments: &[Value]) -> Value {
    let name = match arguments.first() {
        Some(name) => name.display().unwrap_or_default(),
        None => environment.session.database.clone(),
    };
    environment.database(&name).map_or(Value::Null, |database| database.database_id.into())
}

fn database_property(environment: &Environment, arguments: &[Value]) -> Value {
    let database = arguments[0].display().and_then(|name| environment.database(&name));
    let (Some(database), Some(property)) = (database, arguments[1].display()) else { return Value::Null };
    match property.to_lowercase().as_str() {
        "status" => Value::Text(database.state_desc.clone()),
        "collation" => catalog::COLLATION_NAME.into(),
        "updateability" => "READ_WRITE".into(),
        "useraccess" => "MULTI_USER".into(),
        _ => Value::Null,
    }
}

fn server_property(environment: &Environment, arguments: &[Value]) -> Value {
    let server = environment.server;
    match arguments[0].display().unwrap_or_default().to_lowercase().as_str() {
        "productversion" => Value::Text(environment.product_version()),
        "productmajorversion" => Value::Text(server.version.to_string()),
        "productminorversion" => "0".into(),
        "productlevel" => "RTM".into(),
        "edition" => "Standard Edition (64-bit)".into(),
        "engineedition" => 2.into(),
        "editionid" => Value::Int(-1_534_726_760),
        "servername" => server.name.as_str().into(),
        "machinename" | "computernamephysicalnetbios" => {
            server.name.split('.').next().unwrap_or_default().into()
        }
        "collation" => catalog::COLLATION_NAME.into(),
        "isclustered" | "ishadrenabled" | "issingleuser" | "isintegratedsecurityonly" => 0.into(),
        _ => Value::Null,
    }
}

fn connection_property(_: &Environment, arguments: &[Value]) -> Value {
    match arguments[0].display().unwrap_or_default().to_lowercase().as_str() {
        "net_transport" | "physical_net_transport" => "TCP".into(),
        "protocol_type" => "TSQL".into(),
        "auth_scheme" => "SQL".into(),
        _ => Value::Null,
    }
}

fn user(environment: &Environment, _: &[Value]) -> Value {
    environment.session.user.as_str().into()
}
