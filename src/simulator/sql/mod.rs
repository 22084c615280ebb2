//! The simulated SQL Server: TDS 7.4 with TLS, the catalog views, the audit procedure.
//!
//! From the wire inwards: [`packet`] and [`tls`] carry messages, [`login`] and [`rpc`] read them, [`connection`]
//! walks one connection through its life, [`execute`] runs what it asks and [`token`] writes the answer. The SQL itself
//! goes from text ([`lex`], [`parse`]) to a syntax tree ([`syntax`]), is bound to names and types ([`bind`]) and evaluated
//! ([`eval`], [`query`]) over the views of [`catalog`].

mod bind;
mod catalog;
mod connection;
mod define;
mod environment;
mod errors;
mod eval;
mod execute;
mod functions;
mod lex;
mod login;
mod packet;
mod parse;
mod procedures;
mod query;
mod reader;
mod rpc;
mod session;
pub mod state;
mod syntax;
mod tls;
mod token;
mod typeinfo;
mod types;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Simulator;

pub use tls::Tls;

/// What the SQL servers of one simulator share beside the world: their certificate authority, session numbers.
#[derive(Debug, Default)]
pub struct Sql {
    tls: OnceLock<Tls>,
    sessions: AtomicI32,
}

impl Sql {
    /// The certificate authority, made when it is first asked for.
    ///
    /// # Errors
    /// As [`Tls::generate`].
    pub fn tls(&self) -> io::Result<&Tls> {
        if let Some(tls) = self.tls.get() {
            return Ok(tls);
        }
        let tls = Tls::generate()?;
        Ok(self.tls.get_or_init(|| tls))
    }

    /// Sessions below 51 are the server's own.
    fn next_session(&self) -> i32 {
        51 + self.sessions.fetch_add(1, Ordering::Relaxed) % 32_000
    }
}

impl Simulator {
    /// Serves one connection to the SQL server of this name, until either side closes it.
    ///
    /// # Errors
    /// When the stream fails or does not speak TDS, or there is no such server.
    pub async fn sql<S>(&self, server: &str, stream: S) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        connection::serve(self, server, stream).await
    }

    /// The certificate of the authority that vouches for the SQL servers, in PEM.
    ///
    /// # Errors
    /// As [`Tls::generate`].
    pub fn sql_ca_pem(&self) -> io::Result<&str> {
        self.sql_runtime().tls().map(Tls::ca_pem)
    }
}
