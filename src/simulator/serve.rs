//! The simulator on loopback ports, for clients that are not in this process: one port for every AWS service,
//! one for each SQL server.
//!
//! Loopback only: its credentials are in a file and its wishes are pretend, so nobody else should reach it.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Simulator;
use super::aws::SourceIp;
use super::aws::front::NoAnswer;
use super::aws::sts::{MfaDevice, totp};
use super::seed::{self, Credentials};
use super::traffic::Traffic;

/// No request of the services we have is longer (SNS' longest message, percent-encoded, fits).
const LONGEST_REQUEST: usize = 1 << 20;
/// How long a stop waits for answers under way.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where to listen, and as whom the environment lines log in.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// All AWS services. Port 0 takes a free one.
    pub http: SocketAddr,
    /// Each SQL server by the name it has in the world. Port 0 takes a free one.
    pub sql: Vec<(String, SocketAddr)>,
    /// The IAM user whose access key the environment lines name.
    pub user: String,
    /// The seed of the account's own traffic; `None` keeps it silent.
    pub traffic: Option<u64>,
}

impl ServeOptions {
    /// Free ports on 127.0.0.1 for everything in the world, with `platform`'s access key and no traffic.
    #[must_use]
    pub fn free_ports(sim: &Simulator) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            http: any,
            sql: sim.world().sql.iter().map(|server| (server.name.clone(), any)).collect(),
            user: "platform".to_owned(),
            traffic: None,
        }
    }
}

/// Why the simulator could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(
        "{0} is not a loopback address: anybody on the network could reach the simulator there; \
         use 127.0.0.1 or [::1]"
    )]
    NotLoopback(SocketAddr),
    #[error("cannot listen on {address}: {source}; choose another port, or 0 for a free one")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("cannot make the SQL servers' certificate authority: {0}; the crypto library refused, try again")]
    Certificates(io::Error),
    #[error(
        "there is no IAM user {0:?} in the simulated account; use platform, oncall-a, oncall-b or auditor"
    )]
    NoSuchUser(String),
    #[error("there is no SQL server {0:?} in the simulated world; name one that it has")]
    NoSuchSqlServer(String),
}

/// The simulator, listening. Dropping it stops it at once; [`Served::stop`] stops it in good order.
#[derive(Debug)]
pub struct Served {
    http: SocketAddr,
    sql: Vec<(String, SocketAddr)>,
    credentials: Credentials,
    people: Vec<Person>,
    ca_pem: String,
    stop: CancellationToken,
    listeners: JoinSet<()>,
}

/// Somebody whose access key and MFA device the environment lines hand out, so that other clients can assume
/// roles in their name.
#[derive(Debug)]
struct Person {
    name: &'static str,
    credentials: Credentials,
    device: Option<MfaDevice>,
}

/// Listens. When this returns, every port is open.
///
/// # Errors
///
/// A port that is not loopback or not free; a user or SQL server that the world does not have.
pub async fn serve(sim: Simulator, options: ServeOptions) -> Result<Served, ServeError> {
    let addresses = options.sql.iter().map(|(_, address)| *address);
    if let Some(outside) = addresses.chain([options.http]).find(|address| !address.ip().is_loopback()) {
        return Err(ServeError::NotLoopback(outside));
    }
    let credentials = known(&sim, &options)?;
    let ca_pem = sim.sql_ca_pem().map_err(ServeError::Certificates)?.to_owned();
    let http = listen(options.http).await?;
    let mut sql = Vec::new();
    for (name, address) in &options.sql {
        sql.push((name.clone(), listen(*address).await?));
    }
    let stopped = CancellationToken::new();
    let mut served = Served {
        http: http.1,
        sql: sql.iter().map(|(name, (_, address))| (name.clone(), *address)).collect(),
        credentials,
        people: people(&sim),
        ca_pem,
        stop: stopped.clone(),
        listeners: JoinSet::new(),
    };
    let shared = sim.clone();
    served.listeners.spawn(accept(http.0, stopped.clone(), move |stream, peer, stopped| {
        let sim = shared.clone();
        async move { http_connection(sim, stream, peer, stopped).await }
    }));
    for (name, (listener, _)) in sql {
        let shared = sim.clone();
        served.listeners.spawn(accept(listener, stopped.clone(), move |stream, _, stopped| {
            let (sim, name) = (shared.clone(), name.clone());
            async move { sql_connection(&sim, &name, stream, stopped).await }
        }));
    }
    if let Some(seed) = options.traffic {
        let life = Traffic::new(&sim, seed).run(sim, Duration::from_secs(1));
        served.listeners.spawn(until_stopped(life, stopped));
    }
    Ok(served)
}

