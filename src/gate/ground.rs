//! The ground that a plan stands on: what a change alters, read anew for the plan, again just before the call, and
//! after it.

use tokio::time::{Instant, timeout_at};

use super::verify::ONE_READ;
use super::{Call, Gate, KeyCall};
use crate::cloud::KmsReads;
use crate::estate::Estate;
use crate::model::IncidentId;
use crate::model::arn::KeyArn;
use crate::model::aspect::Aspect;
use crate::model::duty::Duty;
use crate::model::key::KeyState;
use crate::model::operation::denial;
use crate::model::plan::Operation;
use crate::model::policy;

/// One aspect of a key, read just now; with the policy that it was read from, where it is the policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    pub aspect: Aspect,
    policy: Option<String>,
}

impl Ground {
    fn of(aspect: Aspect) -> Self {
        Self { aspect, policy: None }
    }

    /// The ground of a change of state, read already.
    #[must_use]
    pub fn of_state(state: KeyState) -> Self {
        Self::of(Aspect::State(state))
    }

    /// The aspect, where it is another than the key's state.
    #[must_use]
    pub fn beside(&self) -> Option<Aspect> {
        Some(self.aspect.clone()).filter(|aspect| !matches!(aspect, Aspect::State(_)))
    }

    /// The call that an operation comes to on this ground.
    ///
    /// # Errors
    /// Where the key policy cannot be changed so, or must not be: it would lock us or everybody out.
    pub fn call(
        &self,
        operation: &Operation,
        key: &KeyArn,
        incident: &IncidentId,
        estate: &Estate,
    ) -> Result<Call, String> {
        Ok(Call::OnKey(match operation {
            Operation::DisableKey => KeyCall::DisableKey,
            Operation::EnableKey => KeyCall::EnableKey,
            Operation::CancelKeyDeletion => KeyCall::CancelKeyDeletion,
            Operation::ScheduleKeyDeletion { days } => KeyCall::ScheduleKeyDeletion { days: *days },
            Operation::EnableKeyRotation { period_days } => {
                KeyCall::EnableKeyRotation { period_days: *period_days }
            }
            Operation::RotateKeyOnDemand => KeyCall::RotateKeyOnDemand,
            Operation::RevokeGrant { grant } => KeyCall::RevokeGrant { grant: grant.clone() },
            Operation::DenyPrincipal { .. } | Operation::AllowPrincipal { .. } => {
                KeyCall::PutKeyPolicy { policy: self.policy_with(operation, key, incident, estate)? }
            }
            Operation::StartDbInstance { instance } => {
                return Ok(Call::StartDbInstance { instance: instance.clone() });
            }
        }))
    }

    fn policy_with(
        &self,
        operation: &Operation,
        key: &KeyArn,
        incident: &IncidentId,
        estate: &Estate,
    ) -> Result<String, String> {
        let (Some(before), Some(denial)) = (&self.policy, denial(operation, incident)) else {
            return Err("the key policy was not read".to_owned());
        };
        let Operation::DenyPrincipal { principal } = operation else {
            return denial.taken_from(before).map_err(|not| not.to_string());
        };
        let after = denial.added_to(before).map_err(|not| not.to_string())?;
        policy::lockout(&after, principal, key.account(), &ours(estate))?;
        Ok(after)
    }

    /// Who may change the key policy once the operation is done, in words; nobody where it is not about that.
    #[must_use]
    pub fn keepers(
        &self,
        operation: &Operation,
        key: &KeyArn,
        incident: &IncidentId,
        estate: &Estate,
    ) -> Vec<String> {
        let Operation::DenyPrincipal { principal } = operation else { return Vec::new() };
        let after = self.policy_with(operation, key, incident, estate).unwrap_or_default();
        policy::lockout(&after, principal, key.account(), &ours(estate)).unwrap_or_default()
    }
}

/// The people and roles that a denial must leave in, and what each is.
fn ours(estate: &Estate) -> Vec<(String, String)> {
    let you = estate.identity.known().map(|identity| ("you".to_owned(), identity.arn.clone()));
    let roles = &estate.environment.roles;
    let duties = Duty::ALL
        .into_iter()
        .filter_map(|duty| Some((format!("the role for {duty}"), roles.role(duty)?.to_owned())));
    you.into_iter().chain(duties).collect()
}

