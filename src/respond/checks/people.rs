//! Who uses a key, and who may: grants, events of use, principals that are to be cut off.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::gate;
use crate::model::age::{ago, short};
use crate::model::arn::KeyArn;
use crate::model::dependents::Dependents;
use crate::model::event::{KeyEvent, Outcome};
use crate::model::key::Grant;
use crate::model::text::visible;
use crate::model::usage::{KeyUser, Usage, is_cryptographic};
use crate::respond::actor::{Actor, Leaving};
use crate::respond::show;
use crate::respond::trouble::{Stop, Trouble};
use crate::runbook::{Found, Value};
use crate::trail::{KeyTrail, KeyTrailLimits, read_key_trail};

/// How long CloudTrail takes to deliver an event, on average. Source: the CloudTrail user guide.
const DELIVERY: SignedDuration = SignedDuration::from_mins(5);
/// How long before a change clients are looked for that ought to work again after it.
const BEFORE: SignedDuration = SignedDuration::from_hours(1);
/// Further back than this a step does not ask, however long ago the change was.
const FURTHEST: SignedDuration = SignedDuration::from_hours(24);
/// Pages of 50 events that a step waits for, half a second each.
const PAGES: usize = 24;

impl Actor {
    /// The events of a key since then, asked of CloudTrail now.
    pub(in crate::respond) async fn trail_of(
        &mut self,
        key: &KeyArn,
        since: Timestamp,
    ) -> Result<KeyTrail, Stop> {
        let estate = std::sync::Arc::clone(&self.estate);
        let back = self.now().duration_since(since).max(SignedDuration::from_secs(1));
        let asked = key.clone();
        let reading =
            async move { read_key_trail(&estate, &asked, KeyTrailLimits { back, pages: PAGES }).await };
        let read =
            self.attend("asking CloudTrail who used the key", Leaving::Allowed, reading.boxed()).await?;
        let trail = read.map_err(|why| {
            Trouble::new(
                format!("who used the key is not known: {why}"),
                "Nothing was changed. Try again, or look at the Events screen for what was read before",
            )
        })?;
        if trail.since > since {
            let reach = show::when(trail.since);
            self.fact(false, format!("busy key: its events were read back to {reach} and no further"));
        }
        Ok(trail)
    }

    pub(super) async fn check_users(&mut self, found: &Found, since: SignedDuration) -> Result<(), Stop> {
        let from = self.now().checked_sub(since).unwrap_or(Timestamp::UNIX_EPOCH);
        let trail = self.trail_of(&found.key, from).await?;
        let events = trail.of_key(&found.key);
        let usage = Usage::tally(&found.key, events.iter(), trail.since, trail.until);
        self.fact(
            usage.refused() == 0,
            format!(
                "used {} times and refused {} times since {}, by {} callers; CloudTrail delivers about 5 minutes late",
                usage.uses(),
                usage.refused(),
                show::when(trail.since),
                usage.users.len()
            ),
        );
        let lines = usage.users.iter().map(|user| (user.refused == 0, user_told(user))).collect();
        self.list(lines);
        Ok(())
    }

    pub(in crate::respond) async fn grants_of(&mut self, key: &KeyArn) -> Result<Vec<Grant>, Stop> {
        let kms = self.kms(key.region());
        let read = self.attend("reading the grants", Leaving::Allowed, kms.grants(key).boxed()).await?;
        read.map_err(|failure| {
            let next = "Nothing was changed. See to that, then try again, or leave";
            Trouble::new(format!("the grants could not be read: {failure}"), next).into()
        })
    }

