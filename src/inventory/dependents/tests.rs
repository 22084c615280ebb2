//! The page in words: what there is, what there is not, and what cannot be seen.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{Moment, grants_brief, policy_brief, record, relatives_brief, sections, usage_brief};
use crate::inventory::join::join;
use crate::inventory::testing::{self, arn, cmk, database, hidden_database, now, objects, server};
use crate::model::arn::KeyArn;
use crate::model::catalog::{EncryptedColumn, EncryptionType, Tde, TdeState};
use crate::model::dependents::{Dependents, RdsInstance};
use crate::model::key::{Grant, KeyState, KmsKey, MultiRegion};
use crate::model::pair::Inventory;
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::text::Untrusted;
use crate::model::usage::{KeyUser, Usage};

fn moment() -> Moment {
    Moment { now: now(), column_key_cache: SignedDuration::from_hours(2) }
}

fn minutes(count: i64) -> Timestamp {
    now() - SignedDuration::from_mins(count)
}

fn told(dependents: &Dependents) -> String {
    let mut text = String::new();
    for section in sections(dependents, moment(), 100) {
        text.push_str(section.title);
        text.push('\n');
        for line in section.lines {
            text.push_str(if line.under { "      " } else { "  " });
            text.push_str(&line.text);
            text.push('\n');
        }
    }
    text
}

fn briefs(dependents: &Dependents) -> String {
    let mut lines =
        vec![grants_brief(dependents), policy_brief(dependents), usage_brief(&dependents.usage, now())];
    lines.extend(relatives_brief(dependents));
    lines.into_iter().map(|line| line.text + "\n").collect()
}

fn denied<T>() -> Seen<T> {
    Seen::NotVisible(NotVisible::new(Cause::Denied, "it was denied \u{1b}[2J"))
}

const POLICY: &str = r#"{"Statement": [
    {"Sid": "Iam", "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:root"}, "Action": "kms:*", "Resource": "*"},
    {"Sid": "App", "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::111122223333:role/App", "arn:aws:iam::444455556666:role/Import"]},
     "Action": ["kms:Decrypt", "kms:DescribeKey"], "Resource": "*"},
    {"Effect": "Allow", "Principal": {"Service": "rds.amazonaws.com"}, "Action": "kms:CreateGrant", "Resource": "*",
     "Condition": {"Bool": {"kms:GrantIsForAWSResource": true}}},
    {"Sid": "Tests", "Effect": "Allow", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*",
     "Condition": {"StringEquals": {"kms:ViaService": ["rds.eu-west-1.amazonaws.com", "s3.eu-west-1.amazonaws.com"]}}},
    {"Effect": "Deny", "NotPrincipal": {"AWS": "arn:aws:iam::111122223333:role/Admin"}, "NotAction": "kms:Describe*", "Resource": "*"},
    {"Effect": "Maybe"}
]}"#;

fn grant(grantee: &str, name: Option<&str>, constraints: Option<&str>) -> Grant {
    Grant {
        id: "g".into(),
        name: name.map(Untrusted::from),
        grantee: grantee.into(),
        operations: vec!["Decrypt".into(), "DescribeKey".into()],
        constraints: constraints.map(Untrusted::from),
        created: None,
        retiring: constraints.map(|_| "arn:aws:iam::111122223333:role/Backup".into()),
        issuing_account: None,
    }
}

