//! What was found so far, and how new answers change it. No I/O.
//!
//! A source that gives no answer (timeout, throttling, lost connection) takes nothing away: the last good
//! facts stay, and the source's health says how old they are. A no is an answer: a key that may not be seen
//! any more, or is gone, is told so.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::cloud::AliasEntry;
use crate::inventory::join::Gathered;
use crate::model::arn::{AliasArn, KeyArn, KeyPath};
use crate::model::catalog::{MasterKey, ServerCatalog, ServerName};
use crate::model::dependents::RdsInstance;
use crate::model::key::{Grant, KmsKey, LastUse, Manager, RotationRecord, RotationStatus};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::text::Untrusted;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub gathered: Gathered,
    /// What column master keys name.
    named: BTreeSet<KeyPath>,
    /// The aliases of each Region's last listing, and the names they give each key.
    listed: BTreeMap<String, BTreeSet<AliasArn>>,
    names: BTreeMap<KeyArn, Vec<Untrusted>>,
    ages: BTreeMap<KeyArn, Ages>,
}

/// When what was last asked of a key.
#[derive(Clone, Copy, Debug, Default)]
struct Ages {
    described: Option<Instant>,
    facts: Option<Instant>,
    last_use: Option<Instant>,
}

/// What has calls of its own, but for the last use.
#[derive(Debug)]
pub(super) struct Facts {
    pub rotation: Seen<RotationStatus>,
    pub rotations: Seen<Vec<RotationRecord>>,
    pub tags: Seen<BTreeMap<String, Untrusted>>,
    pub grants: Seen<Vec<Grant>>,
    pub policy: Seen<Untrusted>,
}

/// Whether this is the lack of an answer rather than an answer.
pub(super) fn is_silence(why: &NotVisible) -> bool {
    match why.cause {
        Cause::TimedOut | Cause::Throttled | Cause::Unreachable | Cause::Unreadable => true,
        Cause::Denied | Cause::NotFound | Cause::Unsupported => false,
    }
}

/// The new fact; but where only silence came, the one we had.
fn renewed<T>(had: &mut Seen<T>, new: Seen<T>) {
    let keep = matches!((&*had, &new), (Seen::Known(_), Seen::NotVisible(why)) if is_silence(why));
    if !keep {
        *had = new;
    }
}

/// The fact we had, in the new one's place, where only silence came.
fn renewed_from<T: Clone>(new: &mut Seen<T>, had: &Seen<T>) {
    if had.known().is_some() && new.not_visible().is_some_and(is_silence) {
        *new = had.clone();
    }
}

fn older_than(asked: Option<Instant>, age: Duration) -> bool {
    asked.is_none_or(|asked| asked.elapsed() >= age)
}

impl Findings {
    pub(super) fn new(
        account: Option<String>,
        regions: &[String],
        servers: impl Iterator<Item = ServerName>,
    ) -> Self {
        let gathered = Gathered {
            account,
            regions: regions.iter().map(|region| (region.clone(), Seen::Loading)).collect(),
            keys_listed: regions.iter().map(|region| (region.clone(), Seen::Loading)).collect(),
            rds: regions.iter().map(|region| (region.clone(), Seen::Loading)).collect(),
            servers: servers.map(|server| (server, Seen::Loading)).collect(),
            ..Gathered::default()
        };
        Self { gathered, ..Self::default() }
    }

    /// Whether a key is our account's; taken for granted while ours is not known.
    fn is_ours(&self, arn: &KeyArn) -> bool {
        self.gathered.account.as_ref().is_none_or(|account| account == arn.account())
    }

    fn is_named(&self, arn: &KeyArn) -> bool {
        self.named.contains(&KeyPath::Key(arn.clone()))
            || self.gathered.aliases.iter().any(|(alias, target)| {
                target.known() == Some(arn) && self.named.contains(&KeyPath::Alias(alias.clone()))
            })
    }

