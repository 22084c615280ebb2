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
use crate::model::key::{KeyState, KmsKey, Manager, Origin};
use crate::model::seen::{NotVisible, Seen};
use crate::model::text::Untrusted;

use super::catalogs::keep_silent_databases;
use super::derived::{cannot_rotate, derive, in_use, only_its_state, own_account_only};
use super::facts::{Book, Fact, Moment};
use super::told::{Told, is_silence};

/// What was found so far.
#[derive(Debug)]
pub(super) struct Findings {
    pub gathered: Gathered,
    /// What column master keys name, and the keys that this leads to.
    named: BTreeSet<KeyPath>,
    led_to: BTreeSet<KeyArn>,
    /// The aliases of each Region's last listing, and the names they give each key.
    listed: BTreeMap<String, BTreeSet<AliasArn>>,
    names: BTreeMap<KeyArn, Vec<Untrusted>>,
    pub(super) books: BTreeMap<KeyArn, Book>,
    /// What moments count from.
    beginning: Instant,
    /// Counts the changes that the rows may depend on: not what only shows in them.
    pub(super) shape: u64,
    /// Key policies: most of an account's are the same text.
    policies: BTreeSet<Untrusted>,
}

/// The new fact; but where only silence came, the one we had.
fn renewed<T>(had: &mut Seen<T>, new: Seen<T>) {
    let keep = matches!((&*had, &new), (Seen::Known(_), Seen::NotVisible(why)) if is_silence(why));
    if !keep {
        *had = new;
    }
}

