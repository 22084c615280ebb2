//! Which events matter: small named rules over events, and what to do about what they find.
//!
//! Pure: events and the house's circumstances in, findings out; no I/O, and no clock of its own. [`RULES`] lists the
//! rules, a file a family, each with its examples. The [`Engine`] keeps what they need to know of earlier events.
//! Events may come late, twice, and in any order: the same events give the same findings.

mod context;
mod engine;
mod finding;
mod look;
pub mod ocsf;
mod rule;
mod rules;
mod sight;
mod tuning;
mod watches;

pub use context::{Context, Held, Incident, Overdue};
pub use engine::{Engine, severities};
pub use finding::{Finding, FindingRecord, Muted};
pub use rule::{Next, Rule, Technique};
pub use rules::{RULES, rule};
pub use tuning::{Detections, Mute, Pattern};

#[cfg(test)]
mod tests;
