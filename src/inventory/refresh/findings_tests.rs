//! How new answers change what was known.

use std::time::Duration;

use super::{Facts, Findings};
use crate::cloud::AliasEntry;
use crate::inventory::testing::{
    ACCOUNT, REGION, alias, arn, cmk, database, hidden_database, key, objects, server,
};
use crate::model::arn::{KeyArn, KeyPath};
use crate::model::catalog::ServerName;
use crate::model::key::{KeyState, KmsKey};
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

fn facts(policy: Seen<crate::model::text::Untrusted>) -> Facts {
    Facts {
        rotation: Seen::NotVisible(no(Cause::Unsupported)),
        rotations: Seen::Known(Vec::new()),
        tags: Seen::Known(std::collections::BTreeMap::default()),
        grants: Seen::Known(Vec::new()),
        policy,
    }
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
    let old = Duration::from_mins(10);
    findings.described(&arn(1), Ok(plain(1)));
    assert_eq!(findings.wanting_facts(REGION, old), [arn(1)]);
    findings.facts_read(&arn(1), facts(Seen::Known("{}".into())));
    assert!(findings.wanting_facts(REGION, old).is_empty());
    findings.described(&arn(1), Ok(plain(1)));
    assert!(findings.wanting_facts(REGION, old).is_empty(), "nothing has changed");

    findings.described(&arn(1), Ok(KmsKey { state: KeyState::Disabled, ..plain(1) }));
    assert_eq!(findings.wanting_facts(REGION, old), [arn(1)]);
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::Known("{}".into()));

    findings.facts_read(&arn(1), facts(Seen::NotVisible(no(Cause::Throttled))));
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::Known("{}".into()));
    findings.facts_read(&arn(1), facts(Seen::NotVisible(no(Cause::Denied))));
    assert_eq!(findings.gathered.keys[&arn(1)].policy, Seen::NotVisible(no(Cause::Denied)));
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
    assert_eq!(findings.start_describing(REGION, Ok(vec![arn(5)])), [arn(1), arn(5)]);
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
    assert_eq!(findings.start_describing(REGION, Err(no(Cause::TimedOut))), [arn(1), arn(2)]);
    assert_eq!(findings.start_describing(REGION, Ok(Vec::new())), [arn(1)]);
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
    let now = Duration::ZERO;
    assert_eq!(findings.wanting_facts(REGION, now), std::slice::from_ref(&theirs));
    assert!(findings.wanting_last_use(REGION, now).is_empty());
    assert!(findings.is_foreign(&theirs));
    assert_eq!(findings.gathered.keys[&theirs].aliases.not_visible().unwrap().cause, Cause::Unsupported);
}
