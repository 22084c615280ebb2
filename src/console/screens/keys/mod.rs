//! The Keys screen: the pairs, and what is behind the one that is selected.

mod detail;
mod facts;
mod reach;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Screen, filter_line};
use crate::console::commands::Command;
use crate::console::dependents;
use crate::console::prompt::{StartForm, target_of};
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::gauge::gauge;
use crate::console::widgets::panel;
use crate::console::widgets::picker::Picker;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::table::{Cell, Column, Table, instead_of_rows};
use crate::console::widgets::text::width;
use crate::inventory::present::{PairLine, StateKind, line};
use crate::inventory::{Column as By, Filter, Sort};
use crate::model::age::Verdict;
use crate::model::arn::KeyArn;
use crate::model::pair::{Inventory, Row};

pub use detail::counted;
pub use reach::Reach;

/// From here on the detail stands beside the list.
pub const WIDE: u16 = 120;

/// What the Keys screen remembers.
#[derive(Default)]
pub struct KeysScreen {
    pub picker: Picker,
    pub detail: Scroll,
    /// Whether the keys move the detail; on a narrow screen it is all that is seen then.
    pub in_detail: bool,
    /// Whether what depends on the key stands in the detail's place.
    pub dependents: bool,
    sort: Order,
    /// Whether somebody has moved in the list: from then on the selection stays with its row, whatever comes in.
    touched: bool,
}

/// By what the rows are sorted; by state, the most urgent first, to begin with.
struct Order(Sort);

impl Default for Order {
    fn default() -> Self {
        Self(Sort { column: By::State, descending: false })
    }
}

/// The orders that `s` goes through, and the column of the screen that each stands over.
const ORDERS: [(By, usize); 7] = [
    (By::State, 0),
    (By::ColumnKey, 1),
    (By::MasterKey, 2),
    (By::Database, 3),
    (By::Rotated, 4),
    (By::Next, 6),
    (By::LastUsed, 7),
];

const fn columns(age_title: &'static str) -> [Column; 8] {
    [
        Column { title: "  STATE", min: 15, max: 16, sacrifice: 0 },
        Column { title: "COLUMN KEY", min: 18, max: 30, sacrifice: 1 },
        Column { title: "MASTER KEY", min: 20, max: 40, sacrifice: 0 },
        Column { title: "DATABASE", min: 10, max: 20, sacrifice: 3 },
        Column { title: "ROTATED", min: 7, max: 8, sacrifice: 2 },
        Column { title: age_title, min: 16, max: 17, sacrifice: 4 },
        Column { title: "NEXT", min: 6, max: 8, sacrifice: 6 },
        Column { title: "LAST USED", min: 9, max: 10, sacrifice: 5 },
    ]
}

/// Takes the inventory's rows anew; the selection stays with the row that it had in the one `before`.
pub fn refresh(state: &mut State, before: &Inventory) {
    let selected =
        state.keys.picker.selected().filter(|_| state.keys.touched).and_then(|row| before.rows.get(row));
    let rows = matching(state);
    state.keys.picker.show(rows, |row| {
        let now = state.snapshot.inventory.rows.get(row);
        selected.zip(now).is_some_and(|(before, now)| reach::same(before, now))
    });
}

/// Applies the filter as it is typed now.
pub fn refilter(state: &mut State) {
    let rows = matching(state);
    state.keys.touched = true;
    state.keys.picker.show_from_top(rows);
    state.keys.detail.reset();
}

fn matching(state: &State) -> Vec<u32> {
    let filter = Filter::parse(state.keys.picker.filter.text());
    state.snapshot.index.matching(&filter, Some(state.keys.sort.0))
}

fn sort_by(state: &mut State, sort: Sort) {
    state.keys.sort = Order(sort);
    let selected = state.keys.picker.selected();
    let rows = matching(state);
    state.keys.picker.show(rows, |row| Some(row) == selected);
}

/// The row that is selected.
#[must_use]
pub fn selected(state: &State) -> Option<&Row> {
    state.snapshot.inventory.rows.get(state.keys.picker.selected()?)
}

