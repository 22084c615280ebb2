//! A database instance and its life with and without its storage key.
//!
//! Source: RDS user guide, "Encrypting Amazon RDS resources" and "Viewing DB instance status": an instance that
//! loses its key stops as `inaccessible-encryption-credentials-recoverable`; with the key back it can be
//! started within seven days; after them it is `inaccessible-encryption-credentials` for good.

use jiff::{SignedDuration, Timestamp};

use crate::simulator::aws::{Call, Refusal};

/// How long it takes RDS to notice that a key is out of reach; AWS names no figure.
pub const NOTICE: SignedDuration = SignedDuration::from_mins(5);
/// After this much time without its key an instance cannot be brought back.
pub const TERMINAL: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How long starting takes.
pub const STARTING: SignedDuration = SignedDuration::from_mins(8);

/// One instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub identifier: String,
    pub account: String,
    pub region: String,
    pub class: String,
    /// e.g. `sqlserver-se`.
    pub engine: String,
    pub engine_version: String,
    pub port: u16,
    pub created: Timestamp,
    pub multi_az: bool,
    /// In GiB.
    pub allocated_storage: u32,
    /// In days.
    pub backup_retention: u32,
    /// The ARN of the key that encrypts its storage; `None` where storage is not encrypted.
    pub kms_key_id: Option<String>,
    pub tags: Vec<(String, String)>,
    phase: Phase,
    /// Whether its key could be used when last looked at.
    usable: bool,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Available,
    /// Its key has been out of reach since; RDS has not noticed yet.
    Unnoticed {
        since: Timestamp,
    },
    Recoverable {
        since: Timestamp,
    },
    Terminal,
    /// `lost` is since when its key had been out of reach, where that is why it stopped.
    Starting {
        until: Timestamp,
        lost: Option<Timestamp>,
    },
    Stopped {
        restart: Timestamp,
    },
}

impl Instance {
    /// A running SQL Server Standard instance in one zone, its storage encrypted by this key.
    #[must_use]
    pub fn sql_server(
        identifier: &str,
        account: &str,
        region: &str,
        key_arn: &str,
        created: Timestamp,
    ) -> Self {
        Self {
            identifier: identifier.to_owned(),
            account: account.to_owned(),
            region: region.to_owned(),
            class: "db.r6i.xlarge".to_owned(),
            engine: "sqlserver-se".to_owned(),
            engine_version: "16.00.4185.3.v1".to_owned(),
            port: 1433,
            created,
            multi_az: false,
            allocated_storage: 200,
            backup_retention: 7,
            kms_key_id: Some(key_arn.to_owned()),
            tags: Vec::new(),
            phase: Phase::Available,
            usable: true,
        }
    }

