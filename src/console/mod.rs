//! The terminal: state and update, screens, widgets, keymap, theme.
//!
//! Input, snapshots and a run's reports arrive as [`state::Event`]s on one ordered road; [`state::update`]
//! turns each into [`state::Action`]s; only the runner performs those. Drawing reads the state and nothing else.

mod alarms;
pub mod columns;
pub mod commands;
mod dependents;
pub mod draw;
mod header;
mod help;
pub mod keymap;
mod markdown;
mod mouse;
mod palette;
mod parts;
mod prompt;
mod runner;
pub mod screens;
pub mod snapshot;
pub mod state;
pub mod svg;
pub mod terminal;
pub mod theme;
mod widgets;

#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::inventory::{Column, Progress};
use crate::model::IncidentId;
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::pair::{Inventory, Row};
use crate::model::seen::{NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};
use crate::respond::view::{Ask, Told};
use crate::trail::{Backfills, KeyTrail, TrailSource, TrailView};

pub use runner::{ConsoleError, run};

/// Where the console's facts come from, and where its wishes go.
pub struct Sources {
    /// Of each environment, in the order of [`Options::places`]; one at least.
    pub feeds: Vec<Feed>,
    /// The responder's two ends. None in watch mode: without them nothing can be asked for, whatever is typed.
    pub responder: Option<Responder>,
    pub clock: Clock,
    /// Puts text on the clipboard: [`terminal::clipboard`] in production.
    pub clipboard: Clipboard,
    /// Sounds the bell: [`terminal::bell`] in production.
    pub bell: Bell,
}

/// Where the facts of one environment come from.
pub struct Feed {
    pub inventory: watch::Receiver<Arc<Inventory>>,
    pub trail: watch::Receiver<Arc<TrailView>>,
    /// How far the first load has come.
    pub progress: watch::Receiver<Progress>,
    /// To have one key's events read back into the trail.
    pub backfills: Backfills,
    /// Asks CloudTrail about single keys.
    pub key_trails: KeyTrails,
    /// Asks every source of it again, now.
    pub refresh: Box<dyn Fn() + Send>,
    /// Told which of its keys are on screen, so that these are read first.
    pub interested: Interested,
}

/// Where questions about one key's trail go, and where the answers come from.
pub struct KeyTrails {
    pub ask: Box<dyn Fn(KeyArn) + Send>,
    pub told: mpsc::UnboundedReceiver<KeyAnswer>,
}

/// What CloudTrail answered about a key.
pub type KeyAnswer = (KeyArn, Seen<Arc<KeyTrail>>);

/// Told which keys are on screen.
pub type Interested = Box<dyn Fn(&[KeyArn]) + Send>;

impl Feed {
    /// Of an environment that could not be opened at `now`: one row that says why, and a trail that is not there.
    #[must_use]
    pub fn shut(environment: &str, why: NotVisible, now: Timestamp) -> Self {
        let row = Row::UnreadableEnvironment { environment: environment.to_owned(), why: why.clone() };
        let inventory = Inventory { rows: vec![row].into(), ..Inventory::default() };
        let health = SourceHealth { failing: Some((now, why)), ..SourceHealth::default() };
        let source = TrailSource { health, ..TrailSource::new(Source::Trail(environment.to_owned())) };
        let trail = TrailView { sources: vec![source], ..TrailView::default() };
        Self {
            inventory: watch::channel(Arc::new(inventory)).1,
            trail: watch::channel(Arc::new(trail)).1,
            backfills: Backfills::default(),
            progress: watch::channel(Progress::default()).1,
            key_trails: KeyTrails { ask: Box::new(drop), told: mpsc::unbounded_channel().1 },
            refresh: Box::new(|| ()),
            interested: Box::new(|_| ()),
        }
    }
}

/// Puts text on a clipboard.
pub type Clipboard = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// Sounds a bell.
pub type Bell = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The two ends of `respond`'s channels.
pub struct Responder {
    pub ask: mpsc::Sender<Ask>,
    pub told: mpsc::Receiver<Told>,
}

/// What does not change while the console runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The environments shown, one at least; where somebody may act, exactly one.
    pub places: Vec<Place>,
    pub mode: Mode,
    pub theme: theme::ThemeName,
    /// Whether `NO_COLOR` forbids another theme than the monochrome one.
    pub no_color: bool,
    pub keymap: keymap::Keymap,
    pub runbooks: Vec<RunbookCard>,
    /// The columns of the Keys screen.
    pub columns: Vec<Column>,
    /// The file that keeps the columns for the next start.
    pub columns_file: Option<PathBuf>,
    /// Whether an alarm sounds the terminal's bell.
    pub bell: bool,
    /// Where saved screens and plans go.
    pub save_dir: PathBuf,
    /// The operator's MFA device, where it is a simulated one that the screen can show.
    pub device: Option<PretendDevice>,
}

/// An environment, as far as a screen tells it from others.
#[derive(Clone, Debug)]
pub struct Place {
    /// Its name, as settings have it.
    pub environment: String,
    pub production: bool,
    pub simulated: bool,
    pub account: Option<String>,
    pub region: String,
    /// Who we are there, short enough for a header.
    pub identity: Seen<String>,
    pub age: AgePolicies,
    /// How long clients may keep decrypted column keys.
    pub column_key_cache: SignedDuration,
}

/// A simulated MFA device, to be shown to whoever has none. No real one is ever behind it.
#[derive(Clone)]
pub struct PretendDevice(Arc<dyn Fn(Timestamp) -> Face + Send + Sync>);

/// What a simulated MFA device shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face {
    /// Six digits.
    pub code: String,
    /// How long it shows them yet.
    pub seconds_left: u8,
    /// Whether they have been used: a code works once.
    pub used: bool,
}

impl PretendDevice {
    /// A device that shows this, at any time.
    pub fn new(face: impl Fn(Timestamp) -> Face + Send + Sync + 'static) -> Self {
        Self(Arc::new(face))
    }

    fn face(&self, now: Timestamp) -> Face {
        (self.0)(now)
    }
}

impl std::fmt::Debug for PretendDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PretendDevice")
    }
}

/// A runbook, as far as a list and a reader need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunbookCard {
    pub id: String,
    pub title: String,
    /// The whole text, Markdown, without its front matter.
    pub text: String,
}

/// What the console may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reads only.
    Watch,
    /// May act through runbooks, in this incident's name.
    Respond { incident: IncidentId },
    /// As `Respond`, on the simulated account.
    Drill { incident: IncidentId, scenario: String },
}

/// How the console came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The operator left.
    Quit,
    /// SIGTERM, SIGHUP, or whatever else the shutdown future stood for.
    Shutdown,
    /// The terminal gave no more input.
    InputEnded,
}
