//! How old key material is, and whether that is too old.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::key::{AutomaticRotation, KmsKey};
use super::seen::{NotVisible, Seen};
use super::selector::{AliasPattern, KeySelector};

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

/// The age policies of an environment: which of them judges a key, and which keys are let off for a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgePolicies {
    /// For keys that no rule is about.
    pub default: AgePolicy,
    /// The first that is about a key judges it.
    pub rules: Vec<AgeRule>,
    /// The first that is about a key and has not lapsed holds.
    pub exceptions: Vec<AgeException>,
}

/// A policy for some keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeRule {
    pub keys: KeySelector,
    pub policy: AgePolicy,
}

/// Keys that may be older than their policy says, for a reason and for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgeException {
    pub keys: ExceptedKeys,
    pub reason: String,
    /// From the beginning of this day on (UTC) it no longer counts.
    pub expires: Date,
}

/// The keys that an exception is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExceptedKeys {
    /// One key in one Region.
    Arn(KeyArn),
    /// A key by its id: a multi-Region key in all its Regions.
    Id(String),
    /// Those with an alias of this pattern.
    Alias(AliasPattern),
}

/// Which policy judged a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicySource {
    /// The environment's default.
    Default,
    /// A rule, for these keys.
    Rule(KeySelector),
}

impl std::fmt::Display for PolicySource {
    /// `default`, `tag DataClass=pci`, `alias buzz-tutor/archive-*`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Rule(keys) => keys.fmt(f),
        }
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
    /// The policy that judged it.
    pub policy: AgePolicy,
    /// Which one that is.
    pub source: PolicySource,
    /// Rules that come before that policy and may be about the key: what they ask of it cannot be seen.
    pub unjudged: Option<Unjudged>,
    /// The exception that holds.
    pub exception: Option<AgeException>,
    /// An exception that was made for the key and no longer counts; where one holds there is none.
    pub lapsed: Option<AgeException>,
}

/// Why a rule could not be held against a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// The first rule of that kind.
    pub rule: KeySelector,
    pub policy: AgePolicy,
    pub why: NotVisible,
}

/// What the age policy says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Within,
    /// Past the policy's days, and an exception lets it be.
    Excepted,
    /// Whether it is too old hangs on a rule that could not be held against it.
    Unjudged,
    /// Past the policy's days, within the grace.
    Due,
    Overdue,
}

impl Verdict {
    /// The word for it on screen.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Within => "within",
            Self::Excepted => "excepted",
            Self::Unjudged => "cannot tell",
            Self::Due => "due",
            Self::Overdue => "overdue",
        }
    }
}

impl Verdict {
    /// What is certain where either verdict may be the one.
    fn or(self, other: Self) -> Self {
        match (self.min(other), self.max(other)) {
            (milder, stricter) if milder == stricter => milder,
            (Self::Within, _) => Self::Unjudged,
            (milder, _) => milder,
        }
    }
}

/// The policy that a key falls under, before its age is looked at.
struct Applicable {
    policy: AgePolicy,
    source: PolicySource,
    /// Every rule before it that could not be held against the key.
    hidden: Vec<Unjudged>,
}

impl AgePolicies {
    /// The same policy for every key, without exceptions.
    #[must_use]
    pub fn all(default: AgePolicy) -> Self {
        Self { default, ..Self::default() }
    }

    fn applicable(&self, key: &KmsKey) -> Applicable {
        let mut hidden = Vec::new();
        for rule in &self.rules {
            match rule.keys.selects(key) {
                Ok(true) => {
                    let source = PolicySource::Rule(rule.keys.clone());
                    return Applicable { policy: rule.policy, source, hidden };
                }
                Ok(false) => {}
                Err(why) => hidden.push(Unjudged { rule: rule.keys.clone(), policy: rule.policy, why }),
            }
        }
        Applicable { policy: self.default, source: PolicySource::Default, hidden }
    }

    /// The exception that holds for a key at `now`; else, last, the one that lapsed.
    fn exception(&self, key: &KmsKey, now: Timestamp) -> (Option<AgeException>, Option<AgeException>) {
        let (mut holding, lapsed): (Vec<_>, Vec<_>) =
            self.exceptions.iter().filter(|one| one.keys.hold(key)).partition(|one| one.holds(now));
        if holding.is_empty() {
            let latest = lapsed.into_iter().max_by_key(|one| one.expires);
            return (None, latest.cloned());
        }
        (Some(holding.remove(0).clone()), None)
    }
}

impl AgeException {
    /// Whether it counts at `now`.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        TimeZone::UTC.to_datetime(now).date() < self.expires
    }
}

impl ExceptedKeys {
    fn hold(&self, key: &KmsKey) -> bool {
        match self {
            Self::Arn(arn) => key.arn == *arn,
            Self::Id(id) => key.arn.id() == id,
            // Without aliases no exception is granted: the stricter reading.
            Self::Alias(pattern) => key
                .aliases
                .known()
                .is_some_and(|aliases| aliases.iter().any(|alias| pattern.matches(alias.raw()))),
        }
    }
}

impl RotationAge {
    /// Judges a key at `now`. Loading or not visible while its rotations are.
    ///
    /// Where KMS rotates by itself, its own `NextRotationDate` is what counts if it falls later than the
    /// policy's day only by rounding; a key that rotates at a longer period than the policy allows is judged
    /// on its age, as is one that rotates by hand or not at all.
    ///
    /// Where a rule cannot be held against the key because its tags or aliases cannot be seen, the key is
    /// judged by each policy that it may fall under; if only some find it too old, the verdict is
    /// [`Verdict::Unjudged`].
    #[must_use]
    pub fn of(key: &KmsKey, policies: &AgePolicies, now: Timestamp) -> Seen<Self> {
        key.material_since().map(|since| {
            let Applicable { policy, source, hidden } = policies.applicable(key);
            let mut verdict = judge(key, since, policy, now);
            for rule in &hidden {
                verdict = verdict.or(judge(key, since, rule.policy, now));
            }
            let (exception, lapsed) = policies.exception(key, now);
            if exception.is_some() && verdict != Verdict::Within {
                verdict = Verdict::Excepted;
            }
            Self {
                since,
                days: days_between(since, now),
                verdict,
                policy,
                source,
                unjudged: hidden.into_iter().next(),
                exception,
                lapsed,
            }
        })
    }

    /// The age as percent of the days that the policy allows.
    #[must_use]
    pub fn percent(&self) -> u32 {
        let percent = u64::from(self.days) * 100 / u64::from(self.policy.max_days.max(1));
        u32::try_from(percent).unwrap_or(u32::MAX)
    }

    /// The policy in words: `90 d by default`, `30 d by tag DataClass=pci`.
    #[must_use]
    pub fn policy_told(&self) -> String {
        format!("{} d by {}", self.policy.max_days, self.source)
    }
}

/// What one policy says of material that came at `since`.
fn judge(key: &KmsKey, since: Timestamp, policy: AgePolicy, now: Timestamp) -> Verdict {
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
    if now <= due {
        Verdict::Within
    } else if now <= due + grace {
        Verdict::Due
    } else {
        Verdict::Overdue
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
#[path = "age_tests.rs"]
mod tests;
