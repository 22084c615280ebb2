//! The small forms: start a runbook, write a note, leave while the gate is at work.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{KeyCode, KeyEvent};
use ratatui::layout::Rect;

use super::state::{Action, Overlay, State, Words};
use super::theme::Tone;
use super::widgets::input::TextInput;
use super::widgets::panel;
use super::widgets::text::{fit, wrap_words};
use super::{Exit, RunbookCard};
use crate::model::arn::KeyArn;
use crate::model::pair::{DatabaseRef, Inventory, Row};
use crate::model::text::{Untrusted, visible};
use crate::respond::view::{Ask, Target};

/// A runbook, its target, and why.
pub struct StartForm {
    runbook: usize,
    /// The target that was selected on the Keys screen, and how it was written into the field.
    given: Option<(Target, String)>,
    target: TextInput,
    reason: TextInput,
    field: Field,
    complaint: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    Runbook,
    Target,
    Reason,
}

impl StartForm {
    /// A form for the runbook of that number, on the target given, if one is.
    #[must_use]
    pub fn new(runbook: usize, given: Option<Target>) -> Self {
        let given = given.map(|target| {
            let told = told(&target);
            (target, told)
        });
        let target =
            given.as_ref().map_or_else(TextInput::default, |(_, told)| TextInput::with(told.clone()));
        let field = if given.is_some() { Field::Runbook } else { Field::Target };
        Self { runbook, given, target, reason: TextInput::default(), field, complaint: None }
    }

    /// The same, with the target to be settled first.
    #[must_use]
    pub fn at_target(mut self) -> Self {
        self.field = Field::Target;
        self
    }

    /// The same, with a reason to begin with.
    #[must_use]
    pub fn because(mut self, reason: &str) -> Self {
        self.reason.insert(reason);
        self
    }

    pub fn insert(&mut self, text: &str) {
        match self.field {
            Field::Runbook => {}
            Field::Target => self.target.insert(text),
            Field::Reason => self.reason.insert(text),
        }
    }

    pub fn on_key(mut self: Box<Self>, state: &mut State, key: KeyEvent) -> Vec<Action> {
        self.complaint = None;
        let count = state.options.runbooks.len().max(1);
        match (key.code, self.field) {
            (KeyCode::Esc, _) => return Vec::new(),
            (KeyCode::Enter, Field::Reason) => match self.answer(state) {
                Ok(ask) => return state.ask(ask),
                Err(complaint) => self.complaint = Some(complaint),
            },
            (KeyCode::Up | KeyCode::Left, Field::Runbook) => {
                self.runbook = (self.runbook + count - 1) % count;
            }
            (KeyCode::Down | KeyCode::Right, Field::Runbook) => self.runbook = (self.runbook + 1) % count,
            (KeyCode::BackTab | KeyCode::Up, _) => self.field = self.field.next().next(),
            (KeyCode::Enter | KeyCode::Tab | KeyCode::Down, _) => self.field = self.field.next(),
            (_, Field::Runbook) => {}
            (_, Field::Target) => {
                self.target.on_key(key);
            }
            (_, Field::Reason) => {
                self.reason.on_key(key);
            }
        }
        state.overlay = Some(Overlay::Start(self));
        Vec::new()
    }

    fn target(&self, inventory: &Inventory) -> Result<(Target, String), String> {
        let typed = self.target.text().trim();
        match &self.given {
            Some((Target::Key(arn), told)) if told == typed => {
                Ok((Target::Key(arn.clone()), name_of(arn, inventory)))
            }
            Some((target, told)) if told == typed => Ok((target.clone(), String::new())),
            _ => resolve(typed, inventory),
        }
    }

    fn answer(&self, state: &State) -> Result<Ask, String> {
        let runbook = state.options.runbooks.get(self.runbook).ok_or("there is no runbook to run")?;
        let (target, _) = self.target(&state.snapshot.inventory)?;
        let reason = self.reason.text().trim();
        if reason.is_empty() {
            return Err("say why: the reason goes into the journal and to everybody who is told".to_owned());
        }
        Ok(Ask::Start { runbook: runbook.id.clone(), target, reason: Untrusted::from(reason) })
    }
}

