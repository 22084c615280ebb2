//! Who used a key, counted from the trail.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::event::{KeyEvent, Outcome};
use super::text::Untrusted;

/// What "of late" means where a key's use is counted in one figure.
pub const RECENT: SignedDuration = SignedDuration::from_hours(1);

/// Calls that use a key cryptographically, as CloudTrail names them.
const CRYPTOGRAPHIC: [&str; 12] = [
    "Decrypt",
    "DeriveSharedSecret",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateDataKeyWithoutPlaintext",
    "GenerateMac",
    "ReEncrypt",
    "Sign",
    "Verify",
    "VerifyMac",
];

/// Whether a call of KMS uses a key cryptographically.
#[must_use]
pub fn is_cryptographic(event_name: &str) -> bool {
    CRYPTOGRAPHIC.contains(&event_name)
}

/// Who used a key from `since` to `until`. CloudTrail delivers some minutes late, so the last ones may lack events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From here on every use is counted that CloudTrail has delivered; before it nothing is known.
    pub since: Timestamp,
    pub until: Timestamp,
    /// The busiest first. Some may only have been refused.
    pub users: Vec<KeyUser>,
}

/// One who used the key, or tried to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyUser {
    /// The person or program, as near as the trail tells.
    pub name: Untrusted,
    /// The role acted through.
    pub role: Option<Untrusted>,
    pub account: Option<String>,
    /// The AWS service that called for them, e.g. `rds.amazonaws.com`.
    pub through: Option<Untrusted>,
    /// Uses that succeeded, by call.
    pub operations: BTreeMap<Untrusted, usize>,
    /// How many of them in the last hour before [`Usage::until`].
    pub recent: usize,
    /// Tries that were denied, or failed for another reason (the key was disabled, the ciphertext another's).
    pub refused: usize,
    /// How many of these in the last hour.
    pub recently_refused: usize,
    /// The last use or try.
    pub last: Timestamp,
}

impl KeyUser {
    /// Uses that succeeded.
    #[must_use]
    pub fn uses(&self) -> usize {
        self.operations.values().sum()
    }
}

/// What makes two callers one.
type Caller = (Untrusted, Option<Untrusted>, Option<String>, Option<Untrusted>);

impl Usage {
    /// Counts the use of `key` among `events`, which hold all that is known from `since` to `until`. An event that
    /// comes twice counts twice; dry runs use nothing.
    #[must_use]
    pub fn tally<'a>(
        key: &KeyArn,
        events: impl IntoIterator<Item = &'a KeyEvent>,
        since: Timestamp,
        until: Timestamp,
    ) -> Self {
        let mut users: BTreeMap<Caller, KeyUser> = BTreeMap::new();
        let counts = |event: &&KeyEvent| {
            event.at >= since
                && event.is_use()
                && event.keys.contains(key)
                && event.outcome != Outcome::DryRun
        };
        for event in events.into_iter().filter(counts) {
            let user = users.entry(caller(event)).or_insert_with(|| KeyUser::new(event));
            user.last = user.last.max(event.at);
            let is_recent = usize::from(until.duration_since(event.at) <= RECENT);
            if event.outcome == Outcome::Allowed {
                *user.operations.entry(event.name.clone()).or_default() += 1;
                user.recent += is_recent;
            } else {
                user.refused += 1;
                user.recently_refused += is_recent;
            }
        }
        let mut users: Vec<KeyUser> = users.into_values().collect();
        users.sort_by_key(|user| std::cmp::Reverse((user.uses(), user.refused)));
        Self { since, until, users }
    }

    /// How often the key was used, all in all.
    #[must_use]
    pub fn uses(&self) -> usize {
        self.users.iter().map(KeyUser::uses).sum()
    }

    /// How often a use was refused.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.users.iter().map(|user| user.refused).sum()
    }

    /// The same in the last hour.
    #[must_use]
    pub fn recently_refused(&self) -> usize {
        self.users.iter().map(|user| user.recently_refused).sum()
    }

    /// Uses in the last hour, and by how many; of a shorter time where less is known.
    #[must_use]
    pub fn recent(&self) -> (usize, usize) {
        let recent = || self.users.iter().map(|user| user.recent).filter(|uses| *uses > 0);
        (recent().sum(), recent().count())
    }

    /// Whether the whole of the last hour is known.
    #[must_use]
    pub fn knows_the_last_hour(&self) -> bool {
        self.until.duration_since(self.since) >= RECENT
    }
}

impl KeyUser {
    fn new(event: &KeyEvent) -> Self {
        let (name, role, account, through) = caller(event);
        Self {
            name,
            role,
            account,
            through,
            operations: BTreeMap::new(),
            recent: 0,
            refused: 0,
            recently_refused: 0,
            last: event.at,
        }
    }
}

