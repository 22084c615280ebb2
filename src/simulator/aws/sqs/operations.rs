//! What can be asked of a queue.

use std::collections::HashSet;

use jiff::SignedDuration;
use serde_json::{Map, Value, json};

use super::{Body, Message, Queue, Sqs};
use crate::simulator::aws::{Call, Context, Refusal, Reply};

/// The most that one request receives or deletes.
const BATCH: u64 = 10;
/// The longest message, in bytes.
const LONGEST_MESSAGE: usize = 1 << 20;
/// How long a message that was received is hidden, where the request does not say, in seconds.
const VISIBILITY: u64 = 30;

impl Sqs {
    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        context.facts.request_parameters = match &call.input["QueueUrl"] {
            Value::Null => Value::Null,
            url => json!({ "queueUrl": url }),
        };
        match call.operation.as_str() {
            "ListQueues" => Ok(Reply::Json(self.list(call))),
            "GetQueueUrl" => self.url_of(call),
            "GetQueueAttributes" => self.attributes(call),
            "SendMessage" => self.send(call),
            "ReceiveMessage" => self.receive(call),
            "DeleteMessage" => self.delete(call),
            "DeleteMessageBatch" => self.delete_batch(call),
            _ => Err(Refusal::unknown_operation(call)),
        }
    }

    /// The queue that a call names.
    fn queue(&self, call: &Call) -> Result<usize, Refusal> {
        let url = required(call, "QueueUrl")?;
        let found = self.queues.iter().position(|queue| queue.is_at(url) && queue.region == call.region);
        let found = found.ok_or_else(no_queue)?;
        if self.queues[found].account == call.caller.account { Ok(found) } else { Err(no_queue()) }
    }

    fn list(&self, call: &Call) -> Value {
        let prefix = text(call, "QueueNamePrefix").unwrap_or_default();
        let is_wanted = |queue: &&Queue| {
            queue.account == call.caller.account
                && queue.region == call.region
                && queue.name.starts_with(prefix)
        };
        let urls: Vec<String> = self.queues.iter().filter(is_wanted).map(Queue::url).collect();
        if urls.is_empty() { json!({}) } else { json!({ "QueueUrls": urls }) }
    }

    fn url_of(&self, call: &Call) -> Result<Reply, Refusal> {
        let name = required(call, "QueueName")?;
        let account = text(call, "QueueOwnerAWSAccountId").unwrap_or(&call.caller.account);
        let is_it =
            |queue: &&Queue| queue.name == name && queue.account == account && queue.region == call.region;
        let queue = self.queues.iter().find(is_it).ok_or_else(no_queue)?;
        Ok(Reply::Json(json!({ "QueueUrl": queue.url() })))
    }

    fn attributes(&self, call: &Call) -> Result<Reply, Refusal> {
        let queue = &self.queues[self.queue(call)?];
        let count = |is: fn(&Message, jiff::Timestamp) -> bool| {
            queue.messages.iter().filter(|message| is(message, call.at)).count().to_string()
        };
        let all = [
            ("QueueArn", queue.arn()),
            ("ApproximateNumberOfMessages", count(|message, now| message.visible <= now)),
            (
                "ApproximateNumberOfMessagesNotVisible",
                count(|message, now| message.visible > now && message.received > 0),
            ),
            (
                "ApproximateNumberOfMessagesDelayed",
                count(|message, now| message.visible > now && message.received == 0),
            ),
            ("CreatedTimestamp", queue.made.as_second().to_string()),
            ("VisibilityTimeout", VISIBILITY.to_string()),
            ("MessageRetentionPeriod", super::RETENTION.as_secs().to_string()),
        ];
        let names = &call.input["AttributeNames"];
        let asked = |name: &str| {
            names.as_array().is_some_and(|names| names.iter().any(|one| one == "All" || one == name))
        };
        let told: Map<String, Value> = all
            .into_iter()
            .filter(|(name, _)| asked(name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok(Reply::Json(if told.is_empty() { json!({}) } else { json!({ "Attributes": told }) }))
    }

    fn send(&mut self, call: &Call) -> Result<Reply, Refusal> {
        let queue = self.queue(call)?;
        let body = required(call, "MessageBody")?;
        if body.is_empty() || body.len() > LONGEST_MESSAGE {
            return Err(Refusal::new(
                "InvalidParameterValue",
                "One or more parameters are invalid. Reason: Message must be 1 byte to 1 MiB.",
            ));
        }
        let id = self.push(queue, Body::Text(body.to_owned()), call.at, call.at);
        Ok(Reply::Json(json!({ "MessageId": id })))
    }

    fn receive(&mut self, call: &Call) -> Result<Reply, Refusal> {
        let queue = self.queue(call)?;
        let most = number(call, "MaxNumberOfMessages", 1, 1..=BATCH)?;
        let hidden = number(call, "VisibilityTimeout", VISIBILITY, 0..=43_200)?;
        number(call, "WaitTimeSeconds", 0, 0..=20)?;
        let hidden = SignedDuration::from_secs(i64::try_from(hidden).unwrap_or_default());
        let next = &mut self.next;
        let visible = self.queues[queue].messages.iter_mut().filter(|message| message.visible <= call.at);
        let given: Vec<Value> = visible
            .take(usize::try_from(most).unwrap_or_default())
            .map(|message| {
                message.visible = call.at + hidden;
                message.received += 1;
                message.first_received.get_or_insert(call.at);
                *next += 1;
                message.render(call)
            })
            .collect();
        Ok(Reply::Json(if given.is_empty() { json!({}) } else { json!({ "Messages": given }) }))
    }

    fn delete(&mut self, call: &Call) -> Result<Reply, Refusal> {
        let queue = self.queue(call)?;
        self.queues[queue].delete(required(call, "ReceiptHandle")?)?;
        Ok(Reply::Json(Value::Null))
    }

    fn delete_batch(&mut self, call: &Call) -> Result<Reply, Refusal> {
        let queue = self.queue(call)?;
        let entries = call.input["Entries"].as_array().map_or(&[][..], Vec::as_slice);
        let field = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let ids: HashSet<String> = entries.iter().map(|entry| field(entry, "Id")).collect();
        if entries.is_empty() {
            return Err(Refusal::new(
                "EmptyBatchRequest",
                "There should be at least one DeleteMessageBatchRequestEntry in the request.",
            ));
        }
        if entries.len() as u64 > BATCH {
            let message = format!(
                "Maximum number of entries per request are {BATCH}. You have sent {}.",
                entries.len()
            );
            return Err(Refusal::new("TooManyEntriesInBatchRequest", message));
        }
        if ids.len() < entries.len() {
            return Err(Refusal::new(
                "BatchEntryIdsNotDistinct",
                "Two or more batch entries in the request have the same Id.",
            ));
        }
        let (mut done, mut failed) = (Vec::new(), Vec::new());
        for entry in entries {
            let id = field(entry, "Id");
            match self.queues[queue].delete(&field(entry, "ReceiptHandle")) {
                Ok(()) => done.push(json!({ "Id": id })),
                Err(why) => failed
                    .push(json!({ "Id": id, "SenderFault": true, "Code": why.code, "Message": why.message })),
            }
        }
        Ok(Reply::Json(json!({ "Successful": done, "Failed": failed })))
    }
}

impl Message {
    /// Another one each time that it is received.
    fn receipt(&self) -> String {
        format!("{}:{}", self.id, self.received)
    }

    fn render(&self, call: &Call) -> Value {
        let mut message = json!({ "MessageId": self.id, "ReceiptHandle": self.receipt(), "Body": self.body.text(&self.id) });
        let first = self.first_received.unwrap_or(call.at);
        let all = [
            ("SentTimestamp", self.sent.as_millisecond().to_string()),
            ("ApproximateReceiveCount", self.received.to_string()),
            ("ApproximateFirstReceiveTimestamp", first.as_millisecond().to_string()),
        ];
        let names = ["AttributeNames", "MessageSystemAttributeNames"].map(|names| &call.input[names]);
        let asked = |name: &str| {
            names.iter().filter_map(|names| names.as_array()).flatten().any(|one| one == "All" || one == name)
        };
        let told: Map<String, Value> = all
            .into_iter()
            .filter(|(name, _)| asked(name))
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        if !told.is_empty() {
            message["Attributes"] = Value::Object(told);
        }
        message
    }
}

impl Queue {
    /// Deletes the message with this receipt. One that is gone already was deleted well; one that has been received again
    /// since stays.
    fn delete(&mut self, receipt: &str) -> Result<(), Refusal> {
        let is_receipt = receipt
            .split_once(':')
            .is_some_and(|(id, times)| uuid::Uuid::parse_str(id).is_ok() && times.parse::<u32>().is_ok());
        if !is_receipt {
            let message = format!("The input receipt handle \"{receipt}\" is not a valid receipt handle.");
            return Err(Refusal::new("ReceiptHandleIsInvalid", message));
        }
        self.messages.retain(|message| message.receipt() != receipt);
        Ok(())
    }
}

fn text<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.input.get(name).and_then(Value::as_str)
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    text(call, name).ok_or_else(|| {
        Refusal::new("MissingParameter", format!("The request must contain the parameter {name}."))
    })
}

fn number(
    call: &Call,
    name: &str,
    default: u64,
    allowed: std::ops::RangeInclusive<u64>,
) -> Result<u64, Refusal> {
    let Some(value) = call.input.get(name).filter(|value| !value.is_null()) else { return Ok(default) };
    value.as_u64().filter(|value| allowed.contains(value)).ok_or_else(|| {
        let (least, most) = (allowed.start(), allowed.end());
        let why = format!("Value {value} for parameter {name} is invalid. Reason: Must be >= {least} and <= {most}, if provided.");
        Refusal::new("InvalidParameterValue", why)
    })
}

fn no_queue() -> Refusal {
    Refusal::new("QueueDoesNotExist", "The specified queue does not exist.")
}