    pub(super) async fn check_grants(&mut self, found: &Found, since: SignedDuration) -> Result<(), Stop> {
        let mut grants = self.grants_of(&found.key).await?;
        let now = self.now();
        let depends = Dependents::of(&found.key, &self.inventory());
        grants.sort_by_key(|grant| std::cmp::Reverse(grant.created));
        if grants.is_empty() {
            self.fact(true, "the key has no grants");
        }
        let told = |grant: &Grant| {
            let fresh = grant.created.is_some_and(|made| now.duration_since(made) <= since);
            let foreign = depends.is_foreign(grant);
            let made = if fresh {
                format!("; MADE IN THE LAST {}", short(since).to_uppercase())
            } else {
                String::new()
            };
            let whose = if foreign { "; TO ANOTHER ACCOUNT" } else { "" };
            (!fresh && !foreign, format!("{}{made}{whose}", grant_told(grant)))
        };
        let mut lines: Vec<_> = grants.iter().map(told).collect();
        lines.sort_by_key(|(good, _)| *good);
        self.list(lines);
        Ok(())
    }

    /// When the key was last changed in this incident, with proof.
    fn last_change(&self, key: &KeyArn) -> Option<Timestamp> {
        let proved = gate::proved(&self.entries()).into_iter().rev();
        proved.filter(|change| change.plan.key == *key).map(|change| change.proved_at).next()
    }

    pub(super) async fn verify_clients_working(&mut self, found: &Found) -> Result<(), Stop> {
        let now = self.now();
        let changed = match self.last_change(&found.key) {
            Some(at) => at,
            None => self.material_since(&found.key).await?,
        };
        let from = changed.max(now.checked_sub(FURTHEST).unwrap_or(changed));
        let before = from.checked_sub(BEFORE).unwrap_or(from);
        let trail = self.trail_of(&found.key, before).await?;
        let events = trail.of_key(&found.key);
        let earlier = Usage::tally(&found.key, events.iter(), before, from);
        let since = Usage::tally(&found.key, events.iter(), from, trail.until);
        let lines = since.users.iter().map(|user| (user.refused == 0, user_told(user))).collect();
        self.list(lines);
        let missing = silent_since(&earlier, &since);
        let is_complete = missing.is_empty();
        self.list(missing);
        self.note_materials(&events, from);
        if since.uses() == 0 {
            return Err(Trouble::new(
                format!(
                    "nobody has used the key with success since {}, as far as CloudTrail has delivered",
                    show::when(from)
                ),
                "Have each application read an encrypted column (a warm client asks KMS only once its cache runs out), give CloudTrail 5 minutes, then try again",
            )
            .into());
        }
        self.fact(
            is_complete && since.refused() == 0,
            format!(
                "{} successful uses since {}, by {} callers",
                since.uses(),
                show::when(from),
                since.users.len()
            ),
        );
        Ok(())
    }

    /// Which material the uses since then were made with, where CloudTrail says so.
    fn note_materials(&mut self, events: &[KeyEvent], from: Timestamp) {
        let mut by_material: BTreeMap<&str, usize> = BTreeMap::new();
        for event in events.iter().filter(|event| event.at >= from && used(event)) {
            if let Some(material) = &event.key_material {
                *by_material.entry(material).or_default() += 1;
            }
        }
        let told: Vec<String> = by_material
            .iter()
            .map(|(id, uses)| format!("{uses} uses with key material {}", visible(id)))
            .collect();
        for line in told {
            self.fact(true, line);
        }
    }

