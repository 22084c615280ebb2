//! An environment, alive: kept up to date in the background, with a responder where somebody may act.

use std::io;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::console::{Feed, Responder as ConsoleEnds, Sources};
use crate::estate::{Acting, Estate};
use crate::gate::Gate;
use crate::inventory::refresh::{RefreshHandle, Refresher};
use crate::model::pair::Inventory;
use crate::respond::Responder;
use crate::runbook::Library;
use crate::trail::{FollowOptions, Follower, TrailView};

/// What keeps an environment up to date. Dropping it stops the reading.
#[derive(Debug)]
pub struct Live {
    estate: Arc<Estate>,
    inventory: watch::Receiver<Arc<Inventory>>,
    refresh: RefreshHandle,
    follower: Follower,
}

/// Where copied text goes.
pub type Clipboard = Box<dyn FnMut(&str) -> io::Result<()> + Send>;

impl Live {
    /// Starts reading.
    #[must_use]
    pub fn start(estate: &Arc<Estate>) -> Self {
        let (inventory, refresh) = Refresher::spawn(Arc::clone(estate));
        let follower = Follower::spawn(estate, FollowOptions::default());
        Self { estate: Arc::clone(estate), inventory, refresh, follower }
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
        Sources { feeds: vec![self.feed()], responder: None, clock: self.estate.clock.clone(), clipboard }
    }

    /// What a console shows of it.
    #[must_use]
    pub fn feed(&self) -> Feed {
        let refresh = self.refresh.clone();
        Feed { inventory: self.inventory(), trail: self.trail(), refresh: Box::new(move || refresh.now()) }
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
        let Responder { ask, told, task } = Responder::through(gate, acting, self.inventory(), runbooks);
        let sources = Sources { responder: Some(ConsoleEnds { ask, told }), ..self.watch(clipboard) };
        (sources, task)
    }
}
