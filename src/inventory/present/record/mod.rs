//! Rows as machines read them.

mod fill;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::inventory::traits::Trait;
use crate::model::age::Verdict;
use crate::model::text::visible;

use super::state::StateKind;

pub use fill::record;

/// A record whose fields' names and documentation are there at run time too: they are written once.
macro_rules! record {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[doc = $doc:literal])+ pub $field:ident: $type:ty, )+ }
    ) => {
        $(#[$meta])*
        pub struct $name { $( $(#[doc = $doc])+ pub $field: $type, )+ }

        impl $name {
            /// How many fields there are.
            pub const COUNT: usize = [$(stringify!($field)),+].len();
            /// The fields in the order of CSV columns.
            pub const FIELDS: [&'static str; Self::COUNT] = [$(stringify!($field)),+];
            /// What each field means, in Markdown.
            const MEANINGS: [&'static [&'static str]; Self::COUNT] = [$(&[$($doc),+]),+];
        }
    };
}

record! {
    /// A row as `keys --format json` gives it: one object a row, every field always there, `null` where it is not
    /// known or does not apply. Names are given as SQL Server and KMS hold them, escaped as JSON only.
    ///
    /// Fields are added in time, never renamed and never given another meaning.
    #[derive(Clone, Debug, Default, PartialEq, Serialize)]
    pub struct PairRecord {
        /// The environment's name, as settings have it.
        pub environment: String,
        /// `pair`, `unused_master_key`, `orphan_column_key`, `unreferenced_key`, `unreadable_database`,
        /// `unreadable_server`, `unreadable_region` or `unreadable_environment`.
        pub kind: &'static str,
        /// What is out of the ordinary about the row: `key_gone`, `key_not_visible`, `foreign_key`,
        /// `unwatched_region`, `not_kms`, `unlisted_master_key`, `two_values`, `shared_key`,
        /// `envelope_mismatch`, `unused_master_key`, `no_value`, `unused_estate_key`, `stands_by`, `unnamed_key`,
        /// `unreadable_database`, `unreadable_server`, `unreadable_region`, `unreadable_environment`.
        pub anomalies: Vec<Trait>,
        /// The SQL server, as settings name it.
        pub server: Option<String>,
        /// The database.
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
        /// Other CMKs, of any database, that lead to the same KMS key.
        pub other_master_keys: Option<u32>,
        /// The KMS key that the path led to, or names.
        pub key_arn: Option<String>,
        /// The KMS key's first alias, else its id.
        pub key_name: Option<String>,
        /// Aliases without their `alias/` prefix; `null` where they are not known.
        pub aliases: Option<Vec<String>>,
        /// The account that the key belongs to.
        pub account: Option<String>,
        /// The Region that the key is in, or that could not be read.
        pub region: Option<String>,
        /// For a key that no CMK names: what marks it as one of the estate, e.g. `tag Application=buzz-tutor`.
        pub estate: Option<String>,
        /// What the state comes to: `enabled`, `overdue`, `excepted`, `unjudged`, `disabled`,
        /// `pending_deletion`, `pending_replica_deletion`, `pending_import`, `unavailable`, `creating`,
        /// `updating`, `other`, `gone`, `not_visible`, `no_value`, `not_kms`, `loading`.
        pub state: StateKind,
        /// KMS's own word, e.g. `PendingDeletion`.
        pub kms_state: Option<String>,
        /// Why something of this row could not be seen.
        pub not_visible: Option<String>,
        /// RFC 3339; KMS may delete up to 24 h later. A primary that waits for its replicas has none.
        pub deletion_date: Option<Timestamp>,
        /// Whole days until then; 0 on the last day and after.
        pub deletion_in_days: Option<u32>,
        /// The days that were asked for while replicas hold a primary's deletion up.
        pub pending_window_days: Option<u32>,
        /// When the key's state was read.
        pub state_read_at: Option<Timestamp>,
        /// When the key was made.
        pub created_at: Option<Timestamp>,
        /// When the material in use came: the last rotation, else the key's creation.
        pub rotated_at: Option<Timestamp>,
        /// The material in use, as events of decryption name it.
        pub material_id: Option<String>,
        /// Whole days since `rotated_at`.
        pub age_days: Option<u32>,
        /// The days that the age policy allows.
        pub age_limit_days: Option<u32>,
        /// The days past those before a key is overdue.
        pub age_grace_days: Option<u32>,
        /// `age_days` as percent of `age_limit_days`.
        pub age_percent: Option<u32>,
        /// `within`, `due` (past the limit, within the grace), `overdue`, `excepted`, or `unjudged` where a
        /// rule that comes first may be about the key and that cannot be seen.
        pub age_verdict: Option<Verdict>,
        /// The policy that judged: `default`, or the rule's keys, e.g. `tag DataClass=pci`.
        pub policy_source: Option<String>,
        /// The rule that could not be held against the key, and why.
        pub policy_unjudged: Option<String>,
        /// The reason of the exception that holds for the key.
        pub exception: Option<String>,
        /// The day from which (UTC) that exception no longer counts.
        pub exception_expires: Option<String>,
        /// The day from which an exception for the key has no longer counted, where none holds.
        pub exception_lapsed: Option<String>,
        /// `automatic`, `off`, or `manual` where KMS cannot rotate the key by itself.
        pub rotation: Option<&'static str>,
        /// What makes the material change: `automatic`, `by_aws`, `on_demand`, `manual`, `impossible`.
        pub rotation_kind: Option<&'static str>,
        /// That in words, with the reason.
        pub rotation_told: Option<String>,
        /// Days between automatic rotations.
        pub rotation_period_days: Option<u32>,
        /// KMS's `NextRotationDate`.
        pub next_rotation: Option<Timestamp>,
        /// `at` (that date), `late` (it has passed), `unsaid`, `paused` (the key is not enabled), `never`
        /// (its deletion is pending) or `by_hand`.
        pub next_rotation_kind: Option<&'static str>,
        /// On-demand rotations done, and under way; at least so many where `on_demand_left` is `null`.
        pub on_demand_used: Option<u32>,
        /// On-demand rotations left of 25; `null` where not every rotation could be listed, or none are to be had.
        pub on_demand_left: Option<u32>,
        /// The newest successful cryptographic use that KMS tells of; `null` never means unused.
        pub last_used_at: Option<Timestamp>,
        /// The operation of that use, e.g. `Decrypt`.
        pub last_used_operation: Option<String>,
        /// Since when KMS has tracked use.
        pub use_tracked_since: Option<Timestamp>,
        /// `AWS_KMS`, `EXTERNAL`, `AWS_CLOUDHSM`, `EXTERNAL_KEY_STORE`.
        pub origin: Option<String>,
        /// `SYMMETRIC_DEFAULT`, `RSA_2048` …
        pub key_spec: Option<String>,
        /// `ENCRYPT_DECRYPT`, `SIGN_VERIFY`, `GENERATE_VERIFY_MAC`, `KEY_AGREEMENT`.
        pub key_usage: Option<String>,
        /// Who manages the key: `CUSTOMER` or `AWS`.
        pub manager: Option<String>,
        /// `KEY_MATERIAL_EXPIRES` or `KEY_MATERIAL_DOES_NOT_EXPIRE`, for imported material.
        pub expiration: Option<String>,
        /// When imported material expires.
        pub expires_at: Option<Timestamp>,
        /// Whole days until then.
        pub expires_in_days: Option<u32>,
        /// The custom key store's id.
        pub key_store: Option<String>,
        /// The store's `CloudHSM` cluster.
        pub key_store_cluster: Option<String>,
        /// The key's id in the external key manager behind the store.
        pub xks_key: Option<String>,
        /// Whether the key is a multi-Region key.
        pub multi_region: Option<bool>,
        /// `primary` or `replica`.
        pub multi_region_role: Option<&'static str>,
        /// The key's relatives in other Regions, each with its own state.
        pub relatives: Option<Vec<Relative>>,
        /// Whether the CEK has a second value: a rotation of the CMK in progress.
        pub rotating: Option<bool>,
        /// `common`, or `opaque` where the provider has a layout of its own.
        pub envelope: Option<&'static str>,
        /// Whether the envelope names another key than the CMK does.
        pub envelope_mismatch: Option<bool>,
        /// The encrypted value's algorithm, e.g. `RSA_OAEP`.
        pub algorithm: Option<String>,
        /// `schema.table.column` of each column that the CEK protects, with `database.` before it where the column
        /// is in another database than the CEK.
        pub columns: Option<Vec<String>>,
        /// `deterministic` or `randomized`, for each of `columns` in the same order.
        pub column_encryption: Option<Vec<&'static str>>,
        /// The database's transparent data encryption: `none` where it has no encryption key, else SQL Server's
        /// state in words, e.g. `encrypted`; `null` where it is not visible.
        pub tde_state: Option<&'static str>,
        /// Algorithm and length of TDE's key, e.g. `AES 256`.
        pub tde_algorithm: Option<String>,
    }
}

/// A multi-Region key's relative.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Relative {
    pub region: String,
    pub arn: String,
    /// `primary` or `replica`.
    pub role: &'static str,
    /// KMS's word for its state.
    pub kms_state: Option<String>,
    /// Why that could not be seen.
    pub not_visible: Option<String>,
}

impl PairRecord {
    /// Each field and what it means, in Markdown, in the order of [`Self::FIELDS`].
    pub fn documented() -> impl Iterator<Item = (&'static str, String)> {
        let meaning = |lines: &[&str]| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
        Self::FIELDS.into_iter().zip(Self::MEANINGS.into_iter().map(meaning))
    }

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
        // A relative: its Region and its state.
        Value::Object(fields) => {
            let told =
                ["region", "kms_state", "not_visible"].iter().filter_map(|name| fields.get(*name)?.as_str());
            visible(&told.collect::<Vec<_>>().join(" ")).into_owned()
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests;
