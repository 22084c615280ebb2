//! Puts a frame together: header, screen, bottom line, overlay.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::commands::{ALL, Command};
use super::screens::{Screen, events, gate, health, keys, run, runbooks, timeline};
use super::state::{Overlay, State};
use super::theme::Tone;
use super::widgets::text::{fit, width, wrap_words};
use super::{header, help, palette, prompt};
use crate::model::text::visible;

/// The smallest terminal on which every flow can be followed to its end.
pub const SMALLEST: (u16, u16) = (60, 16);

/// Draws everything.
pub fn draw(state: &mut State, frame: &mut Frame<'_>) {
    let area = frame.area();
    let buf = frame.buffer_mut();
    state.size = (area.width, area.height);
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(state, buf, area);
        return;
    }
    forget_places(state);
    let top = header::draw(state, buf, area);
    let body = Rect { y: area.y + top, height: area.height.saturating_sub(top + 1), ..area };
    match state.screen {
        Screen::Keys => keys::draw(state, buf, body),
        Screen::Events => events::draw(state, buf, body),
        Screen::Runbooks => runbooks::draw(state, buf, body),
        Screen::Timeline => timeline::draw(state, buf, body),
        Screen::Health => health::draw(state, buf, body),
        Screen::Run if gate::stands(state) => gate::draw(state, buf, body),
        Screen::Run => run::draw(state, buf, body),
    }
    bottom_line(state, buf, Rect { y: area.bottom() - 1, height: 1, ..area });
    let mut overlay = state.overlay.take();
    match &mut overlay {
        Some(Overlay::Help(help)) => help::draw(state, help, buf, area),
        Some(Overlay::Palette(palette)) => palette::draw(state, palette, buf, area),
        Some(Overlay::Start(form)) => prompt::draw_start(state, form, buf, area),
        Some(Overlay::Note(form)) => prompt::draw_note(state, form, buf, area),
        Some(Overlay::View(menu)) => keys::draw_view(state, menu, buf, area),
        Some(Overlay::Copy(_)) => keys::draw_copy(state, buf, area),
        Some(Overlay::Quit(_)) => prompt::draw_quit(state, buf, area),
        None => {}
    }
    state.overlay = overlay;
}

/// Only what is drawn now can be scrolled by the mouse.
fn forget_places(state: &mut State) {
    for scroll in [
        &mut state.keys.detail,
        &mut state.events.detail,
        &mut state.runbooks.paper,
        &mut state.timeline.detail,
        &mut state.run.text,
        &mut state.run.evidence,
        &mut state.health.scroll,
    ]
    .into_iter()
    .chain(state.events.unread.as_mut().map(|unread| &mut unread.text))
    {
        scroll.area = Rect::ZERO;
    }
    for list in [
        &mut state.keys.picker.list,
        &mut state.events.picker.list,
        &mut state.timeline.picker.list,
        &mut state.runbooks.list,
    ] {
        // Its height is kept: a page is as long as the list was when last seen.
        list.area.width = 0;
    }
}

fn too_small(state: &State, buf: &mut Buffer, area: Rect) {
    let sentence = format!(
        "portcullis needs {} columns and {} lines; this terminal has {} and {}. Make it larger, or press {} to leave.",
        SMALLEST.0,
        SMALLEST.1,
        area.width,
        area.height,
        state.options.keymap.key(Command::Quit).map(|key| key.to_string()).unwrap_or_default(),
    );
    let wrapped = wrap_words(sentence, ratatui::style::Style::new(), usize::from(area.width));
    for (line, y) in wrapped.iter().zip(area.top()..area.bottom()) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// The message, else the filter as it is typed, else what can be done here.
fn bottom_line(state: &State, buf: &mut Buffer, area: Rect) {
    let room = usize::from(area.width.saturating_sub(2));
    let x = area.x + 1;
    if let Some(message) = &state.message {
        let text = format!("▸ {}", visible(&message.text));
        buf.set_stringn(x, area.y, fit(&text, room), room, state.theme.tone(message.tone));
        return;
    }
    let mut x = x;
    for (key, hint) in hints(state) {
        let wide = u16::try_from(width(&key) + width(hint) + 1).unwrap_or(u16::MAX);
        if x.saturating_add(wide) >= area.right() {
            break;
        }
        (x, _) = buf.set_stringn(x, area.y, &key, room, state.theme.tone(Tone::Accent));
        (x, _) = buf.set_stringn(x + 1, area.y, hint, room, state.theme.tone(Tone::Dim));
        x += 3;
    }
}

fn hints(state: &State) -> Vec<(String, &'static str)> {
    if state.filtering {
        return vec![
            ("enter".to_owned(), "keep the filter"),
            ("esc".to_owned(), "drop it"),
            ("↑↓".to_owned(), "move"),
        ];
    }
    if state.screen == Screen::Run {
        return run::hints(state);
    }
    ALL.iter()
        .filter(|entry| entry.works_on(state.screen) && (!entry.acts || state.can_act()))
        .filter(|entry| state.screen != Screen::Health || entry.command != Command::Open)
        .filter_map(|entry| Some((state.options.keymap.key(entry.command)?.to_string(), entry.hint?)))
        .chain(state.options.keymap.key(Command::Quit).map(|key| (key.to_string(), "quit")))
        .collect()
}
