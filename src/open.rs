//! Opens the environment that the words name: the simulated one on its stage, any other over the internet.

use std::io::{self, IsTerminal as _};
use std::sync::Arc;

use jiff::Timestamp;

use portcullis::clock::Clock;
use portcullis::cloud::{Credentials, HttpWire};
use portcullis::command::CommandError;
use portcullis::command::keys::Asked;
use portcullis::console::PretendDevice;
use portcullis::database::{self, Dialer};
use portcullis::drill::Stage;
use portcullis::estate::{Acting, Estate, Wire};
use portcullis::gate::Gate;
use portcullis::journal::Journal;
use portcullis::model::IncidentId;
use portcullis::settings::secrecy_text::SecretText;
use portcullis::settings::{self, Environment, Mfa, SIMULATED, Settings, SqlServerSettings};
use portcullis::simulator::trouble::Trouble;

use crate::person::AtTerminal;

/// Stops the gate for good at a boundary, so that a test can kill the process there. Simulated accounts only.
const HALT_AT: &str = "PORTCULLIS_HALT_AT";

/// An open environment, and what it stands on.
pub struct Open {
    pub estate: Arc<Estate>,
    stage: Option<Stage>,
}

impl Open {
    /// Lets parts of a simulated account fail to answer from now on; of any other nothing is touched.
    pub fn trouble(&self, troubles: &[Trouble]) -> Result<(), CommandError> {
        let Some(stage) = &self.stage else { return Ok(()) };
        stage.simulator.trouble(troubles).map_err(|no| CommandError::usage(format!("--fault: {no}")))
    }

    /// The simulated MFA device, where there is a drill's.
    pub fn device(&self) -> Option<PretendDevice> {
        self.stage.as_ref().map(Stage::device)
    }
}

/// What an environment is opened for.
pub enum Purpose {
    /// To read alone: in the role for audits, where settings name one.
    Read,
    /// To change keys, in a role for each change.
    Act {
        /// The operator's MFA device, where the words name one.
        mfa_serial: Option<String>,
    },
}

/// The environment that the settings come to.
pub fn environment_name(settings: &Settings) -> Result<&str, CommandError> {
    let names = || settings.environments.keys().map(String::as_str).collect::<Vec<_>>();
    match (&settings.default_environment, names().as_slice()) {
        (Some(name), _) => Ok(name),
        (None, [only]) => Ok(only),
        (None, []) => Err(CommandError::usage(format!(
            "no environment is set up: `portcullis init` writes a settings file; `-e {SIMULATED}` and `portcullis drill` need none"
        ))),
        (None, several) => Err(CommandError::usage(format!(
            "several environments could be meant, name one with -e: {}",
            several.join(", ")
        ))),
    }
}

/// The environments that the words name, each once; without words, the one that the settings come to.
pub fn environment_names(words: &[String], settings: &Settings) -> Result<Vec<String>, CommandError> {
    let mut names: Vec<String> = Vec::new();
    for name in words {
        known(settings, name)?;
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    if names.is_empty() {
        names.push(environment_name(settings)?.to_owned());
    }
    Ok(names)
}

/// The environment of a command that takes exactly one.
pub fn one_environment<'a>(words: &[String], settings: &'a Settings) -> Result<&'a str, CommandError> {
    if words.len() > 1 {
        return Err(CommandError::usage(format!(
            "this takes exactly one environment, and -e names several: {}; `watch`, `keys` and `events` show several side by side",
            words.join(", ")
        )));
    }
    environment_name(settings)
}

/// An environment that was to be opened.
pub struct Opened {
    pub name: String,
    /// Why not, where it could not be.
    pub open: Result<Open, CommandError>,
}

impl Opened {
    /// For a command that asks several.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            environment: self.name.clone(),
            estate: self.open.as_ref().map(|open| &open.estate).map_err(|error| error.say.as_str()),
        }
    }
}

/// Opens each to read, by itself: one that cannot be opened is said, and the others are of use. Fails where none can be.
pub async fn open_each(
    settings: &Settings,
    names: Vec<String>,
    seed: u64,
) -> Result<Vec<Opened>, CommandError> {
    let each = names.into_iter().map(|name| async move {
        let open = open(settings, &name, seed, &Purpose::Read).await;
        Opened { name, open }
    });
    let mut opened = futures_util::future::join_all(each).await;
    if opened.iter().any(|one| one.open.is_ok()) {
        return Ok(opened);
    }
    let told: Vec<String> =
        opened.iter().filter_map(|one| Some(one.open.as_ref().err()?.say.clone())).collect();
    match opened.pop().map(|last| last.open) {
        Some(Err(error)) => Err(CommandError { say: told.join("\n"), ..error }),
        _ => Err(CommandError::usage("no environment was named")),
    }
}

