//! What of an incident stands, told from its journal alone.

use std::collections::BTreeMap;

use jiff::SignedDuration;

use super::view::{Standing, StandingChange, Unfinished};
use crate::gate::{self, ProvedChange};
use crate::journal::Entry;
use crate::model::dependents::exposed_until;
use crate::runbook::{Outcome, RunRecord, RunStarted};

/// Verified drops not raised again, changes not settled, and what is owed. `sights` are the true states of
/// unfinished changes, by intent, as read since.
pub(super) fn standing(
    entries: &[Entry],
    column_key_cache: SignedDuration,
    sights: &BTreeMap<u64, String>,
) -> Standing {
    let unfinished = gate::unfinished(entries).into_iter().map(|change| Unfinished {
        // A change belongs to a run; were its records lost, 0 is refused by name when it is asked for.
        run: run_of(entries, change.intent).unwrap_or_default(),
        key_name: change.plan.key_name.clone(),
        operation: change.plan.operation.clone(),
        intended_at: change.intended_at,
        now: sights.get(&change.intent).cloned().unwrap_or_else(|| "not read yet".to_owned()),
        answered: change.accepted == Some(true),
    });
    Standing {
        changes: standing_changes(entries).iter().map(|drop| told(drop, entries, column_key_cache)).collect(),
        unfinished: unfinished.collect(),
        owed: gate::owed(entries).iter().map(ToString::to_string).collect(),
    }
}

/// The changes that stand: nothing has taken them back since.
fn standing_changes(entries: &[Entry]) -> Vec<ProvedChange> {
    let mut standing: Vec<ProvedChange> = Vec::new();
    for change in gate::proved(entries) {
        let (key, operation) = (&change.plan.key, &change.plan.operation);
        standing.retain(|earlier| earlier.plan.key != *key || !operation.lifts(&earlier.plan.operation));
        if operation.stands() {
            standing.push(change);
        }
    }
    standing.sort_by_key(|change| change.intent);
    standing
}

fn told(drop: &ProvedChange, entries: &[Entry], column_key_cache: SignedDuration) -> StandingChange {
    StandingChange {
        key: drop.plan.key.clone(),
        key_name: drop.plan.key_name.clone(),
        operation: drop.plan.operation.clone(),
        at: drop.proved_at,
        agreeing_reads: drop.agreeing_reads,
        exposed_until: (!clients_restarted(drop, entries))
            .then(|| exposed_until(drop.proved_at, column_key_cache)),
    }
}

/// Whether somebody attested, after the drop and in a run on its key, that the clients were restarted.
fn clients_restarted(drop: &ProvedChange, entries: &[Entry]) -> bool {
    let mut on_this_key = Vec::new();
    for entry in entries {
        match RunRecord::of(entry) {
            Some(Ok(RunRecord::TargetFound(target))) if target.found.key == drop.plan.key => {
                on_this_key.push(target.run);
            }
            Some(Ok(RunRecord::StepDone(done)))
                if entry.seq > drop.intent
                    && on_this_key.contains(&done.run)
                    && matches!(done.outcome, Outcome::ClientsRestarted { .. }) =>
            {
                return true;
            }
            _ => {}
        }
    }
    false
}

/// The run that was under way when entry `seq` was written. Runs of an incident never overlap: one responder
/// holds its journal, and it drives one run at a time.
pub(super) fn run_of(entries: &[Entry], seq: u64) -> Option<u64> {
    let before = entries.iter().rev().skip_while(|entry| entry.seq >= seq);
    before
        .filter_map(|entry| Some((entry.seq, RunRecord::of(entry)?.ok()?)))
        .find_map(|(seq, record)| record.run(seq))
}

/// How a run began.
pub(super) fn started(entries: &[Entry], run: u64) -> Option<RunStarted> {
    let entry = entries.iter().find(|entry| entry.seq == run)?;
    match RunRecord::of(entry) {
        Some(Ok(RunRecord::RunStarted(started))) => Some(started),
        _ => None,
    }
}

/// The last proved change of the incident, and how its run began: what an undo takes back.
pub(super) fn last_change(entries: &[Entry]) -> Option<(ProvedChange, RunStarted)> {
    let change = gate::proved(entries).pop()?;
    let started = started(entries, run_of(entries, change.intent)?)?;
    Some((change, started))
}
