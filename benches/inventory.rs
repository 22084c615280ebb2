//! A cold load of a big account, beside what its quotas allow and beside boto3.
//!
//! `simulator serve` with 10,000 KMS keys and 20,000 pairs answers after 20 ms, under AWS's quotas. Three programs
//! make the same calls: portcullis; a straightforward boto3 program, one call after another (on a sample of keys,
//! scaled); and the same with a pool of 32 threads, once with boto3's usual three tries and once with its adaptive
//! retries, until it has every answer. Then portcullis again with a tenth of all requests throttled, again with what it
//! kept on disk, and with 100,000 pairs for its memory.
//!
//! `cargo bench --bench inventory -- cold throttled kept memory` picks some of them. It takes a quarter of an hour,
//! nearly all of it the quota on `ListKeyRotations`. Linux only: it reads `/proc`.

mod served;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use portcullis::clock::Clock;
use portcullis::cloud::quota::QUOTAS;
use portcullis::cloud::{Credentials, HttpWire};
use portcullis::console::snapshot::Snapshot;
use portcullis::database::Dialer;
use portcullis::estate::{Estate, Wire};
use portcullis::inventory::{Keeper, Refresher};
use portcullis::model::age::AgePolicies;
use portcullis::model::key::{KmsKey, Manager};
use portcullis::model::pair::Inventory;
use portcullis::model::seen::Seen;
use portcullis::settings::{self, Overrides};
use tokio::sync::watch;

use served::{Outcome, Served, python};

const KEYS: u32 = 10_000;
const PAIRS: u32 = 20_000;
const MANY_PAIRS: u32 = 100_000;
const LATENCY: &str = "20ms";
/// Keys that the program without threads reads; its time is scaled from them.
const SAMPLE: u32 = 300;
const THREADS: &str = "32";
/// What makes this program the one that is measured.
const MEASURED: &str = "PORTCULLIS_BENCH_MEASURED";

fn main() -> Outcome<()> {
    if let Ok(wanted) = std::env::var(MEASURED) {
        return tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(measured(&wanted));
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |part: &str| words.is_empty() || words.iter().any(|word| word == part);
    let home = tempfile::tempdir()?;
    let home = home.path();
    let cold = wanted("cold") || wanted("throttled");
    let calm = if cold { Some(beside_boto3(home, wanted("cold"))?) } else { None };
    if let Some(calm) = calm.as_ref().filter(|_| wanted("throttled")) {
        throttled(home, calm)?;
    }
    if wanted("kept") {
        kept(home)?;
    }
    if wanted("memory") {
        memory(home)?;
    }
    Ok(())
}

/// What a load came to, in seconds.
#[derive(Debug)]
struct Load {
    first: f64,
    states: f64,
    complete: f64,
    keys: u32,
    pairs: u32,
    rotations: u32,
    peak_mb: f64,
    resident_mb: f64,
}

fn start(home: &Path, pairs: u32, more: &[&str]) -> Outcome<Served> {
    let (keys, pairs) = (KEYS.to_string(), pairs.to_string());
    let flags = ["--keys", &keys, "--pairs", &pairs, "--latency", LATENCY];
    Served::start(home, &[&flags, more].concat())
}

/// Loads in a process of its own.
fn load(served: &Served, home: &Path, pairs: u32, keep: bool) -> Outcome<Load> {
    let me = std::env::current_exe()?;
    let wanted = format!("{pairs} {}", if keep { "keep" } else { "-" });
    let mut env = served.env.clone();
    env.insert(MEASURED.to_owned(), wanted);
    let done = std::process::Command::new(me).env_clear().env("HOME", home).envs(env).output()?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned().into());
    }
    let said = String::from_utf8(done.stdout)?;
    let told = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.ok_or_else(|| format!("{name} is missing in {said}"))
    };
    let number = |name: &str| -> Outcome<f64> { Ok(told(name)?.parse()?) };
    let count = |name: &str| -> Outcome<u32> { Ok(told(name)?.parse()?) };
    Ok(Load {
        first: number("first")?,
        states: number("states")?,
        complete: number("complete")?,
        keys: count("keys")?,
        pairs: count("pairs")?,
        rotations: count("rotations")?,
        peak_mb: number("peak")?,
        resident_mb: number("resident")?,
    })
}

/// The seconds that a quota alone allows so many requests in.
fn allowed(operation: &str, requests: u32) -> f64 {
    let quota =
        QUOTAS.iter().find(|quota| quota.operation == operation).map_or(f64::INFINITY, |q| q.a_second);
    f64::from(requests) / quota
}

