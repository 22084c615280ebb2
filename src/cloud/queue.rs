//! A queue of portcullis' own, which EventBridge feeds with the trail's records: messages are taken from it, and those
//! that were kept are deleted. Nothing else is done to it.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::DeleteMessageBatchRequestEntry;

use super::failure::Failure;
use crate::settings::QueueAddress;

const RECEIVE: &str = "sqs:ReceiveMessage";
const DELETE: &str = "sqs:DeleteMessage";
/// What a queue of portcullis' own takes, as IAM writes it.
pub const QUEUE_ACTIONS: [&str; 2] = [RECEIVE, DELETE];
/// SQS gives and deletes so many messages at once, at most.
const BATCH: i32 = 10;
/// How long a message that was given is hidden from others, and comes again unless it is deleted meanwhile. In seconds.
const HIDDEN: i32 = 60;
/// The longest that SQS waits for a message.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The queue. Clones share connections.
#[derive(Clone, Debug)]
pub struct TrailQueue {
    client: Client,
    address: QueueAddress,
}

/// A message, and what it takes to delete it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueMessage {
    pub body: String,
    receipt: String,
}

impl TrailQueue {
    pub(super) fn new(client: Client, address: QueueAddress) -> Self {
        Self { client, address }
    }

    /// The queue's name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.address.name()
    }

    /// Up to 10 messages; where there is none, those that come within `wait`, in whole seconds and 20 at the most. Each
    /// comes again after a minute, unless it is deleted.
    ///
    /// # Errors
    /// [`Failure`] where SQS does not answer, or refuses.
    pub async fn receive(&self, wait: Duration) -> Result<Vec<QueueMessage>, Failure> {
        let seconds = i32::try_from(wait.min(LONGEST_WAIT).as_secs()).unwrap_or_default();
        let answer = self
            .client
            .receive_message()
            .queue_url(self.address.url())
            .max_number_of_messages(BATCH)
            .visibility_timeout(HIDDEN)
            .wait_time_seconds(seconds)
            .send()
            .await
            .map_err(|e| Failure::of(RECEIVE, &e))?;
        let messages = answer.messages.unwrap_or_default().into_iter();
        Ok(messages
            .map(|message| QueueMessage {
                body: message.body.unwrap_or_default(),
                receipt: message.receipt_handle.unwrap_or_default(),
            })
            .collect())
    }

    /// Deletes what [`TrailQueue::receive`] gave in one answer.
    ///
    /// # Errors
    /// [`Failure`] where SQS does not answer, or refuses to delete one of them.
    pub async fn delete(&self, messages: &[QueueMessage]) -> Result<(), Failure> {
        if messages.is_empty() {
            return Ok(());
        }
        let entries = messages.iter().enumerate().map(|(number, message)| {
            DeleteMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .receipt_handle(&message.receipt)
                .build()
                .map_err(|e| Failure::unreadable(DELETE, e.to_string()))
        });
        let answer = self
            .client
            .delete_message_batch()
            .queue_url(self.address.url())
            .set_entries(Some(entries.collect::<Result<_, _>>()?))
            .send()
            .await
            .map_err(|e| Failure::of(DELETE, &e))?;
        match answer.failed.first() {
            None => Ok(()),
            Some(failed) => {
                Err(Failure::refused(DELETE, &failed.code, failed.message.as_deref().unwrap_or_default()))
            }
        }
    }
}
