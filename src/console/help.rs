//! The help: the table of commands, as the keymap has it.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::commands::{ALL, Command, Entry};
use super::screens::Screen;
use super::state::{Action, Overlay, State};
use super::theme::Tone;
use super::widgets::panel;
use super::widgets::scroll::Scroll;
use super::widgets::text::Paragraph;
use crate::filter::FORMS;
use crate::inventory::filter::LANGUAGE;

/// The help while it is open.
#[derive(Default)]
pub struct Help {
    pub scroll: Scroll,
}

impl Help {
    /// Scrolls; any other command closes it.
    pub fn on_key(mut self, state: &mut State, command: Option<Command>) -> Vec<Action> {
        let command = command.map(Command::plain);
        let stays = command.is_some_and(|command| self.scroll.on_command(command));
        if stays {
            state.overlay = Some(Overlay::Help(self));
        }
        Vec::new()
    }
}

/// Draws it over the screen.
pub fn draw(state: &State, help: &mut Help, buf: &mut Buffer, screen: Rect) {
    let title = format!("Keys of the {} screen", state.screen.title());
    let inner =
        panel::overlay(buf, screen, &state.theme, (92, screen.height.saturating_sub(2)), &title, "esc back");
    help.scroll.draw(buf, inner, &state.theme, &lines(state));
}

fn lines(state: &State) -> Vec<Paragraph> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let mut section = |title: &str, wanted: &dyn Fn(&Entry) -> bool| {
        lines.push(Line::styled(title.to_owned(), theme.tone(Tone::Heading)).into());
        for entry in ALL.iter().filter(|entry| wanted(entry)) {
            lines.push(line(state, entry));
        }
        lines.push(Paragraph::default());
    };
    section("HERE", &|entry| !entry.screens.is_empty() && entry.works_on(state.screen));
    section("EVERYWHERE", &|entry| entry.screens.is_empty());
    section("ON OTHER SCREENS", &|entry| !entry.works_on(state.screen));
    if state.screen == Screen::Keys {
        lines.push(Line::styled("WHAT A FILTER TAKES (/)", theme.tone(Tone::Heading)).into());
        let forms = FORMS.iter().map(|(form, means)| ((*form).to_owned(), (*means).to_owned()));
        for (form, means) in forms.chain(LANGUAGE.help()) {
            lines.push(filter_line(state, &form, means));
        }
        lines.push(Paragraph::default());
    }
    lines.push(Line::styled("WHAT THE SIGNS MEAN", theme.tone(Tone::Heading)).into());
    lines.push(Line::from(
        "● enabled   ◐ disabled   ✖ pending deletion, or gone   ▲ overdue   ! unavailable   ◔ not ready   ↻ column key in rotation   ×2 two master keys lead to this key   ? not visible   ◌ not in KMS   … loading",
    ).into());
    lines.push(
        Line::from(
            "\"not visible\" is never \"none\": a permission or a connection is missing; 5 says which.",
        )
        .into(),
    );
    lines
}

fn filter_line(state: &State, form: &str, means: String) -> Paragraph {
    let line = Line::from(vec![
        Span::styled(format!("  {form:<18}"), state.theme.tone(Tone::Accent)),
        Span::styled(means, state.theme.tone(Tone::Text)),
    ]);
    Paragraph::hanging(line, 20)
}

fn line(state: &State, entry: &Entry) -> Paragraph {
    let keys: Vec<String> =
        state.options.keymap.keys(entry.command).iter().map(ToString::to_string).collect();
    let off = entry.acts && !state.can_act();
    let tone = if off { Tone::Dim } else { Tone::Text };
    let line = Line::from(vec![
        Span::styled(format!("  {:<18}", keys.join(" ")), state.theme.tone(Tone::Accent)),
        Span::styled(format!("{:<16}", entry.word), state.theme.tone(Tone::Dim)),
        Span::styled(
            format!("{}{}", entry.description, if off { " (not while read-only)" } else { "" }),
            state.theme.tone(tone),
        ),
    ]);
    Paragraph::hanging(line, 36)
}
