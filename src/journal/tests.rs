use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde::Serialize;
use tempfile::TempDir;

use super::{Chain, Entry, Journal, JournalError, Verdict, list, read};
use crate::clock::Clock;
use crate::model::IncidentId;

#[derive(Serialize)]
struct Note {
    text: &'static str,
}

fn incident() -> IncidentId {
    "INC-2026-0142".parse().unwrap()
}

fn open(dir: &TempDir) -> Result<Journal, JournalError> {
    Journal::open(dir.path(), "production", &incident(), Clock::system())
}

/// A journal of three entries, closed: its folder and its bytes.
fn written() -> (TempDir, std::path::PathBuf, Vec<u8>) {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir).unwrap();
    for text in ["one", "zwei — 二", "three\u{1b}[2J\n"] {
        journal.append("note", &Note { text }).unwrap();
    }
    let path = journal.path().to_owned();
    let bytes = fs::read(&path).unwrap();
    (dir, path, bytes)
}

fn kinds(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.kind.as_str()).collect()
}

#[test]
fn what_was_appended_is_read_back_and_gone_on_with() {
    let (dir, path, _) = written();
    let chain = read(&path).unwrap();
    assert_eq!(chain.verdict, Verdict::Whole);
    let journal = open(&dir).unwrap();
    assert_eq!(journal.entries(), chain.entries);
    let fourth = journal.append("note", &Note { text: "four" }).unwrap();
    assert_eq!((fourth.seq, fourth.prev.as_str()), (3, chain.head_hash()));
    assert_eq!((journal.head().entries, journal.head().hash), (4, fourth.hash));
    assert_eq!(read(&path).unwrap().entries, journal.entries());
}

#[test]
fn the_hash_is_sha_256_of_the_one_before_and_the_canonical_rest() {
    let at = "2026-11-23T14:02:31Z".parse().unwrap();
    let mut entry = Entry {
        seq: 0,
        at,
        kind: "note".into(),
        body: serde_json::json!({"b": 1, "a": "é"}),
        prev: super::chain::GENESIS.into(),
        hash: String::new(),
    };
    entry.hash = super::chain::hash_of(&entry).unwrap();
    // printf '%064d%s' 0 '{"at":"2026-11-23T14:02:31Z","body":{"a":"é","b":1},"kind":"note","seq":0}' | sha256sum
    assert_eq!(entry.hash, "514f5e070240f1e2964223c0c4e441a91050e0e49b3edd2399787d43064b1263");
}

#[test]
fn only_its_owner_may_read_it() {
    let (dir, path, _) = written();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(mode(&dir.path().join("journal")), 0o700);
}

#[test]
fn a_second_writer_is_told_who_the_first_is() {
    let dir = TempDir::new().unwrap();
    let first = open(&dir).unwrap();
    let Err(JournalError::Held { by, .. }) = open(&dir) else { panic!("two writers") };
    assert!(by.contains(&format!("process {}", std::process::id())), "{by}");
    // Another incident is another journal.
    Journal::open(dir.path(), "production", &"INC-2".parse().unwrap(), Clock::system()).unwrap();
    drop(first);
    open(&dir).unwrap();
}

#[test]
fn a_clone_keeps_the_lock() {
    let dir = TempDir::new().unwrap();
    let clone = open(&dir).unwrap().clone();
    assert!(matches!(open(&dir), Err(JournalError::Held { .. })));
    drop(clone);
}

#[test]
fn cut_short_anywhere_it_is_whole_or_torn() {
    let (_dir, _path, bytes) = written();
    let mut start = 0;
    for cut in 0..=bytes.len() {
        if cut > 0 && bytes[cut - 1] == b'\n' {
            start = cut;
        }
        let Chain { entries, verdict } = Chain::parse(&bytes[..cut]);
        assert_eq!(entries.len(), bytes[..start].split_inclusive(|&b| b == b'\n').count());
        let torn = Verdict::TornTail { offset: start as u64, bytes: (cut - start) as u64 };
        assert_eq!(verdict, if cut == start { Verdict::Whole } else { torn }, "cut at {cut}");
    }
}

#[test]
fn a_line_cut_short_anywhere_is_kept_and_gone_on_after() {
    let (dir, path, bytes) = written();
    let start = bytes[..bytes.len() - 1].iter().rposition(|&b| b == b'\n').unwrap() + 1;
    for cut in start + 1..bytes.len() {
        fs::write(&path, &bytes[..cut]).unwrap();
        let journal = open(&dir).unwrap();
        let entries = journal.entries();
        assert_eq!(kinds(&entries), ["note", "note", "torn-tail"], "cut at {cut}");
        let kept = path.with_file_name(entries[2].body["file"].as_str().unwrap());
        assert_eq!(fs::read(&kept).unwrap(), bytes[start..cut]);
        fs::remove_file(kept).unwrap();
        drop(journal);
        assert_eq!(read(&path).unwrap().verdict, Verdict::Whole);
    }
}

#[test]
fn each_torn_line_is_kept_in_a_file_of_its_own() {
    let (dir, path, bytes) = written();
    for n in 1..=2 {
        fs::write(&path, [&bytes[..], b"{\"at\":"].concat()).unwrap();
        open(&dir).unwrap();
        let kept = path.with_file_name(format!("INC-2026-0142.jsonl.torn-{n}"));
        assert_eq!(fs::read(kept).unwrap(), b"{\"at\":");
    }
}

