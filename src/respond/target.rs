//! From what the operator named to the KMS key behind it, through the SQL catalog.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::cloud::Failure;
use crate::model::age::ago;
use crate::model::arn::KeyArn;
use crate::model::key::KmsKey;
use crate::model::pair::{DatabaseRef, Inventory, KeyLink, Pair, Row};
use crate::model::source::Source;
use crate::model::text::Untrusted;
use crate::runbook::{Aim, Fact, Found};

use super::view::Target;

/// A key that the operator may mean.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Candidate {
    pub found: Found,
    /// How it was found.
    pub evidence: Vec<Fact>,
    /// What tells it from other candidates, for a choice.
    pub option: String,
}

impl From<Target> for Aim {
    fn from(target: Target) -> Self {
        match target {
            Target::ColumnKey { cek, database } => Self::ColumnKey { cek, database },
            Target::Key(key) => Self::Key { key },
        }
    }
}

/// The key paths behind `aim` that KMS has not been asked about yet.
pub(super) fn unasked(aim: &Aim, inventory: &Inventory) -> Vec<String> {
    let Aim::ColumnKey { cek, database } = aim else { return Vec::new() };
    let meant = |pair: &&Pair| {
        pair.cek == *cek && database.as_ref().is_none_or(|database| pair.cmk.database == *database)
    };
    let path = |pair: &Pair| match &pair.cmk.link {
        KeyLink::Loading { path } => Some(path.clone()),
        _ => None,
    };
    inventory.pairs().filter(meant).filter_map(path).collect()
}

/// What KMS said of key paths that the inventory had not asked about.
pub(super) type Asked = BTreeMap<String, Result<KmsKey, Failure>>;

/// The keys that `aim` may mean: one, or two where a column key is in mid-rotation. `asked` is what KMS has
/// just said of [`unasked`] paths. Where the runbook `takes_lost_keys`, a key that cannot be seen will do.
///
/// # Errors
/// What is wrong, why, and what to do: nothing of that name, several of it, or no visible key behind it.
pub(super) fn resolve(
    aim: &Aim,
    inventory: &Inventory,
    asked: &Asked,
    takes_lost_keys: bool,
    now: Timestamp,
) -> Result<Vec<Candidate>, String> {
    match aim {
        Aim::Key { key } => Ok(vec![Candidate {
            found: Found {
                key: key.clone(),
                key_name: name_to_type(key, inventory),
                cek: None,
                database: None,
            },
            evidence: vec![Fact::good(now, format!("the KMS key was named: {key}"))],
            option: key.to_string(),
        }]),
        Aim::ColumnKey { cek, database } => {
            let pairs = named(cek, database.as_ref(), inventory)?;
            match behind(&pairs, inventory, asked, now) {
                Err(_) if takes_lost_keys && lost(&pairs, now).next().is_some() => {
                    Ok(lost(&pairs, now).collect())
                }
                found => found,
            }
        }
    }
}

/// What the operator will type: the key's first alias, unless it cannot be typed; then the key's id.
pub(super) fn name_to_type(key: &KeyArn, inventory: &Inventory) -> String {
    let name = inventory.keys.get(key).map(|key| key.name());
    name.filter(|name| name.chars().all(|c| c.is_ascii_graphic())).unwrap_or_else(|| key.id().to_owned())
}

/// The pairs of the one column key that is meant.
fn named<'a>(
    cek: &Untrusted,
    database: Option<&DatabaseRef>,
    inventory: &'a Inventory,
) -> Result<Vec<&'a Pair>, String> {
    let pairs: Vec<&Pair> = inventory
        .pairs()
        .filter(|pair| pair.cek == *cek && database.is_none_or(|database| pair.cmk.database == *database))
        .collect();
    let databases: BTreeSet<&DatabaseRef> = pairs.iter().map(|pair| &pair.cmk.database).collect();
    match databases.len() {
        0 => Err(not_found(cek, database, inventory)),
        1 => Ok(pairs),
        several => Err(format!(
            "{several} databases have a column key `{cek}`: {}. Each may lead to another KMS key. Name the database",
            list(databases.into_iter().map(told))
        )),
    }
}

