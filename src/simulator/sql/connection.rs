//! One connection: pre-login, TLS, login, then requests until it closes.

use std::io::{self, Cursor};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::environment::{Environment, version};
use super::errors::SqlError;
use super::execute::Execution;
use super::login::{Encryption, Login7, Prelogin, write_prelogin};
use super::packet::{DEFAULT_SIZE, Message, Messages, bad, kind};
use super::reader::{Malformed, Reader};
use super::rpc::{self, Call};
use super::session::{Session, Variables};
use super::tls::{Dialect, Wire};
use super::token::{Done, Response};
use super::types::{Value, from_utf16};
use crate::simulator::Simulator;
use crate::simulator::faults::{Effect, Target};

/// What a TLS record of a handshake begins with; a TDS packet never does.
const TLS_HANDSHAKE: u8 = 0x16;
const SMALLEST_PACKET: usize = 512;
const LARGEST_PACKET: usize = 32_767;

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// Serves a connection until it closes.
pub async fn serve<S>(simulator: &Simulator, server: &str, mut stream: S) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Ok(first) = stream.read_u8().await else { return Ok(()) };
    let (reading, writing) = tokio::io::split(stream);
    let wire = Wire::Plain(tokio::io::join(Cursor::new([first]).chain(reading), writing));
    let mut messages = Messages::new(wire);
    let strict = first == TLS_HANDSHAKE;
    if strict {
        messages = secure(simulator, server, messages, Dialect::Strict).await?;
    }
    let Some(prelogin) = messages.read().await? else { return Ok(()) };
    if prelogin.kind != kind::PRELOGIN {
        return Err(bad("the first message is no pre-login"));
    }
    let asked = Prelogin::read(&prelogin.body)?;
    let encryption = asked.encryption.answer();
    let [major, minor, high, low] = version(server_version(simulator, server)?);
    let answer = write_prelogin([major, minor, high, low, 0, 0], Prelogin { encryption, ..asked });
    messages.write(kind::TABULAR_RESULT, &answer).await?;
    if !strict && encryption != Encryption::NotSupported {
        messages = secure(simulator, server, messages, Dialect::InPrelogin).await?;
    }
    let Some(login) = messages.read().await? else { return Ok(()) };
    if login.kind != kind::LOGIN7 {
        return Err(bad("a login was expected"));
    }
    let login = Login7::read(&login.body)?;
    if !strict && encryption == Encryption::Off {
        messages = messages.replace(async |wire: Wire<_>| Ok(wire.plain())).await?;
    }
    let connection = Connection { simulator, server, messages };
    connection.log_in(&login, strict).await
}

async fn secure<S>(
    simulator: &Simulator,
    server: &str,
    messages: Messages<Wire<S>>,
    dialect: Dialect,
) -> io::Result<Messages<Wire<S>>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let acceptor = simulator.sql_runtime().tls()?.acceptor(server, dialect)?;
    messages.replace(async |wire: Wire<S>| wire.secure(&acceptor, dialect).await).await
}

fn server_version(simulator: &Simulator, server: &str) -> io::Result<u8> {
    let world = simulator.world();
    let found = world.sql.iter().find(|candidate| candidate.name == server);
    found.map(|server| server.version).ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, format!("the simulator has no SQL server '{server}'"))
    })
}

/// A connection past its pre-login.
struct Connection<'a, S> {
    simulator: &'a Simulator,
    server: &'a str,
    messages: Messages<Wire<S>>,
}

/// What a client wants done.
enum Request {
    Batch(String),
    Calls(Vec<Call>),
    Transaction(u16),
}

/// What the faults of the moment make of a request.
#[derive(Debug, Default)]
struct Trouble {
    latency: Duration,
    hidden_catalog: bool,
    login_refused: bool,
    access_denied: bool,
    /// The first of the effects that leave the client without an answer.
    silence: Option<Effect>,
}

impl Trouble {
    fn from(effects: Vec<Effect>) -> Self {
        let mut trouble = Self::default();
        for effect in effects {
            match effect {
                Effect::Latency(by) => trouble.latency += by,
                Effect::HiddenCatalog => trouble.hidden_catalog = true,
                Effect::LoginRefused => trouble.login_refused = true,
                Effect::AccessDenied => trouble.access_denied = true,
                Effect::Timeout
                | Effect::TimeoutAfter
                | Effect::ConnectionLoss
                | Effect::ConnectionLossAfter => {
                    trouble.silence.get_or_insert(effect);
                }
                // The AWS side's own.
                Effect::Throttle(_) | Effect::ServerError => {}
            }
        }
        trouble
    }
}

