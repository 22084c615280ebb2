//! Key policies.

use serde_json::{Value, json};

use super::KeyRef;
use super::desk::Desk;
use super::key::Key;
use super::operations::Outcome;
use super::paging::{Size, page};
use crate::simulator::aws::Refusal;
use crate::simulator::aws::policy::Policy;

/// The longest key policy, in bytes.
const LONGEST: usize = 32_768;

impl Desk<'_, '_> {
    pub fn get_key_policy(&mut self, place: &KeyRef) -> Outcome {
        self.default_name()?;
        Ok(json!({ "Policy": self.key(place)?.policy, "PolicyName": "default" }))
    }

    pub fn list_key_policies(&mut self, _: &KeyRef) -> Outcome {
        page(self, "PolicyNames", Size { usual: 100, most: 1000 }, [("default", "default")], |name| {
            json!(name)
        })
    }

    pub fn put_key_policy(&mut self, place: &KeyRef) -> Outcome {
        self.default_name()?;
        let policy = self.required("Policy")?.to_owned();
        let bypass = self.flag("BypassPolicyLockoutSafetyCheck")?;
        check_lockout(self, self.key(place)?, &policy, bypass)?;
        self.key_mut(place)?.policy = policy;
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    /// `default` is the only policy a key has.
    fn default_name(&self) -> Result<(), Refusal> {
        match self.string("PolicyName")? {
            None | Some("default") => Ok(()),
            Some(_) => Err(Refusal::new("NotFoundException", "No such policy exists")),
        }
    }
}

/// Whether a policy can be read, and leaves its author able to change it again unless that check is bypassed.
pub(super) fn check_lockout(
    desk: &Desk<'_, '_>,
    key: &Key,
    policy: &str,
    bypass: bool,
) -> Result<(), Refusal> {
    let malformed = |message: String| Refusal::new("MalformedPolicyDocumentException", message);
    if policy.len() > LONGEST {
        let message = format!("Policy is longer than {LONGEST} bytes");
        return Err(Refusal::new("LimitExceededException", message));
    }
    Policy::parse(policy).map_err(|why| malformed(why.to_string()))?;
    if !bypass && desk.judge(key, policy, "kms:PutKeyPolicy", None).is_err() {
        return Err(malformed(
            "The new key policy will not allow you to update the key policy in the future.".to_owned(),
        ));
    }
    Ok(())
}
