//! The simulated account on loopback ports, as a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The program that is measured: built by cargo, unless `PORTCULLIS_BIN` names one.
pub fn portcullis() -> PathBuf {
    std::env::var_os("PORTCULLIS_BIN").map_or(env!("CARGO_BIN_EXE_portcullis").into(), PathBuf::from)
}

/// A Python that has boto3; None where `tests/judges/run` has not made one.
pub fn python() -> Option<PathBuf> {
    let judges = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/judges/.venv/bin/python");
    let python = std::env::var_os("PORTCULLIS_BENCH_PYTHON").map_or(judges, PathBuf::from);
    if python.exists() {
        return Some(python);
    }
    println!("\nboto3 is left out: {} is not there; tests/judges/run makes it", python.display());
    None
}

/// The simulated account on loopback ports. It ends when it is dropped.
pub struct Served {
    process: Child,
    pub env: BTreeMap<String, String>,
}

impl Served {
    pub fn start(home: &Path, flags: &[&str]) -> Outcome<Self> {
        let env_file = home.join("sim.env");
        let mut process = Command::new(portcullis())
            .args(["simulator", "serve", "--env-file"])
            .arg(&env_file)
            .args(flags)
            .env("HOME", home)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = process.stdout.take().ok_or("the simulator has no output")?;
        let mut served = Self { process, env: BTreeMap::new() };
        let (mut output, mut line) = (BufReader::new(output), String::new());
        output.read_line(&mut line)?;
        // It says more, and would end if nobody read it.
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        if !line.starts_with("ready") {
            return Err(format!("the simulator did not get ready: {line}").into());
        }
        served.env = exports(&std::fs::read_to_string(env_file)?);
        Ok(served)
    }

    /// Runs a program pointed at the account; says what it printed and how long it took.
    pub fn run(&self, home: &Path, program: &Path, words: &[&str]) -> Outcome<(Output, Duration)> {
        let begun = Instant::now();
        let done = Command::new(program)
            .args(words)
            .env_clear()
            .env("HOME", home)
            .envs(&self.env)
            .stdin(Stdio::null())
            .output()?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(format!("{} failed: {said}", program.display()).into());
        }
        Ok((done, begun.elapsed()))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The variables of an environment file; none of its values needs more than its quotes taken off.
fn exports(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|line| line.strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.trim_matches('\'').to_owned()))
        .collect()
}
