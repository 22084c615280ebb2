use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{FollowOptions, Follower};
use crate::clock::Clock;
use crate::cloud::canned::{Answer, Call, Canned, caller_identity, environment, no, now, ok};
use crate::database::Dialer;
use crate::estate::{Estate, Wire};
use crate::model::seen::Cause;
use crate::trail::{Limits, TrailView, load_once};

/// A trail with these records, delivered: time, id, whether it is a read.
#[derive(Clone, Default)]
struct Trail {
    records: Arc<Mutex<Vec<(Timestamp, String, bool)>>>,
    /// What is answered instead, while there is any.
    instead: Arc<Mutex<Vec<Answer>>>,
}

impl Trail {
    fn deliver(&self, id: &str, at: Timestamp, read: bool) {
        self.records.lock().unwrap().push((at, id.to_owned(), read));
    }

    fn answer_instead(&self, answer: Answer) {
        self.instead.lock().unwrap().push(answer);
    }

    /// LookupEvents as CloudTrail does it, but with two records a page.
    fn answer(&self, call: &Call) -> Answer {
        if call.operation == "GetCallerIdentity" {
            return caller_identity();
        }
        assert_eq!(call.operation, "LookupEvents");
        if let Some(answer) = self.instead.lock().unwrap().pop() {
            return answer;
        }
        let attribute = &call.input["LookupAttributes"][0];
        let wants = |read: bool| match attribute["AttributeKey"].as_str().unwrap() {
            "ReadOnly" => attribute["AttributeValue"] == if read { "true" } else { "false" },
            _ => true,
        };
        let second = |field: &str| call.input[field].as_f64().unwrap();
        #[expect(clippy::cast_precision_loss, reason = "seconds of this century")]
        let mut found: Vec<_> = self
            .records
            .lock()
            .unwrap()
            .clone()
            .into_iter()
            .filter(|(at, _, read)| {
                let at = at.as_second() as f64;
                wants(*read) && (second("StartTime")..=second("EndTime")).contains(&at)
            })
            .collect();
        found.sort_by(|a, b| b.cmp(a));
        let from: usize = call.input["NextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<Value> =
            found.iter().skip(from).take(2).map(|(at, id, read)| record(*at, id, *read)).collect();
        let next = (found.len() > from + 2).then(|| (from + 2).to_string());
        ok(json!({ "Events": page, "NextToken": next }))
    }
}

fn record(at: Timestamp, id: &str, read: bool) -> Value {
    let name = if read { "Decrypt" } else { "DisableKey" };
    let record = json!({
        "eventID": id, "eventTime": at.to_string(), "eventName": name, "eventSource": "kms.amazonaws.com",
        "readOnly": read, "userIdentity": { "type": "IAMUser", "userName": "alice" }
    });
    let text = if id.starts_with("bad") { "{not json".to_owned() } else { record.to_string() };
    json!({ "EventId": id, "CloudTrailEvent": text })
}

/// A clock that starts at [`now`] and goes with tokio's.
fn running() -> Clock {
    let begun = Instant::now();
    Clock::from_fn(move || now() + SignedDuration::try_from(begun.elapsed()).unwrap())
}

async fn estate(trail: &Trail) -> (Arc<Estate>, Arc<Canned>) {
    let trail = trail.clone();
    let canned = Canned::new(move |call| trail.answer(call));
    let wire = Wire { http: canned.wire(), sql: Dialer::Tcp, sql_ca: None };
    (Estate::open(environment(), wire, running()).await.unwrap(), canned)
}

fn ids(view: &TrailView) -> Vec<String> {
    view.events.iter().map(|event| event.id).collect()
}

/// Waits until a view is as wanted; paused time moves on by itself.
async fn until(
    views: &mut watch::Receiver<Arc<TrailView>>,
    wanted: impl Fn(&TrailView) -> bool,
) -> Arc<TrailView> {
    let found = tokio::time::timeout(Duration::from_hours(3), views.wait_for(|view| wanted(view))).await;
    Arc::clone(&found.expect("in time").expect("still followed"))
}

fn ago(minutes: i64) -> Timestamp {
    now() - SignedDuration::from_mins(minutes)
}

#[tokio::test(start_paused = true)]
async fn the_first_sweep_shows_changes_page_by_page_and_use_beside_them() {
    let trail = Trail::default();
    for (id, minutes) in [("e1", 10), ("e2", 20), ("e3", 30), ("too-old", 3_000)] {
        trail.deliver(id, ago(minutes), false);
    }
    trail.deliver("use", ago(15), true);
    let (estate, _) = estate(&trail).await;
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    let first = until(&mut views, |view| !view.events.is_empty()).await;
    assert_eq!(ids(&first), ["e1", "e2"]);
    assert_eq!(first.changes_since(), None, "the sweep is not through");
    let full = until(&mut views, |view| view.uses_since().is_some() && view.changes_since().is_some()).await;
    assert_eq!(ids(&full), ["e1", "use", "e2", "e3"]);
    assert_eq!(full.changes_since(), Some(ago(24 * 60)));
    assert!(full.failing().is_none() && full.has_answered());
    assert_eq!(full.lag(now()), Some(SignedDuration::from_mins(10)));
}

#[tokio::test(start_paused = true)]
async fn what_is_delivered_late_is_found_by_the_overlap_and_stands_in_its_place() {
    let trail = Trail::default();
    trail.deliver("e1", ago(1), false);
    let (estate, _) = estate(&trail).await;
    // Sweeps of use would find KMS's changes too: after the first they are kept out of the way.
    let options = FollowOptions { uses_every: Duration::from_hours(2), ..FollowOptions::default() };
    let follower = Follower::spawn(&estate, options);
    let mut views = follower.views();
    until(&mut views, |view| view.changes_since().is_some() && view.uses_since().is_some()).await;
    let before = Instant::now();
    trail.deliver("late", ago(8), false);
    let view = until(&mut views, |view| view.events.len() == 2).await;
    assert!(before.elapsed() <= Duration::from_secs(10), "by the next sweep: {:?}", before.elapsed());
    assert_eq!(ids(&view), ["e1", "late"]);
    let before = Instant::now();
    trail.deliver("very-late", ago(45), false);
    let view = until(&mut views, |view| view.events.len() == 3).await;
    assert_eq!(ids(&view), ["e1", "late", "very-late"]);
    assert!(before.elapsed() <= Duration::from_mins(6), "by the wide overlap: {:?}", before.elapsed());
}

#[tokio::test(start_paused = true)]
async fn throttling_is_said_waited_out_and_forgotten() {
    let trail = Trail::default();
    trail.deliver("e1", ago(1), false);
    for _ in 0..3 {
        trail.answer_instead(no(400, "ThrottlingException", "Rate exceeded"));
    }
    let (estate, canned) = estate(&trail).await;
    let begun = Instant::now();
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    let throttled = until(&mut views, TrailView::throttled).await;
    let why = &throttled.failing().unwrap().1;
    assert_eq!(why.cause, Cause::Throttled);
    assert!(why.reason.contains("throttled"), "{}", why.reason);
    let well = until(&mut views, |view| view.changes_since().is_some()).await;
    assert!(!well.throttled() && well.failing().is_none());
    assert!(begun.elapsed() >= Duration::from_secs(1 + 2 + 4), "{:?}", begun.elapsed());
    assert!(canned.calls().len() <= 7, "no more than one try each wait");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_two_requests_a_second_are_made() {
    let trail = Trail::default();
    (0..200).for_each(|n| trail.deliver(&format!("e{n:03}"), ago(n), n % 3 == 0));
    let (estate, canned) = estate(&trail).await;
    let begun = Instant::now();
    let follower = Follower::spawn(&estate, FollowOptions::default());
    tokio::time::sleep(Duration::from_mins(2)).await;
    drop(follower);
    let lookups = canned.operations().iter().filter(|operation| *operation == "LookupEvents").count();
    let seconds = begun.elapsed().as_secs();
    assert!(lookups as u64 <= 2 * seconds, "{lookups} in {seconds} s");
    assert!(lookups > 30, "and it does follow: {lookups}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_leaves_what_is_known_and_the_sweep_goes_on() {
    let trail = Trail::default();
    ["e1", "e2", "e3"].iter().zip(1..).for_each(|(id, minutes)| trail.deliver(id, ago(minutes), false));
    let (estate, _) = estate(&trail).await;
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    until(&mut views, |view| view.events.len() == 2).await;
    trail.answer_instead(Err(crate::cloud::NoAnswer::ConnectionLost));
    let failing = until(&mut views, |view| view.failing().is_some()).await;
    assert!(failing.events.len() >= 2);
    assert!(!failing.throttled());
    let well = until(&mut views, |view| view.changes_since().is_some() && view.failing().is_none()).await;
    assert_eq!(ids(&well), ["e1", "e2", "e3"]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_record_is_counted_once_and_kept() {
    let trail = Trail::default();
    trail.deliver("bad", ago(1), false);
    trail.deliver("e1", ago(2), false);
    let (estate, _) = estate(&trail).await;
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let view = until(&mut views, |view| view.uses_since().is_some()).await;
    assert_eq!((view.events.unparsed_count(), ids(&view)), (1, vec!["e1".to_owned()]));
    assert_eq!(&*view.events.unparsed().next().unwrap().raw, "{not json");
}

#[tokio::test(start_paused = true)]
async fn dropped_it_asks_no_more() {
    let (estate, canned) = estate(&Trail::default()).await;
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    until(&mut views, |view| view.changes_since().is_some()).await;
    drop(follower);
    let asked = canned.calls().len();
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert_eq!(canned.calls().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_cut_short_says_from_when_on_it_is_whole() {
    let trail = Trail::default();
    (1..=10).for_each(|n| trail.deliver(&format!("e{n:02}"), ago(n), false));
    let (estate, _) = estate(&trail).await;
    let options = FollowOptions { change_pages: 2, ..FollowOptions::default() };
    let follower = Follower::spawn(&estate, options);
    let mut views = follower.views();
    let view = until(&mut views, |view| view.changes_since().is_some()).await;
    assert_eq!(view.changes_since(), Some(ago(4)));
}

#[tokio::test(start_paused = true)]
async fn reading_once_gives_both_kinds_and_says_how_far_it_reached() {
    let trail = Trail::default();
    trail.deliver("change", ago(5), false);
    trail.deliver("use", ago(6), true);
    trail.deliver("older", ago(500), false);
    trail.answer_instead(no(400, "ThrottlingException", "Rate exceeded"));
    let (estate, _) = estate(&trail).await;
    let view = load_once(&estate, SignedDuration::from_hours(1), Limits::default()).await;
    assert_eq!(ids(&view), ["change", "use"]);
    assert!(view.failing().is_none(), "a throttled page is asked again");
    assert!(view.changes_since().unwrap() <= ago(59) && view.uses_since().unwrap() <= ago(59));
}

#[tokio::test(start_paused = true)]
async fn reading_once_says_what_it_may_not_see() {
    let trail = Trail::default();
    trail.answer_instead(no(
        400,
        "AccessDeniedException",
        "not authorized to perform: cloudtrail:LookupEvents",
    ));
    let (estate, _) = estate(&trail).await;
    let view = load_once(&estate, SignedDuration::from_hours(1), Limits::default()).await;
    let (_, why) = view.failing().unwrap();
    assert_eq!((why.cause, view.changes_since()), (Cause::Denied, None));
}

#[tokio::test(start_paused = true)]
async fn a_keys_own_events_are_read_back_on_demand_and_it_is_said_how_far() {
    let trail = Trail::default();
    trail.deliver("recent", ago(5), false);
    trail.deliver("two-days-old", ago(2 * 24 * 60), true);
    let (estate, canned) = estate(&trail).await;
    let follower = Follower::spawn(&estate, FollowOptions::default());
    let mut views = follower.views();
    until(&mut views, |view| view.changes_since().is_some() && view.uses_since().is_some()).await;
    let key: crate::model::arn::KeyArn = "arn:aws:kms:eu-west-1:111122223333:key/1234".parse().unwrap();
    let week = SignedDuration::from_hours(7 * 24);
    assert!(follower.backfills().ask(&key, week));
    let view = until(&mut views, |view| view.backfill(&key).is_some_and(|one| one.reach.is_some())).await;
    assert_eq!(ids(&view), ["recent", "two-days-old"]);
    assert!(view.backfill(&key).unwrap().reach.unwrap() <= ago(6 * 24 * 60));
    let asked = |call: &Call| call.input["LookupAttributes"][0]["AttributeValue"] == key.as_str();
    let times = canned.calls().iter().filter(|call| asked(call)).count();
    assert!(follower.backfills().ask(&key, week));
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(
        canned.calls().iter().filter(|call| asked(call)).count(),
        times,
        "what is here is not asked for again"
    );
    let foreign: crate::model::arn::KeyArn = "arn:aws:kms:us-gov-west-1:111122223333:key/1".parse().unwrap();
    assert!(!follower.backfills().ask(&foreign, week), "no Region that is followed");
}
