//! The values that an `ask` step offers: read afresh, so that nobody types an id from memory at night.

use std::collections::BTreeMap;

use futures_util::FutureExt as _;
use jiff::SignedDuration;

use super::actor::{Actor, Leaving};
use super::answers::is_principal;
use super::checks::{grant_told, principal_of};
use super::show;
use super::trouble::{Stop, Trouble};
use super::view::{Offer, Waiting};
use crate::model::dependents::Dependents;
use crate::model::event::{KeyEvent, Outcome};
use crate::model::key::{KeyState, Manager};
use crate::runbook::{Found, Value};

/// How far back the trail is asked for principals.
const LATELY: SignedDuration = SignedDuration::from_hours(24);
/// Keys of the Region that are offered as successors.
const SUCCESSORS: usize = 30;

impl Actor {
    /// Reads what can be picked, and waits for a person to pick it.
    pub(super) async fn ask_for_value(
        &mut self,
        found: &Found,
        value: Value,
        question: &str,
    ) -> Result<(), Stop> {
        let (offers, typed) = match value {
            Value::Grant => (self.grants_offered(found).await?, false),
            Value::Principal => (self.principals_offered(found).await?, true),
            Value::DeniedPrincipal => (self.denied_offered(found).await?, false),
            Value::DbInstance => (self.instances_offered(found).await?, false),
            Value::NewKey => (self.successors_offered(found), true),
            Value::Material => (Vec::new(), false),
        };
        if offers.is_empty() && !typed {
            let reason = match value {
                Value::Grant => "the key has no grants",
                Value::DeniedPrincipal => "the key policy has no Deny statement that this incident added",
                Value::DbInstance => "no RDS instance stores its data under this key",
                _ => "there is nothing to pick",
            };
            return Err(Trouble::new(
                reason,
                "There is nothing to choose: leave, or go on where the runbook lets you",
            )
            .into());
        }
        Err(Stop::Waits(Waiting::Value { question: question.to_owned(), offers, typed, wrong: None }))
    }

    async fn grants_offered(&mut self, found: &Found) -> Result<Vec<Offer>, Stop> {
        let mut grants = self.grants_of(&found.key).await?;
        let depends = Dependents::of(&found.key, &self.inventory());
        // The newest first, and those of other accounts before all: they are the likelier to be wrong.
        grants.sort_by_key(|grant| (!depends.is_foreign(grant), std::cmp::Reverse(grant.created)));
        let told =
            |grant: &crate::model::key::Grant| Offer { value: grant.id.clone(), told: grant_told(grant) };
        Ok(grants.iter().map(told).collect())
    }

    /// Those who used the key of late, or tried to, the refused first; and those whom grants name.
    async fn principals_offered(&mut self, found: &Found) -> Result<Vec<Offer>, Stop> {
        let since = self.now().checked_sub(LATELY).unwrap_or_else(|_| self.now());
        let mut told: BTreeMap<String, (usize, usize, String)> = BTreeMap::new();
        match self.trail_of(&found.key, since).await {
            Ok(trail) => trail.of_key(&found.key).iter().for_each(|event| count(event, &mut told)),
            Err(Stop::Failed(trouble)) => self.fact(false, trouble.reason),
            Err(other) => return Err(other),
        }
        let mut offers: Vec<_> = told.into_iter().collect();
        offers.sort_by_key(|(_, (uses, refused, _))| std::cmp::Reverse((*refused, *uses)));
        let mut offers: Vec<Offer> = offers
            .into_iter()
            .map(|(value, (uses, refused, last))| Offer {
                value,
                told: format!("{uses} calls, {refused} refused, last {last}"),
            })
            .collect();
        match self.grants_of(&found.key).await {
            Ok(grants) => {
                for grant in grants.iter().filter(|grant| is_principal(grant.grantee.raw())) {
                    if !offers.iter().any(|offer| offer.value == grant.grantee.raw()) {
                        let told =
                            "named by a grant: revoke that too, a grant is no part of the policy".to_owned();
                        offers.push(Offer { value: grant.grantee.raw().to_owned(), told });
                    }
                }
            }
            Err(Stop::Failed(trouble)) => self.fact(false, trouble.reason),
            Err(other) => return Err(other),
        }
        Ok(offers)
    }

