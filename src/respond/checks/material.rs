//! Key material: how it changes, which is in use, and whether it is another one now.

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::model::age::short;
use crate::model::arn::KeyArn;
use crate::model::key::{KmsKey, RotationRecord};
use crate::model::rotation::{NextRotation, Rotation};
use crate::model::seen::{Cause, Seen};
use crate::model::text::{Untrusted, visible};
use crate::respond::actor::{Actor, Leaving};
use crate::respond::show;
use crate::respond::trouble::{Stop, Trouble};
use crate::runbook::{Found, Value};

const LOOK_AGAIN: &str = "Nothing was changed. See to that, then try again, or leave";

impl Actor {
    /// KMS must say that there is no such key.
    pub(super) async fn check_gone(&mut self, found: &Found) -> Result<(), Stop> {
        let kms = self.kms(found.key.region());
        let read = kms.describe(found.key.as_str()).boxed();
        let read = self.attend("asking KMS for the key", Leaving::Allowed, read).await?;
        match read {
            Ok(key) => Err(Trouble::new(
                format!("KMS shows the key, and it is {}: it is not gone", key.state),
                "Nothing was changed. Take the branch for the state that it is in",
            )
            .into()),
            Err(failure) if failure.cause == Cause::NotFound => {
                self.fact(true, format!("KMS says that there is no such key: {failure}"));
                Ok(())
            }
            Err(failure) => Err(Trouble::new(
                format!("whether the key is gone is not known: {failure}"),
                "Not being allowed to see a key is not the same as its being gone. See to the permission, or to the Region, then try again",
            )
            .into()),
        }
    }

    /// The key, with its rotation status and rotations.
    async fn with_rotations(&mut self, key: &KeyArn) -> Result<KmsKey, Stop> {
        let read = self.read_key(key, "reading the key").await?;
        let kms = self.kms(key.region());
        let reading = async move {
            let (status, rotations) = (kms.rotation_status(&read.arn).await, kms.rotations(&read.arn).await);
            KmsKey { rotation: status.into(), rotations: rotations.into(), ..read }
        };
        self.attend("reading the key's rotations", Leaving::Allowed, reading.boxed()).await
    }

    pub(super) async fn check_rotation(&mut self, found: &Found) -> Result<(), Stop> {
        let now = self.now();
        let key = self.with_rotations(&found.key).await?;
        match Rotation::of(&key, now) {
            Seen::Known(rotation) => {
                self.fact(true, format!("rotation of {} key: {}", key.spec, rotation.kind.told()));
                let (good, next) = next_told(rotation.next);
                self.fact(good, next);
            }
            other => {
                self.fact(false, format!("how the key rotates is {}", other.told(|_| String::new())));
            }
        }
        if let Some(on_demand) = key.on_demand() {
            self.fact(on_demand.left() > 0, on_demand.told());
        }
        self.fact(true, format!("material in use since {}", key.material_since().told(|at| show::when(*at))));
        Ok(())
    }

    /// Since when the material in use has been in use.
    pub(super) async fn material_since(&mut self, key: &KeyArn) -> Result<Timestamp, Stop> {
        let key = self.with_rotations(key).await?;
        Ok(match key.material_since() {
            Seen::Known(at) => at,
            _ => key.created,
        })
    }

    pub(super) async fn check_material(&mut self, found: &Found) -> Result<(), Stop> {
        let key = self.with_rotations(&found.key).await?;
        let Some(id) = in_use(&key) else {
            return Err(Trouble::new(
                format!("KMS does not tell which material this key ({}) uses: only symmetric keys have material ids", key.spec),
                "A key of this kind is not rotated: a new key takes over. Leave, and take that branch",
            )
            .into());
        };
        self.fact(true, format!("key material in use: {}", visible(&id)));
        if let Some(live) = &mut self.live {
            live.learned.insert(Value::Material, Untrusted::new(id));
        }
        Ok(())
    }

