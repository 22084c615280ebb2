//! What depends on a key, as a page: beside the list of keys, and over the gate's preview.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

use jiff::SignedDuration;

use super::snapshot::Snapshot;
use super::state::{Action, State};
use super::theme::Tone;
use super::widgets::sheet::Sheet;
use super::widgets::text::Paragraph;
use crate::inventory::dependents::{Line, Moment, Weight, sections};
use crate::model::arn::KeyArn;
use crate::model::dependents::Dependents;
use crate::model::seen::Seen;
use crate::trail::{KeyTrail, TrailView, key_use};

/// Lines of a long list; a machine gets all of it.
const MOST: usize = 400;
/// CloudTrail is not asked about a key again before this.
const ASK_AGAIN: SignedDuration = SignedDuration::from_mins(1);

/// What was asked about keys, and the page as it was last made.
#[derive(Default)]
pub struct DependentsPane {
    answers: BTreeMap<KeyArn, Seen<Arc<KeyTrail>>>,
    asked: BTreeSet<KeyArn>,
    /// Counts what changed above.
    turns: u64,
    made: Option<Made>,
}

/// A key's dependents, and what they were made of: gathering them walks every row.
struct Made {
    snapshot: Weak<Snapshot>,
    trail: Weak<TrailView>,
    turns: u64,
    dependents: Arc<Dependents>,
}

impl DependentsPane {
    /// Takes CloudTrail's answer about a key. A failure takes away nothing that was read before.
    pub fn answered(&mut self, key: KeyArn, answer: Seen<Arc<KeyTrail>>) {
        self.turns += 1;
        self.asked.remove(&key);
        let had = self.answers.entry(key).or_default();
        if had.known().is_none() || answer.known().is_some() {
            *had = answer;
        }
    }

    /// What is known by asking; that it is under way, where it is.
    fn answer(&self, key: &KeyArn) -> Option<&Seen<Arc<KeyTrail>>> {
        const UNDER_WAY: &Seen<Arc<KeyTrail>> = &Seen::Loading;
        self.answers.get(key).or_else(|| self.asked.contains(key).then_some(UNDER_WAY))
    }
}

/// Asks CloudTrail about a key whose last hour is not known, if it was not asked just now.
pub fn ask(state: &mut State, key: &KeyArn) -> Vec<Action> {
    let pane = &state.dependents;
    let answer = pane.answer(key);
    let just_now =
        answer.and_then(Seen::known).is_some_and(|trail| state.now.duration_since(trail.until) < ASK_AGAIN);
    let known = key_use(key, Some(&state.trail), answer, state.now);
    if just_now || known.is_enough() || pane.asked.contains(key) {
        return Vec::new();
    }
    state.dependents.turns += 1;
    state.dependents.asked.insert(key.clone());
    vec![Action::ReadKeyTrail(key.clone())]
}

/// What depends on a key, made anew only where something has changed.
pub fn of(state: &mut State, key: &KeyArn) -> Arc<Dependents> {
    let turns = state.dependents.turns;
    let fresh = state.dependents.made.as_ref().filter(|made| {
        made.dependents.key == *key
            && made.turns == turns
            && std::ptr::eq(made.snapshot.as_ptr(), Arc::as_ptr(&state.snapshot))
            && std::ptr::eq(made.trail.as_ptr(), Arc::as_ptr(&state.trail))
    });
    if let Some(made) = fresh {
        return Arc::clone(&made.dependents);
    }
    let known = key_use(key, Some(&state.trail), state.dependents.answer(key), state.now);
    let dependents = Dependents::of(key, &state.snapshot.inventory).used(known.usage, known.down_since);
    let dependents = Arc::new(dependents);
    state.dependents.made = Some(Made {
        snapshot: Arc::downgrade(&state.snapshot),
        trail: Arc::downgrade(&state.trail),
        turns,
        dependents: Arc::clone(&dependents),
    });
    dependents
}

/// The page about a key.
pub fn page(state: &mut State, key: &KeyArn) -> Vec<Paragraph> {
    let dependents = of(state, key);
    let name = state.snapshot.inventory.keys.get(key).map_or_else(|| key.id().to_owned(), |key| key.name());
    let mut sheet = Sheet::new(&state.theme, 0);
    sheet.heading(format!("WHAT DEPENDS ON {name}"));
    sheet.text(format!("  {key}"), Tone::Dim);
    let at = Moment { now: state.now, column_key_cache: state.place().column_key_cache };
    for section in sections(&dependents, at, MOST) {
        sheet.heading(section.title);
        for told in &section.lines {
            line(&mut sheet, told);
        }
    }
    sheet.done()
}

/// One line of it.
pub fn line(sheet: &mut Sheet<'_>, line: &Line) {
    let indent = if line.under { "      " } else { "  " };
    sheet.text(format!("{indent}{}", line.text), tone(line.weight));
}

fn tone(weight: Weight) -> Tone {
    match weight {
        Weight::Plain => Tone::Text,
        Weight::Strong => Tone::Strong,
        Weight::Faint => Tone::Dim,
        Weight::Unknown => Tone::Notice,
        Weight::Warn => Tone::Warn,
    }
}
