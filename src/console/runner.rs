//! The loop: takes events from one ordered road, lets `update` decide, performs what it asks for, draws.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt as _, Stream, StreamExt as _};
use jiff::{SignedDuration, Timestamp};
use ratatui::Terminal;
use ratatui::backend::Backend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::Event as Input;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use super::snapshot::Snapshot;
use super::state::{Action, Event, State, Words, update};
use super::{Exit, Feed, KeyAnswer, Options, Sources, draw, svg};
use crate::inventory::{Column, Progress};
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::pair::Inventory;
use crate::trail::TrailView;

/// Why the console stopped against its will.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    #[error("the terminal could not be drawn on: {0}; is it still there?")]
    Draw(String),
    #[error("the terminal's input could not be read: {0}; is it still there?")]
    Input(#[from] io::Error),
}

/// As many events as are taken before a draw is due, so that a flood cannot keep the screen from changing.
const AT_ONCE: usize = 512;

/// Runs the console until its operator leaves, `shutdown` comes true, or the input ends.
///
/// # Errors
/// The terminal cannot be drawn on or read from.
pub async fn run<B: Backend>(
    terminal: &mut Terminal<B>,
    input: impl Stream<Item = io::Result<Input>>,
    shutdown: impl Future<Output = ()>,
    mut sources: Sources,
    options: Options,
) -> Result<Exit, ConsoleError> {
    let size = terminal.size().map_err(drawing)?;
    let mut road = Road::new(input, shutdown, &mut sources, &options);
    // What is there at the start is little: it is read only from now on.
    let trails = road.trails.iter_mut().map(|trail| trail.borrow_and_update().clone()).collect();
    let can_act = sources.responder.is_some();
    let mut state = State::new(options, can_act, trails, sources.clock.now(), (size.width, size.height));
    for (part, inventory) in road.inventories.iter_mut().enumerate() {
        let inventory = inventory.borrow_and_update().clone();
        let snapshot = Snapshot::of(inventory, &state.options.places[part].age, state.now);
        update(&mut state, Event::Inventory(part, Arc::new(snapshot)));
    }
    super::alarms::know(&mut state);

    let mut looking = Looking::default();
    loop {
        if state.take_dirty() {
            terminal.draw(|frame| draw::draw(&mut state, frame)).map_err(drawing)?;
            looking.tell(&state, &sources);
        }
        let mut event = road.next(&mut sources).await?;
        for _ in 0..AT_ONCE {
            let outgoing = match &event {
                Event::Inventory(part, _) => Some(Arc::clone(&state.parts[*part].snapshot)),
                _ => None,
            };
            for action in update(&mut state, event) {
                if let Some(exit) = perform(action, &mut state, terminal, &mut sources)? {
                    return Ok(exit);
                }
            }
            // A hundred thousand rows are not freed at once either.
            outgoing.map(|outgoing| tokio::task::spawn_blocking(move || drop(outgoing)));
            match road.next(&mut sources).now_or_never() {
                Some(more) => event = more?,
                None => break,
            }
        }
    }
}

/// How far back a key's own events are read on demand.
const READ_BACK: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Tells whoever reads an environment's keys which of them are on screen, when that changes.
#[derive(Default)]
struct Looking(Vec<Vec<KeyArn>>);

impl Looking {
    fn tell(&mut self, state: &State, sources: &Sources) {
        let keys = super::screens::keys::on_screen(state);
        if keys != self.0 {
            for (feed, keys) in sources.feeds.iter().zip(&keys) {
                (feed.interested)(keys);
            }
            self.0 = keys;
        }
    }
}

fn drawing(error: impl std::fmt::Display) -> ConsoleError {
    ConsoleError::Draw(error.to_string())
}

/// Where events come from, most urgent first.
struct Road<I, S> {
    input: Pin<Box<I>>,
    shutdown: Pin<Box<S>>,
    tick: Instant,
    /// Of each environment.
    inventories: Vec<watch::Receiver<Arc<Inventory>>>,
    trails: Vec<watch::Receiver<Arc<TrailView>>>,
    progresses: Vec<watch::Receiver<Progress>>,
    ages: Vec<AgePolicies>,
    /// The newest inventory of an environment, while it is made ready beside this task.
    preparing: Option<JoinHandle<(usize, Snapshot)>>,
}

