//! The laws of the join, over random estates, and each kind of link by example.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Gathered, join};
use crate::inventory::testing::{self, ACCOUNT, alias, arn, cmk, database, key, objects, server};
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::catalog::{
    ColumnElsewhere, EncryptedColumn, EncryptionType, Envelope, KeyValue, MasterKey,
};
use crate::model::key::{Manager, MultiRegion};
use crate::model::pair::{EstateMark, KeyLink, Pair, Row};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::selector::{AliasPattern, KeySelector};
use crate::model::text::dotted;

fn link_of(gathered: &Gathered) -> KeyLink {
    join(gathered).pairs().next().unwrap().cmk.link.clone()
}

/// An estate of one CEK under one CMK with this path.
fn with_path(path: &str) -> Gathered {
    testing::gathered(vec![server("s", vec![database("d", objects(vec![cmk(1, path)], &[(1, 1)]))])])
}

#[test]
fn a_key_arn_leads_to_its_key_whatever_its_case_and_blanks() {
    let mut gathered = with_path(&format!("  {}  ", arn(1).as_str().to_uppercase()));
    assert_eq!(link_of(&gathered), KeyLink::Loading { path: arn(1).to_string() });
    gathered.keys.insert(arn(1), key(1));
    assert_eq!(link_of(&gathered), KeyLink::Key { arn: arn(1) });
}

#[test]
fn an_alias_leads_through_to_its_key() {
    let mut gathered = with_path(alias("pay").as_str());
    gathered.keys.insert(arn(1), key(1));
    gathered.aliases.insert(alias("pay"), Seen::Known(arn(1)));
    assert_eq!(link_of(&gathered), KeyLink::ThroughAlias { alias: alias("pay"), arn: arn(1) });
}

#[test]
fn gone_hidden_foreign_out_of_region_and_no_kms_are_told_apart() {
    let mut gathered = with_path(arn(1).as_str());
    gathered.missing.insert(arn(1), NotVisible::new(Cause::NotFound, "no such key"));
    assert!(matches!(link_of(&gathered), KeyLink::Gone { .. }));

    gathered.missing.insert(arn(1), NotVisible::new(Cause::Denied, "no kms:DescribeKey"));
    assert!(
        matches!(link_of(&gathered), KeyLink::NotVisible { why, .. } if why.reason == "no kms:DescribeKey")
    );

    gathered.account = Some("999999999999".into());
    let KeyLink::NotVisible { why, .. } = link_of(&gathered) else { panic!("foreign") };
    assert!(why.reason.contains(&format!("account {ACCOUNT}")), "{why}");

    let far = "arn:aws:kms:ap-south-1:111122223333:key/far";
    let KeyLink::NotVisible { why, .. } = link_of(&with_path(far)) else { panic!("far") };
    assert!(why.reason.contains("ap-south-1"), "{why}");

    assert_eq!(link_of(&with_path("CurrentUser/My/0123ABCD")), KeyLink::NotKms);
}

/// A column with its CEK in another database of the server: that of the same id here has nothing to do with it.
#[test]
fn a_column_belongs_to_the_key_of_the_database_that_it_names() {
    let column = |name: &str, database: Option<&str>| EncryptedColumn {
        database: database.map(Into::into),
        schema: "dbo".into(),
        table: "T".into(),
        name: name.into(),
        column_key_id: 1,
        encryption: EncryptionType::Randomized,
    };
    let wrapped = || objects(vec![cmk(1, arn(1).as_str())], &[(1, 1)]);
    let (mut a, b) = (wrapped(), wrapped());
    a.columns = vec![column("Own", None)].into();
    a.columns_elsewhere = ["B", "nowhere"]
        .map(|home| ColumnElsewhere { key_database: home.into(), column: column(home, Some("a")) })
        .into();
    let servers = vec![
        server("s", vec![database("a", a), database("b", b)]),
        server("other", vec![database("b", wrapped())]),
    ];
    let inventory = join(&testing::gathered(servers));
    let told: BTreeSet<String> = inventory
        .rows
        .iter()
        .filter_map(|row| {
            let (place, columns) = match row {
                Row::Pair(pair) => (&pair.cmk.database, &pair.columns),
                Row::OrphanColumnKey { database, columns, .. } => (database, columns),
                _ => return None,
            };
            let columns: Vec<String> = columns.iter().map(|column| dotted(column.parts())).collect();
            Some(format!("{}/{}: {}", place.server, place.database, columns.join(" ")))
        })
        .collect();
    let expected =
        ["other/b: ", "s/a: dbo.T.Own", "s/b: a.dbo.T.B", "s/nowhere: a.dbo.T.nowhere"].map(str::to_owned);
    assert_eq!(told, BTreeSet::from(expected));
}

