//! Reads of CloudTrail: one page of LookupEvents.

use aws_sdk_cloudtrail::Client;
use aws_sdk_cloudtrail::types::{LookupAttribute, LookupAttributeKey};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::failure::Failure;
use super::pace::Pace;
use super::time;

/// Reads of CloudTrail in one Region. Clones share connections.
#[derive(Clone, Debug)]
pub struct TrailReads {
    client: Client,
    region: String,
    pace: Arc<Pace>,
}

/// Whose turn it is to look events up, in each Region: all that ask share its two requests a second.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<BTreeMap<String, Arc<Pace>>>);

impl Turns {
    /// A little more than half a second: LookupEvents takes two requests a second for an account and Region.
    const GAP: Duration = Duration::from_millis(550);

    pub(super) fn of(&self, region: &str) -> Arc<Pace> {
        let mut paces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(region.to_owned()).or_insert_with(|| Arc::new(Pace::new(Self::GAP)));
        Arc::clone(pace)
    }
}

/// The one attribute by which LookupEvents can select.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// `false`: changes. `true`: reads, cryptographic use among them.
    ReadOnly(bool),
    /// e.g. `kms.amazonaws.com`.
    Source(String),
    /// e.g. `DisableKey`.
    Name(String),
    /// A key's id or ARN.
    Resource(String),
    Username(String),
    AccessKeyId(String),
    EventId(String),
}

/// One page: at most 50 records, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupPage {
    /// The records' own JSON.
    pub records: Vec<String>,
    /// Where to read on; None at the end.
    pub next: Option<String>,
}

impl TrailReads {
    pub(super) fn new(client: Client, region: &str, pace: Arc<Pace>) -> Self {
        Self { client, region: region.to_owned(), pace }
    }

    /// The Region that is asked.
    #[must_use]
    pub fn region(&self) -> &str {
        &self.region
    }

    /// One page of the records from `start` to `end`, both included, to the second. LookupEvents takes two
    /// requests a second for an account and Region, and looks back 90 days; this waits for its turn.
    ///
    /// # Errors
    /// [`Failure`]; its cause is `Throttled` where the two requests were used up.
    pub async fn page(
        &self,
        lookup: &Lookup,
        start: Timestamp,
        end: Timestamp,
        token: Option<String>,
    ) -> Result<LookupPage, Failure> {
        const OPERATION: &str = "cloudtrail:LookupEvents";
        let attribute = LookupAttribute::builder()
            .attribute_key(lookup.key())
            .attribute_value(lookup.value())
            .build()
            .map_err(|e| Failure::unreadable(OPERATION, e.to_string()))?;
        self.pace.turn().await;
        let answer = self
            .client
            .lookup_events()
            .lookup_attributes(attribute)
            .start_time(time::sdk(start))
            .end_time(time::sdk(end))
            .set_next_token(token)
            .send()
            .await
            .map_err(|e| Failure::of(OPERATION, &e))?;
        let events = answer.events.unwrap_or_default();
        Ok(LookupPage {
            records: events.into_iter().filter_map(|event| event.cloud_trail_event).collect(),
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }
}

impl Lookup {
    fn key(&self) -> LookupAttributeKey {
        match self {
            Self::ReadOnly(_) => LookupAttributeKey::ReadOnly,
            Self::Source(_) => LookupAttributeKey::EventSource,
            Self::Name(_) => LookupAttributeKey::EventName,
            Self::Resource(_) => LookupAttributeKey::ResourceName,
            Self::Username(_) => LookupAttributeKey::Username,
            Self::AccessKeyId(_) => LookupAttributeKey::AccessKeyId,
            Self::EventId(_) => LookupAttributeKey::EventId,
        }
    }

    fn value(&self) -> &str {
        match self {
            Self::ReadOnly(true) => "true",
            Self::ReadOnly(false) => "false",
            Self::Source(value)
            | Self::Name(value)
            | Self::Resource(value)
            | Self::Username(value)
            | Self::AccessKeyId(value)
            | Self::EventId(value) => value,
        }
    }
}
