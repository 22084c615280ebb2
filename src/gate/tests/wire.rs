//! A fake AWS at the wire: one key, an SNS topic, and a script of what goes wrong.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

use super::super::record::{Answer, Intent, Record as _};
use crate::cloud::{InProcessHttp, NoAnswer};
use crate::journal;
use crate::model::operation::denial;
use crate::model::operation::tests::PRINCIPAL;
use crate::model::plan::Operation;

/// What becomes of a mutating call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Done,
    /// AWS says no.
    Denied,
    /// AWS says not so fast.
    Throttled,
    /// HTTP 500, after or without doing it.
    Broken {
        done: bool,
    },
    /// No answer, after or without doing it.
    Silent {
        done: bool,
        no: NoAnswer,
    },
}

/// How a dry run is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum DryRun {
    /// By the key's state.
    True,
    NotPermitted,
    /// As if the key could be used.
    Usable,
}

#[derive(Debug)]
pub(super) struct Script {
    pub state: &'static str,
    pub usage: &'static str,
    /// The period of automatic rotation, where it is on.
    pub rotation: Option<u32>,
    /// How many materials the key has had; the last is in use, and all but the first came on demand.
    pub materials: usize,
    /// Ids of grants.
    pub grants: Vec<String>,
    pub policy: String,
    /// The last `PutKeyPolicy`.
    pub put: Value,
    /// The status of the RDS instance under the key.
    pub instance: &'static str,
    pub change: Change,
    pub dry_run: DryRun,
    /// States that DescribeKey tells before it tells the truth; `None` is a denied read.
    pub reads: VecDeque<Option<&'static str>>,
    pub sns_down: bool,
    /// Every call, in order, e.g. `DisableKey`.
    pub calls: Vec<String>,
    /// Messages that SNS took: subject and message.
    pub published: Vec<(String, String)>,
    pub journal: Option<PathBuf>,
    /// For each mutating call: whether the journal on disk then held an unanswered intent.
    pub intended: Vec<bool>,
}

#[derive(Clone, Debug)]
pub(super) struct FakeAws(pub Arc<Mutex<Script>>);

impl FakeAws {
    pub(super) fn holding(state: &'static str) -> Self {
        Self(Arc::new(Mutex::new(Script {
            state,
            usage: "ENCRYPT_DECRYPT",
            rotation: None,
            materials: 3,
            grants: vec!["another".into()],
            policy: POLICY.to_owned(),
            put: Value::Null,
            instance: "inaccessible-encryption-credentials-recoverable",
            change: Change::Done,
            dry_run: DryRun::True,
            reads: VecDeque::new(),
            sns_down: false,
            calls: Vec::new(),
            published: Vec::new(),
            journal: None,
            intended: Vec::new(),
        })))
    }

    /// A key on which the operation can be made.
    pub(super) fn ready_for(operation: &Operation) -> Self {
        let state = operation.starts_from()[0].as_str().to_owned().leak();
        let aws = Self::holding(state);
        aws.script(|s| match operation {
            Operation::RevokeGrant { grant } => s.grants.push(grant.clone()),
            Operation::AllowPrincipal { .. } => {
                let denial = denial(operation, &"INC-1".parse().unwrap()).unwrap();
                s.policy = denial.added_to(&s.policy).unwrap();
            }
            _ => {}
        });
        aws
    }

    pub(super) fn script<T>(&self, edit: impl FnOnce(&mut Script) -> T) -> T {
        edit(&mut self.0.lock().unwrap())
    }

    /// Calls that change a key.
    pub(super) fn changes(&self) -> Vec<String> {
        self.script(|s| s.calls.iter().filter(|c| CHANGES.contains(&c.as_str())).cloned().collect())
    }
}

#[async_trait]
impl InProcessHttp for FakeAws {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        self.script(|script| script.answer(&request))
    }
}

