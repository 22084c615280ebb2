//! How a stream to a SQL server is had: over TCP, or handed in by a server in this process.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tiberius::{Config, SqlBrowser as _};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpStream;

/// How long a TCP connection may take to stand, over all the addresses that the host name has.
const TCP_CONNECT: Duration = Duration::from_secs(5);

/// Where the SQL Browser listens.
const SQL_BROWSER_PORT: u16 = 1434;

/// Where streams to SQL servers come from.
#[derive(Clone, Debug, Default)]
pub enum Dialer {
    #[default]
    Tcp,
    InProcess(Arc<dyn InProcessSql>),
}

/// A SQL server in this process, such as a simulated one.
#[async_trait]
pub trait InProcessSql: Send + Sync + std::fmt::Debug {
    /// Opens a stream as TCP would to `host:port`.
    ///
    /// # Errors
    /// What the operating system would answer: refused, unreachable, timed out.
    async fn dial(&self, host: &str, port: u16) -> io::Result<DuplexStream>;

    /// The authority (PEM) that vouches for the server, where it brings one of its own.
    ///
    /// # Errors
    /// When it could not be made.
    async fn authority(&self) -> io::Result<Option<String>> {
        Ok(None)
    }
}

/// A stream in both directions, whatever carries it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

impl Dialer {
    /// Opens a stream to `host:port`, within 5 seconds.
    pub(super) async fn dial(&self, host: &str, port: u16) -> io::Result<Box<dyn Stream>> {
        in_time(async {
            match self {
                Self::Tcp => {
                    let stream = TcpStream::connect((host, port)).await?;
                    stream.set_nodelay(true)?;
                    Ok(Box::new(stream) as Box<dyn Stream>)
                }
                Self::InProcess(server) => Ok(Box::new(server.dial(host, port).await?) as Box<dyn Stream>),
            }
        })
        .await
    }

    /// The authority that a server in this process brings.
    pub(super) async fn authority(&self) -> io::Result<Option<String>> {
        match self {
            Self::Tcp => Ok(None),
            Self::InProcess(server) => server.authority().await,
        }
    }

    /// Opens a stream to the named instance in `config`, whose port the SQL Browser of `host` tells (UDP
    /// 1434), within 5 seconds. A server in this process has no instances but its own.
    pub(super) async fn dial_instance(&self, host: &str, config: &Config) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Tcp => {
                in_time(async {
                    let stream = TcpStream::connect_named(config).await.map_err(io::Error::other)?;
                    Ok(Box::new(stream) as Box<dyn Stream>)
                })
                .await
            }
            Self::InProcess(_) => self.dial(host, SQL_BROWSER_PORT).await,
        }
    }
}

async fn in_time(dialling: impl Future<Output = io::Result<Box<dyn Stream>>>) -> io::Result<Box<dyn Stream>> {
    let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection within 5 s");
    tokio::time::timeout(TCP_CONNECT, dialling).await.map_err(late)?
}
