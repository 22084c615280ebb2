//! What keys do, from the first press to what is asked of the responder.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ratatui::crossterm::event::{Event as Input, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::{Bench, fixture};
use crate::console::commands::{ALL, Command};
use crate::console::screens::Screen;
use crate::console::{Exit, Mode};
use crate::inventory::Progress;
use crate::model::pair::Inventory;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::source::Source;
use crate::model::text::Untrusted;
use crate::respond::view::{Ask, Offer, Standing, Target, Told, Unfinished, Waiting};
use crate::trail::{KeyTrail, Store, TrailView};

const SIZE: (u16, u16) = (100, 30);

fn gate(wrong: Option<&str>) -> Told {
    let preview = Box::new(fixture::preview());
    Told::Run(Box::new(fixture::run(Waiting::Confirmation { preview, wrong: wrong.map(str::to_owned) })))
}

fn run(waiting: Waiting) -> Told {
    Told::Run(Box::new(fixture::run(waiting)))
}

#[tokio::test(start_paused = true)]
async fn the_gate_takes_the_whole_name_and_nothing_else() {
    let mut bench = Bench::respond(SIZE).await;
    bench.tell(gate(None)).await;
    bench.keys("<enter>").await;
    assert!(bench.screen().contains("enter alone never drops the gate"));
    bench.keys("buzz-tutor/user-data<enter>").await;
    assert!(bench.screen().contains("not the whole of it yet"));
    bench.keys(" PRODUCTION<enter>").await;
    assert!(bench.screen().contains("nothing happened"));
    bench.input(Input::Paste("buzz-tutor/user-data production".into())).await;
    assert!(bench.screen().contains("pasting is not taken here"));
    assert_eq!(bench.asked(), []);
    bench.keys("<ctrl-u>buzz-tutor/user-data production<enter><enter><enter>").await;
    let typed = "buzz-tutor/user-data production".to_owned();
    assert_eq!(bench.asked(), [Ask::Confirm { typed }], "and once only, however often enter is pressed");
    bench.tell(gate(Some("the plan is stale"))).await;
    assert!(bench.screen().contains("the plan is stale"));
}

#[tokio::test(start_paused = true)]
async fn a_code_is_taken_once_and_only_if_it_is_one() {
    let mut bench = Bench::respond(SIZE).await;
    bench.tell(run(fixture::code_wanted(None))).await;
    bench.keys("<enter>12345<enter>").await;
    assert!(bench.screen().contains("a code is six digits"));
    assert_eq!(bench.asked(), []);
    bench.keys("123456<enter><enter>").await;
    let code = crate::cloud::MfaCode::read("123 456").unwrap();
    assert_eq!(bench.asked(), [Ask::MfaCode { code }]);
    bench.tell(run(fixture::code_wanted(Some("no")))).await;
    bench.keys("12<esc><esc>").await;
    assert_eq!(bench.asked(), [Ask::Leave], "the first esc takes back what was typed");
}

#[tokio::test(start_paused = true)]
async fn esc_leaves_the_gate_and_nothing_happens() {
    let mut bench = Bench::respond(SIZE).await;
    bench.tell(gate(None)).await;
    bench.keys("buzz-tutor/user-data production<esc>").await;
    assert_eq!(bench.asked(), [Ask::Leave]);
}

#[tokio::test(start_paused = true)]
async fn who_uses_the_key_is_seen_at_the_gate_and_nothing_fires_from_there() {
    let mut bench = Bench::respond(SIZE).await.trail_just_begun().await;
    bench.tell(gate(None)).await;
    bench.keys("buzz-tutor/user-data production<ctrl-d>").await;
    assert!(bench.screen().contains("WHAT DEPENDS ON buzz-tutor/user-data"), "{}", bench.screen());
    assert_eq!(bench.asked_about(), [fixture::arn(1)]);
    bench.keys("<enter>").await;
    assert!(bench.screen().contains("STOPS WORKING"), "enter leads back to the plan");
    bench.keys("<ctrl-d><esc>").await;
    assert!(bench.screen().contains("STOPS WORKING"), "so does esc");
    assert_eq!(bench.asked(), [], "neither of them answers the gate");
    bench.keys("<enter>").await;
    assert_eq!(bench.asked(), [Ask::Confirm { typed: "buzz-tutor/user-data production".into() }]);
}

