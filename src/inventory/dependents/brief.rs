//! One line for each kind of dependent: for the gate's preview, where there is no room for more.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Line;
use super::words::{counted, grouped, moment, of_account, principal, times};
use crate::model::dependents::Dependents;
use crate::model::policy::{Effect, Principal, Standing, Who};
use crate::model::seen::Seen;
use crate::model::text::visible;
use crate::model::usage::Usage;

/// Grants, counted by who holds them: `4 grants (rds.amazonaws.com 2, backup 1, ▲ Import of account 444455556666 1)`.
#[must_use]
pub fn grants_brief(dependents: &Dependents) -> Line {
    let grants = match &dependents.grants {
        Seen::Loading => return Line::faint("grants: not read yet"),
        Seen::NotVisible(why) => return Line::unknown(format!("grants: {why}")),
        Seen::Known(grants) if grants.is_empty() => return Line::plain("grants: none"),
        Seen::Known(grants) => grants,
    };
    let mut holders: BTreeMap<(bool, String), usize> = BTreeMap::new();
    for grant in grants {
        let holder = principal(grant.grantee.raw(), dependents.key.account());
        *holders.entry((!dependents.is_foreign(grant), holder)).or_default() += 1;
    }
    let told: Vec<String> = holders
        .iter()
        .map(|((own, holder), count)| format!("{}{holder} {count}", if *own { "" } else { "▲ " }))
        .collect();
    let text = format!("{} ({})", counted(grants.len(), "grant"), told.join(", "));
    if holders.keys().any(|(own, _)| !own) { Line::warn(text) } else { Line::plain(text) }
}

/// Whom the key policy allows something, those outside the account first and marked.
#[must_use]
pub fn policy_brief(dependents: &Dependents) -> Line {
    let policy = match &dependents.policy {
        Seen::Loading => return Line::faint("key policy: not read yet"),
        Seen::NotVisible(why) => return Line::unknown(format!("key policy: {why}")),
        Seen::Known(policy) => policy,
    };
    let account = dependents.key.account();
    let mut outside = Vec::new();
    let mut others: BTreeMap<Standing, BTreeSet<&Principal>> = BTreeMap::new();
    for statement in policy.told().filter(|statement| statement.effect == Effect::Allow) {
        let these = match &statement.who {
            Who::These(these) => these.as_slice(),
            Who::AllBut(_) => {
                outside.push("everyone but some (public)".to_owned());
                &[]
            }
        };
        for who in these {
            match statement.standing(who, account) {
                Standing::Public => outside.push("everyone (public)".to_owned()),
                Standing::Foreign => outside.push(format!("{} (foreign)", of_account(who, account))),
                other => {
                    others.entry(other).or_default().insert(who);
                }
            }
        }
    }
    outside.sort();
    outside.dedup();
    let marked = !outside.is_empty();
    let others = others.into_iter().map(|(standing, who)| match standing {
        Standing::Service => counted(who.len(), "AWS service"),
        Standing::Narrowed => "everyone who meets its conditions".to_owned(),
        _ => counted(who.len(), "principal") + " of this account",
    });
    let mut allowed: Vec<String> = outside.into_iter().chain(others).collect();
    if allowed.is_empty() {
        allowed.push("nobody".to_owned());
    }
    let unread = policy.statements.len() - policy.told().count();
    let unread =
        if unread > 0 { format!(" · {} unreadable", counted(unread, "statement")) } else { String::new() };
    let text = format!("key policy allows {}{unread}", allowed.join(", "));
    if marked { Line::warn(text) } else { Line::plain(text) }
}

/// `used 4,112 times in the last hour by 3 principals`; of a shorter time, where less is known.
#[must_use]
pub fn usage_brief(usage: &Seen<Usage>, now: Timestamp) -> Line {
    let usage = match usage {
        Seen::Loading => return Line::faint("who used it: still being read from the trail"),
        Seen::NotVisible(why) => return Line::unknown(format!("who used it: {why}")),
        Seen::Known(usage) => usage,
    };
    let (uses, principals) = usage.recent();
    let (span, before) = if usage.knows_the_last_hour() {
        ("in the last hour".to_owned(), String::new())
    } else {
        (format!("since {}", moment(usage.since, now)), "; not known before".to_owned())
    };
    let refused = usage.recently_refused();
    let refused = if refused > 0 { format!(" · refused {}", times(refused)) } else { String::new() };
    match uses {
        0 => Line::plain(format!("no use seen {span}{refused}{before}")),
        _ => Line::new(
            format!("used {} {span} by {}{refused}{before}", times(uses), counted(principals, "principal")),
            super::Weight::Strong,
        ),
    }
}

/// Relatives in other Regions, each with its own state, and that a plan does not cover them.
#[must_use]
pub fn relatives_brief(dependents: &Dependents) -> Vec<Line> {
    match &dependents.relatives {
        Seen::Loading => vec![Line::faint("relatives in other Regions: not read yet")],
        Seen::NotVisible(why) => vec![Line::unknown(format!("relatives in other Regions: {why}"))],
        Seen::Known(relatives) => relatives
            .iter()
            .map(|relative| {
                let kind = if relative.primary { "primary" } else { "replica" };
                let state = match &relative.state {
                    Seen::Known(state) => state.to_string(),
                    Seen::Loading => "state loading".to_owned(),
                    Seen::NotVisible(_) => "state not visible".to_owned(),
                };
                Line::warn(format!(
                    "the {kind} in {} ({}): not covered by this plan, keeps its state",
                    visible(relative.arn.region()),
                    visible(&state)
                ))
            })
            .collect(),
    }
}

/// How many more there are than are shown.
pub(super) fn more(all: usize, shown: usize) -> Option<Line> {
    (all > shown).then(|| Line::faint(format!("… and {} more", grouped(all - shown))))
}
