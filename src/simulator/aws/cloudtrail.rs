//! CloudTrail: every call becomes a record, delivered after a delay.

/// The service's state.
#[derive(Debug, Default)]
pub struct Trail {}
