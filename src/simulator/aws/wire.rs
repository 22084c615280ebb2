//! The protocols: which operation a request asks for, and answers in awsJson1.1 or the query protocol's XML.

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use serde_json::{Map, Value, json};

use super::sts::escape;
use super::{Refusal, Reply, sqs};

/// By this header clients of SQS's older protocol learn what an error is called there.
const QUERY_ERROR: header::HeaderName = header::HeaderName::from_static("x-amzn-query-error");

/// The two protocols that the services here speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson1.1: the operation in `X-Amz-Target`.
    Json,
    /// The query protocol: the operation in the form's `Action`, XML out.
    Query,
}

/// A service as its clients address it.
#[derive(Debug)]
pub struct Service {
    /// The signing name.
    pub name: &'static str,
    pub protocol: Protocol,
    /// What stands before the dot of `X-Amz-Target`; any of these.
    targets: &'static [&'static str],
    /// The query protocol's `Version` and XML namespace.
    version: &'static str,
    namespace: &'static str,
}

/// Every service here.
pub const SERVICES: &[Service] = &[
    Service { name: "kms", protocol: Protocol::Json, targets: &["TrentService"], version: "", namespace: "" },
    Service {
        name: "cloudtrail",
        protocol: Protocol::Json,
        // The SDKs send the long one, older tools the short one.
        targets: &["com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "CloudTrail_20131101"],
        version: "",
        namespace: "",
    },
    Service {
        name: "sts",
        protocol: Protocol::Query,
        targets: &[],
        version: "2011-06-15",
        namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    },
    Service {
        name: "sns",
        protocol: Protocol::Query,
        targets: &[],
        version: "2010-03-31",
        namespace: "http://sns.amazonaws.com/doc/2010-03-31/",
    },
    Service { name: "sqs", protocol: Protocol::Json, targets: &["AmazonSQS"], version: "", namespace: "" },
    Service {
        name: "iam",
        protocol: Protocol::Query,
        targets: &[],
        version: "2010-05-08",
        namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    },
    Service {
        name: "rds",
        protocol: Protocol::Query,
        targets: &[],
        version: "2014-10-31",
        namespace: "http://rds.amazonaws.com/doc/2014-10-31/",
    },
];

/// A service by its signing name.
#[must_use]
pub fn service(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The protocol that a request looks like, before anybody knows its service.
#[must_use]
pub fn protocol_of(request: &Request<Bytes>) -> Protocol {
    let json = request.headers().contains_key("x-amz-target")
        || content_type(request).is_some_and(|kind| kind.starts_with("application/x-amz-json"));
    if json { Protocol::Json } else { Protocol::Query }
}

fn content_type(request: &Request<Bytes>) -> Option<&str> {
    request.headers().get(header::CONTENT_TYPE)?.to_str().ok()
}

impl Service {
    /// The operation that a request asks for, and its input.
    ///
    /// # Errors
    ///
    /// AWS's refusal of a request that names no operation, or whose body cannot be read.
    pub fn read(&self, request: &Request<Bytes>) -> Result<(String, Value), Refusal> {
        match self.protocol {
            Protocol::Json => self.read_json(request),
            Protocol::Query => self.read_query(request),
        }
    }

    fn read_json(&self, request: &Request<Bytes>) -> Result<(String, Value), Refusal> {
        let unknown = || Refusal::new("UnknownOperationException", "");
        if request.method() != Method::POST {
            return Err(Refusal { status: StatusCode::NOT_FOUND, ..unknown() });
        }
        let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok());
        let (prefix, operation) = target.and_then(|target| target.rsplit_once('.')).ok_or_else(unknown)?;
        if !self.targets.contains(&prefix) {
            return Err(unknown());
        }
        let body = request.body();
        let input =
            if body.is_empty() { json!({}) } else { serde_json::from_slice(body).unwrap_or(Value::Null) };
        if !input.is_object() {
            return Err(Refusal::new("SerializationException", "The request's body is not a JSON object"));
        }
        Ok((operation.to_owned(), input))
    }

    fn read_query(&self, request: &Request<Bytes>) -> Result<(String, Value), Refusal> {
        let query = request.uri().query().unwrap_or_default().as_bytes();
        let fields: Map<String, Value> = form_urlencoded::parse(query)
            .chain(form_urlencoded::parse(request.body()))
            .filter(|(name, _)| !name.starts_with("X-Amz-"))
            .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
            .collect();
        let text = |name: &str| fields.get(name).and_then(Value::as_str);
        let operation = text("Action").filter(|action| !action.is_empty()).ok_or_else(|| Refusal {
            status: StatusCode::BAD_REQUEST,
            ..Refusal::new("MissingAction", "The request must contain the parameter Action")
        })?;
        if text("Version") != Some(self.version) {
            let version = text("Version").unwrap_or("(none)");
            let message = format!("Could not find operation {operation} for version {version}");
            return Err(Refusal::new("InvalidAction", message));
        }
        Ok((operation.to_owned(), Value::Object(fields)))
    }
}

/// A successful answer on the wire.
#[must_use]
pub fn answer(service: &Service, operation: &str, reply: Reply, request_id: &str) -> Response<Bytes> {
    match reply {
        Reply::Json(Value::Null) => json_response(StatusCode::OK, Bytes::new(), request_id),
        Reply::Json(value) => json_response(StatusCode::OK, value.to_string().into(), request_id),
        Reply::Xml(inside) => {
            let body = format!(
                "<{operation}Response xmlns=\"{}\"><{operation}Result>{inside}</{operation}Result>\
                 <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>",
                service.namespace
            );
            xml_response(StatusCode::OK, body, request_id)
        }
    }
}

/// A refusal on the wire.
#[must_use]
pub fn refuse(
    protocol: Protocol,
    service: Option<&Service>,
    refusal: &Refusal,
    request_id: &str,
) -> Response<Bytes> {
    match protocol {
        Protocol::Json => {
            let mut body = json!({ "__type": refusal.code });
            if !refusal.message.is_empty() {
                // KMS and most others write `message`, some refusals of the front `Message`: SDKs read both.
                body["message"] = json!(refusal.message);
            }
            let mut response = json_response(refusal.status, body.to_string().into(), request_id);
            if service.is_some_and(|service| service.name == "sqs") {
                let told = format!("{};Sender", sqs::query_code(&refusal.code));
                response.headers_mut().extend(HeaderValue::from_str(&told).map(|told| (QUERY_ERROR, told)));
            }
            response
        }
        Protocol::Query => {
            let namespace =
                service.map_or("https://sts.amazonaws.com/doc/2011-06-15/", |service| service.namespace);
            let fault = if refusal.status.is_server_error() { "Receiver" } else { "Sender" };
            let body = format!(
                "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
                 <RequestId>{request_id}</RequestId></ErrorResponse>",
                escape(&refusal.code),
                escape(&refusal.message)
            );
            xml_response(refusal.status, body, request_id)
        }
    }
}

fn json_response(status: StatusCode, body: Bytes, request_id: &str) -> Response<Bytes> {
    response(status, "application/x-amz-json-1.1", body, request_id)
}

fn xml_response(status: StatusCode, body: String, request_id: &str) -> Response<Bytes> {
    response(status, "text/xml", body.into(), request_id)
}

fn response(status: StatusCode, kind: &'static str, body: Bytes, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
