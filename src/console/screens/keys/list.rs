//! The list itself: the line above it, its columns, its rows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::{Entry, Head, identity, tone_of};
use crate::console::screens::filter_line_with;
use crate::console::state::State;
use crate::console::theme::Tone;
use crate::console::widgets::gauge::gauge;
use crate::console::widgets::table::{Cell, Column, Line, Table, instead_of_rows};
use crate::console::widgets::text::width;
use crate::inventory::present::{Counts, PairLine, StateKind, line};
use crate::inventory::{Column as By, Grouping, RowId};
use crate::model::age::Verdict;
use crate::model::pair::Row;
use crate::model::text::visible;

/// The columns shown: those chosen, and the environment's where there are several.
pub fn columns(state: &State) -> Vec<By> {
    let chosen = &state.keys.columns;
    let wanted = |column: &By| match column {
        By::Environment => state.several() || chosen.contains(column),
        _ => chosen.contains(column),
    };
    By::ALL.into_iter().filter(wanted).collect()
}

fn place(state: &State, column: By) -> Column {
    let usual = |age: &crate::model::age::AgePolicies| age.rules.is_empty() && age.default.max_days == 90;
    let title = match column {
        By::State => "  STATE",
        By::Age if state.options.places.iter().all(|place| usual(&place.age)) => "AGE (of 90 d)",
        By::Age => "AGE (of policy)",
        _ => column.title(),
    };
    let (min, max, sacrifice) = match column {
        By::State => (15, 16, 0),
        By::Environment => {
            let longest = state.options.places.iter().map(|place| width(&place.environment)).max();
            (u16::try_from(longest.unwrap_or(0)).unwrap_or(14).clamp(3, 14), 14, 0)
        }
        By::ColumnKey => (18, 30, 1),
        By::MasterKey => (20, 40, 0),
        By::Database => (10, 20, 3),
        By::Rotated => (7, 8, 2),
        By::Age => (16, 17, 4),
        By::Next => (6, 8, 6),
        By::LastUsed => (9, 10, 5),
        // Whoever chose these wants to see them.
        By::Cmk => (10, 24, 1),
        By::Server => (8, 18, 1),
        By::Region => (9, 14, 1),
        By::Account => (12, 12, 1),
        By::Kind => (12, 26, 1),
    };
    Column { title, min, max, sacrifice }
}

/// How many there are, and what is wrong with them; or the filter.
pub fn counts_line(state: &State, buf: &mut Buffer, line: Rect) {
    let (theme, keys) = (&state.theme, &state.keys);
    if state.filtering || keys.picker.filtered() {
        let figure = format!("{} of {}", keys.shown, state.rows());
        filter_line_with(state, buf, line, &keys.picker.filter, &figure, note(state));
        return;
    }
    let counts = state.parts.iter().fold(Counts::default(), |sum, part| sum + part.snapshot.counts);
    let states = counts.states().map(|(count, word, kind)| (count, word, tone_of(kind)));
    let besides = counts.besides().map(|(count, word)| (count, word, Tone::Notice));
    let told = |pieces: &[(usize, &str, Tone)]| -> Vec<(String, Tone)> {
        let some = pieces.iter().filter(|(count, ..)| *count > 0);
        some.map(|(count, word, tone)| (format!("{count} {word}"), *tone)).collect()
    };
    let mut pieces = Vec::new();
    if !keys.marked.is_empty() {
        pieces.push((format!("▪ {} marked", keys.marked.len()), Tone::Accent));
    }
    pieces.push((format!("{} pairs · {} master keys:", counts.pairs, counts.master_keys), Tone::Strong));
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

/// What is wrong with the filter, or how it was taken.
fn note(state: &State) -> Option<(String, Tone)> {
    let keys = &state.keys;
    if let Some(mistake) = &keys.mistake {
        return Some((mistake.to_string(), Tone::Bad));
    }
    let words: Vec<String> = keys.loosely.iter().map(|word| format!("`{}`", visible(word))).collect();
    (!words.is_empty()).then(|| (format!("≈ closest to {}", words.join(", ")), Tone::Notice))
}

/// Draws the list.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let shown = columns(state);
    let places: Vec<Column> = shown.iter().map(|column| place(state, *column)).collect();
    let mut list = std::mem::take(&mut state.keys.picker.list);
    let count = state.keys.picker.len();
    let sort = state.keys.sort;
    let sorted = shown.iter().position(|column| *column == sort.column);
    let table = Table {
        columns: &places,
        sort: sorted.map(|column| (column, sort.descending)),
        focused: !state.keys.in_detail,
    };
    table.draw(buf, area, &state.theme, &mut list, count, |index| {
        match state.keys.picker.rows().get(index) {
            Some(Entry::Row(id)) => row_line(state, *id, &shown),
            Some(Entry::Group(group)) => heading(state, &state.keys.groups[*group as usize]),
            None => Line::Cells(Vec::new()),
        }
    });
    state.keys.picker.list = list;
    if count == 0 {
        instead_of_rows(buf, area, &state.theme, empty(state));
    }
}

/// Why there is nothing to see.
fn empty(state: &State) -> &'static str {
    let mut healths = state.parts.iter().flat_map(|part| part.snapshot.inventory.sources.values());
    if state.trail.is_of_files() && !state.several() {
        "trail logs alone are shown, and no account is asked for keys · 2 shows their events"
    } else if state.keys.picker.filtered() {
        "no row is let through by this filter · esc shows all"
    } else if healths.clone().any(|health| health.failing.is_some()) {
        "nothing can be seen: 5 says why"
    } else if healths.any(|health| health.last_success.is_some()) {
        "the sources answered, and there is no key"
    } else {
        "asking KMS and SQL Server …"
    }
}

