//! The program: parses the words, reads the settings, picks the wire, runs.

mod cli;
mod logs;

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use cli::{Assets, Cli, Config, Global, Journal, Simulator, Verb};
use portcullis::command::serve::Serving;
use portcullis::command::{self, CommandError, Exit};
use portcullis::settings::{self, SIMULATED, Settings};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::from(Exit::Done.code()),
        Err(error) => {
            if !error.say.is_empty() {
                eprintln!("portcullis: {}", error.say);
            }
            ExitCode::from(error.exit.code())
        }
    }
}

fn run(Cli { global, verb }: Cli) -> Result<(), CommandError> {
    let mut out = stdout().lock();
    match verb.unwrap_or(Verb::Watch) {
        Verb::Init { force } => command::init::run(&settings_path(&global)?, force, &mut out),
        Verb::Config(Config::Path) => Ok(writeln!(out, "{}", settings_path(&global)?.display())?),
        Verb::Config(Config::Check) => {
            command::config::tell(&settings_path(&global)?, &settings::load(&global.overrides())?, &mut out)
        }
        Verb::Assets(Assets::Export { dir }) => command::assets::export(&dir, &mut out),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "portcullis", &mut out);
            Ok(())
        }
        Verb::Man => Ok(clap_mangen::Man::new(Cli::command()).render(&mut out)?),
        Verb::Journal(verb) => journal(&global, &verb, &mut out),
        Verb::Simulator(Simulator::Serve(words)) => {
            let serving = Serving {
                seed: global.seed,
                bind: words.bind,
                port: words.port,
                sql_port: words.sql_port,
                env_file: words.env_file,
                quotas: !words.no_quotas,
                trail_delay: words.trail_delay.map(|seconds| (seconds, seconds)),
            };
            runtime()?.block_on(command::serve::run(&serving, interrupted(), &mut out))
        }
        _ => todo!(),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed(format!("no threads could be started: {error}")))
}

/// Ready when somebody asks this process to end.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let waits = signals.into_iter().flatten().map(|mut signal| Box::pin(async move { signal.recv().await }));
    futures_util::future::select_all(waits).await;
}

fn journal(global: &Global, verb: &Journal, out: &mut impl std::io::Write) -> Result<(), CommandError> {
    let settings = settings::load(&global.overrides())?;
    let environment = environment_name(&settings)?;
    let folder = &settings.state_dir;
    match verb {
        Journal::List { format } => command::journal::list(folder, environment, (*format).into(), out),
        Journal::Show { incident, format } => {
            command::journal::show(folder, environment, incident, (*format).into(), out)
        }
        Journal::Verify { incident } => command::journal::verify(folder, environment, incident, out),
    }
}

fn settings_path(global: &Global) -> Result<std::path::PathBuf, CommandError> {
    Ok(settings::settings_path(global.config.as_deref())?)
}

/// The environment that the words or the settings name.
fn environment_name(settings: &Settings) -> Result<&str, CommandError> {
    match (&settings.default_environment, settings.environments.len()) {
        (Some(name), _) => Ok(name),
        (None, 0) => Err(CommandError::usage(format!(
            "no environment is set up: `portcullis init` writes a settings file, and `-e {SIMULATED}` needs none"
        ))),
        (None, _) => Err(CommandError::usage(format!(
            "several environments could be meant: name one with -e: {}",
            settings.environments.keys().cloned().collect::<Vec<_>>().join(", ")
        ))),
    }
}
