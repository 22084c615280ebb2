//! In which role something is done: what is asked of STS for a change, or for reading alone.

use std::collections::BTreeMap;

use serde_json::json;

use crate::cloud::{self, Identity, RoleRequest};
use crate::model::duty::Duty;
use crate::model::operation::UseAfter;
use crate::model::plan::{Digest, Operation, Plan};
use crate::model::text::visible;
use crate::settings::{EMERGENCY_TAG, Environment, Mfa, QueueAddress};

/// What STS takes as a session's name, and as a source identity, in characters.
const LONGEST_NAME: usize = 64;
/// What tells two sessions of one incident apart, in hexadecimal digits.
const SALT: usize = 6;
/// What a session may do beside a change that shows in the key's use: read the key, and try it by a dry run.
const TO_TRY: [&str; 3] = ["kms:DescribeKey", "kms:Encrypt", "kms:GenerateMac"];

/// A role to be assumed for one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assumption {
    pub duty: Duty,
    pub request: RoleRequest,
}

impl Assumption {
    /// The role for a plan's change, narrowed to its key and its action; `None` where settings name no role for
    /// it, so that it is made with the credentials at hand.
    ///
    /// # Errors
    /// Where the session could not bear the person's name: why, and what to do.
    pub fn for_change(
        environment: &Environment,
        identity: Option<&Identity>,
        plan: &Plan,
    ) -> Result<Option<Self>, String> {
        let duty = Duty::of(&plan.operation);
        let mut actions = vec![plan.operation.iam_action()];
        if plan.operation.use_after() != UseAfter::SaysNothing {
            actions.extend(TO_TRY);
        }
        let policy = allow([(actions, resource(plan).as_str())]);
        Self::of(environment, identity, duty, plan.incident.as_str(), policy)
    }

    /// The role for reading, narrowed to the reads that portcullis makes and to its own queue; `None` where settings name none.
    ///
    /// # Errors
    /// As [`Assumption::for_change`].
    pub fn for_reading(
        environment: &Environment,
        identity: Option<&Identity>,
    ) -> Result<Option<Self>, String> {
        let queue = environment.trail.queue.as_ref().map(QueueAddress::arn);
        let of_queue = queue.as_deref().map(|arn| (cloud::QUEUE_ACTIONS.map(str::to_owned).to_vec(), arn));
        let policy = allow([(cloud::read_actions(), "*")].into_iter().chain(of_queue));
        let mut assumption = Self::of(environment, identity, Duty::Audit, "portcullis-reads", policy)?;
        if let Some(Self { request, .. }) = &mut assumption {
            request.device = None;
        }
        Ok(assumption)
    }

    fn of(
        environment: &Environment,
        identity: Option<&Identity>,
        duty: Duty,
        purpose: &str,
        policy: String,
    ) -> Result<Option<Self>, String> {
        let roles = &environment.roles;
        let Some(role) = roles.role(duty) else { return Ok(None) };
        let source_identity = identity.and_then(person).ok_or_else(|| {
            format!(
                "the session of {} has to bear your name, and who you are could not be read: see to sts:GetCallerIdentity, then try again",
                visible(role)
            )
        })?;
        let request = RoleRequest {
            role: role.to_owned(),
            session_name: session_name(purpose),
            source_identity,
            tags: tags(&roles.tags, duty),
            policy,
            lasts: roles.session,
            device: match &roles.mfa {
                Mfa::Device(serial) => Some(serial.clone()),
                // Asked for before anything was opened; whoever was not asked has no device.
                Mfa::Ask | Mfa::Session => None,
            },
        };
        Ok(Some(Self { duty, request }))
    }

    /// The SHA-256 of the session policy as it is sent, in lower-case hex.
    #[must_use]
    pub fn policy_digest(&self) -> Digest {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.request.policy.as_bytes());
        Digest(hex::encode(digest))
    }
}

/// The ARN of what a plan changes.
fn resource(plan: &Plan) -> String {
    let key = plan.key.as_str();
    match &plan.operation {
        Operation::StartDbInstance { instance } => {
            let partition = key.split(':').nth(1).unwrap_or("aws");
            // RDS takes identifiers in either case, and its ARNs are in lower case.
            let instance = instance.to_ascii_lowercase();
            format!("arn:{partition}:rds:{}:{}:db:{instance}", plan.region, plan.account)
        }
        _ => key.to_owned(),
    }
}

/// The role's name without its account, e.g. `KeyAdmin`.
#[must_use]
pub fn role_name(arn: &str) -> String {
    visible(arn.rsplit('/').next().unwrap_or(arn)).into_owned()
}

/// The person behind an identity, as a source identity: a user's name, or what a role's session is called.
#[must_use]
pub fn person(identity: &Identity) -> Option<String> {
    let name = identity.arn.rsplit(['/', ':']).next()?;
    let name: String = name
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(*c))
        .take(LONGEST_NAME)
        .collect();
    (name.len() >= 2).then_some(name)
}

/// The purpose, and a few random digits.
fn session_name(purpose: &str) -> String {
    let head: String = purpose.chars().take(LONGEST_NAME - SALT - 1).collect();
    let mut salt = uuid::Uuid::new_v4().simple().to_string();
    salt.truncate(SALT);
    format!("{head}-{salt}")
}

fn tags(set: &BTreeMap<String, String>, duty: Duty) -> BTreeMap<String, String> {
    let mut tags = set.clone();
    if duty == Duty::EmergencyKeyAdmin {
        tags.insert(EMERGENCY_TAG.to_owned(), "true".to_owned());
    }
    tags
}

