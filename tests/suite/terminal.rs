//! The binary in a pseudo-terminal: what a person sees, at the sizes that people have.

use crate::program;
use crate::pty::Terminal;
use crate::runbooks::until_used;
use crate::stage::ALL_PAIRS;

const ESC: &str = "\x1b";
const DOWN: &str = "\x1b[B";
const CTRL_C: &str = "\x03";
const CTRL_U: &str = "\x15";
const NARROW: (u16, u16) = (80, 24);
const WIDE: (u16, u16) = (160, 45);

#[test]
fn a_revocation_to_the_end_at_80_by_24() {
    a_revocation_to_the_end(NARROW);
}

#[test]
fn a_revocation_to_the_end_at_160_by_45() {
    a_revocation_to_the_end(WIDE);
}

fn a_revocation_to_the_end(size: (u16, u16)) {
    let home = tempfile::tempdir().unwrap();
    let mut console = Terminal::start(home.path(), size, &["drill", "--incident", "INC-1"]);
    let screen = console.see(ALL_PAIRS);
    assert!(screen.contains("DRILL") && screen.contains("SIMULATED"), "{screen}");

    open_the_pair(&mut console);
    console.press("r");
    console.see("Run a runbook");
    console.press("\r\rstolen laptop\r");
    console.see("DROP THE GATE");
    confirm(&mut console, "enter alone never drops the gate");
    console.see("Confirmed. Now as emergency-key-admin");
    console.press("12345\r");
    console.see("a code is six digits");
    console.give_code();
    console.see("GATE DOWN buzz-tutor/user-data");
    console.see("Until ");
    console.press("all pools restarted\r");
    console.see("the cause is not gone");
    console.press("the thief's sessions are revoked\r");
    console.see("FINISHED");

    console.press("u");
    console.see("Attest that each of these");
    console.press("the laptop was found\r");
    console.see("RAISE THE GATE");
    confirm(&mut console, "enter alone never raises the gate");
    console.see("Confirmed. Now as key-recovery-admin");
    console.give_code();
    console.see_no("GATE DOWN");
    console.see("Does an RDS instance");
    console.press(&format!("{DOWN}\r"));
    until_used(&mut console, "Read one encrypted column");
    console.press("read a row\r");
    console.see("FINISHED");
    console.press("1");
    console.see("[1 Keys]");
    console.press("q");
    console.end().well();

    let journal = ["-e", "simulated", "journal", "verify", "INC-1"];
    assert!(program::run(home.path(), &Vec::new(), &journal).done().starts_with("whole: "));
}

/// Filters for a pair and opens it.
fn open_the_pair(console: &mut Terminal) {
    console.press("/CEK_User_12345 db:buzz_prod");
    console.see("1 of 74");
    console.press("\r\r");
    console.see("KMS KEY");
    console.see("buzz-tutor/user-data");
}

/// Types the confirmation: not at all, wrong, and right.
fn confirm(console: &mut Terminal, nothing_typed: &str) {
    console.press("\r");
    console.see(nothing_typed);
    console.press("buzz-tutor/user\r");
    console.see("not the whole of it yet");
    console.press(CTRL_U);
    console.press("buzz-tutor/payments simulated\r");
    console.see("that is not buzz-tutor/user-data simulated");
    console.press(CTRL_U);
    console.press("buzz-tutor/user-data simulated\r");
}

#[test]
fn a_revocation_can_be_left_and_nothing_happens() {
    let home = tempfile::tempdir().unwrap();
    let mut console = Terminal::start(home.path(), NARROW, &["drill", "--incident", "INC-1"]);
    console.see(ALL_PAIRS);
    open_the_pair(&mut console);
    console.press("r");
    console.see("Run a runbook");
    console.press("\r\rfalse alarm\r");
    console.see("DROP THE GATE");
    console.press(ESC);
    console.see("LEFT");
    console.press(CTRL_C);
    console.end().well();
    let entries = program::run(
        home.path(),
        &Vec::new(),
        &["-e", "simulated", "journal", "show", "INC-1", "--format", "json"],
    )
    .records();
    let kinds: Vec<_> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"run-left") && !kinds.contains(&"intent"), "{kinds:?}");
}

#[test]
fn too_small_a_window_is_told_so_and_growing_it_brings_the_console_back() {
    let home = tempfile::tempdir().unwrap();
    let mut console = Terminal::start(home.path(), (50, 10), &["drill"]);
    console.see("portcullis needs 60 columns and 16 lines");
    console.resize((60, 16));
    console.see(ALL_PAIRS);
    console.resize((59, 16));
    console.see("portcullis needs 60 columns and 16 lines");
    console.resize((1, 1));
    console.resize(NARROW);
    console.see(ALL_PAIRS);
    console.resize((59, 15));
    console.see("59 and 15.");
    console.press("q");
    console.end().well();
}

