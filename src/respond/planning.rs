//! Plans and previews: one change to one key, made on a state that was read just now.

use jiff::{SignedDuration, Timestamp};

use super::trouble::Trouble;
use crate::estate::Estate;
use crate::gate::{Preview, ProvedChange};
use crate::model::IncidentId;
use crate::model::age::{ago, short};
use crate::model::dependents::Dependents;
use crate::model::duty::Duty;
use crate::model::key::{KmsKey, Manager};
use crate::model::pair::Inventory;
use crate::model::plan::{Observed, Operation, Plan};
use crate::model::seen::Seen;
use crate::model::source::Source;
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

/// Makes a plan on a key as it was just read.
///
/// # Errors
/// Where the change makes no sense for the key as it is, or cannot be made from this account.
pub(super) fn plan(
    estate: &Estate,
    incident: &IncidentId,
    run: &Run,
    found: &Found,
    operation: Operation,
    key: &KmsKey,
    now: Timestamp,
) -> Result<Plan, Trouble> {
    possible(estate, operation, key)?;
    Ok(Plan {
        environment: estate.environment.name.clone(),
        account: key.arn.account().to_owned(),
        region: key.arn.region().to_owned(),
        key: key.arn.clone(),
        key_name: found.key_name.clone(),
        operation,
        observed: Observed { state: key.state.clone(), at: key.read_at },
        incident: incident.clone(),
        cek: found.cek.clone(),
        reason: run.started.reason.clone(),
        requester: requester(estate),
        expires_at: now + PLAN_LASTS,
    })
}

/// Refuses what KMS would refuse, before anybody types anything.
fn possible(estate: &Estate, operation: Operation, key: &KmsKey) -> Result<(), Trouble> {
    if key.manager == Manager::Aws {
        return Err(Trouble::new(
            "this key is managed by AWS: no account can disable or enable it",
            "Leave. Cut off the principals that use it instead",
        ));
    }
    if let Some(identity) = estate.identity.known()
        && identity.account != key.arn.account()
    {
        return Err(Trouble::new(
            format!(
                "the key belongs to account {}, and you are in account {}: KMS allows {} only from the key's own account",
                key.arn.account(),
                crate::model::text::visible(&identity.account),
                operation.iam_action()
            ),
            "Leave, and ask the owner of that account, or use an environment with credentials of it",
        ));
    }
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
    let acting_as = acting_as(plan.operation, estate);
    let dependents = Dependents::of(&plan.key, inventory).used(used.usage, used.down_since);
    let mut preview = Preview::of(plan, dependents, &estate.environment, acting_as)?;
    preview.warnings.extend(warnings);
    Ok(preview)
}

/// Who makes the change: a role, or the credentials at hand.
fn acting_as(operation: Operation, estate: &Estate) -> String {
    let (roles, duty) = (&estate.environment.roles, Duty::of(operation));
    if roles.role(duty).is_some() {
        let how = if roles.mfa == Mfa::Session { "" } else { ", MFA code asked next" };
        return format!("{duty}{how}, for {}", short(roles.session));
    }
    match &estate.identity {
        Seen::Known(identity) => crate::model::text::visible(&identity.arn).into_owned(),
        Seen::Loading => "not known: not asked yet".to_owned(),
        Seen::NotVisible(why) => format!("not known: {}", why.reason),
    }
}

/// Where the change's role does not reach, as far as it can be told from here.
fn beyond_role(plan: &Plan, inventory: &Inventory, estate: &Estate) -> Option<String> {
    let (roles, duty) = (&estate.environment.roles, Duty::of(plan.operation));
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
            crate::model::text::visible(session)
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
