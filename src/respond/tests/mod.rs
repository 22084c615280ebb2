//! The responder against the simulated account, in virtual time.

pub(crate) mod house;
mod walks;

use jiff::SignedDuration;

use self::house::House;
use super::view::{Ask, StepStatus, Target, Waiting};
use crate::gate::Boundary;
use crate::model::arn::KeyArn;
use crate::model::plan::Operation;
use crate::simulator::faults::{Effect, Fault, Target as Hits};

const REVOKE: &str = "emergency-revocation";
const RECOVER: &str = "key-recovery";
const NAME: &str = "buzz-tutor/messages";

fn attest() -> Ask {
    Ask::Attest { note: "seen to".into() }
}

/// A multi-Region key, dropped in its home Region, and the options that follow.
async fn dropped_in_one_region() -> (House, KeyArn, Vec<String>) {
    let mut house = House::built().await;
    let key = house.key_in("buzz-tutor/reporting", "eu-west-1");
    // The seed has it disabled; the inventory on screen was read before.
    house.sim.world().kms.key_mut("us-east-1", key.id()).unwrap().state =
        crate::simulator::aws::kms::key::KeyState::Enabled;
    let target = Target::Key(key.clone());
    house.ask(Ask::Start { runbook: REVOKE.into(), target, reason: "stolen laptop".into() }).await;
    let run = house.confirm().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert_eq!(preview.regions[0], "covers eu-west-1 alone");
    assert!(preview.regions[1].starts_with("replica in us-east-1 (Disabled): not covered"), "{preview:?}");
    for _ in 0..2 {
        assert_eq!(house.waits().await.waiting, Waiting::Attestation);
        house.ask(attest()).await;
    }
    let run = house.waits().await;
    let Waiting::Choice { question, options } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(question.contains("us-east-1") && options.len() == 2, "{question}");
    (house, key, options.clone())
}

