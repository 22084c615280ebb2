//! `AssumeRole`: the trust policy, MFA, session tags, source identity and session policy.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::{Sts, credentials_shown, credentials_xml, duration, escape, text};
use crate::simulator::aws::access::Access;
use crate::simulator::aws::policy::{Policy, Question, Via};
use crate::simulator::aws::{Call, Context, Identity, Refusal, Reply, Resource};

/// The longest session of a chained role, in seconds.
const CHAINED: i64 = 3600;
/// The longest session policy, in characters.
const SESSION_POLICY: usize = 2048;

/// What was asked for, checked for shape.
struct Wanted {
    account: String,
    role: String,
    arn: String,
    session_name: String,
    seconds: i64,
    tags: BTreeMap<String, String>,
    transitive: BTreeSet<String>,
    source_identity: Option<String>,
    policy: Option<String>,
}

impl Sts {
    pub(super) fn assume_role(
        &mut self,
        call: &Call,
        access: &Access,
        context: &mut Context<'_>,
    ) -> Result<Reply, Refusal> {
        let mut wanted = Wanted::of(call)?;
        context.facts.request_parameters = wanted.shown();
        context.facts.resources.push(Resource {
            account: wanted.account.clone(),
            kind: "AWS::IAM::Role".to_owned(),
            arn: wanted.arn.clone(),
        });
        self.inherit(call, &mut wanted)?;
        // Seconds since the code was given, if one was: in this call, or for the session that calls.
        let mfa_age = if self.check_mfa(call)? { Some(0) } else { self.mfa_age(call) };
        self.trusts(call, access, &wanted, mfa_age)?;
        if let Some(policy) = &wanted.policy {
            Policy::parse(policy).map_err(|why| Refusal::new("MalformedPolicyDocument", why.to_string()))?;
        }
        let packed = wanted.packed_percent();
        if packed > 100 {
            let message = format!(
                "Packed size of session policy or session tags consumes {packed}% of allotted space."
            );
            return Err(Refusal::new("PackedPolicyTooLarge", message));
        }
        let expires_at = call.at + SignedDuration::from_secs(wanted.seconds);
        let identity = Identity::Session {
            role: wanted.role.clone(),
            session_name: wanted.session_name.clone(),
            mfa: mfa_age.is_some(),
            source_identity: wanted.source_identity.clone(),
            tags: wanted.tags.clone().into_iter().collect(),
            session_policy: wanted.policy.clone(),
            issued_at: call.at,
            expires_at,
        };
        let (id, session) = self.open_session(
            &wanted.account,
            identity,
            (call.at, expires_at),
            wanted.transitive.clone(),
            context.rng,
        );
        let role_id = self.user_id(&session.caller);
        let arn = session.caller.arn();
        context.facts.response_elements = json!({
            "credentials": credentials_shown(&id, &session),
            "assumedRoleUser": { "assumedRoleId": role_id, "arn": arn },
        });
        let source = wanted
            .source_identity
            .map(|source| format!("<SourceIdentity>{}</SourceIdentity>", escape(&source)))
            .unwrap_or_default();
        Ok(Reply::Xml(format!(
            "<AssumedRoleUser><AssumedRoleId>{}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
             <PackedPolicySize>{packed}</PackedPolicySize>{}{source}",
            escape(&role_id),
            escape(&arn),
            credentials_xml(&id, &session),
        )))
    }

    /// What a chained session hands on: transitive tags and the source identity, neither of which may change.
    fn inherit(&self, call: &Call, wanted: &mut Wanted) -> Result<(), Refusal> {
        let Identity::Session { tags, source_identity, .. } = &call.caller.identity else { return Ok(()) };
        if wanted.seconds > CHAINED {
            return Err(Refusal::new(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
            ));
        }
        let transitive =
            self.sessions.get(&call.caller.access_key_id).map(|session| &session.transitive_tags);
        for (tag, value) in tags.iter().filter(|(tag, _)| transitive.is_some_and(|names| names.contains(tag)))
        {
            if wanted.tags.contains_key(tag) {
                let message = format!(
                    "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session. Please try again after renaming or removing the transitive tag key: {tag}."
                );
                return Err(Refusal::new("InvalidParameterValue", message));
            }
            wanted.tags.insert(tag.clone(), value.clone());
            wanted.transitive.insert(tag.clone());
        }
        if let Some(source) = source_identity {
            if wanted.source_identity.as_ref().is_some_and(|asked| asked != source) {
                return Err(denied(call, "sts:SetSourceIdentity", &wanted.arn));
            }
            wanted.source_identity = Some(source.clone());
        }
        Ok(())
    }

