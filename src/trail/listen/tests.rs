use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::read;
use crate::clock::Clock;
use crate::cloud::canned::{Answer, Call, Canned, caller_identity, environment, no, now, ok};
use crate::database::Dialer;
use crate::estate::{Estate, Wire};
use crate::model::seen::Cause;
use crate::model::source::Source;
use crate::trail::{FollowOptions, Follower, TrailView};

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/111122223333/portcullis";

/// A queue with messages, and a trail that brings nothing but what it is given.
#[derive(Clone, Default)]
struct Bus(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Receipt, body, until when hidden.
    messages: Vec<(String, String, Option<Instant>)>,
    sent: usize,
    deleted: Vec<String>,
    /// What LookupEvents has.
    looked_up: Vec<Value>,
    /// Answered to an operation instead, once each.
    instead: Vec<(&'static str, Answer)>,
    /// Whether deleting is refused.
    keeps_all: bool,
}

impl Bus {
    fn send(&self, body: impl Into<String>) {
        let mut state = self.0.lock().unwrap();
        state.sent += 1;
        let receipt = format!("receipt-{}", state.sent);
        state.messages.push((receipt, body.into(), None));
    }

    fn answer_instead(&self, operation: &'static str, answer: Answer) {
        self.0.lock().unwrap().instead.push((operation, answer));
    }

    fn left(&self) -> usize {
        self.0.lock().unwrap().messages.len()
    }

    fn answer(&self, call: &Call) -> Answer {
        let mut state = self.0.lock().unwrap();
        if let Some(at) = state.instead.iter().position(|(operation, _)| *operation == call.operation) {
            return state.instead.remove(at).1;
        }
        match call.operation.as_str() {
            "GetCallerIdentity" => caller_identity(),
            "LookupEvents" => ok(json!({ "Events": state.looked_up })),
            "ReceiveMessage" => {
                assert_eq!(call.input["QueueUrl"], QUEUE);
                let now = Instant::now();
                let most = usize::try_from(call.input["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
                let visible = state
                    .messages
                    .iter_mut()
                    .filter(|(_, _, hidden)| hidden.is_none_or(|until| until <= now));
                let given: Vec<Value> = visible
                    .take(most)
                    .map(|(receipt, body, hidden)| {
                        *hidden = Some(
                            now + Duration::from_secs(call.input["VisibilityTimeout"].as_u64().unwrap()),
                        );
                        json!({ "MessageId": receipt, "ReceiptHandle": receipt, "Body": body })
                    })
                    .collect();
                ok(if given.is_empty() { json!({}) } else { json!({ "Messages": given }) })
            }
            "DeleteMessageBatch" if state.keeps_all => {
                let failed = json!([{"Id": "0", "SenderFault": true, "Code": "AccessDenied", "Message": "no DeleteMessage for you"}]);
                ok(json!({ "Successful": [], "Failed": failed }))
            }
            "DeleteMessageBatch" => {
                let receipts: Vec<String> = call.input["Entries"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|entry| entry["ReceiptHandle"].as_str().unwrap().to_owned())
                    .collect();
                state.messages.retain(|(receipt, _, _)| !receipts.contains(receipt));
                state.deleted.extend(receipts);
                ok(json!({ "Successful": [], "Failed": [] }))
            }
            other => panic!("{other} is not to be asked"),
        }
    }
}

fn record(id: &str, at: Timestamp) -> Value {
    json!({
        "eventID": id, "eventTime": at.to_string(), "eventName": "DisableKey", "eventSource": "kms.amazonaws.com",
        "readOnly": false, "userIdentity": { "type": "IAMUser", "userName": "alice" }
    })
}

fn wrapped(id: &str, at: Timestamp) -> String {
    json!({
        "version": "0", "id": "b-1", "detail-type": "AWS API Call via CloudTrail", "source": "aws.kms",
        "account": "111122223333", "time": at.to_string(), "region": "eu-west-1", "resources": [],
        "detail": record(id, at),
    })
    .to_string()
}

async fn follow(bus: &Bus) -> (Follower, Arc<Canned>) {
    let begun = Instant::now();
    let clock = Clock::from_fn(move || now() + SignedDuration::try_from(begun.elapsed()).unwrap());
    let bus = bus.clone();
    let canned = Canned::new(move |call| bus.answer(call));
    let wire = Wire { http: canned.wire(), sql: Dialer::Tcp, sql_ca: None };
    let mut environment = environment();
    environment.trail.queue = Some(QUEUE.parse().unwrap());
    let estate = Estate::open(environment, wire, clock).await.unwrap();
    (Follower::spawn(&estate, FollowOptions::default()), canned)
}

async fn until(
    views: &mut watch::Receiver<Arc<TrailView>>,
    wanted: impl Fn(&TrailView) -> bool,
) -> Arc<TrailView> {
    let found = tokio::time::timeout(Duration::from_hours(3), views.wait_for(|view| wanted(view))).await;
    Arc::clone(&found.expect("in time").expect("still followed"))
}

fn queue(view: &TrailView) -> &crate::trail::TrailSource {
    view.sources.iter().find(|one| matches!(one.source, Source::Queue(_))).unwrap()
}

fn ids(view: &TrailView) -> Vec<String> {
    view.events.iter().map(|event| event.id).collect()
}

proptest! {
    #[test]
    fn a_message_is_an_event_or_kept_as_it_came(body in any::<String>(), cut in 0usize..600, put in any::<char>()) {
        let whole = wrapped("e1", now());
        let cut = whole.floor_char_boundary(cut);
        for text in [body, whole[..cut].to_owned(), format!("{}{put}{}", &whole[..cut], &whole[cut..])] {
            if let Err(unparsed) = read(&text) {
                prop_assert_eq!(&*unparsed.raw, text.as_str());
            }
        }
    }
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_brings_is_kept_and_then_deleted() {
    let bus = Bus::default();
    (1..=25).for_each(|n| bus.send(wrapped(&format!("e{n:02}"), ago(n))));
    let (follower, canned) = follow(&bus).await;
    let mut views = follower.views();
    let view = until(&mut views, |view| view.events.len() == 25).await;
    assert_eq!(ids(&view)[..2], ["e01", "e02"]);
    let raw: Value = serde_json::from_str(&view.events.raw(0).unwrap()).unwrap();
    assert_eq!(raw, record("e01", ago(1)), "the record itself is kept, not its wrapping");
    let view = until(&mut views, |view| queue(view).health.last_success.is_some()).await;
    assert_eq!(queue(&view).source.to_string(), "queue portcullis");
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(bus.left(), 0);
    assert_eq!(bus.0.lock().unwrap().deleted.len(), 25, "each once");
    let first = |wanted: &str| canned.operations().iter().position(|operation| operation == wanted).unwrap();
    assert!(first("ReceiveMessage") < first("DeleteMessageBatch"));
}

#[tokio::test(start_paused = true)]
async fn its_lag_is_told_apart_from_the_trails() {
    let bus = Bus::default();
    let (follower, _) = follow(&bus).await;
    let mut views = follower.views();
    until(&mut views, |view| view.changes_since().is_some()).await;
    let happened = now() + SignedDuration::from_secs(30);
    tokio::time::sleep(Duration::from_secs(32)).await;
    bus.send(wrapped("e1", happened));
    let view = until(&mut views, |view| !view.events.is_empty()).await;
    let lag = queue(&view).lag.unwrap();
    assert!((2..=25).contains(&lag.as_secs()), "{lag:?}");
    assert_eq!(view.sources[0].lag, None, "CloudTrail has not brought it yet");
    bus.0.lock().unwrap().looked_up =
        vec![json!({"EventId": "e0", "CloudTrailEvent": record("e0", ago(90)).to_string()})];
    until(&mut views, |view| view.events.len() == 2).await;
    bus.0.lock().unwrap().looked_up =
        vec![json!({"EventId": "e1", "CloudTrailEvent": record("e1", happened).to_string()})];
    tokio::time::sleep(Duration::from_mins(4)).await;
    let view = until(&mut views, |view| view.sources[0].lag.is_some()).await;
    assert_eq!(ids(&view), ["e1", "e0"], "what both bring is there once");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_understood_is_counted_kept_and_gone() {
    let bus = Bus::default();
    for body in
        ["", "not json", "{\"detail-type\": \"KMS CMK Rotation\", \"detail\": {\"key-id\": \"1234\"}}", "[1]"]
    {
        bus.send(body);
    }
    bus.send(wrapped("good", ago(1)));
    let (follower, _) = follow(&bus).await;
    let mut views = follower.views();
    let view = until(&mut views, |view| !view.events.is_empty()).await;
    assert_eq!((view.events.unparsed_count(), ids(&view)), (4, vec!["good".to_owned()]));
    let reasons: Vec<String> = view.events.unparsed().map(|one| one.reason.clone()).collect();
    assert!(
        reasons.iter().all(|reason| reason.starts_with("a message of the queue portcullis: ")),
        "{reasons:?}"
    );
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(bus.left(), 0, "poison does not come again for ever");
    assert_eq!(follower.views().borrow().events.unparsed_count(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_gone_or_forbidden_is_said_and_the_trail_goes_on() {
    for (status, code, cause, next) in [
        (400, "QueueDoesNotExist", Cause::NotFound, "check `queue` in the settings"),
        (400, "AccessDeniedException", Cause::Denied, "sqs:ReceiveMessage and sqs:DeleteMessage"),
        (400, "KmsDisabled", Cause::Unsupported, "key that encrypts the queue"),
        (400, "RequestThrottled", Cause::Throttled, "wait"),
    ] {
        let bus = Bus::default();
        bus.0.lock().unwrap().looked_up =
            vec![json!({"EventId": "e1", "CloudTrailEvent": record("e1", ago(60)).to_string()})];
        for _ in 0..6 {
            bus.answer_instead("ReceiveMessage", no(status, code, "it cannot be"));
        }
        let (follower, canned) = follow(&bus).await;
        let begun = Instant::now();
        let mut views = follower.views();
        let failing = until(&mut views, |view| queue(view).health.failing.is_some()).await;
        let (_, why) = queue(&failing).health.failing.clone().unwrap();
        assert_eq!(why.cause, cause, "{code}");
        assert!(why.reason.contains(next), "{}", why.reason);
        let seen = until(&mut views, |view| view.changes_since().is_some()).await;
        assert_eq!(ids(&seen), ["e1"], "LookupEvents does not depend on it");
        until(&mut views, |view| queue(view).health.last_success.is_some()).await;
        assert!(begun.elapsed() >= Duration::from_secs(1 + 2 + 4 + 8 + 16 + 32), "{:?}", begun.elapsed());
        let asked = canned.operations().iter().filter(|operation| *operation == "ReceiveMessage").count();
        assert!(asked <= 8, "{asked}: one try each wait");
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_deleted_events_stay_single_and_it_is_said() {
    let bus = Bus::default();
    bus.0.lock().unwrap().keeps_all = true;
    bus.send(wrapped("e1", ago(1)));
    bus.send("poison");
    let (follower, canned) = follow(&bus).await;
    let mut views = follower.views();
    let view = until(&mut views, |view| queue(view).health.failing.is_some()).await;
    assert_eq!(ids(&view), ["e1"]);
    let (_, why) = queue(&view).health.failing.clone().unwrap();
    assert_eq!(why.cause, Cause::Denied);
    assert!(why.reason.contains("sqs:DeleteMessage"), "{}", why.reason);
    tokio::time::sleep(Duration::from_hours(1)).await;
    let view = follower.views().borrow().clone();
    assert_eq!((ids(&view).len(), view.events.unparsed_count()), (1, 1), "however often they come");
    let deletes = canned.operations().iter().filter(|operation| *operation == "DeleteMessageBatch").count();
    assert!((2..=65).contains(&deletes), "once a minute at the most: {deletes}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_alone_does_not_pass_for_the_past() {
    let bus = Bus::default();
    for _ in 0..20 {
        bus.answer_instead("LookupEvents", no(400, "AccessDeniedException", "no LookupEvents for you"));
    }
    let (follower, _) = follow(&bus).await;
    let mut views = follower.views();
    let view = until(&mut views, |view| queue(view).health.last_success.is_some()).await;
    assert!(!view.has_answered(), "an empty list is not known to be empty");
}
