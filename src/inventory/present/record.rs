//! Rows as machines read them.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::model::age::{AgePolicies, RotationAge, Verdict};
use crate::model::arn::{KeyArn, KeyPath};
use crate::model::catalog::{EncryptedColumn, Envelope};
use crate::model::key::{AutomaticRotation, KmsKey};
use crate::model::pair::{Inventory, KeyLink, Row};
use crate::model::seen::Seen;
use crate::model::text::visible;

use super::state::{StateKind, row_state};

/// A row as `keys --format json` gives it: one object a row, every field always there, `null` where it is not
/// known or does not apply. Names are given as SQL Server and KMS hold them, escaped as JSON only.
///
/// Fields are added in time, never renamed and never given another meaning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairRecord {
    /// The environment's name, as settings have it.
    pub environment: String,
    /// `pair`, `unused_master_key`, `orphan_column_key`, `unreferenced_key`, `unreadable_database`,
    /// `unreadable_server`, `unreadable_region` or `unreadable_environment`.
    pub kind: &'static str,
    /// The SQL server, as settings name it.
    pub server: Option<String>,
    pub database: Option<String>,
    /// The column encryption key's name.
    pub cek: Option<String>,
    /// `column_encryption_key_id`, unique within its database.
    pub cek_id: Option<i32>,
    /// The column master key's name.
    pub cmk: Option<String>,
    /// The CMK's `key_store_provider_name`.
    pub provider: Option<String>,
    /// The CMK's `key_path`, as the catalog has it.
    pub key_path: Option<String>,
    /// The KMS key that the path led to, or names.
    pub key_arn: Option<String>,
    /// The KMS key's first alias, else its id.
    pub key_name: Option<String>,
    /// Aliases without their `alias/` prefix; `null` where they are not known.
    pub aliases: Option<Vec<String>>,
    /// The account that the key belongs to.
    pub account: Option<String>,
    pub region: Option<String>,
    /// What the state comes to: `enabled`, `overdue`, `disabled`, `pending_deletion`,
    /// `pending_replica_deletion`, `pending_import`, `unavailable`, `creating`, `updating`, `other`, `gone`,
    /// `not_visible`, `no_value`, `not_kms`, `loading`.
    pub state: StateKind,
    /// KMS's own word, e.g. `PendingDeletion`.
    pub kms_state: Option<String>,
    /// Why something of this row could not be seen.
    pub not_visible: Option<String>,
    /// RFC 3339; KMS may delete up to 24 h later.
    pub deletion_date: Option<Timestamp>,
    /// When the key's state was read.
    pub state_read_at: Option<Timestamp>,
    /// When the material in use came: the last rotation, else the key's creation.
    pub rotated_at: Option<Timestamp>,
    /// Whole days since then.
    pub age_days: Option<u32>,
    /// The age policy's days.
    pub age_limit_days: Option<u32>,
    /// `age_days` as percent of `age_limit_days`.
    pub age_percent: Option<u32>,
    /// `within`, `due` (past the limit, within the grace) or `overdue`.
    pub age_verdict: Option<Verdict>,
    /// `automatic`, `off`, or `manual` where KMS cannot rotate the key by itself.
    pub rotation: Option<&'static str>,
    /// Days between automatic rotations.
    pub rotation_period_days: Option<u32>,
    pub next_rotation: Option<Timestamp>,
    /// The newest successful cryptographic use that KMS tells of; `null` never means unused.
    pub last_used_at: Option<Timestamp>,
    pub last_used_operation: Option<String>,
    /// Since when KMS has tracked use.
    pub use_tracked_since: Option<Timestamp>,
    /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
    pub origin: Option<String>,
    /// `SYMMETRIC_DEFAULT`, `RSA_2048` …
    pub key_spec: Option<String>,
    pub multi_region: Option<bool>,
    /// Whether the CEK has a second value: a rotation of the CMK in progress.
    pub rotating: Option<bool>,
    /// `common`, or `opaque` where the provider has a layout of its own.
    pub envelope: Option<&'static str>,
    /// Whether the envelope names another key than the CMK does.
    pub envelope_mismatch: Option<bool>,
    /// The encrypted value's algorithm, e.g. `RSA_OAEP`.
    pub algorithm: Option<String>,
    /// `schema.table.column` of each column that the CEK protects.
    pub columns: Option<Vec<String>>,
}