#[test]
fn an_envelope_is_compared_without_case_and_through_aliases() {
    let mismatch = |inner: &str| {
        let mut gathered = with_path(arn(1).as_str());
        gathered.keys.insert(arn(1), key(1));
        gathered.aliases.insert(alias("Pay"), Seen::Known(arn(1)));
        gathered.aliases.insert(alias("other"), Seen::Known(arn(2)));
        let envelope = Envelope::Common { key_path: inner.into(), ciphertext_bytes: 1, signature_bytes: 0 };
        testing::edit_objects(&mut gathered, |objects| objects.values[0].envelope = envelope.clone());
        join(&gathered).pairs().next().unwrap().envelope_mismatch
    };
    assert!(!mismatch(&arn(1).as_str().to_uppercase()));
    assert!(!mismatch(&alias("pay").as_str().to_lowercase()));
    assert!(mismatch(alias("other").as_str()));
    assert!(mismatch(arn(2).as_str()));
    assert!(mismatch("CurrentUser/My/0123ABCD"));
    // Every alias is listed, so this one names nothing.
    assert!(mismatch(alias("deleted").as_str()));
    // In a Region that is not listed nobody can tell.
    assert!(!mismatch("arn:aws:kms:ap-south-1:111122223333:alias/far"));
}

#[test]
fn aws_managed_keys_are_no_rows_and_other_unnamed_keys_are() {
    let mut gathered = with_path(arn(1).as_str());
    let mut aws = (*key(2)).clone();
    aws.manager = Manager::Aws;
    gathered.keys = BTreeMap::from([(arn(1), key(1)), (arn(2), Arc::new(aws)), (arn(3), key(3))]);
    gathered.missing.insert(arn(4), NotVisible::new(Cause::Denied, "no"));
    let unreferenced: Vec<_> = join(&gathered)
        .rows
        .iter()
        .filter_map(|row| match row {
            Row::UnreferencedKey { key, .. } => Some(key.clone()),
            _ => None,
        })
        .collect();
    // By name: a key that may not be seen has its id alone.
    assert_eq!(unreferenced, [arn(4), arn(3)]);
}

#[test]
fn a_value_whose_master_key_is_not_listed_is_still_a_pair() {
    let mut objects = objects(vec![], &[(1, 9)]);
    objects.column_keys.clear();
    let inventory = join(&testing::gathered(vec![server("s", vec![database("d", objects)])]));
    let pair: &Pair = inventory.pairs().next().unwrap();
    assert_eq!((pair.cek.raw(), pair.cmk.name.raw()), ("(CEK 1, not listed)", "(CMK 9, not listed)"));
    assert!(matches!(pair.cmk.link, KeyLink::NotVisible { .. }));
}

/// A random database: up to 6 CMKs and 8 CEKs with any values between them, listed or not.
fn any_database() -> impl Strategy<Value = (Vec<MasterKey>, Vec<(i32, i32)>, BTreeSet<i32>)> {
    let path = prop_oneof![
        (0u32..5).prop_map(|n| arn(n).to_string()),
        (0u32..3).prop_map(|n| alias(&format!("a{n}")).to_string()),
        Just("vault".to_owned()),
    ];
    let master_keys = prop::collection::btree_map(0..6i32, path, 0..6)
        .prop_map(|keys| keys.into_iter().map(|(id, path)| cmk(id, &path)).collect());
    let values = prop::collection::btree_set((0..8i32, 0..8i32), 0..14)
        .prop_map(|values| values.into_iter().collect());
    (master_keys, values, prop::collection::btree_set(0..9i32, 0..9))
}

