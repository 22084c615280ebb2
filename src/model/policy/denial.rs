//! A denial in a key policy: one named statement that shuts one user or role out of a key, and is taken back whole.
//!
//! An explicit denial wins over every permission, grants among them (KMS developer guide, "Determining access to AWS
//! KMS keys"). It says nothing about services that use the key by grants of their own.

use serde_json::{Value, json};

use super::{Actions, Effect, Principal, Statement, Who, action_matches, read};
use crate::model::IncidentId;
use crate::model::plan::Digest;
use crate::model::text::visible;

/// The longest key policy, in bytes (KMS developer guide, "Resource quotas").
pub const LONGEST: usize = 32_768;
/// What is denied: a principal who may still grant, or change the policy, is not shut out.
const EVERYTHING: &str = "kms:*";
/// What whoever keeps a policy has to be allowed.
const KEEPS_POLICY: &str = "kms:PutKeyPolicy";
/// Hexadecimal digits that tell the principals of one incident apart.
const TELLING: usize = 8;

/// One incident's denial of one principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    sid: String,
    principal: String,
}

/// Why a policy cannot be changed so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotChanged {
    #[error("the key policy is unreadable: {0}. Change it by hand, with somebody who knows it")]
    Unreadable(String),
    #[error(
        "the key policy has a statement {sid} already, and not as it would be written: somebody changed it. Read it before anything is done to it"
    )]
    Altered { sid: String },
    #[error("the key policy denies this principal already, by {sid}")]
    Stands { sid: String },
    #[error("the key policy holds no statement {sid}: there is nothing to take back{others}")]
    DoesNotStand { sid: String, others: String },
    #[error(
        "the key policy would be {bytes} bytes long, and KMS takes {LONGEST} at most. Take something out of it first"
    )]
    TooLong { bytes: usize },
}

impl Denial {
    /// The denial of a user or a role, by ARN, in an incident's name.
    #[must_use]
    pub fn of(incident: &IncidentId, principal: &str) -> Self {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, principal.as_bytes());
        let mut telling = hex::encode(digest);
        telling.truncate(TELLING);
        Self { sid: format!("portcullis-{incident}-{telling}"), principal: principal.to_owned() }
    }

    /// The statement's name.
    #[must_use]
    pub fn sid(&self) -> &str {
        &self.sid
    }

    /// The statement.
    #[must_use]
    pub fn statement(&self) -> Value {
        json!({
            "Sid": self.sid,
            "Effect": "Deny",
            "Principal": { "AWS": self.principal },
            "Action": EVERYTHING,
            "Resource": "*",
        })
    }

    /// Whether it stands in a policy.
    ///
    /// # Errors
    /// Where the policy cannot be read, or its statement of this name is another one.
    pub fn stands_in(&self, policy: &str) -> Result<bool, NotChanged> {
        let policy = parsed(policy)?;
        statements(&policy)?.iter().try_fold(false, |found, one| Ok(found | self.is(one)?))
    }

    /// The policy with it.
    ///
    /// # Errors
    /// [`NotChanged`], where it stands already, cannot be added, or makes the policy too long.
    pub fn added_to(&self, policy: &str) -> Result<String, NotChanged> {
        if self.stands_in(policy)? {
            return Err(NotChanged::Stands { sid: self.sid.clone() });
        }
        changed(policy, |statements| statements.push(self.statement()))
    }

    /// The policy without it.
    ///
    /// # Errors
    /// [`NotChanged`], where it does not stand, or the policy cannot be read.
    pub fn taken_from(&self, policy: &str) -> Result<String, NotChanged> {
        if !self.stands_in(policy)? {
            let policy = parsed(policy)?;
            let mut others: Vec<_> = statements(&policy)?.iter().filter_map(sid_of).collect();
            others.retain(|sid| sid.starts_with("portcullis-"));
            let others = if others.is_empty() {
                String::new()
            } else {
                format!(
                    ". Other incidents' denials in it, to be taken back there: {}",
                    visible(&others.join(", "))
                )
            };
            return Err(NotChanged::DoesNotStand { sid: self.sid.clone(), others });
        }
        changed(policy, |statements| statements.retain(|one| sid_of(one) != Some(&self.sid)))
    }

    /// Whether a statement is this denial. AWS writes a unique id in the place of a principal that was deleted.
    fn is(&self, statement: &Value) -> Result<bool, NotChanged> {
        if sid_of(statement) != Some(&self.sid) {
            return Ok(false);
        }
        let named = statement["Principal"]["AWS"].as_str();
        let named = named.or_else(|| match statement["Principal"]["AWS"].as_array()?.as_slice() {
            [only] => only.as_str(),
            _ => None,
        });
        let ours = named.is_some_and(|named| {
            named == self.principal || named.starts_with("AROA") || named.starts_with("AIDA")
        });
        let mut as_written = statement.clone();
        as_written["Principal"] = self.statement()["Principal"].clone();
        if ours && normal(as_written) == normal(self.statement()) {
            Ok(true)
        } else {
            Err(NotChanged::Altered { sid: self.sid.clone() })
        }
    }
}

