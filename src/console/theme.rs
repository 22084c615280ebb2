//! How meanings look. Indexed and ANSI colours only; the monochrome theme sets none at all.

use std::str::FromStr;

use ratatui::style::{Color, Modifier, Style};

/// The themes that come with the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ThemeName {
    #[default]
    Dark,
    Light,
    HighContrast,
    ColourBlind,
    Monochrome,
}

/// A name that is no theme's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("console.theme: there is no theme `{}`; there are dark, light, high-contrast, colour-blind and monochrome", crate::model::text::visible(.0))]
pub struct UnknownTheme(String);

impl ThemeName {
    pub const ALL: [Self; 5] =
        [Self::Dark, Self::Light, Self::HighContrast, Self::ColourBlind, Self::Monochrome];

    /// The word in settings.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
            Self::HighContrast => "high-contrast",
            Self::ColourBlind => "colour-blind",
            Self::Monochrome => "monochrome",
        }
    }

    /// The theme that settings and the `NO_COLOR` variable come to: set to anything but nothing, it wins.
    ///
    /// # Errors
    /// The settings name no theme.
    pub fn choose(setting: Option<&str>, no_color: Option<&str>) -> Result<Self, UnknownTheme> {
        let chosen = setting.map_or(Ok(Self::default()), str::parse)?;
        Ok(if no_color.is_some_and(|value| !value.is_empty()) { Self::Monochrome } else { chosen })
    }

    /// The one after, in a circle.
    #[must_use]
    pub fn next(self) -> Self {
        let at = Self::ALL.iter().position(|name| *name == self).unwrap_or(0);
        Self::ALL[(at + 1) % Self::ALL.len()]
    }
}

impl FromStr for ThemeName {
    type Err = UnknownTheme;

    fn from_str(word: &str) -> Result<Self, UnknownTheme> {
        Self::ALL.into_iter().find(|name| name.word() == word).ok_or_else(|| UnknownTheme(word.to_owned()))
    }
}

/// What a piece of text means; the theme says how that looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Text,
    Dim,
    Strong,
    /// A name that leads somewhere: keys to press, links.
    Accent,
    Heading,
    Good,
    Notice,
    Warn,
    Bad,
}

/// A palette: a colour for each tone, and styles for the furniture.
#[derive(Clone, Debug)]
pub struct Theme {
    pub name: ThemeName,
    tones: [Style; 9],
    /// The header of an ordinary environment, and of production.
    pub header: Style,
    pub header_production: Style,
    pub badge: Style,
    pub badge_production: Style,
    pub badge_pretend: Style,
    pub badge_read_only: Style,
    pub badge_armed: Style,
    pub gate_down: Style,
    pub tab: Style,
    pub tab_active: Style,
    pub column_heading: Style,
    pub selected: Style,
    /// The selected row of a list that does not have the focus.
    pub selected_elsewhere: Style,
    pub border: Style,
    pub border_focus: Style,
    pub border_danger: Style,
    pub input: Style,
    pub overlay: Style,
}

struct Colours {
    dim: u8,
    accent: u8,
    heading: u8,
    good: u8,
    notice: u8,
    warn: u8,
    bad: u8,
    text: Option<u8>,
    bar: (u8, u8),
    production: (u8, u8),
    selected: u8,
    selected_elsewhere: u8,
    overlay: u8,
    pretend: (u8, u8),
    armed: (u8, u8),
    border: u8,
}

fn fg(colour: u8) -> Style {
    Style::new().fg(Color::Indexed(colour))
}

fn on((ink, ground): (u8, u8)) -> Style {
    fg(ink).bg(Color::Indexed(ground))
}

const DARK: Colours = Colours {
    dim: 245,
    accent: 81,
    heading: 110,
    good: 114,
    notice: 222,
    warn: 215,
    bad: 203,
    text: None,
    bar: (253, 236),
    production: (231, 124),
    selected: 238,
    selected_elsewhere: 236,
    overlay: 234,
    pretend: (16, 141),
    armed: (16, 214),
    border: 240,
};
const LIGHT: Colours = Colours {
    dim: 242,
    accent: 25,
    heading: 24,
    good: 28,
    notice: 94,
    warn: 130,
    bad: 160,
    text: Some(235),
    bar: (235, 254),
    production: (231, 160),
    selected: 189,
    selected_elsewhere: 254,
    overlay: 255,
    pretend: (231, 91),
    armed: (16, 214),
    border: 248,
};
const HIGH_CONTRAST: Colours = Colours {
    dim: 252,
    accent: 51,
    heading: 231,
    good: 46,
    notice: 226,
    warn: 214,
    bad: 209,
    text: Some(231),
    bar: (231, 18),
    production: (231, 196),
    selected: 20,
    selected_elsewhere: 18,
    overlay: 16,
    pretend: (16, 201),
    armed: (16, 226),
    border: 231,
};
// Okabe and Ito's palette, as near as the 256 colours come: blue, sky blue, yellow, orange, vermilion.
const COLOUR_BLIND: Colours = Colours {
    dim: 245,
    accent: 117,
    heading: 117,
    good: 74,
    notice: 228,
    warn: 214,
    bad: 202,
    text: None,
    bar: (253, 236),
    production: (16, 214),
    selected: 238,
    selected_elsewhere: 236,
    overlay: 234,
    pretend: (16, 175),
    armed: (16, 228),
    border: 240,
};

