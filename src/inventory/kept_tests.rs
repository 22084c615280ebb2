//! What is kept comes back as it was, and nothing else comes back.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use super::{Keeper, Whose};
use crate::inventory::join::{Gathered, join};
use crate::inventory::testing::{
    ACCOUNT, REGION, alias, arn, cmk, database, gathered, key, now, objects, server,
};
use crate::model::catalog::ServerName;
use crate::model::key::{KmsKey, LastUse};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};

fn whose() -> Whose {
    Whose {
        environment: "production".into(),
        account: ACCOUNT.into(),
        regions: vec![REGION.into()],
        servers: vec![ServerName("s".into())],
        endpoint: None,
    }
}

fn estate() -> Gathered {
    let paths = vec![cmk(1, arn(1).as_str()), cmk(2, alias("pay").as_str()), cmk(3, "a vault\u{1b}[2J")];
    let mut all = gathered(vec![server("s", vec![database("d", objects(paths, &[(1, 1), (2, 2), (3, 3)]))])]);
    for n in [1, 2] {
        let used = LastUse { used: Some((now(), "Decrypt".into())), tracked_since: None };
        let whole = KmsKey {
            policy: Seen::Known("{\"a secret plan\": 1}".into()),
            last_use: Seen::Known(used),
            rotations: Seen::Known(Vec::new()),
            ..(*key(n)).clone()
        };
        all.keys.insert(arn(n), Arc::new(whole));
    }
    all.missing.insert(arn(3), NotVisible::new(Cause::Denied, "no"));
    all.aliases.insert(alias("pay"), Seen::Known(arn(2)));
    let mut health = SourceHealth::default();
    health.succeeded(now());
    all.sources.insert(Source::Kms(REGION.into()), health);
    all
}

#[test]
fn it_comes_back_as_it_was_but_for_what_is_asked_for_anew() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = Keeper::in_folder(dir.path(), "production");
    let before = estate();
    keeper.save(&whose(), &before, now()).unwrap();
    let kept = keeper.load(&whose()).unwrap();
    assert_eq!(kept.missing, before.missing);
    assert_eq!(kept.aliases, before.aliases);
    for (arn, had) in &before.keys {
        let expected = KmsKey { policy: Seen::Loading, grants: Seen::Loading, ..(**had).clone() };
        assert_eq!(*kept.keys[arn], expected);
    }
    assert_eq!(join(&kept).rows, join(&before).rows);
    let health = &kept.sources[&Source::Kms(REGION.into())];
    assert!(health.kept == Some(now()) && health.last_success == Some(now()));
    let text = std::fs::read_to_string(dir.path().join("inventory/production.json")).unwrap();
    assert!(!text.contains("a secret plan"));
}

#[test]
fn only_its_owner_may_read_it_and_nothing_is_left_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = Keeper::in_folder(dir.path(), "production");
    for _ in 0..2 {
        keeper.save(&whose(), &estate(), now()).unwrap();
    }
    let folder = dir.path().join("inventory");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("production.json")), 0o600);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn what_is_another_accounts_or_broken_or_of_another_version_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let keeper = Keeper::in_folder(dir.path(), "production");
    assert!(keeper.load(&whose()).is_none(), "there is nothing yet");
    keeper.save(&whose(), &estate(), now()).unwrap();
    for other in [
        Whose { account: "999999999999".into(), ..whose() },
        Whose { regions: vec!["eu-west-2".into()], ..whose() },
        Whose { endpoint: Some("http://127.0.0.1:1".into()), ..whose() },
    ] {
        assert!(keeper.load(&other).is_none(), "{other:?}");
    }
    let file = dir.path().join("inventory/production.json");
    let whole = std::fs::read_to_string(&file).unwrap();
    let newer = whole.replacen("\"portcullis_inventory\":2", "\"portcullis_inventory\":3", 1);
    assert_ne!(newer, whole);
    for broken in [
        newer.as_str(),
        "",
        "\n\n",
        "{}",
        "[1]\n",
        "null\nnull",
        &whole[..whole.len() / 2],
        whole.rsplit_once("\"end\"").unwrap().0,
        "\u{0}\u{1}",
    ] {
        std::fs::write(&file, broken).unwrap();
        assert!(keeper.load(&whose()).is_none(), "{broken}");
    }
}