#[tokio::test(start_paused = true)]
async fn what_depends_on_a_key_is_opened_asked_for_once_and_closed() {
    let mut bench = Bench::watch(SIZE).await.trail_just_begun().await;
    bench.keys("/user_12345<enter>d").await;
    assert!(bench.screen().contains("WHAT DEPENDS ON buzz-tutor/user-data"));
    assert!(bench.screen().contains("loading"), "who uses it is being asked for");
    bench.keys("d").await;
    assert!(!bench.screen().contains("WHAT DEPENDS ON"));
    bench.keys("d<left>d<esc>d").await;
    assert_eq!(bench.asked_about(), [fixture::arn(1)], "once, while the answer is under way");
    let now = fixture::now();
    let since = now - jiff::SignedDuration::from_mins(20);
    let short = KeyTrail::new(since, now, fixture::uses().events().clone());
    bench.answer(fixture::arn(1), Seen::Known(Arc::new(short))).await;
    bench.keys("<esc>d").await;
    assert_eq!(bench.asked_about(), [], "it was asked just now");
    tokio::time::sleep(Duration::from_secs(61)).await;
    bench.keys("<esc>d").await;
    assert_eq!(bench.asked_about(), [fixture::arn(1)], "its last hour is still not known");
    // A failure takes away nothing that was read.
    let why = NotVisible::new(Cause::Throttled, "throttled");
    bench.answer(fixture::arn(1), Seen::NotVisible(why)).await;
    bench.keys("<pgdn>").await;
    assert!(bench.screen().contains("not known before 13:42Z"), "{}", bench.screen());
    bench.keys("<esc><esc>/Cert<enter>d").await;
    assert!(bench.screen().contains("this row leads to no KMS key"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn a_runbook_is_started_on_the_selected_pair() {
    let mut bench = Bench::respond(SIZE).await;
    bench.keys("/user_12345<enter>r<enter><enter><enter>").await;
    assert!(bench.screen().contains("say why"));
    bench.keys("alert 7<enter>").await;
    let target =
        Target::ColumnKey { cek: "CEK_User_12345".into(), database: Some(fixture::database("buzz_prod")) };
    let reason = Untrusted::from("alert 7");
    assert_eq!(bench.asked(), [Ask::Start { runbook: "emergency-revocation".into(), target, reason }]);
}

#[tokio::test(start_paused = true)]
async fn a_typed_target_is_looked_up_and_one_that_is_not_there_refused() {
    let mut bench = Bench::respond(SIZE).await;
    bench.keys("3<down>r<ctrl-u>CEK_Nowhere").await;
    assert!(bench.screen().contains("no column key `CEK_Nowhere` is visible"));
    bench.keys("<ctrl-u>CEK_Payments<enter>why<enter>").await;
    let target =
        Target::ColumnKey { cek: "CEK_Payments".into(), database: Some(fixture::database("buzz_prod")) };
    let asked = bench.asked();
    assert!(
        matches!(&asked[..], [Ask::Start { runbook, target: t, .. }] if runbook == "key-recovery" && *t == target),
        "{asked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_kind_of_waiting_is_answered_by_enter_once() {
    let mut bench = Bench::respond(SIZE).await;
    bench.tell(run(Waiting::Proceed { what: "go".into() })).await;
    bench.keys("<enter><enter>").await;
    assert_eq!(bench.asked(), [Ask::Proceed]);
    bench.tell(run(Waiting::Attestation)).await;
    bench.keys("done: q?/:1<enter>").await;
    assert_eq!(bench.asked(), [Ask::Attest { note: "done: q?/:1".into() }]);
    bench.tell(run(Waiting::Choice { question: "?".into(), options: vec!["a".into(), "b".into()] })).await;
    bench.keys("<down><enter>").await;
    assert_eq!(bench.asked(), [Ask::Choose { option: "b".into() }]);
    bench.tell(run(Waiting::Failed { reason: "no".into(), next: "again".into(), otherwise: None })).await;
    bench.keys("<enter>").await;
    assert_eq!(bench.asked(), [Ask::Proceed]);
    let otherwise = Some("Later".to_owned());
    bench.tell(run(Waiting::Failed { reason: "no".into(), next: "again".into(), otherwise })).await;
    bench.keys("<down><enter>").await;
    assert_eq!(bench.asked(), [Ask::GoOn]);
    bench.tell(run(Waiting::Time { until: fixture::now(), what: "it goes on".into() })).await;
    bench.keys("<enter>").await;
    assert_eq!(bench.asked(), [Ask::Proceed]);
    let offers = ["a", "b"].map(|value| Offer { value: value.into(), told: "t".into() }).to_vec();
    let asks = |typed| Waiting::Value { question: "?".into(), offers: offers.clone(), typed, wrong: None };
    bench.tell(run(asks(false))).await;
    bench.keys("<down>x<enter>").await;
    assert_eq!(
        bench.asked(),
        [Ask::Answer { value: "b".into() }],
        "letters are no answer where none is taken"
    );
    bench.tell(run(asks(true))).await;
    bench.keys("q:role/x<enter>").await;
    assert_eq!(bench.asked(), [Ask::Answer { value: "q:role/x".into() }]);
    bench.tell(run(Waiting::Approval { by: "the owner".into(), people: 2, wrong: None })).await;
    bench.keys("Bea, Carl: by telephone: both<enter>").await;
    let by = vec!["Bea".to_owned(), "Carl".to_owned()];
    assert_eq!(bench.asked(), [Ask::Approved { by, note: "by telephone: both".into() }]);
    bench.tell(run(Waiting::Failed { reason: "no".into(), next: "again".into(), otherwise: None })).await;
    bench.keys("<enter>").await;
    assert_eq!(bench.asked(), [Ask::Proceed]);
    bench.tell(Told::Refused { reason: "the role is gone".into() }).await;
    assert!(bench.screen().contains("the role is gone"));
    bench.keys("<enter>").await;
    assert_eq!(bench.asked(), [Ask::Proceed], "what was refused can be asked again");
}

#[tokio::test(start_paused = true)]
async fn what_was_left_is_taken_up_and_what_is_owed_sent_again() {
    let mut bench = Bench::respond(SIZE).await;
    bench.keys("3c").await;
    assert!(bench.screen().contains("nothing was left unfinished"));
    let unfinished = Unfinished {
        run: 3,
        key_name: "k".into(),
        operation: crate::model::plan::Operation::DisableKey,
        intended_at: fixture::now(),
        now: "Disabled".into(),
        answered: true,
    };
    bench.tell(Told::Standing(Standing { unfinished: vec![unfinished], ..Standing::default() })).await;
    assert!(bench.screen().contains("UNFINISHED disable-key on k"));
    bench.tell(run(Waiting::Left)).await;
    bench.keys("3c4wnhello<enter>u").await;
    assert_eq!(
        bench.asked(),
        [Ask::Resume { run: 3 }, Ask::SettleOwed, Ask::Note { text: "hello".into() }, Ask::Undo]
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_killed_between_two_steps_is_named_and_taken_up_from_anywhere() {
    let mut bench = Bench::respond(SIZE).await;
    bench.tell(Told::Journal(fixture::run_started(4))).await;
    assert!(bench.screen().contains("a run that was left or killed: c goes on"));
    bench.keys("c").await;
    assert_eq!(bench.asked(), [Ask::Resume { run: 4 }]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_begins_now_is_not_called_left() {
    let bench = Bench::respond(SIZE).await;
    bench.tell(Told::Journal(Vec::new())).await;
    bench.tell(Told::Journal(fixture::run_started(0))).await;
    assert!(!bench.screen().contains("left or killed"));
}

#[tokio::test(start_paused = true)]
async fn the_selection_stays_at_the_top_until_somebody_chooses() {
    let bench = Bench::respond((160, 45)).await;
    let whole = fixture::inventory();
    let top = bench.screen();
    bench
        .inventory
        .send_replace(Arc::new(Inventory { rows: whole.rows[..1].to_vec().into(), ..whole.clone() }));
    bench.settle().await;
    bench.inventory.send_replace(Arc::new(whole.clone()));
    bench.settle().await;
    assert_eq!(bench.screen(), top, "what is most urgent is selected again");
}

#[tokio::test(start_paused = true)]
async fn the_mode_stands_on_a_narrow_screen_too() {
    let bench = Bench::watch((80, 24)).await;
    assert!(bench.screen().lines().next().unwrap().contains("READ-ONLY"), "{}", bench.screen());
    let bench = Bench::respond((80, 24)).await;
    assert!(bench.screen().lines().next().unwrap().contains("INC-"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn while_the_gate_is_at_work_quitting_is_asked_about() {
    let bench = Bench::respond(SIZE).await;
    bench.tell(run(Waiting::Program("calling kms:DisableKey".into()))).await;
    bench.keys("q").await;
    assert!(bench.screen().contains("The run is at work"));
    bench.keys("<enter><esc>").await;
    assert!(bench.running() && !bench.screen().contains("The run is at work"));
    bench.keys("<ctrl-c>y").await;
    assert_eq!(bench.exit().await, Exit::Quit);
}

#[tokio::test(start_paused = true)]
async fn every_command_can_be_reached_by_palette_and_none_acts_in_watch_mode() {
    for screen in Screen::TABS {
        for entry in ALL.iter().filter(|entry| entry.command != Command::Quit && entry.works_on(screen)) {
            let bench = Bench::watch(SIZE).await;
            assert!(bench.asks.is_closed(), "in watch mode nobody holds the other end");
            let tab = entry_key(screen);
            bench.keys(&format!("{tab}:{}<enter>", entry.word)).await;
            assert!(bench.running(), "{}", entry.word);
            assert!(!bench.screen().contains("no command"), "{}", entry.word);
            if entry.acts {
                assert!(
                    bench.screen().contains("read-only: nothing can be changed")
                        || bench.screen().contains("nothing was left unfinished"),
                    "{} said:\n{}",
                    entry.word,
                    bench.screen()
                );
            }
        }
    }
}

fn entry_key(screen: Screen) -> usize {
    1 + Screen::TABS.iter().position(|tab| *tab == screen).unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_idle_screen_is_drawn_once_a_second_and_no_more() {
    let bench = Bench::watch(SIZE).await;
    let before = bench.draws();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(bench.draws() - before, 10);
    let before = bench.draws();
    bench.keys("jjjjjjjjjj").await;
    assert_eq!(bench.draws() - before, 1, "keys that wait together are drawn together");
    let before = bench.draws();
    bench.input(Input::FocusGained).await;
    assert_eq!(bench.draws(), before);
}

#[tokio::test(start_paused = true)]
async fn the_selection_stays_with_its_row_when_the_inventory_changes() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("/payments<enter>").await;
    bench.keys("<esc>").await;
    bench.keys("/report<enter>").await;
    bench.keys("ss").await;
    let mut changed = fixture::inventory();
    changed.rows.rotate_left(3);
    changed.rows.remove(0);
    bench.inventory.send(Arc::new(changed)).unwrap();
    bench.settle().await;
    bench.keys("yy").await;
    assert_eq!(bench.copied.lock().unwrap().back().unwrap(), fixture::arn(4).as_str());
}

#[tokio::test(start_paused = true)]
async fn from_a_key_to_its_events_and_back() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("/legacy<enter>e").await;
    assert!(bench.screen().contains("[2 Events]") && bench.screen().contains("ScheduleKeyDeletion"));
    assert!(!bench.screen().contains("PutKeyPolicy"));
    bench.keys("e").await;
    assert!(bench.screen().contains("[1 Keys]") && bench.screen().contains("CEK_Legacy"));
}

#[tokio::test(start_paused = true)]
async fn nothing_from_outside_reaches_the_terminal_unclean() {
    let bench = Bench::respond((200, 50)).await;
    bench.tell(Told::Journal(fixture::journal())).await;
    bench.tell(Told::Refused { reason: "\u{1b}[2Jgone\u{202e}".into() }).await;
    for keys in ["/evil<enter><enter>", "<esc>2<enter>", "<esc>4<enter>", "5"] {
        bench.keys(keys).await;
        for cell in &bench.buffer().content {
            assert!(!cell.symbol().chars().any(|c| c.is_control() || c == '\u{202e}'), "{:?}", cell.symbol());
        }
    }
    assert!(bench.keys("1").await.screen().contains("evil⟨U+202E⟩sal/␛[31mred"));
}

#[tokio::test(start_paused = true)]
async fn the_mouse_picks_tabs_and_rows_and_scrolls() {
    let bench = Bench::watch(SIZE).await;
    let at =
        |kind, column, row| Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE });
    let press = MouseEventKind::Down(MouseButton::Left);
    bench.input(at(press, 13, 2)).await;
    assert!(bench.screen().contains("[2 Events]"));
    bench.input(at(press, 4, 2)).await;
    bench.input(at(press, 20, 7)).await;
    bench.input(at(MouseEventKind::ScrollDown, 20, 7)).await;
    bench.input(at(press, 20, 7)).await.input(at(press, 20, 7)).await;
    assert!(bench.screen().contains("KMS KEY"), "a click on the selected row opens it:\n{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn the_screen_is_saved_as_text_and_as_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = fixture::options(Mode::Watch);
    options.save_dir = folder.path().join("saved");
    let bench = Bench::with(SIZE, options).await;
    bench.keys("S").await;
    assert!(bench.screen().contains("saved "));
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path().join("saved")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 2);
    assert!(std::fs::read_to_string(&names[0]).unwrap().starts_with("<svg"));
    assert!(std::fs::read_to_string(&names[1]).unwrap().contains("CEK_User_12345"));
}

#[tokio::test(start_paused = true)]
async fn the_plan_is_printed_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = fixture::options(Mode::Respond { incident: fixture::incident() });
    options.save_dir = folder.path().to_path_buf();
    let bench = Bench::with(SIZE, options).await;
    bench.tell(gate(None)).await.keys("<ctrl-p>").await;
    let file = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(&fixture::preview().digest.0) && text.contains("kms:DisableKey"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_asked_to_and_when_nobody_can_type_any_more() {
    let mut bench = Bench::watch(SIZE).await;
    bench.stop();
    assert_eq!(bench.exit().await, Exit::Shutdown);
    let bench = Bench::watch(SIZE).await;
    let Bench { input, console, .. } = bench;
    drop(input);
    assert_eq!(console.await.unwrap().unwrap(), Exit::InputEnded);
    let bench = Bench::watch(SIZE).await;
    bench.keys("q").await;
    assert_eq!(bench.exit().await, Exit::Quit);
}

#[tokio::test(start_paused = true)]
async fn refresh_asks_and_themes_change_but_not_under_no_color() {
    let bench = Bench::watch(SIZE).await;
    bench.keys("RT").await;
    assert_eq!(bench.refreshed.load(Ordering::Relaxed), 1);
    assert!(bench.screen().contains("theme: light"));
    let mut options = fixture::options(Mode::Watch);
    (options.no_color, options.theme) = (true, crate::console::theme::ThemeName::Monochrome);
    let bench = Bench::with(SIZE, options).await;
    assert!(bench.keys("T").await.screen().contains("NO_COLOR is set"));
}

#[tokio::test(start_paused = true)]
async fn a_resize_is_drawn() {
    let bench = Bench::watch(SIZE).await;
    bench.resize((50, 12));
    bench.settle().await;
    assert!(bench.screen().contains("portcullis needs 60 columns"));
    bench.resize((160, 45));
    bench.settle().await;
    assert!(bench.screen().contains("SQL SERVER"), "the detail stands beside the list");
}

#[tokio::test(start_paused = true)]
async fn new_events_come_in_at_the_top_while_an_older_one_is_read() {
    let bench = Bench::watch((160, 45)).await;
    bench.keys("2<down><down><enter>").await;
    let trail = fixture::trail();
    let mut newest = trail.events.get(0).unwrap();
    (newest.id, newest.name, newest.at) = ("event-new".into(), "CreateGrant".into(), fixture::now());
    let mut store = Store::new(1000);
    store.insert(newest, "{}");
    for event in trail.events.iter() {
        store.insert(event, "{}");
    }
    let trail = TrailView { events: store.events().clone(), ..trail };
    bench.trail.send(Arc::new(trail)).unwrap();
    bench.settle().await;
    assert!(bench.screen().contains("CreateGrant"));
    assert!(bench.screen().contains("mallory (via"));
}

#[tokio::test(start_paused = true)]
async fn among_very_many_pairs_each_is_found() {
    let bench = Bench::watch((200, 50)).await;
    bench.inventory.send(Arc::new(fixture::many_pairs(20_000))).unwrap();
    bench.settle().await;
    assert!(bench.screen().contains("20000 pairs"));
    bench.keys("/cek_012345<enter>").await;
    assert!(bench.screen().contains("1 of 20000") && bench.screen().contains("CEK_012345"));
    bench.keys("<esc>G").await;
    assert!(bench.screen().contains("CEK_019998") || bench.screen().contains("CEK_019999"));
}

#[tokio::test(start_paused = true)]
async fn while_the_first_facts_come_in_the_list_stays_at_its_top() {
    let bench = Bench::watch(SIZE).await;
    let mut half = fixture::inventory();
    half.keys.clear();
    bench.inventory.send(Arc::new(half)).unwrap();
    bench.settle().await;
    bench.inventory.send(Arc::new(fixture::inventory())).unwrap();
    bench.settle().await;
    bench.keys("yy").await;
    assert_eq!(bench.copied.lock().unwrap().back().unwrap(), fixture::arn(3).as_str(), "the most urgent one");
}

#[tokio::test(start_paused = true)]
async fn a_load_tells_how_far_it_has_come_until_it_is_done() {
    let bench = Bench::watch((160, 45)).await;
    let told = |done| Progress { what: "keys".into(), done, of: 10_000 };
    bench.progress.send_replace(told(4_210));
    bench.settle().await;
    assert!(bench.screen().contains("loading keys ▇▇▇▇▇▁▁▁▁▁ 4,210/10,000"), "{}", bench.screen());
    bench.progress.send_replace(told(10_000));
    bench.settle().await;
    assert!(!bench.screen().contains("loading keys"), "{}", bench.screen());
}

#[tokio::test(start_paused = true)]
async fn whoever_reads_keys_hears_which_are_on_screen() {
    let bench = Bench::watch((160, 45)).await;
    let looked_at = || bench.looked_at.lock().unwrap().clone();
    let shown =
        fixture::inventory().rows.iter().filter_map(|row| row.key_arn().cloned()).collect::<BTreeSet<_>>();
    assert_eq!(looked_at().into_iter().collect::<BTreeSet<_>>(), shown);
    let before = looked_at();
    bench.keys("jjj").await;
    assert_ne!(looked_at()[0], before[0], "the selected one comes first");
    bench.keys("2").await;
    assert!(looked_at().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_from_an_earlier_run_says_so_until_it_is_read_again() {
    let bench = Bench::watch((160, 45)).await;
    let fresh = bench.screen();
    let mut kept = fixture::inventory();
    for (source, health) in &mut kept.sources {
        if matches!(source, Source::Kms(_)) {
            health.kept = health.last_success;
            health.last_success = Some(fixture::now() - jiff::SignedDuration::from_hours(3));
        }
    }
    bench.inventory.send_replace(Arc::new(kept));
    bench.settle().await;
    let screen = bench.screen();
    assert!(screen.contains("kms kept 3 h ago"), "{screen}");
    assert!(screen.contains("~ enabled") && !fresh.contains("~ enabled"), "{screen}");
}
