//! What follows from cheaper answers, so that KMS need not be asked for it.

use crate::model::key::{AutomaticRotation, KeySpec, KmsKey, Manager, MaterialState, Origin, RotationRecord};
use crate::model::pair::unwatched;
use crate::model::seen::{Cause, NotVisible, Seen};

/// What follows from `DescribeKey` alone, so that it need not be asked for.
pub(super) fn derive(key: &mut KmsKey, ours: bool) {
    if let Some(why) = cannot_rotate(key) {
        key.rotation = Seen::NotVisible(why);
        // Its material is as old as the key.
        key.rotations = Seen::Known(Vec::new());
    }
    if !ours {
        key.rotations = Seen::NotVisible(own_account_only());
        key.tags = Seen::NotVisible(own_account_only());
        key.grants = Seen::NotVisible(own_account_only());
        key.policy = Seen::NotVisible(own_account_only());
        key.last_use = Seen::NotVisible(own_account_only());
    }
}

/// A relative in a Region that the settings do not name: its state is read, and nothing else.
pub(super) fn only_its_state(key: &mut KmsKey) {
    let why = NotVisible::new(Cause::Unreachable, unwatched(key.arn.region()));
    key.aliases = Seen::NotVisible(why.clone());
    key.rotation = Seen::NotVisible(why.clone());
    key.rotations = Seen::NotVisible(why.clone());
    key.tags = Seen::NotVisible(why.clone());
    key.grants = Seen::NotVisible(why.clone());
    key.policy = Seen::NotVisible(why.clone());
    key.last_use = Seen::NotVisible(why);
}

/// The material that the rotations say is in use.
pub(super) fn in_use(rotations: &Seen<Vec<RotationRecord>>) -> Option<&str> {
    let current = |record: &&RotationRecord| record.material_state == Some(MaterialState::Current);
    rotations.known()?.iter().find(current)?.material_id.as_deref()
}

/// Why a key of this kind has no rotation to ask for, where that follows from `DescribeKey` already.
pub(super) fn cannot_rotate(key: &KmsKey) -> Option<NotVisible> {
    let rotates = key.manager == Manager::Aws
        || (key.spec == KeySpec::SymmetricDefault && matches!(key.origin, Origin::AwsKms | Origin::External));
    match key.automatic_rotation() {
        AutomaticRotation::Impossible(why) if !rotates => Some(NotVisible::new(Cause::Unsupported, why)),
        _ => None,
    }
}

/// Why some facts of a key of another account are not asked for.
pub(super) fn own_account_only() -> NotVisible {
    NotVisible::new(Cause::Unsupported, "KMS tells this within the key's own account only")
}
