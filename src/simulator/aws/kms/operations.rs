//! The operations KMS knows, as data: how each names its key, what the key's state must allow, who works it.

use serde_json::Value;

use super::desk::{Desk, Naming};
use super::state::Rule;
use super::{KeyRef, Kms};
use crate::simulator::aws::access::Access;
use crate::simulator::aws::{Call, Context, Refusal, Reply};

pub(super) type Outcome = Result<Value, Refusal>;

/// Name, whether it is read-only as `CloudTrail` counts, how it is worked.
type Operation = (&'static str, bool, Run);

/// How an operation is worked.
enum Run {
    /// On the one key that `KeyId` names: found, authorised and checked against the state table beforehand.
    OnKey(Reach, Naming, Rule, fn(&mut Desk<'_, '_>, &KeyRef) -> Outcome),
    /// On no key, on several, or on one that is found in another way: it does all of that itself.
    Whole(fn(&mut Desk<'_, '_>) -> Outcome),
}

/// Whose keys an operation may touch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// The caller's own account alone ("Cross-account use: No").
    Own,
    /// Other accounts' keys too, by ARN.
    Any,
}

use Naming::{Key, KeyOrAlias};
use Reach::{Any, Own};
use Run::{OnKey, Whole};

const READ: bool = true;
const CHANGE: bool = false;

#[rustfmt::skip]
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "a method's path fixes the desk's lifetimes; a closure takes any"
)]
const OPERATIONS: &[Operation] = &[
    ("CancelKeyDeletion",               CHANGE, OnKey(Own, Key, Rule::CancelDeletion, |desk, key| desk.cancel_key_deletion(key))),
    ("CreateAlias",                     CHANGE, Whole(|desk| desk.create_alias())),
    ("CreateGrant",                     CHANGE, OnKey(Any, Key, Rule::CreateGrant, |desk, key| desk.create_grant(key))),
    ("CreateKey",                       CHANGE, Whole(|desk| desk.create_key())),
    ("Decrypt",                         READ,   Whole(|desk| desk.decrypt())),
    ("DeleteAlias",                     CHANGE, Whole(|desk| desk.delete_alias())),
    ("DescribeKey",                     READ,   OnKey(Any, KeyOrAlias, Rule::Always, |desk, key| desk.describe_key(key))),
    ("DisableKey",                      CHANGE, OnKey(Own, Key, Rule::EnableDisable, |desk, key| desk.disable_key(key))),
    ("DisableKeyRotation",              CHANGE, OnKey(Own, Key, Rule::ChangeRotation, |desk, key| desk.disable_key_rotation(key))),
    ("EnableKey",                       CHANGE, OnKey(Own, Key, Rule::EnableDisable, |desk, key| desk.enable_key(key))),
    ("EnableKeyRotation",               CHANGE, OnKey(Own, Key, Rule::ChangeRotation, |desk, key| desk.enable_key_rotation(key))),
    ("Encrypt",                         READ,   Whole(|desk| desk.encrypt())),
    ("GenerateDataKey",                 READ,   Whole(|desk| desk.generate_data_key())),
    ("GenerateDataKeyWithoutPlaintext", READ,   Whole(|desk| desk.generate_data_key_without_plaintext())),
    ("GetKeyLastUsage",                 READ,   OnKey(Own, Key, Rule::Always, |desk, key| desk.get_key_last_usage(key))),
    ("GetKeyPolicy",                    READ,   OnKey(Own, Key, Rule::Always, |desk, key| desk.get_key_policy(key))),
    ("GetKeyRotationStatus",            READ,   OnKey(Any, Key, Rule::ReadRotation, |desk, key| desk.get_key_rotation_status(key))),
    ("ListAliases",                     READ,   Whole(|desk| desk.list_aliases())),
    ("ListGrants",                      READ,   OnKey(Any, Key, Rule::Always, |desk, key| desk.list_grants(key))),
    ("ListKeyPolicies",                 READ,   OnKey(Own, Key, Rule::Always, |desk, key| desk.list_key_policies(key))),
    ("ListKeyRotations",                READ,   OnKey(Own, Key, Rule::Always, |desk, key| desk.list_key_rotations(key))),
    ("ListKeys",                        READ,   Whole(|desk| desk.list_keys())),
    ("ListResourceTags",                READ,   OnKey(Own, Key, Rule::Always, |desk, key| desk.list_resource_tags(key))),
    ("PutKeyPolicy",                    CHANGE, OnKey(Own, Key, Rule::Always, |desk, key| desk.put_key_policy(key))),
    ("ReEncrypt",                       READ,   Whole(|desk| desk.re_encrypt())),
    ("RetireGrant",                     CHANGE, Whole(|desk| desk.retire_grant())),
    ("RevokeGrant",                     CHANGE, OnKey(Any, Key, Rule::Always, |desk, key| desk.revoke_grant(key))),
    ("RotateKeyOnDemand",               CHANGE, OnKey(Own, Key, Rule::ChangeRotation, |desk, key| desk.rotate_key_on_demand(key))),
    ("ScheduleKeyDeletion",             CHANGE, OnKey(Own, Key, Rule::ScheduleDeletion, |desk, key| desk.schedule_key_deletion(key))),
    ("TagResource",                     CHANGE, OnKey(Own, Key, Rule::Describe, |desk, key| desk.tag_resource(key))),
    ("UntagResource",                   CHANGE, OnKey(Own, Key, Rule::Describe, |desk, key| desk.untag_resource(key))),
    ("UpdateAlias",                     CHANGE, Whole(|desk| desk.update_alias())),
    ("UpdateKeyDescription",            CHANGE, OnKey(Own, Key, Rule::Describe, |desk, key| desk.update_key_description(key))),
];

fn operation(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|(one, ..)| *one == name)
}

/// Whether an operation changes nothing, as `CloudTrail` counts it; `None` for one that KMS does not have here.
#[must_use]
pub fn is_read_only(name: &str) -> Option<bool> {
    operation(name).map(|(_, read_only, _)| *read_only)
}

/// The operations that the state table governs one by one, for tests.
#[cfg(test)]
pub(super) fn governed() -> Vec<(&'static str, Rule)> {
    OPERATIONS
        .iter()
        .filter_map(|(name, _, run)| match run {
            OnKey(_, _, rule, _) => Some((*name, *rule)),
            Whole(_) => None,
        })
        .collect()
}

impl Kms {
    /// Answers one call.
    ///
    /// # Errors
    ///
    /// AWS's own refusals.
    pub fn handle(
        &mut self,
        call: &Call,
        access: &Access,
        context: &mut Context<'_>,
    ) -> Result<Reply, Refusal> {
        let Some((_, read_only, run)) = operation(&call.operation) else {
            return Err(Refusal::unknown_operation(call));
        };
        context.facts.read_only = *read_only;
        let mut desk = Desk { kms: self, call, access, context };
        desk.note_parameters();
        desk.context.facts.dry_run = desk.flag("DryRun")?;
        let answer = match run {
            Whole(work) => work(&mut desk)?,
            OnKey(reach, naming, rule, work) => {
                let place = desk.find("KeyId", *naming)?;
                if *reach == Own && desk.key(&place)?.account != call.caller.account {
                    return Err(desk.cross_account_denial());
                }
                desk.authorize(&place, &format!("kms:{}", call.operation), None)?;
                rule.check(desk.key(&place)?)?;
                work(&mut desk, &place)?
            }
        };
        Ok(Reply::Json(answer))
    }
}
