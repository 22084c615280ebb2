//! The console's real loop on the simulated account, in process: keys go in, frames come out.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use jiff::Timestamp;
use portcullis::console::keymap::Keymap;
use portcullis::console::theme::ThemeName;
use portcullis::console::{self, Exit, Mode, Options, Place, RunbookCard, Sources};
use portcullis::drill::Stage;
use portcullis::estate::Estate;
use portcullis::inventory::Column;
use portcullis::live::Live;
use portcullis::model::pair::{Inventory, KeyLink};
use portcullis::model::seen::Seen;
use portcullis::runbook::Library;
use portcullis::simulator::record::RecordedCall;
use ratatui::Terminal;
use ratatui::backend::{Backend, ClearType, TestBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::{Position, Size};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::UnboundedReceiverStream;

/// What the console says when the whole simulated estate has been read.
pub const ALL_PAIRS: &str = "64 pairs";

/// How long a frame may take to show what is waited for. Only a failing test takes this long.
const PATIENCE: Duration = Duration::from_mins(1);

/// An open environment that has been read.
pub struct House {
    pub stage: Stage,
    pub estate: Arc<Estate>,
    pub live: Live,
}

impl House {
    /// Opens the simulated account, and waits until everything that a screen shows has been read once.
    pub async fn open() -> Self {
        let stage = Stage::set(7, Timestamp::now()).unwrap();
        let estate = Estate::open(stage.environment.clone(), stage.wire.clone(), stage.clock.clone()).await;
        let estate = estate.unwrap();
        let live = Live::start(&estate, None);
        let mut inventory = live.inventory();
        inventory.wait_for(|all| all.pairs().count() >= 40 && all_asked_about(all)).await.unwrap();
        live.trail().wait_for(|trail| trail.events.iter().next().is_some()).await.unwrap();
        Self { stage, estate, live }
    }

    /// What a console on it is told once.
    pub fn options(&self, mode: Mode, save_dir: &Path) -> Options {
        let environment = &self.stage.environment;
        let (runbooks, _) = Library::load(&[]);
        let card = |r: &Arc<portcullis::runbook::Runbook>| RunbookCard {
            id: r.id.clone(),
            title: r.title.clone(),
            text: r.reading(),
        };
        Options {
            places: vec![Place {
                environment: environment.name.clone(),
                production: environment.production,
                simulated: true,
                account: environment.account.clone(),
                region: environment.regions[0].clone(),
                identity: Seen::Known("user/oncall-a".to_owned()),
                age: environment.age.clone(),
                column_key_cache: environment.column_key_cache,
            }],
            columns: Column::USUAL.to_vec(),
            columns_file: None,
            mode,
            theme: ThemeName::Dark,
            no_color: false,
            keymap: Keymap::new(&BTreeMap::new()).unwrap(),
            runbooks: runbooks.iter().map(card).collect(),
            bell: true,
            save_dir: save_dir.to_owned(),
            device: Some(self.stage.device()),
        }
    }

    /// The calls so far that change something.
    pub fn mutating(&self) -> Vec<RecordedCall> {
        self.stage.simulator.calls().into_iter().filter(|call| call.mutating).collect()
    }

    /// How many audit rows the SQL servers hold.
    pub fn audit_rows(&self) -> usize {
        let world = self.stage.simulator.world();
        world
            .sql
            .iter()
            .map(|server| server.databases.iter().map(|d| d.audit_rows.len()).sum::<usize>())
            .sum()
    }
}

/// Whether KMS has been asked about every key that a pair names.
fn all_asked_about(inventory: &Inventory) -> bool {
    inventory.pairs().all(|pair| !matches!(pair.cmk.link, KeyLink::Loading { .. }))
}

/// Runs the console while `operator` sits at it; the operator has to leave it.
pub async fn operate(
    sources: Sources,
    options: Options,
    (cols, rows): (u16, u16),
    operator: impl AsyncFnOnce(&mut Operator),
) -> Exit {
    let (screen_out, screen) = watch::channel(String::new());
    let (keys, input) = mpsc::unbounded_channel();
    let mut terminal =
        Terminal::new(Watched { inner: TestBackend::new(cols, rows), screen: screen_out }).unwrap();
    let shutdown = std::future::pending();
    let running =
        console::run(&mut terminal, UnboundedReceiverStream::new(input), shutdown, sources, options);
    let mut at = Operator { keys, screen };
    let (exit, ()) = join(running, operator(&mut at)).await;
    exit.unwrap()
}

/// Whoever sits at the console.
pub struct Operator {
    keys: mpsc::UnboundedSender<io::Result<Event>>,
    screen: watch::Receiver<String>,
}

impl Operator {
    /// Presses a key, named as the keymap names it.
    pub fn press(&self, name: &str) {
        self.send(key(name));
    }

    /// Types letters.
    pub fn write(&self, text: &str) {
        for letter in text.chars() {
            self.send(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::NONE));
        }
    }

    fn send(&self, key: KeyEvent) {
        // Nobody listens once the console has been left; then its exit says what went wrong.
        let _ = self.keys.send(Ok(Event::Key(key)));
    }

    /// Waits until a frame shows `text`, and gives it.
    pub async fn see(&mut self, text: &str) -> String {
        let shown = tokio::time::timeout(PATIENCE, self.screen.wait_for(|frame| frame.contains(text))).await;
        let found = matches!(shown, Ok(Ok(_)));
        drop(shown);
        let frame = self.screen.borrow().clone();
        assert!(found, "`{text}` was never seen:\n{frame}");
        frame
    }
}

/// The event that a terminal makes of a key.
fn key(name: &str) -> KeyEvent {
    let mut modifiers = KeyModifiers::NONE;
    let mut rest = name;
    for (prefix, modifier) in [("ctrl-", KeyModifiers::CONTROL), ("shift-", KeyModifiers::SHIFT)] {
        if let Some(after) = rest.strip_prefix(prefix) {
            modifiers |= modifier;
            rest = after;
        }
    }
    let code = match rest {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" if modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "pgup" => KeyCode::PageUp,
        "pgdn" => KeyCode::PageDown,
        "f1" => KeyCode::F(1),
        "f5" => KeyCode::F(5),
        letter if letter.chars().count() == 1 => KeyCode::Char(letter.chars().next().unwrap()),
        other => panic!("the test does not know the key `{other}`"),
    };
    KeyEvent::new(code, modifiers)
}

/// Ratatui's test backend, telling each frame.
struct Watched {
    inner: TestBackend,
    screen: watch::Sender<String>,
}

impl Backend for Watched {
    type Error = <TestBackend as Backend>::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Cell)>>(&mut self, content: I) -> Result<(), Self::Error> {
        self.inner.draw(content)
    }

    fn hide_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> Result<(), Self::Error> {
        self.inner.show_cursor()
    }

    fn get_cursor_position(&mut self) -> Result<Position, Self::Error> {
        self.inner.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> Result<(), Self::Error> {
        self.inner.set_cursor_position(position)
    }

    fn clear(&mut self) -> Result<(), Self::Error> {
        self.inner.clear()
    }

    fn clear_region(&mut self, kind: ClearType) -> Result<(), Self::Error> {
        self.inner.clear_region(kind)
    }

    fn size(&self) -> Result<Size, Self::Error> {
        self.inner.size()
    }

    fn window_size(&mut self) -> Result<WindowSize, Self::Error> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.screen.send_replace(self.inner.to_string());
        self.inner.flush()
    }
}