fn beside_boto3(home: &Path, with_boto3: bool) -> Outcome<Load> {
    let served = start(home, PAIRS, &[])?;
    println!("\nCold load of {KEYS} KMS keys and {PAIRS} pairs, {LATENCY} an answer, AWS's quotas");
    let ours = load(&served, home, PAIRS, false)?;
    let states = allowed("kms:DescribeKey", ours.keys);
    let slowest = [
        ("kms:DescribeKey", ours.keys),
        ("kms:ListResourceTags", ours.keys),
        ("kms:GetKeyRotationStatus", ours.rotations),
        ("kms:ListKeyRotations", ours.rotations),
    ];
    println!("  {:<34} {:>9} {:>12} {:>8}", "", "requests", "quota alone", "took");
    for (operation, requests) in slowest {
        println!("  {operation:<34} {requests:>9} {:>10.1} s", allowed(operation, requests));
    }
    let table = slowest.iter().map(|(operation, n)| allowed(operation, *n)).fold(0.0, f64::max);
    row("portcullis: every state", states, ours.states);
    row("portcullis: the complete table", table, ours.complete);
    println!("  SQL catalogs with {} pairs are in it. Peak memory {:.0} MB.", ours.pairs, ours.peak_mb);
    whole(&ours, PAIRS)?;
    drop(served);
    let Some(python) = python().filter(|_| with_boto3) else { return Ok(ours) };
    let (serial, pool, patient) = (
        boto3(home, &python, "1", SAMPLE, "standard")?,
        boto3(home, &python, THREADS, 0, "standard")?,
        boto3(home, &python, THREADS, 0, "adaptive")?,
    );
    let scale = f64::from(KEYS) / f64::from(SAMPLE);
    row("boto3, one by one (scaled): states", states, serial.states * scale);
    row("boto3, one by one (scaled): table", table, serial.complete * scale);
    for (name, theirs) in [("", &pool), (", adaptive", &patient)] {
        row(&format!("boto3, {THREADS} threads{name}: states"), states, theirs.states);
        row(&format!("boto3, {THREADS} threads{name}: table"), table, theirs.complete);
        println!("  {:.0} of its calls were given up: those answers are lost.", theirs.lost);
        println!(
            "  portcullis, which lost none, is {:.2}× as fast to all states, {:.2}× to the table.",
            theirs.states / ours.states,
            theirs.complete / ours.complete
        );
    }
    Ok(ours)
}

/// What a boto3 program came to, in seconds, and the answers that it lost.
struct Theirs {
    states: f64,
    complete: f64,
    lost: f64,
}

/// Runs it on a fresh account: nobody else has touched its quotas.
fn boto3(home: &Path, python: &Path, threads: &str, sample: u32, mode: &str) -> Outcome<Theirs> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/boto3_inventory.py");
    let served = start(home, PAIRS, &[])?;
    let (output, _) = served.run(home, python, &[script, threads, &sample.to_string(), mode])?;
    let said = String::from_utf8(output.stdout)?;
    match said.split_whitespace().map(str::parse).collect::<Result<Vec<f64>, _>>()?[..] {
        [states, complete, lost] => Ok(Theirs { states, complete, lost }),
        _ => Err(format!("boto3_inventory.py said {said}").into()),
    }
}

fn row(what: &str, allowed: f64, took: f64) {
    println!("  {what:<44} {allowed:>10.1} s {took:>7.1} s  {:.2}×", took / allowed);
}

/// That nothing was lost.
fn whole(load: &Load, pairs: u32) -> Outcome<()> {
    if (load.keys, load.pairs) == (KEYS, pairs) {
        return Ok(());
    }
    Err(format!("rows were lost: {load:?}").into())
}

fn throttled(home: &Path, calm: &Load) -> Outcome<()> {
    let served = start(home, PAIRS, &["--throttle", "10%"])?;
    println!("\nThe same, with 10 % of all requests throttled at random: no row lost");
    let rough = load(&served, home, PAIRS, false)?;
    whole(&rough, PAIRS)?;
    row("every state, beside the calm load", calm.states, rough.states);
    row("the complete table, beside the calm load", calm.complete, rough.complete);
    Ok(())
}

fn kept(home: &Path) -> Outcome<()> {
    let served = start(home, PAIRS, &[])?;
    println!("\nA start with what the last run kept on disk ({KEYS} keys, {PAIRS} pairs)");
    load(&served, home, PAIRS, true)?;
    let again = load(&served, home, PAIRS, true)?;
    whole(&again, PAIRS)?;
    println!("  {} MB on disk; rows to show after {:.2} s,", kept_mb(home)?, again.first);
    println!(
        "  every state read again after {:.1} s, the table after {:.1} s:",
        again.states, again.complete
    );
    println!(
        "  where the material in use is the same, its rotations are known. Tags and rotation status are as they"
    );
    println!("  were kept until they are read again, within some twelve seconds more.");
    Ok(())
}

