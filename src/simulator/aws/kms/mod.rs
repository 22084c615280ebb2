//! KMS: keys, their state table, rotation, grants, policies, real AES-GCM.

mod aliases;
mod crypto;
mod desk;
mod grants;
pub mod key;
mod lifecycle;
pub mod material;
mod metadata;
pub mod operations;
mod paging;
mod policies;
mod read;
mod rotation;
mod settle;
pub mod state;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rand::rngs::StdRng;

use super::ServiceEvent;
pub(in crate::simulator) use key::random_uuid;
use key::{Key, KeySpecification, RotationType};

/// Every key of the account, and of the foreign accounts that it deals with, in every Region.
#[derive(Debug, Default)]
pub struct Kms {
    keys: BTreeMap<KeyRef, Key>,
    aliases: BTreeMap<AliasRef, Alias>,
    /// The names of the aliases that point at each key.
    names: BTreeMap<KeyRef, BTreeSet<String>>,
    /// Until when no key does anything by itself; `None` once a key has changed since that was worked out.
    quiet_until: Option<Timestamp>,
    /// What KMS did by itself and nobody has been told yet.
    events: Vec<ServiceEvent>,
}

/// A key's place: multi-Region keys share their id, so the Region is part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRef {
    pub region: String,
    pub id: String,
}

/// An alias's place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AliasRef {
    pub region: String,
    pub account: String,
    /// With its `alias/`.
    pub name: String,
}

/// What an alias points at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The id of a key in the same account and Region; `None` for a predefined AWS alias not used yet.
    pub target: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Kms {
    /// Makes a key; its id and material come from `rng`.
    pub fn create(&mut self, specification: KeySpecification, rng: &mut StdRng) -> &mut Key {
        let key = Key::new(specification, rng);
        self.insert(key)
    }

    fn insert(&mut self, key: Key) -> &mut Key {
        let place = Self::place(&key);
        self.quiet_until = None;
        self.keys.entry(place).insert_entry(key).into_mut()
    }

    /// Replicates a multi-Region primary to another Region, sharing id and materials; `None` if there is
    /// no such primary.
    pub fn replicate(&mut self, region: &str, id: &str, to: &str, at: Timestamp) -> Option<&mut Key> {
        let primary = self.key_mut(region, id)?;
        primary.multi_region.as_mut()?.replica_regions.push(to.to_owned());
        let replica = primary.replica(to, at);
        let family = replica.multi_region.clone();
        for key in self.keys.values_mut().filter(|key| key.id == id) {
            key.multi_region.clone_from(&family);
        }
        Some(self.insert(replica))
    }

    /// A key by Region and id.
    #[must_use]
    pub fn key(&self, region: &str, id: &str) -> Option<&Key> {
        self.keys.get(&KeyRef { region: region.to_owned(), id: id.to_owned() })
    }

    /// A key by Region and id, to change the truth behind everybody's back.
    pub fn key_mut(&mut self, region: &str, id: &str) -> Option<&mut Key> {
        self.quiet_until = None;
        self.keys.get_mut(&KeyRef { region: region.to_owned(), id: id.to_owned() })
    }

    /// Every key, by Region and then id.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.values()
    }

    /// Every alias with what it points at, by Region, account and name.
    pub fn aliases(&self) -> impl Iterator<Item = (&AliasRef, &Alias)> {
        self.aliases.iter()
    }

    /// Points an alias (with its `alias/`) at a key of that account and Region, made if need be.
    pub fn add_alias(&mut self, region: &str, account: &str, name: &str, key_id: &str, at: Timestamp) {
        let place =
            AliasRef { region: region.to_owned(), account: account.to_owned(), name: name.to_owned() };
        let alias = self.aliases.entry(place).or_insert(Alias { target: None, created: at, updated: at });
        let before = alias.target.replace(key_id.to_owned());
        alias.updated = at;
        self.unname(region, before, name);
        let key = KeyRef { region: region.to_owned(), id: key_id.to_owned() };
        self.names.entry(key).or_default().insert(name.to_owned());
    }

    fn remove_alias(&mut self, place: &AliasRef) {
        if let Some(alias) = self.aliases.remove(place) {
            self.unname(&place.region, alias.target, &place.name);
        }
    }

    fn unname(&mut self, region: &str, id: Option<String>, name: &str) {
        let Some(id) = id else { return };
        if let Some(names) = self.names.get_mut(&KeyRef { region: region.to_owned(), id }) {
            names.remove(name);
        }
    }

    /// Rotates a key to fresh material, and its whole multi-Region family with it.
    pub fn rotate(&mut self, region: &str, id: &str, at: Timestamp, kind: RotationType, rng: &mut StdRng) {
        let material = material::Material::new(rng);
        let family = self.key(region, id).is_some_and(|key| key.multi_region.is_some());
        self.quiet_until = None;
        for key in self.keys.values_mut().filter(|key| key.id == id && (family || key.region == region)) {
            self.events.push(settle::rotated(key, &material, at, kind));
            key.rotate_to(material.clone(), at, kind);
        }
    }

    fn place(key: &Key) -> KeyRef {
        KeyRef { region: key.region.clone(), id: key.id.clone() }
    }
}