fn caller(event: &KeyEvent) -> Caller {
    // For a call that a service makes, CloudTrail gives the service's name in the place of an address.
    let through = Some(&event.from).filter(|from| from.raw().ends_with(".amazonaws.com")).cloned();
    (event.who.name.clone(), event.who.role.clone(), event.who.account.clone(), through)
}

/// Since when a key has been down, as far as `events` tell, which come newest first: the first drop after it was
/// last enabled. None where they do not reach back to a drop, or where the newest change enabled it.
#[must_use]
pub fn down_since<'a>(key: &KeyArn, events: impl IntoIterator<Item = &'a KeyEvent>) -> Option<Timestamp> {
    let changed = |event: &&KeyEvent| event.outcome == Outcome::Allowed && event.keys.contains(key);
    let mut since = None;
    for event in events.into_iter().filter(changed) {
        match event.name.raw() {
            "EnableKey" => break,
            "DisableKey" | "ScheduleKeyDeletion" => since = Some(event.at),
            _ => {}
        }
    }
    since
}

#[cfg(test)]
mod tests {
    use super::{Usage, down_since};
    use crate::model::arn::KeyArn;
    use crate::model::event::{KeyEvent, Outcome, Who};
    use crate::model::text::Untrusted;
    use jiff::{SignedDuration, Timestamp};

    fn now() -> Timestamp {
        "2026-11-23T14:00:00Z".parse().unwrap()
    }

    fn key(n: u32) -> KeyArn {
        format!("arn:aws:kms:eu-west-1:111122223333:key/{n:08}-0000-4000-8000-000000000000").parse().unwrap()
    }

    fn event(name: &str, who: &str, minutes_ago: i64) -> KeyEvent {
        KeyEvent {
            id: format!("{name}-{who}-{minutes_ago}"),
            at: now() - SignedDuration::from_mins(minutes_ago),
            name: name.into(),
            source: "kms.amazonaws.com".into(),
            region: "eu-west-1".into(),
            who: Who { name: who.into(), account: Some("111122223333".into()), ..Who::default() },
            keys: vec![key(1)],
            from: "10.20.1.17".into(),
            user_agent: "sdk".into(),
            read_only: Some(true),
            ..KeyEvent::default()
        }
    }

    fn denied(event: KeyEvent) -> KeyEvent {
        KeyEvent { outcome: Outcome::Denied { code: "AccessDenied".into(), message: "".into() }, ..event }
    }

    #[test]
    fn each_caller_is_counted_apart_and_refused_tries_apart_from_uses() {
        let events = [
            event("Decrypt", "app", 1),
            event("Decrypt", "app", 61),
            event("GenerateDataKey", "app", 2),
            KeyEvent { from: "rds.amazonaws.com".into(), ..event("Decrypt", "app", 3) },
            denied(event("Decrypt", "mallory", 4)),
            event("DescribeKey", "app", 1),
            KeyEvent { keys: vec![key(2)], ..event("Decrypt", "app", 1) },
            KeyEvent { outcome: Outcome::DryRun, ..event("Encrypt", "tester", 1) },
            event("Decrypt", "app", 200),
        ];
        let usage = Usage::tally(&key(1), &events, now() - SignedDuration::from_hours(2), now());
        let told: Vec<_> = usage
            .users
            .iter()
            .map(|u| (u.name.raw(), u.through.as_ref().map(Untrusted::raw), u.uses(), u.recent, u.refused))
            .collect();
        assert_eq!(
            told,
            [("app", None, 3, 2, 0), ("app", Some("rds.amazonaws.com"), 1, 1, 0), ("mallory", None, 0, 0, 1)]
        );
        assert_eq!((usage.uses(), usage.refused(), usage.recent()), (4, 1, (3, 2)));
        assert!(usage.knows_the_last_hour());
    }

    #[test]
    fn a_key_is_down_since_the_first_drop_after_it_was_last_enabled() {
        let change = |name: &str, minutes: i64| event(name, "oncall-b", minutes);
        let at = |minutes| Some(now() - SignedDuration::from_mins(minutes));
        let since = |events: &[KeyEvent]| down_since(&key(1), events);
        assert_eq!(since(&[]), None);
        assert_eq!(since(&[change("EnableKey", 1), change("DisableKey", 2)]), None);
        assert_eq!(since(&[change("DisableKey", 1), change("DisableKey", 5), change("EnableKey", 9)]), at(5));
        let cancelled = [change("CancelKeyDeletion", 1), change("ScheduleKeyDeletion", 4)];
        assert_eq!(since(&cancelled), at(4), "cancelling leaves it disabled");
        assert_eq!(since(&[denied(change("DisableKey", 1)), change("EnableKey", 3)]), None);
        assert_eq!(down_since(&key(2), &cancelled), None);
    }
}
