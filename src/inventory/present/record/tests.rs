//! The machine-readable form keeps its promises.

use std::collections::BTreeSet;

use super::{PairRecord, record};
use crate::inventory::join::join;
use crate::inventory::testing::{self, arn, cmk, database, key, now, objects, server};
use crate::model::age::{AgeException, AgePolicies, AgePolicy, AgeRule, DAY, ExceptedKeys};
use crate::model::catalog::ServerName;
use crate::model::key::{KeyState, KeyStore, MultiRegion, Origin, RotationRecord};
use crate::model::pair::Inventory;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::selector::{AliasPattern, KeySelector};

fn inventory() -> Inventory {
    let mut hostile = cmk(2, "vault");
    hostile.name = "evil\u{1b}[2J\u{202e}".into();
    let objects = objects(vec![cmk(1, arn(1).as_str()), hostile], &[(1, 1)]);
    let mut gathered =
        testing::gathered(vec![server("s", vec![database("d", objects), testing::hidden_database("e")])]);
    let mut known = (*key(1)).clone();
    known.rotations = Seen::Known(Vec::new());
    gathered.keys.insert(arn(1), known.into());
    gathered.keys.insert(arn(2), key(2));
    join(&gathered)
}

fn records(inventory: &Inventory) -> Vec<PairRecord> {
    inventory.rows.iter().map(|row| record(inventory, row, &policies(), now())).collect()
}

#[test]
fn every_row_is_an_object_with_every_field() {
    let records = records(&inventory());
    let kinds: Vec<_> = records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, ["pair", "unused_master_key", "unreadable_database", "unreferenced_key"]);
    let fields: BTreeSet<String> = PairRecord::FIELDS.iter().map(|field| (*field).to_owned()).collect();
    for record in &records {
        let json = serde_json::to_value(record).unwrap();
        let names: BTreeSet<String> = json.as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, fields);
    }
}

#[test]
fn a_pair_tells_its_key_and_its_age() {
    let pair = &records(&inventory())[0];
    let json = serde_json::to_value(pair).unwrap();
    assert_eq!(json["cek"], "CEK_1");
    assert_eq!(json["key_arn"], arn(1).to_string());
    assert_eq!(json["key_name"], "key-1");
    assert_eq!(json["state"], "enabled");
    assert_eq!(json["age_days"], 40);
    assert_eq!(json["last_used_at"], serde_json::Value::Null);
}

#[test]
fn csv_cells_hold_nothing_that_a_terminal_would_obey() {
    for record in records(&inventory()) {
        let values = record.values();
        assert_eq!(values.len(), PairRecord::FIELDS.len());
        assert!(values.iter().all(|value| !value.contains(['\u{1b}', '\u{202e}', '\n'])));
    }
}

#[test]
fn what_is_hidden_says_why() {
    let hidden = &records(&inventory())[2];
    assert_eq!(hidden.not_visible.as_deref(), Some("grant it"));
}

