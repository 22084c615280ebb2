//! The virtual clock that the whole simulated account runs on.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// Virtual time: it stands still, or runs at a multiple of the machine's monotonic clock, and can be moved forward.
#[derive(Clone, Debug)]
pub struct VirtualClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    base: Timestamp,
    since: Instant,
    /// Virtual seconds for each real second; 0 stands still.
    speed: f64,
}

impl VirtualClock {
    /// A clock that stands at `start` until it is moved.
    #[must_use]
    pub fn frozen(start: Timestamp) -> Self {
        Self::running(start, 0.0)
    }

    /// A clock that shows `start` now and goes on at `speed` virtual seconds a second (0 or more).
    #[must_use]
    pub fn running(start: Timestamp, speed: f64) -> Self {
        Self(Arc::new(Mutex::new(State { base: start, since: Instant::now(), speed })))
    }

    /// The current virtual time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.lock().now()
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.lock();
        state.base = state.now() + by;
        state.since = Instant::now();
    }

    /// Changes the speed from now on.
    pub fn set_speed(&self, speed: f64) {
        let mut state = self.lock();
        state.base = state.now();
        state.since = Instant::now();
        state.speed = speed;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> Timestamp {
        self.base + SignedDuration::from_secs_f64(self.since.elapsed().as_secs_f64() * self.speed)
    }
}
