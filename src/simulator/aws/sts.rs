//! STS: who is calling, and assumed roles; and the IAM users and roles behind them.

mod assume;
pub mod totp;

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use rand::RngCore as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::access::{Access, keys_of, principal_of};
use super::policy::{Malformed, Policy};
use super::{Call, Caller, Context, Identity, Refusal, Reply};

/// The users, roles and sessions of the account, and of the foreign accounts that it deals with.
#[derive(Debug, Default)]
pub struct Sts {
    pub users: Vec<User>,
    pub roles: Vec<Role>,
    sessions: BTreeMap<String, Session>,
    /// MFA codes already used: a device's serial and the 30-second step.
    spent: BTreeSet<(String, u64)>,
}

/// An IAM user with one access key.
#[derive(Clone)]
pub struct User {
    pub account: String,
    pub name: String,
    pub access_key_id: String,
    pub secret: String,
    pub mfa: Option<MfaDevice>,
    /// Identity policies, as JSON.
    pub policies: Vec<String>,
}

/// A virtual MFA device.
#[derive(Clone)]
pub struct MfaDevice {
    /// e.g. `arn:aws:iam::111122223333:mfa/oncall-a`.
    pub serial: String,
    /// The TOTP seed, raw bytes.
    pub seed: Vec<u8>,
}

/// A role.
#[derive(Clone, Debug)]
pub struct Role {
    pub account: String,
    pub name: String,
    /// Its `AROA…` id.
    pub id: String,
    /// The trust policy, as JSON.
    pub trust: String,
    /// Permission policies, as JSON.
    pub policies: Vec<String>,
    /// `MaxSessionDuration` in seconds, 3600–43200.
    pub max_session: i64,
}

/// Temporary credentials.
#[derive(Clone)]
pub struct Session {
    pub secret: String,
    pub token: String,
    pub caller: Caller,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// Session tags that survive role chaining.
    pub transitive_tags: BTreeSet<String>,
}

/// What an access key opens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub secret: Secret,
    /// The session token that must come with temporary credentials.
    pub token: Option<Secret>,
    pub caller: Caller,
    pub expires_at: Option<Timestamp>,
}

/// A word that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("account", &self.account)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("caller", &self.caller.arn()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for MfaDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MfaDevice").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl Sts {
    /// The credential behind an access key id.
    #[must_use]
    pub fn credential(&self, access_key_id: &str) -> Option<Credential> {
        let user =
            self.users.iter().find(|user| user.access_key_id == access_key_id).map(|user| Credential {
                secret: Secret(user.secret.clone()),
                token: None,
                caller: Caller {
                    account: user.account.clone(),
                    access_key_id: access_key_id.to_owned(),
                    identity: Identity::User { name: user.name.clone(), mfa: false },
                },
                expires_at: None,
            });
        user.or_else(|| {
            self.sessions.get(access_key_id).map(|session| Credential {
                secret: Secret(session.secret.clone()),
                token: Some(Secret(session.token.clone())),
                caller: session.caller.clone(),
                expires_at: Some(session.expires_at),
            })
        })
    }

    /// The code of a user's MFA device at a time, and whether it has been used; `None` for a user without one.
    #[must_use]
    pub fn code_of(&self, account: &str, name: &str, at: Timestamp) -> Option<(String, bool)> {
        let user = self.users.iter().find(|user| user.account == account && user.name == name)?;
        let device = user.mfa.as_ref()?;
        let spent = self.spent.contains(&(device.serial.clone(), totp::step_of(at)));
        Some((totp::code(&device.seed, at), spent))
    }

    /// What this call's caller is allowed.
    ///
    /// # Errors
    ///
    /// If one of its policies cannot be read.
    pub fn access(&self, call: &Call) -> Result<Access, Malformed> {
        let caller = &call.caller;
        let (policies, session): (&[String], _) = match &caller.identity {
            Identity::User { name, .. } => (
                self.users
                    .iter()
                    .find(|user| user.account == caller.account && user.name == *name)
                    .map_or(&[], |user| &user.policies),
                None,
            ),
            Identity::Session { role, session_policy, .. } => (
                self.role(&caller.account, role).map_or(&[], |role| &role.policies),
                session_policy.as_deref(),
            ),
            Identity::Root | Identity::Service { .. } => (&[], None),
        };
        Ok(Access {
            caller: caller.clone(),
            principal: principal_of(caller),
            keys: keys_of(call),
            identity: policies.iter().map(|text| Policy::parse(text)).collect::<Result<_, _>>()?,
            session: session.map(Policy::parse).transpose()?,
        })
    }

    /// A role by account and name.
    #[must_use]
    pub fn role(&self, account: &str, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.account == account && role.name == name)
    }

    /// Opens a session and returns its credentials' access key id, secret and token.
    pub fn open_session(
        &mut self,
        account: &str,
        identity: Identity,
        (issued_at, expires_at): (Timestamp, Timestamp),
        transitive_tags: BTreeSet<String>,
        rng: &mut StdRng,
    ) -> (String, Session) {
        let access_key_id = format!("ASIA{}", random_base32(16, rng));
        let session = Session {
            secret: random_base64(30, rng),
            token: random_base64(150, rng),
            caller: Caller { account: account.to_owned(), access_key_id: access_key_id.clone(), identity },
            issued_at,
            expires_at,
            transitive_tags,
        };
        self.sessions.insert(access_key_id.clone(), session.clone());
        (access_key_id, session)
    }

    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(
        &mut self,
        call: &Call,
        access: &Access,
        context: &mut Context<'_>,
    ) -> Result<Reply, Refusal> {
        context.facts.request_parameters = Value::Null;
        match call.operation.as_str() {
            "GetCallerIdentity" => Ok(Self::get_caller_identity(self, call)),
            "AssumeRole" => self.assume_role(call, access, context),
            "GetSessionToken" => self.get_session_token(call, context),
            _ => Err(Refusal::unknown_operation(call)),
        }
    }

    fn get_caller_identity(&self, call: &Call) -> Reply {
        let caller = &call.caller;
        Reply::Xml(format!(
            "<Arn>{}</Arn><UserId>{}</UserId><Account>{}</Account>",
            escape(&caller.arn()),
            escape(&self.user_id(caller)),
            caller.account
        ))
    }

    /// The caller's unique id, as `GetCallerIdentity` and `CloudTrail`'s `principalId` show it.
    #[must_use]
    pub fn user_id(&self, caller: &Caller) -> String {
        match &caller.identity {
            Identity::Root => caller.account.clone(),
            Identity::User { name, .. } => user_id(&caller.account, name),
            Identity::Session { role, session_name, .. } => {
                let id = self.role(&caller.account, role).map_or("AROAUNKNOWN", |role| role.id.as_str());
                format!("{id}:{session_name}")
            }
            Identity::Service { name } => name.clone(),
        }
    }

    fn get_session_token(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let Identity::User { name, .. } = &call.caller.identity else {
            return Err(Refusal::access_denied(
                "sts",
                "Cannot call GetSessionToken with session credentials",
            ));
        };
        if call.caller.access_key_id.starts_with("ASIA") {
            return Err(Refusal::access_denied(
                "sts",
                "Cannot call GetSessionToken with session credentials",
            ));
        }
        let seconds = duration(call, 43_200, 900, 129_600)?;
        let mfa = self.check_mfa(call)?;
        context.facts.request_parameters = json!({ "durationSeconds": seconds });
        let identity = Identity::User { name: name.clone(), mfa };
        let expires_at = call.at + SignedDuration::from_secs(seconds);
        let (id, session) = self.open_session(
            &call.caller.account,
            identity,
            (call.at, expires_at),
            BTreeSet::new(),
            context.rng,
        );
        context.facts.response_elements = json!({ "credentials": credentials_shown(&id, &session) });
        Ok(Reply::Xml(credentials_xml(&id, &session)))
    }

    /// Whether the call proves possession of the calling user's MFA device. Codes work once.
    fn check_mfa(&mut self, call: &Call) -> Result<bool, Refusal> {
        let denied = |message: &str| Err(Refusal::access_denied("sts", message));
        let (serial, code) = match (text(call, "SerialNumber"), text(call, "TokenCode")) {
            (None, None) => return Ok(false),
            (Some(serial), Some(code)) => (serial, code),
            _ => {
                return denied(
                    "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.",
                );
            }
        };
        let Identity::User { name, .. } = &call.caller.identity else {
            return denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
            );
        };
        let device = self
            .users
            .iter()
            .find(|user| user.account == call.caller.account && user.name == *name)
            .and_then(|user| user.mfa.as_ref())
            .filter(|device| device.serial == serial);
        let Some(device) = device else {
            return denied(
                "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.",
            );
        };
        let step = totp::matching_step(&device.seed, code, call.at);
        match step {
            Some(step) if self.spent.insert((serial.to_owned(), step)) => Ok(true),
            _ => denied("MultiFactorAuthentication failed with invalid MFA one time pass code. "),
        }
    }
}

