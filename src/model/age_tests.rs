//! Which policy judges a key, what it says, and what lets a key be.

use jiff::SignedDuration;
use jiff::civil::date;
use proptest::prelude::*;

use super::{AgeException, AgePolicies, AgePolicy, AgeRule, DAY, ExceptedKeys, RotationAge, Verdict, short};
use crate::inventory::testing::{arn, key, now};
use crate::model::key::{KeyState, KmsKey, RotationStatus};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::selector::{AliasPattern, KeySelector};

/// A key of this age that KMS does not rotate.
fn aged(days: i32) -> KmsKey {
    let mut one = (*key(1)).clone();
    one.created = now() - DAY * days;
    one.rotations = Seen::Known(Vec::new());
    one.tags = Seen::Known([("DataClass".to_owned(), "pci".into())].into());
    one.rotation = Seen::Known(RotationStatus {
        automatic: false,
        period_days: None,
        next: None,
        on_demand_since: None,
    });
    one
}

fn days(max_days: u32) -> AgePolicy {
    AgePolicy { max_days, grace_days: 2 }
}

fn by_tag(value: &str, max_days: u32) -> AgeRule {
    let keys = KeySelector::Tag { name: "DataClass".into(), value: value.into() };
    AgeRule { keys, policy: days(max_days) }
}

fn by_alias(pattern: &str, max_days: u32) -> AgeRule {
    AgeRule { keys: KeySelector::Alias(AliasPattern::new(pattern)), policy: days(max_days) }
}

fn rules(rules: Vec<AgeRule>) -> AgePolicies {
    AgePolicies { rules, ..AgePolicies::default() }
}

fn judged(key: &KmsKey, policies: &AgePolicies) -> RotationAge {
    RotationAge::of(key, policies, now()).known().unwrap().clone()
}

#[test]
fn the_first_rule_about_a_key_judges_it_and_is_named() {
    let one = aged(40);
    let told = |policies: &AgePolicies| judged(&one, policies).policy_told();
    assert_eq!(told(&AgePolicies::default()), "90 d by default");
    assert_eq!(told(&rules(vec![by_tag("pci", 30), by_alias("key-*", 10)])), "30 d by tag DataClass=pci");
    assert_eq!(told(&rules(vec![by_alias("key-*", 10), by_tag("pci", 30)])), "10 d by alias key-*");
    assert_eq!(told(&rules(vec![by_tag("public", 30), by_alias("other", 10)])), "90 d by default");
    let verdict = |max| judged(&one, &rules(vec![by_tag("pci", max)])).verdict;
    assert_eq!(
        [verdict(40), verdict(39), verdict(38), verdict(37)],
        [Verdict::Within, Verdict::Due, Verdict::Due, Verdict::Overdue]
    );
}

#[test]
fn a_rule_that_cannot_be_judged_is_said_and_never_passed_over() {
    let mut one = aged(40);
    one.tags = Seen::NotVisible(NotVisible::new(Cause::Denied, "kms:ListResourceTags was denied"));
    let age = judged(&one, &rules(vec![by_tag("pci", 30)]));
    assert_eq!(age.verdict, Verdict::Unjudged);
    assert_eq!(age.policy_told(), "90 d by default");
    let hidden = age.unjudged.unwrap();
    assert_eq!((hidden.rule.to_string().as_str(), hidden.policy.max_days), ("tag DataClass=pci", 30));
    assert!(hidden.why.reason.contains("ListResourceTags"));
    // Where both policies say the same, so does the verdict; the rule is still told.
    let agreed = judged(&one, &rules(vec![by_tag("pci", 60)]));
    assert_eq!((agreed.verdict, agreed.unjudged.is_some()), (Verdict::Within, true));
    // A rule after the one that holds does not matter.
    let settled = judged(&one, &rules(vec![by_alias("key-1", 20), by_tag("pci", 30)]));
    assert_eq!((settled.verdict, settled.unjudged), (Verdict::Overdue, None));
    one.tags = Seen::Loading;
    assert_eq!(judged(&one, &rules(vec![by_tag("pci", 30)])).verdict, Verdict::Unjudged);
}

