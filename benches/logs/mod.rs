//! Trail logs of any size: records of the simulated account's own shapes, each with ids, times, addresses and
//! sessions of its own, drawn from a seed.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use portcullis::simulator::aws::cloudtrail::record::Record;
use portcullis::simulator::seed;

/// Records of a file.
const RECORDS: usize = 2500;

/// Records that repeat themselves from their seed.
pub struct Records {
    shapes: Vec<Value>,
    random: SmallRng,
    at: Timestamp,
}

impl Records {
    /// The records of an account with three weeks of history.
    pub fn new(now: Timestamp) -> Self {
        let world = seed::buzz_tutor(7, now);
        let shapes = world.trail.records().map(Record::render).collect();
        Self { shapes, random: SmallRng::seed_from_u64(7), at: now - SignedDuration::from_hours(20 * 24) }
    }

    fn uuid(&mut self) -> Value {
        uuid::Builder::from_random_bytes(self.random.random()).into_uuid().to_string().into()
    }

    /// The next record, a little later than the one before.
    pub fn draw(&mut self) -> String {
        let shape = self.random.random_range(0..self.shapes.len());
        let mut record = self.shapes[shape].clone();
        self.at += SignedDuration::from_millis(self.random.random_range(0..3000));
        record["eventTime"] = self.at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
        record["eventID"] = self.uuid();
        record["requestID"] = self.uuid();
        if record["sharedEventID"].is_string() {
            record["sharedEventID"] = self.uuid();
        }
        if record["sourceIPAddress"].as_str().is_some_and(|from| from.starts_with("10.")) {
            let (net, host) = (self.random.random_range(0..16), self.random.random_range(1..255));
            record["sourceIPAddress"] = format!("10.20.{net}.{host}").into();
        }
        if record["userIdentity"]["accessKeyId"].is_string() {
            let key = format!("ASIA{:016X}", self.random.random_range(0..5000u64));
            record["userIdentity"]["accessKeyId"] = key.into();
        }
        if record["requestParameters"]["encryptionContext"].is_object() {
            let tenant = self.random.random_range(0..20_000);
            record["requestParameters"]["encryptionContext"]["tenant"] = json!(format!("t-{tenant}"));
        }
        record.to_string()
    }
}

/// Writes `count` records as a bucket holds them: `AWSLogs/ACCOUNT/CloudTrail/REGION/Y/M/D/….json.gz`. Gives the bytes
/// of JSON.
pub fn write(folder: &Path, count: usize, now: Timestamp) -> io::Result<u64> {
    let mut records = Records::new(now);
    let mut bytes = 0;
    for number in 0..count.div_ceil(RECORDS) {
        let day = folder
            .join("AWSLogs/111122223333/CloudTrail/eu-west-1")
            .join(records.at.strftime("%Y/%m/%d").to_string());
        fs::create_dir_all(&day)?;
        let stamp = records.at.strftime("%Y%m%dT%H%MZ");
        let name = format!("111122223333_CloudTrail_eu-west-1_{stamp}_{number:016}.json.gz");
        let some: Vec<String> = (0..RECORDS.min(count - number * RECORDS)).map(|_| records.draw()).collect();
        let text = format!("{{\"Records\":[{}]}}", some.join(","));
        bytes += text.len() as u64;
        let mut file = GzEncoder::new(File::create(day.join(name))?, Compression::default());
        file.write_all(text.as_bytes())?;
        file.finish()?;
    }
    Ok(bytes)
}