    /// A Region's aliases.
    pub(super) fn aliases_listed(&mut self, region: &str, answer: Result<Vec<AliasEntry>, NotVisible>) {
        match answer {
            Err(why) => {
                let state = self.gathered.regions.entry(region.to_owned()).or_default();
                renewed(state, Seen::NotVisible(why));
            }
            Ok(entries) => {
                for old in self.listed.remove(region).unwrap_or_default() {
                    self.gathered.aliases.remove(&old);
                }
                self.names.retain(|arn, _| arn.region() != region);
                for entry in entries {
                    let Some(target) = entry.key_id.as_deref().and_then(|id| beside(&entry.arn, id)) else {
                        continue;
                    };
                    self.names.entry(target.clone()).or_default().push(entry.name);
                    self.listed.entry(region.to_owned()).or_default().insert(entry.arn.clone());
                    self.gathered.aliases.insert(entry.arn, Seen::Known(target));
                }
                self.gathered.regions.insert(region.to_owned(), Seen::Known(()));
            }
        }
        self.name_keys(region);
    }

    /// Gives the Region's keys their names.
    fn name_keys(&mut self, region: &str) {
        let here: Vec<KeyArn> =
            self.gathered.keys.keys().filter(|arn| arn.region() == region).cloned().collect();
        for arn in here {
            let aliases = self.names_of(&arn);
            if let Some(key) = self.gathered.keys.get_mut(&arn).filter(|key| key.aliases != aliases) {
                Arc::make_mut(key).aliases = aliases;
            }
        }
    }

    fn names_of(&self, arn: &KeyArn) -> Seen<Vec<Untrusted>> {
        if !self.is_ours(arn) {
            return Seen::NotVisible(own_account_only());
        }
        match self.gathered.regions.get(arn.region()) {
            Some(Seen::Known(())) => Seen::Known(self.names.get(arn).cloned().unwrap_or_default()),
            Some(Seen::NotVisible(why)) => Seen::NotVisible(why.clone()),
            Some(Seen::Loading) | None => Seen::Loading,
        }
    }

    /// The keys of a Region whose state is to be read: those listed, those known of before where the list
    /// could not be had, and those of ours that a column master key names. AWS's own keys are read once in a while.
    pub(super) fn start_describing(
        &mut self,
        region: &str,
        listed: Result<Vec<KeyArn>, NotVisible>,
    ) -> Vec<KeyArn> {
        let state = self.gathered.keys_listed.entry(region.to_owned()).or_default();
        renewed(state, listed.as_ref().map(|_| ()).map_err(Clone::clone).into());
        let ours_here = |arn: &&KeyArn| arn.region() == region && self.is_ours(arn);
        let named = self.named.iter().filter_map(|path| match path {
            KeyPath::Key(arn) => Some(arn),
            KeyPath::Alias(_) | KeyPath::Other(_) => None,
        });
        let mut wanted: BTreeSet<KeyArn> = named.filter(ours_here).cloned().collect();
        let known: BTreeSet<KeyArn> = self
            .gathered
            .keys
            .keys()
            .chain(self.gathered.missing.keys())
            .filter(ours_here)
            .cloned()
            .collect();
        match listed {
            Ok(listed) => {
                wanted.extend(listed);
                // What is neither listed nor named any more has been deleted.
                for gone in
                    known.difference(&wanted).filter(|arn| !self.is_named(arn)).cloned().collect::<Vec<_>>()
                {
                    self.gathered.keys.remove(&gone);
                    self.gathered.missing.remove(&gone);
                    self.ages.remove(&gone);
                }
                wanted.extend(known.into_iter().filter(|arn| self.gathered.keys.contains_key(arn)));
            }
            Err(_) => wanted.extend(known),
        }
        wanted.retain(|arn| {
            let aws = self.gathered.keys.get(arn).is_some_and(|key| key.manager == Manager::Aws);
            !aws || older_than(self.ages.get(arn).and_then(|ages| ages.described), super::pace::FACTS)
        });
        wanted.into_iter().collect()
    }