/// How waiting for a client ended.
enum Waited {
    /// The time is over.
    Over,
    /// The client took its request back.
    Attention,
    Closed,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<'_, S> {
    async fn log_in(mut self, login: &Login7, strict: bool) -> io::Result<()> {
        let trouble = self.trouble(None);
        match trouble.silence {
            Some(Effect::ConnectionLoss | Effect::ConnectionLossAfter) => return Ok(()),
            Some(_) => return self.wait(None).await.map(drop),
            None => {}
        }
        if !trouble.latency.is_zero() && !matches!(self.wait(Some(trouble.latency)).await?, Waited::Over) {
            return Ok(());
        }
        let size = match login.packet_size {
            0 => DEFAULT_SIZE,
            size => size.clamp(SMALLEST_PACKET, LARGEST_PACKET),
        };
        let admitted = match login.negotiated_version(strict) {
            None => Err(vec![
                SqlError::new(17_828, "The TDS version of the client is not supported; use 7.3 or later.")
                    .class(20),
            ]),
            Some(_) if trouble.login_refused => Err(vec![login_failed(&login.user)]),
            Some(tds) => self.admit(login).map(|session| (session, tds)),
        };
        let (mut session, tds) = match admitted {
            Ok(admitted) => admitted,
            Err(errors) => {
                let mut out = Response::new(self.server);
                for error in &errors {
                    out.error(error, "");
                }
                out.done_with_error(Done::Batch);
                return self.messages.write(kind::TABULAR_RESULT, &out.finish(Done::Batch)).await;
            }
        };
        let mut out = Response::new(self.server);
        out.database_changed(&session.database, "master");
        out.collation_changed();
        out.language_changed();
        out.packet_size_changed(size, DEFAULT_SIZE);
        out.login_ack(tds, version(server_version(self.simulator, self.server)?));
        if let Some(features) = &login.features {
            out.feature_ack(features);
        }
        self.messages.write(kind::TABULAR_RESULT, &out.finish(Done::Batch)).await?;
        self.messages.set_packet_size(size);
        let ended = self.requests(&mut session).await;
        self.change(|server| session.undo(server));
        ended
    }

    /// Checks the login; the session, in the database that was asked for.
    fn admit(&self, login: &Login7) -> Result<Session, Vec<SqlError>> {
        let refused = || login_failed(&login.user);
        let world = self.simulator.world();
        let server =
            world.sql.iter().find(|server| server.name == self.server).ok_or_else(|| vec![refused()])?;
        let known = server.logins.iter().find(|known| known.user.eq_ignore_ascii_case(&login.user));
        let known = known.filter(|known| !login.integrated && known.password == login.password);
        let known = known.ok_or_else(|| vec![refused()])?;
        let wanted = if login.database.is_empty() { "master" } else { &login.database };
        let id = self.simulator.sql_runtime().next_session();
        let session = Session::new(id, &known.user, &login.host, &login.application, wanted);
        let variables = Variables::default();
        let environment = Environment {
            server,
            session: &session,
            variables: &variables,
            now: self.simulator.clock().now(),
            hidden_catalog: false,
        };
        if let Ok(database) = environment.open(wanted) {
            return Ok(Session::new(id, &known.user, &login.host, &login.application, &database.name));
        }
        let message = format!("Cannot open database \"{wanted}\" requested by the login. The login failed.");
        Err(vec![SqlError::new(4060, message).class(11), refused()])
    }

    async fn requests(&mut self, session: &mut Session) -> io::Result<()> {
        while let Some(message) = self.messages.read().await? {
            let reset = message.reset;
            let Some(request) = read_request(&message)? else {
                self.messages.write(kind::TABULAR_RESULT, &Response::attention()).await?;
                continue;
            };
            if reset {
                self.change(|server| session.reset(server));
            }
            let said = said(&request, session);
            let trouble = self.trouble(Some(&said));
            if !trouble.latency.is_zero() {
                match self.wait(Some(trouble.latency)).await? {
                    Waited::Over => {}
                    Waited::Attention => {
                        self.messages.write(kind::TABULAR_RESULT, &Response::attention()).await?;
                        continue;
                    }
                    Waited::Closed => return Ok(()),
                }
            }
            let carried_out = !matches!(trouble.silence, Some(Effect::Timeout | Effect::ConnectionLoss));
            let answer = if carried_out {
                if trouble.access_denied {
                    self.denied(&request, &said)
                } else {
                    self.carry_out(request, session, trouble.hidden_catalog, reset)
                }
            } else {
                Vec::new()
            };
            match trouble.silence {
                None => self.messages.write(kind::TABULAR_RESULT, &answer).await?,
                Some(Effect::ConnectionLoss | Effect::ConnectionLossAfter) => return Ok(()),
                Some(_) => match self.wait(None).await? {
                    Waited::Attention => {
                        self.messages.write(kind::TABULAR_RESULT, &Response::attention()).await?;
                    }
                    Waited::Over | Waited::Closed => return Ok(()),
                },
            }
        }
        Ok(())
    }

