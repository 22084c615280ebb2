//! Filtering and sorting agree with what the rows say.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Found, Grouping, Part, RowId, find, group};
use crate::inventory::filter::Filter;
use crate::inventory::index::Index;
use crate::inventory::join::join;
use crate::inventory::present::line;
use crate::inventory::testing::{self, arn, cmk, database, key, now, objects, server};
use crate::model::age::{AgePolicies, DAY};
use crate::model::catalog::{EncryptedColumn, EncryptionType};
use crate::model::column::{Column, Sort};
use crate::model::key::{KeyState, LastUse};
use crate::model::pair::{Inventory, Row};
use crate::model::seen::{Cause, NotVisible, Seen};

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

/// An inventory made ready, as one environment of a list.
struct Ready {
    environment: &'static str,
    inventory: Inventory,
    index: Index,
}

impl Ready {
    fn new(environment: &'static str, inventory: Inventory) -> Self {
        let index = Index::build(&inventory, &AgePolicies::default(), now());
        Self { environment, inventory, index }
    }

    fn part(&self) -> Part<'_> {
        Part { environment: self.environment, inventory: &self.inventory, index: &self.index }
    }
}

fn parts(ready: &[Ready]) -> Vec<Part<'_>> {
    ready.iter().map(Ready::part).collect()
}

fn search(ready: &[Ready], typed: &str, sort: impl Into<Option<Sort>>) -> Found {
    find(&parts(ready), &Filter::parse(typed).unwrap(), sort.into(), now())
}

fn told(ready: &[Ready], rows: &[RowId]) -> Vec<String> {
    let line = |id: &RowId| {
        let Ready { inventory, .. } = &ready[usize::from(id.part)];
        line(inventory, &inventory.rows[id.row as usize], &AgePolicies::default(), now())
    };
    rows.iter().map(line).map(|line| format!("{} {}", line.database, line.column_key)).collect()
}

fn one() -> [Ready; 1] {
    [Ready::new("production", inventory())]
}

fn found(typed: &str) -> Vec<String> {
    let ready = one();
    told(&ready, &search(&ready, typed, None).rows)
}

const fn by(column: Column, descending: bool) -> Sort {
    Sort { column, descending }
}

#[test]
fn words_are_and_ed_over_every_name_of_a_row() {
    assert_eq!(found("PROD cek_1"), ["buzz_arch CEK_1", "buzz_prod CEK_1", "buzz_prod CEK_12"]);
    assert_eq!(found("db:buzz_prod cek_1"), ["buzz_prod CEK_1", "buzz_prod CEK_12"]);
    assert_eq!(found("key:key-1 arch"), ["buzz_arch CEK_4"]);
    assert_eq!(found("state:disabled"), ["buzz_arch CEK_1", "buzz_prod CEK_2"]);
    assert_eq!(found("cmk:cmk_3 cek:"), ["buzz_arch (unused master key)", "buzz_prod CEK_3"]);
    assert_eq!(found(&format!("{} arch", arn(2))), ["buzz_arch CEK_1"]);
    assert_eq!(found("db:arch -state:disabled cek:cek"), ["buzz_arch CEK_4"]);
    assert_eq!(found("nowhere at all"), Vec::<String>::new());
    assert_eq!(found("").len(), inventory().rows.len());
}

#[test]
fn or_not_and_brackets_are_as_they_read() {
    assert_eq!(found("(cek:=cek_1 or cek:=cek_12) db:prod"), ["buzz_prod CEK_1", "buzz_prod CEK_12"]);
    assert_eq!(found("db:prod not (cek_1 or cek_2)"), ["buzz_prod CEK_3"]);
}

