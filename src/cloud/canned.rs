//! AWS by canned answers, at the wire: for tests of everything that reads.
#![expect(clippy::unnecessary_wraps, reason = "answers are made where an Answer is wanted")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{CloudSession, HttpWire, InProcessHttp, NoAnswer, StaticCredentials};
use crate::clock::Clock;
use crate::settings::Environment;
use crate::settings::secrecy_text::SecretText;

/// What is answered to a call.
pub(crate) type Answer = Result<http::Response<Bytes>, NoAnswer>;

/// A call as it came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// e.g. `DescribeKey`.
    pub operation: String,
    /// The JSON body, or the form's fields.
    pub input: Value,
    pub headers: http::HeaderMap,
}

/// Answers calls by a function, and remembers them.
pub(crate) struct Canned {
    answer: Box<dyn Fn(&Call) -> Answer + Send + Sync>,
    calls: Mutex<Vec<Call>>,
}

impl std::fmt::Debug for Canned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canned")
    }
}

impl Canned {
    pub(crate) fn new(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { answer: Box::new(answer), calls: Mutex::default() })
    }

    /// Gives these answers in turn, then connection losses.
    pub(crate) fn in_turn(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let answers = Mutex::new(answers.into_iter().collect::<VecDeque<_>>());
        Self::new(move |_| answers.lock().unwrap().pop_front().unwrap_or(Err(NoAnswer::ConnectionLost)))
    }

    /// Every call so far.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.calls().into_iter().map(|call| call.operation).collect()
    }

    /// The wire that leads here.
    pub(crate) fn wire(self: &Arc<Self>) -> HttpWire {
        HttpWire::InProcess {
            http: Arc::clone(self) as Arc<dyn InProcessHttp>,
            credentials: StaticCredentials {
                access_key_id: "AKIAEXAMPLE".into(),
                secret_access_key: SecretText::new("a-very-secret-key".into()),
                session_token: None,
            },
        }
    }

    pub(crate) async fn session(self: &Arc<Self>) -> CloudSession {
        CloudSession::open(&environment(), self.wire(), &clock()).await.unwrap()
    }
}

#[async_trait]
impl InProcessHttp for Canned {
    async fn send(&self, request: http::Request<Bytes>) -> Answer {
        let call = read(request);
        self.calls.lock().unwrap().push(call.clone());
        (self.answer)(&call)
    }
}

fn read(request: http::Request<Bytes>) -> Call {
    let (parts, body) = request.into_parts();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    if let Some(operation) = target.and_then(|target| target.rsplit('.').next()) {
        let input = serde_json::from_slice(&body).unwrap();
        return Call { operation: operation.to_owned(), input, headers: parts.headers };
    }
    let fields: serde_json::Map<_, _> =
        form_urlencoded::parse(&body).map(|(k, v)| (k.into_owned(), Value::String(v.into_owned()))).collect();
    let operation = fields.get("Action").and_then(Value::as_str).unwrap_or_default().to_owned();
    Call { operation, input: Value::Object(fields), headers: parts.headers }
}

/// An answer in JSON.
#[expect(clippy::needless_pass_by_value, reason = "callers write json!(…) in place")]
pub(crate) fn ok(body: Value) -> Answer {
    Ok(response(200, "application/x-amz-json-1.1", body.to_string()))
}

/// An answer in XML.
pub(crate) fn xml(body: &str) -> Answer {
    Ok(response(200, "text/xml", body.to_owned()))
}

/// AWS's no, in JSON.
pub(crate) fn no(status: u16, code: &str, message: &str) -> Answer {
    let body = json!({ "__type": code, "message": message });
    Ok(response(status, "application/x-amz-json-1.1", body.to_string()))
}

fn response(status: u16, kind: &str, body: String) -> http::Response<Bytes> {
    http::Response::builder()
        .status(status)
        .header("content-type", kind)
        .header("x-amzn-requestid", "req-1")
        .body(Bytes::from(body))
        .unwrap()
}

/// STS's answer for the account that [`environment`] expects.
pub(crate) fn caller_identity() -> Answer {
    xml(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
         <Arn>arn:aws:iam::111122223333:user/oncall-a</Arn><UserId>AIDAEXAMPLE</UserId><Account>111122223333</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>",
    )
}

pub(crate) fn now() -> Timestamp {
    "2026-11-23T14:00:00Z".parse().unwrap()
}

/// A clock that stands at [`now`].
pub(crate) fn clock() -> Clock {
    Clock::from_fn(now)
}

pub(crate) fn environment() -> Environment {
    Environment {
        name: "test".into(),
        production: false,
        simulated: true,
        account: Some("111122223333".into()),
        regions: vec!["eu-west-1".into()],
        profile: None,
        endpoint: None,
        sql: Vec::new(),
        trail: crate::settings::TrailSettings::default(),
        alert_topic: None,
        audit: None,
        age: crate::model::age::AgePolicies::default(),
        roles: crate::settings::Roles::none("test"),
        estate: Vec::new(),
        column_key_cache: SignedDuration::from_hours(2),
        approvals: 0,
        approval_override: true,
        recovery_window: SignedDuration::from_hours(7 * 24),
    }
}
