//! Three weeks of events before now, agreeing with the state that the keys are in.

mod scribe;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::cast::{APP_HOSTS, Cast, KeyUse, SHIFT};
use super::keys::{
    self, EXAMS, EXAMS_ROTATED, GONE_ARN, LEGACY, LEGACY_SCHEDULED, PAYMENTS, PAYMENTS_ROTATED, PROFILES,
    REPORTING, REPORTING_ROTATED, RETIRED, RETIRED_SCHEDULED, STAGING, USER_DATA,
};
use super::{ACCOUNT, FOREIGN_ACCOUNT, HOME, HOSTILE, REPLICA};
use crate::simulator::aws::cloudtrail::actor::Actor;
use crate::simulator::aws::cloudtrail::record::Entry;
use crate::simulator::aws::kms::key::{KeyManager, LastUsage};
use crate::simulator::world::World;

use scribe::{COLLEAGUE, CONSOLE, DEPLOYER, MANAGER, Scribe};

/// How far back history goes.
const DAYS: i64 = 21;
/// In seconds.
const DAY: i64 = 86_400;

/// Writes the history into the trail, and each key's last use into the key.
pub(super) fn fill(world: &mut World, now: Timestamp) {
    let rng = SmallRng::from_rng(&mut world.rng);
    let mut scribe =
        Scribe { cast: Cast::of(&world.kms), rng, now, entries: Vec::with_capacity(12_000), world };
    scribe.application();
    scribe.nightly();
    scribe.monitoring();
    scribe.rds();
    scribe.deploys();
    scribe.rotations();
    scribe.incidents();
    let Scribe { entries, .. } = scribe;
    world.trail.extend(entries);
    note_last_usage(world, now);
}

