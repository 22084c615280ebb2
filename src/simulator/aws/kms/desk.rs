//! Where one KMS call is worked on: reading its input, finding its key, deciding whether the caller may.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::key::{Grant, Key};
use super::material::EncryptionContext;
use super::{AliasRef, KeyRef, Kms};
use crate::simulator::aws::access::{Access, Denial};
use crate::simulator::aws::policy::{Policy, Question, Via};
use crate::simulator::aws::{Call, Context, Refusal, Resource};

/// One call and all that it may touch.
pub(super) struct Desk<'a, 'c> {
    pub kms: &'a mut Kms,
    pub call: &'a Call,
    pub access: &'a Access,
    pub context: &'a mut Context<'c>,
}

/// How an operation lets its key be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// Key id or key ARN.
    Key,
    /// Key id, key ARN, alias name or alias ARN.
    KeyOrAlias,
}

impl Desk<'_, '_> {
    /// A string parameter.
    pub fn string(&self, name: &str) -> Result<Option<&str>, Refusal> {
        match self.call.input.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(serialization(name, "a string")),
        }
    }

    /// A string parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Refusal> {
        let text = self.string(name)?.ok_or_else(|| null(name))?;
        if text.is_empty() {
            return Err(violation(name, text, "Member must have length greater than or equal to 1"));
        }
        Ok(text)
    }

    /// A whole-number parameter, within its bounds.
    pub fn integer(&self, name: &str, least: i64, most: i64) -> Result<Option<i64>, Refusal> {
        let value = match self.call.input.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(value) => value.as_i64().ok_or_else(|| serialization(name, "a number"))?,
        };
        if value < least {
            let rule = format!("Member must have value greater than or equal to {least}");
            return Err(violation(name, &value.to_string(), &rule));
        }
        if value > most {
            let rule = format!("Member must have value less than or equal to {most}");
            return Err(violation(name, &value.to_string(), &rule));
        }
        Ok(Some(value))
    }

    /// A boolean parameter; absent is `false`.
    pub fn flag(&self, name: &str) -> Result<bool, Refusal> {
        match self.call.input.get(name) {
            None | Some(Value::Null) => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| serialization(name, "a boolean")),
        }
    }

    /// A parameter out of a closed list of words.
    pub fn word<T>(&self, name: &str, parse: fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(text) = self.string(name)? else { return Ok(None) };
        let value = parse(text).ok_or_else(|| violation(name, text, "Member must satisfy enum value set"))?;
        Ok(Some(value))
    }

    /// A list of strings; absent is empty.
    pub fn strings(&self, name: &str) -> Result<Vec<String>, Refusal> {
        match self.call.input.get(name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| {
                    item.as_str().map(str::to_owned).ok_or_else(|| serialization(name, "a list of strings"))
                })
                .collect(),
            Some(_) => Err(serialization(name, "a list of strings")),
        }
    }

    /// A blob that must be there, of 1 to `most` bytes.
    pub fn blob(&self, name: &str, most: usize) -> Result<Vec<u8>, Refusal> {
        let text = self.string(name)?.ok_or_else(|| null(name))?;
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| serialization(name, "base64"))?;
        let rule = if bytes.is_empty() {
            "Member must have length greater than or equal to 1".to_owned()
        } else if bytes.len() > most {
            format!("Member must have length less than or equal to {most}")
        } else {
            return Ok(bytes);
        };
        Err(violation(name, "java.nio.HeapByteBuffer", &rule))
    }

    /// An encryption context; absent is empty.
    pub fn encryption_context(&self, name: &str) -> Result<EncryptionContext, Refusal> {
        strings_by_name(self.call.input.get(name), name)
    }

    /// The `Tags` of the call.
    pub fn tags(&self) -> Result<Vec<(String, String)>, Refusal> {
        let Some(Value::Array(items)) = self.call.input.get("Tags") else { return Ok(Vec::new()) };
        let text = |item: &Value, name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
        let tags: Option<Vec<_>> =
            items.iter().map(|item| Some((text(item, "TagKey")?, text(item, "TagValue")?))).collect();
        let tags = tags.ok_or_else(|| serialization("Tags", "a list of tags"))?;
        let mut keys: Vec<&str> = tags.iter().map(|(key, _)| key.as_str()).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(Refusal::new("TagException", "Duplicate tag keys"));
        }
        if keys.iter().any(|key| key.is_empty() || key.len() > 128 || key.starts_with("aws:")) {
            return Err(Refusal::new("TagException", "Invalid tag key"));
        }
        Ok(tags)
    }

    /// The key that the parameter `name` names, noted for the trail.
    pub fn find(&mut self, name: &str, naming: Naming) -> Result<KeyRef, Refusal> {
        let text = self.required(name)?.to_owned();
        let place = self.resolve(&text, naming)?;
        self.note_key(&place);
        Ok(place)
    }

    fn resolve(&self, text: &str, naming: Naming) -> Result<KeyRef, Refusal> {
        let (account, resource) = match text.strip_prefix("arn:") {
            Some(_) => self.split_arn(text)?,
            None => (self.call.caller.account.as_str(), text),
        };
        let id = match resource.strip_prefix("key/") {
            Some(id) if text.starts_with("arn:") => id,
            _ if resource.starts_with("alias/") => {
                return self.resolve_alias(account, resource, text, naming);
            }
            _ if text.starts_with("arn:") => return Err(invalid_arn(text)),
            _ => resource,
        };
        let region = &self.call.region;
        let known = self.kms.key(region, id).filter(|key| key.account == account);
        known.map(Kms::place).ok_or_else(|| {
            let arn = format!("arn:aws:kms:{region}:{account}:key/{id}");
            if !looks_like_id(id) {
                Refusal::new("NotFoundException", format!("Invalid keyId '{id}'"))
            } else if account == self.call.caller.account {
                Refusal::new("NotFoundException", format!("Key '{arn}' does not exist"))
            } else {
                self.cross_account_denial()
            }
        })
    }

    fn resolve_alias(
        &self,
        account: &str,
        alias: &str,
        text: &str,
        naming: Naming,
    ) -> Result<KeyRef, Refusal> {
        if naming == Naming::Key {
            return Err(if text.starts_with("arn:") {
                invalid_arn(text)
            } else {
                Refusal::new("NotFoundException", format!("Invalid keyId '{text}'"))
            });
        }
        let region = self.call.region.clone();
        let place = AliasRef { region: region.clone(), account: account.to_owned(), name: alias.to_owned() };
        let target = self.kms.aliases.get(&place).and_then(|alias| alias.target.clone());
        target.map(|id| KeyRef { region: region.clone(), id }).ok_or_else(|| {
            if account == self.call.caller.account {
                Refusal::new(
                    "NotFoundException",
                    format!("Alias arn:aws:kms:{region}:{account}:{alias} is not found."),
                )
            } else {
                self.cross_account_denial()
            }
        })
    }

    /// The account and resource of a KMS ARN of this Region.
    fn split_arn<'t>(&self, arn: &'t str) -> Result<(&'t str, &'t str), Refusal> {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let &["arn", "aws", "kms", region, account, resource] = parts.as_slice() else {
            return Err(invalid_arn(arn));
        };
        if region != self.call.region {
            return Err(Refusal::new("NotFoundException", format!("Invalid arn {region}")));
        }
        Ok((account, resource))
    }

    /// What KMS says about another account's key, there or not.
    pub fn cross_account_denial(&self) -> Refusal {
        let message = format!(
            "User: {} is not authorized to perform: kms:{} on this resource because the resource does not exist in \
             this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
            self.access.caller.arn(),
            self.call.operation
        );
        Refusal::new("AccessDeniedException", message)
    }

    /// A key that was found a moment ago.
    pub fn key(&self, place: &KeyRef) -> Result<&Key, Refusal> {
        self.kms.keys.get(place).ok_or_else(|| gone(place))
    }

    /// A key that was found a moment ago, to change it.
    pub fn key_mut(&mut self, place: &KeyRef) -> Result<&mut Key, Refusal> {
        self.kms.quiet_until = None;
        self.kms.keys.get_mut(place).ok_or_else(|| gone(place))
    }

    /// Puts a key among the record's resources.
    pub fn note_key(&mut self, place: &KeyRef) {
        let Some(key) = self.kms.keys.get(place) else { return };
        let resource =
            Resource { account: key.account.clone(), kind: "AWS::KMS::Key".to_owned(), arn: key.arn() };
        if !self.context.facts.resources.contains(&resource) {
            self.context.facts.resources.push(resource);
        }
    }

    /// Echoes the key's ARN in the record of a change, as KMS does since December 2022.
    pub fn echo(&mut self, place: &KeyRef, mut elements: Value) {
        if let Some(key) = self.kms.keys.get(place) {
            if elements.is_null() {
                elements = json!({});
            }
            elements["keyId"] = json!(key.arn());
            self.context.facts.response_elements = elements;
        }
    }

    /// Whether the caller may do something that concerns no key in particular.
    pub fn authorize_account(&self, action: &str, resource: &str) -> Result<(), Refusal> {
        self.access.permits(action, resource).map_err(|denial| {
            Refusal::new("AccessDeniedException", self.access.explain(denial, action, resource))
        })
    }

    /// Whether the caller may do this to this key: its key policy, the caller's own policies, its session
    /// policy, and grants, as "Determining access" in the KMS developer guide has it.
    pub fn authorize(
        &self,
        place: &KeyRef,
        action: &str,
        context: Option<&EncryptionContext>,
    ) -> Result<(), Refusal> {
        let key = self.key(place)?;
        self.judge(key, &key.policy, action, context).map_err(|denial| {
            if key.account == self.access.caller.account || denial == Denial::IdentitySilent {
                Refusal::new("AccessDeniedException", self.access.explain(denial, action, &key.arn()))
            } else {
                self.cross_account_denial()
            }
        })
    }

    /// The same for a key with another policy: the lockout check asks it before a policy is put.
    pub fn judge(
        &self,
        key: &Key,
        policy: &str,
        action: &str,
        context: Option<&EncryptionContext>,
    ) -> Result<(), Denial> {
        let arn = key.arn();
        let keys = self.conditions(key, context);
        let question = Question { action, resource: &arn, keys: &keys };
        let (identity, session) = (self.access.identity(question), self.access.session(question));
        // A policy that cannot be read allows nobody.
        let resource = Policy::parse(policy)
            .map(|policy| policy.answer_to(&self.access.principal, question))
            .unwrap_or_default();
        let own = key.account == self.access.caller.account;
        if identity.denied {
            return Err(Denial::IdentityDeny);
        }
        if session.denied {
            return Err(Denial::SessionDeny);
        }
        if resource.denied {
            return Err(Denial::ResourceDeny);
        }
        let granted = self.granted(key, action, context);
        match resource.allowed {
            Some(Via::Principal) if own || identity.allowed.is_some() || granted => {}
            Some(Via::Account) if identity.allowed.is_some() || granted => {}
            None if granted => {}
            Some(_) => return Err(Denial::IdentitySilent),
            None => return Err(Denial::ResourceSilent),
        }
        session.allowed.map(|_| ()).ok_or(Denial::SessionSilent)
    }

    fn granted(&self, key: &Key, action: &str, context: Option<&EncryptionContext>) -> bool {
        let operation = action.strip_prefix("kms:").unwrap_or(action);
        let principal = &self.access.principal;
        key.grants.iter().any(|grant| {
            let grantee =
                principal.arns.contains(&grant.grantee) || principal.service.as_ref() == Some(&grant.grantee);
            grantee && grant.operations.iter().any(|one| one == operation) && meets(grant, context)
        })
    }

    fn conditions(
        &self,
        key: &Key,
        context: Option<&EncryptionContext>,
    ) -> crate::simulator::aws::policy::ConditionKeys {
        let mut keys = self.access.keys.clone();
        keys.set("kms:KeyOrigin", key.origin.as_str());
        keys.set("kms:KeySpec", key.spec.as_str());
        keys.set("kms:KeyUsage", key.usage.as_str());
        keys.set("kms:MultiRegion", key.multi_region.is_some().to_string());
        keys.set("aws:ResourceAccount", &*key.account);
        for (tag, value) in &key.tags {
            keys.set(&format!("aws:ResourceTag/{tag}"), &**value);
        }
        for name in self.kms.names.get(&Kms::place(key)).into_iter().flatten() {
            keys.add("kms:ResourceAliases", &**name);
        }
        for (name, value) in context.into_iter().flatten() {
            keys.set(&format!("kms:EncryptionContext:{name}"), &**value);
            keys.add("kms:EncryptionContextKeys", &**name);
        }
        for tag in self.call.input.get("Tags").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(name), Some(value)) = (tag["TagKey"].as_str(), tag["TagValue"].as_str()) {
                keys.set(&format!("aws:RequestTag/{name}"), value);
                keys.add("aws:TagKeys", name);
            }
        }
        if let Some(window) = self.call.input.get("PendingWindowInDays").and_then(Value::as_i64) {
            keys.set("kms:ScheduleKeyDeletionPendingWindowInDays", window.to_string());
        }
        if matches!(self.call.operation.as_str(), "PutKeyPolicy" | "CreateKey") {
            let bypass = self.call.input.get("BypassPolicyLockoutSafetyCheck").and_then(Value::as_bool);
            keys.set("kms:BypassPolicyLockoutSafetyCheck", bypass.unwrap_or(false).to_string());
        }
        keys
    }

    /// Ends a dry run that would have succeeded.
    pub fn unless_dry_run(&self) -> Result<(), Refusal> {
        if self.context.facts.dry_run {
            let message = "The request would have succeeded, but the DryRun option is set.";
            return Err(Refusal::new("DryRunOperationException", message));
        }
        Ok(())
    }

    /// Writes down the request as `CloudTrail` shows it: parameter names in lower camel case, and nothing secret.
    pub fn note_parameters(&mut self) {
        const SECRET: [&str; 5] = ["Plaintext", "CiphertextBlob", "GrantTokens", "GrantToken", "Recipient"];
        let shown: Map<String, Value> = self
            .call
            .input
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, _)| !SECRET.contains(&name.as_str()))
            .map(|(name, value)| (lower_camel(name), shown_value(name, value)))
            .collect();
        if !shown.is_empty() {
            self.context.facts.request_parameters = Value::Object(shown);
        }
    }
}

