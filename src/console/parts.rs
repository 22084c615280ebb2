//! The environments side by side: what is known of each.

use std::sync::Arc;

use super::Place;
use super::snapshot::Snapshot;
use super::state::State;
use crate::inventory::{Part as Listed, Progress, RowId};
use crate::model::pair::Row;
use crate::trail::TrailView;

/// What is known of one environment.
pub struct Part {
    pub snapshot: Arc<Snapshot>,
    pub trail: Arc<TrailView>,
    /// How far its first load has come.
    pub progress: Progress,
}

impl State {
    /// The environment in focus: the one of the selected row, whose trail and health are shown.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.options.places[self.focus]
    }

    /// Whether environments stand side by side.
    #[must_use]
    pub fn several(&self) -> bool {
        self.parts.len() > 1
    }

    /// Whether any environment shown is production.
    #[must_use]
    pub fn production(&self) -> bool {
        self.options.places.iter().any(|place| place.production)
    }

    /// Every environment with its name.
    pub fn places(&self) -> impl Iterator<Item = (&Place, &Part)> {
        self.options.places.iter().zip(&self.parts)
    }

    /// Every environment's share of the list.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed<'_>> {
        self.places()
            .map(|(place, part)| Listed {
                environment: &place.environment,
                inventory: &part.snapshot.inventory,
                index: &part.snapshot.index,
            })
            .collect()
    }

    /// A row by its id.
    #[must_use]
    pub fn row(&self, id: RowId) -> Option<&Row> {
        self.parts.get(usize::from(id.part))?.snapshot.inventory.rows.get(id.row as usize)
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.parts.iter().map(|part| part.snapshot.inventory.rows.len()).sum()
    }

    /// Puts another environment into focus.
    pub fn look_at(&mut self, part: usize) {
        let Some(known) = self.parts.get(part) else { return };
        (self.snapshot, self.trail) = (Arc::clone(&known.snapshot), Arc::clone(&known.trail));
        self.focus = part;
    }
}
