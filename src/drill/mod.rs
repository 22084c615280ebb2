//! The stage of a drill: the simulated account as an environment like any other.
//!
//! Everything runs in this process. No socket is opened and no credential of the machine is read, so that
//! nothing done here can reach a real account.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use tokio::io::DuplexStream;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::cloud::{HttpWire, InProcessHttp, NoAnswer, StaticCredentials};
use crate::console::{Face, PretendDevice};
use crate::database::{Dialer, InProcessSql};
use crate::estate::Wire;
use crate::model::age::{AgeException, AgePolicies, AgePolicy, AgeRule, DAY, ExceptedKeys};
use crate::model::catalog::ServerName;
use crate::model::duty::Duty;
use crate::model::selector::{AliasPattern, KeySelector};
use crate::settings::secrecy_text::SecretText;
use crate::settings::{
    AuditSettings, Environment, Mfa, PasswordFrom, Roles, SIMULATED, SqlServerSettings, TrailSettings,
};
use crate::simulator::aws::front::NoAnswer as NoWireAnswer;
use crate::simulator::clock::VirtualClock;
use crate::simulator::traffic::Traffic;
use crate::simulator::{Simulator, seed};

/// Who the simulated credentials belong to.
const OPERATOR: &str = "oncall-a";
/// Whose keys the roles of the drill are for: the account holds the keys of three environments.
const ROLES_OF: &str = "production";
/// How long an MFA device shows a code, in seconds.
const CODE_LASTS: i64 = 30;
/// CloudTrail's five minutes, in a drill's proportion: virtual seconds, at least and at most.
const TRAIL_DELAY: (i64, i64) = (2, 15);
/// How often the account's own programs get to use their keys.
const TRAFFIC_BEAT: Duration = Duration::from_secs(1);
/// Bytes that a stream to the simulated SQL Server holds before the writer waits.
const STREAM_BYTES: usize = 64 * 1024;

/// The simulated account, set up and running. Its own traffic ends when the stage is dropped.
#[derive(Debug)]
pub struct Stage {
    pub simulator: Simulator,
    pub environment: Environment,
    pub wire: Wire,
    pub clock: Clock,
    traffic: AbortHandle,
}

/// Why the stage could not be set.
#[derive(Debug, thiserror::Error)]
#[error("the simulated account could not be set up: {0}")]
pub struct StageError(String);

impl Stage {
    /// Sets the stage as it is at `now`, at life's pace. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the account lacks the user whose credentials it hands out.
    pub fn set(seed: u64, now: Timestamp) -> Result<Self, StageError> {
        let simulator = Simulator::new(seed::buzz_tutor(seed, now), VirtualClock::running(now, 1.0));
        Self::around(simulator, seed)
    }

    /// Sets the stage around a simulator that a test has prepared.
    ///
    /// # Errors
    /// As [`Stage::set`].
    pub fn around(simulator: Simulator, seed: u64) -> Result<Self, StageError> {
        let (least, most) = TRAIL_DELAY;
        simulator.world().trail.set_delay(SignedDuration::from_secs(least), SignedDuration::from_secs(most));
        let credentials = seed::credentials(&simulator.world(), OPERATOR)
            .ok_or_else(|| StageError(format!("the account has no user {OPERATOR}")))?;
        let traffic = Traffic::new(&simulator, seed).run(simulator.clone(), TRAFFIC_BEAT);
        let wire = Wire {
            http: HttpWire::InProcess {
                http: Arc::new(OnWire(simulator.clone())),
                credentials: StaticCredentials {
                    access_key_id: credentials.access_key_id,
                    secret_access_key: SecretText::new(credentials.secret_access_key),
                    session_token: None,
                },
            },
            sql: Dialer::InProcess(Arc::new(OnWire(simulator.clone()))),
            sql_ca: None,
        };
        let clock = simulator.clock().clone();
        Ok(Self {
            environment: environment(&simulator),
            wire,
            clock: Clock::from_fn(move || clock.now()),
            traffic: tokio::spawn(traffic).abort_handle(),
            simulator,
        })
    }
}

impl Stage {
    /// The operator's MFA device, which a drill shows on the screen.
    #[must_use]
    pub fn device(&self) -> PretendDevice {
        let simulator = self.simulator.clone();
        PretendDevice::new(move |now| {
            let shown = simulator.world().sts.code_of(seed::ACCOUNT, OPERATOR, now);
            let (code, used) = shown.unwrap_or_default();
            let left = CODE_LASTS - now.as_second().rem_euclid(CODE_LASTS);
            Face { code, seconds_left: u8::try_from(left).unwrap_or_default(), used }
        })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.traffic.abort();
    }
}

