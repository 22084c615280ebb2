//! Joins KMS and SQL Server into pairs; what depends on a key; refresh.
//!
//! [`join`](join::join) is pure: what the sources said goes in, an [`Inventory`](crate::model::pair::Inventory)
//! comes out. [`refresh`] asks the sources; [`filter`], [`index`] and [`present`] show the rows.

pub mod dependents;
pub mod filter;
pub mod find;
pub mod index;
pub mod join;
pub mod kept;
mod link;
pub mod present;
pub mod refresh;
mod state_word;
pub mod traits;

pub use crate::model::column::{Column, Sort};
pub use filter::Filter;
pub use find::{Found, Grouping, Part, RowId, find};
pub use index::Index;
pub use join::{Gathered, join};
pub use kept::Keeper;
pub use refresh::{Fact, Progress, RefreshHandle, Refresher, Wants, load_once};
pub use traits::{Trait, Traits, anomalies};

#[cfg(test)]
mod laws_tests;
#[cfg(test)]
pub(crate) mod testing;
