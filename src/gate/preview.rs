//! What the operator is shown before confirming.

use jiff::SignedDuration;

use crate::estate::roles;
use crate::model::dependents::Dependents;
use crate::model::duty::Duty;
use crate::model::plan::{Digest, Operation, Plan};
use crate::model::seen::Seen;
use crate::settings::Environment;

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

impl Preview {
    /// Shows a plan in full.
    ///
    /// # Errors
    /// Only where the plan cannot be written as JSON, which its types rule out.
    pub fn of(
        plan: Plan,
        dependents: Dependents,
        environment: &Environment,
        acting_as: String,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            digest: plan.digest()?,
            production: environment.production,
            column_key_cache: environment.column_key_cache,
            calls: calls(&plan, environment),
            acting_as,
            undo: undo(plan.operation),
            warnings: warnings(plan.operation, &dependents),
            approvals_needed: environment.approvals,
            must_type: must_type(&plan, environment.production),
            dependents,
            plan,
        })
    }
}

/// What has to be typed to confirm a plan.
pub(super) fn must_type(plan: &Plan, production: bool) -> String {
    if production { format!("{} {}", plan.key_name, plan.environment) } else { plan.key_name.clone() }
}

/// The calls that executing will make, in order.
pub(super) fn calls(plan: &Plan, environment: &Environment) -> Vec<String> {
    let probe = match plan.operation {
        Operation::DisableKey | Operation::CancelKeyDeletion => "must be refused: disabled",
        Operation::EnableKey => "must be allowed",
    };
    let mut calls = vec!["kms:DescribeKey (the plan must still hold)".to_owned()];
    let role = environment.roles.role(Duty::of(plan.operation));
    calls.extend(role.map(|role| {
        format!("sts:AssumeRole {} (for this key and this change alone)", roles::role_name(role))
    }));
    calls.extend([
        plan.operation.iam_action().to_owned(),
        format!(
            "kms:DescribeKey ×{} (must agree: {})",
            super::verify::AGREEING_READS,
            plan.operation.proved_by()
        ),
        format!("kms:Encrypt dry run, GenerateMac for an HMAC key, Sign for a signing key ({probe})"),
    ]);
    calls.extend(environment.alert_topic.as_ref().map(|topic| format!("sns:Publish to {topic}")));
    calls.extend(environment.audit.as_ref().map(|audit| {
        format!("EXEC dbo.LogEmergencyKeyRevocation in {} on {}", audit.database, audit.server)
    }));
    calls
}

fn undo(operation: Operation) -> String {
    match operation {
        Operation::DisableKey => "key-recovery runbook: kms:EnableKey",
        Operation::EnableKey => "emergency-revocation runbook: kms:DisableKey",
        Operation::CancelKeyDeletion => {
            "not undone here: only kms:ScheduleKeyDeletion would, with a new waiting period of 7–30 days"
        }
    }
    .to_owned()
}

/// What deserves a second thought, worst first.
fn warnings(operation: Operation, dependents: &Dependents) -> Vec<String> {
    let mut warnings = Vec::new();
    let drop = operation == Operation::DisableKey;
    match &dependents.rds {
        Seen::Known(_) if drop => {
            warnings.extend(dependents.storage_at_stake().iter().map(|instance| {
                format!(
                    "RDS {} stores its data under this key: the instance goes down; after 7 days it can only be restored from backup",
                    instance.id
                )
            }));
        }
        Seen::Known(instances) if instances.is_empty() => {}
        Seen::Known(_) => warnings.push(
            "RDS instances under this key do not come back by themselves: start them once the key is enabled"
                .to_owned(),
        ),
        Seen::NotVisible(why) => {
            warnings.push(format!("whether RDS instances store their data under this key is {why}"));
        }
        Seen::Loading => warnings
            .push("whether RDS instances store their data under this key has not been read yet".to_owned()),
    }
    if operation == Operation::CancelKeyDeletion {
        warnings.push("the key comes back disabled: enable it to use it; read its policy first, which could be changed while deletion was pending".to_owned());
    }
    warnings.extend(dependents.blind_spots.iter().map(|spot| format!("may hide more: {spot}")));
    warnings
}
