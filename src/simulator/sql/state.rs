//! What a simulated SQL Server holds: plain data, filled by the seed and by Always Encrypted DDL.

use std::collections::BTreeSet;

use jiff::Timestamp;

/// One SQL Server instance.
#[derive(Clone, Debug, Default)]
pub struct SqlServer {
    /// Its host name, e.g. `buzz-prod-1.sim.internal`.
    pub name: String,
    /// Major version: 13 is 2016, 14 is 2017 (no enclave columns), 15 is 2019, 16 is 2022.
    pub version: u8,
    /// Logins: user name to password.
    pub logins: Vec<Login>,
    pub databases: Vec<Database>,
}

/// A login and what it may see.
#[derive(Clone, Debug, Default)]
pub struct Login {
    pub user: String,
    pub password: String,
    /// Permission names as `HAS_PERMS_BY_NAME` takes them, e.g. `VIEW ANY COLUMN MASTER KEY DEFINITION`.
    pub permissions: BTreeSet<String>,
}

/// One database of an instance.
#[derive(Clone, Debug, Default)]
pub struct Database {
    pub name: String,
    pub database_id: i32,
    /// `ONLINE`, `OFFLINE`, `RESTORING` …, as `sys.databases.state_desc` has it.
    pub state_desc: String,
    /// Whether the login may open it (`HAS_DBACCESS`).
    pub accessible: bool,
    pub master_keys: Vec<MasterKey>,
    pub column_keys: Vec<ColumnKey>,
    pub values: Vec<ColumnKeyValue>,
    pub columns: Vec<Column>,
    /// `None` where the database has no TDE key; else `sys.dm_database_encryption_keys.encryption_state` (0–6).
    pub tde_state: Option<i32>,
    /// Whether `dbo.LogEmergencyKeyRevocation` exists.
    pub audit_procedure: bool,
    /// What the audit procedure has written.
    pub audit_rows: Vec<AuditRow>,
}

/// A row of `sys.column_master_keys`.
#[derive(Clone, Debug)]
pub struct MasterKey {
    pub name: String,
    pub column_master_key_id: i32,
    pub create_date: Timestamp,
    pub modify_date: Timestamp,
    pub key_store_provider_name: String,
    pub key_path: String,
    pub allow_enclave_computations: bool,
}

/// A row of `sys.column_encryption_keys`.
#[derive(Clone, Debug)]
pub struct ColumnKey {
    pub name: String,
    pub column_encryption_key_id: i32,
    pub create_date: Timestamp,
    pub modify_date: Timestamp,
}

/// A row of `sys.column_encryption_key_values`.
#[derive(Clone, Debug)]
pub struct ColumnKeyValue {
    pub column_encryption_key_id: i32,
    pub column_master_key_id: i32,
    pub encrypted_value: Vec<u8>,
    pub encryption_algorithm_name: String,
}

/// A row of `sys.columns` joined with its table and schema; only encrypted columns need to be here.
#[derive(Clone, Debug)]
pub struct Column {
    pub schema: String,
    pub table: String,
    pub object_id: i32,
    pub column_id: i32,
    pub name: String,
    /// 1 deterministic, 2 randomized.
    pub encryption_type: i32,
    pub encryption_algorithm_name: String,
    pub column_encryption_key_id: i32,
    /// `column_encryption_key_database_name`; `None` where the key is in the column's own database.
    pub key_database: Option<String>,
}

/// One call of `dbo.LogEmergencyKeyRevocation`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    pub at: Timestamp,
    pub login: String,
    pub cek_name: String,
    pub operation: String,
    pub reason: String,
    pub correlation_id: String,
}
