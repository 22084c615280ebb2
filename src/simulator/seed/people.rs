//! The users and roles. Those whom portcullis is for have the very policies that it ships (`assets/iam`).

use jiff::Timestamp;
use rand::RngCore as _;
use serde_json::json;

use super::{ACCOUNT, ALERT_TOPIC, ENVIRONMENTS};
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
/// `platform` may do everything, and has an MFA device; `oncall-a` and `oncall-b` read, and change only through
/// a role that asks for the code of their device, `oncall-a` in that for rotations too; `auditor` only reads.
#[must_use]
pub fn credentials(world: &World, user: &str) -> Option<Credentials> {
    let user = world.sts.users.iter().find(|one| one.account == world.account && one.name == user)?;
    Some(Credentials { access_key_id: user.access_key_id.clone(), secret_access_key: user.secret.clone() })
}

/// A user's MFA device: serial and TOTP seed; `None` for nobody of that name, or one without a device.
#[must_use]
pub fn mfa_device(world: &World, user: &str) -> Option<MfaDevice> {
    let user = world.sts.users.iter().find(|one| one.account == world.account && one.name == user)?;
    user.mfa.clone()
}

/// Makes every user and role.
pub(super) fn fill(world: &mut World, _now: Timestamp) {
    for (name, mfa, policies) in [
        ("platform", true, vec![allow(&["*"])]),
        ("oncall-a", true, vec![shipped("responder.permissions.json", "production")]),
        ("oncall-b", true, vec![shipped("responder.permissions.json", "production")]),
        ("auditor", false, vec![shipped("audit.permissions.json", "production")]),
        ("contractor-dev", false, vec![allow(&["sts:GetCallerIdentity"])]),
    ] {
        let user = make_user(world, name, mfa, policies);
        world.sts.users.push(user);
    }
    for environment in ENVIRONMENTS {
        for (name, duty) in DUTIES {
            push_shipped(world, &format!("{name}-{environment}"), duty, environment);
        }
        let app = allow(&["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]);
        push_role(world, &format!("BuzzTutorApp-{environment}"), &service_trust("ec2.amazonaws.com"), app);
    }
    push_shipped(world, AUDIT, "audit", "production");
    let people = trust(&["user/oncall-a", "user/oncall-b", "user/platform"]);
    push_role(world, "BuzzTutorSecurityTeam", &people, shipped("responder.permissions.json", "production"));
    push_role(world, "BuzzTutorDevOps", &trust(&["user/platform"]), reads());
    push_role(world, "BuzzTutorDatabaseAdmin", &people, allow(&["kms:*", "rds:*"]));
    push_role(world, "BuzzTutorMonitoring", &service_trust("ec2.amazonaws.com"), reads());
    let decrypt = || allow(&["kms:Decrypt", "kms:GenerateDataKey*", "kms:DescribeKey"]);
    push_role(world, "BuzzTutorBackup", &service_trust("backup.amazonaws.com"), decrypt());
    push_role(world, "BuzzTutorReports-production", &service_trust("ec2.amazonaws.com"), decrypt());
}

/// The roles that change keys, one of each for an environment, and the duty of the shipped policies.
const DUTIES: [(&str, &str); 3] = [
    ("BuzzTutorKeyManagementAdmin", "key-management-admin"),
    ("BuzzTutorEmergencyKeyAdmin", "emergency-key-admin"),
    ("BuzzTutorKeyRecoveryAdmin", "key-recovery-admin"),
];
/// The role that only reads.
const AUDIT: &str = "BuzzTutorAuditLogger";

/// The ARN of the role for a duty (as the shipped policies call it) in an environment; `None` for no such duty.
#[must_use]
pub fn role_for(duty: &str, environment: &str) -> Option<String> {
    let name = match DUTIES.iter().find(|(_, known)| *known == duty) {
        Some((name, _)) => format!("{name}-{environment}"),
        None => (duty == "audit").then(|| AUDIT.to_owned())?,
    };
    Some(format!("arn:aws:iam::{ACCOUNT}:role/{name}"))
}

/// A policy that portcullis ships, filled in for this account and one of its environments.
fn shipped(document: &str, environment: &str) -> String {
    let role = |duty| role_for(duty, environment).unwrap_or_default();
    let words = [
        ("account", ACCOUNT),
        ("environment", environment),
        ("responder-1", "oncall-a"),
        ("responder-2", "oncall-b"),
        ("manager-1", "platform"),
        ("manager-2", "oncall-a"),
        ("auditor-1", "auditor"),
        ("alert-topic", ALERT_TOPIC),
        ("emergency-role", &role("emergency-key-admin")),
        ("recovery-role", &role("key-recovery-admin")),
        ("management-role", &role("key-management-admin")),
        ("audit-role", &role("audit")),
    ];
    // A document that is not there is an empty policy, which cannot be read and allows nobody anything.
    crate::iam::filled(document, &words).unwrap_or_default()
}

fn push_shipped(world: &mut World, name: &str, duty: &str, environment: &str) {
    let trust = shipped(&format!("{duty}.trust.json"), environment);
    push_role(world, name, &trust, shipped(&format!("{duty}.permissions.json"), environment));
}

fn make_user(world: &mut World, name: &str, mfa: bool, policies: Vec<String>) -> User {
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
        policies,
    }
}

/// An access key id for this name, always the same: 20 characters, as AWS's are.
pub(in crate::simulator) fn access_key(prefix: &str, name: &str) -> String {
    unique_id(prefix, ACCOUNT, name).chars().take(20).collect()
}

fn push_role(world: &mut World, name: &str, trust: &str, policy: String) {
    world.sts.roles.push(Role {
        account: ACCOUNT.to_owned(),
        name: name.to_owned(),
        id: unique_id("AROA", ACCOUNT, name),
        trust: trust.to_owned(),
        policies: vec![policy],
        max_session: 3600,
    });
}

fn trust(principals: &[&str]) -> String {
    let principals: Vec<String> =
        principals.iter().map(|name| format!("arn:aws:iam::{ACCOUNT}:{name}")).collect();
    let statement = json!({
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": ["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"],
    });
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn service_trust(service: &str) -> String {
    let statement = json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn reads() -> String {
    allow(&[
        "kms:Describe*",
        "kms:Get*",
        "kms:List*",
        "cloudtrail:LookupEvents",
        "rds:Describe*",
        "sns:ListTopics",
        "sqs:DeleteMessage",
        "sqs:GetQueue*",
        "sqs:ReceiveMessage",
    ])
}

fn allow(actions: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}],
    })
    .to_string()
}
