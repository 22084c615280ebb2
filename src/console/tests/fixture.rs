//! A hand-made account: one key of every kind that the screens tell apart.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::console::keymap::Keymap;
use crate::console::theme::ThemeName;
use crate::console::{Mode, Options, Place, RunbookCard};
use crate::detect::{Finding, Muted};
use crate::gate::preview::Preview;
use crate::inventory::Column;
use crate::journal::Entry;
use crate::model::age::{AgePolicies, DAY};
use crate::model::arn::KeyArn;
use crate::model::catalog::{EncryptedColumn, EncryptionType, Envelope, ServerName};
use crate::model::dependents::{Dependents, RdsInstance};
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::key::{
    Grant, KeySpec, KeyState, KeyUsage, KmsKey, LastUse, Manager, MultiRegion, Origin, RotationRecord,
    RotationStatus,
};
use crate::model::pair::{CmkRef, DatabaseRef, EstateMark, Inventory, KeyLink, KeyPlace, Pair, Row};
use crate::model::plan::{Observed, Operation, Plan};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};
use crate::respond::view::{Evidence, RunView, StepStatus, StepView, Waiting};
use crate::runbook::{Aim, RunRecord, RunStarted};
use crate::trail::{Store, TrailSource, TrailView};

pub fn now() -> Timestamp {
    "2026-11-23T14:02:31Z".parse().unwrap()
}

fn days(count: i32) -> SignedDuration {
    DAY * count
}

pub fn arn(number: u32) -> KeyArn {
    format!("arn:aws:kms:eu-west-1:111122223333:key/{number:08x}-12ab-34cd-56ef-1234567890ab")
        .parse()
        .unwrap()
}

/// The account, the application, and everybody else through S3.
const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
    {"Sid": "EnableIamPolicies", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
     "Action": "kms:*", "Resource": "*"},
    {"Sid": "App", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/app-decryptor"},
     "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": "*"},
    {"Sid": "TemporaryForTests", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
     "Condition": {"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}}}
]}"#;

/// An ordinary key, rotated `age` days ago.
pub fn key(number: u32, alias: &str, age: i32) -> KmsKey {
    let rotated = now() - days(age);
    KmsKey {
        arn: arn(number),
        state: KeyState::Enabled,
        origin: Origin::AwsKms,
        spec: KeySpec::SymmetricDefault,
        usage: KeyUsage::EncryptDecrypt,
        manager: Manager::Customer,
        multi_region: None,
        description: "Column encryption".into(),
        created: now() - days(age + 400),
        deletion_date: None,
        pending_window_days: None,
        expiration: None,
        valid_to: None,
        material_id: None,
        key_store: None,
        read_at: now() - SignedDuration::from_secs(8),
        aliases: Seen::Known(vec![alias.into()]),
        tags: Seen::Known(BTreeMap::from([("team".to_owned(), "payments".into())])),
        rotation: Seen::Known(RotationStatus {
            automatic: true,
            period_days: Some(90),
            next: Some(rotated + days(90)),
            on_demand_since: None,
        }),
        rotations: Seen::Known(vec![RotationRecord {
            at: Some(rotated),
            kind: Some("AUTOMATIC".into()),
            material_id: None,
            material_state: Some("CURRENT".into()),
            import_state: None,
            valid_to: None,
        }]),
        grants: Seen::Known(vec![
            grant("rds.amazonaws.com"),
            grant("rds.amazonaws.com"),
            grant("arn:aws:iam::111122223333:role/app-decryptor"),
        ]),
        policy: Seen::Loading,
        last_use: Seen::Known(LastUse {
            used: Some((now() - SignedDuration::from_secs(125), "Decrypt".into())),
            tracked_since: Some(now() - days(300)),
        }),
    }
}

fn grant(to: &str) -> Grant {
    Grant {
        id: "g".into(),
        name: None,
        grantee: to.into(),
        operations: vec!["Decrypt".into()],
        constraints: None,
        created: None,
        retiring: None,
        issuing_account: None,
    }
}

pub fn database(name: &str) -> DatabaseRef {
    DatabaseRef { server: ServerName("sql-1".into()), database: name.into() }
}

