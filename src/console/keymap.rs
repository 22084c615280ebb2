//! Which keys mean which command: the defaults, and what settings make of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::commands::{ALL, Command, Entry};
use super::screens::Screen;
use crate::model::text::visible;

/// A key with its modifiers, as people write it: `q`, `G`, `ctrl-c`, `shift-tab`, `pgdn`, `f5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Why a keymap in settings cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeymapError {
    #[error("console.keys: there is no command `{}`{}; `?` in the console lists them all", visible(.word), nearest(.word))]
    UnknownCommand { word: String },
    #[error("console.keys.{command}: `{}` is no key; write `q`, `G`, `ctrl-c`, `alt-x`, `enter`, `esc`, `pgdn`, `f5`", visible(.key))]
    UnknownKey { command: String, key: String },
    #[error(
        "console.keys: `{key}` would mean both `{first}` and `{second}` on the {screen} screen; give one of them another key"
    )]
    Conflict { key: String, first: &'static str, second: &'static str, screen: &'static str },
    #[error("console.keys.{command}: without a key, this could not be reached; name at least one")]
    Unreachable { command: &'static str },
}

const NAMED: &[(&str, KeyCode)] = &[
    ("enter", KeyCode::Enter),
    ("esc", KeyCode::Esc),
    ("tab", KeyCode::Tab),
    ("space", KeyCode::Char(' ')),
    ("backspace", KeyCode::Backspace),
    ("delete", KeyCode::Delete),
    ("insert", KeyCode::Insert),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
];

impl Key {
    /// The key of an event, with what terminals tell differently made one.
    #[must_use]
    pub fn of(event: KeyEvent) -> Self {
        let mut modifiers =
            event.modifiers & (KeyModifiers::CONTROL | KeyModifiers::ALT | KeyModifiers::SHIFT);
        let mut code = event.code;
        match code {
            // Shift is in the letter already.
            KeyCode::Char(_) => modifiers.remove(KeyModifiers::SHIFT),
            KeyCode::BackTab => {
                code = KeyCode::Tab;
                modifiers.insert(KeyModifiers::SHIFT);
            }
            _ => {}
        }
        Self { code, modifiers }
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut modifiers = KeyModifiers::NONE;
        let mut rest = text;
        while let Some((prefix, after)) = rest.split_once('-').filter(|(_, after)| !after.is_empty()) {
            modifiers |= match prefix.to_ascii_lowercase().as_str() {
                "ctrl" => KeyModifiers::CONTROL,
                "alt" => KeyModifiers::ALT,
                "shift" => KeyModifiers::SHIFT,
                _ => return Err(()),
            };
            rest = after;
        }
        let named = NAMED.iter().find(|(name, _)| rest.eq_ignore_ascii_case(name)).map(|(_, code)| *code);
        let mut chars = rest.chars();
        let code = match (named, chars.next(), chars.as_str()) {
            (Some(code), ..) => code,
            (None, Some(c), "") if !c.is_control() => KeyCode::Char(c),
            (None, Some('f' | 'F'), number) => match number.parse() {
                Ok(n @ 1..=12) => KeyCode::F(n),
                _ => return Err(()),
            },
            _ => return Err(()),
        };
        Ok(Self::of(KeyEvent::new(code, modifiers)))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (flag, word) in
            [(KeyModifiers::CONTROL, "ctrl-"), (KeyModifiers::ALT, "alt-"), (KeyModifiers::SHIFT, "shift-")]
        {
            if self.modifiers.contains(flag) {
                f.write_str(word)?;
            }
        }
        match (NAMED.iter().find(|(_, code)| *code == self.code), self.code) {
            (Some((name, _)), _) => f.write_str(name),
            (None, KeyCode::Char(c)) => write!(f, "{c}"),
            (None, KeyCode::F(n)) => write!(f, "f{n}"),
            (None, other) => write!(f, "{other:?}"),
        }
    }
}

/// The keys of every command.
#[derive(Clone, Debug)]
pub struct Keymap {
    bindings: Vec<(&'static Entry, Vec<Key>)>,
}

impl Keymap {
    /// The defaults with a person's changes: command word to keys, which take the place of the default ones.
    ///
    /// # Errors
    /// An unknown command or key; a key that would mean two commands on one screen; a way out left without a key.
    pub fn new(overrides: &BTreeMap<String, Vec<String>>) -> Result<Self, KeymapError> {
        if let Some(word) = overrides.keys().find(|word| !ALL.iter().any(|entry| entry.word == **word)) {
            return Err(KeymapError::UnknownCommand { word: word.clone() });
        }
        let mut bindings = Vec::with_capacity(ALL.len());
        for entry in ALL {
            let keys = match overrides.get(entry.word) {
                Some(own) => own.iter().map(|key| read(entry, key)).collect::<Result<_, _>>()?,
                None => entry.keys.iter().map(|key| read(entry, key)).collect::<Result<_, _>>()?,
            };
            bindings.push((entry, keys));
        }
        let keymap = Self { bindings };
        keymap.validate()?;
        Ok(keymap)
    }

    fn validate(&self) -> Result<(), KeymapError> {
        for must in [Command::Quit, Command::Back, Command::Help, Command::Palette] {
            if self.keys(must).is_empty() {
                return Err(KeymapError::Unreachable { command: must.entry().word });
            }
        }
        for (at, (first, keys)) in self.bindings.iter().enumerate() {
            for (second, others) in &self.bindings[at + 1..] {
                let shared = keys.iter().find(|key| others.contains(key));
                let screen = Screen::ALL
                    .into_iter()
                    .find(|screen| first.works_on(*screen) && second.works_on(*screen));
                if let (Some(key), Some(screen)) = (shared, screen) {
                    return Err(KeymapError::Conflict {
                        key: key.to_string(),
                        first: first.word,
                        second: second.word,
                        screen: screen.title(),
                    });
                }
            }
        }
        Ok(())
    }

    /// What `key` means on `screen`.
    #[must_use]
    pub fn command(&self, screen: Screen, key: Key) -> Option<Command> {
        self.bindings
            .iter()
            .find(|(entry, keys)| keys.contains(&key) && entry.works_on(screen))
            .map(|(entry, _)| entry.command)
    }

    /// The keys of a command.
    #[must_use]
    pub fn keys(&self, command: Command) -> &[Key] {
        self.bindings
            .iter()
            .find(|(entry, _)| entry.command == command)
            .map_or(&[], |(_, keys)| keys.as_slice())
    }

    /// The first key of a command, for a hint.
    #[must_use]
    pub fn key(&self, command: Command) -> Option<Key> {
        self.keys(command).first().copied()
    }
}

fn read(entry: &'static Entry, key: &str) -> Result<Key, KeymapError> {
    key.parse().map_err(|()| KeymapError::UnknownKey { command: entry.word.to_owned(), key: key.to_owned() })
}

/// `; did you mean …` for a word that shares most of its beginning with a command.
fn nearest(word: &str) -> String {
    ALL.iter()
        .map(|entry| (entry.word.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count(), entry.word))
        .max()
        .filter(|(shared, _)| *shared >= 2)
        .map_or_else(String::new, |(_, best)| format!(" (did you mean `{best}`?)"))
}

#[cfg(test)]
mod tests {
    use super::{Key, Keymap, KeymapError};
    use crate::console::commands::{ALL, Command};
    use crate::console::screens::Screen;
    use std::collections::BTreeMap;

    fn keymap(word: &str, keys: &[&str]) -> Result<Keymap, KeymapError> {
        Keymap::new(&BTreeMap::from([(word.to_owned(), keys.iter().map(|&k| k.to_owned()).collect())]))
    }

    #[test]
    fn a_key_is_told_as_it_is_read() {
        for word in ["q", "G", "ctrl-c", "shift-tab", "pgdn", "f5", "space", "-", "ctrl--", "/"] {
            assert_eq!(word.parse::<Key>().unwrap().to_string(), word);
        }
        for bad in ["", "f13", "hyper-x", "qq", "\u{1b}"] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_defaults_do_not_conflict_and_reach_what_they_should() {
        let map = Keymap::new(&BTreeMap::new()).unwrap();
        for entry in ALL.iter().filter(|entry| entry.command != Command::Goto(Screen::Run)) {
            assert!(!map.keys(entry.command).is_empty(), "{} has no key", entry.word);
        }
    }

    #[test]
    fn settings_replace_a_commands_keys() {
        let map = keymap("quit", &["ctrl-q"]).unwrap();
        assert_eq!(map.command(Screen::Keys, "ctrl-q".parse().unwrap()), Some(Command::Quit));
        assert_eq!(map.command(Screen::Keys, "q".parse().unwrap()), None);
    }

    #[test]
    fn mistakes_in_settings_are_named() {
        insta::assert_snapshot!(
            [
                keymap("quti", &["x"]),
                keymap("quit", &["hyper-x"]),
                keymap("sort", &["y"]),
                keymap("quit", &[])
            ]
            .map(|result| result.unwrap_err().to_string())
            .join("\n")
        );
    }
}
