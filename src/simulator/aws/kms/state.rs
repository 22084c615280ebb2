//! The key state table: what each state of a key allows, as data.
//!
//! Source: "Key states of AWS KMS keys" in the KMS developer guide, with its footnotes' errors.

use super::key::{Key, KeyState};
use crate::simulator::aws::Refusal;

/// The rows of the table: operations that a key's state treats alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Allowed in every state: reads, policies, revoking and retiring grants, deleting aliases.
    Always,
    /// Encrypt, Decrypt, `ReEncrypt`, `GenerateDataKey`…
    Cryptographic,
    EnableDisable,
    ScheduleDeletion,
    CancelDeletion,
    /// Enabling and disabling automatic rotation, and rotating on demand.
    ChangeRotation,
    ReadRotation,
    CreateGrant,
    /// Tags, descriptions and new aliases.
    Describe,
}

/// What a state says to an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Allowed,
    /// `DisabledException: … is disabled.`
    Disabled,
    /// `KMSInvalidStateException`, naming the state.
    InvalidState,
    /// `KMSInvalidStateException: … is not pending deletion.`
    NotPendingDeletion,
    /// `UnsupportedOperationException`: the origin does not have this.
    Origin,
}

use Verdict::{Allowed as O, Disabled as D, InvalidState as X, NotPendingDeletion as N, Origin as U};

/// One row a rule; the columns are in the order of [`KeyState::ALL`].
#[rustfmt::skip]
pub const TABLE: &[(Rule, [Verdict; 8])] = &[
    //                        Enabled Disabled PendingDeletion PendingReplica PendingImport Unavailable Creating Updating
    (Rule::Always,           [O,      O,       O,              O,             O,            O,          O,       O]),
    (Rule::Cryptographic,    [O,      D,       X,              X,             X,            X,          X,       O]),
    (Rule::EnableDisable,    [O,      O,       X,              X,             X,            O,          X,       X]),
    (Rule::ScheduleDeletion, [O,      O,       X,              X,             O,            O,          O,       X]),
    (Rule::CancelDeletion,   [N,      N,       O,              O,             N,            N,          N,       N]),
    (Rule::ChangeRotation,   [O,      D,       X,              X,             U,            U,          X,       O]),
    (Rule::ReadRotation,     [O,      O,       O,              O,             U,            U,          O,       O]),
    (Rule::CreateGrant,      [O,      D,       X,              X,             X,            O,          X,       O]),
    (Rule::Describe,         [O,      O,       X,              X,             O,            O,          O,       O]),
];

impl Rule {
    /// What `state` says to operations under this rule.
    #[must_use]
    pub fn verdict(self, state: KeyState) -> Verdict {
        let column = KeyState::ALL.iter().position(|&one| one == state);
        let row = TABLE.iter().find(|(rule, _)| *rule == self);
        match (row, column) {
            (Some((_, verdicts)), Some(column)) => verdicts[column],
            // A rule or state without a place in the table allows nothing; a test holds that there is none.
            _ => Verdict::InvalidState,
        }
    }

    /// Whether the key's state allows it.
    ///
    /// # Errors
    ///
    /// AWS's refusal, where it does not.
    pub fn check(self, key: &Key) -> Result<(), Refusal> {
        let arn = key.arn();
        match self.verdict(key.state) {
            Verdict::Allowed => Ok(()),
            Verdict::Disabled => Err(Refusal::new("DisabledException", format!("{arn} is disabled."))),
            Verdict::InvalidState => Err(invalid_state(key)),
            Verdict::NotPendingDeletion => {
                Err(Refusal::new("KMSInvalidStateException", format!("{arn} is not pending deletion.")))
            }
            Verdict::Origin => Err(wrong_origin(key)),
        }
    }
}

/// `KMSInvalidStateException`, naming the state the key is in.
pub(super) fn invalid_state(key: &Key) -> Refusal {
    let words = match key.state {
        KeyState::Enabled => "enabled",
        KeyState::Disabled => "disabled",
        KeyState::PendingDeletion => "pending deletion",
        KeyState::PendingReplicaDeletion => "pending replica deletion",
        KeyState::PendingImport => "pending import",
        KeyState::Unavailable => "unavailable",
        KeyState::Creating => "creating",
        KeyState::Updating => "updating",
    };
    Refusal::new("KMSInvalidStateException", format!("{} is {words}.", key.arn()))
}

/// `UnsupportedOperationException` for a key whose origin does not have the operation.
pub(super) fn wrong_origin(key: &Key) -> Refusal {
    let message =
        format!("{} origin is {} which is not valid for this operation.", key.arn(), key.origin.as_str());
    Refusal::new("UnsupportedOperationException", message)
}
