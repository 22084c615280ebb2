//! IAM policy documents, and whether one allows, denies or says nothing.
//!
//! Evaluated: `Effect`, `Principal`/`NotPrincipal`, `Action`/`NotAction`, `Resource`/`NotResource` and the
//! string, ARN, boolean, numeric, date and null conditions, with policy variables (`${aws:username}`) in the
//! values of conditions and in resources. A condition operator that is not evaluated here
//! never helps a caller: its statement does not apply if it allows, and applies if it denies.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a request says about itself to conditions: lower-case condition keys to their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConditionKeys(BTreeMap<String, Vec<String>>);

impl ConditionKeys {
    /// Sets a key to one value.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_ascii_lowercase(), vec![value.into()]);
    }

    /// Adds a value to a key with several.
    pub fn add(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_ascii_lowercase()).or_default().push(value.into());
    }

    fn get(&self, key: &str) -> &[String] {
        self.0.get(&key.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }
}

/// Who asks, as a resource's policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub account: String,
    /// The ARNs it answers to: a session its own and its role's.
    pub arns: Vec<String>,
    /// A service's name, where a service asks.
    pub service: Option<String>,
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub action: &'a str,
    pub resource: &'a str,
    pub keys: &'a ConditionKeys,
}

/// How an allowing statement names its principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// The account alone: the account's IAM policies must allow it too.
    Account,
    /// The principal itself, or everybody.
    Principal,
}

/// What a policy says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub denied: bool,
    pub allowed: Option<Via>,
}

/// A parsed policy document.
#[derive(Clone, Debug)]
pub struct Policy(Vec<Statement>);

#[derive(Clone, Debug)]
struct Statement {
    allow: bool,
    principal: Option<Named>,
    actions: Matcher,
    resources: Option<Matcher>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
struct Named {
    negated: bool,
    aws: Vec<String>,
    services: Vec<String>,
}

#[derive(Clone, Debug)]
struct Matcher {
    negated: bool,
    patterns: Vec<String>,
}

#[derive(Clone, Debug)]
struct Condition {
    operator: String,
    key: String,
    values: Vec<String>,
}

/// A policy document that cannot be read; says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    ///
    /// If it is no JSON or no policy; says why.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let document: Value = serde_json::from_str(text)
            .map_err(|error| Malformed(format!("Syntax errors in policy: {error}")))?;
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.clone(),
            Some(one @ Value::Object(_)) => vec![one.clone()],
            _ => return Err(Malformed("Policy has no statement".into())),
        };
        statements.iter().map(Statement::parse).collect::<Result<_, _>>().map(Self)
    }

    /// What an identity or session policy says; it has no principals.
    #[must_use]
    pub fn answer(&self, question: Question<'_>) -> Answer {
        self.evaluate(None, question)
    }

    /// What a resource's policy says to this principal.
    #[must_use]
    pub fn answer_to(&self, principal: &Principal, question: Question<'_>) -> Answer {
        self.evaluate(Some(principal), question)
    }

    fn evaluate(&self, principal: Option<&Principal>, question: Question<'_>) -> Answer {
        let mut answer = Answer::default();
        for statement in &self.0 {
            let Some(via) = statement.names(principal) else { continue };
            if !statement.covers(question) {
                continue;
            }
            if statement.allow {
                answer.allowed = answer.allowed.max(Some(via));
            } else {
                answer.denied = true;
            }
        }
        answer
    }
}

impl Statement {
    fn parse(value: &Value) -> Result<Self, Malformed> {
        let body = value.as_object().ok_or_else(|| Malformed("A statement is not an object".into()))?;
        let allow = match body.get("Effect").and_then(Value::as_str) {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err(Malformed("A statement has no valid Effect".into())),
        };
        let actions = Matcher::parse(body, "Action", "NotAction")
            .ok_or_else(|| Malformed("A statement has no Action".into()))?;
        let principal = [("Principal", false), ("NotPrincipal", true)]
            .into_iter()
            .find_map(|(name, negated)| body.get(name).map(|value| Named::parse(value, negated)));
        let conditions = body.get("Condition").and_then(Value::as_object).map(conditions).unwrap_or_default();
        Ok(Self {
            allow,
            principal,
            actions,
            resources: Matcher::parse(body, "Resource", "NotResource"),
            conditions,
        })
    }

    /// How the statement names this principal; `None` if it does not.
    fn names(&self, principal: Option<&Principal>) -> Option<Via> {
        match (&self.principal, principal) {
            (_, None) => Some(Via::Principal),
            (None, Some(_)) => None,
            (Some(named), Some(principal)) => named.matches(principal, self.allow),
        }
    }

