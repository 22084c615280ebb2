//! A table that builds only the rows that are seen, and gives up columns where there is no room for them.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::text::{fit, width};
use crate::console::commands::Command;
use crate::console::theme::{Theme, Tone};

/// A column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    /// Columns of the screen: not shown with less, not given more.
    pub min: u16,
    pub max: u16,
    /// Columns of a high number go first where there is no room.
    pub sacrifice: u8,
}

/// What stands in one place of a table.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    pub text: Cow<'static, str>,
    /// A mark after the text, which is cut before the mark is.
    pub mark: Cow<'static, str>,
    pub tone: Tone,
}

impl Cell {
    pub fn new(text: impl Into<Cow<'static, str>>, tone: Tone) -> Self {
        Self { text: text.into(), mark: Cow::default(), tone }
    }

    /// The same with a mark.
    #[must_use]
    pub fn marked(self, mark: impl Into<Cow<'static, str>>) -> Self {
        Self { mark: mark.into(), ..self }
    }
}

/// What stands on one line of a table.
#[derive(Clone, Debug)]
pub enum Line {
    Cells(Vec<Cell>),
    /// A row that is marked: the mark stands before it.
    Marked(Vec<Cell>),
    /// The head of a group, over the whole width.
    Heading(Cell),
}

impl From<Vec<Cell>> for Line {
    fn from(cells: Vec<Cell>) -> Self {
        Self::Cells(cells)
    }
}

/// Which row is selected, and which is at the top.
#[derive(Clone, Debug, Default)]
pub struct ListState {
    pub selected: usize,
    offset: usize,
    /// Where rows were last drawn, for the mouse and for pages.
    pub area: Rect,
    /// Where each column's heading was last drawn, by the column's place among those given.
    headings: Vec<(usize, Rect)>,
}

impl ListState {
    /// Moves among `length` rows; false where the command is none that moves.
    pub fn on_command(&mut self, command: Command, length: usize) -> bool {
        let page = usize::from(self.area.height).saturating_sub(1).max(1);
        self.selected = match command {
            Command::Up => self.selected.saturating_sub(1),
            Command::Down => self.selected + 1,
            Command::PageUp => self.selected.saturating_sub(page),
            Command::PageDown => self.selected + page,
            Command::Top => 0,
            Command::Bottom => length,
            _ => return false,
        };
        self.hold(length);
        true
    }

    /// Moves by rows, as a mouse's wheel does.
    pub fn wheel(&mut self, rows: isize, length: usize) {
        self.selected = self.selected.saturating_add_signed(rows);
        self.hold(length);
    }

    /// Keeps the selection within `length` rows.
    pub fn hold(&mut self, length: usize) {
        self.selected = self.selected.min(length.saturating_sub(1));
    }

    /// The row at a place on the screen.
    #[must_use]
    pub fn row_at(&self, x: u16, y: u16, length: usize) -> Option<usize> {
        let inside = self.area.contains((x, y).into());
        let row = self.offset + usize::from(y.saturating_sub(self.area.y));
        (inside && row < length).then_some(row)
    }

    /// The rows that were last drawn.
    #[must_use]
    pub fn drawn(&self) -> std::ops::Range<usize> {
        self.offset..self.offset + usize::from(self.area.height)
    }

    /// The column whose heading is at a place on the screen.
    #[must_use]
    pub fn heading_at(&self, x: u16, y: u16) -> Option<usize> {
        let drawn = self.area.width > 0;
        let found = self.headings.iter().find(|(_, area)| drawn && area.contains((x, y).into()));
        found.map(|(column, _)| *column)
    }

    /// The rows to draw in `height` lines, so that the selected one is among them.
    fn window(&mut self, length: usize, height: usize) -> std::ops::Range<usize> {
        self.hold(length);
        let lowest = self.selected.saturating_sub(height.saturating_sub(1));
        self.offset = self.offset.clamp(lowest, self.selected).min(length.saturating_sub(height));
        self.offset..(self.offset + height).min(length)
    }
}

