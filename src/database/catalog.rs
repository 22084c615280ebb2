//! Reads the Always Encrypted catalog, database by database.
//!
//! SQL Server hides what a login may not see without an error, so the permission is asked for first, and its
//! lack is said. `USE` and two-part names work on every edition that can hold these objects, RDS included.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tiberius::Row;

use crate::model::catalog::{
    ColumnElsewhere, ColumnKey, DatabaseCatalog, EncryptedColumn, EncryptedColumns, EncryptionObjects,
    EncryptionType, KeyValue, MasterKey, ServerCatalog, Tde, TdeState,
};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::text::{Texts, Untrusted};

use super::connection::{Connection, bracketed};
use super::envelope;
use super::failure::Failure;
use super::rows::{self, BadCell};
use super::server::Server;

/// How long one request of a catalog read may take.
const REQUEST: Duration = Duration::from_secs(20);

/// `sys.databases.database_id` of master, tempdb, model and msdb, which are read only where settings name them.
const SYSTEM_DATABASES: std::ops::RangeInclusive<i32> = 1..=4;

/// The database that RDS keeps for itself.
const RDS_OWN: &str = "rdsadmin";

/// The major version of SQL Server 2016, the first with Always Encrypted.
const FIRST_WITH_ALWAYS_ENCRYPTED: i32 = 13;

const ABOUT_SERVER: &str = "SELECT CAST(SERVERPROPERTY(N'ProductVersion') AS nvarchar(128)), \
     SYSDATETIME(), SYSUTCDATETIME(), HAS_PERMS_BY_NAME(NULL, NULL, N'VIEW ANY DATABASE')";

const DATABASES: &str =
    "SELECT name, database_id, state_desc, HAS_DBACCESS(name) FROM sys.databases ORDER BY name";

/// Columns that every version has: `encryption_state_desc` came with 2019.
const TDE_STATES: &str = "SELECT database_id, encryption_state, key_algorithm, key_length, percent_complete \
     FROM sys.dm_database_encryption_keys";

/// A quoted name is tried too: a bare one with a dot in it is taken for two parts.
const ABOUT_DATABASE: &str = "SELECT \
     COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW ANY COLUMN MASTER KEY DEFINITION'), \
              HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'VIEW ANY COLUMN MASTER KEY DEFINITION')), \
     COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW ANY COLUMN ENCRYPTION KEY DEFINITION'), \
              HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'VIEW ANY COLUMN ENCRYPTION KEY DEFINITION')), \
     COALESCE(HAS_PERMS_BY_NAME(DB_NAME(), N'DATABASE', N'VIEW DEFINITION'), \
              HAS_PERMS_BY_NAME(QUOTENAME(DB_NAME()), N'DATABASE', N'VIEW DEFINITION')), \
     (SELECT COUNT(*) FROM sys.all_columns \
      WHERE object_id = OBJECT_ID(N'sys.column_master_keys') AND name = N'allow_enclave_computations')";

const MASTER_KEYS: &str = "SELECT column_master_key_id, name, key_store_provider_name, key_path, create_date, modify_date, \
     CAST(NULL AS bit) FROM sys.column_master_keys ORDER BY column_master_key_id";

const MASTER_KEYS_WITH_ENCLAVE: &str = "SELECT column_master_key_id, name, key_store_provider_name, key_path, create_date, modify_date, \
     allow_enclave_computations FROM sys.column_master_keys ORDER BY column_master_key_id";

const COLUMN_KEYS: &str = "SELECT column_encryption_key_id, name, create_date, modify_date \
     FROM sys.column_encryption_keys ORDER BY column_encryption_key_id";

const VALUES: &str = "SELECT column_encryption_key_id, column_master_key_id, encryption_algorithm_name, encrypted_value \
     FROM sys.column_encryption_key_values ORDER BY column_encryption_key_id, column_master_key_id";

const COLUMNS: &str = "SELECT s.name, t.name, c.name, c.column_encryption_key_id, c.encryption_type, \
     c.column_encryption_key_database_name \
     FROM sys.columns AS c \
     JOIN sys.tables AS t ON t.object_id = c.object_id \
     JOIN sys.schemas AS s ON s.schema_id = t.schema_id \
     WHERE c.column_encryption_key_id IS NOT NULL \
     ORDER BY s.name, t.name, c.column_id";

/// What holds for the whole server.
struct About {
    version: Untrusted,
    /// How far the server's local time, in which the catalog's dates are, is ahead of UTC now. A date from
    /// the other side of a change to or from summer time is told an hour off; RDS runs on UTC.
    offset: SignedDuration,
    sees_all_databases: bool,
}

