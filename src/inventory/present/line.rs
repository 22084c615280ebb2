//! One row of the Keys screen.

use jiff::Timestamp;

use crate::model::age::{AgePolicies, RotationAge, Verdict, ago, short};
use crate::model::key::{AutomaticRotation, KmsKey};
use crate::model::pair::{EstateMark, Inventory, Row};
use crate::model::rotation::{NextRotation, Rotation, RotationKind};
use crate::model::seen::{Cause, Seen};
use crate::model::text::visible;

use super::state::{StateKind, row_state};
use crate::inventory::traits::{Trait, anomalies};

/// What stands where a row has nothing to say.
const NOTHING: &str = "—";

/// A row, ready to show. Everything in it is fit for a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PairLine {
    pub kind: StateKind,
    /// e.g. `enabled`, `deletion 6 d`, `denied`.
    pub state: String,
    /// The CEK; for rows without one, what they are, e.g. `(unused master key)`.
    pub column_key: String,
    /// The KMS key by its name where it can be seen, else the CMK's name: `444455556666/…` where it is another
    /// account's.
    pub master_key: String,
    /// How many CMKs lead to the KMS key, this one included; 0 where that is not known.
    pub master_keys_of_key: u32,
    /// The CMK's own name in the catalog.
    pub cmk: String,
    pub database: String,
    /// The SQL server; empty for rows of none.
    pub server: String,
    /// Age of the material in use, e.g. `41 d`.
    pub rotated: String,
    /// Percent of the policy's days; none where the age is not known.
    pub age_percent: Option<u32>,
    pub verdict: Option<Verdict>,
    /// `49 d`, `due` (KMS's date has passed), `paused` (disabled), `off`, `on demand` (imported), `manual` (KMS
    /// cannot rotate it), `none` (no material), `never` (to be deleted) …
    pub next: String,
    /// `2 m`, or `not seen`: never `unused`.
    pub last_used: String,
    /// A second value of this CEK exists: a rotation is in progress.
    pub rotating: bool,
    /// The envelope names another key than the CMK does.
    pub mismatch: bool,
    /// What is out of the ordinary about how the SQL side and the KMS side meet.
    pub anomalies: Vec<Trait>,
}

/// One row's line. Made for the visible rows alone.
#[must_use]
pub fn line(inventory: &Inventory, row: &Row, policies: &AgePolicies, now: Timestamp) -> PairLine {
    let (kind, state) = row_state(inventory, row, policies, now);
    let key = inventory.key_of(row).map(|key| &**key);
    let age = key.map(|key| RotationAge::of(key, policies, now));
    let known_age = age.as_ref().and_then(Seen::known);
    let cmk = row.cmk().map_or_else(|| NOTHING.to_owned(), |cmk| cmk.name.to_string());
    let (rotating, mismatch) = match row {
        Row::Pair(pair) => (pair.rotating, pair.envelope_mismatch),
        _ => (false, false),
    };
    PairLine {
        kind,
        state,
        column_key: column_key(row),
        master_key: master_key(row, key, &cmk),
        master_keys_of_key: row.cmk().filter(|_| key.is_some()).map_or(0, |cmk| cmk.siblings + 1),
        cmk,
        database: database(row),
        server: server(row),
        rotated: age
            .as_ref()
            .map_or_else(|| NOTHING.to_owned(), |age| brief(age, |age| format!("{} d", age.days))),
        age_percent: known_age.map(RotationAge::percent),
        verdict: known_age.map(|age| age.verdict),
        next: key.map_or_else(|| NOTHING.to_owned(), |key| next_rotation(key, now)),
        last_used: key.map_or_else(|| NOTHING.to_owned(), |key| last_used(key, now)),
        rotating,
        mismatch,
        anomalies: anomalies(row),
    }
}

/// A fact in the room of a table cell: the reason for its absence shrinks to a word.
fn brief<T>(fact: &Seen<T>, tell: impl FnOnce(&T) -> String) -> String {
    match fact {
        Seen::Loading => "loading".to_owned(),
        Seen::Known(fact) => tell(fact),
        // KMS has nothing to say of such a key.
        Seen::NotVisible(why) if why.cause == Cause::Unsupported => NOTHING.to_owned(),
        Seen::NotVisible(why) => why.cause.word().to_owned(),
    }
}

