//! Rotation: its status, its history, switching it on and off, rotating on demand.

use serde_json::{Value, json};

use super::KeyRef;
use super::desk::Desk;
use super::key::{Key, KeySpec, KeyState, Origin, RotationType, epoch};
use super::operations::Outcome;
use super::paging::{Size, page};
use super::state::wrong_origin;
use crate::simulator::aws::Refusal;

/// On-demand rotations that a key may have in its life; not adjustable.
const ON_DEMAND_LIMIT: usize = 25;
/// Days: the least, the most, and the period when none is asked for.
const PERIOD: (i64, i64, u32) = (90, 2560, 365);

impl Desk<'_, '_> {
    pub fn get_key_rotation_status(&mut self, place: &KeyRef) -> Outcome {
        let key = self.key(place)?;
        rotates(key)?;
        // While deletion is pending the status reads off; cancelling brings the old one back.
        let pending = matches!(key.state, KeyState::PendingDeletion | KeyState::PendingReplicaDeletion);
        let rotation = key.rotation.as_ref().filter(|_| !pending);
        let mut answer = json!({ "KeyId": key.id, "KeyRotationEnabled": rotation.is_some() });
        if let Some(rotation) = rotation {
            answer["RotationPeriodInDays"] = json!(rotation.period);
            answer["NextRotationDate"] = epoch(rotation.next);
        }
        Ok(answer)
    }

