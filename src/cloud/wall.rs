//! The read-only wall: behind the types, which expose reads alone, a second refusal.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeSerializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Every operation that a read client may send. None of them changes anything.
const READS: [(&str, &[&str]); 4] = [
    (
        "KMS",
        &[
            "DescribeKey",
            "GetKeyLastUsage",
            "GetKeyPolicy",
            "GetKeyRotationStatus",
            "ListAliases",
            "ListGrants",
            "ListKeyRotations",
            "ListKeys",
            "ListResourceTags",
        ],
    ),
    ("CloudTrail", &["LookupEvents"]),
    ("RDS", &["DescribeDBInstances"]),
    ("STS", &["GetCallerIdentity"]),
];

/// What may be done to a queue of portcullis' own: it is read, and what was kept is deleted from it.
const OWN_QUEUE: [(&str, &[&str]); 1] = [("SQS", &["ReceiveMessage", "DeleteMessageBatch"])];
/// The wall's reads as IAM writes them, e.g. `kms:DescribeKey`. Those of STS need no permission.
#[must_use]
pub fn read_actions() -> Vec<String> {
    let reads = READS.iter().filter(|(service, _)| *service != "STS");
    reads
        .flat_map(|(service, operations)| {
            operations.iter().map(move |operation| format!("{}:{operation}", service.to_ascii_lowercase()))
        })
        .collect()
}

/// Refuses, before anything is sent, every operation that is not on the list of reads.
#[derive(Debug)]
pub(super) struct ReadOnlyWall;

/// Refuses every operation but those on a queue of portcullis' own.
#[derive(Debug)]
pub(super) struct OwnQueueWall;

/// What the wall says.
#[derive(Debug, thiserror::Error)]
#[error("{service}:{operation} is not a read, and this client only reads; nothing was sent")]
pub(super) struct NotARead {
    service: String,
    operation: String,
}

impl Intercept for ReadOnlyWall {
    fn name(&self) -> &'static str {
        "ReadOnlyWall"
    }

    // The first hook at which the SDK knows the operation's name.
    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        refuse_all_but(&READS, config)
    }
}

impl Intercept for OwnQueueWall {
    fn name(&self) -> &'static str {
        "OwnQueueWall"
    }

    fn read_before_serialization(
        &self,
        _: &BeforeSerializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        refuse_all_but(&OWN_QUEUE, config)
    }
}

fn refuse_all_but(allowed: &[(&str, &[&str])], config: &ConfigBag) -> Result<(), BoxError> {
    let (service, operation) = config
        .load::<Metadata>()
        .map_or(("an unknown service", "an unnamed operation"), |call| (call.service(), call.name()));
    if allowed.iter().any(|(s, operations)| *s == service && operations.contains(&operation)) {
        return Ok(());
    }
    Err(NotARead { service: service.to_owned(), operation: operation.to_owned() }.into())
}