pub fn pair(cek: &str, database_name: &str, key: u32) -> Pair {
    let arn = arn(key);
    Pair {
        cek: cek.into(),
        cek_id: 7,
        cmk: Arc::new(CmkRef {
            database: database(database_name),
            name: format!("CMK_{key}").as_str().into(),
            provider: "AWS_KMS_PROVIDER".into(),
            key_path: arn.as_str().into(),
            link: KeyLink::Key { arn },
            place: KeyPlace::default(),
            siblings: 0,
        }),
        algorithm: "RSA_OAEP".into(),
        envelope: Envelope::Common { key_path: "x".into(), ciphertext_bytes: 184, signature_bytes: 256 },
        envelope_mismatch: false,
        rotating: false,
        columns: ["Email", "Phone", "IBAN"]
            .map(|name| EncryptedColumn {
                database: None,
                schema: "dbo".into(),
                table: "Users".into(),
                name: name.into(),
                column_key_id: 7,
                encryption: EncryptionType::Randomized,
            })
            .into_iter()
            .collect(),
    }
}

fn linked(mut pair: Pair, path: &str, link: KeyLink) -> Row {
    let cmk = Arc::make_mut(&mut pair.cmk);
    cmk.key_path = path.into();
    cmk.link = link;
    Row::Pair(pair)
}

fn rows() -> Vec<Row> {
    let mut rotating = pair("CEK_Rotating", "buzz_prod", 7);
    rotating.rotating = true;
    vec![
        Row::Pair(pair("CEK_User_12345", "buzz_prod", 1)),
        Row::Pair(pair("CEK_User_12346", "buzz_prod", 1)),
        Row::Pair(pair("CEK_Archive", "buzz_arch", 1)),
        Row::Pair(pair("CEK_Payments", "buzz_prod", 2)),
        Row::Pair(pair("CEK_Legacy", "buzz_arch", 3)),
        Row::Pair(pair("CEK_Reports", "buzz_report", 4)),
        Row::Pair(pair("CEK_Imported", "buzz_prod", 5)),
        Row::Pair(pair("CEK_HalfSeen", "buzz_prod", 6)),
        Row::Pair(rotating),
        linked(
            pair("CEK_Partner", "buzz_prod", 90),
            "arn:aws:kms:eu-west-1:999988887777:key/0000005a-12ab-34cd-56ef-1234567890ab",
            KeyLink::NotVisible {
                path: "arn:aws:kms:eu-west-1:999988887777:key/0000005a-12ab-34cd-56ef-1234567890ab".into(),
                why: NotVisible::new(
                    Cause::Denied,
                    "kms:DescribeKey was denied: the key is of account 999988887777",
                ),
            },
        ),
        linked(
            pair("CEK_Cert", "buzz_report", 91),
            "CurrentUser/My/BBF037EC4A133ADCA89FFAEC16CA5BFA8878FB94",
            KeyLink::NotKms,
        ),
        linked(
            pair("CEK_Lost", "buzz_arch", 92),
            "arn:aws:kms:eu-west-1:111122223333:alias/buzz-tutor/lost",
            KeyLink::Gone { path: "arn:aws:kms:eu-west-1:111122223333:alias/buzz-tutor/lost".into() },
        ),
        Row::Pair(pair("CEK_\u{1b}]52;c;evil", "buzz_prod", 8)),
        Row::UnreferencedKey { key: arn(8), estate: EstateMark::Unmarked },
        Row::UnreadableDatabase {
            database: database("buzz_hr"),
            why: NotVisible::new(
                Cause::Denied,
                "VIEW ANY COLUMN MASTER KEY DEFINITION is missing on buzz_hr",
            ),
        },
    ]
}