impl PairRecord {
    /// The fields in the order of CSV columns.
    pub const FIELDS: [&str; 38] = [
        "environment",
        "kind",
        "server",
        "database",
        "cek",
        "cek_id",
        "cmk",
        "provider",
        "key_path",
        "key_arn",
        "key_name",
        "aliases",
        "account",
        "region",
        "state",
        "kms_state",
        "not_visible",
        "deletion_date",
        "state_read_at",
        "rotated_at",
        "age_days",
        "age_limit_days",
        "age_percent",
        "age_verdict",
        "rotation",
        "rotation_period_days",
        "next_rotation",
        "last_used_at",
        "last_used_operation",
        "use_tracked_since",
        "origin",
        "key_spec",
        "multi_region",
        "rotating",
        "envelope",
        "envelope_mismatch",
        "algorithm",
        "columns",
    ];

    /// As a row of that environment.
    #[must_use]
    pub fn of_environment(mut self, environment: &str) -> Self {
        environment.clone_into(&mut self.environment);
        self
    }

    /// The record's values in the order of [`Self::FIELDS`], for CSV: lists are joined by `; `, what is not
    /// known is empty, and text is made fit for a screen, because CSV escapes no control characters.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let record = serde_json::to_value(self).unwrap_or_default();
        Self::FIELDS.iter().map(|field| record.get(field).map(cell).unwrap_or_default()).collect()
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text).into_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    }
}

/// One row for machines, as it is at `now`.
#[must_use]
pub fn record(inventory: &Inventory, row: &Row, policies: &AgePolicies, now: Timestamp) -> PairRecord {
    let arn = named_key(row);
    let record = PairRecord {
        key_arn: arn.as_ref().map(ToString::to_string),
        account: arn.as_ref().map(|arn| arn.account().to_owned()),
        region: arn.as_ref().map(|arn| arn.region().to_owned()),
        state: row_state(inventory, row, policies, now).0,
        not_visible: why_not_visible(inventory, row),
        ..PairRecord::blank(row)
    };
    let record = record.with_catalog(row);
    match inventory.key_of(row) {
        Some(key) => record.with_key(key, policies, now),
        None => record,
    }
}

/// The key that a row leads to, or that its key path names.
fn named_key(row: &Row) -> Option<KeyArn> {
    row.key_arn().cloned().or_else(|| match row.key_path()? {
        KeyPath::Key(arn) => Some(arn),
        KeyPath::Alias(_) | KeyPath::Other(_) => None,
    })
}

fn why_not_visible(inventory: &Inventory, row: &Row) -> Option<String> {
    let why = match row {
        Row::UnreadableDatabase { why, .. }
        | Row::UnreadableServer { why, .. }
        | Row::UnreadableRegion { why, .. }
        | Row::UnreadableEnvironment { why, .. } => why,
        Row::UnreferencedKey { key, .. } => inventory.missing.get(key)?,
        Row::Pair(_) | Row::UnusedMasterKey { .. } | Row::OrphanColumnKey { .. } => match &row.cmk()?.link {
            KeyLink::NotVisible { why, .. } => why,
            _ => return None,
        },
    };
    Some(why.reason.clone())
}

fn column_names(columns: &[EncryptedColumn]) -> Vec<String> {
    columns.iter().map(|c| format!("{}.{}.{}", c.schema.raw(), c.table.raw(), c.name.raw())).collect()
}

