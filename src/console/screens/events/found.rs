//! What the rules found, by the events that it rests on.

use std::collections::BTreeMap;

use crate::console::state::State;
use crate::detect::Finding;
use crate::model::event::Severity;
use crate::trail::{EventKey, TrailView};

/// The findings of a trail, by the rank of each of their events there.
#[derive(Default)]
pub struct Found {
    /// The findings' places in [`TrailView::findings`].
    on: BTreeMap<u32, Vec<usize>>,
    /// The worst of those that are not muted.
    open: BTreeMap<u32, Severity>,
}

impl Found {
    pub fn of(trail: &TrailView) -> Self {
        let mut found = Self::default();
        for (place, finding) in trail.findings.iter().enumerate() {
            for (at, id) in &finding.events {
                let rank = trail.events.rank(EventKey::from_id(id), *at);
                let Some(rank) = rank.and_then(|rank| u32::try_from(rank).ok()) else { continue };
                found.on.entry(rank).or_default().push(place);
                if finding.muted.is_none() {
                    let worst = found.open.entry(rank).or_default();
                    *worst = finding.severity.max(*worst);
                }
            }
        }
        found
    }

    /// The findings on the event of that rank.
    pub fn on<'a>(&self, trail: &'a TrailView, rank: usize) -> Vec<&'a Finding> {
        let places = u32::try_from(rank).ok().and_then(|rank| self.on.get(&rank));
        places.into_iter().flatten().filter_map(|place| trail.findings.get(*place)).collect()
    }

    /// Whether something is open on the event of that rank: found, and not muted.
    pub fn is_open(&self, rank: u32) -> bool {
        self.open.contains_key(&rank)
    }

    /// The events on which something is open, the newest first, and the worst of it.
    pub fn open(&self) -> impl Iterator<Item = (u32, Severity)> {
        self.open.iter().map(|(rank, severity)| (*rank, *severity))
    }
}

/// How many findings about events are open in all environments, the least severe first, and how many are muted.
#[must_use]
pub fn tally(state: &State) -> ([usize; 4], usize) {
    let mut open = [0; 4];
    let mut muted = 0;
    for finding in all(state).filter(|finding| !finding.events.is_empty()) {
        match finding.muted {
            Some(_) => muted += 1,
            None => open[finding.severity as usize] += 1,
        }
    }
    (open, muted)
}

/// How many open findings rest on no event: the inventory tells of rotations that did not come.
pub fn overdue(state: &State) -> usize {
    all(state).filter(|finding| finding.events.is_empty() && finding.muted.is_none()).count()
}

fn all(state: &State) -> impl Iterator<Item = &Finding> {
    state.parts.iter().flat_map(|part| part.trail.findings.iter())
}
