//! The other shipped runbooks from start to end, in the binary and through the pseudo-terminal. What each screen looks
//! like is held by the console's own snapshots, where time stands still.

use std::path::Path;

use crate::program;
use crate::pty::Terminal;
use crate::stage::ALL_PAIRS;

const SIZE: (u16, u16) = (80, 24);
const DOWN: &str = "\x1b[B";
const RIGHT: &str = "\x1b[C";

/// A drill's console with a runbook begun on a pair. Runbooks are chosen by pressing → so often.
fn begun(home: &Path, runbook: usize, pair: &str) -> Terminal {
    let mut console = Terminal::start(home, SIZE, &["drill", "--incident", "INC-1"]);
    console.see(ALL_PAIRS);
    console.press(&format!("/{pair}"));
    console.see("1 of 74");
    console.press("\r");
    console.press("r");
    console.see("Run a runbook");
    console.press(&RIGHT.repeat(runbook));
    console.press("\r\ran alert\r");
    console
}

fn attest(console: &mut Terminal, step: &str) {
    console.see(step);
    console.see("Write a note");
    console.press("seen to\r");
}

fn confirm(console: &mut Terminal, key: &str, duty: &str) {
    console.see(&format!("Type  {key} simulated"));
    console.press(&format!("{key} simulated\r"));
    console.see(&format!("Confirmed. Now as {duty}"));
    console.give_code();
}

/// Chooses the nth option of a question.
fn choose(console: &mut Terminal, question: &str, nth: usize) {
    console.see(question);
    console.press(&DOWN.repeat(nth));
    console.press("\r");
}

fn leave(home: &Path, mut console: Terminal) {
    console.see("FINISHED");
    console.press("1");
    console.see("[1 Keys]");
    console.press("q");
    console.end().well();
    let verify = ["-e", "simulated", "journal", "verify", "INC-1"];
    assert!(program::run(home, &Vec::new(), &verify).done().starts_with("whole: "));
}

/// Tries a proof by use again until it is there, or goes on without it where the runbook allows that.
pub fn until_used(console: &mut Terminal, after: &str) {
    const AGAIN: &str = "enter does not wait";
    const ON: &str = "go on without it";
    loop {
        match console.see_one_of(&[after, AGAIN, ON]) {
            AGAIN => {
                let screen = console.screen();
                let (before, _) = screen.split_once(" of ").unwrap();
                let tried = before.rsplit('(').next().unwrap().to_owned();
                console.press("\r");
                console.see_no(&format!("({tried} of"));
            }
            ON => {
                console.press(&format!("{DOWN}\r"));
                console.see(after);
                return;
            }
            _ => return,
        }
    }
}

#[test]
fn key_compromise_by_dropping_the_key() {
    let home = tempfile::tempdir().unwrap();
    let mut console = begun(home.path(), 1, "CEK_Messages_Body db:buzz_prod");
    attest(&mut console, "Answer in the note");
    choose(&mut console, "What is to be done now?", 4);
    confirm(&mut console, "buzz-tutor/messages", "emergency-key-admin");
    attest(&mut console, "clients that were warm");
    choose(&mut console, "Is the intruder cut off", 0);
    attest(&mut console, "For each column key in the evidence");
    attest(&mut console, "The journal of this incident");
    attest(&mut console, "Who holds the incident");
    leave(home.path(), console);
}

#[test]
fn key_loss_with_its_deletion_pending() {
    let home = tempfile::tempdir().unwrap();
    let mut console = begun(home.path(), 2, "CEK_Legacy_Pay");
    choose(&mut console, "What is lost?", 0);
    confirm(&mut console, "buzz-tutor/legacy", "key-recovery-admin");
    choose(&mut console, "Raise the gate now?", 1);
    attest(&mut console, "What was got back");
    leave(home.path(), console);
}

#[test]
fn post_rotation_verification() {
    let home = tempfile::tempdir().unwrap();
    let mut console = begun(home.path(), 4, "CEK_User_12345 db:buzz_prod");
    until_used(&mut console, "In one application over each database");
    attest(&mut console, "In one application over each database");
    attest(&mut console, "Tell whoever asked");
    leave(home.path(), console);
}

#[test]
fn standard_rotation_on_demand() {
    let home = tempfile::tempdir().unwrap();
    let mut console = begun(home.path(), 5, "CEK_User_12345 db:buzz_prod");
    choose(&mut console, "How is this key to get new material?", 1);
    console.see("Who agreed?");
    console.press("Bea: by telephone\r");
    confirm(&mut console, "buzz-tutor/user-data", "key-management-admin");
    until_used(&mut console, "For the record of this cryptoperiod");
    attest(&mut console, "For the record of this cryptoperiod");
    leave(home.path(), console);
}
