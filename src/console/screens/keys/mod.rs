//! The Keys screen: the pairs, and what is behind the one that is selected.

mod copy;
mod detail;
mod facts;
mod identity;
mod list;
mod reach;
mod view;

use std::collections::HashSet;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Screen;
use crate::console::commands::Command;
use crate::console::dependents;
use crate::console::prompt::{StartForm, target_of};
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::input::TextInput;
use crate::console::widgets::panel;
use crate::console::widgets::picker::Picker;
use crate::console::widgets::scroll::Scroll;
use crate::filter::Mistake;
use crate::inventory::find::{self, group};
use crate::inventory::present::StateKind;
use crate::inventory::{Column, Filter, Grouping, RowId, Sort};
use crate::model::arn::KeyArn;
use crate::model::pair::{Inventory, Row};
use identity::identity;

pub use copy::{CopyMenu, draw as draw_copy};
pub use detail::counted;
pub use reach::Reach;
pub use view::{ViewMenu, draw as draw_view};

/// From here on the detail stands beside the list.
pub const WIDE: u16 = 120;

/// What the Keys screen remembers.
pub struct KeysScreen {
    pub picker: Picker<Entry>,
    pub detail: Scroll,
    /// Whether the keys move the detail; on a narrow screen it is all that is seen then.
    pub in_detail: bool,
    /// Whether what depends on the key stands in the detail's place.
    pub dependents: bool,
    /// The last filter that could be read; what is typed now may not be one yet.
    filter: Filter,
    /// Why what is typed is none.
    mistake: Option<Mistake>,
    /// How many rows it lets through.
    shown: usize,
    /// Words that were taken for what comes closest.
    loosely: Vec<String>,
    /// By state, the most urgent first, to begin with.
    sort: Sort,
    grouping: Option<Grouping>,
    groups: Vec<Head>,
    /// Groups whose rows are not shown.
    folded: HashSet<u64>,
    /// Rows that are marked, by what they are about: they stay marked whatever comes in.
    marked: HashSet<u64>,
    columns: Vec<Column>,
    /// Whether somebody has moved in the list: from then on the selection stays with its row, whatever comes in.
    touched: bool,
}

/// A line of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The head of a group, by its place.
    Group(u32),
    Row(RowId),
}

/// The head of a group.
struct Head {
    mark: u64,
    rows: Vec<RowId>,
}

impl KeysScreen {
    /// An empty list with these columns.
    #[must_use]
    pub fn new(columns: Vec<Column>) -> Self {
        Self {
            picker: Picker::default(),
            detail: Scroll::default(),
            in_detail: false,
            dependents: false,
            filter: Filter::default(),
            mistake: None,
            shown: 0,
            loosely: Vec::new(),
            sort: Sort { column: Column::State, descending: false },
            grouping: None,
            groups: Vec::new(),
            folded: HashSet::new(),
            marked: HashSet::new(),
            columns,
            touched: false,
        }
    }

    fn on_group(&self) -> bool {
        !self.in_detail && matches!(self.picker.chosen(), Some(Entry::Group(_)))
    }

    /// The rows of the line that is selected: one, or a group's.
    fn chosen(&self) -> &[RowId] {
        match self.picker.chosen() {
            Some(Entry::Row(id)) => std::slice::from_ref(id),
            Some(Entry::Group(group)) => self.groups.get(*group as usize).map_or(&[], |head| &head.rows),
            None => &[],
        }
    }
}

/// Takes a part's rows anew; the selection stays with the row that it had in the inventory `before`.
pub fn refresh(state: &mut State, part: usize, before: &Inventory) {
    let chosen = state.keys.picker.chosen().copied().filter(|_| state.keys.touched);
    let head = chosen.and_then(|entry| match entry {
        Entry::Group(group) => state.keys.groups.get(group as usize).map(|head| head.mark),
        Entry::Row(_) => None,
    });
    let entries = entries(state);
    let state_now = &*state;
    let same = |entry: &Entry| match (chosen, *entry) {
        (Some(Entry::Row(was)), Entry::Row(is)) if was.part == is.part && usize::from(is.part) == part => {
            let was = before.rows.get(was.row as usize);
            was.zip(state_now.row(is)).is_some_and(|(was, is)| reach::same(was, is))
        }
        (Some(Entry::Row(was)), Entry::Row(is)) => was == is,
        (Some(Entry::Group(_)), Entry::Group(group)) => {
            head == state_now.keys.groups.get(group as usize).map(|head| head.mark)
        }
        _ => false,
    };
    let at = entries.iter().position(same);
    show(state, entries, at);
}

