//! The trails that the list is made of: while it stands still, not the newest.

use std::sync::Arc;

use super::{By, Found};
use crate::console::parts::Part;
use crate::console::state::State;
use crate::detect::Finding;
use crate::filter::Expr;
use crate::model::event::KeyEvent;
use crate::trail::{
    self, Column, EventId, EventKey, Events, Filter, KeyNames, Question, TrailView, newest_first, sorted_by,
};

/// An environment's trail, and what follows from it.
#[derive(Default)]
pub struct Shown {
    pub trail: Arc<TrailView>,
    pub found: Found,
    /// The ranks of all changes, the newest first.
    pub changes: Vec<u32>,
}

impl Shown {
    pub fn of(trail: Arc<TrailView>) -> Self {
        let changes = trail.events.matching(&Expr::Is(Question::ReadOnly(false)));
        Self { found: Found::of(&trail), changes, trail }
    }

    pub fn events(&self) -> &Events {
        &self.trail.events
    }
}

/// Takes the newest trail of each environment.
pub fn take_newest(shown: &mut Vec<Shown>, parts: &[Part]) {
    shown.resize_with(parts.len(), Shown::default);
    for (shown, part) in shown.iter_mut().zip(parts) {
        if !Arc::ptr_eq(&shown.trail, &part.trail) {
            *shown = Shown::of(Arc::clone(&part.trail));
        }
    }
}

/// The ranks of each environment's events that the filter lets through, the newest first.
pub fn matching(state: &State, filter: &Filter) -> Vec<Vec<u32>> {
    let screen = &state.events;
    let each = screen.shown.iter().zip(state.places());
    let each = each.map(|(shown, (place, part))| {
        let question = filter.question_in(&place.environment, &part.snapshot.names, state.now);
        let mut ranks = shown.events().matching(&question);
        if screen.chosen.findings_only {
            ranks.retain(|rank| shown.found.is_open(*rank));
        }
        ranks
    });
    each.collect()
}

/// The events of these ranks as one list.
pub fn arranged(shown: &[Shown], ranks: Vec<Vec<u32>>, by: By) -> Vec<EventId> {
    let trails: Vec<&Events> = shown.iter().map(Shown::events).collect();
    match by {
        By::Time => newest_first(&trails, ranks),
        By::Severity => {
            let mut rows = newest_first(&trails, ranks);
            let severity = |id: &EventId| trails[usize::from(id.part)].severity(id.rank as usize);
            rows.sort_by_cached_key(|id| std::cmp::Reverse(severity(id)));
            rows
        }
        By::Who => sorted_by(&trails, ranks, Column::Who),
        By::What => sorted_by(&trails, ranks, Column::Name),
    }
}

/// An event of the list, and what is known around it.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    pub part: usize,
    /// The environment that it is of.
    pub environment: &'a str,
    pub names: &'a KeyNames,
    shown: &'a Shown,
    rank: usize,
}

impl<'a> Entry<'a> {
    pub fn of(state: &'a State, id: EventId) -> Option<Self> {
        let part = usize::from(id.part);
        let (place, known) = state.places().nth(part)?;
        Some(Self {
            part,
            environment: &place.environment,
            names: &known.snapshot.names,
            shown: state.events.shown.get(part)?,
            rank: id.rank as usize,
        })
    }

    pub fn event(self) -> Option<KeyEvent> {
        self.shown.events().get(self.rank)
    }

    /// The record as it came.
    pub fn raw(self) -> Option<String> {
        self.shown.events().raw(self.rank)
    }

    /// What finds it again in another view of the trail.
    pub fn whereabouts(self) -> Option<(usize, EventKey, jiff::Timestamp)> {
        let events = self.shown.events();
        Some((self.part, events.key(self.rank)?, events.at(self.rank)?))
    }

    /// What was found on it, the worst first, the muted last.
    pub fn findings(self) -> Vec<&'a Finding> {
        let mut findings = self.shown.found.on(&self.shown.trail, self.rank);
        findings.sort_by_key(|finding| (finding.muted.is_some(), std::cmp::Reverse(finding.severity)));
        findings
    }

    /// The event in one sentence.
    pub fn sentence(self, event: &KeyEvent, now: jiff::Timestamp) -> String {
        trail::sentence(event, self.names, now)
    }
}

/// The row of an event in what is shown now.
pub fn row_of(shown: &[Shown], (part, key, at): (usize, EventKey, jiff::Timestamp)) -> Option<EventId> {
    let rank = shown.get(part)?.events().rank(key, at)?;
    Some(EventId { part: u16::try_from(part).ok()?, rank: u32::try_from(rank).ok()? })
}
