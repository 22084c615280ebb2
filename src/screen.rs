//! Puts the console on the terminal.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use tokio::sync::{mpsc, watch};

use portcullis::clock::Clock;
use portcullis::command::change::Wanted;
use portcullis::command::output::Format;
use portcullis::command::{self, CommandError};
use portcullis::console::keymap::Keymap;
use portcullis::console::theme::ThemeName;
use portcullis::console::{self, Feed, KeyTrails, Mode, Options, Place, RunbookCard, Sources, terminal};
use portcullis::inventory::kept::Keeper;
use portcullis::inventory::refresh::{Wants, load_once, read_into};
use portcullis::inventory::{Column, Progress};
use portcullis::live::Live;
use portcullis::model::IncidentId;
use portcullis::model::age::AgePolicies;
use portcullis::model::arn::KeyArn;
use portcullis::model::pair::{DatabaseRef, Inventory};
use portcullis::model::seen::{Cause, NotVisible, Seen};
use portcullis::model::text::{Untrusted, visible};
use portcullis::respond::Responder;
use portcullis::respond::view::Target;
use portcullis::runbook::Library;
use portcullis::settings::Settings;
use portcullis::trail::files::Found;
use portcullis::trail::{FollowOptions, Follower};

use crate::cli::{Change, Structured};
use crate::open::{Open, Opened, act};
use crate::person::{self, AtTerminal};

/// Everything that the console takes from the settings, checked before the terminal is touched.
pub struct Look {
    theme: ThemeName,
    no_color: bool,
    columns: Option<Vec<Column>>,
    keymap: Keymap,
    bell: bool,
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
        Ok(Self {
            theme,
            no_color: no_color.is_some_and(|value| !value.is_empty()),
            columns: settings.console.columns.clone(),
            keymap,
            bell: settings.console.bell,
            runbooks,
        })
    }
}

/// The console, read-only; with trail logs beside the trail of the first environment, where some are named.
pub async fn watch(
    opened: &[Opened],
    settings: &Settings,
    look: Look,
    mut files: Option<TrailFiles>,
) -> Result<(), CommandError> {
    let places = opened.iter().map(|one| match &one.open {
        Ok(open) => place(open),
        Err(_) => shut(&one.name, settings),
    });
    let options = options(places.collect(), settings, &look, Mode::Watch);
    let lives: Vec<Result<Live, Box<Feed>>> = opened
        .iter()
        .map(|one| match &one.open {
            Ok(open) => {
                let live = Live::start_with(&open.estate, keeper(open, settings), files.take());
                Ok(live.with_journals(settings.state_dir.clone()))
            }
            Err(error) => Err(Box::new(shut_feed(&one.name, &error.say))),
        })
        .collect();
    let clock = opened.iter().find_map(|one| Some(one.open.as_ref().ok()?.estate.clock.clone()));
    let clock = clock.unwrap_or_else(Clock::system);
    // What is alive stays so until the console has ended.
    let (mut alive, mut feeds) = (Vec::new(), Vec::new());
    for live in lives {
        match live {
            Ok(live) => {
                feeds.push(live.feed());
                alive.push(live);
            }
            Err(feed) => feeds.push(*feed),
        }
    }
    let sources =
        Sources { feeds, responder: None, clock, clipboard: terminal::clipboard(), bell: terminal::bell() };
    show(sources, options).await
}

/// Trail logs, and what they are called on a screen.
pub type TrailFiles = (String, Found);

/// The trail logs under these paths; None where none is named.
pub fn trail_files(paths: &[PathBuf]) -> Result<Option<TrailFiles>, CommandError> {
    let Some(first) = paths.first() else { return Ok(None) };
    if paths.iter().any(|path| path.as_os_str() == "-") {
        let say = "the console needs its standard input for your keys: name files or folders, or pipe into `portcullis events --from -`";
        return Err(CommandError::usage(say));
    }
    let found = Found::under(paths).map_err(|missing| CommandError::usage(missing.to_string()))?;
    let more = paths.len() - 1;
    let name = if more > 0 { format!("{} +{more}", first.display()) } else { first.display().to_string() };
    Ok(Some((name, found)))
}

