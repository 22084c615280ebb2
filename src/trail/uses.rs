//! Who used one key: from the trail that is followed, and where that does not reach back far enough, from
//! CloudTrail asked about this key alone.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::store::{Events, Question, Store};
use super::sweep::{Sweep, finish};
use super::view::{TrailSource, TrailView};
use crate::cloud::Lookup;
use crate::estate::Estate;
use crate::filter::Expr;
use crate::model::arn::KeyArn;
use crate::model::event::KeyEvent;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::usage::{self, RECENT, Usage};

/// Use is counted no further back than this.
const FURTHEST: SignedDuration = SignedDuration::from_hours(24);

/// How much of a key's trail to ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyTrailLimits {
    pub back: SignedDuration,
    /// Pages of 50 events, half a second each.
    pub pages: usize,
}

/// The events of one key, asked for by its name: changes, use, and reads.
#[derive(Clone, Debug)]
pub struct KeyTrail {
    /// From here on all of them are here that CloudTrail had delivered at `until`.
    pub since: Timestamp,
    pub until: Timestamp,
    events: Events,
}

impl KeyTrail {
    /// Events of a key, whole from `since` to `until`.
    #[must_use]
    pub fn new(since: Timestamp, until: Timestamp, events: Events) -> Self {
        Self { since, until, events }
    }

    /// Its events that name `key`, newest first.
    #[must_use]
    pub fn of_key(&self, key: &KeyArn) -> Vec<KeyEvent> {
        of_key(&self.events, key)
    }
}

/// What the trail knows of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyUse {
    pub usage: Seen<Usage>,
    /// Since when the key is down, where the trail reaches back to that.
    pub down_since: Option<Timestamp>,
}

impl KeyUse {
    /// Whether the last hour is known whole, so that nothing more need be asked.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.usage.known().is_some_and(Usage::knows_the_last_hour)
    }
}

/// Asks CloudTrail for the events of one key, in the key's own Region.
///
/// # Errors
/// Why it gave none; a reading that was cut short by its limit is whole from [`KeyTrail::since`] on.
pub async fn read_key_trail(
    estate: &Estate,
    key: &KeyArn,
    limits: KeyTrailLimits,
) -> Result<KeyTrail, NotVisible> {
    let reads = estate.cloud.trail(key.region());
    let until = estate.clock.now();
    let start = until.checked_sub(limits.back).unwrap_or(Timestamp::UNIX_EPOCH);
    let mut pages = Vec::new();
    let mut sweep = Sweep::new(Lookup::Resource(key.as_str().to_owned()), start, until, limits.pages);
    let since = finish(&mut sweep, &reads, &estate.environment.trail, &mut pages).await?;
    let mut store = Store::default();
    for page in pages {
        page.keep(&mut store);
    }
    Ok(KeyTrail::new(since, until, store.events().clone()))
}

/// What is known of a key's use at `now`, from the `followed` trail and from what was `asked` about the key.
#[must_use]
pub fn key_use(
    key: &KeyArn,
    followed: Option<&TrailView>,
    asked: Option<&Seen<Arc<KeyTrail>>>,
    now: Timestamp,
) -> KeyUse {
    let source = followed.and_then(|view| view.region(key.region()));
    let followed = followed.filter(|_| source.is_some());
    let answer = asked.and_then(Seen::known).map(|trail| &**trail);
    let reach = followed.zip(source).and_then(|(view, source)| known_since(view, source));
    let (since, until) = match (reach, answer) {
        // What was asked ends where the followed trail goes on, or later: together they are whole.
        (Some(reach), Some(answer)) if answer.until >= reach => (reach.min(answer.since), now),
        (Some(reach), _) => (reach, now),
        (None, Some(answer)) => (answer.since, answer.until),
        (None, None) => {
            let usage = not_known(key, source, asked);
            let events = followed.map_or_else(Vec::new, |view| of_key(&view.events, key));
            return KeyUse { usage, down_since: usage::down_since(key, events.iter()) };
        }
    };
    let since = since.max(now.checked_sub(FURTHEST).unwrap_or(since));
    let events = merged(key, followed, answer);
    KeyUse {
        usage: Seen::Known(Usage::tally(key, events.iter(), since, until)),
        down_since: usage::down_since(key, events.iter()),
    }
}

/// From when on a followed trail is whole. What had to make room is not there any more.
fn known_since(view: &TrailView, source: &TrailSource) -> Option<Timestamp> {
    let since = source.uses_since?;
    match view.events.oldest() {
        Some(oldest) if view.events.dropped() > 0 => Some(since.max(oldest)),
        _ => Some(since),
    }
}

/// The key's events of both, newest first, each once.
fn merged(key: &KeyArn, followed: Option<&TrailView>, asked: Option<&KeyTrail>) -> Vec<KeyEvent> {
    let mut events = followed.map_or_else(Vec::new, |view| of_key(&view.events, key));
    let seen: HashSet<String> = events.iter().map(|event| event.id.clone()).collect();
    let asked = asked.map_or_else(Vec::new, |trail| of_key(&trail.events, key));
    events.extend(asked.into_iter().filter(|event| !seen.contains(&event.id)));
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    events
}

/// The events that name a key, newest first.
fn of_key(events: &Events, key: &KeyArn) -> Vec<KeyEvent> {
    let names_it = Expr::Is(Question::OnKeys(HashSet::from([key.as_str().to_owned()])));
    events.matching(&names_it).into_iter().filter_map(|rank| events.get(rank as usize)).collect()
}