/// Why no pair has the name: misspelt, hidden, or not read yet.
fn not_found(cek: &Untrusted, database: Option<&DatabaseRef>, inventory: &Inventory) -> String {
    let place = database.map_or_else(|| "any database read so far".to_owned(), told);
    let mut words = vec![format!("no column key `{cek}` is known in {place}.")];
    let orphan = inventory.rows.iter().any(|row| {
        matches!(row, Row::OrphanColumnKey { database: d, cek: c, .. }
            if c == cek && database.is_none_or(|database| d == database))
    });
    if orphan {
        return format!(
            "the catalog shows the column key `{cek}` without the master key that wraps it, so its KMS key cannot be found. The login needs VIEW ANY COLUMN MASTER KEY DEFINITION; or name the KMS key by its ARN"
        );
    }
    let lower = cek.raw().to_lowercase();
    let alike: BTreeSet<String> = inventory
        .pairs()
        .filter(|pair| pair.cek.raw().to_lowercase() == lower)
        .map(|pair| format!("`{}` in {}", pair.cek, told(&pair.cmk.database)))
        .collect();
    if !alike.is_empty() {
        words.push(format!("There is {}.", list(alike)));
    }
    let unread = unread(inventory);
    if !unread.is_empty() {
        words.push(format!("It may be in what could not be read: {}.", list(unread)));
    }
    words.push("Check the name, or name the KMS key by its ARN".to_owned());
    words.join(" ")
}

/// What of the SQL side could not be read, or not yet.
fn unread(inventory: &Inventory) -> Vec<String> {
    let mut unread: Vec<String> = inventory
        .rows
        .iter()
        .filter_map(|row| match row {
            Row::UnreadableDatabase { database, why } => Some(format!("{} ({why})", told(database))),
            Row::UnreadableServer { server, why } => Some(format!("{server} ({why})")),
            _ => None,
        })
        .collect();
    if inventory.servers.is_empty() && unread.is_empty() {
        unread.push("no SQL Server's catalog has been read yet".to_owned());
    }
    unread
}

/// The visible keys behind the pairs of one column key.
fn behind(
    pairs: &[&Pair],
    inventory: &Inventory,
    asked: &Asked,
    now: Timestamp,
) -> Result<Vec<Candidate>, String> {
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut lost = Vec::new();
    for pair in pairs {
        let just_asked = match &pair.cmk.link {
            KeyLink::Loading { path } => asked.get(path),
            _ => None,
        };
        let found = just_asked.and_then(|answer| answer.as_ref().ok()).map(|key| &key.arn);
        match (&pair.cmk.link, found) {
            (KeyLink::Key { arn } | KeyLink::ThroughAlias { arn, .. }, _) | (_, Some(arn)) => {
                if !candidates.iter().any(|candidate| candidate.found.key == *arn) {
                    candidates.push(candidate(pair, arn, inventory, now));
                }
            }
            (link, None) => {
                let why = match just_asked {
                    Some(Err(failure)) => format!("names a key that cannot be seen: {failure}"),
                    _ => leads_nowhere(link),
                };
                lost.push(format!("the master key `{}` {why}", pair.cmk.name));
            }
        }
    }
    if candidates.is_empty() {
        return Err(format!(
            "{}. Without a visible KMS key nothing can be done here: see to that, or name the key by its ARN",
            list(lost)
        ));
    }
    for candidate in &mut candidates {
        candidate.evidence.extend(
            lost.iter().map(|why| {
                Fact::bad(now, format!("the column key has another value, not covered here: {why}"))
            }),
        );
    }
    Ok(candidates)
}

