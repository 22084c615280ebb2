use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;

use super::{CHUNK, Store};
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::trail::Unparsed;

/// An event of this id at this second.
fn event(id: u32, second: i64) -> KeyEvent {
    KeyEvent {
        id: format!("e-{id:06}"),
        at: Timestamp::from_second(second).unwrap(),
        name: "Decrypt".into(),
        source: "kms.amazonaws.com".into(),
        region: "eu-west-1".into(),
        who: Who::default(),
        keys: Vec::new(),
        key_as_typed: None,
        from: "".into(),
        user_agent: "".into(),
        outcome: Outcome::Allowed,
        read_only: None,
        severity: Severity::Info,
        raw: "".into(),
    }
}

fn seconds(store: &Store) -> Vec<i64> {
    store.iter().map(|event| event.at.as_second()).collect()
}

#[test]
fn late_arrivals_take_their_place_and_copies_are_passed_over() {
    let mut store = Store::new(10);
    for (id, second) in [(1, 10), (2, 30), (3, 20)] {
        assert!(store.insert(event(id, second)));
    }
    assert!(!store.insert(event(3, 20)), "the same event again");
    assert!(store.insert(event(4, 20)), "another event of the same second");
    assert_eq!(seconds(&store), [30, 20, 20, 10]);
}

#[test]
fn the_oldest_goes_where_there_is_no_room() {
    let mut store = Store::new(2);
    store.insert(event(1, 10));
    store.insert(event(2, 20));
    assert!(store.insert(event(3, 30)));
    assert!(!store.insert(event(4, 5)), "older than all that are kept");
    assert_eq!((seconds(&store), store.dropped(), store.len()), (vec![30, 20], 2, 2));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut store = Store::new(10_000);
    (0..2_000).for_each(|n| assert!(store.insert(event(n, i64::from(n)))));
    let before = store.clone();
    store.insert(event(9_999, 1_000));
    assert_eq!((before.len(), store.len()), (2_000, 2_001));
    assert!(before.find("e-009999").is_none() && store.find("e-009999").is_some());
}

#[test]
fn an_insertion_copies_one_chunk_alone() {
    let mut store = Store::new(10_000);
    (0..4_000).for_each(|n| assert!(store.insert(event(n, i64::from(n)))));
    let before = store.clone();
    store.insert(event(9_999, 4_001));
    let shared = before.chunks.iter().filter(|a| store.chunks.iter().any(|b| Arc::ptr_eq(a, b))).count();
    assert_eq!(shared, before.chunks.len() - 1);
    assert!(store.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
}

#[test]
fn an_unreadable_record_counts_once() {
    let mut store = Store::new(10);
    let unparsed = |raw: &str| Unparsed { reason: "no".into(), raw: raw.into() };
    for raw in ["a", "b", "a"] {
        store.note_unparsed(unparsed(raw));
    }
    assert_eq!((store.unparsed_count(), store.unparsed().count()), (2, 2));
}

proptest! {
    #[test]
    fn it_is_always_the_newest_events_in_order(
        arrivals in prop::collection::vec((0u32..3_000, 0i64..50), 0..2_000),
        capacity in 1usize..1_200,
    ) {
        // One id has one time.
        let time = |id: u32, second: i64| second * 3_000 + i64::from(id);
        let mut store = Store::new(capacity);
        let mut all = BTreeSet::new();
        for (id, _) in &arrivals {
            let second = time(*id, i64::from(*id % 50));
            store.insert(event(*id, second));
            all.insert(second);
        }
        let newest: Vec<i64> = all.into_iter().rev().take(capacity).collect();
        prop_assert_eq!(seconds(&store), newest.clone());
        prop_assert_eq!(store.len(), newest.len());
        for index in [0, newest.len() / 2, newest.len()] {
            let at = store.get(index).map(|event| event.at.as_second());
            prop_assert_eq!(at, newest.get(index).copied());
        }
        prop_assert_eq!(store.oldest().map(Timestamp::as_second), newest.last().copied());
    }
}