    /// How long ago the caller's own session was opened with MFA, in seconds, if it was. A role's session does
    /// not pass MFA on.
    fn mfa_age(&self, call: &Call) -> Option<i64> {
        let session = self.sessions.get(&call.caller.access_key_id)?;
        matches!(session.caller.identity, Identity::User { mfa: true, .. })
            .then(|| call.at.duration_since(session.issued_at).as_secs())
    }

    /// Whether the role trusts the caller with all that it asks for, and the caller's own policies let it ask.
    fn trusts(
        &self,
        call: &Call,
        access: &Access,
        wanted: &Wanted,
        mfa_age: Option<i64>,
    ) -> Result<(), Refusal> {
        let role = self
            .role(&wanted.account, &wanted.role)
            .ok_or_else(|| denied(call, "sts:AssumeRole", &wanted.arn))?;
        if wanted.seconds > role.max_session {
            return Err(Refusal::new(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
            ));
        }
        let trust = Policy::parse(&role.trust)
            .map_err(|why| Refusal::new("MalformedPolicyDocument", why.to_string()))?;
        let keys = wanted.conditions(call, access, mfa_age);
        for action in wanted.actions() {
            let question = Question { action, resource: &wanted.arn, keys: &keys };
            let trusted = trust.answer_to(&access.principal, question);
            let (identity, session) = (access.identity(question), access.session(question));
            let own = access.caller.account == wanted.account && trusted.allowed == Some(Via::Principal);
            let allowed = !trusted.denied
                && !identity.denied
                && !session.denied
                && trusted.allowed.is_some()
                && session.allowed.is_some()
                && (own || identity.allowed.is_some());
            if !allowed {
                return Err(denied(call, action, &wanted.arn));
            }
        }
        Ok(())
    }
}

fn denied(call: &Call, action: &str, arn: &str) -> Refusal {
    let message =
        format!("User: {} is not authorized to perform: {action} on resource: {arn}", call.caller.arn());
    Refusal::access_denied("sts", message)
}

impl Wanted {
    fn of(call: &Call) -> Result<Self, Refusal> {
        let arn = required(call, "RoleArn")?;
        let invalid = || Refusal::new("ValidationError", format!("{arn} is invalid"));
        let (account, path) = arn
            .strip_prefix("arn:aws:iam::")
            .and_then(|rest| rest.split_once(":role/"))
            .ok_or_else(invalid)?;
        let role = path.rsplit('/').next().filter(|name| !name.is_empty()).ok_or_else(invalid)?;
        let (tags, transitive) = (tags(call)?, members(call, "TransitiveTagKeys").into_iter().collect());
        let policy = text(call, "Policy").map(str::to_owned);
        if let Some(policy) = policy.as_ref().filter(|policy| policy.chars().count() > SESSION_POLICY) {
            let message = format!(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to {SESSION_POLICY} (it has {})",
                policy.chars().count()
            );
            return Err(Refusal::new("ValidationError", message));
        }
        let source_identity =
            text(call, "SourceIdentity").map(|source| named("sourceIdentity", source)).transpose()?;
        Ok(Self {
            account: account.to_owned(),
            role: role.to_owned(),
            session_name: named("roleSessionName", required(call, "RoleSessionName")?)?,
            seconds: duration(call, CHAINED, 900, 43_200)?,
            tags,
            transitive,
            source_identity,
            policy,
            arn: arn.to_owned(),
        })
    }

