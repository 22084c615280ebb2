//! SQS: standard queues, and the events that a rule of EventBridge's puts into them.
//!
//! Source: Amazon SQS API reference and developer guide ("Visibility timeout", "Short and long polling"). A long poll is
//! waited out by whoever carries the request. `MD5OfBody` is left out, which none of our judges looks at.

mod operations;
mod rule;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::Value;

use super::cloudtrail::record::Record;

/// How long messages are kept: SQS' own default is four days, but nobody drills for so long.
const RETENTION: SignedDuration = SignedDuration::from_hours(6);

/// The service's state.
#[derive(Debug)]
pub struct Sqs {
    queues: Vec<Queue>,
    rng: SmallRng,
    next: u64,
}

#[derive(Debug)]
struct Queue {
    account: String,
    region: String,
    name: String,
    made: Timestamp,
    /// Whether EventBridge puts the account's events into it.
    has_rule: bool,
    messages: Vec<Message>,
}

#[derive(Debug)]
struct Message {
    id: String,
    body: Body,
    sent: Timestamp,
    /// From when on it can be received: later after each time that it was.
    visible: Timestamp,
    first_received: Option<Timestamp>,
    received: u32,
}

/// What a message says; an event's text is made when somebody receives it.
#[derive(Debug)]
enum Body {
    Text(String),
    Event(Box<Record>),
}

impl Default for Sqs {
    fn default() -> Self {
        Self { queues: Vec::new(), rng: SmallRng::seed_from_u64(0x5c5), next: 0 }
    }
}

impl Sqs {
    /// Creates a queue, and answers its URL.
    pub fn create_queue(&mut self, account: &str, region: &str, name: &str, now: Timestamp) -> String {
        let queue = Queue {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
            made: now,
            has_rule: false,
            messages: Vec::new(),
        };
        let url = queue.url();
        self.queues.push(queue);
        url
    }

    /// Has EventBridge put the account's events of all Regions into the queues of this name, those of reads too, as by
    /// rules in state `ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS`.
    pub fn put_rule(&mut self, name: &str) {
        self.queues.iter_mut().filter(|queue| queue.name == name).for_each(|queue| queue.has_rule = true);
    }

    /// How many messages a queue has, those hidden among them.
    #[must_use]
    pub fn depth(&self, name: &str) -> usize {
        self.queues.iter().filter(|queue| queue.name == name).map(|queue| queue.messages.len()).sum()
    }

    /// Whether a request for messages would be answered at once: there is one, or the queue is none.
    pub(in crate::simulator) fn would_answer(&self, url: &str, now: Timestamp) -> bool {
        let mut named = self.queues.iter().filter(|queue| queue.is_at(url));
        named.next().is_none_or(|queue| queue.messages.iter().any(|message| message.visible <= now))
    }

    fn push(&mut self, queue: usize, body: Body, now: Timestamp, visible: Timestamp) -> String {
        let id = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string();
        let queue = &mut self.queues[queue];
        queue.messages.retain(|message| message.sent + RETENTION > now);
        let (id, sent) = (id, visible);
        queue.messages.push(Message {
            id: id.clone(),
            body,
            sent,
            visible,
            first_received: None,
            received: 0,
        });
        id
    }
}

impl Queue {
    fn url(&self) -> String {
        format!("https://sqs.{}.amazonaws.com/{}/{}", self.region, self.account, self.name)
    }

    fn arn(&self) -> String {
        format!("arn:aws:sqs:{}:{}:{}", self.region, self.account, self.name)
    }

    /// Whether a URL leads here: its path does, whatever the host in front of it.
    fn is_at(&self, url: &str) -> bool {
        account_and_name(url) == Some((&self.account, &self.name))
    }
}

/// The account and the name at the end of a queue's URL.
pub(super) fn account_and_name(url: &str) -> Option<(&str, &str)> {
    let (rest, name) = url.rsplit_once('/')?;
    Some((rest.rsplit_once('/')?.1, name))
}

/// How long a request is willing to wait for a message, and at which queue.
pub(in crate::simulator) fn long_poll(operation: &str, input: &Value) -> Option<(String, Duration)> {
    let wait =
        input.get("WaitTimeSeconds").and_then(Value::as_u64).filter(|seconds| (1..=20).contains(seconds))?;
    let url = input.get("QueueUrl").and_then(Value::as_str)?;
    (operation == "ReceiveMessage").then(|| (url.to_owned(), Duration::from_secs(wait)))
}

/// What the older protocol called an error, which SQS goes on saying in a header.
pub(super) fn query_code(code: &str) -> &str {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "EmptyBatchRequest" => "AWS.SimpleQueueService.EmptyBatchRequest",
        "TooManyEntriesInBatchRequest" => "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
        "BatchEntryIdsNotDistinct" => "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
        other => other,
    }
}
