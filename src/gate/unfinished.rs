//! Changes whose outcome is not settled: found in the journal, settled by looking.

use std::time::Duration;

use jiff::Timestamp;

use super::outcome::Sight;
use super::record::{Answer, Intent, Proof, Record, Refused, Said, SettledAs, Settlement};
use super::verify::{AGREEING_READS, Look, look_for};
use super::{Gate, ProgressTo};
use crate::journal::{Entry, JournalError};
use crate::model::plan::{Digest, Plan};

/// An intent in the journal without a settled outcome.
#[derive(Clone, Debug, PartialEq)]
pub struct UnfinishedChange {
    /// The sequence number of its `intent` entry.
    pub intent: u64,
    pub plan: Plan,
    pub digest: Digest,
    pub intended_at: Timestamp,
    /// What AWS said to the call: `Some(true)` accepted, `Some(false)` no answer; `None` where the journal
    /// ends before, so that nobody knows whether it was sent.
    pub accepted: Option<bool>,
}

/// What settling found.
#[derive(Clone, Debug, PartialEq)]
pub struct Settled {
    pub settlement: Settlement,
    pub sight: Sight,
    /// The sequence number of the `settled` entry.
    pub seq: u64,
}

impl std::fmt::Display for Settled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.settlement {
            Settlement::Happened => write!(
                f,
                "it happened: {}. Whether by this change or by another hand, CloudTrail will say",
                self.sight
            ),
            Settlement::DoesNotStand => write!(
                f,
                "it does not stand: {}. It never happened, or another hand undid it: CloudTrail will say",
                self.sight
            ),
            Settlement::CannotBeTold => {
                write!(f, "it cannot be told whether it happened: {}. Look again in a minute", self.sight)
            }
        }
    }
}

/// The changes that the entries intend and do not settle, oldest first.
///
/// What settles one: a refusal by the gate or by AWS, a proof, or a look that could tell.
#[must_use]
pub fn unfinished(entries: &[Entry]) -> Vec<UnfinishedChange> {
    let mut open: Vec<UnfinishedChange> = Vec::new();
    for entry in entries {
        if let Some(Intent { plan, digest, .. }) = Intent::of(entry) {
            let (intent, intended_at) = (entry.seq, entry.at);
            open.push(UnfinishedChange { intent, plan, digest, intended_at, accepted: None });
        }
        if let Some(answer) = Answer::of(entry)
            && let Some(change) = open.iter_mut().find(|change| change.intent == answer.intent)
        {
            change.accepted = Some(matches!(answer.said, Said::Accepted { .. }));
        }
        if let Some(settled) = settles(entry) {
            open.retain(|change| change.intent != settled);
        }
    }
    open
}

/// The intent that an entry settles.
fn settles(entry: &Entry) -> Option<u64> {
    if let Some(refused) = Refused::of(entry) {
        return refused.intent;
    }
    if let Some(Answer { intent, said: Said::Refused { .. } }) = Answer::of(entry) {
        return Some(intent);
    }
    if let Some(proof) = Proof::of(entry) {
        return Some(proof.intent);
    }
    SettledAs::of(entry).filter(|s| s.settlement != Settlement::CannotBeTold).map(|s| s.intent)
}

impl Gate {
    /// Goes to look at the key of an unfinished change, and journals what became of it. It never sends the
    /// change again. People who are to be told of it are owed from then on.
    ///
    /// A change takes effect within seconds: one intended just now is watched until it is 45 s old before it
    /// counts as one that does not stand.
    ///
    /// # Errors
    /// Where the journal does not take the entry.
    pub async fn settle(
        &self,
        change: &UnfinishedChange,
        progress: ProgressTo<'_>,
    ) -> Result<Settled, JournalError> {
        let age = self.now().duration_since(change.intended_at);
        let age = Duration::try_from(age).unwrap_or_default();
        let bound = look_for(&change.plan.operation).saturating_sub(age);
        let Look { sight, proved } = self.look(&change.plan, bound, &self.estate.cloud, progress).await;
        let before = change.plan.observed.aspect();
        let unmoved = sight.agreeing >= AGREEING_READS && sight.aspect() == Some(&before);
        let settlement = match (proved, unmoved) {
            (true, _) => Settlement::Happened,
            (false, true) => Settlement::DoesNotStand,
            (false, false) => Settlement::CannotBeTold,
        };
        let entry = self.record(&SettledAs { intent: change.intent, settlement, sight: sight.clone() })?;
        Ok(Settled { settlement, sight, seq: entry.seq })
    }
}
