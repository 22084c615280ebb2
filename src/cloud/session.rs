//! An account, opened: credentials, wire, timeouts; and the clients that come of them.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::TimeSource;
use serde::{Deserialize, Serialize};

use super::assume::{NotAssumed, Renewed, RoleRequest, assume};
use super::failure::Failure;
use super::kms::KmsReads;
use super::queue::{LONGEST_WAIT, TrailQueue};
use super::quota::Paces;
use super::rds::RdsReads;
use super::trail::{TrailReads, Turns};
use super::wall::{OwnQueueWall, ReadOnlyWall};
use super::wire::{Credentials, HttpWire, InProcessClient, StaticCredentials};
use crate::clock::Clock;
use crate::model::seen::Cause;
use crate::settings::{Environment, QueueAddress};

/// How long to wait for a connection.
const CONNECT: Duration = Duration::from_secs(3);
/// How long to wait for one attempt's answer.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How long to wait for an answer, tries and all.
const OPERATION: Duration = Duration::from_secs(30);
/// What the user agent calls us.
const APP_NAME: &str = "portcullis";

/// The credentials, wire and habits that every client of one environment shares.
#[derive(Clone, Debug)]
pub struct CloudSession {
    config: SdkConfig,
    home: String,
    clock: Clock,
    /// Of every trail client of this session.
    lookups: Arc<Turns>,
}

/// Who is asking, as STS says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// 12 digits.
    pub account: String,
    pub arn: String,
    /// The unique id; for a session, the role's id and the session name.
    pub user_id: String,
}

impl Identity {
    /// The ARN without what every ARN of the account has in common, e.g. `user/oncall-a`; fit for a screen.
    #[must_use]
    pub fn short(&self) -> String {
        let resource = self.arn.splitn(6, ':').nth(5).unwrap_or(&self.arn);
        crate::model::text::visible(resource).into_owned()
    }
}

impl CloudSession {
    /// Prepares an environment's access to AWS. Credentials are looked up by the first call, not here.
    ///
    /// # Errors
    /// Where the environment names no Region.
    pub async fn open(environment: &Environment, wire: HttpWire, clock: &Clock) -> Result<Self, Failure> {
        let Some(home) = environment.regions.first().cloned() else {
            let why = format!("environment `{}` names no Region; name one in the settings", environment.name);
            return Err(Failure::new("sts:GetCallerIdentity", Cause::Unreadable, why));
        };
        let config = match wire {
            HttpWire::Internet(credentials) => internet(environment, credentials).await,
            HttpWire::InProcess { http, credentials } => in_process(InProcessClient(http), &credentials),
        };
        let config = with_habits(config, environment, &home, clock);
        Ok(Self { config, home, clock: clock.clone(), lookups: Arc::default() })
    }

    /// Asks STS, in the home Region, who these credentials are.
    ///
    /// # Errors
    /// [`Failure`] where STS cannot be asked, refuses, or leaves a field out.
    pub async fn identity(&self) -> Result<Identity, Failure> {
        const OPERATION: &str = "sts:GetCallerIdentity";
        let config = aws_sdk_sts::config::Builder::from(&self.config).interceptor(ReadOnlyWall).build();
        let answer = aws_sdk_sts::Client::from_conf(config)
            .get_caller_identity()
            .send()
            .await
            .map_err(|e| Failure::of(OPERATION, &e))?;
        match (answer.account, answer.arn, answer.user_id) {
            (Some(account), Some(arn), Some(user_id)) => Ok(Identity { account, arn, user_id }),
            _ => Err(Failure::unreadable(OPERATION, "the answer lacks the account, the ARN or the user id")),
        }
    }

    /// The home Region.
    #[must_use]
    pub fn home(&self) -> &str {
        &self.home
    }

    /// Reads of KMS in a Region. Keep it: its clones share connections, another call's client does not.
    #[must_use]
    pub fn kms(&self, region: &str) -> KmsReads {
        let config = self.kms_config(region).interceptor(ReadOnlyWall).build();
        KmsReads::new(aws_sdk_kms::Client::from_conf(config), region, self.clock.clone())
    }

    /// Reads of KMS in a Region for a whole account: under its quotas, with room left for others. The SDK does
    /// not try again by itself here, where every try has to wait for its turn.
    #[must_use]
    pub fn kms_at_a_pace(&self, region: &str) -> KmsReads {
        let config = self.kms_config(region).retry_config(RetryConfig::disabled()).interceptor(ReadOnlyWall);
        let client = aws_sdk_kms::Client::from_conf(config.build());
        KmsReads::new(client, region, self.clock.clone()).at_a_pace(Arc::new(Paces::new()))
    }

    /// Reads of CloudTrail in a Region. They are tried once only: LookupEvents allows two requests a second,
    /// so whoever follows a trail does the waiting.
    #[must_use]
    pub fn trail(&self, region: &str) -> TrailReads {
        let config = aws_sdk_cloudtrail::config::Builder::from(&self.config)
            .region(Region::new(region.to_owned()))
            .retry_config(RetryConfig::disabled())
            .interceptor(ReadOnlyWall)
            .build();
        TrailReads::new(aws_sdk_cloudtrail::Client::from_conf(config), region, self.lookups.of(region))
    }

