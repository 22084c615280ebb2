//! Assuming a role: with MFA, session tags, a source identity and a session policy.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Tag;
use jiff::{SignedDuration, Timestamp};

use super::{CloudSession, Failure};
use crate::model::seen::Cause;
use crate::model::text::visible;
use crate::settings::secrecy_text::SecretText;

/// The longest session policy that STS takes, in characters.
pub const LONGEST_POLICY: usize = 2048;

/// The six digits that an MFA device shows. They are never shown, kept or written.
#[derive(Clone, PartialEq)]
pub struct MfaCode(SecretText);

impl MfaCode {
    /// Reads a code as it is typed; blanks around and between its digits do not matter.
    ///
    /// # Errors
    /// What a code looks like. What was typed is not repeated.
    pub fn read(typed: &str) -> Result<Self, &'static str> {
        let digits: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(Self(SecretText::new(digits)));
        }
        Err("a code is six digits, as the device shows them now")
    }
}

impl fmt::Debug for MfaCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MfaCode(…)")
    }
}

/// What is asked of STS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleRequest {
    /// The role's ARN.
    pub role: String,
    /// 2 to 64 of `[\w+=,.@-]`, as the source identity.
    pub session_name: String,
    /// The person.
    pub source_identity: String,
    pub tags: BTreeMap<String, String>,
    /// An inline policy that narrows the session: JSON, at most [`LONGEST_POLICY`] characters.
    pub policy: String,
    /// How long the session lasts: 15 minutes to 12 hours, as the role allows.
    pub lasts: SignedDuration,
    /// The MFA device, where a code of it goes along.
    pub device: Option<String>,
}

/// A role's session.
#[derive(Clone, Debug)]
pub struct RoleSession {
    /// Acts in the role until it expires.
    pub cloud: CloudSession,
    /// The session's own ARN, e.g. `arn:aws:sts::111122223333:assumed-role/KeyAdmin/INC-1-3f`.
    pub arn: String,
    pub expires_at: Timestamp,
}

/// Why a role was not assumed: nothing was changed by that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}. {}", self.what(), self.failure.message.trim_end_matches(['.', ' ']), self.next_step())]
pub struct NotAssumed {
    pub why: Why,
    pub role: String,
    pub device: Option<String>,
    pub failure: Failure,
}

/// The kinds of reason, each put right in another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The code was wrong, used before, or of a device whose clock is out of step: STS does not say which.
    Code,
    /// The device is not this person's.
    Device,
    /// The trust policy does not allow the caller, or asks for MFA, tags or a name that did not go along.
    Trust,
    /// The trust policy allows no session tags, or not these.
    Tags,
    /// The trust policy allows no source identity, or not this one.
    SourceIdentity,
    /// The session would last longer than the role, or role chaining, allows.
    Duration,
    /// Session policy and tags together are too large.
    Size,
    /// The session policy is none.
    Policy,
    /// The caller's own credentials are missing, wrong or expired.
    OwnCredentials,
    /// No answer, or none that makes sense.
    NoAnswer,
}

impl Why {
    fn of(failure: &Failure) -> Self {
        let (code, message) = (failure.code.as_deref().unwrap_or_default(), failure.message.as_str());
        let says = |words: &str| message.contains(words);
        match code {
            "PackedPolicyTooLarge" | "PackedPolicyTooLargeException" => Self::Size,
            "MalformedPolicyDocument" | "MalformedPolicyDocumentException" => Self::Policy,
            "ValidationError" if says("DurationSeconds") || says("durationSeconds") => Self::Duration,
            "ValidationError" if says("policy") => Self::Size,
            "AccessDenied" | "AccessDeniedException" => {
                if says("invalid MFA one time pass code") {
                    Self::Code
                } else if says("MultiFactorAuthentication failed") {
                    Self::Device
                } else if says("sts:TagSession") {
                    Self::Tags
                } else if says("sts:SetSourceIdentity") {
                    Self::SourceIdentity
                } else {
                    Self::Trust
                }
            }
            _ if failure.cause == Cause::Denied => Self::OwnCredentials,
            _ => Self::NoAnswer,
        }
    }
}

impl NotAssumed {
    fn new(request: &RoleRequest, failure: Failure) -> Self {
        let why = Why::of(&failure);
        Self { why, role: request.role.clone(), device: request.device.clone(), failure }
    }

    /// Whether another code may do.
    #[must_use]
    pub fn asks_for_another_code(&self) -> bool {
        self.device.is_some() && matches!(self.why, Why::Code | Why::NoAnswer)
    }

    fn what(&self) -> String {
        let role = visible(&self.role);
        match self.why {
            Why::Code => "the MFA code was not accepted".to_owned(),
            Why::Device => format!(
                "the MFA device {} is not one of yours",
                visible(self.device.as_deref().unwrap_or("(none)"))
            ),
            Why::OwnCredentials => "your own credentials are not accepted".to_owned(),
            Why::NoAnswer => format!("whether {role} was assumed is not known, and no session came of it"),
            _ => format!("{role} was not assumed"),
        }
    }

