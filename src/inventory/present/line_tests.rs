//! What each column says of each kind of key.

use std::sync::Arc;

use super::{PairLine, line};
use crate::inventory::join::join;
use crate::inventory::present::{StateKind, row_state};
use crate::inventory::testing::{self, arn, cmk, database, key, now, objects, server};
use crate::model::age::{AgePolicies, DAY};
use crate::model::key::{KeySpec, KeyState, KmsKey, LastUse, RotationRecord, RotationStatus};
use crate::model::seen::{Cause, NotVisible, Seen};

/// The line of a pair whose key is as `change` makes it.
fn shown(change: impl FnOnce(&mut KmsKey)) -> PairLine {
    let mut one = (*key(1)).clone();
    one.rotations = Seen::Known(Vec::new());
    one.rotation = Seen::Known(rotating(50));
    change(&mut one);
    let catalog = database("buzz_prod", objects(vec![cmk(1, arn(1).as_str())], &[(1, 1)]));
    let mut gathered = testing::gathered(vec![server("prod", vec![catalog])]);
    gathered.keys.insert(arn(1), Arc::new(one));
    let inventory = join(&gathered);
    line(&inventory, &inventory.rows[0], &AgePolicies::default(), now())
}

fn rotating(next_in_days: i32) -> RotationStatus {
    RotationStatus {
        automatic: true,
        period_days: Some(90),
        next: Some(now() + DAY * next_in_days),
        on_demand_since: None,
    }
}

#[test]
fn an_enabled_key_tells_its_age_and_its_next_rotation() {
    let line = shown(|_| {});
    assert_eq!((line.kind, &*line.state, &*line.master_key), (StateKind::Enabled, "enabled", "key-1"));
    assert_eq!((&*line.rotated, line.age_percent, &*line.next), ("40 d", Some(44), "50 d"));
}

#[test]
fn the_last_rotation_counts_and_not_the_keys_birth() {
    let record = RotationRecord { at: Some(now() - DAY * 9), ..RotationRecord::default() };
    assert_eq!(shown(|key| key.rotations = Seen::Known(vec![record])).rotated, "9 d");
}

#[test]
fn states_are_told_in_words() {
    let overdue = shown(|key| {
        key.created = now() - DAY * 120;
        key.rotation = Seen::Known(RotationStatus { automatic: false, ..rotating(0) });
    });
    assert_eq!((overdue.kind, &*overdue.next), (StateKind::Overdue, "off"));

    let disabled = shown(|key| key.state = KeyState::Disabled);
    assert_eq!((&*disabled.state, &*disabled.next), ("disabled", "paused"));

    let pending = shown(|key| {
        key.state = KeyState::PendingDeletion;
        key.deletion_date = Some(now() + DAY * 6);
    });
    assert_eq!((&*pending.state, &*pending.next), ("deletion 6 d", "never"));

    let rsa = shown(|key| key.spec = KeySpec::from("RSA_2048"));
    assert_eq!(rsa.next, "manual");

    let unheard = shown(|key| key.state = KeyState::Other("Pending\u{1b}Quantum".into()));
    assert_eq!((unheard.kind, &*unheard.state), (StateKind::Other, "Pending␛Quantum"));
}

#[test]
fn no_use_seen_is_not_unused_and_a_hidden_fact_says_so() {
    let unseen = shown(|key| key.last_use = Seen::Known(LastUse { used: None, tracked_since: None }));
    assert_eq!(unseen.last_used, "not seen");
    let denied = shown(|key| key.rotations = Seen::NotVisible(NotVisible::new(Cause::Denied, "no")));
    assert_eq!((&*denied.rotated, denied.age_percent, denied.kind), ("denied", None, StateKind::Enabled));
}

#[test]
fn each_kind_has_a_word_of_its_own_and_shares_a_glyph_with_its_like_alone() {
    use StateKind::*;
    let kinds = [
        PendingDeletion,
        PendingReplicaDeletion,
        Gone,
        Unavailable,
        Overdue,
        Disabled,
        PendingImport,
        NotVisible,
        NoValue,
        Other,
        Creating,
        Updating,
        Unjudged,
        Excepted,
        NotKms,
        Loading,
        Enabled,
    ];
    let words: std::collections::BTreeSet<_> = kinds.iter().map(|kind| kind.word()).collect();
    assert_eq!(words.len(), kinds.len());
    let glyph = |kind: StateKind| kind.glyph();
    assert!(
        [Disabled, Overdue, NotVisible, Gone, NotKms].into_iter().all(|kind| glyph(kind) != glyph(Enabled))
    );
}

#[test]
fn a_key_that_cannot_be_seen_shows_its_master_keys_name() {
    let catalog = database("d", objects(vec![cmk(1, "vault")], &[(1, 1)]));
    let inventory = join(&testing::gathered(vec![server("s", vec![catalog])]));
    let line = line(&inventory, &inventory.rows[0], &AgePolicies::default(), now());
    assert_eq!((&*line.master_key, &*line.state, &*line.next), ("CMK_1", "not KMS", "—"));
    assert_eq!(
        row_state(&inventory, &inventory.rows[0], &AgePolicies::default(), now()).0,
        StateKind::NotKms
    );
}
