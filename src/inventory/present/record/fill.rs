//! A row's record, filled in from what SQL Server and KMS say.

use jiff::Timestamp;

use super::{PairRecord, Relative};
use crate::inventory::present::state::{row_state, why_not_visible};
use crate::inventory::traits::anomalies;
use crate::model::age::{AgePolicies, RotationAge, days_between};
use crate::model::arn::{KeyArn, KeyPath};
use crate::model::catalog::{EncryptedColumn, Envelope};
use crate::model::key::{AutomaticRotation, KeyStore, KmsKey};
use crate::model::pair::{DatabaseRef, EstateMark, Inventory, Row};
use crate::model::rotation::{NextRotation, OnDemand, Rotation};
use crate::model::seen::Seen;
use crate::model::text::Untrusted;

/// One row for machines, as it is at `now`.
#[must_use]
pub fn record(inventory: &Inventory, row: &Row, policies: &AgePolicies, now: Timestamp) -> PairRecord {
    let arn = named_key(row);
    let record = PairRecord {
        kind: kind(row),
        anomalies: anomalies(row),
        key_arn: arn.as_ref().map(ToString::to_string),
        account: arn.as_ref().map(|arn| arn.account().to_owned()),
        region: arn.as_ref().map(|arn| arn.region().to_owned()),
        state: row_state(inventory, row, policies, now).0,
        not_visible: why_not_visible(inventory, row).map(|why| why.reason.clone()),
        ..PairRecord::default()
    };
    let record = record.with_catalog(row).with_tde(inventory, row);
    match inventory.key_of(row) {
        Some(key) => record
            .with_key(key, now)
            .with_age(key, policies, now)
            .with_rotation(key, now)
            .with_relatives(key, inventory),
        None => record,
    }
}

fn kind(row: &Row) -> &'static str {
    match row {
        Row::Pair(_) => "pair",
        Row::UnusedMasterKey { .. } => "unused_master_key",
        Row::OrphanColumnKey { .. } => "orphan_column_key",
        Row::UnreferencedKey { .. } => "unreferenced_key",
        Row::UnreadableDatabase { .. } => "unreadable_database",
        Row::UnreadableServer { .. } => "unreadable_server",
        Row::UnreadableRegion { .. } => "unreadable_region",
        Row::UnreadableEnvironment { .. } => "unreadable_environment",
    }
}

/// The key that a row leads to, or that its key path names.
fn named_key(row: &Row) -> Option<KeyArn> {
    row.key_arn().cloned().or_else(|| match row.key_path()? {
        KeyPath::Key(arn) => Some(arn),
        KeyPath::Alias(_) | KeyPath::Other(_) => None,
    })
}

fn column_names(columns: &[EncryptedColumn]) -> Vec<String> {
    let name = |column: &EncryptedColumn| column.parts().map(Untrusted::raw).collect::<Vec<_>>().join(".");
    columns.iter().map(name).collect()
}

fn column_encryption(columns: &[EncryptedColumn]) -> Vec<&'static str> {
    columns.iter().map(|column| column.encryption.word()).collect()
}

/// The database that a row is about.
fn database_of(row: &Row) -> Option<&DatabaseRef> {
    match row {
        Row::OrphanColumnKey { database, .. } | Row::UnreadableDatabase { database, .. } => Some(database),
        _ => row.cmk().map(|cmk| &cmk.database),
    }
}

/// Whole days from `now` on; 0 where `at` has passed.
fn days_until(at: Timestamp, now: Timestamp) -> u32 {
    days_between(now, at)
}

impl PairRecord {
    /// What SQL Server says, or why it does not.
    fn with_catalog(mut self, row: &Row) -> Self {
        if let Some(cmk) = row.cmk() {
            self.cmk = Some(cmk.name.raw().to_owned());
            self.provider = Some(cmk.provider.raw().to_owned());
            self.key_path = Some(cmk.key_path.raw().to_owned());
            self.other_master_keys = cmk.link.arn().map(|_| cmk.siblings);
        }
        let database = database_of(row);
        self.database = database.map(|database| database.database.raw().to_owned());
        self.server = database.map(|database| database.server.0.clone());
        match row {
            Row::UnreadableServer { server, .. } => self.server = Some(server.0.clone()),
            Row::UnreadableRegion { region, .. } => self.region = Some(region.clone()),
            Row::UnreferencedKey { estate: EstateMark::Marked { by }, .. } => {
                self.estate = Some(by.to_string());
            }
            Row::OrphanColumnKey { cek, columns, .. } => {
                self.cek = Some(cek.raw().to_owned());
                self.columns = Some(column_names(columns));
                self.column_encryption = Some(column_encryption(columns));
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
                self.column_encryption = Some(column_encryption(&pair.columns));
            }
            _ => {}
        }
        self
    }

    /// How SQL Server encrypts the database's files.
    fn with_tde(mut self, inventory: &Inventory, row: &Row) -> Self {
        let catalog = database_of(row).and_then(|place| inventory.database(place));
        if let Some(tde) = catalog.and_then(|database| database.tde.known()) {
            self.tde_state = Some(tde.as_ref().map_or("none", |tde| tde.state.words()));
            self.tde_algorithm = tde.as_ref().map(|tde| format!("{} {}", tde.algorithm.raw(), tde.key_bits));
        }
        self
    }

