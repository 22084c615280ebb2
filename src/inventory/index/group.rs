//! What rows of one CMK (or one row without a CMK) have in common.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;

use crate::inventory::present::{StateKind, row_state};
use crate::inventory::traits::Traits;
use crate::model::age::{AgePolicies, RotationAge};
use crate::model::key::{AutomaticRotation, KmsKey};
use crate::model::pair::{DatabaseRef, Inventory, Row};
use crate::model::rotation::{NextRotation, Rotation, RotationKind};
use crate::model::seen::Seen;
use crate::model::text::{Untrusted, visible};

use super::texts::Texts;
use crate::filter::BETWEEN;

/// Texts that many groups share.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    pub states: Texts,
    pub databases: Texts,
    pub servers: Texts,
    pub regions: Texts,
    pub accounts: Texts,
    pub kinds: Texts,
    /// A key's tags, `name=value` each.
    pub tags: Texts,
}

impl Shared {
    pub fn rank(&mut self) {
        for texts in [
            &mut self.states,
            &mut self.databases,
            &mut self.servers,
            &mut self.regions,
            &mut self.accounts,
            &mut self.kinds,
            &mut self.tags,
        ] {
            texts.rank();
        }
    }
}

/// Texts are in lower case; numbers are those of [`Shared`].
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub state: u32,
    /// The row's state and KMS's own, a bit each: [`StateKind::bit`].
    pub states: u32,
    pub urgency: u8,
    pub traits: Traits,
    pub database: u32,
    pub server: u32,
    pub region: u32,
    pub account: u32,
    pub kind: u32,
    pub tags: u32,
    /// Whether the KMS key has an alias, which is its name then.
    pub aliased: bool,
    pub age_days: Option<i64>,
    /// Seconds since 1970, as the next two.
    pub rotated: Option<i64>,
    pub next: Option<i64>,
    pub last_used: Option<i64>,
    /// What `next:` and `lastused:` say in place of a time.
    pub next_word: &'static str,
    pub use_word: &'static str,
    /// The CMK's place by name among all groups.
    pub cmk_rank: u32,
    /// What tells one KMS key, or CMK without one, from another; and one database from another. The same for every
    /// inventory of this process.
    pub key_mark: u64,
    pub database_mark: u64,
}

/// The texts of a group that belong to it alone, with [`BETWEEN`].
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// The KMS key's name (where there is none, the CMK's), the CMK's own, then the KMS key's other aliases.
    pub names: String,
    /// The KMS key's ARN, and the key path where that is another text.
    pub key: String,
}

/// What stands first in [`Names::names`]: the KMS key's name and the CMK's.
pub(super) fn both(names: &str) -> impl Iterator<Item = &str> {
    names.split(BETWEEN).take(2)
}

/// The CMK's own name, of [`Names::names`].
pub(super) fn cmk(names: &str) -> &str {
    names.split(BETWEEN).nth(1).unwrap_or_default()
}

/// The KMS key's aliases, of [`Names::names`] where it has some.
pub(super) fn aliases(names: &str) -> impl Iterator<Item = &str> {
    let mut parts = names.split(BETWEEN);
    let first = parts.next();
    first.into_iter().chain(parts.skip(1))
}

impl Group {
    pub fn of(
        inventory: &Inventory,
        row: &Row,
        policies: &AgePolicies,
        now: Timestamp,
        shared: &mut Shared,
    ) -> (Self, Names) {
        let key = inventory.key_of(row).map(|key| &**key);
        let (kind, state) = row_state(inventory, row, policies, now);
        let kms_state = key.map(|key| key.state.as_str()).unwrap_or_default();
        let age = key.and_then(|key| RotationAge::of(key, policies, now).known().cloned());
        let (next, next_word) = key.map_or((None, "unknown"), |key| next(key, now));
        let arn = named_key(row);
        let place = database(row);
        let cmk = row.cmk().map(|cmk| cmk.name.to_string()).unwrap_or_default();
        let known_aliases = key.and_then(|key| key.aliases.known()).map_or(&[][..], Vec::as_slice);
        let names = Names { names: names_text(key, &cmk, known_aliases), key: key_text(row) };
        let database_name = place.map(|place| place.database.to_string()).unwrap_or_default();
        let group = Self {
            state: shared.states.number(&format!("{} {state} {kms_state}", kind.word())),
            states: kind.bit() | key.map_or(0, |key| StateKind::of_kms(&key.state).bit()),
            urgency: kind as u8,
            traits: Traits::of_key(key, age.as_ref().map(|age| age.verdict)),
            database: shared.databases.number(&database_name),
            server: shared.servers.number(&server(row)),
            region: shared.regions.number(&region(row, arn.as_ref())),
            account: shared.accounts.number(arn.as_ref().map_or("", |arn| arn.account())),
            kind: shared.kinds.number(&key.map(kind_text).unwrap_or_default()),
            tags: shared.tags.number(&key.map(tags_text).unwrap_or_default()),
            aliased: !known_aliases.is_empty(),
            age_days: age.as_ref().map(|age| i64::from(age.days)),
            rotated: age.map(|age| age.since.as_second()),
            next,
            last_used: key.and_then(|key| key.last_use.known()?.used.as_ref().map(|(at, _)| at.as_second())),
            next_word,
            use_word: match key.map(|key| &key.last_use) {
                Some(Seen::Known(last)) if last.used.is_none() => "not-seen",
                Some(Seen::Known(_)) => "",
                _ => "unknown",
            },
            cmk_rank: 0,
            key_mark: match &arn {
                Some(arn) => mark(arn),
                None => mark(&(place, &cmk, names.key.as_str())),
            },
            database_mark: mark(&(place, server(row), region(row, None))),
        };
        (group, names)
    }
}

