//! An inventory made ready to be shown. Where it is large that takes long enough to be felt, so it is made
//! beside the console's task and not on it.

use std::sync::Arc;

use jiff::Timestamp;

use super::screens::keys::Reach;
use crate::inventory::Index;
use crate::inventory::present::{Counts, counts};
use crate::model::age::AgePolicies;
use crate::model::pair::Inventory;
use crate::trail::KeyNames;

/// An inventory, and what the screens need to know of it as a whole.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub inventory: Arc<Inventory>,
    pub index: Index,
    pub counts: Counts,
    pub reach: Reach,
    /// What people call the keys that events name by ARN.
    pub names: KeyNames,
}

impl Snapshot {
    /// Makes `inventory` ready as it is at `now`: a good part of a second for 100,000 rows.
    #[must_use]
    pub fn of(inventory: Arc<Inventory>, policies: &AgePolicies, now: Timestamp) -> Self {
        Self {
            index: Index::build(&inventory, policies, now),
            counts: counts(&inventory, policies, now),
            reach: Reach::of(&inventory),
            names: KeyNames::of(&inventory),
            inventory,
        }
    }
}
