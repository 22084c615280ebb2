//! What went wrong with a SQL server: what, why, what to do next.

use std::fmt;
use std::io;

use crate::model::catalog::ServerName;
use crate::model::seen::{Cause, NotVisible};
use crate::model::text::visible;

/// A request to a SQL server that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Failure {
    pub server: ServerName,
    /// What was being done, e.g. `logging in as auditor`.
    pub doing: String,
    pub cause: Cause,
    /// SQL Server's error number, where it gave one.
    pub number: Option<u32>,
    /// Why, in one line fit for a screen.
    pub why: String,
    /// What to do next.
    pub next: String,
    pub reached: Reached,
}

/// Whether a statement can have taken effect although its request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It was never sent, or the server refused it.
    NoEffect,
    /// It was sent and no answer came: a change may or may not have been made. Read the state to know.
    Unknown,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SQL server {}, {}: {}", self.server, self.doing, self.why)?;
        if let Some(number) = self.number {
            write!(f, " (error {number})")?;
        }
        write!(f, "; {}", self.next)
    }
}

impl From<Failure> for NotVisible {
    fn from(failure: Failure) -> Self {
        Self::new(failure.cause, failure.to_string())
    }
}

/// One failure's parts that depend on what happened, before it is known where.
struct Told {
    cause: Cause,
    number: Option<u32>,
    why: String,
    next: String,
}

impl Failure {
    /// A failure before anything was sent.
    pub(super) fn unsent(
        server: &ServerName,
        doing: &str,
        cause: Cause,
        why: impl Into<String>,
        next: impl Into<String>,
    ) -> Self {
        Self {
            server: server.clone(),
            doing: doing.to_owned(),
            cause,
            number: None,
            why: why.into(),
            next: next.into(),
            reached: Reached::NoEffect,
        }
    }

    /// Tells what tiberius said, at a request that was `doing` something.
    pub(super) fn told(server: &ServerName, doing: &str, error: &tiberius::error::Error) -> Self {
        let reached = match error {
            tiberius::error::Error::Server(_) | tiberius::error::Error::Tls(_) => Reached::NoEffect,
            _ => Reached::Unknown,
        };
        let Told { cause, number, why, next } = tell(error);
        Self { server: server.clone(), doing: doing.to_owned(), cause, number, why, next, reached }
    }

    /// No answer within our own bound.
    pub(super) fn late(server: &ServerName, doing: &str, bound: std::time::Duration) -> Self {
        Self {
            reached: Reached::Unknown,
            ..Self::unsent(
                server,
                doing,
                Cause::TimedOut,
                format!("no full answer within {} s; the connection was given up", bound.as_secs()),
                "it is tried again on a new connection; look for blocking or load on the server",
            )
        }
    }

    /// The stream could not be had.
    pub(super) fn no_stream(server: &ServerName, doing: &str, address: &str, error: &io::Error) -> Self {
        let (cause, next) = match error.kind() {
            io::ErrorKind::TimedOut => (
                Cause::TimedOut,
                "check the address, the security group and the route; nothing answered at all",
            ),
            io::ErrorKind::ConnectionRefused => {
                (Cause::Unreachable, "check the port, and that SQL Server listens on TCP there")
            }
            _ => (Cause::Unreachable, "check the host name, the network and the VPN"),
        };
        Self::unsent(
            server,
            doing,
            cause,
            format!("{}: {}", visible(address), visible(&error.to_string())),
            next,
        )
    }
}

/// Reads a tiberius error.
fn tell(error: &tiberius::error::Error) -> Told {
    use tiberius::error::Error;
    let plain = |cause, why: String, next: &str| Told { cause, number: None, why, next: next.to_owned() };
    match error {
        Error::Server(token) => tell_server_error(token.code(), token.message()),
        // Said before trust is thought of: nothing is wrong with any certificate.
        Error::Tls(message) | Error::Io { message, .. } if is_cut_off(message) => plain(
            Cause::Unreachable,
            "the server broke the connection off".to_owned(),
            "it is tried again on a new connection; check that the server is up, and the network",
        ),
        Error::Tls(message) => plain(Cause::Unreachable, certificate_reason(message), CERTIFICATE_NEXT),
        Error::Io { kind: io::ErrorKind::TimedOut, .. } => plain(
            Cause::TimedOut,
            "the server accepted the connection and then fell silent".to_owned(),
            "it is tried again on a new connection; look for load or blocking on the server",
        ),
        Error::Io { message, .. } if is_certificate(message) => {
            plain(Cause::Unreachable, certificate_reason(message), CERTIFICATE_NEXT)
        }
        Error::Io { message, .. } => plain(
            Cause::Unreachable,
            format!("the connection was lost: {}", visible(message)),
            "it is tried again on a new connection; check the network",
        ),
        Error::Routing { host, port } => plain(
            Cause::Unreachable,
            format!("the server sends its clients on to {}:{port}", visible(host)),
            "name that address in the settings instead",
        ),
        other => plain(
            Cause::Unreadable,
            format!("the answer could not be understood: {}", visible(&other.to_string())),
            "check that a SQL Server (2016 or later) answers at this address and that it offers encryption",
        ),
    }
}

const CERTIFICATE_NEXT: &str = "set `ca_bundle` of this server to a PEM file of the authorities that sign its certificate \
                                (for RDS: the bundle that AWS publishes), and reach it by the name in the certificate";

/// In rustls' words: the stream ended without TLS' own end.
fn is_cut_off(message: &str) -> bool {
    message.contains("close_notify")
}

fn is_certificate(message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    message.contains("certificate") || message.contains("tls")
}

/// The first sentence: tiberius goes on with advice for programmers.
fn certificate_reason(message: &str) -> String {
    let first = message.split(". ").next().unwrap_or(message);
    let first = first.split(" To connect anyway").next().unwrap_or(first);
    format!("no trusted TLS: {}", visible(first.trim_end_matches('.')))
}

/// Reads an error that SQL Server itself gave.
fn tell_server_error(number: u32, message: &str) -> Told {
    let (cause, next) = match number {
        18456 | 18452 | 18470 | 18486 | 18487 | 18488 => (
            Cause::Denied,
            "check the user, the password and that the login is neither disabled nor locked (the reason stands in the server's error log)",
        ),
        4060 | 911 => (
            Cause::Denied,
            "check the database's name, that it is online, and that the login has a user in it",
        ),
        916 => (Cause::Denied, "make a user for the login in that database"),
        942 | 924 | 927 | 945 | 952 => (
            Cause::Unsupported,
            "the database is not available now (offline, restoring, single user …); look at sys.databases.state_desc",
        ),
        229 | 230 | 262 | 297 | 300 | 371 | 15247 => {
            (Cause::Denied, "grant the login the permission that the message names")
        }
        208 | 2812 => (
            Cause::NotFound,
            "the object is not there: check the database, its name and the login's permissions",
        ),
        1205 => (Cause::Throttled, "it was chosen as a deadlock's victim and is tried again"),
        10928 | 10929 | 17809 | 701 | 8645 => {
            (Cause::Throttled, "the server is short of resources; it is tried again")
        }
        _ => (Cause::Unreadable, "see SQL Server's documentation of this error number"),
    };
    Told { cause, number: Some(number), why: visible(message.trim()).into_owned(), next: next.to_owned() }
}
