//! All that the console knows, and what each event makes of it.

use std::sync::Arc;

use jiff::Timestamp;
use ratatui::crossterm::event::{Event as Input, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;

use super::alarms::{self, Alarms};
use super::commands::Command;
use super::dependents::DependentsPane;
use super::help::Help;
use super::keymap::Key;
use super::mouse::on_mouse;
use super::palette::Palette;
use super::parts::Part;
use super::prompt::{NoteForm, Question, StartForm};
use super::screens::events::EventsScreen;
use super::screens::health::HealthScreen;
use super::screens::keys::{CopyMenu, KeysScreen, ViewMenu};
use super::screens::run::RunScreen;
use super::screens::runbooks::RunbooksScreen;
use super::screens::timeline::TimelineScreen;
use super::screens::{Screen, events, health, keys, run, runbooks, timeline};
use super::snapshot::Snapshot;
use super::theme::{Theme, ThemeName, Tone};
use super::widgets::input::TextInput;
use super::{Exit, Options};
use crate::inventory::{Column, Progress};
use crate::journal::Entry;
use crate::model::arn::KeyArn;
use crate::model::seen::Seen;
use crate::respond::view::{Ask, Standing, Told};
use crate::runbook::RunRecord;
use crate::trail::{KeyTrail, TrailView};

/// What can happen.
#[derive(Debug)]
pub enum Event {
    Input(Input),
    /// Of the environment of that number.
    Inventory(usize, Arc<Snapshot>),
    Trail(usize, Arc<TrailView>),
    /// What CloudTrail answered about one key.
    KeyTrail(KeyArn, Seen<Arc<KeyTrail>>),
    /// How far the first load of that environment has come.
    Progress(usize, Progress),
    Told(Box<Told>),
    ResponderGone,
    /// A full second has passed.
    Tick(Timestamp),
    Shutdown,
    InputEnded,
}

/// What the runner shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    Ask(Ask),
    Copy {
        text: String,
        what: &'static str,
    },
    SaveScreen,
    SaveText {
        name: String,
        text: String,
    },
    /// Keeps the columns of the Keys screen for the next start.
    KeepColumns(Vec<Column>),
    Refresh,
    /// Read a key's own events back.
    ReadBack(KeyArn),
    /// Sounds the terminal's bell.
    Ring,
    /// Ask CloudTrail about one key.
    ReadKeyTrail(KeyArn),
    Exit(Exit),
}

/// A message on the bottom line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub text: String,
    pub tone: Tone,
}

impl Words {
    pub fn good(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Good }
    }

    pub fn bad(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Bad }
    }

    pub fn plain(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Notice }
    }
}

/// What lies over the screen and takes the keys.
pub enum Overlay {
    Help(Help),
    Palette(Palette),
    Start(Box<StartForm>),
    Note(NoteForm),
    View(ViewMenu),
    Copy(CopyMenu),
    /// Quit while the gate is at work?
    Quit(Question),
}

/// Everything that is drawn.
#[expect(clippy::struct_excessive_bools, reason = "four facts that do not depend on one another")]
pub struct State {
    pub options: Arc<Options>,
    pub theme: Theme,
    pub now: Timestamp,
    pub size: (u16, u16),
    pub screen: Screen,
    pub overlay: Option<Overlay>,
    /// Whether the keys go to the filter's line.
    pub filtering: bool,
    pub message: Option<Words>,
    /// Every environment, in the order of [`Options::places`].
    pub parts: Vec<Part>,
    /// The one in focus: `snapshot` and `trail` are its own. Only [`State::look_at`] and what comes in move them.
    pub(super) focus: usize,
    pub snapshot: Arc<Snapshot>,
    pub trail: Arc<TrailView>,
    pub journal: Vec<Entry>,
    /// Whether the journal as it was found has been told; what comes after is this console's own doing.
    journal_told: bool,
    pub standing: Standing,
    pub keys: KeysScreen,
    pub dependents: DependentsPane,
    pub events: EventsScreen,
    pub runbooks: RunbooksScreen,
    pub run: RunScreen,
    pub timeline: TimelineScreen,
    /// What is new and severe.
    pub alarms: Alarms,
    pub health: HealthScreen,
    /// Where tabs were drawn, for the mouse.
    pub tabs: Vec<(Screen, Rect)>,
    can_act: bool,
    pub(super) dirty: bool,
}