    /// Lets time pass, or all time there is, unless the client takes its request back or leaves.
    async fn wait(&mut self, time: Option<Duration>) -> io::Result<Waited> {
        let over = async {
            match time {
                Some(time) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = over => Ok(Waited::Over),
            message = self.messages.read() => match message? {
                Some(Message { kind: kind::ATTENTION, .. }) => Ok(Waited::Attention),
                Some(_) => Err(bad("a request came while another was being run")),
                None => Ok(Waited::Closed),
            },
        }
    }

    /// The faults that hit a statement, or the login where there is none.
    fn trouble(&self, statement: Option<&str>) -> Trouble {
        let statement = statement.map(str::to_lowercase);
        let effects = self.simulator.faults().take_where(|fault| {
            let hits = match (&fault.on, &statement) {
                (Target::Sql(server), _) => server.as_deref().is_none_or(|server| server == self.server),
                (Target::Statement(words), Some(statement)) => statement.contains(&words.to_lowercase()),
                _ => false,
            };
            // What only ever happens to a login does not count against statements, nor the other way round.
            let of_login = fault.effect == Effect::LoginRefused;
            let of_statement = matches!(fault.effect, Effect::AccessDenied | Effect::HiddenCatalog);
            hits && if statement.is_some() { !of_login } else { !of_statement }
        });
        Trouble::from(effects)
    }

    fn carry_out(&self, request: Request, session: &mut Session, hidden: bool, reset: bool) -> Vec<u8> {
        let now = self.simulator.clock().now();
        let ran = self.change(|server| {
            let mut execution = Execution::new(server, session, now, hidden);
            if reset {
                execution.out.session_reset();
            }
            match request {
                Request::Batch(sql) => execution.batch(&sql),
                Request::Calls(calls) => execution.calls(&calls),
                Request::Transaction(kind) => execution.transaction(kind),
            }
        });
        ran.unwrap_or_default()
    }

    /// The answer to a request that is not allowed.
    fn denied(&self, request: &Request, said: &str) -> Vec<u8> {
        let done = match request {
            Request::Calls(_) => Done::Procedure,
            Request::Batch(_) | Request::Transaction(_) => Done::Batch,
        };
        let mut out = Response::new(self.server);
        out.error(&permission_denied(said), "");
        out.done_with_error(done);
        out.finish(done)
    }

    /// Does something with this connection's server, if it still exists.
    fn change<T>(&self, run: impl FnOnce(&mut super::state::SqlServer) -> T) -> Option<T> {
        let mut world = self.simulator.world();
        world.sql.iter_mut().find(|server| server.name == self.server).map(run)
    }
}

/// Reads a request; `None` for an attention that found nothing to stop.
fn read_request(message: &Message) -> io::Result<Option<Request>> {
    let mut reader = Reader::new(&message.body);
    Ok(Some(match message.kind {
        kind::ATTENTION => return Ok(None),
        kind::SQL_BATCH => {
            reader.skip_all_headers()?;
            Request::Batch(from_utf16(reader.rest()))
        }
        kind::RPC => Request::Calls(rpc::read(&message.body)?),
        kind::TRANSACTION_MANAGER => {
            reader.skip_all_headers()?;
            Request::Transaction(reader.u16()?)
        }
        _ => return Err(bad("a message of an unknown kind")),
    }))
}

/// A request's words, for faults that look for some.
fn said(request: &Request, session: &Session) -> String {
    match request {
        Request::Batch(sql) => sql.clone(),
        Request::Transaction(_) => String::new(),
        Request::Calls(calls) => {
            let mut words = Vec::new();
            for call in calls {
                words.push(call.procedure.clone());
                for parameter in &call.parameters {
                    words.extend(match &parameter.value {
                        Value::Text(text) => Some(text.clone()),
                        Value::Int(handle) if call.procedure == "sp_execute" => {
                            let prepared =
                                i32::try_from(*handle).ok().and_then(|it| session.prepared.get(&it));
                            prepared.map(|prepared| prepared.sql.clone())
                        }
                        _ => None,
                    });
                }
            }
            words.join(" ")
        }
    }
}

fn login_failed(user: &str) -> SqlError {
    SqlError::new(18_456, format!("Login failed for user '{user}'.")).class(14)
}

/// Error 229, for the first object that the request names and we know.
fn permission_denied(said: &str) -> SqlError {
    let said = said.to_lowercase();
    let (action, object, database, schema) = if said.contains("logemergencykeyrevocation") {
        ("EXECUTE", "LogEmergencyKeyRevocation", "current", "dbo")
    } else {
        let views =
            ["column_master_keys", "column_encryption_key_values", "column_encryption_keys", "databases"];
        let view = views.into_iter().find(|view| said.contains(view)).unwrap_or("objects");
        ("SELECT", view, "mssqlsystemresource", "sys")
    };
    let message = format!(
        "The {action} permission was denied on the object '{object}', database '{database}', schema '{schema}'."
    );
    SqlError::new(229, message).class(14).state(5)
}
