//! The account "buzz-tutor", as an incident responder would find it on an ordinary bad day.
//!
//! Everything follows from a seed and a time: the same two make the same account, to the last record
//! (but for RSA key pairs, which are made when they are first used).

mod cast;
#[cfg(test)]
mod clients;
mod company;
mod databases;
mod history;
mod keys;
mod people;
#[cfg(test)]
mod tests;

pub(in crate::simulator) use cast::Cast;
pub use company::{Size, company};
pub(in crate::simulator) use people::access_key;
pub use people::{Credentials, credentials, mfa_device, role_for};

use jiff::{SignedDuration, Timestamp};

use super::aws::cloudtrail::Trail;
use super::aws::rds::instance::Instance;
use super::world::World;

/// The account.
pub const ACCOUNT: &str = "111122223333";
/// Where nearly everything is.
pub const HOME: &str = "eu-west-1";
/// Where the replicas are.
pub const REPLICA: &str = "us-east-1";
/// A partner's account, whose key protects one column key of ours.
pub const FOREIGN_ACCOUNT: &str = "444455556666";
/// The environments, as the requirement names them.
pub const ENVIRONMENTS: [&str; 3] = ["development", "staging", "production"];
/// The topic that alerts go to.
pub const ALERT_TOPIC: &str = "buzz-tutor-alerts";
/// The queue that EventBridge feeds, where [`event_queue`] made it.
pub const EVENT_QUEUE: &str = "portcullis-events";
/// The SQL login that sees everything portcullis needs, and may write the audit row.
pub const SQL_READER: &str = "portcullis_reader";
/// The SQL login that may not see column master keys.
pub const SQL_BLIND: &str = "portcullis_blind";
/// The password of both logins. It opens nothing but the simulator.
pub const SQL_PASSWORD: &str = "simulated-Passw0rd";

/// Text as an attacker writes it wherever a name is free: an escape sequence that wipes the screen, a
/// right-to-left override, a zero-width space, a line break.
pub const HOSTILE: &str = "evil\u{1b}[2J\u{1b}[1;31m\u{202e}delbane\u{202c}\u{200b}\r\nEnabled";

/// The account at `now`, with three weeks of history behind it.
#[must_use]
pub fn buzz_tutor(seed: u64, now: Timestamp) -> World {
    let mut world = World::empty(ACCOUNT, seed);
    world.trail = Trail::seeded(seed);
    people::fill(&mut world, now);
    world.sns.create_topic(ACCOUNT, HOME, ALERT_TOPIC);
    keys::fill(&mut world, now);
    instances(&mut world, now);
    databases::fill(&mut world, now);
    history::fill(&mut world, now);
    world
}

/// Makes the queue [`EVENT_QUEUE`], into which EventBridge puts the account's events from now on; answers its URL. Whoever
/// makes it should also empty it.
pub fn event_queue(world: &mut World, now: Timestamp) -> String {
    let url = world.sqs.create_queue(ACCOUNT, HOME, EVENT_QUEUE, now);
    world.sqs.put_rule(EVENT_QUEUE);
    world.trail.tell_the_bus();
    url
}

fn instances(world: &mut World, now: Timestamp) {
    let make = |name: &str, alias: &str, age: i64| {
        let key = keys::arn_behind(&world.kms, alias);
        Instance::sql_server(name, ACCOUNT, HOME, &key, ago(now, age))
    };
    let mut production = make("buzz-prod-1", keys::USER_DATA, 400);
    production.multi_az = true;
    production.backup_retention = 35;
    let mut staging = make("buzz-staging-1", "buzz-tutor/tde-staging", 300);
    "14.00.3485.1.v1".clone_into(&mut staging.engine_version);
    "db.t3.large".clone_into(&mut staging.class);
    let restart = now + SignedDuration::from_hours(3 * 24);
    let development = make("buzz-dev-1", "aws/rds", 200).stopped_until(restart);
    world.rds.instances = [(production, "production"), (staging, "staging"), (development, "development")]
        .into_iter()
        .map(|(mut instance, environment)| {
            instance.tags = estate_tags(environment);
            instance
        })
        .collect();
}

fn estate_tags(environment: &str) -> Vec<(String, String)> {
    if environment.is_empty() {
        return Vec::new();
    }
    [("Application", "buzz-tutor"), ("Environment", environment)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .to_vec()
}

fn ago(now: Timestamp, days: i64) -> Timestamp {
    now - SignedDuration::from_hours(days * 24)
}
