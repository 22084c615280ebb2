//! The terminal: state and update, screens, widgets, keymap, theme.
//!
//! Input, snapshots and a run's reports arrive as [`state::Event`]s on one ordered road; [`state::update`]
//! turns each into [`state::Action`]s; only the runner performs those. Drawing reads the state and nothing else.

pub mod commands;
mod dependents;
pub mod draw;
mod header;
mod help;
pub mod keymap;
mod markdown;
mod mouse;
mod palette;
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

use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::inventory::Progress;
use crate::model::IncidentId;
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;
use crate::model::seen::Seen;
use crate::respond::view::{Ask, Told};
use crate::trail::{Backfills, KeyTrail, TrailView};

pub use runner::{ConsoleError, run};

/// Where the console's facts come from, and where its wishes go.
pub struct Sources {
    pub inventory: watch::Receiver<Arc<Inventory>>,
    pub trail: watch::Receiver<Arc<TrailView>>,
    /// To ask for one key's events.
    pub backfills: Backfills,
    /// Asks CloudTrail about single keys.
    pub key_trails: KeyTrails,
    /// The responder's two ends. None in watch mode: without them nothing can be asked for, whatever is typed.
    pub responder: Option<Responder>,
    pub clock: Clock,
    /// How far the first load has come.
    pub progress: watch::Receiver<Progress>,
    /// Asks every source again, now.
    pub refresh: Box<dyn Fn() + Send>,
    /// Told which keys are on screen, so that these are read first.
    pub interested: Interested,
    /// Puts text on the clipboard: [`terminal::clipboard`] in production.
    pub clipboard: Clipboard,
}

/// Where questions about one key's trail go, and where the answers come from.
pub struct KeyTrails {
    pub ask: Box<dyn Fn(KeyArn) + Send>,
    pub told: mpsc::UnboundedReceiver<(KeyArn, Seen<Arc<KeyTrail>>)>,
}
/// Told which keys are on screen.
pub type Interested = Box<dyn Fn(&[KeyArn]) + Send>;

/// Puts text on a clipboard.
pub type Clipboard = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

/// The two ends of `respond`'s channels.
pub struct Responder {
    pub ask: mpsc::Sender<Ask>,
    pub told: mpsc::Receiver<Told>,
}

/// What does not change while the console runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// The environment's name, as settings have it.
    pub environment: String,
    pub production: bool,
    pub simulated: bool,
    pub account: Option<String>,
    pub region: String,
    pub mode: Mode,
    /// Who we are, short enough for a header.
    pub identity: Seen<String>,
    pub theme: theme::ThemeName,
    /// Whether `NO_COLOR` forbids another theme than the monochrome one.
    pub no_color: bool,
    pub keymap: keymap::Keymap,
    pub runbooks: Vec<RunbookCard>,
    pub age: AgePolicies,
    /// How long clients may keep decrypted column keys.
    pub column_key_cache: SignedDuration,
    /// Where saved screens and plans go.
    pub save_dir: PathBuf,
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