impl Gate {
    /// Reads what an operation changes.
    ///
    /// # Errors
    /// Why it could not be read, in words.
    pub async fn ground(&self, key: &KeyArn, operation: &Operation) -> Result<Ground, String> {
        // The SDK's futures are large, and this one holds six of them.
        in_time(Box::pin(self.ground_unbounded(key, operation))).await
    }

    /// Reads a key's state.
    pub(super) async fn state(&self, key: &KeyArn) -> Result<KeyState, String> {
        in_time(state(&self.estate.cloud.kms(key.region()), key)).await
    }

    async fn ground_unbounded(&self, key: &KeyArn, operation: &Operation) -> Result<Ground, String> {
        let kms = self.estate.cloud.kms(key.region());
        let told = |failure: crate::cloud::Failure| failure.to_string();
        match operation {
            Operation::DisableKey
            | Operation::EnableKey
            | Operation::CancelKeyDeletion
            | Operation::ScheduleKeyDeletion { .. } => state(&kms, key).await.map(Ground::of_state),
            Operation::EnableKeyRotation { .. } => {
                let status = kms.rotation_status(key).await.map_err(told)?;
                let (automatic, period_days) = (status.automatic, status.period_days);
                Ok(Ground::of(Aspect::Rotation { automatic, period_days }))
            }
            Operation::RotateKeyOnDemand => material(&kms, key).await.map(Ground::of),
            Operation::RevokeGrant { grant: id } => {
                let mut grants = kms.grants(key).await.map_err(told)?.into_iter();
                let aspect = match grants.find(|grant| grant.id == *id) {
                    Some(grant) => Aspect::Grant { grant: Box::new(grant) },
                    None => Aspect::NoGrant { no_grant: id.clone() },
                };
                Ok(Ground::of(aspect))
            }
            Operation::DenyPrincipal { .. } | Operation::AllowPrincipal { .. } => {
                let text = kms.policy(key).await.map_err(told)?.raw().to_owned();
                let denial = denial(operation, self.journal.incident());
                let stands = denial.map_or(Ok(false), |denial| denial.stands_in(&text));
                let denied = stands.map_err(|why| why.to_string())?;
                let policy_digest = policy::digest(&text).map_err(|why| why.to_string())?;
                Ok(Ground { aspect: Aspect::Policy { policy_digest, denied }, policy: Some(text) })
            }
            Operation::StartDbInstance { instance } => {
                let rds = self.estate.cloud.rds(key.region());
                let found = rds.instance(instance).await.map_err(told)?;
                if found.storage_key.as_ref() != Some(key) {
                    return Err(format!("the instance {} does not store its data under this key", found.id));
                }
                Ok(Ground::of(Aspect::Instance { instance_status: found.status }))
            }
        }
    }
}

/// An answer, or that there was none in the time of one read.
async fn in_time<T>(reading: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let late = |_| Err(format!("no answer within {} s", ONE_READ.as_secs()));
    timeout_at(Instant::now() + ONE_READ, reading).await.unwrap_or_else(late)
}

async fn state(kms: &KmsReads, key: &KeyArn) -> Result<KeyState, String> {
    Ok(kms.describe(key.as_str()).await.map_err(|failure| failure.to_string())?.state)
}

/// The material in use, and how many of the rotations on demand are used up.
async fn material(kms: &KmsReads, key: &KeyArn) -> Result<Aspect, String> {
    let (described, rotations) = tokio::join!(kms.describe(key.as_str()), kms.rotations(key));
    let material_id = described.map_err(|failure| failure.to_string())?.material_id.ok_or_else(|| {
        "KMS does not say which material the key uses, so that a rotation could not be proved".to_owned()
    })?;
    let rotations = rotations.map_err(|failure| failure.to_string())?;
    let on_demand = rotations.iter().filter(|rotation| rotation.kind.as_deref() == Some("ON_DEMAND"));
    let on_demand_rotations = u32::try_from(on_demand.count()).unwrap_or(u32::MAX);
    Ok(Aspect::Material { material_id, on_demand_rotations })
}
