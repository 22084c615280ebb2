//! The rules: a file a family.

mod alias;
mod emergency;
mod grants;
mod hands;
mod life;
mod material;
mod policy;
mod replicas;
mod rotation;
mod tampering;
mod usage;

use std::collections::HashMap;
use std::sync::LazyLock;

use super::look::{Look, Verdict};
use super::rule::{Judge, Rule};
use super::sight::Sight;
use crate::model::event::KeyEvent;

pub(super) use rotation::OVERDUE as ROTATION_OVERDUE;
pub(super) use usage::{
    DENIED_BURST, DROPPED_KEY_TRIED, FOREIGN_KEY_ENCRYPTS, FOREIGN_USE, NEW_ADDRESS, NEW_NETWORK,
    NEW_PRINCIPAL,
};

const KMS: &str = "kms.amazonaws.com";

/// Every rule.
pub static RULES: [&Rule; 38] = [
    &life::DISABLED,
    &life::DELETION_SCHEDULED,
    &life::DELETED,
    &life::RAISED_WHILE_HELD,
    &rotation::DISABLED,
    &rotation::LENGTHENED,
    &rotation::OVERDUE,
    &policy::PUBLIC,
    &policy::FOREIGN,
    &policy::LOCKS_OUT,
    &policy::LOCKOUT_BYPASSED,
    &policy::WHILE_PENDING,
    &policy::NOT_SHOWN,
    &grants::FOREIGN,
    &grants::UNUSUAL,
    &alias::MOVED,
    &alias::DELETED,
    &material::IMPORTED,
    &material::DELETED,
    &material::EXPIRED,
    &material::STORE_CUT_OFF,
    &replicas::REPLICATED,
    &replicas::PRIMARY_MOVED,
    &emergency::ROLE_WITHOUT_MFA,
    &emergency::ROLE,
    &emergency::SECRET,
    &usage::DENIED_BURST,
    &usage::NEW_PRINCIPAL,
    &usage::NEW_NETWORK,
    &usage::NEW_ADDRESS,
    &usage::FOREIGN_USE,
    &usage::FOREIGN_KEY_ENCRYPTS,
    &usage::DROPPED_KEY_TRIED,
    &hands::ROOT,
    &hands::CONSOLE,
    &tampering::STOPPED,
    &tampering::LEAVES_OUT_KMS,
    &tampering::ALTERED,
];

/// The rule with this id.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    RULES.into_iter().find(|rule| rule.id == id)
}

/// The rules that look into a call, by service and name.
static BY_CALL: LazyLock<HashMap<&str, HashMap<&str, Vec<&'static Rule>>>> = LazyLock::new(|| {
    let mut by_call: HashMap<&str, HashMap<&str, Vec<&Rule>>> = HashMap::new();
    for rule in RULES {
        if let Judge::Calls { service, names, .. } = rule.judge {
            for name in names {
                by_call.entry(service).or_default().entry(*name).or_default().push(rule);
            }
        }
    }
    by_call
});

fn on_call(event: &KeyEvent) -> &'static [&'static Rule] {
    BY_CALL.get(event.source.raw()).and_then(|of| of.get(event.name.raw())).map_or(&[], Vec::as_slice)
}

/// What services do for themselves all day long, and no rule minds.
const ROUTINE: [&str; 5] =
    ["CreateGrant", "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "GetSecretValue"];

/// Whether any rule looks into the event by itself.
pub(super) fn look_into(event: &KeyEvent) -> bool {
    let is_routine = || event.who.is_service() && ROUTINE.contains(&event.name.raw());
    hands::look_into(event) || (!on_call(event).is_empty() && !is_routine())
}

/// On which later events of the same subject an event that was done bears. Rules look back to the latest of a kind; of
/// grants alone to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bearing {
    Gate,
    Deletion,
    Rotation,
    Alias,
    All,
}

pub(super) fn bearing(sight: &Sight) -> Option<Bearing> {
    let bearing = match sight.event.name.raw() {
        "DisableKey" | "EnableKey" => Bearing::Gate,
        "ScheduleKeyDeletion" | "CancelKeyDeletion" => Bearing::Deletion,
        "EnableKeyRotation" => Bearing::Rotation,
        "CreateAlias" | "UpdateAlias" | "DeleteAlias" => Bearing::Alias,
        "CreateGrant" => Bearing::All,
        _ => return None,
    };
    sight.is_done().then_some(bearing)
}

/// What the rules say of an event.
pub(super) fn on(look: &Look<'_>) -> impl Iterator<Item = (&'static Rule, Verdict)> {
    let event = &look.sight.event;
    let of_hands = hands::look_into(event).then_some([&hands::ROOT, &hands::CONSOLE]);
    let rules = on_call(event).iter().copied().chain(of_hands.into_iter().flatten());
    rules.filter_map(|rule| rule.judge(look)).collect::<Vec<_>>().into_iter()
}