/// The keys that somebody can see now, the selected one first.
#[must_use]
pub fn on_screen(state: &State) -> Vec<KeyArn> {
    if state.screen != Screen::Keys {
        return Vec::new();
    }
    let (picker, inventory) = (&state.keys.picker, &state.snapshot.inventory);
    let rows = picker.list.drawn().filter_map(|index| inventory.rows.get(picker.row(index)?));
    let mut keys: Vec<KeyArn> = Vec::new();
    for arn in selected(state).into_iter().chain(rows).filter_map(Row::key_arn) {
        if !keys.contains(arn) {
            keys.push(arn.clone());
        }
    }
    keys
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    let count = state.keys.picker.len();
    let keys = &mut state.keys;
    keys.touched = true;
    if keys.in_detail && keys.detail.on_command(command) {
        return Vec::new();
    }
    if keys.picker.list.on_command(command, count) {
        keys.detail.reset();
        return Vec::new();
    }
    match command {
        Command::Open => {
            keys.in_detail = count > 0;
            if std::mem::take(&mut keys.dependents) {
                keys.detail.reset();
            }
        }
        Command::Right => keys.in_detail = count > 0,
        Command::Left => {
            keys.in_detail = false;
            // Where it does not stand beside the list it is not there any more.
            keys.dependents &= state.size.0 >= WIDE;
        }
        Command::Back if keys.in_detail || keys.dependents => {
            keys.in_detail = false;
            if std::mem::take(&mut keys.dependents) {
                keys.detail.reset();
            }
        }
        Command::Back if keys.picker.filtered() => {
            keys.picker.filter.clear();
            refilter(state);
        }
        Command::Sort => {
            let at = ORDERS.iter().position(|(by, _)| *by == keys.sort.0.column).unwrap_or(0);
            let next = Sort { column: ORDERS[(at + 1) % ORDERS.len()].0, descending: false };
            sort_by(state, next);
        }
        Command::SortReverse => {
            let turned = Sort { descending: !keys.sort.0.descending, ..keys.sort.0 };
            sort_by(state, turned);
        }
        Command::Copy => return copy(state),
        Command::StartRunbook => start(state),
        Command::EventsOfKey => return events_of_key(state),
        Command::Dependents => return depends(state),
        _ => {}
    }
    Vec::new()
}

fn copy(state: &mut State) -> Vec<Action> {
    let copied = selected(state).and_then(|row| match (row.key_arn(), row.cmk()) {
        (Some(arn), _) => Some((arn.to_string(), "the KMS key's ARN")),
        (None, Some(cmk)) => Some((cmk.key_path.to_string(), "the key path")),
        (None, None) => None,
    });
    let Some((text, what)) = copied else {
        state.say(Words::plain("this row has no KMS key to copy"));
        return Vec::new();
    };
    vec![Action::Copy { text, what }]
}

fn start(state: &mut State) {
    if !state.can_act() {
        state.say_read_only();
    } else if state.run.live() {
        state.say(Words::plain("a run is in progress: 3 shows it; finish or leave it first"));
    } else if let Some(target) = selected(state).and_then(target_of) {
        state.overlay = Some(Overlay::Start(Box::new(StartForm::new(0, Some(target)))));
    } else {
        state.say(Words::plain("this row leads to no key that a runbook could act on"));
    }
}

/// Shows what is known of the key's events, and has those read back that are not followed so far.
fn events_of_key(state: &mut State) -> Vec<Action> {
    let Some(arn) = selected(state).and_then(Row::key_arn).cloned() else {
        state.say(Words::plain("this row leads to no KMS key, so no event can name it"));
        return Vec::new();
    };
    state.goto(Screen::Events);
    super::events::filter(state, &format!("key:{}", arn.id()));
    vec![Action::ReadBack(arn)]
}