#[test]
fn an_exception_lets_a_key_be_until_its_day() {
    let exception = |keys, expires| AgeException { keys, reason: "vendor".into(), expires };
    let with = |exceptions| AgePolicies { exceptions, ..AgePolicies::default() };
    let alias = |pattern: &str| ExceptedKeys::Alias(AliasPattern::new(pattern));
    let one = aged(400);
    // Now is noon of 2026-05-04 (UTC).
    for keys in [alias("key-*"), ExceptedKeys::Arn(arn(1)), ExceptedKeys::Id(arn(1).id().into())] {
        let age = judged(&one, &with(vec![exception(keys.clone(), date(2026, 5, 5))]));
        assert_eq!((age.verdict, age.exception.is_some(), age.lapsed), (Verdict::Excepted, true, None));
        let age = judged(&one, &with(vec![exception(keys, date(2026, 5, 4))]));
        assert_eq!((age.verdict, age.exception, age.lapsed.is_some()), (Verdict::Overdue, None, true));
    }
    let other = judged(&one, &with(vec![exception(alias("other"), date(2027, 1, 1))]));
    assert_eq!((other.verdict, other.exception), (Verdict::Overdue, None));
    let young = judged(&aged(3), &with(vec![exception(alias("*"), date(2027, 1, 1))]));
    assert_eq!((young.verdict, young.exception.is_some()), (Verdict::Within, true));
    let mut nameless = aged(400);
    nameless.aliases = Seen::NotVisible(NotVisible::new(Cause::Denied, "no"));
    let strict = judged(&nameless, &with(vec![exception(alias("*"), date(2027, 1, 1))]));
    assert_eq!(strict.verdict, Verdict::Overdue);
}

#[test]
fn a_key_without_material_has_no_age() {
    let mut one = aged(400);
    one.state = KeyState::PendingImport;
    let age = RotationAge::of(&one, &AgePolicies::default(), now());
    assert_eq!(age.not_visible().map(|why| why.cause), Some(Cause::Unsupported));
}

#[test]
fn what_kms_promises_counts_within_the_grace_alone() {
    let rotating = |age: i32, next_in: i32| {
        let mut one = aged(age);
        one.rotation = Seen::Known(RotationStatus {
            automatic: true,
            period_days: Some(90),
            next: Some(now() + DAY * next_in),
            on_demand_since: None,
        });
        judged(&one, &AgePolicies::default()).verdict
    };
    assert_eq!(
        [rotating(89, 1), rotating(91, 1), rotating(104, -14)],
        [Verdict::Within, Verdict::Within, Verdict::Overdue]
    );
}

#[test]
fn spans_are_told_in_their_largest_unit() {
    let told = |seconds| short(SignedDuration::from_secs(seconds));
    assert_eq!(
        [told(-5), told(59), told(60), told(3600), told(86_400 * 41)],
        ["0 s", "59 s", "1 m", "1 h", "41 d"]
    );
}

proptest! {
    /// A verdict never grows milder with age, whatever the rules; and it says `cannot tell` only where some rule
    /// before the one that judges could not be held against the key.
    #[test]
    fn verdicts_grow_with_age(
        young in 0..500i32,
        more in 0..500i32,
        limits in prop::collection::vec((1..400u32, any::<bool>()), 0..4),
        hidden in any::<bool>(),
    ) {
        let rule = |(max, tag): &(u32, bool)| if *tag { by_tag("pci", *max) } else { by_alias("key-2", *max) };
        let policies = rules(limits.iter().map(rule).collect());
        let verdict = |days: i32| {
            let mut one = aged(days);
            if hidden {
                one.tags = Seen::NotVisible(NotVisible::new(Cause::Denied, "no"));
            }
            judged(&one, &policies)
        };
        let (before, after) = (verdict(young), verdict(young + more));
        prop_assert!(before.verdict <= after.verdict);
        for age in [before, after] {
            prop_assert!(age.verdict != Verdict::Unjudged || age.unjudged.is_some());
            prop_assert_eq!(age.unjudged.is_some(), hidden && limits.iter().any(|(_, tag)| *tag));
        }
    }
}
