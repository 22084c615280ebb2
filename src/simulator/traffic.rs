//! The account's own life: its programs go on using their keys while virtual time passes.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

use super::Simulator;
use super::aws::cloudtrail::actor::{Actor, Session};
use super::aws::cloudtrail::record::{Entry, kms_key};
use super::aws::kms::key::{Key, KeyState, LastUsage};
use super::seed::{ACCOUNT, Cast, HOME, access_key};
use super::world::World;

/// The mean time between two uses of a key, in virtual seconds.
const MEAN_USE: f64 = 20.0;
/// Monitoring looks at one key after the other, at this pace.
const MONITORING: SignedDuration = SignedDuration::from_mins(2);
/// A release tags the keys it touches; the time between two.
const RELEASE: (i64, i64) = (25 * 60, 55 * 60);
/// The most virtual time that one tick makes up for: what lies further back stays silent.
const LONGEST_GAP: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What is to happen next. The same seed, start and ticks make the same events.
#[derive(Debug)]
pub struct Traffic {
    cast: Cast,
    rng: SmallRng,
    next_use: Timestamp,
    next_look: Timestamp,
    next_release: Timestamp,
    releases: u32,
    looked_at: usize,
}

impl Traffic {
    /// Traffic from the simulator's present moment on.
    #[must_use]
    pub fn new(sim: &Simulator, seed: u64) -> Self {
        let now = sim.clock().now();
        Self {
            cast: Cast::of(&sim.world().kms),
            rng: SmallRng::seed_from_u64(seed ^ 0x7a_ff1c),
            next_use: now,
            next_look: now + MONITORING,
            next_release: now + SignedDuration::from_mins(9),
            releases: 0,
            looked_at: 0,
        }
    }

    /// Makes happen what should have happened by now; answers how many events there were.
    ///
    /// These calls are made in the account itself, not through HTTP: IAM is not asked, a key's state is.
    pub fn tick(&mut self, sim: &Simulator) -> usize {
        let now = sim.clock().now();
        let mut world = sim.world();
        let earliest = now - LONGEST_GAP;
        for next in [&mut self.next_use, &mut self.next_look, &mut self.next_release] {
            *next = (*next).max(earliest);
        }
        let mut count = 0;
        while let Some(at) = self.soonest().filter(|at| *at <= now) {
            count += 1;
            if at == self.next_use {
                self.next_use = at + self.pause();
                self.use_key(&mut world, at);
            } else if at == self.next_look {
                self.next_look = at + MONITORING;
                self.look_at_key(&mut world, at);
            } else {
                let seconds = self.rng.random_range(RELEASE.0..RELEASE.1);
                self.next_release = at + SignedDuration::from_secs(seconds);
                self.release(&mut world, at);
            }
        }
        count
    }

    /// Ticks for as long as it is polled, every `period` of real time.
    pub async fn run(mut self, sim: Simulator, period: Duration) {
        let mut beat = tokio::time::interval(period);
        loop {
            beat.tick().await;
            self.tick(&sim);
        }
    }

    fn soonest(&self) -> Option<Timestamp> {
        [self.next_use, self.next_look, self.next_release].into_iter().min()
    }

    /// An exponential pause: uses come as independent users make them.
    fn pause(&mut self) -> SignedDuration {
        let seconds = -MEAN_USE * (1.0 - self.rng.random::<f64>()).ln();
        SignedDuration::from_secs_f64(seconds.clamp(0.05, 20.0 * MEAN_USE))
    }

    fn use_key(&mut self, world: &mut World, at: Timestamp) {
        let Some((mut entry, index)) = self.cast.app_decrypt(at, &mut self.rng) else { return };
        let key = &self.cast.app[index].key;
        let state = world.kms.key(&key.region, &key.id).map(|key| key.state);
        entry.error = refusal(state, &key.arn).map(|(code, message)| (code.into(), message.into()));
        if entry.error.is_some() {
            entry.additional = None;
            world.trail.push(entry);
            return;
        }
        let request_id = uuid::Builder::from_random_bytes(self.rng.random()).into_uuid();
        entry.request_id = Some(request_id);
        let event_id = if key.account == ACCOUNT {
            world.trail.push(entry)
        } else {
            world.trail.push_shared(entry, &key.account)
        };
        if let Some(truth) = world.kms.key_mut(&key.region, &key.id) {
            truth.last_usage = Some(LastUsage {
                operation: "Decrypt".to_owned(),
                at,
                event_id: Some(event_id.to_string()),
                request_id: request_id.to_string(),
            });
        }
    }

    fn look_at_key(&mut self, world: &mut World, at: Timestamp) {
        let arns: Vec<String> = world
            .kms
            .keys()
            .filter(|key| key.account == ACCOUNT && key.region == HOME)
            .map(Key::arn)
            .collect();
        self.looked_at += 1;
        let Some(arn) = arns.get(self.looked_at % arns.len().max(1)) else { return };
        let actor = self.cast.on_shift("BuzzTutorMonitoring", "key-monitor", at);
        let entry = self.cast.kms_call(at, "DescribeKey", &actor);
        world.trail.push(Entry {
            source_ip: self.cast.word("10.20.9.30"),
            user_agent: self.cast.word("Boto3/1.38.36 buzz-key-monitor/2.1"),
            request: Some(Arc::new(json!({"keyId": arn}))),
            resources: Arc::new([kms_key(arn)]),
            ..entry
        });
    }

