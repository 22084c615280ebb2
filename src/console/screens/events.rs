//! The Events screen: what CloudTrail says was done.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::keys::WIDE;
use super::{Screen, filter_line, keys};
use crate::console::commands::Command;
use crate::console::state::{Action, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::input::TextInput;
use crate::console::widgets::panel;
use crate::console::widgets::picker::Picker;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::table::{Cell, Column, Table, instead_of_rows};
use crate::console::widgets::text::{Paragraph, fit};
use crate::model::age::ago;
use crate::model::event::{KeyEvent, Outcome, Severity};
use crate::model::text::visible;
use crate::trail::{self, Backfill, EventKey, EventLine, Filter};

/// What the Events screen remembers.
#[derive(Default)]
pub struct EventsScreen {
    pub picker: Picker,
    pub detail: Scroll,
    pub in_detail: bool,
    by: By,
    backwards: bool,
    /// The trail whose rows the picker shows.
    of: Option<Arc<trail::TrailView>>,
    /// Why what was typed is no filter; all events are shown then.
    bad_filter: Option<String>,
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

const COLUMNS: [Column; 7] = [
    Column { title: "TIME", min: 15, max: 20, sacrifice: 0 },
    Column { title: "  SEVERITY", min: 10, max: 10, sacrifice: 1 },
    Column { title: "WHO", min: 11, max: 36, sacrifice: 0 },
    Column { title: "WHAT", min: 18, max: 26, sacrifice: 0 },
    Column { title: "KEY", min: 16, max: 36, sacrifice: 1 },
    Column { title: "OUTCOME", min: 8, max: 32, sacrifice: 3 },
    Column { title: "FROM", min: 12, max: 24, sacrifice: 4 },
];

/// Takes the trail's events anew; the selection stays with its event, or at the top with the newest.
pub fn refresh(state: &mut State) {
    let before = state.events.of.take();
    let at_top = state.events.picker.list.selected == 0 && !state.events.in_detail;
    let selected = state
        .events
        .picker
        .selected()
        .and_then(|row| before.as_ref().and_then(|trail| whereabouts(trail, row)))
        .filter(|_| !at_top);
    let rows = matching(state);
    let trail = Arc::clone(&state.trail);
    let selected = selected.and_then(|(key, at)| trail.events.rank(key, at));
    state.events.picker.show(rows, |row| Some(row) == selected);
    state.events.of = Some(trail);
}

/// What finds an event again in a later view.
fn whereabouts(trail: &trail::TrailView, rank: usize) -> Option<(EventKey, jiff::Timestamp)> {
    Some((trail.events.key(rank)?, trail.events.at(rank)?))
}

/// Applies the filter as it is typed now.
pub fn refilter(state: &mut State) {
    let rows = matching(state);
    state.events.picker.show_from_top(rows);
    state.events.detail.reset();
}

fn matching(state: &mut State) -> Vec<u32> {
    let filter = match Filter::parse(state.events.picker.filter.text()) {
        Ok(filter) => {
            state.events.bad_filter = None;
            filter
        }
        Err(why) => {
            state.events.bad_filter = Some(why.to_string());
            Filter::default()
        }
    };
    let events = &state.trail.events;
    let mut found = events.matching(&filter.question(&state.snapshot.names, state.now));
    match state.events.by {
        By::Time => {}
        By::Severity => found.sort_by_cached_key(|rank| std::cmp::Reverse(events.severity(*rank as usize))),
        By::Who => events.sort_by(&mut found, trail::Column::Who),
        By::What => events.sort_by(&mut found, trail::Column::Name),
    }
    if state.events.backwards {
        found.reverse();
    }
    found
}

fn resort(state: &mut State) {
    let selected = state.events.picker.selected();
    let rows = matching(state);
    state.events.picker.show(rows, |row| Some(row) == selected);
}

/// Shows the events that these words let through.
pub fn filter(state: &mut State, words: &str) {
    state.events.in_detail = false;
    state.events.picker.filter = TextInput::with(words);
    refilter(state);
}

fn selected(state: &State) -> Option<KeyEvent> {
    state.trail.events.get(state.events.picker.selected()?)
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    let count = state.events.picker.len();
    let events = &mut state.events;
    if events.in_detail && events.detail.on_command(command) {
        return Vec::new();
    }
    if events.picker.list.on_command(command, count) {
        events.detail.reset();
        return Vec::new();
    }
    match command {
        Command::Open | Command::Right => events.in_detail = count > 0,
        Command::Left => events.in_detail = false,
        Command::Back if events.in_detail => events.in_detail = false,
        Command::Back if events.picker.filtered() => {
            events.picker.filter.clear();
            refilter(state);
        }
        Command::Sort => {
            events.by = match events.by {
                By::Time => By::Severity,
                By::Severity => By::Who,
                By::Who => By::What,
                By::What => By::Time,
            };
            events.backwards = false;
            resort(state);
        }
        Command::SortReverse => {
            events.backwards = !events.backwards;
            resort(state);
        }
        Command::Copy => {
            let record = state.events.picker.selected().and_then(|rank| state.trail.events.raw(rank));
            if let Some(text) = record {
                return vec![Action::Copy { text, what: "the event's record" }];
            }
        }
        Command::KeyOfEvent => key_of_event(state),
        _ => {}
    }
    Vec::new()
}

fn key_of_event(state: &mut State) {
    let Some(id) = selected(state).and_then(|event| Some(event.keys.first()?.id().to_owned())) else {
        state.say(Words::plain("this event names no key by its ARN"));
        return;
    };
    state.goto(Screen::Keys);
    keys::filter(state, &format!("key:{id}"));
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
    counts(state, buf, Rect { height: 1, ..area });
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if state.events.in_detail { state.theme.border_focus } else { state.theme.border };
        let (list, detail) = panel::beside(buf, body, (area.width / 3).clamp(46, 76), rule);
        draw_list(state, buf, list);
        draw_detail(state, buf, detail);
    } else if state.events.in_detail {
        draw_detail(state, buf, panel::pad(body, 1));
    } else {
        draw_list(state, buf, body);
    }
}

fn counts(state: &State, buf: &mut Buffer, line: Rect) {
    let (theme, trail) = (&state.theme, &state.trail);
    let room = usize::from(line.width.saturating_sub(2));
    if let Some(why) = state.events.bad_filter.as_ref().filter(|_| !state.filtering) {
        buf.set_stringn(line.x + 1, line.y, fit(why, room), room, theme.tone(Tone::Bad));
        return;
    }
    if state.filtering || state.events.picker.filtered() {
        filter_line(state, buf, line, &state.events.picker, trail.events.len());
        return;
    }
    let text = standing(state).join(" · ");
    buf.set_stringn(line.x + 1, line.y, fit(&text, room), room, theme.tone(Tone::Strong));
}

/// How many events there are, since when, and what is missing: the most important first.
fn standing(state: &State) -> Vec<String> {
    let trail = &state.trail;
    let mut words = vec![format!("{} events", trail.events.len())];
    if trail.events.dropped() > 0 {
        words.push(format!("full: {} older ones let go", trail.events.dropped()));
    }
    if trail.events.unparsed_count() > 0 {
        words.push(format!("{} records could not be read", trail.events.unparsed_count()));
    }
    for (source, tally) in trail.files() {
        words.push(match (source.is_read, tally.troubles.len()) {
            (false, _) => format!("reading files: {} records …", tally.records),
            (true, 0) => format!("{} files read", tally.files),
            (true, troubles) => {
                format!("✖ {troubles} of {} files not read to their end: 5 says more", tally.files)
            }
        });
    }
    if !trail.is_of_files() {
        words.push(trail.changes_since().map_or_else(
            || "reading the trail …".to_owned(),
            |since| format!("changes since {}", since.strftime("%Y-%m-%d %H:%MZ")),
        ));
        let reading = |one: &&Backfill| one.reach.is_none();
        if trail.sources.iter().flat_map(|source| &source.backfills).any(|one| reading(&one)) {
            words.push("reading a key's own events …".to_owned());
        }
        words.push("CloudTrail delivers about 5 m late".to_owned());
    }
    words
}

fn draw_list(state: &mut State, buf: &mut Buffer, area: Rect) {
    let mut list = std::mem::take(&mut state.events.picker.list);
    let count = state.events.picker.len();
    let column = match state.events.by {
        By::Time => 0,
        By::Severity => 1,
        By::Who => 2,
        By::What => 3,
    };
    // Newest and most severe first is the way down; names go the way up.
    let down = matches!(state.events.by, By::Time | By::Severity) != state.events.backwards;
    let table = Table { columns: &COLUMNS, sort: Some((column, down)), focused: !state.events.in_detail };
    table.draw(buf, area, &state.theme, &mut list, count, |index| {
        let event = state.events.picker.row(index).and_then(|row| state.trail.events.get(row));
        event.map_or_else(Vec::new, |event| cells(state, &event))
    });
    state.events.picker.list = list;
    if count == 0 {
        let sentence = match (state.trail.failing(), state.events.picker.filtered()) {
            (_, true) => "no event has all these words · esc shows all".to_owned(),
            (Some((_, why)), _) => format!("the trail is not visible: {} · 5 says more", why.cause.word()),
            (None, _) if state.trail.is_of_files() && !state.trail.has_answered() => {
                "reading the files …".to_owned()
            }
            (None, _) if state.trail.is_of_files() => "the files hold no event".to_owned(),
            (None, _) if !state.trail.has_answered() => "asking CloudTrail …".to_owned(),
            (None, _) => "CloudTrail answered, and has no event of a key in this time".to_owned(),
        };
        instead_of_rows(buf, area, &state.theme, &sentence);
    }
}

fn cells(state: &State, event: &KeyEvent) -> Vec<Cell> {
    let line = EventLine::of(event, &state.snapshot.names, state.now);
    let (glyph, tone) = look(event.severity);
    let outcome = match event.outcome {
        Outcome::Allowed | Outcome::DryRun => Tone::Dim,
        Outcome::Denied { .. } => Tone::Warn,
        Outcome::Failed { .. } => Tone::Notice,
    };
    let loud = if event.severity >= Severity::High { tone } else { Tone::Text };
    vec![
        Cell::new(line.time, Tone::Dim),
        Cell::new(format!("{glyph} {}", line.severity.word()), tone),
        Cell::new(line.who, Tone::Text),
        Cell::new(line.what, loud),
        Cell::new(line.key, Tone::Text),
        Cell::new(line.outcome, outcome),
        Cell::new(line.from, Tone::Dim),
    ]
}

fn draw_detail(state: &mut State, buf: &mut Buffer, area: Rect) {
    let lines = selected(state).map_or_else(Vec::new, |event| lines(state, &event));
    state.events.detail.draw(buf, area, &state.theme, &lines);
}

/// The page about an event: the sentence and the facts first, then the record as it came.
fn lines(state: &State, event: &KeyEvent) -> Vec<Paragraph> {
    let mut sheet = Sheet::new(&state.theme, 10);
    let (glyph, tone) = look(event.severity);
    sheet.heading(event.name.to_string());
    sheet.text(event.sentence(), Tone::Strong);
    sheet.text("", Tone::Text);
    sheet.fact("severity", format!("{glyph} {}", event.severity.word()), tone);
    let at = event.at.strftime("%Y-%m-%d %H:%M:%SZ");
    sheet.fact("when", format!("{at} ({} ago)", ago(event.at, state.now)), Tone::Text);
    sheet.fact("who", event.who.name.to_string(), Tone::Strong);
    if let Some(role) = &event.who.role {
        sheet.fact("through", role.to_string(), Tone::Text);
    }
    if let Some(session) = event.who.session.as_ref().filter(|session| **session != event.who.name) {
        sheet.fact("session", session.to_string(), Tone::Text);
    }
    if let Some(service) = event.who.invoked_by.as_ref().filter(|service| **service != event.who.name) {
        sheet.fact("by service", service.to_string(), Tone::Text);
    }
    let mfa = match event.who.mfa {
        Some(true) => ("with MFA", Tone::Good),
        Some(false) => ("without MFA", Tone::Notice),
        None => ("the record does not say", Tone::Dim),
    };
    sheet.fact("MFA", mfa.0, mfa.1);
    let account = event.who.account.as_deref().map(|account| format!(" · account {}", visible(account)));
    sheet.fact("identity", format!("{}{}", event.who.kind, account.unwrap_or_default()), Tone::Text);
    match &event.outcome {
        Outcome::Allowed => sheet.fact("outcome", "allowed", Tone::Good),
        Outcome::DryRun => sheet.fact("outcome", "a dry run: allowed, and nothing happened", Tone::Dim),
        Outcome::Denied { code, message } => {
            sheet.fact("outcome", format!("denied: {} {message}", visible(code)), Tone::Warn);
        }
        Outcome::Failed { code, message } => {
            sheet.fact("outcome", format!("failed: {} {message}", visible(code)), Tone::Notice);
        }
    }
    for arn in &event.keys {
        sheet.fact("key", visible(state.snapshot.names.get(arn)).into_owned(), Tone::Strong);
        sheet.fact("", arn.to_string(), Tone::Text);
    }
    if let Some(typed) = &event.key_as_typed {
        sheet.fact("as typed", typed.to_string(), Tone::Text);
    }
    sheet.fact("from", event.from.to_string(), Tone::Text);
    sheet.fact("with", event.user_agent.to_string(), Tone::Text);
    sheet.fact("service", format!("{} in {}", event.source, visible(&event.region)), Tone::Text);
    origin(&mut sheet, event);
    sheet.heading("RECORD");
    let record = state.events.picker.selected().and_then(|rank| state.trail.events.raw(rank));
    sheet.json(&record.unwrap_or_default());
    sheet.done()
}

/// Facts about a call that only some records have.
fn origin(sheet: &mut Sheet<'_>, event: &KeyEvent) {
    let facts = [
        ("access key", event.who.access_key.as_deref()),
        ("endpoint", event.vpc_endpoint.as_deref()),
        ("material", event.key_material.as_deref()),
        ("shared id", event.shared_id.as_deref()),
    ];
    for (what, value) in facts.into_iter().filter_map(|(what, value)| Some((what, value?))) {
        sheet.fact(what, visible(value).into_owned(), Tone::Text);
    }
    if event.crosses_accounts() {
        let owner = event.recipient.as_deref().unwrap_or("unknown");
        sheet.fact(
            "accounts",
            format!("a call across accounts; this record is {}'s", visible(owner)),
            Tone::Notice,
        );
    }
    if event.who.from_console {
        sheet.fact("console", "with a web console sign-in's credentials", Tone::Notice);
    }
}
