//! One `CloudTrail` record: kept compactly, rendered as JSON only when somebody looks it up.
//!
//! Shape: AWS `CloudTrail` user guide, "`CloudTrail` record contents", version 1.11.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::actor::Actor;
use crate::simulator::aws::Resource;

/// What happened, before `CloudTrail` has given it an id and a time of delivery.
///
/// Everything that many events share is behind an `Arc`, so that weeks of history are cheap to make.
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Timestamp,
    /// The account whose log this goes to.
    pub account: Arc<str>,
    pub region: Arc<str>,
    /// e.g. `kms.amazonaws.com`.
    pub source: Arc<str>,
    /// e.g. `DisableKey`.
    pub name: Arc<str>,
    pub read_only: bool,
    pub actor: Arc<Actor>,
    pub source_ip: Arc<str>,
    pub user_agent: Arc<str>,
    /// The error's code and message, where the call was refused.
    pub error: Option<(Arc<str>, Arc<str>)>,
    pub request: Option<Arc<Value>>,
    pub response: Option<Arc<Value>>,
    pub additional: Option<Arc<Value>>,
    pub resources: Arc<[Resource]>,
    pub kind: Kind,
    pub vpc_endpoint: Option<Arc<str>>,
    /// Set on both halves of a call across accounts.
    pub shared_id: Option<Uuid>,
    /// The record's id; `None` draws one.
    pub event_id: Option<Uuid>,
    /// The request's id; `None` draws one.
    pub request_id: Option<Uuid>,
}

/// How an event came about.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Kind {
    /// A call to the control plane.
    #[default]
    ApiCall,
    /// A call that `CloudTrail` counts as a data event: event history does not have it.
    DataCall,
    /// Something that the service did by itself, with its `serviceEventDetails`.
    ServiceEvent(Option<Arc<Value>>),
}

impl Entry {
    /// An entry with the parts that every event has; the rest is set by field.
    #[must_use]
    pub fn new(at: Timestamp, source: &Arc<str>, name: &Arc<str>, actor: &Arc<Actor>) -> Self {
        Self {
            at,
            account: actor.account().into(),
            region: Arc::from("us-east-1"),
            source: Arc::clone(source),
            name: Arc::clone(name),
            read_only: true,
            actor: Arc::clone(actor),
            source_ip: Arc::from("AWS Internal"),
            user_agent: Arc::from("AWS Internal"),
            error: None,
            request: None,
            response: None,
            additional: None,
            resources: Arc::new([]),
            kind: Kind::ApiCall,
            vpc_endpoint: None,
            shared_id: None,
            event_id: None,
            request_id: None,
        }
    }
}

/// An entry as `CloudTrail` keeps it.
#[derive(Clone, Debug)]
pub struct Record {
    pub entry: Entry,
    pub event_id: Uuid,
    pub request_id: Uuid,
    /// From when on `LookupEvents` shows it.
    pub delivered: Timestamp,
    /// Where it sorts among its log's records: its time, but for the reordering switch.
    pub(super) order: Timestamp,
    /// Unique and rising over the whole trail.
    pub(super) seq: u64,
}

impl Record {
    /// Whether `LookupEvents` ever shows it: data events it never does.
    #[must_use]
    pub fn is_management(&self) -> bool {
        self.entry.kind != Kind::DataCall
    }

    /// One element of `LookupEvents`' `Events`.
    pub(super) fn render_event(&self) -> Value {
        let entry = &self.entry;
        let mut event = Map::new();
        event.insert("EventId".into(), self.event_id.to_string().into());
        event.insert("EventName".into(), entry.name.as_ref().into());
        event.insert("ReadOnly".into(), entry.read_only.to_string().into());
        if let Some(key) = entry.actor.access_key_id() {
            event.insert("AccessKeyId".into(), key.into());
        }
        event.insert("EventTime".into(), entry.at.as_second().into());
        event.insert("EventSource".into(), entry.source.as_ref().into());
        if let Some(name) = entry.actor.username() {
            event.insert("Username".into(), name.into());
        }
        let resources: Vec<Value> = entry
            .resources
            .iter()
            .map(|resource| json!({"ResourceType": resource.kind, "ResourceName": resource.arn}))
            .collect();
        event.insert("Resources".into(), resources.into());
        event.insert("CloudTrailEvent".into(), self.render().to_string().into());
        Value::Object(event)
    }

