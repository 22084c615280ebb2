//! The audit row of a change: written by the house's own procedure, confirmed by its return code.

use super::{Failure, Server};
use crate::model::seen::Cause;

/// The procedure that a house with the emergency procedures has. It takes, in this order, the column key,
/// the reason and the correlation id.
const PROCEDURE: &str = "dbo.LogEmergencyKeyRevocation";

/// What the procedure is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// The CEK, or the KMS key's name where no CEK led to it.
    pub key: String,
    /// The operation's own word and its outcome first, the reason last: a procedure may cut a long text off.
    pub reason: String,
    /// The incident.
    pub correlation_id: String,
}

impl Server {
    /// Writes an audit row through the procedure in `database`. A text is always a parameter, never part of
    /// the statement. Arguments go by position: houses name the procedure's parameters as they please.
    ///
    /// # Errors
    /// [`Failure`]; `Reached::Unknown` where the row may have been written all the same.
    pub async fn write_audit_row(&self, database: &str, row: &AuditRow) -> Result<(), Failure> {
        const DOING: &str = "writing the audit row";
        let mut connection = self.connect(Some(database)).await?;
        let arguments =
            [("", row.key.as_str()), ("", row.reason.as_str()), ("", row.correlation_id.as_str())];
        match connection.call(DOING, PROCEDURE, &arguments).await? {
            0 => Ok(()),
            code => Err(Failure::unsent(
                self.name(),
                DOING,
                Cause::Unreadable,
                format!("the procedure {PROCEDURE} answered with return code {}", code),
                "a return code other than 0 means that the row was not written: read the procedure to see why",
            )),
        }
    }
}