    pub(super) async fn verify_cut_off(&mut self, found: &Found) -> Result<(), Stop> {
        let Some(principal) = self.value(Value::Principal) else {
            return Err(Trouble::new("no principal was chosen in this run", "Leave, and begin anew").into());
        };
        let now = self.now();
        let begun = self.live.as_ref().map_or(now, |live| live.run.started_at);
        let since = self.last_change(&found.key).unwrap_or(begun);
        let trail = self.trail_of(&found.key, since.checked_sub(BEFORE).unwrap_or(since)).await?;
        let theirs: Vec<KeyEvent> = trail
            .of_key(&found.key)
            .into_iter()
            .filter(|event| event.at >= since && principal_of(event).as_deref() == Some(principal.as_str()))
            .collect();
        let uses: Vec<&KeyEvent> = theirs.iter().filter(|event| used(event)).collect();
        let refused = theirs.iter().filter(|event| matches!(event.outcome, Outcome::Denied { .. })).count();
        let told = visible(&principal).into_owned();
        if let Some(last) = uses.first() {
            return Err(Trouble::new(
                format!("{told} has used the key {} times since {}, last at {}: it is not cut off", uses.len(), show::when(since), show::clock(last.at)),
                "KMS takes up to some minutes to act on a policy or a revoked grant. Try again; if it goes on, choose a stronger containment",
            )
            .into());
        }
        if now.duration_since(since) < DELIVERY {
            return Err(Trouble::new(
                format!(
                    "too early to tell: the change is {} old, and CloudTrail delivers about 5 minutes late",
                    ago(since, now)
                ),
                "Wait, then try again",
            )
            .into());
        }
        self.fact(
            true,
            format!(
                "{told} has not used the key with success since {}; refused {refused} times",
                show::when(since)
            ),
        );
        Ok(())
    }

    /// A value of this run.
    pub(in crate::respond) fn value(&self, value: Value) -> Option<String> {
        let live = self.live.as_ref()?;
        live.run.values.get(&value).map(|known| known.raw().to_owned())
    }
}

/// Whether an event is a successful cryptographic use.
fn used(event: &KeyEvent) -> bool {
    event.outcome == Outcome::Allowed && is_cryptographic(event.name.raw())
}

/// The IAM user or role behind an event, by its ARN. CloudTrail's session ARNs lack the role's path.
pub(in crate::respond) fn principal_of(event: &KeyEvent) -> Option<String> {
    let arn = event.who.principal.as_ref()?.raw();
    let Some((head, rest)) = arn.split_once(":sts::") else {
        return arn.contains(":iam::").then(|| arn.to_owned());
    };
    let (account, rest) = rest.split_once(":assumed-role/")?;
    Some(format!("{head}:iam::{account}:role/{}", rest.split('/').next()?))
}

pub(in crate::respond) fn grant_told(grant: &Grant) -> String {
    let mut operations = grant.operations.clone();
    operations.truncate(4);
    let more = grant.operations.len() - operations.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let made = grant.created.map_or_else(|| "at a time not told".to_owned(), show::when);
    let id = grant.id.get(..8).unwrap_or(&grant.id);
    format!("grant {}… to {}: {}{more}; made {made}", visible(id), grant.grantee, operations.join(", "))
}

fn user_told(user: &KeyUser) -> String {
    let role = user.role.as_ref().map(|role| format!(" (via {role})")).unwrap_or_default();
    let through = user.through.as_ref().map(|through| format!(" through {through}")).unwrap_or_default();
    let refused = if user.refused > 0 { format!(", REFUSED {} times", user.refused) } else { String::new() };
    format!("{}{role}{through}: {} uses{refused}, last {}", user.name, user.uses(), show::when(user.last))
}

/// Callers that used the key in the hour before and have not since.
fn silent_since(before: &Usage, since: &Usage) -> Vec<(bool, String)> {
    let back = |user: &KeyUser| {
        since.users.iter().any(|now| now.name == user.name && now.role == user.role && now.uses() > 0)
    };
    let silent = before.users.iter().filter(|user| user.uses() > 0 && !back(user));
    silent
        .map(|user| {
            (false, format!("{} used it {} times in the hour before, and not since", user.name, user.uses()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::principal_of;
    use crate::model::event::{KeyEvent, Who};

    #[test]
    fn the_principal_behind_a_session_is_its_role() {
        let of = |arn: &str| {
            let who = Who { principal: Some(arn.into()), ..Who::default() };
            principal_of(&KeyEvent { who, ..KeyEvent::default() })
        };
        let role = Some("arn:aws:iam::111122223333:role/app".to_owned());
        assert_eq!(of("arn:aws:sts::111122223333:assumed-role/app/i-1"), role);
        assert_eq!(of("arn:aws:iam::111122223333:role/app"), role);
        assert_eq!(of("AWS Internal"), None);
    }
}
