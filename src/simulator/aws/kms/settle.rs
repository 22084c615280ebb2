//! What KMS does by itself as time passes: rotations that fall due, deletions, expired imports.

use jiff::Timestamp;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::key::{Key, KeyState, Origin, RotationType};
use super::material::Material;
use super::{KeyRef, Kms};
use crate::simulator::aws::{Resource, ServiceEvent};

impl Kms {
    /// Brings the keys up to `now`. Answers everything that KMS has done by itself since it was last asked,
    /// for the trail.
    pub fn settle(&mut self, now: Timestamp, rng: &mut StdRng) -> Vec<ServiceEvent> {
        if self.quiet_until.is_none_or(|until| until <= now) {
            self.rotate_what_is_due(now, rng);
            self.expire_imports(now);
            self.delete_what_is_due(now);
            self.quiet_until = Some(self.next_due());
        }
        std::mem::take(&mut self.events)
    }

    /// When the next key will do something by itself: with many keys it costs too much to ask each of them
    /// at every call.
    fn next_due(&self) -> Timestamp {
        let due = self.keys.values().flat_map(|key| {
            let rotates = key.state == KeyState::Enabled && !key.is_replica();
            let rotation = key.rotation.as_ref().filter(|rotation| rotates && !rotation.stalled);
            let imported = if key.origin == Origin::External { key.materials.as_slice() } else { &[] };
            let deletion = key.deletion_date.filter(|_| key.state == KeyState::PendingDeletion);
            let expiries = imported.iter().filter_map(|material| material.valid_to);
            rotation.map(|rotation| rotation.next).into_iter().chain(deletion).chain(expiries)
        });
        due.min().unwrap_or(Timestamp::MAX)
    }

    fn rotate_what_is_due(&mut self, now: Timestamp, rng: &mut StdRng) {
        while let Some((place, due)) = self.next_rotation(now) {
            self.rotate(&place.region, &place.id, due, RotationType::Automatic, rng);
        }
    }

    /// A key whose automatic rotation is due; only enabled primaries rotate, and replicas follow them.
    fn next_rotation(&self, now: Timestamp) -> Option<(KeyRef, Timestamp)> {
        self.keys.values().filter(|key| key.state == KeyState::Enabled && !key.is_replica()).find_map(|key| {
            let rotation =
                key.rotation.as_ref().filter(|rotation| !rotation.stalled && rotation.next <= now)?;
            Some((Self::place(key), rotation.next))
        })
    }

    fn expire_imports(&mut self, now: Timestamp) {
        for key in self.keys.values_mut().filter(|key| key.origin == Origin::External) {
            let expired: Vec<Timestamp> = key
                .materials
                .iter()
                .filter_map(|material| material.valid_to)
                .filter(|&at| at <= now)
                .collect();
            if expired.is_empty() {
                continue;
            }
            key.materials.retain(|material| material.valid_to.is_none_or(|at| at > now));
            if matches!(key.state, KeyState::Enabled | KeyState::Disabled) {
                key.state = KeyState::PendingImport;
            }
            self.events.extend(
                expired.into_iter().map(|at| event(key, "DeleteExpiredKeyMaterial", at, Value::Null)),
            );
        }
    }

    fn delete_what_is_due(&mut self, now: Timestamp) {
        let due: Vec<KeyRef> = self
            .keys
            .values()
            .filter(|key| {
                key.state == KeyState::PendingDeletion && key.deletion_date.is_some_and(|at| at <= now)
            })
            .map(Self::place)
            .collect();
        for place in due {
            self.delete(&place, now);
        }
    }

    fn delete(&mut self, place: &KeyRef, now: Timestamp) {
        let Some(key) = self.keys.remove(place) else { return };
        let at = key.deletion_date.unwrap_or(now);
        self.events.push(event(&key, "DeleteKey", at, Value::Null));
        self.aliases.retain(|alias, to| alias.region != key.region || to.target.as_ref() != Some(&key.id));
        self.names.remove(place);
        if !key.is_replica() {
            return;
        }
        for relative in self.keys.values_mut().filter(|relative| relative.id == key.id) {
            leave_family(relative, &key.region, at);
        }
    }
}

/// A replica is gone; a primary that waited for the last of them begins its own waiting period.
fn leave_family(relative: &mut Key, region: &str, at: Timestamp) {
    if let Some(family) = &mut relative.multi_region {
        family.replica_regions.retain(|one| one != region);
    }
    if let (KeyState::PendingReplicaDeletion, Some(window)) = (relative.state, relative.pending_window) {
        relative.schedule_deletion(at, window);
    }
}

/// The record of a rotation, made before the new material takes its place.
pub(super) fn rotated(key: &Key, to: &Material, at: Timestamp, kind: RotationType) -> ServiceEvent {
    let details = json!({
        "keyId": key.id,
        "rotationType": kind.as_str(),
        "keyOrigin": key.origin.as_str(),
        "previousKeyMaterialId": key.current().map(|material| &material.id),
        "currentKeyMaterialId": to.id,
    });
    event(key, "RotateKey", at, details)
}

fn event(key: &Key, name: &str, at: Timestamp, details: Value) -> ServiceEvent {
    ServiceEvent {
        at,
        region: key.region.clone(),
        account: key.account.clone(),
        service: "kms".to_owned(),
        name: name.to_owned(),
        resources: vec![Resource {
            account: key.account.clone(),
            kind: "AWS::KMS::Key".to_owned(),
            arn: key.arn(),
        }],
        details: if details.is_null() { json!({ "keyId": key.id }) } else { details },
    }
}