/// Refuses a name that no environment has.
fn known(settings: &Settings, name: &str) -> Result<(), CommandError> {
    if name == SIMULATED || settings.environments.contains_key(name) {
        return Ok(());
    }
    let known = settings.environments.keys().cloned().chain([SIMULATED.to_owned()]).collect::<Vec<_>>();
    Err(CommandError::usage(format!(
        "there is no environment `{name}` in the settings; there are: {}",
        known.join(", ")
    )))
}

/// Opens an environment by name.
pub async fn open(
    settings: &Settings,
    name: &str,
    seed: u64,
    purpose: &Purpose,
) -> Result<Open, CommandError> {
    known(settings, name)?;
    match settings.environments.get(name) {
        Some(environment) => Box::pin(over_the_internet(environment.clone(), purpose)).await,
        None => Box::pin(on_stage(seed, purpose)).await,
    }
}

/// Opens the simulated account as it is now.
async fn on_stage(seed: u64, purpose: &Purpose) -> Result<Open, CommandError> {
    let stage =
        Stage::set(seed, Timestamp::now()).map_err(|error| CommandError::failed(error.to_string()))?;
    let wire = stage.wire.clone();
    let estate = open_for(purpose, stage.environment.clone(), wire, stage.clock.clone()).await?;
    Ok(Open { estate, stage: Some(stage) })
}

async fn over_the_internet(mut environment: Environment, purpose: &Purpose) -> Result<Open, CommandError> {
    database::resolve_prompts(&mut environment, ask_password)
        .map_err(|error| CommandError::usage(format!("a password could not be asked for: {error}")))?;
    if let Purpose::Act { mfa_serial } = purpose {
        settle_device(&mut environment, mfa_serial.as_deref())?;
    }
    if io::stderr().is_terminal() {
        eprintln!("opening {} ({}) …", environment.name, environment.regions.join(" "));
    }
    let wire = Wire { http: HttpWire::Internet(Credentials::Chain), sql: Dialer::Tcp, sql_ca: None };
    let estate = open_for(purpose, environment, wire, Clock::system()).await?;
    Ok(Open { estate, stage: None })
}

async fn open_for(
    purpose: &Purpose,
    environment: Environment,
    wire: Wire,
    clock: Clock,
) -> Result<Arc<Estate>, CommandError> {
    let opened = match purpose {
        Purpose::Read => Estate::open_to_read(environment, wire, clock).await,
        Purpose::Act { .. } => Estate::open(environment, wire, clock).await,
    };
    opened.map_err(|error| CommandError::failed(error.to_string()))
}

/// Finds out whose MFA device it will be, before anything is on the screen.
fn settle_device(environment: &mut Environment, named: Option<&str>) -> Result<(), CommandError> {
    let roles = &mut environment.roles;
    if let Some(serial) = named {
        roles.mfa = Mfa::Device(serial.to_owned());
    }
    if roles.mfa == Mfa::Ask && roles.change_asks_for_mfa() {
        let question = format!("MFA device for {} (its ARN or serial number): ", environment.name);
        let serial = AtTerminal::ask(&question).ok_or_else(|| {
            CommandError::usage(
                "the roles ask for MFA and no device is known: name yours with --mfa-serial or PORTCULLIS_MFA_SERIAL, or set `mfa` in the settings",
            )
        })?;
        settings::check_serial(&serial).map_err(CommandError::usage)?;
        roles.mfa = Mfa::Device(serial);
    }
    Ok(())
}

fn ask_password(server: &SqlServerSettings) -> io::Result<SecretText> {
    if !io::stdin().is_terminal() {
        return Err(io::Error::other(format!(
            "there is no terminal to ask at; name a variable with password_env for {}",
            server.name
        )));
    }
    rpassword::prompt_password(format!("Password of {} on {}: ", server.user, server.name))
        .map(SecretText::new)
}

/// Enters an estate to act in it, with its journal and its gate open.
pub fn act(open: &Open, settings: &Settings, incident: &IncidentId) -> Result<(Acting, Gate), CommandError> {
    let acting = Acting::enter(Arc::clone(&open.estate), incident.clone());
    let environment = &open.estate.environment;
    let journal = Journal::open(&settings.state_dir, &environment.name, incident, open.estate.clock.clone())?;
    let gate = Gate::open(&acting, journal);
    Ok((acting, halting(gate, environment)?))
}

/// The gate, halting where a test wants it to be killed; any but a simulated account pays no heed.
fn halting(gate: Gate, environment: &Environment) -> Result<Gate, CommandError> {
    let Ok(word) = std::env::var(HALT_AT) else { return Ok(gate) };
    let on_loopback = environment.endpoint.as_deref().is_some_and(|url| url.starts_with("http://127.0.0.1:"));
    if !environment.simulated && !on_loopback {
        return Ok(gate);
    }
    let halt_at: portcullis::gate::Boundary =
        word.parse().map_err(|error| CommandError::usage(format!("{HALT_AT}: {error}")))?;
    Ok(gate.observed_by(Arc::new(move |boundary| {
        if boundary == halt_at {
            eprintln!("halted {}", boundary.word());
            loop {
                std::thread::park();
            }
        }
    })))
}
