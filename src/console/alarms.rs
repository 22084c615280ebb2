//! Alarms: what is new and severe, said once on every screen until somebody takes it away.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::screens::{Screen, events};
use super::state::{Action, State, Words};
use super::theme::Tone;
use crate::detect::Finding;
use crate::model::event::Severity;
use crate::model::text::visible;

/// Severe enough to be called out.
const LOUD: Severity = Severity::High;
/// An event that happened so long before the start may well come after it: CloudTrail takes 5 minutes on average, and
/// seldom more than 15.
const LATE: SignedDuration = SignedDuration::from_mins(15);

/// What has been called out.
#[derive(Debug)]
pub struct Alarms {
    /// When the console started.
    since: Timestamp,
    /// The findings that have had their turn, by id.
    known: HashSet<String>,
    /// The environments of which everything that lay ready at the start is known.
    caught_up: HashSet<usize>,
    /// Those that nobody has taken away, the newest first.
    standing: VecDeque<Alarm>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alarm {
    severity: Severity,
    at: Timestamp,
    /// In one sentence, fit for a screen.
    words: String,
    /// The newest event that it rests on, and the environment of it.
    event: Option<(usize, Timestamp, String)>,
}

impl Alarms {
    /// None yet, for a console that starts now.
    #[must_use]
    pub fn at(now: Timestamp) -> Self {
        Self { since: now, known: HashSet::new(), caught_up: HashSet::new(), standing: VecDeque::new() }
    }

    /// Whether a finding that was not known is news: not if it happened before the start, unless it was late in coming.
    fn is_news(&self, finding: &Finding, part: usize) -> bool {
        let late = self.caught_up.contains(&part) && finding.at >= self.since - LATE;
        finding.at >= self.since || late
    }
}

/// Takes what is there already for known.
pub(super) fn know(state: &mut State) {
    (0..state.parts.len()).for_each(|part| take_in(state, part));
    state.alarms.standing.clear();
}

/// Calls out what is new and severe in the trail of an environment.
pub(super) fn raise(state: &mut State, part: usize) -> Vec<Action> {
    let before = state.alarms.standing.len();
    take_in(state, part);
    let rings = state.options.bell && state.alarms.standing.len() > before;
    if rings { vec![Action::Ring] } else { Vec::new() }
}

fn take_in(state: &mut State, part: usize) {
    let Some(known) = state.parts.get(part) else { return };
    let (trail, snapshot) = (Arc::clone(&known.trail), Arc::clone(&known.snapshot));
    let loud = trail.findings.iter().filter(|finding| finding.severity >= LOUD && finding.muted.is_none());
    let place =
        state.several().then(|| visible(&state.options.places[part].environment).to_uppercase() + ": ");
    // The findings are newest first, and so are those that stand.
    for finding in loud.rev() {
        if !state.alarms.known.insert(finding.id.clone()) || !state.alarms.is_news(finding, part) {
            continue;
        }
        let key = finding.keys.first().map(|key| visible(snapshot.names.get(key)).into_owned());
        let key = key.filter(|name| !finding.reason.contains(name.as_str()));
        let on = key.map_or_else(String::new, |name| format!(" · {name}"));
        let alarm = Alarm {
            severity: finding.severity,
            at: finding.at,
            words: format!("{}{}{on}", place.as_deref().unwrap_or_default(), visible(&finding.reason)),
            event: finding.events.last().map(|(at, id)| (part, *at, id.clone())),
        };
        state.alarms.standing.push_front(alarm);
    }
    if trail.has_answered() {
        state.alarms.caught_up.insert(part);
    }
}

/// The line at the top, and how it looks; None while there is no alarm.
#[must_use]
pub fn line(state: &State) -> Option<(String, Tone)> {
    let alarm = state.alarms.standing.front()?;
    let (glyph, tone) = events::look(alarm.severity);
    let word = alarm.severity.word().to_uppercase();
    Some((format!("{glyph} {word} {} · {}", alarm.at.strftime("%H:%M:%SZ"), alarm.words), tone))
}

/// What can be done about the alarm at the top, in few words.
#[must_use]
pub fn ways(state: &State) -> String {
    use super::commands::Command;
    let key = |command| state.options.keymap.key(command).map(|key| key.to_string()).unwrap_or_default();
    let more = state.alarms.standing.len().saturating_sub(1);
    let more = if more > 0 { format!("+{more} · ") } else { String::new() };
    format!("{more}{} show · {} away", key(Command::ShowAlarm), key(Command::DismissAlarm))
}

/// Goes to the event of the alarm at the top, which has then been seen.
pub(super) fn show(state: &mut State) {
    match state.alarms.standing.pop_front() {
        None => say_quiet(state),
        Some(Alarm { event: Some((part, at, id)), .. }) => {
            state.look_at(part);
            state.goto(Screen::Events);
            events::show(state, part, at, &id);
        }
        // What the inventory says rests on no event.
        Some(alarm) => state.say(Words::plain(alarm.words)),
    }
}

/// Takes the alarm at the top away.
pub(super) fn dismiss(state: &mut State) {
    if state.alarms.standing.pop_front().is_none() {
        say_quiet(state);
    }
}

/// Takes all alarms away.
pub(super) fn dismiss_all(state: &mut State) {
    if state.alarms.standing.is_empty() {
        say_quiet(state);
    }
    state.alarms.standing.clear();
}

fn say_quiet(state: &mut State) {
    state.say(Words::plain("no alarm stands; 2 and f show what was found"));
}
