//! Grants.

use serde_json::{Value, json};

use super::KeyRef;
use super::desk::{Desk, Naming, strings_by_name, violation};
use super::key::{Grant, KeyUsage, epoch};
use super::operations::Outcome;
use super::paging::{Size, page};
use crate::simulator::aws::{Identity, Refusal};

/// Grants that a key may have.
const LIMIT: usize = 50_000;

/// Grant operations, and the usages of the keys that they are for; `None` for any.
const OPERATIONS: &[(&str, Option<KeyUsage>)] = &[
    ("Decrypt", Some(KeyUsage::EncryptDecrypt)),
    ("Encrypt", Some(KeyUsage::EncryptDecrypt)),
    ("GenerateDataKey", Some(KeyUsage::EncryptDecrypt)),
    ("GenerateDataKeyWithoutPlaintext", Some(KeyUsage::EncryptDecrypt)),
    ("GenerateDataKeyPair", Some(KeyUsage::EncryptDecrypt)),
    ("GenerateDataKeyPairWithoutPlaintext", Some(KeyUsage::EncryptDecrypt)),
    ("ReEncryptFrom", Some(KeyUsage::EncryptDecrypt)),
    ("ReEncryptTo", Some(KeyUsage::EncryptDecrypt)),
    ("Sign", Some(KeyUsage::SignVerify)),
    ("Verify", Some(KeyUsage::SignVerify)),
    ("GenerateMac", Some(KeyUsage::GenerateVerifyMac)),
    ("VerifyMac", Some(KeyUsage::GenerateVerifyMac)),
    ("DeriveSharedSecret", Some(KeyUsage::KeyAgreement)),
    ("GetPublicKey", None),
    ("CreateGrant", None),
    ("RetireGrant", None),
    ("DescribeKey", None),
];

impl Desk<'_, '_> {
    pub fn create_grant(&mut self, place: &KeyRef) -> Outcome {
        let grant = self.wanted_grant(place)?;
        let key = self.key(place)?;
        let same = |one: &&Grant| grant.name.is_some() && alike(one, &grant);
        // A named grant asked for twice is one grant, so that a retry makes no second.
        let (id, token) = match key.grants.iter().find(same) {
            Some(one) => (one.id.clone(), one.token.clone()),
            None if key.grants.len() >= LIMIT => {
                return Err(Refusal::new(
                    "LimitExceededException",
                    format!("A key has {LIMIT} grants at most"),
                ));
            }
            None => (grant.id.clone(), grant.token.clone()),
        };
        self.unless_dry_run()?;
        let key = self.key_mut(place)?;
        if !key.grants.iter().any(|one| one.id == id) {
            key.grants.push(grant);
        }
        self.echo(place, json!({ "grantId": id }));
        Ok(json!({ "GrantId": id, "GrantToken": token }))
    }

    fn wanted_grant(&mut self, place: &KeyRef) -> Result<Grant, Refusal> {
        let grantee = self.required("GranteePrincipal")?.to_owned();
        let retiring = self.string("RetiringPrincipal")?.map(str::to_owned);
        for (field, principal) in
            [("GranteePrincipal", Some(&grantee)), ("RetiringPrincipal", retiring.as_ref())]
        {
            if principal.is_some_and(|principal| !names_a_principal(principal)) {
                let message = format!("{field} is not a valid principal ARN");
                return Err(Refusal::new("InvalidArnException", message));
            }
        }
        let operations = self.strings("Operations")?;
        self.check_operations(place, &operations)?;
        let constraints = self.call.input.get("Constraints").cloned().unwrap_or_default();
        let constraint =
            |name: &str| constraints.get(name).map(|value| strings_by_name(Some(value), name)).transpose();
        let (account, at, name) =
            (self.call.caller.arn(), self.call.at, self.string("Name")?.map(str::to_owned));
        let (context_equals, context_subset) =
            (constraint("EncryptionContextEquals")?, constraint("EncryptionContextSubset")?);
        let drawn = Grant::new(&grantee, &[], &self.call.caller.account, at, self.context.rng);
        Ok(Grant {
            name,
            retiring,
            operations,
            context_equals,
            context_subset,
            issuing_account: issuing(&account),
            ..drawn
        })
    }

    fn check_operations(&self, place: &KeyRef, operations: &[String]) -> Result<(), Refusal> {
        if operations.is_empty() {
            return Err(violation("Operations", "[]", "Member must have length greater than or equal to 1"));
        }
        let key = self.key(place)?;
        for operation in operations {
            let Some((_, usage)) = OPERATIONS.iter().find(|(name, _)| name == operation) else {
                return Err(violation(
                    "Operations",
                    &format!("{operations:?}"),
                    "Member must satisfy enum value set",
                ));
            };
            if usage.is_some_and(|usage| usage != key.usage) {
                let message = format!(
                    "Grant operation {operation} is not supported for keys of usage {}",
                    key.usage.as_str()
                );
                return Err(Refusal::new("ValidationException", message));
            }
        }
        Ok(())
    }

