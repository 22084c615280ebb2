//! SNS.

/// The service's state.
#[derive(Debug, Default)]
pub struct Sns {}