    /// What to do about it.
    fn next_step(&self) -> &'static str {
        match self.why {
            Why::Code => {
                "A code works once: wait for the next one. If that is refused too, the device's clock is out of step: \
                 set it, or resynchronise the device (IAM, Security credentials)"
            }
            Why::Device => {
                "Enrol a device for yourself in IAM, or correct `mfa` in the settings or --mfa-serial: it takes the device's ARN"
            }
            Why::Trust if self.device.is_none() => {
                "Its trust policy has to name you, and if it asks for MFA, the settings a device: `mfa`"
            }
            Why::Trust => {
                "Its trust policy has to name you, with the tags and the source identity that go along: compare it with the one that `assets export` writes"
            }
            Why::Tags => {
                "Its trust policy has to allow sts:TagSession, with every tag of `roles.tags` in the settings"
            }
            Why::SourceIdentity => {
                "Its trust policy has to allow sts:SetSourceIdentity, for your name; a name that your session bears already cannot be changed"
            }
            Why::Duration => {
                "Shorten `session` in the settings, or lengthen the role's MaxSessionDuration; a role that is assumed from a role lasts an hour at most"
            }
            Why::Size => {
                "Take tags out of `roles.tags` in the settings: they share their room with the session policy"
            }
            Why::Policy => "This is a mistake in portcullis: please report it",
            Why::OwnCredentials => "Sign in again, then try again",
            Why::NoAnswer => {
                "Check the network and the endpoint. A code may have been used up: wait for the next one"
            }
        }
    }
}

/// Assumes a role.
///
/// It is asked once: a code works once, so a second try of the same request could only be refused.
///
/// # Errors
/// [`NotAssumed`], which says what to do.
pub async fn assume(
    session: &CloudSession,
    request: &RoleRequest,
    code: Option<&MfaCode>,
) -> Result<RoleSession, NotAssumed> {
    let Given { credentials, arn, expires_at } = ask(session, request, code).await?;
    let cloud = session.acting_by(SharedCredentialsProvider::new(credentials));
    Ok(RoleSession { cloud, arn, expires_at })
}

/// What STS gives.
struct Given {
    /// Without an expiry: that a session is over is for AWS to say, in words that can be shown.
    credentials: Credentials,
    arn: String,
    expires_at: Timestamp,
}

async fn ask(
    session: &CloudSession,
    request: &RoleRequest,
    code: Option<&MfaCode>,
) -> Result<Given, NotAssumed> {
    const OPERATION: &str = "sts:AssumeRole";
    let not = |failure| NotAssumed::new(request, failure);
    let lasts = i32::try_from(request.lasts.as_secs()).unwrap_or(i32::MAX);
    let config = session.sts_config().retry_config(RetryConfig::disabled()).build();
    let mut call = Client::from_conf(config)
        .assume_role()
        .role_arn(&request.role)
        .role_session_name(&request.session_name)
        .source_identity(&request.source_identity)
        .policy(&request.policy)
        .duration_seconds(lasts);
    for (key, value) in &request.tags {
        let tag = Tag::builder().key(key).value(value).build();
        call = call.tags(tag.map_err(|error| not(Failure::unreadable(OPERATION, error.to_string())))?);
    }
    if let (Some(device), Some(MfaCode(code))) = (&request.device, code) {
        call = call.serial_number(device).token_code(code.expose());
    }
    let answer = call.send().await.map_err(|error| not(Failure::of(OPERATION, &error)))?;
    let (Some(given), Some(user)) = (answer.credentials, answer.assumed_role_user) else {
        return Err(not(Failure::unreadable(OPERATION, "the answer holds no session")));
    };
    let expires_at = Timestamp::from_second(given.expiration.secs())
        .map_err(|_| not(Failure::unreadable(OPERATION, "the session's end is no time")))?;
    let credentials = Credentials::new(
        given.access_key_id,
        given.secret_access_key,
        Some(given.session_token),
        None,
        "assumed role",
    );
    Ok(Given { credentials, arn: user.arn, expires_at })
}

/// Credentials of a role that is assumed whenever its last session nears its end. Only for roles that ask for
/// no code: nobody may be there to give one.
#[derive(Debug)]
pub(super) struct Renewed {
    pub session: CloudSession,
    pub request: RoleRequest,
}

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let given =
                ask(&self.session, &self.request, None).await.map_err(CredentialsError::provider_error)?;
            let mut credentials = given.credentials;
            let ends = u64::try_from(given.expires_at.as_second()).unwrap_or(0);
            *credentials.expiry_mut() = Some(SystemTime::UNIX_EPOCH + Duration::from_secs(ends));
            Ok(credentials)
        })
    }
}

#[cfg(test)]
#[path = "assume_tests.rs"]
mod tests;
