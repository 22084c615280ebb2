//! An environment, opened: who we are, clients by Region, SQL servers, clock. It is handed its wire and does not know which one it is.

use std::sync::Arc;

/// Filled in by the reads branch.
#[derive(Debug)]
pub struct Estate;

/// Filled in by the reads branch.
#[derive(Debug)]
pub struct Acting {
    pub estate: Arc<Estate>,
}
