//! The Events screen: what CloudTrail says was done, and what the rules say of it.

mod detail;
mod found;
mod list;
mod rate;
mod shown;
mod unread;

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::WIDE;
use super::{Screen, keys};
use crate::console::commands::Command;
use crate::console::prompt::StartForm;
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::input::TextInput;
use crate::console::widgets::panel;
use crate::console::widgets::picker::Picker;
use crate::console::widgets::scroll::Scroll;
use crate::model::event::Severity;
use crate::model::text::visible;
use crate::respond::view::Target;
use crate::trail::{EventId, EventKey, Filter};

use found::Found;
pub use found::tally;
use rate::Rate;
use shown::{Entry, Shown};
pub use unread::Unread;

/// What the Events screen remembers.
#[derive(Default)]
pub struct EventsScreen {
    pub picker: Picker<EventId>,
    pub detail: Scroll,
    pub in_detail: bool,
    /// The list of unread records, while it is open.
    pub unread: Option<Unread>,
    by: By,
    backwards: bool,
    /// The environments' trails whose rows the picker shows, in the order of the environments.
    shown: Vec<Shown>,
    /// Since when the list stands still.
    paused: Option<Timestamp>,
    chosen: Chosen,
    rate: Option<Rate>,
    /// Why what was typed is no filter; all events are shown then.
    bad_filter: Option<String>,
}

/// Which events are shown, besides what the filter says.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Chosen {
    /// Only those on which something is open.
    findings_only: bool,
    /// All but daily use.
    hides_use: bool,
}

/// By what events are sorted: newest first, or most severe first.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum By {
    #[default]
    Time,
    Severity,
    Who,
    What,
}

/// Takes the trails' events anew, unless the list stands still; the selection stays with its event, or at the top with
/// the newest.
pub fn refresh(state: &mut State) {
    if state.events.paused.is_some() {
        return;
    }
    let at_top = state.events.picker.list.selected == 0 && !state.events.in_detail;
    let selected = selected(state).filter(|_| !at_top).and_then(Entry::whereabouts);
    shown::take_newest(&mut state.events.shown, &state.parts);
    let rows = matching(state);
    let selected = selected.and_then(|event| shown::row_of(&state.events.shown, event));
    state.events.picker.show_where(rows, |row| Some(*row) == selected);
}

/// Applies the filter as it is typed now.
pub fn refilter(state: &mut State) {
    let rows = matching(state);
    state.events.picker.show_from_top(rows);
    state.events.detail.reset();
    follow(state);
}

/// The events that the list is to show, in its order; notes how many happened when.
fn matching(state: &mut State) -> Vec<EventId> {
    let (filter, bad) = match Filter::parse(state.events.picker.filter.text()) {
        Ok(filter) => (filter, None),
        Err(why) => (Filter::default(), Some(why.to_string())),
    };
    let filter = if state.events.chosen.hides_use { filter.without_daily_use() } else { filter };
    let ranks = shown::matching(state, &filter);
    let screen = &mut state.events;
    screen.bad_filter = bad;
    screen.rate = Rate::of(&screen.shown, &ranks, state.now);
    let mut rows = shown::arranged(&screen.shown, ranks, screen.by);
    if screen.backwards {
        rows.reverse();
    }
    rows
}

/// Shows the same event in what is now another choice of rows.
fn rechoose(state: &mut State) {
    let selected = state.events.picker.chosen().copied();
    let rows = matching(state);
    state.events.picker.show_where(rows, |row| Some(*row) == selected);
    follow(state);
}

/// Shows the events that these words let through.
pub fn filter(state: &mut State, words: &str) {
    state.events.in_detail = false;
    state.events.unread = None;
    state.events.chosen = Chosen::default();
    state.events.picker.filter = TextInput::with(words);
    refilter(state);
}

/// Shows one event of an environment: selected among all others where the filter would hide it, and opened.
pub fn show(state: &mut State, part: usize, at: Timestamp, id: &str) {
    state.events.paused = None;
    state.events.unread = None;
    refresh(state);
    let row = shown::row_of(&state.events.shown, (part, EventKey::from_id(id), at));
    if !select(state, row) {
        filter(state, "");
        if !select(state, row) {
            state.say(Words::plain("that event has left: there is no more room for events so old"));
            return;
        }
    }
    state.events.detail.reset();
    state.events.in_detail = true;
}

/// Selects a row; false where it is not among those shown.
fn select(state: &mut State, wanted: Option<EventId>) -> bool {
    let at = state.events.picker.rows().iter().position(|row| Some(*row) == wanted);
    state.events.picker.list.selected = at.unwrap_or(state.events.picker.list.selected);
    follow(state);
    at.is_some()
}

/// Selects the newest event of an environment that is shown.
pub fn select_environment(state: &mut State, part: usize) {
    let first = state.events.picker.rows().iter().find(|row| usize::from(row.part) == part).copied();
    if first.is_some() && select(state, first) {
        state.events.detail.reset();
    }
}

