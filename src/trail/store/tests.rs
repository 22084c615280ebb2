use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;

use super::segment::ROWS;
use super::{Batch, Column, Store};
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::trail::{Filter, KeyNames, Unparsed};

/// An event of this id at this second.
fn event(id: u32, second: i64) -> KeyEvent {
    KeyEvent {
        id: format!("e-{id:06}"),
        at: Timestamp::from_second(second).unwrap(),
        name: "Decrypt".into(),
        source: "kms.amazonaws.com".into(),
        region: "eu-west-1".into(),
        ..KeyEvent::default()
    }
}

fn seconds(store: &Store) -> Vec<i64> {
    store.events().iter().map(|event| event.at.as_second()).collect()
}

#[test]
fn late_arrivals_take_their_place_and_copies_are_passed_over() {
    let mut store = Store::new(10);
    for (id, second) in [(1, 10), (2, 30), (3, 20)] {
        assert!(store.insert(event(id, second), ""));
    }
    assert!(!store.insert(event(3, 20), ""), "the same event again");
    assert!(store.insert(event(4, 20), ""), "another event of the same second");
    assert_eq!(seconds(&store), [30, 20, 20, 10]);
}

#[test]
fn the_oldest_goes_where_there_is_no_room() {
    let mut store = Store::new(2);
    store.insert(event(1, 10), "");
    store.insert(event(2, 20), "");
    assert!(store.insert(event(3, 30), ""));
    assert!(!store.insert(event(4, 5), ""), "older than all that are kept");
    assert_eq!((seconds(&store), store.events().dropped(), store.events().len()), (vec![30, 20], 2, 2));
}

#[test]
fn a_snapshot_stays_as_it_was() {
    let mut store = Store::new(10_000);
    (0..2_000).for_each(|n| assert!(store.insert(event(n, i64::from(n)), "")));
    let before = store.events().clone();
    store.insert(event(9_999, 1_000), "");
    assert_eq!((before.len(), store.events().len()), (2_000, 2_001));
    assert!(before.find("e-009999").is_none() && store.events().find("e-009999").is_some());
}

#[test]
fn events_come_back_as_they_went_in_records_too() {
    let mut store = Store::new(10);
    let id = "0f6a1c9e-5b1e-4a8e-9d3f-2c1b0a998877";
    let full = KeyEvent {
        id: id.into(),
        keys: [1, 2].map(|n| format!("arn:aws:kms:eu-west-1:111122223333:key/{n}").parse().unwrap()).into(),
        outcome: Outcome::Denied { code: "AccessDenied".into(), message: "no\nway".into() },
        who: Who {
            name: "Zürich".into(),
            role: Some("r".into()),
            mfa: Some(false),
            from_console: true,
            ..Who::default()
        },
        shared_id: Some("s".into()),
        read_only: Some(true),
        severity: Severity::High,
        ..event(1, 10)
    };
    store.insert(full.clone(), "the record");
    store.insert(event(2, 20), "another");
    let events = store.events();
    assert_eq!(events.get(1), Some(full.clone()));
    assert_eq!((events.raw(1).as_deref(), events.raw(0).as_deref()), (Some("the record"), Some("another")));
    assert_eq!(events.find(id), Some(full));
    assert_eq!(events.find("e-000002"), Some(event(2, 20)));
    assert_eq!(events.rank(events.key(1).unwrap(), events.at(1).unwrap()), Some(1));
    assert!(store.knows(id) && !store.knows("e-000003"));
}

