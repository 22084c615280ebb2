//! A revocation killed by SIGKILL at each boundary of the journal, and what the next start makes of it.

use std::io::Write as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{self, Device, Env, Server, wait_for_line};
use crate::pty::Terminal;
use crate::stage::ALL_PAIRS;

const INCIDENT: &str = "INC-1";
const KEY: &str = "buzz-tutor/user-data";
const CTRL_C: &str = "\x03";
const SIZE: (u16, u16) = (160, 45);
/// Only a failing test waits this long for the trail.
const PATIENCE: Duration = Duration::from_secs(20);

/// A served account, and the state folder of a revocation that was killed on it.
struct Killed {
    _server: Server,
    env: Env,
    device: Device,
    home: TempDir,
}

impl Killed {
    /// Drops the gate on a key and kills the process as it reaches `boundary`.
    fn at(boundary: &str) -> Self {
        let server = Server::start();
        let (env, device) = (server.as_oncall(), server.device());
        let killed = Self { _server: server, env, device, home: tempfile::tempdir().unwrap() };
        let mut revoke = program::command(killed.home.path(), &killed.env)
            .env("PORTCULLIS_HALT_AT", boundary)
            .args(["revoke", "oncall", "CEK_User_12345", "stolen laptop", "--database", "buzz_prod"])
            .args(["--incident", INCIDENT, "--yes-i-typed", KEY, "--format", "json"])
            .args(["--mfa-code-fd", "0"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(revoke.stdin.as_ref().unwrap(), "{}", killed.device.code_for_later()).unwrap();
        wait_for_line(revoke.stderr.take().unwrap(), &format!("halted {boundary}"));
        revoke.kill().unwrap();
        assert_eq!(revoke.wait().unwrap().code(), None, "SIGKILL ended it");
        killed
    }

    fn env(&self) -> &Env {
        &self.env
    }

    /// The next start.
    fn respond(&self) -> Terminal {
        let words = ["respond", "--incident", INCIDENT];
        Terminal::start_with(self.home.path(), SIZE, &words, self.env())
    }

    fn run(&self, words: &[&str]) -> program::Ran {
        program::run(self.home.path(), self.env(), words)
    }

    /// KMS's word for the key's state.
    fn state(&self) -> String {
        let pairs = self.run(&["keys", "--format", "json", "--filter", "cek:CEK_User_12345 db:buzz_prod"]);
        let pairs = pairs.records();
        assert_eq!(pairs.len(), 1, "{pairs:?}");
        assert_eq!(pairs[0]["key_name"], KEY);
        pairs[0]["kms_state"].as_str().unwrap().to_owned()
    }

    /// How often CloudTrail says that the key was disabled since the test began.
    fn drops(&self) -> usize {
        // A trail delivers late: of a key that is down it has to tell in the end.
        let until = Instant::now() + PATIENCE;
        let is_down = self.state() == "Disabled";
        loop {
            let events =
                self.run(&["events", "--format", "json", "--since", "10m", "--filter", "name:DisableKey"]);
            let events = events.records();
            assert!(events.iter().all(|event| event["outcome"] == "allowed"), "{events:?}");
            if !(events.is_empty() && is_down) || Instant::now() > until {
                return events.len();
            }
        }
    }

    /// The journal's entries of a kind, the chain being whole.
    fn entries(&self, kind: &str) -> Vec<Value> {
        let verified = self.run(&["journal", "verify", INCIDENT]).done();
        assert!(verified.starts_with("whole: "), "{verified}");
        let entries = self.run(&["journal", "show", INCIDENT, "--format", "json"]).records();
        entries.into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    /// What has to hold once the gate is down: everybody told, nothing open, one call.
    fn is_down_by_one_call(&self, mut console: Terminal) {
        console.see("GATE DOWN buzz-tutor/user-data");
        console.see("Until ");
        let screen = console.screen();
        assert!(!screen.contains("owed:") && !screen.contains("UNFINISHED"), "{screen}");
        console.press(CTRL_C);
        console.end().well();
        assert_eq!(self.state(), "Disabled");
        assert_eq!(self.drops(), 1);
    }
}

#[test]
fn before_the_intent_nothing_was_sent_and_the_run_can_be_taken_up() {
    let killed = Killed::at("before-intent");
    assert_eq!((killed.state().as_str(), killed.drops()), ("Enabled", 0));
    assert!(killed.entries("intent").is_empty());
    let mut console = killed.respond();
    let screen = console.see(ALL_PAIRS);
    assert!(!screen.contains("UNFINISHED") && !screen.contains("GATE DOWN"), "{screen}");
    console.see("left or killed: c goes on with it");
    console.press("c");
    console.see("DROP THE GATE");
    console.press("\x1b");
    console.see("LEFT");
    console.press(CTRL_C);
    console.end().well();
    assert_eq!((killed.state().as_str(), killed.drops()), ("Enabled", 0));
    assert!(killed.entries("intent").is_empty());
}

#[test]
fn after_the_intent_it_is_not_sent_again_unsaid() {
    let killed = Killed::at("after-intent");
    assert_eq!((killed.state().as_str(), killed.drops()), ("Enabled", 0));
    let mut console = killed.respond();
    let screen = console.see("UNFINISHED");
    let screen = if screen.contains("the key is") { screen } else { console.see("the key is") };
    let line = screen.lines().find(|line| line.contains("UNFINISHED")).unwrap();
    for part in ["disable-key", KEY, "outcome unknown", "the key is Enabled", "c goes on"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    console.see(ALL_PAIRS);
    console.press("c");
    // A change takes effect within seconds: one intended just now is watched before it counts as never sent.
    console.see("DROP THE GATE");
    assert_eq!(killed.drops(), 0, "nothing is sent before it is confirmed anew");
    assert_eq!(killed.entries("settled").len(), 1);
    console.press("buzz-tutor/user-data\r");
    console.see("the six digits that mfa/oncall-a shows");
    console.press(&format!("{}\r", killed.device.code()));
    killed.is_down_by_one_call(console);
    let intents = killed.entries("intent");
    assert_eq!(intents.len(), 2);
    assert_eq!(intents[1]["body"]["again_after"][0], intents[0]["seq"], "that it is asked again is said");
}

#[test]
fn after_the_call_the_outcome_is_unknown_until_it_is_looked_at() {
    let killed = Killed::at("after-call");
    take_up(&killed, "outcome unknown");
    assert!(killed.entries("answer").is_empty());
    assert_eq!(killed.entries("settled").len(), 1);
}

#[test]
fn before_the_proof_the_answer_is_known() {
    let killed = Killed::at("before-verify");
    take_up(&killed, "answered, not proved");
    assert_eq!(killed.entries("answer").len(), 1);
}

/// Takes up a change that was sent: the next start names it and its true state, and goes on without sending it.
fn take_up(killed: &Killed, outcome: &str) {
    assert_eq!((killed.state().as_str(), killed.drops()), ("Disabled", 1));
    let mut console = killed.respond();
    let screen = console.see("UNFINISHED");
    let screen = if screen.contains("the key is") { screen } else { console.see("the key is") };
    let line = screen.lines().find(|line| line.contains("UNFINISHED")).unwrap();
    for part in ["disable-key", KEY, outcome, "the key is Disabled", "c goes on"] {
        assert!(line.contains(part), "{part}: {line}");
    }
    console.see(ALL_PAIRS);
    console.press("c");
    killed.is_down_by_one_call(console);
    assert_eq!(killed.entries("intent").len(), 1);
}

#[test]
fn before_the_telling_it_stands_and_people_are_owed() {
    let killed = Killed::at("before-notify");
    assert_eq!((killed.state().as_str(), killed.drops()), ("Disabled", 1));
    assert_eq!(killed.entries("proof").len(), 1);
    let mut console = killed.respond();
    let screen = console.see("GATE DOWN buzz-tutor/user-data");
    assert!(screen.contains("owed:") && !screen.contains("UNFINISHED"), "{screen}");
    console.see(ALL_PAIRS);
    console.press("c");
    killed.is_down_by_one_call(console);
    assert_eq!(killed.entries("intent").len(), 1);
}