/// A policy that allows these actions, each list of them on one resource.
fn allow<'a, A: serde::Serialize>(statements: impl IntoIterator<Item = (A, &'a str)>) -> String {
    let statements: Vec<_> = statements
        .into_iter()
        .map(|(actions, resource)| json!({"Effect": "Allow", "Action": actions, "Resource": resource}))
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Assumption, person};
    use crate::cloud::{Identity, LONGEST_POLICY, canned};
    use crate::model::duty::Duty;
    use crate::model::operation::tests::{each, observed};
    use crate::model::plan::{Operation, Plan};
    use crate::settings::{Environment, Mfa};
    use proptest::prelude::*;

    fn plan(operation: Operation) -> Plan {
        Plan {
            environment: "test".into(),
            account: "111122223333".into(),
            region: "eu-west-1".into(),
            key: "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
                .parse()
                .unwrap(),
            key_name: "buzz-tutor/user-data".into(),
            observed: observed(&operation),
            operation,
            incident: "INC-1".parse().unwrap(),
            cek: None,
            reason: "stolen laptop".into(),
            requester: "arn:aws:iam::111122223333:user/oncall-a".into(),
            expires_at: canned::now(),
        }
    }

    fn identity(arn: &str) -> Identity {
        Identity { account: "111122223333".into(), arn: arn.into(), user_id: "AIDA".into() }
    }

    fn environment() -> Environment {
        let mut environment = canned::environment();
        for duty in Duty::ALL {
            environment.roles.by_duty.insert(duty, format!("arn:aws:iam::111122223333:role/{duty}"));
        }
        environment.roles.mfa = Mfa::Device("arn:aws:iam::111122223333:mfa/oncall-a".into());
        environment
    }

    #[test]
    fn a_change_is_made_in_its_dutys_role_and_nothing_else_is_allowed() {
        let me = identity("arn:aws:iam::111122223333:user/keys/oncall-a");
        for operation in each() {
            let (plan, duty) = (plan(operation.clone()), Duty::of(&operation));
            let emergency = duty == Duty::EmergencyKeyAdmin;
            let made = Assumption::for_change(&environment(), Some(&me), &plan).unwrap().unwrap();
            assert_eq!(made.duty, duty);
            let request = &made.request;
            assert_eq!(request.source_identity, "oncall-a");
            assert!(request.session_name.starts_with("INC-1-"), "{}", request.session_name);
            assert_eq!(request.tags.contains_key("EmergencyAccess"), emergency);
            assert_eq!(request.tags["Environment"], "test");
            assert!(request.device.is_some());
            let policy: serde_json::Value = serde_json::from_str(&request.policy).unwrap();
            let statements = policy["Statement"].as_array().unwrap();
            let resource = match &operation {
                Operation::StartDbInstance { .. } => "arn:aws:rds:eu-west-1:111122223333:db:buzz-prod-1",
                _ => plan.key.as_str(),
            };
            assert_eq!((statements.len(), &statements[0]["Resource"]), (1, &resource.into()));
            assert!(request.policy.len() <= LONGEST_POLICY);
            let changes = statements[0]["Action"].as_array().unwrap().iter().filter(|action| {
                each().iter().any(|operation| operation.iam_action() == action.as_str().unwrap())
            });
            assert_eq!(changes.collect::<Vec<_>>(), [operation.iam_action()]);
        }
    }

    #[test]
    fn without_a_role_there_is_nothing_to_assume_and_without_a_name_it_is_refused() {
        let plan = plan(Operation::DisableKey);
        assert_eq!(Assumption::for_change(&canned::environment(), None, &plan), Ok(None));
        assert!(
            Assumption::for_change(&environment(), None, &plan).unwrap_err().contains("GetCallerIdentity")
        );
    }

    #[test]
    fn reading_is_narrowed_to_reads_and_asks_for_no_code() {
        let me = identity("arn:aws:sts::111122223333:assumed-role/Sso/some.body@example.com");
        let read = Assumption::for_reading(&environment(), Some(&me)).unwrap().unwrap().request;
        assert_eq!((read.source_identity.as_str(), &read.device), ("some.body@example.com", &None));
        assert!(read.policy.contains("kms:DescribeKey") && read.policy.contains("cloudtrail:LookupEvents"));
        for operation in each() {
            assert!(!read.policy.contains(operation.iam_action()), "{}", read.policy);
        }
        assert!(read.policy.len() <= LONGEST_POLICY && !read.policy.contains("sqs:"));
    }

    #[test]
    fn reading_may_empty_its_own_queue_and_no_other() {
        let me = identity("arn:aws:sts::111122223333:assumed-role/Sso/some.body@example.com");
        let mut environment = environment();
        environment.trail.queue = Some("arn:aws:sqs:eu-west-1:111122223333:portcullis".parse().unwrap());
        let read = Assumption::for_reading(&environment, Some(&me)).unwrap().unwrap().request;
        let policy: serde_json::Value = serde_json::from_str(&read.policy).unwrap();
        assert_eq!(policy["Statement"].as_array().unwrap().len(), 2);
        let queue = &policy["Statement"][1];
        assert_eq!(queue["Resource"], "arn:aws:sqs:eu-west-1:111122223333:portcullis");
        assert_eq!(queue["Action"], serde_json::json!(["sqs:ReceiveMessage", "sqs:DeleteMessage"]));
        assert!(read.policy.len() <= LONGEST_POLICY);
    }

    proptest! {
        #[test]
        fn names_are_what_sts_takes(arn in "\\PC{0,90}", purpose in "[A-Za-z0-9][A-Za-z0-9._-]{0,63}") {
            let fits = |name: &str| {
                (2..=64).contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c))
            };
            prop_assert!(person(&identity(&arn)).is_none_or(|name| fits(&name)));
            prop_assert!(fits(&super::session_name(&purpose)));
        }
    }
}
