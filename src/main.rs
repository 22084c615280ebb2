//! The program: parses the words, reads the settings, picks the wire, runs.

mod cli;
mod logs;
mod open;
mod person;
mod screen;

use std::io::{Write as _, stdout};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_appender::non_blocking::WorkerGuard;

use cli::{Assets, Change, Cli, Config, Global, Journal, Simulator, Structured, Verb};
use open::{Purpose, environment_name, open};
use portcullis::command::serve::Serving;
use portcullis::command::{self, CommandError, Exit};
use portcullis::settings::{self, SIMULATED, Settings};

fn main() -> ExitCode {
    // A failure here would only cost prettier panic messages.
    let _ = color_eyre::install();
    match run(Cli::parse()) {
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
        Verb::Keys(words) => {
            let (settings, _log) = load(&global)?;
            runtime()?.block_on(async {
                let open = open(&settings, environment_name(&settings)?, global.seed, &Purpose::Read).await?;
                let format = words.format.into();
                command::keys::run(&open.estate, format, &words.filter, person::progress(), &mut out).await
            })
        }
        Verb::Events(words) => {
            let (settings, _log) = load(&global)?;
            runtime()?.block_on(async {
                let open = open(&settings, environment_name(&settings)?, global.seed, &Purpose::Read).await?;
                let (format, limit) = (words.format.into(), words.limit);
                command::events::run(&open.estate, format, &words.filter, words.since, limit, &mut out).await
            })
        }
        Verb::Watch => {
            let (settings, _log) = load(&global)?;
            let look = screen::Look::of(&settings)?;
            runtime()?.block_on(async {
                let open = open(&settings, environment_name(&settings)?, global.seed, &Purpose::Read).await?;
                screen::watch(&open, look).await
            })
        }
        Verb::Respond { incident, mfa } => {
            let (settings, _log) = load(&global)?;
            let look = screen::Look::of(&settings)?;
            runtime()?.block_on(async {
                let act = Purpose::Act { mfa_serial: mfa.mfa_serial };
                let open = open(&settings, environment_name(&settings)?, global.seed, &act).await?;
                screen::respond(&open, &settings, look, incident).await
            })
        }
        Verb::Drill { incident } => {
            let (settings, _log) = load(&global)?;
            let look = screen::Look::of(&settings)?;
            runtime()?.block_on(async {
                let open =
                    open(&settings, SIMULATED, global.seed, &Purpose::Act { mfa_serial: None }).await?;
                screen::drill(&open, &settings, look, incident).await
            })
        }
        Verb::Revoke(words) => change(&global, "emergency-revocation", words, &mut out),
        Verb::Recover(words) => change(&global, "key-recovery", words, &mut out),
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CommandError::failed(format!("no threads could be started: {error}")))
}

/// The settings; from here on the program logs.
fn load(global: &Global) -> Result<(Settings, WorkerGuard), CommandError> {
    let settings = settings::load(&global.overrides())?;
    let log = logs::start(&settings.state_dir).map_err(CommandError::failed)?;
    Ok((settings, log))
}

/// Makes one change through its runbook, without a screen.
fn change(
    global: &Global,
    runbook: &'static str,
    words: Change,
    out: &mut impl std::io::Write,
) -> Result<(), CommandError> {
    let (settings, _log) = load(global)?;
    let look = screen::Look::of(&settings)?;
    runtime()?.block_on(async {
        let act = Purpose::Act { mfa_serial: words.mfa.mfa_serial.clone() };
        let open = open(&settings, &words.environment, global.seed, &act).await?;
        screen::change(&open, &settings, look, runbook, words, out).await
    })
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
            command::journal::show(folder, environment, incident, *format == Structured::Json, out)
        }
        Journal::Verify { incident } => command::journal::verify(folder, environment, incident, out),
    }
}

fn settings_path(global: &Global) -> Result<std::path::PathBuf, CommandError> {
    Ok(settings::settings_path(global.config.as_deref())?)
}
