//! The commands without a screen: what they print for programs, and what they answer to whoever started them.

use std::collections::BTreeSet;

use portcullis::inventory::present::PairRecord;

use crate::program::{Ran, run, run_reading};

fn simulated(words: &[&str]) -> Ran {
    let home = tempfile::tempdir().unwrap();
    run(home.path(), &Vec::new(), &[&["-e", "simulated"], words].concat())
}

#[test]
fn keys_are_an_array_of_objects_with_the_documented_fields() {
    let records = simulated(&["keys", "--format", "json"]).records();
    let pairs: Vec<_> = records.iter().filter(|record| record["kind"] == "pair").collect();
    assert!(pairs.len() >= 40, "{}", pairs.len());
    let documented: BTreeSet<&str> = PairRecord::FIELDS.into();
    for record in &records {
        let fields: BTreeSet<&str> = record.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, documented);
    }
    let distinct = |field: &str| {
        let values = pairs.iter().filter_map(|pair| pair[field].as_str());
        values.map(ToOwned::to_owned).collect::<BTreeSet<_>>()
    };
    assert!(distinct("database").len() >= 3);
    assert!(distinct("key_arn").len() >= 12);
    let states = distinct("state");
    for state in ["enabled", "overdue", "disabled", "pending_deletion", "not_kms", "gone"] {
        assert!(states.contains(state), "{state} is not among {states:?}");
    }
    let user = pairs.iter().find(|pair| pair["cek"] == "CEK_User_12345" && pair["database"] == "buzz_prod");
    let user = user.unwrap();
    assert_eq!(user["kms_state"], "Enabled");
    assert_eq!(user["key_name"], "buzz-tutor/user-data");
    assert!(user["age_days"].is_u64() && user["columns"].is_array(), "{user}");
}

#[test]
fn the_simulated_account_has_every_kind_of_key_and_every_anomaly() {
    let records = simulated(&["keys", "--format", "json"]).records();
    let any = |what: &str, test: &dyn Fn(&serde_json::Value) -> bool| {
        assert!(records.iter().any(test), "no row of {what}");
    };
    for anomaly in [
        "key_gone",
        "key_not_visible",
        "foreign_key",
        "unwatched_region",
        "not_kms",
        "two_values",
        "shared_key",
        "envelope_mismatch",
        "unused_master_key",
        "unused_estate_key",
        "stands_by",
        "unnamed_key",
        "unreadable_database",
    ] {
        any(anomaly, &|row| row["anomalies"].as_array().unwrap().contains(&anomaly.into()));
    }
    for (field, values) in [
        ("origin", &["AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE"][..]),
        ("key_spec", &["SYMMETRIC_DEFAULT", "RSA_2048", "HMAC_256", "ECC_NIST_P256"]),
        ("rotation_kind", &["automatic", "on_demand", "manual", "impossible"]),
        ("next_rotation_kind", &["at", "late", "paused", "never", "by_hand"]),
        ("multi_region_role", &["primary", "replica"]),
        ("state", &["excepted", "unjudged", "pending_replica_deletion", "pending_import", "unavailable"]),
        ("policy_source", &["default", "tag DataClass=pci", "alias buzz-tutor/tde-*"]),
    ] {
        for value in values {
            any(&format!("{field} {value}"), &|row| row[field] == *value);
        }
    }
    any("a foreign key that is visible", &|row| {
        row["account"] == "444455556666" && row["kms_state"] == "Enabled"
    });
    any("a foreign key that is not", &|row| {
        row["account"] == "444455556666" && row["state"] == "not_visible"
    });
    any("material that expires", &|row| row["expires_in_days"] == 8 || row["expires_in_days"] == 9);
    any("two rotations left", &|row| row["on_demand_left"] == 2 && row["on_demand_used"] == 23);
    any("an exception that lapsed", &|row| row["exception_lapsed"].is_string());
    any("a primary whose replica is disabled", &|row| row["relatives"][0]["kms_state"] == "Disabled");
}

#[test]
fn keys_as_comma_separated_values_say_the_same() {
    let printed = simulated(&["keys", "--format", "csv", "--filter", "state:disabled"]).done();
    let mut csv = csv::Reader::from_reader(printed.as_bytes());
    assert_eq!(csv.headers().unwrap(), PairRecord::FIELDS.as_slice());
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let at = PairRecord::FIELDS.iter().position(|field| *field == "kms_state").unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| &row[at] == "Disabled"), "{printed}");
}