proptest! {
    #[test]
    fn every_value_is_in_exactly_one_pair_and_nothing_vanishes(
        databases in prop::collection::vec(any_database(), 0..4),
        visible in prop::collection::btree_set(0u32..5, 0..5),
        hidden in any::<bool>(),
    ) {
        let catalogs = databases.iter().enumerate().map(|(n, (master_keys, values, listed))| {
            let mut objects = objects(master_keys.clone(), values);
            objects.column_keys = listed.iter().map(|id| testing::cek(*id)).collect();
            database(&format!("d{n}"), objects)
        });
        let mut catalogs: Vec<_> = catalogs.collect();
        if hidden {
            catalogs.push(testing::hidden_database("secret"));
        }
        let mut gathered = testing::gathered(vec![server("s", catalogs)]);
        gathered.keys = visible.iter().map(|n| (arn(*n), key(*n))).collect();
        gathered.aliases.insert(alias("a0"), Seen::Known(arn(0)));
        gathered.servers.insert(
            crate::model::catalog::ServerName("down".into()),
            Seen::NotVisible(NotVisible::new(Cause::Unreachable, "no route")),
        );
        let inventory = join(&gathered);

        for (n, (master_keys, values, listed)) in databases.iter().enumerate() {
            let here = |cmk: &crate::model::pair::CmkRef| cmk.database.database.raw() == format!("d{n}");
            let pairs: Vec<&Pair> = inventory.pairs().filter(|pair| here(&pair.cmk)).collect();
            prop_assert_eq!(pairs.len(), values.len());
            for (cek, _) in values {
                let of_cek = values.iter().filter(|(other, _)| other == cek).count();
                let found: Vec<_> = pairs.iter().filter(|pair| pair.cek_id == *cek).collect();
                prop_assert_eq!(found.len(), of_cek);
                prop_assert!(found.iter().all(|pair| pair.rotating == (of_cek > 1)));
            }
            let used: BTreeSet<i32> = values.iter().map(|(_, cmk)| *cmk).collect();
            let unused = inventory.rows.iter().filter(|row| matches!(row, Row::UnusedMasterKey { cmk } if here(cmk)));
            prop_assert_eq!(unused.count(), master_keys.iter().filter(|key| !used.contains(&key.id)).count());
            let wrapped: BTreeSet<i32> = values.iter().map(|(cek, _)| *cek).collect();
            let orphans = inventory.rows.iter().filter(|row| {
                matches!(row, Row::OrphanColumnKey { database, .. } if database.database.raw() == format!("d{n}"))
            });
            prop_assert_eq!(orphans.count(), listed.difference(&wrapped).count());
        }

        let led_to: BTreeSet<_> = inventory.rows.iter().filter_map(Row::key_arn).cloned().collect();
        prop_assert!(gathered.keys.keys().all(|arn| led_to.contains(arn)), "every visible key is in some row");
        let unreadable = inventory.rows.iter().filter(|row| matches!(row, Row::UnreadableDatabase { .. })).count();
        prop_assert_eq!(unreadable, usize::from(hidden));
        let is_unread_server = |row: &&Row| matches!(row, Row::UnreadableServer { .. });
        prop_assert_eq!(inventory.rows.iter().filter(is_unread_server).count(), 1);

        let counts = crate::inventory::present::counts(&inventory, &AgePolicies::default(), Timestamp::UNIX_EPOCH);
        prop_assert_eq!(counts.states().iter().map(|(count, ..)| count).sum::<usize>(), counts.pairs);
        prop_assert_eq!(counts.pairs, databases.iter().map(|(_, values, _)| values.len()).sum::<usize>());
    }

    #[test]
    fn the_order_does_not_depend_on_the_catalogs_order(values in prop::collection::vec((0..8i32, 0..3i32), 0..12)) {
        let keys: Vec<MasterKey> = (0..3).map(|id| cmk(id, "vault")).collect();
        let values: BTreeSet<_> = values.into_iter().collect();
        let forward: Vec<(i32, i32)> = values.iter().copied().collect();
        let backward: Vec<(i32, i32)> = values.iter().rev().copied().collect();
        let rows = |values: &[(i32, i32)]| {
            join(&testing::gathered(vec![server("s", vec![database("d", objects(keys.clone(), values))])])).rows
        };
        prop_assert_eq!(rows(&forward), rows(&backward));
        let ceks: Vec<_> = rows(&forward).iter().filter_map(|row| match row {
            Row::Pair(pair) => Some((pair.cek.clone(), pair.cmk.name.clone())),
            _ => None,
        }).collect();
        prop_assert!(ceks.is_sorted());
    }
}

#[test]
fn a_replica_of_a_named_key_stands_by_and_is_not_unused() {
    let there: KeyArn = arn(1).as_str().replace("eu-west-1", "us-east-1").parse().unwrap();
    let family = MultiRegion { primary: arn(1), replicas: vec![there.clone()] };
    let member = |arn: &KeyArn| {
        let mut one = (*key(1)).clone();
        (one.arn, one.multi_region) = (arn.clone(), Some(family.clone()));
        Arc::new(one)
    };
    let mut gathered = with_path(arn(1).as_str());
    gathered.estate = vec![KeySelector::Alias(AliasPattern::new("*"))];
    gathered.keys = [(arn(1), member(&arn(1))), (there.clone(), member(&there))].into();
    let estate = |gathered: &Gathered| match join(gathered).rows.pop().unwrap() {
        Row::UnreferencedKey { key, estate } if key == there => estate,
        other => panic!("{other:?}"),
    };
    assert_eq!(estate(&gathered), EstateMark::StandsBy { named: arn(1) });
    gathered.servers.clear();
    assert!(matches!(estate(&gathered), EstateMark::Marked { .. }));
    // Its own Region tells its state.
    assert_eq!(join(&gathered).relative(&there).known().map(|key| &key.arn), Some(&there));
    // Where it cannot be told, that is said, and why.
    gathered.keys.remove(&there);
    let why =
        |gathered: &Gathered| join(gathered).relative(&there).not_visible().map(|why| why.reason.clone());
    assert!(why(&gathered).unwrap().contains("not among this environment's Regions"));
    gathered.regions.insert("us-east-1".into(), Seen::Loading);
    assert_eq!(why(&gathered), None);
    let silent = Seen::NotVisible(NotVisible::new(Cause::TimedOut, "no answer"));
    gathered.keys_listed.insert("us-east-1".into(), silent);
    assert_eq!(why(&gathered).as_deref(), Some("no answer"));
}

#[test]
fn a_value_keeps_its_algorithm() {
    let gathered = with_path(arn(1).as_str());
    let Seen::Known(catalog) = &gathered.servers.values().next().unwrap() else { panic!() };
    let Seen::Known(objects) = &catalog.databases[0].objects else { panic!() };
    let value: &KeyValue = &objects.values[0];
    assert_eq!(join(&gathered).pairs().next().unwrap().algorithm, value.algorithm);
}