/// Why nothing is known.
fn not_known(
    key: &KeyArn,
    followed: Option<&TrailSource>,
    asked: Option<&Seen<Arc<KeyTrail>>>,
) -> Seen<Usage> {
    match (asked, followed) {
        (Some(Seen::NotVisible(why)), _) => Seen::NotVisible(why.clone()),
        (Some(_), _) => Seen::Loading,
        (None, Some(source)) => match &source.health.failing {
            Some((_, why)) => Seen::NotVisible(why.clone()),
            None => Seen::Loading,
        },
        (None, None) => Seen::NotVisible(NotVisible::new(
            Cause::Unreachable,
            format!("the trail of {} is not followed, and was not asked about this key", key.region()),
        )),
    }
}

/// What a change's preview needs: the last hour, as far as some seconds of asking get.
#[must_use]
pub fn in_a_hurry() -> KeyTrailLimits {
    KeyTrailLimits { back: RECENT, pages: 6 }
}

#[cfg(test)]
mod tests {
    use super::{KeyTrail, Store, key_use};
    use crate::model::arn::KeyArn;
    use crate::model::event::{KeyEvent, Who};
    use crate::model::seen::{Cause, NotVisible, Seen};
    use crate::model::source::Source;
    use crate::trail::{TrailSource, TrailView};
    use jiff::{SignedDuration, Timestamp};
    use std::sync::Arc;

    fn now() -> Timestamp {
        "2026-11-23T14:00:00Z".parse().unwrap()
    }

    fn ago(minutes: i64) -> Timestamp {
        now() - SignedDuration::from_mins(minutes)
    }

    fn key() -> KeyArn {
        "arn:aws:kms:eu-west-1:111122223333:key/00000001-0000-4000-8000-000000000000".parse().unwrap()
    }

    /// A Decrypt by `app`, so many minutes ago; each minute has one event and so one id.
    fn store(minutes: &[i64]) -> Store {
        let mut store = Store::new(1000);
        for &minute in minutes {
            let event = KeyEvent {
                id: format!("event-{minute}"),
                at: ago(minute),
                name: "Decrypt".into(),
                source: "kms.amazonaws.com".into(),
                region: "eu-west-1".into(),
                who: Who { name: "app".into(), ..Who::default() },
                keys: vec![key()],
                from: "10.0.0.1".into(),
                user_agent: "sdk".into(),
                read_only: Some(true),
                ..KeyEvent::default()
            };
            store.insert(event, "{}");
        }
        store
    }

    fn view(region: &str, since: Option<i64>, minutes: &[i64]) -> TrailView {
        let source =
            TrailSource { uses_since: since.map(ago), ..TrailSource::new(Source::Trail(region.to_owned())) };
        TrailView { events: store(minutes).events().clone(), sources: vec![source], ..TrailView::default() }
    }

    fn asked(since: i64, until: i64, minutes: &[i64]) -> Seen<Arc<KeyTrail>> {
        Seen::Known(Arc::new(KeyTrail::new(ago(since), ago(until), store(minutes).events().clone())))
    }

    /// Since how many minutes it is known, and how many uses.
    fn told(followed: Option<&TrailView>, asked: Option<&Seen<Arc<KeyTrail>>>) -> Option<(i64, usize)> {
        let usage = key_use(&key(), followed, asked, now()).usage;
        usage.known().map(|usage| (now().duration_since(usage.since).as_mins(), usage.uses()))
    }

    #[test]
    fn the_followed_trail_tells_as_far_as_it_reaches() {
        let view = view("eu-west-1", Some(90), &[1, 50, 80]);
        assert_eq!(told(Some(&view), None), Some((90, 3)));
        assert!(key_use(&key(), Some(&view), None, now()).is_enough());
        assert_eq!(told(Some(&super::tests::view("eu-west-1", None, &[1, 50, 80])), None), None);
    }

    #[test]
    fn what_was_asked_reaches_further_back_and_counts_nothing_twice() {
        let followed = view("eu-west-1", Some(10), &[1, 5, 9]);
        assert_eq!(told(Some(&followed), Some(&asked(60, 2, &[5, 9, 30, 59]))), Some((60, 5)));
        // Between what was asked, long ago, and what is followed lies a gap.
        assert_eq!(told(Some(&followed), Some(&asked(90, 40, &[50]))), Some((10, 3)));
    }

    #[test]
    fn another_regions_trail_says_nothing_of_the_key() {
        let elsewhere = view("us-east-1", Some(90), &[1]);
        assert_eq!(told(Some(&elsewhere), None), None);
        assert_eq!(told(Some(&elsewhere), Some(&asked(60, 0, &[7]))), Some((60, 1)));
        let usage = key_use(&key(), Some(&elsewhere), None, now()).usage;
        assert!(usage.not_visible().unwrap().reason.contains("eu-west-1"));
    }

    #[test]
    fn why_nothing_is_known_is_said() {
        let denied = Seen::NotVisible(NotVisible::new(Cause::Denied, "cloudtrail:LookupEvents was denied"));
        let usage = key_use(&key(), None, Some(&denied), now()).usage;
        assert_eq!(usage.not_visible().unwrap().cause, Cause::Denied);
        assert_eq!(key_use(&key(), None, Some(&Seen::Loading), now()).usage, Seen::Loading);
    }

    #[test]
    fn a_trail_that_ran_out_of_room_knows_only_what_it_kept() {
        let mut view = view("eu-west-1", Some(90), &[]);
        let mut room_for_two = Store::new(2);
        for event in store(&[80, 50, 1]).events().iter() {
            room_for_two.insert(event, "{}");
        }
        view.events = room_for_two.events().clone();
        assert_eq!(told(Some(&view), None), Some((50, 2)));
    }
}
