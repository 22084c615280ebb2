//! The Runbooks screen: what there is, and its text as on paper.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::console::commands::Command;
use crate::console::markdown;
use crate::console::prompt::{StartForm, target_of};
use crate::console::screens::keys;
use crate::console::state::{Action, Overlay, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::table::{Cell, Column, ListState, Table, instead_of_rows};
use crate::console::widgets::text::Paragraph;
use crate::model::text::visible;

/// What the Runbooks screen remembers.
#[derive(Default)]
pub struct RunbooksScreen {
    pub list: ListState,
    pub paper: Scroll,
    pub in_paper: bool,
}

const COLUMNS: [Column; 1] = [Column { title: "RUNBOOK", min: 20, max: 60, sacrifice: 0 }];

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    let count = state.options.runbooks.len();
    let screen = &mut state.runbooks;
    if screen.in_paper && screen.paper.on_command(command) {
        return Vec::new();
    }
    if screen.list.on_command(command, count) {
        screen.paper.reset();
        return Vec::new();
    }
    match command {
        Command::Open if screen.in_paper => start(state),
        Command::Open | Command::Right => screen.in_paper = count > 0,
        Command::Left | Command::Back => screen.in_paper = false,
        Command::StartRunbook => start(state),
        Command::Copy => {
            if let Some(card) = state.options.runbooks.get(state.runbooks.list.selected) {
                return vec![Action::Copy { text: card.text.clone(), what: "the runbook" }];
            }
        }
        _ => {}
    }
    Vec::new()
}

fn start(state: &mut State) {
    if state.options.runbooks.is_empty() {
        state.say(Words::plain("there is no runbook to run"));
    } else if !state.can_act() {
        state.say_read_only();
    } else if state.run.live() {
        state.say(Words::plain("a run is in progress: finish or leave it first"));
    } else {
        let given = keys::selected(state).and_then(target_of);
        let form = StartForm::new(state.runbooks.list.selected, given).at_target();
        state.overlay = Some(Overlay::Start(Box::new(form)));
    }
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let narrow = area.width < 100;
    let mut list = std::mem::take(&mut state.runbooks.list);
    let focused = !state.runbooks.in_paper;
    let cards = &state.options.runbooks;
    if !narrow || focused {
        let list_area = if narrow { area } else { Rect { width: 36, ..area } };
        let table = Table { columns: &COLUMNS, sort: None, focused };
        table.draw(buf, list_area, &state.theme, &mut list, cards.len(), |index| {
            cards
                .get(index)
                .map_or_else(Vec::new, |card| vec![Cell::new(visible(&card.title).into_owned(), Tone::Text)])
        });
        if cards.is_empty() {
            instead_of_rows(buf, list_area, &state.theme, "there is no runbook");
        }
    }
    let chosen = cards.get(list.selected);
    if let Some(card) = chosen.filter(|_| !narrow || !focused) {
        let rule = if focused { state.theme.border } else { state.theme.border_focus };
        let place =
            if narrow { panel::pad(area, 1) } else { panel::beside(buf, area, area.width - 37, rule).1 };
        let mut sheet = markdown::render(&card.text, &state.theme);
        let title = ratatui::text::Line::styled(
            visible(&card.title).into_owned(),
            state.theme.tone(Tone::Heading).add_modifier(ratatui::style::Modifier::UNDERLINED),
        );
        sheet.splice(0..0, [title.into(), Paragraph::default()]);
        state.runbooks.paper.draw(buf, place, &state.theme, &sheet);
    }
    state.runbooks.list = list;
}
