//! The events of several trails as one list.

use std::cmp::Reverse;

use super::store::{Column, Events};

/// An event, by the trail that it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The trail's place among those put together.
    pub part: u16,
    /// The event's rank there.
    pub rank: u32,
}

/// Puts ranks of each trail, the newest first, together as one list, the newest first.
#[must_use]
pub fn newest_first(trails: &[&Events], ranks: Vec<Vec<u32>>) -> Vec<EventId> {
    merge(ranks, |part, rank| Reverse(trails[part].at(rank as usize)))
}

/// The same sorted by a text, those without one last; the newest first where texts are the same.
#[must_use]
pub fn sorted_by(trails: &[&Events], mut ranks: Vec<Vec<u32>>, column: Column) -> Vec<EventId> {
    for (trail, ranks) in trails.iter().zip(&mut ranks) {
        trail.sort_by(ranks, column);
    }
    merge(ranks, |part, rank| {
        let (trail, rank) = (trails[part], rank as usize);
        let text = trail.text(rank, column);
        (text.is_none(), text, Reverse(trail.at(rank)))
    })
}

/// Merges lists that are sorted by `key`. Of equal ones, those of the first list come first.
fn merge<K: Ord>(lists: Vec<Vec<u32>>, key: impl Fn(usize, u32) -> K) -> Vec<EventId> {
    let id = |part: usize, rank: u32| EventId { part: u16::try_from(part).unwrap_or(u16::MAX), rank };
    let count = lists.iter().map(Vec::len).sum();
    let mut heads: Vec<_> = lists
        .into_iter()
        .enumerate()
        .map(|(part, list)| (part, list.into_iter()))
        .filter(|(_, list)| list.len() > 0)
        .collect();
    if let [(part, list)] = heads.as_mut_slice() {
        return list.map(|rank| id(*part, rank)).collect();
    }
    // The next of each list, with its key: a list that has run out is taken away.
    let next =
        |part: usize, list: &mut std::vec::IntoIter<u32>| list.next().map(|rank| (key(part, rank), rank));
    let mut heads: Vec<_> =
        heads.drain(..).filter_map(|(part, mut list)| Some((next(part, &mut list)?, part, list))).collect();
    let mut merged = Vec::with_capacity(count);
    while let Some(first) = (0..heads.len()).min_by(|a, b| heads[*a].0.0.cmp(&heads[*b].0.0)) {
        let ((_, rank), part, list) = &mut heads[first];
        merged.push(id(*part, *rank));
        match next(*part, list) {
            Some(head) => heads[first].0 = head,
            None => drop(heads.remove(first)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::{EventId, newest_first, sorted_by};
    use crate::model::event::KeyEvent;
    use crate::trail::{Column, Events, Store};
    use jiff::Timestamp;
    use proptest::prelude::*;

    /// A trail of events that happened at these seconds, by these people; nobody is known of the second 0.
    fn trail(part: usize, seconds: &[i64]) -> Events {
        let mut store = Store::new(1000);
        for (number, second) in seconds.iter().enumerate() {
            let event = KeyEvent {
                id: format!("{part}-{number}"),
                at: Timestamp::from_second(*second).unwrap(),
                user_agent: format!("agent-{}", second % 3).as_str().into(),
                ..KeyEvent::default()
            };
            store.insert(event, "{}");
        }
        store.events().clone()
    }

    fn ranks(trail: &Events) -> Vec<u32> {
        (0..u32::try_from(trail.len()).unwrap()).collect()
    }

    proptest! {
        #[test]
        fn every_event_is_in_the_list_once_and_in_order(
            seconds in proptest::collection::vec(proptest::collection::vec(0..50_i64, 0..20), 0..4),
        ) {
            let trails: Vec<Events> =
                seconds.iter().enumerate().map(|(part, seconds)| trail(part, seconds)).collect();
            let all: Vec<&Events> = trails.iter().collect();
            let lists = || trails.iter().map(ranks).collect::<Vec<_>>();
            let at = |id: &EventId| trails[usize::from(id.part)].at(id.rank as usize).unwrap();
            let agent = |id: &EventId| {
                trails[usize::from(id.part)].text(id.rank as usize, Column::UserAgent).map(str::to_owned)
            };
            let merged = newest_first(&all, lists());
            prop_assert!(merged.is_sorted_by_key(|id| std::cmp::Reverse(at(id))));
            let sorted = sorted_by(&all, lists(), Column::UserAgent);
            prop_assert!(sorted.is_sorted_by_key(agent));
            for mut list in [merged, sorted] {
                list.sort_unstable();
                list.dedup();
                prop_assert_eq!(list.len(), seconds.iter().map(Vec::len).sum::<usize>());
            }
        }
    }
}