#[test]
fn over_many_segments_the_bound_holds_and_what_left_gives_its_room_back() {
    let room = ROWS;
    let mut store = Store::new(room);
    // Every eighth event is new and stays; the others are old and leave: segments thin out.
    for part in 0..40u32 {
        let events = (0..4096u32).map(|n| {
            let id = part * 4096 + n;
            let second = if id % 8 == 0 { 1_000_000 + i64::from(id) } else { i64::from(id) };
            (event(id, second), format!("record {id}"))
        });
        store.add(Batch::of(events.collect()));
    }
    let events = store.events();
    assert_eq!(events.len(), room);
    assert_eq!(events.dropped(), 40 * 4096 - room as u64);
    let newest = events.get(0).unwrap();
    assert_eq!(
        events.raw(0),
        Some(format!("record {}", newest.id.trim_start_matches("e-").trim_start_matches('0')))
    );
    assert!(events.iter().map(|event| event.at).is_sorted_by(|a, b| a >= b));
    let held: usize = events.segments.iter().map(|segment| segment.len()).sum();
    assert!(held <= 4 * ROWS, "{held} rows are held for {room} shown");
    assert_eq!(store.known.len(), room);
}

#[test]
fn counting_and_sorting_go_by_text() {
    let mut store = Store::new(100);
    for (id, who) in [(1, "b"), (2, "a"), (3, "b"), (4, "")] {
        store.insert(
            KeyEvent { who: Who { name: who.into(), ..Who::default() }, ..event(id, i64::from(id)) },
            "",
        );
    }
    let events = store.events();
    let mut ranks = vec![0, 1, 2, 3];
    events.sort_by(&mut ranks, Column::Who);
    assert_eq!(ranks, [2, 1, 3, 0], "those without a text last, others by time within a text");
    let counts: Vec<_> = events.count_by(0..4, Column::Who).into_iter().map(|c| (c.text, c.events)).collect();
    assert_eq!(counts, [(Some("b".to_owned()), 2), (None, 1), (Some("a".to_owned()), 1)]);
}

#[test]
fn an_unreadable_record_counts_once() {
    let mut store = Store::new(10);
    let unparsed = |raw: &str| Unparsed { reason: "no".into(), raw: raw.into() };
    for raw in ["a", "b", "a"] {
        store.note_unparsed(unparsed(raw));
    }
    assert_eq!((store.events().unparsed_count(), store.events().unparsed().count()), (2, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
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
            store.insert(event(*id, second), "");
            all.insert(second);
        }
        let newest: Vec<i64> = all.into_iter().rev().take(capacity).collect();
        prop_assert_eq!(seconds(&store), newest.clone());
        prop_assert_eq!(store.events().len(), newest.len());
        for index in [0, newest.len() / 2, newest.len()] {
            let at = store.events().get(index).map(|event| event.at.as_second());
            prop_assert_eq!(at, newest.get(index).copied());
        }
        prop_assert_eq!(store.events().oldest().map(Timestamp::as_second), newest.last().copied());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn asking_all_at_once_finds_what_asking_each_does(
        arrivals in prop::collection::vec((0u32..3, 0u32..4, 0i64..500, 0u8..4), 1..400),
        text in "(dec|GEN|ab?|e|zürich|name:=decrypt|who:b|severity:high|outcome:denied|since:3m|-name:gen|a or e)",
    ) {
        let names = ["Decrypt", "GenerateDataKey", "Zürich"];
        let people = ["alice", "Bob", "", "ZÜRICH"];
        let mut store = Store::new(1000);
        for (number, (name, who, second, kind)) in (0u32..).zip(&arrivals) {
            let outcome = match kind {
                0 => Outcome::Denied { code: "AccessDenied".into(), message: "no".into() },
                1 => Outcome::DryRun,
                _ => Outcome::Allowed,
            };
            let severity = if *kind == 3 { Severity::High } else { Severity::Info };
            let event = KeyEvent {
                name: names[*name as usize].into(),
                who: Who { name: people[*who as usize].into(), ..Who::default() },
                outcome,
                severity,
                ..event(number, *second)
            };
            store.insert(event, "{}");
        }
        let (filter, now) = (Filter::parse(&text).unwrap(), Timestamp::from_second(500).unwrap());
        let names = KeyNames::default();
        let found = store.events().matching(&filter.question(&names, now));
        let each: Vec<u32> = (0u32..)
            .zip(store.events().iter())
            .filter(|(_, event)| filter.matches(event, &names, now))
            .map(|(rank, _)| rank)
            .collect();
        prop_assert_eq!(found, each);
    }
}
