//! One login to a SQL server.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tiberius::{Client, ColumnData, Command, Row};
use tokio_util::compat::Compat;

use crate::model::catalog::ServerName;
use crate::model::seen::Cause;

use super::dial::Stream;
use super::failure::Failure;

pub(super) type SqlClient = Client<Compat<Box<dyn Stream>>>;

/// How long a whole request may take, from sending to the last row. tiberius' own timeout is a stall's.
const REQUEST: Duration = Duration::from_secs(60);

/// A name fit for a statement: in brackets, with each `]` doubled.
#[must_use]
pub fn bracketed(name: &str) -> String {
    format!("[{}]", name.replace(']', "]]"))
}

/// One login to a SQL server. After a timeout or a lost stream it refuses every further request: what the
/// server still sends belongs to the request that was given up.
pub struct Connection {
    server: ServerName,
    client: Option<SqlClient>,
    bound: Duration,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("server", &self.server)
            .field("usable", &self.client.is_some())
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(server: ServerName, client: SqlClient) -> Self {
        Self { server, client: Some(client), bound: REQUEST }
    }

    /// Another bound for each whole request (60 s otherwise).
    #[must_use]
    pub fn bounded(self, bound: Duration) -> Self {
        Self { bound, ..self }
    }

    /// Whether it can still be used.
    #[must_use]
    pub fn usable(&self) -> bool {
        self.client.is_some()
    }

    /// Sends a parameterised query (`@P1` …) and takes in the first result set. `doing` names the request in
    /// a failure, e.g. `reading column master keys`.
    pub(super) async fn query(
        &mut self,
        doing: &str,
        sql: &str,
        parameters: &[&dyn tiberius::ToSql],
    ) -> Result<Vec<Row>, Failure> {
        self.request(doing, |client| {
            Box::pin(async move { client.query(sql, parameters).await?.into_first_result().await })
        })
        .await
    }

    /// Calls a stored procedure with named text parameters (each name with its `@`) and gives its return code.
    ///
    /// # Errors
    /// [`Failure`]; `Reached::Unknown` where the call may have taken effect.
    pub async fn call(
        &mut self,
        doing: &str,
        procedure: &str,
        parameters: &[(&str, &str)],
    ) -> Result<u32, Failure> {
        self.request(doing, |client| {
            Box::pin(async move {
                let mut command = Command::new(procedure);
                for (name, value) in parameters {
                    command.bind_param(*name, ColumnData::String(Some((*value).into())));
                }
                Ok(command.exec(client).await?.into_command_result().await?.return_code())
            })
        })
        .await
    }

    /// Sends a plain batch, for statements that take no parameters, such as Always Encrypted's definitions.
    ///
    /// # Errors
    /// [`Failure`]; `Reached::Unknown` where the batch may have taken effect.
    pub async fn batch(&mut self, doing: &str, sql: &str) -> Result<(), Failure> {
        self.request(doing, |client| {
            Box::pin(async move { client.simple_query(sql).await?.into_results().await.map(drop) })
        })
        .await
    }

    /// Runs one request within the bound; a timeout or a broken stream ends the connection.
    async fn request<'a, T>(
        &mut self,
        doing: &str,
        ask: impl FnOnce(&'a mut SqlClient) -> BoxFuture<'a, tiberius::Result<T>>,
    ) -> Result<T, Failure>
    where
        Self: 'a,
    {
        let _ = (doing, ask);
        todo!("filled in next")
    }
}

/// A request to a connection that was given up.
pub(super) fn given_up(server: &ServerName, doing: &str) -> Failure {
    Failure::unsent(
        server,
        doing,
        Cause::Unreachable,
        "the connection was given up after a request without an answer",
        "open a new one",
    )
}