pub fn inventory() -> Inventory {
    let mut disabled = key(2, "buzz-tutor/payments", 12);
    disabled.state = KeyState::Disabled;
    let mut pending = key(3, "buzz-tutor/legacy", 380);
    pending.state = KeyState::PendingDeletion;
    pending.deletion_date = Some(now() + days(6) + SignedDuration::from_hours(3));
    let overdue = KmsKey {
        rotation: Seen::Known(RotationStatus {
            automatic: false,
            period_days: None,
            next: None,
            on_demand_since: None,
        }),
        ..key(4, "buzz-tutor/reports", 140)
    };
    let imported = KmsKey {
        origin: Origin::External,
        valid_to: Some(now() + days(9)),
        rotation: Seen::NotVisible(NotVisible::new(Cause::Unsupported, "KMS does not say for imported keys")),
        ..key(5, "buzz-tutor/imported", 60)
    };
    let denied = || NotVisible::new(Cause::Denied, "kms:ListGrants was denied (AccessDeniedException)");
    let half_seen = KmsKey {
        grants: Seen::NotVisible(denied()),
        rotations: Seen::NotVisible(denied()),
        last_use: Seen::Loading,
        ..key(6, "buzz-tutor/half-seen", 10)
    };
    let mut multi = key(7, "buzz-tutor/global", 30);
    multi.multi_region = Some(MultiRegion {
        primary: arn(7),
        replicas: vec![
            "arn:aws:kms:us-east-1:111122223333:key/00000007-12ab-34cd-56ef-1234567890ab".parse().unwrap(),
        ],
    });
    let hostile = key(8, "evil\u{202e}sal/\u{1b}[31mred", 20);
    let mut first = key(1, "buzz-tutor/user-data", 41);
    first.policy = Seen::Known(POLICY.into());
    let keys = [first, disabled, pending, overdue, imported, half_seen, multi, hostile];
    let rows = rows();
    let health = |ago: i64| SourceHealth {
        last_success: Some(now() - SignedDuration::from_secs(ago)),
        ..SourceHealth::default()
    };
    Inventory {
        keys: keys.into_iter().map(|key| (key.arn.clone(), Arc::new(key))).collect(),
        regions: BTreeSet::from(["eu-west-1".to_owned()]),
        rds: BTreeMap::from([(
            "eu-west-1".to_owned(),
            Seen::Known(vec![RdsInstance {
                id: "buzz-prod-1".into(),
                status: "available".into(),
                engine: "sqlserver-ee".into(),
                storage_key: Some(arn(1)),
                endpoint: None,
                region: "eu-west-1".into(),
            }]),
        )]),
        rows: rows.into(),
        sources: BTreeMap::from([
            (Source::Kms("eu-west-1".into()), health(8)),
            (Source::Sql(ServerName("sql-1".into())), health(31)),
        ]),
        ..Inventory::default()
    }
}

/// As many pairs as are asked for, over twelve keys.
pub fn many_pairs(count: usize) -> Inventory {
    let mut inventory = inventory();
    let template: Vec<Pair> = (1..=8).map(|key| pair("CEK", "buzz_prod", key)).collect();
    inventory.rows = (0..count)
        .map(|number| {
            Row::Pair(Pair {
                cek: format!("CEK_{number:06}").as_str().into(),
                ..template[number % 8].clone()
            })
        })
        .collect();
    inventory
}

/// An event of somebody's, allowed.
pub fn event_named(number: u32, minutes_ago: i64, name: &str) -> KeyEvent {
    event(number, minutes_ago, name, "somebody", Severity::Info, Outcome::Allowed)
}

fn event(
    number: u32,
    minutes_ago: i64,
    name: &str,
    who: &str,
    severity: Severity,
    outcome: Outcome,
) -> KeyEvent {
    KeyEvent {
        id: format!("event-{number}"),
        at: now() - SignedDuration::from_mins(minutes_ago),
        name: name.into(),
        source: "kms.amazonaws.com".into(),
        region: "eu-west-1".into(),
        who: Who {
            name: who.into(),
            role: Some("emergency-key-admin".into()),
            account: Some("111122223333".into()),
            mfa: Some(number.is_multiple_of(2)),
            kind: "AssumedRole".into(),
            ..Who::default()
        },
        keys: vec![arn(1 + number % 4)],
        key_as_typed: None,
        from: "203.0.113.7".into(),
        user_agent: "aws-cli/2.31 \u{1b}[2J".into(),
        outcome,
        read_only: Some(false),
        severity,
        ..KeyEvent::default()
    }
}

/// A finding on the event of that number.
pub fn finding(rule: &str, number: u32, minutes_ago: i64, severity: Severity) -> Finding {
    let at = now() - SignedDuration::from_mins(minutes_ago);
    let rule = crate::detect::rule(rule).unwrap();
    Finding {
        id: format!("{}/event-{number}", rule.id),
        rule,
        severity,
        at,
        events: vec![(at, format!("event-{number}"))],
        keys: vec![arn(1 + number % 4)],
        who: None,
        from: Some("203.0.113.7".into()),
        region: "eu-west-1".into(),
        reason: format!("somebody did it, event {number}"),
        attempt: false,
        muted: None,
    }
}

pub fn findings() -> Arc<[Finding]> {
    let muted = Muted { reason: "ticket 4711".into(), expires: now() + days(9) };
    Arc::new([
        finding("kms-key-disabled", 0, 4, Severity::High),
        finding("kms-key-deletion-scheduled", 2, 12, Severity::High),
        Finding { muted: Some(muted), ..finding("kms-key-policy-foreign", 3, 31, Severity::High) },
    ])
}

