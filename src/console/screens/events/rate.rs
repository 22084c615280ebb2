//! How many of the events shown happened when: a bar for each minute, hour or day, and marks for changes and findings.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::widgets::{Sparkline, SparklineBar, Widget as _};

use super::Shown;
use super::look;
use crate::console::theme::{Theme, Tone};
use crate::model::event::Severity;

/// Bars, at most.
const BARS: i64 = 56;
/// Columns that the words at the left take.
const LABEL: u16 = 20;
/// Lines that it takes.
pub const LINES: u16 = 2;

/// How long a bar may be, in seconds, and in words.
const SPANS: [(i64, &str); 14] = [
    (1, "s"),
    (5, "5 s"),
    (15, "15 s"),
    (60, "min"),
    (5 * 60, "5 min"),
    (15 * 60, "15 min"),
    (30 * 60, "30 min"),
    (3600, "h"),
    (3 * 3600, "3 h"),
    (6 * 3600, "6 h"),
    (12 * 3600, "12 h"),
    (86_400, "day"),
    (7 * 86_400, "week"),
    (30 * 86_400, "30 days"),
];

/// Events by time, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rate {
    /// What a bar stands for, in words.
    span: &'static str,
    bars: Vec<Bar>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Bar {
    events: u64,
    /// Whether a change is among them.
    changes: bool,
    /// The worst that is open on them.
    found: Option<Severity>,
}

impl Rate {
    /// Of these ranks, the newest first, until `now`, or until the newest where all are of the past. None where there
    /// are none.
    pub fn of(shown: &[Shown], ranks: &[Vec<u32>], now: Timestamp) -> Option<Self> {
        let each = || shown.iter().zip(ranks);
        let at = |shown: &Shown, rank: Option<&u32>| shown.events().at(*rank? as usize);
        let newest = each().filter_map(|(shown, ranks)| at(shown, ranks.first())).max()?;
        let oldest = each().filter_map(|(shown, ranks)| at(shown, ranks.last())).min()?;
        let is_past = shown.iter().all(|shown| shown.trail.is_of_files());
        let end = if is_past { newest } else { newest.max(now) };
        let whole = end.as_second() - oldest.as_second() + 1;
        let (length, span) = SPANS
            .into_iter()
            .find(|(length, _)| whole <= length * (BARS - 1))
            .unwrap_or(SPANS[SPANS.len() - 1]);
        let edge = (end.as_second().div_euclid(length) + 1) * length;
        let count = (edge - oldest.as_second()).div_euclid(length).clamp(0, BARS - 1) + 1;
        let edges = (0..=count).rev().map(|back| Timestamp::from_second(edge - back * length).ok());
        let edges: Vec<Timestamp> = edges.collect::<Option<_>>()?;
        let mut bars = vec![Bar::default(); edges.len() - 1];
        for (shown, ranks) in each() {
            for (bar, pair) in bars.iter_mut().zip(edges.windows(2)) {
                bar.count(shown, ranks, pair[0], pair[1]);
            }
            for (rank, severity) in shown.found.open().filter(|(rank, _)| ranks.binary_search(rank).is_ok()) {
                let at = shown.events().at(rank as usize)?;
                let place = edges.partition_point(|edge| *edge <= at).checked_sub(1)?;
                if let Some(bar) = bars.get_mut(place) {
                    bar.found = bar.found.max(Some(severity));
                }
            }
        }
        Some(Self { span, bars })
    }

    /// Draws it on two lines: the bars, and the marks below them.
    pub fn draw(&self, buf: &mut Buffer, area: Rect, theme: &Theme) {
        let room = usize::from(area.width.saturating_sub(LABEL + 2));
        if room == 0 || area.height < LINES {
            return;
        }
        let bars = &self.bars[self.bars.len().saturating_sub(room)..];
        let most = bars.iter().map(|bar| bar.events).max().unwrap_or(0);
        let words = [format!("peak {most} per {}", self.span), "○ change  ▲✖ finding".to_owned()];
        for (text, y) in words.iter().zip(area.y..) {
            buf.set_stringn(area.x + 1, y, text, usize::from(LABEL), theme.tone(Tone::Dim));
        }
        let place = Rect { x: area.x + LABEL + 2, width: area.width - LABEL - 2, height: 1, ..area };
        // One event among thousands is seen all the same.
        let height = |events: u64| if events == 0 { 0 } else { events.max(most.div_ceil(8)) };
        let data = bars.iter().map(|bar| {
            let tone = if bar.found.is_some() || bar.changes { Tone::Text } else { Tone::Dim };
            SparklineBar::from(height(bar.events)).style(theme.tone(tone))
        });
        Sparkline::default().data(data).max(most.max(1)).render(place, buf);
        for (bar, x) in bars.iter().zip(place.x..) {
            let (glyph, tone) = match bar.found {
                Some(severity) => look(severity),
                None if bar.changes => look(Severity::Notice),
                None => continue,
            };
            buf.set_stringn(x, place.y + 1, glyph, 1, theme.tone(tone));
        }
    }
}

