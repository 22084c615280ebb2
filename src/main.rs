//! The program: parses the words, reads the settings, picks the wire, runs.

mod cli;
mod logs;
mod open;
mod person;
mod screen;

use std::io::{IsTerminal as _, Write as _, stdout};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use tracing_appender::non_blocking::WorkerGuard;

use cli::{Assets, Change, Cli, Config, Global, Journal, Simulator, Structured, Verb};
use open::{Purpose, environment_names, one_environment, open, open_each};
use portcullis::command::serve::Serving;
use portcullis::command::{self, CommandError, Exit};
use portcullis::settings::{self, SIMULATED, Settings, TrailSettings};

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
    match verb.unwrap_or(Verb::Watch(cli::Watch::default())) {
        Verb::Init { force } => command::init::run(&settings_path(&global)?, force, &mut out),
        Verb::Config(Config::Path) => Ok(writeln!(out, "{}", settings_path(&global)?.display())?),
        Verb::Config(Config::Check) => command::config::tell(
            &settings_path(&global)?,
            &settings::load(&global.overrides())?,
            jiff::Timestamp::now(),
            &mut out,
        ),
        Verb::Assets(Assets::Export { dir }) => command::assets::export(&dir, &mut out),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "portcullis", &mut out);
            Ok(())
        }
        Verb::Man => Ok(clap_mangen::Man::new(Cli::command()).render(&mut out)?),
        Verb::Runbook(verb) => runbook(&global, verb, &mut out),
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
                company: Serving::company(words.keys, words.pairs),
                latency: words.latency.map(jiff::SignedDuration::unsigned_abs),
                throttle: words.throttle,
                troubles: words.faults.words,
            };
            // Signals are caught within a runtime only.
            runtime()?.block_on(async { command::serve::run(&serving, interrupted(), &mut out).await })
        }
        Verb::Keys(words) => keys(&global, &words, &mut out),
        Verb::Dependents(words) => {
            let (settings, _log) = load(&global)?;
            runtime()?.block_on(async {
                let open = open(
                    &settings,
                    one_environment(&global.environment, &settings)?,
                    global.seed,
                    &Purpose::Read,
                )
                .await?;
                let wanted = command::dependents::Wanted {
                    target: words.target,
                    database: words.database,
                    since: words.since,
                    json: words.format == Structured::Json,
                };
                command::dependents::run(&open.estate, &wanted, person::progress(), &mut out).await
            })
        }
        Verb::Events(words) if !words.from.is_empty() => events_of_files(&global, words, &mut out),
        Verb::Detections(cli::Detections::List { format }) => {
            command::detections::list(format.into(), &mut out)
        }
        Verb::Detections(cli::Detections::Show { id, format }) => {
            command::detections::show(&id, format == Structured::Json, &mut out)
        }
        Verb::Events(words) => events(&global, &words, &mut out),
        Verb::Watch(words) => watch(&global, &words),
        Verb::Respond { incident, mfa } => {
            let (settings, _log) = load(&global)?;
            let look = screen::Look::of(&settings)?;
            runtime()?.block_on(async {
                let act = Purpose::Act { mfa_serial: mfa.mfa_serial };
                let name = one_environment(&global.environment, &settings)?;
                let open = open(&settings, name, global.seed, &act).await?;
                screen::respond(&open, &settings, look, incident).await
            })
        }
        Verb::Drill { incident, faults } => {
            let (settings, _log) = load(&global)?;
            let look = screen::Look::of(&settings)?;
            runtime()?.block_on(async {
                let open =
                    open(&settings, SIMULATED, global.seed, &Purpose::Act { mfa_serial: None }).await?;
                open.trouble(&faults.words)?;
                screen::drill(&open, &settings, look, incident).await
            })
        }
        Verb::Revoke(words) => change(&global, "emergency-revocation", words, &mut out),
        Verb::Recover(words) => change(&global, "key-recovery", words, &mut out),
    }
}

/// The console, on an account, on trail logs, or on both.
fn watch(global: &Global, words: &cli::Watch) -> Result<(), CommandError> {
    let (settings, _log) = load(global)?;
    let look = screen::Look::of(&settings)?;
    let files = screen::trail_files(&words.trail)?;
    runtime()?.block_on(async {
        match files {
            Some(files) if global.environment.is_empty() => {
                let room = settings.console.events.unwrap_or(TrailSettings::EVENTS);
                screen::watch_files(files, room, &settings, look).await
            }
            files => {
                let names = environment_names(&global.environment, &settings)?;
                let opened = open_each(&settings, names, global.seed).await?;
                screen::watch(&opened, &settings, look, files).await
            }
        }
    })
}

