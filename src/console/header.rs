//! The lines that stand on every screen: where we are, who we are, how old the facts are, what stands.

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::alarms;
use super::commands::Command;
use super::parts::Part;
use super::screens::{Screen, events};
use super::state::State;
use super::theme::Tone;
use super::widgets::gauge::gauge;
use super::widgets::text::{fit, width};
use super::{Mode, Place};
use crate::inventory::Progress;
use crate::model::age::ago;
use crate::model::event::Severity;
use crate::model::plan::Operation;
use crate::model::seen::Seen;
use crate::model::source::{Source, SourceHealth};
use crate::model::text::visible;
use crate::respond::view::{Standing, StandingChange, Unfinished};

type Piece = (String, Style);

/// With fewer columns, findings that are worth a look are told on the Events screen alone.
const ROOM_FOR_NOTICES: u16 = 100;

/// Draws the header; gives the number of lines that it took.
pub fn draw(state: &mut State, buf: &mut Buffer, area: Rect) -> u16 {
    let theme = &state.theme;
    let bar = if state.production() { theme.header_production } else { theme.header };
    let left = place(state, bar);
    let who = vec![(identity(state), bar)];
    let ages = ages(state, bar);
    let clock = vec![(state.now.strftime("%H:%M:%SZ").to_string(), bar)];
    let room = usize::from(area.width);
    let one_line = [&left, &who, &ages, &clock].map(|pieces| long(pieces)).iter().sum::<usize>() + 14 <= room;

    let mut y = area.y;
    let line = |y: u16| Rect { y, height: 1, ..area };
    buf.set_style(line(y), bar);
    if one_line {
        let end = put(buf, line(y), 1, &left);
        put(buf, line(y), end + 3, &who);
        let right = [ages, vec![("    ".to_owned(), bar)], clock].concat();
        put_right(buf, line(y), &right);
    } else {
        put(buf, line(y), 1, &squeezed(left, room.saturating_sub(long(&clock) + 3)));
        put_right(buf, line(y), &clock);
        y += 1;
        buf.set_style(line(y), bar);
        let spare = room.saturating_sub(long(&ages) + 4);
        let who: Vec<Piece> =
            who.into_iter().map(|(text, style)| (fit(&text, spare).into_owned(), style)).collect();
        put(buf, line(y), 1, &who);
        put_right(buf, line(y), &ages);
    }
    y += 1;
    for text in standing_lines(&state.standing, state.now, room.saturating_sub(2)) {
        buf.set_style(line(y), state.theme.gate_down);
        let text = fit(&text, room.saturating_sub(2)).into_owned();
        buf.set_string(1, y, text, state.theme.gate_down);
        y += 1;
    }
    y += alarm(state, buf, line(y));
    tabs(state, buf, line(y));
    y + 1 - area.y
}

/// The alarm that stands; gives the number of lines that it took.
fn alarm(state: &State, buf: &mut Buffer, line: Rect) -> u16 {
    let Some((text, tone)) = alarms::line(state) else { return 0 };
    let style = state.theme.tone(tone).add_modifier(Modifier::REVERSED | Modifier::BOLD);
    buf.set_style(line, style);
    let ways = alarms::ways(state);
    let room = usize::from(line.width).saturating_sub(width(&ways) + 5);
    buf.set_stringn(line.x + 1, line.y, fit(&text, room), room, style);
    put_right(buf, line, &[(ways, style)]);
    1
}

/// The place in little room: the program's name goes first, then the end of the incident's.
fn squeezed(mut pieces: Vec<Piece>, room: usize) -> Vec<Piece> {
    if long(&pieces) > room {
        pieces.drain(..2);
    }
    if let Some((mode, rest)) = pieces.split_last_mut() {
        mode.0 = fit(&mode.0, room.saturating_sub(long(rest))).into_owned();
    }
    pieces
}

fn long(pieces: &[Piece]) -> usize {
    pieces.iter().map(|(text, _)| width(text)).sum()
}