impl Field {
    fn next(self) -> Self {
        match self {
            Self::Runbook => Self::Target,
            Self::Target => Self::Reason,
            Self::Reason => Self::Runbook,
        }
    }
}

/// A target as it is written into the form.
fn told(target: &Target) -> String {
    match target {
        Target::ColumnKey { cek, database: Some(database) } => format!("{cek} in {}", database.database),
        Target::ColumnKey { cek, database: None } => cek.to_string(),
        Target::Key(arn) => arn.to_string(),
    }
}

fn name_of(key: &KeyArn, inventory: &Inventory) -> String {
    inventory.keys.get(key).map_or_else(|| "not in the inventory".to_owned(), |key| key.name())
}

/// Reads a typed target: a key ARN, `CEK`, or `CEK in DATABASE`. Gives it with a word on what it was found to be.
fn resolve(typed: &str, inventory: &Inventory) -> Result<(Target, String), String> {
    if typed.is_empty() {
        return Err("name the target: a column key, `COLUMN KEY in DATABASE`, or a KMS key's ARN".to_owned());
    }
    if let Ok(arn) = typed.parse::<KeyArn>() {
        let name = name_of(&arn, inventory);
        return Ok((Target::Key(arn), name));
    }
    let (cek, database) =
        typed.split_once(" in ").map_or((typed, None), |(cek, db)| (cek.trim(), Some(db.trim())));
    let mut places: Vec<&DatabaseRef> = inventory
        .pairs()
        .filter(|pair| pair.cek.to_string() == cek)
        .map(|pair| &pair.cmk.database)
        .filter(|place| database.is_none_or(|name| place.database.to_string() == name))
        .collect();
    places.sort_unstable();
    places.dedup();
    match places.as_slice() {
        [] => Err(format!(
            "no column key `{cek}` is visible{}; a KMS key's ARN is taken too",
            database.map(|name| format!(" in {name}")).unwrap_or_default()
        )),
        [place] => {
            let told = format!("found in {} on {}", place.database, place.server);
            Ok((Target::ColumnKey { cek: cek_of(cek, inventory), database: Some((*place).clone()) }, told))
        }
        several => {
            let names: Vec<String> = several.iter().map(|place| place.database.to_string()).collect();
            Err(format!(
                "`{cek}` is in {}: add ` in DATABASE`, or start from its row on the Keys screen",
                names.join(", ")
            ))
        }
    }
}

/// The name as the catalog has it, which may hold characters that can only be shown.
fn cek_of(shown: &str, inventory: &Inventory) -> Untrusted {
    inventory
        .pairs()
        .find(|pair| pair.cek.to_string() == shown)
        .map_or_else(|| Untrusted::from(shown), |pair| pair.cek.clone())
}

/// What a row of the Keys screen is as a target.
#[must_use]
pub fn target_of(row: &Row) -> Option<Target> {
    match row {
        Row::Pair(pair) => {
            Some(Target::ColumnKey { cek: pair.cek.clone(), database: Some(pair.cmk.database.clone()) })
        }
        Row::UnusedMasterKey { .. } | Row::UnreferencedKey { .. } => row.key_arn().cloned().map(Target::Key),
        Row::OrphanColumnKey { .. }
        | Row::UnreadableDatabase { .. }
        | Row::UnreadableServer { .. }
        | Row::UnreadableRegion { .. }
        | Row::UnreadableEnvironment { .. } => None,
    }
}

