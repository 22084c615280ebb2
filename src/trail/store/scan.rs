//! Asking every event at once, by column: a text is looked for once in each segment's dictionary, then two bytes an
//! event tell who has it.

use std::collections::HashSet;
use std::num::NonZero;
use std::thread;

use jiff::Timestamp;

use super::Events;
use super::columns::{self, Column, Ending, Flags};
use super::segment::{Dictionary, ROWS, Segment};
use super::{Place, split};
use crate::filter::Expr;
use crate::model::event::{KMS, KeyEvent, Severity};
use crate::model::usage::is_cryptographic;

/// What can be asked of an event. Texts are in lower case, and upper and lower case count alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether one of these columns holds the text, or is it as a whole.
    Holds {
        columns: &'static [Column],
        text: String,
        whole: bool,
    },
    /// Whether it names one of these keys, by ARN.
    OnKeys(HashSet<String>),
    /// Whether it ended so.
    Ended(Ending),
    /// Whether it is one of these severities.
    Severity(Vec<Severity>),
    /// Whether MFA was given; None: the record does not say.
    Mfa(Option<bool>),
    ReadOnly(bool),
    /// Whether it is cryptographic use of a key: see [`KeyEvent::is_use`].
    IsUse,
    /// From the first to the second, both included.
    Between(Timestamp, Timestamp),
    Any(Vec<Question>),
}

/// A bit for each row.
type Rows = Vec<u64>;
/// Words of 64 bits that have a bit for each row of a segment.
const BITS: usize = ROWS / 64;

impl Question {
    /// Whether the answer is yes for one event.
    #[must_use]
    pub fn holds(&self, event: &KeyEvent) -> bool {
        match self {
            Self::Holds { columns, text, whole } => {
                let texts = columns::texts(event);
                columns.iter().filter_map(|column| texts[*column as usize].as_ref()).any(|held| {
                    let held = held.to_lowercase();
                    if *whole { held == *text } else { held.contains(text.as_str()) }
                })
            }
            Self::OnKeys(keys) => event.keys.iter().any(|key| keys.contains(key.as_str())),
            Self::Ended(ending) => Flags::of(event).ending() == *ending,
            Self::Severity(any) => any.contains(&event.severity),
            Self::Mfa(mfa) => event.who.mfa == *mfa,
            Self::ReadOnly(truth) => event.read_only == Some(*truth),
            Self::IsUse => event.is_use(),
            Self::Between(from, to) => (from..=to).contains(&&event.at),
            Self::Any(questions) => questions.iter().any(|question| question.holds(event)),
        }
    }
}

