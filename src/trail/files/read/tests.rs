use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::super::{Found, count_by, load, load_into};
use crate::trail::{Column, Filter};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

/// A record of the shape that KMS's have.
fn record(number: u32) -> String {
    let name = ["Decrypt", "GenerateDataKey", "DescribeKey"][number as usize % 3];
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole", "principalId": format!("AROAX:app-{number}"), "accountId": "111122223333",
            "arn": format!("arn:aws:sts::111122223333:assumed-role/app/app-{number}"),
            "sessionContext": {"attributes": {"creationDate": "2026-11-23T13:58:00Z", "mfaAuthenticated": "false"}}
        },
        "eventTime": "2026-11-23T14:02:31Z", "eventSource": "kms.amazonaws.com", "eventName": name,
        "awsRegion": "eu-west-1", "sourceIPAddress": "10.0.0.1", "userAgent": "agent \"quoted\" \\ {brackets}",
        "requestParameters": {"keyId": KEY, "encryptionContext": {"eventName": "a trap"}},
        "responseElements": null, "eventID": format!("00000000-0000-4000-8000-{number:012}"), "readOnly": true,
        "resources": [{"ARN": KEY, "type": "AWS::KMS::Key"}], "eventType": "AwsApiCall"
    })
    .to_string()
}

fn file_of(numbers: impl IntoIterator<Item = u32>) -> String {
    let records: Vec<String> = numbers.into_iter().map(record).collect();
    format!("{{\"Records\":[{}]}}", records.join(","))
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

fn now() -> Timestamp {
    "2026-11-23T15:00:00Z".parse().unwrap()
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            std::fs::write(folder.0.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn found(&self) -> Found {
        Found::under(&[self.0.path().to_owned()]).unwrap()
    }
}

fn running() -> AtomicBool {
    AtomicBool::new(false)
}

#[test]
fn every_form_of_file_gives_its_events_each_once() {
    let lines: String = (20..30).map(|number| record(number) + "\n").collect();
    let members = [gzip(file_of(30..33).as_bytes()), gzip(file_of(33..35).as_bytes())].concat();
    let folder = Folder::new(&[
        ("a.json", file_of(0..10).as_bytes()),
        ("b.json.gz", &gzip(file_of(5..20).as_bytes())),
        ("c.jsonl", lines.as_bytes()),
        ("two-members.json.gz", &members),
    ]);
    let (store, tally) = load(&folder.found(), 1000, &Filter::default(), now(), &running());
    assert_eq!((store.events().len(), tally.records, tally.unparsed, tally.files), (35, 40, 0, 4));
    assert!(tally.troubles.is_empty(), "{:?}", tally.troubles);
    assert_eq!(store.events().raw(0), Some(record(0)));
    let counted = count_by(&folder.found(), Column::Name, &Filter::default(), now(), &running());
    let counts: Vec<_> = counted.counts.iter().map(|c| (c.text.as_deref().unwrap(), c.events)).collect();
    assert_eq!(counts, [("Decrypt", 12), ("GenerateDataKey", 12), ("DescribeKey", 11)]);
    assert_eq!((counted.repeated, counted.tally.records), (5, 40));
}

#[test]
fn counts_of_the_glance_are_those_of_the_parser_and_of_the_store() {
    let folder = Folder::new(&[("a.json", file_of(0..100).as_bytes())]);
    let all = Filter::default();
    let glance = count_by(&folder.found(), Column::Name, &all, now(), &running()).counts;
    // A filter that holds for all makes it parse.
    let parsed = Filter::parse("source:kms").unwrap();
    assert_eq!(glance, count_by(&folder.found(), Column::Name, &parsed, now(), &running()).counts);
    let (store, _) = load(&folder.found(), 1000, &all, now(), &running());
    assert_eq!(glance, store.events().count_by(0..100, Column::Name));
    let keys = count_by(&folder.found(), Column::Keys, &all, now(), &running()).counts;
    assert_eq!((keys[0].text.as_deref(), keys[0].events), (Some(KEY), 100));
}

#[test]
fn a_gzip_cut_short_gives_what_could_be_read_and_its_name() {
    let whole = gzip(file_of(0..2000).as_bytes());
    let folder = Folder::new(&[
        ("cut.json.gz", &whole[..whole.len() / 2]),
        ("good.json.gz", &gzip(file_of(5000..5010).as_bytes())),
    ]);
    let (store, tally) = load(&folder.found(), 10_000, &Filter::default(), now(), &running());
    assert!((100..1950).contains(&store.events().len()), "{}", store.events().len());
    let [trouble] = tally.troubles.as_slice() else { panic!("{:?}", tally.troubles) };
    let told = trouble.in_words();
    assert!(told.contains("cut.json.gz") && told.contains("cut short"), "{told}");
    assert_eq!(tally.records - tally.unparsed, store.events().len() as u64);
    assert!(
        store.events().find(&format!("00000000-0000-4000-8000-{:012}", 5009)).is_some(),
        "others are read"
    );
}

#[test]
fn damaged_and_unreadable_files_are_named() {
    let mut damaged = gzip(file_of(0..50).as_bytes());
    let middle = damaged.len() / 2;
    damaged[middle..middle + 20].fill(0xff);
    let folder =
        Folder::new(&[("damaged.json.gz", &damaged), ("empty.json", b""), ("text.json", b"not json\n")]);
    let (_, tally) = load(&folder.found(), 100, &Filter::default(), now(), &running());
    assert_eq!(tally.troubles.len(), 1);
    assert!(tally.troubles[0].in_words().contains("damaged"), "{:?}", tally.troubles);
    let gone = Found { files: vec![PathBuf::from("/no/such/file")], ..Found::default() };
    let (_, tally) = load(&gone, 100, &Filter::default(), now(), &running());
    assert!(tally.troubles[0].in_words().contains("/no/such/file"));
}

#[test]
fn a_file_too_large_to_be_taken_whole_is_read_in_chunks() {
    let folder = Folder::new(&[]);
    let path = folder.0.path().join("large.json.gz");
    let mut gzip = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    let padding = " ".repeat(1 << 20);
    gzip.write_all(b"{\"Records\":[").unwrap();
    for number in 0..50 {
        gzip.write_all(
            format!("{padding}{}{}", if number > 0 { "," } else { "" }, record(number)).as_bytes(),
        )
        .unwrap();
    }
    gzip.write_all(b"]}").unwrap();
    gzip.finish().unwrap();
    let (store, tally) = load(&folder.found(), 100, &Filter::default(), now(), &running());
    assert_eq!((store.events().len(), tally.troubles), (50, Vec::new()));
}

#[test]
fn a_value_larger_than_any_record_ends_a_file_with_a_word() {
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(50 << 20));
    let folder = Folder::new(&[("huge.json.gz", &gzip(huge.as_bytes()))]);
    let (_, tally) = load(&folder.found(), 100, &Filter::default(), now(), &running());
    assert!(tally.troubles[0].reason.contains("16 MiB"), "{:?}", tally.troubles);
}

#[test]
fn asked_to_stop_it_says_how_far_it_came() {
    let files: Vec<(String, Vec<u8>)> =
        (0..50).map(|n| (format!("{n:02}.json"), file_of(n * 100..n * 100 + 100).into_bytes())).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let folder = Folder::new(&files);
    let stop = running();
    let mut taken = 0;
    let tally = load_into(&folder.found(), &Filter::default(), now(), &stop, |loaded| {
        taken += loaded.batch.len() as u64;
        stop.store(true, Ordering::Relaxed);
        true
    });
    assert!(tally.stopped && tally.files < 50, "{tally:?}");
    assert_eq!(taken, tally.records);
    assert!(tally.in_words().starts_with("stopped: read "), "{}", tally.in_words());
}

/// Turns a text into another that differs in some bytes, lacks some, or has some twice.
fn mutate(text: &mut Vec<u8>, random: &mut SmallRng) {
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..text.len().max(1));
        match random.random_range(0..5) {
            0 => text.truncate(at),
            1 if at < text.len() => text[at] = random.random(),
            2 => text.insert(at.min(text.len()), *b"{}[]\",:\\\n0".get(random.random_range(0..10)).unwrap()),
            3 => {
                let to = (at + random.random_range(0..200)).min(text.len());
                let copy = text[at.min(to)..to].to_vec();
                text.splice(at.min(to)..at.min(to), copy);
            }
            _ => {
                let to = (at + random.random_range(0..50)).min(text.len());
                text.drain(at.min(to)..to);
            }
        }
        if text.is_empty() {
            return;
        }
    }
}