/// The keys that the pairs name and that cannot be seen, for a runbook that is about just that.
fn lost(pairs: &[&Pair], now: Timestamp) -> impl Iterator<Item = Candidate> {
    let named = pairs.iter().filter_map(|pair| match &pair.cmk.link {
        KeyLink::Gone { path } | KeyLink::NotVisible { path, .. } => {
            Some((*pair, path.parse::<KeyArn>().ok()?))
        }
        _ => None,
    });
    named.map(move |(pair, arn)| Candidate {
        option: format!("{arn}, through master key {}", pair.cmk.name),
        evidence: vec![Fact::bad(
            now,
            format!(
                "`{}` is wrapped by master key `{}`, which {}",
                pair.cek,
                pair.cmk.name,
                leads_nowhere(&pair.cmk.link)
            ),
        )],
        found: Found {
            key_name: arn.id().to_owned(),
            key: arn,
            cek: Some(pair.cek.clone()),
            database: Some(pair.cmk.database.clone()),
        },
    })
}

fn candidate(pair: &Pair, arn: &KeyArn, inventory: &Inventory, now: Timestamp) -> Candidate {
    let (cmk, database) = (&pair.cmk, &pair.cmk.database);
    let key_name = name_to_type(arn, inventory);
    let mut evidence = vec![Fact::good(
        now,
        format!(
            "`{}` in {} is wrapped by master key `{}`, whose key path leads to {arn}",
            pair.cek,
            told(database),
            cmk.name
        ),
    )];
    if let KeyLink::ThroughAlias { alias, .. } = &cmk.link {
        evidence.push(Fact::good(
            now,
            format!(
                "through alias {alias}: an alias can be pointed at another key, the plan names the key itself"
            ),
        ));
    }
    evidence.extend(catalog_age(database, inventory, now));
    if pair.envelope_mismatch {
        evidence.push(Fact::bad(
            now,
            "the encrypted value names another key path than the master key does: make sure that this is the key",
        ));
    }
    Candidate {
        option: format!("{key_name} ({}), through master key {}", arn.id(), cmk.name),
        found: Found {
            key: arn.clone(),
            key_name,
            cek: Some(pair.cek.clone()),
            database: Some(database.clone()),
        },
        evidence,
    }
}

/// How old the catalog is that led to the key.
fn catalog_age(database: &DatabaseRef, inventory: &Inventory, now: Timestamp) -> Option<Fact> {
    let catalog = inventory.servers.iter().find(|server| server.server == database.server)?;
    let age = ago(catalog.read_at, now);
    let health = inventory.sources.get(&Source::Sql(database.server.clone()));
    let failing = health.and_then(|health| health.failing.as_ref());
    let kept = health.is_some_and(|health| health.kept.is_some());
    Some(match failing {
        None if kept => Fact::bad(
            now,
            format!(
                "the catalog of {} is from disk, {age} old, and has not been read since: make sure that this is the key",
                database.server
            ),
        ),
        None => Fact::good(now, format!("the catalog of {} was read {age} ago", database.server)),
        Some((_, why)) => Fact::bad(
            now,
            format!("the catalog of {} is {age} old and cannot be read now: {why}", database.server),
        ),
    })
}

fn leads_nowhere(link: &KeyLink) -> String {
    match link {
        KeyLink::NotVisible { path, why } => {
            format!("names `{}`, which is {why}", Untrusted::from(path.as_str()))
        }
        KeyLink::Gone { path } => {
            format!("names `{}`, and KMS says that there is no such key", Untrusted::from(path.as_str()))
        }
        KeyLink::NotKms => "names no KMS key: its column keys are protected by another key store".to_owned(),
        KeyLink::Loading { path } => {
            format!(
                "names `{}`, which KMS has not been asked about yet: try again shortly",
                Untrusted::from(path.as_str())
            )
        }
        KeyLink::Key { .. } | KeyLink::ThroughAlias { .. } => "leads to a key".to_owned(),
    }
}

fn told(database: &DatabaseRef) -> String {
    format!("{} on {}", database.database, database.server)
}

fn list(parts: impl IntoIterator<Item = String>) -> String {
    parts.into_iter().collect::<Vec<_>>().join(", ")
}