/// The built-in environment `simulated`. It plays production, so that drills ask for all that production asks for.
fn environment(simulator: &Simulator) -> Environment {
    let servers: Vec<String> = simulator.world().sql.iter().map(|server| server.name.clone()).collect();
    let audit = servers
        .first()
        .map(|server| AuditSettings { server: ServerName(server.clone()), database: "buzz_prod".into() });
    Environment {
        name: SIMULATED.into(),
        production: true,
        simulated: true,
        account: Some(seed::ACCOUNT.into()),
        regions: vec![seed::HOME.into(), seed::REPLICA.into()],
        profile: None,
        endpoint: None,
        sql: servers.into_iter().map(server).collect(),
        trail: TrailSettings {
            roles: ["EmergencyKeyAdmin", "KeyRecoveryAdmin"]
                .iter()
                .flat_map(|role| seed::ENVIRONMENTS.map(|stage| format!("BuzzTutor{role}-{stage}")))
                .collect(),
            secrets: vec!["emergency-procedures".into()],
            ..TrailSettings::default()
        },
        alert_topic: Some(format!("arn:aws:sns:{}:{}:{}", seed::HOME, seed::ACCOUNT, seed::ALERT_TOPIC)),
        audit,
        age: age_policies(simulator.clock().now()),
        roles: roles(simulator),
        estate: vec![tag("Application", "buzz-tutor")],
        column_key_cache: SignedDuration::from_hours(2),
        approvals: 0,
        approval_override: true,
        recovery_window: SignedDuration::from_hours(7 * 24),
    }
}

/// The roles of the shipped policies, and the operator's device.
fn roles(simulator: &Simulator) -> Roles {
    let none = Roles::none(ROLES_OF);
    let role = |duty: Duty| Some((duty, seed::role_for(duty.word(), ROLES_OF)?));
    Roles {
        by_duty: Duty::ALL.into_iter().filter_map(role).collect(),
        mfa: seed::mfa_device(&simulator.world(), OPERATOR)
            .map_or(Mfa::Session, |device| Mfa::Device(device.serial)),
        ..none
    }
}

fn tag(name: &str, value: &str) -> KeySelector {
    KeySelector::Tag { name: name.into(), value: value.into() }
}

/// One of each kind of rule, an exception that holds and one that has lapsed.
fn age_policies(now: Timestamp) -> AgePolicies {
    let rule = |keys, max_days| AgeRule { keys, policy: AgePolicy { max_days, ..AgePolicy::default() } };
    let exception = |alias: &str, reason: &str, expires: Timestamp| AgeException {
        keys: ExceptedKeys::Alias(AliasPattern::new(alias)),
        reason: reason.into(),
        expires: TimeZone::UTC.to_datetime(expires).date(),
    };
    AgePolicies {
        default: AgePolicy::default(),
        rules: vec![
            rule(tag("DataClass", "pci"), 30),
            rule(KeySelector::Alias(AliasPattern::new("buzz-tutor/tde-*")), 400),
        ],
        exceptions: vec![
            exception("buzz-tutor/tutor-profiles", "moves to its successor this quarter", now + DAY * 40),
            exception("buzz-tutor/documents-rsa", "the vendor's migration", now - DAY * 12),
        ],
    }
}

fn server(name: String) -> SqlServerSettings {
    SqlServerSettings {
        host: name.clone(),
        name: ServerName(name),
        port: None,
        instance: None,
        databases: None,
        user: seed::SQL_READER.into(),
        password: PasswordFrom::Given(SecretText::new(seed::SQL_PASSWORD.into())),
        ca_bundle: None,
    }
}

/// The simulator as our adapters' other end.
#[derive(Debug)]
struct OnWire(Simulator);

#[async_trait]
impl InProcessHttp for OnWire {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        self.0.http(request).await.map_err(|no| match no {
            NoWireAnswer::Timeout => NoAnswer::TimedOut,
            NoWireAnswer::ConnectionLost => NoAnswer::ConnectionLost,
        })
    }
}

#[async_trait]
impl InProcessSql for OnWire {
    async fn dial(&self, host: &str, _port: u16) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(STREAM_BYTES);
        let (simulator, host) = (self.0.clone(), host.to_owned());
        tokio::spawn(async move { simulator.sql(&host, theirs).await });
        Ok(ours)
    }

    /// For the first of its random numbers the crypto library measures jitter, for longer than the console
    /// takes to start: so the authority is made when it is first asked for, and on a thread that may wait.
    async fn authority(&self) -> io::Result<Option<String>> {
        let simulator = self.0.clone();
        let made = tokio::task::spawn_blocking(move || simulator.sql_ca_pem().map(str::to_owned)).await;
        made.map_err(io::Error::other)?.map(Some)
    }
}
