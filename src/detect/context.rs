//! The house's circumstances, as far as they bear on what an event means.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;

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
    /// Takes what the inventory tells: names, and rotations that did not come.
    pub fn learn_inventory(&mut self, inventory: &Inventory, now: Timestamp) {
        self.names = inventory.keys.values().map(|key| (key.arn.clone(), key.name())).collect();
        let overdue = inventory.keys.values().filter_map(|key| {
            let due = key.rotation.known()?.next?;
            let is_late = key.state.as_str() == "Enabled" && now.duration_since(due) > LATE;
            let why = format!("KMS was to rotate it by {due}, and did not");
            is_late.then(|| Overdue { key: key.arn.clone(), since: due, why })
        });
        self.overdue = overdue.collect();
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
