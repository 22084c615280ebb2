//! What a statement sees of the server: databases, permissions, session, time.

use std::borrow::Cow;

use jiff::Timestamp;

use super::errors::{Result, SqlError};
use super::session::{Session, Variables};
use super::state::{Database, SqlServer};

/// Everything that evaluating an expression may look at. Nothing in it can be changed.
#[derive(Clone, Copy, Debug)]
pub struct Environment<'a> {
    pub server: &'a SqlServer,
    pub session: &'a Session,
    pub variables: &'a Variables,
    pub now: Timestamp,
    /// A fault hides the Always Encrypted catalog, as a missing permission does.
    pub hidden_catalog: bool,
}

pub const VIEW_MASTER_KEYS: &str = "VIEW ANY COLUMN MASTER KEY DEFINITION";
pub const VIEW_COLUMN_KEYS: &str = "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION";

/// The databases that every instance has, with their ids, and whether any login may open them.
const SYSTEM_DATABASES: [(&str, i32, bool); 4] =
    [("master", 1, true), ("tempdb", 2, true), ("model", 3, false), ("msdb", 4, true)];

impl<'a> Environment<'a> {
    /// Whether the login has a permission, or one that implies it.
    pub fn may(&self, permission: &str) -> bool {
        let permission = permission.to_uppercase();
        let hidden =
            self.hidden_catalog && [VIEW_MASTER_KEYS, VIEW_COLUMN_KEYS].contains(&permission.as_str());
        let has = |wanted: &str| {
            let login =
                self.server.logins.iter().find(|login| login.user.eq_ignore_ascii_case(&self.session.user));
            login.is_some_and(|login| login.permissions.iter().any(|held| held.eq_ignore_ascii_case(wanted)))
        };
        let implied_by: &[&str] = match permission.as_str() {
            VIEW_MASTER_KEYS | VIEW_COLUMN_KEYS => &["VIEW ANY DEFINITION"],
            "VIEW SERVER SECURITY STATE" | "VIEW SERVER PERFORMANCE STATE" => &["VIEW SERVER STATE"],
            _ => &[],
        };
        !hidden && (has(&permission) || has("CONTROL SERVER") || implied_by.iter().any(|wider| has(wider)))
    }

    /// Every database, the system's own included, by id.
    pub fn databases(&self) -> Vec<Cow<'a, Database>> {
        let mut databases: Vec<_> = self.server.databases.iter().map(Cow::Borrowed).collect();
        for (name, database_id, accessible) in SYSTEM_DATABASES {
            if !databases.iter().any(|database| database.name.eq_ignore_ascii_case(name)) {
                databases.push(Cow::Owned(Database {
                    name: name.to_owned(),
                    database_id,
                    state_desc: "ONLINE".to_owned(),
                    accessible,
                    ..Database::default()
                }));
            }
        }
        databases.sort_by_key(|database| database.database_id);
        databases
    }

    /// A database by name, whether it can be opened or not.
    pub fn database(&self, name: &str) -> Option<Cow<'a, Database>> {
        self.databases().into_iter().find(|database| database.name.eq_ignore_ascii_case(name))
    }

    /// Opens a database.
    ///
    /// # Errors
    /// 911 where there is none of the name, 916 where the login may not, 922, 926, 927, 942 or 945 for its state.
    pub fn open(&self, name: &str) -> Result<Cow<'a, Database>> {
        let database = self.database(name).ok_or_else(|| {
            SqlError::new(
                911,
                format!("Database '{name}' does not exist. Make sure that the name is entered correctly."),
            )
        })?;
        let name = &database.name;
        let closed = match database.state_desc.to_uppercase().as_str() {
            "ONLINE" | "EMERGENCY" => None,
            "OFFLINE" => Some((942, 4, format!("Database '{name}' cannot be opened because it is offline."))),
            "RESTORING" => Some((
                927,
                2,
                format!("Database '{name}' cannot be opened. It is in the middle of a restore."),
            )),
            "RECOVERING" => Some((
                922,
                1,
                format!("Database '{name}' is being recovered. Waiting until recovery is finished."),
            )),
            "SUSPECT" => Some((
                926,
                1,
                format!(
                    "Database '{name}' cannot be opened. It has been marked SUSPECT by recovery. See the SQL Server errorlog for more information."
                ),
            )),
            _ => Some((
                945,
                2,
                format!(
                    "Database '{name}' cannot be opened due to inaccessible files or insufficient memory or disk space. See the SQL Server errorlog for details."
                ),
            )),
        };
        if let Some((number, state, message)) = closed {
            return Err(SqlError::new(number, message).class(14).state(state));
        }
        if !database.accessible {
            let message = format!(
                "The server principal \"{}\" is not able to access the database \"{name}\" under the current security context.",
                self.session.user
            );
            return Err(SqlError::new(916, message).class(14).state(2));
        }
        Ok(database)
    }

    /// The full version, e.g. `15.0.4335.1`.
    pub fn product_version(&self) -> String {
        let [major, minor, high, low] = version(self.server.version);
        format!("{major}.{minor}.{}.0", u16::from_be_bytes([high, low]))
    }
}

/// Major, minor and build, as LOGINACK has them: the last build of each major version that we know.
pub fn version(major: u8) -> [u8; 4] {
    let build: u16 = match major {
        13 => 6300,
        14 => 3456,
        15 => 4335,
        16 => 4095,
        _ => 1000,
    };
    let [high, low] = build.to_be_bytes();
    [major, 0, high, low]
}

/// The year that a major version is sold under.
pub fn release(major: u8) -> &'static str {
    match major {
        13 => "2016",
        14 => "2017",
        15 => "2019",
        16 => "2022",
        17 => "2025",
        _ => "(unknown release)",
    }
}
