//! Why a call to AWS brought no answer, or a no.

use std::error::Error as StdError;
use std::fmt;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::wall::NotARead;
use crate::model::seen::{Cause, NotVisible};
use crate::model::text::visible;

/// A call to AWS that failed. Its texts are made fit for a screen, and hold no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// As IAM writes it, e.g. `kms:DescribeKey`.
    pub operation: &'static str,
    pub cause: Cause,
    /// AWS's error code, where AWS answered.
    pub code: Option<String>,
    pub message: String,
    pub request_id: Option<String>,
    /// Whether it is certain that the call had no effect: it was never sent, or AWS refused it (HTTP 4xx).
    /// After a timeout, a lost connection or an HTTP 5xx nobody knows.
    pub had_no_effect: bool,
}

impl Failure {
    /// A failure found on this side of the wire, or in what an answer says.
    #[must_use]
    pub fn new(operation: &'static str, cause: Cause, message: impl AsRef<str>) -> Self {
        Self {
            operation,
            cause,
            code: None,
            message: visible(message.as_ref()).into_owned(),
            request_id: None,
            had_no_effect: true,
        }
    }

    /// An answer that does not make sense.
    pub(super) fn unreadable(operation: &'static str, what: impl AsRef<str>) -> Self {
        Self { had_no_effect: false, ..Self::new(operation, Cause::Unreadable, what) }
    }

    /// What the SDK's error says about the call.
    pub(in crate::cloud) fn of<E>(operation: &'static str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        match error {
            SdkError::ServiceError(refusal) => {
                Self::answered(operation, refusal.err(), refusal.raw().status().as_u16())
            }
            SdkError::TimeoutError(_) => Self {
                had_no_effect: false,
                ..Self::new(operation, Cause::TimedOut, "no answer came in the time allowed")
            },
            SdkError::ResponseError(_) => {
                Self::unreadable(operation, format!("the answer could not be read: {}", innermost(error)))
            }
            SdkError::ConstructionFailure(_) => Self::unsent(operation, error, true),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                Self { had_no_effect: false, ..Self::new(operation, Cause::TimedOut, innermost(error)) }
            }
            SdkError::DispatchFailure(failure) => Self::unsent(operation, error, failure.is_user()),
            _ => Self { had_no_effect: false, ..Self::new(operation, Cause::Unreachable, innermost(error)) },
        }
    }

    /// AWS answered with an error.
    fn answered(operation: &'static str, error: &impl ProvideErrorMetadata, status: u16) -> Self {
        let code = error.code().map(|code| visible(code).into_owned());
        let message = error.message().map_or_else(
            || format!("HTTP {status} without a message"),
            |message| visible(message).into_owned(),
        );
        Self {
            cause: code.as_deref().map_or_else(|| cause_of_status(status), |code| cause_of(code, status)),
            had_no_effect: (400..500).contains(&status),
            request_id: error.meta().extra("aws_request_id").map(|id| visible(id).into_owned()),
            ..Self::new(operation, Cause::Unreadable, message)
        }
        .with_code(code)
    }

    /// AWS refused a part of what was asked, in an answer that is none of an error.
    pub(super) fn refused(operation: &'static str, code: &str, message: &str) -> Self {
        let code = visible(code).into_owned();
        Self::new(operation, cause_of(&code, 400), message).with_code(Some(code))
    }

    /// The call did not get out, or the connection broke under it.
    fn unsent<E>(operation: &'static str, error: &SdkError<E, HttpResponse>, certain: bool) -> Self
    where
        E: StdError + Send + Sync + 'static,
    {
        let found = |is: fn(&(dyn StdError + 'static)) -> bool| chain(error).any(is);
        if found(<dyn StdError>::is::<CredentialsError>) {
            let why = innermost(error);
            return Self::new(operation, Cause::Denied, format!("no usable AWS credentials: {why}"));
        }
        if found(<dyn StdError>::is::<NotARead>) {
            return Self::new(operation, Cause::Denied, innermost(error));
        }
        Self { had_no_effect: certain, ..Self::new(operation, Cause::Unreachable, innermost(error)) }
    }

    fn is_about_queue(&self) -> bool {
        self.operation.starts_with("sqs:")
    }

    fn with_code(self, code: Option<String>) -> Self {
        Self { code, ..self }
    }

    /// What the reader can do about it.
    #[must_use]
    pub fn next_step(&self) -> &'static str {
        match self.cause {
            Cause::Denied if self.code.as_deref().is_some_and(|code| code.contains("Expired")) => {
                "the session has expired: sign in again"
            }
            Cause::Denied if self.code.is_none() => "sign in, or name a profile in the settings",
            Cause::Denied if self.is_about_queue() => {
                "ask for sqs:ReceiveMessage and sqs:DeleteMessage on this queue, and kms:Decrypt where a key encrypts it"
            }
            Cause::Denied => "ask for this permission on this key, or use another profile",
            Cause::NotFound if self.is_about_queue() => {
                "check `queue` in the settings: its name, Region and account"
            }
            Cause::NotFound => "check the key, the Region and the account",
            Cause::TimedOut | Cause::Unreachable => "check the network and the endpoint, then try again",
            Cause::Throttled => "wait: it will be asked again",
            Cause::Unsupported if self.is_about_queue() => "see to the key that encrypts the queue",
            Cause::Unsupported => "this cannot be had for such a key, or not in this state",
            Cause::Unreadable => "try again; if it stays so, report it with the request id",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.operation, self.cause.word())?;
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        write!(f, "{}; {}", self.message.trim_end_matches('.'), self.next_step())
    }
}

impl StdError for Failure {}

impl From<Failure> for NotVisible {
    fn from(failure: Failure) -> Self {
        Self::new(failure.cause, failure.to_string())
    }
}

/// What an AWS error code means for the asker.
fn cause_of(code: &str, status: u16) -> Cause {
    match code {
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "AuthorizationError"
        | "AuthorizationErrorException"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "OptInRequired"
        | "KmsAccessDenied"
        | "KMS.AccessDeniedException"
        | "InvalidSecurity"
        | "NotAuthorized" => Cause::Denied,
        "NotFoundException"
        | "NotFound"
        | "ResourceNotFoundException"
        | "DBInstanceNotFound"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "DBInstanceNotFoundFault" => Cause::NotFound,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "LimitExceededException"
        | "RequestThrottled"
        | "KmsThrottled"
        | "KMS.ThrottlingException"
        | "OverLimit"
        | "SlowDown" => Cause::Throttled,
        "UnsupportedOperationException"
        | "KMSInvalidStateException"
        | "DisabledException"
        | "KmsDisabled"
        | "KMS.DisabledException"
        | "KmsInvalidState"
        | "KMS.InvalidStateException"
        | "KmsNotFound"
        | "KMS.NotFoundException"
        | "UnknownOperationException"
        | "InvalidAction"
        | "NotImplemented" => Cause::Unsupported,
        "DependencyTimeoutException" => Cause::TimedOut,
        _ => cause_of_status(status),
    }
}

/// What an HTTP status alone says.
fn cause_of_status(status: u16) -> Cause {
    match status {
        401 | 403 => Cause::Denied,
        404 => Cause::NotFound,
        408 | 504 => Cause::TimedOut,
        429 => Cause::Throttled,
        500..=599 => Cause::Unreachable,
        _ => Cause::Unreadable,
    }
}

/// An error and its causes.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// The text of the innermost cause, which is where the SDK keeps what happened.
fn innermost<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: StdError + Send + Sync + 'static,
{
    chain(error).last().map(ToString::to_string).unwrap_or_default()
}