/// How soon what brought no answer is asked again.
const SILENT_AGAIN: Duration = Duration::from_secs(30);

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
        Self {
            gathered,
            named: BTreeSet::new(),
            led_to: BTreeSet::new(),
            listed: BTreeMap::new(),
            names: BTreeMap::new(),
            books: BTreeMap::new(),
            beginning: Instant::now(),
            shape: 0,
            policies: BTreeSet::new(),
        }
    }

    /// Begins with what was kept from before. All of it wants reading again; where the material in use is
    /// still the same, the rotations are known by it.
    pub(super) fn begin_with(&mut self, kept: Gathered) {
        for (alias, target) in &kept.aliases {
            let Some(target) = target.known().filter(|target| target.account() == alias.account()) else {
                continue;
            };
            self.names.entry(target.clone()).or_default().push(alias.name().into());
            self.listed.entry(alias.region().to_owned()).or_default().insert(alias.clone());
        }
        // What marks a key as one of the estate is in the settings, not in the file.
        let estate = std::mem::take(&mut self.gathered.estate);
        self.gathered = Gathered { estate, ..kept };
        self.reshaped();
        self.name_paths();
    }

    pub(super) fn reshaped(&mut self) {
        self.shape += 1;
    }

    pub(super) fn now(&self) -> Moment {
        Moment::now(self.beginning)
    }

    fn book(&mut self, arn: &KeyArn) -> &mut Book {
        self.books.entry(arn.clone()).or_default()
    }

    fn is_described_within(&self, arn: &KeyArn, age: Duration) -> bool {
        self.books.get(arn).is_some_and(|book| !book.described.is_older(age, self.now()))
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
        self.find_led_to();
        self.reshaped();
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

    /// The keys of a Region whose state is to be read although no list names them: those of ours that a column
    /// master key names, and those known of before, in case the list cannot be had.
    pub(super) fn known_here(&self, region: &str) -> BTreeSet<KeyArn> {
        let known = self.gathered.keys.keys().chain(self.gathered.missing.keys());
        known.chain(self.named_keys()).filter(|arn| self.is_ours_in(arn, region)).cloned().collect()
    }

    fn is_ours_in(&self, arn: &KeyArn, region: &str) -> bool {
        arn.region() == region && self.is_ours(arn)
    }

    /// The keys that column master keys name by their ARN.
    fn named_keys(&self) -> impl Iterator<Item = &KeyArn> {
        self.named.iter().filter_map(|path| match path {
            KeyPath::Key(arn) => Some(arn),
            KeyPath::Alias(_) | KeyPath::Other(_) => None,
        })
    }

    /// Whether a key's state is to be read: AWS's own keys', which nobody here can change, once in a while.
    pub(super) fn wants_state(&self, arn: &KeyArn) -> bool {
        let aws = self.gathered.keys.get(arn).is_some_and(|key| key.manager == Manager::Aws);
        !aws || !self.is_described_within(arn, super::pace::AWS_KEYS)
    }

    /// Forgets what is not in a Region's whole list any more, and no column master key names: it has been
    /// deleted.
    pub(super) fn only_these(&mut self, region: &str, listed: &BTreeSet<KeyArn>) {
        self.reshaped();
        let is_gone = |arn: &&KeyArn| !listed.contains(*arn) && !self.is_named(arn);
        let known = self.known_here(region);
        for gone in known.iter().filter(is_gone).cloned().collect::<Vec<_>>() {
            self.gathered.keys.remove(&gone);
            self.gathered.missing.remove(&gone);
            self.books.remove(&gone);
        }
    }

    /// Whether a Region's keys could be listed.
    pub(super) fn keys_listed(&mut self, region: &str, answer: Result<(), NotVisible>) {
        self.reshaped();
        renewed(self.gathered.keys_listed.entry(region.to_owned()).or_default(), answer.into());
    }

    /// Whether it is among the keys that are known; a key that is listed and was never described is not.
    pub(super) fn is_known(&self, arn: &KeyArn) -> bool {
        self.gathered.keys.contains_key(arn)
    }

    /// `DescribeKey`'s answer for a key. Where the key has changed, some facts want reading again.
    pub(super) fn described(&mut self, arn: &KeyArn, answer: Result<KmsKey, NotVisible>) {
        let now = self.now();
        self.book(arn).described = now;
        match answer {
            Ok(key) => self.saw(key),
            Err(why) if is_silence(&why) && self.gathered.keys.contains_key(arn) => {}
            Err(why) => {
                self.reshaped();
                self.gathered.keys.remove(arn);
                self.gathered.missing.insert(arn.clone(), why);
            }
        }
    }

    fn saw(&mut self, mut key: KmsKey) {
        key.aliases = self.names_of(&key.arn);
        let (now, ours, had) = (self.now(), self.is_ours(&key.arn), self.gathered.keys.get(&key.arn));
        let moved = had.is_some_and(|had| had.state != key.state || had.deletion_date != key.deletion_date);
        self.shape += u64::from(had.is_none());
        if let Some(had) = had {
            key.tags = had.tags.clone();
            key.rotation = had.rotation.clone();
            key.rotations = had.rotations.clone();
            key.grants = had.grants.clone();
            key.policy = had.policy.clone();
            key.last_use = had.last_use.clone();
        }
        derive(&mut key, ours);
        if !self.gathered.regions.contains_key(key.arn.region()) {
            only_its_state(&mut key);
        }
        // Imported material may wait for its rotation without being in use: that shows in the list alone.
        let tells = key.material_id.as_ref().filter(|_| key.origin == Origin::AwsKms);
        let material = tells.map(|id| in_use(&key.rotations) == Some(id.as_str()));
        let book = self.book(&key.arn);
        if moved {
            for fact in [Fact::RotationStatus, Fact::Policy, Fact::Grants] {
                book.stale.add(fact);
            }
        }
        match material {
            Some(true) => book.answered(Fact::Rotations, false, now),
            Some(false) if !book.asked(Fact::Rotations).is_never() => {
                for fact in [Fact::RotationStatus, Fact::Rotations] {
                    book.stale.add(fact);
                }
            }
            Some(false) | None => {}
        }
        self.gathered.missing.remove(&key.arn);
        self.gathered.keys.insert(key.arn.clone(), Arc::new(key));
    }

    /// `DescribeKey`'s answer for an alias that no list of ours has.
    pub(super) fn alias_described(&mut self, alias: &AliasArn, answer: Result<KmsKey, NotVisible>) {
        self.reshaped();
        let had = self.gathered.aliases.entry(alias.clone()).or_default();
        match answer {
            Ok(key) => {
                let arn = key.arn.clone();
                *had = Seen::Known(arn.clone());
                self.described(&arn, Ok(key));
                self.find_led_to();
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
                        !self.is_described_within(arn, super::pace::CATALOG / 2)
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

    /// The multi-Region relatives of a Region's keys that live where the settings name no Region, by theirs; but not
    /// those that were asked for a while ago.
    pub(super) fn relatives_elsewhere(&self, region: &str) -> BTreeMap<String, BTreeSet<KeyArn>> {
        let here = self.gathered.keys.values().filter(|key| key.arn.region() == region);
        let families = here.filter_map(|key| Some((key, key.multi_region.as_ref()?)));
        let relatives = families.flat_map(|(key, family)| family.relatives_of(&key.arn));
        let mut wanted: BTreeMap<String, BTreeSet<KeyArn>> = BTreeMap::new();
        for arn in relatives {
            let read_otherwise = self.gathered.regions.contains_key(arn.region());
            if !read_otherwise && !self.is_described_within(arn, super::pace::CATALOG / 2) {
                wanted.entry(arn.region().to_owned()).or_default().insert(arn.clone());
            }
        }
        wanted
    }

    /// The next keys of a Region to ask for a fact, `most` of them: those that somebody looks at, then the
    /// unusual, then those that column master keys lead to, then our other customer keys. They are under way
    /// from now on, until [`Self::told`].
    pub(super) fn pick(
        &mut self,
        region: &str,
        fact: Fact,
        looked_at: &BTreeSet<KeyArn>,
        most: usize,
    ) -> Vec<KeyArn> {
        let now = self.now();
        let mut wanted: Vec<(u8, KeyArn)> = Vec::new();
        for key in self.gathered.keys.values().filter(|key| key.arn.region() == region) {
            let seen = looked_at.contains(&key.arn);
            if self.wants(key, fact, seen, now) {
                wanted.push((self.rank(key, seen), key.arn.clone()));
            }
        }
        if wanted.len() > most {
            wanted.select_nth_unstable(most);
            wanted.truncate(most);
        }
        wanted.sort_unstable();
        let keys: Vec<KeyArn> = wanted.into_iter().map(|(_, arn)| arn).collect();
        for arn in &keys {
            self.book(arn).under_way.add(fact);
        }
        keys
    }

    fn wants(&self, key: &KmsKey, fact: Fact, looked_at: bool, now: Moment) -> bool {
        if !self.has(key, fact) {
            return false;
        }
        let Some(book) = self.books.get(&key.arn) else { return true };
        let may_be_old = match (book.silent.has(fact), looked_at) {
            (true, _) => SILENT_AGAIN,
            (false, true) => fact.may_be_old_on_screen(),
            (false, false) => fact.may_be_old(),
        };
        !book.under_way.has(fact) && (book.stale.has(fact) || book.asked(fact).is_older(may_be_old, now))
    }

    /// Whether a key's fact is asked for at all: it matters, and cannot be known without.
    fn has(&self, key: &KmsKey, fact: Fact) -> bool {
        let led_to = self.led_to.contains(&key.arn);
        match fact {
            _ if !led_to && key.manager == Manager::Aws => false,
            Fact::RotationStatus => cannot_rotate(key).is_none() && (led_to || self.is_ours(&key.arn)),
            Fact::Rotations => cannot_rotate(key).is_none() && self.is_ours(&key.arn),
            Fact::Tags | Fact::Policy | Fact::Grants | Fact::LastUse => self.is_ours(&key.arn),
        }
    }

    fn rank(&self, key: &KmsKey, looked_at: bool) -> u8 {
        if looked_at {
            0
        } else if key.state != KeyState::Enabled {
            1
        } else if self.led_to.contains(&key.arn) {
            2
        } else {
            3
        }
    }

    /// Gives back a key that was picked and not asked for.
    pub(super) fn put_back(&mut self, arn: &KeyArn, fact: Fact) {
        self.book(arn).under_way.take(fact);
    }

    /// Keys that were asked for their state.
    pub(super) fn described_count(&self) -> usize {
        self.books.values().filter(|book| !book.described.is_never()).count()
    }

    /// How far the Regions have come with what their rows need: keys whose rotations are known, of how many.
    pub(super) fn rotations_known(&self) -> (usize, usize) {
        let asked = self.gathered.keys.values().filter(|key| self.has(key, Fact::Rotations));
        asked.fold((0, 0), |(known, of), key| {
            let book = self.books.get(&key.arn);
            let never = book.is_none_or(|book| book.asked(Fact::Rotations).is_never());
            (known + usize::from(!never), of + 1)
        })
    }

    fn is_led_to(&self, path: &KeyPath) -> Option<KeyArn> {
        match path {
            KeyPath::Key(arn) => Some(arn.clone()),
            KeyPath::Alias(alias) => self.gathered.aliases.get(alias)?.known().cloned(),
            KeyPath::Other(_) => None,
        }
    }

    fn find_led_to(&mut self) {
        self.led_to = self.named.iter().filter_map(|path| self.is_led_to(path)).collect();
    }

    /// The answer to a call for a key's fact.
    pub(super) fn told(&mut self, arn: &KeyArn, told: Told) {
        let (now, fact, silent) = (self.now(), told.fact(), told.silence().is_some());
        self.book(arn).answered(fact, silent, now);
        // A tag may say that a key without column keys is one of the estate: a row says so. Nothing else in the rows
        // hangs on tags.
        let may_mark = !self.gathered.estate.is_empty() && !self.led_to.contains(arn);
        self.shape += u64::from(fact == Fact::Tags && may_mark);
        let told = self.shared(told);
        let Some(key) = self.gathered.keys.get_mut(arn).map(Arc::make_mut) else { return };
        match told {
            Told::RotationStatus(told) => renewed(&mut key.rotation, told),
            Told::Tags(told) => renewed(&mut key.tags, told),
            Told::Rotations(told) => renewed(&mut key.rotations, told),
            Told::Policy(told) => renewed(&mut key.policy, told),
            Told::Grants(told) => renewed(&mut key.grants, told),
            Told::LastUse(told) => renewed(&mut key.last_use, told),
        }
    }

    /// A policy that other keys have too is kept once.
    fn shared(&mut self, told: Told) -> Told {
        let Told::Policy(Seen::Known(policy)) = told else { return told };
        let policy = self.policies.get(&policy).cloned().unwrap_or(policy);
        self.policies.insert(policy.clone());
        Told::Policy(Seen::Known(policy))
    }

    /// The facts that a key has and KMS can be asked for.
    pub(super) fn facts_of(&self, arn: &KeyArn) -> Vec<Fact> {
        let Some(key) = self.gathered.keys.get(arn) else { return Vec::new() };
        let is_ours = self.is_ours(arn);
        let asks = |fact: &Fact| match fact {
            Fact::RotationStatus => cannot_rotate(key).is_none(),
            Fact::Rotations => is_ours && cannot_rotate(key).is_none(),
            Fact::Tags | Fact::Policy | Fact::Grants | Fact::LastUse => is_ours,
        };
        Fact::ALL.into_iter().filter(asks).collect()
    }

    /// Those of these keys whose state is older than it may be.
    pub(super) fn with_old_states(&self, keys: &BTreeSet<KeyArn>, age: Duration) -> Vec<KeyArn> {
        keys.iter().filter(|arn| self.is_known(arn) && !self.is_described_within(arn, age)).cloned().collect()
    }

    /// A server's catalog.
    pub(super) fn catalog_read(&mut self, server: &ServerName, answer: Result<ServerCatalog, NotVisible>) {
        self.reshaped();
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
        self.name_paths();
    }

    /// Notes what column master keys name.
    fn name_paths(&mut self) {
        let catalogs = self.gathered.servers.values().filter_map(Seen::known);
        let objects = catalogs.flat_map(|c| c.databases.iter().filter_map(|d| d.objects.known()));
        self.named = objects.flat_map(|objects| objects.master_keys.iter().map(MasterKey::path)).collect();
        self.find_led_to();
    }

    /// A Region's RDS instances.
    pub(super) fn rds_read(&mut self, region: &str, answer: Result<Vec<RdsInstance>, NotVisible>) {
        renewed(self.gathered.rds.entry(region.to_owned()).or_default(), answer.into());
    }

    /// Lets every fact be read again.
    pub(super) fn forget_ages(&mut self) {
        self.books.values_mut().for_each(Book::forget);
    }
}

/// The key with this id in the account and Region of `alias`.
fn beside(alias: &AliasArn, id: &str) -> Option<KeyArn> {
    let partition = alias.as_str().split(':').nth(1)?;
    format!("arn:{partition}:kms:{}:{}:key/{id}", alias.region(), alias.account()).parse().ok()
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