    /// A release tags a key with its number: a change, and a harmless one.
    fn release(&mut self, world: &mut World, at: Timestamp) {
        self.releases += 1;
        let index = usize::try_from(self.releases).unwrap_or_default() % self.cast.app.len().max(1);
        let Some(share) = self.cast.app.get(index) else { return };
        let (region, id, arn) = (share.key.region.clone(), share.key.id.clone(), share.key.arn.clone());
        let number = format!("2026.{}", self.releases);
        let Some(key) = world.kms.key_mut(&region, &id).filter(|key| key.account == ACCOUNT) else { return };
        if key.state != KeyState::Enabled {
            return;
        }
        key.tags.insert("Release".to_owned(), number.clone());
        let actor = Arc::new(deployer(at));
        let entry = self.cast.kms_call(at, "TagResource", &actor);
        world.trail.push(Entry {
            read_only: false,
            source_ip: self.cast.word("198.51.100.20"),
            user_agent: self.cast.word("APN/1.0 HashiCorp/1.0 Terraform/1.12.1 aws-sdk-go-v2/1.36.5"),
            request: Some(Arc::new(
                json!({"keyId": arn, "tags": [{"tagKey": "Release", "tagValue": number}]}),
            )),
            resources: Arc::new([kms_key(&arn)]),
            ..entry
        });
    }
}

/// What KMS says to a Decrypt with a key in this state.
fn refusal(state: Option<KeyState>, arn: &str) -> Option<(&'static str, String)> {
    Some(match state {
        Some(KeyState::Enabled | KeyState::Updating) => return None,
        Some(KeyState::Disabled) => ("DisabledException", format!("{arn} is disabled.")),
        Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion) => {
            ("KMSInvalidStateException", format!("{arn} is pending deletion."))
        }
        Some(KeyState::PendingImport) => ("KMSInvalidStateException", format!("{arn} is pending import.")),
        Some(KeyState::Unavailable) => ("KMSInvalidStateException", format!("{arn} is unavailable.")),
        Some(KeyState::Creating) => ("KMSInvalidStateException", format!("{arn} is creating.")),
        None => ("NotFoundException", format!("Key '{arn}' does not exist")),
    })
}

fn deployer(at: Timestamp) -> Actor {
    Actor::Role {
        account: ACCOUNT.to_owned(),
        role: "BuzzTutorDevOps".to_owned(),
        session_name: "release".to_owned(),
        access_key_id: access_key("ASIA", &format!("release/{}", at.as_second() / 3600)),
        source_identity: None,
        session: Session { created: at, mfa: false, console: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::clock::VirtualClock;
    use crate::simulator::seed;

    fn start() -> Timestamp {
        "2026-05-04T12:00:00Z".parse().unwrap()
    }

    fn simulator() -> Simulator {
        Simulator::new(seed::buzz_tutor(1, start()), VirtualClock::frozen(start()))
    }

    /// The events since the start, as text.
    fn lived(sim: &Simulator, minutes: i64) -> Vec<String> {
        let mut traffic = Traffic::new(sim, 5);
        for _ in 0..minutes {
            sim.clock().advance(SignedDuration::from_mins(1));
            traffic.tick(sim);
        }
        let world = sim.world();
        let fresh = world.trail.records().filter(|record| record.entry.at >= start());
        fresh.map(|record| record.render().to_string()).collect()
    }

    #[test]
    fn nothing_happens_while_time_stands_still() {
        let sim = simulator();
        let mut traffic = Traffic::new(&sim, 5);
        traffic.tick(&sim);
        assert_eq!(traffic.tick(&sim), 0);
    }

    #[test]
    fn reads_and_changes_come_and_repeat_from_the_seed() {
        let events = lived(&simulator(), 120);
        assert!((250..600).contains(&events.len()), "{}", events.len());
        let changes = events.iter().filter(|event| event.contains(r#""readOnly":false"#)).count();
        assert!((2..=6).contains(&changes), "{changes}");
        assert_eq!(events, lived(&simulator(), 120));
    }

    #[test]
    fn a_dropped_key_answers_nobody_any_more() {
        let sim = simulator();
        let places: Vec<(String, String)> =
            sim.world().kms.keys().map(|key| (key.region.clone(), key.id.clone())).collect();
        for (region, id) in places {
            sim.world().kms.key_mut(&region, &id).unwrap().state = KeyState::Disabled;
        }
        let decrypts: Vec<String> =
            lived(&sim, 30).into_iter().filter(|event| event.contains(r#""eventName":"Decrypt""#)).collect();
        assert!(!decrypts.is_empty());
        assert!(decrypts.iter().all(|event| event.contains("DisabledException")));
    }

    #[test]
    fn a_use_is_the_keys_last_use() {
        let sim = simulator();
        lived(&sim, 30);
        let world = sim.world();
        let key = world
            .kms
            .keys()
            .filter(|key| key.account == ACCOUNT)
            .max_by_key(|key| key.last_usage.as_ref().map(|usage| usage.at));
        let usage = key.unwrap().last_usage.as_ref().unwrap();
        assert!(usage.at >= start());
        let known = world.trail.records().find(|record| Some(record.event_id.to_string()) == usage.event_id);
        assert_eq!(known.unwrap().request_id.to_string(), usage.request_id);
    }

    #[test]
    fn a_long_sleep_is_made_up_for_within_bounds() {
        let sim = simulator();
        let mut traffic = Traffic::new(&sim, 5);
        sim.clock().advance(SignedDuration::from_hours(365 * 24));
        let events = traffic.tick(&sim);
        assert!((20_000..60_000).contains(&events), "{events}");
    }
}
