//! The calls that change a key: one call, once, under a warrant.
//!
//! A client that can change anything lives in [`carry_out`] alone, for as long as its one call. It cannot be
//! had without a [`Warrant`], and only the gate makes those:
//!
//! ```compile_fail
//! async fn change(session: &portcullis::cloud::CloudSession) {
//!     let _ = portcullis::cloud::changes::carry_out(session, ()).await;
//! }
//! ```

use aws_config::retry::RetryConfig;
use aws_sdk_kms::Client;
use aws_sdk_kms::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{CloudSession, Failure};
use crate::gate::Warrant;
use crate::model::plan::Operation;

/// AWS accepted a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    pub request_id: Option<String>,
}

/// AWS did not accept a change, or did not say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeFailure {
    /// It never left, or AWS refused it: nothing changed.
    #[error("{0}")]
    Refused(Failure),
    /// It may have happened: no answer came, or one that does not settle it (HTTP 5xx).
    #[error("{0}")]
    Unknown(Failure),
}

/// Makes the one call that a warrant is for, and uses the warrant up. The SDK never sends it again by itself:
/// whether a change is sent a second time is for people to say.
///
/// # Errors
/// [`ChangeFailure`], which tells what certainly did not happen from what may have.
#[expect(clippy::disallowed_methods, reason = "the one place where a key is changed, under a warrant")]
pub async fn carry_out(session: &CloudSession, warrant: Warrant) -> Result<Answered, ChangeFailure> {
    let key = warrant.key();
    let config = session.kms_config(key.region()).retry_config(RetryConfig::disabled()).build();
    let kms = Client::from_conf(config);
    let action = warrant.operation().iam_action();
    let answer = match warrant.operation() {
        Operation::DisableKey => told(action, kms.disable_key().key_id(key.as_str()).send().await),
        Operation::EnableKey => told(action, kms.enable_key().key_id(key.as_str()).send().await),
        Operation::CancelKeyDeletion => {
            told(action, kms.cancel_key_deletion().key_id(key.as_str()).send().await)
        }
    };
    answer.map_err(|failure| {
        if failure.had_no_effect { ChangeFailure::Refused(failure) } else { ChangeFailure::Unknown(failure) }
    })
}

fn told<T, E>(action: &'static str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<Answered, Failure>
where
    T: RequestId,
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    answer
        .map(|accepted| Answered { request_id: accepted.request_id().map(ToOwned::to_owned) })
        .map_err(|e| Failure::of(action, &e))
}
