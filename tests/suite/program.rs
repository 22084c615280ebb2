//! The real binary without a terminal, and a served account for it to talk to.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use jiff::Timestamp;
use portcullis::simulator::aws::sts::totp;
use tempfile::TempDir;

/// Environment variables, as `name`, `value`.
pub type Env = Vec<(String, String)>;

/// `portcullis` with a home of its own and nothing of this process's environment.
pub fn command(home: &Path, env: &Env) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.env_clear().env("HOME", home).envs(env.iter().cloned()).stdin(Stdio::null());
    command
}

/// Runs `portcullis WORDS…` to its end.
pub fn run(home: &Path, env: &Env, words: &[&str]) -> Ran {
    ran(command(home, env).args(words).output().unwrap())
}

fn ran(Output { status, stdout, stderr }: Output) -> Ran {
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
}

/// The same with something to read on its standard input.
pub fn run_reading(home: &Path, env: &Env, words: &[&str], input: &str) -> Ran {
    let mut child = command(home, env)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended before it read anything.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    ran(child.wait_with_output().unwrap())
}

/// What a run of the program left.
#[derive(Debug)]
pub struct Ran {
    /// None where a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed, after it said that all went well.
    pub fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// The array of objects that it printed.
    pub fn records(self) -> Vec<serde_json::Value> {
        serde_json::from_str(&self.done()).unwrap()
    }
}

/// `simulator serve`, on free ports, until dropped.
pub struct Server {
    child: Child,
    /// What points a client at it.
    pub env: Env,
    _dir: TempDir,
}

impl Server {
    /// Starts it and waits until it says that it is ready.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        let mut child = command(dir.path(), &Vec::new())
            .args(["simulator", "serve", "--no-quotas", "--trail-delay", "0", "--env-file"])
            .arg(&file)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        wait_for_line(child.stdout.take().unwrap(), "ready:");
        let env = exports(&std::fs::read_to_string(&file).unwrap());
        Self { child, env, _dir: dir }
    }
}

impl Server {
    /// What points a client at it as `oncall-a`, whose every change is made in a role.
    pub fn as_oncall(&self) -> Env {
        let value = |name: &str| {
            let (_, value) = self.env.iter().find(|(known, _)| known == name).unwrap();
            value.clone()
        };
        let ours = [
            ("PORTCULLIS_ENVIRONMENT", "oncall".to_owned()),
            ("AWS_ACCESS_KEY_ID", value("PORTCULLIS_SIM_ONCALL_A_ACCESS_KEY_ID")),
            ("AWS_SECRET_ACCESS_KEY", value("PORTCULLIS_SIM_ONCALL_A_SECRET_ACCESS_KEY")),
            ("PORTCULLIS_MFA_SERIAL", value("PORTCULLIS_SIM_ONCALL_A_MFA_SERIAL")),
        ];
        // The last of a name counts.
        self.env.iter().cloned().chain(ours.map(|(name, value)| (name.to_owned(), value))).collect()
    }

    /// The MFA device of `oncall-a`.
    pub fn device(&self) -> Device {
        let (_, seed) = self.env.iter().find(|(name, _)| name == "PORTCULLIS_SIM_ONCALL_A_MFA_SEED").unwrap();
        Device { seed: base32(seed), given: RefCell::default() }
    }
}

/// Somebody's MFA device, which gives a new code whenever it is asked.
pub struct Device {
    seed: Vec<u8>,
    /// Codes already given, by the number of their 30 seconds.
    given: RefCell<BTreeSet<i64>>,
}

impl Device {
    /// A code that has not been given, for whoever asks now.
    pub fn code(&self) -> String {
        self.first_of([0, 1, -1])
    }

    /// The same for a program that will need it in a while: it holds for a minute.
    pub fn code_for_later(&self) -> String {
        self.first_of([1, 0, -1])
    }

    /// The codes of the 30 seconds before these and after them pass too.
    fn first_of(&self, steps: [i64; 3]) -> String {
        let now = Timestamp::now().as_second() / 30;
        let mut given = self.given.borrow_mut();
        let step = steps.into_iter().map(|step| now + step).find(|step| given.insert(*step));
        let step = step.expect("more codes in 30 seconds than a device has");
        totp::code(&self.seed, Timestamp::from_second(step * 30).unwrap())
    }
}

fn base32(text: &str) -> Vec<u8> {
    let value = |letter| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
    let bits: Vec<usize> =
        text.chars().flat_map(|letter| (0..5).rev().map(move |at| value(letter) >> at & 1)).collect();
    let byte = |bits: &[usize]| bits.iter().fold(0, |byte, bit| byte << 1 | bit);
    bits.chunks_exact(8).map(|bits| u8::try_from(byte(bits)).unwrap()).collect()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines until one begins with `words`; goes on reading in the background, so that nobody waits to write.
pub fn wait_for_line(from: impl std::io::Read + Send + 'static, words: &str) {
    let mut lines = BufReader::new(from).lines().map_while(Result::ok);
    let mut before = Vec::new();
    let found = lines.by_ref().any(|line| {
        let found = line.starts_with(words);
        before.push(line);
        found
    });
    assert!(found, "the program ended before it said `{words}`: {before:#?}");
    std::thread::spawn(move || lines.for_each(drop));
}

/// The variables of `export NAME=VALUE` lines, as a shell reads them.
fn exports(text: &str) -> Env {
    let variables = text.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    let bare = |value: &str| value.trim_matches('\'').replace(r"'\''", "'");
    variables.map(|(name, value)| (name.to_owned(), bare(value))).collect()
}