impl Bar {
    /// Adds what happened in one environment from one edge until the next.
    fn count(&mut self, shown: &Shown, ranks: &[u32], from: Timestamp, until: Timestamp) {
        let newer = |edge| u32::try_from(shown.events().since(edge)).unwrap_or(u32::MAX);
        let (first, last) = (newer(until), newer(from));
        let within = |ranks: &[u32]| {
            ranks.partition_point(|rank| *rank < first)..ranks.partition_point(|rank| *rank < last)
        };
        let here = &ranks[within(ranks)];
        self.events += here.len() as u64;
        self.changes |= share_one(here, &shown.changes[within(&shown.changes)]);
    }
}

/// Whether two ascending lists have something in common.
fn share_one(one: &[u32], other: &[u32]) -> bool {
    let (few, many) = if one.len() < other.len() { (one, other) } else { (other, one) };
    let mut from = 0;
    for rank in few {
        match many[from..].binary_search(rank) {
            Ok(_) => return true,
            Err(place) => from += place,
        }
        if from == many.len() {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{Rate, share_one};
    use crate::console::screens::events::Shown;
    use crate::model::event::{KeyEvent, Severity};
    use crate::trail::{Store, TrailView};
    use jiff::{SignedDuration, Timestamp};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn now() -> Timestamp {
        "2026-11-23T14:02:31Z".parse().unwrap()
    }

    fn shown(ages: &[i64]) -> [Shown; 1] {
        let mut store = Store::new(10_000);
        for (number, seconds) in ages.iter().enumerate() {
            let at = now() - SignedDuration::from_secs(*seconds);
            let read_only = Some(number % 2 == 0);
            let event = KeyEvent { id: format!("e-{number}"), at, read_only, ..KeyEvent::default() };
            store.insert(event, "{}");
        }
        [Shown::of(Arc::new(TrailView { events: store.events().clone(), ..TrailView::default() }))]
    }

    fn all(shown: &[Shown]) -> Vec<Vec<u32>> {
        shown.iter().map(|one| (0..u32::try_from(one.events().len()).unwrap()).collect()).collect()
    }

    #[test]
    fn bars_are_as_long_as_the_time_shown_asks() {
        let rate = |ages: &[i64]| {
            let shown = shown(ages);
            Rate::of(&shown, &all(&shown), now()).map(|rate| rate.span)
        };
        assert_eq!(rate(&[]), None);
        assert_eq!(rate(&[20]), Some("s"));
        assert_eq!(rate(&[20, 3000]), Some("min"));
        assert_eq!(rate(&[20, 90_000]), Some("30 min"));
        assert_eq!(rate(&[20, 40 * 86_400]), Some("day"));
    }

    #[test]
    fn changes_are_told_from_the_rest() {
        let shown = shown(&[100, 100, 1000]);
        let rate = Rate::of(&shown, &all(&shown), now()).unwrap();
        let told: Vec<_> =
            rate.bars.iter().filter(|bar| bar.events > 0).map(|bar| (bar.events, bar.changes)).collect();
        assert_eq!(told, [(1, false), (2, true)]);
        let reads = shown[0].events().iter().map(|event| event.read_only == Some(true));
        let reads: Vec<u32> = (0..).zip(reads).filter(|(_, read)| *read).map(|(rank, _)| rank).collect();
        let rate = Rate::of(&shown, &[reads], now()).unwrap();
        assert!(rate.bars.iter().all(|bar| !bar.changes), "only those that are shown count");
    }

    proptest! {
        #[test]
        fn every_event_is_in_one_bar(
            ages in proptest::collection::vec(-500..40_000_000_i64, 1..60),
            others in proptest::collection::vec(-500..40_000_000_i64, 0..60),
        ) {
            let shown: Vec<Shown> = [&ages, &others].into_iter().flat_map(|ages| shown(ages)).collect();
            let rate = Rate::of(&shown, &all(&shown), now()).unwrap();
            let count = ages.len() + others.len();
            prop_assert_eq!(rate.bars.iter().map(|bar| bar.events).sum::<u64>(), count as u64);
            prop_assert!(rate.bars.iter().all(|bar| bar.found < Some(Severity::Info)));
        }

        #[test]
        fn lists_share_one_where_they_do(
            one in proptest::collection::btree_set(0..60_u32, 0..20),
            other in proptest::collection::btree_set(0..60_u32, 0..20),
        ) {
            let lists: [Vec<u32>; 2] = [one.iter().copied().collect(), other.iter().copied().collect()];
            prop_assert_eq!(share_one(&lists[0], &lists[1]), !one.is_disjoint(&other));
        }
    }
}
