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
use aws_sdk_kms::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::{CloudSession, Failure};
use crate::gate::{Call, KeyCall, Warrant};
use crate::model::arn::KeyArn;

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
pub async fn carry_out(session: &CloudSession, warrant: Warrant) -> Result<Answered, ChangeFailure> {
    let (call, key) = warrant.spend();
    let answer = match call {
        Call::OnKey(call) => change_key(session, &key, call).await,
        Call::StartDbInstance { instance } => start_instance(session, key.region(), &instance).await,
    };
    answer.map_err(|failure| {
        if failure.had_no_effect { ChangeFailure::Refused(failure) } else { ChangeFailure::Unknown(failure) }
    })
}

#[expect(clippy::disallowed_methods, reason = "the one place where a key is changed, under a warrant")]
async fn change_key(session: &CloudSession, key: &KeyArn, call: KeyCall) -> Result<Answered, Failure> {
    let config = session.kms_config(key.region()).retry_config(RetryConfig::disabled()).build();
    let kms = aws_sdk_kms::Client::from_conf(config);
    let (action, key) = (call.action(), key.as_str());
    match call {
        KeyCall::DisableKey => told(action, kms.disable_key().key_id(key).send().await),
        KeyCall::EnableKey => told(action, kms.enable_key().key_id(key).send().await),
        KeyCall::CancelKeyDeletion => told(action, kms.cancel_key_deletion().key_id(key).send().await),
        KeyCall::ScheduleKeyDeletion { days } => {
            let asked = kms.schedule_key_deletion().key_id(key).pending_window_in_days(i32::from(days));
            told(action, asked.send().await)
        }
        KeyCall::EnableKeyRotation { period_days } => {
            let period = i32::try_from(period_days).unwrap_or(i32::MAX);
            let asked = kms.enable_key_rotation().key_id(key).rotation_period_in_days(period);
            told(action, asked.send().await)
        }
        KeyCall::RotateKeyOnDemand => told(action, kms.rotate_key_on_demand().key_id(key).send().await),
        KeyCall::RevokeGrant { grant } => {
            told(action, kms.revoke_grant().key_id(key).grant_id(grant).send().await)
        }
        // `BypassPolicyLockoutSafetyCheck` is never set: KMS checks, too, that the policy can be changed again.
        KeyCall::PutKeyPolicy { policy } => {
            let asked = kms.put_key_policy().key_id(key).policy_name("default").policy(policy);
            told(action, asked.send().await)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place where an instance is started, under a warrant")]
async fn start_instance(session: &CloudSession, region: &str, instance: &str) -> Result<Answered, Failure> {
    let config = session.rds_config(region).retry_config(RetryConfig::disabled()).build();
    let rds = aws_sdk_rds::Client::from_conf(config);
    told("rds:StartDBInstance", rds.start_db_instance().db_instance_identifier(instance).send().await)
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
