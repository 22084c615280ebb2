//! Keeps the rules told of what is known beside the events: the inventory, and the incidents that journals on this
//! machine tell of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::detect::Context;
use crate::model::age::AgePolicies;
use crate::model::pair::Inventory;
use crate::respond::learn_incidents;

/// How often journals are read again: another console may write one.
const JOURNALS_EVERY: Duration = Duration::from_secs(15);

/// What is to be told, and where from.
pub(super) struct Circumstances {
    pub(super) clock: Clock,
    pub(super) environment: String,
    /// How old its keys may be.
    pub(super) ages: AgePolicies,
    /// None: no journals are read.
    pub(super) state_dir: Option<PathBuf>,
    pub(super) inventory: watch::Receiver<Arc<Inventory>>,
    pub(super) told: watch::Sender<Context>,
}

impl Circumstances {
    /// Goes on until nobody keeps the inventory any more.
    pub(super) async fn keep_telling(mut self) {
        let mut beat = tokio::time::interval(JOURNALS_EVERY);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                changed = self.inventory.changed() => if changed.is_err() { return },
                _ = beat.tick() => {}
            }
            let mut context = self.told.borrow().clone();
            context.learn_inventory(&self.inventory.borrow_and_update(), &self.ages, self.clock.now());
            if let Some(state_dir) = &self.state_dir
                && let Err(error) = learn_incidents(&mut context, state_dir, &self.environment)
            {
                tracing::warn!(%error, "incidents are not known to the rules");
            }
            self.told.send_if_modified(|before| {
                let is_news = *before != context;
                *before = context;
                is_news
            });
        }
    }
}
