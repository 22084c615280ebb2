//! Plans and previews: one change to one key, made on a state that was read just now.

use jiff::{SignedDuration, Timestamp};

use super::trouble::Trouble;
use crate::estate::Estate;
use crate::gate::{Ground, Preview, ProvedChange};
use crate::model::IncidentId;
use crate::model::age::{ago, short};
use crate::model::aspect::Aspect;
use crate::model::dependents::Dependents;
use crate::model::duty::Duty;
use crate::model::key::{AutomaticRotation, KmsKey, Manager, Origin};
use crate::model::operation::ON_DEMAND_ROTATIONS;
use crate::model::pair::Inventory;
use crate::model::plan::{Observed, Operation, Plan};
use crate::model::seen::Seen;
use crate::model::source::Source;
use crate::model::text::visible;
use crate::runbook::{Found, Run};
use crate::settings::{ENVIRONMENT_TAG, Mfa};
use crate::trail::KeyUse;

/// How long a plan holds.
const PLAN_LASTS: SignedDuration = SignedDuration::from_mins(15);
/// A catalog older than this is worth a warning before a change.
const CATALOG_IS_OLD: SignedDuration = SignedDuration::from_mins(5);

/// Who asks, in words for a plan.
pub(super) fn requester(estate: &Estate) -> String {
    estate.identity.known().map_or_else(|| "not known".to_owned(), |identity| identity.arn.clone())
}

/// Makes a plan on a key and a ground as they were just read.
#[expect(clippy::too_many_arguments, reason = "a plan holds all of it")]
pub(super) fn plan(
    estate: &Estate,
    incident: &IncidentId,
    run: &Run,
    found: &Found,
    operation: Operation,
    key: &KmsKey,
    ground: &Ground,
    now: Timestamp,
) -> Plan {
    Plan {
        environment: estate.environment.name.clone(),
        account: key.arn.account().to_owned(),
        region: key.arn.region().to_owned(),
        key: key.arn.clone(),
        key_name: found.key_name.clone(),
        operation,
        observed: Observed { state: key.state.clone(), at: key.read_at, beside: ground.beside() },
        incident: incident.clone(),
        cek: found.cek.clone(),
        reason: run.started.reason.clone(),
        requester: requester(estate),
        expires_at: now + PLAN_LASTS,
    }
}

/// Refuses what AWS would refuse of such a key, before anybody types anything.
pub(super) fn possible(estate: &Estate, operation: &Operation, key: &KmsKey) -> Result<(), Trouble> {
    operation.check().map_err(|why| Trouble::new(why, "Leave, and begin again with what it takes"))?;
    if key.manager == Manager::Aws {
        return Err(Trouble::new(
            "this key is managed by AWS: no account can disable or enable it, nor change its policy or rotation",
            "Leave. Cut off the principals that use it instead",
        ));
    }
    if let Some(identity) = estate.identity.known()
        && identity.account != key.arn.account()
    {
        return Err(Trouble::new(
            format!(
                "the key belongs to account {}, and you are in account {}: AWS allows {} only from the key's own account",
                key.arn.account(),
                visible(&identity.account),
                operation.iam_action()
            ),
            "Leave, and ask the owner of that account, or use an environment with credentials of it",
        ));
    }
    rotates(operation, key)?;
    let starts = operation.starts_from();
    if starts.contains(&key.state) {
        return Ok(());
    }
    let starts: Vec<_> = starts.iter().map(ToString::to_string).collect();
    Err(Trouble::new(
        format!("the key is {}, and {operation} starts from {}", key.state, starts.join(" or ")),
        "Find out on the Events screen who changed it. Try again once it is so, or leave",
    ))
}

/// Refuses a rotation of a key that does not rotate so.
fn rotates(operation: &Operation, key: &KmsKey) -> Result<(), Trouble> {
    if !operation.reaches_relatives() {
        return Ok(());
    }
    let imported = key.origin == Origin::External && *operation == Operation::RotateKeyOnDemand;
    if let AutomaticRotation::Impossible(why) = key.automatic_rotation()
        && !imported
    {
        return Err(Trouble::new(
            format!("this key cannot be rotated so: {why}"),
            "Leave. Make a new KMS key and wrap the column keys again under it",
        ));
    }
    match &key.multi_region {
        Some(family) if family.primary != key.arn => Err(Trouble::new(
            format!(
                "this key is a replica: its rotation is set on its primary, in {}",
                family.primary.region()
            ),
            format!("Leave, and begin again on {}: its replicas rotate along", family.primary),
        )),
        _ => Ok(()),
    }
}

/// Refuses what makes no sense on the ground as it was read.
pub(super) fn sensible(
    estate: &Estate,
    incident: &IncidentId,
    operation: &Operation,
    key: &KmsKey,
    ground: &Ground,
) -> Result<(), Trouble> {
    let no =
        |why: String| Err(Trouble::new(why, "Nothing was changed. Leave, or try again once it is otherwise"));
    match (operation, &ground.aspect) {
        (
            Operation::EnableKeyRotation { period_days },
            Aspect::Rotation { automatic: true, period_days: now },
        ) if *now == Some(*period_days) => no(format!("the key is rotated every {period_days} days already")),
        (Operation::RotateKeyOnDemand, Aspect::Material { on_demand_rotations, .. })
            if *on_demand_rotations >= ON_DEMAND_ROTATIONS =>
        {
            no(format!(
                "all {ON_DEMAND_ROTATIONS} rotations on demand of this key are used up, and KMS gives no more: set automatic rotation, or make a new key"
            ))
        }
        (Operation::RevokeGrant { .. }, Aspect::NoGrant { .. }) => {
            no(format!("{}: it is revoked or retired already, or it never was", ground.aspect))
        }
        (Operation::StartDbInstance { instance }, Aspect::Instance { instance_status }) => {
            match instance_status.raw() {
                "inaccessible-encryption-credentials" => no(format!(
                    "the instance {} was without its key for more than 7 days: RDS cannot start it any more, and only a restore from backup helps",
                    visible(instance)
                )),
                _ if !ground.aspect.is_down() => no(format!(
                    "the instance {} is {instance_status}: there is nothing to start",
                    visible(instance)
                )),
                _ => Ok(()),
            }
        }
        _ => match ground.call(operation, &key.arn, incident, estate) {
            Ok(_) => Ok(()),
            Err(why) => no(why),
        },
    }
}