    /// What KMS says of the key itself.
    fn with_key(mut self, key: &KmsKey, now: Timestamp) -> Self {
        let raw = |texts: &Vec<Untrusted>| texts.iter().map(|text| text.raw().to_owned()).collect::<Vec<_>>();
        self.aliases = key.aliases.known().map(raw);
        let first = self.aliases.as_ref().and_then(|aliases| aliases.first().cloned());
        self.key_name = first.or_else(|| Some(key.arn.id().to_owned()));
        self.kms_state = Some(key.state.as_str().to_owned());
        self.deletion_date = key.deletion_date;
        self.deletion_in_days = key.deletion_date.map(|at| days_until(at, now));
        self.pending_window_days = key.pending_window_days;
        self.state_read_at = Some(key.read_at);
        self.created_at = Some(key.created);
        self.material_id.clone_from(&key.material_id);
        if let Some(last) = key.last_use.known() {
            self.last_used_at = last.used.as_ref().map(|(at, _)| *at);
            self.last_used_operation = last.used.as_ref().map(|(_, operation)| operation.clone());
            self.use_tracked_since = last.tracked_since;
        }
        self.origin = Some(key.origin.as_str().to_owned());
        self.key_spec = Some(key.spec.as_str().to_owned());
        self.key_usage = Some(key.usage.as_str().to_owned());
        self.manager = Some(key.manager.as_str().to_owned());
        self.expiration = key.expiration.as_ref().map(|model| model.as_str().to_owned());
        self.expires_at = key.valid_to;
        self.expires_in_days = key.valid_to.map(|at| days_until(at, now));
        match &key.key_store {
            Some(KeyStore::CloudHsm { store_id, cluster_id }) => {
                self.key_store = Some(store_id.clone());
                self.key_store_cluster.clone_from(cluster_id);
            }
            Some(KeyStore::External { store_id, xks_key_id }) => {
                self.key_store = Some(store_id.clone());
                self.xks_key = xks_key_id.as_ref().map(|id| id.raw().to_owned());
            }
            None => {}
        }
        self
    }

    fn with_age(mut self, key: &KmsKey, policies: &AgePolicies, now: Timestamp) -> Self {
        let Seen::Known(age) = RotationAge::of(key, policies, now) else { return self };
        self.age_percent = Some(age.percent());
        self.rotated_at = Some(age.since);
        self.age_days = Some(age.days);
        self.age_limit_days = Some(age.policy.max_days);
        self.age_grace_days = Some(age.policy.grace_days);
        self.age_verdict = Some(age.verdict);
        self.policy_source = Some(age.source.to_string());
        self.policy_unjudged = age.unjudged.map(|rule| format!("{}: {}", rule.rule, rule.why.reason));
        self.exception_expires = age.exception.as_ref().map(|one| one.expires.to_string());
        self.exception = age.exception.map(|one| one.reason);
        self.exception_lapsed = age.lapsed.map(|one| one.expires.to_string());
        self
    }

    fn with_rotation(mut self, key: &KmsKey, now: Timestamp) -> Self {
        let status = key.rotation.known();
        self.rotation = match key.automatic_rotation() {
            AutomaticRotation::Impossible(_) => Some("manual"),
            AutomaticRotation::Possible => status.map(|s| if s.automatic { "automatic" } else { "off" }),
        };
        self.rotation_period_days = status.and_then(|status| status.period_days);
        self.next_rotation = status.and_then(|status| status.next);
        if let Seen::Known(rotation) = Rotation::of(key, now) {
            self.rotation_kind = Some(rotation.kind.word());
            self.rotation_told = Some(rotation.kind.told());
            self.next_rotation_kind = Some(match rotation.next {
                NextRotation::At { .. } => "at",
                NextRotation::Late { .. } => "late",
                NextRotation::Unsaid => "unsaid",
                NextRotation::Paused => "paused",
                NextRotation::Never => "never",
                NextRotation::ByHand => "by_hand",
            });
        }
        let on_demand = key.on_demand();
        self.on_demand_used = on_demand.map(|all| all.used);
        self.on_demand_left = on_demand.filter(|all| all.whole).map(OnDemand::left);
        self
    }

    fn with_relatives(mut self, key: &KmsKey, inventory: &Inventory) -> Self {
        self.multi_region = Some(key.multi_region.is_some());
        let Some(family) = &key.multi_region else { return self };
        let role = |arn: &KeyArn| if *arn == family.primary { "primary" } else { "replica" };
        self.multi_region_role = Some(role(&key.arn));
        let relative = |arn: &KeyArn| {
            let seen = inventory.relative(arn);
            Relative {
                region: arn.region().to_owned(),
                arn: arn.to_string(),
                role: role(arn),
                kms_state: seen.known().map(|key| key.state.as_str().to_owned()),
                not_visible: seen.not_visible().map(|why| why.reason.clone()),
            }
        };
        self.relatives = Some(family.relatives_of(&key.arn).map(relative).collect());
        self
    }
}