    /// The record as it stands in a trail's files.
    #[must_use]
    pub fn render(&self) -> Value {
        let entry = &self.entry;
        let mut record = Map::new();
        let mut put = |name: &str, value: Value| record.insert(name.to_owned(), value);
        put("eventVersion", "1.11".into());
        put("userIdentity", entry.actor.render());
        put("eventTime", seconds(entry.at).into());
        put("eventSource", entry.source.as_ref().into());
        put("eventName", entry.name.as_ref().into());
        put("awsRegion", entry.region.as_ref().into());
        put("sourceIPAddress", entry.source_ip.as_ref().into());
        put("userAgent", entry.user_agent.as_ref().into());
        if let Some((code, message)) = &entry.error {
            put("errorCode", code.as_ref().into());
            put("errorMessage", message.as_ref().into());
        }
        put("requestParameters", shared(entry.request.as_ref()));
        put("responseElements", shared(entry.response.as_ref()));
        if let Some(additional) = &entry.additional {
            put("additionalEventData", additional.as_ref().clone());
        }
        put("requestID", self.request_id.to_string().into());
        put("eventID", self.event_id.to_string().into());
        put("readOnly", entry.read_only.into());
        if !entry.resources.is_empty() {
            put("resources", entry.resources.iter().map(render_resource).collect());
        }
        put("eventType", entry.event_type().into());
        put("managementEvent", self.is_management().into());
        put("recipientAccountId", entry.account.as_ref().into());
        if let Some(shared_id) = entry.shared_id {
            put("sharedEventID", shared_id.to_string().into());
        }
        if let Kind::ServiceEvent(Some(details)) = &entry.kind {
            put("serviceEventDetails", details.as_ref().clone());
        }
        if let Some(endpoint) = &entry.vpc_endpoint {
            put("vpcEndpointId", endpoint.as_ref().into());
            put("vpcEndpointAccountId", entry.account.as_ref().into());
        }
        put("eventCategory", if self.is_management() { "Management" } else { "Data" }.into());
        if let Some(tls) = entry.tls_details() {
            put("tlsDetails", tls);
        }
        if entry.actor.uses_console() {
            put("sessionCredentialFromConsole", "true".into());
        }
        Value::Object(record)
    }
}

impl Entry {
    fn event_type(&self) -> &'static str {
        match self.kind {
            Kind::ServiceEvent(_) => "AwsServiceEvent",
            Kind::ApiCall | Kind::DataCall => "AwsApiCall",
        }
    }

    /// Only a call that came over the network has them; AWS's own services' calls do not.
    fn tls_details(&self) -> Option<Value> {
        let over_network = self.event_type() == "AwsApiCall" && !self.source_ip.ends_with(".amazonaws.com");
        over_network.then(|| {
            let service = self.source.split('.').next().unwrap_or_default();
            json!({
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": format!("{service}.{}.amazonaws.com", self.region),
            })
        })
    }
}

/// A KMS key as a record's resource, by its ARN.
#[must_use]
pub fn kms_key(arn: &str) -> Resource {
    let account = arn.split(':').nth(4).unwrap_or_default().to_owned();
    Resource { account, kind: "AWS::KMS::Key".to_owned(), arn: arn.to_owned() }
}

fn render_resource(resource: &Resource) -> Value {
    json!({"accountId": resource.account, "type": resource.kind, "ARN": resource.arn})
}

fn shared(value: Option<&Arc<Value>>) -> Value {
    value.map_or(Value::Null, |value| value.as_ref().clone())
}

/// `2026-05-04T14:02:31Z`: `CloudTrail`'s times have no fraction.
pub(super) fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
