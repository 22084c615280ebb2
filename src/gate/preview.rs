//! What the operator is shown before confirming.

use jiff::{SignedDuration, Timestamp};

use crate::estate::roles;
use crate::model::aspect::{Aspect, short};
use crate::model::dependents::{Dependents, Relative};
use crate::model::duty::Duty;
use crate::model::operation::{ON_DEMAND_ROTATIONS, UseAfter, denial};
use crate::model::plan::{Digest, Operation, Plan};
use crate::model::seen::Seen;
use crate::model::text::visible;
use crate::settings::Environment;

/// A plan, in full, with all that it will do. The console draws it; headless commands print it.
#[derive(Clone, Debug, PartialEq)]
pub struct Preview {
    pub plan: Plan,
    pub digest: Digest,
    pub production: bool,
    /// What exactly is changed, line by line; empty where the operation says it all.
    pub change: Vec<String>,
    /// The Regions that the plan covers, and how it stands with the key's relatives in others.
    pub regions: Vec<String>,
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
    /// Exactly what has to be typed: the key's name, in production followed by a blank and the environment's; and
    /// for what cannot be undone in the end, what it does.
    pub must_type: String,
    /// Whether settings let the operator do without approvals, by typing so.
    pub may_override: bool,
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
        let approvals_needed = approvals_needed(&plan.operation, environment);
        Ok(Self {
            digest: plan.digest()?,
            production: environment.production,
            change: change(&plan),
            regions: regions(&plan, &dependents),
            column_key_cache: environment.column_key_cache,
            calls: calls(&plan, environment),
            acting_as,
            undo: undo(&plan.operation).to_owned(),
            warnings: warnings(&plan, &dependents),
            approvals_needed,
            must_type: must_type(&plan, environment.production),
            may_override: approvals_needed > 0 && environment.approval_override,
            dependents,
            plan,
        })
    }

    /// What is typed in place of [`Preview::must_type`] to do without the approvals, where that may be.
    #[must_use]
    pub fn must_type_override(&self) -> Option<String> {
        self.may_override.then(|| must_type_override(&self.plan, self.production))
    }
}

/// How many people besides the requester have to approve.
pub(super) fn approvals_needed(operation: &Operation, environment: &Environment) -> u8 {
    environment.approvals.max(operation.least_approvals())
}

/// What has to be typed to confirm a plan.
pub(super) fn must_type(plan: &Plan, production: bool) -> String {
    let mut typed = plan.key_name.clone();
    if production {
        typed = format!("{typed} {}", plan.environment);
    }
    match plan.operation {
        Operation::ScheduleKeyDeletion { days } => format!("{typed} delete after {days} days"),
        _ => typed,
    }
}

/// What has to be typed to do so without approval.
pub(super) fn must_type_override(plan: &Plan, production: bool) -> String {
    format!("{} without approval", must_type(plan, production))
}

/// What exactly a plan changes.
fn change(plan: &Plan) -> Vec<String> {
    match (&plan.operation, &plan.observed.beside) {
        (Operation::ScheduleKeyDeletion { days }, _) => vec![
            format!(
                "KMS deletes the key {days} days from then, about {}; until then it cannot be used, and its deletion can be cancelled",
                day(plan.observed.at + SignedDuration::from_hours(24 * i64::from(*days)))
            ),
            "once it is deleted, what it encrypts is lost for good: nobody can bring the key back, AWS neither".to_owned(),
        ],
        (Operation::EnableKeyRotation { period_days }, Some(was)) => {
            vec![format!("from: {was}"), format!("to: rotation every {period_days} days")]
        }
        (Operation::RotateKeyOnDemand, Some(Aspect::Material { material_id, on_demand_rotations })) => vec![
            format!(
                "rotation on demand {} of {ON_DEMAND_ROTATIONS}, which is all that the key has in its life",
                on_demand_rotations + 1
            ),
            format!("from material {}; old material stays for what it has encrypted", short(material_id)),
        ],
        (Operation::RevokeGrant { .. }, Some(Aspect::Grant { grant })) => {
            let name = grant.name.as_ref().filter(|name| !name.is_empty());
            let name = name.map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let mut lines = vec![
                format!("grant {}{name} to {}", short(&grant.id), grant.grantee),
                format!("it allows {}", visible(&grant.operations.join(", "))),
            ];
            lines.extend(grant.constraints.iter().map(|only| format!("only where the encryption context is {only}")));
            lines.extend(grant.created.map(|at| format!("made {}", day(at))));
            lines
        }
        (operation @ (Operation::DenyPrincipal { .. } | Operation::AllowPrincipal { .. }), _) => {
            let sign = if matches!(operation, Operation::DenyPrincipal { .. }) { '+' } else { '-' };
            let statement = denial(operation, &plan.incident).map(|denial| denial.statement()).unwrap_or_default();
            let text = serde_json::to_string_pretty(&statement).unwrap_or_default();
            let head = "the key policy, every other statement as it is:".to_owned();
            std::iter::once(head).chain(text.lines().map(|line| format!("{sign} {}", visible(line)))).collect()
        }
        (Operation::StartDbInstance { instance }, Some(now)) => {
            vec![format!("instance {}, now: {now}", visible(instance))]
        }
        _ => Vec::new(),
    }
}

