//! How long it takes a person from opening the console to the gate being down, on the whole program in a
//! pseudo-terminal: keys come at a person's pace, and nothing is read or thought about between them.
//!
//! `cargo bench --bench person`; Linux and macOS.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The program that is measured: built by cargo, unless `PORTCULLIS_BIN` names one.
fn portcullis() -> std::path::PathBuf {
    std::env::var_os("PORTCULLIS_BIN")
        .map_or(env!("CARGO_BIN_EXE_portcullis").into(), std::path::PathBuf::from)
}

/// Between two keys: 67 words a minute, which is quick for somebody who is afraid.
const A_KEY: Duration = Duration::from_millis(180);
const TURNS: usize = 5;
/// Longer than anything here takes: after it, something is broken.
const PATIENCE: Duration = Duration::from_mins(1);
const COLS: u16 = 80;
const ROWS: u16 = 24;

fn main() -> Outcome<()> {
    println!(
        "\nFrom opening the console to the gate being down, {} ms a key ({TURNS} turns)",
        A_KEY.as_millis()
    );
    println!("{:<44} {:>8} {:>8} {:>8}", "", "min", "median", "max");
    let turns = (0..TURNS).map(|_| turn()).collect::<Outcome<Vec<_>>>()?;
    for (what, take) in [
        ("to the list of pairs", (|turn| turn.listed) as fn(&Turn) -> Duration),
        ("to the plan, with all that depends on the key", |turn| turn.planned),
        ("to the gate being down, and proved", |turn| turn.down),
        ("of which keys being typed", |turn| turn.typing),
    ] {
        let mut took: Vec<Duration> = turns.iter().map(take).collect();
        took.sort();
        let seconds = |at: usize| took.get(at).map_or(0.0, Duration::as_secs_f64);
        println!(
            "{what:<44} {:>6.1} s {:>6.1} s {:>6.1} s",
            seconds(0),
            seconds(TURNS / 2),
            seconds(TURNS - 1)
        );
    }
    println!("{} keys were pressed", turns.first().map_or(0, |turn| turn.keys));
    Ok(())
}

/// Times since the program was started.
struct Turn {
    listed: Duration,
    planned: Duration,
    down: Duration,
    typing: Duration,
    keys: u32,
}

fn turn() -> Outcome<Turn> {
    let home = tempfile::tempdir()?;
    let mut person = Person::sits_down(home.path())?;
    person.see("64 pairs")?;
    let listed = person.begun.elapsed();
    person.types("/CEK_User_12345 db:buzz_prod\r")?;
    person.see("1 of 73")?;
    person.types("r")?;
    person.see("Run a runbook")?;
    person.types("\r\rstolen laptop\r")?;
    person.see("DROP THE GATE")?;
    let planned = person.begun.elapsed();
    person.types("buzz-tutor/user-data simulated\r")?;
    let code = person.code()?;
    person.types(&format!("{code}\r"))?;
    person.see("GATE DOWN buzz-tutor/user-data")?;
    let down = person.begun.elapsed();
    Ok(Turn { listed, planned, down, typing: A_KEY * person.keys, keys: person.keys })
}

/// Somebody at the terminal of a drill.
struct Person {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    begun: Instant,
    keys: u32,
}

impl Person {
    fn sits_down(home: &Path) -> Outcome<Self> {
        let size = PtySize { rows: ROWS, cols: COLS, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(portcullis());
        command.args(["drill", "--incident", "INC-1"]);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.cwd(home);
        let mut output = pair.master.try_clone_reader()?;
        let keyboard = pair.master.take_writer()?;
        let (tell, heard) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 8192];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                if tell.send(bytes[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        let (rows, cols) = (NonZero::new(ROWS).ok_or("no rows")?, NonZero::new(COLS).ok_or("no columns")?);
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        let screen = vt100::Parser::new(rows, cols, 0);
        Ok(Self { child, keyboard, output: heard, screen, begun, keys: 0 })
    }

    fn types(&mut self, text: &str) -> Outcome<()> {
        for key in text.chars() {
            std::thread::sleep(A_KEY);
            write!(self.keyboard, "{key}")?;
            self.keyboard.flush()?;
            self.keys += 1;
        }
        Ok(())
    }

    fn see(&mut self, text: &str) -> Outcome<()> {
        self.look(text, |screen| screen.contains(text).then_some(()))
    }

    /// What the simulated MFA device shows, once it has not been used.
    fn code(&mut self) -> Outcome<String> {
        self.look("an MFA code", |screen| {
            let (_, after) = screen.split_once("simulated device: ")?;
            let code: String = after.chars().take(7).filter(char::is_ascii_digit).collect();
            (code.len() == 6).then_some(code)
        })
    }

    fn look<T>(&mut self, what: &str, mut find: impl FnMut(&str) -> Option<T>) -> Outcome<T> {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = find(&self.screen.screen().contents()) {
                return Ok(found);
            }
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout) => return Err(format!("{what} was never seen").into()),
                Err(RecvTimeoutError::Disconnected) => return Err("the program ended".into()),
            }
        }
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
