//! A big company's account: as many keys and pairs as are wanted, for tests of size and speed.
//!
//! The mix is meant to be like a real one: most keys are symmetric and rotate every 90 or 365 days, some do not
//! rotate, a few are asymmetric, imported or in a custom key store, a few are disabled or about to go.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _};

use super::databases::{envelope, logins, next_id};
use super::{ACCOUNT, ALERT_TOPIC, HOME, ago, estate_tags, people};
use crate::simulator::aws::cloudtrail::Trail;
use crate::simulator::aws::kms::Kms;
use crate::simulator::aws::kms::key::{
    Grant, Key, KeySpec, KeySpecification, KeyState, KeyUsage, LastUsage, Origin, RotationType, random_uuid,
};
use crate::simulator::sql::state::{Column, ColumnKey, ColumnKeyValue, Database, MasterKey, SqlServer};
use crate::simulator::world::World;

/// How big an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Customer keys in the home Region.
    pub keys: u32,
    /// Column keys, each wrapped by one of them. With fewer pairs than keys, some keys have none.
    pub pairs: u32,
}

/// Column master keys in one database.
const MASTER_KEYS_A_DATABASE: usize = 100;
/// Databases on one SQL server, where there are many.
const DATABASES_A_SERVER: usize = 64;

/// The account at `now`.
#[must_use]
pub fn company(seed: u64, now: Timestamp, size: Size) -> World {
    let mut world = World::empty(ACCOUNT, seed);
    world.trail = Trail::seeded(seed);
    people::fill(&mut world, now);
    world.sns.create_topic(ACCOUNT, HOME, ALERT_TOPIC);
    let World { kms, rng, sql, .. } = &mut world;
    let ids: Vec<String> = (0..size.keys).map(|nth| make_key(kms, rng, nth, now)).collect();
    *sql = servers(kms, rng, &ids, size.pairs, now);
    world
}

/// What one key in a hundred is like, by its number.
fn kind(nth: u32) -> (Origin, KeySpec) {
    match nth % 100 {
        11 | 37 | 62 => (Origin::AwsKms, KeySpec::Rsa2048),
        23 => (Origin::AwsKms, KeySpec::Hmac256),
        48 | 71 => (Origin::External, KeySpec::SymmetricDefault),
        85 => (Origin::CloudHsm, KeySpec::SymmetricDefault),
        _ => (Origin::AwsKms, KeySpec::SymmetricDefault),
    }
}

fn make_key(kms: &mut Kms, rng: &mut StdRng, nth: u32, now: Timestamp) -> String {
    let (origin, spec) = kind(nth);
    let created = ago(now, rng.random_range(20..1200));
    let usage = if spec == KeySpec::Hmac256 { KeyUsage::GenerateVerifyMac } else { KeyUsage::EncryptDecrypt };
    let team = nth % 97;
    let mut tags = estate_tags(super::ENVIRONMENTS[nth as usize % 3]);
    tags.push(("Team".to_owned(), format!("team-{team:02}")));
    let specification = KeySpecification {
        origin,
        spec,
        usage,
        description: format!("Column master key {nth} of team {team}"),
        tags,
        ..KeySpecification::symmetric(HOME, ACCOUNT, created)
    };
    let key = kms.create(specification, rng);
    if origin == Origin::External {
        key.import(None, rng);
    }
    if origin == Origin::AwsKms && spec == KeySpec::SymmetricDefault {
        rotate(key, nth, created, now, rng);
    }
    live(key, nth, now, rng);
    let id = key.id.clone();
    kms.add_alias(HOME, ACCOUNT, &format!("alias/company/team-{team:02}/data-{nth:06}"), &id, created);
    id
}

/// Most keys rotate: two thirds of them every 90 days, the others every year; one in ten never did.
fn rotate(key: &mut Key, nth: u32, created: Timestamp, now: Timestamp, rng: &mut StdRng) {
    let period = match nth % 10 {
        3 => return,
        0..6 => 90,
        _ => 365,
    };
    key.enable_rotation(period, created);
    let step = SignedDuration::from_hours(i64::from(period) * 24);
    let mut at = created + step;
    while at <= now {
        key.rotate(at, RotationType::Automatic, rng);
        at += step;
    }
}

/// A state, a last use and now and then a grant.
fn live(key: &mut Key, nth: u32, now: Timestamp, rng: &mut StdRng) {
    match nth % 200 {
        50 | 151 => key.state = KeyState::Disabled,
        199 => key.schedule_deletion(ago(now, 2), 30),
        _ => {}
    }
    if nth % 20 != 7 {
        key.last_usage = Some(LastUsage {
            operation: "Decrypt".to_owned(),
            at: now - SignedDuration::from_mins(rng.random_range(1..20_000)),
            event_id: None,
            request_id: random_uuid(rng),
        });
    }
    if nth.is_multiple_of(5) {
        let grantee = format!("arn:aws:iam::{ACCOUNT}:role/BuzzTutorBackup");
        key.grants.push(Grant::new(&grantee, &["Decrypt"], ACCOUNT, now, rng));
    }
}