pub fn trail() -> TrailView {
    let denied = Outcome::Denied { code: "AccessDenied".into(), message: "User is not authorized".into() };
    let mut events = Store::new(1000);
    for event in [
        event(0, 4, "DisableKey", "oncall-b", Severity::High, Outcome::Allowed),
        event(1, 9, "Decrypt", "app-decryptor", Severity::Info, Outcome::Allowed),
        event(2, 12, "ScheduleKeyDeletion", "mallory", Severity::Critical, denied),
        event(3, 31, "PutKeyPolicy", "platform", Severity::Notice, Outcome::Allowed),
        event(4, 3000, "RotateKeyOnDemand", "platform", Severity::Notice, Outcome::Allowed),
    ] {
        let raw = format!(
            "{{\"eventID\":\"{}\",\"eventName\":\"{}\",\"requestParameters\":{{\"keyId\":\"{}\"}}}}",
            event.id,
            event.name.raw(),
            arn(1)
        );
        events.insert(event, &raw);
    }
    let source = TrailSource {
        health: SourceHealth {
            last_success: Some(now() - SignedDuration::from_secs(250)),
            ..SourceHealth::default()
        },
        changes_since: Some(now() - days(21)),
        uses_since: Some(now() - days(1)),
        ..TrailSource::new(Source::Trail("eu-west-1".into()))
    };
    TrailView { events: events.events().clone(), findings: findings(), sources: vec![source] }
}

/// A trail that has been followed for ten minutes only.
pub fn trail_just_begun() -> TrailView {
    let mut trail = trail();
    for source in &mut trail.sources {
        source.uses_since = Some(now() - SignedDuration::from_mins(10));
    }
    trail
}

/// Uses of the first key: by the application, by RDS on its behalf, and tries by somebody of another account.
pub fn uses() -> Store {
    let mut store = Store::new(1000);
    let denied = || Outcome::Denied { code: "AccessDenied".into(), message: "not authorized".into() };
    for number in 0..46 {
        let (who, account, from, outcome) = match number {
            0..40 => ("i-0a41c7d2", "111122223333", "10.20.1.17", Outcome::Allowed),
            40..44 => ("buzz-prod-1", "111122223333", "rds.amazonaws.com", Outcome::Allowed),
            _ => ("mallory", "444455556666", "203.0.113.66", denied()),
        };
        let event = event(100 + number, i64::from(2 + number % 50), "Decrypt", who, Severity::Info, outcome);
        let event = KeyEvent {
            keys: vec![arn(1)],
            who: Who { role: None, account: Some(account.into()), ..event.who },
            from: from.into(),
            ..event
        };
        store.insert(event, "{}");
    }
    store
}

pub fn place(environment: &str, production: bool) -> Place {
    Place {
        environment: environment.into(),
        production,
        simulated: false,
        account: Some("111122223333".into()),
        region: "eu-west-1".into(),
        identity: Seen::Known("oncall-a via emergency-key-admin".into()),
        age: AgePolicies::default(),
        column_key_cache: SignedDuration::from_hours(2),
    }
}

pub fn options(mode: Mode) -> Options {
    Options {
        places: vec![place("production", true)],
        columns: Column::USUAL.to_vec(),
        columns_file: None,
        mode,
        theme: ThemeName::Dark,
        no_color: false,
        keymap: Keymap::new(&BTreeMap::new()).unwrap(),
        runbooks: vec![
            RunbookCard {
                id: "emergency-revocation".into(),
                title: "Emergency key revocation".into(),
                text: "When to use this: a column key's KMS key is **known or suspected** to be used by somebody who \
                       should not.\n\n## Confirm the target\n\nCompare the `ARN` on screen with the one in the alert.\n\n\
                       - is it the right account?\n- is it the right Region?\n\n## Drop the gate\n\nDisables the key.\n"
                    .into(),
            },
            RunbookCard { id: "key-recovery".into(), title: "Key recovery".into(), text: "Raises the gate.".into() },
        ],
        bell: true,
        save_dir: std::env::temp_dir(),
        device: None,
    }
}

pub fn incident() -> crate::model::IncidentId {
    "INC-2026-0142".parse().unwrap()
}

