//! The users and roles, with the policies that the requirement wanted (its mistakes put right).

use jiff::Timestamp;
use rand::RngCore as _;
use serde_json::{Value, json};

use super::{ACCOUNT, ENVIRONMENTS};
use crate::simulator::aws::cloudtrail::actor::unique_id;
use crate::simulator::aws::sts::{MfaDevice, Role, User};
use crate::simulator::world::World;

/// A long-term access key of a simulated user. It opens nothing but the simulator.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub access_key_id: String,
    pub secret_access_key: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.access_key_id).finish_non_exhaustive()
    }
}

/// A user's access key; `None` for nobody of that name.
///
/// `platform` may do everything; `oncall-a` and `oncall-b` read, and change only through a role; `auditor`
/// only reads.
#[must_use]
pub fn credentials(world: &World, user: &str) -> Option<Credentials> {
    let user = world.sts.users.iter().find(|one| one.account == world.account && one.name == user)?;
    Some(Credentials { access_key_id: user.access_key_id.clone(), secret_access_key: user.secret.clone() })
}

/// Makes every user and role.
pub(super) fn fill(world: &mut World, _now: Timestamp) {
    for (name, mfa, policies) in [
        ("platform", false, vec![allow(&["*"])]),
        ("oncall-a", true, vec![read_only(), assume_roles()]),
        ("oncall-b", true, vec![read_only(), assume_roles()]),
        ("auditor", false, vec![read_only()]),
        ("contractor-dev", false, vec![allow(&["sts:GetCallerIdentity"])]),
    ] {
        let user = make_user(world, name, mfa, &policies);
        world.sts.users.push(user);
    }
    for environment in ENVIRONMENTS {
        for (name, by_mfa, actions) in [
            ("KeyManagementAdmin", false, MANAGE),
            ("EmergencyKeyAdmin", true, EMERGENCY),
            ("KeyRecoveryAdmin", true, RECOVER),
        ] {
            let trust = admin_trust(name, by_mfa, environment);
            push_role(
                world,
                &format!("BuzzTutor{name}-{environment}"),
                &trust,
                &key_admin(actions, environment),
            );
        }
        let app = allow(&["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]);
        push_role(world, &format!("BuzzTutorApp-{environment}"), &service_trust("ec2.amazonaws.com"), &app);
    }
    let people = trust(&["user/oncall-a", "user/oncall-b", "user/platform"], None);
    push_role(world, "BuzzTutorSecurityTeam", &people, &assume_roles());
    push_role(world, "BuzzTutorDevOps", &trust(&["user/platform"], None), &assume_roles());
    push_role(world, "BuzzTutorDatabaseAdmin", &people, &allow(&["kms:*", "rds:*"]));
    push_role(world, "BuzzTutorAuditLogger", &trust(&["user/auditor"], None), &read_only());
    let monitoring = service_trust("ec2.amazonaws.com");
    push_role(world, "BuzzTutorMonitoring", &monitoring, &read_only());
    let decrypt = allow(&["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]);
    push_role(world, "BuzzTutorBackup", &service_trust("backup.amazonaws.com"), &decrypt);
    push_role(world, "BuzzTutorReports-production", &service_trust("ec2.amazonaws.com"), &decrypt);
}

const MANAGE: &[&str] = &[
    "kms:EnableKey",
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:CancelKeyDeletion",
    "kms:RotateKeyOnDemand",
    "kms:EnableKeyRotation",
    "kms:PutKeyPolicy",
    "kms:GetKeyRotationStatus",
];
const EMERGENCY: &[&str] = &[
    "kms:DisableKey",
    "kms:ScheduleKeyDeletion",
    "kms:RevokeGrant",
    "kms:RetireGrant",
    "kms:Encrypt",
    "kms:Decrypt",
];
const RECOVER: &[&str] =
    &["kms:EnableKey", "kms:CancelKeyDeletion", "kms:CreateGrant", "kms:Encrypt", "kms:Decrypt"];

fn make_user(world: &mut World, name: &str, mfa: bool, policies: &[Value]) -> User {
    let mut secret = [0; 20];
    world.rng.fill_bytes(&mut secret);
    let mut seed = vec![0; 20];
    world.rng.fill_bytes(&mut seed);
    User {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        access_key_id: access_key("AKIA", name),
        secret: hex::encode(secret),
        mfa: mfa.then(|| MfaDevice { serial: format!("arn:aws:iam::{ACCOUNT}:mfa/{name}"), seed }),
        policies: policies.iter().map(Value::to_string).collect(),
    }
}

/// An access key id for this name, always the same: 20 characters, as AWS's are.
pub(in crate::simulator) fn access_key(prefix: &str, name: &str) -> String {
    unique_id(prefix, ACCOUNT, name).chars().take(20).collect()
}

fn push_role(world: &mut World, name: &str, trust: &Value, policy: &Value) {
    world.sts.roles.push(Role {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        id: unique_id("AROA", ACCOUNT, name),
        trust: trust.to_string(),
        policies: vec![policy.to_string()],
        max_session: 3600,
    });
}

/// Who may become a key administrator. The emergency and recovery roles ask for MFA, and so name the people
/// themselves too: a chained role carries no MFA.
fn admin_trust(name: &str, by_mfa: bool, environment: &str) -> Value {
    if by_mfa {
        let condition = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
        return trust(&["role/BuzzTutorSecurityTeam", "user/oncall-a", "user/oncall-b"], Some(condition));
    }
    debug_assert_eq!(name, "KeyManagementAdmin");
    let condition = json!({"StringEquals": {"aws:RequestTag/Environment": environment}});
    trust(&["role/BuzzTutorDevOps", "user/platform"], Some(condition))
}

fn trust(principals: &[&str], condition: Option<Value>) -> Value {
    let principals: Vec<String> =
        principals.iter().map(|name| format!("arn:aws:iam::{ACCOUNT}:{name}")).collect();
    let mut statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

fn service_trust(service: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// What a key administrator may do: change this environment's keys, and read them all so as to verify. The
/// emergency role's changes ask for MFA and the session tag `EmergencyAccess=true` besides.
fn key_admin(actions: &[&str], environment: &str) -> Value {
    let mut condition = json!({"StringEquals": {"aws:ResourceTag/Environment": environment}});
    if actions == EMERGENCY {
        condition["StringEquals"]["aws:PrincipalTag/EmergencyAccess"] = "true".into();
        condition["Bool"] = json!({"aws:MultiFactorAuthPresent": "true"});
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": actions, "Resource": format!("arn:aws:kms:*:{ACCOUNT}:key/*"),
                "Condition": condition,
            },
            {"Effect": "Allow", "Action": READS, "Resource": "*"},
        ],
    })
}

const READS: &[&str] = &[
    "kms:Describe*",
    "kms:Get*",
    "kms:List*",
    "cloudtrail:LookupEvents",
    "rds:Describe*",
    "sns:ListTopics",
    "sns:Publish",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
    "sts:GetCallerIdentity",
];

fn read_only() -> Value {
    allow(READS)
}

fn assume_roles() -> Value {
    allow(&["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity", "sts:GetSessionToken"])
}

fn allow(actions: &[&str]) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
}
