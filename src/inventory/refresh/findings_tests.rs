//! How new answers change what was known.

use std::collections::BTreeSet;

use super::Findings;
use crate::cloud::AliasEntry;
use crate::inventory::refresh::facts::Fact;
use crate::inventory::refresh::told::Told;
use crate::inventory::testing::{
    ACCOUNT, REGION, alias, arn, cmk, database, hidden_database, key, objects, server,
};
use crate::model::arn::{KeyArn, KeyPath};
use crate::model::catalog::ServerName;
use crate::model::key::{KeySpec, KeyState, KmsKey, RotationRecord};
use crate::model::seen::{Cause, NotVisible, Seen};

fn findings() -> Findings {
    Findings::new(Some(ACCOUNT.into()), &[REGION.into()], [ServerName("s".into())].into_iter())
}

fn no(cause: Cause) -> NotVisible {
    NotVisible::new(cause, "no")
}

fn plain(n: u32) -> KmsKey {
    (*key(n)).clone()
}

fn pick(findings: &mut Findings, fact: Fact) -> Vec<KeyArn> {
    findings.pick(REGION, fact, &BTreeSet::new(), usize::MAX)
}

#[test]
fn silence_keeps_the_last_state_and_a_no_replaces_it() {
    let mut findings = findings();
    findings.described(&arn(1), Ok(plain(1)));
    for cause in [Cause::TimedOut, Cause::Throttled, Cause::Unreachable] {
        findings.described(&arn(1), Err(no(cause)));
        assert!(findings.gathered.keys.contains_key(&arn(1)), "{cause:?}");
    }
    findings.described(&arn(1), Err(no(Cause::Denied)));
    assert!(!findings.gathered.keys.contains_key(&arn(1)));
    assert_eq!(findings.gathered.missing[&arn(1)].cause, Cause::Denied);
    findings.described(&arn(1), Ok(plain(1)));
    assert!(findings.gathered.missing.is_empty());
}

#[test]
fn facts_outlive_a_new_state_but_want_reading_again() {
    let mut findings = findings();
    findings.described(&arn(1), Ok(plain(1)));
    assert_eq!(pick(&mut findings, Fact::Policy), [arn(1)]);
    assert!(pick(&mut findings, Fact::Policy).is_empty(), "it is under way");
    findings.told(&arn(1), Told::Policy(Seen::Known("{}".into())));
    findings.described(&arn(1), Ok(plain(1)));
    assert!(pick(&mut findings, Fact::Policy).is_empty(), "nothing has changed");

    findings.described(&arn(1), Ok(KmsKey { state: KeyState::Disabled, ..plain(1) }));
    assert_eq!(pick(&mut findings, Fact::Policy), [arn(1)]);
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::Known("{}".into()));

    findings.told(&arn(1), Told::Policy(Seen::NotVisible(no(Cause::Throttled))));
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::Known("{}".into()));
    findings.told(&arn(1), Told::Policy(Seen::NotVisible(no(Cause::Denied))));
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::NotVisible(no(Cause::Denied)));
}

#[test]
fn rotations_are_listed_again_only_where_the_material_in_use_is_another() {
    let mut findings = findings();
    let using = |id: &str| KmsKey { material_id: Some(id.to_owned()), ..plain(1) };
    let record = |id: &str| RotationRecord {
        at: None,
        kind: None,
        material_id: Some(id.to_owned()),
        material_state: Some("CURRENT".into()),
        ..RotationRecord::default()
    };
    findings.described(&arn(1), Ok(using("a")));
    assert_eq!(pick(&mut findings, Fact::Rotations), [arn(1)]);
    findings.told(&arn(1), Told::Rotations(Seen::Known(vec![record("a")])));
    findings.described(&arn(1), Ok(using("a")));
    assert!(pick(&mut findings, Fact::Rotations).is_empty());
    findings.forget_ages();
    findings.described(&arn(1), Ok(using("a")));
    assert!(pick(&mut findings, Fact::Rotations).is_empty(), "the same material: no rotation");
    findings.described(&arn(1), Ok(using("b")));
    assert_eq!(pick(&mut findings, Fact::Rotations), [arn(1)]);
}

#[test]
fn a_key_that_cannot_rotate_is_not_asked_about_it() {
    let mut findings = findings();
    let rsa = KmsKey { spec: KeySpec::from("RSA_2048"), ..plain(1) };
    findings.described(&arn(1), Ok(rsa));
    assert!(pick(&mut findings, Fact::Rotations).is_empty());
    assert!(pick(&mut findings, Fact::RotationStatus).is_empty());
    let told = &findings.gathered.keys[&arn(1)];
    assert_eq!(told.material_since(), Seen::Known(told.created));
    assert_eq!(told.rotation.not_visible().unwrap().cause, Cause::Unsupported);
    assert_eq!(findings.rotations_known(), (0, 0));
}

#[test]
fn what_is_looked_at_comes_first_then_the_unusual_then_what_column_keys_lead_to() {
    let mut findings = findings();
    let catalog = server("s", vec![database("d", objects(vec![cmk(1, arn(4).as_str())], &[]))]);
    findings.catalog_read(&ServerName("s".into()), Ok(catalog));
    for n in 1..=5 {
        let state = if n == 3 { KeyState::Disabled } else { KeyState::Enabled };
        findings.described(&arn(n), Ok(KmsKey { state, ..plain(n) }));
    }
    let looked_at = BTreeSet::from([arn(5)]);
    assert_eq!(findings.pick(REGION, Fact::LastUse, &looked_at, 3), [arn(5), arn(3), arn(4)]);
    assert_eq!(findings.pick(REGION, Fact::LastUse, &looked_at, 3), [arn(1), arn(2)]);
    findings.put_back(&arn(2), Fact::LastUse);
    assert_eq!(findings.pick(REGION, Fact::LastUse, &looked_at, 3), [arn(2)]);
}