pub fn preview() -> Preview {
    let plan = Plan {
        environment: "production".into(),
        account: "111122223333".into(),
        region: "eu-west-1".into(),
        key: arn(1),
        key_name: "buzz-tutor/user-data".into(),
        operation: Operation::DisableKey,
        observed: Observed::state(KeyState::Enabled, now() - SignedDuration::from_secs(2)),
        incident: incident(),
        cek: Some("CEK_User_12345".into()),
        reason: "key named in the alert of 13:50Z".into(),
        requester: "arn:aws:sts::111122223333:assumed-role/emergency-key-admin/oncall-a".into(),
        expires_at: now() + SignedDuration::from_mins(10),
    };
    Preview {
        digest: plan.digest().unwrap(),
        production: true,
        change: Vec::new(),
        regions: Vec::new(),
        dependents: Dependents::of(&arn(1), &inventory()),
        column_key_cache: SignedDuration::from_hours(2),
        calls: vec![
            "kms:DescribeKey (the plan must still hold)".into(),
            "kms:DisableKey".into(),
            "kms:DescribeKey ×3 (must agree: Disabled)".into(),
            "kms:Encrypt dry run (must be refused: disabled)".into(),
        ],
        acting_as: "emergency-key-admin, MFA".into(),
        undo: "key-recovery runbook: kms:EnableKey".into(),
        warnings: vec![
            "RDS buzz-prod-1 stores its data under this key: the instance goes down; after 7 days it can only be restored from backup".into(),
            "may hide more: buzz_hr on sql-1: VIEW ANY COLUMN MASTER KEY DEFINITION is missing".into(),
        ],
        approvals_needed: 0,
        must_type: "buzz-tutor/user-data production".into(),
        may_override: false,
        plan,
    }
}

pub fn code_wanted(wrong: Option<&str>) -> Waiting {
    Waiting::MfaCode {
        device: "arn:aws:iam::111122223333:mfa/oncall-a".into(),
        duty: crate::model::duty::Duty::EmergencyKeyAdmin,
        wrong: wrong.map(str::to_owned),
    }
}

pub fn run(waiting: Waiting) -> RunView {
    let at = now() - SignedDuration::from_secs(40);
    let step = |title: &str, status, text: &str| StepView {
        title: title.into(),
        text: text.into(),
        status,
        finished: (status == StepStatus::Done).then_some(at),
        deadline: (status == StepStatus::Now).then(|| now() + SignedDuration::from_mins(4)),
        overdue: false,
        does: "plans disable-key, asks, and carries it out through the gate · within 5 m".into(),
        if_it_fails: None,
    };
    RunView {
        run: 12,
        runbook: "emergency-revocation".into(),
        title: "Emergency key revocation".into(),
        key: Some(arn(1)),
        key_name: Some("buzz-tutor/user-data".into()),
        started: at,
        values: Vec::new(),
        steps: vec![
            step("Confirm the target", StepStatus::Done, "Compare."),
            step("Read the key's state", StepStatus::Done, "Reads."),
            step(
                "Drop the gate",
                StepStatus::Now,
                "Disables **buzz-tutor/user-data**. From then on KMS refuses every `Decrypt`.\n\n\
                 - clients with decrypted column keys go on for up to 2 hours\n- attached volumes keep theirs",
            ),
            step("Prove it", StepStatus::ToCome, "Proves."),
            step("Tell people", StepStatus::ToCome, "Tells."),
        ],
        current: 2,
        waiting,
        undo: None,
        evidence: vec![
            Evidence { at, text: "CEK_User_12345 is wrapped by buzz-tutor/user-data".into(), good: true },
            Evidence { at, text: "state Enabled, read 2 s ago".into(), good: true },
        ],
    }
}

pub fn journal() -> Vec<Entry> {
    let entry = |seq: u64, ago: i64, kind: &str, body: serde_json::Value| Entry {
        seq,
        at: now() - SignedDuration::from_secs(ago),
        kind: kind.into(),
        body,
        prev: "0".repeat(64),
        hash: format!("{seq:064x}"),
    };
    vec![
        entry(
            0,
            300,
            "run-started",
            serde_json::json!({"runbook": "emergency-revocation", "reason": "alert"}),
        ),
        entry(
            1,
            200,
            "intent",
            serde_json::json!({"plan": {"operation": "disable-key", "key_name": "buzz-tutor/user-data"}}),
        ),
        entry(2, 190, "answer", serde_json::json!({"outcome": "answered"})),
        entry(3, 180, "proof", serde_json::json!({"state": "Disabled", "agreeing_reads": 3})),
        entry(4, 20, "note", serde_json::json!({"text": "told the bridge\u{1b}[31m"})),
    ]
}

/// A journal that ends soon after a run began.
pub fn run_started(seq: u64) -> Vec<Entry> {
    let began = RunRecord::RunStarted(RunStarted {
        runbook: "emergency-revocation".into(),
        title: "Emergency key revocation".into(),
        digest: "0".repeat(64),
        aim: Aim::Key { key: arn(1) },
        reason: "alert 7".into(),
        requester: None,
    });
    let (kind, body) = began.into_entry().unwrap();
    let first = journal().swap_remove(0);
    vec![Entry { seq, kind: kind.into(), body, ..first }]
}
