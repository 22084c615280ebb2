//! Portcullis: a terminal incident console for encryption keys.
//!
//! Each module is a room of the house; a room uses only the rooms below it: `drill`, `command`, `live` and
//! `console`, then `respond`, `inventory`, `trail`, `gate`, `estate`, `runbook`, `cloud`, `database`, `journal`,
//! `settings`, `detect`, `clock`, `filter`, `model`. The `simulator` is a house of its own.
//! One arrow points up on purpose: a mutating call in `cloud` asks for a `gate::Warrant`, because only
//! the gate may make one.

pub mod clock;
pub mod cloud;
pub mod command;
pub mod console;
pub mod database;
pub mod detect;
pub mod drill;
pub mod estate;
pub mod filter;
pub mod gate;
pub mod iam;
pub mod inventory;
pub mod journal;
pub mod live;
pub mod model;
pub mod respond;
pub mod runbook;
pub mod settings;
pub mod simulator;
pub mod trail;

/// Of every program that is built from this library. An inventory is replaced every few seconds by one that is nearly
/// the same: with the system's allocator the holes stay, and a console grows to twice what it holds.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
