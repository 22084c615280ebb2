//! The real loop, on a terminal of test, with real keys typed.

mod finding;
mod fixture;
mod flows;
mod pictures;
mod simulated;
mod sizes;
mod terminal;

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ratatui::Terminal;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::UnboundedReceiverStream;

use self::terminal::SharedTerminal;
use super::{ConsoleError, Exit, Feed, Mode, Options, Responder, Sources, run};
use crate::clock::Clock;
use crate::model::pair::Inventory;
use crate::respond::view::{Ask, Told};
use crate::trail::TrailView;

/// A console that runs, and everything around it.
pub struct Bench {
    input: mpsc::UnboundedSender<io::Result<Input>>,
    pub inventory: watch::Sender<Arc<Inventory>>,
    pub trail: watch::Sender<Arc<TrailView>>,
    told: Option<mpsc::Sender<Told>>,
    asks: mpsc::Receiver<Ask>,
    pub copied: Arc<Mutex<VecDeque<String>>>,
    pub refreshed: Arc<AtomicUsize>,
    terminal: SharedTerminal,
    stop: Option<oneshot::Sender<()>>,
    console: JoinHandle<Result<Exit, ConsoleError>>,
}

impl Bench {
    pub async fn watch(size: (u16, u16)) -> Self {
        Self::with(size, fixture::options(Mode::Watch)).await
    }

    pub async fn respond(size: (u16, u16)) -> Self {
        Self::with(size, fixture::options(Mode::Respond { incident: fixture::incident() })).await
    }

    pub async fn with(size: (u16, u16), options: Options) -> Self {
        Self::beside(size, options, Vec::new()).await
    }

    /// With more environments beside the first.
    pub async fn beside(size: (u16, u16), options: Options, beside: Vec<Feed>) -> Self {
        let terminal = SharedTerminal::new(size);
        let (input, typed) = mpsc::unbounded_channel();
        let (inventory, inventory_seen) = watch::channel(Arc::new(fixture::inventory()));
        let (trail, trail_seen) = watch::channel(Arc::new(fixture::trail()));
        let (ask, asks) = mpsc::channel(16);
        let (tell, told) = mpsc::channel(16);
        let (stop, stopped) = oneshot::channel::<()>();
        let responder = (options.mode != Mode::Watch).then_some(Responder { ask, told });
        let told = responder.is_some().then_some(tell);
        let (copied, refreshed) = (Arc::<Mutex<VecDeque<String>>>::default(), Arc::<AtomicUsize>::default());
        let (clipboard, refreshing) = (Arc::clone(&copied), Arc::clone(&refreshed));
        let begun = tokio::time::Instant::now();
        let refresh = Box::new(move || {
            refreshing.fetch_add(1, Ordering::Relaxed);
        });
        let first = Feed { inventory: inventory_seen, trail: trail_seen, refresh };
        let feeds = std::iter::once(first).chain(beside).collect();
        let sources = Sources {
            feeds,
            responder,
            // The paused clock of tokio, told as a time of day.
            clock: Clock::from_fn(move || fixture::now() + begun.elapsed()),
            clipboard: Box::new(move |text| {
                clipboard.lock().unwrap().push_back(text.to_owned());
                Ok(())
            }),
        };
        let mut backend = Terminal::new(terminal.clone()).unwrap();
        let console = tokio::spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            run(&mut backend, UnboundedReceiverStream::new(typed), shutdown, sources, options).await
        });
        let bench = Self {
            input,
            inventory,
            trail,
            told,
            asks,
            copied,
            refreshed,
            terminal,
            stop: Some(stop),
            console,
        };
        bench.settle().await;
        bench
    }

    /// Waits until nobody has anything left to do: the clock is paused, and goes on only then.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// Types keys: letters as they are, others by name as in `<enter>`, `<ctrl-p>`.
    pub async fn keys(&self, keys: &str) -> &Self {
        let mut rest = keys;
        while let Some(c) = rest.chars().next() {
            let named = rest.strip_prefix('<').and_then(|named| named.split_once('>'));
            let event = if let Some((name, after)) = named {
                rest = after;
                key_event(name)
            } else {
                rest = &rest[c.len_utf8()..];
                KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
            };
            let _ = self.input.send(Ok(Input::Key(event)));
        }
        self.settle().await;
        self
    }

    pub async fn input(&self, event: Input) -> &Self {
        let _ = self.input.send(Ok(event));
        self.settle().await;
        self
    }

    pub async fn tell(&self, told: Told) -> &Self {
        self.told.as_ref().unwrap().send(told).await.unwrap();
        self.settle().await;
        self
    }

    /// What was asked for since the last time.
    pub fn asked(&mut self) -> Vec<Ask> {
        std::iter::from_fn(|| self.asks.try_recv().ok()).collect()
    }

    pub fn buffer(&self) -> Buffer {
        self.terminal.buffer()
    }

    pub fn screen(&self) -> String {
        super::svg::text(&self.buffer())
    }

    pub fn draws(&self) -> usize {
        self.terminal.draws()
    }

    pub fn resize(&self, size: (u16, u16)) {
        self.terminal.resize(size);
        let _ = self.input.send(Ok(Input::Resize(size.0, size.1)));
    }

    pub fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    pub fn running(&self) -> bool {
        !self.console.is_finished()
    }

    /// How the console ended.
    pub async fn exit(self) -> Exit {
        self.console.await.unwrap().unwrap()
    }
}

fn key_event(name: &str) -> KeyEvent {
    let (modifiers, name) = match name.strip_prefix("ctrl-") {
        Some(rest) => (KeyModifiers::CONTROL, rest),
        None => (KeyModifiers::NONE, name),
    };
    let code = match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "backtab" => KeyCode::BackTab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "pgdn" => KeyCode::PageDown,
        "pgup" => KeyCode::PageUp,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "f5" => KeyCode::F(5),
        letter => KeyCode::Char(letter.chars().next().unwrap()),
    };
    KeyEvent::new(code, modifiers)
}
