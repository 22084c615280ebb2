//! Watching can change nothing, whatever is pressed: the real loop on the simulated account, whose record of
//! calls tells.

use std::sync::Arc;

use portcullis::console::commands::{ALL, Command, Entry};
use portcullis::console::screens::Screen;
use portcullis::console::{Exit, Mode};
use portcullis::estate::Acting;
use portcullis::gate::Gate;
use portcullis::journal::Journal;
use portcullis::model::IncidentId;
use portcullis::runbook::Library;

use crate::stage::{House, Operator, operate};

const SIZE: (u16, u16) = (160, 45);
/// What the gate asks for, for the pair that is selected.
const CONFIRMATION: &str = "buzz-tutor/user-data simulated";

fn but_quit() -> impl Iterator<Item = &'static Entry> {
    ALL.iter().filter(|entry| entry.command != Command::Quit)
}

/// Shows a screen from its beginning, nothing open and nothing filtered.
fn go(operator: &Operator, screen: Screen) {
    for _ in 0..4 {
        operator.press("esc");
    }
    operator.press("1");
    operator.press("esc");
    if screen == Screen::Run {
        command(operator, "run");
    } else {
        operator.press(Command::Goto(screen).entry().keys[0]);
    }
}

/// Says a command by its word.
fn command(operator: &Operator, word: &str) {
    operator.press(":");
    operator.write(word);
    operator.press("enter");
}

/// Answers whatever may have been asked for: as a note, a form, a choice, a confirmation.
fn answer(operator: &Operator) {
    operator.press("enter");
    operator.write(CONFIRMATION);
    for key in ["enter", "tab", "enter", "y", "enter", "enter"] {
        operator.press(key);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_command_changes_anything_while_watching() {
    let house = House::open().await;
    let saved = tempfile::tempdir().unwrap();
    let options = house.options(Mode::Watch, saved.path());
    let sources = house.live.watch(Box::new(|_| Ok(())));
    let exit = operate(sources, options.clone(), SIZE, async |operator: &mut Operator| {
        operator.see("READ-ONLY").await;
        for screen in Screen::ALL {
            for key in but_quit().flat_map(|entry| entry.keys) {
                go(operator, screen);
                operator.press(key);
                answer(operator);
            }
            for entry in but_quit() {
                go(operator, screen);
                command(operator, entry.word);
                answer(operator);
            }
            go(operator, screen);
            let title = if screen == Screen::Run { Screen::Keys.title() } else { screen.title() };
            let frame = operator.see(&format!("{title}]")).await;
            assert!(frame.contains("READ-ONLY") && !frame.contains("GATE"), "{frame}");
        }
        operator.press("q");
    })
    .await;
    assert_eq!(exit, Exit::Quit);
    for (screen, key) in Screen::ALL.into_iter().zip(Command::Quit.entry().keys.iter().cycle()) {
        let sources = house.live.watch(Box::new(|_| Ok(())));
        let exit = operate(sources, options.clone(), SIZE, async |operator: &mut Operator| {
            go(operator, screen);
            operator.press(key);
        });
        assert_eq!(exit.await, Exit::Quit);
    }

    let calls = house.stage.simulator.calls();
    for read in ["DescribeKey", "ListKeys", "LookupEvents", "GetCallerIdentity"] {
        assert!(calls.iter().any(|call| call.operation == read && !call.mutating), "no {read} was recorded");
    }
    assert_eq!(house.mutating(), []);
    assert_eq!(house.audit_rows(), 0);
}

/// What the operator's simulated MFA device shows, and whether it was used.
fn code_of_device(house: &House) -> (String, bool) {
    let now = house.stage.clock.now();
    house.stage.simulator.world().sts.code_of("111122223333", "oncall-a", now).unwrap()
}

/// The same record does hold the change where there is somebody who may make it.
#[tokio::test(flavor = "multi_thread")]
async fn the_record_does_hold_a_change_made_while_responding() {
    let house = House::open().await;
    let home = tempfile::tempdir().unwrap();
    let incident: IncidentId = "INC-1".parse().unwrap();
    let acting = Acting::enter(Arc::clone(&house.estate), incident.clone());
    let name = &house.stage.environment.name;
    let journal = Journal::open(home.path(), name, &incident, house.stage.clock.clone()).unwrap();
    let (runbooks, mistakes) = Library::load(&[]);
    assert!(mistakes.is_empty(), "{mistakes:?}");
    let gate = Gate::open(&acting, journal);
    let (sources, responder) = house.live.respond(&acting, gate, runbooks, Box::new(|_| Ok(())));
    let options = house.options(Mode::Respond { incident }, home.path());
    let exit = operate(sources, options, SIZE, async |operator: &mut Operator| {
        operator.press("/");
        operator.write("CEK_User_12345 db:buzz_prod");
        operator.see("1 of ").await;
        operator.press("enter");
        operator.press("r");
        operator.press("enter");
        operator.press("enter");
        operator.write("stolen laptop");
        operator.press("enter");
        operator.see("DROP THE GATE").await;
        operator.write(CONFIRMATION);
        operator.press("enter");
        operator.see("Confirmed. Now as emergency-key-admin").await;
        let (code, _) = code_of_device(&house);
        operator.write(&code);
        operator.press("enter");
        operator.see("GATE DOWN").await;
        operator.see("Until ").await;
        operator.press("ctrl-c");
    })
    .await;
    assert_eq!(exit, Exit::Quit);
    responder.await.unwrap();
    let drops: Vec<_> = house.mutating().into_iter().filter(|call| call.operation == "DisableKey").collect();
    assert_eq!(drops.len(), 1, "{drops:?}");
    assert_eq!(drops[0].error, None);
    let role = "arn:aws:sts::111122223333:assumed-role/BuzzTutorEmergencyKeyAdmin-production/INC-1-";
    assert!(drops[0].caller.as_deref().is_some_and(|caller| caller.starts_with(role)), "{drops:?}");
    assert_eq!(house.audit_rows(), 1);
}
