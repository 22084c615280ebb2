//! How old key material is, and whether that is too old.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::key::{AutomaticRotation, KmsKey};
use super::seen::Seen;

/// One day of rotation policy: 24 hours.
pub const DAY: SignedDuration = SignedDuration::from_hours(24);

/// How old material may get.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgePolicy {
    /// Days; 90 by default. 90 is also the shortest period that KMS rotates at, so a bare `> 90` would flap.
    pub max_days: u32,
    /// Days past the maximum, or past `NextRotationDate`, before a key counts as overdue.
    pub grace_days: u32,
}

impl Default for AgePolicy {
    fn default() -> Self {
        Self { max_days: 90, grace_days: 2 }
    }
}

/// A key's rotation, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationAge {
    /// When the material in use came.
    pub since: Timestamp,
    /// Whole days since then; 0 at the least.
    pub days: u32,
    pub verdict: Verdict,
}

/// What the age policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Within,
    /// Past the policy's days, within the grace.
    Due,
    Overdue,
}

impl RotationAge {
    /// Judges a key at `now`. Loading or not visible while its rotations are.
    ///
    /// Where KMS rotates by itself, its own `NextRotationDate` is what counts if it falls later than the
    /// policy's day only by rounding; a key that rotates at a longer period than the policy allows is judged
    /// on its age, as is one that rotates by hand or not at all.
    #[must_use]
    pub fn of(key: &KmsKey, policy: AgePolicy, now: Timestamp) -> Seen<Self> {
        let since = match key.material_since() {
            Seen::Known(since) => since,
            Seen::Loading => return Seen::Loading,
            Seen::NotVisible(why) => return Seen::NotVisible(why),
        };
        let days = days_between(since, now);
        let grace = DAY * i32::try_from(policy.grace_days).unwrap_or(i32::MAX);
        let limit = since + DAY * i32::try_from(policy.max_days).unwrap_or(i32::MAX);
        let promised = match (&key.rotation, key.automatic_rotation()) {
            (Seen::Known(status), AutomaticRotation::Possible)
                if status.period_days.is_some_and(|p| p <= policy.max_days) =>
            {
                status.next
            }
            _ => None,
        };
        let due = promised.map_or(limit, |next| next.max(limit).min(limit + grace));
        let verdict = if now <= due {
            Verdict::Within
        } else if now <= due + grace {
            Verdict::Due
        } else {
            Verdict::Overdue
        };
        Seen::Known(Self { since, days, verdict })
    }
}

/// Whole days from `from` to `to`; 0 where `to` is earlier.
#[must_use]
pub fn days_between(from: Timestamp, to: Timestamp) -> u32 {
    u32::try_from(to.duration_since(from).as_hours() / 24).unwrap_or(0)
}

/// A span as people say it, in its largest unit: `8 s`, `4 m`, `3 h`, `12 d`. A negative span counts as none.
#[must_use]
pub fn short(span: SignedDuration) -> String {
    let seconds = span.as_secs().max(0);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// How long ago `then` was at `now`, as [`short`].
#[must_use]
pub fn ago(then: Timestamp, now: Timestamp) -> String {
    short(now.duration_since(then))
}

#[cfg(test)]
mod tests {
    use super::short;
    use jiff::SignedDuration;

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let told = |seconds| short(SignedDuration::from_secs(seconds));
        assert_eq!(
            [told(-5), told(59), told(60), told(3600), told(86_400 * 41)],
            ["0 s", "59 s", "1 m", "1 h", "41 d"]
        );
    }
}