    /// How much of the room for session policy and tags is taken, in per cent. AWS keeps its packing to itself;
    /// here a policy counts by its characters without blanks, a tag by its own and four more.
    fn packed_percent(&self) -> usize {
        let policy =
            self.policy.iter().flat_map(|text| text.chars()).filter(|c| !c.is_ascii_whitespace()).count();
        let tags: usize = self.tags.iter().map(|(key, value)| key.len() + value.len() + 4).sum();
        (policy + tags) * 100 / SESSION_POLICY
    }

    /// The permissions that the request needs of the trust policy.
    fn actions(&self) -> Vec<&'static str> {
        let mut actions = vec!["sts:AssumeRole"];
        if !self.tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if self.source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        actions
    }

    fn conditions(
        &self,
        call: &Call,
        access: &Access,
        mfa_age: Option<i64>,
    ) -> crate::simulator::aws::policy::ConditionKeys {
        let mut keys = access.keys.clone();
        // Only a code in this request, or a session opened with one, says anything about MFA.
        if let Some(age) = mfa_age {
            keys.set("aws:MultiFactorAuthPresent", "true");
            keys.set("aws:MultiFactorAuthAge", age.to_string());
        }
        keys.set("sts:RoleSessionName", &*self.session_name);
        if let Some(source) = &self.source_identity {
            keys.set("sts:SourceIdentity", &**source);
        }
        if let Some(external) = text(call, "ExternalId") {
            keys.set("sts:ExternalId", external);
        }
        for (tag, value) in &self.tags {
            keys.set(&format!("aws:RequestTag/{tag}"), &**value);
            keys.add("aws:TagKeys", &**tag);
        }
        for tag in &self.transitive {
            keys.add("sts:TransitiveTagKeys", &**tag);
        }
        keys
    }

    /// As `CloudTrail` shows the request.
    fn shown(&self) -> Value {
        let mut shown = json!({
            "roleArn": self.arn,
            "roleSessionName": self.session_name,
            "durationSeconds": self.seconds,
        });
        if let Some(source) = &self.source_identity {
            shown["sourceIdentity"] = json!(source);
        }
        if let Some(policy) = &self.policy {
            shown["policy"] = json!(policy);
        }
        if !self.tags.is_empty() {
            shown["tags"] =
                self.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
        }
        shown
    }
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    text(call, name).ok_or_else(|| {
        let mut field = name.to_owned();
        field[..1].make_ascii_lowercase();
        let message = format!("1 validation error detected: Value at '{field}' failed to satisfy constraint: Member must not be null");
        Refusal::new("ValidationError", message)
    })
}

/// A session name or source identity: 2 to 64 of `[\w+=,.@-]`.
fn named(field: &str, value: &str) -> Result<String, Refusal> {
    let fits = (2..=64).contains(&value.len())
        && value.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
    if fits {
        return Ok(value.to_owned());
    }
    let message = format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]* and have a length of 2 to 64"
    );
    Err(Refusal::new("ValidationError", message))
}

/// `Prefix.member.1`, `Prefix.member.2`, … in order.
fn members(call: &Call, prefix: &str) -> Vec<String> {
    (1..)
        .map_while(|n| {
            call.input.get(format!("{prefix}.member.{n}")).and_then(Value::as_str).map(str::to_owned)
        })
        .collect()
}

fn tags(call: &Call) -> Result<BTreeMap<String, String>, Refusal> {
    let part =
        |n: usize, name: &str| call.input.get(format!("Tags.member.{n}.{name}")).and_then(Value::as_str);
    let mut tags = BTreeMap::new();
    for n in (1..).take_while(|&n| part(n, "Key").is_some()) {
        let (key, value) = (part(n, "Key").unwrap_or_default(), part(n, "Value").unwrap_or_default());
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(Refusal::new(
                "InvalidParameterValue",
                format!("Duplicate tag keys found: {key}. Please note that Tag keys are case insensitive."),
            ));
        }
    }
    if tags.len() > 50 {
        return Err(Refusal::new(
            "ValidationError",
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50",
        ));
    }
    Ok(tags)
}
