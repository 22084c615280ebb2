//! The front door: every AWS request comes in here and leaves as AWS would have answered it.
//!
//! In order: which service and operation, who signed, may it call so often, what the fault switches want,
//! then the service itself; and a note of it for `CloudTrail` and for the simulator's own record.

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::kms::operations::is_read_only;
use super::kms::random_uuid;
use super::sigv4::{Flaw, Signature};
use super::wire::{self, Protocol, Service};
use super::{Call, Caller, Context, Facts, IN_PROCESS_IP, Refusal, Reply, SourceIp};
use crate::simulator::faults::Target;
use crate::simulator::record::RecordedCall;
use crate::simulator::world::World;

/// No answer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody answers; a client waits until its own patience ends.
    #[error("no answer came within the time allowed")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke before an answer came")]
    ConnectionLost,
}

/// A refusal that a fault switch puts in the place of the service's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Injected {
    Throttled,
    AccessDenied,
    ServerError,
}

/// A request as far as it can be understood before anybody checks it.
#[derive(Debug)]
pub struct Inquiry {
    signature: Result<Signature, Flaw>,
    service: Option<&'static Service>,
    protocol: Protocol,
    asked: Result<(String, Value), Refusal>,
}

/// An answer, and what the record says of the call.
#[derive(Debug)]
pub struct Answered {
    pub response: Response<Bytes>,
    pub recorded: RecordedCall,
}

impl Inquiry {
    /// Reads a request.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        let signature = Signature::of(request);
        let service = signature.as_ref().ok().and_then(|signature| wire::service(&signature.service));
        let protocol = service.map_or_else(|| wire::protocol_of(request), |service| service.protocol);
        let asked = service.map_or_else(
            || Err(Refusal::new("UnknownOperationException", "No such service")),
            |service| service.read(request),
        );
        Self { signature, service, protocol, asked }
    }

    fn region(&self) -> &str {
        self.signature.as_ref().map_or("", |signature| signature.region.as_str())
    }

    fn operation(&self) -> &str {
        self.asked.as_ref().map_or("", |(operation, _)| operation.as_str())
    }

    /// The id of the KMS key that the request names, aliases followed.
    fn key_id(&self, world: &World) -> Option<String> {
        let (_, input) = self.asked.as_ref().ok()?;
        let named = ["KeyId", "TargetKeyId", "DestinationKeyId", "SourceKeyId"];
        let text = named.iter().find_map(|name| input.get(name)?.as_str())?;
        let name =
            text.rsplit_once(":alias/").map_or_else(|| text.to_owned(), |(_, name)| format!("alias/{name}"));
        if name.starts_with("alias/") {
            let mut aliases = world.kms.aliases();
            let found = aliases.find(|(alias, _)| alias.name == name && alias.region == self.region());
            return found.and_then(|(_, alias)| alias.target.clone());
        }
        Some(text.rsplit_once(":key/").map_or(text, |(_, id)| id).to_owned())
    }

    /// The queue at which the request is willing to wait for a message, and for how long.
    pub(in crate::simulator) fn long_poll(&self) -> Option<(String, std::time::Duration)> {
        let (operation, input) = self.asked.as_ref().ok()?;
        self.service.filter(|service| service.name == "sqs")?;
        super::sqs::long_poll(operation, input)
    }

    /// Whether a fault switch means this request.
    #[must_use]
    pub fn is_hit_by(&self, target: &Target, world: &World) -> bool {
        match target {
            Target::Aws => true,
            Target::Operation(operation) => operation == self.operation(),
            Target::Key { operation, key_id } => {
                operation == self.operation() && self.key_id(world).as_ref() == Some(key_id)
            }
            Target::Region(region) => region == self.region(),
            Target::Sql(_) | Target::Statement(_) => false,
        }
    }

    /// What the record says of a call before its outcome is known.
    #[must_use]
    pub fn record(&self, world: &World, at: Timestamp) -> RecordedCall {
        let service = self.service.map_or("", |service| service.name);
        RecordedCall {
            at,
            service: service.to_owned(),
            region: self.region().to_owned(),
            operation: self.operation().to_owned(),
            mutating: !reads_only(service, self.operation()),
            caller: None,
            key_id: self.key_id(world),
            error: None,
            answered: true,
        }
    }

    /// Answers the request, with an injected refusal in the place of the service's answer if there is one.
    pub fn answer(
        self,
        world: &mut World,
        request: &Request<Bytes>,
        now: Timestamp,
        quotas: bool,
        injected: Option<Injected>,
    ) -> Answered {
        settle(world, now);
        let mut recorded = self.record(world, now);
        let request_id = random_uuid(&mut world.rng);
        let (service, protocol) = (self.service, self.protocol);
        let admitted = self.admit(world, request, now, &request_id);
        recorded.caller = admitted.as_ref().ok().map(|(_, call)| call.caller.arn());
        let outcome = admitted.and_then(|(service, call)| {
            work(world, &call, quotas, injected).map(|reply| (service, call, reply))
        });
        let response = match outcome {
            Ok((service, call, reply)) => wire::answer(service, &call.operation, reply, &request_id),
            Err(refusal) => {
                recorded.error = Some(refusal.code.clone());
                wire::refuse(protocol, service, &refusal, &request_id)
            }
        };
        Answered { response, recorded }
    }

    /// Checks the signature and makes a call of the request.
    fn admit(
        self,
        world: &World,
        request: &Request<Bytes>,
        now: Timestamp,
        request_id: &str,
    ) -> Result<(&'static Service, Call), Refusal> {
        let protocol = self.protocol;
        let signature = self.signature.map_err(|flaw| flawed(protocol, &flaw))?;
        let caller = authenticate(world, &signature, request, now, protocol)?;
        let (operation, input) = self.asked?;
        let service =
            self.service.ok_or_else(|| Refusal::new("UnknownOperationException", "No such service"))?;
        let text =
            |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let source_ip = request.extensions().get::<SourceIp>().map_or(IN_PROCESS_IP, |SourceIp(ip)| ip);
        let call = Call {
            at: now,
            service: service.name.to_owned(),
            region: signature.region,
            operation,
            caller,
            input,
            request_id: request_id.to_owned(),
            source_ip: source_ip.to_owned(),
            user_agent: text(header::USER_AGENT).to_owned(),
        };
        Ok((service, call))
    }
}

