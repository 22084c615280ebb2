//! Reads KMS: states first, then facts, then last use.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use crate::model::arn::{KeyArn, KeyPath};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::source::Source;

use super::findings::{Facts, Findings, is_silence, own_account_only};
use super::pace::{self, Rest};
use super::work::{Region, Work};

/// Reads a Region's states again and again.
pub(super) async fn keep_states(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    let (mut rest, mut again) = (Rest::of(pace::STATES), work.again());
    loop {
        again.mark_unchanged();
        let (went_well, keys) = read_states(&work, &name, region).await;
        pace::rest(rest.after(went_well, keys), &mut again).await;
    }
}

/// Reads facts as keys come to want them.
pub(super) async fn keep_facts(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    loop {
        region.facts_wanted.notified().await;
        read_facts(&work, &name, region).await;
    }
}

/// Reads when keys were last used, slowly.
pub(super) async fn keep_last_use(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    listed(region).await;
    let mut again = work.again();
    loop {
        again.mark_unchanged();
        read_last_use(&work, &name, region).await;
        pace::rest(pace::STATES, &mut again).await;
    }
}

/// Reads a Region once, whole.
pub(super) async fn load(work: Arc<Work>, name: String) {
    let Some(region) = work.region(&name) else { return };
    read_states(&work, &name, region).await;
    tokio::join!(read_facts(&work, &name, region), read_last_use(&work, &name, region));
}

/// Reads the facts that are still wanted.
pub(super) async fn load_facts(work: &Arc<Work>, name: &str) {
    let Some(region) = work.region(name) else { return };
    tokio::join!(read_facts(work, name, region), read_last_use(work, name, region));
}

/// Waits until a Region's keys have been listed once.
async fn listed(region: &Region) {
    // It cannot fail: the sender is the Region's own.
    let _ = region.listed.subscribe().wait_for(|listed| *listed).await;
}

/// Lists a Region's keys and aliases and reads every key's state. Says whether KMS answered in full, and how
/// many keys there were.
async fn read_states(work: &Work, name: &str, region: &Region) -> (bool, usize) {
    let (aliases, keys) = tokio::join!(region.kms.list_aliases(), region.kms.list_keys());
    let aliases = aliases.map_err(NotVisible::from);
    let keys = keys.map_err(NotVisible::from);
    let mut trouble = aliases.as_ref().err().or(keys.as_ref().err()).cloned();
    let keys = work.with(|findings| {
        findings.aliases_listed(name, aliases);
        findings.start_describing(name, keys)
    });
    let of = keys.len();
    work.tell(|| format!("KMS {name}: keys"), 0, of);
    let answers = stream::iter(keys).map(|key| describe(work, region, key));
    let mut answers = answers.buffer_unordered(pace::DESCRIBES_IN_FLIGHT).enumerate();
    while let Some((done, silence)) = answers.next().await {
        work.tell(|| format!("KMS {name}: keys"), done + 1, of);
        trouble = trouble.or(silence);
    }
    region.listed.send_replace(true);
    region.facts_wanted.notify_one();
    (work.health(Source::Kms(name.to_owned()), trouble), of)
}

/// Reads one key's state. Gives the reason where KMS gave no answer at all.
async fn describe(work: &Work, region: &Region, key: KeyArn) -> Option<NotVisible> {
    region.describes.turn().await;
    let answer = region.kms.describe(key.as_str()).await.map_err(NotVisible::from);
    let silence = answer.as_ref().err().filter(|why| is_silence(why)).cloned();
    work.found(|findings| findings.described(&key, answer));
    silence
}

/// Asks by name for what column master keys name and no list of ours holds: keys of other accounts, aliases
/// of theirs, and what is gone.
pub(super) async fn chase(work: &Work) {
    for name in work.region_names() {
        let Some(region) = work.region(&name) else { continue };
        listed(region).await;
        for path in work.with(|findings| findings.to_chase(&name)) {
            region.describes.turn().await;
            match path {
                KeyPath::Key(arn) => {
                    let answer = region.kms.describe(arn.as_str()).await.map_err(NotVisible::from);
                    work.found(|findings| findings.described(&arn, answer));
                }
                KeyPath::Alias(alias) => {
                    let answer = region.kms.describe(alias.as_str()).await.map_err(NotVisible::from);
                    work.found(|findings| findings.alias_described(&alias, answer));
                }
                KeyPath::Other(_) => {}
            }
        }
        region.facts_wanted.notify_one();
    }
}

/// Reads the facts of every key of a Region whose facts are too old.
async fn read_facts(work: &Work, name: &str, region: &Region) {
    let keys = work.with(|findings| findings.wanting_facts(name, pace::FACTS));
    let of = keys.len();
    let reading = stream::iter(keys).map(|key| async move {
        region.facts.turn().await;
        Box::pin(key_facts(work, region, &key)).await;
    });
    let mut reading = reading.buffer_unordered(pace::FACTS_IN_FLIGHT).enumerate();
    while let Some((done, ())) = reading.next().await {
        work.tell(|| format!("KMS {name}: rotation, grants, policy"), done + 1, of);
    }
}

async fn key_facts(work: &Work, region: &Region, key: &KeyArn) {
    let kms = &region.kms;
    let facts = if work.with(|findings| findings.is_foreign(key)) {
        let hidden = own_account_only();
        Facts {
            rotation: kms.rotation_status(key).await.into(),
            rotations: Seen::NotVisible(hidden.clone()),
            tags: Seen::NotVisible(hidden.clone()),
            grants: Seen::NotVisible(hidden.clone()),
            policy: Seen::NotVisible(hidden),
        }
    } else {
        let (rotation, rotations, tags, grants, policy) = tokio::join!(
            kms.rotation_status(key),
            kms.rotations(key),
            kms.tags(key),
            kms.grants(key),
            kms.policy(key),
        );
        let rotations = match rotations {
            // KMS cannot rotate such a key: its material is as old as the key.
            Err(failure) if failure.cause == Cause::Unsupported => Seen::Known(Vec::new()),
            answer => answer.into(),
        };
        Facts {
            rotation: rotation.into(),
            rotations,
            tags: tags.into(),
            grants: grants.into(),
            policy: policy.into(),
        }
    };
    work.found(|findings: &mut Findings| findings.facts_read(key, facts));
}

/// Reads the last use of every key of a Region of which it is too old.
async fn read_last_use(work: &Work, name: &str, region: &Region) {
    let keys = work.with(|findings| findings.wanting_last_use(name, pace::LAST_USE));
    for (done, key) in keys.iter().enumerate() {
        region.last_use.turn().await;
        let answer = region.kms.last_usage(key).await.into();
        work.found(|findings| findings.last_use_read(key, answer));
        work.tell(|| format!("KMS {name}: last use"), done + 1, keys.len());
    }
}

/// Reads one key now: its state, its facts, its last use.
pub(super) async fn read_key(work: &Work, key: &KeyArn) {
    let Some(region) = work.region(key.region()) else { return };
    let answer = region.kms.describe(key.as_str()).await.map_err(NotVisible::from);
    let visible = answer.is_ok();
    work.found(|findings| findings.described(key, answer));
    if visible {
        Box::pin(key_facts(work, region, key)).await;
        if !work.with(|findings| findings.is_foreign(key)) {
            let answer = region.kms.last_usage(key).await.into();
            work.found(|findings| findings.last_use_read(key, answer));
        }
    }
}