/// The console on trail logs alone: no account is asked, no settings of one are needed.
pub async fn watch_files(
    files: TrailFiles,
    room: usize,
    settings: &Settings,
    look: Look,
) -> Result<(), CommandError> {
    let clock = Clock::system();
    let place = Place {
        environment: "trail logs".to_owned(),
        production: false,
        simulated: false,
        account: None,
        region: "no account".to_owned(),
        identity: Seen::Known("nobody: files only".to_owned()),
        age: AgePolicies::default(),
        column_key_cache: SignedDuration::from_hours(2),
    };
    let follow = FollowOptions { capacity: room, ..FollowOptions::default() };
    let follower = Follower::with_files(None, Some(files), &clock, follow);
    let feed = Feed {
        // There is an inventory, and it is empty; nobody sends another.
        inventory: watch::channel(Arc::new(Inventory::default())).1,
        trail: follower.views(),
        backfills: follower.backfills(),
        progress: watch::channel(Progress::default()).1,
        key_trails: KeyTrails { ask: Box::new(drop), told: mpsc::unbounded_channel().1 },
        refresh: Box::new(|| ()),
        interested: Box::new(|_| ()),
    };
    let sources = Sources {
        feeds: vec![feed],
        responder: None,
        clock,
        clipboard: terminal::clipboard(),
        bell: terminal::bell(),
    };
    show(sources, options(vec![place], settings, &look, Mode::Watch)).await
}

/// Keeps the inventory for the next start. A simulated account is made anew each time: nothing of it is kept.
fn keeper(open: &Open, settings: &Settings) -> Option<Keeper> {
    let environment = &open.estate.environment;
    (!environment.simulated).then(|| Keeper::in_folder(&settings.state_dir, &environment.name))
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
    // In an emergency nobody waits for the rotations of 10,000 keys: the target's own facts are read instead.
    let mut inventory = load_once(&open.estate, Wants::STATES, person::progress()).await;
    let target = target(&inventory, &words)?;
    for key in keys_behind(&target, &inventory) {
        read_into(&open.estate, &mut inventory, &key).await;
    }
    let wanted =
        Wanted { runbook, target, reason: words.reason, typed: words.yes_i_typed, attest: words.attest };
    // The sender is kept: without it the responder would take the inventory for lost.
    let (_keep, inventory) = watch::channel(Arc::new(inventory));
    let Responder { ask, told, task } = Responder::through(gate, &acting, inventory, None, look.runbooks);
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

/// The keys that a target may come to.
fn keys_behind(target: &Target, inventory: &Inventory) -> Vec<KeyArn> {
    match target {
        Target::Key(arn) => vec![arn.clone()],
        Target::ColumnKey { cek, database } => inventory
            .pairs()
            .filter(|pair| pair.cek == *cek && database.as_ref().is_none_or(|d| pair.cmk.database == *d))
            .filter_map(|pair| pair.cmk.link.arn().cloned())
            .collect(),
    }
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
    let options = Options { device: open.device(), ..options(vec![place(open)], settings, &look, mode) };
    let live = Live::start(&open.estate, keeper(open, settings)).with_journals(settings.state_dir.clone());
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

fn place(open: &Open) -> Place {
    let environment = &open.estate.environment;
    let identity = &open.estate.identity;
    Place {
        environment: environment.name.clone(),
        production: environment.production,
        simulated: environment.simulated,
        account: environment.account.clone().or_else(|| identity.known().map(|who| who.account.clone())),
        region: open.estate.cloud.home().to_owned(),
        identity: identity.clone().map(|who| who.short()),
        age: environment.age.clone(),
        column_key_cache: environment.column_key_cache,
    }
}

/// An environment that could not be opened, as far as the settings tell of it.
fn shut(name: &str, settings: &Settings) -> Place {
    let environment = settings.environments.get(name);
    Place {
        environment: name.to_owned(),
        production: environment.is_some_and(|environment| environment.production),
        simulated: environment.is_none_or(|environment| environment.simulated),
        account: environment.and_then(|environment| environment.account.clone()),
        region: environment.and_then(|e| e.regions.first().cloned()).unwrap_or_default(),
        identity: Seen::NotVisible(NotVisible::new(
            Cause::Unreachable,
            "the environment could not be opened",
        )),
        age: environment.map(|environment| environment.age.clone()).unwrap_or_default(),
        column_key_cache: environment
            .map_or(SignedDuration::from_hours(2), |environment| environment.column_key_cache),
    }
}

/// What is known of an environment that could not be opened: that, and why.
fn shut_feed(name: &str, why: &str) -> Feed {
    Feed::shut(name, NotVisible::new(Cause::Unreachable, why), Timestamp::now())
}

fn options(places: Vec<Place>, settings: &Settings, look: &Look, mode: Mode) -> Options {
    let columns_file = settings.state_dir.join("columns.json");
    let columns = console::columns::kept(&columns_file)
        .or_else(|| look.columns.clone())
        .unwrap_or_else(|| Column::USUAL.to_vec());
    Options {
        places,
        columns,
        columns_file: Some(columns_file),
        mode,
        theme: look.theme,
        no_color: look.no_color,
        keymap: look.keymap.clone(),
        runbooks: look
            .runbooks
            .iter()
            .map(|runbook| RunbookCard {
                id: runbook.id.clone(),
                title: runbook.title.clone(),
                text: runbook.reading(),
            })
            .collect(),
        bell: look.bell,
        save_dir: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        device: None,
    }
}