impl Theme {
    /// The theme of that name.
    #[must_use]
    pub fn new(name: ThemeName) -> Self {
        match name {
            ThemeName::Dark => Self::coloured(name, &DARK),
            ThemeName::Light => Self::coloured(name, &LIGHT),
            ThemeName::HighContrast => Self::coloured(name, &HIGH_CONTRAST),
            ThemeName::ColourBlind => Self::coloured(name, &COLOUR_BLIND),
            ThemeName::Monochrome => Self::monochrome(),
        }
    }

    fn coloured(name: ThemeName, colours: &Colours) -> Self {
        let text = colours.text.map_or(Style::new(), fg);
        let bold = Modifier::BOLD;
        Self {
            name,
            tones: [
                text,
                fg(colours.dim),
                text.add_modifier(bold),
                fg(colours.accent),
                fg(colours.heading).add_modifier(bold),
                fg(colours.good),
                fg(colours.notice),
                fg(colours.warn),
                fg(colours.bad).add_modifier(bold),
            ],
            header: on(colours.bar),
            header_production: on(colours.production),
            badge: on(colours.bar).add_modifier(bold),
            badge_production: on(colours.production).add_modifier(bold),
            badge_pretend: on(colours.pretend).add_modifier(bold),
            badge_read_only: on(colours.bar).add_modifier(bold),
            badge_armed: on(colours.armed).add_modifier(bold),
            gate_down: on(colours.armed).add_modifier(bold),
            tab: fg(colours.dim),
            tab_active: fg(colours.accent).add_modifier(bold | Modifier::UNDERLINED),
            column_heading: fg(colours.dim).add_modifier(bold),
            selected: Style::new().bg(Color::Indexed(colours.selected)).add_modifier(bold),
            selected_elsewhere: Style::new().bg(Color::Indexed(colours.selected_elsewhere)),
            border: fg(colours.border),
            border_focus: fg(colours.accent),
            border_danger: fg(colours.bad).add_modifier(bold),
            input: text.add_modifier(bold),
            overlay: text.bg(Color::Indexed(colours.overlay)),
        }
    }

    /// No colours at all: a cell with both a colour and a modifier loses the modifier under `NO_COLOR`
    /// (ratatui 0.30 with crossterm 0.29), so state is told by glyph, word and modifiers.
    fn monochrome() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let reversed = plain.add_modifier(Modifier::REVERSED);
        let loud = bold.add_modifier(Modifier::REVERSED);
        Self {
            name: ThemeName::Monochrome,
            tones: [
                plain,
                plain.add_modifier(Modifier::DIM),
                bold,
                plain.add_modifier(Modifier::UNDERLINED),
                bold,
                plain,
                plain,
                bold,
                bold,
            ],
            header: plain,
            header_production: reversed,
            badge: bold,
            badge_production: loud,
            badge_pretend: loud,
            badge_read_only: bold,
            badge_armed: loud,
            gate_down: loud,
            tab: plain,
            tab_active: reversed,
            column_heading: bold.add_modifier(Modifier::UNDERLINED),
            selected: reversed,
            selected_elsewhere: plain.add_modifier(Modifier::UNDERLINED),
            border: plain,
            border_focus: bold,
            border_danger: bold,
            input: bold,
            overlay: plain,
        }
    }

    /// How a tone looks.
    #[must_use]
    pub fn tone(&self, tone: Tone) -> Style {
        self.tones[tone as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::{Theme, ThemeName, Tone};
    use ratatui::style::{Color, Style};

    fn styles(theme: &Theme) -> Vec<Style> {
        let mut all = theme.tones.to_vec();
        all.extend([
            theme.header,
            theme.header_production,
            theme.badge,
            theme.badge_production,
            theme.badge_pretend,
            theme.badge_read_only,
            theme.badge_armed,
            theme.gate_down,
            theme.tab,
            theme.tab_active,
            theme.column_heading,
            theme.selected,
            theme.selected_elsewhere,
            theme.border,
            theme.border_focus,
            theme.border_danger,
            theme.input,
            theme.overlay,
        ]);
        all
    }

    #[test]
    fn monochrome_has_no_colour_and_the_others_no_rgb() {
        for name in ThemeName::ALL {
            for style in styles(&Theme::new(name)) {
                for colour in [style.fg, style.bg].into_iter().flatten() {
                    assert!(matches!(colour, Color::Indexed(_)), "{name:?} {style:?}");
                    assert_ne!(name, ThemeName::Monochrome);
                }
            }
        }
    }

    #[test]
    fn production_looks_different_in_every_theme() {
        for name in ThemeName::ALL {
            let theme = Theme::new(name);
            assert_ne!(theme.header, theme.header_production, "{name:?}");
            assert_ne!(theme.badge, theme.badge_production, "{name:?}");
            assert_ne!(theme.tone(Tone::Good), theme.tone(Tone::Bad), "{name:?}");
        }
    }

    #[test]
    fn no_color_wins_over_settings() {
        assert_eq!(ThemeName::choose(Some("light"), Some("1")), Ok(ThemeName::Monochrome));
        assert_eq!(ThemeName::choose(Some("light"), Some("")), Ok(ThemeName::Light));
        assert!(ThemeName::choose(Some("neon"), None).unwrap_err().to_string().contains("neon"));
    }
}
