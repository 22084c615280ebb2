//! How fast to ask where the answer to "too fast" is a throttled request.
//!
//! An account's quota is shared with everybody else who calls AWS there, so the rate that is left for us can only
//! be found by asking. Answers are counted in windows. A window with too many throttled requests is taken as a
//! reason to slow down, by the share that was throttled at least; one without lets the rate come back. Where
//! slowing down does not help, because the throttling has other causes than our own rate, the former rate is
//! taken up again and throttled requests are merely asked again.

use std::time::Duration;

use tokio::time::Instant;

/// A window holds at least so many answers over at least so much time; a slow one ends with fewer.
const ANSWERS: u32 = 40;
const WINDOW: Duration = Duration::from_millis(250);
const FEW_ANSWERS: u32 = 5;
const LONG_WINDOW: Duration = Duration::from_secs(2);
/// Up to this share of throttled requests nothing is wrong.
const TOLERATED: f64 = 0.03;
/// The least that a step down takes off.
const STEP_DOWN: f64 = 0.25;
/// What a step up adds, of the ceiling.
const STEP_UP: f64 = 0.05;
/// The slowest, of the ceiling.
const FLOOR: f64 = 0.02;
/// A share that is still above this part of what it was has not been helped by slowing down.
const HELPED: f64 = 0.5;
/// Above this share nobody goes back to a former rate.
const HEAVY: f64 = 0.3;
/// For so many windows a rate that slowing down did not help is left alone.
const LEFT_ALONE: u32 = 40;

/// A rate that finds out how fast it may be.
#[derive(Clone, Debug)]
pub(super) struct Easing {
    ceiling: f64,
    rate: f64,
    mood: Mood,
    begun: Instant,
    answers: u32,
    throttled: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// At the ceiling, or on the way back to it.
    Steady,
    /// Slowed down in the last window, from this rate, for this share.
    Eased { from: f64, share: f64 },
    /// Slowing down did not help with this share.
    Unmoved { share: f64, windows: u32 },
}

impl Easing {
    /// A rate of `ceiling` requests a second.
    pub(super) fn new(ceiling: f64, now: Instant) -> Self {
        Self { ceiling, rate: ceiling, mood: Mood::Steady, begun: now, answers: 0, throttled: 0 }
    }

    /// Requests a second, now.
    pub(super) fn rate(&self) -> f64 {
        self.rate
    }

    /// Sets the fastest that is wanted from now on. A rate that throttling keeps lower stays where it is.
    pub(super) fn set_ceiling(&mut self, ceiling: f64) {
        let at_ceiling = self.rate >= self.ceiling;
        self.ceiling = ceiling;
        self.rate = if at_ceiling { ceiling } else { self.rate.clamp(ceiling * FLOOR, ceiling) };
    }

    /// Takes an answer into account.
    pub(super) fn answered(&mut self, throttled: bool, now: Instant) {
        self.answers += 1;
        self.throttled += u32::from(throttled);
        let passed = now.duration_since(self.begun);
        let full = self.answers >= ANSWERS && passed >= WINDOW;
        if full || (self.answers >= FEW_ANSWERS && passed >= LONG_WINDOW) {
            let share = f64::from(self.throttled) / f64::from(self.answers);
            self.window_ended(share);
            (self.begun, self.answers, self.throttled) = (now, 0, 0);
        }
    }

    fn window_ended(&mut self, share: f64) {
        match self.mood {
            Mood::Steady if share > TOLERATED => self.ease(share),
            Mood::Steady => self.quicken(),
            Mood::Eased { from, share: before } if share > before * HELPED => {
                if share > HEAVY {
                    self.ease(share);
                } else {
                    self.rate = from;
                    self.mood = Mood::Unmoved { share: before.max(share), windows: LEFT_ALONE };
                }
            }
            Mood::Unmoved { share: known, .. } if share > known * 2.0 + TOLERATED => self.ease(share),
            Mood::Eased { .. } | Mood::Unmoved { windows: 0, .. } => self.mood = Mood::Steady,
            Mood::Unmoved { share, windows } => {
                self.quicken();
                self.mood = Mood::Unmoved { share, windows: windows - 1 };
            }
        }
    }

    fn ease(&mut self, share: f64) {
        self.mood = Mood::Eased { from: self.rate, share };
        self.rate = (self.rate * (1.0 - share.max(STEP_DOWN))).max(self.ceiling * FLOOR);
    }

    fn quicken(&mut self) {
        self.rate = (self.rate + self.ceiling * STEP_UP).min(self.ceiling);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand::rngs::SmallRng;
    use rand::{Rng as _, SeedableRng as _};
    use tokio::time::Instant;

    use super::Easing;

    /// Asks as fast as the rate allows for so many seconds; gives how many were answered and how many throttled.
    fn ask(easing: &mut Easing, seconds: f64, mut is_refused: impl FnMut(f64) -> bool) -> (f64, f64) {
        let start = Instant::now();
        let (mut at, mut good, mut bad) = (0.0, 0.0, 0.0);
        while at < seconds {
            let throttled = is_refused(at);
            if throttled {
                bad += 1.0;
            } else {
                good += 1.0;
            }
            easing.answered(throttled, start + Duration::from_secs_f64(at));
            at += 1.0 / easing.rate();
        }
        (good, bad)
    }

    /// AWS's side: a bucket that holds one second's worth.
    fn bucket(quota: f64) -> impl FnMut(f64) -> bool {
        let (mut tokens, mut last) = (quota, 0.0);
        move |at| {
            tokens = (tokens + (at - last) * quota).min(quota);
            last = at;
            let admitted = tokens >= 1.0;
            tokens -= f64::from(u8::from(admitted));
            !admitted
        }
    }

    #[test]
    fn a_quota_that_others_use_too_is_used_and_seldom_overrun() {
        for (ceiling, left) in [(1800.0, 700.0), (90.0, 40.0), (900.0, 850.0)] {
            let mut easing = Easing::new(ceiling, Instant::now());
            let (good, bad) = ask(&mut easing, 120.0, bucket(left));
            assert!(good > left * 120.0 * 0.75, "{ceiling}, {left}: only {good} answered");
            assert!(bad < good * 0.15, "{ceiling}, {left}: {bad} throttled of {}", good + bad);
        }
    }

    #[test]
    fn throttling_that_slowing_down_does_not_help_costs_little() {
        for ceiling in [1800.0, 900.0, 90.0] {
            for seed in 0..5 {
                let mut rng = SmallRng::seed_from_u64(seed);
                let mut easing = Easing::new(ceiling, Instant::now());
                let (good, _) = ask(&mut easing, 100.0, |_| rng.random_bool(0.1));
                assert!(good > ceiling * 100.0 / 1.4, "{ceiling}: only {good} answered");
            }
        }
    }

    #[test]
    fn it_comes_back_once_the_others_have_gone() {
        let mut easing = Easing::new(1000.0, Instant::now());
        ask(&mut easing, 30.0, bucket(100.0));
        assert!(easing.rate() < 250.0, "{}", easing.rate());
        ask(&mut easing, 60.0, |_| false);
        assert!((easing.rate() - 1000.0).abs() < 1.0, "{}", easing.rate());
    }

    #[test]
    fn a_lower_ceiling_holds_at_once() {
        let mut easing = Easing::new(1000.0, Instant::now());
        easing.set_ceiling(100.0);
        assert!((easing.rate() - 100.0).abs() < 0.1);
        easing.set_ceiling(1000.0);
        assert!((easing.rate() - 1000.0).abs() < 0.1);
    }
}