/// The keys in their order, a hundred master keys to a database, its pairs spread evenly over them.
fn servers(kms: &mut Kms, rng: &mut StdRng, ids: &[String], pairs: u32, now: Timestamp) -> Vec<SqlServer> {
    let (keys, pairs) = (ids.len(), pairs as usize);
    let used = keys.min(pairs);
    let mut databases: Vec<Database> = ids[..used]
        .chunks(MASTER_KEYS_A_DATABASE)
        .enumerate()
        .map(|(nth, chunk)| {
            let first = nth * MASTER_KEYS_A_DATABASE;
            let wraps = |at: usize| pairs / used + usize::from(first + at < pairs % used);
            database(kms, rng, nth, chunk, wraps, now)
        })
        .collect();
    let mut servers = Vec::new();
    while !databases.is_empty() {
        let rest = databases.split_off(databases.len().min(DATABASES_A_SERVER));
        servers.push(SqlServer {
            name: format!("company-{}.sim.internal", servers.len() + 1),
            version: 16,
            logins: logins(),
            databases: std::mem::replace(&mut databases, rest),
        });
    }
    servers
}

fn database(
    kms: &mut Kms,
    rng: &mut StdRng,
    nth: usize,
    ids: &[String],
    wraps: impl Fn(usize) -> usize,
    now: Timestamp,
) -> Database {
    let mut database = Database {
        name: format!("app_{nth:04}"),
        database_id: next_id(nth % DATABASES_A_SERVER) + 4,
        state_desc: "ONLINE".to_owned(),
        accessible: true,
        tde_state: Some(3),
        ..Database::default()
    };
    for (at, id) in ids.iter().enumerate() {
        let Some(key) = kms.key_mut(HOME, id) else { continue };
        let column_master_key_id = next_id(database.master_keys.len());
        let created = (key.created + SignedDuration::from_hours(24)).min(now);
        database.master_keys.push(MasterKey {
            name: format!("CMK_{at:03}"),
            column_master_key_id,
            create_date: created,
            modify_date: created,
            key_store_provider_name: "AWS_KMS".to_owned(),
            key_path: key.arn(),
            allow_enclave_computations: false,
        });
        for _ in 0..wraps(at) {
            wrap(&mut database, key, column_master_key_id, created, rng);
        }
    }
    database
}

/// One more column key under a master key, and the column that it protects.
fn wrap(
    database: &mut Database,
    key: &mut Key,
    column_master_key_id: i32,
    created: Timestamp,
    rng: &mut StdRng,
) {
    let column_encryption_key_id = next_id(database.column_keys.len());
    let table = i32::try_from(database.columns.len() / 4).unwrap_or(0);
    database.column_keys.push(ColumnKey {
        name: format!("CEK_{column_encryption_key_id:04}"),
        column_encryption_key_id,
        create_date: created,
        modify_date: created,
    });
    database.values.push(ColumnKeyValue {
        column_encryption_key_id,
        column_master_key_id,
        encrypted_value: value(key, rng),
        encryption_algorithm_name: "RSA_OAEP".to_owned(),
    });
    database.columns.push(Column {
        schema: "dbo".to_owned(),
        table: format!("Table{table:04}"),
        object_id: 581_577_110 + 16 * table,
        column_id: next_id(database.columns.len() % 4) + 2,
        name: format!("Column{column_encryption_key_id:04}"),
        encryption_type: 1 + column_encryption_key_id % 2,
        encryption_algorithm_name: "AEAD_AES_256_CBC_HMAC_SHA_256".to_owned(),
        column_encryption_key_id,
        key_database: None,
    });
}

/// The common envelope around a real ciphertext, where the key is symmetric and has material.
fn value(key: &mut Key, rng: &mut StdRng) -> Vec<u8> {
    let mut plaintext = [0; 32];
    rng.fill_bytes(&mut plaintext);
    // An RSA pair takes too long to make for each of many keys.
    let sealed = (key.spec == KeySpec::SymmetricDefault)
        .then(|| key.wrap(&plaintext, &BTreeMap::new(), rng).ok())
        .flatten();
    sealed.map_or_else(
        || {
            let mut opaque = vec![2; 344];
            rng.fill_bytes(&mut opaque[1..]);
            opaque
        },
        |ciphertext| envelope(&key.arn(), &ciphertext),
    )
}

#[cfg(test)]
mod tests {
    use super::{Size, company};
    use crate::simulator::aws::kms::key::{KeySpec, KeyState, Origin};

    #[test]
    fn it_is_as_big_as_it_was_asked_to_be_and_of_many_kinds() {
        let now = "2026-05-04T12:00:00Z".parse().unwrap();
        for (keys, pairs) in [(400, 1000), (300, 120), (1, 0)] {
            let world = company(7, now, Size { keys, pairs });
            assert_eq!(world.kms.keys().count(), keys as usize);
            let databases = world.sql.iter().flat_map(|server| &server.databases);
            assert_eq!(databases.map(|database| database.values.len()).sum::<usize>(), pairs as usize);
            if keys < 400 {
                continue;
            }
            let any = |is: fn(&crate::simulator::aws::kms::key::Key) -> bool| world.kms.keys().any(is);
            assert!(any(|key| key.spec == KeySpec::Rsa2048) && any(|key| key.origin == Origin::External));
            assert!(any(|key| key.state == KeyState::Disabled) && any(|key| key.rotations.len() > 1));
        }
    }
}