/// Opens what depends on the selected row's key, or closes it.
fn depends(state: &mut State) -> Vec<Action> {
    let keys = &mut state.keys;
    keys.detail.reset();
    if keys.dependents {
        keys.dependents = false;
        keys.in_detail = false;
        return Vec::new();
    }
    let Some(key) = selected(state).and_then(Row::key_arn).cloned() else {
        state.say(Words::plain("this row leads to no KMS key, so nothing can be told that depends on one"));
        return Vec::new();
    };
    state.keys.dependents = true;
    state.keys.in_detail = true;
    dependents::ask(state, &key)
}

/// Shows the rows of a key, by a filter.
pub fn filter(state: &mut State, words: &str) {
    state.keys.in_detail = false;
    state.keys.picker.filter = crate::console::widgets::input::TextInput::with(words);
    refilter(state);
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    counts_line(state, buf, Rect { height: 1, ..area });
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if state.keys.in_detail { state.theme.border_focus } else { state.theme.border };
        let (list, detail) = panel::beside(buf, body, (area.width / 3).clamp(46, 76), rule);
        draw_list(state, buf, list);
        draw_detail(state, buf, detail);
    } else if state.keys.in_detail {
        draw_detail(state, buf, panel::pad(body, 1));
    } else {
        draw_list(state, buf, body);
    }
}

fn draw_detail(state: &mut State, buf: &mut Buffer, area: Rect) {
    let key = selected(state).and_then(Row::key_arn).cloned();
    let lines = match (key, selected(state)) {
        (Some(key), _) if state.keys.dependents => dependents::page(state, &key),
        (_, Some(row)) => detail::lines(state, row),
        (_, None) => Vec::new(),
    };
    state.keys.detail.draw(buf, area, &state.theme, &lines);
}

/// How many there are, and what is wrong with them; or the filter.
fn counts_line(state: &State, buf: &mut Buffer, line: Rect) {
    let (theme, keys) = (&state.theme, &state.keys);
    if state.filtering || keys.picker.filtered() {
        filter_line(state, buf, line, &keys.picker, state.snapshot.inventory.rows.len());
        return;
    }
    let counts = &state.snapshot.counts;
    let states = counts.states().map(|(count, word, kind)| (count, word, tone_of(kind)));
    let besides = counts.besides().map(|(count, word)| (count, word, Tone::Notice));
    let told = |pieces: &[(usize, &str, Tone)]| -> Vec<(String, Tone)> {
        let some = pieces.iter().filter(|(count, ..)| *count > 0);
        some.map(|(count, word, tone)| (format!("{count} {word}"), *tone)).collect()
    };
    let mut pieces =
        vec![(format!("{} pairs · {} master keys:", counts.pairs, counts.master_keys), Tone::Strong)];
    pieces.extend(told(&states));
    if counts.rows > counts.pairs {
        pieces.push((format!("+ {} rows:", counts.rows - counts.pairs), Tone::Strong));
        pieces.extend(told(&besides));
    }
    let mut x = line.x + 1;
    let last = pieces.len() - 1;
    for (at, (text, tone)) in pieces.into_iter().enumerate() {
        let wide = u16::try_from(width(&text)).unwrap_or(u16::MAX);
        let more = if at == last { 0 } else { 2 };
        if x.saturating_add(wide).saturating_add(more) >= line.right() {
            // Never as if there were no more.
            buf.set_stringn(x, line.y, "…", 1, theme.tone(Tone::Strong));
            break;
        }
        (x, _) = buf.set_stringn(x, line.y, text, usize::from(line.width), theme.tone(tone));
        x += 2;
    }
}

