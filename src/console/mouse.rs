//! The mouse: never needed, and it works.

use ratatui::crossterm::event::{MouseButton, MouseEvent, MouseEventKind};

use super::commands::Command;
use super::screens::{Screen, keys};
use super::state::{Action, Overlay, State, on_screen, perform};

/// Answers a click or a turn of the wheel.
pub(super) fn on_mouse(state: &mut State, mouse: MouseEvent) -> Vec<Action> {
    match mouse.kind {
        MouseEventKind::Down(MouseButton::Left) => {
            state.dirty = true;
            if state.overlay.is_some() {
                return Vec::new();
            }
            let place = (mouse.column, mouse.row).into();
            let tab = state.tabs.iter().find(|(_, area)| area.contains(place)).map(|(screen, _)| *screen);
            if let Some(screen) = tab {
                state.goto(screen);
                return Vec::new();
            }
            on_click(state, mouse.column, mouse.row)
        }
        MouseEventKind::ScrollUp => on_wheel(state, mouse, -3),
        MouseEventKind::ScrollDown => on_wheel(state, mouse, 3),
        _ => Vec::new(),
    }
}

/// A click selects a row; a click on the selected one opens it.
fn on_click(state: &mut State, x: u16, y: u16) -> Vec<Action> {
    if state.screen == Screen::Keys
        && let Some(heading) = state.keys.picker.list.heading_at(x, y)
    {
        keys::sort_by_heading(state, heading);
        return Vec::new();
    }
    let (list, length) = match state.screen {
        Screen::Keys => state.keys.picker.list_and_len(),
        Screen::Events => state.events.picker.list_and_len(),
        Screen::Timeline => state.timeline.picker.list_and_len(),
        Screen::Runbooks => (&mut state.runbooks.list, state.options.runbooks.len()),
        Screen::Health | Screen::Run => return Vec::new(),
    };
    match list.row_at(x, y, length) {
        Some(row) if row == list.selected => perform(state, Command::Open),
        Some(row) => {
            list.selected = row;
            keys::leave_detail(state);
            if state.screen == Screen::Keys { Vec::new() } else { perform(state, Command::Left) }
        }
        None => Vec::new(),
    }
}

fn on_wheel(state: &mut State, mouse: MouseEvent, lines: isize) -> Vec<Action> {
    state.dirty = true;
    let place = (mouse.column, mouse.row).into();
    if let Some(overlay) = &mut state.overlay {
        if let Overlay::Help(help) = overlay {
            help.scroll.wheel(lines);
        }
        return Vec::new();
    }
    let scrolls = [
        &mut state.keys.detail,
        &mut state.events.detail,
        &mut state.runbooks.paper,
        &mut state.timeline.detail,
        &mut state.run.text,
        &mut state.run.evidence,
        &mut state.health.scroll,
    ];
    if let Some(scroll) = scrolls.into_iter().find(|scroll| scroll.area.contains(place)) {
        scroll.wheel(lines);
        return Vec::new();
    }
    let step = if lines < 0 { Command::Up } else { Command::Down };
    (0..lines.unsigned_abs()).flat_map(|_| on_screen(state, step)).collect()
}