impl Served {
    /// Where the AWS services are.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where each SQL server is.
    #[must_use]
    pub fn sql(&self) -> &[(String, SocketAddr)] {
        &self.sql
    }

    /// The certificate that SQL clients are to trust, in PEM.
    #[must_use]
    pub fn sql_ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// Takes no more connections, lets answers under way be given (for two seconds at most), and ends.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let finished = async { while self.listeners.join_next().await.is_some() {} };
        // Whoever has not finished by then is cut off when the set is dropped.
        let _ = tokio::time::timeout(PATIENCE, finished).await;
    }
}

/// The `export …` lines that point the AWS CLI, boto3 and portcullis at the simulator: as `options.user`, with
/// the access keys and MFA devices (serial and base32 seed) of the others beside.
///
/// `ca_file` is where the SQL servers' certificate authority is kept, if anywhere; `more` are further
/// variables that the caller adds.
#[must_use]
pub fn env_lines(served: &Served, ca_file: Option<&Path>, more: &[(&str, String)]) -> String {
    let mut lines = String::from(
        "# Points AWS clients and portcullis at a simulated account. Nothing real is behind it.\n",
    );
    lines.push_str("unset AWS_PROFILE AWS_SESSION_TOKEN\n");
    let mut export = |name: &str, value: &str| {
        // Writing to a string cannot fail.
        let _ = writeln!(lines, "export {name}={}", quoted(value));
    };
    export("AWS_ENDPOINT_URL", &format!("http://{}", served.http));
    export("AWS_ACCESS_KEY_ID", &served.credentials.access_key_id);
    export("AWS_SECRET_ACCESS_KEY", &served.credentials.secret_access_key);
    export("AWS_REGION", seed::HOME);
    export("AWS_DEFAULT_REGION", seed::HOME);
    export("AWS_EC2_METADATA_DISABLED", "true");
    if let Some((name, address)) = served.sql.first() {
        export("PORTCULLIS_SIM_SQL_SERVER", name);
        export("PORTCULLIS_SIM_SQL_HOST", &address.ip().to_string());
        export("PORTCULLIS_SIM_SQL_PORT", &address.port().to_string());
        export("PORTCULLIS_SIM_SQL_USER", seed::SQL_READER);
        export("PORTCULLIS_SIM_SQL_PASSWORD", seed::SQL_PASSWORD);
        export("PORTCULLIS_SIM_SQL_BLIND_USER", seed::SQL_BLIND);
    }
    let all: Vec<String> = served.sql.iter().map(|(name, address)| format!("{name}={address}")).collect();
    export("PORTCULLIS_SIM_SQL_SERVERS", &all.join(","));
    if let Some(file) = ca_file {
        export("PORTCULLIS_SIM_SQL_CA_FILE", &file.to_string_lossy());
    }
    for Person { name, credentials, device } in &served.people {
        let prefix = format!("PORTCULLIS_SIM_{}", name.to_uppercase().replace('-', "_"));
        export(&format!("{prefix}_ACCESS_KEY_ID"), &credentials.access_key_id);
        export(&format!("{prefix}_SECRET_ACCESS_KEY"), &credentials.secret_access_key);
        if let Some(MfaDevice { serial, seed }) = device {
            export(&format!("{prefix}_MFA_SERIAL"), serial);
            export(&format!("{prefix}_MFA_SEED"), &totp::base32(seed));
        }
    }
    for (name, value) in more {
        export(name, value);
    }
    lines
}

/// Writes the environment lines to `file`, and the SQL servers' authority to `file.ca.pem` beside it: whole
/// files that appear at once, readable by their owner alone.
///
/// # Errors
///
/// Whatever the file system says.
pub async fn write_env_file(served: &Served, file: &Path, more: &[(&str, String)]) -> io::Result<()> {
    let file = std::path::absolute(file)?;
    let ca_file = with_suffix(&file, ".ca.pem");
    write_whole(&ca_file, &served.ca_pem).await?;
    write_whole(&file, &env_lines(served, Some(&ca_file), more)).await
}

async fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let draft = with_suffix(file, &format!(".{}.tmp", std::process::id()));
    // Left over by a process of the same number that died: `create_new` below must make the mode ours.
    match tokio::fs::remove_file(&draft).await {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    let mut open = options.open(&draft).await?;
    open.write_all(text.as_bytes()).await?;
    open.sync_all().await?;
    tokio::fs::rename(&draft, file).await
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// For a POSIX shell: in single quotes, unless every character is harmless bare.
fn quoted(value: &str) -> String {
    let harmless = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=,@".contains(letter);
    if !value.is_empty() && value.chars().all(harmless) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn people(sim: &Simulator) -> Vec<Person> {
    let world = sim.world();
    let person = |name| {
        let credentials = seed::credentials(&world, name)?;
        Some(Person { name, credentials, device: seed::mfa_device(&world, name) })
    };
    ["platform", "oncall-a", "oncall-b", "auditor"].into_iter().filter_map(person).collect()
}

fn known(sim: &Simulator, options: &ServeOptions) -> Result<Credentials, ServeError> {
    let world = sim.world();
    let missing = options.sql.iter().find(|(name, _)| world.sql.iter().all(|server| server.name != *name));
    if let Some((name, _)) = missing {
        return Err(ServeError::NoSuchSqlServer(name.clone()));
    }
    seed::credentials(&world, &options.user).ok_or_else(|| ServeError::NoSuchUser(options.user.clone()))
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Takes connections until told to stop, then waits for those that are open.
async fn accept<F>(
    listener: TcpListener,
    stopped: CancellationToken,
    connection: impl Fn(TcpStream, SocketAddr, CancellationToken) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            () = stopped.cancelled() => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    // Small answers are the rule; if it cannot be set they are merely slower.
                    let _ = stream.set_nodelay(true);
                    open.spawn(connection(stream, peer, stopped.clone()));
                }
                // Out of file descriptors, for one: try again when some connection may have ended.
                Err(error) => {
                    tracing::warn!(%error, "the simulator could not take a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn http_connection(sim: Simulator, stream: TcpStream, peer: SocketAddr, stopped: CancellationToken) {
    let stopping = stopped.clone();
    let service = service_fn(move |request| {
        let (sim, stopped) = (sim.clone(), stopped.clone());
        async move { answer(&sim, request, peer, stopped).await }
    });
    let connection =
        http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection to the simulator broke");
    }
}

/// The front's answer; an error breaks the connection, as a fault switch asked for.
async fn answer(
    sim: &Simulator,
    request: Request<Incoming>,
    peer: SocketAddr,
    stopped: CancellationToken,
) -> Result<Response<Full<Bytes>>, NoAnswer> {
    let (mut head, body) = request.into_parts();
    head.extensions.insert(SourceIp(peer.ip().to_string()));
    let body = match Limited::new(body, LONGEST_REQUEST).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Ok(too_long()),
        Err(_) => return Err(NoAnswer::ConnectionLost),
    };
    match sim.http(Request::from_parts(head, body)).await {
        Ok(response) => Ok(response.map(Full::new)),
        Err(NoAnswer::ConnectionLost) => Err(NoAnswer::ConnectionLost),
        // Silence until the client has had enough, or we stop.
        Err(NoAnswer::Timeout) => {
            let () = stopped.cancelled().await;
            Err(NoAnswer::Timeout)
        }
    }
}

fn too_long() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(b"The request is too long.")));
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response
}

async fn sql_connection(sim: &Simulator, name: &str, stream: TcpStream, stopped: CancellationToken) {
    let logged = async {
        if let Err(error) = sim.sql(name, stream).await {
            tracing::debug!(%error, "a connection to the simulated SQL Server broke");
        }
    };
    // TDS has no farewell: a stop breaks the connection, as a server's shutdown does.
    until_stopped(logged, stopped).await;
}

async fn until_stopped(work: impl Future<Output = ()>, stopped: CancellationToken) {
    tokio::select! {
        () = work => {}
        () = stopped.cancelled() => {}
    }
}

#[cfg(test)]
mod tests;
