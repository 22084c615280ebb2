//! The KMS keys: one of every kind that an operator meets.

use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use serde_json::json;

use super::{ACCOUNT, FOREIGN_ACCOUNT, HOME, HOSTILE, REPLICA, ago, estate_tags};
use crate::simulator::aws::kms::Kms;
use crate::simulator::aws::kms::key::{
    Grant, Key, KeyManager, KeySpec, KeySpecification, KeyState, KeyUsage, LastUsage, Origin, RotationType,
};
use crate::simulator::world::World;

pub(super) const USER_DATA: &str = "buzz-tutor/user-data";
pub(super) const PAYMENTS: &str = "buzz-tutor/payments";
pub(super) const LEGACY: &str = "buzz-tutor/legacy";
pub(super) const REPORTING: &str = "buzz-tutor/reporting";
pub(super) const RETIRED: &str = "buzz-tutor/retired-global";
pub(super) const PROFILES: &str = "buzz-tutor/tutor-profiles";
pub(super) const IMPORTED: &str = "buzz-tutor/exam-scores-imported";
pub(super) const EXAMS: &str = "buzz-tutor/exams";
pub(super) const SESSIONS_NEW: &str = "buzz-tutor/sessions-2026";
pub(super) const STAGING: &str = "buzz-tutor/staging-user-data";
pub(super) const PARTNER: &str = "northwind/shared-results";
/// Another account's key that lets us see nothing.
pub(super) const STRANGER: &str = "northwind/ledger";
/// A key of ours that nobody may describe.
pub(super) const SEALED: &str = "buzz-tutor/sealed";
/// A key whose tags and grants nobody may list.
pub(super) const HALF_SEEN: &str = "buzz-tutor/half-seen";
pub(super) const RSA: &str = "buzz-tutor/documents-rsa";
/// A key that no longer is: a column master key still names it.
pub(super) const GONE_ARN: &str =
    "arn:aws:kms:eu-west-1:111122223333:key/6d1f0c1e-44aa-4c07-9f0e-5b7f4c0d9e11";
/// A key in a Region that nobody watches.
pub(super) const FAR_ARN: &str =
    "arn:aws:kms:ap-southeast-2:111122223333:key/b3a9d2c4-7710-4e55-8a61-2f9e0c7d1a08";

/// How many days before `now` the payments key last rotated, and so on: history tells the same story.
pub(super) const PAYMENTS_ROTATED: i64 = 12;
pub(super) const REPORTING_ROTATED: i64 = 20;
pub(super) const EXAMS_ROTATED: i64 = 5;
pub(super) const LEGACY_SCHEDULED: i64 = 1;
pub(super) const RETIRED_SCHEDULED: i64 = 9;

/// One key of the plan.
struct Planned {
    alias: &'static str,
    environment: &'static str,
    description: &'static str,
    /// Days since it was made.
    age: i64,
    rotation: Planning,
    origin: Origin,
    spec: KeySpec,
    multi_region: bool,
}

/// How a key rotates.
#[derive(Clone, Copy)]
enum Planning {
    Off,
    /// Every so many days; the last time so many days ago.
    Every {
        period: u32,
        last: i64,
    },
    /// On, but the last date passed and nothing happened.
    Stalled {
        last: i64,
    },
    /// Off, but rotated by hand so many times, ten days apart; the last time so many days ago.
    OnDemand {
        times: i64,
        last: i64,
    },
    /// Off now, but it rotated once, so many days ago.
    Once {
        last: i64,
    },
}

impl Planned {
    const fn new(
        alias: &'static str,
        environment: &'static str,
        age: i64,
        rotation: Planning,
        description: &'static str,
    ) -> Self {
        let (origin, spec) = (Origin::AwsKms, KeySpec::SymmetricDefault);
        Self { alias, environment, description, age, rotation, origin, spec, multi_region: false }
    }
}

const fn every_90(last: i64) -> Planning {
    Planning::Every { period: 90, last }
}