/// What tells two policies apart: SHA-256 of the policy's meaning, so that KMS may order lists and blanks as it likes.
///
/// # Errors
/// Where the text is no policy.
pub fn digest(policy: &str) -> Result<Digest, NotChanged> {
    let normal = normal(parsed(policy)?);
    let canonical =
        serde_json_canonicalizer::to_vec(&normal).map_err(|why| NotChanged::Unreadable(why.to_string()))?;
    Ok(Digest(hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical))))
}

/// Refuses a denial that would lock us out, or leave nobody who keeps the policy.
///
/// `ours` are the people and roles that must get in still: what each is, and its ARN. Gives who keeps the policy
/// afterwards, in words.
///
/// # Errors
/// Whom it would lock out, and what to do.
pub fn lockout(
    after: &str,
    denied: &str,
    account: &str,
    ours: &[(String, String)],
) -> Result<Vec<String>, String> {
    let shown = visible(denied);
    if let Some((who, _)) = ours.iter().find(|(_, arn)| same(denied, arn)) {
        return Err(format!(
            "{shown} is {who}: the denial would lock it out, and nobody here could take it back. Cut off its sessions or its credentials in IAM instead"
        ));
    }
    let policy = read(after).map_err(|why| why.to_string())?;
    let allowing = |statement: &&Statement| {
        statement.effect == Effect::Allow
            && statement.resources.is_empty()
            && statement.actions.cover(KEEPS_POLICY)
    };
    let shut_out = |who: &Principal| {
        policy.told().any(|statement| {
            statement.effect == Effect::Deny
                && statement.conditions.is_empty()
                && statement.actions.cover(KEEPS_POLICY)
                && matches!(&statement.who, Who::These(these) if these.contains(who) || these.contains(&Principal::Everyone))
        })
    };
    let mut keepers = Vec::new();
    for statement in policy.told().filter(allowing) {
        let Who::These(these) = &statement.who else { continue };
        // Only the key's own account may put its policy, and only somebody who is there.
        for who in these.iter().filter(|who| who.account() == Some(account) && !shut_out(who)) {
            let narrowed = if statement.conditions.is_empty() { "" } else { " (under conditions)" };
            keepers.push(format!("{who}{narrowed}"));
        }
    }
    keepers.sort();
    keepers.dedup();
    if keepers.is_empty() {
        return Err(format!(
            "with {shown} denied, the key policy would let nobody of account {account} change it again: nobody could take the denial back. Give the account or another role kms:PutKeyPolicy first"
        ));
    }
    Ok(keepers)
}

/// Whether two ARNs name the same user or role. A session's ARN has its role's name without the path.
fn same(denied: &str, ours: &str) -> bool {
    let (Some(denied), Some(ours)) = (Principal::of_arn(denied), Principal::of_arn(ours)) else {
        return denied == ours;
    };
    match (&denied, &ours) {
        (Principal::Role { account, name }, Principal::Session { account: in_account, role, .. }) => {
            account == in_account && name.raw().rsplit('/').next() == Some(role.raw())
        }
        _ => denied == ours,
    }
}

