//! Where key paths lead.

use std::collections::HashMap;

use crate::model::arn::{AliasArn, KeyArn, KeyPath};
use crate::model::catalog::Envelope;
use crate::model::pair::{KeyLink, KeyPlace, unwatched};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::text::Untrusted;

use super::join::Gathered;

/// Follows key paths through what was gathered.
pub(super) struct Links<'a> {
    gathered: &'a Gathered,
    /// Envelopes hold their path in lower case, so an alias in one may be any of those that differ by case.
    lower_aliases: HashMap<String, Vec<&'a Seen<KeyArn>>>,
}

/// The keys that a path may stand for.
enum Names<'a> {
    Keys(Vec<&'a KeyArn>),
    /// It names none that KMS has.
    Nothing,
    /// It cannot be told (yet).
    CannotTell,
}

impl<'a> Links<'a> {
    pub(super) fn of(gathered: &'a Gathered) -> Self {
        let mut lower_aliases: HashMap<String, Vec<&Seen<KeyArn>>> = HashMap::new();
        for (alias, target) in &gathered.aliases {
            lower_aliases.entry(alias.as_str().to_lowercase()).or_default().push(target);
        }
        Self { gathered, lower_aliases }
    }

    /// Where a column master key's path leads.
    pub(super) fn follow(&self, path: &Untrusted) -> KeyLink {
        match KeyPath::read(path.raw()) {
            KeyPath::Other(_) => KeyLink::NotKms,
            KeyPath::Key(arn) => self.to_key(&arn, arn.as_str()),
            KeyPath::Alias(alias) => self.through(alias),
        }
    }

    /// What is out of the ordinary about where a key path's key is, seen or not.
    pub(super) fn place(&self, path: &Untrusted) -> KeyPlace {
        let (account, region) = match &KeyPath::read(path.raw()) {
            KeyPath::Other(_) => return KeyPlace::default(),
            KeyPath::Key(arn) => (arn.account().to_owned(), arn.region().to_owned()),
            KeyPath::Alias(alias) => (alias.account().to_owned(), alias.region().to_owned()),
        };
        KeyPlace {
            foreign: self.gathered.account.as_ref().is_some_and(|ours| *ours != account),
            unwatched: !self.gathered.regions.contains_key(&region),
        }
    }

    fn through(&self, alias: AliasArn) -> KeyLink {
        match self.gathered.aliases.get(&alias) {
            Some(Seen::Known(key)) => match self.to_key(key, alias.as_str()) {
                KeyLink::Key { arn } => KeyLink::ThroughAlias { alias, arn },
                elsewhere => elsewhere,
            },
            Some(Seen::NotVisible(why)) => {
                self.unseen(alias.as_str(), alias.account(), alias.region(), Some(why))
            }
            Some(Seen::Loading) | None => self.unseen(alias.as_str(), alias.account(), alias.region(), None),
        }
    }

    fn to_key(&self, arn: &KeyArn, path: &str) -> KeyLink {
        // The key's own ARN: its text is there already.
        if let Some((known, _)) = self.gathered.keys.get_key_value(arn) {
            return KeyLink::Key { arn: known.clone() };
        }
        self.unseen(path, arn.account(), arn.region(), self.gathered.missing.get(arn))
    }

    /// A path whose key is not there: gone, hidden, or not asked for yet.
    fn unseen(&self, path: &str, account: &str, region: &str, why: Option<&NotVisible>) -> KeyLink {
        let path = path.to_owned();
        let foreign = self.gathered.account.as_ref().is_some_and(|ours| ours != account);
        match why {
            Some(why) if why.cause == Cause::NotFound => KeyLink::Gone { path },
            Some(why) if foreign => {
                let reason = format!(
                    "the key belongs to account {account}, which has to let us see it: {}",
                    why.reason
                );
                KeyLink::NotVisible { path, why: NotVisible::new(why.cause, reason) }
            }
            Some(why) => KeyLink::NotVisible { path, why: why.clone() },
            None if !self.gathered.regions.contains_key(region) => {
                KeyLink::NotVisible { path, why: NotVisible::new(Cause::Unreachable, unwatched(region)) }
            }
            None => KeyLink::Loading { path },
        }
    }

    /// Whether an envelope names another key than its column master key does. Said only where it is certain:
    /// not while aliases load or where they may not be listed.
    pub(super) fn disagree(&self, key_path: &Untrusted, envelope: &Envelope) -> bool {
        let Envelope::Common { key_path: inner, .. } = envelope else { return false };
        let (outer, inner) = (key_path.raw().trim().to_lowercase(), inner.raw().trim().to_lowercase());
        if outer == inner {
            return false;
        }
        let (outer, inner) = (KeyPath::read(&outer), KeyPath::read(&inner));
        match (self.names(&outer), self.names(&inner)) {
            (Names::CannotTell, _) | (_, Names::CannotTell) => false,
            (Names::Keys(a), Names::Keys(b)) => !a.iter().any(|key| b.contains(key)),
            _ => true,
        }
    }

    /// The keys that a path in lower case may stand for.
    fn names<'b>(&'b self, path: &'b KeyPath) -> Names<'b> {
        match path {
            KeyPath::Other(_) => Names::Nothing,
            KeyPath::Key(arn) => Names::Keys(vec![arn]),
            KeyPath::Alias(alias) => match self.lower_aliases.get(alias.as_str()) {
                Some(targets) if targets.iter().any(|t| t.known().is_none()) => Names::CannotTell,
                Some(targets) => Names::Keys(targets.iter().filter_map(|t| t.known()).collect()),
                None if self.all_aliases_known(alias) => Names::Nothing,
                None => Names::CannotTell,
            },
        }
    }

    fn all_aliases_known(&self, alias: &AliasArn) -> bool {
        self.gathered.account.as_deref() == Some(alias.account())
            && self.gathered.regions.get(alias.region()).is_some_and(|listed| listed.known().is_some())
    }
}
