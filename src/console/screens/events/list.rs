//! The list of events: what stands above it, and its rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{By, look, rate, tally};
use crate::console::screens::filter_line;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::table::{Cell, Column, Table, instead_of_rows};
use crate::console::widgets::text::fit;
use crate::model::age::ago;
use crate::model::event::{KeyEvent, Outcome, Severity};
use crate::trail::{Backfill, EventLine, TrailView};

const COLUMNS: [Column; 7] = [
    Column { title: "TIME", min: 15, max: 20, sacrifice: 0 },
    Column { title: "  SEVERITY", min: 10, max: 10, sacrifice: 1 },
    Column { title: "WHO", min: 11, max: 36, sacrifice: 0 },
    Column { title: "WHAT", min: 18, max: 26, sacrifice: 0 },
    Column { title: "KEY", min: 16, max: 36, sacrifice: 1 },
    Column { title: "OUTCOME", min: 8, max: 32, sacrifice: 3 },
    Column { title: "FROM", min: 12, max: 24, sacrifice: 4 },
];

/// With fewer lines, rows are worth more than the rate.
const ROOM_FOR_RATE: u16 = 12;

/// The line above everything: how the list stands, or the filter.
pub(super) fn counts(state: &State, buf: &mut Buffer, line: Rect) {
    let theme = &state.theme;
    let room = usize::from(line.width.saturating_sub(2));
    if let Some(why) = state.events.bad_filter.as_ref().filter(|_| !state.filtering) {
        buf.set_stringn(line.x + 1, line.y, fit(why, room), room, theme.tone(Tone::Bad));
        return;
    }
    let mut x = line.x + 1;
    for word in chosen(state) {
        let room = usize::from(line.right().saturating_sub(x + 1));
        (x, _) = buf.set_stringn(x, line.y, fit(&word, room), room, theme.badge_read_only);
        x = x.saturating_add(2);
    }
    let line =
        Rect { x: x.saturating_sub(1), width: line.right().saturating_sub(x.saturating_sub(1)), ..line };
    if state.filtering || state.events.picker.filtered() {
        filter_line(state, buf, line, &state.events.picker, state.events.shown.trail.events.len());
        return;
    }
    let room = usize::from(line.width.saturating_sub(2));
    let text = standing(state).join(" · ");
    buf.set_stringn(line.x + 1, line.y, fit(&text, room), room, theme.tone(Tone::Strong));
}

/// What keeps events from the list.
fn chosen(state: &State) -> Vec<String> {
    let screen = &state.events;
    let mut words = Vec::new();
    if screen.paused.is_some() {
        let came = arrived(&state.trail).saturating_sub(arrived(&screen.shown.trail));
        words.push(format!("PAUSED, {came} newer"));
    }
    if screen.chosen.findings_only {
        words.push(format!("FINDINGS ONLY: {}", screen.picker.len()));
    }
    if screen.chosen.hides_use {
        words.push(format!("WITHOUT DAILY USE: {}", screen.picker.len()));
    }
    words
}

/// How many events have come so far.
fn arrived(trail: &TrailView) -> u64 {
    trail.events.len() as u64 + trail.events.dropped()
}

/// How many events there are, what was found, since when, and what is missing: the most important first.
fn standing(state: &State) -> Vec<String> {
    let trail = &state.trail;
    let mut words = vec![format!("{} events", trail.events.len())];
    words.extend(found(trail));
    if trail.events.dropped() > 0 {
        words.push(format!("full: the oldest leave, {} so far", trail.events.dropped()));
    }
    if trail.events.unparsed_count() > 0 {
        words.push(format!("{} records not read: u", trail.events.unparsed_count()));
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
        words.extend(followed(state, trail));
    }
    words
}

/// `found 1 critical, 2 high (1 muted)`.
fn found(trail: &TrailView) -> Option<String> {
    let (open, muted) = tally(&trail.findings);
    let severities = [Severity::Critical, Severity::High, Severity::Notice].into_iter();
    let counts: Vec<String> = severities
        .filter(|severity| open[*severity as usize] > 0)
        .map(|severity| format!("{} {}", open[severity as usize], severity.word()))
        .collect();
    let muted = if muted > 0 { format!(" ({muted} muted)") } else { String::new() };
    match (counts.is_empty(), muted.is_empty()) {
        (true, true) => None,
        (true, false) => Some(format!("nothing found{muted}")),
        (false, _) => Some(format!("found {}{muted}", counts.join(", "))),
    }
}

/// How far a followed trail is seen.
fn followed(state: &State, trail: &TrailView) -> Vec<String> {
    let mut words = vec![trail.changes_since().map_or_else(
        || "reading the trail …".to_owned(),
        |since| format!("changes since {}", since.strftime("%Y-%m-%d %H:%MZ")),
    )];
    let is_being_read = |one: &Backfill| one.reach.is_none();
    if trail.sources.iter().flat_map(|source| &source.backfills).any(is_being_read) {
        words.push("reading a key's own events …".to_owned());
    }
    if let Some(newest) = trail.events.newest() {
        words.push(format!("newest {} ago", ago(newest, state.now)));
    }
    words.push("CloudTrail delivers about 5 m late".to_owned());
    words
}

/// Draws the rate and the rows.
pub(super) fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let rate = state.events.rate.take();
    let area = match &rate {
        Some(rate) if area.height >= ROOM_FOR_RATE => {
            rate.draw(buf, Rect { height: rate::LINES, ..area }, &state.theme);
            Rect { y: area.y + rate::LINES, height: area.height - rate::LINES, ..area }
        }
        _ => area,
    };
    state.events.rate = rate;
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
        let event = state.events.picker.row(index).and_then(|row| state.events.shown.trail.events.get(row));
        event.map_or_else(Vec::new, |event| cells(state, &event))
    });
    state.events.picker.list = list;
    if count == 0 {
        instead_of_rows(buf, area, &state.theme, &why_empty(state));
    }
}

fn why_empty(state: &State) -> String {
    let (trail, screen) = (&state.events.shown.trail, &state.events);
    let sentence = match (trail.failing(), screen.picker.filtered()) {
        (_, true) => "no event has all these words · esc shows all",
        _ if screen.chosen.findings_only => "the rules have found nothing in these events · f shows all",
        _ if screen.chosen.hides_use && !trail.events.is_empty() => {
            "there is nothing but daily use · d shows it"
        }
        (Some((_, why)), _) => {
            return format!("the trail is not visible: {} · 5 says more", why.cause.word());
        }
        (None, _) if trail.is_of_files() && !trail.has_answered() => "reading the files …",
        (None, _) if trail.is_of_files() => "the files hold no event",
        (None, _) if !trail.has_answered() => "asking CloudTrail …",
        (None, _) => "CloudTrail answered, and has no event of a key in this time",
    };
    sentence.to_owned()
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
