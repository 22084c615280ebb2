//! Which facts have calls of their own, who wants them, and how old each may get.

use std::time::Duration;

/// A fact of a key that has a call of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fact {
    /// `GetKeyRotationStatus`.
    RotationStatus,
    /// `ListResourceTags`.
    Tags,
    /// `ListKeyRotations`: what the age of the material follows from.
    Rotations,
    /// `GetKeyPolicy`.
    Policy,
    /// `ListGrants`.
    Grants,
    /// `GetKeyLastUsage`, of which KMS answers five a second.
    LastUse,
}

impl Fact {
    /// In the order in which they are most worth having.
    pub const ALL: [Self; 6] =
        [Self::RotationStatus, Self::Tags, Self::Rotations, Self::Policy, Self::Grants, Self::LastUse];

    /// As IAM writes the call.
    #[must_use]
    pub fn operation(self) -> &'static str {
        match self {
            Self::RotationStatus => "kms:GetKeyRotationStatus",
            Self::Tags => "kms:ListResourceTags",
            Self::Rotations => "kms:ListKeyRotations",
            Self::Policy => "kms:GetKeyPolicy",
            Self::Grants => "kms:ListGrants",
            Self::LastUse => "kms:GetKeyLastUsage",
        }
    }

    /// Requests in flight at once: as many as reach the quota (half of it for tags, which nobody waits for) where
    /// an answer takes 100 ms. Each holds a connection.
    pub(super) fn in_flight(self) -> usize {
        match self {
            Self::RotationStatus | Self::Tags => 96,
            Self::Policy | Self::Rotations | Self::Grants => 32,
            Self::LastUse => 3,
        }
    }

    /// How old it may get while nothing tells of a change.
    pub(super) fn may_be_old(self) -> Duration {
        match self {
            Self::RotationStatus | Self::Tags => Duration::from_hours(1),
            Self::Rotations => Duration::from_hours(2),
            Self::Policy | Self::Grants => Duration::from_hours(3),
            Self::LastUse => Duration::from_mins(30),
        }
    }

    /// How old it may get for a key that somebody looks at.
    pub(super) fn may_be_old_on_screen(self) -> Duration {
        match self {
            Self::Rotations => self.may_be_old(),
            Self::RotationStatus | Self::Tags | Self::Policy | Self::Grants => Duration::from_mins(5),
            Self::LastUse => Duration::from_mins(2),
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The facts that are wanted. A key's state always is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wants(u8);

impl Wants {
    /// States alone: what the gate's target is found by.
    pub const STATES: Self = Self(0);
    /// What the rows of the Keys screen need, but for the last use: rotation, age, tags.
    pub const TABLE: Self =
        Self(1 << Fact::RotationStatus as u8 | 1 << Fact::Tags as u8 | 1 << Fact::Rotations as u8);
    /// Everything.
    pub const ALL: Self = Self((1 << Fact::ALL.len()) - 1);

    /// These and one more.
    #[must_use]
    pub const fn with(self, fact: Fact) -> Self {
        Self(self.0 | 1 << fact as u8)
    }

    /// Whether a fact is among them.
    #[must_use]
    pub fn has(self, fact: Fact) -> bool {
        self.0 & fact.bit() != 0
    }

    pub(super) fn add(&mut self, fact: Fact) {
        self.0 |= fact.bit();
    }

    pub(super) fn take(&mut self, fact: Fact) {
        self.0 &= !fact.bit();
    }
}

/// Moments since some beginning, kept small: an inventory has several for each of 100,000 keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Moment(Option<std::num::NonZeroU32>);

impl Moment {
    pub(super) fn now(beginning: tokio::time::Instant) -> Self {
        let tenths = u32::try_from(beginning.elapsed().as_millis() / 100).unwrap_or(u32::MAX - 1);
        Self(std::num::NonZeroU32::new(tenths + 1))
    }

    pub(super) fn is_never(self) -> bool {
        self.0.is_none()
    }

    /// Whether it is at least so long before `now`, or never was.
    pub(super) fn is_older(self, age: Duration, now: Self) -> bool {
        let (Some(then), Some(now)) = (self.0, now.0) else { return true };
        u128::from(now.get().saturating_sub(then.get())) * 100 >= age.as_millis()
    }
}

/// When what was last asked of a key.
#[derive(Clone, Debug)]
pub(super) struct Book {
    pub described: Moment,
    asked: [Moment; Fact::ALL.len()],
    /// Asked, and the answer is not there yet.
    pub under_way: Wants,
    /// Something tells that these have changed.
    pub stale: Wants,
    /// These brought no answer: they are asked again soon.
    pub silent: Wants,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            described: Moment::default(),
            asked: [Moment::default(); Fact::ALL.len()],
            under_way: Wants::STATES,
            stale: Wants::STATES,
            silent: Wants::STATES,
        }
    }
}

impl Book {
    pub(super) fn asked(&self, fact: Fact) -> Moment {
        self.asked[fact as usize]
    }

    /// Notes an answer, or the lack of one.
    pub(super) fn answered(&mut self, fact: Fact, silent: bool, now: Moment) {
        self.asked[fact as usize] = now;
        self.under_way.take(fact);
        self.stale.take(fact);
        if silent { self.silent.add(fact) } else { self.silent.take(fact) }
    }

    pub(super) fn forget(&mut self) {
        *self = Self { under_way: self.under_way, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::{Fact, Wants};

    #[test]
    fn wants_hold_what_was_put_in_and_nothing_else() {
        for fact in Fact::ALL {
            assert!(Wants::ALL.has(fact) && !Wants::STATES.has(fact));
            let mut wants = Wants::STATES.with(fact);
            assert_eq!(Fact::ALL.iter().filter(|one| wants.has(**one)).count(), 1);
            wants.take(fact);
            assert_eq!(wants, Wants::STATES);
        }
        assert!(Wants::TABLE.has(Fact::Rotations) && !Wants::TABLE.has(Fact::LastUse));
    }
}
