//! How long the console takes to draw a frame, to answer a key, and to take a new inventory in.
//!
//! Everything is the program's own: `state::update`, then `draw::draw` through ratatui into a terminal of
//! 200×50 cells that lies in memory. Criterion says how the mean behaves; the line below each of its reports
//! tells the single measurements' p50, p99 and worst, which the targets are about.

mod estate;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};

use portcullis::console::draw::draw;
use portcullis::console::keymap::Keymap;
use portcullis::console::snapshot::Snapshot;
use portcullis::console::state::{Event, State, update};
use portcullis::console::theme::ThemeName;
use portcullis::console::{Mode, Options, Place};
use portcullis::inventory::Column;
use portcullis::model::age::AgePolicies;
use portcullis::model::seen::Seen;
use portcullis::trail::TrailView;

const SIZE: (u16, u16) = (200, 50);
const SIZES: [usize; 3] = [50, 10_000, 100_000];
const MOST: usize = 100_000;
/// What people type to see fewer rows: a letter that is in every row, words, a field, a word that no row has.
const TYPED: [&str; 11] = [
    "c",
    "cu",
    "customer_09",
    "state:disabled",
    "db:buzz_017 -overdue",
    "team-42 customer",
    "zebra",
    "age:>80 (db:buzz_017 or is:overdue)",
    "column:nationalid",
    // Typos: no row has them, so the closest rows are sought.
    "custmoer_0912",
    "taem-42/dtaa",
];

fn now() -> Timestamp {
    Timestamp::from_second(1_795_444_951).expect("a time of our days")
}

/// A console with an inventory, on a terminal in memory.
struct Console {
    state: State,
    terminal: Terminal<TestBackend>,
}

impl Console {
    fn with(pairs: usize) -> Self {
        let terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("memory can be drawn on");
        let mut console =
            Self { state: State::new(options(), false, vec![Arc::new(trail())], now(), SIZE), terminal };
        update(&mut console.state, Event::Inventory(0, snapshot(pairs)));
        console.draw();
        console
    }

    fn draw(&mut self) {
        self.terminal.draw(|frame| draw(&mut self.state, frame)).expect("memory can be drawn on");
    }

    fn press(&mut self, key: KeyCode) {
        update(&mut self.state, Event::Input(Input::Key(KeyEvent::new(key, KeyModifiers::NONE))));
    }

    /// From a key to the frame that it makes.
    fn answer(&mut self, key: KeyCode) -> Duration {
        let begun = Instant::now();
        self.press(key);
        self.draw();
        begun.elapsed()
    }
}

fn snapshot(pairs: usize) -> Arc<Snapshot> {
    Arc::new(Snapshot::of(Arc::new(estate::inventory(pairs, now())), &AgePolicies::default(), now()))
}

fn options() -> Options {
    Options {
        places: vec![Place {
            environment: "production".into(),
            production: true,
            simulated: false,
            account: Some("111122223333".into()),
            region: "eu-west-1".into(),
            identity: Seen::Known("oncall-a via emergency-key-admin".into()),
            age: AgePolicies::default(),
            column_key_cache: SignedDuration::from_hours(2),
        }],
        columns: Column::USUAL.to_vec(),
        columns_file: None,
        mode: Mode::Watch,
        theme: ThemeName::Dark,
        no_color: false,
        keymap: Keymap::new(&BTreeMap::new()).expect("the default keys do not contradict each other"),
        runbooks: Vec::new(),
        bell: true,
        save_dir: std::env::temp_dir(),
        device: None,
    }
}

fn trail() -> TrailView {
    TrailView::default()
}

/// Single measurements, for what a mean hides.
#[derive(Default)]
struct Spread(RefCell<Vec<Duration>>);

impl Spread {
    /// Measures `count` times and keeps each.
    fn sum(&self, count: u64, mut once: impl FnMut() -> Duration) -> Duration {
        let mut kept = self.0.borrow_mut();
        (0..count)
            .map(|_| {
                let took = once();
                kept.push(took);
                took
            })
            .sum()
    }

    fn tell(&self, what: &str) {
        let mut all = self.0.take();
        all.sort();
        let at = |percent: usize| all.get((all.len().saturating_sub(1)) * percent / 100).copied();
        if let (Some(p50), Some(p99), Some(worst)) = (at(50), at(99), at(100)) {
            println!("{what}: p50 {p50:.2?}, p99 {p99:.2?}, worst {worst:.2?} of {}\n", all.len());
        }
    }
}

/// The frame after a page down: every row of the list is another one than before.
fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    for pairs in SIZES {
        let mut console = Console::with(pairs);
        let spread = Spread::default();
        group.bench_function(BenchmarkId::from_parameter(pairs), |b| {
            b.iter_custom(|count| {
                spread.sum(count, || {
                    let before = console.state.keys.picker.list.selected;
                    console.press(KeyCode::PageDown);
                    if console.state.keys.picker.list.selected == before {
                        console.press(KeyCode::Home);
                    }
                    let begun = Instant::now();
                    console.draw();
                    begun.elapsed()
                })
            });
        });
        spread.tell(&format!("frame with {pairs} pairs"));
    }
    group.finish();
}

