//! Who did it: a record's `userIdentity`.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::record::seconds;
use crate::simulator::aws::{Caller, Identity};

/// A principal as `CloudTrail` writes it down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    Root {
        account: String,
    },
    User {
        account: String,
        name: String,
        access_key_id: String,
        /// When the session began, for temporary credentials or the web console, and whether MFA was given.
        session: Option<Session>,
    },
    Role {
        account: String,
        role: String,
        session_name: String,
        access_key_id: String,
        source_identity: Option<String>,
        session: Session,
    },
    /// An AWS service, e.g. `rds.amazonaws.com`.
    Service {
        account: String,
        name: String,
    },
    /// A principal of another account, as the key's owner sees it.
    Foreign {
        account: String,
        principal_id: String,
    },
}

/// The attributes of temporary credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub created: Timestamp,
    pub mfa: bool,
    /// Whether the credentials come from the web console.
    pub console: bool,
}

impl Actor {
    /// The principal of a live call made at `at`.
    #[must_use]
    pub fn of(caller: &Caller, at: Timestamp) -> Self {
        let account = caller.account.clone();
        let access_key_id = caller.access_key_id.clone();
        match &caller.identity {
            Identity::Root => Self::Root { account },
            Identity::User { name, mfa } => Self::User {
                account,
                name: name.clone(),
                access_key_id,
                session: mfa.then_some(Session { created: at, mfa: true, console: false }),
            },
            Identity::Session { role, session_name, mfa, source_identity, issued_at, .. } => Self::Role {
                account,
                role: role.clone(),
                session_name: session_name.clone(),
                access_key_id,
                source_identity: source_identity.clone(),
                session: Session { created: *issued_at, mfa: *mfa, console: false },
            },
            Identity::Service { name } => Self::Service { account, name: name.clone() },
        }
    }

    /// The account that the principal belongs to.
    #[must_use]
    pub fn account(&self) -> &str {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::Role { account, .. }
            | Self::Service { account, .. }
            | Self::Foreign { account, .. } => account,
        }
    }

    /// `LookupEvents`' `Username`: the user, or the role session's name.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        match self {
            Self::Root { .. } => Some("root"),
            Self::User { name, .. } => Some(name),
            Self::Role { session_name, .. } => Some(session_name),
            Self::Service { .. } | Self::Foreign { .. } => None,
        }
    }

    /// The access key that signed the call.
    #[must_use]
    pub fn access_key_id(&self) -> Option<&str> {
        match self {
            Self::User { access_key_id, .. } | Self::Role { access_key_id, .. } => Some(access_key_id),
            Self::Root { .. } | Self::Service { .. } | Self::Foreign { .. } => None,
        }
    }

    /// Whether a person clicked in the web console.
    pub(super) fn uses_console(&self) -> bool {
        match self {
            Self::User { session: Some(session), .. } | Self::Role { session, .. } => session.console,
            _ => false,
        }
    }

    /// How the owner of a resource in another account sees this principal.
    #[must_use]
    pub fn seen_from_abroad(&self) -> Self {
        Self::Foreign { account: self.account().to_owned(), principal_id: self.principal_id() }
    }

    /// The stable id: `AIDA…` for a user, `AROA…:session` for a role.
    #[must_use]
    pub fn principal_id(&self) -> String {
        match self {
            Self::Root { account } | Self::Service { account, .. } => account.clone(),
            Self::User { account, name, .. } => unique_id("AIDA", account, name),
            Self::Role { account, role, session_name, .. } => {
                format!("{}:{session_name}", unique_id("AROA", account, role))
            }
            Self::Foreign { principal_id, .. } => principal_id.clone(),
        }
    }

    pub(super) fn render(&self) -> Value {
        match self {
            Self::Root { account } => json!({
                "type": "Root", "principalId": account, "accountId": account,
                "arn": format!("arn:aws:iam::{account}:root"),
            }),
            Self::User { account, name, access_key_id, session } => {
                let mut identity = json!({
                    "type": "IAMUser", "principalId": self.principal_id(), "accountId": account,
                    "arn": format!("arn:aws:iam::{account}:user/{name}"),
                    "accessKeyId": access_key_id, "userName": name,
                });
                if let Some(session) = session {
                    identity["sessionContext"] = json!({"attributes": session.render()});
                }
                identity
            }
            Self::Role { account, role, session_name, access_key_id, source_identity, session } => {
                let mut context = json!({
                    "sessionIssuer": {
                        "type": "Role", "principalId": unique_id("AROA", account, role),
                        "arn": format!("arn:aws:iam::{account}:role/{role}"),
                        "accountId": account, "userName": role,
                    },
                    "attributes": session.render(),
                });
                if let Some(person) = source_identity {
                    context["sourceIdentity"] = person.as_str().into();
                }
                json!({
                    "type": "AssumedRole", "principalId": self.principal_id(), "accountId": account,
                    "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session_name}"),
                    "accessKeyId": access_key_id, "sessionContext": context,
                })
            }
            // KMS's own doings carry the owner's account; other services are named as services.
            Self::Service { account, name } if name == "AWS Internal" => {
                json!({"accountId": account, "invokedBy": name})
            }
            Self::Service { name, .. } => json!({"type": "AWSService", "invokedBy": name}),
            Self::Foreign { account, principal_id } => {
                json!({"type": "AWSAccount", "principalId": principal_id, "accountId": account})
            }
        }
    }
}

impl Session {
    /// `CloudTrail` writes the MFA flag as a string.
    fn render(self) -> Value {
        json!({"creationDate": seconds(self.created), "mfaAuthenticated": self.mfa.to_string()})
    }
}

/// The id that IAM gives a user or role: a prefix and 17 base-32 characters, the same for the same name.
#[must_use]
pub fn unique_id(prefix: &str, account: &str, name: &str) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    // FNV-1a over 128 bits: spread, not secrecy, is what an id needs.
    let mut hash: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    for byte in account.bytes().chain([b'/']).chain(name.bytes()) {
        hash = (hash ^ u128::from(byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }
    let mut id = prefix.to_owned();
    for _ in 0..17 {
        id.push(char::from(ALPHABET[usize::try_from(hash & 31).unwrap_or_default()]));
        hash >>= 5;
    }
    id
}
