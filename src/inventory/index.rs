//! An inventory made ready for filtering and sorting: 100,000 rows in a few milliseconds.

use jiff::Timestamp;

use crate::model::age::AgePolicy;
use crate::model::pair::Inventory;

use super::filter::Filter;

/// Columns that rows can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    State,
    ColumnKey,
    MasterKey,
    Database,
    /// When the material came: oldest first where ascending.
    Rotated,
    Age,
    Next,
    LastUsed,
}

/// An order of rows. `None` in its place means the inventory's own: database, CEK, CMK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    pub column: Column,
    pub descending: bool,
}

/// Made once for each inventory; holds nothing that borrows from it.
#[derive(Clone, Debug, Default)]
pub struct Index {}

impl Index {
    /// Prepares `inventory` as it is at `now`.
    #[must_use]
    pub fn build(inventory: &Inventory, policy: AgePolicy, now: Timestamp) -> Self {
        let _ = (inventory, policy, now);
        todo!("filled in next")
    }

    /// The rows that `filter` lets through, as places in `inventory.rows`, in order.
    #[must_use]
    pub fn matching(&self, filter: &Filter, sort: Option<Sort>) -> Vec<u32> {
        let _ = (filter, sort);
        todo!("filled in next")
    }
}
