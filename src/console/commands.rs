//! Everything a person can tell the console to do: one table, from which keys, help and palette are made.

use super::screens::Screen;

/// What a key press or a palette word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    Help,
    Palette,
    Filter,
    Back,
    Quit,
    Goto(Screen),
    NextScreen,
    PreviousScreen,
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Top,
    Bottom,
    Open,
    Sort,
    SortReverse,
    View,
    Group,
    FoldAll,
    Mark,
    MarkAll,
    NextEnvironment,
    Copy,
    Save,
    Refresh,
    NextTheme,
    StartRunbook,
    EventsOfKey,
    Dependents,
    KeyOfEvent,
    SavePlan,
    Pause,
    FindingsOnly,
    HideUse,
    Unread,
    ShowAlarm,
    DismissAlarm,
    DismissAlarms,
    PageOn,
    Undo,
    Resume,
    Note,
    SettleOwed,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub command: Command,
    /// What settings and the palette call it.
    pub word: &'static str,
    pub description: &'static str,
    /// Keys, as [`super::keymap::Key`] reads them.
    pub keys: &'static [&'static str],
    /// Where it works; none means everywhere.
    pub screens: &'static [Screen],
    /// Whether it may end in something being changed: not offered in read-only mode.
    pub acts: bool,
    /// A short word for the bottom line, where it deserves a place there.
    pub hint: Option<&'static str>,
}

impl Entry {
    /// Whether the command works on `screen`.
    #[must_use]
    pub fn works_on(&self, screen: Screen) -> bool {
        self.screens.is_empty() || self.screens.contains(&screen)
    }
}

const LISTS: &[Screen] = &[Screen::Keys, Screen::Events, Screen::Timeline];

const fn everywhere(
    command: Command,
    word: &'static str,
    keys: &'static [&'static str],
    description: &'static str,
) -> Entry {
    Entry { command, word, description, keys, screens: &[], acts: false, hint: None }
}

impl Entry {
    const fn on(mut self, screens: &'static [Screen]) -> Self {
        self.screens = screens;
        self
    }

    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    const fn acts(mut self) -> Self {
        self.acts = true;
        self
    }
}

