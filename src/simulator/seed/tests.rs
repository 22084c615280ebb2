//! The seeded account is what the issue asks for, and the same each time.

use std::collections::BTreeSet;

use super::*;
use crate::simulator::aws::kms::key::{Key, KeyManager, KeySpec, KeyState, Origin, RotationType};
use crate::simulator::sql::state::Database;

fn now() -> Timestamp {
    "2026-05-04T12:34:56Z".parse().unwrap()
}

fn world() -> World {
    buzz_tutor(42, now())
}

fn databases(world: &World) -> impl Iterator<Item = &Database> {
    world
        .sql
        .iter()
        .filter(|server| server.name.starts_with("buzz-prod-1"))
        .flat_map(|server| &server.databases)
}

/// Everything but RSA pairs, which are not made until used.
fn dump(world: &World) -> String {
    let records: Vec<String> = world
        .trail
        .records()
        .map(|record| format!("{} {} {}", record.render(), record.delivered, record.event_id))
        .collect();
    let keys: Vec<_> = world.kms.keys().collect();
    let aliases: Vec<_> = world.kms.aliases().collect();
    format!("{keys:?}{aliases:?}{:?}{:?}{:?}{:?}{records:?}", world.sql, world.rds, world.sns, world.sts)
}

#[test]
fn the_same_seed_and_time_make_the_same_account() {
    assert!(dump(&world()) == dump(&world()));
    assert!(dump(&world()) != dump(&buzz_tutor(43, now())));
}

#[test]
fn there_are_forty_pairs_in_three_databases_over_twelve_keys() {
    let world = world();
    assert_eq!(
        databases(&world).map(|one| one.name.as_str()).collect::<Vec<_>>(),
        ["buzz_prod", "buzz_report", "buzz_arch", "buzz_hr"]
    );
    let pairs: usize = databases(&world).map(|one| one.values.len()).sum();
    assert!(pairs >= 40, "{pairs} pairs");
    let columns: usize = databases(&world).map(|one| one.columns.len()).sum();
    assert!(columns >= 60, "{columns} columns");
    let arns: BTreeSet<String> = world.kms.keys().map(Key::arn).collect();
    let used: BTreeSet<&str> = databases(&world)
        .flat_map(|one| one.values.iter().map(move |value| path_of(one, value.column_master_key_id)))
        .filter(|path| arns.contains(*path))
        .collect();
    assert!(used.len() >= 12, "{} keys", used.len());
}

fn path_of(database: &Database, id: i32) -> &str {
    &database.master_keys.iter().find(|key| key.column_master_key_id == id).unwrap().key_path
}