impl Actions {
    /// Whether they take in an action, e.g. `kms:PutKeyPolicy`.
    #[must_use]
    pub fn cover(&self, action: &str) -> bool {
        self.patterns.iter().any(|pattern| action_matches(pattern.raw(), action)) != self.all_but
    }
}

fn parsed(policy: &str) -> Result<Value, NotChanged> {
    let policy: Value =
        serde_json::from_str(policy).map_err(|why| NotChanged::Unreadable(why.to_string()))?;
    statements(&policy)?;
    Ok(policy)
}

/// The policy with other statements.
fn changed(policy: &str, change: impl FnOnce(&mut Vec<Value>)) -> Result<String, NotChanged> {
    let mut policy = parsed(policy)?;
    let mut all = statements(&policy)?.to_vec();
    change(&mut all);
    policy["Statement"] = Value::Array(all);
    let text = policy.to_string();
    if text.len() > LONGEST { Err(NotChanged::TooLong { bytes: text.len() }) } else { Ok(text) }
}

fn statements(policy: &Value) -> Result<&[Value], NotChanged> {
    match policy.get("Statement") {
        Some(Value::Array(all)) => Ok(all),
        Some(one @ Value::Object(_)) => Ok(std::slice::from_ref(one)),
        _ => Err(NotChanged::Unreadable("it has no statements".to_owned())),
    }
}

fn sid_of(statement: &Value) -> Option<&str> {
    statement.get("Sid").and_then(Value::as_str)
}

