//! Whom a policy names.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::text::Untrusted;

/// Whom a statement names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Principal {
    /// `*`: everyone, in every account.
    Everyone,
    /// An account as a whole: its own IAM policies decide who in it.
    Account { account: String },
    /// A role, with its path.
    Role { account: String, name: Untrusted },
    /// A user, with its path.
    User { account: String, name: Untrusted },
    /// One session of a role.
    Session { account: String, role: Untrusted, session: Untrusted },
    /// A session of `GetFederationToken`.
    FederatedUser { account: String, name: Untrusted },
    /// e.g. `rds.amazonaws.com`.
    Service { name: Untrusted },
    /// An identity provider: of a web identity, or SAML.
    Federated { provider: Untrusted },
    /// The unique id that AWS leaves in the place of a role or user that was deleted.
    Deleted { id: Untrusted },
    /// A kind of principal that we do not know, or a name that is no ARN.
    Other { of: Untrusted, name: Untrusted },
}

impl Principal {
    /// Reads one name under `Principal`'s member `of`, e.g. `AWS`.
    pub(super) fn read(of: &str, name: &str) -> Self {
        match of {
            "AWS" => Self::aws(name),
            "Service" => Self::Service { name: name.into() },
            "Federated" => Self::Federated { provider: name.into() },
            _ => Self::Other { of: of.into(), name: name.into() },
        }
    }

    fn aws(name: &str) -> Self {
        if name == "*" {
            return Self::Everyone;
        }
        if is_account(name) {
            return Self::Account { account: name.to_owned() };
        }
        let deleted = ["AROA", "AIDA"].iter().any(|prefix| name.starts_with(prefix));
        if deleted && name.len() >= 16 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) {
            return Self::Deleted { id: name.into() };
        }
        Self::arn(name).unwrap_or_else(|| Self::Other { of: "AWS".into(), name: name.into() })
    }

    /// `arn:PARTITION:iam::ACCOUNT:…` or `arn:PARTITION:sts::ACCOUNT:…`.
    fn arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (scheme, _, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (_, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if scheme != "arn" || !is_account(account) {
            return None;
        }
        let account = account.to_owned();
        let (kind, name) = resource.split_once('/').unwrap_or((resource, ""));
        if name.is_empty() != (kind == "root") {
            return None;
        }
        Some(match (service, kind) {
            ("iam", "root") => Self::Account { account },
            ("iam", "role") => Self::Role { account, name: name.into() },
            ("iam", "user") => Self::User { account, name: name.into() },
            ("iam", "saml-provider" | "oidc-provider") => Self::Federated { provider: arn.into() },
            ("sts", "assumed-role") => {
                let (role, session) = name.split_once('/')?;
                Self::Session { account, role: role.into(), session: session.into() }
            }
            ("sts", "federated-user") => Self::FederatedUser { account, name: name.into() },
            _ => return None,
        })
    }

    /// Reads an ARN of IAM's or STS's; None where it is none.
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        Self::arn(arn)
    }

    /// The account it belongs to, where its name says so.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account { account }
            | Self::Role { account, .. }
            | Self::User { account, .. }
            | Self::Session { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            _ => None,
        }
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// In words, fit for a screen; the account stands in it only where it is all there is to say.
impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => write!(f, "everyone (*)"),
            Self::Account { account } => {
                write!(f, "account {account} (its IAM policies decide who)")
            }
            Self::Role { name, .. } => write!(f, "role {name}"),
            Self::User { name, .. } => write!(f, "user {name}"),
            Self::Session { role, session, .. } => write!(f, "session {session} of role {role}"),
            Self::FederatedUser { name, .. } => write!(f, "federated user {name}"),
            Self::Service { name } => write!(f, "service {name}"),
            Self::Federated { provider } => write!(f, "identities of {provider}"),
            Self::Deleted { id } => write!(f, "{id}, which was deleted: nobody"),
            Self::Other { of, name } => write!(f, "{of} {name}"),
        }
    }
}