impl About {
    fn knows_always_encrypted(&self) -> bool {
        let major = self.version.raw().split('.').next().and_then(|major| major.parse::<i32>().ok());
        major.is_none_or(|major| major >= FIRST_WITH_ALWAYS_ENCRYPTED)
    }
}

/// A row of `sys.databases`.
struct Listed {
    name: Untrusted,
    id: i32,
    state: Untrusted,
    accessible: bool,
}

/// Reads one server; see [`Server::read_catalog`].
pub(super) async fn read(
    server: &Server,
    wanted: Option<&[String]>,
    now: Timestamp,
) -> Result<ServerCatalog, Failure> {
    let connection = server.connect(None).await?.bounded(REQUEST);
    let mut reader = Reader { server, connection, texts: Texts::default() };
    let about = reader.about().await?;
    let listed = reader.rows("listing its databases", DATABASES, listed).await?;
    let tde = reader.tde_states().await;
    let mut databases = unlisted(&about, wanted, &listed);
    for database in listed.into_iter().filter(|listed| is_wanted(listed, wanted)) {
        let objects = match shut(&database) {
            Some(why) => Seen::NotVisible(why),
            None if !about.knows_always_encrypted() => Seen::Known(EncryptionObjects::default()),
            None => reader.objects(&database.name, about.offset).await,
        };
        let tde = tde_of(&database, &tde);
        databases.push(DatabaseCatalog { name: database.name, objects, tde });
    }
    Ok(ServerCatalog { server: server.name().clone(), version: about.version, databases, read_at: now })
}

/// A database's TDE. The view has no row for a database without an encryption key, nor for one that is not open.
fn tde_of(database: &Listed, states: &Result<BTreeMap<i32, Tde>, NotVisible>) -> Seen<Option<Tde>> {
    match states {
        Err(why) => Seen::NotVisible(why.clone()),
        Ok(states) => match (states.get(&database.id), shut(database)) {
            (Some(tde), _) => Seen::Known(Some(tde.clone())),
            (None, Some(why)) if why.cause == Cause::Unsupported => Seen::NotVisible(why),
            (None, _) => Seen::Known(None),
        },
    }
}

/// Whether settings want it; system databases only by name. SQL Server's own names are commonly compared
/// without case, so are these.
fn is_wanted(listed: &Listed, wanted: Option<&[String]>) -> bool {
    match wanted {
        Some(wanted) => wanted.iter().any(|name| same_name(name, listed.name.raw())),
        None => !SYSTEM_DATABASES.contains(&listed.id) && listed.name.raw() != RDS_OWN,
    }
}

fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Databases that are wanted and that the server does not list: they are told, not left out.
fn unlisted(about: &About, wanted: Option<&[String]>, listed: &[Listed]) -> Vec<DatabaseCatalog> {
    let hidden = |name: &str, cause, reason: &str| DatabaseCatalog {
        name: name.into(),
        objects: Seen::NotVisible(NotVisible::new(cause, reason)),
        tde: Seen::NotVisible(NotVisible::new(cause, reason)),
    };
    match wanted {
        Some(wanted) => wanted
            .iter()
            .filter(|name| !listed.iter().any(|l| same_name(name, l.name.raw())))
            .map(|name| {
                let reason = "the server lists no such database: check the name in the settings, or grant VIEW ANY DATABASE";
                hidden(name, Cause::NotFound, reason)
            })
            .collect(),
        None if !about.sees_all_databases => vec![hidden(
            "(databases hidden from this login)",
            Cause::Denied,
            "without VIEW ANY DATABASE the server lists only some of its databases: grant it to the login",
        )],
        None => Vec::new(),
    }
}

/// Why a database cannot be opened, where `sys.databases` says so already.
fn shut(listed: &Listed) -> Option<NotVisible> {
    if !listed.state.raw().eq_ignore_ascii_case("ONLINE") {
        let state = listed.state.to_string().to_lowercase();
        return Some(NotVisible::new(
            Cause::Unsupported,
            format!("the database is {state}; its keys show when it is online"),
        ));
    }
    (!listed.accessible).then(|| {
        NotVisible::new(
            Cause::Denied,
            "the login has no access to this database: make a user for it there (HAS_DBACCESS says 0)",
        )
    })
}

/// One connection, made anew where a database has cost us the last one.
struct Reader<'a> {
    server: &'a Server,
    connection: Connection,
    /// Of all its databases.
    texts: Texts,
}

