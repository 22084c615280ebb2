use jiff::{SignedDuration, Timestamp};

use super::super::tests::{environment, plan, preview};
use super::{Approval, Confirmed, NotApproved, NotConfirmed};
use crate::gate::Preview;
use crate::model::plan::{Digest, Operation};
use crate::settings::Environment;

fn now() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

fn shown(environment: &Environment) -> Preview {
    preview(plan(Operation::DisableKey, now()), environment)
}

fn confirmed(approvals: u8) -> Confirmed {
    let environment = Environment { approvals, ..environment() };
    shown(&environment).confirm("buzz-tutor/user-data production", now()).unwrap()
}

fn approval(person: &str, digest: &Digest) -> Approval {
    Approval {
        person: person.into(),
        digest: digest.clone(),
        at: now() - SignedDuration::from_mins(1),
        expires_at: now() + SignedDuration::from_mins(14),
    }
}

#[test]
fn only_the_exact_words_confirm() {
    let production = shown(&environment());
    for typed in ["", " ", "\n"] {
        assert!(matches!(production.confirm(typed, now()), Err(NotConfirmed::Nothing { .. })), "{typed:?}");
    }
    for typed in [
        "y",
        "buzz-tutor/user-data",
        "buzz-tutor/user-data  production",
        "buzz-tutor/user-data production ",
        "Buzz-tutor/user-data production",
        "buzz-tutor/user-data production\n",
    ] {
        assert!(matches!(production.confirm(typed, now()), Err(NotConfirmed::Wrong { .. })), "{typed:?}");
    }
    assert!(production.confirm("buzz-tutor/user-data production", now()).is_ok());
    let staging = shown(&Environment { production: false, ..environment() });
    assert!(staging.confirm("buzz-tutor/user-data", now()).is_ok());
}

#[test]
fn what_has_to_be_typed_comes_from_the_plan_and_not_from_the_screen() {
    let forged = Preview { must_type: String::new(), ..shown(&environment()) };
    assert!(forged.confirm("", now()).is_err());
}

#[test]
fn a_plan_changed_behind_its_preview_is_not_confirmed() {
    let mut preview = shown(&environment());
    preview.plan.operation = Operation::EnableKey;
    let typed = preview.must_type.clone();
    assert!(matches!(preview.confirm(&typed, now()), Err(NotConfirmed::Changed { .. })));
}

#[test]
fn an_expired_plan_is_neither_confirmed_nor_approved() {
    let preview = shown(&environment());
    let late = preview.plan.expires_at;
    assert!(matches!(preview.confirm(&preview.must_type, late), Err(NotConfirmed::Expired { .. })));
    assert!(matches!(confirmed(0).approve(&[], late), Err(NotApproved::PlanExpired { .. })));
}

#[test]
fn a_requirement_without_approvals_is_refused() {
    assert!(confirmed(0).approve(&[], now()).is_ok());
    assert_eq!(confirmed(1).approve(&[], now()), Err(NotApproved::TooFew { needed: 1, given: 0 }));
}

#[test]
fn approvals_count_only_where_each_is_somebody_elses_for_this_plan_and_in_time() {
    let digest = confirmed(2).digest;
    let good = |person: &str| approval(person, &digest);
    assert!(confirmed(2).approve(&[good("b"), good("c")], now()).is_ok());
    let refused = |approvals: &[Approval]| confirmed(2).approve(approvals, now()).unwrap_err();
    let requester = confirmed(2).plan.requester;
    assert_eq!(refused(&[good("b")]), NotApproved::TooFew { needed: 2, given: 1 });
    assert!(matches!(refused(&[good("b"), good("b")]), NotApproved::Twice { .. }));
    assert!(matches!(refused(&[good("b"), good(&requester)]), NotApproved::Requester { .. }));
    let other = approval("c", &Digest("0".repeat(64)));
    assert!(matches!(refused(&[good("b"), other]), NotApproved::OtherPlan { .. }));
    let old = Approval { expires_at: now(), ..good("c") };
    assert!(matches!(refused(&[good("b"), old]), NotApproved::Expired { .. }));
    let early = Approval { at: now() + SignedDuration::from_secs(1), ..good("c") };
    assert!(matches!(refused(&[good("b"), early]), NotApproved::NotYet { .. }));
}