    pub fn list_grants(&mut self, place: &KeyRef) -> Outcome {
        let (id, grantee) = (self.string("GrantId")?, self.string("GranteePrincipal")?);
        let key = self.key(place)?;
        let arn = key.arn();
        let items = key
            .grants
            .iter()
            .filter(|grant| {
                id.is_none_or(|id| grant.id == id) && grantee.is_none_or(|one| grant.grantee == one)
            })
            .map(|grant| (grant.id.as_str(), grant))
            .collect::<std::collections::BTreeMap<_, _>>();
        page(self, "Grants", Size { usual: 50, most: 100 }, items, |grant| entry(&arn, grant))
    }

    pub fn revoke_grant(&mut self, place: &KeyRef) -> Outcome {
        let id = self.required("GrantId")?.to_owned();
        self.grant(place, &id)?;
        self.unless_dry_run()?;
        self.drop_grant(place, &id)
    }

    /// By token, or by key and grant id; for the retiring principal, a grantee that may, or the key's account.
    pub fn retire_grant(&mut self) -> Outcome {
        let (place, id) = match self.string("GrantToken")?.map(str::to_owned) {
            Some(token) => self.by_token(&token)?,
            None => (self.find("KeyId", Naming::Key)?, self.required("GrantId")?.to_owned()),
        };
        self.note_key(&place);
        let grant = self.grant(&place, &id)?;
        let arns = &self.access.principal.arns;
        let grantee_may =
            arns.contains(&grant.grantee) && grant.operations.iter().any(|one| one == "RetireGrant");
        let retires = grant.retiring.as_ref().is_some_and(|retiring| arns.contains(retiring));
        let root = self.access.caller.identity == Identity::Root;
        if !(grantee_may || retires || root) {
            self.authorize(&place, "kms:RetireGrant", None)?;
        }
        self.unless_dry_run()?;
        self.drop_grant(&place, &id)
    }

    fn drop_grant(&mut self, place: &KeyRef, id: &str) -> Outcome {
        self.key_mut(place)?.grants.retain(|grant| grant.id != id);
        self.echo(place, Value::Null);
        Ok(Value::Null)
    }

    fn grant(&self, place: &KeyRef, id: &str) -> Result<&Grant, Refusal> {
        let found = self.key(place)?.grants.iter().find(|grant| grant.id == id);
        found.ok_or_else(|| Refusal::new("NotFoundException", format!("Grant ID {id} not found")))
    }

    fn by_token(&self, token: &str) -> Result<(KeyRef, String), Refusal> {
        let mut here = self.kms.keys().filter(|key| key.region == self.call.region);
        here.find_map(|key| {
            let grant = key.grants.iter().find(|grant| grant.token == token)?;
            Some((super::Kms::place(key), grant.id.clone()))
        })
        .ok_or_else(|| Refusal::new("InvalidGrantTokenException", "The grant token is not valid"))
    }
}

fn entry(arn: &str, grant: &Grant) -> Value {
    let mut entry = json!({
        "KeyId": arn,
        "GrantId": grant.id,
        "Name": grant.name.as_deref().unwrap_or_default(),
        "CreationDate": epoch(grant.created),
        "GranteePrincipal": grant.grantee,
        "IssuingAccount": grant.issuing_account,
        "Operations": grant.operations,
    });
    if let Some(retiring) = &grant.retiring {
        entry["RetiringPrincipal"] = json!(retiring);
    }
    let mut constraints = json!({});
    if let Some(context) = &grant.context_equals {
        constraints["EncryptionContextEquals"] = json!(context);
    }
    if let Some(context) = &grant.context_subset {
        constraints["EncryptionContextSubset"] = json!(context);
    }
    if grant.context_equals.is_some() || grant.context_subset.is_some() {
        entry["Constraints"] = constraints;
    }
    entry
}

/// Whether two grants say the same, ids and dates apart.
fn alike(one: &Grant, other: &Grant) -> bool {
    let said = |grant: &Grant| {
        let Grant { name, grantee, retiring, operations, context_equals, context_subset, .. } = grant.clone();
        (name, grantee, retiring, operations, context_equals, context_subset)
    };
    said(one) == said(other)
}

fn names_a_principal(text: &str) -> bool {
    text.starts_with("arn:aws:iam::") || text.starts_with("arn:aws:sts::") || text.ends_with(".amazonaws.com")
}

/// The root of the account in an ARN, as `IssuingAccount` has it.
fn issuing(arn: &str) -> String {
    let account = arn.split(':').nth(4).unwrap_or_default();
    format!("arn:aws:iam::{account}:root")
}