impl State {
    /// A console that knows nothing yet but the trail of each environment. `can_act` is whether there is a responder
    /// to ask.
    ///
    /// # Panics
    /// Where there is no environment, or not a trail for each.
    #[must_use]
    pub fn new(
        options: Options,
        can_act: bool,
        trails: Vec<Arc<TrailView>>,
        now: Timestamp,
        size: (u16, u16),
    ) -> Self {
        assert!(!trails.is_empty() && trails.len() == options.places.len(), "a trail for each environment");
        let trail = Arc::clone(&trails[0]);
        let parts = trails
            .into_iter()
            .map(|trail| Part { snapshot: Arc::default(), trail, progress: Progress::default() })
            .collect();
        Self {
            theme: Theme::new(options.theme),
            keys: KeysScreen::new(options.columns.clone()),
            options: Arc::new(options),
            now,
            size,
            screen: if trail.is_of_files() { Screen::Events } else { Screen::Keys },
            overlay: None,
            filtering: false,
            message: None,
            parts,
            focus: 0,
            snapshot: Arc::default(),
            trail,
            journal: Vec::new(),
            journal_told: false,
            standing: Standing::default(),
            dependents: DependentsPane::default(),
            events: EventsScreen::default(),
            runbooks: RunbooksScreen::default(),
            run: RunScreen::default(),
            timeline: TimelineScreen::default(),
            alarms: Alarms::at(now),
            health: HealthScreen::default(),
            tabs: Vec::new(),
            can_act,
            dirty: true,
        }
    }

    /// Whether a draw is due; it counts as done.
    pub fn take_dirty(&mut self) -> bool {
        std::mem::take(&mut self.dirty)
    }

    /// Puts a message on the bottom line.
    pub fn say(&mut self, words: Words) {
        self.message = Some(words);
        self.dirty = true;
    }

    /// Whether there is a responder to ask.
    #[must_use]
    pub fn can_act(&self) -> bool {
        self.can_act
    }

    /// Asks the responder, or says why that cannot be.
    pub fn ask(&mut self, ask: Ask) -> Vec<Action> {
        if self.can_act {
            return vec![Action::Ask(ask)];
        }
        self.say_read_only();
        Vec::new()
    }

    /// Says why nothing can be asked for.
    pub fn say_read_only(&mut self) {
        self.say(Words::plain(
            "read-only: nothing can be changed here. Start `portcullis respond --incident ID` to act",
        ));
    }

    /// Goes to a screen.
    pub fn goto(&mut self, screen: Screen) {
        // The tab of the runbooks leads to the run while there is one.
        let running = self.run.live() && self.screen != Screen::Run;
        self.screen = if screen == Screen::Runbooks && running { Screen::Run } else { screen };
        self.filtering = false;
    }
}

/// What an event makes of the state, and what is to be done about it.
pub fn update(state: &mut State, event: Event) -> Vec<Action> {
    match event {
        Event::Input(input) => return on_input(state, input),
        Event::Inventory(part, snapshot) => {
            let before = std::mem::replace(&mut state.parts[part].snapshot, snapshot);
            state.look_at(state.focus);
            keys::refresh(state, part, &before.inventory);
            events::refresh(state);
        }
        Event::Trail(part, trail) => {
            state.parts[part].trail = trail;
            state.look_at(state.focus);
            events::refresh(state);
            state.dirty = true;
            return alarms::raise(state, part);
        }
        Event::KeyTrail(key, answer) => state.dependents.answered(key, answer),
        Event::Progress(part, progress) => state.parts[part].progress = progress,
        Event::Told(told) => on_told(state, *told),
        Event::ResponderGone => {
            state.can_act = false;
            state.say(Words::bad(
                "the responder has stopped: nothing more can be changed from here. The journal has everything; start again to go on",
            ));
        }
        Event::Tick(now) => {
            state.dirty |= now.as_second() != state.now.as_second();
            state.now = now;
            return Vec::new();
        }
        Event::Shutdown => return vec![Action::Exit(Exit::Shutdown)],
        Event::InputEnded => return vec![Action::Exit(Exit::InputEnded)],
    }
    state.dirty = true;
    Vec::new()
}

fn on_told(state: &mut State, told: Told) {
    match told {
        Told::Run(view) => run::on_view(state, view),
        Told::Standing(standing) => state.standing = standing,
        Told::Journal(entries) => {
            let at_start = !std::mem::replace(&mut state.journal_told, true);
            state.journal.extend(entries);
            if at_start && left_in(&state.journal).is_some() {
                state.say(Words::plain("this incident has a run that was left or killed: c goes on with it"));
            }
            timeline::refresh(state);
        }
        Told::Refused { reason } => {
            state.run.refused();
            state.say(Words::bad(crate::model::text::visible(&reason).into_owned()));
        }
    }
}

