//! What the server keeps for one connection.

use std::collections::BTreeMap;

use super::errors::{Result, SqlError};
use super::state::{Database, SqlServer};
use super::token::Response;
use super::types::{Type, Value};

/// A connection's session.
#[derive(Clone, Debug)]
pub struct Session {
    pub user: String,
    pub host: String,
    pub application: String,
    /// The session's number, `@@SPID`.
    pub id: i32,
    /// The current database.
    pub database: String,
    /// Where the login landed, and a reset returns to.
    pub home: String,
    pub no_count: bool,
    pub implicit_transactions: bool,
    /// `@@ROWCOUNT`.
    pub row_count: i64,
    /// `@@ERROR`.
    pub last_error: i32,
    pub prepared: BTreeMap<i32, Prepared>,
    next_handle: i32,
    transaction: Transaction,
}

/// A statement from `sp_prepare`.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    pub declarations: Vec<(String, Type, bool)>,
    pub sql: String,
}

/// Variables and parameters, by lower-case name with `@`.
#[derive(Clone, Debug, Default)]
pub struct Variables(BTreeMap<String, (Type, Value)>);

impl Variables {
    pub fn declare(&mut self, name: &str, ty: Type, value: Value) {
        self.0.insert(name.to_lowercase(), (ty, value));
    }

    pub fn get(&self, name: &str) -> Result<&(Type, Value)> {
        self.0.get(&name.to_lowercase()).ok_or_else(|| SqlError::undeclared(name))
    }

    pub fn is_declared(&self, name: &str) -> bool {
        self.0.contains_key(&name.to_lowercase())
    }
}

/// The open transaction. Undoing it restores whole databases: what other connections wrote to
/// them meanwhile (which locks would have kept out on a real server) is undone, too.
#[derive(Clone, Debug, Default)]
struct Transaction {
    depth: i32,
    descriptor: u64,
    before: Vec<Database>,
}

impl Session {
    pub fn new(id: i32, user: &str, host: &str, application: &str, database: &str) -> Self {
        Self {
            user: user.to_owned(),
            host: host.to_owned(),
            application: application.to_owned(),
            id,
            database: database.to_owned(),
            home: database.to_owned(),
            no_count: false,
            implicit_transactions: false,
            row_count: 0,
            last_error: 0,
            prepared: BTreeMap::new(),
            next_handle: 1,
            transaction: Transaction::default(),
        }
    }

    /// `@@TRANCOUNT`.
    pub fn transactions(&self) -> i32 {
        self.transaction.depth
    }

    /// Keeps a prepared statement and gives its handle.
    pub fn prepare(&mut self, prepared: Prepared) -> i32 {
        let handle = self.next_handle;
        self.next_handle += 1;
        self.prepared.insert(handle, prepared);
        handle
    }

    /// Back to how the session was after login; an open transaction is undone.
    pub fn reset(&mut self, server: &mut SqlServer) {
        self.undo(server);
        *self = Self::new(self.id, &self.user, &self.host, &self.application, &self.home);
    }

    pub fn begin(&mut self, out: &mut Response) {
        if self.transaction.depth == 0 {
            self.transaction.descriptor += 1;
            out.transaction_begun(self.transaction.descriptor);
        }
        self.transaction.depth += 1;
    }

    /// In implicit mode, the first statement that touches data begins a transaction.
    pub fn begin_implicitly(&mut self, out: &mut Response) {
        if self.implicit_transactions && self.transaction.depth == 0 {
            self.begin(out);
        }
    }

    pub fn commit(&mut self, out: &mut Response) -> Result<()> {
        match self.transaction.depth {
            0 => {
                let message = "The COMMIT TRANSACTION request has no corresponding BEGIN TRANSACTION.";
                return Err(SqlError::new(3902, message));
            }
            1 => {
                self.transaction.before.clear();
                out.transaction_ended(self.transaction.descriptor, true);
            }
            _ => {}
        }
        self.transaction.depth -= 1;
        Ok(())
    }

    pub fn rollback(&mut self, server: &mut SqlServer, out: &mut Response) -> Result<()> {
        if self.transaction.depth == 0 {
            let message = "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION.";
            return Err(SqlError::new(3903, message));
        }
        self.undo(server);
        out.transaction_ended(self.transaction.descriptor, false);
        Ok(())
    }

    /// Undoes the open transaction, if there is one, as when the connection is lost.
    pub fn undo(&mut self, server: &mut SqlServer) {
        for before in self.transaction.before.drain(..) {
            if let Some(now) = server.databases.iter_mut().find(|database| database.name == before.name) {
                *now = before;
            }
        }
        self.transaction.depth = 0;
    }

    /// Notes a database as it is before it is changed.
    pub fn about_to_change(&mut self, database: &Database) {
        let noted = self.transaction.before.iter().any(|before| before.name == database.name);
        if self.transaction.depth > 0 && !noted {
            self.transaction.before.push(database.clone());
        }
    }
}
