//! `dependents`: what depends on a KMS key, and who uses it.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use jiff::SignedDuration;

use super::output;
use super::{CommandError, keys};
use crate::estate::Estate;
use crate::inventory::dependents::{Moment, record, sections};
use crate::inventory::refresh::{Progress, Wants, load_once};
use crate::model::arn::{AliasArn, KeyArn};
use crate::model::dependents::Dependents;
use crate::model::key::KmsKey;
use crate::model::pair::{DatabaseRef, Inventory, KeyLink, Pair};
use crate::model::seen::Seen;
use crate::model::text::visible;
use crate::trail::{KeyTrailLimits, key_use, read_key_trail};

/// Pages of 50 events that are read of each key at most; half a second each.
const PAGES: usize = 40;

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// A CEK's name, or a key's ARN, id, alias or alias ARN.
    pub target: String,
    /// `DATABASE` or `SERVER/DATABASE`, for a CEK.
    pub database: Option<String>,
    /// How far back its use is asked for.
    pub since: SignedDuration,
    pub json: bool,
}

/// Loads the inventory and the trail of each key that is meant, and prints what depends on it: a CEK in
/// several databases, or in rotation, means several keys. `progress` is told how far the loading has come.
///
/// # Errors
/// Where no such key is visible, before anything is printed; where writing fails; where a source could not be
/// read at all, after printing what the others say.
pub async fn run(
    estate: &Arc<Estate>,
    wanted: &Wanted,
    progress: impl FnMut(Progress),
    out: &mut impl Write,
) -> Result<(), CommandError> {
    let mut inventory = load_once(estate, Wants::STATES, progress).await;
    let mut found = Vec::new();
    for key in keys_meant(&inventory, wanted)? {
        // Grants and policy of the few that are meant, not of every key.
        if let Some(known) = inventory.keys.get(&key) {
            let filled = estate.cloud.kms(key.region()).filled(KmsKey::clone(known)).await;
            inventory.keys.insert(key.clone(), Arc::new(filled));
        }
        let limits = KeyTrailLimits { back: wanted.since, pages: PAGES };
        let answer = Seen::from(read_key_trail(estate, &key, limits).await.map(Arc::new));
        let known = key_use(&key, None, Some(&answer), estate.clock.now());
        found.push(Dependents::of(&key, &inventory).used(known.usage, known.down_since));
    }
    let at = Moment { now: estate.clock.now(), column_key_cache: estate.environment.column_key_cache };
    if wanted.json {
        let records: Vec<_> = found.iter().map(|dependents| record(dependents, at)).collect();
        output::json(out, &records)?;
    } else {
        for dependents in &found {
            print(dependents, &inventory, at, out)?;
        }
    }
    keys::complete(&inventory)
}

fn print(
    dependents: &Dependents,
    inventory: &Inventory,
    at: Moment,
    out: &mut impl Write,
) -> std::io::Result<()> {
    let name =
        inventory.keys.get(&dependents.key).map_or_else(String::new, |key| format!("{}  ", key.name()));
    writeln!(out, "{name}{}", dependents.key)?;
    for section in sections(dependents, at, usize::MAX) {
        writeln!(out, "\n{}", section.title)?;
        for line in section.lines {
            writeln!(out, "{}{}", if line.under { "      " } else { "  " }, line.text)?;
        }
    }
    writeln!(out)
}

/// The keys that the words mean.
fn keys_meant(inventory: &Inventory, wanted: &Wanted) -> Result<BTreeSet<KeyArn>, CommandError> {
    let target = wanted.target.trim();
    let named = by_key(inventory, target);
    if !named.is_empty() && wanted.database.is_none() {
        return Ok(named);
    }
    let pairs: Vec<&Pair> = inventory
        .pairs()
        .filter(|pair| pair.cek.raw() == target)
        .filter(|pair| wanted.database.as_ref().is_none_or(|name| is_called(&pair.cmk.database, name)))
        .collect();
    let led_to: BTreeSet<KeyArn> = pairs.iter().filter_map(|pair| pair.cmk.link.arn()).cloned().collect();
    if led_to.is_empty() { Err(not_found(inventory, wanted, &pairs)) } else { Ok(led_to) }
}

/// Keys by ARN, id or alias.
fn by_key(inventory: &Inventory, target: &str) -> BTreeSet<KeyArn> {
    if let Ok(arn) = target.parse::<KeyArn>() {
        let known = inventory.keys.contains_key(&arn) || inventory.missing.contains_key(&arn);
        return known.then_some(arn).into_iter().collect();
    }
    let alias: Option<AliasArn> = target.parse().ok();
    let bare = target.strip_prefix("alias/").unwrap_or(target);
    let fits = |key: &crate::model::key::KmsKey| {
        let aliases = key.aliases.known().map(Vec::as_slice).unwrap_or_default();
        match &alias {
            Some(alias) => {
                alias.region() == key.arn.region()
                    && alias.account() == key.arn.account()
                    && aliases.iter().any(|name| name.raw() == alias.name())
            }
            None => key.arn.id() == target || aliases.iter().any(|name| name.raw() == bare),
        }
    };
    inventory.keys.values().filter(|key| fits(key)).map(|key| key.arn.clone()).collect()
}

fn is_called(database: &DatabaseRef, name: &str) -> bool {
    name == database.database.raw()
        || name.split_once('/') == Some((database.server.0.as_str(), database.database.raw()))
}

/// Why there is no key to tell about, and what to do next.
fn not_found(inventory: &Inventory, wanted: &Wanted, pairs: &[&Pair]) -> CommandError {
    let target = visible(&wanted.target);
    if let Some(pair) = pairs.first() {
        let why = match &pair.cmk.link {
            KeyLink::NotVisible { why, .. } => why.to_string(),
            KeyLink::Gone { path } => format!("KMS says that {} does not exist", visible(path)),
            KeyLink::NotKms => format!("its key path is no KMS ARN: {}", pair.cmk.key_path),
            KeyLink::Loading { path } => format!("{} was not read", visible(path)),
            KeyLink::Key { .. } | KeyLink::ThroughAlias { .. } => "it was not read".to_owned(),
        };
        return CommandError::failed(format!(
            "{target} in {} is wrapped by {}, whose KMS key cannot be told about: {}",
            pair.cmk.database.database,
            pair.cmk.name,
            visible(&why)
        ));
    }
    let within = wanted.database.as_ref().map(|name| format!(" in {}", visible(name))).unwrap_or_default();
    let hidden = inventory
        .sources
        .iter()
        .filter(|(_, health)| health.last_success.is_none())
        .map(|(source, _)| source.to_string())
        .collect::<Vec<_>>();
    let hidden = if hidden.is_empty() {
        String::new()
    } else {
        format!(" (it may be hidden: {} could not be read)", hidden.join(", "))
    };
    CommandError::failed(format!(
        "no column key and no KMS key `{target}` is visible{within}{hidden}; `portcullis keys` lists those that are"
    ))
}
