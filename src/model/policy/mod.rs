//! Key policies: whom they name, what they let them do, under which conditions.
//!
//! This tells what each statement says; it does not evaluate it. An account named as a whole decides by its own
//! IAM policies who may use the key, and organisation policies and grants come on top. Grammar: IAM user guide,
//! "Grammar of the IAM JSON policy language"; what is particular to keys: KMS developer guide, "Key policies".

mod actions;
mod denial;
mod principal;
mod read;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::text::Untrusted;

pub use actions::{ActionGroup, action_matches};
pub use denial::{Denial, NotChanged, digest, lockout};
pub use principal::Principal;
pub use read::{Unreadable, read};

/// A key policy: each of its statements told, or said to be unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPolicy {
    pub statements: Vec<Entry>,
}

/// A statement's place in the policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    Told(Statement),
    /// The statement with this number, counted from 1, and why it could not be read.
    Unreadable {
        number: usize,
        why: String,
    },
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Its place in the policy, counted from 1.
    pub number: usize,
    pub sid: Option<Untrusted>,
    pub effect: Effect,
    pub who: Who,
    pub actions: Actions,
    /// What it is about where that is not `*`, the key itself.
    pub resources: Vec<Untrusted>,
    /// All of them have to hold.
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    Allow,
    Deny,
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// `Principal`.
    These(Vec<Principal>),
    /// `NotPrincipal`: everyone on earth but these.
    AllBut(Vec<Principal>),
}

/// What a statement is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actions {
    /// Whether it is `NotAction`: everything but `patterns`.
    pub all_but: bool,
    /// As they stand in the policy, e.g. `kms:ReEncrypt*`.
    pub patterns: Vec<Untrusted>,
    /// What they come to; empty where they take in no call of KMS that we know.
    pub groups: BTreeSet<ActionGroup>,
}

/// One line of a condition block: the operator, the condition key, the values of which one has to fit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// e.g. `StringEquals`, `ForAnyValue:StringLike`.
    pub operator: Untrusted,
    /// e.g. `kms:ViaService`.
    pub key: Untrusted,
    pub values: Vec<Untrusted>,
}

/// How far from the key's account somebody stands whom a statement allows something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Of the key's own account.
    Own,
    /// An AWS service.
    Service,
    /// Whoever meets the conditions, in any account that they let in.
    Narrowed,
    /// Of another account, or of an identity provider outside AWS.
    Foreign,
    /// Everyone, with no condition that narrows whom.
    Public,
}

impl Standing {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Own => "own account",
            Self::Service => "AWS service",
            Self::Narrowed => "narrowed by conditions",
            Self::Foreign => "foreign",
            Self::Public => "public",
        }
    }

    /// Whether it deserves a mark: somebody outside the account.
    #[must_use]
    pub fn is_outside(self) -> bool {
        matches!(self, Self::Foreign | Self::Public)
    }
}

impl KeyPolicy {
    /// The statements that could be read.
    pub fn told(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter_map(|entry| match entry {
            Entry::Told(statement) => Some(statement),
            Entry::Unreadable { .. } => None,
        })
    }

    /// The furthest that any statement allows something to, for a key of `account`; None where none allows
    /// anything.
    #[must_use]
    pub fn furthest(&self, account: &str) -> Option<Standing> {
        let allowing = self.told().filter(|statement| statement.effect == Effect::Allow);
        allowing.flat_map(|statement| statement.standings(account)).max()
    }
}

impl Statement {
    /// How far each principal stands from the key's `account`, in their order; for `NotPrincipal` one standing
    /// for all the others.
    #[must_use]
    pub fn standings(&self, account: &str) -> Vec<Standing> {
        match &self.who {
            Who::These(these) => these.iter().map(|who| self.standing(who, account)).collect(),
            Who::AllBut(_) => vec![self.of_everyone(account)],
        }
    }

    /// How far one of its principals stands from the key's `account`.
    #[must_use]
    pub fn standing(&self, who: &Principal, account: &str) -> Standing {
        match who {
            Principal::Everyone => self.of_everyone(account),
            Principal::Service { .. } => Standing::Service,
            // The id of what was deleted names nobody any more; it was of this account or another.
            Principal::Deleted { .. } => Standing::Own,
            Principal::Federated { .. } | Principal::Other { .. } => Standing::Foreign,
            _ if who.account() == Some(account) => Standing::Own,
            _ => Standing::Foreign,
        }
    }

    fn of_everyone(&self, account: &str) -> Standing {
        let narrowing: Vec<&Condition> = self.conditions.iter().filter(|c| c.narrows_whom()).collect();
        let accounts = || narrowing.iter().flat_map(|condition| condition.accounts());
        if narrowing.is_empty() {
            Standing::Public
        } else if accounts().next().is_none() {
            Standing::Narrowed
        } else if accounts().all(|named| named == account) {
            Standing::Own
        } else {
            Standing::Foreign
        }
    }
}

/// Condition keys that say who may call, or from where. `kms:ViaService` is not among them: everyone in every
/// account can call through a service.
const NARROWING: [&str; 14] = [
    "kms:calleraccount",
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceip",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:username",
];

/// The account of an ARN; of one cut off by a wildcard, its last part.
fn arn_account(arn: &str) -> &str {
    let mut parts = arn.splitn(6, ':');
    parts.nth(4).unwrap_or_else(|| arn.rsplit(':').next().unwrap_or(arn))
}

/// Those whose values are accounts.
const ACCOUNTS: [&str; 3] = ["kms:calleraccount", "aws:principalaccount", "aws:sourceaccount"];

impl Condition {
    /// Whether it lets in only some callers. Operators that hold where the key is absent (`…IfExists`,
    /// `ForAllValues:`), that shut out rather than let in (`…Not…`), and values that take in everything do not.
    #[must_use]
    pub fn narrows_whom(&self) -> bool {
        let operator = self.operator.raw().to_ascii_lowercase();
        let positive = operator.strip_prefix("foranyvalue:").unwrap_or(&operator);
        let lets_some_in = matches!(
            positive,
            "stringequals" | "stringequalsignorecase" | "stringlike" | "arnequals" | "arnlike" | "ipaddress"
        );
        let takes_in_all = |value: &Untrusted| {
            let value = value.raw();
            // An ARN that leaves the account open takes in what anybody makes in an account of theirs.
            let open_account = value.starts_with("arn:") && arn_account(value).contains(['*', '?']);
            matches!(value, "0.0.0.0/0" | "::/0") || value.chars().all(|c| c == '*') || open_account
        };
        lets_some_in
            && self.is_about(&NARROWING)
            && !self.values.is_empty()
            && !self.values.iter().any(takes_in_all)
    }

    /// The accounts that it names, by themselves or in the ARNs of principals.
    fn accounts(&self) -> Vec<&str> {
        let values = self.values.iter().map(Untrusted::raw);
        if self.is_about(&ACCOUNTS) {
            values.collect()
        } else if self.is_about(&["aws:principalarn"]) {
            values.map(arn_account).collect()
        } else {
            Vec::new()
        }
    }

    fn is_about(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.key.raw().eq_ignore_ascii_case(key))
    }
}

#[cfg(test)]
mod tests;
