//! How often each thing is read, and how fast.

use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::time::{Interval, MissedTickBehavior};

/// Between two published inventories.
pub(super) const BETWEEN_PUBLISHED: Duration = Duration::from_millis(100);
/// Between two reads of all states, where the account is small.
pub(super) const STATES: Duration = Duration::from_secs(30);
/// Between two reads of a SQL catalog, of RDS, and of keys that belong to others.
pub(super) const CATALOG: Duration = Duration::from_mins(5);
/// How old a key's rotation, tags, grants and policy may get.
pub(super) const FACTS: Duration = Duration::from_mins(10);
/// How old a key's last use may get.
pub(super) const LAST_USE: Duration = Duration::from_mins(10);
/// `DescribeKey` requests in flight at once.
pub(super) const DESCRIBES_IN_FLIGHT: usize = 32;
/// Keys whose facts are read at once.
pub(super) const FACTS_IN_FLIGHT: usize = 8;
/// Between two `DescribeKey` requests: a quarter of the 2,000 a second that an account has.
const DESCRIBE: Duration = Duration::from_millis(2);
/// Between two keys' facts: two thirds of the 100 `ListGrants` and `ListKeyRotations` a second.
const KEY_FACTS: Duration = Duration::from_millis(15);
/// Between two `GetKeyLastUsage` requests, of which an account has five a second.
const KEY_LAST_USE: Duration = Duration::from_millis(220);
/// Averaged over a cycle, states are read no faster than this many keys a second.
const KEYS_A_SECOND: u64 = 100;
/// No source is left alone for longer, however often it fails.
const MOST: Duration = Duration::from_mins(5);

/// Turns, one after the other, never closer than a given time.
#[derive(Debug)]
pub(super) struct Pace(Mutex<Interval>);

impl Pace {
    fn every(period: Duration) -> Self {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self(Mutex::new(interval))
    }

    pub(super) fn of_describes() -> Self {
        Self::every(DESCRIBE)
    }

    pub(super) fn of_facts() -> Self {
        Self::every(KEY_FACTS)
    }

    pub(super) fn of_last_use() -> Self {
        Self::every(KEY_LAST_USE)
    }

    /// Waits for the next turn.
    pub(super) async fn turn(&self) {
        self.0.lock().await.tick().await;
    }
}

/// How long to leave a source alone: its usual time, doubled with each failure on end.
#[derive(Debug)]
pub(super) struct Rest {
    usual: Duration,
    failures: u32,
}

impl Rest {
    pub(super) fn of(usual: Duration) -> Self {
        Self { usual, failures: 0 }
    }

    /// The rest after a read of `keys` keys that went well or not.
    pub(super) fn after(&mut self, went_well: bool, keys: usize) -> Duration {
        self.failures = if went_well { 0 } else { self.failures.saturating_add(1) };
        let gentle = Duration::from_secs(keys as u64 / KEYS_A_SECOND);
        // A failing source is looked at again soon at first, whatever its usual time.
        let base = if went_well { self.usual } else { self.usual.min(STATES) };
        base.max(gentle).saturating_mul(1 << self.failures.saturating_sub(1).min(4)).min(MOST.max(gentle))
    }
}

/// Rests, or until somebody wishes everything read `again`.
pub(super) async fn rest(time: Duration, again: &mut watch::Receiver<u64>) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        // It ends only with the work itself.
        _ = again.changed() => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{CATALOG, Rest, STATES};
    use std::time::Duration;

    #[test]
    fn a_failing_source_is_left_alone_for_longer_and_longer_and_then_forgiven() {
        let mut rest = Rest::of(STATES);
        let seconds: Vec<u64> = [true, false, false, false, false, false, false, true]
            .map(|well| rest.after(well, 40).as_secs())
            .into();
        assert_eq!(seconds, [30, 30, 60, 120, 240, 300, 300, 30]);
    }

    #[test]
    fn a_failed_catalog_is_tried_again_before_its_usual_time() {
        assert_eq!(Rest::of(CATALOG).after(false, 0), STATES);
        assert_eq!(Rest::of(CATALOG).after(true, 0), CATALOG);
    }

    #[test]
    fn a_large_account_is_read_more_slowly() {
        assert_eq!(Rest::of(STATES).after(true, 100_000), Duration::from_secs(1000));
    }
}