/// Whether a request's context meets a grant's constraints.
fn meets(grant: &Grant, context: Option<&EncryptionContext>) -> bool {
    let empty = EncryptionContext::new();
    let context = context.unwrap_or(&empty);
    let equals = grant.context_equals.as_ref().is_none_or(|wanted| wanted == context);
    let subset = grant
        .context_subset
        .as_ref()
        .is_none_or(|wanted| wanted.iter().all(|(name, value)| context.get(name) == Some(value)));
    equals && subset
}

/// A map of strings; absent is empty.
pub(super) fn strings_by_name(value: Option<&Value>, name: &str) -> Result<EncryptionContext, Refusal> {
    match value {
        None | Some(Value::Null) => Ok(EncryptionContext::new()),
        Some(Value::Object(pairs)) => pairs
            .iter()
            .map(|(key, value)| {
                let value = value.as_str().ok_or_else(|| serialization(name, "a map of strings"))?;
                Ok((key.clone(), value.to_owned()))
            })
            .collect(),
        Some(_) => Err(serialization(name, "a map of strings")),
    }
}

fn shown_value(name: &str, value: &Value) -> Value {
    match (name, value) {
        ("Tags", Value::Array(tags)) => {
            tags.iter().map(|tag| json!({ "tagKey": tag["TagKey"], "tagValue": tag["TagValue"] })).collect()
        }
        ("Constraints", Value::Object(constraints)) => constraints
            .iter()
            .map(|(name, value)| (lower_camel(name), value.clone()))
            .collect::<Map<_, _>>()
            .into(),
        _ => value.clone(),
    }
}

