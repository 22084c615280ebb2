//! `CloudTrail`: every call becomes a record, delivered after a delay.

use super::{Call, Context, Facts, Refusal, Reply, ServiceEvent};

/// The service's state.
#[derive(Debug, Default)]
pub struct Trail {}

impl Trail {
    /// Records a call that was made, successful or refused.
    pub fn note(&mut self, call: &Call, outcome: &Result<Reply, Refusal>, facts: &Facts) {
        let _ = (call, outcome, facts);
    }

    /// Records something that AWS did by itself.
    pub fn note_service(&mut self, event: &ServiceEvent) {
        let _ = event;
    }

    /// Answers a `CloudTrail` call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let _ = context;
        Err(Refusal::unknown_operation(call))
    }
}
