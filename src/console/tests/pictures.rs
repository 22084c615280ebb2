//! Whole screens, held by snapshots. With `PORTCULLIS_PICTURES=DIR` they are written as SVG too, to be looked at.

use std::sync::Arc;

use super::{Bench, fixture};
use crate::console::theme::ThemeName;
use crate::console::{Face, Mode, PretendDevice};
use crate::gate::Preview;
use crate::model::aspect::Aspect;
use crate::model::event::Severity;
use crate::model::plan::Operation;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::respond::view::{Offer, Standing, StandingChange, Told, Unfinished, Waiting};
use crate::settings::Environment;
use crate::trail::{KeyTrail, TrailView};

const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (160, 45);

fn held(name: &str, bench: &Bench) {
    held_in(name, bench, ThemeName::Dark);
}

fn held_in(name: &str, bench: &Bench, theme: ThemeName) {
    if let Ok(folder) = std::env::var("PORTCULLIS_PICTURES") {
        let path = std::path::Path::new(&folder).join(format!("{name}.svg"));
        std::fs::write(path, crate::console::svg::svg(&bench.buffer(), theme)).unwrap();
    }
    insta::assert_snapshot!(name, bench.screen());
}

fn confirmation(wrong: Option<&str>) -> Told {
    Told::Run(Box::new(fixture::run(Waiting::Confirmation {
        preview: Box::new(fixture::preview()),
        wrong: wrong.map(str::to_owned),
    })))
}

fn standing() -> Told {
    Told::Standing(Standing {
        changes: vec![StandingChange {
            key: fixture::arn(1),
            key_name: "buzz-tutor/user-data".into(),
            operation: Operation::DisableKey,
            at: fixture::now() - jiff::SignedDuration::from_mins(6),
            agreeing_reads: 3,
            exposed_until: Some(fixture::now() + jiff::SignedDuration::from_mins(114)),
        }],
        unfinished: Vec::new(),
        owed: vec!["SNS 1".into()],
    })
}

#[tokio::test(start_paused = true)]
async fn keys_narrow_and_wide() {
    held("keys_80x24", &Bench::watch(NARROW).await);
    held("keys_160x45", &Bench::watch(WIDE).await);
}

#[tokio::test(start_paused = true)]
async fn a_pair_in_detail() {
    let bench = Bench::watch(NARROW).await;
    held("detail_80x24", bench.keys("<end><up><up><up><enter>").await);
    let bench = Bench::respond(WIDE).await;
    held("detail_160x45", bench.keys("/user_12345<enter><enter>").await);
}

