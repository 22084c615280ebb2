//! STS: who is calling, and assumed roles.

/// The service's state.
#[derive(Debug, Default)]
pub struct Sts {}
