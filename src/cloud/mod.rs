//! AWS; the only room that names its SDK.
//!
//! Read clients ([`KmsReads`], [`TrailReads`], [`RdsReads`]) have no way to say a change, and a wall behind
//! them refuses any operation that is not a read. [`TrailQueue`] takes messages out of a queue of portcullis' own. What changes a key stands in [`changes`], and takes a warrant.

mod assume;
pub mod changes;
mod easing;
mod failure;
mod kms;
pub mod notify;
mod pace;
mod pages;
mod probe;
mod queue;
pub mod quota;
mod rds;
mod session;
mod time;
mod trail;
mod wall;
mod wire;

pub use assume::{LONGEST_POLICY, MfaCode, NotAssumed, RoleRequest, RoleSession, Why, assume};
pub use failure::Failure;
pub use kms::{AliasEntry, KmsReads};
pub use probe::{Probe, probe};
pub use queue::{QUEUE_ACTIONS, QueueMessage, TrailQueue};
pub use quota::Haste;
pub use rds::RdsReads;
pub use session::{CloudSession, Identity};
pub use trail::{Lookup, LookupPage, TrailReads};
pub use wall::read_actions;
pub use wire::{Credentials, HttpWire, InProcessHttp, NoAnswer, StaticCredentials};

#[cfg(test)]
pub(crate) mod canned;
#[cfg(test)]
mod tests;
