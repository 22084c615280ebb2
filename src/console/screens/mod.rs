//! The screens: each with what it remembers, how it answers a command and how it draws.

pub mod events;
pub mod gate;
pub mod health;
pub mod keys;
mod mfa;
pub mod run;
pub mod runbooks;
pub mod timeline;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::state::State;
use super::theme::Tone;
use super::widgets::input::TextInput;
use super::widgets::picker::Picker;
use super::widgets::text::{fit, width};

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Screen {
    Keys,
    Events,
    Runbooks,
    Timeline,
    Health,
    /// The run in progress; it stands under the Runbooks tab.
    Run,
}

impl Screen {
    pub const ALL: [Self; 6] =
        [Self::Keys, Self::Events, Self::Runbooks, Self::Timeline, Self::Health, Self::Run];
    /// Those with a tab of their own, in the tabs' order.
    pub const TABS: [Self; 5] = [Self::Keys, Self::Events, Self::Runbooks, Self::Timeline, Self::Health];

    /// Its name.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Keys => "Keys",
            Self::Events => "Events",
            Self::Runbooks => "Runbooks",
            Self::Timeline => "Timeline",
            Self::Health => "Health",
            Self::Run => "Run",
        }
    }

    /// The tab that it stands under.
    #[must_use]
    pub fn tab(self) -> Self {
        if self == Self::Run { Self::Runbooks } else { self }
    }

    /// The tab `step` places on, in a circle.
    #[must_use]
    pub fn beside(self, forwards: bool) -> Self {
        let count = Self::TABS.len();
        let at = Self::TABS.iter().position(|tab| *tab == self.tab()).unwrap_or(0);
        Self::TABS[(at + if forwards { 1 } else { count - 1 }) % count]
    }
}

/// The filter as it is typed or stands, and how many rows it lets through.
fn filter_line(state: &State, buf: &mut Buffer, line: Rect, picker: &Picker, of: usize) {
    let figure = format!("{} of {of}", picker.len());
    filter_line_with(state, buf, line, &picker.filter, &figure, None);
}

/// The same, with a word on how the filter was taken, or what is wrong with it.
fn filter_line_with(
    state: &State,
    buf: &mut Buffer,
    line: Rect,
    filter: &TextInput,
    figure: &str,
    note: Option<(String, Tone)>,
) {
    let theme = &state.theme;
    let room = usize::from(line.width.saturating_sub(2));
    let (x, _) = buf.set_stringn(line.x + 1, line.y, "/ ", room, theme.tone(Tone::Accent));
    let wide = u16::try_from(figure.len()).unwrap_or(u16::MAX);
    let right = line.right().saturating_sub(wide + 1);
    let mut field = Rect { x, width: right.saturating_sub(x + 2), ..line };
    if let Some((note, tone)) = note {
        // Each has a half where both are long.
        let typed = u16::try_from(width(filter.text()) + 1).unwrap_or(u16::MAX);
        let wide = u16::try_from(width(&note) + 2).unwrap_or(u16::MAX);
        let kept = typed.min(field.width.saturating_sub(wide).max(field.width / 2));
        let at = x + kept + 2;
        let room = usize::from(right.saturating_sub(at + 2));
        buf.set_stringn(at, line.y, fit(&note, room), room, theme.tone(tone));
        field.width = kept;
    }
    if state.filtering {
        filter.draw(buf, field, theme.input);
    } else {
        let text = crate::model::text::visible(filter.text());
        buf.set_stringn(x, line.y, text, usize::from(field.width), theme.input);
    }
    buf.set_stringn(right, line.y, figure, room, theme.tone(Tone::Dim));
}
