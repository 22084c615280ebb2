//! The real loop, on a terminal of test, with real keys typed.

mod finding;
mod fixture;
mod flows;
mod pictures;
mod runbooks;
mod simulated;
mod sizes;
mod terminal;
mod watching;

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
use super::{ConsoleError, Exit, Feed, KeyTrails, Mode, Options, Responder, Sources, run};
use crate::clock::Clock;
use crate::inventory::Progress;
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;
use crate::model::seen::Seen;
use crate::respond::view::{Ask, Told};
use crate::trail::{KeyTrail, TrailView};

/// A console that runs, and everything around it.
pub struct Bench {
    input: mpsc::UnboundedSender<io::Result<Input>>,
    pub inventory: watch::Sender<Arc<Inventory>>,
    pub trail: watch::Sender<Arc<TrailView>>,
    told: Option<mpsc::Sender<Told>>,
    asks: mpsc::Receiver<Ask>,
    keys_asked: mpsc::UnboundedReceiver<KeyArn>,
    answer: mpsc::UnboundedSender<(KeyArn, Seen<Arc<KeyTrail>>)>,
    pub copied: Arc<Mutex<VecDeque<String>>>,
    pub refreshed: Arc<AtomicUsize>,
    /// How often the bell was sounded.
    pub rung: Arc<AtomicUsize>,
    pub progress: watch::Sender<Progress>,
    pub looked_at: Arc<Mutex<Vec<KeyArn>>>,
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
        let rung = Arc::<AtomicUsize>::default();
        let ringing = Arc::clone(&rung);
        let (clipboard, refreshing) = (Arc::clone(&copied), Arc::clone(&refreshed));
        let (asked_about, keys_asked) = mpsc::unbounded_channel();
        let (answer, answers) = mpsc::unbounded_channel();
        let (progress, progress_seen) = watch::channel(Progress::default());
        let looked_at = Arc::<Mutex<Vec<KeyArn>>>::default();
        let looking = Arc::clone(&looked_at);
        let begun = tokio::time::Instant::now();
        let refresh = Box::new(move || {
            refreshing.fetch_add(1, Ordering::Relaxed);
        });
        let first = Feed {
            inventory: inventory_seen,
            trail: trail_seen,
            backfills: crate::trail::Backfills::default(),
            progress: progress_seen,
            key_trails: KeyTrails {
                ask: Box::new(move |key| {
                    let _ = asked_about.send(key);
                }),
                told: answers,
            },
            refresh,
            interested: Box::new(move |keys| *looking.lock().unwrap() = keys.to_vec()),
        };
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
            bell: Box::new(move || {
                ringing.fetch_add(1, Ordering::Relaxed);
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
            keys_asked,
            answer,
            copied,
            refreshed,
            rung,
            progress,
            looked_at,
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

    /// Takes the trail for one that has just begun to be followed.
    pub async fn trail_just_begun(self) -> Self {
        self.trail.send(Arc::new(fixture::trail_just_begun())).unwrap();
        self.settle().await;
        self
    }

    /// The keys that CloudTrail was asked about since the last time.
    pub fn asked_about(&mut self) -> Vec<KeyArn> {
        std::iter::from_fn(|| self.keys_asked.try_recv().ok()).collect()
    }

    /// CloudTrail's answer about a key.
    pub async fn answer(&self, key: KeyArn, answer: Seen<Arc<KeyTrail>>) -> &Self {
        self.answer.send((key, answer)).unwrap();
        self.settle().await;
        self
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