/// A user's `AIDA…` id, made from its name.
#[must_use]
pub fn user_id(account: &str, name: &str) -> String {
    let digest = digest::digest(&digest::SHA256, format!("{account}/{name}").as_bytes());
    let letters: String = digest.as_ref().iter().take(17).map(|byte| base32(*byte)).collect();
    format!("AIDA{letters}")
}

/// A parameter of the call that is there and not empty.
fn text<'a>(call: &'a Call, name: &str) -> Option<&'a str> {
    call.input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// `DurationSeconds`, within its bounds.
fn duration(call: &Call, default: i64, least: i64, most: i64) -> Result<i64, Refusal> {
    let Some(asked) = text(call, "DurationSeconds") else { return Ok(default) };
    let seconds: i64 = asked
        .parse()
        .map_err(|_| Refusal::new("MalformedInput", format!("DurationSeconds '{asked}' is not a number")))?;
    let limit = |word: &str, bound| {
        let message = format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member must have value {word} than or equal to {bound}"
        );
        Err(Refusal::new("ValidationError", message))
    };
    if seconds < least {
        limit("greater", least)
    } else if seconds > most {
        limit("less", most)
    } else {
        Ok(seconds)
    }
}

fn credentials_xml(id: &str, session: &Session) -> String {
    format!(
        "<Credentials><AccessKeyId>{id}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{}</Expiration></Credentials>",
        escape(&session.secret),
        escape(&session.token),
        session.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
}

/// Credentials as `CloudTrail` shows them: the secret never.
fn credentials_shown(id: &str, session: &Session) -> Value {
    json!({
        "accessKeyId": id,
        "expiration": session.expires_at.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string(),
    })
}

/// Text as XML holds it.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

fn base32(byte: u8) -> char {
    char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte & 31)])
}

/// Letters as AWS ids have them.
pub(in crate::simulator) fn random_base32(letters: usize, rng: &mut StdRng) -> String {
    let mut bytes = vec![0; letters];
    rng.fill_bytes(&mut bytes);
    bytes.into_iter().map(base32).collect()
}

fn random_base64(bytes: usize, rng: &mut StdRng) -> String {
    let mut buffer = vec![0; bytes];
    rng.fill_bytes(&mut buffer);
    BASE64_STANDARD.encode(buffer)
}