/// How a table stands.
pub struct Table<'a> {
    pub columns: &'a [Column],
    /// The column that it is sorted by, and whether backwards.
    pub sort: Option<(usize, bool)>,
    pub focused: bool,
}

impl Table<'_> {
    /// Draws the headings and the rows of `list` that can be seen; `row` builds one.
    pub fn draw<L: Into<Line>>(
        &self,
        buf: &mut Buffer,
        area: Rect,
        theme: &Theme,
        list: &mut ListState,
        length: usize,
        row: impl Fn(usize) -> L,
    ) {
        if area.is_empty() {
            list.area = Rect::ZERO;
            return;
        }
        let places = places(self.columns, area.width);
        self.headings(buf, area, theme, &places);
        let headings = places.iter().enumerate().filter_map(|(column, place)| Some((column, (*place)?)));
        list.headings = headings
            .map(|(column, (x, width))| (column, Rect { x: area.x + x, width, height: 1, ..area }))
            .collect();
        let body = Rect { y: area.y + 1, height: area.height - 1, ..area };
        list.area = body;
        for (index, y) in list.window(length, usize::from(body.height)).zip(body.top()..) {
            let line = Rect { y, height: 1, ..area };
            match row(index).into() {
                Line::Cells(cells) => put(buf, line, theme, &places, &cells),
                Line::Marked(cells) => {
                    buf.set_string(area.x, y, "▪", theme.tone(Tone::Accent));
                    put(buf, line, theme, &places, &cells);
                }
                Line::Heading(cell) => {
                    let room = usize::from(area.width.saturating_sub(2));
                    let text = fit(&cell.text, room);
                    buf.set_stringn(area.x + 1, y, text, room, theme.tone(cell.tone));
                }
            }
            if index == list.selected {
                let style = if self.focused { theme.selected } else { theme.selected_elsewhere };
                buf.set_style(Rect { y, height: 1, ..body }, style);
            }
        }
        if length > usize::from(body.height) {
            position_mark(buf, body, theme, list.offset, length);
        }
    }

    fn headings(&self, buf: &mut Buffer, area: Rect, theme: &Theme, places: &[Option<(u16, u16)>]) {
        for (index, (column, place)) in self.columns.iter().zip(places).enumerate() {
            let Some((x, room)) = place else { continue };
            let title = match self.sort {
                Some((by, backwards)) if by == index && !column.title.trim().is_empty() => {
                    let lead = column.title.len() - column.title.trim_start().len();
                    let mark = if backwards { "▾" } else { "▴" };
                    format!("{}{}{mark}", " ".repeat(lead), column.title.trim())
                }
                _ => column.title.to_owned(),
            };
            let title = fit(&title, usize::from(*room));
            let style = match self.sort {
                Some((by, _)) if by == index => theme.column_heading.remove_modifier(Modifier::DIM),
                _ => theme.column_heading,
            };
            buf.set_stringn(area.x + x, area.y, title, usize::from(*room), style);
        }
    }
}

/// Puts each cell into its column's place.
fn put(buf: &mut Buffer, line: Rect, theme: &Theme, places: &[Option<(u16, u16)>], cells: &[Cell]) {
    for (cell, place) in cells.iter().zip(places) {
        if let Some((x, room)) = place {
            let (room, tone) = (usize::from(*room), theme.tone(cell.tone));
            let text = fit(&cell.text, room.saturating_sub(width(&cell.mark)));
            let (end, _) = buf.set_stringn(line.x + x, line.y, &text, room, tone);
            buf.set_stringn(end, line.y, &cell.mark, room.saturating_sub(width(&text)), tone);
        }
    }
}

/// A thumb on the right edge that says where in the list one is.
fn position_mark(buf: &mut Buffer, body: Rect, theme: &Theme, offset: usize, length: usize) {
    let height = usize::from(body.height);
    let most = length.saturating_sub(height).max(1);
    let at = offset * height.saturating_sub(1) / most;
    let y = body.y + u16::try_from(at).unwrap_or(0).min(body.height.saturating_sub(1));
    buf.set_string(body.right() - 1, y, "┃", theme.tone(Tone::Dim));
}