    /// The material in use must be young enough, and the one before it kept for what it encrypted.
    pub(super) async fn verify_rotated(&mut self, found: &Found, since: SignedDuration) -> Result<(), Stop> {
        let key = self.with_rotations(&found.key).await?;
        let rotations = match &key.rotations {
            Seen::Known(rotations) => rotations.clone(),
            other => {
                let why = other.told(|_| String::new());
                return Err(Trouble::new(format!("the key's rotations are {why}"), LOOK_AGAIN).into());
            }
        };
        let Some((now, at)) = rotations.iter().find(|r| is_current(r)).and_then(|r| Some((r, r.at?))) else {
            return Err(Trouble::new(
                format!("the key still has its first material, of {}", show::when(key.created)),
                "It was never rotated: take *Standard key rotation*",
            )
            .into());
        };
        let id = |record: &RotationRecord| {
            visible(record.material_id.as_deref().unwrap_or("not told")).into_owned()
        };
        let kind = visible(now.kind.as_deref().unwrap_or("not told")).into_owned();
        self.fact(true, format!("material in use: {}, since {} ({kind})", id(now), show::when(at)));
        // Newest first: the next record is the material before.
        match rotations.iter().find(|record| !is_current(record) && record.at.is_none_or(|then| then < at)) {
            Some(before) => self.fact(true, format!("kept for decryption: {}", id(before))),
            None => self.fact(false, "the material before it is not listed"),
        }
        let age = self.now().duration_since(at);
        if age > since {
            return Err(Trouble::new(
                format!("the material in use is {} old, and this step allows {}", short(age), short(since)),
                "The rotation that is to be proved has not happened: take *Standard key rotation*",
            )
            .into());
        }
        Ok(())
    }

    pub(super) async fn verify_new_material(&mut self, found: &Found) -> Result<(), Stop> {
        let Some(before) = self.value(Value::Material) else {
            return Err(Trouble::new("no key material was noted before in this run", LOOK_AGAIN).into());
        };
        let key = self.with_rotations(&found.key).await?;
        let Some(now) = in_use(&key) else {
            return Err(Trouble::new("KMS does not tell which material is in use", LOOK_AGAIN).into());
        };
        if now == before {
            let under_way = key.rotation.known().and_then(|status| status.on_demand_since);
            let words = under_way
                .map_or_else(String::new, |at| format!("; a rotation is under way since {}", show::when(at)));
            return Err(Trouble::new(
                format!("the material in use is still {}{words}", visible(&before)),
                "A rotation takes some minutes, now and then longer. Wait, then try again",
            )
            .into());
        }
        self.fact(true, format!("key material in use: {}, no longer {}", visible(&now), visible(&before)));
        if let Some(record) = current(&key) {
            let kind = record.kind.as_deref().unwrap_or("not told");
            let at = record.at.map_or_else(|| "not told".to_owned(), show::when);
            self.fact(true, format!("ListKeyRotations: {} at {at}", visible(kind)));
        }
        Ok(())
    }
}

/// The record of the material in use.
fn current(key: &KmsKey) -> Option<&RotationRecord> {
    key.rotations.known()?.iter().find(|record| is_current(record))
}

fn is_current(record: &RotationRecord) -> bool {
    record.material_state.as_deref() == Some("CURRENT")
}

/// The id of the material in use: from `DescribeKey`, else from `ListKeyRotations`.
fn in_use(key: &KmsKey) -> Option<String> {
    key.material_id.clone().or_else(|| current(key)?.material_id.clone())
}

fn next_told(next: NextRotation) -> (bool, String) {
    match next {
        NextRotation::At { at } => (true, format!("next rotation: {}", show::when(at))),
        NextRotation::Late { at } => (false, format!("LATE: it was due {}", show::when(at))),
        NextRotation::Unsaid => (true, "KMS does not say when the next rotation is".to_owned()),
        NextRotation::Paused => (false, "paused: a disabled key does not rotate".to_owned()),
        NextRotation::Never => (false, "never: its deletion is pending".to_owned()),
        NextRotation::ByHand => (false, "the next rotation is when somebody does it".to_owned()),
    }
}
