//! An environment, alive: kept up to date in the background, with a responder where somebody may act.

mod circumstances;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use crate::console::terminal::bell;
use crate::console::{Feed, KeyTrails, Responder as ConsoleEnds, Sources};
use crate::estate::{Acting, Estate};
use crate::gate::Gate;
use crate::inventory::kept::Keeper;
use crate::inventory::refresh::{RefreshHandle, Refresher};
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;
use crate::respond::Responder;
use crate::runbook::Library;
use crate::trail::files::Found;
use crate::trail::{FollowOptions, Follower, KeyTrailLimits, TrailView, read_key_trail};
use circumstances::Circumstances;

/// What keeps an environment up to date. Dropping it stops the reading.
#[derive(Debug)]
pub struct Live {
    estate: Arc<Estate>,
    inventory: watch::Receiver<Arc<Inventory>>,
    refresh: RefreshHandle,
    follower: Follower,
    /// Tells the rules what they should know.
    telling: JoinSet<()>,
}

/// How much of one key's trail is read when somebody asks who uses it: six hours, or ten seconds of reading.
const KEY_TRAIL: KeyTrailLimits = KeyTrailLimits { back: SignedDuration::from_hours(6), pages: 20 };

/// Where copied text goes.
pub type Clipboard = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

impl Live {
    /// Starts reading, with what `keeper` kept to show until the sources answer.
    #[must_use]
    pub fn start(estate: &Arc<Estate>, keeper: Option<Keeper>) -> Self {
        Self::start_with(estate, keeper, None)
    }

    /// Starts reading, trail logs in files too.
    #[must_use]
    pub fn start_with(estate: &Arc<Estate>, keeper: Option<Keeper>, files: Option<(String, Found)>) -> Self {
        let (inventory, refresh) = Refresher::spawn(Arc::clone(estate), keeper);
        let options = FollowOptions { capacity: estate.environment.trail.events, ..FollowOptions::default() };
        let follower = Follower::with_files(Some(estate), files, &estate.clock, options);
        let live = Self { estate: Arc::clone(estate), inventory, refresh, follower, telling: JoinSet::new() };
        live.telling_of(None)
    }

    /// The same, its rules told of the incidents that the journals there tell of.
    #[must_use]
    pub fn with_journals(self, state_dir: PathBuf) -> Self {
        self.telling_of(Some(state_dir))
    }

    fn telling_of(mut self, state_dir: Option<PathBuf>) -> Self {
        let circumstances = Circumstances {
            clock: self.estate.clock.clone(),
            environment: self.estate.environment.name.clone(),
            ages: self.estate.environment.age.clone(),
            state_dir,
            inventory: self.inventory(),
            told: self.follower.circumstances(),
        };
        self.telling = JoinSet::new();
        self.telling.spawn(circumstances.keep_telling());
        self
    }

    /// The inventory as it grows.
    #[must_use]
    pub fn inventory(&self) -> watch::Receiver<Arc<Inventory>> {
        self.inventory.clone()
    }

    /// The trail as it grows.
    #[must_use]
    pub fn trail(&self) -> watch::Receiver<Arc<TrailView>> {
        self.follower.views()
    }

    /// What a console needs to watch. Nothing in it can act.
    #[must_use]
    pub fn watch(&self, clipboard: Clipboard) -> Sources {
        Sources {
            feeds: vec![self.feed()],
            responder: None,
            clock: self.estate.clock.clone(),
            clipboard,
            bell: bell(),
        }
    }

    /// What a console shows of it.
    #[must_use]
    pub fn feed(&self) -> Feed {
        let (refresh, looking) = (self.refresh.clone(), self.refresh.clone());
        Feed {
            inventory: self.inventory(),
            trail: self.trail(),
            backfills: self.follower.backfills(),
            progress: self.refresh.progress(),
            key_trails: self.key_trails(),
            refresh: Box::new(move || refresh.now()),
            interested: Box::new(move |keys| looking.interested(keys)),
        }
    }

    /// Asks CloudTrail about single keys, beside the console's task.
    fn key_trails(&self) -> KeyTrails {
        let (tell, told) = mpsc::unbounded_channel();
        let estate = Arc::clone(&self.estate);
        let ask = move |key: KeyArn| {
            let (estate, tell) = (Arc::clone(&estate), tell.clone());
            tokio::spawn(async move {
                let answer = read_key_trail(&estate, &key, KEY_TRAIL).await;
                // A console that is gone wants no answer.
                let _ = tell.send((key, answer.map(Arc::new).into()));
            });
        };
        KeyTrails { ask: Box::new(ask), told }
    }

    /// What a console needs to act through a gate; and the responder's task, to be awaited once the console
    /// is gone, so that a change under way is verified before the process ends.
    #[must_use]
    pub fn respond(
        &self,
        acting: &Acting,
        gate: Gate,
        runbooks: Library,
        clipboard: Clipboard,
    ) -> (Sources, JoinHandle<()>) {
        let Responder { ask, told, task } =
            Responder::through(gate, acting, self.inventory(), Some(self.trail()), runbooks);
        let sources = Sources { responder: Some(ConsoleEnds { ask, told }), ..self.watch(clipboard) };
        (sources, task)
    }
}
