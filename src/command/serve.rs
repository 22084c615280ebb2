//! `simulator serve`: the simulated account on loopback ports, for programs that are not this one.

use std::fmt::Write as _;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::CommandError;
use crate::model::duty::Duty;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::seed::Size;
use crate::simulator::serve::{ServeOptions, Served, serve, write_env_file};
use crate::simulator::trouble::{NoTrouble, Trouble};
use crate::simulator::world::World;
use crate::simulator::{Simulator, seed};

/// How to serve.
#[derive(Clone, Debug)]
pub struct Serving {
    pub seed: u64,
    pub bind: Ipv4Addr,
    /// 0 takes a free one.
    pub port: u16,
    /// The first SQL server's; the next ones follow it. 0 takes free ones.
    pub sql_port: u16,
    pub env_file: Option<PathBuf>,
    pub quotas: bool,
    /// CloudTrail's delivery delay in seconds, at least and at most; None leaves it as AWS has it.
    pub trail_delay: Option<(i64, i64)>,
    /// A big company's account of this size; None for Buzz Tutor's.
    pub company: Option<Size>,
    /// How long every AWS answer takes at least.
    pub latency: Option<Duration>,
    /// The share of AWS requests, 0 to 1, that is throttled whatever the quotas say.
    pub throttle: Option<f64>,
    /// What cannot be read.
    pub troubles: Vec<Trouble>,
}

impl Serving {
    /// The company's size, where either number is given. Two pairs to a key is usual.
    #[must_use]
    pub fn company(keys: Option<u32>, pairs: Option<u32>) -> Option<Size> {
        match (keys, pairs) {
            (None, None) => None,
            (Some(keys), None) => Some(Size { keys, pairs: keys.saturating_mul(2) }),
            (None, Some(pairs)) => Some(Size { keys: pairs.div_ceil(2).max(1), pairs }),
            (Some(keys), Some(pairs)) => Some(Size { keys, pairs }),
        }
    }

    fn account(&self, now: Timestamp) -> World {
        if let Some(size) = self.company {
            return seed::company(self.seed, now, size);
        }
        let mut world = seed::buzz_tutor(self.seed, now);
        seed::event_queue(&mut world, now);
        world
    }

    fn add_trouble(&self, simulator: &Simulator) -> Result<(), NoTrouble> {
        let faults = simulator.faults();
        let everywhere = |effect| Fault { on: Target::Aws, effect, times: None };
        faults.add_all(self.latency.map(Effect::Latency).map(everywhere));
        faults.add_all(self.throttle.map(Effect::Throttle).map(everywhere));
        simulator.trouble(&self.troubles)
    }
}

/// Serves until `interrupted` is ready. Its clock is the machine's: other clients sign with that.
///
/// # Errors
/// When a port cannot be had or is not on loopback, or the environment file cannot be written.
pub async fn run(
    serving: &Serving,
    interrupted: impl Future<Output = ()>,
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let now = Timestamp::now();
    let simulator = Simulator::new(serving.account(now), VirtualClock::running(now, 1.0));
    simulator.set_quotas(serving.quotas);
    simulator.stop_recording();
    serving.add_trouble(&simulator).map_err(|no| CommandError::usage(format!("--fault: {no}")))?;
    if let Some((least, most)) = serving.trail_delay {
        let seconds = jiff::SignedDuration::from_secs;
        simulator.world().trail.set_delay(seconds(least), seconds(most));
    }
    let options = options(&simulator, serving)?;
    let served = serve(simulator, options).await.map_err(|error| CommandError::usage(error.to_string()))?;
    if let Some(file) = &serving.env_file {
        point_portcullis(&served, file, serving.company.is_none()).await?;
    }
    writeln!(out, "ready: AWS on http://{}", served.http())?;
    for (name, address) in served.sql() {
        writeln!(out, "       SQL Server {name} on {address}")?;
    }
    if let Some(file) = &serving.env_file {
        writeln!(out, "       source {} to point clients at it; ctrl-c ends it", file.display())?;
    }
    out.flush()?;
    interrupted.await;
    served.stop().await;
    writeln!(out, "stopped")?;
    Ok(())
}