    pub fn enable_key_rotation(&mut self, place: &KeyRef) -> Outcome {
        let (least, most, usual) = PERIOD;
        let period = self.integer("RotationPeriodInDays", least, most)?;
        let key = self.key(place)?;
        rotates_by_itself(key)?;
        let kept = key.rotation.as_ref().map(|rotation| rotation.period);
        let period = period.and_then(|period| u32::try_from(period).ok()).or(kept).unwrap_or(usual);
        let at = self.call.at;
        let unchanged = kept == Some(period);
        for relative in self.family(place)? {
            let relative = self.key_mut(&relative)?;
            if !unchanged {
                relative.enable_rotation(period, at);
            }
        }
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    pub fn disable_key_rotation(&mut self, place: &KeyRef) -> Outcome {
        rotates_by_itself(self.key(place)?)?;
        for relative in self.family(place)? {
            self.key_mut(&relative)?.rotation = None;
        }
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    pub fn rotate_key_on_demand(&mut self, place: &KeyRef) -> Outcome {
        let key = self.key(place)?;
        rotates(key)?;
        not_a_replica(key)?;
        let done = key.rotations.iter().filter(|rotation| rotation.kind == RotationType::OnDemand).count();
        if done >= ON_DEMAND_LIMIT {
            let message = format!(
                "The on-demand rotation limit of {ON_DEMAND_LIMIT} has been reached for key {}",
                key.arn()
            );
            return Err(Refusal::new("LimitExceededException", message));
        }
        let (id, at) = (key.id.clone(), self.call.at);
        if key.origin == Origin::External {
            self.rotate_to_import(place)?;
        } else {
            self.kms.rotate(&place.region, &place.id, at, RotationType::OnDemand, self.context.rng);
        }
        self.echo(place, Value::Null);
        Ok(json!({ "KeyId": id }))
    }

    /// An imported key rotates to material that was imported for it beforehand.
    fn rotate_to_import(&mut self, place: &KeyRef) -> Result<(), Refusal> {
        let at = self.call.at;
        let key = self.key_mut(place)?;
        let Some(material) = key.pending_material.take() else {
            let message = format!("No available key material pending rotation for the key: {}.", key.arn());
            return Err(Refusal::new("KMSInvalidStateException", message));
        };
        let event = super::settle::rotated(key, &material, at, RotationType::OnDemand);
        key.rotate_to(material, at, RotationType::OnDemand);
        self.kms.events.push(event);
        Ok(())
    }

    pub fn list_key_rotations(&mut self, place: &KeyRef) -> Outcome {
        let all = match self.string("IncludeKeyMaterial")? {
            None | Some("ROTATIONS_ONLY") => false,
            Some("ALL_KEY_MATERIAL") => true,
            Some(other) => {
                let rule = "Member must satisfy enum value set: [ALL_KEY_MATERIAL, ROTATIONS_ONLY]";
                return Err(super::desk::violation("IncludeKeyMaterial", other, rule));
            }
        };
        let key = self.key(place)?;
        rotates(key)?;
        let entries = if all { materials(key) } else { rotations(key) };
        let items = entries.into_iter().enumerate().map(|(n, entry)| (format!("{n:08}"), entry));
        page(self, "Rotations", Size { usual: 100, most: 1000 }, items, |entry| entry)
    }

    /// The key and its multi-Region relatives, which share its rotation.
    fn family(&self, place: &KeyRef) -> Result<Vec<KeyRef>, Refusal> {
        let key = self.key(place)?;
        let relatives = self.kms.keys().filter(|one| one.id == key.id);
        Ok(relatives
            .filter(|one| one.region == key.region || key.multi_region.is_some())
            .map(super::Kms::place)
            .collect())
    }
}

/// Completed rotations, oldest first.
fn rotations(key: &Key) -> Vec<Value> {
    key.rotations.iter().map(|rotation| entry(key, &rotation.material_id)).collect()
}

/// Every material, oldest first, the one that waits for its rotation last.
fn materials(key: &Key) -> Vec<Value> {
    key.materials.iter().chain(&key.pending_material).map(|material| entry(key, &material.id)).collect()
}

fn entry(key: &Key, material_id: &str) -> Value {
    let material =
        key.materials.iter().chain(&key.pending_material).find(|material| material.id == material_id);
    let state = if key.current().is_some_and(|current| current.id == material_id) {
        "CURRENT"
    } else if key.pending_material.as_ref().is_some_and(|pending| pending.id == material_id) {
        "PENDING_ROTATION"
    } else {
        "NON_CURRENT"
    };
    let mut entry = json!({ "KeyId": key.id, "KeyMaterialId": material_id, "KeyMaterialState": state });
    if let Some(rotation) = key.rotations.iter().find(|rotation| rotation.material_id == material_id) {
        entry["RotationDate"] = epoch(rotation.at);
        entry["RotationType"] = json!(rotation.kind.as_str());
    }
    if key.origin == Origin::External {
        entry["ImportState"] = json!(if material.is_some() { "IMPORTED" } else { "PENDING_IMPORT" });
        if let Some(material) = material {
            entry["ExpirationModel"] = json!(material.expiration_model());
            if let Some(valid_to) = material.valid_to {
                entry["ValidTo"] = epoch(valid_to);
            }
            if let Some(description) = &material.description {
                entry["KeyMaterialDescription"] = json!(description);
            }
        }
    }
    entry
}

/// Whether the key can rotate at all: symmetric encryption keys outside custom key stores.
fn rotates(key: &Key) -> Result<(), Refusal> {
    if key.spec != KeySpec::SymmetricDefault {
        let message = format!("{} is of key spec {}, which does not rotate.", key.arn(), key.spec.as_str());
        return Err(Refusal::new("UnsupportedOperationException", message));
    }
    match key.origin {
        Origin::AwsKms | Origin::External => Ok(()),
        Origin::CloudHsm | Origin::ExternalKeyStore => Err(wrong_origin(key)),
    }
}

/// Whether automatic rotation can be switched on or off here.
fn rotates_by_itself(key: &Key) -> Result<(), Refusal> {
    rotates(key)?;
    if key.origin == Origin::AwsKms { not_a_replica(key) } else { Err(wrong_origin(key)) }
}

fn not_a_replica(key: &Key) -> Result<(), Refusal> {
    if key.is_replica() {
        let message = format!("{} is a replica key: rotation is set on its primary key.", key.arn());
        return Err(Refusal::new("UnsupportedOperationException", message));
    }
    Ok(())
}
