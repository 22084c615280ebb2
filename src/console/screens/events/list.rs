//! The list of events: what stands above it, and its rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::found::overdue;
use super::{By, Entry, look, rate, tally, unread};
use crate::console::screens::filter_line_with;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::table::{Cell, Column, Table, instead_of_rows};
use crate::console::widgets::text::fit;
use crate::model::age::ago;
use crate::model::event::{Outcome, Severity};
use crate::model::text::visible;
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

/// Where several environments are shown, the third column.
const ENVIRONMENT: Column = Column { title: "ENV", min: 8, max: 14, sacrifice: 0 };
const ENVIRONMENT_AT: usize = 2;

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
        let of: usize = state.events.shown.iter().map(|shown| shown.events().len()).sum();
        let figure = format!("{} of {of}", state.events.picker.len());
        filter_line_with(state, buf, line, &state.events.picker.filter, &figure, None);
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
        let now: u64 = state.parts.iter().map(|part| arrived(&part.trail)).sum();
        let then: u64 = screen.shown.iter().map(|shown| arrived(&shown.trail)).sum();
        let came = now.saturating_sub(then);
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
    let trails = || state.parts.iter().map(|part| &part.trail);
    let count: usize = trails().map(|trail| trail.events.len()).sum();
    let mut words = vec![format!("{count} events")];
    words.extend(found(state));
    match overdue(state) {
        0 => {}
        1 => words.push("1 rotation overdue: 1 shows it".to_owned()),
        several => words.push(format!("{several} rotations overdue: 1 shows them")),
    }
    let dropped: u64 = trails().map(|trail| trail.events.dropped()).sum();
    if dropped > 0 {
        words.push(format!("full: the oldest leave, {dropped} so far"));
    }
    let unread = unread::counted(state);
    if unread > 0 {
        words.push(format!("{unread} records not read: u"));
    }
    for (source, tally) in trails().flat_map(|trail| trail.files()) {
        words.push(match (source.is_read, tally.troubles.len()) {
            (false, _) => format!("reading files: {} records …", tally.records),
            (true, 0) => format!("{} files read", tally.files),
            (true, troubles) => {
                format!("✖ {troubles} of {} files not read to their end: 5 says more", tally.files)
            }
        });
    }
    let live = state.places().filter(|(_, part)| !part.trail.is_of_files());
    let (shut, live): (Vec<_>, Vec<_>) = live.partition(|(_, part)| is_shut(&part.trail));
    for (place, _) in shut.iter().filter(|_| state.several()) {
        words.push(format!("? {} is not visible: 5 says more", visible(&place.environment)));
    }
    let live: Vec<&TrailView> = live.into_iter().map(|(_, part)| part.trail.as_ref()).collect();
    if !live.is_empty() {
        words.extend(followed(state, &live));
    }
    words
}

/// Whether nothing has come of it yet, and why is known.
fn is_shut(trail: &TrailView) -> bool {
    trail.failing().is_some() && !trail.has_answered() && trail.events.is_empty()
}

/// `found 1 critical, 2 high (1 muted)`.
fn found(state: &State) -> Option<String> {
    let (open, muted) = tally(state);
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

/// How far followed trails are seen: as far as the one that is seen least.
fn followed(state: &State, trails: &[&TrailView]) -> Vec<String> {
    let since = trails.iter().map(|trail| trail.changes_since()).collect::<Option<Vec<_>>>();
    let mut words = vec![since.and_then(|since| since.into_iter().max()).map_or_else(
        || "reading the trail …".to_owned(),
        |since| format!("changes since {}", since.strftime("%Y-%m-%d %H:%MZ")),
    )];
    let is_being_read = |one: &Backfill| one.reach.is_none();
    let sources = trails.iter().flat_map(|trail| &trail.sources);
    if sources.flat_map(|source| &source.backfills).any(is_being_read) {
        words.push("reading a key's own events …".to_owned());
    }
    if let Some(newest) = trails.iter().filter_map(|trail| trail.events.newest()).max() {
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
    let several = state.several();
    let further = usize::from(several);
    let column = match state.events.by {
        By::Time => 0,
        By::Severity => 1,
        By::Who => 2 + further,
        By::What => 3 + further,
    };
    let mut columns = COLUMNS.to_vec();
    if several {
        columns.insert(ENVIRONMENT_AT, ENVIRONMENT);
    }
    // Newest and most severe first is the way down; names go the way up.
    let down = matches!(state.events.by, By::Time | By::Severity) != state.events.backwards;
    let table = Table { columns: &columns, sort: Some((column, down)), focused: !state.events.in_detail };
    table.draw(buf, area, &state.theme, &mut list, count, |index| {
        let row = state.events.picker.rows().get(index);
        row.and_then(|row| cells(state, Entry::of(state, *row)?)).unwrap_or_default()
    });
    state.events.picker.list = list;
    if count == 0 {
        instead_of_rows(buf, area, &state.theme, &why_empty(state));
    }
}

fn why_empty(state: &State) -> String {
    let screen = &state.events;
    let trails = || screen.shown.iter().map(|shown| &shown.trail);
    let of_files = trails().all(|trail| trail.is_of_files());
    let has_answered = trails().any(|trail| trail.has_answered());
    let sentence = match (trails().find_map(|trail| trail.failing()), screen.picker.filtered()) {
        (_, true) => "no event has all these words · esc shows all",
        _ if screen.chosen.findings_only => "the rules have found nothing in these events · f shows all",
        _ if screen.chosen.hides_use && trails().any(|trail| !trail.events.is_empty()) => {
            "there is nothing but daily use · d shows it"
        }
        (Some((_, why)), _) => {
            return format!("the trail is not visible: {} · 5 says more", why.cause.word());
        }
        (None, _) if of_files && !has_answered => "reading the files …",
        (None, _) if of_files => "the files hold no event",
        (None, _) if !has_answered => "asking CloudTrail …",
        (None, _) => "CloudTrail answered, and has no event of a key in this time",
    };
    sentence.to_owned()
}

fn cells(state: &State, entry: Entry<'_>) -> Option<Vec<Cell>> {
    let event = entry.event()?;
    let line = EventLine::of(&event, entry.names, state.now);
    let (glyph, tone) = look(event.severity);
    let outcome = match event.outcome {
        Outcome::Allowed | Outcome::DryRun => Tone::Dim,
        Outcome::Denied { .. } => Tone::Warn,
        Outcome::Failed { .. } => Tone::Notice,
    };
    let loud = if event.severity >= Severity::High { tone } else { Tone::Text };
    let mut cells = vec![
        Cell::new(line.time, Tone::Dim),
        Cell::new(format!("{glyph} {}", line.severity.word()), tone),
        Cell::new(line.who, Tone::Text),
        Cell::new(line.what, loud),
        Cell::new(line.key, Tone::Text),
        Cell::new(line.outcome, outcome),
        Cell::new(line.from, Tone::Dim),
    ];
    if state.several() {
        cells.insert(ENVIRONMENT_AT, Cell::new(visible(entry.environment).into_owned(), Tone::Text));
    }
    Some(cells)
}
