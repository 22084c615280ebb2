//! The word for each state in filters and in `--fail-on`: one without blanks.

use crate::model::key::KeyState;

use super::present::StateKind;

impl StateKind {
    /// All, the most urgent first.
    pub const ALL: [Self; 17] = [
        Self::PendingDeletion,
        Self::PendingReplicaDeletion,
        Self::Gone,
        Self::Unavailable,
        Self::Overdue,
        Self::Disabled,
        Self::PendingImport,
        Self::NotVisible,
        Self::NoValue,
        Self::Other,
        Self::Creating,
        Self::Updating,
        Self::Unjudged,
        Self::Excepted,
        Self::NotKms,
        Self::Loading,
        Self::Enabled,
    ];

    /// The word for each, in the same order: as in JSON, with hyphens.
    pub const WORDS: [&'static str; Self::ALL.len()] = [
        "pending-deletion",
        "pending-replica-deletion",
        "gone",
        "unavailable",
        "overdue",
        "disabled",
        "pending-import",
        "not-visible",
        "no-value",
        "other",
        "creating",
        "updating",
        "unjudged",
        "excepted",
        "not-kms",
        "loading",
        "enabled",
    ];

    /// What KMS's own word for a key's state comes to, whatever else is said of the key.
    pub(super) fn of_kms(state: &KeyState) -> Self {
        match state {
            KeyState::Enabled => Self::Enabled,
            KeyState::Disabled => Self::Disabled,
            KeyState::PendingDeletion => Self::PendingDeletion,
            KeyState::PendingReplicaDeletion => Self::PendingReplicaDeletion,
            KeyState::PendingImport => Self::PendingImport,
            KeyState::Unavailable => Self::Unavailable,
            KeyState::Creating => Self::Creating,
            KeyState::Updating => Self::Updating,
            KeyState::Other(_) => Self::Other,
        }
    }

    /// A bit of its own.
    pub(super) fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The bits of those whose word is wanted.
    pub(super) fn bits(wanted: impl Fn(&str) -> bool) -> u32 {
        let named = Self::ALL.into_iter().zip(Self::WORDS).filter(|(_, word)| wanted(word));
        named.fold(0, |bits, (kind, _)| bits | kind.bit())
    }
}

#[cfg(test)]
mod tests {
    use super::StateKind;

    #[test]
    fn words_are_those_of_json_with_hyphens() {
        for (at, (kind, word)) in StateKind::ALL.into_iter().zip(StateKind::WORDS).enumerate() {
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json.as_str().unwrap().replace('_', "-"), word);
            assert_eq!(kind as usize, at, "all are there, in order");
        }
    }
}