/// CloudTrail's answer about the first key: its last six hours.
async fn uses_answered(bench: &Bench) {
    let since = fixture::now() - jiff::SignedDuration::from_hours(6);
    let answer = KeyTrail::new(since, fixture::now(), fixture::uses().events().clone());
    bench.answer(fixture::arn(1), Seen::Known(Arc::new(answer))).await;
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_key() {
    let bench = Bench::watch(NARROW).await.trail_just_begun().await;
    bench.keys("/user_12345<enter>d").await;
    uses_answered(&bench).await;
    held("dependents_80x24", &bench);
    held("dependents_below_80x24", bench.keys("<pgdn><pgdn>").await);
    held("dependents_end_80x24", bench.keys("<end>").await);
    let bench = Bench::respond(WIDE).await.trail_just_begun().await;
    bench.keys("/user_12345<enter>d").await;
    uses_answered(&bench).await;
    held("dependents_160x45", &bench);
    held("dependents_end_160x45", bench.keys("<end>").await);
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_key_of_which_little_can_be_seen() {
    let mut bench = Bench::watch(WIDE).await.trail_just_begun().await;
    bench.keys("/halfseen<enter>d").await;
    assert_eq!(bench.asked_about(), [fixture::arn(6)]);
    held("dependents_loading_160x45", &bench);
    let why = NotVisible::new(Cause::Denied, "cloudtrail:LookupEvents was denied (AccessDenied)");
    bench.answer(fixture::arn(6), Seen::NotVisible(why)).await;
    held("dependents_hidden_160x45", &bench);
}

#[tokio::test(start_paused = true)]
async fn who_uses_the_key_at_the_gate() {
    for (name, size) in [("80x24", NARROW), ("160x45", WIDE)] {
        let bench = Bench::respond(size).await.trail_just_begun().await;
        bench.tell(confirmation(None)).await;
        bench.keys("buzz-tutor/us<ctrl-d>").await;
        uses_answered(&bench).await;
        held(&format!("gate_who_{name}"), &bench);
        held(&format!("gate_used_{name}"), bench.keys("<esc>").await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_filter_as_it_is_typed() {
    let bench = Bench::watch(NARROW).await;
    held("filter_80x24", bench.keys("/db:arch leg").await);
    held("filter_empty_80x24", bench.keys("nothing").await);
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_is_none_and_one_that_nothing_has() {
    let bench = Bench::watch(NARROW).await;
    held("filter_mistake_80x24", bench.keys("/db:arch age:>abc").await);
    let bench = Bench::watch(NARROW).await;
    held("filter_loose_80x24", bench.keys("/usrdat").await);
}

#[tokio::test(start_paused = true)]
async fn groups_marks_and_menus() {
    let bench = Bench::watch(NARROW).await;
    held("grouped_80x24", bench.keys("b<down><left><down><down>mm").await);
    held("copy_80x24", bench.keys("y").await);
    held("view_80x24", bench.keys("<esc>v<down><down>").await);
}

#[tokio::test(start_paused = true)]
async fn several_environments() {
    held("several_80x24", &super::finding::three(NARROW).await.bench);
    let three = super::finding::three(WIDE).await;
    held("several_160x45", &three.bench);
    held("several_events_160x45", three.bench.keys("2").await);
    held("several_health_160x45", three.bench.keys("5").await);
}

#[tokio::test(start_paused = true)]
async fn events() {
    let bench = Bench::watch(NARROW).await;
    held("events_80x24", bench.keys("2").await);
    held("event_80x24", bench.keys("<down><down><enter>").await);
    let bench = Bench::watch(WIDE).await;
    held("events_160x45", bench.keys("2").await);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_over_a_list_that_stands_still() {
    let mut options = fixture::options(Mode::Respond { incident: fixture::incident() });
    for (name, size, theme) in [
        ("80x24", NARROW, ThemeName::Dark),
        ("160x45", WIDE, ThemeName::Dark),
        ("plain", NARROW, ThemeName::Monochrome),
    ] {
        options.theme = theme;
        let bench = Bench::with(size, options.clone()).await;
        bench.keys("2<space>d").await;
        let finding = fixture::finding("kms-key-policy-public", 6, 0, Severity::Critical);
        let before = fixture::trail();
        let findings = std::iter::once(finding).chain(before.findings.iter().cloned()).collect();
        bench.trail.send_replace(std::sync::Arc::new(TrailView { findings, ..before }));
        bench.settle().await;
        held_in(&format!("alarm_{name}"), &bench, theme);
    }
}

#[tokio::test(start_paused = true)]
async fn help_and_palette() {
    let bench = Bench::watch(NARROW).await;
    held("help_80x24", bench.keys("?").await);
    held("palette_80x24", bench.keys("<esc>:th").await);
    let bench = Bench::respond(WIDE).await;
    held("help_160x45", bench.keys("?").await);
    held("palette_160x45", bench.keys("<esc>:").await);
}

#[tokio::test(start_paused = true)]
async fn runbooks_and_the_form_that_starts_one() {
    let bench = Bench::respond(NARROW).await;
    held("runbooks_80x24", bench.keys("3").await);
    held("runbook_80x24", bench.keys("<enter>").await);
    held("start_80x24", bench.keys("1r<enter><enter>known leak").await);
    let bench = Bench::respond(WIDE).await;
    held("runbooks_160x45", bench.keys("3").await);
}

#[tokio::test(start_paused = true)]
async fn a_run() {
    for (name, size) in [("80x24", NARROW), ("160x45", WIDE)] {
        let bench = Bench::respond(size).await;
        let proceed = Waiting::Proceed { what: "read the state again".into() };
        bench.tell(Told::Run(Box::new(fixture::run(proceed)))).await;
        held(&format!("run_{name}"), &bench);
        bench.tell(Told::Run(Box::new(fixture::run(Waiting::Attestation)))).await;
        held(&format!("run_attest_{name}"), bench.keys("asked the owner").await);
        let failed = Waiting::Failed {
            reason: "kms:DisableKey was denied".into(),
            next: "ask for the role".into(),
            otherwise: None,
        };
        bench.tell(Told::Run(Box::new(fixture::run(failed)))).await;
        held(&format!("run_failed_{name}"), &bench);
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_asks() {
    let offer = |value: &str, told: &str| Offer { value: value.into(), told: told.into() };
    let offers =
        (1..=9).map(|n| offer(&format!("arn:aws:iam::111122223333:role/app-{n}"), "12 calls, last 13:58Z"));
    let value = Waiting::Value {
        question: "Who is to be denied? Pick one, or type the ARN of an IAM user or role.".into(),
        offers: offers.collect(),
        typed: true,
        wrong: None,
    };
    let approval = Waiting::Approval {
        by: "whoever owns the data under this key".into(),
        people: 2,
        wrong: Some("2 must agree, and 1 named: write NAME, NAME: how you know".into()),
    };
    let time = Waiting::Time {
        until: fixture::now() + jiff::SignedDuration::from_secs(95),
        what: "it is tried again (2 of 6): nobody has used the key with success since 13:58Z".into(),
    };
    let failed = Waiting::Failed {
        reason: "RDS: buzz-prod-1 is starting".into(),
        next: "Starting takes some minutes. Wait, then try again".into(),
        otherwise: Some("See that clients work".into()),
    };
    for (name, waiting, keys) in [
        ("value", value, "<down><down><down><down><down>"),
        ("approval", approval, "Bea: by telephone"),
        ("time", time, ""),
        ("otherwise", failed, "<down>"),
    ] {
        let bench = Bench::respond(NARROW).await;
        let mut view = fixture::run(waiting);
        view.values = vec![("grant", "546fe02339f74a2f".into())];
        if name == "time" {
            let step = &mut view.steps[2];
            (step.overdue, step.deadline) = (true, Some(fixture::now() - jiff::SignedDuration::from_mins(3)));
        }
        bench.tell(Told::Run(Box::new(view))).await;
        held(&format!("run_{name}_80x24"), bench.keys(keys).await);
    }
}

#[tokio::test(start_paused = true)]
async fn the_gate() {
    for (name, size) in [("80x24", NARROW), ("160x45", WIDE)] {
        let bench = Bench::respond(size).await;
        bench.tell(confirmation(None)).await;
        held(&format!("gate_{name}"), bench.keys("buzz-tutor/us").await);
        held(&format!("gate_wrong_{name}"), bench.keys("xx<enter>").await);
        bench.tell(standing()).await;
        let finished = Waiting::Finished {
            summary: "the gate is down, and it was proved".into(),
            undo: Some(Operation::EnableKey),
        };
        let mut view = fixture::run(finished);
        view.undo = Some(Operation::EnableKey);
        view.current = view.steps.len();
        bench.tell(Told::Run(Box::new(view))).await;
        held(&format!("finished_{name}"), &bench);
    }
}

#[tokio::test(start_paused = true)]
async fn the_gate_before_what_is_for_good_and_what_shuts_out() {
    let principal = "arn:aws:iam::111122223333:role/app-decryptor".to_owned();
    let digest = crate::model::plan::Digest("ab".repeat(32));
    let grant = crate::model::operation::tests::each()[6].clone();
    for (name, operation, beside) in [
        ("deletion", Operation::ScheduleKeyDeletion { days: 30 }, None),
        (
            "denial",
            Operation::DenyPrincipal { principal },
            Some(Aspect::Policy { policy_digest: digest, denied: false }),
        ),
        ("grant", grant.clone(), crate::model::operation::tests::observed(&grant).beside),
    ] {
        let mut plan = fixture::preview().plan;
        plan.operation = operation;
        plan.observed.beside = beside;
        let environment = Environment {
            production: true,
            alert_topic: Some("arn:aws:sns:eu-west-1:111122223333:alerts".into()),
            ..crate::cloud::canned::environment()
        };
        let dependents = fixture::preview().dependents;
        let acting_as = "emergency-key-admin, MFA code asked next, for 15 min".to_owned();
        let preview = Preview::of(plan, dependents, &environment, acting_as).unwrap();
        let wrong = preview.plan.key_name.clone();
        let preview = Box::new(preview);
        let bench = Bench::respond((100, 60)).await;
        bench.tell(Told::Run(Box::new(fixture::run(Waiting::Confirmation { preview, wrong: None })))).await;
        held(&format!("gate_{name}"), bench.keys(&format!("{wrong}<enter>")).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_is_asked_for_and_not_shown() {
    for (name, size) in [("80x24", NARROW), ("160x45", WIDE)] {
        let bench = Bench::respond(size).await;
        bench.tell(Told::Run(Box::new(fixture::run(fixture::code_wanted(None))))).await;
        held(&format!("mfa_{name}"), bench.keys("4821").await);
        let wrong = "the MFA code was not accepted: MultiFactorAuthentication failed. A code works once: wait for the next one";
        bench.tell(Told::Run(Box::new(fixture::run(fixture::code_wanted(Some(wrong)))))).await;
        held(&format!("mfa_wrong_{name}"), bench.keys("48<enter>").await);
        assert!(!bench.screen().contains("48"), "what was typed is not shown");
    }
    let mut options =
        fixture::options(Mode::Drill { incident: fixture::incident(), scenario: "leak".into() });
    let face = |used| Face { code: "482170".into(), seconds_left: 17, used };
    options.device = Some(PretendDevice::new(move |_| face(false)));
    let bench = Bench::with(NARROW, options.clone()).await;
    bench.tell(Told::Run(Box::new(fixture::run(fixture::code_wanted(None))))).await;
    held("mfa_drill_80x24", &bench);
    options.device = Some(PretendDevice::new(move |_| face(true)));
    let bench = Bench::with(NARROW, options).await;
    bench.tell(Told::Run(Box::new(fixture::run(fixture::code_wanted(None))))).await;
    assert!(bench.screen().contains("used already, the next code in 17 s"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn timeline_and_health() {
    let bench = Bench::respond(NARROW).await;
    bench.tell(Told::Journal(fixture::journal())).await;
    bench
        .tell(Told::Standing(Standing {
            unfinished: vec![Unfinished {
                run: 12,
                key_name: "buzz-tutor/user-data".into(),
                operation: Operation::DisableKey,
                intended_at: fixture::now() - jiff::SignedDuration::from_mins(9),
                now: "Enabled".into(),
                answered: false,
            }],
            ..Standing::default()
        }))
        .await;
    held("timeline_80x24", bench.keys("4").await);
    held("health_80x24", bench.keys("5").await);
    let bench = Bench::respond(WIDE).await;
    bench.tell(Told::Journal(fixture::journal())).await;
    bench.tell(standing()).await;
    held("timeline_160x45", bench.keys("4").await);
    held("health_160x45", bench.keys("5").await);
}

#[tokio::test(start_paused = true)]
async fn too_small() {
    let bench = Bench::watch((40, 10)).await;
    held("too_small", &bench);
}

#[tokio::test(start_paused = true)]
async fn every_theme_and_monochrome_without_a_colour() {
    for theme in ThemeName::ALL {
        let mut options =
            fixture::options(Mode::Drill { incident: fixture::incident(), scenario: "leak".into() });
        options.theme = theme;
        options.places[0].simulated = true;
        options.places[0].production = theme == ThemeName::HighContrast;
        options.places[0].environment = "simulated".into();
        let bench = Bench::with((120, 30), options).await;
        bench.tell(standing()).await;
        held_in(&format!("theme_{}", theme.word()), &bench, theme);
        if theme == ThemeName::Monochrome {
            let plain = |cell: &ratatui::buffer::Cell| {
                cell.fg == ratatui::style::Color::Reset && cell.bg == ratatui::style::Color::Reset
            };
            assert!(bench.buffer().content.iter().all(plain));
            assert!(bench.buffer().content.iter().any(|cell| !cell.modifier.is_empty()));
        }
    }
}
