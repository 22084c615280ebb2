//! The real binary without a terminal, and a served account for it to talk to.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

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
    let Output { status, stdout, stderr } = command(home, env).args(words).output().unwrap();
    Ran {
        code: status.code(),
        out: String::from_utf8(stdout).unwrap(),
        err: String::from_utf8(stderr).unwrap(),
    }
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
