//! How often each thing is read. How fast KMS may be asked is `cloud::quota`'s affair.

use std::time::Duration;

use tokio::sync::watch;

/// Between two published inventories.
pub(super) const BETWEEN_PUBLISHED: Duration = Duration::from_millis(100);
/// Between two reads of all states, where the account is small.
pub(super) const STATES: Duration = Duration::from_secs(30);
/// How old the state of a key may get that somebody looks at.
pub(super) const STATES_ON_SCREEN: Duration = Duration::from_secs(10);
/// How old the state of AWS's own keys may get.
pub(super) const AWS_KEYS: Duration = Duration::from_mins(10);
/// Between two reads of a SQL catalog, of RDS, and of keys that belong to others.
pub(super) const CATALOG: Duration = Duration::from_mins(5);
/// Between two looks at which facts have grown too old.
pub(super) const FACTS: Duration = Duration::from_secs(20);
/// Between two writes of the inventory to disk.
pub(super) const KEPT: Duration = Duration::from_mins(5);
/// `DescribeKey` requests in flight at once: as many as reach the quota where an answer takes 100 ms.
pub(super) const DESCRIBES_IN_FLIGHT: usize = 192;
/// After so many requests on end that brought no answer at all, the others are not even sent.
pub(super) const SILENCES: usize = 24;
/// Averaged over a cycle, states are read no faster than this many keys a second.
const KEYS_A_SECOND: u64 = 100;
/// No source is left alone for longer, however often it fails.
const MOST: Duration = Duration::from_mins(5);

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

/// Rests, or until somebody wishes everything read `again`; says whether somebody did.
pub(super) async fn rest(time: Duration, again: &mut watch::Receiver<u64>) -> bool {
    tokio::select! {
        () = tokio::time::sleep(time) => false,
        // It ends only with the work itself.
        _ = again.changed() => true,
    }
}

/// Counts requests on end that brought no answer, so that a Region that is out of reach is not asked for each
/// of its keys: that would take every one's own timeout.
#[derive(Debug, Default)]
pub(super) struct Silences(usize);

impl Silences {
    pub(super) fn note(&mut self, silent: bool) {
        self.0 = if silent { self.0 + 1 } else { 0 };
    }

    /// Whether to ask no more.
    pub(super) fn are_too_many(&self) -> bool {
        self.0 >= SILENCES
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