/// The environment of the selected event comes into focus.
fn follow(state: &mut State) {
    if let Some(id) = state.events.picker.chosen() {
        state.look_at(usize::from(id.part));
    }
}

fn selected(state: &State) -> Option<Entry<'_>> {
    Entry::of(state, *state.events.picker.chosen()?)
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    if let Some(actions) = unread::on_command(state, command) {
        return actions;
    }
    let count = state.events.picker.len();
    let events = &mut state.events;
    if events.in_detail && events.detail.on_command(command) {
        return Vec::new();
    }
    if events.picker.list.on_command(command, count) {
        events.detail.reset();
        follow(state);
        return Vec::new();
    }
    match command {
        Command::Open | Command::Right => events.in_detail = count > 0,
        Command::Left => events.in_detail = false,
        Command::Back => back(state),
        Command::Sort | Command::SortReverse => sort(state, command),
        Command::Pause => pause(state),
        Command::FindingsOnly => {
            events.chosen.findings_only = !events.chosen.findings_only;
            rechoose(state);
        }
        Command::HideUse => {
            events.chosen.hides_use = !events.chosen.hides_use;
            rechoose(state);
        }
        Command::Unread => unread::open(state),
        Command::Copy => {
            if let Some(text) = selected(state).and_then(Entry::raw) {
                return vec![Action::Copy { text, what: "the event's record" }];
            }
        }
        Command::KeyOfEvent => key_of_event(state),
        Command::StartRunbook => start(state),
        _ => {}
    }
    Vec::new()
}

/// Back by one step: out of the detail, to all events, to those that come.
fn back(state: &mut State) {
    let events = &mut state.events;
    if events.in_detail {
        events.in_detail = false;
    } else if events.picker.filtered() {
        events.picker.filter.clear();
        refilter(state);
    } else if events.chosen != Chosen::default() {
        events.chosen = Chosen::default();
        rechoose(state);
    } else if events.paused.is_some() {
        pause(state);
    }
}

fn sort(state: &mut State, command: Command) {
    let events = &mut state.events;
    if command == Command::SortReverse {
        events.backwards = !events.backwards;
    } else {
        events.backwards = false;
        events.by = match events.by {
            By::Time => By::Severity,
            By::Severity => By::Who,
            By::Who => By::What,
            By::What => By::Time,
        };
    }
    rechoose(state);
}

/// Lets the list stand still, or go on.
fn pause(state: &mut State) {
    if state.events.paused.take().is_none() {
        state.events.paused = Some(state.now);
    } else {
        refresh(state);
    }
}

fn key_of_event(state: &mut State) {
    let event = selected(state).and_then(Entry::event);
    let Some(id) = event.and_then(|event| Some(event.keys.first()?.id().to_owned())) else {
        state.say(Words::plain("this event names no key by its ARN"));
        return;
    };
    state.goto(Screen::Keys);
    keys::filter(state, &format!("key:{id}"));
}

/// Opens the form that starts a runbook: the one that the finding names, on its key, for its reason.
fn start(state: &mut State) {
    let entry = selected(state);
    let finding = entry.and_then(|entry| entry.findings().first().map(|finding| (*finding).clone()));
    let named = finding.as_ref().and_then(|finding| finding.rule.next.runbook);
    let key = finding.as_ref().and_then(|finding| finding.keys.first().cloned());
    let key = key.or_else(|| entry?.event()?.keys.first().cloned());
    if !state.can_act() {
        state.say_read_only();
    } else if state.run.live() {
        state.say(Words::plain("a run is in progress: 3 shows it; finish or leave it first"));
    } else if let Some(key) = key {
        let place = named.and_then(|id| state.options.runbooks.iter().position(|card| card.id == id));
        let form = StartForm::new(place.unwrap_or(0), Some(Target::Key(key)));
        let form = match &finding {
            Some(finding) => form.because(&visible(&finding.reason)),
            None => form,
        };
        state.overlay = Some(Overlay::Start(Box::new(form)));
    } else {
        state.say(Words::plain(
            "this event names no key by its ARN: start the runbook from screen 3 or from a pair",
        ));
    }
}

/// A severity's glyph and its look.
#[must_use]
pub fn look(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Info => ("·", Tone::Dim),
        Severity::Notice => ("○", Tone::Notice),
        Severity::High => ("▲", Tone::Warn),
        Severity::Critical => ("✖", Tone::Bad),
    }
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    if state.events.unread.is_some() {
        unread::draw(state, buf, area);
        return;
    }
    list::counts(state, buf, Rect { height: 1, ..area });
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if state.events.in_detail { state.theme.border_focus } else { state.theme.border };
        let (list, page) = panel::beside(buf, body, (area.width / 3).clamp(46, 76), rule);
        list::draw(state, buf, list);
        detail::draw(state, buf, page);
    } else if state.events.in_detail {
        detail::draw(state, buf, panel::pad(body, 1));
    } else {
        list::draw(state, buf, body);
    }
}
