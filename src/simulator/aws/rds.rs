//! RDS.

/// The service's state.
#[derive(Debug, Default)]
pub struct Rds {}
