//! Trail logs at the size of a big account.
//!
//! `generate DIR [RECORDS]` writes a bucket's folder of logs (1,000,000 records, some 1.5 GB of JSON, by default);
//! `trail_count.py DIR PROGRAM THIS` then counts them by name with portcullis, `DuckDB`, jq, and inflates them alone:
//! `inflate DIR` does that with libdeflate on every core.
//! `held` keeps a million events and says what they weigh, and how long a key press takes to its frame while they are
//! filtered. `cargo bench --bench trail` does the last. Linux only: it reads `/proc`.

mod logs;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use libdeflater::Decompressor;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};

use portcullis::console::draw::draw;
use portcullis::console::keymap::Keymap;
use portcullis::console::state::{Event, State, update};
use portcullis::console::theme::ThemeName;
use portcullis::console::{Mode, Options, Place};
use portcullis::inventory::Column;
use portcullis::model::age::AgePolicies;
use portcullis::model::seen::Seen;
use portcullis::trail::files::Found;
use portcullis::trail::{self, Batch, Store, TrailView, parse};

const EVENTS: usize = 1_000_000;
const TOGETHER: usize = 2048;
/// What people type: letters that many rows have, words, fields, times, a word that no row has.
const TYPED: [&str; 8] = [
    "decrypt",
    "deploy denied",
    "who:oncall",
    "outcome:denied -name:decrypt",
    "10.20.7.",
    "severity:high",
    "since:7d key:1",
    "zebra",
];

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["generate", folder] => generate(Path::new(folder), EVENTS),
        ["generate", folder, records] => generate(Path::new(folder), records.parse()?),
        ["inflate", folder] => inflate(Path::new(folder)),
        _ => held(),
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_795_444_951).unwrap_or_default()
}

fn generate(folder: &Path, records: usize) -> Outcome<()> {
    let bytes = logs::write(folder, records, now())?;
    println!("{records} records, {} MB of JSON under {}", bytes / 1_000_000, folder.display());
    Ok(())
}

/// Merely inflates the files of a folder, on every core.
fn inflate(folder: &Path) -> Outcome<()> {
    let found = Found::under(&[folder.to_owned()])?;
    let next = AtomicUsize::new(0);
    let work = || -> std::io::Result<u64> {
        let (mut inflate, mut text, mut bytes) = (Decompressor::new(), Vec::new(), 0);
        while let Some(path) = found.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let file = std::fs::read(path)?;
            let length = file.last_chunk().map_or(0, |length| u32::from_le_bytes(*length));
            text.resize(length as usize, 0);
            let inflated = inflate.gzip_decompress(&file, &mut text).map_err(std::io::Error::other)?;
            bytes += inflated as u64;
        }
        Ok(bytes)
    };
    let cores = std::thread::available_parallelism()?.get();
    let bytes = std::thread::scope(|scope| -> Outcome<u64> {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let mut bytes = 0;
        for worker in workers {
            bytes += worker.join().map_err(|_| "a core gave up")??;
        }
        Ok(bytes)
    })?;
    println!("{bytes} bytes");
    Ok(())
}

/// Memory that the process has, in bytes.
fn resident() -> Outcome<usize> {
    let pages: usize = std::fs::read_to_string("/proc/self/statm")?
        .split_whitespace()
        .nth(1)
        .ok_or("statm has a second number")?
        .parse()?;
    Ok(pages * 4096)
}

fn held() -> Outcome<()> {
    let mut records = logs::Records::new(now());
    let before = resident()?;
    let mut store = Store::new(EVENTS);
    let (mut taking, mut raw) = (Duration::ZERO, 0);
    for _ in 0..EVENTS.div_ceil(TOGETHER) {
        let texts: Vec<String> = (0..TOGETHER).map(|_| records.draw()).collect();
        raw += texts.iter().map(String::len).sum::<usize>();
        let begun = Instant::now();
        let events = texts.into_iter().filter_map(|text| Some((parse(&text).ok()?, text))).collect();
        store.add(Batch::of(events));
        taking += begun.elapsed();
    }
    let events = store.events().clone();
    let (beside, packed) = events.size();
    let count = events.len();
    println!("{count} events held; parsed, packed and taken in on one core in {taking:.2?}");
    println!(
        "  {} bytes an event beside the records; records {} bytes each, {} packed; the process has {} MB more than before",
        beside / count,
        raw / (EVENTS.div_ceil(TOGETHER) * TOGETHER),
        packed / count,
        (resident()? - before) / 1_000_000
    );
    let begun = Instant::now();
    let mut ranks: Vec<u32> = (0..u32::try_from(count)?).collect();
    events.sort_by(&mut ranks, trail::Column::Who);
    println!("  sorted by who in {:.2?}", begun.elapsed());
    let begun = Instant::now();
    std::hint::black_box(store.events().raw(count / 2));
    println!("  one record unpacked in {:.2?}", begun.elapsed());
    typing(TrailView { events, ..TrailView::default() })
}

/// From a key press to its frame, while words are typed and taken back again.
fn typing(trail: TrailView) -> Outcome<()> {
    let (width, height) = (200, 50);
    let mut terminal = Terminal::new(TestBackend::new(width, height))?;
    let mut state = State::new(options()?, false, vec![Arc::default()], now(), (width, height));
    let mut press = |state: &mut State, key: KeyCode| -> Outcome<Duration> {
        let begun = Instant::now();
        update(state, Event::Input(Input::Key(KeyEvent::new(key, KeyModifiers::NONE))));
        terminal.draw(|frame| draw(state, frame))?;
        Ok(begun.elapsed())
    };
    press(&mut state, KeyCode::Char('2'))?;
    update(&mut state, Event::Trail(0, Arc::new(trail)));
    let told = |what: &str, mut all: Vec<Duration>| {
        all.sort();
        let at = |percent: usize| all[(all.len() - 1) * percent / 100];
        println!("  {what}: p50 {:.2?}, p99 {:.2?}, worst {:.2?}", at(50), at(99), at(100));
    };
    let mut press_often = |state: &mut State, key: char, times: usize| -> Outcome<Vec<Duration>> {
        (0..times).map(|_| press(state, KeyCode::Char(key))).collect()
    };
    told("a step down the list to its frame", press_often(&mut state, 'j', 400)?);
    told("daily use left out or shown again, to its frame", press_often(&mut state, 'd', 20)?);
    for word in TYPED {
        press(&mut state, KeyCode::Char('/'))?;
        let mut all = Vec::new();
        for _ in 0..5 {
            let typed = word.chars().map(KeyCode::Char);
            for key in typed.chain(word.chars().map(|_| KeyCode::Backspace)) {
                all.push(press(&mut state, key)?);
            }
        }
        press(&mut state, KeyCode::Esc)?;
        told(&format!("`{word}`: key press to frame"), all);
    }
    Ok(())
}

fn options() -> Outcome<Options> {
    let place = Place {
        environment: "production".into(),
        production: true,
        simulated: false,
        account: Some("111122223333".into()),
        region: "eu-west-1".into(),
        identity: Seen::Known("auditor".into()),
        age: AgePolicies::default(),
        column_key_cache: SignedDuration::from_hours(2),
    };
    Ok(Options {
        places: vec![place],
        columns: Column::USUAL.to_vec(),
        columns_file: None,
        mode: Mode::Watch,
        theme: ThemeName::Dark,
        no_color: false,
        keymap: Keymap::new(&BTreeMap::new()).map_err(|error| error.to_string())?,
        runbooks: Vec::new(),
        bell: true,
        save_dir: std::env::temp_dir(),
        device: None,
    })
}