/// From a key press to the frame with the rows that it leaves, while words are typed and taken back again.
fn filtering(c: &mut Criterion) {
    let mut group = c.benchmark_group("key press to frame, filtering 100,000 pairs");
    let mut console = Console::with(MOST);
    for word in TYPED {
        let keys: Vec<KeyCode> =
            word.chars().map(KeyCode::Char).chain(word.chars().map(|_| KeyCode::Backspace)).collect();
        let spread = Spread::default();
        console.press(KeyCode::Char('/'));
        let mut next = keys.iter().cycle();
        group.bench_function(BenchmarkId::from_parameter(word), |b| {
            b.iter_custom(|count| {
                spread.sum(count, || next.next().map_or(Duration::ZERO, |key| console.answer(*key)))
            });
        });
        console.press(KeyCode::Esc);
        spread.tell(&format!("filtering by `{word}`"));
    }
    group.finish();
}

/// From a key press to the frame that shows the rows in another order, or put together otherwise.
fn arranging(c: &mut Criterion) {
    let mut group = c.benchmark_group("key press to frame, arranging 100,000 pairs");
    for (what, key) in [
        ("sort by the next column", 's'),
        ("turn the order round", 'o'),
        ("group by the next thing", 'b'),
        ("fold all, unfold all", 'z'),
    ] {
        let mut console = Console::with(MOST);
        if key == 'z' {
            console.press(KeyCode::Char('b'));
        }
        let spread = Spread::default();
        group.bench_function(BenchmarkId::from_parameter(what), |b| {
            b.iter_custom(|count| spread.sum(count, || console.answer(KeyCode::Char(key))));
        });
        spread.tell(what);
    }
    group.finish();
}

/// The same list in two halves, each of an environment of its own.
fn side_by_side(c: &mut Criterion) {
    let mut group = c.benchmark_group("key press to frame, two environments of 50,000 pairs");
    let mut options = options();
    let mut staging = options.places[0].clone();
    staging.environment = "staging".into();
    options.places.push(staging);
    let terminal = Terminal::new(TestBackend::new(SIZE.0, SIZE.1)).expect("memory can be drawn on");
    let trails = vec![Arc::new(trail()), Arc::new(trail())];
    let mut console = Console { state: State::new(options, false, trails, now(), SIZE), terminal };
    for part in 0..2 {
        update(&mut console.state, Event::Inventory(part, snapshot(MOST / 2)));
    }
    console.draw();
    for (what, key) in [("sort by the next column", 's'), ("group by the next thing", 'b')] {
        let spread = Spread::default();
        group.bench_function(BenchmarkId::from_parameter(what), |b| {
            b.iter_custom(|count| spread.sum(count, || console.answer(KeyCode::Char(key))));
        });
        spread.tell(&format!("two environments: {what}"));
    }
    group.finish();
}

/// From a new inventory, made ready beside the console, to its first frame: for so long no key is answered.
/// As in the program, the one before is freed elsewhere.
fn snapshots(c: &mut Criterion) {
    let mut group = c.benchmark_group("new inventory to frame");
    group.sample_size(10);
    for pairs in SIZES {
        let mut console = Console::with(pairs);
        let spread = Spread::default();
        group.bench_function(BenchmarkId::from_parameter(pairs), |b| {
            b.iter_custom(|count| {
                spread.sum(count, || {
                    let (fresh, _outgoing) = (snapshot(pairs), Arc::clone(&console.state.snapshot));
                    let begun = Instant::now();
                    update(&mut console.state, Event::Inventory(0, fresh));
                    console.draw();
                    begun.elapsed()
                })
            });
        });
        spread.tell(&format!("new inventory of {pairs} pairs"));
    }
    group.finish();
}

/// What is done beside the console for each new inventory: making it ready, and freeing it in the end.
fn preparing(c: &mut Criterion) {
    let mut group = c.benchmark_group("beside the console");
    group.sample_size(10);
    let inventory = Arc::new(estate::inventory(MOST, now()));
    group.bench_function("make 100,000 pairs ready", |b| {
        b.iter_with_large_drop(|| Snapshot::of(Arc::clone(&inventory), &AgePolicies::default(), now()));
    });
    group.bench_function("free 100,000 pairs", |b| {
        b.iter_batched(|| snapshot(MOST), drop, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group! {
    name = console;
    config = Criterion::default().measurement_time(Duration::from_secs(3)).warm_up_time(Duration::from_secs(1));
    targets = frames, filtering, arranging, side_by_side, snapshots, preparing
}
criterion_main!(console);
