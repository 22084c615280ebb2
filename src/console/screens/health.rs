//! The Health screen: how each source does, and what cannot be seen.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::console::Place;
use crate::console::commands::Command;
use crate::console::state::{Action, State, Words};
use crate::console::theme::Tone;
use crate::console::widgets::panel;
use crate::console::widgets::scroll::Scroll;
use crate::console::widgets::sheet::Sheet;
use crate::console::widgets::text::Paragraph;
use crate::model::age::ago;
use crate::model::key::KmsKey;
use crate::model::pair::{KeyLink, Row};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};
use crate::model::text::visible;

/// What the Health screen remembers.
#[derive(Default)]
pub struct HealthScreen {
    pub scroll: Scroll,
}

/// Answers a command.
pub fn on_command(state: &mut State, command: Command) -> Vec<Action> {
    if !state.health.scroll.on_command(command) && command == Command::Copy {
        state.say(Words::plain("nothing here to copy; S saves the screen"));
    }
    Vec::new()
}

/// Draws the screen.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) {
    let lines = lines(state);
    state.health.scroll.draw(buf, panel::pad(area, 1), &state.theme, &lines);
}

fn lines(state: &State) -> Vec<Paragraph> {
    let mut lines = Vec::new();
    for (place, part) in state.places() {
        let mut sheet = Sheet::new(&state.theme, 28);
        sheet.heading(of_environment("SOURCES", state, place));
        lines.extend(sheet.done());
        let trail = part.trail.sources.iter().map(|one| (&one.source, &one.health));
        for (source, health) in part.snapshot.inventory.sources.iter().chain(trail) {
            lines.extend(source_lines(state, source, health));
        }
        if state.several() {
            lines.push(Paragraph::default());
        }
    }
    let mut sheet = Sheet::new(&state.theme, 28);
    trail_facts(&mut sheet, state);
    not_visible(&mut sheet, state);
    lines.push(Paragraph::default());
    lines.extend(sheet.done());
    lines
}

/// A heading, with the environment's name where several are shown.
fn of_environment(title: &str, state: &State, place: &Place) -> String {
    if state.several() { format!("{title} · {}", visible(&place.environment)) } else { title.to_owned() }
}

fn source_lines(state: &State, source: &Source, health: &SourceHealth) -> Vec<Paragraph> {
    let theme = &state.theme;
    let (glyph, word, tone) = match (&health.failing, health.last_success) {
        _ if health.throttled => ("▲", "throttled", Tone::Warn),
        (Some(_), _) => ("✖", "failing", Tone::Bad),
        (None, Some(_)) => ("●", "answers", Tone::Good),
        (None, None) => ("◌", "asking", Tone::Dim),
    };
    let age = health.last_success.map_or_else(
        || "has not answered yet".to_owned(),
        |at| format!("last full answer {} ago, {}", ago(at, state.now), at.strftime("%H:%M:%SZ")),
    );
    let line = Line::from(vec![
        Span::styled(format!("{glyph} {word:<10} "), theme.tone(tone)),
        Span::styled(format!("{:<26} ", source.to_string()), theme.tone(Tone::Strong)),
        Span::styled(age, theme.tone(Tone::Text)),
    ]);
    let mut lines = vec![Paragraph::hanging(line, 40)];
    if let Some((at, why)) = &health.failing {
        let told = format!("    {} ago: {}", ago(*at, state.now), visible(&why.reason));
        lines.push(Paragraph::hanging(Line::styled(told, theme.tone(Tone::Notice)), 4));
        if health.throttled {
            let told = "    it is asked less often until it answers again";
            lines.push(Line::styled(told, theme.tone(Tone::Dim)).into());
        }
    }
    lines
}

