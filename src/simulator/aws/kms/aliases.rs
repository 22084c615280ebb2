//! Aliases.

use serde_json::{Value, json};

use super::desk::{Desk, Naming};
use super::key::epoch;
use super::operations::Outcome;
use super::paging::{Size, page};
use super::state::Rule;
use super::{Alias, AliasRef, KeyRef};
use crate::simulator::aws::{Refusal, Resource};

impl Desk<'_, '_> {
    pub fn create_alias(&mut self) -> Outcome {
        let alias = self.alias_name()?;
        let target = self.alias_target("kms:CreateAlias", &alias)?;
        if self.kms.aliases.contains_key(&alias) {
            let message = format!("An alias with the name {} already exists", alias_arn(&alias));
            return Err(Refusal::new("AlreadyExistsException", message));
        }
        Rule::Describe.check(self.key(&target)?)?;
        self.point(alias, &target);
        Ok(Value::Null)
    }

    pub fn update_alias(&mut self) -> Outcome {
        let alias = self.alias_name()?;
        let old = self.existing(&alias)?;
        let target = self.alias_target("kms:UpdateAlias", &alias)?;
        Rule::Describe.check(self.key(&target)?)?;
        if let Some(old) = old {
            self.authorize(&old, "kms:UpdateAlias", None)?;
            let (from, to) = (self.key(&old)?, self.key(&target)?);
            if from.spec != to.spec || from.usage != to.usage {
                let message = "The new key must be the same type (symmetric or asymmetric or HMAC) and have the same key usage as the current key.";
                return Err(Refusal::new("ValidationException", message));
            }
        }
        self.point(alias, &target);
        Ok(Value::Null)
    }

    pub fn delete_alias(&mut self) -> Outcome {
        let alias = self.alias_name()?;
        let target = self.existing(&alias)?;
        self.authorize_account("kms:DeleteAlias", &alias_arn(&alias))?;
        self.note_alias(&alias);
        if let Some(target) = &target {
            self.note_key(target);
            self.authorize(target, "kms:DeleteAlias", None)?;
            self.echo(target, Value::Null);
        }
        self.kms.remove_alias(&alias);
        Ok(Value::Null)
    }

    pub fn list_aliases(&mut self) -> Outcome {
        self.authorize_account("kms:ListAliases", "*")?;
        let only = match self.string("KeyId")? {
            Some(_) => Some(self.find("KeyId", Naming::Key)?.id),
            None => None,
        };
        let (account, region) = (&self.call.caller.account, &self.call.region);
        let own =
            self.kms.aliases.iter().filter(|(alias, _)| alias.account == *account && alias.region == *region);
        let items = own
            .filter(|(_, to)| only.is_none() || to.target == only)
            .map(|(alias, to)| (alias.name.as_str(), (alias, to)));
        page(self, "Aliases", Size { usual: 50, most: 100 }, items, |(alias, to)| alias_entry(alias, to))
    }

    /// `AliasName`, checked, of the caller's account in this Region.
    fn alias_name(&self) -> Result<AliasRef, Refusal> {
        let name = self.required("AliasName")?;
        let word = name.strip_prefix("alias/");
        let fits = name.len() <= 256
            && word.is_some_and(|word| {
                !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "/_-".contains(c))
            });
        if word.is_none() {
            return Err(Refusal::new(
                "ValidationException",
                "Alias must start with the prefix \"alias/\". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html",
            ));
        }
        if !fits {
            return Err(Refusal::new(
                "InvalidAliasNameException",
                "Alias contains invalid characters: it may have letters, digits, slashes, underscores and hyphens",
            ));
        }
        if name.starts_with("alias/aws/") {
            return Err(Refusal::new(
                "NotAuthorizedException",
                "Aliases beginning with alias/aws/ are reserved for AWS",
            ));
        }
        Ok(AliasRef {
            region: self.call.region.clone(),
            account: self.call.caller.account.clone(),
            name: name.to_owned(),
        })
    }

    /// What an alias that must exist points at.
    fn existing(&self, alias: &AliasRef) -> Result<Option<KeyRef>, Refusal> {
        let Some(found) = self.kms.aliases.get(alias) else {
            let message = format!("Alias {} is not found.", alias_arn(alias));
            return Err(Refusal::new("NotFoundException", message));
        };
        Ok(found.target.clone().map(|id| KeyRef { region: alias.region.clone(), id }))
    }

    /// The key that the alias is to point at, which the caller may so name.
    fn alias_target(&mut self, action: &str, alias: &AliasRef) -> Result<KeyRef, Refusal> {
        let target = self.find("TargetKeyId", Naming::Key)?;
        self.note_alias(alias);
        if self.key(&target)?.account != self.call.caller.account {
            return Err(self.cross_account_denial());
        }
        self.authorize_account(action, &alias_arn(alias))?;
        self.authorize(&target, action, None)?;
        Ok(target)
    }

    fn note_alias(&mut self, alias: &AliasRef) {
        let arn = alias_arn(alias);
        let resource = Resource { account: alias.account.clone(), kind: "AWS::KMS::Alias".to_owned(), arn };
        self.context.facts.resources.push(resource);
    }

    fn point(&mut self, alias: AliasRef, target: &KeyRef) {
        let AliasRef { region, account, name } = alias;
        self.kms.add_alias(&region, &account, &name, &target.id, self.call.at);
        self.echo(target, Value::Null);
    }
}

fn alias_arn(alias: &AliasRef) -> String {
    format!("arn:aws:kms:{}:{}:{}", alias.region, alias.account, alias.name)
}

fn alias_entry(alias: &AliasRef, to: &Alias) -> Value {
    let mut entry = json!({ "AliasName": alias.name, "AliasArn": alias_arn(alias) });
    if let Some(target) = &to.target {
        entry["TargetKeyId"] = json!(target);
        entry["CreationDate"] = epoch(to.created);
        entry["LastUpdatedDate"] = epoch(to.updated);
    }
    entry
}