/// The same meaning in one shape: lists of texts in order and each once, a list of one as the one.
fn normal(value: Value) -> Value {
    match value {
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        Value::Array(all) if all.iter().all(Value::is_string) => {
            let mut texts: Vec<String> =
                all.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
            texts.sort();
            texts.dedup();
            match texts.as_slice() {
                [only] => Value::String(only.clone()),
                _ => texts.into(),
            }
        }
        Value::Array(all) => match <[Value; 1]>::try_from(all) {
            Ok([only]) => normal(only),
            Err(all) => all.into_iter().map(normal).collect(),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{Denial, LONGEST, NotChanged, digest, lockout};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const ACCOUNT: &str = "111122223333";
    const APP: &str = "arn:aws:iam::111122223333:role/app/decryptor";

    fn denial() -> Denial {
        Denial::of(&"INC-1".parse().unwrap(), APP)
    }

    fn policy(statements: &[Value]) -> String {
        json!({ "Version": "2012-10-17", "Id": "x", "Statement": statements }).to_string()
    }

    fn allow(principal: &str) -> Value {
        json!({ "Sid": "Enable IAM", "Effect": "Allow", "Principal": { "AWS": principal }, "Action": "kms:*", "Resource": "*" })
    }

    fn root() -> Value {
        allow("arn:aws:iam::111122223333:root")
    }

    #[test]
    fn it_is_added_once_and_taken_back_whole() {
        let before = policy(&[root()]);
        let with = denial().added_to(&before).unwrap();
        assert_eq!((denial().stands_in(&before), denial().stands_in(&with)), (Ok(false), Ok(true)));
        assert!(matches!(denial().added_to(&with), Err(NotChanged::Stands { .. })));
        let without = denial().taken_from(&with).unwrap();
        assert_eq!(digest(&without), digest(&before));
        assert_ne!(digest(&with), digest(&before));
        assert!(matches!(denial().taken_from(&without), Err(NotChanged::DoesNotStand { .. })));
    }

    #[test]
    fn another_incidents_denial_is_left_alone_and_named() {
        let theirs = Denial::of(&"INC-2".parse().unwrap(), APP).added_to(&policy(&[root()])).unwrap();
        let why = denial().taken_from(&theirs).unwrap_err().to_string();
        assert!(why.contains("portcullis-INC-2-"), "{why}");
    }

    #[test]
    fn a_statement_of_its_name_that_says_something_else_is_not_touched() {
        for (member, value) in [
            ("Effect", json!("Allow")),
            ("Action", json!("kms:Decrypt")),
            ("Principal", json!("*")),
            ("Principal", json!({ "AWS": ["arn:aws:iam::111122223333:user/x"] })),
            ("Condition", json!({ "Bool": { "aws:SecureTransport": "true" } })),
        ] {
            let mut altered = denial().statement();
            altered[member] = value;
            let policy = policy(&[root(), altered]);
            assert!(matches!(denial().stands_in(&policy), Err(NotChanged::Altered { .. })), "{policy}");
            assert!(denial().taken_from(&policy).is_err() && denial().added_to(&policy).is_err());
        }
    }

    #[test]
    fn it_is_known_again_as_kms_gives_it_back() {
        let mut rewritten = denial().statement();
        rewritten["Action"] = json!(["kms:*"]);
        rewritten["Principal"] = json!({ "AWS": ["AROAEXAMPLEID1234567"] });
        assert_eq!(denial().stands_in(&policy(&[rewritten, root()])), Ok(true));
        let one = json!({ "Statement": root() }).to_string();
        assert_eq!(denial().stands_in(&denial().added_to(&one).unwrap()), Ok(true));
    }

    #[test]
    fn what_is_no_policy_or_too_long_is_refused() {
        for text in ["", "[]", "{}", r#"{"Statement":"x"}"#] {
            assert!(matches!(denial().added_to(text), Err(NotChanged::Unreadable(_))), "{text}");
            assert!(digest(text).is_err());
        }
        let mut long = root();
        long["Sid"] = json!("x".repeat(LONGEST - 300));
        assert!(matches!(denial().added_to(&policy(&[long])), Err(NotChanged::TooLong { .. })));
    }

    #[test]
    fn whoever_must_get_in_is_not_locked_out() {
        let with = |statements: &[Value], denied: &str| {
            Denial::of(&"INC-1".parse().unwrap(), denied).added_to(&policy(statements)).unwrap()
        };
        let ours = |arn: &str| [("the role for emergency-key-admin".to_owned(), arn.to_owned())];
        let check = |statements: &[Value], denied: &str, ours: &[(String, String)]| {
            lockout(&with(statements, denied), denied, ACCOUNT, ours)
        };
        assert_eq!(check(&[root()], APP, &[]).unwrap().len(), 1);
        assert!(check(&[root()], APP, &ours(APP)).unwrap_err().contains("emergency-key-admin"));
        let session = ours("arn:aws:sts::111122223333:assumed-role/decryptor/INC-1-ab12cd");
        assert!(check(&[root()], APP, &session).is_err(), "a session is its role's");
        assert!(check(&[root()], APP, &ours("arn:aws:sts::999988887777:assumed-role/decryptor/x")).is_ok());
        for lone in [allow(APP), allow("arn:aws:iam::999988887777:root"), allow("AROAEXAMPLEID1234567")] {
            assert!(check(std::slice::from_ref(&lone), APP, &[]).unwrap_err().contains("nobody"), "{lone}");
        }
        let reader = json!({ "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::111122223333:root" }, "Action": "kms:Describe*", "Resource": "*" });
        assert!(check(&[reader, allow(APP)], APP, &[]).is_err());
        assert!(check(&[allow(APP), allow("arn:aws:iam::111122223333:role/Other")], APP, &[]).is_ok());
    }

    proptest! {
        #[test]
        fn no_policy_text_is_too_strange(text in any::<String>(), nested in "\\{\"Statement\":.{0,80}\\}") {
            for text in [text, nested] {
                let _ = (digest(&text), denial().stands_in(&text), lockout(&text, APP, ACCOUNT, &[]));
            }
        }

        #[test]
        fn order_and_single_lists_do_not_tell_policies_apart(mut actions in prop::collection::vec("kms:[A-Z][a-z]{1,4}", 1..6)) {
            let of = |actions: &[String]| {
                let mut statement = root();
                statement["Action"] = json!(actions);
                digest(&policy(&[statement])).unwrap()
            };
            let before = of(&actions);
            actions.reverse();
            prop_assert_eq!(before, of(&actions));
        }
    }
}