    /// `DescribeKey`'s answer for a key. Where the key has changed, its facts want reading again.
    pub(super) fn described(&mut self, arn: &KeyArn, answer: Result<KmsKey, NotVisible>) {
        self.ages.entry(arn.clone()).or_default().described = Some(Instant::now());
        match answer {
            Ok(key) => self.saw(key),
            Err(why) if is_silence(&why) && self.gathered.keys.contains_key(arn) => {}
            Err(why) => {
                self.gathered.keys.remove(arn);
                self.gathered.missing.insert(arn.clone(), why);
            }
        }
    }

    fn saw(&mut self, mut key: KmsKey) {
        key.aliases = self.names_of(&key.arn);
        if let Some(had) = self.gathered.keys.get(&key.arn) {
            if had.state != key.state || had.deletion_date != key.deletion_date {
                self.ages.entry(key.arn.clone()).or_default().facts = None;
            }
            key.tags = had.tags.clone();
            key.rotation = had.rotation.clone();
            key.rotations = had.rotations.clone();
            key.grants = had.grants.clone();
            key.policy = had.policy.clone();
            key.last_use = had.last_use.clone();
        }
        if !self.is_ours(&key.arn) {
            key.last_use = Seen::NotVisible(own_account_only());
        }
        self.gathered.missing.remove(&key.arn);
        self.gathered.keys.insert(key.arn.clone(), Arc::new(key));
    }

    /// `DescribeKey`'s answer for an alias that no list of ours has.
    pub(super) fn alias_described(&mut self, alias: &AliasArn, answer: Result<KmsKey, NotVisible>) {
        let had = self.gathered.aliases.entry(alias.clone()).or_default();
        match answer {
            Ok(key) => {
                *had = Seen::Known(key.arn.clone());
                let arn = key.arn.clone();
                self.described(&arn, Ok(key));
            }
            Err(why) => renewed(had, Seen::NotVisible(why)),
        }
    }

    /// What column master keys name in a Region and no list of ours holds: it has to be asked for by name.
    pub(super) fn to_chase(&self, region: &str) -> Vec<KeyPath> {
        let wanted = |path: &&KeyPath| match path {
            KeyPath::Key(arn) => {
                arn.region() == region
                    && if self.is_ours(arn) {
                        !self.gathered.keys.contains_key(arn) && !self.gathered.missing.contains_key(arn)
                    } else {
                        older_than(
                            self.ages.get(arn).and_then(|ages| ages.described),
                            super::pace::CATALOG / 2,
                        )
                    }
            }
            KeyPath::Alias(alias) => {
                alias.region() == region
                    && !self.listed.get(region).is_some_and(|listed| listed.contains(alias))
            }
            KeyPath::Other(_) => false,
        };
        self.named.iter().filter(wanted).cloned().collect()
    }

    /// The keys of a Region that matter and whose facts are older than they may be: first those that a column
    /// master key names, then our other customer keys.
    pub(super) fn wanting_facts(&self, region: &str, age: Duration) -> Vec<KeyArn> {
        self.wanting(region, |ages| older_than(ages.facts, age))
    }

    /// The same for the last use. KMS tells it within the key's own account.
    pub(super) fn wanting_last_use(&self, region: &str, age: Duration) -> Vec<KeyArn> {
        let mut wanting = self.wanting(region, |ages| older_than(ages.last_use, age));
        wanting.retain(|arn| self.is_ours(arn));
        wanting
    }

    fn wanting(&self, region: &str, wanted: impl Fn(&Ages) -> bool) -> Vec<KeyArn> {
        let here = self.gathered.keys.values().filter(|key| key.arn.region() == region);
        let stale = here.filter(|key| wanted(&self.ages.get(&key.arn).copied().unwrap_or_default()));
        let led_to: BTreeSet<&KeyArn> = self.led_to();
        let (named, others): (Vec<_>, Vec<_>) = stale.partition(|key| led_to.contains(&key.arn));
        let ours = others.into_iter().filter(|key| key.manager != Manager::Aws && self.is_ours(&key.arn));
        named.into_iter().chain(ours).map(|key| key.arn.clone()).collect()
    }