fn options(simulator: &Simulator, serving: &Serving) -> Result<ServeOptions, CommandError> {
    let mut options = ServeOptions::free_ports(simulator);
    options.http = SocketAddr::from((serving.bind, serving.port));
    options.traffic = serving.company.is_none().then_some(serving.seed);
    let mut port = serving.sql_port;
    for (_, address) in &mut options.sql {
        *address = SocketAddr::from((serving.bind, port));
        if port != 0 {
            port = port.checked_add(1).ok_or_else(|| {
                CommandError::usage(
                    "--sql-port leaves no ports for the second SQL server: choose a lower one",
                )
            })?;
        }
    }
    Ok(options)
}

/// Writes the environment file, beside it a settings file for portcullis, and the lines that name it.
/// The environment file is there last: whoever waits for it finds everything ready.
async fn point_portcullis(served: &Served, file: &Path, audits: bool) -> Result<(), CommandError> {
    let cannot = |error: std::io::Error| {
        CommandError::failed(format!("{} cannot be written: {error}", file.display()))
    };
    let file = std::path::absolute(file).map_err(cannot)?;
    let mut name = file.clone().into_os_string();
    name.push(".toml");
    let settings = PathBuf::from(name);
    std::fs::write(&settings, settings_toml(served, &file, audits)).map_err(cannot)?;
    let extra = [
        ("PORTCULLIS_CONFIG", settings.to_string_lossy().into_owned()),
        ("PORTCULLIS_ENVIRONMENT", ENVIRONMENT.to_owned()),
    ];
    write_env_file(served, &file, &extra).await.map_err(cannot)
}

/// What the settings call the served account.
const ENVIRONMENT: &str = "served";
/// The same account, where every change is made in a role: for whoever signs in as `oncall-a` or `oncall-b`.
const IN_ROLES: &str = "oncall";
/// Whose keys those roles are for: the account holds the keys of three environments.
const ROLES_OF: &str = "production";

fn settings_toml(served: &Served, env_file: &Path, audits: bool) -> String {
    let head = format!(
        "# Points portcullis at a simulated account. Nothing real is behind it.\n\
         default_environment = \"{ENVIRONMENT}\"\n"
    );
    let roles: String = Duty::ALL
        .into_iter()
        .filter_map(|duty| Some(format!("{duty} = \"{}\"\n", seed::role_for(duty.word(), ROLES_OF)?)))
        .collect();
    let tags = format!("tags = {{ Environment = \"{ROLES_OF}\" }}\n");
    head + &environment_toml(ENVIRONMENT, served, env_file, audits)
        + &environment_toml(IN_ROLES, served, env_file, audits)
        + &format!("\n[environments.{IN_ROLES}.roles]\n{roles}{tags}")
}

fn environment_toml(name: &str, served: &Served, env_file: &Path, audits: bool) -> String {
    let text = |value: &str| toml::Value::from(value).to_string();
    let mut toml = format!(
        "\n[environments.{name}]\n\
         account = \"{}\"\n\
         regions = [\"{}\", \"{}\"]\n\
         endpoint = \"http://{}\"\n\
         alert_topic = \"arn:aws:sns:{}:{}:{}\"\n",
        seed::ACCOUNT,
        seed::HOME,
        seed::REPLICA,
        served.http(),
        seed::HOME,
        seed::ACCOUNT,
        seed::ALERT_TOPIC,
    );
    // Writing to a String cannot fail.
    if let Some((server, _)) = served.sql().first().filter(|_| audits) {
        let _ = writeln!(toml, "audit = {{ server = {}, database = \"buzz_prod\" }}", text(server));
    }
    // A queue is one console's own.
    if audits && name == ENVIRONMENT {
        let _ = writeln!(
            toml,
            "trail = {{ queue = \"http://{}/{}/{}\" }}",
            served.http(),
            seed::ACCOUNT,
            seed::EVENT_QUEUE
        );
    }
    for (server, address) in served.sql() {
        let _ = write!(
            toml,
            "\n[[environments.{name}.sql]]\nname = {}\nhost = \"{}\"\nport = {}\nuser = \"{}\"\n\
             password_env = \"PORTCULLIS_SIM_SQL_PASSWORD\"\nca_bundle = {}\n",
            text(server),
            address.ip(),
            address.port(),
            seed::SQL_READER,
            text(&format!("{}.ca.pem", env_file.display())),
        );
    }
    toml
}