fn tally_of(path: &Path) -> (u64, u64, usize) {
    let found = Found { files: vec![path.to_owned()], ..Found::default() };
    let mut unparsed = 0;
    let mut events = 0;
    let tally = load_into(&found, &Filter::default(), now(), &running(), |loaded| {
        events += loaded.batch.len();
        unparsed += loaded.unparsed.len() as u64;
        true
    });
    assert_eq!(tally.unparsed, unparsed, "every record that is not understood is handed on");
    (tally.records, tally.unparsed, events)
}

/// The fuzzer: mutated files of every form, from a seed, as many as `PORTCULLIS_FUZZ` says or 400.
#[test]
fn mutated_files_never_panic_and_never_lose_count() {
    let rounds = std::env::var("PORTCULLIS_FUZZ").ok().and_then(|count| count.parse().ok()).unwrap_or(400);
    let folder = Folder::new(&[]);
    let path = folder.0.path().join("mutated.json");
    for seed in 0..rounds {
        let mut random = SmallRng::seed_from_u64(seed);
        let count = random.random_range(1..8);
        let lines: String = (0..count).map(|number| record(number) + "\n").collect();
        let mut text = if random.random() { file_of(0..count).into_bytes() } else { lines.into_bytes() };
        mutate(&mut text, &mut random);
        if random.random_bool(0.3) {
            text = gzip(&text);
            if random.random_bool(0.5) {
                mutate(&mut text, &mut random);
            }
        }
        std::fs::write(&path, &text).unwrap();
        let (records, unparsed, events) = tally_of(&path);
        assert_eq!(records, unparsed + events as u64, "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_bytes_never_panic_and_never_lose_count(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let folder = Folder::new(&[("any.json", &bytes)]);
        let (records, unparsed, events) = tally_of(&folder.0.path().join("any.json"));
        prop_assert_eq!(records, unparsed + events as u64);
    }
}