impl Script {
    fn answer(&mut self, request: &Request<Bytes>) -> Result<Response<Bytes>, NoAnswer> {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body()).into_owned().collect();
        let field =
            |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()).unwrap_or_default();
        let target = request.headers().get("x-amz-target").and_then(|t| t.to_str().ok());
        let call = target.map_or_else(|| field("Action"), |t| t.rsplit('.').next().unwrap().to_owned());
        self.calls.push(call.clone());
        match call.as_str() {
            "GetCallerIdentity" => Ok(xml(IDENTITY)),
            "Publish" if self.sns_down => Ok(response(503, "text/xml", "")),
            "Publish" => {
                self.published.push((field("Subject"), field("Message")));
                Ok(xml(PUBLISHED))
            }
            "DescribeKey" => Ok(self.describe()),
            "Encrypt" | "GenerateMac" => Ok(self.dry_run(request)),
            "GetKeyRotationStatus" => Ok(self.rotation_status()),
            "ListKeyRotations" => Ok(self.rotations()),
            "ListGrants" => Ok(self.grants()),
            "GetKeyPolicy" => {
                Ok(json(&json!({ "Policy": self.policy, "PolicyName": "default" }).to_string()))
            }
            "DescribeDBInstances" => Ok(xml(&self.instances("DescribeDBInstances"))),
            change if CHANGES.contains(&change) => self.change(change, request.body()),
            other => panic!("the gate has no business with {other}"),
        }
    }

    fn describe(&mut self) -> Response<Bytes> {
        let state = match self.reads.pop_front() {
            Some(Some(state)) => state,
            Some(None) => {
                return refusal(400, "AccessDeniedException", "not authorized to perform kms:DescribeKey");
            }
            None => self.state,
        };
        let algorithms = match self.usage {
            "GENERATE_VERIFY_MAC" => r#""MacAlgorithms":["HMAC_SHA_256"]"#,
            _ => r#""EncryptionAlgorithms":["SYMMETRIC_DEFAULT"]"#,
        };
        json(&format!(
            r#"{{"KeyMetadata":{{"AWSAccountId":"111122223333","KeyId":"{id}","Arn":"{arn}","CreationDate":1.7E9,
            "Enabled":{enabled},"KeyUsage":"{usage}","KeyState":"{state}","Origin":"AWS_KMS","KeyManager":"CUSTOMER",
            "KeySpec":"SYMMETRIC_DEFAULT","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","MultiRegion":false,
            "CurrentKeyMaterialId":"{material}",{algorithms}}}}}"#,
            material = material(self.materials),
            id = super::house::KEY.rsplit('/').next().unwrap(),
            arn = super::house::KEY,
            enabled = state == "Enabled",
            usage = self.usage,
        ))
    }

    fn dry_run(&self, request: &Request<Bytes>) -> Response<Bytes> {
        assert!(
            std::str::from_utf8(request.body()).unwrap().contains(r#""DryRun":true"#),
            "a probe must be dry"
        );
        match (self.dry_run, self.state) {
            (DryRun::NotPermitted, _) => {
                refusal(400, "AccessDeniedException", "not authorized to perform kms:Encrypt")
            }
            (DryRun::Usable, _) | (DryRun::True, "Enabled") => {
                refusal(412, "DryRunOperationException", "The request would have succeeded")
            }
            (DryRun::True, "Disabled") => refusal(409, "DisabledException", "is disabled"),
            (DryRun::True, _) => refusal(409, "KMSInvalidStateException", "is pending deletion"),
        }
    }

    fn rotation_status(&self) -> Response<Bytes> {
        let mut status = json!({ "KeyRotationEnabled": self.rotation.is_some() });
        if let Some(days) = self.rotation {
            status["RotationPeriodInDays"] = days.into();
        }
        json(&status.to_string())
    }

    fn rotations(&self) -> Response<Bytes> {
        let entries = (1..=self.materials).map(|nth| match nth {
            1 => json!({ "KeyMaterialId": material(nth) }),
            _ => {
                json!({ "KeyMaterialId": material(nth), "RotationDate": 1.7E9, "RotationType": "ON_DEMAND" })
            }
        });
        json(&json!({ "Rotations": entries.collect::<Vec<_>>(), "Truncated": false }).to_string())
    }

    fn grants(&self) -> Response<Bytes> {
        let told = |id: &String| {
            json!({
                "KeyId": super::house::KEY, "GrantId": id, "GranteePrincipal": PRINCIPAL, "Operations": ["Decrypt"],
                "CreationDate": 1.7E9, "IssuingAccount": "arn:aws:iam::111122223333:root",
            })
        };
        let grants: Vec<_> = self.grants.iter().map(told).collect();
        json(&json!({ "Grants": grants, "Truncated": false }).to_string())
    }

    fn instances(&self, call: &str) -> String {
        let (status, key) = (self.instance, super::house::KEY);
        let one = format!(
            "<DBInstance><DBInstanceIdentifier>buzz-prod-1</DBInstanceIdentifier><DBInstanceStatus>{status}</DBInstanceStatus>\
             <Engine>sqlserver-se</Engine><KmsKeyId>{key}</KmsKeyId></DBInstance>"
        );
        let inside =
            if call == "StartDBInstance" { one } else { format!("<DBInstances>{one}</DBInstances>") };
        format!(
            "<{call}Response xmlns=\"http://rds.amazonaws.com/doc/2014-10-31/\"><{call}Result>{inside}</{call}Result></{call}Response>"
        )
    }

    fn change(&mut self, call: &str, body: &[u8]) -> Result<Response<Bytes>, NoAnswer> {
        if let Some(path) = &self.journal {
            let entries = journal::read(path).unwrap().entries;
            let answered = entries.iter().filter(|e| Answer::of(e).is_some()).count();
            let intents = entries.iter().filter(|e| Intent::of(e).is_some()).count();
            self.intended.push(intents == answered + 1);
        }
        let done = match self.change {
            Change::Done => true,
            Change::Denied | Change::Throttled => false,
            Change::Broken { done } | Change::Silent { done, .. } => done,
        };
        if done {
            self.carry_out(call, &serde_json::from_slice(body).unwrap_or_default());
        }
        let rds = call == "StartDBInstance";
        match self.change {
            Change::Done if rds => Ok(xml(&self.instances(call))),
            Change::Done => Ok(json("{}")),
            Change::Denied if rds => Ok(error(403, "AccessDenied", "not authorized to perform this")),
            Change::Denied => Ok(refusal(400, "AccessDeniedException", "not authorized to perform this")),
            Change::Throttled if rds => Ok(error(400, "Throttling", "Rate exceeded")),
            Change::Throttled => Ok(refusal(400, "ThrottlingException", "Rate exceeded")),
            Change::Broken { .. } if rds => Ok(error(500, "InternalFailure", "try later")),
            Change::Broken { .. } => Ok(refusal(500, "KMSInternalException", "try later")),
            Change::Silent { no, .. } => Err(no),
        }
    }

    fn carry_out(&mut self, call: &str, input: &Value) {
        match call {
            "EnableKey" => self.state = "Enabled",
            "DisableKey" | "CancelKeyDeletion" => self.state = "Disabled",
            "ScheduleKeyDeletion" => self.state = "PendingDeletion",
            "EnableKeyRotation" => {
                self.rotation =
                    input["RotationPeriodInDays"].as_u64().and_then(|days| u32::try_from(days).ok());
            }
            "RotateKeyOnDemand" => self.materials += 1,
            "RevokeGrant" => self.grants.retain(|id| input["GrantId"] != **id),
            "PutKeyPolicy" => {
                self.policy = input["Policy"].as_str().unwrap().to_owned();
                self.put = input.clone();
            }
            "StartDBInstance" => self.instance = "starting",
            other => panic!("{other} changes nothing"),
        }
    }
}