fn memory(home: &Path) -> Outcome<()> {
    let served = start(home, MANY_PAIRS, &[])?;
    println!("\n{MANY_PAIRS} pairs on {KEYS} keys, all that a console reads");
    let cold = load(&served, home, MANY_PAIRS, true)?;
    whole(&cold, MANY_PAIRS)?;
    println!("  resident {:.0} MB, at its peak {:.0} MB", cold.resident_mb, cold.peak_mb);
    let again = load(&served, home, MANY_PAIRS, true)?;
    println!(
        "  kept: {} MB on disk, rows to show after {:.2} s; resident {:.0} MB, peak {:.0} MB",
        kept_mb(home)?,
        again.first,
        again.resident_mb,
        again.peak_mb
    );
    Ok(())
}

fn kept_mb(home: &Path) -> Outcome<u64> {
    Ok(std::fs::metadata(home.join("kept/inventory/served.json"))?.len().div_ceil(1_000_000))
}

/// What a console makes of each inventory, beside its other work; it shows the newest and lets go of the one before.
async fn show(mut inventories: watch::Receiver<Arc<Inventory>>) {
    let mut shown = Snapshot::default();
    loop {
        let inventory = inventories.borrow_and_update().clone();
        let make = move || Snapshot::of(inventory, &AgePolicies::default(), Timestamp::now());
        let Ok(snapshot) = tokio::task::spawn_blocking(make).await else { return };
        let outgoing = std::mem::replace(&mut shown, snapshot);
        tokio::task::spawn_blocking(move || drop(outgoing));
        if inventories.changed().await.is_err() {
            return;
        }
    }
}

/// The measured program: a console's reading, and what it makes ready to be shown, without a terminal.
async fn measured(wanted: &str) -> Outcome<()> {
    let (pairs, keep) = wanted.split_once(' ').ok_or("which pairs?")?;
    let pairs: usize = pairs.parse()?;
    let file = std::env::var_os("PORTCULLIS_CONFIG").map(Into::into);
    let settings = settings::load(&Overrides { file, ..Overrides::default() })?;
    let environment = settings.environments.get("served").ok_or("no environment `served`")?.clone();
    let home = std::env::var("HOME")?;
    let keeper =
        (keep == "keep").then(|| Keeper::in_folder(&Path::new(&home).join("kept"), &environment.name));
    let keeps = keeper.is_some();
    let wire = Wire { http: HttpWire::Internet(Credentials::Chain), sql: Dialer::Tcp, sql_ca: None };
    let (begun, opened) = (Instant::now(), Timestamp::now());
    let estate = Estate::open(environment, wire, Clock::system()).await?;
    let (mut inventories, _handle) = Refresher::spawn(estate, keeper);
    let showing = tokio::spawn(show(inventories.clone()));
    let (mut first, mut states) = (None, None);
    let took = || begun.elapsed().as_secs_f64();
    loop {
        let inventory = inventories.borrow_and_update().clone();
        if first.is_none() && inventory.pairs().next().is_some() {
            first = Some(took());
        }
        if states.is_none() && has_states(&inventory, opened) {
            states = Some(took());
        }
        if states.is_some() && inventory.pairs().count() == pairs && has_table(&inventory) {
            break;
        }
        drop(inventory);
        tokio::time::timeout(Duration::from_mins(20), inventories.changed()).await??;
    }
    let complete = took();
    if keeps {
        // Once the table is complete it is kept; nothing announces that it is on disk.
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    let inventory = inventories.borrow().clone();
    let rotate = |key: &&KmsKey| key.rotation.not_visible().is_none();
    let rotating = ours(&inventory).filter(rotate).count();
    println!(
        "first {}\nstates {}\ncomplete {complete}",
        first.unwrap_or(complete),
        states.unwrap_or(complete)
    );
    println!("keys {}\npairs {}", ours(&inventory).count(), inventory.pairs().count());
    println!("rotations {rotating}");
    drop(inventory);
    println!("peak {}\nresident {}", memory_mb("VmHWM:")?, memory_mb("VmRSS:")?);
    showing.abort();
    Ok(())
}

fn ours(inventory: &Inventory) -> impl Iterator<Item = &KmsKey> {
    inventory.keys.values().map(AsRef::as_ref).filter(|key| key.manager == Manager::Customer)
}

fn has_states(inventory: &Inventory, since: Timestamp) -> bool {
    ours(inventory).filter(|key| key.read_at >= since).count() == KEYS as usize
}

fn has_table(inventory: &Inventory) -> bool {
    let known = |key: &KmsKey| {
        key.rotation != Seen::Loading && key.rotations != Seen::Loading && key.tags.known().is_some()
    };
    ours(inventory).all(known)
}

fn memory_mb(field: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}