#[rustfmt::skip]
const PLAN: &[Planned] = &[
    Planned::new(USER_DATA, "production", 401, every_90(41), "Students' and tutors' personal data"),
    Planned::new(PAYMENTS, "production", 372, every_90(PAYMENTS_ROTATED), "Cards and payouts"),
    Planned::new(LEGACY, "production", 380, Planning::Off, "Archive of the first product; to be deleted"),
    Planned::new("buzz-tutor/sessions", "production", 284, Planning::Stalled { last: 104 }, "Session tokens"),
    Planned::new(SESSIONS_NEW, "production", 30, every_90(30), "Session tokens, successor"),
    Planned::new("buzz-tutor/messages", "production", 268, every_90(88), "Chat between students and tutors"),
    Planned::new(PROFILES, "production", 500, Planning::Once { last: 410 }, "Tutor profiles"),
    Planned::new(EXAMS, "production", 185, every_90(EXAMS_ROTATED), "Exam papers and answers"),
    Planned { multi_region: true, ..Planned::new(REPORTING, "production", 200, every_90(REPORTING_ROTATED), "Reports, two Regions") },
    Planned { multi_region: true, ..Planned::new(RETIRED, "production", 620, Planning::Off, "Old global key; replica still in use") },
    Planned { origin: Origin::External, ..Planned::new(IMPORTED, "production", 210, Planning::Off, "Exam scores; our own key material") },
    Planned { origin: Origin::External, ..Planned::new("buzz-tutor/exam-scores-next", "production", 6, Planning::Off, "Successor; material not imported yet") },
    Planned { spec: KeySpec::Rsa2048, ..Planned::new(RSA, "production", 240, Planning::Off, "Contracts; asymmetric, rotated by hand") },
    Planned { spec: KeySpec::Hmac256, ..Planned::new("buzz-tutor/webhook-hmac", "production", 150, Planning::Off, "Signs webhooks") },
    Planned { origin: Origin::CloudHsm, ..Planned::new("buzz-tutor/vault-hsm", "production", 330, Planning::Off, "Custom key store") },
    Planned::new("buzz-tutor/spare", "production", 70, every_90(70), HOSTILE),
    Planned::new("buzz-tutor/tde-production", "production", 460, Planning::Every { period: 365, last: 95 }, "TDE, production"),
    Planned::new("buzz-tutor/tde-staging", "staging", 310, every_90(40), "TDE, staging"),
    Planned::new("buzz-tutor/tde-development", "development", 205, Planning::Off, "TDE, development"),
    Planned { spec: KeySpec::EccNistP256, ..Planned::new("buzz-tutor/signing-ecc", "production", 60, Planning::Off, "Signs attestations of exams") },
    Planned { origin: Origin::ExternalKeyStore, ..Planned::new("buzz-tutor/school-board-xks", "production", 75, Planning::Off, "Kept by the school board, outside AWS") },
    Planned::new("buzz-tutor/rotated-by-hand", "production", 300, Planning::OnDemand { times: 23, last: 33 }, "Rotated on demand, again and again"),
    Planned::new(HALF_SEEN, "production", 48, Planning::Off, "Its tags and grants are hidden"),
    Planned::new(SEALED, "production", 130, every_90(40), "Nobody may look at it"),
    Planned::new("platform/ci-cache", "", 260, every_90(80), "Build caches; no database's business"),
    Planned::new(STAGING, "staging", 190, every_90(10), "Personal data, staging"),
];

/// Makes every key, its alias, its grants, and its present state.
pub(super) fn fill(world: &mut World, now: Timestamp) {
    let World { kms, rng, .. } = world;
    for planned in PLAN {
        make(kms, rng, planned, now);
    }
    make_managed(kms, rng, now);
    make_foreign(kms, rng, now);
    replicate(kms, now);
    set_states(kms, rng, now);
    add_grants(kms, rng, now);
    let spare = id_behind(kms, "buzz-tutor/spare");
    kms.add_alias(HOME, ACCOUNT, &format!("alias/buzz-tutor/{HOSTILE}"), &spare, ago(now, 2));
}

/// The key that an alias (without `alias/`) of ours points at.
pub(super) fn behind<'a>(kms: &'a Kms, alias: &str) -> Option<&'a Key> {
    let account = if [PARTNER, STRANGER].contains(&alias) { FOREIGN_ACCOUNT } else { ACCOUNT };
    let (_, target) = kms.aliases().find(|(place, _)| {
        place.region == HOME && place.account == account && place.name.strip_prefix("alias/") == Some(alias)
    })?;
    kms.key(HOME, target.target.as_deref()?)
}

/// The ARN of the key behind an alias of the plan; empty for an alias that is not in it.
pub(super) fn arn_behind(kms: &Kms, alias: &str) -> String {
    behind(kms, alias).map(Key::arn).unwrap_or_default()
}

fn id_behind(kms: &Kms, alias: &str) -> String {
    behind(kms, alias).map(|key| key.id.clone()).unwrap_or_default()
}

fn change(kms: &mut Kms, alias: &str, change: impl FnOnce(&mut Key)) {
    let id = id_behind(kms, alias);
    if let Some(key) = kms.key_mut(HOME, &id) {
        change(key);
    }
}