fn trail_facts(sheet: &mut Sheet<'_>, state: &State) {
    let trail = &state.trail;
    sheet.heading(of_environment("TRAIL", state, state.place()));
    let since = |at: Option<jiff::Timestamp>| {
        at.map_or_else(
            || "not read through yet".to_owned(),
            |at| format!("all since {}", at.strftime("%Y-%m-%d %H:%MZ")),
        )
    };
    sheet.fact("events kept", trail.events.len().to_string(), Tone::Text);
    if !trail.is_of_files() {
        sheet.fact("changes", since(trail.changes_since()), Tone::Text);
        sheet.fact("reads and use of keys", since(trail.uses_since()), Tone::Text);
    }
    for source in &trail.sources {
        if let (Some(newest), Some(lag)) = (source.newest, source.lag) {
            let ago = ago(newest, state.now);
            let lag = lag.as_secs().max(0);
            let told = format!("{}: newest event {ago} ago, here {lag} s after it happened", source.source);
            sheet.fact("lag", told, Tone::Text);
        }
    }
    for (source, tally) in trail.files() {
        let words = if source.is_read { "files" } else { "files, being read" };
        sheet.fact(words, tally.in_words(), Tone::Text);
        for trouble in tally.troubles.iter().take(20) {
            sheet.fact("✖ not to its end", trouble.in_words(), Tone::Bad);
        }
    }
    for one in trail.sources.iter().flat_map(|source| &source.backfills) {
        let name = visible(state.snapshot.names.get(&one.key)).into_owned();
        let told = match one.reach {
            Some(reach) => format!("{name}: all since {}", reach.strftime("%Y-%m-%d %H:%MZ")),
            None => format!("{name}: being read back to {}", one.wanted.strftime("%Y-%m-%d %H:%MZ")),
        };
        sheet.fact("a key's own events", told, Tone::Text);
    }
    let newest = trail
        .events
        .newest()
        .map_or_else(|| "none yet".to_owned(), |at| format!("{} ago", ago(at, state.now)));
    sheet.fact("newest event", newest, Tone::Text);
    if trail.events.unparsed_count() > 0 {
        let text = format!("? {}: they may hide something", trail.events.unparsed_count());
        sheet.fact("records not understood", text, Tone::Notice);
    }
    if trail.events.dropped() > 0 {
        let told =
            format!("{}, the oldest; there is room for {}", trail.events.dropped(), trail.events.capacity());
        sheet.fact("let go for want of room", told, Tone::Notice);
    }
    sheet.text(
        "A denied call from another account is logged there, not here: its absence proves nothing.",
        Tone::Dim,
    );
}

/// Everything that could not be seen, by reason.
fn not_visible(sheet: &mut Sheet<'_>, state: &State) {
    sheet.heading("NOT VISIBLE");
    let mut blind: BTreeMap<String, usize> = BTreeMap::new();
    let mut note = |what: &str, why: &NotVisible| {
        *blind.entry(format!("{what}: {}", visible(&why.reason))).or_default() += 1;
    };
    for row in state.parts.iter().flat_map(|part| &part.snapshot.inventory.rows) {
        match row {
            Row::UnreadableDatabase { database, why } => {
                note(&format!("database {} on {}", database.database, database.server), why);
            }
            Row::UnreadableServer { server, why } => note(&format!("server {server}"), why),
            Row::UnreadableRegion { region, why } => note(&format!("KMS keys of {region}"), why),
            Row::UnreadableEnvironment { environment, why } => {
                note(&format!("environment {environment}"), why);
            }
            _ => {}
        }
        if let Some(KeyLink::NotVisible { why, .. }) = row.cmk().map(|cmk| &cmk.link) {
            note("keys named by master keys", why);
        }
    }
    for (region, instances) in state.parts.iter().flat_map(|part| &part.snapshot.inventory.rds) {
        if let Seen::NotVisible(why) = instances {
            note(&format!("RDS instances of {region}"), why);
        }
    }
    let mut unsaid: BTreeMap<&str, usize> = BTreeMap::new();
    for key in state.parts.iter().flat_map(|part| part.snapshot.inventory.keys.values()) {
        for (what, why) in hidden_facts(key) {
            // Nothing is hidden where there is nothing to be said.
            if why.cause == Cause::Unsupported {
                *unsaid.entry(what).or_default() += 1;
            } else {
                note(what, why);
            }
        }
    }
    if blind.is_empty() {
        sheet.text("Nothing that was asked for was refused.", Tone::Good);
    }
    for (what, count) in blind {
        let times = if count > 1 { format!(" (×{count})") } else { String::new() };
        sheet.text(format!("? {what}{times}"), Tone::Notice);
    }
    for (what, count) in unsaid {
        sheet.text(format!("· {what}: {count} of a kind for which KMS cannot say"), Tone::Dim);
    }
}

fn hidden_facts(key: &KmsKey) -> impl Iterator<Item = (&'static str, &NotVisible)> {
    [
        ("aliases of keys", key.aliases.not_visible()),
        ("tags of keys", key.tags.not_visible()),
        ("rotation of keys", key.rotation.not_visible()),
        ("rotation history of keys", key.rotations.not_visible()),
        ("grants of keys", key.grants.not_visible()),
        ("policies of keys", key.policy.not_visible()),
        ("last use of keys", key.last_use.not_visible()),
    ]
    .into_iter()
    .filter_map(|(what, why)| Some((what, why?)))
}