#[test]
fn every_field_looks_where_it_says() {
    let row = "buzz_arch CEK_1";
    for (typed, found_row) in [
        ("server:prod", true),
        ("server:arch", false),
        ("env:prod", true),
        ("env:staging", false),
        ("alias:key-2", true),
        ("alias:=key", false),
        ("region:eu-west", true),
        ("region:us", false),
        ("account:1111", true),
        ("kind:symmetric", true),
        ("kind:rsa", false),
        ("tag:team", false),
        ("lastused:<2d", true),
        ("lastused:<2h", false),
        ("lastused:not-seen", false),
        ("age:unknown", true),
        ("age:>1", false),
        ("next:unknown", true),
        ("is:shared", true),
        ("is:rotating", false),
        ("state:dis", true),
        ("state:enabled,gone", false),
        ("key:=00000002-12ab-34cd-56ef-1234567890ab", false),
    ] {
        let found = found(&format!("db:arch cek:=cek_1 {typed}"));
        assert_eq!(found.contains(&row.to_owned()), found_row, "{typed}: {found:?}");
    }
}

#[test]
fn tables_columns_tags_and_ages_are_found() {
    let mut whole = inventory();
    let mut tagged = (*key(1)).clone();
    tagged.tags = Seen::Known([("DataClass".to_owned(), "PCI".into())].into());
    tagged.rotations = Seen::Known(Vec::new());
    whole.keys.insert(arn(1), Arc::new(tagged));
    let column = EncryptedColumn {
        database: None,
        schema: "dbo".into(),
        table: "Users".into(),
        name: "Email".into(),
        column_key_id: 1,
        encryption: EncryptionType::Randomized,
    };
    let pair = whole.rows.iter_mut().find_map(|row| match row {
        Row::Pair(pair) if pair.cek.raw() == "CEK_12" => Some(pair),
        _ => None,
    });
    pair.unwrap().columns = vec![column].into();
    let ready = [Ready::new("production", whole)];
    let found = |typed: &str| told(&ready, &search(&ready, typed, None).rows);
    let only = ["buzz_prod CEK_12"];
    assert_eq!(found("table:users"), only);
    assert_eq!(found("table:=dbo.users"), only);
    assert_eq!(found("column:=email"), only);
    assert_eq!(found("column:users"), Vec::<String>::new());
    assert_eq!(found("tag:dataclass=pci").len(), found("key:key-1").len());
    assert_eq!(found("tag:DataClass=hipaa"), Vec::<String>::new());
    assert_eq!(found("age:40").len(), found("key:key-1").len());
    assert_eq!(found("age:>40"), Vec::<String>::new());
    assert_eq!(found("rotated:<=40d").len(), found("key:key-1").len());
}

#[test]
fn a_typo_finds_its_row_and_an_exact_word_never_drowns() {
    let ready = one();
    let loosely = search(&ready, "cke_12", None);
    assert_eq!(loosely.loosely, ["cke_12"]);
    assert_eq!(told(&ready, &loosely.rows)[0], "buzz_prod CEK_12", "the closest comes first");
    let exactly = search(&ready, "cek_12", None);
    assert_eq!((told(&ready, &exactly.rows), exactly.loosely), (vec!["buzz_prod CEK_12".to_owned()], vec![]));
    let quoted = search(&ready, "\"cke_12\"", None);
    assert_eq!((quoted.rows, quoted.loosely), (vec![], vec![]), "quotes mean it to the letter");
    let negated = search(&ready, "-cke_12", None);
    assert_eq!((negated.rows.len(), negated.loosely), (ready[0].inventory.rows.len(), vec![]));
}

#[test]
fn rows_without_a_value_come_last_whichever_way() {
    let ready = one();
    for descending in [false, true] {
        let rows = told(&ready, &search(&ready, "", by(Column::LastUsed, descending)).rows);
        assert_eq!(rows[..2], ["buzz_arch CEK_1", "buzz_prod CEK_2"], "{rows:?}");
    }
}

#[test]
fn the_most_urgent_state_comes_first_and_equal_rows_keep_their_order() {
    let ready = one();
    let rows = told(&ready, &search(&ready, "", by(Column::State, false)).rows);
    assert_eq!(rows[..2], ["buzz_arch CEK_1", "buzz_prod CEK_2"]);
    let rows = told(&ready, &search(&ready, "cek:cek", by(Column::ColumnKey, true)).rows);
    assert_eq!(rows[..2], ["buzz_arch CEK_4", "buzz_prod CEK_3"]);
}