fn make(kms: &mut Kms, rng: &mut StdRng, planned: &Planned, now: Timestamp) {
    let created = ago(now, planned.age);
    let usage = match planned.spec {
        KeySpec::Hmac256 => KeyUsage::GenerateVerifyMac,
        KeySpec::EccNistP256 => KeyUsage::SignVerify,
        _ => KeyUsage::EncryptDecrypt,
    };
    let specification = KeySpecification {
        origin: planned.origin,
        spec: planned.spec,
        usage,
        multi_region: planned.multi_region,
        description: planned.description.to_owned(),
        tags: estate_tags(planned.environment),
        policy: Some(policy(planned.environment)),
        ..KeySpecification::symmetric(HOME, ACCOUNT, created)
    };
    let key = kms.create(specification, rng);
    rotate(key, planned.rotation, created, now, rng);
    let id = key.id.clone();
    kms.add_alias(HOME, ACCOUNT, &format!("alias/{}", planned.alias), &id, created);
}

/// Replays a key's rotations, up to its last.
fn rotate(key: &mut Key, planning: Planning, created: Timestamp, now: Timestamp, rng: &mut StdRng) {
    let (period, last) = match planning {
        Planning::Off => return,
        Planning::OnDemand { times, last } => {
            for nth in (0..times).rev() {
                key.rotate(ago(now, last + nth * 10), RotationType::OnDemand, rng);
            }
            return;
        }
        Planning::Once { last } => return key.rotate(ago(now, last), RotationType::Automatic, rng),
        Planning::Every { period, last } => (period, last),
        Planning::Stalled { last } => (90, last),
    };
    key.enable_rotation(period, created);
    let step = SignedDuration::from_hours(i64::from(period) * 24);
    let mut at = created + step;
    while at <= ago(now, last) {
        key.rotate(at, RotationType::Automatic, rng);
        at += step;
    }
    if let Some(rotation) = &mut key.rotation {
        rotation.stalled = matches!(planning, Planning::Stalled { .. });
    }
}

/// AWS's own key for RDS: rotated every year, never ours to change.
fn make_managed(kms: &mut Kms, rng: &mut StdRng, now: Timestamp) {
    let created = ago(now, 900);
    let specification = KeySpecification {
        manager: KeyManager::Aws,
        description: "Default key that protects my RDS database volumes when no other key is defined"
            .to_owned(),
        ..KeySpecification::symmetric(HOME, ACCOUNT, created)
    };
    let key = kms.create(specification, rng);
    rotate(key, Planning::Every { period: 365, last: 170 }, created, now, rng);
    let id = key.id.clone();
    kms.add_alias(HOME, ACCOUNT, "alias/aws/rds", &id, created);
}

/// A partner's key, which lets our application decrypt, and one that does not.
fn make_foreign(kms: &mut Kms, rng: &mut StdRng, now: Timestamp) {
    let created = ago(now, 150);
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [
            statement("Owner", &format!("arn:aws:iam::{FOREIGN_ACCOUNT}:root"), &["kms:*"]),
            statement(
                "BuzzTutor",
                &format!("arn:aws:iam::{ACCOUNT}:root"),
                &["kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:ReEncrypt*"],
            ),
        ],
    });
    let specification = KeySpecification {
        description: "Results shared with Buzz Tutor".to_owned(),
        rotation_period: Some(365),
        policy: Some(policy.to_string()),
        ..KeySpecification::symmetric(HOME, FOREIGN_ACCOUNT, created)
    };
    let id = kms.create(specification, rng).id.clone();
    kms.add_alias(HOME, FOREIGN_ACCOUNT, &format!("alias/{PARTNER}"), &id, created);
    let closed = KeySpecification::symmetric(HOME, FOREIGN_ACCOUNT, created);
    let id = kms.create(closed, rng).id.clone();
    kms.add_alias(HOME, FOREIGN_ACCOUNT, &format!("alias/{STRANGER}"), &id, created);
}

fn replicate(kms: &mut Kms, now: Timestamp) {
    for (alias, age) in [(REPORTING, 190), (RETIRED, 600)] {
        let id = id_behind(kms, alias);
        if let Some(replica) = kms.replicate(HOME, &id, REPLICA, ago(now, age)) {
            replica.tags = estate_tags("production").into_iter().collect();
            replica.policy = policy("production");
        }
        kms.add_alias(REPLICA, ACCOUNT, &format!("alias/{alias}"), &id, ago(now, age));
    }
}