/// The table. Order is the order of the help.
pub const ALL: &[Entry] = &[
    everywhere(Command::Goto(Screen::Keys), "keys", &["1"], "the key pairs, their state and rotation age"),
    everywhere(Command::Goto(Screen::Events), "events", &["2"], "what CloudTrail says was done to the keys"),
    everywhere(Command::Goto(Screen::Runbooks), "runbooks", &["3"], "the runbooks, to read and to run"),
    everywhere(Command::Goto(Screen::Timeline), "timeline", &["4"], "this incident's journal, as a timeline"),
    everywhere(
        Command::Goto(Screen::Health),
        "health",
        &["5"],
        "the sources: age, errors, what is not visible",
    ),
    everywhere(Command::Goto(Screen::Run), "run", &[], "the run in progress").on(&[
        Screen::Keys,
        Screen::Events,
        Screen::Runbooks,
        Screen::Timeline,
        Screen::Health,
    ]),
    everywhere(Command::NextScreen, "next-screen", &["tab"], "the next screen"),
    everywhere(Command::PreviousScreen, "previous-screen", &["shift-tab"], "the screen before"),
    everywhere(Command::Open, "open", &["enter"], "open the detail; on a run: go on").hint("open"),
    everywhere(Command::Back, "back", &["esc"], "back: close, clear the filter, leave"),
    everywhere(Command::StartRunbook, "start", &["r"], "run a runbook on this")
        .on(&[Screen::Keys, Screen::Events, Screen::Runbooks])
        .acts()
        .hint("run a runbook"),
    everywhere(Command::EventsOfKey, "events-of-key", &["e"], "the events of this key")
        .on(&[Screen::Keys])
        .hint("its events"),
    everywhere(
        Command::Dependents,
        "dependents",
        &["d", "ctrl-d"],
        "what depends on this key, and who uses it; at the gate, where letters are typed, the second key",
    )
    .on(&[Screen::Keys, Screen::Run])
    .hint("dependents"),
    everywhere(Command::KeyOfEvent, "key-of-event", &["e"], "the pairs of this event's key")
        .on(&[Screen::Events])
        .hint("its key"),
    everywhere(
        Command::Pause,
        "pause",
        &["space"],
        "let the list stand still, or go on; what comes is counted",
    )
    .on(&[Screen::Events])
    .hint("pause"),
    everywhere(Command::FindingsOnly, "findings-only", &["f"], "only events that a rule speaks of, or all")
        .on(&[Screen::Events])
        .hint("findings"),
    everywhere(
        Command::HideUse,
        "hide-use",
        &["d"],
        "leave out daily use (Decrypt and its like), or show it",
    )
    .on(&[Screen::Events])
    .hint("hide use"),
    everywhere(Command::Unread, "unread", &["u"], "the records that could not be read, as they came")
        .on(&[Screen::Events]),
    everywhere(Command::ShowAlarm, "show-alarm", &["a"], "go to the event of the alarm at the top"),
    everywhere(Command::DismissAlarm, "dismiss-alarm", &["x"], "take the alarm at the top away"),
    everywhere(Command::DismissAlarms, "dismiss-alarms", &["X"], "take all alarms away"),
    everywhere(Command::Undo, "undo", &["u"], "start the runbook that undoes the last verified change")
        .on(&[Screen::Run, Screen::Timeline])
        .acts(),
    everywhere(Command::Resume, "resume", &["c"], "go on with a run that was left or killed").acts(),
    everywhere(Command::Note, "note", &["n"], "write a note into the journal")
        .on(&[Screen::Run, Screen::Timeline])
        .acts()
        .hint("note"),
    everywhere(Command::SettleOwed, "settle", &["w"], "send again what is owed: notifications, audit rows")
        .acts(),
    everywhere(Command::SavePlan, "save-plan", &["ctrl-p"], "print the plan to a file")
        .on(&[Screen::Run])
        .acts(),
    everywhere(Command::Filter, "filter", &["/"], "keep the rows with these words; field:value narrows")
        .on(LISTS)
        .hint("filter"),
    everywhere(Command::Sort, "sort", &["s"], "sort by the next column")
        .on(&[Screen::Keys, Screen::Events])
        .hint("sort"),
    everywhere(Command::SortReverse, "sort-reverse", &["o"], "turn the order round")
        .on(&[Screen::Keys, Screen::Events]),
    everywhere(Command::View, "view", &["v"], "choose the columns, and sort by any of them")
        .on(&[Screen::Keys]),
    everywhere(Command::Group, "group", &["b"], "group by master key, database, environment, state, nothing")
        .on(&[Screen::Keys])
        .hint("group"),
    everywhere(
        Command::FoldAll,
        "fold-all",
        &["z"],
        "fold all groups, or unfold them; left and right fold one",
    )
    .on(&[Screen::Keys]),
    everywhere(Command::Mark, "mark", &["m"], "mark the row, or take its mark away; on a group all its rows")
        .on(&[Screen::Keys]),
    everywhere(Command::MarkAll, "mark-all", &["M"], "mark all rows shown, or take all marks away")
        .on(&[Screen::Keys]),
    everywhere(
        Command::NextEnvironment,
        "environment",
        &["E"],
        "the next environment, where several are shown",
    ),
    everywhere(
        Command::Copy,
        "copy",
        &["y"],
        "copy to the clipboard (OSC 52): ARN, alias or name, marked rows line by line; the event; the entry",
    )
    .hint("copy"),
    everywhere(Command::Save, "save-screen", &["S"], "save the screen as text and SVG"),
    everywhere(Command::Refresh, "refresh", &["R", "f5"], "ask the sources again, now"),
    everywhere(Command::NextTheme, "theme", &["T"], "the next theme"),
    everywhere(Command::Up, "up", &["up", "k"], "up"),
    everywhere(Command::Down, "down", &["down", "j"], "down"),
    everywhere(Command::Left, "left", &["left", "h"], "to the list"),
    everywhere(Command::Right, "right", &["right", "l"], "to the detail"),
    everywhere(Command::PageUp, "page-up", &["pgup", "ctrl-b"], "a page up"),
    everywhere(Command::PageDown, "page-down", &["pgdn", "ctrl-f"], "a page down"),
    everywhere(Command::PageOn, "page-on", &["space"], "a page down, too").on(&[
        Screen::Keys,
        Screen::Runbooks,
        Screen::Timeline,
        Screen::Health,
        Screen::Run,
    ]),
    everywhere(Command::Top, "top", &["home", "g"], "the first"),
    everywhere(Command::Bottom, "bottom", &["end", "G"], "the last"),
    everywhere(Command::Palette, "palette", &[":"], "any command, by its word"),
    everywhere(Command::Help, "help", &["?", "f1"], "this help"),
    everywhere(Command::Quit, "quit", &["q", "ctrl-c"], "leave the console"),
];

impl Command {
    /// The command that this one is another key for.
    #[must_use]
    pub fn plain(self) -> Self {
        if self == Self::PageOn { Self::PageDown } else { self }
    }

    /// The command's line of the table.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        // A test holds that every command is in the table; help is a safe stand-in that does nothing.
        ALL.iter().find(|entry| entry.command == self).unwrap_or(&ALL[0])
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn words_are_unique_and_described() {
        let words: BTreeSet<_> = ALL.iter().map(|entry| entry.word).collect();
        assert_eq!(words.len(), ALL.len());
        for entry in ALL {
            assert!(!entry.description.is_empty(), "{}", entry.word);
            assert!(entry.word.chars().all(|c| c.is_ascii_lowercase() || c == '-'), "{}", entry.word);
        }
    }
}