/// Which Regions a plan covers. A state, a policy and grants are each key's own; rotation is a family's.
fn regions(plan: &Plan, dependents: &Dependents) -> Vec<String> {
    let Seen::Known(relatives) = &dependents.relatives else { return Vec::new() };
    if relatives.is_empty() {
        return Vec::new();
    }
    let covers = if plan.operation.reaches_relatives() {
        format!("{} and every relative below: they share their material and its rotation", plan.region)
    } else {
        format!("{} alone", plan.region)
    };
    let told = relatives.iter().map(|relative| of_relative(plan, relative));
    std::iter::once(format!("covers {covers}")).chain(told).collect()
}

fn of_relative(plan: &Plan, relative: &Relative) -> String {
    let kind = if relative.primary { "primary" } else { "replica" };
    let state = match &relative.state {
        Seen::Known(state) => state.to_string(),
        Seen::Loading => "state not read yet".to_owned(),
        Seen::NotVisible(_) => "state not visible".to_owned(),
    };
    let comes_along = if plan.operation.reaches_relatives() {
        "rotates along"
    } else {
        "not covered: it keeps its state, its policy and its grants; it takes a plan of its own"
    };
    format!("{kind} in {} ({}): {comes_along}", visible(relative.arn.region()), visible(&state))
}

fn day(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// The calls that executing will make, in order.
pub(super) fn calls(plan: &Plan, environment: &Environment) -> Vec<String> {
    let operation = &plan.operation;
    let mut before = vec!["kms:DescribeKey".to_owned()];
    before.extend(plan.observed.beside.is_some().then(|| operation.reads().to_owned()));
    let mut calls = vec![format!("{} (the plan must still hold)", before.join(", "))];
    let role = environment.roles.role(Duty::of(operation));
    let narrowed = match operation {
        Operation::StartDbInstance { .. } => "for this instance and this change alone",
        _ => "for this key and this change alone",
    };
    calls.extend(role.map(|role| format!("sts:AssumeRole {} ({narrowed})", roles::role_name(role))));
    calls.extend([
        operation.iam_action().to_owned(),
        format!("{} ×{} (must agree: {})", operation.reads(), super::AGREEING_READS, operation.proof()),
    ]);
    let must = match operation.use_after() {
        UseAfter::Refused => Some("must be refused"),
        UseAfter::Allowed => Some("must be allowed"),
        UseAfter::SaysNothing => None,
    };
    let why = match operation {
        Operation::DisableKey | Operation::CancelKeyDeletion => ": disabled",
        _ => "",
    };
    calls.extend(must.map(|must| {
        format!("kms:Encrypt dry run, GenerateMac for an HMAC key, Sign for a signing key ({must}{why})")
    }));
    calls.extend(environment.alert_topic.as_ref().map(|topic| format!("sns:Publish to {topic}")));
    calls.extend(environment.audit.as_ref().map(|audit| {
        format!("EXEC dbo.LogEmergencyKeyRevocation in {} on {}", audit.database, audit.server)
    }));
    calls
}

fn undo(operation: &Operation) -> &'static str {
    match operation {
        Operation::DisableKey => "key-recovery runbook: kms:EnableKey",
        Operation::EnableKey => "emergency-revocation runbook: kms:DisableKey",
        Operation::CancelKeyDeletion => {
            "not undone here: only kms:ScheduleKeyDeletion would, with a new waiting period of 7–30 days"
        }
        Operation::ScheduleKeyDeletion { .. } => {
            "key-recovery runbook, while the key still waits: kms:CancelKeyDeletion, then kms:EnableKey. After that day nothing undoes it"
        }
        Operation::EnableKeyRotation { .. } => {
            "not undone here: kms:DisableKeyRotation, or another period. What has rotated stays rotated"
        }
        Operation::RotateKeyOnDemand => {
            "not undone: the new material stays, and one of the 25 rotations is used up"
        }
        Operation::RevokeGrant { .. } => {
            "not undone: whoever needs it creates a new grant, as it stands above. The journal keeps it"
        }
        Operation::DenyPrincipal { .. } => {
            "allow-principal, in this incident: kms:PutKeyPolicy without this statement"
        }
        Operation::AllowPrincipal { .. } => {
            "deny-principal, in this incident: kms:PutKeyPolicy with this statement again"
        }
        Operation::StartDbInstance { .. } => {
            "not undone here: rds:StopDBInstance stops it, for seven days at most"
        }
    }
}