fn draw_list(state: &mut State, buf: &mut Buffer, area: Rect) {
    let titles;
    let columns: &[Column] = if state.options.age.rules.is_empty() && state.options.age.default.max_days == 90
    {
        const { &columns("AGE (of 90 d)") }
    } else {
        titles = columns("AGE (of policy)");
        &titles
    };
    let mut list = std::mem::take(&mut state.keys.picker.list);
    let count = state.keys.picker.len();
    let sort = state.keys.sort.0;
    let table = Table {
        columns,
        sort: ORDERS.iter().find(|(by, _)| *by == sort.column).map(|(_, column)| (*column, sort.descending)),
        focused: !state.keys.in_detail,
    };
    table.draw(buf, area, &state.theme, &mut list, count, |index| {
        let row = state.keys.picker.row(index).and_then(|row| state.snapshot.inventory.rows.get(row));
        row.map_or_else(Vec::new, |row| cells(state, row))
    });
    state.keys.picker.list = list;
    if count == 0 {
        let sentence = if state.trail.is_of_files() {
            "trail logs alone are shown, and no account is asked for keys · 2 shows their events"
        } else if state.keys.picker.filtered() {
            "no pair has all these words · esc shows all"
        } else if state.snapshot.inventory.sources.values().any(|health| health.failing.is_some()) {
            "nothing can be seen: 5 says why"
        } else if state.snapshot.inventory.sources.values().any(|health| health.last_success.is_some()) {
            "the sources answered, and there is no key"
        } else {
            "asking KMS and SQL Server …"
        };
        instead_of_rows(buf, area, &state.theme, sentence);
    }
}

fn cells(state: &State, row: &Row) -> Vec<Cell> {
    let told = line(&state.snapshot.inventory, row, &state.options.age, state.now);
    let rotating = if told.rotating { " ↻" } else { "" };
    let is_pair = matches!(row, Row::Pair(_));
    let age = match told.age_percent {
        Some(percent) => Cell::new(gauge(percent), age_tone(&told)),
        None => Cell::new(told.rotated.clone(), Tone::Dim),
    };
    if state.snapshot.inventory.is_kept(row) {
        return kept_cells(told, rotating, age);
    }
    vec![
        Cell::new(format!("{} {}", told.kind.glyph(), told.state), tone_of(told.kind)),
        Cell::new(format!("{}{rotating}", told.column_key), if is_pair { Tone::Text } else { Tone::Dim }),
        Cell::new(told.master_key, Tone::Text),
        Cell::new(told.database, Tone::Text),
        Cell::new(told.rotated, Tone::Text),
        age,
        Cell::new(told.next, Tone::Text),
        Cell::new(told.last_used, Tone::Text),
    ]
}

/// What is from an earlier run looks like it: every figure of it may have changed since.
fn kept_cells(told: PairLine, rotating: &str, age: Cell) -> Vec<Cell> {
    let texts = [
        format!("~ {}", told.state),
        format!("{}{rotating}", told.column_key),
        told.master_key,
        told.database,
        told.rotated,
        age.text.into_owned(),
        told.next,
        told.last_used,
    ];
    texts.map(|text| Cell::new(text, Tone::Dim)).into()
}

fn age_tone(told: &PairLine) -> Tone {
    match (told.kind, told.verdict) {
        (StateKind::Enabled | StateKind::Overdue, Some(Verdict::Within)) => Tone::Good,
        (StateKind::Enabled | StateKind::Overdue, Some(Verdict::Due))
        | (StateKind::Excepted | StateKind::Unjudged, _) => Tone::Notice,
        (StateKind::Enabled | StateKind::Overdue, Some(Verdict::Overdue)) => Tone::Warn,
        _ => Tone::Dim,
    }
}

/// How a state looks; its glyph and word say it too.
#[must_use]
pub fn tone_of(kind: StateKind) -> Tone {
    match kind {
        StateKind::PendingDeletion
        | StateKind::PendingReplicaDeletion
        | StateKind::Gone
        | StateKind::Unavailable => Tone::Bad,
        StateKind::Overdue => Tone::Warn,
        StateKind::Disabled
        | StateKind::PendingImport
        | StateKind::NotVisible
        | StateKind::NoValue
        | StateKind::Unjudged
        | StateKind::Excepted
        | StateKind::Other => Tone::Notice,
        StateKind::Creating | StateKind::Updating => Tone::Accent,
        StateKind::NotKms | StateKind::Loading => Tone::Dim,
        StateKind::Enabled => Tone::Good,
    }
}
