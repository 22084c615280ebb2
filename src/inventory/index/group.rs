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

use super::texts::{BETWEEN, Texts, letters};

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
    pub urgency: i64,
    pub traits: Traits,
    pub database: u32,
    pub server: u32,
    pub region: u32,
    pub account: u32,
    pub kind: u32,
    pub tags: u32,
    /// The KMS key's name, and the CMK's own, with [`BETWEEN`].
    pub master_key: String,
    /// Aliases, ARN, key path, with [`BETWEEN`].
    pub key: String,
    /// Where the aliases of `key` end.
    pub aliases: usize,
    /// The letters of the names, see [`letters`].
    pub letters: u64,
    pub age_days: Option<i64>,
    /// Seconds since 1970, as the next two.
    pub rotated: Option<i64>,
    pub next: Option<i64>,
    pub last_used: Option<i64>,
    /// What `next:` and `lastused:` say in place of a time.
    pub next_word: &'static str,
    pub use_word: &'static str,
    /// Places by name among all groups.
    pub master_key_rank: i64,
    pub cmk_rank: i64,
    /// What tells one KMS key, or CMK without one, from another; and one database from another. The same for every
    /// inventory of this process.
    pub key_mark: u64,
    pub database_mark: u64,
}

impl Group {
    pub fn of(
        inventory: &Inventory,
        row: &Row,
        policies: &AgePolicies,
        now: Timestamp,
        shared: &mut Shared,
    ) -> Self {
        let key = inventory.key_of(row).map(|key| &**key);
        let (kind, state) = row_state(inventory, row, policies, now);
        let kms_state = key.map(|key| key.state.as_str()).unwrap_or_default();
        let age = key.and_then(|key| RotationAge::of(key, policies, now).known().cloned());
        let (next, next_word) = key.map_or((None, "unknown"), |key| next(key, now));
        let arn = named_key(row);
        let place = database(row);
        let (key_text, aliases) = key_text(row, key);
        let cmk = row.cmk().map(|cmk| cmk.name.to_string()).unwrap_or_default();
        let name = key.map_or_else(|| cmk.clone(), KmsKey::name);
        let master_key = format!("{name}{BETWEEN}{cmk}").to_lowercase();
        let database_name = place.map(|place| place.database.to_string()).unwrap_or_default();
        Self {
            state: shared.states.number(&format!("{} {state} {kms_state}", kind.word())),
            states: kind.bit() | key.map_or(0, |key| StateKind::of_kms(&key.state).bit()),
            urgency: kind as i64,
            traits: Traits::of_key(key, kind, age.as_ref().map(|age| age.verdict)),
            database: shared.databases.number(&database_name),
            server: shared.servers.number(&server(row)),
            region: shared.regions.number(&region(row, arn.as_ref())),
            account: shared.accounts.number(arn.as_ref().map_or("", |arn| arn.account())),
            kind: shared.kinds.number(&key.map(kind_text).unwrap_or_default()),
            tags: shared.tags.number(&key.map(tags_text).unwrap_or_default()),
            letters: letters(&master_key)
                | letters(&key_text[..aliases])
                | letters(&database_name.to_lowercase()),
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
            master_key_rank: 0,
            cmk_rank: 0,
            key_mark: match &arn {
                Some(arn) => mark(arn),
                None => mark(&(place, &cmk, key_text.as_str())),
            },
            database_mark: mark(&(place, server(row), region(row, None))),
            master_key,
            key: key_text,
            aliases,
        }
    }

    /// The CMK's own name.
    pub fn cmk(&self) -> &str {
        self.master_key.split_once(BETWEEN).map_or("", |(_, cmk)| cmk)
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

/// The key by all its names, and where the first kind of them ends.
fn key_text(row: &Row, key: Option<&KmsKey>) -> (String, usize) {
    let joined = |words: &[String]| words.join(&BETWEEN.to_string()).to_lowercase();
    let aliases: Vec<String> = key
        .and_then(|key| key.aliases.known())
        .map(|aliases| aliases.iter().map(Untrusted::to_string).collect())
        .unwrap_or_default();
    let mut text = joined(&aliases);
    let end = text.len();
    let arn = row.key_arn().map(ToString::to_string);
    // Mostly the path is the ARN.
    let path = row.cmk().map(|cmk| cmk.key_path.to_string()).filter(|path| arn.as_ref() != Some(path));
    let others = [arn, path];
    for other in others.into_iter().flatten() {
        text.push(BETWEEN);
        text.push_str(&other.to_lowercase());
    }
    (text, end)
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
