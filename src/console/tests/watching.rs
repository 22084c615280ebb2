//! Watching events: the list that stands still, what is left out, findings and what follows from them, alarms.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use ratatui::crossterm::event::Event as Input;

use super::finding::three;
use super::{Bench, fixture};
use crate::console::Mode;
use crate::detect::Finding;
use crate::model::event::{KeyEvent, Severity};
use crate::model::text::Untrusted;
use crate::respond::view::{Ask, Target};
use crate::trail::{Store, TrailView, parse};

const SIZE: (u16, u16) = (110, 30);

/// The trail with more events, happened so many minutes ago, and findings on those of them that have a rule.
fn trail_with(more: &[(u32, i64, &str, Option<&str>)]) -> Arc<TrailView> {
    let before = fixture::trail();
    let mut store = Store::new(1000);
    let mut findings: Vec<Finding> = before.findings.to_vec();
    for (number, minutes_ago, name, rule) in more {
        let severity = if rule.is_some() { Severity::High } else { Severity::Info };
        let event = KeyEvent {
            read_only: Some(rule.is_none()),
            severity,
            ..fixture::event_named(*number, *minutes_ago, name)
        };
        store.insert(event, "{\"eventID\":\"new\"}");
        findings.extend(rule.map(|rule| fixture::finding(rule, *number, *minutes_ago, severity)));
    }
    for rank in 0..before.events.len() {
        store.insert(before.events.get(rank).unwrap(), &before.events.raw(rank).unwrap());
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.at));
    Arc::new(TrailView { events: store.events().clone(), findings: findings.into(), ..before })
}

/// In the rows of the list, and nowhere else.
fn rows(bench: &Bench) -> String {
    let screen = bench.screen();
    screen.lines().skip_while(|line| !line.contains("SEVERITY")).skip(1).collect::<Vec<_>>().join("\n")
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stands_still_counts_what_comes() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("2<space>").await;
    assert!(bench.screen().contains("PAUSED, 0 newer"));
    bench.trail.send_replace(trail_with(&[(10, 1, "Encrypt", None), (11, 0, "Sign", None)]));
    bench.settle().await;
    assert!(bench.screen().contains("PAUSED, 2 newer"));
    assert!(!rows(&bench).contains("Encrypt"));
    bench.keys("/decrypt<enter>").await;
    assert!(bench.screen().contains("PAUSED, 2 newer") && rows(&bench).contains("Decrypt"));
    bench.keys("<esc><space>").await;
    assert!(!bench.screen().contains("PAUSED"));
    assert!(rows(&bench).contains("Encrypt") && rows(&bench).contains("Sign"));
}

#[tokio::test(start_paused = true)]
async fn only_findings_are_shown_and_daily_use_is_left_out() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("2f").await;
    assert!(bench.screen().contains("FINDINGS ONLY: 2"), "the muted one is no reason to look");
    let shown = rows(&bench);
    assert!(shown.contains("DisableKey") && shown.contains("ScheduleKeyDeletion"));
    assert!(!shown.contains("PutKeyPolicy") && !shown.contains("Decrypt"));
    bench.keys("fd").await;
    assert!(bench.screen().contains("WITHOUT DAILY USE: 4"));
    assert!(rows(&bench).contains("PutKeyPolicy") && !rows(&bench).contains("Decrypt"));
    bench.keys("<esc>").await;
    assert!(rows(&bench).contains("Decrypt"));
}

#[tokio::test(start_paused = true)]
async fn a_finding_starts_the_runbook_that_it_names_on_its_key() {
    let mut bench = Bench::respond(SIZE).await;
    bench.keys("2r").await;
    assert!(bench.screen().contains("Key recovery"), "{}", bench.screen());
    bench.keys("<enter><enter><enter>").await;
    let reason = Untrusted::from("somebody did it, event 0");
    let target = Target::Key(fixture::arn(1));
    assert_eq!(bench.asked(), [Ask::Start { runbook: "key-recovery".into(), target, reason }]);
    let bench = Bench::watch(SIZE).await;
    bench.keys("2r").await;
    assert!(bench.screen().contains("read-only: nothing can be changed here"));
}

#[tokio::test(start_paused = true)]
async fn what_is_new_and_severe_is_called_out_once_on_every_screen() {
    let bench = Bench::watch(SIZE).await;
    assert!(!bench.screen().contains("a show"), "what was there before is not new");
    assert_eq!(bench.rung.load(Ordering::Relaxed), 0);
    let new = trail_with(&[(12, 0, "PutKeyPolicy", Some("kms-key-policy-public"))]);
    bench.trail.send_replace(Arc::clone(&new));
    bench.settle().await;
    for screen in ["1", "2", "3", "5"] {
        bench.keys(screen).await;
        assert!(
            bench.screen().contains("▲ HIGH 14:02:31Z · somebody did it, event 12"),
            "{}",
            bench.screen()
        );
    }
    bench.trail.send_replace(Arc::clone(&new));
    bench.settle().await;
    assert_eq!(bench.rung.load(Ordering::Relaxed), 1, "once, however often it is found");
    bench.keys("1x").await;
    assert!(!bench.screen().contains("HIGH 14:02:31Z"));
    bench.trail.send_replace(new);
    bench.settle().await;
    assert!(!bench.screen().contains("HIGH 14:02:31Z"), "and it does not come back");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_leads_to_its_event_whatever_the_list_left_out() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("2/zebra<enter>f<space>1").await;
    let late = trail_with(&[
        (12, 8, "PutKeyPolicy", Some("kms-key-policy-public")),
        (13, 60, "EnableKey", Some("kms-key-disabled")),
    ]);
    bench.trail.send_replace(late);
    bench.settle().await;
    assert!(bench.screen().contains("event 12"), "an event of 8 minutes ago that came late is news");
    assert!(!bench.screen().contains("event 13"), "one of an hour ago is not");
    bench.keys("a").await;
    let screen = bench.screen();
    assert!(screen.contains("[2 Events]") && screen.contains("changed the policy of"), "{screen}");
    assert!(screen.contains("CRITICAL") || screen.contains("HIGH"));
    bench.keys("a").await;
    assert!(bench.screen().contains("no alarm stands"));
}

