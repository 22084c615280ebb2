//! One login to a SQL server.

use std::time::Duration;

use tiberius::{Client, Command, Row};
use tokio_util::compat::Compat;

use crate::model::catalog::ServerName;
use crate::model::seen::Cause;

use super::dial::Stream;
use super::failure::Failure;

pub(super) type SqlClient = Client<Compat<Box<dyn Stream>>>;

/// How long a whole request may take, from sending to the last row. tiberius' own timeout is a stall's.
const REQUEST: Duration = Duration::from_mins(1);

/// Errors of this severity and above end the connection.
const ENDS_THE_CONNECTION: u8 = 20;

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
        let mut client = self.take(doing)?;
        let asking = async {
            let rows = async { client.query(sql, parameters).await?.into_first_result().await }.await;
            (client, rows)
        };
        self.settle(doing, asking).await
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
    ) -> Result<i32, Failure> {
        let mut client = self.take(doing)?;
        let asking = async {
            let mut command = Command::new(procedure);
            for (name, value) in parameters {
                command.bind_param(*name, *value);
            }
            let code =
                async { Ok(command.exec(&mut client).await?.into_command_result().await?.return_code()) }
                    .await;
            (client, code)
        };
        self.settle(doing, asking).await.map(u32::cast_signed)
    }

    /// Sends a plain batch, for statements that take no parameters, such as Always Encrypted's definitions.
    ///
    /// # Errors
    /// [`Failure`]; `Reached::Unknown` where the batch may have taken effect.
    pub async fn batch(&mut self, doing: &str, sql: &str) -> Result<(), Failure> {
        let mut client = self.take(doing)?;
        let asking = async {
            let done = async { client.simple_query(sql).await?.into_results().await.map(drop) }.await;
            (client, done)
        };
        self.settle(doing, asking).await
    }

    /// Takes the client out for one request. Whoever drops the request midway leaves none behind.
    fn take(&mut self, doing: &str) -> Result<SqlClient, Failure> {
        self.client.take().ok_or_else(|| {
            Failure::unsent(
                &self.server,
                doing,
                Cause::Unreachable,
                "the connection was given up after a request without an answer",
                "open a new one",
            )
        })
    }

    /// Runs one request within the bound, and puts the client back only where it is still in step.
    async fn settle<T>(
        &mut self,
        doing: &str,
        asking: impl Future<Output = (SqlClient, tiberius::Result<T>)>,
    ) -> Result<T, Failure> {
        let Ok((client, answer)) = tokio::time::timeout(self.bound, asking).await else {
            return Err(Failure::late(&self.server, doing, self.bound));
        };
        let in_step = match &answer {
            Ok(_) => true,
            Err(tiberius::error::Error::Server(error)) => error.class() < ENDS_THE_CONNECTION,
            Err(_) => false,
        };
        if in_step {
            self.client = Some(client);
        }
        answer.map_err(|error| Failure::told(&self.server, doing, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::bracketed;

    #[test]
    fn a_name_cannot_leave_its_brackets() {
        assert_eq!(bracketed("buzz_prod"), "[buzz_prod]");
        assert_eq!(bracketed("x]; DROP DATABASE y--"), "[x]]; DROP DATABASE y--]");
    }
}