    /// Principals whom a Deny statement names that this incident added: the gate marks them by their Sid.
    async fn denied_offered(&mut self, found: &Found) -> Result<Vec<Offer>, Stop> {
        let kms = self.kms(found.key.region());
        let read =
            self.attend("reading the key policy", Leaving::Allowed, kms.policy(&found.key).boxed()).await?;
        let policy = read.map_err(|failure| {
            let next = "Nothing was changed. See to that, then try again, or leave";
            Trouble::new(format!("the key policy could not be read: {failure}"), next)
        })?;
        let mark = format!("portcullis-{}-", self.incident.as_str());
        Ok(denied(policy.raw(), &mark))
    }

    async fn instances_offered(&mut self, found: &Found) -> Result<Vec<Offer>, Stop> {
        let read = self.storage_under(&found.key).await?.map_err(|why| {
            let next = "Nothing was changed. See to that, then try again, or leave";
            Trouble::new(format!("the RDS instances could not be read: {why}"), next)
        })?;
        let told = |one: &crate::model::dependents::RdsInstance| Offer {
            value: one.id.raw().to_owned(),
            told: one.status.to_string(),
        };
        Ok(read.iter().map(told).collect())
    }

    /// Enabled keys of our own in the same Region, by name.
    fn successors_offered(&self, found: &Found) -> Vec<Offer> {
        let inventory = self.inventory();
        let fits = |key: &&std::sync::Arc<crate::model::key::KmsKey>| {
            key.arn != found.key
                && key.arn.region() == found.key.region()
                && key.arn.account() == found.key.account()
                && key.state == KeyState::Enabled
                && key.manager == Manager::Customer
        };
        let mut keys: Vec<_> = inventory.keys.values().filter(fits).collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.created));
        let told = |key: &std::sync::Arc<crate::model::key::KmsKey>| Offer {
            value: key.arn.as_str().to_owned(),
            told: format!("{}, {}, created {}", key.name(), key.spec, show::when(key.created)),
        };
        keys.into_iter().take(SUCCESSORS).map(told).collect()
    }
}

/// Counts a call for the principal behind it.
fn count(event: &KeyEvent, told: &mut BTreeMap<String, (usize, usize, String)>) {
    let Some(principal) = principal_of(event).filter(|arn| is_principal(arn)) else { return };
    if event.outcome == Outcome::DryRun {
        return;
    }
    // Newest first: the first event of a principal is its last.
    let entry = told.entry(principal).or_insert_with(|| (0, 0, show::when(event.at)));
    entry.0 += 1;
    entry.1 += usize::from(matches!(event.outcome, Outcome::Denied { .. }));
}

/// The principals of the Deny statements whose Sid begins with `mark`.
fn denied(policy: &str, mark: &str) -> Vec<Offer> {
    let Ok(policy) = serde_json::from_str::<serde_json::Value>(policy) else { return Vec::new() };
    let statements =
        policy.get("Statement").and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let mut offers = Vec::new();
    for statement in &statements {
        let sid = statement.get("Sid").and_then(serde_json::Value::as_str).unwrap_or_default();
        if !sid.starts_with(mark)
            || statement.get("Effect").and_then(serde_json::Value::as_str) != Some("Deny")
        {
            continue;
        }
        let named = match statement.pointer("/Principal/AWS") {
            Some(serde_json::Value::String(one)) => vec![one.clone()],
            Some(serde_json::Value::Array(many)) => {
                many.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect()
            }
            _ => Vec::new(),
        };
        let told = format!("denied by the statement {}", crate::model::text::visible(sid));
        offers.extend(named.into_iter().map(|value| Offer { value, told: told.clone() }));
    }
    offers
}

#[cfg(test)]
mod tests {
    use super::denied;

    #[test]
    fn only_the_incident_s_own_deny_statements_are_offered() {
        let policy = r#"{"Statement":[
            {"Sid":"portcullis-INC-1-0a1b2c3d","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/a"},"Action":"kms:*","Resource":"*"},
            {"Sid":"portcullis-INC-2-0a1b2c3d","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/b"},"Action":"kms:*","Resource":"*"},
            {"Sid":"portcullis-INC-1-x","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/c"},"Action":"kms:*","Resource":"*"}]}"#;
        let offered: Vec<_> =
            denied(policy, "portcullis-INC-1-").into_iter().map(|offer| offer.value).collect();
        assert_eq!(offered, ["arn:aws:iam::111122223333:role/a"]);
        assert!(denied("no json", "x").is_empty());
    }
}
