//! What the operator is shown before confirming.

use jiff::SignedDuration;

use crate::model::dependents::Dependents;
use crate::model::plan::{Digest, Plan};

/// A plan, in full, with all that it will do. The console draws it; headless commands print it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    pub plan: Plan,
    pub digest: Digest,
    pub production: bool,
    /// What stops working (or starts again).
    pub dependents: Dependents,
    /// How long warm clients may go on decrypting after a drop.
    pub column_key_cache: SignedDuration,
    /// The exact API calls, in order, e.g. `kms:DisableKey`.
    pub calls: Vec<String>,
    /// Who will make the call.
    pub acting_as: String,
    /// How it is undone.
    pub undo: String,
    /// What deserves a second thought, worst first: RDS storage, replicas not covered, blind spots.
    pub warnings: Vec<String>,
    /// People who must still approve.
    pub approvals_needed: u8,
    /// Exactly what has to be typed: the key's name, in production followed by a blank and the environment's.
    pub must_type: String,
}
