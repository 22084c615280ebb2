//! The gate against a fake AWS at the wire, in virtual time; and against the simulated account.

mod house;
mod simulated;
mod wire;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use self::house::{House, SECRET};
pub(super) use self::house::{environment, plan, preview};
use self::wire::{Change, DryRun, FakeAws};
use super::Preview;
use super::record::Settlement;
use super::{Boundary, Channel, Probe, Refusal, Verdict, owed};
use crate::cloud::NoAnswer;
use crate::journal;
use crate::model::aspect::Aspect;
use crate::model::key::KeyState;
use crate::model::operation::UseAfter;
use crate::model::operation::tests::{PRINCIPAL, each};
use crate::model::plan::{Observed, Operation, Plan};
use crate::settings::Environment;

#[tokio::test(start_paused = true)]
async fn each_operation_is_made_once_proved_and_told() {
    for operation in each() {
        let house = House::ready_for(&operation).await;
        let outcome = house.run(operation.clone()).await;
        assert_eq!((outcome.verdict.clone(), outcome.exit_code()), (Verdict::Verified, 0), "{outcome}");
        assert_eq!(house.kinds(), ["intent", "answer", "proof", "told"]);
        assert_eq!(house.aws.changes().len(), 1);
        assert_eq!(outcome.owed, []);
        let sight = outcome.sight.unwrap();
        assert_eq!(sight.agreeing, 3);
        assert!(operation.is_proved_by(sight.aspect().unwrap(), &outcome.plan.observed), "{operation}");
        let call = "kms:Encrypt".to_owned();
        match operation.use_after() {
            UseAfter::Allowed => assert_eq!(sight.probe, Probe::Usable { call }),
            UseAfter::SaysNothing => assert!(matches!(sight.probe, Probe::NotApplicable { .. })),
            UseAfter::Refused if operation.lifts(&operation) && operation != Operation::DisableKey => {}
            UseAfter::Refused => assert_eq!(sight.probe, Probe::RefusedAsDisabled { call }),
        }
        assert_eq!(house.unfinished(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_goes_out_before_its_intent_is_on_the_disk() {
    let house = House::holding("Enabled").await;
    house.run(Operation::DisableKey).await;
    house.run(Operation::EnableKey).await;
    house.run(Operation::DisableKey).await;
    assert_eq!(house.aws.script(|s| s.intended.clone()), [true, true, true]);
}

#[tokio::test(start_paused = true)]
async fn the_message_says_what_happened_and_where_the_journal_stood() {
    let house = House::holding("Enabled").await;
    house.run(Operation::DisableKey).await;
    let published = house.aws.script(|s| s.published.clone());
    let [(subject, message)] = published.as_slice() else { panic!("{published:?}") };
    assert_eq!(subject, "[DRILL] [EMERGENCY] disable-key verified: buzz-tutor/user-data (production, INC-1)");
    let message: serde_json::Value = serde_json::from_str(message).unwrap();
    let proof = &house.gate.journal().entries()[2];
    assert_eq!(message["journal"], serde_json::json!({"entries": 3, "hash": proof.hash}));
    assert_eq!((&message["drill"], &message["entry"]), (&true.into(), &2.into()));
    assert_eq!(message["reason"], "stolen ⟨U+202E⟩credentials");
    assert_eq!(message["exposed_until"].as_str().unwrap()[..16], proof_plus_two_hours(proof.at)[..16]);
}

fn proof_plus_two_hours(at: Timestamp) -> String {
    (at + SignedDuration::from_hours(2)).to_string()
}

#[tokio::test(start_paused = true)]
async fn a_key_that_moved_is_left_alone() {
    let house = House::holding("Disabled").await;
    let outcome = house.run(Operation::DisableKey).await;
    let Verdict::Refused(Refusal::Stale { now, .. }) = &outcome.verdict else { panic!("{outcome}") };
    assert_eq!((now, outcome.exit_code()), (&Aspect::State(KeyState::Disabled), 3));
    assert_eq!(house.kinds(), ["intent", "refused"]);
    assert_eq!((house.aws.changes(), house.unfinished()), (vec![], vec![]));
}

#[tokio::test(start_paused = true)]
async fn what_moved_beside_the_state_is_left_alone_too() {
    for operation in each().into_iter().filter(|operation| !operation.changes_state()) {
        let house = House::ready_for(&operation).await;
        let approved = house.planned(operation.clone()).await;
        house.aws.script(|s| {
            s.rotation = Some(365);
            s.materials += 1;
            s.grants.clear();
            s.policy = s.policy.replace("Enable IAM", "Somebody else was here");
            s.instance = "available";
        });
        let outcome = house.execute(approved).await;
        let Verdict::Refused(Refusal::Stale { planned, now }) = &outcome.verdict else { panic!("{outcome}") };
        assert_ne!(planned, now);
        assert_eq!((house.aws.changes(), house.unfinished()), (vec![], vec![]));
        // A state that moved stops it as well, though the change is not about the state.
        let house = House::ready_for(&operation).await;
        let approved = house.planned(operation).await;
        house.aws.script(|s| s.state = "Unavailable");
        let outcome = house.execute(approved).await;
        assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::Stale { .. })), "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_would_lock_us_out_is_never_put() {
    let me = "arn:aws:iam::111122223333:user/oncall-a";
    let deny = Operation::DenyPrincipal { principal: me.into() };
    let house = House::ready_for(&deny).await;
    let outcome = house.run(deny).await;
    let Verdict::Refused(Refusal::NotThisGate { why }) = &outcome.verdict else { panic!("{outcome}") };
    assert!(why.contains("you") && house.aws.changes().is_empty(), "{why}");
    let deny = Operation::DenyPrincipal { principal: PRINCIPAL.into() };
    let house = House::ready_for(&deny).await;
    house.aws.script(|s| s.policy = s.policy.replace("arn:aws:iam::111122223333:root", PRINCIPAL));
    let outcome = house.run(deny).await;
    let Verdict::Refused(Refusal::NotThisGate { why }) = &outcome.verdict else { panic!("{outcome}") };
    assert!(why.contains("nobody") && house.aws.changes().is_empty(), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_put_beside_every_other_statement_and_never_past_the_lockout_check() {
    let deny = Operation::DenyPrincipal { principal: PRINCIPAL.into() };
    let house = House::ready_for(&deny).await;
    let before = house.aws.script(|s| s.policy.clone());
    house.run(deny).await;
    let (put, after) = house.aws.script(|s| (s.put.clone(), s.policy.clone()));
    assert!(put.get("BypassPolicyLockoutSafetyCheck").is_none_or(|bypass| *bypass == false), "{put}");
    let statements = |policy: &str| {
        serde_json::from_str::<serde_json::Value>(policy).unwrap()["Statement"].as_array().unwrap().clone()
    };
    assert_eq!(statements(&after)[..1], statements(&before));
    assert_eq!(statements(&after)[1]["Principal"]["AWS"], PRINCIPAL);
    let allow = Operation::AllowPrincipal { principal: PRINCIPAL.into() };
    assert_eq!(house.run(allow).await.verdict, Verdict::Verified);
    assert_eq!(statements(&house.aws.script(|s| s.policy.clone())), statements(&before));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_takes_an_approval_or_that_it_is_done_without_typed_and_told() {
    let deletion = Operation::ScheduleKeyDeletion { days: 30 };
    let house = House::ready_for(&deletion).await;
    let plan = house.plan_now(deletion.clone()).await;
    let shown = preview(plan, &house.environment);
    assert_eq!(shown.must_type, "buzz-tutor/user-data production delete after 30 days");
    let now = house.clock.now();
    for habit in ["buzz-tutor/user-data production", "buzz-tutor/user-data production delete after 7 days"] {
        assert!(shown.confirm(habit, now).is_err(), "{habit}");
    }
    let confirmed = shown.confirm(&shown.must_type, now).unwrap();
    assert!(matches!(confirmed.approve(&[], now), Err(crate::gate::NotApproved::TooFew { needed: 1, .. })));
    let outcome = house.run(deletion.clone()).await;
    assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
    assert_eq!(house.gate.journal().entries()[0].body["without_approval"], true);
    let (subject, message) = house.aws.script(|s| s.published[0].clone());
    assert!(
        subject.contains("[WITHOUT APPROVAL]") && message.contains("\"without_approval\": true"),
        "{subject}"
    );
    // Where settings do not let anybody do without, what is typed for it confirms nothing, here or at the gate.
    let strict = Environment { approval_override: false, ..environment() };
    let house = House::with(FakeAws::holding("Enabled"), strict).await;
    let plan = house.plan_now(deletion).await;
    let strict = preview(plan.clone(), &house.environment);
    assert_eq!(strict.must_type_override(), None);
    let words = format!("{} without approval", strict.must_type);
    assert!(strict.confirm(&words, house.clock.now()).is_err());
    let lax = preview(plan, &environment());
    let approved = lax.confirm(&words, house.clock.now()).unwrap().approve(&[], house.clock.now()).unwrap();
    let outcome = house.execute(approved).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::NotThisGate { .. })), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_read_stops_the_change() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.reads = [None].into());
    let outcome = house.run(Operation::DisableKey).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::StateNotVisible { .. })), "{outcome}");
    assert!(house.aws.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_aws_changed_nothing() {
    for (operation, change) in
        each().into_iter().flat_map(|op| [(op.clone(), Change::Denied), (op, Change::Throttled)])
    {
        let house = House::ready_for(&operation).await;
        house.aws.script(|s| s.change = change);
        let outcome = house.run(operation).await;
        let words = if matches!(change, Change::Denied) { "not authorized" } else { "Rate exceeded" };
        assert!(matches!(&outcome.verdict, Verdict::Failed { why } if why.contains(words)), "{outcome}");
        assert_eq!((outcome.exit_code(), house.kinds()), (1, vec!["intent".to_owned(), "answer".to_owned()]));
        assert_eq!((house.unfinished(), house.aws.script(|s| s.published.len())), (vec![], 0));
        assert_eq!(house.aws.changes().len(), 1, "a change that was throttled is not sent again by itself");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_change_that_happened_is_found_and_never_sent_again() {
    let lost = [
        Change::Silent { done: true, no: NoAnswer::TimedOut },
        Change::Silent { done: true, no: NoAnswer::ConnectionLost },
        Change::Broken { done: true },
    ];
    for (operation, change) in each().into_iter().flat_map(|op| lost.map(|change| (op.clone(), change))) {
        let house = House::ready_for(&operation).await;
        house.aws.script(|s| s.change = change);
        let outcome = house.run(operation).await;
        assert_eq!(outcome.verdict, Verdict::Verified, "{change:?}: {outcome}");
        assert_eq!(house.aws.changes().len(), 1, "{change:?}");
        assert_eq!(house.gate.journal().entries()[1].body["answer"], "unknown");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_change_that_is_not_seen_is_unknown() {
    let lost = [
        Change::Silent { done: false, no: NoAnswer::TimedOut },
        Change::Silent { done: false, no: NoAnswer::ConnectionLost },
        Change::Broken { done: false },
    ];
    for (operation, change) in each().into_iter().flat_map(|op| lost.map(|change| (op.clone(), change))) {
        let house = House::ready_for(&operation).await;
        house.aws.script(|s| s.change = change);
        let outcome = house.run(operation.clone()).await;
        assert!(matches!(outcome.verdict, Verdict::Unknown { .. }), "{change:?}: {outcome}");
        assert_eq!((outcome.exit_code(), house.aws.changes().len()), (4, 1), "{change:?}");
        let [change] = house.unfinished().try_into().unwrap();
        assert_eq!(change.accepted, Some(false));
        // Sending it again takes settling it first.
        let again = house.run(operation).await;
        assert_eq!(again.verdict, Verdict::Refused(Refusal::Unfinished { intent: 0 }));
        assert_eq!(house.aws.changes().len(), 1);
        let [change] = house.unfinished().try_into().unwrap();
        let settled = house.gate.settle(&change, &|_| {}).await.unwrap();
        assert_eq!(settled.settlement, Settlement::DoesNotStand, "{settled}");
    }
}

#[tokio::test(start_paused = true)]
async fn reads_that_disagree_are_read_on_until_they_agree() {
    let house = House::holding("Enabled").await;
    let stale = ["Enabled", "Enabled", "Disabled", "Enabled", "Disabled", "Disabled", "Enabled"];
    house.aws.script(|s| s.reads = stale.into_iter().map(Some).collect());
    let outcome = house.run(Operation::DisableKey).await;
    assert_eq!(outcome.verdict, Verdict::Verified);
    assert_eq!(outcome.sight.unwrap().reads.len(), stale.len() - 1 + 3);
}

#[tokio::test(start_paused = true)]
async fn reads_that_go_on_disagreeing_prove_nothing() {
    let house = House::holding("Enabled").await;
    let mut reads = vec![Some("Enabled")];
    reads.extend((0..200).map(|n| Some(if n % 2 == 0 { "Disabled" } else { "Enabled" })));
    house.aws.script(|s| s.reads = reads.into());
    let outcome = house.run(Operation::DisableKey).await;
    assert!(matches!(outcome.verdict, Verdict::NotVerified { .. }), "{outcome}");
    assert_eq!((outcome.exit_code(), house.kinds()[2].as_str()), (4, "unproved"));
    assert_eq!(house.unfinished()[0].accepted, Some(true));
    let (subject, _) = house.aws.script(|s| s.published[0].clone());
    assert!(subject.contains("disable-key not verified"), "{subject}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_can_still_be_used_is_not_down() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.dry_run = DryRun::Usable);
    let outcome = house.run(Operation::DisableKey).await;
    assert!(matches!(outcome.verdict, Verdict::NotVerified { .. }), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_not_permitted_is_said_and_the_reads_count() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.dry_run = DryRun::NotPermitted);
    let outcome = house.run(Operation::DisableKey).await;
    assert_eq!(outcome.verdict, Verdict::Verified);
    assert!(outcome.to_string().contains("not permitted"), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn an_hmac_key_is_probed_with_a_mac_and_a_key_agreement_key_not_at_all() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.usage = "GENERATE_VERIFY_MAC");
    let sight = house.run(Operation::DisableKey).await.sight.unwrap();
    assert_eq!(sight.probe, Probe::RefusedAsDisabled { call: "kms:GenerateMac".into() });
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.usage = "KEY_AGREEMENT");
    let sight = house.run(Operation::DisableKey).await.sight.unwrap();
    assert!(matches!(sight.probe, Probe::NotApplicable { .. }));
}

#[tokio::test(start_paused = true)]
async fn what_sns_did_not_take_is_owed_and_sent_again() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.sns_down = true);
    let outcome = house.run(Operation::DisableKey).await;
    assert_eq!((outcome.verdict.clone(), outcome.owed.len()), (Verdict::Verified, 1), "{outcome}");
    assert_eq!(house.kinds(), ["intent", "answer", "proof", "owed"]);
    let house = Box::pin(house.restarted()).await;
    assert_eq!(house.gate.settle_owed(&|_| {}).await.len(), 1);
    house.aws.script(|s| s.sns_down = false);
    assert_eq!(house.gate.settle_owed(&|_| {}).await, []);
    assert_eq!(house.gate.settle_owed(&|_| {}).await, []);
    assert_eq!(house.kinds()[4..], ["owed", "told"]);
    assert_eq!(house.aws.script(|s| s.published.len()), 1);
}

#[tokio::test(start_paused = true)]
async fn an_audit_server_that_settings_do_not_name_is_owed_with_the_reason() {
    let mut environment = environment();
    environment.audit = Some(crate::settings::AuditSettings {
        server: crate::model::catalog::ServerName("gone".into()),
        database: "audit".into(),
    });
    let house = House::with(FakeAws::holding("Enabled"), environment).await;
    let outcome = house.run(Operation::DisableKey).await;
    assert_eq!(outcome.verdict, Verdict::Verified);
    let [owed] = outcome.owed.as_slice() else { panic!("{:?}", outcome.owed) };
    assert!(matches!(owed.channel, Channel::SqlAudit { .. }));
    assert!(owed.why.as_ref().unwrap().contains("settings name no SQL server gone"));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_before_the_intent_stops_everything() {
    let house = House::holding("Enabled").await;
    house.gate.journal().fill_disk_from(Some(0));
    let outcome = house.run(Operation::DisableKey).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::NoJournal { .. })), "{outcome}");
    assert_eq!((outcome.exit_code(), house.aws.changes().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_after_the_intent_does_not_hide_the_outcome() {
    for full_from in 1..=3 {
        let house = House::holding("Enabled").await;
        house.gate.journal().fill_disk_from(Some(full_from));
        let outcome = house.run(Operation::DisableKey).await;
        assert_eq!(outcome.verdict, Verdict::Verified, "{outcome}");
        assert!(outcome.journal_trouble.is_some() && outcome.to_string().contains("JOURNAL IS INCOMPLETE"));
        assert_eq!(outcome.exit_code(), 4);
        assert_eq!(house.aws.script(|s| s.published.len()), 1, "people are told all the same");
        assert_eq!(house.aws.changes().len(), 1);
        // The next start finds what the journal does not settle.
        let house = house.restarted().await;
        assert_eq!(house.unfinished().len(), usize::from(full_from < 3), "full from {full_from}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_at_each_boundary_the_next_start_knows_what_is_unfinished() {
    for boundary in Boundary::ALL {
        let house = House::holding("Enabled").await;
        let House { aws, gate, clock, environment, dir, told } = house;
        let (reached, halted) = tokio::sync::mpsc::unbounded_channel();
        let mut halted = halted;
        // What a kill leaves behind: the journal as it was on disk at that moment.
        let path = gate.journal().path().to_owned();
        let gate = gate.observed_by(Arc::new(move |at| {
            if at == boundary {
                reached.send(std::fs::read(&path).unwrap()).unwrap();
            }
        }));
        let house = House { aws, gate, clock, environment, dir, told };
        house.aws.script(|s| s.sns_down = true);
        let approved = house.approved(Operation::DisableKey);
        // Dropped at the boundary: nothing after it runs.
        let left = tokio::select! {
            biased;
            left = halted.recv() => left.unwrap(),
            _ = house.execute(approved) => halted.recv().await.unwrap(),
        };
        let path = house.gate.journal().path().to_owned();
        if matches!(boundary, Boundary::BeforeIntent | Boundary::AfterIntent) {
            house.aws.script(|s| s.state = "Enabled");
        }
        let sent_before = house.aws.changes().len();
        let House { aws, gate, environment, dir, clock, .. } = house;
        drop(gate);
        std::fs::write(&path, left).unwrap();
        let house = House::at(dir, aws, environment, clock).await;
        house.aws.script(|s| s.sns_down = false);

        let unfinished = house.unfinished();
        let expected = match boundary {
            Boundary::BeforeIntent | Boundary::BeforeNotify => vec![],
            Boundary::AfterIntent | Boundary::AfterCall => vec![None],
            Boundary::BeforeVerify => vec![Some(true)],
        };
        assert_eq!(unfinished.iter().map(|u| u.accepted).collect::<Vec<_>>(), expected, "{boundary:?}");
        for change in &unfinished {
            let settled = house.gate.settle(change, &|_| {}).await.unwrap();
            let happened = boundary != Boundary::AfterIntent;
            let expected = if happened { Settlement::Happened } else { Settlement::DoesNotStand };
            assert_eq!(settled.settlement, expected, "{boundary:?}: {settled}");
        }
        assert_eq!(house.unfinished(), []);
        let owes = !matches!(boundary, Boundary::BeforeIntent | Boundary::AfterIntent);
        assert_eq!(owed(&house.gate.journal().entries()).len(), usize::from(owes), "{boundary:?}");
        assert_eq!(house.gate.settle_owed(&|_| {}).await, []);
        assert_eq!(house.aws.changes().len(), sent_before, "settling sends nothing");
        let verdict = journal::read(house.gate.journal().path()).unwrap().verdict;
        assert_eq!(verdict, journal::Verdict::Whole);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_that_cannot_be_told_stays_unfinished() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.change = Change::Silent { done: false, no: NoAnswer::TimedOut });
    house.run(Operation::DisableKey).await;
    house.aws.script(|s| s.state = "PendingDeletion");
    let [change] = house.unfinished().try_into().unwrap();
    let settled = house.gate.settle(&change, &|_| {}).await.unwrap();
    assert_eq!(settled.settlement, Settlement::CannotBeTold);
    assert_eq!(house.unfinished(), std::slice::from_ref(&change));
    // People were told "unknown"; once it is known that it does not stand, they are owed that.
    house.aws.script(|s| s.state = "Enabled");
    let settled = house.gate.settle(&change, &|_| {}).await.unwrap();
    assert_eq!(settled.settlement, Settlement::DoesNotStand);
    assert_eq!(house.gate.settle_owed(&|_| {}).await, []);
    let subjects: Vec<_> = house.aws.script(|s| s.published.iter().map(|p| p.0.clone()).collect());
    assert!(
        subjects[0].contains("disable-key unknown") && subjects[1].contains("does not stand"),
        "{subjects:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_for_another_gate_is_refused() {
    let house = House::holding("Enabled").await;
    let now = house.clock.now();
    let good = || plan(Operation::DisableKey, now);
    let wrong = [
        Plan { incident: "INC-2".parse().unwrap(), ..good() },
        Plan { account: "999988887777".into(), ..good() },
        Plan { region: "us-east-1".into(), ..good() },
        Plan { observed: Observed::state(KeyState::Disabled, now), ..good() },
    ];
    for plan in wrong {
        let outcome = house.execute(house.approve(plan)).await;
        assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::NotThisGate { .. })), "{outcome}");
    }
    assert!(house.aws.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_forged_preview_confirms_nothing_here() {
    let house = House::holding("Enabled").await;
    let now = house.clock.now();
    // Shown as if it were not production: the name alone was typed.
    let tame = Environment { production: false, ..environment() };
    let confirmed =
        preview(plan(Operation::DisableKey, now), &tame).confirm("buzz-tutor/user-data", now).unwrap();
    let outcome = house.execute(confirmed.approve(&[], now).unwrap()).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::NotThisGate { .. })), "{outcome}");
    // Shown as if nobody had to approve it.
    let strict = Environment { approvals: 1, ..environment() };
    let house = House::with(FakeAws::holding("Enabled"), strict).await;
    let forged =
        Preview { approvals_needed: 0, ..preview(plan(Operation::DisableKey, now), &house.environment) };
    let confirmed = forged.confirm("buzz-tutor/user-data production", now).unwrap();
    let outcome = house.execute(confirmed.approve(&[], now).unwrap()).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::NotThisGate { .. })), "{outcome}");
    assert!(house.aws.changes().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_expired_after_its_approval_is_refused() {
    let house = House::holding("Enabled").await;
    let approved = house.approved(Operation::DisableKey);
    tokio::time::advance(std::time::Duration::from_mins(15)).await;
    let outcome = house.execute(approved).await;
    assert!(matches!(outcome.verdict, Verdict::Refused(Refusal::Expired { .. })), "{outcome}");
}

#[tokio::test(start_paused = true)]
async fn a_second_try_says_that_it_is_one() {
    let house = House::holding("Enabled").await;
    house.aws.script(|s| s.change = Change::Denied);
    house.run(Operation::DisableKey).await;
    house.aws.script(|s| s.change = Change::Done);
    house.run(Operation::DisableKey).await;
    assert_eq!(house.gate.journal().entries()[2].body["again_after"], serde_json::json!([0]));
}

#[tokio::test(start_paused = true)]
async fn no_secret_enters_the_journal() {
    let house = House::holding("Enabled").await;
    house.run(Operation::DisableKey).await;
    let text = std::fs::read_to_string(house.gate.journal().path()).unwrap();
    assert!(!text.contains(SECRET) && !text.contains("AKIAIOSFODNN7EXAMPLE"));
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_in_order() {
    let house = House::holding("Enabled").await;
    house.run(Operation::DisableKey).await;
    let told: Vec<String> = house.told.lock().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "intent journalled (entry 0)",
            "the key is still Enabled: the plan holds",
            "calling kms:DisableKey",
            "accepted by AWS",
            "read: Disabled (1 of 3)",
            "read: Disabled (2 of 3)",
            "read: Disabled (3 of 3)",
            "kms:Encrypt dry run: refused, the key is disabled",
            "proof journalled (entry 2)",
            "telling SNS alerts",
            "told SNS alerts",
        ]
    );
}