#[test]
fn what_depends_on_a_key_is_told_to_programs_and_to_people() {
    let words = ["dependents", "CEK_User_12345", "--database", "buzz_prod", "--format", "json"];
    let [user] = &simulated(&words).records()[..] else { panic!("one key is behind it") };
    assert_eq!(user["kms_state"], "Enabled");
    let ceks = user["column_keys"].as_array().unwrap();
    assert!(ceks.iter().any(|cek| cek["cek"] == "CEK_Consent"), "by way of the alias, too: {ceks:?}");
    assert_eq!(user["databases"].as_array().unwrap().len(), 2);
    assert_eq!(user["databases"][0]["tde_state"], "encrypted");
    assert_eq!(user["rds_instances"][0]["id"], "buzz-prod-1");
    assert!(user["rds_instances"][0]["lost_from"].is_string() && user["exposed_until"].is_string());
    assert_eq!(user["grants"].as_array().unwrap().len(), 4);
    assert_eq!(user["policy_reach"], "service");
    assert!(user["used"]["uses"].as_u64().unwrap() > 0, "{}", user["used"]);
    assert!(
        user["used"]["users"].as_array().unwrap().iter().any(|who| who["role"] == "BuzzTutorApp-production")
    );
    assert_eq!(user["relatives"], serde_json::json!([]));
    assert_eq!(user["not_visible"], serde_json::json!({}));

    let reach = |alias: &str| {
        let records = simulated(&["dependents", alias, "--format", "json"]).records();
        records.into_iter().find(|record| record["region"] == "eu-west-1").unwrap()
    };
    assert_eq!(reach("buzz-tutor/staging-user-data")["policy_reach"], "public");
    let exams = reach("alias/buzz-tutor/exams");
    assert_eq!(exams["grants"][0]["foreign"], true, "{exams}");
    let reporting = reach("buzz-tutor/reporting");
    assert_eq!(
        (&reporting["relatives"][0]["role"], &reporting["relatives"][0]["kms_state"]),
        (&"replica".into(), &"Disabled".into())
    );

    let told = simulated(&["dependents", "buzz-tutor/user-data"]).done();
    for part in [
        "A DROP",
        "SQL SERVER",
        "buzz-prod-1",
        "USED BY",
        "GRANTS",
        "KEY POLICY",
        "OTHER REGIONS",
        "Users.Phone",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn a_key_that_is_not_there_is_said_not_to_be() {
    for (words, part) in [
        (&["dependents", "CEK_Nowhere"][..], "`CEK_Nowhere`"),
        (&["dependents", "CEK_HR"], "no KMS ARN"),
        (&["dependents", "CEK_Lost"], "does not exist"),
        (&["dependents", "CEK_User_12345", "--database", "buzz_nowhere"], "in buzz_nowhere"),
    ] {
        let ended = simulated(words);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.out.is_empty() && ended.err.contains(part), "{ended:?}");
    }
}

#[test]
fn keys_filter_sort_and_choose_what_they_print() {
    let printed = simulated(&[
        "keys",
        "--format",
        "jsonl",
        "--columns",
        "cek,age_days,environment",
        "--sort=-age",
        "--filter",
        "age:>0 db:=buzz_prod not state:disabled",
    ])
    .done();
    let records: Vec<serde_json::Value> =
        printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ages: Vec<_> = records.iter().map(|record| record["age_days"].as_u64().unwrap()).collect();
    assert!(records.len() > 3 && ages.is_sorted_by(|a, b| a >= b), "{ages:?}");
    assert!(
        records
            .iter()
            .all(|record| record.as_object().unwrap().len() == 3 && record["environment"] == "simulated")
    );
    let table = simulated(&["keys", "--columns", "cek,kind", "--filter", "cek:=CEK_User_12345"]).done();
    assert!(table.trim_start().starts_with("COLUMN KEY") && table.contains("SYMMETRIC_DEFAULT"), "{table}");
}

#[test]
fn keys_fail_on_what_is_named_and_say_which() {
    let ended = simulated(&["keys", "--format", "json", "--fail-on", "disabled,gone"]);
    assert_eq!(ended.code, Some(5), "{}", ended.err);
    assert!(ended.err.contains(" disabled: CEK_") && ended.err.contains(" gone: CEK_"), "{}", ended.err);
    let all: Vec<serde_json::Value> = serde_json::from_str(&ended.out).unwrap();
    let disabled = all.iter().filter(|record| record["state"] == "disabled").count();
    assert!(ended.err.contains(&format!("{disabled} disabled: ")), "{}", ended.err);
    let only = simulated(&["keys", "--filter", "state:enabled -is:overdue", "--fail-on", "disabled,overdue"]);
    assert_eq!(only.code, Some(0), "what is not printed is no finding: {}", only.err);
}

#[test]
fn several_environments_are_one_list_and_one_that_is_shut_is_said() {
    let server = crate::program::Server::start();
    let home = tempfile::tempdir().unwrap();
    let config = server.env.iter().find(|(name, _)| name == "PORTCULLIS_CONFIG").unwrap().1.clone();
    let mut settings = std::fs::read_to_string(config).unwrap();
    settings.push_str("\n[environments.away]\naccount = \"999988887777\"\nregions = [\"eu-west-1\"]\n");
    let file = home.path().join("settings.toml");
    std::fs::write(&file, settings).unwrap();
    let run = |words: &[&str]| {
        let words = [&["--config", file.to_str().unwrap()], words].concat();
        run(home.path(), &server.env, &words)
    };
    let both = [
        "-e",
        "simulated",
        "-e",
        "served",
        "keys",
        "--format",
        "json",
        "--filter",
        "cek:=CEK_User_12345 db:=buzz_prod",
    ];
    let records = run(&both).records();
    let environments: Vec<_> = records.iter().map(|record| record["environment"].as_str().unwrap()).collect();
    assert_eq!(environments, ["simulated", "served"]);
    let ended = run(&["-e", "away", "-e", "served", "keys", "--format", "json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.err);
    assert!(ended.err.contains("away: could not be opened: environment `away` is account"), "{}", ended.err);
    let records: Vec<serde_json::Value> = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(records[0]["kind"], "unreadable_environment");
    assert!(records.len() > 40, "the other works");
    let events = ["-e", "simulated", "-e", "served", "events", "--format", "json", "--since", "12h"];
    let records = run(&events).records();
    let of = |name: &str| records.iter().filter(|record| record["environment"] == name).count();
    assert!(of("simulated") > 0 && of("served") > 0 && of("simulated") + of("served") == records.len());
    assert!(records.is_sorted_by(|one, next| one["at"].as_str() >= next["at"].as_str()), "the newest first");
    let one = run(&["-e", "simulated", "-e", "served", "dependents", "CEK_User_12345"]);
    assert_eq!(one.code, Some(2), "{one:?}");
    assert!(one.err.contains("exactly one"), "{one:?}");
}

#[test]
fn events_are_an_array_newest_first_and_no_more_than_asked_for() {
    let records = simulated(&["events", "--format", "json", "--limit", "20", "--since", "7d"]).records();
    assert!(!records.is_empty() && records.len() <= 20, "{}", records.len());
    let times: Vec<_> = records.iter().map(|record| record["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
}

#[test]
fn wrong_words_are_told_and_nothing_is_asked() {
    for (words, part) in [
        (&["events", "--filter", "outcome:maybe"][..], "outcome:maybe"),
        (&["events", "--since", "yesterday"], "span of time"),
        (&["keys", "--format", "xml"], "xml"),
        (&["keys", "--filter", "age:>abc"], "takes days"),
        (&["keys", "--fail-on", "broken"], "pending-deletion"),
        (&["keys", "--sort", "nothing"], "lastused"),
        (&["keys", "--columns", "nothing"], "lastused"),
        (&["keys", "--format", "csv", "--columns", "nothing"], "age_days"),
        (&["-e", "nowhere", "keys"], "nowhere"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let words = if words[0] == "-e" { words.to_vec() } else { [&["-e", "simulated"], words].concat() };
        let ended = run(home.path(), &Vec::new(), &words);
        assert_eq!(ended.code, Some(2), "{ended:?}");
        assert!(ended.out.is_empty() && ended.err.contains(part), "{ended:?}");
    }
}

#[test]
fn settings_are_written_checked_and_their_mistakes_placed() {
    let home = tempfile::tempdir().unwrap();
    let run = |words: &[&str]| run(home.path(), &Vec::new(), words);
    let file = home.path().join(".config/portcullis/settings.toml");
    assert_eq!(run(&["config", "path"]).done().trim_end(), file.to_str().unwrap());
    assert!(run(&["init"]).done().contains("config check"));
    assert!(run(&["config", "check"]).done().contains("no mistakes"));
    let again = run(&["init"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("--force"), "{again:?}");

    let wrong = "default_environment = \"a\"\n\n[environments.a]\nregions = [\"mars-1\"]\naccount = \"12\"\n";
    std::fs::write(&file, wrong).unwrap();
    let ended = run(&["config", "check"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    let place = |line: u32| format!("{}:{line}: ", file.display());
    assert!(ended.err.contains(&place(4)) && ended.err.contains(&place(5)), "{ended:?}");
    let ended = run(&["keys"]);
    assert_eq!((ended.code, ended.out.as_str()), (Some(2), ""), "mistakes stop every command: {ended:?}");
}

#[test]
fn a_change_without_a_screen_is_refused_done_and_taken_back() {
    let server = crate::program::Server::start();
    let home = tempfile::tempdir().unwrap();
    let (env, device) = (server.as_oncall(), server.device());
    let change = |verb: &str, typed: &str, code: &str| {
        let words = [verb, "oncall", "CEK_User_12345", "a drill", "--database", "buzz_prod"];
        let more = ["--incident", "INC-1", "--format", "json", "--attest", "seen to", "--yes-i-typed", typed];
        let words = [&words[..], &more, &["--mfa-code-fd", "0"]].concat();
        run_reading(home.path(), &env, &words, code)
    };
    let outcome =
        |ended: &Ran| serde_json::from_str::<serde_json::Value>(&ended.out).unwrap()["outcome"].clone();
    let refused = change("revoke", "buzz-tutor/payments", "");
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert_eq!(outcome(&refused), "refused");
    for (codes, words) in
        [("", "no MFA code was given"), ("000000\n000001\n", "the MFA code was not accepted")]
    {
        let refused = change("revoke", "buzz-tutor/user-data", codes);
        assert_eq!(refused.code, Some(3), "{refused:?}");
        assert!(refused.err.contains(words), "{refused:?}");
        assert_eq!(outcome(&refused), "refused");
    }
    let mut given = Vec::new();
    for verb in ["revoke", "recover"] {
        // What is no code and what is a wrong one may each be put right.
        given.push(device.code_for_later());
        let codes = format!("12345\n000000\n{}\n", given.last().unwrap());
        let done = change(verb, "buzz-tutor/user-data", &codes);
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(outcome(&done), "verified");
    }
    let already = change("recover", "buzz-tutor/user-data", "");
    assert_eq!(already.code, Some(1), "nothing to recover: {already:?}");
    let verified = run(home.path(), &env, &["journal", "verify", "INC-1"]).done();
    assert!(verified.starts_with("whole: "), "{verified}");
    let kept = everything_below(home.path());
    assert!(kept.contains("emergency-key-admin") && kept.contains("BuzzTutorKeyRecoveryAdmin-production"));
    let secrets =
        given.iter().chain(env.iter().filter(|(name, _)| name.contains("SECRET")).map(|(_, value)| value));
    let kept: BTreeSet<&str> = kept.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    for secret in secrets {
        assert!(!kept.contains(secret.as_str()), "a secret was kept");
    }
}

/// Everything that was written below a folder.
fn everything_below(folder: &std::path::Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all += &everything_below(&path);
        } else {
            all += &String::from_utf8_lossy(&std::fs::read(&path).unwrap());
        }
    }
    all
}

/// Without a role in the settings a change is made with the credentials at hand, and that is said.
#[test]
fn a_change_without_roles_is_made_with_the_credentials_at_hand() {
    let server = crate::program::Server::start();
    let home = tempfile::tempdir().unwrap();
    let words =
        ["revoke", "served", "CEK_User_12345", "a drill", "--database", "buzz_prod", "--incident", "INC-1"];
    let ended =
        run(home.path(), &server.env, &[&words[..], &["--yes-i-typed", "buzz-tutor/user-data"]].concat());
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