impl Scribe<'_> {
    /// Decrypts by office hours; new credentials every shift; errors where a key is out of reach.
    fn application(&mut self) {
        let disabled_at = self.now - PAYMENTS_DISABLED;
        for hour in 0..DAYS * 24 {
            let from = self.now - SignedDuration::from_hours(hour + 1);
            for _ in 0..hourly_rate(from) {
                let at = from + SignedDuration::from_secs(self.rng.random_range(0..3600));
                let Some((mut entry, index)) = self.cast.app_decrypt(at, &mut self.rng) else { continue };
                let key = &self.cast.app[index].key;
                if at >= disabled_at
                    && keys::behind(&self.world.kms, PAYMENTS).is_some_and(|one| one.id == key.id)
                {
                    entry.error =
                        Some(("DisabledException".into(), format!("{} is disabled.", key.arn).into()));
                    entry.additional = None;
                }
                if key.account == ACCOUNT {
                    self.entries.push(entry);
                } else {
                    self.push_both(entry, &key.account.clone());
                }
            }
        }
        let shifts = DAYS * 24 * 3600 / SHIFT.as_secs();
        for shift in 0..shifts {
            for (host, _) in APP_HOSTS {
                let at = self.now - SHIFT * i32::try_from(shift).unwrap_or_default();
                self.assumed_by_service("BuzzTutorApp-production", host, at);
            }
        }
    }

    /// Reports and backups at night, and a little staging by day.
    fn nightly(&mut self) {
        for day in 1..=DAYS {
            let night = at_hour(self.now, day, 2);
            self.assumed_by_service("BuzzTutorReports-production", "reports-nightly", night);
            for step in 0..30 {
                let at = night + SignedDuration::from_secs(60 + step * 41);
                let actor = self.cast.on_shift("BuzzTutorReports-production", "reports-nightly", at);
                let entry = self.cast.kms_call(at, "Decrypt", &actor);
                let user_agent = self.cast.word("Boto3/1.38.36 md/Botocore#1.38.36 lang/python#3.12.10");
                let source_ip = self.cast.word("10.20.9.12");
                if let Some(key) = Cast::pick(&self.cast.reports, &mut self.rng) {
                    self.entries.push(Entry { source_ip, user_agent, ..key.decrypt(entry, &mut self.rng) });
                }
            }
            let backup = at_hour(self.now, day, 3);
            for step in 0..6 {
                self.backup(backup + SignedDuration::from_secs(step * 97));
            }
            for hour in 8..18 {
                let at =
                    at_hour(self.now, day, hour) + SignedDuration::from_secs(self.rng.random_range(0..3600));
                let actor = self.cast.on_shift("BuzzTutorApp-staging", "i-0de7710a5c2b49f04", at);
                let entry = self.cast.kms_call(at, "Decrypt", &actor);
                let source_ip = self.cast.word("10.30.1.5");
                if let Some(key) = Cast::pick(&self.cast.staging, &mut self.rng) {
                    self.entries.push(Entry { source_ip, ..key.decrypt(entry, &mut self.rng) });
                }
            }
        }
    }

    fn backup(&mut self, at: Timestamp) {
        let Some(key) = self.key(USER_DATA) else { return };
        let actor = self.cast.on_shift("BuzzTutorBackup", "AWSBackup-buzz-prod-1", at);
        let service = self.cast.word("backup.amazonaws.com");
        let entry = self.cast.kms_call(at, "GenerateDataKey", &actor);
        self.entries.push(Entry {
            source_ip: Arc::clone(&service),
            user_agent: service,
            request: Some(Arc::new(json!({"keyId": key.arn, "keySpec": "AES_256"}))),
            resources: key.resources,
            ..entry
        });
    }

    /// Every key is looked at every six hours.
    fn monitoring(&mut self) {
        let ours: Vec<KeyUse> = self
            .world
            .kms
            .keys()
            .filter(|key| key.account == ACCOUNT && key.region == HOME && key.manager == KeyManager::Customer)
            .map(|key| KeyUse::of(key, ""))
            .collect();
        let (address, agent) =
            (self.cast.word("10.20.9.30"), self.cast.word("Boto3/1.38.36 buzz-key-monitor/2.1"));
        for round in 0..DAYS * 4 {
            let at = self.now - SignedDuration::from_secs(round * 6 * 3600 + 1800);
            let actor = self.cast.on_shift("BuzzTutorMonitoring", "key-monitor", at);
            let list = self.cast.kms_call(at, "ListKeys", &actor);
            let call = |entry: Entry| Entry {
                source_ip: Arc::clone(&address),
                user_agent: Arc::clone(&agent),
                ..entry
            };
            self.entries.push(call(list));
            let describe = self.cast.kms_call(at, "DescribeKey", &actor);
            for (second, key) in (1..).zip(&ours) {
                if describe_is_older(key, self.world, at) {
                    self.entries.push(call(Entry {
                        at: at + SignedDuration::from_secs(second),
                        request: Some(Arc::clone(&key.by_arn)),
                        resources: Arc::clone(&key.resources),
                        ..describe.clone()
                    }));
                }
            }
        }
    }

    /// RDS uses the storage key of its instance, by its grant.
    fn rds(&mut self) {
        let Some(key) = self.key(USER_DATA) else { return };
        let service = self.cast.word("rds.amazonaws.com");
        let actor = Arc::new(Actor::Service { account: ACCOUNT.to_owned(), name: service.to_string() });
        let context = json!({"keyId": key.arn, "encryptionContext": {"aws:rds:db-id": "db-BUZZPROD1"}});
        let context = Arc::new(context);
        for step in 0..DAYS * 4 {
            let at = self.now - SignedDuration::from_secs(step * 6 * 3600 + 2700);
            for name in ["DescribeKey", "Decrypt", "GenerateDataKeyWithoutPlaintext"] {
                let entry = self.cast.kms_call(at, name, &actor);
                self.entries.push(Entry {
                    source_ip: Arc::clone(&service),
                    user_agent: Arc::clone(&service),
                    request: Some(Arc::clone(&context)),
                    resources: Arc::clone(&key.resources),
                    ..entry
                });
            }
        }
    }

    /// A release every few days: policies are put, an alias is pointed where it pointed before.
    fn deploys(&mut self) {
        for day in [19, 15, 12, 8, 4, 2] {
            let at = at_hour(self.now, day, 10);
            self.assumed(DEPLOYER, at);
            for (minute, alias) in (1..).zip([USER_DATA, PAYMENTS, EXAMS]) {
                let Some(key) = self.key(alias) else { continue };
                let at = at + SignedDuration::from_mins(minute);
                self.read(DEPLOYER, at, "GetKeyPolicy", &key);
                self.change(
                    DEPLOYER,
                    at + SignedDuration::from_secs(9),
                    "PutKeyPolicy",
                    &key,
                    json!({
                        "keyId": key.arn, "policyName": "default", "policy": self.policy(&key),
                        "bypassPolicyLockoutSafetyCheck": false,
                    }),
                );
                self.change(
                    DEPLOYER,
                    at + SignedDuration::from_secs(14),
                    "UpdateAlias",
                    &key,
                    json!({
                        "aliasName": format!("alias/{alias}"), "targetKeyId": key.arn,
                    }),
                );
            }
        }
        if let Some(key) = self.key(STAGING) {
            let at = at_hour(self.now, 6, 15);
            self.change(
                DEPLOYER,
                at,
                "PutKeyPolicy",
                &key,
                json!({
                    "keyId": key.arn, "policyName": "default", "policy": self.policy(&key),
                    "bypassPolicyLockoutSafetyCheck": true,
                }),
            );
        }
        if let Some(key) = self.key(EXAMS) {
            let grantee = format!("arn:aws:iam::{FOREIGN_ACCOUNT}:role/NorthwindImport");
            self.change(MANAGER, at_hour(self.now, 15, 16), "CreateGrant", &key, json!({
                "keyId": key.arn, "granteePrincipal": grantee, "operations": ["Decrypt"], "name": "northwind",
            }));
        }
    }

    /// What KMS did by itself.
    fn rotations(&mut self) {
        let rotated = [
            (PAYMENTS, PAYMENTS_ROTATED),
            (EXAMS, EXAMS_ROTATED),
            (REPORTING, REPORTING_ROTATED),
            (STAGING, 10),
        ];
        for (alias, days) in rotated {
            let Some(key) = keys::behind(&self.world.kms, alias) else { continue };
            let [.., previous, current] = key.materials.as_slice() else { continue };
            let details = json!({
                "keyId": key.arn(), "keyOrigin": "AWS_KMS", "rotationType": "AUTOMATIC",
                "previousKeyMaterialId": previous.id, "currentKeyMaterialId": current.id,
            });
            let at = super::ago(self.now, days);
            self.service_event(at, HOME, "RotateKey", &key.arn(), details.clone());
            if let Some(replica) = self.world.kms.key(REPLICA, &key.id) {
                let arn = replica.arn();
                self.service_event(at + SignedDuration::from_secs(4), REPLICA, "RotateKey", &arn, details);
                let later = at + SignedDuration::from_secs(5);
                self.service_event(later, REPLICA, "SynchronizeMultiRegionKey", &arn, json!({"keyId": arn}));
            }
        }
        let gone = at_hour(self.now, 18, 4);
        self.service_event(gone, HOME, "DeleteKey", GONE_ARN, json!({"keyId": GONE_ARN}));
    }

    /// What an investigator should find: a drop, a deletion, rotation switched off, refused attempts.
    fn incidents(&mut self) {
        self.payments_disabled();
        self.deletions();
        if let Some(key) = self.key(PROFILES) {
            let at = at_hour(self.now, 16, 17);
            self.assumed(DEPLOYER, at);
            let request = json!({"keyId": key.arn});
            self.change(DEPLOYER, at + SignedDuration::from_mins(2), "DisableKeyRotation", &key, request);
        }
        if let Some(key) = self.key("buzz-tutor/sessions-2026") {
            let request = json!({"keyId": key.arn, "rotationPeriodInDays": 90});
            self.change(MANAGER, at_hour(self.now, 20, 9), "EnableKeyRotation", &key, request);
        }
        self.refused_attempts();
    }

    fn payments_disabled(&mut self) {
        let Some(key) = self.key(PAYMENTS) else { return };
        let at = self.now - PAYMENTS_DISABLED;
        let request = || json!({"keyId": key.arn});
        self.assumed(COLLEAGUE, at - SignedDuration::from_secs(75));
        self.read(COLLEAGUE, at - SignedDuration::from_secs(31), "DescribeKey", &key);
        self.change(COLLEAGUE, at, "DisableKey", &key, request());
        for second in [3, 8, 15] {
            self.read(COLLEAGUE, at + SignedDuration::from_secs(second), "DescribeKey", &key);
        }
    }

    fn deletions(&mut self) {
        // The date is prose, and AWS has written it in more than one way.
        let scheduled = [
            (LEGACY, LEGACY_SCHEDULED, 7, "%b %-d, %Y, %-I:%M:%S %p"),
            (RETIRED, RETIRED_SCHEDULED, 14, "%b %-d, %Y %-I:%M:%S %p"),
        ];
        for (alias, days, window, prose) in scheduled {
            let Some(key) = self.key(alias) else { continue };
            let at = super::ago(self.now, days);
            self.assumed(MANAGER, at - SignedDuration::from_mins(3));
            let request = json!({"keyId": key.id, "pendingWindowInDays": window});
            self.change(MANAGER, at, "ScheduleKeyDeletion", &key, request);
            let date = at + SignedDuration::from_hours(window * 24);
            if let Some(last) = self.entries.last_mut() {
                last.response = Some(Arc::new(if alias == LEGACY {
                    json!({
                        "keyId": key.arn, "keyState": "PendingDeletion", "pendingWindowInDays": window,
                        "deletionDate": date.strftime(prose).to_string(),
                    })
                } else {
                    json!({"keyId": key.arn, "keyState": "PendingReplicaDeletion", "pendingWindowInDays": window})
                }));
            }
        }
    }

    fn refused_attempts(&mut self) {
        let Some(key) = self.key(USER_DATA) else { return };
        let night = at_hour(self.now, 2, 3) + SignedDuration::from_mins(12);
        let contractor = Self::user("contractor-dev");
        for attempt in 0..7 {
            let name = if attempt % 3 == 2 { "GenerateDataKey" } else { "Decrypt" };
            let entry =
                self.cast.kms_call(night + SignedDuration::from_secs(attempt * 23), name, &contractor);
            let entry = Entry {
                source_ip: self.cast.word("192.0.2.66"),
                user_agent: self.cast.word(HOSTILE),
                ..entry
            };
            self.refused(entry, "contractor-dev", &key);
        }
        let auditor = Self::user("auditor");
        let entry = self.cast.kms_call(at_hour(self.now, 9, 11), "DisableKey", &auditor);
        let entry = Entry {
            source_ip: self.cast.word("198.51.100.77"),
            user_agent: self.cast.word(CONSOLE),
            read_only: false,
            ..entry
        };
        self.refused(entry, "auditor", &key);
        // The lost archive: its key is gone, and somebody still tries.
        for day in [17, 11, 3] {
            let actor = self.cast.on_shift(
                "BuzzTutorReports-production",
                "reports-nightly",
                at_hour(self.now, day, 2),
            );
            let entry = self.cast.kms_call(at_hour(self.now, day, 2), "Decrypt", &actor);
            let error = ("NotFoundException".into(), format!("Key '{GONE_ARN}' does not exist").into());
            let request =
                Some(Arc::new(json!({"keyId": GONE_ARN, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"})));
            self.entries.push(Entry {
                error: Some(error),
                request,
                source_ip: self.cast.word("10.20.9.12"),
                ..entry
            });
        }
    }
}

/// How long ago a colleague dropped the payments key.
const PAYMENTS_DISABLED: SignedDuration = SignedDuration::from_hours(3);

/// How many Decrypts the application makes in the hour from `from`: office hours, evenings, nights (UTC).
fn hourly_rate(from: Timestamp) -> i64 {
    let rate = match from.as_second().rem_euclid(DAY) / 3600 {
        8..18 => 28,
        18..22 => 16,
        _ => 4,
    };
    // The epoch was a Thursday: day 2 and 3 of its week are Saturday and Sunday.
    let weekend = matches!(from.as_second().div_euclid(DAY).rem_euclid(7), 2 | 3);
    if weekend { rate / 2 } else { rate }
}

/// That hour (UTC) of the day that lies `days` back.
fn at_hour(now: Timestamp, days: i64, hour: i64) -> Timestamp {
    let midnight = now.as_second().div_euclid(DAY) * DAY;
    let at = Timestamp::from_second(midnight - days * DAY + hour * 3600);
    at.unwrap_or(now)
}

/// A key cannot be described before it was made.
fn describe_is_older(key: &KeyUse, world: &World, at: Timestamp) -> bool {
    world.kms.key(&key.region, &key.id).is_some_and(|key| key.created < at)
}

/// The last successful cryptographic use of each key, as the trail has it.
fn note_last_usage(world: &mut World, now: Timestamp) {
    let mut last: HashMap<String, LastUsage> = HashMap::new();
    for record in world.trail.records() {
        let entry = &record.entry;
        let cryptographic =
            matches!(entry.name.as_ref(), "Decrypt" | "Encrypt") || entry.name.starts_with("GenerateDataKey");
        let [resource] = entry.resources.as_ref() else { continue };
        if !cryptographic || entry.error.is_some() || entry.at > now || *entry.account != *resource.account {
            continue;
        }
        if last.get(&resource.arn).is_none_or(|usage| usage.at <= entry.at) {
            let usage = LastUsage {
                operation: entry.name.to_string(),
                at: entry.at,
                event_id: Some(record.event_id.to_string()),
                request_id: record.request_id.to_string(),
            };
            last.insert(resource.arn.clone(), usage);
        }
    }
    for (arn, usage) in last {
        let mut parts = arn.split(':').skip(3);
        let (Some(region), Some(resource)) = (parts.next(), parts.nth(1)) else { continue };
        if let Some(key) = world.kms.key_mut(region, resource.trim_start_matches("key/")) {
            key.last_usage = Some(usage);
        }
    }
}
