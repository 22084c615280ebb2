//! What the journals on this machine tell of an environment's incidents, for rules to judge events by.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use crate::detect::{Context, Held, Incident};
use crate::gate;
use crate::journal::{self, Entry, JournalError};
use crate::model::IncidentId;
use crate::model::arn::KeyArn;
use crate::model::plan::Operation;

/// An incident counts as open while it holds a key down, and so long after the last that was written of it.
const QUIET: SignedDuration = SignedDuration::from_hours(24);

/// Puts into `context` which incidents were open when, and which keys they hold down.
///
/// # Errors
/// Where the folder or a journal cannot be read; `context` is as it was then.
pub fn learn_incidents(
    context: &mut Context,
    state_dir: &Path,
    environment: &str,
) -> Result<(), JournalError> {
    let (mut incidents, mut held) = (Vec::new(), Vec::new());
    for listed in journal::list(state_dir, environment)? {
        let entries = journal::read(&listed.path)?.entries;
        let holds = holds(&listed.incident, &entries);
        incidents.extend(incident(&listed.incident, &entries, &holds));
        held.extend(holds);
    }
    context.incidents = incidents;
    context.held = held;
    Ok(())
}

fn incident(id: &IncidentId, entries: &[Entry], holds: &[Held]) -> Option<Incident> {
    let (first, last) = (entries.first()?, entries.last()?);
    let is_holding = holds.iter().any(|held| held.until.is_none());
    let until = (!is_holding).then(|| last.at.checked_add(QUIET).unwrap_or(Timestamp::MAX));
    Some(Incident { id: id.to_string(), from: first.at, until })
}

/// From each proved drop until a recovery of the same key was intended.
fn holds(incident: &IncidentId, entries: &[Entry]) -> Vec<Held> {
    let mut holds: Vec<Held> = Vec::new();
    let mut down: BTreeMap<KeyArn, usize> = BTreeMap::new();
    for change in gate::proved(entries) {
        let key = change.plan.key.clone();
        if change.plan.operation == Operation::DisableKey {
            down.entry(key.clone()).or_insert_with(|| {
                let incident = incident.to_string();
                holds.push(Held { key, incident, from: change.proved_at, until: None });
                holds.len() - 1
            });
        } else if let Some(place) = down.remove(&key) {
            let intended = entries.iter().find(|entry| entry.seq == change.intent);
            holds[place].until = intended.map(|entry| entry.at).or(Some(change.proved_at));
        }
    }
    holds
}
