//! The house's circumstances, as far as they bear on what an event means.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::age::{AgePolicies, RotationAge, Verdict};
use crate::model::arn::KeyArn;
use crate::model::key::{KmsKey, Manager};
use crate::model::pair::Inventory;
use crate::model::text::visible;

/// What is known beside the events. The default one knows nothing, and judges by the events alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The account watched. None takes the one that each record was delivered to.
    pub account: Option<String>,
    /// The Regions that are watched; empty where none is known.
    pub regions: Vec<String>,
    /// Roles and secrets that settings have watched besides those of [`Detections`](super::Detections): exact names
    /// and parts of names, as the trail's settings take them.
    pub roles: Vec<String>,
    pub secrets: Vec<String>,
    /// What people call the keys.
    pub names: BTreeMap<KeyArn, String>,
    pub incidents: Vec<Incident>,
    pub held: Vec<Held>,
    /// Keys whose rotation is overdue, as the inventory has it.
    pub overdue: Vec<Overdue>,
    /// The longest rotation period that the house allows, in days.
    pub rotation_days: Option<u32>,
    /// The same for keys that the settings have a rule of their own for.
    pub rotation_days_of: BTreeMap<KeyArn, u32>,
}

/// An incident, from when until when it was open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    pub id: String,
    pub from: Timestamp,
    /// None: it is open.
    pub until: Option<Timestamp>,
}

/// A key that an incident holds down: from the drop until the recovery was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub key: KeyArn,
    pub incident: String,
    pub from: Timestamp,
    /// None: it is down.
    pub until: Option<Timestamp>,
}

/// A key whose material should have changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overdue {
    pub key: KeyArn,
    /// Since when it is overdue.
    pub since: Timestamp,
    /// Why, in words fit for a screen: `it should have rotated on …`.
    pub why: String,
}

/// KMS may be some hours late with a rotation.
const LATE: SignedDuration = SignedDuration::from_hours(24);

fn covers(from: Timestamp, until: Option<Timestamp>, at: Timestamp) -> bool {
    from <= at && until.is_none_or(|until| at < until)
}

impl Context {
    /// Takes what the inventory tells: names, what `ages` asks of each key, and rotations that did not come.
    pub fn learn_inventory(&mut self, inventory: &Inventory, ages: &AgePolicies, now: Timestamp) {
        let keys = || inventory.keys.values().map(AsRef::as_ref);
        self.names = keys().map(|key| (key.arn.clone(), key.name())).collect();
        self.overdue = keys().filter_map(|key| overdue(key, ages, now)).collect();
        let own_days = |key: &KmsKey| {
            let days = RotationAge::of(key, ages, now).known()?.policy.max_days;
            (days != ages.default.max_days).then(|| (key.arn.clone(), days))
        };
        self.rotation_days_of = keys().filter_map(own_days).collect();
    }

    /// The longest rotation period that the house allows a key, in days.
    #[must_use]
    pub fn longest_period(&self, key: Option<&KeyArn>) -> Option<u32> {
        key.and_then(|key| self.rotation_days_of.get(key).copied()).or(self.rotation_days)
    }

    /// The incident that was open then.
    #[must_use]
    pub fn incident(&self, at: Timestamp) -> Option<&Incident> {
        self.incidents.iter().find(|incident| covers(incident.from, incident.until, at))
    }

    /// What held the key down then.
    #[must_use]
    pub fn hold(&self, key: &KeyArn, at: Timestamp) -> Option<&Held> {
        self.held.iter().find(|held| held.key == *key && covers(held.from, held.until, at))
    }

    /// What people call a key: its name, else its id.
    #[must_use]
    pub fn name<'a>(&'a self, key: &'a KeyArn) -> &'a str {
        self.names.get(key).map_or(key.id(), String::as_str)
    }
}

