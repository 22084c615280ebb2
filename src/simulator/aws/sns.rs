//! SNS.

use super::{Call, Context, Refusal, Reply};

/// The service's state.
#[derive(Debug, Default)]
pub struct Sns {}

impl Sns {
    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let _ = context;
        Err(Refusal::unknown_operation(call))
    }
}