    fn covers(&self, question: Question<'_>) -> bool {
        self.actions.matches_action(question.action)
            && self.resources.as_ref().is_none_or(|resources| resources.matches_filled(question))
            && self.conditions.iter().all(|condition| condition.holds(question.keys).unwrap_or(!self.allow))
    }
}

impl Named {
    fn parse(value: &Value, negated: bool) -> Self {
        match value {
            Value::Object(kinds) => Self {
                negated,
                aws: kinds.get("AWS").map(words).unwrap_or_default(),
                services: kinds.get("Service").map(words).unwrap_or_default(),
            },
            other => Self { negated, aws: words(other), services: Vec::new() },
        }
    }

    fn matches(&self, principal: &Principal, allow: bool) -> Option<Via> {
        let found = self.aws.iter().filter_map(|name| Self::one(name, principal)).max();
        let service = principal.service.as_ref().is_some_and(|service| self.services.contains(service));
        let found = found.max(service.then_some(Via::Principal));
        match (self.negated, found) {
            (false, found) => found,
            (true, Some(_)) => None,
            // "Everybody but" is meaningful with Deny alone.
            (true, None) => (!allow).then_some(Via::Principal),
        }
    }

    fn one(name: &str, principal: &Principal) -> Option<Via> {
        let account = &principal.account;
        if name == "*" || principal.arns.iter().any(|arn| arn == name) {
            Some(Via::Principal)
        } else if name == account || *name == format!("arn:aws:iam::{account}:root") {
            Some(Via::Account)
        } else {
            None
        }
    }
}

impl Matcher {
    fn parse(body: &Map<String, Value>, name: &str, negated_name: &str) -> Option<Self> {
        [(name, false), (negated_name, true)]
            .into_iter()
            .find_map(|(name, negated)| body.get(name).map(|value| Self { negated, patterns: words(value) }))
    }

    /// Whether this is one of the actions; their case does not matter.
    fn matches_action(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        self.patterns.iter().any(|pattern| wildcard(&pattern.to_ascii_lowercase(), &action)) != self.negated
    }

    /// Whether the question's resource is one of these, their variables filled in.
    fn matches_filled(&self, question: Question<'_>) -> bool {
        let filled = self.patterns.iter().filter_map(|pattern| filled(pattern, question.keys));
        filled.into_iter().any(|pattern| wildcard(&pattern, question.resource)) != self.negated
    }
}

/// A text with its policy variables filled in; `None` where the request has no value for one, or several: then
/// nothing is equal to it. `${*}`, `${?}` and `${$}` stand for the characters themselves.
fn filled<'t>(text: &'t str, keys: &ConditionKeys) -> Option<Cow<'t, str>> {
    let Some((before, rest)) = text.split_once("${") else { return Some(Cow::Borrowed(text)) };
    let (name, after) = rest.split_once('}')?;
    // IAM takes a filled-in `*` literally. No name or tag may hold one, so nothing is escaped here.
    let value = match (name, keys.get(name)) {
        ("*" | "?" | "$", _) => name,
        (_, [only]) => only,
        _ => return None,
    };
    Some(Cow::Owned(format!("{before}{value}{}", filled(after, keys)?)))
}

fn conditions(blocks: &Map<String, Value>) -> Vec<Condition> {
    let mut conditions = Vec::new();
    for (operator, keys) in blocks {
        for (key, values) in keys.as_object().into_iter().flatten() {
            conditions.push(Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: words(values),
            });
        }
    }
    conditions
}

fn words(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values.iter().flat_map(words).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        _ => Vec::new(),
    }
}

type Test = fn(&str, &str) -> bool;

impl Condition {
    /// Whether it holds; `None` where the operator is not evaluated here.
    fn holds(&self, keys: &ConditionKeys) -> Option<bool> {
        let present = keys.get(&self.key);
        let (each, operator) = match self.operator.split_once(':') {
            Some(("ForAllValues", operator)) => (Each::All, operator),
            Some(("ForAnyValue", operator)) => (Each::Any, operator),
            Some(_) => return None,
            None => (Each::Any, self.operator.as_str()),
        };
        if operator == "Null" {
            let wanted_absent = self.values.iter().any(|value| value == "true");
            return Some(present.is_empty() == wanted_absent);
        }
        let (operator, if_exists) = match operator.strip_suffix("IfExists") {
            Some(operator) => (operator, true),
            None => (operator, false),
        };
        let (test, negated) = test_of(operator)?;
        if present.is_empty() {
            return Some(if_exists || negated || matches!(each, Each::All));
        }
        let values: Vec<_> = self.values.iter().filter_map(|value| filled(value, keys)).collect();
        let matches = |actual: &String| values.iter().any(|value| test(value, actual)) != negated;
        Some(match each {
            Each::All => present.iter().all(matches),
            // A single-valued key has one value; a negated test must hold for every one of several.
            Each::Any if negated => present.iter().all(matches),
            Each::Any => present.iter().any(matches),
        })
    }
}

