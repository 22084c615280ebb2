//! Each shipped runbook walked from start to end, through every branch, on the simulated account; what it asked, was
//! told and found out is held by a snapshot.

use std::collections::VecDeque;
use std::fmt::Write as _;

use jiff::SignedDuration;

use super::house::House;
use crate::respond::view::{Ask, RunView, StepStatus, Target, Waiting};
use crate::simulator::aws::kms::key::{KeyState, RotationType};

/// What the operator answers where there is something to decide.
#[derive(Clone, Copy, Debug)]
enum Say {
    /// The option that begins with these words.
    Choose(&'static str),
    /// The first value offered.
    First,
    /// The offered value of which this is a part; else this itself.
    Value(&'static str),
    /// A step failed, and the run goes on without it.
    GoOn,
    /// Everything is read anew first; then as after it.
    RefreshAndTryAgain,
}

/// A run from its start to its end: what waits is answered, notes and confirmations as they come, decisions from the
/// script.
struct Walk {
    house: House,
    script: VecDeque<Say>,
    told: String,
}

impl Walk {
    async fn through(house: House, runbook: &str, target: Target, script: &[Say]) -> (House, String) {
        let mut walk = Self { house, script: script.iter().copied().collect(), told: String::new() };
        walk.house.ask(Ask::Start { runbook: runbook.into(), target, reason: "an alert".into() }).await;
        let end = walk.go().await;
        assert!(walk.script.is_empty(), "not asked for: {:?}\n{}", walk.script, walk.told);
        walk.tell_end(&end);
        (walk.house, walk.told)
    }

    async fn go(&mut self) -> RunView {
        loop {
            let run = self.house.waits().await;
            assert_eq!(self.house.refusals, Vec::<String>::new(), "{}", self.told);
            let title =
                run.steps.get(run.current).map_or("(the target)", |step| step.title.as_str()).to_owned();
            let ask = match &run.waiting {
                Waiting::Finished { .. } | Waiting::Left => return run,
                Waiting::Program(_) => continue,
                Waiting::Time { until, what } => {
                    self.say(&title, &format!("waits until {until}: {what}"));
                    let now = self.house.sim.clock().now();
                    self.house.pass(until.duration_since(now));
                    continue;
                }
                Waiting::Proceed { .. } => Ask::Proceed,
                Waiting::Attestation => Ask::Attest { note: "seen to".into() },
                Waiting::Approval { by, people, .. } => {
                    self.say(&title, &format!("asks for {people}: {by}"));
                    let names = ["Bea", "Carl", "Dora"].into_iter().take(usize::from(*people));
                    Ask::Approved { by: names.map(str::to_owned).collect(), note: "by telephone".into() }
                }
                Waiting::Confirmation { preview, .. } => {
                    self.say(&title, &format!("the gate asks for `{}`", preview.must_type));
                    Ask::Confirm { typed: preview.must_type.clone() }
                }
                Waiting::MfaCode { .. } => unreachable!("this house has no roles"),
                Waiting::Choice { .. } | Waiting::Value { .. } | Waiting::Failed { .. } => {
                    self.decide(&title, &run.waiting).await
                }
            };
            self.house.ask(ask).await;
        }
    }

    /// Takes the next decision of the script.
    async fn decide(&mut self, title: &str, waiting: &Waiting) -> Ask {
        let Some(say) = self.script.pop_front() else { panic!("{title} waits: {waiting:#?}\n{}", self.told) };
        match (waiting, say) {
            (Waiting::Choice { question, options }, Say::Choose(words)) => {
                let option = options.iter().find(|option| option.starts_with(words));
                let option = option.unwrap_or_else(|| panic!("{words}: {options:?}")).clone();
                self.say(title, &format!("{question} → {option}"));
                Ask::Choose { option }
            }
            (Waiting::Value { question, offers, .. }, Say::First | Say::Value(_)) => {
                let part = if let Say::Value(part) = say { part } else { "" };
                let offered =
                    offers.iter().find(|offer| offer.value.contains(part) || offer.told.contains(part));
                let value = offered.map_or_else(|| part.to_owned(), |offer| offer.value.clone());
                let told = offered.map_or("typed", |offer| &offer.told);
                self.say(title, &format!("{question} ({} offered) → {value}: {told}", offers.len()));
                Ask::Answer { value }
            }
            (Waiting::Failed { reason, otherwise, .. }, Say::GoOn) => {
                let to =
                    otherwise.as_ref().unwrap_or_else(|| panic!("{title} may not be gone on from: {reason}"));
                self.say(title, &format!("failed: {reason} → goes on to {to}"));
                Ask::GoOn
            }
            (Waiting::Failed { reason, .. }, Say::RefreshAndTryAgain) => {
                self.say(title, &format!("failed: {reason} → reads everything anew, tries again"));
                self.house.refresh().await;
                Ask::Proceed
            }
            (waiting, say) => panic!("{title}: {say:?} is no answer to {waiting:#?}\n{}", self.told),
        }
    }

    fn say(&mut self, title: &str, what: &str) {
        writeln!(self.told, "[{title}] {what}").unwrap();
    }

    fn tell_end(&mut self, run: &RunView) {
        let told = &mut self.told;
        writeln!(told, "\n{:?}\n", run.waiting).unwrap();
        for step in &run.steps {
            let mark = match step.status {
                StepStatus::Done => "✓",
                StepStatus::Skipped => "–",
                StepStatus::Failed => "✗",
                StepStatus::Unknown => "?",
                StepStatus::Now | StepStatus::ToCome => panic!("{} is not behind the run", step.title),
            };
            writeln!(told, "{mark} {}", step.title).unwrap();
        }
        writeln!(told).unwrap();
        for fact in &run.evidence {
            writeln!(told, "{} {}", if fact.good { "+" } else { "!" }, fact.text).unwrap();
        }
        writeln!(told, "\n{}", self.house.changes().join(" ")).unwrap();
    }
}

/// Walks a runbook on a key in a house just built, and holds all that it told.
async fn walk(name: &str, runbook: &str, alias: &str, script: &[Say]) -> House {
    let house = House::built().await;
    walk_in(house, name, runbook, alias, script).await
}

async fn walk_in(house: House, name: &str, runbook: &str, alias: &str, script: &[Say]) -> House {
    let target = Target::Key(house.key_named(alias));
    let (house, told) = Walk::through(house, runbook, target, script).await;
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(name, told) });
    house
}