fn set_states(kms: &mut Kms, rng: &mut StdRng, now: Timestamp) {
    change(kms, PAYMENTS, |key| key.state = KeyState::Disabled);
    change(kms, LEGACY, |key| {
        key.schedule_deletion(ago(now, LEGACY_SCHEDULED), 7);
        key.last_usage = Some(LastUsage {
            operation: "Decrypt".to_owned(),
            at: ago(now, 91),
            event_id: None,
            request_id: "0c2f7d8e-7a51-4d5e-9a39-6f0d4a1b7c55".to_owned(),
        });
    });
    change(kms, RETIRED, |key| key.schedule_deletion(ago(now, RETIRED_SCHEDULED), 14));
    change(kms, IMPORTED, |key| key.import(Some(now + SignedDuration::from_hours(9 * 24)), rng));
    change(kms, "buzz-tutor/vault-hsm", |key| key.state = KeyState::Unavailable);
    change(kms, STAGING, |key| key.policy = public_policy());
    change(kms, SEALED, |key| key.policy = hiding_policy(&["kms:DescribeKey"]));
    change(kms, HALF_SEEN, |key| key.policy = hiding_policy(&["kms:ListResourceTags", "kms:ListGrants"]));
    for alias in [PAYMENTS, EXAMS, RSA] {
        change(kms, alias, |key| {
            key.tags.insert("DataClass".to_owned(), "pci".to_owned());
        });
    }
    let reporting = id_behind(kms, REPORTING);
    if let Some(replica) = kms.key_mut(REPLICA, &reporting) {
        replica.state = KeyState::Disabled;
    }
}

fn add_grants(kms: &mut Kms, rng: &mut StdRng, now: Timestamp) {
    const RDS: &[&str] = &[
        "Decrypt",
        "Encrypt",
        "GenerateDataKey",
        "ReEncryptFrom",
        "ReEncryptTo",
        "CreateGrant",
        "RetireGrant",
        "DescribeKey",
    ];
    let rds = format!("rds.{HOME}.amazonaws.com");
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let grants = [
        (USER_DATA, rds.clone(), RDS, "buzz-prod-1 storage", 399),
        (USER_DATA, rds.clone(), RDS, "buzz-prod-1 snapshots", 399),
        (USER_DATA, role("BuzzTutorBackup"), &["Decrypt", "GenerateDataKey", "DescribeKey"], "backup", 380),
        (USER_DATA, role("BuzzTutorApp-production"), &["Decrypt", "DescribeKey"], "app-decryptor", 120),
        (PAYMENTS, role("BuzzTutorApp-production"), &["Decrypt", "Encrypt"], "app-payments", 300),
        ("buzz-tutor/tde-staging", rds, RDS, "buzz-staging-1 storage", 300),
        (REPORTING, role("BuzzTutorReports-production"), &["Decrypt", "DescribeKey"], "reports", 180),
        (
            EXAMS,
            format!("arn:aws:iam::{FOREIGN_ACCOUNT}:role/NorthwindImport"),
            &["Decrypt"],
            "northwind",
            15,
        ),
    ];
    for (alias, grantee, operations, name, age) in grants {
        let mut grant = Grant::new(&grantee, operations, ACCOUNT, ago(now, age), rng);
        grant.name = Some(name.replace(' ', "-"));
        if name == "backup" {
            // Bound to one context, and to be retired by whoever runs the backups.
            grant.context_subset = Some([("purpose".to_owned(), "backup".to_owned())].into());
            grant.retiring = Some(role("BuzzTutorDatabaseAdmin"));
        }
        change(kms, alias, |key| key.grants.push(grant));
    }
}

/// The requirement's key policy: the account, its database administrators, RDS, the audit logger, the application.
fn policy(environment: &str) -> String {
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    json!({
        "Version": "2012-10-17",
        "Id": format!("buzz-tutor-{environment}"),
        "Statement": [
            statement("EnableIamPolicies", &format!("arn:aws:iam::{ACCOUNT}:root"), &["kms:*"]),
            statement("DatabaseAdmin", &role("BuzzTutorDatabaseAdmin"), &["kms:*"]),
            {
                "Sid": "Rds", "Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
                "Resource": "*",
            },
            statement(
                "AuditLogger",
                &role("BuzzTutorAuditLogger"),
                &["kms:DescribeKey", "kms:GetKeyPolicy", "kms:GetKeyRotationStatus", "kms:List*"],
            ),
            statement(
                "Application",
                &role(&format!("BuzzTutorApp-{environment}")),
                &["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey"],
            ),
        ],
    })
    .to_string()
}

/// The account decides by IAM, but nobody may do `hidden`.
fn hiding_policy(hidden: &[&str]) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            statement("EnableIamPolicies", &format!("arn:aws:iam::{ACCOUNT}:root"), &["kms:*"]),
            { "Sid": "Hide", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": hidden, "Resource": "*" },
        ],
    })
    .to_string()
}

/// Open to the world: somebody wanted to get on with the tests.
fn public_policy() -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [
            statement("EnableIamPolicies", &format!("arn:aws:iam::{ACCOUNT}:root"), &["kms:*"]),
            statement("TemporaryForTests", "*", &["kms:Decrypt", "kms:DescribeKey"]),
        ],
    })
    .to_string()
}

fn statement(sid: &str, principal: &str, actions: &[&str]) -> serde_json::Value {
    json!({
        "Sid": sid, "Effect": "Allow", "Principal": {"AWS": principal}, "Action": actions, "Resource": "*",
    })
}