/// Applies the filter as it is typed now. What is no filter leaves the list as it was.
pub fn refilter(state: &mut State) {
    match Filter::parse(state.keys.picker.filter.text()) {
        Ok(filter) => {
            state.keys.mistake = None;
            state.keys.filter = filter;
            state.keys.touched = true;
            let entries = entries(state);
            state.keys.picker.show_from_top(entries);
            state.keys.detail.reset();
            follow(state);
        }
        Err(mistake) => state.keys.mistake = Some(mistake),
    }
}

/// The lines of the list, as filter, order and groups have it.
fn entries(state: &mut State) -> Vec<Entry> {
    let parts = state.listed();
    let found = find::find(&parts, &state.keys.filter, Some(state.keys.sort), state.now);
    let heads: Vec<Head> = match state.keys.grouping {
        None => Vec::new(),
        Some(by) => {
            let groups = group(&parts, &found.rows, by);
            groups.into_iter().map(|group| Head { mark: group.mark, rows: group.rows }).collect()
        }
    };
    drop(parts);
    let keys = &mut state.keys;
    keys.shown = found.rows.len();
    keys.loosely = found.loosely;
    keys.groups = heads;
    if keys.grouping.is_none() {
        return found.rows.into_iter().map(Entry::Row).collect();
    }
    let mut entries = Vec::with_capacity(keys.shown + keys.groups.len());
    for (number, head) in (0..).zip(&keys.groups) {
        entries.push(Entry::Group(number));
        if !keys.folded.contains(&head.mark) {
            entries.extend(head.rows.iter().copied().map(Entry::Row));
        }
    }
    entries
}

/// Shows these lines, with the one at `selected` selected.
fn show(state: &mut State, entries: Vec<Entry>, selected: Option<usize>) {
    let wanted = selected.and_then(|at| entries.get(at)).copied();
    state.keys.picker.show_where(entries, |entry| Some(*entry) == wanted);
    follow(state);
}

/// Makes the list anew; the selection stays with its row, or goes to the head of its group.
fn rearrange(state: &mut State) {
    let row = state.keys.chosen().first().copied();
    let was_head = matches!(state.keys.picker.chosen(), Some(Entry::Group(_)));
    let entries = entries(state);
    let groups = &state.keys.groups;
    let is_head_of = |entry: &Entry| match *entry {
        Entry::Group(group) => row.is_some_and(|row| groups[group as usize].rows.contains(&row)),
        Entry::Row(_) => false,
    };
    let own = || entries.iter().position(|entry| row.is_some_and(|row| *entry == Entry::Row(row)));
    let head = || entries.iter().position(is_head_of);
    let at = if was_head { head().or_else(own) } else { own().or_else(head) };
    show(state, entries, at);
}

/// The environment of the selected row comes into focus.
fn follow(state: &mut State) {
    if state.screen == Screen::Keys
        && let Some(id) = state.keys.chosen().first()
    {
        state.look_at(usize::from(id.part));
    }
}

/// Selects the first row of an environment.
pub fn select_environment(state: &mut State, part: usize) {
    let is_of = |entry: &Entry| matches!(entry, Entry::Row(id) if usize::from(id.part) == part);
    if let Some(at) = state.keys.picker.rows().iter().position(is_of) {
        state.keys.touched = true;
        state.keys.picker.list.selected = at;
        state.keys.detail.reset();
    }
}

fn sort_by(state: &mut State, sort: Sort) {
    state.keys.sort = sort;
    rearrange(state);
}

/// Back to the list, whose selection was moved by hand.
pub fn leave_detail(state: &mut State) {
    state.keys.in_detail = false;
    state.keys.touched = true;
    follow(state);
}

/// Sorts by the column whose heading was clicked; a second click turns the order round.
pub fn sort_by_heading(state: &mut State, heading: usize) {
    let Some(column) = list::columns(state).get(heading).copied() else { return };
    let descending = state.keys.sort.column == column && !state.keys.sort.descending;
    sort_by(state, Sort { column, descending });
}

/// The row that is selected; none where a group's head is.
#[must_use]
pub fn selected(state: &State) -> Option<&Row> {
    match state.keys.picker.chosen()? {
        Entry::Row(id) => state.row(*id),
        Entry::Group(_) => None,
    }
}