    /// The same, stopped by its owner; RDS starts it again at `restart` (at most seven days after the stop).
    #[must_use]
    pub fn stopped_until(mut self, restart: Timestamp) -> Self {
        self.phase = Phase::Stopped { restart };
        self
    }

    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        format!("arn:aws:rds:{}:{}:db:{}", self.region, self.account, self.identifier)
    }

    /// `DBInstanceStatus`, as of the last [`Instance::observe`].
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self.phase {
            Phase::Available | Phase::Unnoticed { .. } => "available",
            Phase::Recoverable { .. } => "inaccessible-encryption-credentials-recoverable",
            Phase::Terminal => "inaccessible-encryption-credentials",
            Phase::Starting { .. } => "starting",
            Phase::Stopped { .. } => "stopped",
        }
    }

    /// `AutomaticRestartTime`: only a stopped instance has one.
    #[must_use]
    pub fn automatic_restart(&self) -> Option<Timestamp> {
        match self.phase {
            Phase::Stopped { restart } => Some(restart),
            _ => None,
        }
    }

    /// Brings it up to `now`; `usable` is whether its key can be used at this moment.
    pub(super) fn observe(&mut self, usable: bool, now: Timestamp) {
        self.usable = usable;
        while let Some(next) = self.next_phase(now) {
            self.phase = next;
        }
    }

    fn next_phase(&self, now: Timestamp) -> Option<Phase> {
        let past = |since: Timestamp, span: SignedDuration| now >= since + span;
        match self.phase {
            Phase::Available if !self.usable => Some(Phase::Unnoticed { since: now }),
            Phase::Unnoticed { since } if past(since, NOTICE) => Some(Phase::Recoverable { since }),
            Phase::Unnoticed { .. } if self.usable => Some(Phase::Available),
            Phase::Recoverable { since } if past(since, TERMINAL) => Some(Phase::Terminal),
            // A start without its key ends where it began, with the seven days still counting.
            Phase::Starting { lost: Some(since), .. } if !self.usable => Some(Phase::Recoverable { since }),
            Phase::Starting { until, .. } if now >= until => Some(Phase::Available),
            Phase::Stopped { restart } if now >= restart => {
                Some(Phase::Starting { until: restart + STARTING, lost: None })
            }
            _ => None,
        }
    }

    /// Starts it again.
    ///
    /// # Errors
    ///
    /// `InvalidDBInstanceState` unless it is stopped or recoverable; `KMSKeyNotAccessibleFault` while its key
    /// is still out of reach.
    pub(super) fn start(&mut self, now: Timestamp) -> Result<(), Refusal> {
        let lost = match self.phase {
            Phase::Recoverable { since } => Some(since),
            Phase::Stopped { .. } => None,
            _ => {
                return Err(Refusal::new(
                    "InvalidDBInstanceState",
                    format!("Instance {} is not stopped, it is {}.", self.identifier, self.status()),
                ));
            }
        };
        if !self.usable {
            return Err(Refusal::new(
                "KMSKeyNotAccessibleFault",
                format!(
                    "The specified KMS key {} either isn't enabled or can't be accessed.",
                    self.kms_key_id.as_deref().unwrap_or_default()
                ),
            ));
        }
        self.phase = Phase::Starting { until: now + STARTING, lost };
        Ok(())
    }

    /// Whether a caller sees it: same account, same Region.
    pub(super) fn is_in(&self, call: &Call) -> bool {
        self.account == call.caller.account && self.region == call.region
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZERO: Timestamp = Timestamp::UNIX_EPOCH;

    fn instance() -> Instance {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/0b6d3c0e-7b7e-4a53-9d3c-1d2f7ac1f001";
        Instance::sql_server("buzz-prod-1", "111122223333", "eu-west-1", arn, ZERO)
    }

    fn status_after(instance: &mut Instance, usable: bool, since: SignedDuration) -> &'static str {
        instance.observe(usable, ZERO + since);
        instance.status()
    }

    #[test]
    fn loses_its_key_then_its_data() {
        let mut instance = instance();
        assert_eq!(status_after(&mut instance, false, SignedDuration::ZERO), "available");
        let just_before = NOTICE - SignedDuration::from_secs(1);
        assert_eq!(status_after(&mut instance, false, just_before), "available");
        let recoverable = "inaccessible-encryption-credentials-recoverable";
        assert_eq!(status_after(&mut instance, false, NOTICE), recoverable);
        assert_eq!(status_after(&mut instance, false, TERMINAL - SignedDuration::from_secs(1)), recoverable);
        assert_eq!(status_after(&mut instance, false, TERMINAL), "inaccessible-encryption-credentials");
        assert_eq!(status_after(&mut instance, true, TERMINAL * 2), "inaccessible-encryption-credentials");
        assert_eq!(instance.start(ZERO + TERMINAL * 2).unwrap_err().code, "InvalidDBInstanceState");
    }

    #[test]
    fn a_short_outage_goes_unnoticed() {
        let mut instance = instance();
        instance.observe(false, ZERO);
        assert_eq!(status_after(&mut instance, true, SignedDuration::from_mins(1)), "available");
        assert_eq!(status_after(&mut instance, true, NOTICE * 3), "available");
    }

    #[test]
    fn the_key_coming_back_is_not_enough_it_must_be_started() {
        let mut instance = instance();
        instance.observe(false, ZERO);
        instance.observe(false, ZERO + NOTICE);
        let back = SignedDuration::from_hours(24);
        assert_eq!(instance.start(ZERO + back).unwrap_err().code, "KMSKeyNotAccessibleFault");
        assert_eq!(
            status_after(&mut instance, true, back),
            "inaccessible-encryption-credentials-recoverable"
        );
        instance.start(ZERO + back).unwrap();
        assert_eq!(instance.status(), "starting");
        assert_eq!(status_after(&mut instance, true, back + STARTING), "available");
    }

    #[test]
    fn losing_the_key_while_starting_keeps_the_first_deadline() {
        let mut instance = instance();
        instance.observe(false, ZERO);
        instance.observe(true, ZERO + NOTICE);
        instance.start(ZERO + NOTICE).unwrap();
        instance.observe(false, ZERO + NOTICE + SignedDuration::from_mins(1));
        assert_eq!(status_after(&mut instance, false, TERMINAL), "inaccessible-encryption-credentials");
    }

    #[test]
    fn a_stopped_instance_starts_by_itself() {
        let restart = SignedDuration::from_hours(5);
        let mut instance = instance().stopped_until(ZERO + restart);
        assert_eq!(status_after(&mut instance, true, SignedDuration::ZERO), "stopped");
        assert_eq!(instance.automatic_restart(), Some(ZERO + restart));
        assert_eq!(status_after(&mut instance, true, restart), "starting");
        assert_eq!(status_after(&mut instance, true, restart + STARTING), "available");
    }
}