/// `events`: of every environment named, as they are or as they come.
fn events(global: &Global, words: &cli::Events, out: &mut impl std::io::Write) -> Result<(), CommandError> {
    let (settings, _log) = load(global)?;
    runtime()?.block_on(async {
        let names = environment_names(&global.environment, &settings)?;
        let opened = open_each(&settings, names, global.seed).await?;
        let asked: Vec<_> = opened.iter().map(open::Opened::asked).collect();
        let wanted = words.wanted(1000, Some(settings.state_dir.clone()));
        let told = |words: &str| eprintln!("portcullis: {words}");
        if words.follow {
            return command::events::follow(&asked, &wanted, interrupted(), out, told).await;
        }
        command::events::run(&asked, &wanted, out, told).await
    })
}

/// Lists or counts the events of trail logs, or what the rules find in them. No account is asked; settings are read for
/// what they say of detections.
fn events_of_files(
    global: &Global,
    words: cli::Events,
    out: &mut impl std::io::Write,
) -> Result<(), CommandError> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let wanted = command::events::FromFiles {
        wanted: words.wanted(TrailSettings::EVENTS, None),
        is_bounded: words.since.is_some(),
        detections: match settings::load(&global.overrides()) {
            Ok(settings) => settings.detections,
            // Only findings need to know what is ordinary here.
            Err(mistakes) if words.findings || words.fail_on.is_some() => return Err(mistakes.into()),
            Err(_) => std::sync::Arc::default(),
        },
        paths: words.from,
        count_by: words.count_by.map(Into::into),
        is_watched: std::io::stderr().is_terminal(),
    };
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let runtime = runtime()?;
    let asked = std::sync::Arc::clone(&stop);
    let interrupted = {
        let _within = runtime.enter();
        interrupted()
    };
    runtime.spawn(async move {
        interrupted.await;
        asked.store(true, Ordering::Relaxed);
    });
    let mut out = std::io::BufWriter::new(out);
    let told = |words: &str| eprintln!("portcullis: {words}");
    let read = command::events::from_files(&wanted, jiff::Timestamp::now(), &stop, &mut out, told);
    out.flush()?;
    // A thread that waits for standard input is not waited for.
    runtime.shutdown_background();
    read
}

/// `keys`: of every environment named.
fn keys(global: &cli::Global, words: &cli::Keys, out: &mut impl std::io::Write) -> Result<(), CommandError> {
    let (settings, _log) = load(global)?;
    runtime()?.block_on(async {
        let names = environment_names(&global.environment, &settings)?;
        let wanted = command::keys::Wanted::read(
            words.format.into(),
            &words.filter,
            &words.columns,
            words.sort,
            &words.fail_on,
            words.last_use,
        )?;
        let opened = open_each(&settings, names, global.seed).await?;
        let asked = opened.iter().map(open::Opened::asked);
        command::keys::run(&asked.collect::<Vec<_>>(), &wanted, person::progress(), out).await
    })
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

/// Ready when somebody asks this process to end. From the call on the signals are caught; needs a runtime.
fn interrupted() -> impl Future<Output = ()> + Send + use<> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
    let waits: Vec<_> = signals
        .into_iter()
        .flatten()
        .map(|mut signal| Box::pin(async move { signal.recv().await }))
        .collect();
    async move {
        if waits.is_empty() {
            std::future::pending::<()>().await;
        }
        futures_util::future::select_all(waits).await;
    }
}

fn runbook(global: &Global, verb: cli::Runbook, out: &mut impl std::io::Write) -> Result<(), CommandError> {
    let folders = settings::load(&global.overrides())?.runbook_dirs;
    match verb {
        cli::Runbook::List { format } => command::runbook::list(&folders, format.into(), out),
        cli::Runbook::Show { id, format } => {
            command::runbook::show(&folders, &id, format == Structured::Json, out)
        }
        cli::Runbook::Check { files } => command::runbook::check(&folders, &files, out),
        cli::Runbook::Print { id, format } => {
            let form = match format {
                cli::Paper::Text => portcullis::runbook::Form::Text,
                cli::Paper::Markdown => portcullis::runbook::Form::Markdown,
            };
            command::runbook::print(&folders, &id, form, out)
        }
    }
}

fn journal(global: &Global, verb: &Journal, out: &mut impl std::io::Write) -> Result<(), CommandError> {
    let settings = settings::load(&global.overrides())?;
    let environment = one_environment(&global.environment, &settings)?;
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