#[test]
fn a_signal_leaves_the_terminal_clean() {
    for signal in ["TERM", "HUP"] {
        let home = tempfile::tempdir().unwrap();
        let console = Terminal::start(home.path(), NARROW, &["watch", "-e", "simulated"]);
        console.see(ALL_PAIRS);
        console.signal(signal);
        console.end().well();
    }
}

#[test]
fn ctrl_c_leaves_even_while_text_is_typed() {
    let home = tempfile::tempdir().unwrap();
    let mut console = Terminal::start(home.path(), NARROW, &["drill"]);
    console.see(ALL_PAIRS);
    console.press("/user");
    console.see("/ user");
    console.press(CTRL_C);
    console.end().well();
}

#[test]
fn without_colours_no_colour_is_ever_sent() {
    let coloured = |env: &program::Env| {
        let home = tempfile::tempdir().unwrap();
        let words = ["drill", "--incident", "INC-1"];
        let mut console = Terminal::start_with(home.path(), WIDE, &words, env);
        console.see(ALL_PAIRS);
        for (key, seen) in [
            ("2", "[2 Events]"),
            ("3", "[3 Runbooks]"),
            ("4", "[4 Timeline]"),
            ("5", "[5 Health]"),
            ("1", "[1 Keys]"),
        ] {
            console.press(key);
            console.see(seen);
        }
        console.press("T");
        console.see(if env.is_empty() { "theme: light" } else { "NO_COLOR is set" });
        open_the_pair(&mut console);
        console.press("r");
        console.see("Run a runbook");
        console.press("\r\rcolours\r");
        console.see("DROP THE GATE");
        console.press(CTRL_C);
        colours(&console.end().well().raw)
    };
    assert!(!coloured(&Vec::new()).is_empty(), "the test sees colours where there are some");
    assert_eq!(coloured(&vec![("NO_COLOR".to_owned(), "1".to_owned())]), Vec::<String>::new());
}

/// The SGR sequences that name a colour.
fn colours(raw: &str) -> Vec<String> {
    let sequences = raw.split("\x1b[").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| ('\x40'..='\x7e').contains(&c))?;
        rest[end..].starts_with('m').then(|| &rest[..end])
    });
    let is_colour = |sgr: &&str| sgr.split([';', ':']).any(|n| matches!(n.parse(), Ok(30..=49 | 90..=107)));
    sequences.filter(is_colour).map(ToOwned::to_owned).collect()
}

#[test]
fn watching_says_read_only_and_offers_no_run() {
    for size in [NARROW, WIDE] {
        let home = tempfile::tempdir().unwrap();
        let mut console = Terminal::start(home.path(), size, &["watch", "-e", "simulated"]);
        console.see(ALL_PAIRS);
        console.see("READ-ONLY");
        open_the_pair(&mut console);
        console.press("r");
        let screen = console.see("read-only");
        assert!(!screen.contains("Run a runbook") && !screen.contains("run a runbook"), "{screen}");
        console.press("3");
        console.see("[3 Runbooks]");
        console.press("r");
        let screen = console.see("read-only");
        assert!(!screen.contains("Run a runbook") && screen.contains("READ-ONLY"), "{screen}");
        console.press("q");
        console.end().well();
        let journals = home.path().join(".local/state/portcullis/journal");
        assert!(!journals.exists(), "watching keeps no journal");
    }
}

#[test]
fn without_settings_it_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    for words in [&[][..], &["watch"], &["keys"], &["respond", "--incident", "INC-1"]] {
        let ended = program::run(home.path(), &Vec::new(), words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.err.contains("portcullis init") && ended.err.contains("portcullis drill"), "{ended:?}");
    }
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let ended = program::run(home.path(), &Vec::new(), &["drill"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "{ended:?}");
    assert!(ended.err.contains("needs a terminal") && ended.err.contains("keys --format json"), "{ended:?}");
}

#[test]
fn a_terminal_that_goes_away_ends_the_program() {
    use std::io::Read as _;
    let home = tempfile::tempdir().unwrap();
    let size = portable_pty::PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
    let pair = portable_pty::native_pty_system().openpty(size).unwrap();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_portcullis"));
    command.args(["watch", "-e", "simulated"]);
    command.env_clear();
    command.env("HOME", home.path());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().unwrap();
    let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("Keys") {
        let n = output.read(&mut bytes).unwrap();
        seen.extend_from_slice(&bytes[..n]);
    }
    // The last handles on the master: the kernel hangs up.
    drop(output);
    drop(pair.master);
    let (ended, end) = std::sync::mpsc::channel();
    let pid = child.process_id().unwrap();
    std::thread::spawn(move || ended.send(child.wait()));
    let in_time = end.recv_timeout(std::time::Duration::from_secs(30)).is_ok();
    if !in_time {
        let _ = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    }
    assert!(in_time, "the program went on without a terminal");
}