/// The keys of each environment that somebody can see now, the selected one first.
#[must_use]
pub fn on_screen(state: &State) -> Vec<Vec<KeyArn>> {
    let mut keys: Vec<Vec<KeyArn>> = vec![Vec::new(); state.parts.len()];
    if state.screen != Screen::Keys {
        return keys;
    }
    let picker = &state.keys.picker;
    let drawn = picker.list.drawn().filter_map(|index| picker.rows().get(index));
    for entry in picker.chosen().into_iter().chain(drawn) {
        let Entry::Row(id) = entry else { continue };
        let Some(arn) = state.row(*id).and_then(Row::key_arn) else { continue };
        let keys = &mut keys[usize::from(id.part)];
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
        follow(state);
        return Vec::new();
    }
    match command {
        Command::Open if keys.on_group() => fold(state, None),
        Command::Right if keys.on_group() => fold(state, Some(false)),
        Command::Left if keys.on_group() => fold(state, Some(true)),
        Command::Open => {
            keys.in_detail = count > 0;
            if std::mem::take(&mut keys.dependents) {
                keys.detail.reset();
            }
        }
        Command::Right => keys.in_detail = count > 0,
        Command::Left if keys.in_detail => {
            keys.in_detail = false;
            // Where it does not stand beside the list it is not there any more.
            keys.dependents &= state.size.0 >= WIDE;
        }
        Command::Left => to_head(state),
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
        Command::Sort => sort_by_next(state),
        Command::SortReverse => {
            let turned = Sort { descending: !keys.sort.descending, ..keys.sort };
            sort_by(state, turned);
        }
        Command::View => state.overlay = Some(Overlay::View(ViewMenu::of(state))),
        Command::Group => group_by_next(state),
        Command::FoldAll => fold_all(state),
        Command::Mark => copy::mark(state),
        Command::MarkAll => copy::mark_all(state),
        Command::Copy => return copy::open(state),
        Command::StartRunbook => start(state),
        Command::EventsOfKey => return events_of_key(state),
        Command::Dependents => return depends(state),
        _ => {}
    }
    Vec::new()
}

fn sort_by_next(state: &mut State) {
    let columns = list::columns(state);
    let at = columns.iter().position(|column| *column == state.keys.sort.column);
    let next = columns[at.map_or(0, |at| (at + 1) % columns.len())];
    sort_by(state, Sort { column: next, descending: false });
}

fn group_by_next(state: &mut State) {
    let several = state.several();
    state.keys.grouping = match state.keys.grouping {
        None => Some(Grouping::MasterKey),
        Some(Grouping::MasterKey) => Some(Grouping::Database),
        Some(Grouping::Database) if several => Some(Grouping::Environment),
        Some(Grouping::Database | Grouping::Environment) => Some(Grouping::State),
        Some(Grouping::State) => None,
    };
    let by = state.keys.grouping.map_or("not grouped", |by| match by {
        Grouping::MasterKey => "grouped by master key",
        Grouping::Database => "grouped by database",
        Grouping::Environment => "grouped by environment",
        Grouping::State => "grouped by state",
    });
    rearrange(state);
    state.say(Words::plain(by));
}

/// Folds the selected group, or unfolds it; the other way round where nothing is said.
fn fold(state: &mut State, fold: Option<bool>) {
    let Some(Entry::Group(group)) = state.keys.picker.chosen().copied() else { return };
    let Some(mark) = state.keys.groups.get(group as usize).map(|head| head.mark) else { return };
    let folded = state.keys.folded.contains(&mark);
    if fold.unwrap_or(!folded) {
        state.keys.folded.insert(mark);
    } else {
        state.keys.folded.remove(&mark);
    }
    rearrange(state);
}

fn fold_all(state: &mut State) {
    let Some(_) = state.keys.grouping else {
        state.say(Words::plain("there are no groups: b groups the rows"));
        return;
    };
    let marks: Vec<u64> = state.keys.groups.iter().map(|head| head.mark).collect();
    if marks.iter().all(|mark| state.keys.folded.contains(mark)) {
        state.keys.folded.clear();
    } else {
        state.keys.folded.extend(marks);
    }
    rearrange(state);
}

/// From a row to the head of its group.
fn to_head(state: &mut State) {
    let rows = state.keys.picker.rows().iter().take(state.keys.picker.list.selected);
    let head = rows.rev().position(|entry| matches!(entry, Entry::Group(_)));
    if let Some(up) = head {
        state.keys.picker.list.selected -= up + 1;
        follow(state);
    }
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
    state.keys.picker.filter = TextInput::with(words);
    refilter(state);
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    list::counts_line(state, buf, Rect { height: 1, ..area });
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if area.width >= WIDE {
        let rule = if state.keys.in_detail { state.theme.border_focus } else { state.theme.border };
        let (list, detail) = panel::beside(buf, body, (area.width / 3).clamp(46, 76), rule);
        list::draw(state, buf, list);
        draw_detail(state, buf, detail);
    } else if state.keys.in_detail {
        draw_detail(state, buf, panel::pad(body, 1));
    } else {
        list::draw(state, buf, body);
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