#[test]
fn each_field_is_documented_where_people_look() {
    let rows: Vec<String> =
        PairRecord::documented().map(|(field, meaning)| format!("| `{field}` | {meaning} |\n")).collect();
    assert!(PairRecord::documented().all(|(_, meaning)| meaning.len() > 10 && !meaning.contains('|')));
    let page = format!("{DOCUMENT_HEAD}{}", rows.concat());
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/docs/keys.md");
    if std::env::var_os("PORTCULLIS_DOCS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap();
    assert!(
        written == page,
        "assets/docs/keys.md is behind: PORTCULLIS_DOCS=1 cargo test each_field_is_documented"
    );
}

const DOCUMENT_HEAD: &str = "\
# The fields of `portcullis keys`

`keys --format json` prints an array of objects, one a row of the Keys screen; `--format csv` has the same fields as
columns. Every field is always there, and `null` (empty in CSV) where it is not known or does not apply: *not
visible* is told in `not_visible` and is never *none*. Times are RFC 3339, UTC. Names are given as SQL Server and KMS
hold them. Fields are added in time, never renamed and never given another meaning.

This page is written by the test `each_field_is_documented_where_people_look` out of the program's own source.

| field | meaning |
|---|---|
";

#[test]
fn a_key_of_every_kind_tells_what_is_its_own() {
    let kinds = records(&kinds());
    let told = |name: &str| {
        let found = kinds.iter().find(|record| record.key_name.as_deref() == Some(name));
        serde_json::to_value(found.unwrap()).unwrap()
    };
    let (xks, imported, by_hand, primary) = (told("key-1"), told("key-2"), told("key-3"), told("key-4"));
    assert_eq!((&xks["key_store"], &xks["xks_key"]), (&"cks-1".into(), &"their-key".into()));
    assert_eq!((&xks["rotation_kind"], &xks["on_demand_left"]), (&"manual".into(), &serde_json::Value::Null));
    assert_eq!((&imported["expires_in_days"], &imported["rotation_kind"]), (&9.into(), &"on_demand".into()));
    assert_eq!((&by_hand["on_demand_used"], &by_hand["on_demand_left"]), (&2.into(), &23.into()));
    assert_eq!((&by_hand["age_limit_days"], &by_hand["policy_source"]), (&30.into(), &"alias key-3".into()));
    assert_eq!((&by_hand["state"], &by_hand["exception"]), (&"excepted".into(), &"vendor".into()));
    assert_eq!(
        (&primary["deletion_date"], &primary["pending_window_days"]),
        (&serde_json::Value::Null, &14.into())
    );
    assert_eq!(primary["multi_region_role"], "primary");
    let relative = &primary["relatives"][0];
    assert_eq!((&relative["role"], &relative["kms_state"]), (&"replica".into(), &serde_json::Value::Null));
    assert!(relative["not_visible"].as_str().unwrap().contains("us-east-1"), "{relative}");
}

/// One external-store key, one imported, one rotated by hand and let be, one primary that waits for its replica.
fn kinds() -> Inventory {
    let masters = (1..=4).map(|n| cmk(n, arn(n.unsigned_abs()).as_str())).collect();
    let catalog = database("d", objects(masters, &[(1, 1), (2, 2), (3, 3), (4, 4)]));
    let mut gathered = testing::gathered(vec![server("s", vec![catalog])]);
    for n in 1..=4 {
        let mut one = (*key(n)).clone();
        one.rotations = Seen::Known(Vec::new());
        match n {
            1 => {
                one.origin = Origin::ExternalKeyStore;
                let xks_key_id = Some("their-key".into());
                one.key_store = Some(KeyStore::External { store_id: "cks-1".into(), xks_key_id });
            }
            2 => {
                one.origin = Origin::External;
                one.valid_to = Some(now() + DAY * 9);
            }
            3 => {
                let at = |days| RotationRecord {
                    at: Some(now() - DAY * days),
                    kind: Some("ON_DEMAND".into()),
                    ..RotationRecord::default()
                };
                one.rotations = Seen::Known(vec![at(35), at(39)]);
            }
            _ => {
                let replica = "arn:aws:kms:us-east-1:111122223333:key/mrk-4".parse().unwrap();
                one.multi_region = Some(MultiRegion { primary: arn(4), replicas: vec![replica] });
                one.state = KeyState::PendingReplicaDeletion;
                one.pending_window_days = Some(14);
            }
        }
        gathered.keys.insert(arn(n), one.into());
    }
    join(&gathered)
}

fn policies() -> AgePolicies {
    let keys = || AliasPattern::new("key-3");
    AgePolicies {
        rules: vec![AgeRule {
            keys: KeySelector::Alias(keys()),
            policy: AgePolicy { max_days: 30, grace_days: 2 },
        }],
        exceptions: vec![AgeException {
            keys: ExceptedKeys::Alias(keys()),
            reason: "vendor".into(),
            expires: jiff::civil::date(2026, 6, 1),
        }],
        ..AgePolicies::default()
    }
}

#[test]
fn what_cannot_be_read_is_a_row_with_its_reason_and_the_rest_is_right() {
    let mut gathered = testing::gathered(vec![server(
        "s",
        vec![database(
            "d",
            objects(vec![cmk(1, arn(1).as_str()), cmk(2, arn(2).as_str())], &[(1, 1), (2, 2)]),
        )],
    )]);
    let no = |cause, reason: &str| NotVisible::new(cause, reason);
    gathered.keys.insert(arn(1), key(1));
    gathered.missing.insert(arn(2), no(Cause::Denied, "kms:DescribeKey was denied"));
    gathered
        .servers
        .insert(ServerName("dead".into()), Seen::NotVisible(no(Cause::Unreachable, "no route to dead")));
    gathered
        .keys_listed
        .insert("eu-west-1".into(), Seen::NotVisible(no(Cause::TimedOut, "no answer in 10 s")));
    let inventory = join(&gathered);
    let lines: Vec<_> = inventory
        .rows
        .iter()
        .map(|row| {
            let record = record(&inventory, row, &policies(), now());
            let line = crate::inventory::present::line(&inventory, row, &policies(), now());
            (record.kind, line.state, record.not_visible)
        })
        .collect();
    let because = |reason: &str| Some(reason.to_owned());
    assert_eq!(
        lines,
        [
            ("unreadable_region", "timed out".to_owned(), because("no answer in 10 s")),
            ("unreadable_server", "unreachable".to_owned(), because("no route to dead")),
            ("pair", "enabled".to_owned(), None),
            ("pair", "denied".to_owned(), because("kms:DescribeKey was denied")),
        ]
    );
}