fn on_input(state: &mut State, input: Input) -> Vec<Action> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            state.dirty = true;
            state.message = None;
            on_key(state, key)
        }
        Input::Mouse(mouse) => on_mouse(state, mouse),
        Input::Paste(text) => {
            state.dirty = true;
            on_paste(state, &text);
            Vec::new()
        }
        Input::Resize(width, height) => {
            state.size = (width, height);
            state.dirty = true;
            Vec::new()
        }
        Input::Key(_) | Input::FocusGained | Input::FocusLost => Vec::new(),
    }
}

fn on_key(state: &mut State, key: KeyEvent) -> Vec<Action> {
    let command = state.options.keymap.command(state.screen, Key::of(key));
    // Whatever has the keys, ctrl-c leaves.
    let typed = matches!(key.code, ratatui::crossterm::event::KeyCode::Char(_))
        && !key.modifiers.contains(ratatui::crossterm::event::KeyModifiers::CONTROL);
    if command == Some(Command::Quit) && !typed {
        return quit(state);
    }
    if let Some(overlay) = state.overlay.take() {
        return on_overlay_key(state, overlay, key, command);
    }
    if state.filtering {
        return on_filter_key(state, key, command);
    }
    if state.screen == Screen::Run && run::takes(state, key) {
        return Vec::new();
    }
    command.map_or_else(Vec::new, |command| perform(state, command))
}

/// An overlay keeps itself on the screen by being put back.
fn on_overlay_key(
    state: &mut State,
    overlay: Overlay,
    key: KeyEvent,
    command: Option<Command>,
) -> Vec<Action> {
    match overlay {
        Overlay::Help(help) => help.on_key(state, command),
        Overlay::Palette(palette) => palette.on_key(state, key),
        Overlay::Start(form) => form.on_key(state, key),
        Overlay::Note(form) => form.on_key(state, key),
        Overlay::View(menu) => menu.on_key(state, key, command),
        Overlay::Copy(menu) => menu.on_key(state, key),
        Overlay::Quit(question) => question.on_key(state, key),
    }
}

fn on_filter_key(state: &mut State, key: KeyEvent, command: Option<Command>) -> Vec<Action> {
    use ratatui::crossterm::event::KeyCode;
    let changed = {
        match key.code {
            KeyCode::Enter => {
                state.filtering = false;
                return Vec::new();
            }
            KeyCode::Esc => {
                if let Some(filter) = filter(state) {
                    filter.clear();
                }
                state.filtering = false;
                true
            }
            KeyCode::Up | KeyCode::Down | KeyCode::PageUp | KeyCode::PageDown => {
                return command.map_or_else(Vec::new, |command| on_screen(state, command));
            }
            _ => filter(state).is_some_and(|filter| {
                let before = filter.text().to_owned();
                filter.on_key(key);
                before != filter.text()
            }),
        }
    };
    if changed {
        refilter(state);
    }
    Vec::new()
}

fn on_paste(state: &mut State, text: &str) {
    match &mut state.overlay {
        Some(Overlay::Palette(palette)) => palette.input.insert(text),
        Some(Overlay::Start(form)) => form.insert(text),
        Some(Overlay::Note(form)) => form.input.insert(text),
        None if state.filtering => {
            if let Some(filter) = filter(state) {
                filter.insert(text);
            }
            refilter(state);
        }
        None if state.screen == Screen::Run => run::on_paste(state, text),
        Some(Overlay::Help(_) | Overlay::View(_) | Overlay::Copy(_) | Overlay::Quit(_)) | None => {}
    }
}

/// The filter of the screen, if it has one.
fn filter(state: &mut State) -> Option<&mut TextInput> {
    match state.screen {
        Screen::Keys => Some(&mut state.keys.picker.filter),
        Screen::Events => Some(&mut state.events.picker.filter),
        Screen::Timeline => Some(&mut state.timeline.picker.filter),
        Screen::Runbooks | Screen::Health | Screen::Run => None,
    }
}

fn refilter(state: &mut State) {
    match state.screen {
        Screen::Keys => keys::refilter(state),
        Screen::Events => events::refilter(state),
        Screen::Timeline => timeline::refilter(state),
        Screen::Runbooks | Screen::Health | Screen::Run => {}
    }
}