fn column_key(row: &Row) -> String {
    match row {
        Row::Pair(pair) => pair.cek.to_string(),
        Row::OrphanColumnKey { cek, .. } => cek.to_string(),
        Row::UnusedMasterKey { .. } => "(unused master key)".to_owned(),
        Row::UnreferencedKey { estate: EstateMark::Marked { .. }, .. } => "(estate key, unused)".to_owned(),
        Row::UnreferencedKey { estate: EstateMark::StandsBy { named }, .. } => {
            format!("(stands by for {})", visible(named.region()))
        }
        Row::UnreferencedKey { .. } => "(no master key names it)".to_owned(),
        Row::UnreadableRegion { .. } => "(Region not readable)".to_owned(),
        Row::UnreadableEnvironment { .. } => "(environment not readable)".to_owned(),
        Row::UnreadableDatabase { .. } => "(database not readable)".to_owned(),
        Row::UnreadableServer { .. } => "(server not readable)".to_owned(),
    }
}

fn master_key(row: &Row, key: Option<&KmsKey>, cmk: &str) -> String {
    match (key, row) {
        (Some(key), _) => named(row, key),
        (None, Row::UnreferencedKey { key, .. }) => key.id().to_owned(),
        _ => cmk.to_owned(),
    }
}

fn server(row: &Row) -> String {
    let place = match row {
        Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => Some(database),
        Row::UnreadableServer { server, .. } => return server.to_string(),
        _ => row.cmk().map(|cmk| &cmk.database),
    };
    place.map(|place| place.server.to_string()).unwrap_or_default()
}

/// A key by its name, with its account where that is not ours.
fn named(row: &Row, key: &KmsKey) -> String {
    if row.cmk().is_some_and(|cmk| cmk.place.foreign) {
        format!("{}/{}", key.arn.account(), key.name())
    } else {
        key.name()
    }
}

fn database(row: &Row) -> String {
    match row {
        Row::Pair(pair) => pair.cmk.database.database.to_string(),
        Row::UnusedMasterKey { cmk } => cmk.database.database.to_string(),
        Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => {
            database.database.to_string()
        }
        Row::UnreadableServer { server, .. } => format!("({server})"),
        Row::UnreadableRegion { region, .. } => format!("({})", visible(region)),
        Row::UnreadableEnvironment { environment, .. } => format!("({})", visible(environment)),
        Row::UnreferencedKey { .. } => NOTHING.to_owned(),
    }
}

/// When the material changes next, in words short enough for a column.
fn next_rotation(key: &KmsKey, now: Timestamp) -> String {
    brief(&Rotation::of(key, now), |rotation| match (rotation.next, &rotation.kind) {
        (NextRotation::At { at }, _) => short(at.duration_since(now)),
        (NextRotation::Late { .. }, _) => "due".to_owned(),
        (NextRotation::Unsaid, _) => "on".to_owned(),
        (NextRotation::Paused, _) => "paused".to_owned(),
        (NextRotation::Never, _) => "never".to_owned(),
        // Automatic rotation could be on, and is not.
        (NextRotation::ByHand, RotationKind::OnDemand { .. })
            if key.automatic_rotation() == AutomaticRotation::Possible =>
        {
            "off".to_owned()
        }
        (NextRotation::ByHand, RotationKind::OnDemand { .. }) => "on demand".to_owned(),
        (NextRotation::ByHand, RotationKind::Impossible { .. }) => "none".to_owned(),
        (NextRotation::ByHand, _) => "manual".to_owned(),
    })
}

fn last_used(key: &KmsKey, now: Timestamp) -> String {
    brief(&key.last_use, |last| {
        last.used.as_ref().map_or_else(|| "not seen".to_owned(), |(at, _)| ago(*at, now))
    })
}

#[cfg(test)]
#[path = "line_tests.rs"]
mod tests;