/// What deserves a second thought, worst first.
fn warnings(plan: &Plan, dependents: &Dependents) -> Vec<String> {
    let operation = &plan.operation;
    let mut warnings = of_operation(operation);
    warnings.extend(of_storage(operation, dependents));
    if let (Operation::ScheduleKeyDeletion { .. }, Seen::Known(relatives)) =
        (operation, &dependents.relatives)
        && relatives.iter().any(|relative| !relative.primary)
    {
        warnings.insert(
            0,
            "this is a multi-Region primary with replicas: it waits for every one of them to be deleted, perhaps for ever, before its own days begin".to_owned(),
        );
    }
    warnings.extend(dependents.blind_spots.iter().map(|spot| format!("may hide more: {spot}")));
    warnings
}

/// What every such change brings with it.
fn of_operation(operation: &Operation) -> Vec<String> {
    let said: &[&str] = match operation {
        Operation::CancelKeyDeletion => &[
            "the key comes back disabled: enable it to use it; read its policy first, which could be changed while deletion was pending",
        ],
        Operation::ScheduleKeyDeletion { .. } => &[
            "DELETION DESTROYS DATA: whatever this key encrypts cannot be read again by anybody once it is gone. Disabling the key stops all use just as well, and is undone in seconds",
        ],
        Operation::EnableKeyRotation { .. } | Operation::RotateKeyOnDemand => &[
            "rotation is no cure for a compromise: the old material still decrypts, and stolen column keys stay stolen",
        ],
        Operation::RevokeGrant { .. } => &[
            "KMS may honour the grant for some minutes yet: watch the Events screen for its use",
            "an AWS service that holds it (RDS, EBS, Backup) loses the key with it, and a principal that the key policy or IAM allows does not",
        ],
        Operation::DenyPrincipal { .. } => &[
            "KMS cannot be asked to put a policy only where nobody else has put one: it is read again just before, and a change within that moment would be lost",
            "it shuts out the principal alone: not other roles that it can assume, nor AWS services that hold grants of their own",
        ],
        Operation::AllowPrincipal { .. } => &[
            "KMS cannot be asked to put a policy only where nobody else has put one: it is read again just before, and a change within that moment would be lost",
        ],
        Operation::StartDbInstance { .. } => {
            &["an instance takes minutes to start: it is proved here that it is starting, not that it serves"]
        }
        Operation::DisableKey | Operation::EnableKey => &[],
    };
    said.iter().map(|&line| line.to_owned()).collect()
}

/// What becomes of RDS storage under the key.
fn of_storage(operation: &Operation, dependents: &Dependents) -> Vec<String> {
    let touches = operation.drops()
        || matches!(
            operation,
            Operation::EnableKey | Operation::CancelKeyDeletion | Operation::RevokeGrant { .. }
        );
    if !touches {
        return Vec::new();
    }
    match &dependents.rds {
        Seen::Known(_) if operation.drops() => dependents
            .storage_at_stake()
            .iter()
            .map(|instance| {
                format!(
                    "RDS {} stores its data under this key: the instance goes down; after 7 days it can only be restored from backup",
                    instance.id
                )
            })
            .collect(),
        Seen::Known(_) if matches!(operation, Operation::RevokeGrant { .. }) => Vec::new(),
        Seen::Known(instances) if instances.is_empty() => Vec::new(),
        Seen::Known(_) => vec![
            "RDS instances under this key do not come back by themselves: start them once the key is enabled"
                .to_owned(),
        ],
        Seen::NotVisible(why) => vec![format!("whether RDS instances store their data under this key is {why}")],
        Seen::Loading => {
            vec!["whether RDS instances store their data under this key has not been read yet".to_owned()]
        }
    }
}
