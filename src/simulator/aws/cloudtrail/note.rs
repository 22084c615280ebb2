//! From a call to its record.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use super::Trail;
use super::actor::Actor;
use super::record::{Entry, Kind};
use crate::simulator::aws::{Call, Facts, Refusal, Reply, ServiceEvent};

impl Trail {
    /// Records a call that was made, successful or refused.
    ///
    /// A call on another account's resource is recorded in both accounts; refused, in the caller's alone.
    pub fn note(&mut self, call: &Call, outcome: &Result<Reply, Refusal>, facts: &Facts) {
        let error = outcome.as_ref().err();
        let entry = Entry {
            at: call.at,
            account: call.caller.account.as_str().into(),
            region: call.region.as_str().into(),
            source: format!("{}.amazonaws.com", call.service).into(),
            name: call.operation.as_str().into(),
            read_only: facts.read_only,
            actor: Arc::new(Actor::of(&call.caller, call.at)),
            source_ip: call.source_ip.as_str().into(),
            user_agent: call.user_agent.as_str().into(),
            error: error.map(|refusal| (recorded_code(refusal), refusal.message.as_str().into())),
            request: present(&facts.request_parameters),
            response: present(&facts.response_elements).filter(|_| error.is_none()),
            additional: (!facts.additional_event_data.is_empty())
                .then(|| Arc::new(Value::Object(facts.additional_event_data.clone()))),
            resources: facts.resources.clone().into(),
            kind: if is_data_event(call) { Kind::DataCall } else { Kind::ApiCall },
            vpc_endpoint: None,
            shared_id: None,
            event_id: facts.event_id.as_deref().and_then(|id| Uuid::parse_str(id).ok()),
            request_id: Uuid::parse_str(&call.request_id).ok(),
        };
        let owner = facts.resources.iter().map(|resource| &resource.account);
        match owner.into_iter().find(|owner| !owner.is_empty() && **owner != call.caller.account) {
            Some(owner) if error.is_none() => self.push_shared(entry, owner),
            _ => self.push(entry),
        };
    }

    /// Records something that AWS did by itself.
    pub fn note_service(&mut self, event: &ServiceEvent) {
        let actor = Actor::Service { account: event.account.clone(), name: "AWS Internal".to_owned() };
        let source = format!("{}.amazonaws.com", event.service).into();
        self.push(Entry {
            region: event.region.as_str().into(),
            read_only: false,
            resources: event.resources.clone().into(),
            kind: Kind::ServiceEvent(present(&event.details)),
            ..Entry::new(event.at, &source, &event.name.as_str().into(), &Arc::new(actor))
        });
    }
}

/// `CloudTrail` writes every service's denial alike.
fn recorded_code(refusal: &Refusal) -> Arc<str> {
    match refusal.code.as_str() {
        "AccessDeniedException" => "AccessDenied".into(),
        code => code.into(),
    }
}

/// SNS counts publishing as a data event, SQS everything about messages: event history does not have it, nor does
/// EventBridge.
fn is_data_event(call: &Call) -> bool {
    match call.service.as_str() {
        "sns" => call.operation == "Publish",
        "sqs" => call.operation.contains("Message"),
        _ => false,
    }
}

fn present(value: &Value) -> Option<Arc<Value>> {
    (!value.is_null()).then(|| Arc::new(value.clone()))
}