/// Two environments with the same rows, and one that could not be opened.
fn three() -> [Ready; 3] {
    let why = NotVisible::new(Cause::Denied, "no");
    let shut = Row::UnreadableEnvironment { environment: "audit".into(), why };
    let shut = Inventory { rows: vec![shut].into(), ..Inventory::default() };
    [Ready::new("production", inventory()), Ready::new("staging", inventory()), Ready::new("audit", shut)]
}

#[test]
fn environments_stand_in_one_list_and_are_told_apart() {
    let ready = three();
    let here = |typed: &str, sort: Option<Sort>| {
        let rows = search(&ready, typed, sort).rows;
        rows.iter().map(|id| ready[usize::from(id.part)].environment).collect::<Vec<_>>()
    };
    assert_eq!(here("cek:=cek_12", Some(by(Column::ColumnKey, false))), ["production", "staging"]);
    assert_eq!(here("cek:=cek_12 env:stag", None), ["staging"]);
    assert_eq!(here("cek:=cek_12", Some(by(Column::Environment, true))), ["staging", "production"]);
    assert_eq!(here("is:unreadable", None), ["audit"]);
    let sorted = told(&ready, &search(&ready, "cek:cek", by(Column::ColumnKey, false)).rows);
    let ceks: Vec<_> = sorted.iter().map(|told| told.rsplit(' ').next().unwrap().to_lowercase()).collect();
    assert!(ceks.is_sorted(), "{ceks:?}");
    let loosely = search(&ready, "cke_12", by(Column::State, false));
    assert_eq!(told(&ready, &loosely.rows)[..2], ["buzz_prod CEK_12", "buzz_prod CEK_12"]);
}

#[test]
fn groups_hold_what_belongs_together() {
    let ready = three();
    let rows = search(&ready, "", by(Column::State, false)).rows;
    let groups = |grouping| group(&parts(&ready), &rows, grouping);
    assert_eq!(groups(Grouping::Environment).len(), 3);
    let databases = groups(Grouping::Database);
    assert_eq!(databases.len(), 5, "two in each of two environments, and what is of none");
    let states = groups(Grouping::State);
    let urgencies: Vec<_> = states
        .iter()
        .map(|group| {
            let first = group.rows[0];
            ready[usize::from(first.part)].index.urgency(first.row as usize)
        })
        .collect();
    assert!(
        urgencies.is_sorted() && urgencies.len() == 4,
        "a state is one in all environments: {urgencies:?}"
    );
    let again = group(&parts(&three()), &rows, Grouping::MasterKey);
    assert_eq!(groups(Grouping::MasterKey), again, "marks outlive the inventory");
}

proptest! {
    #[test]
    fn a_sort_and_a_grouping_only_reorder(
        column in 0..Column::ALL.len(),
        descending in any::<bool>(),
        typed in "[a-z_:\\- 0-9]{0,12}",
        grouping in 0..4_usize,
    ) {
        let ready = three();
        let Ok(filter) = Filter::parse(&typed) else { return Ok(()) };
        let parts = parts(&ready);
        let natural = find(&parts, &filter, None, now());
        prop_assert!(!natural.loosely.is_empty() || natural.rows.is_sorted());
        let sorted = find(&parts, &filter, Some(by(Column::ALL[column], descending)), now());
        let by = [Grouping::MasterKey, Grouping::Database, Grouping::Environment, Grouping::State][grouping];
        let mut grouped: Vec<RowId> =
            group(&parts, &sorted.rows, by).into_iter().flat_map(|group| group.rows).collect();
        let mut expected = natural.rows;
        expected.sort_unstable();
        grouped.sort_unstable();
        prop_assert_eq!(expected, grouped);
    }
}
