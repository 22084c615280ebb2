//! What a person waits for, and what a console that stands open all day costs, measured on the whole program.
//!
//! 1. From the start of the process to its first frame, in a pseudo-terminal.
//! 2. The processor time of a console that nobody touches.
//! 3. `portcullis keys` beside the script that people write without it (`boto3_keys.py`), on the same
//!    simulated account, in turns.
//!
//! `cargo bench --bench process -- start idle keys` picks some of them. Linux only: it reads `/proc`.

mod served;

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};

use served::{Outcome, Served, portcullis, python};

/// The tabs' line; nothing that is printed before the first frame has it.
const FIRST_FRAME: &[u8] = b"1 Keys";
const STARTS: usize = 20;
const SETTLE: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(30);
const TURNS: usize = 5;
/// Linux tells processor time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);
/// Longer than anything here takes: after it, something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let home = tempfile::tempdir()?;
    if wanted("start") {
        starts(home.path())?;
    }
    if wanted("idle") {
        idle(home.path())?;
    }
    if wanted("keys") {
        keys(home.path())?;
    }
    Ok(())
}

/// A console in a pseudo-terminal of its own. It ends when it is dropped.
struct Console {
    child: Box<dyn Child + Send + Sync>,
    /// Says when the first frame was there; None where the program ended before.
    first_frame: mpsc::Receiver<Instant>,
    begun: Instant,
    /// Without it the terminal hangs up.
    _keys: Box<dyn io::Write + Send>,
}

impl Console {
    fn start(home: &Path, words: &[&str]) -> Outcome<Self> {
        let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size)?;
        let mut command = CommandBuilder::new(portcullis());
        command.args(words);
        command.env_clear();
        command.env("HOME", home);
        command.env("TERM", "xterm-256color");
        command.cwd(home);
        let mut output = pair.master.try_clone_reader()?;
        let keys = pair.master.take_writer()?;
        let (tell, first_frame) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut seen, mut bytes) = (Vec::new(), [0; 8192]);
            let mut tell = Some(tell);
            while let Ok(n @ 1..) = output.read(&mut bytes) {
                if tell.is_none() {
                    continue;
                }
                seen.extend_from_slice(&bytes[..n]);
                if seen.windows(FIRST_FRAME.len()).any(|part| part == FIRST_FRAME) {
                    // Whoever asked may have gone; the terminal is read on all the same.
                    let _ = tell.take().map(|tell| tell.send(Instant::now()));
                }
            }
        });
        let begun = Instant::now();
        let child = pair.slave.spawn_command(command)?;
        Ok(Self { child, first_frame, begun, _keys: keys })
    }

    fn first_frame(&self) -> Outcome<Duration> {
        let at = self.first_frame.recv_timeout(PATIENCE);
        Ok(at.map_err(|_| "the program ended, or hung, before it drew anything")?.duration_since(self.begun))
    }

    /// The processor time that it has used, in its own code and in the kernel.
    fn processor_time(&self) -> Outcome<Duration> {
        let pid = self.child.process_id().ok_or("the program has ended")?;
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The second field, the name, may hold blanks; utime and stime are the 14th and 15th.
        let (_, after_name) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
        let ticks: u32 =
            after_name.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?;
        Ok(TICK * ticks)
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn starts(home: &Path) -> Outcome<()> {
    println!("\nStart to first frame, 200×50 ({STARTS} starts each)");
    println!("{:<28} {:>9} {:>9} {:>9}", "", "min", "median", "max");
    for words in [&["drill"][..], &["watch", "-e", "simulated"]] {
        let took =
            (0..STARTS).map(|_| Console::start(home, words)?.first_frame()).collect::<Outcome<Vec<_>>>()?;
        row(&words.join(" "), &took);
    }
    Ok(())
}

fn idle(home: &Path) -> Outcome<()> {
    println!("\nProcessor time of an idle console over {IDLE:?}, the simulated account inside it included");
    let consoles = [&["drill"][..], &["watch", "-e", "simulated"]]
        .into_iter()
        .map(|words| Ok((words, Console::start(home, words)?)))
        .collect::<Outcome<Vec<_>>>()?;
    std::thread::sleep(SETTLE);
    let used = || consoles.iter().map(|(_, console)| console.processor_time()).collect::<Outcome<Vec<_>>>();
    let before = used()?;
    std::thread::sleep(IDLE);
    for (((words, _), before), after) in consoles.iter().zip(before).zip(used()?) {
        let used = after.saturating_sub(before);
        let share = used.as_secs_f64() / IDLE.as_secs_f64() * 100.0;
        println!("{:<28} {used:>9.0?}  {share:.2} % of a core", words.join(" "));
    }
    Ok(())
}

fn keys(home: &Path) -> Outcome<()> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/boto3_keys.py");
    let python = python();
    for (quotas, flags) in [("as AWS has them", &[][..]), ("off", &["--no-quotas"])] {
        println!("\nEvery pair and key as JSON from `simulator serve`, quotas {quotas} ({TURNS} turns)");
        println!("{:<28} {:>9} {:>9} {:>9}", "", "min", "median", "max");
        let served = Served::start(home, flags)?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.push(served.run(home, &portcullis(), &["keys", "--last-use", "--format", "json"])?.1);
            if let Some(python) = &python {
                theirs.push(served.run(home, python, &[script])?.1);
            }
        }
        let ours = row("portcullis keys", &ours);
        if python.is_some() {
            let theirs = row("boto3 and pymssql, in turn", &theirs);
            println!("{:<28} {:>19.2}", "ratio of medians", theirs.as_secs_f64() / ours.as_secs_f64());
        }
    }
    Ok(())
}

/// Prints what was measured, and gives the median.
fn row(what: &str, took: &[Duration]) -> Duration {
    let mut took = took.to_vec();
    took.sort();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    let (min, max) = (took.first().copied().unwrap_or_default(), took.last().copied().unwrap_or_default());
    println!("{what:<28} {min:>9.1?} {median:>9.1?} {max:>9.1?}");
    median
}
