//! RDS: instances whose storage a KMS key encrypts, and what becomes of them when that key is out of reach.

mod describe;
pub mod instance;

use jiff::Timestamp;
use serde_json::json;

use super::kms::Kms;
use super::kms::key::KeyState;
use super::{Call, Context, Refusal, Reply, Resource};
use instance::Instance;

/// The service's state.
#[derive(Debug, Default)]
pub struct Rds {
    pub instances: Vec<Instance>,
}

impl Rds {
    /// Brings every instance up to `now`, by whether its storage key can be used.
    ///
    /// To be called after whatever may have changed a key, and before an answer is given.
    pub fn observe(&mut self, kms: &Kms, now: Timestamp) {
        for instance in &mut self.instances {
            let usable = instance.kms_key_id.as_deref().is_none_or(|arn| is_usable(kms, arn));
            instance.observe(usable, now);
        }
    }

    /// The tags of the instance that a call names, as conditions may ask for them.
    pub fn tags_asked_about<'a>(&'a self, call: &'a Call) -> impl Iterator<Item = (&'a str, &'a str)> {
        let name = call.input.get("DBInstanceIdentifier").and_then(serde_json::Value::as_str);
        let named = move |one: &&Instance| {
            call.service == "rds"
                && one.is_in(call)
                && name.is_some_and(|name| one.identifier.eq_ignore_ascii_case(name))
        };
        let tags = self.instances.iter().filter(named).flat_map(|one| &one.tags);
        tags.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        match call.operation.as_str() {
            "DescribeDBInstances" => {
                context.facts.read_only = true;
                describe::describe(&self.instances, call, context)
            }
            "StartDBInstance" => self.start(call, context),
            _ => Err(Refusal::unknown_operation(call)),
        }
    }

    fn start(&mut self, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
        let name =
            call.input.get("DBInstanceIdentifier").and_then(serde_json::Value::as_str).unwrap_or_default();
        context.facts.request_parameters = json!({"dBInstanceIdentifier": name});
        let instance = self
            .instances
            .iter_mut()
            .find(|instance| instance.is_in(call) && instance.identifier.eq_ignore_ascii_case(name))
            .ok_or_else(|| describe::not_found(name))?;
        context.facts.resources.push(Resource {
            account: instance.account.clone(),
            kind: "AWS::RDS::DBInstance".to_owned(),
            arn: instance.arn(),
        });
        instance.start(call.at)?;
        context.facts.response_elements =
            json!({"dBInstanceIdentifier": instance.identifier, "dBInstanceStatus": instance.status()});
        Ok(Reply::Xml(describe::render(instance, call.at)))
    }
}

fn is_usable(kms: &Kms, arn: &str) -> bool {
    let mut parts = arn.split(':').skip(3);
    let (region, id) = (parts.next(), parts.nth(1).and_then(|resource| resource.strip_prefix("key/")));
    let (Some(region), Some(id)) = (region, id) else { return false };
    kms.key(region, id).is_some_and(|key| matches!(key.state, KeyState::Enabled | KeyState::Updating))
}