fn lower_camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn looks_like_id(id: &str) -> bool {
    let multi_region = id
        .strip_prefix("mrk-")
        .is_some_and(|rest| rest.len() == 32 && rest.chars().all(|c| c.is_ascii_hexdigit()));
    multi_region || (id.len() == 36 && uuid::Uuid::try_parse(id).is_ok())
}

fn invalid_arn(text: &str) -> Refusal {
    Refusal::new("InvalidArnException", format!("{text} is not a valid KMS key ARN"))
}

fn gone(place: &KeyRef) -> Refusal {
    Refusal::new("NotFoundException", format!("Key '{}' does not exist", place.id))
}

fn null(name: &str) -> Refusal {
    let field = lower_camel(name);
    let message = format!(
        "1 validation error detected: Value null at '{field}' failed to satisfy constraint: Member must not be null"
    );
    Refusal::new("ValidationException", message)
}

/// `ValidationException` in AWS's words.
pub(super) fn violation(name: &str, value: &str, rule: &str) -> Refusal {
    let field = lower_camel(name);
    let message = format!(
        "1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}"
    );
    Refusal::new("ValidationException", message)
}

fn serialization(name: &str, wanted: &str) -> Refusal {
    Refusal::new("SerializationException", format!("{name} must be {wanted}"))
}
