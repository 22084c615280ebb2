//! Small estates for this room's tests.

use std::sync::Arc;

use jiff::Timestamp;

use super::join::Gathered;
use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{
    ColumnKey, DatabaseCatalog, EncryptionObjects, Envelope, KeyValue, MasterKey, ServerCatalog, ServerName,
};
use crate::model::key::{KeySpec, KeyState, KeyUsage, KmsKey, Manager, Origin};
use crate::model::seen::{Cause, NotVisible, Seen};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";

pub fn now() -> Timestamp {
    "2026-05-04T12:00:00Z".parse().unwrap()
}

pub fn arn(n: u32) -> KeyArn {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{n:08}-0000-4000-8000-000000000000").parse().unwrap()
}

pub fn alias(name: &str) -> AliasArn {
    format!("arn:aws:kms:{REGION}:{ACCOUNT}:alias/{name}").parse().unwrap()
}

/// A described key of which nothing else is known yet, made 40 days before [`now`].
pub fn key(n: u32) -> Arc<KmsKey> {
    Arc::new(KmsKey {
        arn: arn(n),
        state: KeyState::Enabled,
        origin: Origin::AwsKms,
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        manager: Manager::Customer,
        multi_region: None,
        description: "".into(),
        created: now() - crate::model::age::DAY * 40,
        deletion_date: None,
        pending_window_days: None,
        expiration: None,
        valid_to: None,
        material_id: None,
        key_store: None,
        read_at: now(),
        aliases: Seen::Known(vec![format!("key-{n}").into()]),
        tags: Seen::Loading,
        rotation: Seen::Loading,
        rotations: Seen::Loading,
        grants: Seen::Loading,
        policy: Seen::Loading,
        last_use: Seen::Loading,
    })
}

pub fn cmk(id: i32, path: &str) -> MasterKey {
    MasterKey {
        id,
        name: format!("CMK_{id}").into(),
        provider: "AWS_KMS".into(),
        key_path: path.into(),
        created: now(),
        modified: now(),
        enclave: None,
    }
}

pub fn cek(id: i32) -> ColumnKey {
    ColumnKey { id, name: format!("CEK_{id}").into(), created: now(), modified: now() }
}

/// Objects with these CMKs, and a value for each (CEK id, CMK id).
pub fn objects(master_keys: Vec<MasterKey>, values: &[(i32, i32)]) -> EncryptionObjects {
    let mut ids: Vec<i32> = values.iter().map(|(cek, _)| *cek).collect();
    ids.sort_unstable();
    ids.dedup();
    let value = |&(column_key_id, master_key_id): &(i32, i32)| KeyValue {
        column_key_id,
        master_key_id,
        algorithm: "RSA_OAEP".into(),
        envelope: Envelope::Opaque { bytes: 184 },
    };
    EncryptionObjects {
        master_keys,
        column_keys: ids.into_iter().map(cek).collect(),
        values: values.iter().map(value).collect(),
        ..EncryptionObjects::default()
    }
}

pub fn database(name: &str, objects: EncryptionObjects) -> DatabaseCatalog {
    DatabaseCatalog { name: name.into(), objects: Seen::Known(objects), tde: Seen::Known(None) }
}

pub fn hidden_database(name: &str) -> DatabaseCatalog {
    let why = NotVisible::new(Cause::Denied, "grant it");
    DatabaseCatalog { name: name.into(), objects: Seen::NotVisible(why), tde: Seen::Known(None) }
}

pub fn server(name: &str, databases: Vec<DatabaseCatalog>) -> ServerCatalog {
    ServerCatalog { server: ServerName(name.into()), version: "16.0".into(), databases, read_at: now() }
}

/// An estate whose Region's aliases are all known, with these servers.
pub fn gathered(servers: Vec<ServerCatalog>) -> Gathered {
    Gathered {
        account: Some(ACCOUNT.into()),
        regions: [(REGION.to_owned(), Seen::Known(()))].into(),
        servers: servers.into_iter().map(|s| (s.server.clone(), Seen::Known(Arc::new(s)))).collect(),
        ..Gathered::default()
    }
}

/// Changes the objects of every readable database.
pub fn edit_objects(gathered: &mut Gathered, edit: impl Fn(&mut EncryptionObjects)) {
    for catalog in gathered.servers.values_mut() {
        let Seen::Known(catalog) = catalog else { continue };
        for database in &mut Arc::make_mut(catalog).databases {
            if let Seen::Known(objects) = &mut database.objects {
                edit(objects);
            }
        }
    }
}
