//! Changes that the journal proves: by the proof written at the time, or by somebody who went to look later.

use jiff::Timestamp;

use super::record::{Intent, Proof, Record as _, SettledAs, Settlement};
use crate::journal::Entry;
use crate::model::plan::Plan;

/// A change that happened, and is proved.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvedChange {
    /// The sequence number of its `intent` entry.
    pub intent: u64,
    pub plan: Plan,
    /// When it was proved: after this, KMS is certain to act on it.
    pub proved_at: Timestamp,
    pub agreeing_reads: u8,
}

/// The changes that the entries prove, in the order in which they were proved.
#[must_use]
pub fn proved(entries: &[Entry]) -> Vec<ProvedChange> {
    let mut changes: Vec<ProvedChange> = Vec::new();
    for entry in entries {
        let shown = Proof::of(entry).map(|proof| (proof.intent, proof.agreeing)).or_else(|| {
            SettledAs::of(entry)
                .filter(|settled| settled.settlement == Settlement::Happened)
                .map(|settled| (settled.intent, settled.sight.agreeing))
        });
        if let Some((intent, agreeing_reads)) = shown
            && !changes.iter().any(|change| change.intent == intent)
            && let Some(plan) = plan_of(entries, intent)
        {
            changes.push(ProvedChange { intent, plan, proved_at: entry.at, agreeing_reads });
        }
    }
    changes
}

fn plan_of(entries: &[Entry], intent: u64) -> Option<Plan> {
    entries.iter().find(|entry| entry.seq == intent).and_then(Intent::of).map(|intent| intent.plan)
}
