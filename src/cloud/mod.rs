//! AWS; the only room that names its SDK.
//!
//! Read clients ([`KmsReads`], [`TrailReads`], [`RdsReads`]) have no way to say a change, and a wall behind
//! them refuses any operation that is not a read.

mod failure;
mod kms;
mod pace;
mod pages;
mod rds;
mod session;
mod time;
mod trail;
mod wall;
mod wire;

pub use failure::Failure;
pub use kms::{AliasEntry, KmsReads};
pub use rds::RdsReads;
pub use session::{CloudSession, Identity};
pub use trail::{Lookup, LookupPage, TrailReads};
pub use wire::{Credentials, HttpWire, InProcessHttp, NoAnswer, StaticCredentials};

#[cfg(test)]
pub(crate) mod canned;
#[cfg(test)]
mod tests;