#[tokio::test(start_paused = true)]
async fn a_bell_that_settings_silence_is_silent_and_the_alarm_stands() {
    let mut options = fixture::options(Mode::Watch);
    options.bell = false;
    let bench = Bench::with(SIZE, options).await;
    bench.trail.send_replace(trail_with(&[(12, 0, "StopLogging", Some("trail-stopped"))]));
    bench.settle().await;
    assert!(bench.screen().contains("event 12"));
    assert_eq!(bench.rung.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn records_that_could_not_be_read_can_be_looked_at() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("2u").await;
    assert!(bench.screen().contains("every record that came could be read"));
    let mut store = Store::new(10);
    store.note_unparsed(parse("{\"eventName\": \u{1b}[2J").unwrap_err());
    let trail = TrailView { events: store.events().clone(), ..fixture::trail() };
    bench.trail.send_replace(Arc::new(trail));
    bench.settle().await;
    assert!(bench.screen().contains("1 records not read: u"));
    bench.keys("u").await;
    assert!(bench.screen().contains("1 records could not be read"));
    bench.keys("<enter>").await;
    assert!(bench.screen().contains("AS IT CAME") && bench.screen().contains("␛[2J"), "{}", bench.screen());
    bench.keys("y<esc><esc>").await;
    assert!(bench.copied.lock().unwrap().pop_front().unwrap().contains("eventName"));
    assert!(!bench.screen().contains("AS IT CAME"));
    bench.input(Input::Resize(90, 24)).await;
    assert!(bench.running());
}

#[tokio::test(start_paused = true)]
async fn times_are_asked_for_like_everything_else() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("2/at:13:50<enter>").await;
    assert!(rows(&bench).contains("ScheduleKeyDeletion") && !rows(&bench).contains("DisableKey"));
    bench.keys("/<ctrl-u>at:13:00..13:55 -does:use<enter>").await;
    let shown = rows(&bench);
    assert!(shown.contains("PutKeyPolicy") && !shown.contains("Decrypt") && !shown.contains("DisableKey"));
    bench.keys("/<ctrl-u>at:25<enter>").await;
    assert!(bench.screen().contains("`at:` takes a UTC time"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn events_of_several_environments_are_one_list() {
    let three = three((140, 40)).await;
    let bench = &three.bench;
    three.trail.send_replace(trail_with(&[(20, 1, "CreateGrant", None)]));
    bench.keys("2").await;
    let shown = rows(bench);
    let first: Vec<&str> = shown.lines().take(2).collect();
    assert!(first[0].contains("CreateGrant") && first[0].contains("staging"), "the newest first\n{shown}");
    assert!(first[1].contains("DisableKey"), "{shown}");
    assert!(shown.matches("production").count() > 2 && shown.matches("staging").count() > 3, "{shown}");
    bench.keys("/env:staging<enter>").await;
    let shown = rows(bench);
    assert!(!shown.contains("production") && shown.contains("CreateGrant"), "{shown}");
    assert!(bench.screen().contains("▸STAGING"), "{}", bench.screen());
    bench.keys("<esc>").await;
    assert!(bench.screen().contains("▸STAGING"), "the newest is its");
    bench.keys("EE").await;
    assert!(bench.screen().contains("environment: production"), "{}", bench.screen());
    assert!(bench.screen().contains("▸PRODUCTION"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_several_environments_says_which_and_leads_there() {
    let three = three((140, 40)).await;
    let bench = &three.bench;
    let new = trail_with(&[(12, 0, "PutKeyPolicy", Some("kms-key-policy-public"))]);
    three.trail.send_replace(new);
    bench.settle().await;
    assert!(bench.screen().contains("STAGING: somebody did it, event 12"), "{}", bench.screen());
    bench.keys("a").await;
    assert!(bench.screen().contains("▸STAGING"), "{}", bench.screen());
    assert!(bench.screen().contains("changed the policy of"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn rotations_that_did_not_come_are_counted_beside_the_events() {
    let bench = Bench::watch(SIZE).await;
    let before = fixture::trail();
    let overdue = Finding {
        id: "kms-rotation-overdue/key".into(),
        events: Vec::new(),
        ..fixture::finding("kms-rotation-overdue", 1, 600, Severity::Notice)
    };
    let findings: Vec<Finding> = before.findings.iter().cloned().chain([overdue]).collect();
    bench.trail.send_replace(Arc::new(TrailView { findings: findings.into(), ..before }));
    bench.keys("2").await;
    assert!(bench.screen().contains("1 rotation overdue: 1 shows it"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn a_span_of_time_is_asked_for_like_everything_else() {
    let bench = Bench::watch(SIZE).await;
    bench.trail.send_replace(trail_with(&[(30, 3, "Encrypt", None), (31, 200, "Sign", None)]));
    bench.keys("2/since:2h<enter>").await;
    assert!(rows(&bench).contains("Encrypt") && !rows(&bench).contains("Sign"), "{}", bench.screen());
}
