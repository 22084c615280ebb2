//! Following a queue that EventBridge feeds: what happens is here within seconds.
//!
//! A message is deleted once its event is kept, and not before: whatever ends the program, it comes again. One that
//! cannot be understood is kept among the unparsed and deleted too, or it would come again for ever.

use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use serde_json::Value;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::follow::News;
use super::parse::{Unparsed, parse};
use super::sweep::Page;
use super::view::TrailSource;
use super::watched::tells_of_keys;
use crate::clock::Clock;
use crate::cloud::{Failure, QueueMessage, TrailQueue};
use crate::model::event::KeyEvent;
use crate::settings::TrailSettings;

/// How long to wait for a message, where there was none.
const WAIT: Duration = Duration::from_secs(20);
/// Between two requests where a queue answers at once that it has nothing, rather than wait.
const PAUSE: Duration = Duration::from_secs(1);
/// How many requests at once, where there are more messages than one answer holds.
const ABREAST: usize = 8;
/// What one answer holds.
const FULL: usize = 10;

/// A queue's task.
pub(super) struct Listening {
    pub(super) queue: TrailQueue,
    pub(super) clock: Clock,
    pub(super) watched: TrailSettings,
    pub(super) longest_backoff: Duration,
    pub(super) source: usize,
    pub(super) standing: TrailSource,
    pub(super) news: mpsc::Sender<News>,
}

/// Nobody keeps events any more.
struct NobodyKeeps;

impl Listening {
    pub(super) async fn run(mut self) {
        let (mut failures, mut more) = (0_u32, false);
        loop {
            let begun = Instant::now();
            let turned = match self.turn(more).await {
                Ok(turned) => turned,
                Err(NobodyKeeps) => return,
            };
            let wait = match turned {
                Ok(messages) => {
                    (failures, more) = (0, messages >= FULL);
                    self.standing.health.succeeded(self.clock.now());
                    if messages == 0 { PAUSE.saturating_sub(begun.elapsed()) } else { Duration::ZERO }
                }
                Err(failure) => {
                    let wait = Duration::from_secs(1 << failures.min(16)).min(self.longest_backoff);
                    (failures, more) = (failures + 1, false);
                    self.standing.health.failed(self.clock.now(), failure.into());
                    wait
                }
            };
            if self.tell(Page::default()).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    }

    /// Takes messages, has their events kept, and deletes them; gives how many there were.
    async fn turn(&mut self, more: bool) -> Result<Result<usize, Failure>, NobodyKeeps> {
        let (abreast, wait) = if more { (ABREAST, Duration::ZERO) } else { (1, WAIT) };
        let answers = join_all((0..abreast).map(|_| self.queue.receive(wait))).await;
        let (mut taken, mut failed) = (Vec::new(), None);
        for answer in answers {
            match answer {
                Ok(messages) => taken.push(messages),
                Err(failure) => failed = Some(failure),
            }
        }
        let messages = taken.iter().map(Vec::len).sum();
        if messages > 0 {
            let page = self.page(taken.iter().flatten());
            self.tell(page).await?;
            if let Err(failure) = try_join_all(taken.iter().map(|messages| self.queue.delete(messages))).await
            {
                failed = failed.or(Some(failure));
            }
        }
        Ok(failed.map_or(Ok(messages), Err))
    }

    /// What messages bring.
    fn page<'a>(&mut self, messages: impl Iterator<Item = &'a QueueMessage>) -> Page {
        let mut page = Page::default();
        for message in messages {
            match read(&message.body) {
                Ok((event, record)) if tells_of_keys(&event, &record, &self.watched) => {
                    page.events.push((event, record));
                }
                Ok(_) => {}
                Err(unparsed) => {
                    let reason = format!("a message of the queue {}: {}", self.queue.name(), unparsed.reason);
                    page.unparsed.push(Unparsed { reason, ..unparsed });
                }
            }
        }
        self.standing.came(&page, self.clock.now(), true);
        page
    }

    /// Tells the keeper, and waits until it has kept what was told.
    async fn tell(&self, page: Page) -> Result<(), NobodyKeeps> {
        let (news, is_kept) = News::to_keep(self.source, self.standing.clone(), page);
        self.news.send(news).await.map_err(|_| NobodyKeeps)?;
        is_kept.await.map_err(|_| NobodyKeeps)
    }
}

/// The event of a message, and its record: out of EventBridge's wrapping, so that it reads as one from elsewhere.
fn read(body: &str) -> Result<(KeyEvent, String), Unparsed> {
    let event = parse(body)?;
    let detail = match serde_json::from_str(body) {
        Ok(Value::Object(mut envelope)) if envelope.contains_key("detail-type") => envelope.remove("detail"),
        _ => None,
    };
    Ok((event, detail.map_or_else(|| body.to_owned(), |record| record.to_string())))
}

#[cfg(test)]
mod tests;