/// Since when a key is overdue, and why. Disabled keys do not rotate, and AWS rotates its own.
fn overdue(key: &KmsKey, ages: &AgePolicies, now: Timestamp) -> Option<Overdue> {
    if key.state.as_str() != "Enabled" || key.manager == Manager::Aws {
        return None;
    }
    let arn = key.arn.clone();
    let due = key.rotation.known().and_then(|rotation| rotation.next);
    if let Some(due) = due.filter(|due| now.duration_since(*due) > LATE) {
        return Some(Overdue {
            key: arn,
            since: due,
            why: format!("KMS was to rotate it by {due}, and did not"),
        });
    }
    let age = RotationAge::of(key, ages, now);
    let age = age.known().filter(|age| age.verdict == Verdict::Overdue)?;
    let allowed = i64::from(age.policy.max_days) + i64::from(age.policy.grace_days);
    let why = format!(
        "its material came on {}, and the policy ({}) allows {} days",
        age.since.strftime("%Y-%m-%d"),
        visible(&age.source.to_string()),
        age.policy.max_days,
    );
    // An age of more days than there are in Timestamp's range is none.
    let since = age.since.checked_add(SignedDuration::from_hours(24 * allowed)).unwrap_or(age.since);
    Some(Overdue { key: arn, since, why })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::Context;
    use crate::inventory::testing::{arn, key, now};
    use crate::model::age::{AgePolicies, AgePolicy, AgeRule, DAY};
    use crate::model::key::{KeyState, KmsKey, Manager, RotationStatus};
    use crate::model::pair::Inventory;
    use crate::model::seen::Seen;
    use crate::model::selector::KeySelector;

    fn told(key: KmsKey, ages: &AgePolicies) -> Context {
        let inventory = Inventory { keys: [(key.arn.clone(), Arc::new(key))].into(), ..Inventory::default() };
        let mut context = Context { rotation_days: Some(ages.default.max_days), ..Context::default() };
        context.learn_inventory(&inventory, ages, now());
        context
    }

    /// A key whose material is so many days old, and that KMS does not rotate by itself.
    fn aged(days: i32) -> KmsKey {
        let mut key = (*key(1)).clone();
        key.created = now() - DAY * days;
        key.rotations = Seen::Known(Vec::new());
        key.tags = Seen::Known([("DataClass".to_owned(), "pci".into())].into());
        key.rotation = Seen::Known(RotationStatus {
            automatic: false,
            period_days: None,
            next: None,
            on_demand_since: None,
        });
        key
    }

    #[test]
    fn a_key_is_overdue_by_the_policy_that_judges_it_from_the_end_of_its_grace() {
        let ages = AgePolicies::default();
        assert_eq!(told(aged(91), &ages).overdue, []);
        let late = told(aged(100), &ages).overdue;
        assert_eq!(late[0].since, now() - DAY * 100 + DAY * 92);
        assert!(late[0].why.ends_with("the policy (default) allows 90 days"), "{}", late[0].why);
        let keys = KeySelector::Tag { name: "DataClass".into(), value: "pci".into() };
        let longer = AgeRule { keys, policy: AgePolicy { max_days: 400, grace_days: 2 } };
        let ages = AgePolicies { rules: vec![longer], ..ages };
        let context = told(aged(100), &ages);
        assert_eq!((context.overdue.len(), context.longest_period(Some(&arn(1)))), (0, Some(400)));
        assert_eq!(context.longest_period(Some(&arn(2))), Some(90));
    }

    #[test]
    fn disabled_keys_and_those_of_aws_are_not_overdue() {
        let ages = AgePolicies::default();
        let disabled = KmsKey { state: KeyState::Disabled, ..aged(100) };
        let of_aws = KmsKey { manager: Manager::Aws, ..aged(100) };
        assert_eq!(told(disabled, &ages).overdue, []);
        assert_eq!(told(of_aws, &ages).overdue, []);
    }

    #[test]
    fn a_rotation_that_kms_did_not_do_is_overdue_however_young_the_material() {
        let mut key = aged(3);
        let due = now() - DAY * 2;
        key.rotation = Seen::Known(RotationStatus {
            automatic: true,
            period_days: Some(90),
            next: Some(due),
            on_demand_since: None,
        });
        assert_eq!(told(key, &AgePolicies::default()).overdue[0].since, due);
    }
}