/// Calls that change something.
const CHANGES: [&str; 9] = [
    "DisableKey",
    "EnableKey",
    "CancelKeyDeletion",
    "ScheduleKeyDeletion",
    "EnableKeyRotation",
    "RotateKeyOnDemand",
    "RevokeGrant",
    "PutKeyPolicy",
    "StartDBInstance",
];

const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Sid":"Enable IAM","Effect":"Allow",
    "Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}]}"#;

/// The id of the nth material.
fn material(nth: usize) -> String {
    format!("{nth:064x}")
}

/// An error of the query protocol.
fn error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    response(status, "text/xml", &body)
}

const IDENTITY: &str = r#"<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>
<Arn>arn:aws:iam::111122223333:user/oncall-a</Arn><UserId>AIDA1</UserId><Account>111122223333</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"#;
const PUBLISHED: &str = r#"<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>
<MessageId>message-1</MessageId></PublishResult></PublishResponse>"#;

fn response(status: u16, kind: &str, body: &str) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", kind)
        .body(Bytes::copy_from_slice(body.as_bytes()))
        .unwrap()
}

fn json(body: &str) -> Response<Bytes> {
    response(200, "application/x-amz-json-1.1", body)
}

fn xml(body: &str) -> Response<Bytes> {
    response(200, "text/xml", body)
}

fn refusal(status: u16, code: &str, message: &str) -> Response<Bytes> {
    let body = format!(r#"{{"__type":"{code}","message":"{message}"}}"#);
    response(status, "application/x-amz-json-1.1", &body)
}