impl PairRecord {
    fn blank(row: &Row) -> Self {
        let kind = match row {
            Row::Pair(_) => "pair",
            Row::UnusedMasterKey { .. } => "unused_master_key",
            Row::OrphanColumnKey { .. } => "orphan_column_key",
            Row::UnreferencedKey { .. } => "unreferenced_key",
            Row::UnreadableDatabase { .. } => "unreadable_database",
            Row::UnreadableServer { .. } => "unreadable_server",
            Row::UnreadableRegion { .. } => "unreadable_region",
            Row::UnreadableEnvironment { .. } => "unreadable_environment",
        };
        Self {
            environment: String::new(),
            kind,
            server: None,
            database: None,
            cek: None,
            cek_id: None,
            cmk: None,
            provider: None,
            key_path: None,
            key_arn: None,
            key_name: None,
            aliases: None,
            account: None,
            region: None,
            state: StateKind::Loading,
            kms_state: None,
            not_visible: None,
            deletion_date: None,
            state_read_at: None,
            rotated_at: None,
            age_days: None,
            age_limit_days: None,
            age_percent: None,
            age_verdict: None,
            rotation: None,
            rotation_period_days: None,
            next_rotation: None,
            last_used_at: None,
            last_used_operation: None,
            use_tracked_since: None,
            origin: None,
            key_spec: None,
            multi_region: None,
            rotating: None,
            envelope: None,
            envelope_mismatch: None,
            algorithm: None,
            columns: None,
        }
    }

    /// What SQL Server says.
    fn with_catalog(mut self, row: &Row) -> Self {
        if let Some(cmk) = row.cmk() {
            self.cmk = Some(cmk.name.raw().to_owned());
            self.provider = Some(cmk.provider.raw().to_owned());
            self.key_path = Some(cmk.key_path.raw().to_owned());
        }
        let database = match row {
            Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => {
                Some(database)
            }
            _ => row.cmk().map(|cmk| &cmk.database),
        };
        self.database = database.map(|database| database.database.raw().to_owned());
        self.server = database.map(|database| database.server.0.clone());
        match row {
            Row::UnreadableServer { server, .. } => self.server = Some(server.0.clone()),
            Row::UnreadableRegion { region, .. } => self.region = Some(region.clone()),
            Row::OrphanColumnKey { cek, columns, .. } => {
                self.cek = Some(cek.raw().to_owned());
                self.columns = Some(column_names(columns));
            }
            Row::Pair(pair) => {
                self.cek = Some(pair.cek.raw().to_owned());
                self.cek_id = Some(pair.cek_id);
                self.rotating = Some(pair.rotating);
                self.envelope = Some(match pair.envelope {
                    Envelope::Common { .. } => "common",
                    Envelope::Opaque { .. } => "opaque",
                });
                self.envelope_mismatch = Some(pair.envelope_mismatch);
                self.algorithm = Some(pair.algorithm.raw().to_owned());
                self.columns = Some(column_names(&pair.columns));
            }
            _ => {}
        }
        self
    }

    /// What KMS says.
    fn with_key(mut self, key: &KmsKey, policies: &AgePolicies, now: Timestamp) -> Self {
        let raw = |texts: &Vec<crate::model::text::Untrusted>| {
            texts.iter().map(|text| text.raw().to_owned()).collect::<Vec<_>>()
        };
        self.aliases = key.aliases.known().map(raw);
        self.key_name = self
            .aliases
            .as_ref()
            .and_then(|aliases| aliases.first().cloned())
            .or_else(|| Some(key.arn.id().to_owned()));
        self.kms_state = Some(key.state.as_str().to_owned());
        self.deletion_date = key.deletion_date;
        self.state_read_at = Some(key.read_at);
        if let Seen::Known(age) = RotationAge::of(key, policies, now) {
            self.rotated_at = Some(age.since);
            self.age_days = Some(age.days);
            self.age_limit_days = Some(age.policy.max_days);
            self.age_percent = Some(age.percent());
            self.age_verdict = Some(age.verdict);
        }
        let status = key.rotation.known();
        self.rotation = match key.automatic_rotation() {
            AutomaticRotation::Impossible(_) => Some("manual"),
            AutomaticRotation::Possible => status.map(|s| if s.automatic { "automatic" } else { "off" }),
        };
        self.rotation_period_days = status.and_then(|status| status.period_days);
        self.next_rotation = status.and_then(|status| status.next);
        if let Some(last) = key.last_use.known() {
            self.last_used_at = last.used.as_ref().map(|(at, _)| *at);
            self.last_used_operation = last.used.as_ref().map(|(_, operation)| operation.clone());
            self.use_tracked_since = last.tracked_since;
        }
        self.origin = Some(key.origin.as_str().to_owned());
        self.key_spec = Some(key.spec.as_str().to_owned());
        self.multi_region = Some(key.multi_region.is_some());
        self
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
