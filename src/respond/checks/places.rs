//! Where else a key matters: RDS storage under it, and its relatives in other Regions.

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};

use crate::gate;
use crate::model::age::short;
use crate::model::arn::KeyArn;
use crate::model::dependents::{RdsInstance, STORAGE_RECOVERABLE, Storage, storage_lost_from};
use crate::model::key::KeyState;
use crate::model::plan::Operation;
use crate::model::usage;
use crate::respond::actor::{Actor, Leaving};
use crate::respond::show;
use crate::respond::trouble::{Stop, Trouble};
use crate::runbook::{Found, Value};

/// What RDS calls an instance that works.
const AVAILABLE: &str = "available";
/// How far back the trail is asked for the drop: RDS's clock, and a day.
const DROP_WITHIN: SignedDuration = SignedDuration::from_hours(8 * 24);

impl Actor {
    /// The RDS instances whose storage the key encrypts, read now; or why they are not known.
    pub(in crate::respond) async fn storage_under(
        &mut self,
        key: &KeyArn,
    ) -> Result<Result<Vec<RdsInstance>, String>, Stop> {
        let rds = self.estate.cloud.rds(key.region());
        let read = async move { rds.instances().await };
        let read = self.attend("reading the RDS instances", Leaving::Allowed, read.boxed()).await?;
        let under = |all: Vec<RdsInstance>| {
            all.into_iter().filter(|one| one.storage_key.as_ref() == Some(key)).collect()
        };
        Ok(read.map(under).map_err(|failure| failure.to_string()))
    }

    async fn must_read_storage(&mut self, key: &KeyArn) -> Result<Vec<RdsInstance>, Stop> {
        self.storage_under(key).await?.map_err(|why| {
            Trouble::new(
                format!("which RDS instances store their data under this key is not known: {why}"),
                "Nothing was changed. See to that, then try again; or ask whoever runs the databases",
            )
            .into()
        })
    }

    pub(super) async fn check_storage(&mut self, found: &Found) -> Result<(), Stop> {
        let instances = self.must_read_storage(&found.key).await?;
        if instances.is_empty() {
            let region = found.key.region();
            self.fact(true, format!("no RDS instance in {region} stores its data under this key"));
            return Ok(());
        }
        let clock = if instances.iter().any(|one| one.storage() == Storage::Recoverable) {
            self.storage_clock(&found.key).await?
        } else {
            None
        };
        let mut lost = Vec::new();
        for instance in &instances {
            let told = format!("RDS {}: {}", instance.id, instance.status);
            match instance.storage() {
                Storage::Open => self.fact(true, told),
                Storage::Recoverable => {
                    let until =
                        clock.as_deref().unwrap_or("7 days after RDS noticed, and that moment is not known");
                    self.fact(false, format!("{told}: enable the key and start it, before {until}"));
                }
                Storage::Lost => lost.push(instance.id.to_string()),
            }
        }
        if lost.is_empty() {
            return Ok(());
        }
        Err(Trouble::new(
            format!("RDS {}: the storage is lost for good, whatever becomes of the key", lost.join(", ")),
            "Restore it from a backup: the runbook key-loss has how. What is not lost can still be saved: see the evidence",
        )
        .into())
    }

    /// Until when storage under a key that is down can be saved, in words. RDS counts from when it notices.
    async fn storage_clock(&mut self, key: &KeyArn) -> Result<Option<String>, Stop> {
        let now = self.now();
        let dropped = self.dropped(key);
        let since = if dropped.is_some() {
            dropped
        } else {
            let trail = self.trail_of(key, now.checked_sub(DROP_WITHIN).unwrap_or(now)).await?;
            usage::down_since(key, trail.of_key(key).iter())
        };
        Ok(since.map(|since| {
            let at = storage_lost_from(since);
            let left = at.duration_since(now);
            let left = if left > SignedDuration::ZERO {
                format!("{} left", short(left))
            } else {
                "that has passed".to_owned()
            };
            let days = STORAGE_RECOVERABLE.as_hours() / 24;
            format!(
                "{} at the earliest ({days} days from the drop at {}; {left})",
                show::when(at),
                show::when(since)
            )
        }))
    }

