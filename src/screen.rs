//! Puts the console on the terminal.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use tokio::sync::watch;

use portcullis::command::change::Wanted;
use portcullis::command::output::Format;
use portcullis::command::{self, CommandError};
use portcullis::console::keymap::Keymap;
use portcullis::console::theme::ThemeName;
use portcullis::console::{self, Mode, Options, RunbookCard, Sources, terminal};
use portcullis::inventory::refresh::load_once;
use portcullis::live::Live;
use portcullis::model::IncidentId;
use portcullis::model::pair::{DatabaseRef, Inventory};
use portcullis::model::text::{Untrusted, visible};
use portcullis::respond::Responder;
use portcullis::respond::view::Target;
use portcullis::runbook::Library;
use portcullis::settings::Settings;

use crate::cli::{Change, Structured};
use crate::open::{Open, act};
use crate::person::{self, AtTerminal};

/// Everything that the console takes from the settings, checked before the terminal is touched.
pub struct Look {
    theme: ThemeName,
    no_color: bool,
    keymap: Keymap,
    runbooks: Library,
}

impl Look {
    /// Reads theme, keys and runbooks.
    pub fn of(settings: &Settings) -> Result<Self, CommandError> {
        let no_color = std::env::var("NO_COLOR").ok();
        let theme = ThemeName::choose(settings.console.theme.as_deref(), no_color.as_deref())
            .map_err(|error| CommandError::usage(error.to_string()))?;
        let keymap =
            Keymap::new(&settings.console.keys).map_err(|error| CommandError::usage(error.to_string()))?;
        let (runbooks, mistakes) = Library::load(&settings.runbook_dirs);
        for mistake in &mistakes {
            eprintln!("portcullis: a runbook is left out: {mistake}");
        }
        Ok(Self { theme, no_color: no_color.is_some_and(|value| !value.is_empty()), keymap, runbooks })
    }
}

/// The console, read-only.
pub async fn watch(open: &Open, look: Look) -> Result<(), CommandError> {
    let options = options(open, &look, Mode::Watch);
    let live = Live::start(&open.estate);
    show(live.watch(terminal::clipboard()), options).await
}

/// The console, able to act in an incident's name.
pub async fn respond(
    open: &Open,
    settings: &Settings,
    look: Look,
    incident: IncidentId,
) -> Result<(), CommandError> {
    let mode = Mode::Respond { incident: incident.clone() };
    acting(open, settings, look, incident, mode).await
}

/// The console on the simulated account.
pub async fn drill(
    open: &Open,
    settings: &Settings,
    look: Look,
    incident: Option<IncidentId>,
) -> Result<(), CommandError> {
    let incident = match incident {
        Some(incident) => incident,
        None => named_by_time(open.estate.clock.now())?,
    };
    let mode = Mode::Drill { incident: incident.clone(), scenario: "free play".into() };
    acting(open, settings, look, incident, mode).await
}

fn named_by_time(now: Timestamp) -> Result<IncidentId, CommandError> {
    let name = TimeZone::UTC.to_datetime(now).strftime("DRILL-%Y%m%d-%H%M%S").to_string();
    name.parse().map_err(|error: portcullis::model::BadIncidentId| CommandError::failed(error.to_string()))
}

/// One change through its runbook, without a console.
pub async fn change(
    open: &Open,
    settings: &Settings,
    look: Look,
    runbook: &'static str,
    words: Change,
    out: &mut impl io::Write,
) -> Result<(), CommandError> {
    let mut person = AtTerminal::reading_codes_from(words.mfa_code_fd).map_err(|error| {
        CommandError::usage(format!("--mfa-code-fd names no descriptor that can be read: {error}"))
    })?;
    let (acting, gate) = act(open, settings, &words.incident)?;
    let inventory = load_once(&open.estate, person::progress()).await;
    let target = target(&inventory, &words)?;
    let wanted =
        Wanted { runbook, target, reason: words.reason, typed: words.yes_i_typed, attest: words.attest };
    // The sender is kept: without it the responder would take the inventory for lost.
    let (_keep, inventory) = watch::channel(Arc::new(inventory));
    let Responder { ask, told, task } = Responder::through(gate, &acting, inventory, look.runbooks);
    let format = match words.format {
        Structured::Table => Format::Table,
        Structured::Json => Format::Json,
    };
    let incident = words.incident.as_str();
    let changed = command::change::run(wanted, incident, ask, told, &mut person, format, out).await;
    let finished = task.await;
    changed?;
    finished.map_err(|error| CommandError::failed(format!("the responder ended badly: {error}")))
}

