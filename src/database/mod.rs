//! SQL Server; the only room that names tiberius.
//!
//! [`Server`] knows how one instance is reached; [`Connection`] is one login to it, given up for good after a
//! timeout; [`Failure`] says what went wrong, why, and what to do next.

mod audit;
mod catalog;
mod connection;
mod dial;
mod envelope;
mod failure;
mod login;
mod rows;
mod server;

pub use audit::AuditRow;
pub use connection::{Connection, bracketed};
pub use dial::{Dialer, InProcessSql};
pub use envelope::read as read_envelope;
pub use failure::{Failure, Reached};
pub use login::resolve_prompts;
pub use server::Server;

#[cfg(test)]
mod tests;