/// Writes pieces from a column on; gives the column after them.
fn put(buf: &mut Buffer, line: Rect, column: u16, pieces: &[Piece]) -> u16 {
    let mut x = line.x + column;
    for (text, style) in pieces {
        let room = usize::from(line.right().saturating_sub(x));
        (x, _) = buf.set_stringn(x, line.y, text, room, *style);
    }
    x - line.x
}

fn put_right(buf: &mut Buffer, line: Rect, pieces: &[Piece]) {
    let wide = u16::try_from(long(pieces)).unwrap_or(u16::MAX);
    put(buf, line, line.width.saturating_sub(wide.saturating_add(1)), pieces);
}

/// Name, environments, account and Region of the one in focus, mode.
fn place(state: &State, bar: Style) -> Vec<Piece> {
    let (theme, options) = (&state.theme, &state.options);
    let mut pieces = vec![("portcullis".to_owned(), bar.patch(theme.badge)), ("  ".to_owned(), bar)];
    if state.production() && options.places.iter().any(|place| place.production && !place.simulated) {
        pieces[0].1 = theme.badge_production;
    }
    let (named, more) = named(state);
    for shown in named {
        let badge = badge(state, shown);
        // With several, the one in focus stands out from the rest.
        let inside =
            if state.several() && shown.environment == state.place().environment { "▸" } else { " " };
        pieces.push((format!("{inside}{} ", badge.0), badge.1));
        if shown.simulated && shown.production && !state.several() {
            pieces.push((" plays production".to_owned(), bar));
        }
    }
    if more > 0 {
        pieces.push((format!(" +{more}"), bar));
    }
    let here = state.place();
    let account = here.account.as_deref().unwrap_or("account unknown");
    pieces.push((format!("  {} {}  ", visible(account), visible(&here.region)), bar));
    pieces.push(match &options.mode {
        Mode::Watch => {
            (" READ-ONLY ".to_owned(), if state.production() { bar } else { theme.badge_read_only })
        }
        Mode::Respond { incident } => (format!(" {incident} "), theme.badge_armed),
        Mode::Drill { incident, .. } if incident.as_str().starts_with("DRILL") => {
            (format!(" {incident} "), theme.badge_armed)
        }
        Mode::Drill { incident, .. } => (format!(" DRILL · {incident} "), theme.badge_armed),
    });
    pieces
}

/// The environments that there is room to name, and how many are not: never production, nor the one in focus.
fn named(state: &State) -> (Vec<&Place>, usize) {
    let room = usize::from(state.size.0) / 2;
    let mut named: Vec<&Place> = state.options.places.iter().collect();
    let taken = |named: &[&Place]| named.iter().map(|place| width(&badge(state, place).0) + 2).sum::<usize>();
    while taken(&named) > room {
        let spare = |place: &&Place| !place.production && place.environment != state.place().environment;
        let Some(at) = named.iter().rposition(spare) else { break };
        named.remove(at);
    }
    let more = state.options.places.len() - named.len();
    (named, more)
}

/// How an environment is named, and how that looks.
fn badge(state: &State, shown: &Place) -> Piece {
    let theme = &state.theme;
    let name = visible(&shown.environment).to_uppercase();
    if shown.simulated {
        let more = if name.contains("SIMULATED") { "" } else { " · SIMULATED" };
        (format!("{name}{more}"), theme.badge_pretend)
    } else if shown.production {
        let said = if name.contains("PROD") { name } else { format!("{name} PRODUCTION") };
        (said, theme.badge_production.add_modifier(Modifier::REVERSED))
    } else {
        (name, theme.badge)
    }
}

fn identity(state: &State) -> String {
    match &state.place().identity {
        Seen::Known(who) => format!("as {}", visible(who)),
        Seen::Loading => "as … (asking)".to_owned(),
        Seen::NotVisible(why) => format!("identity not visible: {}", why.cause.word()),
    }
}

