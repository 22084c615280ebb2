//! A key's life: made, disabled, enabled, scheduled for deletion, saved from it; its tags and description.

use serde_json::{Value, json};

use super::KeyRef;
use super::desk::{Desk, violation};
use super::key::{KeyManager, KeySpec, KeySpecification, KeyState, KeyUsage, Origin, epoch};
use super::operations::Outcome;
use super::policies::check_lockout;
use crate::simulator::aws::Refusal;

/// The deletion window in days: the least, the most, and what it is when nothing is asked.
const WINDOW: (i64, i64, i64) = (7, 30, 30);

impl Desk<'_, '_> {
    pub fn create_key(&mut self) -> Outcome {
        self.authorize_account("kms:CreateKey", "*")?;
        let specification = self.specification()?;
        let (policy, bypass) = (specification.policy.clone(), self.flag("BypassPolicyLockoutSafetyCheck")?);
        let key = super::key::Key::new(specification, self.context.rng);
        if let Some(policy) = policy {
            check_lockout(self, &key, &policy, bypass)?;
        }
        let metadata = key.metadata();
        let place = super::Kms::place(&key);
        self.kms.insert(key);
        self.note_key(&place);
        self.context.facts.response_elements = json!({ "keyMetadata": shown(&metadata) });
        Ok(json!({ "KeyMetadata": metadata }))
    }

    fn specification(&self) -> Result<KeySpecification, Refusal> {
        let spec = match self.word("KeySpec", KeySpec::parse)? {
            Some(spec) => Some(spec),
            None => self.word("CustomerMasterKeySpec", KeySpec::parse)?,
        };
        let spec = spec.unwrap_or(KeySpec::SymmetricDefault);
        let origin = self.word("Origin", Origin::parse)?.unwrap_or(Origin::AwsKms);
        if matches!(origin, Origin::CloudHsm | Origin::ExternalKeyStore) {
            let message = format!(
                "Origin {} is not supported here: the simulator has no custom key stores.",
                origin.as_str()
            );
            return Err(Refusal::new("UnsupportedOperationException", message));
        }
        let usage = self.word("KeyUsage", KeyUsage::parse)?.unwrap_or(KeyUsage::EncryptDecrypt);
        if !fits(spec, usage) {
            let message =
                format!("KeyUsage {} is not compatible with KeySpec {}", usage.as_str(), spec.as_str());
            return Err(Refusal::new("ValidationException", message));
        }
        let caller = &self.call.caller.account;
        Ok(KeySpecification {
            origin,
            spec,
            usage,
            manager: KeyManager::Customer,
            multi_region: self.flag("MultiRegion")?,
            description: self.string("Description")?.unwrap_or_default().to_owned(),
            tags: self.tags()?,
            policy: self.string("Policy")?.map(str::to_owned),
            ..KeySpecification::symmetric(&self.call.region, caller, self.call.at)
        })
    }

    pub fn enable_key(&mut self, place: &KeyRef) -> Outcome {
        self.switch(place, KeyState::Enabled)
    }

    pub fn disable_key(&mut self, place: &KeyRef) -> Outcome {
        self.switch(place, KeyState::Disabled)
    }

    /// An unavailable key says yes and stays as it is, until it is back.
    fn switch(&mut self, place: &KeyRef, to: KeyState) -> Outcome {
        let key = self.key_mut(place)?;
        if key.state != KeyState::Unavailable {
            key.state = to;
        }
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    pub fn schedule_key_deletion(&mut self, place: &KeyRef) -> Outcome {
        let (least, most, usual) = WINDOW;
        let window = self.integer("PendingWindowInDays", 1, 365)?.unwrap_or(usual);
        if !(least..=most).contains(&window) {
            let rule = format!("PendingWindowInDays must be between {least} and {most} days");
            return Err(violation("PendingWindowInDays", &window.to_string(), &rule));
        }
        let at = self.call.at;
        let key = self.key_mut(place)?;
        key.schedule_deletion(at, window);
        let mut answer =
            json!({ "KeyId": key.arn(), "KeyState": key.state.as_str(), "PendingWindowInDays": window });
        let mut elements = json!({ "keyState": key.state.as_str(), "pendingWindowInDays": window });
        if let Some(date) = key.deletion_date {
            answer["DeletionDate"] = epoch(date);
            elements["deletionDate"] = json!(date.strftime("%b %-d, %Y, %-I:%M:%S %p").to_string());
        }
        self.echo(place, elements);
        Ok(answer)
    }

    pub fn cancel_key_deletion(&mut self, place: &KeyRef) -> Outcome {
        let key = self.key_mut(place)?;
        key.cancel_deletion();
        let answer = json!({ "KeyId": key.arn() });
        self.echo(place, Value::Null);
        Ok(answer)
    }

    pub fn tag_resource(&mut self, place: &KeyRef) -> Outcome {
        let tags = self.tags()?;
        let key = self.key_mut(place)?;
        let mut all = key.tags.clone();
        all.extend(tags);
        if all.len() > 50 {
            return Err(Refusal::new("LimitExceededException", "Too many tags: a key has 50 at most"));
        }
        key.tags = all;
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    pub fn untag_resource(&mut self, place: &KeyRef) -> Outcome {
        let names = self.strings("TagKeys")?;
        self.key_mut(place)?.tags.retain(|name, _| !names.contains(name));
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    pub fn update_key_description(&mut self, place: &KeyRef) -> Outcome {
        let description = self.string("Description")?.unwrap_or_default().to_owned();
        self.key_mut(place)?.description = description;
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }
}

/// Whether KMS makes keys of this spec for this usage.
fn fits(spec: KeySpec, usage: KeyUsage) -> bool {
    use KeySpec::{
        EccNistP256, EccNistP384, EccNistP521, EccSecgP256K1, Rsa2048, Rsa3072, Rsa4096, SymmetricDefault,
    };
    match usage {
        KeyUsage::EncryptDecrypt => matches!(spec, SymmetricDefault | Rsa2048 | Rsa3072 | Rsa4096),
        KeyUsage::SignVerify => {
            matches!(
                spec,
                Rsa2048 | Rsa3072 | Rsa4096 | EccNistP256 | EccNistP384 | EccNistP521 | EccSecgP256K1
            )
        }
        KeyUsage::KeyAgreement => matches!(spec, EccNistP256 | EccNistP384 | EccNistP521),
        KeyUsage::GenerateVerifyMac => {
            matches!(spec, KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512)
        }
    }
}

/// Metadata as `CloudTrail` shows it, in lower camel case; `AWSAccountId` becomes `aWSAccountId` there.
fn shown(metadata: &Value) -> Value {
    let fields = metadata.as_object().into_iter().flatten();
    fields
        .map(|(name, value)| {
            let mut name = name.clone();
            name[..1].make_ascii_lowercase();
            (name, value.clone())
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