/// What the words aim at: a key by its ARN, or a column key, in a database where one is named.
fn target(inventory: &Inventory, words: &Change) -> Result<Target, CommandError> {
    if let Ok(arn) = words.cek.parse() {
        return Ok(Target::Key(arn));
    }
    let cek = Untrusted::new(words.cek.clone());
    let Some(name) = &words.database else { return Ok(Target::ColumnKey { cek, database: None }) };
    let fits = |database: &DatabaseRef| {
        *name == database.database.raw()
            || name.split_once('/') == Some((database.server.0.as_str(), database.database.raw()))
    };
    let mut found: Vec<_> = inventory.pairs().map(|p| &p.cmk.database).filter(|d| fits(d)).collect();
    found.sort();
    found.dedup();
    match found.as_slice() {
        [database] => Ok(Target::ColumnKey { cek, database: Some((*database).clone()) }),
        [] => Err(CommandError::failed(format!("no readable database is called {}", visible(name)))),
        several => Err(CommandError::usage(format!(
            "several databases could be meant, name one as SERVER/DATABASE: {}",
            several.iter().map(|d| format!("{}/{}", d.server, d.database)).collect::<Vec<_>>().join(", ")
        ))),
    }
}

async fn acting(
    open: &Open,
    settings: &Settings,
    look: Look,
    incident: IncidentId,
    mode: Mode,
) -> Result<(), CommandError> {
    let (acting, gate) = act(open, settings, &incident)?;
    let options = options(open, &look, mode);
    let live = Live::start(&open.estate);
    let (sources, responder) = live.respond(&acting, gate, look.runbooks, terminal::clipboard());
    let shown = show(sources, options).await;
    // A change under way is verified before the process ends.
    let finished = responder.await;
    shown?;
    finished.map_err(|error| {
        CommandError::failed(format!("the responder ended badly: {error}; the journal says how far it came"))
    })
}

async fn show(sources: Sources, options: Options) -> Result<(), CommandError> {
    let failed =
        |error: io::Error| CommandError::failed(format!("the terminal could not be opened: {error}"));
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        return Err(CommandError::usage(
            "the console needs a terminal; without one: portcullis keys --format json, portcullis events --format json",
        ));
    }
    let shutdown = terminal::shutdown_signals().map_err(failed)?;
    let mut open = terminal::open_terminal().map_err(failed)?;
    let input = terminal::input().map_err(failed)?;
    let ended = console::run(&mut open.terminal, input, shutdown, sources, options).await;
    drop(open);
    ended.map(drop).map_err(|error| CommandError::failed(error.to_string()))
}

fn options(open: &Open, look: &Look, mode: Mode) -> Options {
    let environment = &open.estate.environment;
    let identity = &open.estate.identity;
    Options {
        environment: environment.name.clone(),
        production: environment.production,
        simulated: environment.simulated,
        account: environment.account.clone().or_else(|| identity.known().map(|who| who.account.clone())),
        region: open.estate.cloud.home().to_owned(),
        mode,
        identity: identity.clone().map(|who| who.short()),
        theme: look.theme,
        no_color: look.no_color,
        keymap: look.keymap.clone(),
        runbooks: look
            .runbooks
            .iter()
            .map(|runbook| RunbookCard {
                id: runbook.id.clone(),
                title: runbook.title.clone(),
                text: runbook.paper(),
            })
            .collect(),
        age: environment.age.clone(),
        column_key_cache: environment.column_key_cache,
        save_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        device: open.device(),
    }
}
