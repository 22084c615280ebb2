//! The next Region. A plan covers one key in one Region; a multi-Region key's relatives keep their state and their
//! policy, so that a run which changed one of them offers the same on the next before it ends.

use super::actor::Actor;
use super::standing::run_of;
use super::trouble::Stop;
use super::view::Waiting;
use crate::gate::{self, ProvedChange};
use crate::model::arn::KeyArn;
use crate::model::plan::Operation;
use crate::model::text::visible;
use crate::runbook::Aim;

/// The option that ends the run here.
const ENOUGH: &str = "finish here";

/// A relative on which the runbook can go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub key: KeyArn,
    /// The option that takes it.
    pub option: String,
}

impl Actor {
    /// Ends the run, unless a relative in another Region is left for a person to decide about.
    pub(super) async fn end(&mut self) -> Result<(), Stop> {
        let offered = self.live.as_ref().is_none_or(|live| live.offered);
        if !offered && let Some(offer) = self.next_region().await? {
            let question = format!(
                "This key is a multi-Region key, and what was done covers one Region alone: its relative in {} is as it was. Begin this runbook on it now?",
                visible(offer.key.region())
            );
            let options = vec![offer.option.clone(), ENOUGH.to_owned()];
            if let Some(live) = &mut self.live {
                live.offer = Some(offer);
            }
            return Err(Stop::Waits(Waiting::Choice { question, options }));
        }
        self.finish()
    }

    /// Takes the answer to an offer, where there is one.
    pub(super) async fn take_offer(&mut self, option: &str) -> Option<Result<(), String>> {
        let live = self.live.as_mut()?;
        let offer = live.offer.take()?;
        live.offered = true;
        let (runbook, reason) = (live.runbook.clone(), live.run.started.reason.clone());
        if option != offer.option {
            self.advance().await;
            return Some(Ok(()));
        }
        if let Err(stop) = self.finish() {
            self.stop(stop);
            return Some(Ok(()));
        }
        Some(self.begin(runbook, Aim::Key { key: offer.key }, reason).await)
    }

    /// The first relative that a change of this run could be made on as well, and was not in this incident.
    async fn next_region(&mut self) -> Result<Option<Offer>, Stop> {
        let Some((run, found)) =
            self.live.as_ref().and_then(|live| Some((live.run.id, live.run.found.clone()?)))
        else {
            return Ok(None);
        };
        let entries = self.entries();
        let changes = gate::proved(&entries);
        let last = changes.iter().rfind(|change| {
            change.plan.key == found.key
                && run_of(&entries, change.intent) == Some(run)
                && is_each_regions_own(&change.plan.operation)
        });
        let Some(operation) = last.map(|change| change.plan.operation.clone()) else { return Ok(None) };
        let inventory = self.inventory();
        let family = inventory.keys.get(&found.key).and_then(|key| key.multi_region.clone());
        for relative in family.iter().flat_map(|family| family.relatives_of(&found.key)) {
            if was_made_on(relative, &operation, &changes) {
                continue;
            }
            let key = match self.read_key(relative, "reading the key's relatives in other Regions").await {
                Ok(key) => key,
                Err(Stop::Failed(trouble)) => {
                    let region = visible(relative.region());
                    self.fact(false, format!("the relative in {region} is not covered: {}", trouble.reason));
                    continue;
                }
                Err(stop) => return Err(stop),
            };
            if operation.starts_from().contains(&key.state) {
                let option = format!("go on in {} (it is {})", visible(relative.region()), key.state);
                return Ok(Some(Offer { key: relative.clone(), option }));
            }
            self.fact(true, format!("the relative in {} is {}", visible(relative.region()), key.state));
        }
        Ok(None)
    }
}

/// Whether an operation says anything about a relative: a grant and an instance are one key's only.
fn is_each_regions_own(operation: &Operation) -> bool {
    operation.changes_state()
        || matches!(operation, Operation::DenyPrincipal { .. } | Operation::AllowPrincipal { .. })
}

fn was_made_on(relative: &KeyArn, operation: &Operation, changes: &[ProvedChange]) -> bool {
    let last = changes.iter().rfind(|change| {
        change.plan.key == *relative && change.plan.operation.changes_state() == operation.changes_state()
    });
    last.is_some_and(|change| change.plan.operation == *operation)
}