/// A key on which everything hangs that can, changed as asked for.
fn inventory(change: impl FnOnce(&mut KmsKey)) -> Inventory {
    let mut wrapped = objects(vec![cmk(1, arn(1).as_str())], &[(1, 1), (2, 1)]);
    let column = |name: &str, id, encryption| EncryptedColumn {
        database: None,
        schema: "dbo".into(),
        table: "Users".into(),
        name: name.into(),
        column_key_id: id,
        encryption,
    };
    wrapped.columns = vec![
        column("Email", 1, EncryptionType::Deterministic),
        column("Notes\u{202e}", 1, EncryptionType::Randomized),
        column("Phone", 2, EncryptionType::Deterministic),
    ]
    .into();
    wrapped.columns_hidden = Some(NotVisible::new(Cause::Denied, "grant VIEW DEFINITION"));
    let mut prod = database("buzz_prod", wrapped);
    let tde = Tde { state: TdeState(3), algorithm: "AES".into(), key_bits: 256, percent: None };
    prod.tde = Seen::Known(Some(tde));
    let mut gathered = testing::gathered(vec![server("sql-1", vec![prod, hidden_database("buzz_hr")])]);
    let mut key = (*testing::key(1)).clone();
    let replica: KeyArn = arn(1).as_str().replace("eu-west-1", "us-east-1").parse().unwrap();
    let elsewhere: KeyArn = arn(1).as_str().replace("eu-west-1", "ap-south-1").parse().unwrap();
    key.multi_region = Some(MultiRegion { primary: arn(1), replicas: vec![replica.clone(), elsewhere] });
    key.policy = Seen::Known(POLICY.into());
    key.grants = Seen::Known(vec![
        grant("rds.eu-west-1.amazonaws.com", None, None),
        grant("rds.eu-west-1.amazonaws.com", None, None),
        grant("arn:aws:iam::444455556666:role/Import", Some("northwind"), None),
        grant("arn:aws:iam::111122223333:role/Backup", Some("backup"), Some(r#"{"SourceArn":"x"}"#)),
    ]);
    change(&mut key);
    gathered.regions.insert("us-east-1".into(), Seen::Known(()));
    gathered
        .keys
        .insert(replica.clone(), Arc::new(KmsKey { arn: replica, state: KeyState::Disabled, ..key.clone() }));
    gathered.keys.insert(arn(1), Arc::new(key));
    gathered.rds = BTreeMap::from([("eu-west-1".to_owned(), Seen::Known(vec![instance("available")]))]);
    join(&gathered)
}

fn instance(status: &str) -> RdsInstance {
    RdsInstance {
        id: "buzz-prod-1".into(),
        status: status.into(),
        engine: "sqlserver-se".into(),
        storage_key: Some(arn(1)),
        endpoint: None,
        region: "eu-west-1".into(),
    }
}

fn user(name: &str, account: &str, uses: usize, refused: usize) -> KeyUser {
    KeyUser {
        name: name.into(),
        role: Some("App".into()),
        account: Some(account.into()),
        through: (refused > 0).then(|| "rds.amazonaws.com".into()),
        operations: (uses > 0).then(|| ("Decrypt".into(), uses)).into_iter().collect(),
        recent: uses / 2,
        refused,
        recently_refused: refused / 2,
        last: minutes(3),
    }
}

fn usage(since: i64) -> Usage {
    let users = vec![user("i-0a41", "111122223333", 4112, 0), user("mallory", "444455556666", 0, 17)];
    Usage { since: minutes(since), until: now(), users }
}

#[test]
fn a_key_with_everything_on_it() {
    let dependents = Dependents::of(&arn(1), &inventory(|_| {})).used(Seen::Known(usage(90)), None);
    insta::assert_snapshot!("everything", told(&dependents));
    insta::assert_snapshot!("everything_brief", briefs(&dependents));
}

#[test]
fn a_key_with_nothing_on_it_says_none_everywhere() {
    let mut gathered = testing::gathered(vec![server("sql-1", Vec::new())]);
    let mut key = (*testing::key(1)).clone();
    key.grants = Seen::Known(Vec::new());
    key.policy = Seen::Known(r#"{"Statement": []}"#.into());
    gathered.keys.insert(arn(1), Arc::new(key));
    gathered.rds = BTreeMap::from([("eu-west-1".to_owned(), Seen::Known(Vec::new()))]);
    let nobody = Usage { users: Vec::new(), ..usage(30) };
    let dependents = Dependents::of(&arn(1), &join(&gathered)).used(Seen::Known(nobody), None);
    insta::assert_snapshot!("nothing", told(&dependents));
    insta::assert_snapshot!("nothing_brief", briefs(&dependents));
}

#[test]
fn what_is_loading_and_what_is_not_visible_are_never_shown_as_none() {
    let mut gathered = testing::gathered(Vec::new());
    gathered.servers.insert(crate::model::catalog::ServerName("sql-1".into()), Seen::Loading);
    gathered.rds = BTreeMap::from([("eu-west-1".to_owned(), Seen::Loading)]);
    gathered.keys.insert(arn(1), testing::key(1));
    let loading = Dependents::of(&arn(1), &join(&gathered));
    insta::assert_snapshot!("loading", told(&loading));
    insta::assert_snapshot!("loading_brief", briefs(&loading));

    let mut key = (*testing::key(1)).clone();
    (key.grants, key.policy) = (denied(), Seen::Known("{".into()));
    gathered.keys.insert(arn(1), Arc::new(key));
    gathered.servers.insert(crate::model::catalog::ServerName("sql-1".into()), denied());
    gathered.rds = BTreeMap::from([("eu-west-1".to_owned(), denied())]);
    let hidden = Dependents::of(&arn(1), &join(&gathered)).used(denied(), None);
    insta::assert_snapshot!("hidden", told(&hidden));
    insta::assert_snapshot!("hidden_brief", briefs(&hidden));

    // A key that cannot be described, and one of a Region that nobody reads.
    gathered.keys.clear();
    gathered.missing.insert(arn(1), NotVisible::new(Cause::Denied, "kms:DescribeKey was denied"));
    let missing = Dependents::of(&arn(1), &join(&gathered));
    assert_eq!(missing.grants.not_visible().unwrap().cause, Cause::Denied);
    assert!(missing.state.not_visible().is_some() && missing.relatives.not_visible().is_some());
    let elsewhere: KeyArn = arn(1).as_str().replace("eu-west-1", "ap-south-1").parse().unwrap();
    let elsewhere = Dependents::of(&elsewhere, &join(&gathered));
    assert!(elsewhere.rds.not_visible().unwrap().reason.contains("ap-south-1"));
    assert!(elsewhere.policy.not_visible().is_some());
}

#[test]
fn after_a_drop_the_deadlines_run_from_the_drop() {
    let mut estate = inventory(|key| key.state = KeyState::Disabled);
    let recoverable = instance("inaccessible-encryption-credentials-recoverable");
    estate.rds.insert("eu-west-1".into(), Seen::Known(vec![recoverable]));
    let down = |since| Dependents::of(&arn(1), &estate).used(Seen::Loading, since);
    let part = |dependents: &Dependents| told(dependents).split("USED BY").next().unwrap().to_owned();
    insta::assert_snapshot!("dropped", part(&down(Some(minutes(30)))));
    insta::assert_snapshot!("dropped_long_ago", part(&down(Some(minutes(60 * 24)))));
    insta::assert_snapshot!("dropped_nobody_knows_when", part(&down(None)));
    estate.rds.insert("eu-west-1".into(), Seen::Known(vec![instance("inaccessible-encryption-credentials")]));
    let lost = Dependents::of(&arn(1), &estate).used(Seen::Loading, Some(minutes(30)));
    assert!(told(&lost).contains("lost: it can only be restored from backup"));
}

#[test]
fn an_enabled_key_is_not_down_whatever_the_trail_says() {
    let dependents = Dependents::of(&arn(1), &inventory(|_| {})).used(Seen::Loading, Some(minutes(5)));
    assert_eq!(dependents.down_since, None);
}

#[test]
fn long_lists_end_and_say_how_much_more_there_is() {
    let dependents = Dependents::of(&arn(1), &inventory(|_| {})).used(Seen::Known(usage(90)), None);
    let cut = sections(&dependents, moment(), 1);
    let of = |title| cut.iter().find(|section| section.title == title).unwrap().lines.clone();
    assert_eq!(of("GRANTS").last().unwrap().text, "… and 3 more");
    assert_eq!(of("COLUMNS").last().unwrap().text, "… and 2 more");
    assert_eq!(of("USED BY").iter().filter(|line| line.text == "… and 1 more").count(), 1);
}

#[test]
fn machines_read_the_same_truth_and_null_where_it_is_hidden() {
    let known = Dependents::of(&arn(1), &inventory(|_| {})).used(Seen::Known(usage(90)), None);
    let json = serde_json::to_value(record(&known, moment())).unwrap();
    assert_eq!(json["kms_state"], "Enabled");
    assert_eq!(json["exposed_until"], "2026-05-04T14:00:00Z");
    assert_eq!(json["rds_instances"][0]["lost_from"], "2026-05-11T12:00:00Z");
    assert_eq!(json["column_keys"][0]["columns"][0]["encryption"], "deterministic");
    assert_eq!(
        json["column_keys"][0]["columns"][1]["column"], "Notes\u{202e}",
        "as it stands, for a program"
    );
    assert_eq!(json["databases"][0]["tde_state"], "encrypted");
    assert_eq!(json["blind_spots"].as_array().unwrap().len(), 2);
    assert_eq!((&json["used"]["uses"], &json["used"]["users"][1]["foreign"]), (&4112.into(), &true.into()));
    assert_eq!((&json["grants"][2]["foreign"], &json["grants"][0]["foreign"]), (&true.into(), &false.into()));
    assert_eq!(json["grants"][3]["retiring_principal"], "arn:aws:iam::111122223333:role/Backup");
    assert_eq!(json["policy_reach"], "public");
    assert_eq!(json["policy"][1]["principals"][1]["standing"], "foreign");
    assert_eq!(json["policy"][1]["principals"][1]["kind"], "role");
    assert_eq!(json["policy"][3]["conditions"][0]["key"], "kms:ViaService");
    assert_eq!(json["policy"][4]["all_but_principals"], true);
    assert!(json["policy"][5]["unreadable"].is_string());
    assert_eq!(json["relatives"][0]["kms_state"], "Disabled");
    assert!(json["relatives"][1]["not_visible"].is_string(), "its Region is not read");
    assert_eq!(json["not_visible"], serde_json::json!({}));

    let hidden = Dependents::of(&arn(1), &inventory(|key| key.grants = denied()));
    let json = serde_json::to_value(record(&hidden, moment())).unwrap();
    assert!(json["grants"].is_null() && json["used"].is_null());
    assert_eq!(json["not_visible"]["grants"], "it was denied \u{1b}[2J");
    assert_eq!(json["not_visible"]["used"], "not read yet");
}