impl Events {
    /// The ranks of the events for which all this holds, newest first.
    #[must_use]
    pub fn matching(&self, what: &Expr<Question>) -> Vec<u32> {
        if what.is_everything() {
            return (0u32..).zip(self.order.iter()).map(|(rank, _)| rank).collect();
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let part = self.segments.len().div_ceil(cores).max(SEGMENTS);
        let holds: Vec<Rows> = in_parts(self.segments.chunks(part), |segments| {
            let mut lower = String::new();
            segments.iter().map(|segment| rows(segment, what, &mut lower)).collect()
        });
        let part = self.order.len().div_ceil(cores).max(SEGMENTS * ROWS);
        let starts = (0u32..).step_by(part);
        in_parts(starts.zip(self.order.chunks(part)), |(start, places)| ranks_where(start, places, &holds))
    }
}

/// Segments that are worth a thread of their own, at least.
const SEGMENTS: usize = 8;

/// Does each part's work, on a thread each where there are several, and joins what they bring.
fn in_parts<P: Send, T: Send>(parts: impl Iterator<Item = P>, work: impl Fn(P) -> Vec<T> + Sync) -> Vec<T> {
    let mut parts: Vec<P> = parts.collect();
    let Some(last) = parts.pop() else { return Vec::new() };
    thread::scope(|scope| {
        let work = &work;
        let others: Vec<_> = parts.into_iter().map(|part| scope.spawn(move || work(part))).collect();
        let last = work(last);
        let mut all = Vec::new();
        for other in others {
            // A panic there is a panic here.
            all.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        all.extend(last);
        all
    })
}

/// The ranks, from `start` on, of the places whose bit is set.
fn ranks_where(start: u32, places: &[Place], holds: &[Rows]) -> Vec<u32> {
    let mut ranks = Vec::with_capacity(places.len());
    for (rank, place) in (start..).zip(places) {
        let (segment, row) = split(*place);
        if holds[segment][row / 64] >> (row % 64) & 1 == 1 {
            ranks.push(rank);
        }
    }
    ranks
}

/// The rows of a segment for which an expression holds. `lower` is room to work in.
fn rows(segment: &Segment, what: &Expr<Question>, lower: &mut String) -> Rows {
    match what {
        Expr::All(parts) => joined(segment, parts, lower, u64::MAX, |all, part| *all &= part),
        Expr::Any(parts) => joined(segment, parts, lower, 0, |any, part| *any |= part),
        Expr::Not(part) => {
            let mut rows = rows(segment, part, lower);
            for word in &mut rows {
                *word = !*word;
            }
            rows
        }
        Expr::Is(question) => {
            let mut rows = vec![0; BITS];
            answer(segment, question, lower, &mut rows);
            rows
        }
    }
}

fn joined(
    segment: &Segment,
    parts: &[Expr<Question>],
    lower: &mut String,
    none: u64,
    join: impl Fn(&mut u64, u64),
) -> Rows {
    let mut joined = vec![none; BITS];
    for part in parts {
        let part = rows(segment, part, lower);
        joined.iter_mut().zip(part).for_each(|(word, part)| join(word, part));
    }
    joined
}

/// Sets the bits of the rows to which a question's answer is yes.
fn answer(segment: &Segment, question: &Question, lower: &mut String, rows: &mut Rows) {
    match question {
        Question::Holds { columns, text, whole } => {
            for column in *columns {
                // Once every row is found there is nothing more to look for.
                if rows[..segment.len() / 64].iter().all(|word| *word == u64::MAX) && segment.len() > 64 {
                    return;
                }
                let found = holding(segment.dictionary(*column), text, *whole, lower);
                mark_texts(segment, *column, &found, rows);
            }
        }
        Question::OnKeys(keys) => {
            let named = |entry: &str| entry.lines().any(|arn| keys.contains(arn));
            let found: Vec<bool> = segment.dictionary(Column::Keys).iter().map(named).collect();
            mark_texts(segment, Column::Keys, &found, rows);
        }
        Question::Ended(ending) => mark(segment.flags(), |flags| flags.ending() == *ending, rows),
        Question::Severity(any) => mark(segment.severities(), |severity| any.contains(severity), rows),
        Question::Mfa(mfa) => mark(segment.flags(), |flags| flags.mfa() == *mfa, rows),
        Question::ReadOnly(truth) => mark(segment.flags(), |flags| flags.read_only() == Some(*truth), rows),
        Question::IsUse => {
            let called = marked(segment, Column::Name, is_cryptographic);
            let of_kms = marked(segment, Column::Source, |source| source == KMS);
            let both = called.iter().zip(of_kms).map(|(called, of_kms)| called & of_kms);
            rows.iter_mut().zip(both).for_each(|(word, both)| *word |= both);
        }
        Question::Between(from, to) => {
            let span = from.as_microsecond()..=to.as_microsecond();
            mark(segment.micros(), |at| span.contains(at), rows);
        }
        Question::Any(questions) => {
            for question in questions {
                answer(segment, question, lower, rows);
            }
        }
    }
}

fn mark<T>(column: &[T], is: impl Fn(&T) -> bool, rows: &mut Rows) {
    for (word, values) in rows.iter_mut().zip(column.chunks(64)) {
        *word |= values.iter().rev().fold(0, |bits, value| bits << 1 | u64::from(is(value)));
    }
}

fn mark_texts(segment: &Segment, column: Column, found: &[bool], rows: &mut Rows) {
    if !found.contains(&true) {
        return;
    }
    // One more at the end, for rows without a text: the lookup then needs no branch.
    let table: Vec<bool> = found.iter().copied().chain([false]).collect();
    let last = found.len();
    mark(segment.ids(column), |id| table[usize::from(*id).min(last)], rows);
}

/// The rows whose text is such a one.
fn marked(segment: &Segment, column: Column, is: impl Fn(&str) -> bool) -> Rows {
    let found: Vec<bool> = segment.dictionary(column).iter().map(is).collect();
    let mut rows = vec![0; BITS];
    mark_texts(segment, column, &found, &mut rows);
    rows
}

/// Which texts of a dictionary hold `text` (in lower case), or are it.
fn holding(dictionary: &Dictionary, text: &str, whole: bool, lower: &mut String) -> Vec<bool> {
    let mut found = vec![false; dictionary.len()];
    if !dictionary.whole().is_ascii() {
        for (found, entry) in found.iter_mut().zip(dictionary.iter()) {
            let entry = entry.to_lowercase();
            *found = if whole { entry == text } else { entry.contains(text) };
        }
        return found;
    }
    lower.clear();
    lower.push_str(dictionary.whole());
    lower.make_ascii_lowercase();
    let finder = memchr::memmem::Finder::new(text);
    let mut from = 0;
    while let Some(place) = finder.find(&lower.as_bytes()[from..]).map(|place| from + place) {
        let (id, start, end) = dictionary.at(place);
        // What stands across two texts is in neither.
        let within = place + text.len() < end;
        let is_whole = place == start && place + text.len() + 1 == end;
        if let Some(found) = found.get_mut(id) {
            *found |= if whole { is_whole } else { within };
        }
        // One find in a text is enough, unless it has to be the whole of it.
        from = if whole || !within { place + 1 } else { end };
        if from >= lower.len() {
            break;
        }
    }
    found
}