    /// Since when the key is down by what this incident did: the first drop after it was last enabled.
    fn dropped(&self, key: &KeyArn) -> Option<Timestamp> {
        let mut since = None;
        for change in gate::proved(&self.entries()).into_iter().rev().filter(|change| change.plan.key == *key)
        {
            match change.plan.operation {
                Operation::EnableKey => break,
                Operation::DisableKey | Operation::ScheduleKeyDeletion { .. } => {
                    since = Some(change.proved_at);
                }
                _ => {}
            }
        }
        since
    }

    pub(super) async fn verify_available(&mut self, found: &Found) -> Result<(), Stop> {
        let asked = self.value(Value::DbInstance);
        let mut instances = self.must_read_storage(&found.key).await?;
        instances.retain(|one| asked.as_ref().is_none_or(|id| one.id.raw() == id));
        if let (true, Some(id)) = (instances.is_empty(), &asked) {
            return Err(Trouble::new(
                format!("RDS shows no instance {} under this key", crate::model::text::visible(id)),
                "Look at it in RDS; then try again, or leave",
            )
            .into());
        }
        let (up, down): (Vec<_>, Vec<_>) =
            instances.into_iter().partition(|one| one.status.raw() == AVAILABLE);
        for instance in up {
            self.fact(true, format!("RDS {}: available", instance.id));
        }
        if down.is_empty() {
            return Ok(());
        }
        let told: Vec<_> = down.iter().map(|one| format!("{} is {}", one.id, one.status)).collect();
        Err(Trouble::new(
            format!("RDS: {}", told.join(", ")),
            "Starting takes some minutes. Wait, then try again",
        )
        .into())
    }

    pub(super) async fn check_relatives(&mut self, found: &Found) -> Result<(), Stop> {
        let kms = self.kms(found.key.region());
        let read = kms.describe(found.key.as_str()).boxed();
        let read = self.attend("reading the key", Leaving::Allowed, read).await?;
        // A relative ought to stand as the key does; where that is out of reach, it ought to work.
        let like = read.as_ref().map_or(KeyState::Enabled, |key| key.state.clone());
        let relatives: Vec<KeyArn> = match read {
            Ok(key) => {
                self.fact(true, format!("{}: {}", key.arn.region(), key.state));
                key.multi_region.iter().flat_map(|all| all.relatives_of(&key.arn).cloned()).collect()
            }
            Err(failure) => {
                self.fact(false, format!("{}: {failure}", found.key.region()));
                self.namesakes(&found.key)
            }
        };
        if relatives.is_empty() {
            self.fact(false, "the key has no relative in another Region that is known of");
        }
        for relative in relatives {
            let kms = self.kms(relative.region());
            let read = kms.describe(relative.as_str()).boxed();
            let read = self.attend("reading a relative", Leaving::Allowed, read).await?;
            match read {
                Ok(key) => {
                    let (good, at) = (key.state == like, show::clock(key.read_at));
                    let role = match &key.multi_region {
                        Some(all) if all.primary == key.arn => "primary",
                        _ => "replica",
                    };
                    self.fact(
                        good,
                        format!("{} ({role}): {} ({at}); its state is its own", key.arn.region(), key.state),
                    );
                }
                Err(failure) => self.fact(false, format!("{}: {failure}", relative.region())),
            }
        }
        Ok(())
    }

    /// A multi-Region key has the same id in every Region, so its relatives can be asked for where it is out of reach.
    fn namesakes(&self, key: &KeyArn) -> Vec<KeyArn> {
        if !key.id().starts_with("mrk-") {
            return Vec::new();
        }
        let regions = self.estate.environment.regions.iter().filter(|region| *region != key.region());
        let at = format!(":{}:", key.region());
        regions
            .filter_map(|region| key.as_str().replacen(&at, &format!(":{region}:"), 1).parse().ok())
            .collect()
    }
}
