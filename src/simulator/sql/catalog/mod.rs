//! The catalog views, and the tables and procedures that they speak of.

mod encryption;
mod instance;
mod objects;

use std::borrow::Cow;

use super::environment::Environment;
use super::errors::{Result, SqlError};
use super::state::Database;
use super::syntax::Name;
use super::types::{Length, SYSNAME, Type, Value};

pub use objects::{Object, find_object, objects_of, schemas};

/// The collation of the server and of all its databases.
pub const COLLATION_NAME: &str = "SQL_Latin1_General_CP1_CI_AS";
/// The audit procedure, in schema dbo.
pub const AUDIT_PROCEDURE: &str = "LogEmergencyKeyRevocation";
/// The table that it writes, in schema dbo.
pub const AUDIT_TABLE: &str = "KeyRevocationAudit";

/// The columns of [`AUDIT_TABLE`].
pub const AUDIT_COLUMNS: &[(&str, Type)] = &[
    ("LoggedAt", Type::DateTime2(7)),
    ("LoginName", SYSNAME),
    ("CekName", SYSNAME),
    ("Operation", Type::NVarChar(Length::UpTo(32))),
    ("Reason", Type::NVarChar(Length::UpTo(4000))),
    ("CorrelationId", Type::NVarChar(Length::UpTo(128))),
];

/// The parameters of [`AUDIT_PROCEDURE`]; the last two may be left out, the last is for output.
pub const AUDIT_PARAMETERS: &[(&str, Type)] = &[
    ("@CekName", SYSNAME),
    ("@Reason", Type::NVarChar(Length::UpTo(4000))),
    ("@CorrelationId", Type::NVarChar(Length::UpTo(128))),
    ("@Operation", Type::NVarChar(Length::UpTo(32))),
    ("@Outcome", Type::Int),
];

/// `nvarchar(60)`, which the `_desc` columns are.
const DESC: Type = Type::NVarChar(Length::UpTo(60));

/// A table with all its rows.
#[derive(Debug)]
pub struct Table {
    pub columns: Vec<(&'static str, Type)>,
    pub rows: Vec<Vec<Value>>,
}

/// A catalog view: its columns, each with the major version that brought it, and its rows.
#[derive(Debug)]
struct View {
    name: &'static str,
    columns: &'static [(&'static str, Type, u8)],
    /// A permission without which reading it is an error, by major version.
    needs: Option<fn(u8) -> &'static str>,
    rows: fn(&Environment, &Database) -> Vec<Vec<Value>>,
}

/// Every view of schema `sys`.
fn views() -> impl Iterator<Item = &'static View> {
    [encryption::VIEWS, instance::VIEWS, objects::VIEWS].into_iter().flatten()
}

impl View {
    /// The columns that this version has.
    fn columns(&self, version: u8) -> Vec<(&'static str, Type)> {
        let has = |(_, _, since): &&(&str, Type, u8)| *since <= version;
        self.columns.iter().filter(has).map(|(name, ty, _)| (*name, *ty)).collect()
    }

    fn open(&self, environment: &Environment, database: &Database) -> Result<Table> {
        let version = environment.server.version;
        if let Some(permission) = self.needs.map(|needs| needs(version))
            && !environment.may(permission)
        {
            let message =
                format!("{permission} permission was denied on object 'server', database 'master'.");
            return Err(SqlError::new(300, message).class(14));
        }
        let mut rows = (self.rows)(environment, database);
        for row in &mut rows {
            let mut columns = self.columns.iter();
            row.retain(|_| columns.next().is_some_and(|(_, _, since)| *since <= version));
        }
        Ok(Table { columns: self.columns(version), rows })
    }
}

/// Opens the table or view of this name, which may be in another database.
///
/// # Errors
/// 208 where there is none; those of [`Environment::open`]; 297 and 300 for a view that the login may not read.
pub fn open(environment: &Environment, name: &Name) -> Result<Table> {
    let database = database_of(environment, name)?;
    let schema = name.schema().unwrap_or("dbo");
    if schema.eq_ignore_ascii_case("sys")
        && let Some(view) = views().find(|view| view.name.eq_ignore_ascii_case(name.object()))
    {
        return view.open(environment, &database);
    }
    if schema.eq_ignore_ascii_case("dbo")
        && database.audit_procedure
        && name.object().eq_ignore_ascii_case(AUDIT_TABLE)
    {
        return Ok(audit_table(&database));
    }
    Err(SqlError::invalid_object(&name.to_string()))
}

/// The database that a name leads to.
pub fn database_of<'a>(environment: &Environment<'a>, name: &Name) -> Result<Cow<'a, Database>> {
    if name.server().is_some_and(|server| !server.eq_ignore_ascii_case(&environment.server.name)) {
        let server = name.server().unwrap_or_default();
        let message = format!(
            "Could not find server '{server}' in sys.servers. Verify that the correct server name was specified."
        );
        return Err(SqlError::new(7202, message).class(11).state(2));
    }
    let database = name.database().unwrap_or(&environment.session.database);
    environment.open(database).map_err(|error| match error.number {
        911 => SqlError::invalid_object(&name.to_string()),
        _ => error,
    })
}

fn audit_table(database: &Database) -> Table {
    let rows = database.audit_rows.iter().map(|row| {
        vec![
            row.at.into(),
            row.login.as_str().into(),
            row.cek_name.as_str().into(),
            row.operation.as_str().into(),
            row.reason.as_str().into(),
            row.correlation_id.as_str().into(),
        ]
    });
    Table { columns: AUDIT_COLUMNS.to_vec(), rows: rows.collect() }
}

/// `varbinary(max)`.
const VARBINARY_MAX: Type = Type::VarBinary(Length::Max);
/// `char(2)`, which object types are.
const KIND: Type = Type::VarChar(Length::UpTo(2));
