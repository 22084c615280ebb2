//! KMS's request quotas, and how much of each we take.
//!
//! Source: AWS KMS developer guide, "Request quotas": requests a second, for each account and Region, shared by
//! everybody who calls KMS there. Some are higher in large Regions or on request; these are the least.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::time::Instant;

use super::easing::Easing;
use super::failure::Failure;
use crate::model::seen::Cause;

/// How long a request that is throttled again and again is asked before it is given up.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long a request that brings no answer is tried, as long as the SDK's own retries would.
const OPERATION: Duration = Duration::from_secs(25);
/// Tries of a request that brings no answer.
const TRIES: u32 = 3;
/// Between a throttled request and the next try of it, doubled each time.
const BACK_OFF: Duration = Duration::from_millis(50);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(2);
/// On a busy machine turns come late; they are made up for, but for so much time at most. KMS's own buckets hold
/// about a second's worth.
const CATCH_UP: Duration = Duration::from_millis(250);

/// A quota: the operation that it is on, and requests a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// As IAM writes it, e.g. `kms:DescribeKey`.
    pub operation: &'static str,
    pub a_second: f64,
    /// What a console that stands open takes of it.
    standing: f64,
}

const fn quota(operation: &'static str, a_second: f64, standing: f64) -> Quota {
    Quota { operation, a_second, standing }
}

/// The quotas of the reads that an inventory is made of. The slow ones are little used by others.
pub const QUOTAS: [Quota; 9] = [
    quota("kms:DescribeKey", 2000.0, 0.1),
    quota("kms:ListResourceTags", 2000.0, 0.1),
    quota("kms:GetKeyPolicy", 1000.0, 0.1),
    quota("kms:GetKeyRotationStatus", 1000.0, 0.1),
    quota("kms:ListKeys", 500.0, 0.1),
    quota("kms:ListAliases", 500.0, 0.1),
    quota("kms:ListGrants", 100.0, 0.2),
    quota("kms:ListKeyRotations", 100.0, 0.2),
    quota("kms:GetKeyLastUsage", 5.0, 0.4),
];

/// What a first load takes of a quota; the rest is for everybody else.
pub const HASTY_SHARE: f64 = 0.9;

/// How much of a quota to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Haste {
    /// Somebody waits for it: nearly all.
    Hasty,
    /// Nobody does: little.
    Standing,
}

impl Quota {
    fn taken(self, haste: Haste) -> f64 {
        self.a_second
            * match haste {
                Haste::Hasty => HASTY_SHARE,
                Haste::Standing => self.standing,
            }
    }
}

/// The paces of one account and Region, an operation each.
pub(super) struct Paces(Vec<(Quota, Pacer)>);

impl Paces {
    /// All hasty.
    pub(super) fn new() -> Self {
        let pacer = |quota: Quota| (quota, Pacer::new(quota.taken(Haste::Hasty)));
        Self(QUOTAS.into_iter().map(pacer).collect())
    }

    pub(super) fn set(&self, operation: &str, haste: Haste) {
        for (quota, pacer) in self.0.iter().filter(|(quota, _)| quota.operation == operation) {
            pacer.set_rate(quota.taken(haste));
        }
    }

    /// Asks, at the operation's pace, until there is an answer: throttled requests are asked again.
    ///
    /// # Errors
    /// [`Failure`]: a no; or no answer in three tries; or only throttling, for a minute.
    pub(super) async fn ask<T, E, F>(
        &self,
        operation: &'static str,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let pacer = self.0.iter().find(|(quota, _)| quota.operation == operation).map(|(_, pacer)| pacer);
        let (begun, mut tries, mut back_off) = (Instant::now(), 1, BACK_OFF);
        loop {
            if let Some(pacer) = pacer {
                pacer.turn().await;
            }
            let answer = Box::pin(send()).await.map_err(|error| Failure::of(operation, &error));
            let throttled = answer.as_ref().is_err_and(|failure| failure.cause == Cause::Throttled);
            if let Some(pacer) = pacer {
                pacer.answered(throttled);
            }
            match answer {
                Err(_) if throttled && begun.elapsed() < PATIENCE => {}
                Err(failure) if no_answer(&failure) && tries < TRIES && begun.elapsed() < OPERATION / 2 => {
                    tries += 1;
                }
                answer => return answer,
            }
            tokio::time::sleep(back_off).await;
            back_off = (back_off * 2).min(LONGEST_BACK_OFF);
        }
    }
}

impl fmt::Debug for Paces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = self.0.iter().map(|(quota, pacer)| (quota.operation, pacer.lock().easing.rate()));
        f.debug_map().entries(rates).finish()
    }
}

/// Whether trying again may bring an answer.
fn no_answer(failure: &Failure) -> bool {
    matches!(failure.cause, Cause::TimedOut | Cause::Unreachable)
}

/// One operation's pace: turns in the order in which they were asked for, never closer than the rate allows.
struct Pacer(Mutex<Turns>);

struct Turns {
    easing: Easing,
    next: Instant,
}

impl Pacer {
    fn new(a_second: f64) -> Self {
        let now = Instant::now();
        Self(Mutex::new(Turns { easing: Easing::new(a_second, now), next: now }))
    }

    fn set_rate(&self, a_second: f64) {
        self.lock().easing.set_ceiling(a_second);
    }

    fn answered(&self, throttled: bool) {
        self.lock().easing.answered(throttled, Instant::now());
    }

    async fn turn(&self) {
        let now = Instant::now();
        let at = {
            let mut turns = self.lock();
            let at = turns.next.max(now.checked_sub(CATCH_UP).unwrap_or(now));
            turns.next = at + Duration::from_secs_f64(1.0 / turns.easing.rate());
            at
        };
        if at > now {
            tokio::time::sleep_until(at).await;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Pacer;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn turns_come_no_faster_than_the_rate() {
        let (pacer, start) = (Pacer::new(200.0), Instant::now());
        futures_util::future::join_all((0..401).map(|_| pacer.turn())).await;
        let took = start.elapsed().as_millis();
        assert!((1960..=2010).contains(&took), "{took} ms");
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_pacer_saves_up_next_to_nothing() {
        let pacer = Pacer::new(100.0);
        tokio::time::sleep(std::time::Duration::from_mins(10)).await;
        let start = Instant::now();
        futures_util::future::join_all((0..126).map(|_| pacer.turn())).await;
        assert!(start.elapsed().as_millis() >= 980, "{:?}", start.elapsed());
    }
}
