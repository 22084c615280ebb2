//! Each kind of key, and what is said of its rotation.

use super::{NextRotation, Rotation, RotationKind};
use crate::inventory::testing::{arn, key, now};
use crate::model::age::DAY;
use crate::model::key::{
    KeySpec, KeyState, KmsKey, Manager, MultiRegion, Origin, RotationRecord, RotationStatus,
};
use crate::model::seen::{Cause, NotVisible, Seen};

fn with(change: impl FnOnce(&mut KmsKey)) -> KmsKey {
    let mut one = (*key(1)).clone();
    one.rotation = Seen::Known(status(true, 50));
    one.rotations = Seen::Known(Vec::new());
    change(&mut one);
    one
}

fn status(automatic: bool, next_in: i32) -> RotationStatus {
    RotationStatus {
        automatic,
        period_days: automatic.then_some(90),
        next: automatic.then(|| now() + DAY * next_in),
        on_demand_since: None,
    }
}

fn told(change: impl FnOnce(&mut KmsKey)) -> (String, NextRotation) {
    let Seen::Known(rotation) = Rotation::of(&with(change), now()) else { panic!("it is known") };
    (rotation.kind.told(), rotation.next)
}

#[test]
fn what_kms_rotates_says_when_and_what_holds_it_up() {
    let (words, next) = told(|_| {});
    assert_eq!((words.as_str(), next), ("automatic every 90 d", NextRotation::At { at: now() + DAY * 50 }));
    let (_, next) = told(|key| key.rotation = Seen::Known(status(true, -3)));
    assert_eq!(next, NextRotation::Late { at: now() - DAY * 3 });
    assert_eq!(told(|key| key.state = KeyState::Disabled).1, NextRotation::Paused);
    let (words, next) = told(|key| key.state = KeyState::PendingDeletion);
    assert_eq!((words.as_str(), next), ("impossible: its deletion is pending", NextRotation::Never));
    assert_eq!(told(|key| key.state = KeyState::PendingReplicaDeletion).1, NextRotation::Never);
    let (words, _) = told(|key| {
        let primary = "arn:aws:kms:us-east-1:111122223333:key/mrk-1".parse().unwrap();
        key.multi_region = Some(MultiRegion { primary, replicas: vec![arn(1)] });
    });
    assert_eq!(words, "automatic every 90 d, with its primary in us-east-1");
}

#[test]
fn what_kms_does_not_rotate_by_itself_says_why() {
    let kind = |change: &dyn Fn(&mut KmsKey)| told(change).0;
    assert_eq!(
        kind(&|key| key.rotation = Seen::Known(status(false, 0))),
        "on demand only: automatic rotation is off"
    );
    assert!(kind(&|key| key.origin = Origin::External).starts_with("on demand only: imported"));
    for spec in ["RSA_2048", "ECC_NIST_P256", "HMAC_256"] {
        assert!(kind(&|key| key.spec = KeySpec::from(spec)).starts_with("manual: asymmetric and HMAC"));
    }
    for origin in [Origin::CustomKeyStore, Origin::ExternalKeyStore] {
        assert!(kind(&|key| key.origin = origin.clone()).starts_with("manual: KMS does not rotate keys in"));
    }
    assert!(kind(&|key| key.state = KeyState::PendingImport).starts_with("impossible: it has no usable"));
    assert!(kind(&|key| key.manager = Manager::Aws).starts_with("automatic: AWS rotates its own"));
}

#[test]
fn a_hidden_status_leaves_the_kind_open_only_where_it_would_tell() {
    let hidden = NotVisible::new(Cause::Denied, "no");
    let hide = |key: &mut KmsKey| key.rotation = Seen::NotVisible(hidden.clone());
    assert_eq!(Rotation::of(&with(hide), now()), Seen::NotVisible(hidden.clone()));
    let rsa = with(|key| {
        hide(key);
        key.spec = KeySpec::from("RSA_2048");
    });
    assert!(matches!(
        Rotation::of(&rsa, now()),
        Seen::Known(Rotation { kind: RotationKind::Manual { .. }, .. })
    ));
}

#[test]
fn rotations_on_demand_are_counted_down_from_25() {
    let record =
        |kind: &str| RotationRecord { at: Some(now()), kind: Some(kind.into()), ..RotationRecord::default() };
    let mut one = with(|key| {
        let mut all = vec![record("ON_DEMAND"), record("AUTOMATIC"), record("ON_DEMAND")];
        // Material that waits for its rotation is none yet.
        all.push(RotationRecord { at: None, ..record("ON_DEMAND") });
        key.rotations = Seen::Known(all);
    });
    assert_eq!(one.on_demand().unwrap().told(), "23 of 25 left");
    one.rotation = Seen::Known(RotationStatus { on_demand_since: Some(now()), ..status(true, 9) });
    assert_eq!(one.on_demand().unwrap().left(), 22);
    one.rotations = Seen::NotVisible(NotVisible::new(Cause::Denied, "no"));
    assert_eq!(one.on_demand().unwrap().told(), "at most 24 of 25 left");
    one.spec = KeySpec::from("RSA_2048");
    assert_eq!(one.on_demand(), None);
}
