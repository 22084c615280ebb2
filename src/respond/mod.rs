//! Drives a run: does what the runbook engine asks, through the gate and the adapters, and reports each step.
//!
//! One task owns an incident's runs, its gate and, through it, its journal. It takes [`view::Ask`]s and tells
//! [`view::Told`]s; whoever shows them (the console, a headless command, a test) needs nothing else.

mod actor;
mod answers;
mod asks;
mod change;
mod checks;
mod circumstance;
mod incidents;
mod key_policy;
mod offers;
mod operation;
mod planning;
mod regions;
mod run;
mod show;
mod standing;
mod steps;
mod target;
#[cfg(test)]
pub(crate) mod tests;
mod trouble;
pub mod view;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::estate::Acting;
use crate::gate::Gate;
use crate::journal::Journal;
use crate::model::pair::Inventory;
use crate::runbook::Library;
use crate::trail::TrailView;
use view::{Ask, Told};

pub use incidents::learn_incidents;

/// How many wishes may wait while the program is at work.
const ASKS: usize = 32;
/// How many messages may wait for a slow reader before they wait in the responder's own queue.
const TELLS: usize = 64;

/// The two ends of a responder, and the task behind them.
#[derive(Debug)]
pub struct Responder {
    pub ask: mpsc::Sender<Ask>,
    pub told: mpsc::Receiver<Told>,
    /// Ends after `ask` is dropped, and not before a change under way is verified: await it before the
    /// process exits, or the change is left to be settled by the next start.
    pub task: JoinHandle<()>,
}

impl Responder {
    /// Starts the responder of an incident, and with it the only gate to its keys.
    ///
    /// At once it tells the whole journal, then what of the incident stands, the true state of unfinished
    /// changes read anew.
    #[must_use]
    pub fn spawn(
        acting: &Acting,
        inventory: watch::Receiver<Arc<Inventory>>,
        runbooks: Library,
        journal: Journal,
    ) -> Self {
        Self::through(Gate::open(acting, journal), acting, inventory, None, runbooks)
    }

    /// The same through a gate that is opened already, such as one that a test observes. A `trail` that is
    /// followed tells previews who used a key; without one CloudTrail is asked about each.
    #[must_use]
    pub fn through(
        gate: Gate,
        acting: &Acting,
        inventory: watch::Receiver<Arc<Inventory>>,
        trail: Option<watch::Receiver<Arc<TrailView>>>,
        runbooks: Library,
    ) -> Self {
        let (ask, asks) = mpsc::channel(ASKS);
        let (tells, mut pending) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::channel(TELLS);
        // A reader that has stopped reading must not hold up a change that is being verified.
        tokio::spawn(async move {
            while let Some(message) = pending.recv().await {
                if tell.send(message).await.is_err() {
                    break;
                }
            }
        });
        let task =
            tokio::spawn(actor::Actor::new(gate, acting, inventory, trail, runbooks, asks, tells).run());
        Self { ask, told, task }
    }
}