    /// A queue of portcullis' own. It is asked once at a time: whoever follows it does the waiting.
    #[must_use]
    pub fn trail_queue(&self, address: &QueueAddress) -> TrailQueue {
        let region = address.region().unwrap_or(&self.home).to_owned();
        // SQS keeps an answer back until there is a message.
        let patient = TimeoutConfig::builder()
            .connect_timeout(CONNECT)
            .operation_attempt_timeout(LONGEST_WAIT + ATTEMPT)
            .operation_timeout(LONGEST_WAIT + ATTEMPT)
            .build();
        let config = aws_sdk_sqs::config::Builder::from(&self.config)
            .region(Region::new(region))
            .retry_config(RetryConfig::disabled())
            .timeout_config(patient)
            .interceptor(OwnQueueWall)
            .build();
        TrailQueue::new(aws_sdk_sqs::Client::from_conf(config), address.clone())
    }

    /// Reads of RDS in a Region.
    #[must_use]
    pub fn rds(&self, region: &str) -> RdsReads {
        let config = self.rds_config(region).interceptor(ReadOnlyWall).build();
        RdsReads::new(aws_sdk_rds::Client::from_conf(config), region)
    }

    /// The same account by a role's sessions, which are renewed as they end. The first is opened now.
    ///
    /// # Errors
    /// [`NotAssumed`] where the role cannot be assumed. It must not ask for MFA: nobody is there to give a code.
    pub async fn reading_as(&self, request: RoleRequest) -> Result<Self, NotAssumed> {
        assume(self, &request, None).await?;
        let renewed = Renewed { session: self.clone(), request };
        Ok(self.acting_by(SharedCredentialsProvider::new(renewed)))
    }

    /// The same with other credentials.
    pub(in crate::cloud) fn acting_by(&self, credentials: SharedCredentialsProvider) -> Self {
        let config = self.config.to_builder().credentials_provider(credentials);
        // A cache of its own: the other's holds the other credentials.
        let config = config.identity_cache(IdentityCache::lazy().build()).build();
        Self { config, ..self.clone() }
    }

    /// STS's configuration in the home Region.
    pub(in crate::cloud) fn sts_config(&self) -> aws_sdk_sts::config::Builder {
        aws_sdk_sts::config::Builder::from(&self.config)
    }

    /// KMS's configuration in a Region, without the read-only wall: for the gate's changes.
    pub(in crate::cloud) fn kms_config(&self, region: &str) -> aws_sdk_kms::config::Builder {
        aws_sdk_kms::config::Builder::from(&self.config).region(Region::new(region.to_owned()))
    }

    /// RDS's configuration in a Region.
    pub(in crate::cloud) fn rds_config(&self, region: &str) -> aws_sdk_rds::config::Builder {
        aws_sdk_rds::config::Builder::from(&self.config).region(Region::new(region.to_owned()))
    }

    /// SNS's configuration in a Region: for the gate's notifications.
    pub(in crate::cloud) fn sns_config(&self, region: &str) -> aws_sdk_sns::config::Builder {
        aws_sdk_sns::config::Builder::from(&self.config).region(Region::new(region.to_owned()))
    }
}

/// The SDK's own way of finding things out: configuration files, variables, the credential chain.
async fn internet(environment: &Environment, credentials: Credentials) -> SdkConfig {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12());
    if let Some(profile) = &environment.profile {
        loader = loader.profile_name(profile);
    }
    if let Credentials::Static(credentials) = credentials {
        loader = loader.credentials_provider(provider(&credentials));
    }
    // Named here too, so that no Region is looked for in IMDS.
    if let Some(home) = environment.regions.first() {
        loader = loader.region(Region::new(home.clone()));
    }
    loader.load().await
}

/// A configuration from nothing but what is handed in.
fn in_process(http: InProcessClient, credentials: &StaticCredentials) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .http_client(http)
        .credentials_provider(SharedCredentialsProvider::new(provider(credentials)))
        // It measures speed by the clock of the drill, which may run many times faster than bytes do.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

/// What holds for either wire.
fn with_habits(config: SdkConfig, environment: &Environment, home: &str, clock: &Clock) -> SdkConfig {
    let mut config = config
        .into_builder()
        .region(Region::new(home.to_owned()))
        .identity_cache(IdentityCache::lazy().build())
        .retry_config(RetryConfig::standard())
        .sleep_impl(TokioSleep::new())
        .time_source(ClockTime(clock.clone()))
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(CONNECT)
                .operation_attempt_timeout(ATTEMPT)
                .operation_timeout(OPERATION)
                .build(),
        );
    config.set_app_name(AppName::new(APP_NAME).ok());
    if let Some(endpoint) = &environment.endpoint {
        config.set_endpoint_url(Some(endpoint.clone()));
    }
    config.build()
}

/// Handed-in credentials as the SDK takes them.
fn provider(given: &StaticCredentials) -> SdkCredentials {
    SdkCredentials::new(
        &given.access_key_id,
        given.secret_access_key.expose(),
        given.session_token.as_ref().map(|token| token.expose().to_owned()),
        None,
        "given",
    )
}

/// Our clock as the SDK's: in a drill, requests are signed with virtual time.
#[derive(Debug)]
struct ClockTime(Clock);

impl TimeSource for ClockTime {
    fn now(&self) -> SystemTime {
        let now = self.0.now();
        let since_epoch = now.duration_since(jiff::Timestamp::UNIX_EPOCH);
        SystemTime::UNIX_EPOCH + Duration::try_from(since_epoch).unwrap_or_default()
    }
}