#[tokio::test(start_paused = true)]
async fn a_multi_region_key_is_followed_into_its_next_region() {
    let (mut house, key, options) = dropped_in_one_region().await;
    house.ask(Ask::Choose { option: options[0].clone() }).await;
    let run = house.confirm().await;
    let replica = run.key.unwrap();
    assert_eq!((replica.region(), replica.id()), ("us-east-1", key.id()));
    for _ in 0..2 {
        house.waits().await;
        house.ask(attest()).await;
    }
    // Both are down: nothing is offered any more.
    let run = house.waits().await;
    assert!(matches!(run.waiting, Waiting::Finished { .. }), "{:?}", run.waiting);
    assert_eq!(house.standing.changes.len(), 2);
    assert_eq!([house.state_of(&key), house.state_of(&replica)], ["Disabled", "Disabled"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_may_end_with_one_region() {
    let (mut house, key, options) = dropped_in_one_region().await;
    house.ask(Ask::Choose { option: options[1].clone() }).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Finished { .. }));
    let world = house.sim.world();
    let replica = world.kms.key("us-east-1", key.id()).unwrap().state;
    assert_eq!(replica, crate::simulator::aws::kms::key::KeyState::Enabled);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_on_demand_shows_what_it_uses_up_and_is_proved_by_its_material() {
    let document = "+++\nid = \"rotate-now\"\ntitle = \"Rotate now\"\nsummary = \"x\"\n+++\n\n## Rotate\n\n```step\nchange = \"rotate-key-on-demand\"\n```\n";
    let mut house = House::with_runbook(document).await;
    house.start("rotate-now", "CEK_Messages_Body", "buzz_prod").await;
    let run = house.confirm().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert!(
        preview.change[0].ends_with("of 25, which is all that the key has in its life"),
        "{:?}",
        preview.change
    );
    assert!(preview.warnings.iter().any(|warning| warning.contains("no cure")), "{:?}", preview.warnings);
    let run = house.waits().await;
    let Waiting::Finished { undo: None, summary } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(summary.contains("rotate-key-on-demand"), "{summary}");
    assert!(run.evidence.iter().any(|fact| fact.text.contains("read: material")), "{:?}", run.evidence);
    assert!(house.standing.changes.is_empty(), "a rotation takes nothing away");
}

#[tokio::test(start_paused = true)]
async fn what_aws_would_refuse_is_refused_before_anybody_types() {
    let house = House::built().await;
    let home = house.estate.cloud.kms("eu-west-1");
    let described = async |kms: &crate::cloud::KmsReads, alias: &str| kms.describe(alias).await.unwrap();
    let (rsa, data) = (
        described(&home, "alias/buzz-tutor/documents-rsa").await,
        described(&home, "alias/buzz-tutor/user-data").await,
    );
    let replica = described(&house.estate.cloud.kms("us-east-1"), "alias/buzz-tutor/reporting").await;
    let rotation = |period_days| Operation::EnableKeyRotation { period_days };
    for (operation, key, words) in [
        (rotation(90), &rsa, "asymmetric"),
        (Operation::RotateKeyOnDemand, &rsa, "asymmetric"),
        (rotation(90), &replica, "eu-west-1"),
        (rotation(89), &data, "90–2560"),
        (Operation::ScheduleKeyDeletion { days: 31 }, &data, "7–30"),
        (Operation::CancelKeyDeletion, &data, "starts from"),
        (Operation::DenyPrincipal { principal: "*".into() }, &data, "no ARN"),
    ] {
        let trouble = super::planning::possible(&house.estate, &operation, key).unwrap_err();
        assert!(trouble.reason.contains(words) && !trouble.next.is_empty(), "{}", trouble.reason);
    }
    for operation in [rotation(90), Operation::RotateKeyOnDemand, Operation::ScheduleKeyDeletion { days: 7 }]
    {
        assert_eq!(super::planning::possible(&house.estate, &operation, &data), Ok(()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_dropped_proved_told_and_raised_again() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    let run = house.confirm().await;
    let key = house.key_named(NAME);
    assert_eq!(run.key_name.as_deref(), Some(NAME));
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert_eq!(preview.plan.key, key);
    assert_eq!(preview.must_type, "buzz-tutor/messages production");
    assert!(preview.dependents.column_keys.len() >= 4, "{:?}", preview.dependents.column_keys);
    let used = preview.dependents.usage.known().unwrap();
    assert!(used.uses() > 0 && used.users.iter().any(|user| user.role.is_some()), "{used:?}");

    let run = house.waits().await;
    assert_eq!((&run.waiting, run.undo), (&Waiting::Attestation, Some(Operation::EnableKey)));
    assert_eq!(run.steps[run.current].title, "Restart the clients");
    assert!(run.steps[run.current].text.contains("2026-11-23 16:00Z"), "{}", run.steps[run.current].text);
    assert_eq!(house.state_of(&key), "Disabled");
    let standing = house.standing.changes[0].clone();
    assert_eq!(
        (standing.agreeing_reads, standing.exposed_until.unwrap().to_string().as_str()),
        (3, "2026-11-23T16:00:00Z")
    );
    assert_eq!(house.standing.owed, Vec::<String>::new());
    house.ask(attest()).await;
    house.waits().await;
    house.ask(attest()).await;
    let run = house.waits().await;
    assert!(
        matches!(&run.waiting, Waiting::Finished { undo: Some(Operation::EnableKey), .. }),
        "{:?}",
        run.waiting
    );
    assert_eq!(house.standing.changes[0].exposed_until, None, "the restarts were attested");

    house.ask(Ask::Undo).await;
    let run = house.waits().await;
    assert_eq!((run.runbook.as_str(), &run.waiting), (RECOVER, &Waiting::Attestation));
    house.ask(attest()).await;
    let run = house.confirm().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert!(preview.plan.reason.raw().contains("stolen laptop"), "the reason is carried");
    house.until_clients_are_back().await;
    house.ask(attest()).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Finished { .. }));
    assert_eq!(house.state_of(&key), "Enabled");
    assert!(house.standing.changes.is_empty());
    assert_eq!(house.changes(), ["DisableKey", "EnableKey"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_a_wrong_or_empty_confirmation() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.waits().await;
    for typed in ["", NAME, "buzz-tutor/messages staging"] {
        house.ask(Ask::Confirm { typed: typed.into() }).await;
        let run = house.waits().await;
        assert!(matches!(&run.waiting, Waiting::Confirmation { wrong: Some(_), .. }), "{typed}");
    }
    house.ask(Ask::Proceed).await;
    assert!(house.refusal().await.contains("Enter alone"));
    house.ask(Ask::Leave).await;
    assert_eq!(house.waits().await.waiting, Waiting::Left);
    house.ask(Ask::Confirm { typed: "buzz-tutor/messages production".into() }).await;
    assert!(house.refusal().await.contains("was left"));
    assert_eq!(house.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn enter_alone_attests_nothing() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    assert_eq!(house.waits().await.waiting, Waiting::Attestation);
    house.ask(Ask::Attest { note: " ".into() }).await;
    assert!(house.refusal().await.contains("needs a note"));
    assert!(house.standing.changes[0].exposed_until.is_some(), "the countdown stands");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_left_is_taken_up_with_a_new_plan() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    let run = house.waits().await.run;
    house.ask(Ask::Leave).await;
    house.waits().await;
    house.ask(Ask::Resume { run }).await;
    house.confirm().await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    house.ask(Ask::Resume { run }).await;
    assert!(house.refusal().await.contains("under way"));
    house.ask(Ask::Leave).await;
    house.waits().await;
    house.ask(Ask::Resume { run: 9999 }).await;
    assert!(house.refusal().await.contains("begins no run"));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_waits_for_deletion_is_brought_back_in_two_changes() {
    let mut house = House::built().await;
    house.start(RECOVER, "CEK_Legacy", "buzz_arch").await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    house.ask(attest()).await;
    house.confirm().await;
    house.confirm().await;
    let run = house.waits().await;
    for step in ["Make sure that the key still obeys you", "Cancel the deletion", "Raise the gate"] {
        assert_eq!(run.status(step), StepStatus::Done, "{step}");
    }
    assert_eq!(house.changes(), ["CancelKeyDeletion", "EnableKey"]);
    assert_eq!(house.state_of(&house.key_named("buzz-tutor/legacy")), "Enabled");
}

#[tokio::test(start_paused = true)]
async fn a_column_key_in_mid_rotation_asks_which_key() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Session_Token", "buzz_prod").await;
    let run = house.waits().await;
    let Waiting::Choice { question, options } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(question.contains("mid-rotation") && options.len() == 2, "{question} {options:?}");
    let newer = options.iter().find(|option| option.contains("sessions-2026")).unwrap().clone();
    house.ask(Ask::Choose { option: "neither".into() }).await;
    assert!(house.refusal().await.contains("none of the options"));
    house.ask(Ask::Choose { option: newer }).await;
    assert_eq!(house.waits().await.key_name.as_deref(), Some("buzz-tutor/sessions-2026"));
}

#[tokio::test(start_paused = true)]
async fn a_target_that_cannot_be_found_is_refused_with_its_reason() {
    let mut house = House::built().await;
    for (cek, database, word) in [
        ("CEK_Nobody", "buzz_prod", "no column key `CEK_Nobody`"),
        ("cek_payments", "buzz_prod", "`CEK_Payments` in buzz_prod on prod"),
        ("CEK_HR", "buzz_prod", "names no KMS key"),
        ("CEK_Lost", "buzz_arch", "no such key"),
    ] {
        house.start(REVOKE, cek, database).await;
        let reason = house.refusal().await;
        assert!(reason.contains(word), "{cek}: {reason}");
    }
    let target = Target::ColumnKey { cek: "CEK_User_12345".into(), database: None };
    house.ask(Ask::Start { runbook: REVOKE.into(), target, reason: "r".into() }).await;
    let reason = house.refusal().await;
    assert!(reason.contains("buzz_prod on prod, buzz_staging on staging"), "{reason}");
    assert!(house.kinds.is_empty(), "nothing was journalled: {:?}", house.kinds);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_down_already_is_not_dropped_again() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Legacy", "buzz_arch").await;
    let Waiting::Failed { reason, next, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("PendingDeletion") && next.contains("key-recovery"), "{reason} {next}");
    house.ask(Ask::Proceed).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Failed { .. }), "it was looked at again");
    assert_eq!(house.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_unknown_and_looked_for_and_never_sent_again() {
    let mut house = House::built().await;
    let lost = |effect| Fault { on: Hits::Operation("DisableKey".into()), effect, times: Some(1) };
    house.sim.faults().add(lost(Effect::ConnectionLossAfter));
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    let run = house.waits().await;
    assert!(matches!(run.waiting, Waiting::Attestation), "found to have happened: {:?}", run.waiting);
    assert_eq!(house.changes(), ["DisableKey"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_change_may_be_tried_again_only_by_a_new_plan() {
    let mut house = House::built().await;
    let on = Hits::Operation("DisableKey".into());
    house.sim.faults().add(Fault { on, effect: Effect::AccessDenied, times: Some(1) });
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    let run = house.waits().await;
    let Waiting::Failed { reason, .. } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(
        reason.contains("nothing changed") && run.status("Drop the gate") == StepStatus::Failed,
        "{reason}"
    );
    house.ask(Ask::Proceed).await;
    house.confirm().await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    assert_eq!(house.changes(), ["DisableKey", "DisableKey"]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_told_is_owed_and_the_run_goes_on() {
    let mut house = House::built().await;
    let on = Hits::Operation("Publish".into());
    house.sim.faults().add(Fault { on, effect: Effect::AccessDenied, times: None });
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    let run = house.waits().await;
    assert!(matches!(run.waiting, Waiting::Attestation));
    assert_eq!(run.status("Tell people"), StepStatus::Failed);
    assert_eq!(house.standing.owed.len(), 1, "{:?}", house.standing.owed);
    house.sim.faults().clear();
    house.ask(Ask::SettleOwed).await;
    house.waits().await;
    house.first_standing().await;
    assert!(house.standing.owed.is_empty(), "{:?}", house.standing.owed);
}

#[tokio::test(start_paused = true)]
async fn a_process_killed_at_any_boundary_loses_nothing_and_sends_nothing_twice() {
    for boundary in Boundary::ALL {
        let mut house = House::dying_at(boundary).await;
        house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
        house.confirm().await;
        house.dies().await;
        let sent = house.changes().len();
        house.restart(None).await;
        let standing = house.first_standing().await;
        let named = matches!(boundary, Boundary::AfterIntent | Boundary::AfterCall | Boundary::BeforeVerify);
        assert_eq!(standing.unfinished.len(), usize::from(named), "{boundary:?}: {standing:?}");
        if let Some(unfinished) = standing.unfinished.first() {
            let truth = if boundary == Boundary::AfterIntent { "Enabled" } else { "Disabled" };
            assert!(unfinished.now.contains(truth), "{boundary:?}: {}", unfinished.now);
            assert_eq!(unfinished.run, 0);
        }
        house.ask(Ask::Resume { run: 0 }).await;
        if sent == 0 {
            house.confirm().await;
        }
        let run = house.waits().await;
        assert!(matches!(run.waiting, Waiting::Attestation), "{boundary:?}: {:?}", run.waiting);
        assert_eq!(run.status("Drop the gate"), StepStatus::Done, "{boundary:?}");
        assert_eq!(house.changes(), ["DisableKey"], "{boundary:?}");
        assert!(house.standing.unfinished.is_empty() && house.standing.owed.is_empty(), "{boundary:?}");
        assert_eq!(house.standing.changes.len(), 1, "{boundary:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_cannot_be_seen_is_unknown_and_going_on_only_looks() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.waits().await;
    let lost = |call: &str, effect| Fault { on: Hits::Operation(call.into()), effect, times: None };
    house.sim.faults().add(lost("DisableKey", Effect::ConnectionLossAfter));
    // The plan is checked against a read before the call; only the reads after it are refused.
    let key = house.key_named(NAME);
    let sim = house.sim.clone();
    house.ask(Ask::Confirm { typed: "buzz-tutor/messages production".into() }).await;
    while format!("{:?}", sim.world().kms.key(key.region(), key.id()).unwrap().state) == "Enabled" {
        tokio::task::yield_now().await;
    }
    house.sim.faults().add(lost("DescribeKey", Effect::AccessDenied));
    let run = house.waits().await;
    assert!(matches!(run.waiting, Waiting::Failed { .. }), "{:?}", run.waiting);
    assert_eq!(run.status("Drop the gate"), StepStatus::Unknown);
    assert_eq!(house.standing.unfinished.len(), 1);
    house.ask(Ask::Proceed).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Failed { .. }), "still not to be seen");
    house.sim.faults().clear();
    house.ask(Ask::Proceed).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation), "seen, and gone on from");
    assert_eq!(house.changes(), ["DisableKey"]);
}

#[tokio::test(start_paused = true)]
async fn an_expired_plan_confirms_nothing_and_a_new_one_is_made() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.waits().await;
    house.sim.clock().advance(SignedDuration::from_mins(16));
    house.ask(Ask::Confirm { typed: "buzz-tutor/messages production".into() }).await;
    let Waiting::Failed { reason, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("expired"), "{reason}");
    house.ask(Ask::Proceed).await;
    let run = house.confirm().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert!(
        preview.warnings.iter().any(|w| w.contains("catalog of prod is 16 m old")),
        "{:?}",
        preview.warnings
    );
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    assert_eq!(house.changes(), ["DisableKey"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_policy_was_taken_over_is_not_brought_back() {
    let mut house = House::built().await;
    let key = house.key_named("buzz-tutor/legacy");
    let takeover = r#"{"Version":"2012-10-17","Statement":[
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/platform"},"Action":"kms:GetKeyPolicy","Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/platform"},"Action":"kms:DescribeKey","Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"kms:*","Resource":"*"}]}"#;
    takeover.clone_into(&mut house.sim.world().kms.key_mut(key.region(), key.id()).unwrap().policy);
    house.start(RECOVER, "CEK_Legacy", "buzz_arch").await;
    let Waiting::Failed { reason, next, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("no plain statement") && next.contains("key policy"), "{reason} {next}");
    assert_eq!(house.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn notes_are_kept_with_or_without_a_run() {
    let mut house = House::built().await;
    house.ask(Ask::Note { text: "called the owner\u{1b}[2J".into() }).await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.waits().await;
    house.ask(Ask::Note { text: "owner agrees".into() }).await;
    house.ask(Ask::Leave).await;
    house.waits().await;
    assert_eq!(house.kinds.iter().filter(|kind| *kind == "note").count(), 2, "{:?}", house.kinds);
}

#[tokio::test(start_paused = true)]
async fn a_key_of_another_account_is_refused_before_anything_is_typed() {
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Partner_Results", "buzz_report").await;
    let Waiting::Failed { reason, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("belongs to account 444455556666"), "{reason}");
    assert_eq!(house.changes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_start_without_a_reason_or_a_runbook_is_refused() {
    let mut house = House::built().await;
    let target = Target::Key(house.key_named(NAME));
    house.ask(Ask::Start { runbook: REVOKE.into(), target: target.clone(), reason: " ".into() }).await;
    assert!(house.refusal().await.contains("needs a reason"));
    house.ask(Ask::Start { runbook: "nope".into(), target, reason: "r".into() }).await;
    assert!(house.refusal().await.contains("emergency-revocation, key-compromise, key-loss, key-recovery"));
    house.ask(Ask::Undo).await;
    assert!(house.refusal().await.contains("nothing was changed"));
}

const OWN: &str = "+++
id = \"own\"
title = \"Own\"
summary = \"waits and chooses\"
+++
## Wait
```step
wait = \"10m\"
```
## Choose
```step
choose = \"Call the owner?\"
options = [{ text = \"yes\", then = \"next\" }, { text = \"no\", then = \"Write it down\" }]
```
## Call
Call.
## Write it down
Write.
";

#[tokio::test(start_paused = true)]
async fn a_wait_ends_by_the_clock_and_a_choice_passes_over_steps() {
    let mut house = House::with_runbook(OWN).await;
    house.start("own", "CEK_Messages_Body", "buzz_prod").await;
    let until = "2026-11-23T14:10:00Z".parse().unwrap();
    assert!(matches!(house.waits().await.waiting, Waiting::Time { until: at, .. } if at == until));
    house.ask(Ask::Attest { note: String::new() }).await;
    assert!(house.refusal().await.contains("waits until the run goes on"));
    house.sim.clock().advance(SignedDuration::from_mins(10));
    assert!(matches!(house.waits().await.waiting, Waiting::Choice { .. }));
    house.ask(Ask::Choose { option: "no".into() }).await;
    let run = house.waits().await;
    assert_eq!((run.current, run.steps[2].status), (3, StepStatus::Skipped));
    house.ask(attest()).await;
    let Waiting::Finished { summary, undo } = house.waits().await.waiting else { panic!("the end") };
    assert_eq!((summary.as_str(), undo), ("nothing was changed", None));
}

#[tokio::test(start_paused = true)]
async fn a_wait_may_be_cut_short_and_outlives_the_process() {
    let mut house = House::with_runbook(OWN).await;
    house.start("own", "CEK_Messages_Body", "buzz_prod").await;
    assert!(matches!(house.waits().await.waiting, Waiting::Time { .. }));
    house.sim.clock().advance(SignedDuration::from_mins(4));
    house.restart(None).await;
    house.ask(Ask::Resume { run: 0 }).await;
    let until = "2026-11-23T14:10:00Z".parse().unwrap();
    assert!(matches!(house.waits().await.waiting, Waiting::Time { until: at, .. } if at == until));
    house.ask(Ask::Proceed).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Choice { .. }));
}

#[tokio::test(start_paused = true)]
async fn a_role_asks_for_a_code_once_the_plan_is_confirmed_and_for_one_more_where_it_is_wrong() {
    let mut house = House::in_roles().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    let run = house.confirm().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { unreachable!() };
    assert!(preview.acting_as.contains("emergency-key-admin, MFA"), "{}", preview.acting_as);
    assert!(preview.calls[1].contains("AssumeRole BuzzTutorEmergencyKeyAdmin"), "{:?}", preview.calls);
    let run = house.waits().await;
    assert!(matches!(run.waiting, Waiting::MfaCode { wrong: None, .. }), "{:?}", run.waiting);
    assert_eq!(house.changes(), Vec::<String>::new(), "confirmed, and nothing sent");
    house.ask(Ask::Proceed).await;
    assert!(house.refusal().await.contains("MFA device"));
    house.give("000000").await;
    let run = house.waits().await;
    let Waiting::MfaCode { wrong: Some(wrong), .. } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(wrong.contains("works once") && house.changes().is_empty(), "{wrong}");
    let digits = house.digits();
    house.give(&digits).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    assert_eq!(house.changes(), ["DisableKey"]);
    let disk = house.on_disk();
    let mut kept = disk.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(!kept.any(|word| word == digits || word == "000000"), "no code is kept: {disk}");
    assert!(disk.contains("session_policy_digest"));
}

#[tokio::test(start_paused = true)]
async fn two_wrong_codes_stop_the_step_and_trying_again_begins_with_a_new_plan() {
    let mut house = House::in_roles().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    for _ in 0..2 {
        house.waits().await;
        house.give("000000").await;
    }
    let Waiting::Failed { reason, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("nothing was sent"), "{reason}");
    house.ask(Ask::Proceed).await;
    house.confirm().await;
    house.waits().await;
    house.give(&house.digits()).await;
    assert!(matches!(house.waits().await.waiting, Waiting::Attestation));
    assert_eq!(house.changes(), ["DisableKey"]);
}

#[tokio::test(start_paused = true)]
async fn leaving_before_the_code_changes_nothing_and_an_old_code_opens_nothing() {
    let mut house = House::in_roles().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    house.confirm().await;
    house.waits().await;
    house.ask(Ask::Leave).await;
    assert_eq!(house.waits().await.waiting, Waiting::Left);
    house.give(&house.digits()).await;
    assert!(house.refusal().await.contains("was left"));
    assert_eq!(house.changes(), Vec::<String>::new());
    assert!(!house.kinds.contains(&"intent".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_key_beyond_the_role_is_told_before_anything_is_typed() {
    let mut house = House::in_roles().await;
    let key = house.key_named("buzz-tutor/tde-staging");
    house.ask(Ask::Start { runbook: REVOKE.into(), target: Target::Key(key), reason: "r".into() }).await;
    let run = house.waits().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(preview.warnings.iter().any(|w| w.contains("Environment=staging")), "{:?}", preview.warnings);
    let mut house = House::built().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    let run = house.waits().await;
    let Waiting::Confirmation { preview, .. } = &run.waiting else { panic!("{:?}", run.waiting) };
    assert!(
        preview.warnings.iter().any(|w| w.contains("no role for emergency-key-admin")),
        "{:?}",
        preview.warnings
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_begun_before_kms_was_asked_asks_it_first() {
    let mut house = House::built().await;
    let key = house.key_named(NAME);
    house.forget_kms().await;
    house.start(REVOKE, "CEK_Messages_Body", "buzz_prod").await;
    let run = house.waits().await;
    assert_eq!(run.key.as_ref(), Some(&key), "{:?}", run.waiting);
    assert!(house.refusals.is_empty(), "{:?}", house.refusals);
    // A key path that leads nowhere is still said so.
    house.ask(Ask::Leave).await;
    house.waits().await;
    house.sim.faults().add(Fault {
        on: Hits::Operation("DescribeKey".into()),
        effect: Effect::AccessDenied,
        times: None,
    });
    house.start(REVOKE, "CEK_Messages_File", "buzz_prod").await;
    let run = house.waits().await;
    let Waiting::Failed { reason, .. } = &run.waiting else { unreachable!("{:?}", run.waiting) };
    assert!(reason.contains("cannot be seen"), "{reason}");
}