const USER_DATA: &str = "buzz-tutor/user-data";
const MESSAGES: &str = "buzz-tutor/messages";

#[tokio::test(start_paused = true)]
async fn emergency_revocation() {
    let house = walk("revocation_rds", "emergency-revocation", USER_DATA, &[]).await;
    // RDS notices in a while, and the key comes back before its seven days are over.
    walk_in(
        drowned(house).await,
        "recovery_rds",
        "key-recovery",
        USER_DATA,
        &[Say::Choose("Yes"), Say::First, Say::Choose("No: go on")],
    )
    .await;
    walk("revocation_multi_region", "emergency-revocation", "buzz-tutor/reporting", &[]).await;
}

/// The house an hour later, when RDS has noticed that its key is down.
async fn drowned(mut house: House) -> House {
    house.pass(SignedDuration::from_hours(1));
    house.refresh().await;
    house
}

#[tokio::test(start_paused = true)]
async fn key_recovery() {
    walk("recovery_pending", "key-recovery", "buzz-tutor/legacy", &[Say::GoOn]).await;
}

#[tokio::test(start_paused = true)]
async fn standard_rotation_on_a_schedule() {
    walk(
        "rotation_schedule",
        "standard-rotation",
        "buzz-tutor/tde-development",
        &[Say::Choose("On a schedule")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn standard_rotation_on_demand() {
    walk("rotation_on_demand", "standard-rotation", MESSAGES, &[Say::Choose("Now, on demand")]).await;
}

#[tokio::test(start_paused = true)]
async fn standard_rotation_by_a_new_key() {
    walk(
        "rotation_new_key",
        "standard-rotation",
        "buzz-tutor/sessions",
        &[
            Say::Choose("By a new key"),
            Say::Value("sessions-2026"),
            // Nothing was wrapped anew: first the catalogs are too old to tell, then they tell.
            Say::RefreshAndTryAgain,
            Say::GoOn,
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn post_rotation_verification() {
    let mut house = House::built().await;
    house.pass(SignedDuration::from_mins(30));
    walk_in(house, "verification_good", "post-rotation-verification", USER_DATA, &[]).await;
    let mut house = House::built().await;
    house.pass(SignedDuration::from_mins(30));
    walk_in(
        house,
        "verification_never",
        "post-rotation-verification",
        "buzz-tutor/tde-development",
        &[Say::GoOn, Say::GoOn],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_proved_by_another_material() {
    let house = House::with_runbook(ROTATED_BY_SOMEBODY).await;
    let key = house.key_named(MESSAGES);
    let target = Target::Key(key.clone());
    let mut walk = Walk { house, script: [].into(), told: String::new() };
    walk.house.ask(Ask::Start { runbook: "own".into(), target, reason: "an alert".into() }).await;
    assert!(matches!(walk.house.waits().await.waiting, Waiting::Attestation));
    walk.house.ask(Ask::Attest { note: "not rotated yet".into() }).await;
    let Waiting::Failed { reason, .. } = walk.house.waits().await.waiting else { panic!("a failure") };
    assert!(reason.contains("the material in use is still"), "{reason}");
    {
        let now = walk.house.sim.clock().now();
        let mut world = walk.house.sim.world();
        let crate::simulator::world::World { kms, rng, .. } = &mut *world;
        kms.rotate(key.region(), key.id(), now, RotationType::OnDemand, rng);
    }
    walk.house.ask(Ask::Proceed).await;
    let end = walk.go().await;
    let proof = end.evidence.iter().find(|fact| fact.text.contains("no longer")).expect("proof");
    assert!(proof.good, "{}", proof.text);
}

const ROTATED_BY_SOMEBODY: &str = "+++
id = \"own\"
title = \"Own\"
summary = \"proves a rotation\"
+++
## Note
```step
check = \"key-material\"
```
## Rotate
By hand.
## Prove
```step
verify = \"new-material\"
```
";

const REVOKE: Say = Say::Choose("Revoke a grant");
const DENY: Say = Say::Choose("Deny a principal");
const MORE: Say = Say::Choose("No: contain more");
const CONTAINED: Say = Say::Choose("Yes: go on");

#[tokio::test(start_paused = true)]
async fn key_compromise_by_every_containment() {
    let mut house = House::built().await;
    house.pass(SignedDuration::from_mins(30));
    walk_in(
        house,
        "compromise",
        "key-compromise",
        USER_DATA,
        &[
            REVOKE,
            Say::First,
            MORE,
            DENY,
            Say::Value("BuzzTutorBackup"),
            MORE,
            Say::Choose("Cut off"),
            MORE,
            Say::Choose("Drop the key now"),
            CONTAINED,
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_principal_that_goes_on_is_not_called_cut_off_and_a_denial_is_taken_back() {
    let mut house = House::built().await;
    house.pass(SignedDuration::from_mins(30));
    // The account's own programs do not ask the key policy: this one goes on using the key.
    let script = [DENY, Say::Value("BuzzTutorApp"), Say::GoOn, CONTAINED];
    let house = walk_in(house, "compromise_goes_on", "key-compromise", USER_DATA, &script).await;
    // The key is up: what is left to take back is the denial.
    walk_in(house, "recovery_denial", "key-recovery", USER_DATA, &[Say::First]).await;
}

#[tokio::test(start_paused = true)]
async fn key_compromise_with_the_data_kept_readable() {
    walk(
        "compromise_rewrap",
        "key-compromise",
        "buzz-tutor/sessions",
        &[
            Say::Choose("Re-wrap first"),
            Say::Value("sessions-2026"),
            Say::RefreshAndTryAgain,
            Say::GoOn,
            CONTAINED,
        ],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn key_compromise_that_was_none() {
    walk("compromise_nothing", "key-compromise", MESSAGES, &[Say::Choose("Nothing more"), CONTAINED]).await;
}

#[tokio::test(start_paused = true)]
async fn key_loss_with_its_deletion_pending() {
    walk("loss_pending", "key-loss", "buzz-tutor/legacy", &[Say::Choose("Nothing yet"), Say::Choose("Yes")])
        .await;
    walk(
        "loss_pending_left",
        "key-loss",
        "buzz-tutor/legacy",
        &[Say::Choose("Nothing yet"), Say::Choose("No")],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn key_loss_of_a_deleted_key() {
    let house = House::built().await;
    let database = crate::model::pair::DatabaseRef {
        server: crate::model::catalog::ServerName("prod".into()),
        database: "buzz_arch".into(),
    };
    // Found by its column key: the key itself is in no inventory.
    let target = Target::ColumnKey { cek: "CEK_Lost".into(), database: Some(database) };
    let (_, told) = Walk::through(house, "key-loss", target, &[Say::Choose("The key")]).await;
    insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!("loss_gone", told) });
    // A key that is there is not gone.
    walk("loss_not_gone", "key-loss", MESSAGES, &[Say::Choose("The key"), Say::GoOn]).await;
}

#[tokio::test(start_paused = true)]
async fn key_loss_of_imported_material() {
    let house = House::built().await;
    let key = house.key_named("buzz-tutor/exam-scores-imported");
    let set = |state| house.sim.world().kms.key_mut(key.region(), key.id()).unwrap().state = state;
    set(KeyState::PendingImport);
    walk_in(
        house,
        "loss_imported",
        "key-loss",
        "buzz-tutor/exam-scores-imported",
        &[Say::Choose("The material"), Say::GoOn],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn key_loss_of_a_region() {
    let branch = [Say::Choose("The Region"), Say::Choose("Yes: point")];
    walk("loss_region", "key-loss", "buzz-tutor/reporting", &branch).await;
    walk("loss_region_alone", "key-loss", MESSAGES, &[Say::Choose("The Region"), Say::Choose("No")]).await;
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_is_said_and_journalled_once() {
    let mut house = House::built().await;
    let target = Target::Key(house.key_named(MESSAGES));
    house.ask(Ask::Start { runbook: "emergency-revocation".into(), target, reason: "r".into() }).await;
    let run = house.waits().await;
    assert!(!run.steps[run.current].overdue && run.steps[run.current].deadline.is_some());
    house.pass(SignedDuration::from_mins(6));
    let run = house.waits().await;
    assert!(run.steps[run.current].overdue, "{:?}", run.waiting);
    assert!(run.evidence.iter().any(|fact| fact.text == "the deadline of `Drop the gate` passed"));
    house.pass(SignedDuration::from_mins(6));
    house.ask(Ask::Leave).await;
    house.waits().await;
    assert_eq!(house.kinds.iter().filter(|kind| *kind == "step-overdue").count(), 1);
    house.restart(None).await;
    house.ask(Ask::Resume { run: 0 }).await;
    let run = house.waits().await;
    assert!(run.steps[run.current].overdue, "the journal has it");
    assert_eq!(house.kinds.iter().filter(|kind| *kind == "step-overdue").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_step_is_tried_again_by_itself_and_at_once_where_somebody_wants_it() {
    let document = "+++\nid = \"own\"\ntitle = \"Own\"\nsummary = \"s\"\n+++\n## Look\n```step\ncheck = \"key-state\"\nexpect = [\"Disabled\"]\nretries = 2\nretry_after = \"5m\"\non_failure = \"ask\"\notherwise = \"Last\"\n```\n## Between\nt\n## Last\nt\n";
    let mut house = House::with_runbook(document).await;
    house.start("own", "CEK_Messages_Body", "buzz_prod").await;
    let Waiting::Time { what, .. } = house.waits().await.waiting else { panic!("a wait") };
    assert!(what.contains("tried again (1 of 2)"), "{what}");
    house.ask(Ask::Proceed).await;
    let Waiting::Time { what, .. } = house.waits().await.waiting else { panic!("a wait") };
    assert!(what.contains("tried again (2 of 2)"), "{what}");
    house.pass(SignedDuration::from_mins(5));
    let Waiting::Failed { otherwise, .. } = house.waits().await.waiting else { panic!("a failure") };
    assert_eq!(otherwise.as_deref(), Some("Last"));
    house.ask(Ask::GoOn).await;
    let run = house.waits().await;
    assert_eq!(
        (run.current, run.status("Look"), run.status("Between")),
        (2, StepStatus::Failed, StepStatus::Skipped)
    );
}

#[tokio::test(start_paused = true)]
async fn wrong_answers_are_asked_for_again_with_the_reason() {
    let document = "+++\nid = \"own\"\ntitle = \"Own\"\nsummary = \"s\"\n+++\n## Agree\n```step\napproval = \"the owner\"\n```\n## Grant\n```step\nask = \"grant\"\n```\n## Who\n```step\nask = \"principal\"\n```\n## Key\n```step\nask = \"new-key\"\n```\n## Say\n{grant} {principal} {new_key}\n";
    let mut house = House::with_runbook(document).await;
    house.start("own", "CEK_User_12345", "buzz_prod").await;
    house.waits().await;
    for (by, note, word) in
        [("platform", "x", "asks for this"), ("", "x", "0 named"), ("Bea", "", "how you know")]
    {
        house.ask(Ask::Approved { by: vec![by.into()], note: note.into() }).await;
        let Waiting::Approval { wrong, .. } = house.waits().await.waiting else { panic!("{word}") };
        assert!(wrong.as_ref().is_some_and(|wrong| wrong.contains(word)), "{wrong:?}");
    }
    house.ask(Ask::Approved { by: vec!["Bea".into()], note: "phone".into() }).await;
    house.waits().await;
    house.answer_wrong("not-a-grant", "none of those offered").await;
    house.answer_first().await;
    house.answer_wrong("arn:aws:sts::111122223333:assumed-role/app/i-1", "name its role").await;
    house.ask(Ask::Answer { value: "arn:aws:iam::111122223333:role/app".into() }).await;
    house.waits().await;
    let own = house.key_named(USER_DATA).to_string();
    house.answer_wrong(&own, "the very key").await;
    let new = house.key_named(MESSAGES).to_string();
    house.ask(Ask::Answer { value: new.clone() }).await;
    let run = house.waits().await;
    let text = &run.steps[run.current].text;
    assert!(text.contains("arn:aws:iam::111122223333:role/app") && text.contains(&new), "{text}");
    assert_eq!(run.values.len(), 3);
    // What was answered outlives the process.
    house.restart(None).await;
    house.ask(Ask::Resume { run: 0 }).await;
    assert_eq!(house.waits().await.values, run.values);
}