/// Draws the form over the screen.
pub fn draw_start(state: &State, form: &StartForm, buf: &mut Buffer, screen: Rect) {
    let theme = &state.theme;
    let inner = panel::overlay(
        buf,
        screen,
        theme,
        (76, 13),
        "Run a runbook",
        "enter next, then start · esc leave, nothing happens",
    );
    let title =
        state.options.runbooks.get(form.runbook).map_or("no runbooks", |card: &RunbookCard| &card.title);
    let mut y = inner.y + 1;
    let mut label = |word: &str, field: Field| {
        let active = form.field == field;
        let tone = if active { Tone::Accent } else { Tone::Dim };
        let mark = if active { "▸" } else { " " };
        let at = y;
        if at < inner.bottom() {
            buf.set_stringn(
                inner.x,
                at,
                format!("{mark} {word}"),
                usize::from(inner.width),
                theme.tone(tone),
            );
        }
        y += 2;
        Rect { x: inner.x + 11.min(inner.width), y: at, width: inner.width.saturating_sub(11), height: 1 }
            .intersection(inner)
    };
    let runbook = label("runbook", Field::Runbook);
    let target = label("target", Field::Target);
    let reason = label("reason", Field::Reason);
    let found = match form.target(&state.snapshot.inventory) {
        Ok((_, told)) => (told, Tone::Good),
        Err(why) => (why, Tone::Notice),
    };
    let choice = format!("‹ {title} ›");
    buf.set_stringn(
        runbook.x,
        runbook.y,
        fit(&choice, usize::from(runbook.width)),
        usize::from(runbook.width),
        theme.tone(Tone::Strong),
    );
    for (input, place, field) in
        [(&form.target, target, Field::Target), (&form.reason, reason, Field::Reason)]
    {
        if form.field == field {
            input.draw(buf, place, theme.input);
        } else {
            let room = usize::from(place.width);
            buf.set_stringn(
                place.x,
                place.y,
                fit(&visible(input.text()), room),
                room,
                theme.tone(Tone::Text),
            );
        }
    }
    let (words, tone) = match &form.complaint {
        Some(complaint) => (complaint.clone(), Tone::Bad),
        None => found,
    };
    let lines = wrap_words(words, theme.tone(tone), usize::from(inner.width));
    for (line, y) in lines.iter().zip(inner.y + 7..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
}

/// A note for the journal.
#[derive(Default)]
pub struct NoteForm {
    pub input: TextInput,
}

impl NoteForm {
    pub fn on_key(mut self, state: &mut State, key: KeyEvent) -> Vec<Action> {
        match key.code {
            KeyCode::Esc => return Vec::new(),
            KeyCode::Enter => {
                let text = self.input.text().trim().to_owned();
                if text.is_empty() {
                    state.say(Words::plain("nothing was written, so nothing was noted"));
                    return Vec::new();
                }
                return state.ask(Ask::Note { text });
            }
            _ => {
                self.input.on_key(key);
            }
        }
        state.overlay = Some(Overlay::Note(self));
        Vec::new()
    }
}

/// Draws the note's form.
pub fn draw_note(state: &State, form: &NoteForm, buf: &mut Buffer, screen: Rect) {
    let inner = panel::overlay(
        buf,
        screen,
        &state.theme,
        (72, 5),
        "A note for the journal",
        "enter keep it · esc leave",
    );
    form.input.draw(
        buf,
        Rect { y: inner.y + 1, height: 1.min(inner.height), ..inner }.intersection(inner),
        state.theme.input,
    );
}

/// The question that stands between a running change and the door.
pub struct Question;

impl Question {
    pub fn on_key(self, state: &mut State, key: KeyEvent) -> Vec<Action> {
        match key.code {
            KeyCode::Char('y' | 'Y') => vec![Action::Exit(Exit::Quit)],
            KeyCode::Char('n' | 'N') | KeyCode::Esc => Vec::new(),
            _ => {
                state.overlay = Some(Overlay::Quit(self));
                Vec::new()
            }
        }
    }
}

/// Draws the question.
pub fn draw_quit(state: &State, buf: &mut Buffer, screen: Rect) {
    let theme = &state.theme;
    let inner = panel::overlay(buf, screen, theme, (66, 8), "The run is at work", "y leave now · esc stay");
    let text = "A step of the run is under way. Leaving now does not take back what was sent; the journal \
                keeps what is known, and the next start names it and offers to go on.";
    let lines = wrap_words(text, theme.tone(Tone::Text), usize::from(inner.width));
    for (line, y) in lines.iter().zip(inner.y + 1..inner.bottom()) {
        buf.set_line(inner.x, y, line, inner.width);
    }
}
