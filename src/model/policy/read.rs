//! Reading a policy's JSON. A statement is told whole or said to be unreadable; none is passed over.

use serde_json::{Map, Value};

use super::actions::groups;
use super::{Actions, Condition, Effect, Entry, KeyPolicy, Principal, Statement, Who};
use crate::model::text::{Untrusted, visible};

/// Why a text is no policy at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key policy is unreadable: {why}")]
pub struct Unreadable {
    why: String,
}

/// Reads a key policy as `GetKeyPolicy` gives it.
///
/// # Errors
/// Where the text is no JSON object with statements. A single statement that cannot be read is told in its place.
pub fn read(json: &str) -> Result<KeyPolicy, Unreadable> {
    let unreadable = |why: String| Unreadable { why: visible(&why).into_owned() };
    let policy: Value =
        serde_json::from_str(json).map_err(|error| unreadable(format!("it is no JSON: {error}")))?;
    let policy = policy.as_object().ok_or_else(|| unreadable("it is no JSON object".to_owned()))?;
    let statements = match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.as_slice(),
        Some(one @ Value::Object(_)) => std::slice::from_ref(one),
        Some(_) => return Err(unreadable("its Statement is no list of statements".to_owned())),
        None => return Err(unreadable("it has no Statement".to_owned())),
    };
    let entry = |(number, value): (usize, &Value)| match statement(number, value) {
        Ok(statement) => Entry::Told(statement),
        Err(why) => Entry::Unreadable { number, why: visible(&why).into_owned() },
    };
    Ok(KeyPolicy { statements: (1..).zip(statements).map(entry).collect() })
}

/// The members of a statement that mean something in a key policy. Another one could change what the statement
/// says, so that it is not told without it.
pub(super) const MEMBERS: [&str; 8] =
    ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "Condition"];

fn statement(number: usize, value: &Value) -> Result<Statement, String> {
    let statement = value.as_object().ok_or("it is no JSON object")?;
    if let Some(unknown) = statement.keys().find(|member| !MEMBERS.contains(&member.as_str())) {
        return Err(format!("it has a member that we do not know: {unknown}"));
    }
    Ok(Statement {
        number,
        sid: match statement.get("Sid") {
            None => None,
            Some(Value::String(sid)) => Some(sid.as_str().into()).filter(|sid: &Untrusted| !sid.is_empty()),
            Some(_) => return Err("its Sid is no text".to_owned()),
        },
        effect: match statement.get("Effect").and_then(Value::as_str) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err("its Effect is neither Allow nor Deny".to_owned()),
        },
        who: who(statement)?,
        actions: actions(statement)?,
        resources: resources(statement.get("Resource"))?,
        conditions: conditions(statement.get("Condition"))?,
    })
}

fn who(statement: &Map<String, Value>) -> Result<Who, String> {
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(these), None) => principals("Principal", these).map(Who::These),
        (None, Some(these)) => principals("NotPrincipal", these).map(Who::AllBut),
        (Some(_), Some(_)) => Err("it has both Principal and NotPrincipal".to_owned()),
        (None, None) => Err("it names no Principal".to_owned()),
    }
}

fn principals(member: &str, value: &Value) -> Result<Vec<Principal>, String> {
    let by_kind = match value {
        Value::String(all) if all == "*" => return Ok(vec![Principal::Everyone]),
        Value::Object(by_kind) => by_kind,
        _ => return Err(format!("its {member} is neither * nor an object")),
    };
    let mut found = Vec::new();
    for (kind, names) in by_kind {
        let names = texts(names).ok_or_else(|| format!("the {kind} of its {member} is no text"))?;
        found.extend(names.into_iter().map(|name| Principal::read(kind, name)));
    }
    if found.is_empty() { Err(format!("its {member} names nobody")) } else { Ok(found) }
}

fn actions(statement: &Map<String, Value>) -> Result<Actions, String> {
    let (all_but, member, value) = match (statement.get("Action"), statement.get("NotAction")) {
        (Some(these), None) => (false, "Action", these),
        (None, Some(these)) => (true, "NotAction", these),
        (Some(_), Some(_)) => return Err("it has both Action and NotAction".to_owned()),
        (None, None) => return Err("it names no Action".to_owned()),
    };
    let patterns = texts(value).ok_or_else(|| format!("its {member} is no text"))?;
    if patterns.is_empty() {
        return Err(format!("its {member} is empty"));
    }
    Ok(Actions {
        all_but,
        groups: groups(all_but, &patterns),
        patterns: patterns.into_iter().map(Untrusted::from).collect(),
    })
}

/// In a key policy `*` is the key itself, and nearly always all there is.
fn resources(value: Option<&Value>) -> Result<Vec<Untrusted>, String> {
    let named = value.map_or(Some(Vec::new()), texts).ok_or("its Resource is no text")?;
    if named.contains(&"*") {
        return Ok(Vec::new());
    }
    Ok(named.into_iter().map(Untrusted::from).collect())
}

fn conditions(block: Option<&Value>) -> Result<Vec<Condition>, String> {
    let Some(block) = block else { return Ok(Vec::new()) };
    let block = block.as_object().ok_or("its Condition is no object")?;
    let mut conditions = Vec::new();
    for (operator, lines) in block {
        let lines = lines.as_object().ok_or_else(|| format!("its condition {operator} is no object"))?;
        for (key, values) in lines {
            let values = scalars(values)
                .ok_or_else(|| format!("its condition {operator} {key} has no plain values"))?;
            conditions.push(Condition {
                operator: operator.as_str().into(),
                key: key.as_str().into(),
                values,
            });
        }
    }
    Ok(conditions)
}

/// One text or a list of texts.
fn texts(value: &Value) -> Option<Vec<&str>> {
    many(value).iter().map(Value::as_str).collect()
}

/// One value or a list of values, as texts.
fn scalars(value: &Value) -> Option<Vec<Untrusted>> {
    let scalar = |value: &Value| match value {
        Value::String(text) => Some(text.as_str().into()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string().into()),
        _ => None,
    };
    many(value).iter().map(scalar).collect()
}

/// One or many, as IAM writes lists.
fn many(value: &Value) -> &[Value] {
    match value {
        Value::Array(all) => all,
        one => std::slice::from_ref(one),
    }
}
