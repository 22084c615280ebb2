//! STS: who is calling, and assumed roles.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Call, Caller, Context, Refusal, Reply};

/// The users, roles and sessions of the account, and of the foreign accounts that it deals with.
#[derive(Debug, Default)]
pub struct Sts {
    pub users: Vec<User>,
    pub roles: Vec<Role>,
    sessions: BTreeMap<String, Session>,
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
    pub expires_at: Timestamp,
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
    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let _ = context;
        Err(Refusal::unknown_operation(call))
    }
}