impl Reader<'_> {
    async fn about(&mut self) -> Result<About, Failure> {
        let doing = "asking its version and permissions";
        let found = self.rows(doing, ABOUT_SERVER, about).await?;
        found.into_iter().next().ok_or_else(|| self.misread(doing, "the answer has no row"))
    }

    /// TDE state by database id.
    async fn tde_states(&mut self) -> Result<BTreeMap<i32, Tde>, NotVisible> {
        let states = self.rows("reading TDE states", TDE_STATES, tde);
        states.await.map(|states| states.into_iter().collect()).map_err(|failure| {
            if failure.cause == Cause::Denied {
                NotVisible::new(
                    Cause::Denied,
                    "TDE states need VIEW SERVER STATE (from 2022, VIEW SERVER SECURITY STATE): grant it to the login",
                )
            } else {
                failure.into()
            }
        })
    }

    async fn objects(&mut self, database: &Untrusted, offset: SignedDuration) -> Seen<EncryptionObjects> {
        match self.try_objects(database, offset).await {
            Ok(Ok(mut objects)) => {
                objects.share_texts(&mut self.texts);
                Seen::Known(objects)
            }
            Ok(Err(hidden)) => Seen::NotVisible(hidden),
            Err(failure) => Seen::NotVisible(failure.into()),
        }
    }

    async fn try_objects(
        &mut self,
        database: &Untrusted,
        offset: SignedDuration,
    ) -> Result<Result<EncryptionObjects, NotVisible>, Failure> {
        if !self.connection.usable() {
            self.connection = self.server.connect(None).await?.bounded(REQUEST);
        }
        let name = bracketed(database.raw());
        self.connection.batch(&format!("opening {database}"), &format!("USE {name}")).await?;
        let doing = format!("reading {database}");
        let probes = self.rows(&doing, ABOUT_DATABASE, probe).await?;
        let Some(probe) = probes.into_iter().next() else {
            return Err(self.misread(&doing, "the answer has no row"));
        };
        if let Some(hidden) = probe.hidden {
            return Ok(Err(hidden));
        }
        let master_keys = if probe.enclave { MASTER_KEYS_WITH_ENCLAVE } else { MASTER_KEYS };
        let (columns, columns_elsewhere) =
            apart(self.rows(&doing, COLUMNS, |row| column(row, database)).await?);
        Ok(Ok(EncryptionObjects {
            master_keys: self.rows(&doing, master_keys, |row| master_key(row, offset)).await?,
            column_keys: self.rows(&doing, COLUMN_KEYS, |row| column_key(row, offset)).await?,
            values: self.rows(&doing, VALUES, value).await?,
            columns,
            columns_elsewhere,
            columns_hidden: probe.columns_hidden,
        }))
    }

    async fn rows<T>(
        &mut self,
        doing: &str,
        sql: &str,
        read: impl Fn(&Row) -> Result<T, BadCell>,
    ) -> Result<Vec<T>, Failure> {
        let rows = self.connection.query(doing, sql, &[]).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|bad| self.misread(doing, &bad.to_string()))
    }

    fn misread(&self, doing: &str, why: &str) -> Failure {
        let next =
            "check that this is a SQL Server of 2016 or later; if it is, this is a mistake in portcullis";
        Failure::unsent(self.server.name(), doing, Cause::Unreadable, why, next)
    }
}

/// What may be seen in one database.
struct Probe {
    /// Why no keys show, where a permission is missing.
    hidden: Option<NotVisible>,
    columns_hidden: Option<NotVisible>,
    enclave: bool,
}

fn probe(row: &Row) -> Result<Probe, BadCell> {
    let granted = |column| Ok::<_, BadCell>(rows::number(row, column)? == Some(1));
    let mut missing = Vec::new();
    if !granted(0)? {
        missing.push("VIEW ANY COLUMN MASTER KEY DEFINITION");
    }
    if !granted(1)? {
        missing.push("VIEW ANY COLUMN ENCRYPTION KEY DEFINITION");
    }
    let missing = missing.join(" and ");
    let denied = |reason: String| NotVisible::new(Cause::Denied, reason);
    Ok(Probe {
        hidden: (!missing.is_empty()).then(|| {
            denied(format!("SQL Server hides the keys from this login: grant it {missing} in this database"))
        }),
        columns_hidden: (!granted(2)?).then(|| {
            denied(
                "columns of tables that the login has no permission on are not listed: grant it VIEW DEFINITION in this database"
                    .to_owned(),
            )
        }),
        enclave: rows::some_number(row, 3)? > 0,
    })
}

