//! The right to make one call, once.

use crate::journal::Entry;
use crate::model::arn::KeyArn;
use crate::model::plan::{Operation, Plan};

/// The right to make the one mutating call that a plan is for. The gate makes it after the plan's intent is
/// on the disk, and the call uses it up.
///
/// No other code can make one, so no other code can reach a mutating call:
///
/// ```compile_fail
/// use portcullis::gate::Warrant;
/// fn forge(plan: portcullis::model::plan::Plan) -> Warrant {
///     Warrant { operation: plan.operation, key: plan.key }
/// }
/// ```
///
/// ```compile_fail
/// fn forge(plan: &portcullis::model::plan::Plan, intent: &portcullis::journal::Entry) {
///     let _ = portcullis::gate::Warrant::issue(plan, intent);
/// }
/// ```
///
/// It is neither copied nor cloned:
///
/// ```compile_fail
/// fn twice(warrant: portcullis::gate::Warrant) -> [portcullis::gate::Warrant; 2] {
///     [warrant.clone(), warrant]
/// }
/// ```
#[derive(Debug)]
#[must_use = "a warrant that is not used changes nothing"]
pub struct Warrant {
    operation: Operation,
    key: KeyArn,
}

impl Warrant {
    /// Issued for a journalled intent alone.
    pub(in crate::gate) fn issue(plan: &Plan, _intent: &Entry) -> Self {
        Self { operation: plan.operation, key: plan.key.clone() }
    }

    /// What may be done.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// To which key, in the Region of its ARN.
    #[must_use]
    pub fn key(&self) -> &KeyArn {
        &self.key
    }
}