    /// The keys that column master keys lead to.
    fn led_to<'a>(&'a self) -> BTreeSet<&'a KeyArn> {
        let key = |path: &'a KeyPath| match path {
            KeyPath::Key(arn) => Some(arn),
            KeyPath::Alias(alias) => self.gathered.aliases.get(alias)?.known(),
            KeyPath::Other(_) => None,
        };
        self.named.iter().filter_map(key).collect()
    }

    /// A key's facts.
    pub(super) fn facts_read(&mut self, arn: &KeyArn, facts: Facts) {
        self.ages.entry(arn.clone()).or_default().facts = Some(Instant::now());
        let Some(key) = self.gathered.keys.get_mut(arn).map(Arc::make_mut) else { return };
        renewed(&mut key.rotation, facts.rotation);
        renewed(&mut key.rotations, facts.rotations);
        renewed(&mut key.tags, facts.tags);
        renewed(&mut key.grants, facts.grants);
        renewed(&mut key.policy, facts.policy);
    }

    /// A key's last use.
    pub(super) fn last_use_read(&mut self, arn: &KeyArn, answer: Seen<LastUse>) {
        self.ages.entry(arn.clone()).or_default().last_use = Some(Instant::now());
        if let Some(key) = self.gathered.keys.get_mut(arn).map(Arc::make_mut) {
            renewed(&mut key.last_use, answer);
        }
    }

    /// A key that belongs to another account: what KMS tells its own account alone is not asked for.
    pub(super) fn is_foreign(&self, arn: &KeyArn) -> bool {
        !self.is_ours(arn)
    }

    /// A server's catalog.
    pub(super) fn catalog_read(&mut self, server: &ServerName, answer: Result<ServerCatalog, NotVisible>) {
        let had = self.gathered.servers.entry(server.clone()).or_default();
        match answer {
            Ok(mut catalog) => {
                if let Seen::Known(before) = had {
                    keep_silent_databases(before, &mut catalog);
                }
                *had = Seen::Known(Arc::new(catalog));
            }
            Err(why) => {
                // Even a refused login takes away nothing that was read: it says nothing about the keys.
                if had.known().is_none() {
                    *had = Seen::NotVisible(why);
                }
            }
        }
        let catalogs = self.gathered.servers.values().filter_map(Seen::known);
        let objects = catalogs.flat_map(|c| c.databases.iter().filter_map(|d| d.objects.known()));
        self.named = objects.flat_map(|objects| objects.master_keys.iter().map(MasterKey::path)).collect();
    }

    /// A Region's RDS instances.
    pub(super) fn rds_read(&mut self, region: &str, answer: Result<Vec<RdsInstance>, NotVisible>) {
        renewed(self.gathered.rds.entry(region.to_owned()).or_default(), answer.into());
    }

    /// Lets every fact be read again.
    pub(super) fn forget_ages(&mut self) {
        self.ages.clear();
    }
}

/// Why some facts of a key of another account are not asked for.
pub(super) fn own_account_only() -> NotVisible {
    NotVisible::new(Cause::Unsupported, "KMS tells this within the key's own account only")
}

/// The key with this id in the account and Region of `alias`.
fn beside(alias: &AliasArn, id: &str) -> Option<KeyArn> {
    let partition = alias.as_str().split(':').nth(1)?;
    format!("arn:{partition}:kms:{}:{}:key/{id}", alias.region(), alias.account()).parse().ok()
}

/// Databases that gave no answer this time keep what they said before.
fn keep_silent_databases(before: &ServerCatalog, now: &mut ServerCatalog) {
    for database in &mut now.databases {
        if let Some(had) = before.databases.iter().find(|had| had.name == database.name) {
            renewed_from(&mut database.objects, &had.objects);
            renewed_from(&mut database.tde, &had.tde);
        }
    }
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
