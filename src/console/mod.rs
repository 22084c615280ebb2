//! The terminal: state and update, screens, widgets, keymap, theme.
//!
//! Input, snapshots and a run's reports arrive as [`state::Event`]s on one ordered road; [`state::update`]
//! turns each into [`state::Action`]s; only the runner performs those. Drawing reads the state and nothing else.

pub mod commands;
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

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::model::IncidentId;
use crate::model::age::AgePolicies;
use crate::model::pair::Inventory;
use crate::model::seen::Seen;
use crate::respond::view::{Ask, Told};
use crate::trail::TrailView;

pub use runner::{ConsoleError, run};

/// Where the console's facts come from, and where its wishes go.
pub struct Sources {
    pub inventory: watch::Receiver<Arc<Inventory>>,
    pub trail: watch::Receiver<Arc<TrailView>>,
    /// The responder's two ends. None in watch mode: without them nothing can be asked for, whatever is typed.
    pub responder: Option<Responder>,
    pub clock: Clock,
    /// Asks every source again, now.
    pub refresh: Box<dyn Fn() + Send>,
    /// Puts text on the clipboard: [`terminal::clipboard`] in production.
    pub clipboard: Clipboard,
}

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
    /// The operator's MFA device, where it is a simulated one that the screen can show.
    pub device: Option<PretendDevice>,
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
