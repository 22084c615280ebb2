//! Whether a key policy still lets us administer the key.
//!
//! `PutKeyPolicy` works while deletion is pending, so an intruder can lock the owner out during the window.
//! This reads the policy's plain statements; it does not evaluate conditions, boundaries or organisation
//! policies, and says so where one could matter.

use serde_json::Value;

use crate::model::plan::Operation;
use crate::model::policy::action_matches;
use crate::model::text::visible;

/// What the policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Administrable {
    /// A statement without conditions allows it; whom it names.
    Yes(String),
    /// Not plainly, and why not.
    Doubtful(String),
}

/// Whether `policy` allows the account, or `requester`, to recover a key: both calls that recovery makes,
/// and the one that mends a policy.
pub(super) fn administrable(policy: &str, account: &str, requester: Option<&str>) -> Administrable {
    let statements = match serde_json::from_str::<Value>(policy) {
        Ok(policy) => many(policy.get("Statement").cloned()),
        Err(why) => return Administrable::Doubtful(format!("the key policy is no JSON: {why}")),
    };
    let needed =
        [Operation::CancelKeyDeletion.iam_action(), Operation::EnableKey.iam_action(), "kms:PutKeyPolicy"];
    let hits =
        |s: &&Value| is(s, "Deny") && needed.iter().any(|a| covers(s, a)) && may_hit(s, account, requester);
    if let Some(deny) = statements.iter().find(hits) {
        let sid = deny.get("Sid").and_then(Value::as_str).unwrap_or("without Sid");
        return Administrable::Doubtful(format!(
            "the key policy denies some of {} (statement {}): read whom",
            needed.join(", "),
            visible(sid)
        ));
    }
    let mut by = Vec::new();
    for action in needed {
        let allows = |s: &&Value| is(s, "Allow") && s.get("Condition").is_none() && covers(s, action);
        match statements.iter().filter(allows).find_map(|s| ours(s, account, requester)) {
            Some(principal) => by.push(principal),
            None => {
                return Administrable::Doubtful(format!(
                    "no plain statement of the key policy allows {action} to this account or to you"
                ));
            }
        }
    }
    by.dedup();
    Administrable::Yes(by.join(", "))
}

/// Whether a denial can be about us. One that names others alone is not, nor one of calls without MFA or past the
/// lockout check: neither is ever made here.
fn may_hit(deny: &Value, account: &str, requester: Option<&str>) -> bool {
    let never: [(&str, &str); 2] =
        [("aws:MultiFactorAuthPresent", "false"), ("kms:BypassPolicyLockoutSafetyCheck", "true")];
    let only_never = deny.get("Condition").and_then(Value::as_object).is_some_and(|block| {
        let one_of_them = |(operator, lines): (&String, &Value)| {
            matches!(operator.as_str(), "Bool" | "BoolIfExists")
                && lines.as_object().is_some_and(|lines| {
                    !lines.is_empty()
                        && lines.iter().all(|(key, value)| {
                            never
                                .iter()
                                .any(|(k, v)| k.eq_ignore_ascii_case(key) && value.as_str() == Some(v))
                        })
                })
        };
        !block.is_empty() && block.iter().all(one_of_them)
    });
    let everyone = match deny.get("Principal") {
        Some(Value::Object(by_kind)) => many(by_kind.get("AWS").cloned()).iter().any(|p| p == "*"),
        Some(Value::String(all)) => all == "*",
        _ => true,
    };
    !only_never && (everyone || ours(deny, account, requester).is_some())
}

/// The principal of a statement that is us: the account as a whole, or who asks.
fn ours(statement: &Value, account: &str, requester: Option<&str>) -> Option<String> {
    let principals = match statement.get("Principal") {
        Some(Value::Object(by_kind)) => many(by_kind.get("AWS").cloned()),
        other => many(other.cloned()),
    };
    let role = requester.and_then(role_of);
    principals.iter().filter_map(Value::as_str).find_map(|principal| {
        let whole = principal == account || principal.ends_with(&format!("iam::{account}:root"));
        let me = Some(principal) == requester || Some(principal) == role.as_deref();
        (whole || me).then(|| visible(principal).into_owned())
    })
}

/// The role's ARN behind an assumed-role session's. A role's path is not in the session's ARN.
fn role_of(session: &str) -> Option<String> {
    let (head, rest) = session.split_once(":sts::")?;
    let (account, rest) = rest.split_once(":assumed-role/")?;
    let role = rest.split('/').next()?;
    Some(format!("{head}:iam::{account}:role/{role}"))
}