/// Who may change the key policy afterwards, in a line.
pub(super) fn kept_by(keepers: &[String]) -> Option<String> {
    (!keepers.is_empty()).then(|| format!("the policy can still be changed by {}", keepers.join(", ")))
}

/// Shows a plan in full, with what this incident and the age of the catalog add to it.
pub(super) fn preview(
    plan: Plan,
    inventory: &Inventory,
    estate: &Estate,
    dropped: Option<&ProvedChange>,
    used: KeyUse,
    now: Timestamp,
) -> Result<Preview, Trouble> {
    let mut warnings = Vec::new();
    if let Seen::NotVisible(why) = &estate.identity {
        warnings.push(format!("who you are could not be read ({}): the plan names nobody", why.reason));
    }
    if !inventory.keys.contains_key(&plan.key) {
        warnings.push("this key is not in the inventory: grants and relatives are not known".to_owned());
    }
    warnings.extend(old_key(&plan, inventory, now));
    warnings.extend(old_catalogs(inventory, now));
    warnings.extend(beyond_role(&plan, inventory, estate));
    warnings.extend(dropped.and_then(|drop| beyond_window(&plan, drop, estate, now)));
    let acting_as = acting_as(&plan.operation, estate);
    let dependents = Dependents::of(&plan.key, inventory).used(used.usage, used.down_since);
    let mut preview = Preview::of(plan, dependents, &estate.environment, acting_as)?;
    preview.warnings.extend(warnings);
    Ok(preview)
}

/// Who makes the change: a role, or the credentials at hand.
fn acting_as(operation: &Operation, estate: &Estate) -> String {
    let (roles, duty) = (&estate.environment.roles, Duty::of(operation));
    if roles.role(duty).is_some() {
        let how = if roles.mfa == Mfa::Session { "" } else { ", MFA code asked next" };
        return format!("{duty}{how}, for {}", short(roles.session));
    }
    match &estate.identity {
        Seen::Known(identity) => visible(&identity.arn).into_owned(),
        Seen::Loading => "not known: not asked yet".to_owned(),
        Seen::NotVisible(why) => format!("not known: {}", why.reason),
    }
}

/// Where the change's role does not reach, as far as it can be told from here.
fn beyond_role(plan: &Plan, inventory: &Inventory, estate: &Estate) -> Option<String> {
    let (roles, duty) = (&estate.environment.roles, Duty::of(&plan.operation));
    if roles.role(duty).is_none() {
        return Some(format!(
            "settings name no role for {duty}: the change is made with the credentials at hand, with all that they may do"
        ));
    }
    let session = roles.tags.get(ENVIRONMENT_TAG)?;
    let tags = inventory.keys.get(&plan.key)?.tags.known()?;
    let key = tags.get(ENVIRONMENT_TAG)?;
    (key.raw() != session).then(|| {
        format!(
            "the key is tagged {ENVIRONMENT_TAG}={key} and the role's session {ENVIRONMENT_TAG}={}: by the shipped policies it will be refused",
            visible(session)
        )
    })
}

/// Grants and relatives are as the inventory has them: the state alone was read just now.
fn old_key(plan: &Plan, inventory: &Inventory, now: Timestamp) -> Option<String> {
    let read_at = inventory.keys.get(&plan.key)?.read_at;
    (now.duration_since(read_at) > CATALOG_IS_OLD)
        .then(|| format!("what is told of the key's grants and relatives is {} old", ago(read_at, now)))
}

/// SQL catalogs that may not show all that depends on the key any more.
fn old_catalogs(inventory: &Inventory, now: Timestamp) -> Vec<String> {
    let old = |(source, health): (&Source, &crate::model::source::SourceHealth)| {
        let Source::Sql(server) = source else { return None };
        match health.last_success {
            Some(read) if now.duration_since(read) <= CATALOG_IS_OLD => None,
            Some(read) => Some(format!("the catalog of {server} is {} old", ago(read, now))),
            None => Some(format!(
                "the catalog of {server} has not been read: what depends on the key there is not known"
            )),
        }
    };
    inventory.sources.iter().filter_map(old).collect()
}

/// Whether a recovery comes later than this house allows without a new decision.
fn beyond_window(plan: &Plan, drop: &ProvedChange, estate: &Estate, now: Timestamp) -> Option<String> {
    let window = estate.environment.recovery_window;
    let since = now.duration_since(drop.proved_at);
    (plan.operation == Operation::EnableKey && since > window).then(|| {
        format!(
            "the key was dropped {} ago, and this house allows {} for a recovery without a new decision",
            short(since),
            short(window)
        )
    })
}
