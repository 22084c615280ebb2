//! A pace that several askers keep together.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// Lets one request go at a time, each at least `gap` after the one before.
#[derive(Debug)]
pub(super) struct Pace {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(gap: Duration) -> Self {
        Self { gap, next: Mutex::new(None) }
    }

    /// Waits for this asker's turn. Askers are served in the order in which they came.
    pub(super) async fn turn(&self) {
        let mut next = self.next.lock().await;
        if let Some(at) = *next {
            tokio::time::sleep_until(at).await;
        }
        *next = Some(Instant::now() + self.gap);
    }
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn nobody_goes_before_the_gap_is_over() {
        let (pace, start) = (Pace::new(Duration::from_millis(500)), Instant::now());
        tokio::join!(pace.turn(), pace.turn(), pace.turn());
        assert_eq!(start.elapsed().as_millis() / 100, 10, "the first at once, the third a second later");
    }
}