/// Does what a command says: here where it means the same everywhere, else on the screen.
pub fn perform(state: &mut State, command: Command) -> Vec<Action> {
    state.dirty = true;
    match command.plain() {
        Command::Help => state.overlay = Some(Overlay::Help(Help::default())),
        Command::Palette => state.overlay = Some(Overlay::Palette(Palette::default())),
        Command::Filter => state.filtering = filter(state).is_some(),
        Command::NextEnvironment => next_environment(state),
        Command::Quit => return quit(state),
        Command::Goto(Screen::Run) if state.run.view.is_none() => {
            state.say(Words::plain("no run yet: r on a pair starts a runbook"));
        }
        Command::Goto(Screen::Run) => state.screen = Screen::Run,
        Command::Goto(screen) => state.goto(screen),
        Command::NextScreen => state.goto(state.screen.beside(true)),
        Command::PreviousScreen => state.goto(state.screen.beside(false)),
        Command::Save => return vec![Action::SaveScreen],
        Command::Refresh => {
            state.say(Words::good("asking every source again"));
            return vec![Action::Refresh];
        }
        Command::NextTheme => next_theme(state),
        Command::SettleOwed => return state.ask(Ask::SettleOwed),
        Command::Undo => return state.ask(Ask::Undo),
        Command::Resume => return resume(state),
        Command::Note if state.can_act => state.overlay = Some(Overlay::Note(NoteForm::default())),
        Command::Note => state.say_read_only(),
        Command::ShowAlarm => alarms::show(state),
        Command::DismissAlarm => alarms::dismiss(state),
        Command::DismissAlarms => alarms::dismiss_all(state),
        command => return on_screen(state, command),
    }
    Vec::new()
}

pub(super) fn on_screen(state: &mut State, command: Command) -> Vec<Action> {
    match state.screen {
        Screen::Keys => keys::on_command(state, command),
        Screen::Events => events::on_command(state, command),
        Screen::Runbooks => runbooks::on_command(state, command),
        Screen::Timeline => timeline::on_command(state, command),
        Screen::Health => health::on_command(state, command),
        Screen::Run => run::on_command(state, command),
    }
}

fn next_environment(state: &mut State) {
    if !state.several() {
        state.say(Words::plain("one environment is shown; `portcullis -e ONE -e ANOTHER` shows several"));
        return;
    }
    let next = (state.focus + 1) % state.parts.len();
    state.look_at(next);
    match state.screen {
        Screen::Events => events::select_environment(state, next),
        _ => keys::select_environment(state, next),
    }
    let name = crate::model::text::visible(&state.place().environment).into_owned();
    state.say(Words::plain(format!("environment: {name}")));
}

fn next_theme(state: &mut State) {
    if state.options.no_color {
        state.say(Words::plain("NO_COLOR is set: the monochrome theme stays"));
        return;
    }
    let name: ThemeName = state.theme.name.next();
    state.theme = Theme::new(name);
    state.say(Words::plain(format!("theme: {} (console.theme in the settings keeps it)", name.word())));
}

fn quit(state: &mut State) -> Vec<Action> {
    if state.run.at_work() && !matches!(state.overlay, Some(Overlay::Quit(_))) {
        state.dirty = true;
        state.overlay = Some(Overlay::Quit(Question));
        return Vec::new();
    }
    vec![Action::Exit(Exit::Quit)]
}

/// Goes on with what was left: the run on the screen, else the first unfinished change, else the run last left,
/// else the last one of the journal, which a killed process may have left between two steps.
fn resume(state: &mut State) -> Vec<Action> {
    let left = state.run.left();
    let on_screen = left.filter(|_| state.screen == Screen::Run);
    let unfinished = state.standing.unfinished.first().map(|change| change.run);
    match on_screen.or(unfinished).or(left).or_else(|| left_in(&state.journal)) {
        _ if state.run.live() => {
            state.say(Words::plain("a run is in progress already: finish or leave it first"));
            Vec::new()
        }
        Some(run) => state.ask(Ask::Resume { run }),
        None => {
            state.say(Words::plain("nothing was left unfinished"));
            Vec::new()
        }
    }
}

/// The last run that the journal begins, where nothing ends it.
fn left_in(journal: &[Entry]) -> Option<u64> {
    let records = journal.iter().rev().filter_map(|entry| RunRecord::of(entry)?.ok().map(|r| (entry.seq, r)));
    for (seq, record) in records {
        match record {
            RunRecord::RunFinished(_) => return None,
            RunRecord::RunStarted(_) => return Some(seq),
            _ => {}
        }
    }
    None
}