#[derive(Clone, Copy)]
enum Each {
    All,
    Any,
}

/// The test behind an operator (wanted value first), and whether the operator turns it round.
fn test_of(operator: &str) -> Option<(Test, bool)> {
    let test: (Test, bool) = match operator {
        "StringEquals" => (|wanted, actual| wanted == actual, false),
        "StringNotEquals" => (|wanted, actual| wanted == actual, true),
        "StringEqualsIgnoreCase" | "Bool" => (str::eq_ignore_ascii_case, false),
        "StringNotEqualsIgnoreCase" => (str::eq_ignore_ascii_case, true),
        "StringLike" | "ArnLike" | "ArnEquals" => (wildcard, false),
        "StringNotLike" | "ArnNotLike" | "ArnNotEquals" => (wildcard, true),
        "NumericEquals" => (
            |wanted, actual| compare(wanted, actual, |wanted, actual| (actual - wanted).abs() < f64::EPSILON),
            false,
        ),
        "NumericLessThan" => {
            (|wanted, actual| compare(wanted, actual, |wanted, actual| actual < wanted), false)
        }
        "NumericLessThanEquals" => {
            (|wanted, actual| compare(wanted, actual, |wanted, actual| actual <= wanted), false)
        }
        "NumericGreaterThan" => {
            (|wanted, actual| compare(wanted, actual, |wanted, actual| actual > wanted), false)
        }
        "NumericGreaterThanEquals" => {
            (|wanted, actual| compare(wanted, actual, |wanted, actual| actual >= wanted), false)
        }
        "DateLessThan" => (|wanted, actual| dates(wanted, actual, |wanted, actual| actual < wanted), false),
        "DateLessThanEquals" => {
            (|wanted, actual| dates(wanted, actual, |wanted, actual| actual <= wanted), false)
        }
        "DateGreaterThan" => {
            (|wanted, actual| dates(wanted, actual, |wanted, actual| actual > wanted), false)
        }
        "DateGreaterThanEquals" => {
            (|wanted, actual| dates(wanted, actual, |wanted, actual| actual >= wanted), false)
        }
        _ => return None,
    };
    Some(test)
}

fn compare(wanted: &str, actual: &str, test: fn(f64, f64) -> bool) -> bool {
    matches!((wanted.parse(), actual.parse()), (Ok(wanted), Ok(actual)) if test(wanted, actual))
}

fn dates(wanted: &str, actual: &str, test: fn(Timestamp, Timestamp) -> bool) -> bool {
    matches!((wanted.parse(), actual.parse()), (Ok(wanted), Ok(actual)) if test(wanted, actual))
}