/// Which of `all` has something new; waits for ever once nobody sends.
async fn any_changed<T>(all: &mut [watch::Receiver<T>]) -> usize {
    let each = all.iter_mut().enumerate().map(|(at, one)| {
        Box::pin(async move {
            match one.changed().await {
                Ok(()) => at,
                Err(_nobody_sends) => std::future::pending().await,
            }
        })
    });
    futures_util::future::select_all(each).await.0
}

/// The next answer about a key's trail, of any environment; waits for ever once nobody answers.
async fn any_answer(feeds: &mut [Feed]) -> KeyAnswer {
    let each = feeds.iter_mut().map(|feed| {
        Box::pin(async move {
            match feed.key_trails.told.recv().await {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        })
    });
    futures_util::future::select_all(each).await.0
}

impl<I: Stream<Item = io::Result<Input>>, S: Future<Output = ()>> Road<I, S> {
    fn new(input: I, shutdown: S, sources: &mut Sources, options: &Options) -> Self {
        Self {
            input: Box::pin(input),
            shutdown: Box::pin(shutdown),
            tick: next_tick(sources.clock.now()),
            inventories: sources.feeds.iter().map(|feed| feed.inventory.clone()).collect(),
            trails: sources.feeds.iter().map(|feed| feed.trail.clone()).collect(),
            progresses: sources.feeds.iter().map(|feed| feed.progress.clone()).collect(),
            ages: options.places.iter().map(|place| place.age.clone()).collect(),
            preparing: None,
        }
    }

    /// The next event. Nothing is lost where this is dropped before it is ready.
    async fn next(&mut self, sources: &mut Sources) -> io::Result<Event> {
        loop {
            let told = async {
                match &mut sources.responder {
                    Some(responder) => responder.told.recv().await,
                    None => std::future::pending().await,
                }
            };
            let idle = self.preparing.is_none();
            let prepared = async {
                match &mut self.preparing {
                    Some(preparing) => preparing.await,
                    None => std::future::pending().await,
                }
            };
            return tokio::select! {
                biased;
                () = &mut self.shutdown => Ok(Event::Shutdown),
                input = self.input.next() => match input {
                    Some(input) => Ok(Event::Input(input?)),
                    None => Ok(Event::InputEnded),
                },
                told = told => Ok(if let Some(told) = told {
                    Event::Told(Box::new(told))
                } else {
                    sources.responder = None;
                    Event::ResponderGone
                }),
                prepared = prepared => {
                    self.preparing = None;
                    match prepared.map_err(JoinError::try_into_panic) {
                        Ok((part, snapshot)) => Ok(Event::Inventory(part, Arc::new(snapshot))),
                        // It would have been a panic here, too.
                        Err(Ok(panic)) => std::panic::resume_unwind(panic),
                        Err(Err(_stopped)) => continue,
                    }
                }
                part = any_changed(&mut self.inventories), if idle => {
                    self.prepare(part, sources);
                    continue;
                }
                part = any_changed(&mut self.trails) => {
                    Ok(Event::Trail(part, self.trails[part].borrow_and_update().clone()))
                }
                (key, answer) = any_answer(&mut sources.feeds) => Ok(Event::KeyTrail(key, answer)),
                part = any_changed(&mut self.progresses) => {
                    Ok(Event::Progress(part, self.progresses[part].borrow_and_update().clone()))
                }
                () = tokio::time::sleep_until(self.tick) => {
                    let now = sources.clock.now();
                    self.tick = next_tick(now);
                    Ok(Event::Tick(now))
                }
            };
        }
    }

    /// Begins to make the newest inventory ready.
    fn prepare(&mut self, part: usize, sources: &Sources) {
        let (age, now) = (self.ages[part].clone(), sources.clock.now());
        let inventory = self.inventories[part].borrow_and_update().clone();
        let prepare = move || (part, Snapshot::of(inventory, &age, now));
        self.preparing = Some(tokio::task::spawn_blocking(prepare));
    }
}

/// The next full second of the console's clock.
fn next_tick(now: Timestamp) -> Instant {
    let into_second = now.subsec_nanosecond().rem_euclid(1_000_000_000);
    Instant::now() + Duration::from_nanos(1_000_000_000 - u64::from(into_second.unsigned_abs()))
}

fn perform<B: Backend>(
    action: Action,
    state: &mut State,
    terminal: &mut Terminal<B>,
    sources: &mut Sources,
) -> Result<Option<Exit>, ConsoleError> {
    match action {
        Action::Exit(exit) => return Ok(Some(exit)),
        Action::Refresh => sources.feeds.iter().for_each(|feed| (feed.refresh)()),
        Action::ReadBack(key) => {
            if sources.feeds[state.focus].backfills.ask(&key, READ_BACK) {
                state.say(Words::plain(
                    "reading this key's own events of the last 7 days; they appear as they come",
                ));
            }
        }
        Action::ReadKeyTrail(key) => (sources.feeds[state.focus].key_trails.ask)(key),
        Action::KeepColumns(columns) => keep_columns(state, &columns),
        Action::Ask(ask) => {
            let Some(responder) = &sources.responder else {
                state.say(Words::bad("nothing here can act: this console only reads"));
                return Ok(None);
            };
            let sent = responder.ask.try_send(ask);
            if sent.is_err() {
                state.run.refused();
            }
            match sent {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => {
                    state.say(Words::bad("busy with what was asked before; nothing was sent, try again"));
                }
                Err(TrySendError::Closed(_)) => {
                    state.say(Words::bad(
                        "the responder has stopped; nothing was sent. Leave, and start again: the journal has it all",
                    ));
                }
            }
        }
        // A terminal that cannot ring has the alarm on its screen all the same.
        Action::Ring => drop((sources.bell)()),
        Action::Copy { text, what } => state.say(match (sources.clipboard)(&text) {
            Ok(()) => Words::good(format!("copied {what} (OSC 52; a terminal may refuse it without a word)")),
            Err(error) => {
                Words::bad(format!("{what} could not be copied: {error}; S saves the screen instead"))
            }
        }),
        Action::SaveScreen => {
            let frame = terminal.draw(|frame| draw::draw(state, frame)).map_err(drawing)?;
            let words = save_screen(frame.buffer, state);
            state.say(words);
        }
        Action::SaveText { name, text } => {
            let words = save(state, &name, &text).map_or_else(
                |error| Words::bad(format!("{name} could not be saved: {error}")),
                |path| Words::good(format!("saved {}", path.display())),
            );
            state.say(words);
        }
    }
    Ok(None)
}

fn keep_columns(state: &mut State, columns: &[Column]) {
    let Some(file) = &state.options.columns_file else { return };
    if let Err(error) = super::columns::keep(file, columns) {
        let told = format!("the columns are not kept for the next start: {}: {error}", file.display());
        state.say(Words::bad(told));
    }
}

fn save_screen(buffer: &Buffer, state: &State) -> Words {
    let name = format!("screen-{}", state.now.strftime("%Y%m%dT%H%M%SZ"));
    let text = save(state, &format!("{name}.txt"), &svg::text(buffer));
    let picture = save(state, &format!("{name}.svg"), &svg::svg(buffer, state.options.theme));
    match (text, picture) {
        (Ok(path), Ok(_)) => Words::good(format!("saved {} and .svg", path.display())),
        (Err(error), _) | (_, Err(error)) => Words::bad(format!(
            "the screen could not be saved in {}: {error}",
            state.options.save_dir.display()
        )),
    }
}

fn save(state: &State, name: &str, text: &str) -> io::Result<PathBuf> {
    let folder = &state.options.save_dir;
    std::fs::create_dir_all(folder)?;
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}