fn mark(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// The key that a row leads to, or that its key path names.
fn named_key(row: &Row) -> Option<crate::model::arn::KeyArn> {
    use crate::model::arn::KeyPath;
    row.key_arn().cloned().or_else(|| match row.key_path()? {
        KeyPath::Key(arn) => Some(arn),
        KeyPath::Alias(_) | KeyPath::Other(_) => None,
    })
}

fn database(row: &Row) -> Option<&DatabaseRef> {
    match row {
        Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => Some(database),
        _ => row.cmk().map(|cmk| &cmk.database),
    }
}

fn server(row: &Row) -> String {
    match row {
        Row::UnreadableServer { server, .. } => server.to_string(),
        _ => database(row).map(|place| place.server.to_string()).unwrap_or_default(),
    }
}

fn region(row: &Row, arn: Option<&crate::model::arn::KeyArn>) -> String {
    match (row, arn) {
        (Row::UnreadableRegion { region, .. }, _) => visible(region).into_owned(),
        (_, Some(arn)) => visible(arn.region()).into_owned(),
        _ => String::new(),
    }
}

fn kind_text(key: &KmsKey) -> String {
    let family = match key.spec.as_str() {
        "SYMMETRIC_DEFAULT" => "symmetric",
        spec => spec.split('_').next().unwrap_or_default(),
    };
    let multi = if key.multi_region.is_some() { "multi-region" } else { "" };
    format!(
        "{}{BETWEEN}{}{BETWEEN}{}{BETWEEN}{}{BETWEEN}{family}{BETWEEN}{multi}",
        key.spec, key.origin, key.usage, key.manager
    )
}

fn tags_text(key: &KmsKey) -> String {
    let Some(tags) = key.tags.known() else { return String::new() };
    let told: Vec<String> = tags.iter().map(|(name, value)| format!("{}={value}", visible(name))).collect();
    told.join(&BETWEEN.to_string())
}

fn names_text(key: Option<&KmsKey>, cmk: &str, aliases: &[Untrusted]) -> String {
    let name = key.map_or_else(|| cmk.to_owned(), KmsKey::name);
    let others = aliases.iter().skip(1).map(Untrusted::to_string);
    let all: Vec<String> = [name, cmk.to_owned()].into_iter().chain(others).collect();
    all.join(&BETWEEN.to_string())
}

fn key_text(row: &Row) -> String {
    let arn = row.key_arn().map(ToString::to_string);
    // Mostly the path is the ARN.
    let path = row.cmk().map(|cmk| cmk.key_path.to_string()).filter(|path| arn.as_ref() != Some(path));
    let both: Vec<String> = arn.into_iter().chain(path).collect();
    both.join(&BETWEEN.to_string())
}

/// When the key rotates next, in seconds since 1970; else the word for why there is no time.
fn next(key: &KmsKey, now: Timestamp) -> (Option<i64>, &'static str) {
    let Seen::Known(rotation) = Rotation::of(key, now) else { return (None, "unknown") };
    match (rotation.next, &rotation.kind) {
        (NextRotation::At { at } | NextRotation::Late { at }, _) => (Some(at.as_second()), ""),
        (NextRotation::Unsaid, _) => (None, "unknown"),
        (NextRotation::Paused, _) => (None, "paused"),
        (NextRotation::Never, _) => (None, "never"),
        (NextRotation::ByHand, RotationKind::OnDemand { .. })
            if key.automatic_rotation() == AutomaticRotation::Possible =>
        {
            (None, "off")
        }
        (NextRotation::ByHand, RotationKind::OnDemand { .. }) => (None, "on-demand"),
        (NextRotation::ByHand, RotationKind::Impossible { .. }) => (None, "none"),
        (NextRotation::ByHand, _) => (None, "manual"),
    }
}
