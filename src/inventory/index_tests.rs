//! Filtering and sorting agree with what the rows say.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Column, Index, Sort};
use crate::inventory::filter::Filter;
use crate::inventory::join::join;
use crate::inventory::present::line;
use crate::inventory::testing::{self, arn, cmk, database, key, now, objects, server};
use crate::model::age::{AgePolicies, DAY};
use crate::model::key::{KeyState, LastUse};
use crate::model::pair::Inventory;
use crate::model::seen::Seen;

/// Two databases over a key that is enabled, one that is disabled and one that is not there.
fn inventory() -> Inventory {
    let paths = || vec![cmk(1, arn(1).as_str()), cmk(2, arn(2).as_str()), cmk(3, "vault")];
    let mut gathered = testing::gathered(vec![server(
        "prod",
        vec![
            database("buzz_prod", objects(paths(), &[(1, 1), (2, 2), (3, 3), (12, 1)])),
            database("buzz_arch", objects(paths(), &[(1, 2), (4, 1)])),
        ],
    )]);
    let mut disabled = (*key(2)).clone();
    disabled.state = KeyState::Disabled;
    disabled.last_use =
        Seen::Known(LastUse { used: Some((now() - DAY, "Decrypt".into())), tracked_since: None });
    gathered.keys = [(arn(1), key(1)), (arn(2), Arc::new(disabled))].into();
    join(&gathered)
}

fn found(inventory: &Inventory, typed: &str) -> Vec<String> {
    let index = Index::build(inventory, &AgePolicies::default(), now());
    told(inventory, &index.matching(&Filter::parse(typed), None))
}

fn told(inventory: &Inventory, rows: &[u32]) -> Vec<String> {
    let line = |row: &u32| line(inventory, &inventory.rows[*row as usize], &AgePolicies::default(), now());
    rows.iter().map(line).map(|line| format!("{} {}", line.database, line.column_key)).collect()
}

#[test]
fn words_are_and_ed_over_every_name_of_a_row() {
    let inventory = inventory();
    assert_eq!(found(&inventory, "PROD cek_1"), ["buzz_arch CEK_1", "buzz_prod CEK_1", "buzz_prod CEK_12"]);
    assert_eq!(found(&inventory, "db:buzz_prod cek_1"), ["buzz_prod CEK_1", "buzz_prod CEK_12"]);
    assert_eq!(found(&inventory, "key:key-1 arch"), ["buzz_arch CEK_4"]);
    assert_eq!(found(&inventory, "state:disabled"), ["buzz_arch CEK_1", "buzz_prod CEK_2"]);
    assert_eq!(found(&inventory, "cmk:cmk_3 cek:"), ["buzz_arch (unused master key)", "buzz_prod CEK_3"]);
    assert_eq!(found(&inventory, &format!("{} arch", arn(2))), ["buzz_arch CEK_1"]);
    assert_eq!(found(&inventory, "db:arch -state:disabled cek:cek"), ["buzz_arch CEK_4"]);
    assert_eq!(found(&inventory, "nowhere"), Vec::<String>::new());
    assert_eq!(found(&inventory, "").len(), inventory.rows.len());
}

#[test]
fn rows_without_a_value_come_last_whichever_way() {
    let inventory = inventory();
    let index = Index::build(&inventory, &AgePolicies::default(), now());
    for descending in [false, true] {
        let sort = Some(Sort { column: Column::LastUsed, descending });
        let rows = told(&inventory, &index.matching(&Filter::default(), sort));
        assert_eq!(rows[..2], ["buzz_arch CEK_1", "buzz_prod CEK_2"], "{rows:?}");
    }
}

#[test]
fn the_most_urgent_state_comes_first_and_equal_rows_keep_their_order() {
    let inventory = inventory();
    let index = Index::build(&inventory, &AgePolicies::default(), now());
    let by_state =
        index.matching(&Filter::default(), Some(Sort { column: Column::State, descending: false }));
    let rows = told(&inventory, &by_state);
    assert_eq!(rows[..2], ["buzz_arch CEK_1", "buzz_prod CEK_2"]);
    let by_cek =
        index.matching(&Filter::parse("cek:cek"), Some(Sort { column: Column::ColumnKey, descending: true }));
    assert_eq!(told(&inventory, &by_cek)[..2], ["buzz_arch CEK_4", "buzz_prod CEK_3"]);
}

proptest! {
    #[test]
    fn a_sort_only_reorders(column in 0usize..8, descending in any::<bool>(), typed in "[a-z_:\\- 0-9]{0,12}") {
        let columns = [Column::State, Column::ColumnKey, Column::MasterKey, Column::Database,
            Column::Rotated, Column::Age, Column::Next, Column::LastUsed];
        let inventory = inventory();
        let index = Index::build(&inventory, &AgePolicies::default(), now());
        let filter = Filter::parse(&typed);
        let natural = index.matching(&filter, None);
        let mut sorted = index.matching(&filter, Some(Sort { column: columns[column], descending }));
        prop_assert!(natural.is_sorted());
        sorted.sort_unstable();
        prop_assert_eq!(natural, sorted);
    }
}
