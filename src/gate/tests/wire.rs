//! A fake AWS at the wire: one key, an SNS topic, and a script of what goes wrong.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

use super::super::record::{Answer, Intent, Record as _};
use crate::cloud::{InProcessHttp, NoAnswer};
use crate::journal;

/// What becomes of a mutating call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    Done,
    /// AWS says no.
    Denied,
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

    pub(super) fn script<T>(&self, edit: impl FnOnce(&mut Script) -> T) -> T {
        edit(&mut self.0.lock().unwrap())
    }

    /// Calls that change a key.
    pub(super) fn changes(&self) -> Vec<String> {
        let changing = ["DisableKey", "EnableKey", "CancelKeyDeletion"];
        self.script(|s| s.calls.iter().filter(|c| changing.contains(&c.as_str())).cloned().collect())
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
            "DisableKey" | "EnableKey" | "CancelKeyDeletion" => self.change(&call),
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
            "KeySpec":"SYMMETRIC_DEFAULT","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","MultiRegion":false,{algorithms}}}}}"#,
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

    fn change(&mut self, call: &str) -> Result<Response<Bytes>, NoAnswer> {
        if let Some(path) = &self.journal {
            let entries = journal::read(path).unwrap().entries;
            let answered = entries.iter().filter(|e| Answer::of(e).is_some()).count();
            let intents = entries.iter().filter(|e| Intent::of(e).is_some()).count();
            self.intended.push(intents == answered + 1);
        }
        let becomes = if call == "EnableKey" { "Enabled" } else { "Disabled" };
        let done = match self.change {
            Change::Done => true,
            Change::Denied => false,
            Change::Broken { done } | Change::Silent { done, .. } => done,
        };
        if done {
            self.state = becomes;
        }
        match self.change {
            Change::Done => Ok(json("{}")),
            Change::Denied => Ok(refusal(400, "AccessDeniedException", "not authorized to perform this")),
            Change::Broken { .. } => Ok(refusal(500, "KMSInternalException", "try later")),
            Change::Silent { no, .. } => Err(no),
        }
    }
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