/// IAM's wildcards: `*` for any run of characters, `?` for one.
#[must_use]
pub fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if pattern.get(p) == Some(&'*') {
            star = Some((p, t));
            p += 1;
        } else if pattern.get(p).is_some_and(|&c| c == '?' || c == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((star_p, star_t)) = star {
            // Let the last star swallow one character more.
            star = Some((star_p, star_t + 1));
            p = star_p + 1;
            t = star_t + 1;
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(policy: &str, action: &str, resource: &str, keys: &[(&str, &str)]) -> Answer {
        let mut condition_keys = ConditionKeys::default();
        for (key, value) in keys {
            condition_keys.add(key, *value);
        }
        Policy::parse(policy).expect("a policy").answer(Question { action, resource, keys: &condition_keys })
    }

    const ALLOWED: Answer = Answer { denied: false, allowed: Some(Via::Principal) };

    #[test]
    fn actions_ignore_case_and_resources_do_not() {
        let policy =
            r#"{"Statement":{"Effect":"Allow","Action":"kms:Disable*","Resource":"arn:aws:kms:*:key/A?"}}"#;
        assert_eq!(ask(policy, "KMS:disableKey", "arn:aws:kms:eu-west-1:1:key/A1", &[]), ALLOWED);
        assert_eq!(ask(policy, "kms:DisableKey", "arn:aws:kms:eu-west-1:1:key/a1", &[]), Answer::default());
        assert_eq!(ask(policy, "kms:EnableKey", "arn:aws:kms:eu-west-1:1:key/A1", &[]), Answer::default());
    }

    #[test]
    fn mfa_and_principal_tags_guard_a_statement() {
        let policy = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{
            "Bool":{"aws:MultiFactorAuthPresent":"true"},"StringEquals":{"aws:PrincipalTag/EmergencyAccess":["yes","true"]}}}]}"#;
        let tag = ("aws:PrincipalTag/EmergencyAccess", "true");
        assert_eq!(ask(policy, "kms:X", "r", &[("aws:MultiFactorAuthPresent", "true"), tag]), ALLOWED);
        assert_eq!(
            ask(policy, "kms:X", "r", &[("aws:MultiFactorAuthPresent", "false"), tag]),
            Answer::default()
        );
        assert_eq!(ask(policy, "kms:X", "r", &[tag]), Answer::default());
        assert_eq!(ask(policy, "kms:X", "r", &[("aws:MultiFactorAuthPresent", "true")]), Answer::default());
    }

    #[test]
    fn an_operator_we_do_not_evaluate_never_helps_the_caller() {
        for (effect, expected) in
            [("Allow", Answer::default()), ("Deny", Answer { denied: true, allowed: None })]
        {
            let policy = format!(
                r#"{{"Statement":[{{"Effect":"{effect}","Action":"*","Resource":"*","Condition":{{"IpAddress":{{"aws:SourceIp":"203.0.113.0/24"}}}}}}]}}"#
            );
            assert_eq!(ask(&policy, "kms:X", "r", &[("aws:SourceIp", "203.0.113.9")]), expected);
        }
    }

    #[test]
    fn a_variable_stands_for_what_the_request_says_and_for_nothing_where_it_says_nothing() {
        let policy = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"arn:aws:s3:::b/${aws:username}/*",
            "Condition":{"StringEquals":{"sts:SourceIdentity":"${aws:username}"}}}]}"#;
        let (me, mine) = (("aws:username", "me"), "arn:aws:s3:::b/me/x");
        assert_eq!(ask(policy, "a", mine, &[me, ("sts:SourceIdentity", "me")]), ALLOWED);
        assert_eq!(ask(policy, "a", mine, &[me, ("sts:SourceIdentity", "you")]), Answer::default());
        assert_eq!(
            ask(policy, "a", "arn:aws:s3:::b/you/x", &[me, ("sts:SourceIdentity", "me")]),
            Answer::default()
        );
        assert_eq!(ask(policy, "a", mine, &[("sts:SourceIdentity", "${aws:username}")]), Answer::default());
        let literal = r#"{"Statement":[{"Effect":"Allow","Action":"*","Resource":"a${$}b${"}]}"#;
        assert_eq!(ask(literal, "a", "a$b${", &[]), Answer::default(), "an open brace is no variable");
    }

    #[test]
    fn absent_keys_fail_plain_tests_and_pass_negated_and_if_exists_ones() {
        for (operator, holds) in [
            ("StringEquals", false),
            ("StringNotEquals", true),
            ("StringEqualsIfExists", true),
            ("BoolIfExists", true),
        ] {
            let policy = format!(
                r#"{{"Statement":[{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{{"{operator}":{{"aws:x":"true"}}}}}}]}}"#
            );
            assert_eq!(ask(&policy, "a", "r", &[]).allowed.is_some(), holds, "{operator}");
        }
    }

    #[test]
    fn a_resource_policy_tells_the_account_from_the_principal() {
        let policy = Policy::parse(
            r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},"Action":"kms:*","Resource":"*"},
            {"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:role/r"]},"Action":"kms:Decrypt","Resource":"*"}]}"#,
        )
        .expect("a policy");
        let role = Principal {
            account: "111122223333".into(),
            arns: vec!["arn:aws:iam::111122223333:role/r".into()],
            service: None,
        };
        let stranger = Principal {
            account: "444455556666".into(),
            arns: vec!["arn:aws:iam::444455556666:user/x".into()],
            service: None,
        };
        let keys = ConditionKeys::default();
        let allowed = |principal, action| {
            policy.answer_to(principal, Question { action, resource: "k", keys: &keys }).allowed
        };
        assert_eq!(allowed(&role, "kms:Decrypt"), Some(Via::Principal));
        assert_eq!(allowed(&role, "kms:Encrypt"), Some(Via::Account));
        assert_eq!(allowed(&stranger, "kms:Decrypt"), None);
    }

    proptest::proptest! {
        #[test]
        fn a_star_matches_anything_between_its_ends(head in "[a-z]{0,5}", middle in ".{0,10}", tail in "[a-z]{0,5}") {
            let pattern = format!("{head}*{tail}");
            let text = format!("{head}{middle}{tail}");
            proptest::prop_assert!(wildcard(&pattern, &text));
            let other = format!("#{text}");
            proptest::prop_assert!(head.is_empty() || !wildcard(&pattern, &other));
        }
    }
}
