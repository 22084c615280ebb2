//! Reads the facts that have calls of their own, a lane for each: none waits for another's quota.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use crate::cloud::{Haste, KmsReads};
use crate::model::arn::KeyArn;
use crate::model::seen::{Cause, NotVisible, Seen};

use super::facts::Fact;
use super::pace::{self, Silences};
use super::told::Told;
use super::work::{Region, Work};

/// When a lane ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Once there is nothing to read, and nothing more can come.
    WhenAllIsRead,
    Never,
}

/// As many keys are picked at once, for each request that can be in flight.
const PICK: usize = 4;

/// Reads one fact of a Region's keys as they come to want it.
pub(super) async fn run(work: Arc<Work>, name: String, fact: Fact, ending: Ending) {
    let Some(region) = work.region(&name) else { return };
    let (mut stirred, mut all_found) = (region.stirred(), work.all_found());
    wait_for_states(region, fact, ending).await;
    region.kms.set_haste(fact.operation(), begins(fact, ending));
    loop {
        stirred.mark_unchanged();
        // Asked before picking: what is found in between is picked.
        let nothing_comes = *all_found.borrow_and_update();
        let silences = empty(&work, &name, region, fact).await;
        match ending {
            Ending::WhenAllIsRead if nothing_comes => return,
            Ending::WhenAllIsRead => tokio::select! {
                _ = stirred.changed() => {}
                _ = all_found.changed() => {}
            },
            Ending::Never => {
                if *region.listed.borrow() {
                    region.kms.set_haste(fact.operation(), Haste::Standing);
                }
                if silences.are_too_many() {
                    tokio::time::sleep(pace::STATES).await;
                }
                tokio::select! {
                    _ = stirred.changed() => {}
                    () = tokio::time::sleep(pace::FACTS) => {}
                }
            }
        }
    }
}

/// Quick facts leave the first seconds to the states. Slow ones are begun with at once: they take so long
/// that each second counts, and so few requests that nothing else is held up.
async fn wait_for_states(region: &Region, fact: Fact, ending: Ending) {
    let waits = match fact {
        Fact::Rotations | Fact::LastUse => false,
        Fact::RotationStatus | Fact::Tags => true,
        Fact::Policy | Fact::Grants => ending == Ending::Never,
    };
    if waits {
        // It cannot fail: the sender is the Region's own.
        let _ = region.listed.subscribe().wait_for(|listed| *listed).await;
    }
}

/// Policies and grants are for the detail and the gate, which ask for those they need: nobody waits for all.
fn begins(fact: Fact, ending: Ending) -> Haste {
    match (fact, ending) {
        (Fact::Policy | Fact::Grants, Ending::Never) => Haste::Standing,
        _ => Haste::Hasty,
    }
}

/// Reads until no key wants the fact, the most wanted first: who that is is looked at again and again, as the
/// screen moves.
async fn empty(work: &Work, name: &str, region: &Region, fact: Fact) -> Silences {
    let mut looked_at = work.looked_at();
    let (mut waiting, mut in_flight) = (VecDeque::new(), FuturesUnordered::new());
    let mut silences = Silences::default();
    let mut silence = None;
    loop {
        if waiting.is_empty() || looked_at.has_changed().unwrap_or(false) {
            let seen = looked_at.borrow_and_update().clone();
            let most = fact.in_flight() * PICK;
            waiting = work.with(|findings| {
                waiting.drain(..).for_each(|key| findings.put_back(&key, fact));
                findings.pick(name, fact, &seen, most).into()
            });
        }
        while in_flight.len() < fact.in_flight()
            && !silences.are_too_many()
            && let Some(key) = waiting.pop_front()
        {
            in_flight.push(ask(&region.kms, fact, key));
        }
        let Some((key, told)) = in_flight.next().await else { break };
        silences.note(told.silence().is_some());
        silence = told.silence().cloned().or(silence);
        work.found(|findings| findings.told(&key, told));
    }
    // The Region does not answer: what was not asked is as silent as the rest.
    if let Some(why) = silence.filter(|_| silences.are_too_many()) {
        work.found(|findings| {
            let seen = looked_at.borrow().clone();
            waiting.extend(findings.pick(name, fact, &seen, usize::MAX));
            for key in &waiting {
                findings.told(key, Told::silent(fact, why.clone()));
            }
        });
    }
    silences
}

async fn ask(kms: &KmsReads, fact: Fact, key: KeyArn) -> (KeyArn, Told) {
    let told = told(kms, fact, &key).await;
    (key, told)
}

/// Asks KMS for a fact.
async fn told(kms: &KmsReads, fact: Fact, key: &KeyArn) -> Told {
    match fact {
        Fact::RotationStatus => Told::RotationStatus(kms.rotation_status(key).await.into()),
        Fact::Tags => Told::Tags(kms.tags(key).await.into()),
        Fact::Rotations => Told::Rotations(match kms.rotations(key).await {
            // KMS cannot rotate such a key: its material is as old as the key.
            Err(failure) if failure.cause == Cause::Unsupported => Seen::Known(Vec::new()),
            answer => answer.into(),
        }),
        Fact::Policy => Told::Policy(kms.policy(key).await.into()),
        Fact::Grants => Told::Grants(kms.grants(key).await.into()),
        Fact::LastUse => Told::LastUse(kms.last_usage(key).await.into()),
    }
}

/// Reads one key now: its state, then all its facts.
pub(super) async fn read_key(work: &Work, key: &KeyArn) {
    let Some(region) = work.region(key.region()) else { return };
    let answer = region.kms.describe(key.as_str()).await.map_err(NotVisible::from);
    work.found(|findings| findings.described(key, answer));
    let facts = work.with(|findings| findings.facts_of(key));
    let asking = facts.into_iter().map(|fact| async move {
        let told = told(&region.kms, fact, key).await;
        work.found(|findings| findings.told(key, told));
    });
    Box::pin(join_all(asking)).await;
}