/// `kms 8 s · trail 4 m · sql 31 s`: the oldest of each kind, and what is wrong with it. With several environments, the
/// worst source of each.
fn ages(state: &State, bar: Style) -> Vec<Piece> {
    let mut told: Vec<(String, Option<&SourceHealth>)> = Vec::new();
    if state.several() {
        for (place, part) in state.places() {
            let worst = healths(part).map(|(_, health)| health).max_by_key(|health| rank(health));
            told.push((visible(&place.environment).into_owned(), worst));
        }
    } else {
        for word in ["kms", "trail", "queue", "files", "sql", "rds"] {
            let of_kind = state.parts.iter().flat_map(healths).filter(|(source, _)| kind(source) == word);
            told.push((word.to_owned(), of_kind.map(|(_, health)| health).max_by_key(|health| rank(health))));
        }
    }
    let mut pieces: Vec<Piece> = state
        .parts
        .iter()
        .find_map(|part| loading(&part.progress))
        .map(|text| (text, bar))
        .into_iter()
        .collect();
    for (word, worst) in told {
        let Some(worst) = worst else { continue };
        if !pieces.is_empty() {
            pieces.push((" · ".to_owned(), bar));
        }
        let (text, troubled) = age(worst, state.now);
        let style = if troubled { bar.add_modifier(Modifier::BOLD) } else { bar };
        pieces.push((format!("{word} {text}"), style));
    }
    pieces
}

/// `loading keys ▇▇▇▇▁▁▁▁▁▁ 4,210/10,000`, while the first load goes on.
fn loading(progress: &Progress) -> Option<String> {
    let Progress { what, done, of } = progress;
    let percent = u32::try_from(done * 100 / (*of).max(1)).unwrap_or(100);
    let (bar, done, of) = (gauge(percent), thousands(*done), thousands(*of));
    let bar = bar.split_whitespace().next().unwrap_or_default();
    (progress.done < progress.of).then(|| format!("loading {what} {bar} {done}/{of}"))
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| str::from_utf8(g).ok()).collect();
    groups.join(",")
}

fn healths(part: &Part) -> impl Iterator<Item = (&Source, &SourceHealth)> {
    let trail = part.trail.sources.iter().map(|one| (&one.source, &one.health));
    part.snapshot.inventory.sources.iter().chain(trail)
}

fn kind(source: &Source) -> &'static str {
    match source {
        Source::Kms(_) => "kms",
        Source::Trail(_) => "trail",
        Source::Queue(_) => "queue",
        Source::Files(_) => "files",
        Source::Sql(_) => "sql",
        Source::Rds(_) => "rds",
    }
}

/// Orders the healths of a kind: failing before silent before old.
fn rank(health: &SourceHealth) -> (bool, bool, std::cmp::Reverse<Option<Timestamp>>) {
    (health.failing.is_some(), health.last_success.is_none(), std::cmp::Reverse(health.last_success))
}

fn age(health: &SourceHealth, now: Timestamp) -> (String, bool) {
    let since = health.last_success.map(|at| ago(at, now));
    match (&health.failing, since) {
        (None, Some(since)) if health.kept.is_some() => (format!("kept {since} ago"), true),
        (_, since) if health.throttled => {
            (format!("throttled ({})", since.unwrap_or_else(|| "never".into())), true)
        }
        (Some((_, why)), Some(since)) => (format!("✖ {} ({since})", why.cause.word()), true),
        (Some((_, why)), None) => (format!("✖ {}", why.cause.word()), true),
        (None, Some(since)) => (since, false),
        (None, None) => ("…".to_owned(), false),
    }
}

/// `GATE DOWN …` for each change that stands, what is unfinished, what is owed. At most three lines.
fn standing_lines(standing: &Standing, now: Timestamp, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = standing
        .unfinished
        .iter()
        .map(|change| unfinished(change, now, room))
        .chain(standing.changes.iter().map(|change| stands(change, now, room)))
        .collect();
    let more = lines.len().saturating_sub(2);
    lines.truncate(2);
    let mut last = Vec::new();
    if more > 0 {
        last.push(format!("and {more} more: see the timeline"));
    }
    if !standing.owed.is_empty() {
        let owed: Vec<_> = standing.owed.iter().map(|owed| visible(owed)).collect();
        last.push(format!("owed: {} (w sends again)", owed.join(", ")));
    }
    let last = last.join(" · ");
    match lines.last_mut() {
        _ if last.is_empty() => {}
        Some(line) if width(line) + width(&last) + 3 <= room => *line = format!("{line} · {last}"),
        _ => lines.push(last),
    }
    lines
}

