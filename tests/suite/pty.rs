//! A pseudo-terminal with the real binary in it, and eyes on its screen.

use std::io::{Read as _, Write as _};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

use crate::program::Env;

/// How long a screen may take to show what is waited for. Only a failing test takes this long.
const PATIENCE: Duration = Duration::from_secs(100);

/// The binary, running in a terminal of a given size. Dropping it kills the program.
pub struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn std::io::Write + Send>,
    screen: Arc<Screen>,
    /// The line discipline (echo, line editing, signals) as it was found.
    modes: String,
}

struct Screen {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    parser: vt100::Parser,
    /// Every byte that the program wrote.
    raw: Vec<u8>,
    closed: bool,
}

impl State {
    /// Whether a frame is on its way (a synchronized update is open): half a frame is nothing to look at.
    fn in_a_frame(&self) -> bool {
        let last = |mark: &[u8]| self.raw.windows(mark.len()).rposition(|at| at == mark);
        last(b"\x1b[?2026h") > last(b"\x1b[?2026l")
    }
}

impl Terminal {
    /// Starts `portcullis WORDS…` with a home of its own.
    pub fn start(home: &Path, size: (u16, u16), words: &[&str]) -> Self {
        Self::start_with(home, size, words, &Env::new())
    }

    /// The same with environment variables set.
    pub fn start_with(home: &Path, size: (u16, u16), words: &[&str], env: &Env) -> Self {
        let pair = native_pty_system().openpty(pty_size(size)).unwrap();
        let modes = modes(&*pair.master);
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_portcullis"));
        command.args(words);
        command.cwd(home);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        for (name, value) in env {
            command.env(name, value);
        }
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let parser = vt100::Parser::new(cells(size.1), cells(size.0), 0);
        let state = State { parser, raw: Vec::new(), closed: false };
        let screen = Arc::new(Screen { state: Mutex::new(state), changed: Condvar::new() });
        let mut output = pair.master.try_clone_reader().unwrap();
        let eyes = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                let mut state = eyes.lock();
                state.parser.process(&bytes[..n]);
                state.raw.extend_from_slice(&bytes[..n]);
                eyes.changed.notify_all();
            }
            eyes.lock().closed = true;
            eyes.changed.notify_all();
        });
        Self { child, keys: pair.master.take_writer().unwrap(), master: pair.master, screen, modes }
    }

    /// Presses keys, as the bytes that a terminal sends.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Changes the window's size.
    pub fn resize(&mut self, size: (u16, u16)) {
        self.screen.lock().parser.screen_mut().set_size(cells(size.1), cells(size.0));
        self.master.resize(pty_size(size)).unwrap();
    }

    /// Waits until the screen shows `text`, and gives the whole screen.
    pub fn see(&self, text: &str) -> String {
        self.wait(&format!("`{text}`"), |screen| screen.contains(text))
    }

    /// Types the code that the drill's simulated MFA device shows, once it shows one that has not been used.
    pub fn give_code(&mut self) {
        const DEVICE: &str = "simulated device: ";
        let shows = |screen: &str| {
            let (_, after) = screen.split_once(DEVICE)?;
            let code: String = after.chars().take(7).filter(char::is_ascii_digit).collect();
            (code.len() == 6).then_some(code)
        };
        let screen = self.wait("an unused code", |screen| shows(screen).is_some());
        self.press(&format!("{}\r", shows(&screen).unwrap()));
    }

    /// Waits until the screen shows `text` no more.
    pub fn see_no(&self, text: &str) -> String {
        self.wait(&format!("no `{text}`"), |screen| !screen.contains(text))
    }

    /// Waits until the screen shows one of these, and says which.
    pub fn see_one_of<'a>(&self, texts: &[&'a str]) -> &'a str {
        let screen =
            self.wait(&format!("one of {texts:?}"), |screen| texts.iter().any(|text| screen.contains(text)));
        texts.iter().find(|text| screen.contains(**text)).unwrap()
    }

    /// What the screen shows at this moment.
    pub fn screen(&self) -> String {
        self.screen.lock().parser.screen().contents()
    }

    fn wait(&self, what: &str, shows: impl Fn(&str) -> bool) -> String {
        let state = self.screen.lock();
        let not_yet = |s: &mut State| !s.closed && (s.in_a_frame() || !shows(&s.parser.screen().contents()));
        let (state, waited) = self.screen.changed.wait_timeout_while(state, PATIENCE, not_yet).unwrap();
        let contents = state.parser.screen().contents();
        drop(state);
        assert!(
            shows(&contents),
            "{} before the screen showed {what}:\n{contents}",
            if waited.timed_out() { "time ran out" } else { "the program ended" }
        );
        contents
    }

    /// The program's process id.
    pub fn pid(&self) -> u32 {
        self.child.process_id().unwrap()
    }

    /// Sends a signal to the program.
    pub fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(std::process::Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Waits for the program's end and says whether it left the terminal as it found it.
    pub fn end(mut self) -> Ended {
        let code = self.child.wait().unwrap().exit_code();
        let state = self.screen.lock();
        let (mut state, _) = self.screen.changed.wait_timeout_while(state, PATIENCE, |s| !s.closed).unwrap();
        let raw = std::mem::take(&mut state.raw);
        let screen = state.parser.screen();
        let clean = !screen.alternate_screen()
            && !screen.hide_cursor()
            && !screen.bracketed_paste()
            && screen.mouse_protocol_mode() == vt100::MouseProtocolMode::None
            && self.modes == modes(&*self.master);
        let last = screen.contents();
        drop(state);
        Ended { code, clean, last, raw: String::from_utf8(raw).unwrap() }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Fails where the program has ended, which is well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A side of a screen, which has a cell at least.
fn cells(side: u16) -> NonZero<u16> {
    NonZero::new(side).unwrap()
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize { rows, cols, pixel_width: 0, pixel_height: 0 }
}

/// The line discipline's flags, to compare.
fn modes(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().unwrap())
}

/// How the program left.
#[derive(Debug)]
pub struct Ended {
    pub code: u32,
    /// Main screen, cursor shown, no mouse capture, no bracketed paste, echo and line editing as before.
    pub clean: bool,
    /// What stands on the main screen.
    pub last: String,
    /// Everything that was ever written to the terminal.
    pub raw: String,
}

impl Ended {
    /// Holds that it ended well and left nothing behind.
    #[track_caller]
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.last);
        assert!(self.clean, "the terminal is not as it was:\n{}", self.last);
        self
    }
}