fn row_line(state: &State, id: RowId, columns: &[By]) -> Line {
    let Some(row) = state.row(id) else { return Line::Cells(Vec::new()) };
    let place = &state.options.places[usize::from(id.part)];
    let snapshot = &state.parts[usize::from(id.part)].snapshot;
    let told = line(&snapshot.inventory, row, &place.age, state.now);
    let cells: Vec<Cell> = columns.iter().map(|column| cell(state, id, row, &told, *column)).collect();
    let cells = if snapshot.inventory.is_kept(row) { kept(cells, columns, &told) } else { cells };
    let marked =
        !state.keys.marked.is_empty() && state.keys.marked.contains(&identity(&place.environment, row));
    if marked { Line::Marked(cells) } else { Line::Cells(cells) }
}

/// What is from an earlier run looks like it: every figure of it may have changed since.
fn kept(cells: Vec<Cell>, columns: &[By], told: &PairLine) -> Vec<Cell> {
    let faded = columns.iter().zip(cells).map(|(column, cell)| match column {
        By::State => Cell::new(format!("~ {}", told.state), Tone::Dim),
        _ => Cell { tone: Tone::Dim, ..cell },
    });
    faded.collect()
}

fn cell(state: &State, id: RowId, row: &Row, told: &PairLine, column: By) -> Cell {
    let place = &state.options.places[usize::from(id.part)];
    let inventory = &state.parts[usize::from(id.part)].snapshot.inventory;
    let text = |text: &str| Cell::new(visible(text).into_owned(), Tone::Text);
    match column {
        By::State => Cell::new(format!("{} {}", told.kind.glyph(), told.state), tone_of(told.kind)),
        By::Environment => Cell::new(
            visible(&place.environment).into_owned(),
            if place.production { Tone::Strong } else { Tone::Dim },
        ),
        By::ColumnKey => {
            let tone = if matches!(row, Row::Pair(_)) { Tone::Text } else { Tone::Dim };
            Cell::new(told.column_key.clone(), tone).marked(if told.rotating { " ↻" } else { "" })
        }
        By::MasterKey => Cell::new(told.master_key.clone(), Tone::Text).marked(shared(told)),
        By::Cmk => Cell::new(told.cmk.clone(), Tone::Text),
        By::Database => Cell::new(told.database.clone(), Tone::Text),
        By::Server => text(&told.server),
        By::Rotated => Cell::new(told.rotated.clone(), Tone::Text),
        By::Age => match told.age_percent {
            Some(percent) => Cell::new(gauge(percent), age_tone(told)),
            None => Cell::new(told.rotated.clone(), Tone::Dim),
        },
        By::Next => Cell::new(told.next.clone(), Tone::Text),
        By::LastUsed => Cell::new(told.last_used.clone(), Tone::Text),
        By::Region => text(row.key_arn().map_or("", |arn| arn.region())),
        By::Account => text(row.key_arn().map_or("", |arn| arn.account())),
        By::Kind => text(&inventory.key_of(row).map(|key| kind(key)).unwrap_or_default()),
    }
}

/// That several master keys lead to the same KMS key: what is done to it is done to all.
fn shared(told: &PairLine) -> String {
    let several = told.master_keys_of_key > 1;
    if several { format!(" ×{}", told.master_keys_of_key) } else { String::new() }
}

/// Key spec, and origin where it is not KMS.
fn kind(key: &crate::model::key::KmsKey) -> String {
    match &key.origin {
        crate::model::key::Origin::AwsKms => key.spec.to_string(),
        origin => format!("{} {origin}", key.spec),
    }
}

/// The head of a group: what its rows have in common, and how many they are.
fn heading(state: &State, head: &Head) -> Line {
    let first = head.rows.first().and_then(|id| Some((*id, state.row(*id)?)));
    let Some((id, row)) = first else { return Line::Cells(Vec::new()) };
    let place = &state.options.places[usize::from(id.part)];
    let told = line(&state.parts[usize::from(id.part)].snapshot.inventory, row, &place.age, state.now);
    let name = match state.keys.grouping {
        Some(Grouping::Database) if told.server.is_empty() => "no database".to_owned(),
        Some(Grouping::Database) => format!("{} on {}", told.database, visible(&told.server)),
        Some(Grouping::State) => format!("{} {}", told.kind.glyph(), told.kind.word()),
        Some(Grouping::Environment) => visible(&place.environment).into_owned(),
        // A row without a key is a group of its own: it goes by what it is.
        _ if row.cmk().is_none() && row.key_arn().is_none() => told.column_key,
        Some(Grouping::MasterKey) | None => told.master_key,
    };
    let environment = match state.keys.grouping {
        Some(Grouping::MasterKey | Grouping::Database) if state.several() => {
            format!("{} · ", visible(&place.environment))
        }
        _ => String::new(),
    };
    let sign = if state.keys.folded.contains(&head.mark) { '▸' } else { '▾' };
    let rows = super::counted(head.rows.len(), "row");
    Line::Heading(Cell::new(format!("{sign} {environment}{name} · {rows}"), Tone::Heading))
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
