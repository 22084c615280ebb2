//! A pseudo-terminal with the real binary in it, and eyes on its screen.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};

/// How long a screen may take to show what is waited for. Only a failing test takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// The binary, running in a terminal of a given size.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    screen: Arc<Screen>,
}

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    closed: bool,
}

impl Terminal {
    /// Starts `portcullis WORDS…` with a home of its own.
    pub fn start(home: &Path, (columns, rows): (u16, u16), words: &[&str]) -> Self {
        Self::start_with(home, (columns, rows), words, &[])
    }

    /// The same with environment variables set.
    pub fn start_with(home: &Path, (cols, rows): (u16, u16), words: &[&str], env: &[(&str, &str)]) -> Self {
        let pair =
            native_pty_system().openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(words);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let screen = Arc::new(Screen {
            state: Mutex::new(State { parser: vt100::Parser::new(rows, cols, 0), closed: false }),
            changed: Condvar::new(),
        });
        let mut output = pair.master.try_clone_reader().unwrap();
        let eyes = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                eyes.state.lock().unwrap().parser.process(&bytes[..n]);
                eyes.changed.notify_all();
            }
            eyes.state.lock().unwrap().closed = true;
            eyes.changed.notify_all();
        });
        Self { child, keys: pair.master.take_writer().unwrap(), master: pair.master, screen }
    }

    /// Presses keys, as the bytes that a terminal sends.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Changes the window's size.
    pub fn resize(&mut self, (cols, rows): (u16, u16)) {
        self.screen.state.lock().unwrap().parser.screen_mut().set_size(rows, cols);
        self.master.resize(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }).unwrap();
    }

    /// Waits until the screen shows `text`, and gives the whole screen.
    pub fn see(&self, text: &str) -> String {
        self.wait(text, |screen| screen.contains(text))
    }

    /// Waits until the screen shows `text` no more.
    pub fn see_no(&self, text: &str) -> String {
        self.wait(&format!("no `{text}`"), |screen| !screen.contains(text))
    }

    fn wait(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let state = self.screen.state.lock().unwrap();
        let (state, waited) = self
            .screen
            .changed
            .wait_timeout_while(state, PATIENCE, |s| !shows(&s.parser.screen().contents()) && !s.closed)
            .unwrap();
        let contents = state.parser.screen().contents();
        assert!(
            shows(&contents),
            "{} before the screen showed {what}:\n{contents}",
            if waited.timed_out() { "time ran out" } else { "the program ended" }
        );
        contents
    }

    /// Sends a signal to the program.
    pub fn signal(&self, name: &str) {
        let pid = self.child.process_id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the program's end and says whether it left the terminal as it found it.
    pub fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap();
        drop(self.master);
        let state = self.screen.state.lock().unwrap();
        let (state, _) = self.screen.changed.wait_timeout_while(state, PATIENCE, |s| !s.closed).unwrap();
        let screen = state.parser.screen();
        let clean = !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None;
        Ended { status, clean, last: screen.contents() }
    }
}

/// How the program left.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    /// Main screen, cursor shown, no mouse capture, no bracketed paste.
    pub clean: bool,
    /// What stands on the main screen.
    pub last: String,
}
