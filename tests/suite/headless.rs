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
fn keys_as_comma_separated_values_say_the_same() {
    let printed = simulated(&["keys", "--format", "csv", "--filter", "state:disabled"]).done();
    let mut csv = csv::Reader::from_reader(printed.as_bytes());
    assert_eq!(csv.headers().unwrap(), PairRecord::FIELDS.as_slice());
    let rows: Vec<csv::StringRecord> = csv.records().map(Result::unwrap).collect();
    let at = PairRecord::FIELDS.iter().position(|field| *field == "kms_state").unwrap();
    assert!(!rows.is_empty() && rows.iter().all(|row| &row[at] == "Disabled"), "{printed}");
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