#[test]
fn there_is_a_key_of_every_kind() {
    let world = world();
    let now = now();
    let any = |what: &str, test: &dyn Fn(&Key) -> bool| assert!(world.kms.keys().any(test), "no key {what}");
    let next = |key: &Key| key.rotation.as_ref().map(|rotation| rotation.next);
    let in_days = |count: i64| now + SignedDuration::from_hours(24 * count);
    any("rotating on time", &|key| next(key).is_some_and(|next| next > in_days(30)));
    any("overdue", &|key| next(key).is_some_and(|next| next < now));
    any("almost due", &|key| next(key).is_some_and(|next| next > now && next < in_days(3)));
    for state in [
        KeyState::Enabled,
        KeyState::Disabled,
        KeyState::PendingDeletion,
        KeyState::PendingReplicaDeletion,
        KeyState::PendingImport,
        KeyState::Unavailable,
    ] {
        any(state.as_str(), &|key| key.state == state);
    }
    any("imported with expiry", &|key| {
        key.origin == Origin::External && key.materials.iter().any(|material| material.valid_to.is_some())
    });
    any("RSA", &|key| key.spec == KeySpec::Rsa2048);
    any("HMAC", &|key| key.spec == KeySpec::Hmac256);
    any("ECC", &|key| key.spec == KeySpec::EccNistP256);
    any("in a custom key store", &|key| key.origin == Origin::CloudHsm);
    any("in an external key store", &|key| key.origin == Origin::ExternalKeyStore);
    any("nearly out of rotations on demand", &|key| {
        key.rotations.iter().filter(|one| one.kind == RotationType::OnDemand).count() == 23
    });
    any("replica with a state of its own", &|key| key.is_replica() && key.state == KeyState::Disabled);
    any("that nobody tagged", &|key| {
        key.tags.is_empty() && key.manager == KeyManager::Customer && key.account == ACCOUNT
    });
    any("multi-Region primary", &|key| key.multi_region.is_some() && !key.is_replica() && key.region == HOME);
    any("replica", &|key| key.is_replica() && key.region == REPLICA);
    any("of another account", &|key| key.account == FOREIGN_ACCOUNT);
    any("of AWS's own", &|key| key.manager == KeyManager::Aws);
    any("with a year's rotation", &|key| {
        key.rotation.as_ref().is_some_and(|rotation| rotation.period == 365)
    });
    any("with four grants", &|key| key.grants.len() == 4);
    any("open to the world", &|key| key.policy.contains(r#""AWS":"*""#));
}

#[test]
fn no_rotation_falls_due_unseen_at_the_start() {
    // A key that rotates by itself has its next date ahead, unless it is the stalled one.
    for key in world().kms.keys().filter(|key| key.state == KeyState::Enabled) {
        if let Some(rotation) = &key.rotation {
            assert!(rotation.stalled || rotation.next > now(), "{}", key.description);
        }
        assert!(key.rotations.iter().all(|rotation| rotation.at <= now() && rotation.at >= key.created));
        assert!(key.rotations.is_sorted_by_key(|rotation| rotation.at));
    }
}

#[test]
fn the_catalog_has_every_oddity() {
    let world = world();
    let all: Vec<&Database> = databases(&world).collect();
    let paths: Vec<&str> =
        all.iter().flat_map(|one| &one.master_keys).map(|key| key.key_path.as_str()).collect();
    let providers: BTreeSet<&str> =
        all.iter().flat_map(|one| &one.master_keys).map(|key| key.key_store_provider_name.as_str()).collect();
    assert!(
        ["AWS_KMS", "AWS_KEY_STORE", "MSSQL_CERTIFICATE_STORE", "AZURE_KEY_VAULT"]
            .iter()
            .all(|one| providers.contains(one))
    );
    assert!(paths.contains(&keys::GONE_ARN) && world.kms.keys().all(|key| key.arn() != keys::GONE_ARN));
    assert!(paths.iter().any(|path| path.contains(":alias/")));
    assert!(paths.iter().any(|path| path.contains(FOREIGN_ACCOUNT)));
    let values_of = |one: &Database, id: i32| {
        one.values.iter().filter(|value| value.column_encryption_key_id == id).count()
    };
    assert!(
        all.iter()
            .any(|one| one.column_keys.iter().any(|key| values_of(one, key.column_encryption_key_id) == 2))
    );
    assert!(all.iter().any(|one| {
        one.master_keys
            .iter()
            .any(|key| one.values.iter().all(|value| value.column_master_key_id != key.column_master_key_id))
    }));
    let behind = |database: &str, cek: &str| -> &str {
        let one = all.iter().find(|one| one.name == database).unwrap();
        let id = one.column_keys.iter().find(|key| key.name == cek).unwrap().column_encryption_key_id;
        let value = one.values.iter().find(|value| value.column_encryption_key_id == id).unwrap();
        path_of(one, value.column_master_key_id)
    };
    for (database, cek, alias) in [
        ("buzz_prod", "CEK_User_12345", keys::USER_DATA),
        ("buzz_prod", "CEK_Payments", keys::PAYMENTS),
        ("buzz_arch", "CEK_Legacy", keys::LEGACY),
    ] {
        assert_eq!(behind(database, cek), keys::arn_behind(&world.kms, alias), "{cek}");
    }
    assert!(all.iter().all(|one| one.columns.iter().all(|column| {
        one.column_keys.iter().any(|key| key.column_encryption_key_id == column.column_encryption_key_id)
    })));
}

#[test]
fn envelopes_hold_ciphertexts_that_the_key_opens() {
    use crate::simulator::aws::kms::material::Blob;
    let world = world();
    let mut opened = 0;
    for one in databases(&world) {
        for value in &one.values {
            let bytes = &value.encrypted_value;
            let length = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
            if bytes[0] != 1 || bytes.len() != 5 + length(1) + length(3) {
                continue;
            }
            let (path, ciphertext) = bytes[5..].split_at(length(1));
            let units: Vec<u16> = path.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            let path = String::from_utf16(&units).unwrap();
            assert_eq!(path, path.to_lowercase());
            let blob = Blob::parse(ciphertext).unwrap();
            let key = world.kms.key(HOME, &blob.key_id).unwrap();
            assert_eq!(key.unwrap_blob(&blob, &std::collections::BTreeMap::new()).unwrap().len(), 32);
            opened += 1;
        }
    }
    assert!(opened >= 30, "{opened} opened");
}

#[test]
fn hostile_text_stands_wherever_an_attacker_can_write() {
    let world = world();
    assert!(['\u{1b}', '\u{202e}', '\n', '\u{200b}'].iter().all(|one| HOSTILE.contains(*one)));
    assert!(world.kms.aliases().any(|(alias, _)| alias.name.contains(HOSTILE)));
    assert!(world.kms.keys().any(|key| key.description == HOSTILE));
    assert!(databases(&world).any(|one| one.column_keys.iter().any(|key| key.name == HOSTILE)));
    assert!(databases(&world).any(|one| one.master_keys.iter().any(|key| key.name == HOSTILE)));
    assert!(world.trail.records().any(|record| *record.entry.user_agent == *HOSTILE));
}

#[test]
fn history_is_three_weeks_long_and_agrees_with_the_keys() {
    let world = world();
    let records: Vec<_> = world.trail.records().collect();
    assert!((5_000..=20_000).contains(&records.len()), "{} records", records.len());
    assert!(records.iter().all(|record| record.entry.at <= now()));
    let oldest = records.iter().map(|record| record.entry.at).min().unwrap();
    assert!((20 * 24..=22 * 24).contains(&now().duration_since(oldest).as_hours()));
    let named = |name: &str| records.iter().filter(|record| *record.entry.name == *name).count();
    for name in [
        "RotateKey",
        "SynchronizeMultiRegionKey",
        "DeleteKey",
        "DisableKey",
        "ScheduleKeyDeletion",
        "AssumeRole",
        "DescribeKey",
        "PutKeyPolicy",
        "EnableKeyRotation",
        "DisableKeyRotation",
        "CreateGrant",
        "GenerateDataKey",
    ] {
        assert!(named(name) > 0, "no {name}");
    }
    let disabled = keys::arn_behind(&world.kms, keys::PAYMENTS);
    let drop = records.iter().find(|one| {
        *one.entry.name == *"DisableKey"
            && one.entry.error.is_none()
            && one.entry.resources[0].arn == disabled
    });
    let dropped_at = drop.unwrap().entry.at;
    for record in records.iter().filter(|one| *one.entry.name == *"Decrypt" && one.entry.at >= dropped_at) {
        let on_disabled = record.entry.resources.iter().any(|resource| resource.arn == disabled);
        assert!(!on_disabled || record.entry.error.is_some(), "a disabled key decrypts nothing");
    }
    let payments = keys::behind(&world.kms, keys::PAYMENTS).unwrap();
    assert!(payments.last_usage.as_ref().is_some_and(|usage| usage.at < dropped_at));
}

#[test]
fn the_people_of_the_requirement_are_there() {
    let world = world();
    for environment in ENVIRONMENTS {
        for role in ["KeyManagementAdmin", "EmergencyKeyAdmin", "KeyRecoveryAdmin"] {
            let name = format!("BuzzTutor{role}-{environment}");
            assert!(world.sts.roles.iter().any(|role| role.name == name), "{name}");
        }
    }
    for name in ["SecurityTeam", "DevOps", "DatabaseAdmin", "AuditLogger"] {
        assert!(world.sts.roles.iter().any(|role| role.name == format!("BuzzTutor{name}")), "{name}");
    }
    assert!(world.sts.users.iter().any(|user| user.name == "oncall-a" && user.mfa.is_some()));
    for user in ["platform", "oncall-a", "oncall-b", "auditor"] {
        assert!(credentials(&world, user).is_some_and(|key| key.access_key_id.len() == 20), "{user}");
    }
    assert!(credentials(&world, "nobody").is_none());
    assert!(world.sns.topics().any(|arn| arn.ends_with(ALERT_TOPIC)));
}

#[test]
fn at_any_hour_nothing_lies_in_the_future_and_nothing_is_left_to_settle() {
    for now in
        ["2026-05-04T00:00:00Z", "2026-03-01T03:00:01Z", "2026-12-31T23:59:59Z", "2028-02-29T12:00:00Z"]
    {
        let now: Timestamp = now.parse().unwrap();
        let mut world = buzz_tutor(7, now);
        assert!(world.trail.records().all(|record| record.entry.at <= now), "{now}");
        assert!(world.kms.keys().all(|key| key.last_usage.as_ref().is_none_or(|usage| usage.at <= now)));
        let World { kms, rng, .. } = &mut world;
        assert_eq!(kms.settle(now, rng), []);
    }
}
