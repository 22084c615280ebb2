//! Answers to calls for facts, and the lack of them.

use std::collections::BTreeMap;

use crate::model::key::{Grant, LastUse, RotationRecord, RotationStatus};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::text::Untrusted;

use super::facts::Fact;

/// The answer to a call for a fact.
#[derive(Debug)]
pub(super) enum Told {
    RotationStatus(Seen<RotationStatus>),
    Tags(Seen<BTreeMap<String, Untrusted>>),
    Rotations(Seen<Vec<RotationRecord>>),
    Policy(Seen<Untrusted>),
    Grants(Seen<Vec<Grant>>),
    LastUse(Seen<LastUse>),
}

impl Told {
    /// Which fact it tells.
    pub(super) fn fact(&self) -> Fact {
        match self {
            Self::RotationStatus(_) => Fact::RotationStatus,
            Self::Tags(_) => Fact::Tags,
            Self::Rotations(_) => Fact::Rotations,
            Self::Policy(_) => Fact::Policy,
            Self::Grants(_) => Fact::Grants,
            Self::LastUse(_) => Fact::LastUse,
        }
    }

    /// Whether it is the lack of an answer.
    pub(super) fn silence(&self) -> Option<&NotVisible> {
        let why = match self {
            Self::RotationStatus(told) => told.not_visible(),
            Self::Tags(told) => told.not_visible(),
            Self::Rotations(told) => told.not_visible(),
            Self::Policy(told) => told.not_visible(),
            Self::Grants(told) => told.not_visible(),
            Self::LastUse(told) => told.not_visible(),
        };
        why.filter(|why| is_silence(why))
    }

    /// The same silence, for another key's fact.
    pub(super) fn silent(fact: Fact, why: NotVisible) -> Self {
        match fact {
            Fact::RotationStatus => Self::RotationStatus(Seen::NotVisible(why)),
            Fact::Tags => Self::Tags(Seen::NotVisible(why)),
            Fact::Rotations => Self::Rotations(Seen::NotVisible(why)),
            Fact::Policy => Self::Policy(Seen::NotVisible(why)),
            Fact::Grants => Self::Grants(Seen::NotVisible(why)),
            Fact::LastUse => Self::LastUse(Seen::NotVisible(why)),
        }
    }
}

/// Whether this is the lack of an answer rather than an answer.
pub(super) fn is_silence(why: &NotVisible) -> bool {
    match why.cause {
        Cause::TimedOut | Cause::Throttled | Cause::Unreachable | Cause::Unreadable => true,
        Cause::Denied | Cause::NotFound | Cause::Unsupported => false,
    }
}