/// Brings the world up to now, and tells the trail what happened by itself.
pub(in crate::simulator) fn settle(world: &mut World, now: Timestamp) {
    for event in world.kms.settle(now, &mut world.rng) {
        world.trail.note_service(&event);
    }
    world.rds.observe(&world.kms, now);
    world.sqs.take_records(world.trail.take_fresh(), now);
}

/// Lets the service work the call, and notes it.
fn work(world: &mut World, call: &Call, quotas: bool, injected: Option<Injected>) -> Result<Reply, Refusal> {
    let admitted = !quotas
        || world.quotas.admit(
            &call.caller.account,
            &call.region,
            &call.service,
            &call.operation,
            Instant::now(),
        );
    // A throttled call leaves no trace in CloudTrail.
    if !admitted || injected == Some(Injected::Throttled) {
        return Err(throttled(&call.service));
    }
    let account = world.account.clone();
    let facts = Facts {
        read_only: reads_only(&call.service, &call.operation),
        event_id: Some(random_uuid(&mut world.rng)),
        ..Facts::default()
    };
    let mut context = Context { account: &account, rng: &mut world.rng, facts };
    let outcome = match injected {
        Some(Injected::AccessDenied) => Err(injected_denial(call)),
        Some(Injected::ServerError) => Err(server_error(&call.service)),
        Some(Injected::Throttled) | None => dispatch(
            &mut Services {
                kms: &mut world.kms,
                sts: &mut world.sts,
                trail: &mut world.trail,
                sns: &mut world.sns,
                sqs: &mut world.sqs,
                rds: &mut world.rds,
            },
            call,
            &mut context,
        ),
    };
    let facts = context.facts;
    // Nor does a call of an operation that does not exist.
    let unknown = outcome.as_ref().is_err_and(|refusal| *refusal == Refusal::unknown_operation(call));
    if !unknown {
        world.trail.note(call, &outcome, &facts);
    }
    // An on-demand rotation is an event of its own beside the call that asked for it.
    settle(world, call.at);
    outcome
}

/// The services of the world, apart from the chance they draw on.
struct Services<'a> {
    kms: &'a mut super::kms::Kms,
    sts: &'a mut super::sts::Sts,
    trail: &'a mut super::cloudtrail::Trail,
    sns: &'a mut super::sns::Sns,
    sqs: &'a mut super::sqs::Sqs,
    rds: &'a mut super::rds::Rds,
}

fn dispatch(services: &mut Services<'_>, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
    let access = services.sts.access(call).map_err(|why| {
        Refusal::access_denied(&call.service, format!("A policy of the caller cannot be read: {why}"))
    })?;
    match call.service.as_str() {
        "kms" => services.kms.handle(call, &access, context),
        "sts" => services.sts.handle(call, &access, context),
        other => {
            let (action, resource) = (format!("{other}:{}", permission(call)), resource_of(call));
            let access = access.of_resource(services.rds.tags_asked_about(call));
            access.permits(&action, &resource).map_err(|denial| {
                Refusal::access_denied(other, access.explain(denial, &action, &resource))
            })?;
            match other {
                "cloudtrail" => services.trail.handle(call, context),
                "sns" => services.sns.handle(call, context),
                "sqs" => services.sqs.handle(call, context),
                "rds" => services.rds.handle(call, context),
                "iam" => super::iam::handle(services.sts, call, context),
                _ => Err(Refusal::unknown_operation(call)),
            }
        }
    }
}