fn about(row: &Row) -> Result<About, BadCell> {
    Ok(About {
        version: rows::text(row, 0)?,
        offset: local_offset(
            rows::time(row, 1, SignedDuration::ZERO)?,
            rows::time(row, 2, SignedDuration::ZERO)?,
        ),
        sees_all_databases: rows::number(row, 3)? == Some(1),
    })
}

/// How far `local` is ahead of `utc`, both read at nearly one moment: offsets come in quarters of an hour.
fn local_offset(local: Timestamp, utc: Timestamp) -> SignedDuration {
    const QUARTER: i64 = 15 * 60;
    let seconds = local.duration_since(utc).as_secs();
    SignedDuration::from_secs((seconds + QUARTER / 2).div_euclid(QUARTER) * QUARTER)
}

fn listed(row: &Row) -> Result<Listed, BadCell> {
    Ok(Listed {
        name: rows::text(row, 0)?,
        id: rows::some_number(row, 1)?,
        state: rows::text(row, 2)?,
        accessible: rows::number(row, 3)? == Some(1),
    })
}

/// A database's id, and its TDE.
fn tde(row: &Row) -> Result<(i32, Tde), BadCell> {
    let state = TdeState(rows::some_number(row, 1)?);
    let percent = rows::percent(row, 4)?.filter(|_| state.is_changing());
    let (algorithm, key_bits) = (rows::text(row, 2)?, rows::some_number(row, 3)?);
    Ok((rows::some_number(row, 0)?, Tde { state, algorithm, key_bits, percent }))
}

fn master_key(row: &Row, offset: SignedDuration) -> Result<MasterKey, BadCell> {
    Ok(MasterKey {
        id: rows::some_number(row, 0)?,
        name: rows::text(row, 1)?,
        provider: rows::text(row, 2)?,
        key_path: rows::text(row, 3)?,
        created: rows::time(row, 4, offset)?,
        modified: rows::time(row, 5, offset)?,
        enclave: rows::bit(row, 6)?,
    })
}

fn column_key(row: &Row, offset: SignedDuration) -> Result<ColumnKey, BadCell> {
    Ok(ColumnKey {
        id: rows::some_number(row, 0)?,
        name: rows::text(row, 1)?,
        created: rows::time(row, 2, offset)?,
        modified: rows::time(row, 3, offset)?,
    })
}

fn value(row: &Row) -> Result<KeyValue, BadCell> {
    Ok(KeyValue {
        column_key_id: rows::some_number(row, 0)?,
        master_key_id: rows::some_number(row, 1)?,
        algorithm: rows::text(row, 2)?,
        envelope: envelope::read(rows::bytes(row, 3)?),
    })
}

/// A column, and the database of its CEK. SQL Server names that only where it is another than the column's.
fn column(row: &Row, database: &Untrusted) -> Result<(EncryptedColumn, Option<Untrusted>), BadCell> {
    let key_database = rows::text(row, 5)?;
    let is_here = key_database.is_empty() || same_name(key_database.raw(), database.raw());
    let column = EncryptedColumn {
        database: (!is_here).then(|| database.clone()),
        schema: rows::text(row, 0)?,
        table: rows::text(row, 1)?,
        name: rows::text(row, 2)?,
        column_key_id: rows::some_number(row, 3)?,
        encryption: if rows::some_number(row, 4)? == 1 {
            EncryptionType::Deterministic
        } else {
            EncryptionType::Randomized
        },
    };
    Ok((column, (!is_here).then_some(key_database)))
}

/// Columns whose CEK is beside them, and those whose CEK is elsewhere: its id means nothing here.
fn apart(columns: Vec<(EncryptedColumn, Option<Untrusted>)>) -> (EncryptedColumns, Vec<ColumnElsewhere>) {
    let mut elsewhere = Vec::new();
    let mut here = Vec::with_capacity(columns.len());
    for (column, key_database) in columns {
        match key_database {
            None => here.push(column),
            Some(key_database) => elsewhere.push(ColumnElsewhere { key_database, column }),
        }
    }
    (here.into(), elsewhere)
}

#[cfg(test)]
mod tests {
    use super::local_offset;
    use jiff::{SignedDuration, Timestamp};

    #[test]
    fn an_offset_is_rounded_to_the_quarter_of_an_hour() {
        let utc: Timestamp = "2026-05-04T12:00:00Z".parse().unwrap();
        let offset = |seconds| local_offset(utc + SignedDuration::from_secs(seconds), utc).as_mins();
        assert_eq!([offset(0), offset(-1), offset(19_801), offset(-12_599)], [0, 0, 330, -210]);
    }
}
