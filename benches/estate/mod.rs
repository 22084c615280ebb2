//! Inventories of any size, for benchmarks: a KMS key for every two pairs, as a big company has them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use portcullis::model::arn::KeyArn;
use portcullis::model::catalog::{EncryptedColumn, EncryptionType, Envelope, ServerName};
use portcullis::model::key::{
    KeySpec, KeyState, KeyUsage, KmsKey, LastUse, Manager, Origin, RotationRecord, RotationStatus,
};
use portcullis::model::pair::{CmkRef, DatabaseRef, Inventory, KeyLink, KeyPlace, Pair, Row};
use portcullis::model::seen::Seen;
use portcullis::model::source::{Source, SourceHealth};

/// An inventory of `pairs` pairs, as read at `now`.
pub fn inventory(pairs: usize, now: Timestamp) -> Inventory {
    let keys: Vec<Arc<KmsKey>> = (0..pairs.div_ceil(2)).map(|n| Arc::new(key(n, now))).collect();
    let rows = (0..pairs).map(|n| Row::Pair(pair(n, &keys[n / 2].arn))).collect();
    let mut health = SourceHealth::default();
    health.succeeded(now);
    Inventory {
        servers_loading: Vec::new(),
        keys: keys.into_iter().map(|key| (key.arn.clone(), key)).collect(),
        missing: BTreeMap::new(),
        servers: Vec::new(),
        regions: BTreeSet::from(["eu-west-1".to_owned()]),
        rds: BTreeMap::new(),
        rows,
        sources: BTreeMap::from([(Source::Kms("eu-west-1".into()), health)]),
    }
}

fn key(n: usize, now: Timestamp) -> KmsKey {
    let days = i64::try_from(n % 120).unwrap_or(0);
    let state = match n % 50 {
        0 => KeyState::Disabled,
        1 => KeyState::PendingDeletion,
        _ => KeyState::Enabled,
    };
    let arn: KeyArn = format!("arn:aws:kms:eu-west-1:111122223333:key/{n:08x}-12ab-34cd-56ef-1234567890ab")
        .parse()
        .expect("the shape of a key ARN");
    let rotated = now - SignedDuration::from_hours(24 * days);
    KmsKey {
        arn,
        deletion_date: (state == KeyState::PendingDeletion).then(|| now + SignedDuration::from_hours(24 * 6)),
        state,
        origin: Origin::AwsKms,
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        manager: Manager::Customer,
        multi_region: None,
        description: format!("column master key {n}").into(),
        created: now - SignedDuration::from_hours(24 * 400),
        pending_window_days: None,
        expiration: None,
        valid_to: None,
        material_id: None,
        key_store: None,
        read_at: now,
        aliases: Seen::Known(vec![format!("buzz-tutor/team-{}/data-{n}", n % 97).into()]),
        tags: Seen::Known(BTreeMap::new()),
        rotation: Seen::Known(RotationStatus {
            automatic: true,
            period_days: Some(90),
            next: Some(rotated + SignedDuration::from_hours(24 * 90)),
            on_demand_since: None,
        }),
        rotations: Seen::Known(vec![RotationRecord {
            at: Some(rotated),
            kind: Some("AUTOMATIC".into()),
            material_id: None,
            material_state: Some("CURRENT".into()),
            import_state: None,
            valid_to: None,
        }]),
        grants: Seen::Known(Vec::new()),
        policy: Seen::Known("{}".into()),
        last_use: Seen::Known(LastUse { used: Some((now, "Decrypt".into())), tracked_since: None }),
    }
}

fn pair(n: usize, key: &KeyArn) -> Pair {
    let database = DatabaseRef {
        server: ServerName(format!("buzz-{}", n % 7)),
        database: format!("buzz_{:03}", n % 300).into(),
    };
    Pair {
        cek: format!("CEK_Customer_{n:06}").into(),
        cek_id: 1,
        cmk: Arc::new(CmkRef {
            database,
            name: format!("CMK_{:06}", n / 2).into(),
            provider: "AWS_KMS".into(),
            key_path: key.as_str().into(),
            link: KeyLink::Key { arn: key.clone() },
            place: KeyPlace::default(),
            siblings: 0,
        }),
        algorithm: "RSA_OAEP".into(),
        envelope: Envelope::Common {
            key_path: key.as_str().into(),
            ciphertext_bytes: 184,
            signature_bytes: 0,
        },
        envelope_mismatch: false,
        rotating: false,
        columns: vec![EncryptedColumn {
            database: None,
            schema: "dbo".into(),
            table: "Customers".into(),
            name: "NationalId".into(),
            column_key_id: 1,
            encryption: EncryptionType::Randomized,
        }]
        .into(),
    }
}
