//! The machine-readable form keeps its promises.

use std::collections::BTreeSet;

use super::{PairRecord, record};
use crate::inventory::join::join;
use crate::inventory::testing::{self, arn, cmk, database, key, now, objects, server};
use crate::model::age::AgePolicies;
use crate::model::pair::Inventory;
use crate::model::seen::Seen;

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
    inventory.rows.iter().map(|row| record(inventory, row, &AgePolicies::default(), now())).collect()
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