/// What permission an operation asks for: the batches of SQS ask for that of the single one.
fn permission(call: &Call) -> &str {
    match call.service.as_str() {
        "sqs" => call.operation.strip_suffix("Batch").unwrap_or(&call.operation),
        _ => &call.operation,
    }
}

/// The ARN that identity policies are asked about, for services without resource policies here.
fn resource_of(call: &Call) -> String {
    let text = |name: &str| call.input.get(name).and_then(Value::as_str);
    let (region, account) = (&call.region, &call.caller.account);
    match call.service.as_str() {
        "sns" => text("TopicArn").or(text("TargetArn")).unwrap_or("*").to_owned(),
        "sqs" => {
            let (account, name) =
                text("QueueUrl").and_then(super::sqs::account_and_name).unwrap_or((account, "*"));
            format!("arn:aws:sqs:{region}:{account}:{name}")
        }
        "rds" => {
            let instance = text("DBInstanceIdentifier").unwrap_or("*");
            format!("arn:aws:rds:{region}:{account}:db:{instance}")
        }
        "iam" => format!("arn:aws:iam::{account}:role/{}", text("RoleName").unwrap_or("*")),
        _ => "*".to_owned(),
    }
}

/// Who signed the request, if the signature holds.
fn authenticate(
    world: &World,
    signature: &Signature,
    request: &Request<Bytes>,
    now: Timestamp,
    protocol: Protocol,
) -> Result<Caller, Refusal> {
    let credential = world.sts.credential(&signature.access_key_id).ok_or_else(|| unknown_key(protocol))?;
    let token = credential.token.as_ref().map(|token| token.0.as_str());
    if token != signature.token.as_deref() {
        return Err(unknown_key(protocol));
    }
    signature.verify(request, &credential.secret.0).map_err(|flaw| flawed(protocol, &flaw))?;
    signature.in_time(now).map_err(|flaw| flawed(protocol, &flaw))?;
    if credential.expires_at.is_some_and(|expiry| expiry <= now) {
        let message = "The security token included in the request is expired";
        return Err(by_protocol(protocol, "ExpiredTokenException", "ExpiredToken", message));
    }
    Ok(credential.caller)
}

fn unknown_key(protocol: Protocol) -> Refusal {
    let message = "The security token included in the request is invalid.";
    by_protocol(protocol, "UnrecognizedClientException", "InvalidClientTokenId", message)
}

fn flawed(protocol: Protocol, flaw: &Flaw) -> Refusal {
    match flaw {
        Flaw::Missing => by_protocol(
            protocol,
            "MissingAuthenticationTokenException",
            "MissingAuthenticationToken",
            "Missing Authentication Token",
        ),
        Flaw::Incomplete(what) => {
            by_protocol(protocol, "IncompleteSignatureException", "IncompleteSignature", what)
        }
        Flaw::Mismatch => by_protocol(
            protocol,
            "InvalidSignatureException",
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ),
        Flaw::OutOfTime(what) => {
            by_protocol(protocol, "InvalidSignatureException", "SignatureDoesNotMatch", what)
        }
    }
}

/// Refusals of credentials are named, and numbered, differently in the two protocols.
fn by_protocol(protocol: Protocol, json: &str, query: &str, message: &str) -> Refusal {
    match protocol {
        Protocol::Json => Refusal::new(json, message),
        Protocol::Query => Refusal { status: StatusCode::FORBIDDEN, ..Refusal::new(query, message) },
    }
}

fn throttled(service: &str) -> Refusal {
    let code = match wire::service(service).map(|service| service.protocol) {
        Some(Protocol::Query) => "Throttling",
        _ => "ThrottlingException",
    };
    Refusal::new(code, "Rate exceeded")
}

fn injected_denial(call: &Call) -> Refusal {
    let action = format!("{}:{}", call.service, call.operation);
    let message = format!(
        "User: {} is not authorized to perform: {action} because no identity-based policy allows the {action} action",
        call.caller.arn()
    );
    Refusal::access_denied(&call.service, message)
}

fn server_error(service: &str) -> Refusal {
    let code = if service == "kms" { "KMSInternalException" } else { "InternalFailure" };
    let message = "The request failed because of an internal error. Try again.";
    Refusal { status: StatusCode::INTERNAL_SERVER_ERROR, ..Refusal::new(code, message) }
}

/// Whether an operation changes nothing, as `CloudTrail` counts it.
fn reads_only(service: &str, operation: &str) -> bool {
    let reads = || ["Get", "List", "Describe", "Lookup"].iter().any(|prefix| operation.starts_with(prefix));
    match service {
        "kms" => is_read_only(operation).unwrap_or_else(reads),
        // Sessions change nothing that is anybody's but the caller's.
        "sts" => true,
        _ => reads(),
    }
}