fn is(statement: &Value, effect: &str) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some(effect)
}

/// Whether a statement's actions take in `action`. `NotAction` and `NotPrincipal` are never plain.
fn covers(statement: &Value, action: &str) -> bool {
    let deny = is(statement, "Deny");
    if let Some(not) = statement.get("NotAction") {
        return deny
            && !many(Some(not.clone())).iter().filter_map(Value::as_str).any(|p| action_matches(p, action));
    }
    many(statement.get("Action").cloned()).iter().filter_map(Value::as_str).any(|p| action_matches(p, action))
}

/// One or many, as IAM writes lists.
fn many(value: Option<Value>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
    }
}

#[cfg(test)]
mod tests {
    use super::{Administrable, action_matches, administrable};
    use proptest::prelude::*;

    const ACCOUNT: &str = "111122223333";

    fn asked(statements: &str, requester: Option<&str>) -> Administrable {
        administrable(&format!("{{\"Statement\": {statements}}}"), ACCOUNT, requester)
    }

    #[test]
    fn the_account_s_root_is_enough() {
        let policy = r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"}"#;
        assert!(matches!(asked(policy, None), Administrable::Yes(_)));
    }

    #[test]
    fn the_role_behind_our_session_is_enough() {
        let policy = r#"[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/Recovery"]},"Action":["kms:CancelKeyDeletion","kms:EnableKey","kms:Put*"]}]"#;
        let me = "arn:aws:sts::111122223333:assumed-role/Recovery/anna";
        assert!(matches!(asked(policy, Some(me)), Administrable::Yes(_)));
        assert!(matches!(asked(policy, None), Administrable::Doubtful(_)));
    }

    #[test]
    fn a_lockout_shows() {
        for (policy, word) in [
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::999988887777:root"},"Action":"kms:*"}"#,
                "no plain",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:Describe*"}"#,
                "no plain",
            ),
            (
                r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Condition":{"Bool":{"x":"y"}}}"#,
                "no plain",
            ),
            (
                r#"[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*"},{"Effect":"Deny","Principal":"*","Action":"kms:EnableKey","Sid":"x"}]"#,
                "denies",
            ),
            (
                r#"[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"*"},{"Effect":"Deny","Principal":"*","NotAction":"kms:Decrypt"}]"#,
                "denies",
            ),
        ] {
            let Administrable::Doubtful(why) = asked(policy, None) else { panic!("{policy}") };
            assert!(why.contains(word), "{policy}: {why}");
        }
        assert!(matches!(administrable("not json", ACCOUNT, None), Administrable::Doubtful(_)));
    }

    #[test]
    fn a_denial_of_others_or_of_what_is_never_done_locks_nobody_out() {
        let root = r#"{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*"}"#;
        for deny in [
            r#"{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":"kms:*","Sid":"portcullis-INC-1-ab12cd34"}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:EnableKey","Condition":{"BoolIfExists":{"aws:MultiFactorAuthPresent":"false"}}}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:PutKeyPolicy","Condition":{"Bool":{"kms:BypassPolicyLockoutSafetyCheck":"true"}}}"#,
        ] {
            assert!(matches!(asked(&format!("[{root},{deny}]"), None), Administrable::Yes(_)), "{deny}");
        }
        for deny in [
            r#"{"Effect":"Deny","Principal":{"AWS":["arn:aws:iam::111122223333:role/app","*"]},"Action":"kms:*"}"#,
            r#"{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::111122223333:role/app"},"Action":"kms:*"}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
            r#"{"Effect":"Deny","Principal":"*","Action":"kms:*","Condition":{}}"#,
        ] {
            assert!(matches!(asked(&format!("[{root},{deny}]"), None), Administrable::Doubtful(_)), "{deny}");
        }
    }

    #[test]
    fn wildcards_match_as_iam_has_them() {
        assert!(
            action_matches("KMS:enable*", "kms:EnableKey")
                && action_matches("*", "kms:EnableKey")
                && action_matches("kms:?nableKey", "kms:EnableKey")
        );
        assert!(!action_matches("kms:Enable", "kms:EnableKey") && !action_matches("s3:*", "kms:EnableKey"));
    }

    proptest! {
        #[test]
        fn any_policy_text_is_survived(policy in any::<String>()) {
            let _ = administrable(&policy, ACCOUNT, Some(&policy));
        }
    }
}