/// Where each column begins and how wide it is; None for those given up.
fn places(columns: &[Column], room: u16) -> Vec<Option<(u16, u16)>> {
    const MARGIN: u16 = 1;
    const GAP: u16 = 2;
    let usable = room.saturating_sub(MARGIN * 2);
    let needed = |kept: &[bool]| -> u16 {
        let mut sum: u16 = 0;
        for (column, _) in columns.iter().zip(kept).filter(|(_, kept)| **kept) {
            sum = sum.saturating_add(column.min + GAP);
        }
        sum.saturating_sub(GAP)
    };
    let mut kept = vec![true; columns.len()];
    while needed(&kept) > usable && kept.iter().filter(|kept| **kept).count() > 1 {
        let victim = (0..columns.len()).filter(|i| kept[*i]).max_by_key(|i| (columns[*i].sacrifice, *i));
        match victim {
            Some(victim) => kept[victim] = false,
            None => break,
        }
    }
    let mut widths: Vec<u16> = columns.iter().map(|c| c.min).collect();
    let mut spare = usable.saturating_sub(needed(&kept));
    while spare > 0 {
        let before = spare;
        for (index, column) in columns.iter().enumerate().filter(|(index, _)| kept[*index]) {
            // What is never given up gets twice as much of what is left over.
            let step = if column.sacrifice == 0 { 2 } else { 1 };
            let more = step.min(spare).min(column.max - widths[index]);
            widths[index] += more;
            spare -= more;
        }
        if spare == before {
            break;
        }
    }
    let mut x = MARGIN;
    columns
        .iter()
        .enumerate()
        .map(|(index, _)| {
            if !kept[index] {
                return None;
            }
            let wide = widths[index].min(room.saturating_sub(x));
            let place = (x, wide);
            x = x.saturating_add(wide + GAP);
            Some(place)
        })
        .collect()
}

/// A sentence in the middle of where rows would be.
pub fn instead_of_rows(buf: &mut Buffer, area: Rect, theme: &Theme, sentence: &str) {
    if area.height < 3 {
        return;
    }
    let text = fit(sentence, usize::from(area.width.saturating_sub(2)));
    let wide = u16::try_from(width(&text)).unwrap_or(area.width);
    let x = area.x + (area.width.saturating_sub(wide)) / 2;
    let y = area.y + 1 + (area.height - 1) / 3;
    buf.set_stringn(x, y, &text, usize::from(area.width), theme.tone(Tone::Dim));
}

#[cfg(test)]
mod tests {
    use super::{Column, ListState, places};
    use crate::console::commands::Command;
    use proptest::prelude::*;
    use ratatui::layout::Rect;

    const COLUMNS: [Column; 3] = [
        Column { title: "A", min: 5, max: 5, sacrifice: 0 },
        Column { title: "B", min: 10, max: 40, sacrifice: 2 },
        Column { title: "C", min: 10, max: 20, sacrifice: 1 },
    ];

    #[test]
    fn columns_go_by_their_sacrifice() {
        assert_eq!(places(&COLUMNS, 31), [Some((1, 5)), Some((8, 10)), Some((20, 10))]);
        assert_eq!(places(&COLUMNS, 30), [Some((1, 5)), None, Some((8, 20))]);
        assert_eq!(places(&COLUMNS, 10), [Some((1, 5)), None, None]);
    }

    proptest! {
        #[test]
        fn the_selected_row_is_always_in_sight(
            length in 0..50_usize,
            height in 0..20_u16,
            moves in proptest::collection::vec(0..6_u8, 0..30),
        ) {
            let mut list = ListState { area: Rect::new(0, 0, 9, height), ..ListState::default() };
            for step in moves {
                let command = [Command::Up, Command::Down, Command::PageUp, Command::PageDown, Command::Top,
                    Command::Bottom][usize::from(step)];
                list.on_command(command, length);
                let window = list.window(length, usize::from(height));
                prop_assert!(height == 0 || length == 0 || window.contains(&list.selected));
                prop_assert!(window.end <= length);
            }
        }
    }
}