#[test]
fn blocks_that_never_reached_the_disk_are_a_torn_line() {
    let (_dir, _path, bytes) = written();
    let torn = [&bytes[..], b"{\"at\":\"20\0\0\0\0\0\n"].concat();
    assert!(matches!(Chain::parse(&torn).verdict, Verdict::TornTail { bytes: 15, .. }));
}

#[test]
fn a_broken_chain_takes_no_more_entries_and_says_where() {
    let (dir, path, bytes) = written();
    let text = String::from_utf8(bytes).unwrap().replace("zwei", "drei");
    fs::write(&path, &text).unwrap();
    let error = open(&dir).unwrap_err();
    assert!(matches!(error, JournalError::Broken { line: 2, .. }), "{error}");
    assert!(error.to_string().contains("entry 1 was changed"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text, "a broken journal is evidence");
}

#[test]
fn lines_left_out_or_swapped_break_the_chain() {
    let (_dir, _path, bytes) = written();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|&b| b == b'\n').collect();
    for order in [vec![0, 2], vec![1, 2], vec![0, 2, 1], vec![0, 0, 1, 2], vec![1, 0, 2]] {
        let bytes: Vec<u8> = order.iter().flat_map(|&n| lines[n]).copied().collect();
        assert!(matches!(Chain::parse(&bytes).verdict, Verdict::Broken { .. }), "{order:?}");
    }
}

#[test]
fn a_clock_that_goes_back_is_noted_and_believed() {
    let dir = TempDir::new().unwrap();
    let now = Arc::new(Mutex::new(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1)));
    let clock = Clock::from_fn({
        let now = Arc::clone(&now);
        move || *now.lock().unwrap()
    });
    let journal = Journal::open(dir.path(), "production", &incident(), clock).unwrap();
    journal.append("note", &Note { text: "late" }).unwrap();
    *now.lock().unwrap() = Timestamp::UNIX_EPOCH;
    journal.append("note", &Note { text: "early" }).unwrap();
    journal.append("note", &Note { text: "as early" }).unwrap();
    let entries = journal.entries();
    assert_eq!(kinds(&entries), ["note", "clock-skew", "note", "note"]);
    assert_eq!(entries[2].at, Timestamp::UNIX_EPOCH);
}

#[test]
fn a_full_disk_is_an_error_that_says_what_to_do() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir).unwrap();
    journal.append("note", &Note { text: "fits" }).unwrap();
    journal.fill_disk_from(Some(1));
    let error = journal.append("note", &Note { text: "does not" }).unwrap_err().to_string();
    assert!(error.contains("free some space"), "{error}");
    journal.fill_disk_from(None);
    assert_eq!(journal.append("note", &Note { text: "fits again" }).unwrap().seq, 1);
    assert_eq!(read(journal.path()).unwrap().verdict, Verdict::Whole);
}

#[test]
fn a_state_folder_that_is_a_file_is_an_error() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("journal"), "").unwrap();
    assert!(matches!(open(&dir), Err(JournalError::Io { .. })));
}

#[test]
fn an_environment_that_is_no_file_name_is_refused() {
    let dir = TempDir::new().unwrap();
    for environment in ["../etc", "", ".", "a/b", "a\0"] {
        let opened = Journal::open(dir.path(), environment, &incident(), Clock::system());
        assert!(matches!(opened, Err(JournalError::BadEnvironment(_))), "{environment}");
    }
}

#[test]
fn journals_are_listed_without_their_locks_and_torn_lines() {
    let (dir, path, bytes) = written();
    fs::write(&path, [&bytes[..], b"{"].concat()).unwrap();
    Journal::open(dir.path(), "production", &"INC-1".parse().unwrap(), Clock::system()).unwrap();
    open(&dir).unwrap();
    let listed = list(dir.path(), "production").unwrap();
    let incidents: Vec<_> = listed.iter().map(|listed| listed.incident.as_str()).collect();
    assert_eq!(incidents, ["INC-1", "INC-2026-0142"]);
    assert!(list(dir.path(), "staging").unwrap().is_empty());
}

#[test]
fn growth_is_told() {
    let dir = TempDir::new().unwrap();
    let journal = open(&dir).unwrap();
    let mut growth = journal.growth();
    journal.append("note", &Note { text: "one" }).unwrap();
    assert!(growth.has_changed().unwrap());
    assert_eq!(*growth.borrow_and_update(), 1);
    assert_eq!(journal.entries_from(1), []);
    assert_eq!(journal.entries_from(9), []);
}

#[test]
fn every_flipped_bit_of_every_byte_shows() {
    let (_dir, _path, bytes) = written();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert_ne!(Chain::parse(&flipped).verdict, Verdict::Whole, "byte {at}, bit {bit}");
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Chain::parse(&bytes);
    }

    #[test]
    fn any_changed_byte_shows(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (_dir, _path, bytes) = written();
        let mut changed = bytes.clone();
        let at = at.index(bytes.len());
        changed[at] = byte;
        prop_assert_eq!(Chain::parse(&changed).verdict == Verdict::Whole, changed == bytes);
    }

    #[test]
    fn any_text_survives(texts in proptest::collection::vec(any::<String>(), 1..5)) {
        let dir = TempDir::new().unwrap();
        let journal = open(&dir).unwrap();
        for text in &texts {
            journal.append("note", &serde_json::json!({ "text": text })).unwrap();
        }
        let chain = read(journal.path()).unwrap();
        prop_assert_eq!(&chain.verdict, &Verdict::Whole);
        let read: Vec<_> = chain.entries.iter().map(|e| e.body["text"].as_str().unwrap()).collect();
        prop_assert_eq!(read, texts);
    }
}