/// The way on always has its place; what comes before it is cut.
fn unfinished(change: &Unfinished, now: Timestamp, room: usize) -> String {
    const ON: &str = " · c goes on";
    let told = format!(
        "UNFINISHED {} on {}, {} ago · {} · {}",
        change.operation,
        visible(&change.key_name),
        ago(change.intended_at, now),
        if change.answered { "answered, not proved" } else { "outcome unknown" },
        visible(&change.now),
    );
    format!("{}{ON}", fit(&told, room.saturating_sub(width(ON))))
}

fn stands(change: &StandingChange, now: Timestamp, room: usize) -> String {
    let what = match &change.operation {
        Operation::DisableKey => "GATE DOWN".to_owned(),
        Operation::ScheduleKeyDeletion { .. } => "DELETION WAITS".to_owned(),
        Operation::DenyPrincipal { principal } => {
            format!("DENIED {} on", visible(principal.rsplit('/').next().unwrap_or(principal)))
        }
        other => format!("CHANGED {other}"),
    };
    let exposed = match change.exposed_until {
        Some(until) if until > now => {
            let countdown = format!(" ({})", left(until.duration_since(now)));
            let countdown = if room < 100 { "" } else { &countdown };
            format!(" · exposed until {}{countdown}", until.strftime("%H:%MZ"))
        }
        Some(_) => " · column key caches are over".to_owned(),
        None => String::new(),
    };
    format!(
        "{what} {} {} · verified ×{}{exposed}",
        visible(&change.key_name),
        ago(change.at, now),
        change.agreeing_reads
    )
}

/// A countdown: `1:58:04`.
pub fn left(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// `✖2 ▲1 ○3`: how many findings are open; on a narrow screen those that are severe.
fn open(state: &State, room: u16) -> Vec<Piece> {
    let (open, _) = events::tally(state);
    let told = if room < ROOM_FOR_NOTICES { Severity::High } else { Severity::Notice };
    let severities = [Severity::Critical, Severity::High, Severity::Notice].into_iter();
    let told = severities.filter(|one| *one >= told && open[*one as usize] > 0).map(|severity| {
        let (glyph, tone) = events::look(severity);
        (format!("{glyph}{} ", open[severity as usize]), state.theme.tone(tone))
    });
    told.collect()
}

fn tabs(state: &mut State, buf: &mut Buffer, line: Rect) {
    state.tabs.clear();
    let theme = &state.theme;
    let mut x = line.x + 1;
    for (number, tab) in Screen::TABS.into_iter().enumerate() {
        let active = state.screen.tab() == tab;
        let title = if active { state.screen.title() } else { tab.title() };
        let text =
            if active { format!("[{} {title}]", number + 1) } else { format!(" {} {title} ", number + 1) };
        let style = if active { theme.tab_active } else { theme.tab };
        let start = x;
        (x, _) = buf.set_stringn(x, line.y, text, usize::from(line.right().saturating_sub(x)), style);
        if tab == Screen::Events {
            for (text, style) in open(state, line.width) {
                (x, _) = buf.set_stringn(x, line.y, text, usize::from(line.right().saturating_sub(x)), style);
            }
        }
        state.tabs.push((tab, Rect { x: start, width: x - start, ..line }));
    }
    let key = |command| state.options.keymap.key(command).map(|key| key.to_string()).unwrap_or_default();
    let mut pieces = Vec::new();
    for (command, word) in
        [(Command::Help, "help"), (Command::Palette, "command"), (Command::Filter, "filter")]
    {
        pieces.push((key(command), theme.tone(Tone::Accent)));
        pieces.push((format!(" {word}  "), theme.tone(Tone::Dim)));
    }
    // As many as there is room for; help is the last to go.
    let room = usize::from(line.right().saturating_sub(x)).saturating_sub(1);
    while long(&pieces) > room + 2 {
        pieces.truncate(pieces.len().saturating_sub(2));
    }
    if let Some((last, _)) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    put_right(buf, line, &pieces);
}
