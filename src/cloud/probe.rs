//! Using a key without effect: KMS's dry runs, which say whether it could be used.

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::{KeyMetadata, KeyUsageType, MessageType};
use serde::{Deserialize, Serialize};

use super::{CloudSession, Failure};
use crate::model::arn::KeyArn;
use crate::model::seen::Cause;

/// What a dry run is asked to work on. Nothing is made of it.
const SAMPLE: &[u8] = b"portcullis dry run";

/// What using the key, without effect (a dry run), said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "probe")]
pub enum Probe {
    /// KMS refused the use because the key is disabled: the negative proof of a drop.
    RefusedAsDisabled { call: String },
    /// KMS would have done it: the key is usable.
    Usable { call: String },
    /// KMS refused the use because of the key's state, in its own words.
    RefusedForState { call: String, answer: String },
    /// The role may not use the key, which says nothing about the key.
    NotPermitted { call: String },
    /// No such use without effect exists for this kind of key.
    NotApplicable { why: String },
    /// It was asked and not answered.
    NoAnswer { call: String, why: String },
    /// Not asked: the reads did not agree.
    NotAsked,
}

impl std::fmt::Display for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RefusedAsDisabled { call } => write!(f, "{call} dry run: refused, the key is disabled"),
            Self::Usable { call } => write!(f, "{call} dry run: the key can be used"),
            Self::RefusedForState { call, answer } => write!(f, "{call} dry run: refused ({answer})"),
            Self::NotPermitted { call } => {
                write!(f, "{call} dry run: not permitted to this role, so the reads alone are the proof")
            }
            Self::NotApplicable { why } => write!(f, "no dry run: {why}, so the reads alone are the proof"),
            Self::NoAnswer { call, why } => write!(f, "{call} dry run: no answer ({why})"),
            Self::NotAsked => f.write_str("no dry run was made"),
        }
    }
}

/// Asks KMS whether a key could be used now: Encrypt, `GenerateMac` or Sign, whichever the key is for, as a dry run.
pub async fn probe(session: &CloudSession, key: &KeyArn) -> Probe {
    let kms = Client::from_conf(session.kms_config(key.region()).build());
    let described = kms.describe_key().key_id(key.as_str()).send().await;
    match described.map(|answer| answer.key_metadata) {
        Ok(Some(key)) => use_of(&kms, &key).await,
        Ok(None) => no_answer("kms:DescribeKey", "the answer holds no key"),
        Err(e) => no_answer("kms:DescribeKey", &Failure::of("kms:DescribeKey", &e).to_string()),
    }
}

async fn use_of(kms: &Client, key: &KeyMetadata) -> Probe {
    let id = key.arn().unwrap_or_else(|| key.key_id());
    match key.key_usage() {
        Some(KeyUsageType::EncryptDecrypt) => {
            const CALL: &str = "kms:Encrypt";
            let encrypt = kms.encrypt().key_id(id).plaintext(Blob::new(SAMPLE)).dry_run(true);
            let encrypt = encrypt.set_encryption_algorithm(key.encryption_algorithms().first().cloned());
            read(CALL, encrypt.send().await.map(drop).map_err(|e| Failure::of(CALL, &e)))
        }
        Some(KeyUsageType::GenerateVerifyMac) => {
            const CALL: &str = "kms:GenerateMac";
            let mac = kms.generate_mac().key_id(id).message(Blob::new(SAMPLE)).dry_run(true);
            let mac = mac.set_mac_algorithm(key.mac_algorithms().first().cloned());
            read(CALL, mac.send().await.map(drop).map_err(|e| Failure::of(CALL, &e)))
        }
        Some(KeyUsageType::SignVerify) => {
            const CALL: &str = "kms:Sign";
            let sign = kms.sign().key_id(id).message(Blob::new(SAMPLE)).dry_run(true);
            let sign = sign
                .message_type(MessageType::Raw)
                .set_signing_algorithm(key.signing_algorithms().first().cloned());
            read(CALL, sign.send().await.map(drop).map_err(|e| Failure::of(CALL, &e)))
        }
        other => Probe::NotApplicable {
            why: format!(
                "a key for {} cannot be tried without effect",
                crate::model::text::visible(other.map_or("an unnamed use", KeyUsageType::as_str))
            ),
        },
    }
}

/// What an answer to a dry run means.
fn read(call: &str, answer: Result<(), Failure>) -> Probe {
    let call = call.to_owned();
    let failure = match answer {
        // A KMS that does not know dry runs did the work; it was thrown away, and the key can be used.
        Ok(()) => return Probe::Usable { call },
        Err(failure) => failure,
    };
    match failure.code.as_deref() {
        Some("DryRunOperationException") => Probe::Usable { call },
        Some("DisabledException") => Probe::RefusedAsDisabled { call },
        Some("KMSInvalidStateException" | "KeyUnavailableException") => {
            Probe::RefusedForState { call, answer: failure.message }
        }
        Some(_) if failure.cause == Cause::Denied => Probe::NotPermitted { call },
        _ => no_answer(&call, &failure.to_string()),
    }
}

fn no_answer(call: &str, why: &str) -> Probe {
    Probe::NoAnswer { call: call.to_owned(), why: why.to_owned() }
}
