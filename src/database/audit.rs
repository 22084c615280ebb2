//! The audit row of a change: written by the house's own procedure, confirmed by its return code.

use super::{Connection, Failure, Server};
use crate::model::seen::Cause;

/// The procedure that a house with the emergency procedures has. It takes, in this order, the column key,
/// the reason and the correlation id; and in some houses `@Operation`.
const PROCEDURE: &str = "dbo.LogEmergencyKeyRevocation";
/// What is being done, in failures.
const DOING: &str = "writing the audit row";
/// "… is not a parameter for procedure …" and "… has too many arguments specified": SQL Server says so
/// before it runs anything.
const NO_SUCH_PARAMETER: [u32; 2] = [8145, 8144];

/// What the procedure is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The CEK, or the KMS key's name where no CEK led to it.
    pub key: String,
    /// The operation's own word, e.g. `enable-key`.
    pub operation: &'static str,
    /// The operation and its outcome first, the reason last: a procedure may cut a long text off.
    pub reason: String,
    /// The incident.
    pub correlation_id: String,
}

impl Server {
    /// Writes an audit row through the procedure in `database`. A text is always a parameter, never part of
    /// the statement. Arguments go by position, since houses name the procedure's parameters as they please;
    /// the operation goes by name, and is left to the reason where the procedure has no place for it.
    ///
    /// # Errors
    /// [`Failure`]; `Reached::Unknown` where the row may have been written all the same.
    pub async fn write_audit_row(&self, database: &str, row: &AuditRow) -> Result<(), Failure> {
        let mut connection = self.connect(Some(database)).await?;
        let told = [
            ("", row.key.as_str()),
            ("", row.reason.as_str()),
            ("", row.correlation_id.as_str()),
            ("@Operation", row.operation),
        ];
        match self.call(&mut connection, &told).await {
            Err(failure) if failure.number.is_some_and(|number| NO_SUCH_PARAMETER.contains(&number)) => {
                self.call(&mut connection, &told[..3]).await
            }
            done => done,
        }
    }

    async fn call(&self, connection: &mut Connection, told: &[(&str, &str)]) -> Result<(), Failure> {
        match connection.call(DOING, PROCEDURE, told).await? {
            0 => Ok(()),
            code => Err(Failure::unsent(
                self.name(),
                DOING,
                Cause::Unreadable,
                format!("the procedure {PROCEDURE} answered with return code {code}"),
                "a return code other than 0 means that the row was not written: read the procedure to see why",
            )),
        }
    }
}
