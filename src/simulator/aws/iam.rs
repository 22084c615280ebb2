//! IAM, as far as somebody needs it who tries out policies: roles are made, and given inline policies.

use http::StatusCode;
use serde_json::{Value, json};

use super::cloudtrail::actor::unique_id;
use super::policy::Policy;
use super::sts::{Role, Sts, escape};
use super::{Call, Context, Refusal, Reply};

/// Answers one call.
///
/// # Errors
///
/// AWS's own refusals.
pub fn handle(sts: &mut Sts, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
    match call.operation.as_str() {
        "CreateRole" => create_role(sts, call, context),
        "PutRolePolicy" => put_role_policy(sts, call, context),
        _ => Err(Refusal::unknown_operation(call)),
    }
}

fn create_role(sts: &mut Sts, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
    let (name, trust) = (required(call, "RoleName")?, document(call, "AssumeRolePolicyDocument")?);
    let account = &call.caller.account;
    if sts.role(account, name).is_some() {
        let message = format!("Role with name {name} already exists.");
        return Err(Refusal { status: StatusCode::CONFLICT, ..Refusal::new("EntityAlreadyExists", message) });
    }
    context.facts.request_parameters = json!({"roleName": name, "assumeRolePolicyDocument": trust});
    let (id, arn) = (unique_id("AROA", account, name), format!("arn:aws:iam::{account}:role/{name}"));
    sts.roles.push(Role {
        account: account.clone(),
        name: name.to_owned(),
        id: id.clone(),
        trust: trust.to_owned(),
        policies: Vec::new(),
        max_session: 3600,
    });
    Ok(Reply::Xml(format!(
        "<Role><Path>/</Path><RoleName>{}</RoleName><RoleId>{id}</RoleId><Arn>{}</Arn><CreateDate>{}</CreateDate></Role>",
        escape(name),
        escape(&arn),
        call.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )))
}

/// A role has one inline policy of each name in AWS; here a second call adds another.
fn put_role_policy(sts: &mut Sts, call: &Call, context: &mut Context<'_>) -> Result<Reply, Refusal> {
    let (name, policy) = (required(call, "RoleName")?, document(call, "PolicyDocument")?);
    context.facts.request_parameters =
        json!({"roleName": name, "policyName": required(call, "PolicyName")?, "policyDocument": policy});
    let account = &call.caller.account;
    let role = sts.roles.iter_mut().find(|role| role.account == *account && role.name == name);
    let role = role.ok_or_else(|| Refusal {
        status: StatusCode::NOT_FOUND,
        ..Refusal::new("NoSuchEntity", format!("The role with name {name} cannot be found."))
    })?;
    role.policies.push(policy.to_owned());
    Ok(Reply::Xml(String::new()))
}

fn required<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    let text = call.input.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    text.ok_or_else(|| Refusal::new("ValidationError", format!("{name} must not be null")))
}

fn document<'a>(call: &'a Call, name: &str) -> Result<&'a str, Refusal> {
    let text = required(call, name)?;
    Policy::parse(text).map_err(|why| Refusal::new("MalformedPolicyDocument", why.to_string()))?;
    Ok(text)
}