fn entry(name: &str, key: &KeyArn) -> AliasEntry {
    AliasEntry { arn: alias(name), name: name.into(), key_id: Some(key.id().to_owned()) }
}

#[test]
fn an_alias_that_moves_or_goes_takes_its_name_along() {
    let mut findings = findings();
    findings.aliases_listed(REGION, Ok(vec![entry("pay", &arn(1))]));
    findings.described(&arn(1), Ok(plain(1)));
    findings.described(&arn(2), Ok(plain(2)));
    assert_eq!(findings.gathered.keys[&arn(1)].name(), "pay");
    findings.aliases_listed(REGION, Ok(vec![entry("pay", &arn(2))]));
    assert_eq!(findings.gathered.keys[&arn(2)].name(), "pay");
    assert_eq!(findings.gathered.keys[&arn(1)].name(), arn(1).id());
    findings.aliases_listed(REGION, Err(no(Cause::Throttled)));
    assert_eq!(findings.gathered.keys[&arn(2)].name(), "pay");
    findings.aliases_listed(REGION, Ok(Vec::new()));
    assert!(findings.gathered.aliases.is_empty());
}

#[test]
fn keys_that_only_a_catalog_names_are_asked_for_by_name() {
    let mut findings = findings();
    let foreign = "arn:aws:kms:eu-west-1:999999999999:key/theirs";
    let paths =
        vec![cmk(1, arn(1).as_str()), cmk(2, foreign), cmk(3, alias("theirs").as_str()), cmk(4, "vault")];
    let catalog = server("s", vec![database("d", objects(paths, &[]))]);
    findings.catalog_read(&ServerName("s".into()), Ok(catalog));
    findings.aliases_listed(REGION, Ok(Vec::new()));
    assert_eq!(findings.known_here(REGION), BTreeSet::from([arn(1)]));
    findings.described(&arn(1), Err(no(Cause::NotFound)));
    let chased = findings.to_chase(REGION);
    assert_eq!(chased.len(), 2);
    assert!(chased.contains(&KeyPath::read(foreign)) && chased.contains(&KeyPath::Alias(alias("theirs"))));

    findings.alias_described(&alias("theirs"), Ok(plain(7)));
    assert_eq!(findings.gathered.aliases[&alias("theirs")], Seen::Known(arn(7)));
    assert!(findings.gathered.keys.contains_key(&arn(7)));
}

#[test]
fn a_key_that_is_listed_no_more_goes_unless_a_master_key_names_it() {
    let mut findings = findings();
    let catalog = server("s", vec![database("d", objects(vec![cmk(1, arn(1).as_str())], &[]))]);
    findings.catalog_read(&ServerName("s".into()), Ok(catalog));
    for n in [1, 2] {
        findings.described(&arn(n), Ok(plain(n)));
    }
    assert_eq!(findings.known_here(REGION), BTreeSet::from([arn(1), arn(2)]));
    findings.only_these(REGION, &BTreeSet::new());
    assert_eq!(findings.known_here(REGION), BTreeSet::from([arn(1)]));
    assert!(!findings.gathered.keys.contains_key(&arn(2)));
}

#[test]
fn a_server_that_falls_silent_keeps_what_it_said() {
    let (mut findings, name) = (findings(), ServerName("s".into()));
    let known = |findings: &Findings| {
        let Seen::Known(catalog) = &findings.gathered.servers[&ServerName("s".into())] else { return false };
        catalog.databases[0].objects.known().is_some()
    };
    findings.catalog_read(&name, Err(no(Cause::Unreachable)));
    assert!(findings.gathered.servers[&name].not_visible().is_some());
    findings.catalog_read(&name, Ok(server("s", vec![database("d", objects(vec![], &[(1, 1)]))])));
    findings.catalog_read(&name, Err(no(Cause::Unreachable)));
    assert!(known(&findings));

    let mut silent = hidden_database("d");
    silent.objects = Seen::NotVisible(no(Cause::TimedOut));
    findings.catalog_read(&name, Ok(server("s", vec![silent])));
    assert!(known(&findings), "a timeout takes nothing away");
    findings.catalog_read(&name, Ok(server("s", vec![hidden_database("d")])));
    assert!(!known(&findings), "a no does");
}

#[test]
fn what_only_its_own_account_may_read_of_a_key_is_not_asked_elsewhere() {
    let mut findings = findings();
    let theirs: KeyArn = "arn:aws:kms:eu-west-1:999999999999:key/theirs".parse().unwrap();
    let catalog = server("s", vec![database("d", objects(vec![cmk(1, theirs.as_str())], &[]))]);
    findings.catalog_read(&ServerName("s".into()), Ok(catalog));
    findings.described(&theirs, Ok(KmsKey { arn: theirs.clone(), ..plain(1) }));
    assert_eq!(pick(&mut findings, Fact::RotationStatus), std::slice::from_ref(&theirs));
    for fact in [Fact::Tags, Fact::Rotations, Fact::Policy, Fact::Grants, Fact::LastUse] {
        assert!(pick(&mut findings, fact).is_empty(), "{fact:?}");
    }
    assert_eq!(findings.gathered.keys[&theirs].grants.not_visible().unwrap().cause, Cause::Unsupported);
    assert_eq!(findings.gathered.keys[&theirs].aliases.not_visible().unwrap().cause, Cause::Unsupported);
}
