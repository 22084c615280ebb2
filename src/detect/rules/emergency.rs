//! What is for emergencies only: roles taken on, the procedures read.

use super::super::look::{Look, Verdict, shown};
use super::super::rule::{Judge, Next, Rule, technique};
use super::super::sight::message;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/emergency.json");
const STS: &str = "sts.amazonaws.com";
const SECRETS: &str = "secretsmanager.amazonaws.com";
const ASSUME: &[&str] = &["AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"];

pub(super) static ROLE_WITHOUT_MFA: Rule = Rule {
    id: "emergency-role-without-mfa",
    title: "An emergency role was assumed without MFA",
    severity: Severity::Critical,
    why: "The role's trust policy asks for MFA as shipped: either it was changed, or nobody ever tightened it.",
    next: Next::say(
        "Cut the session off (deny by aws:TokenIssueTime), and ask for MFA in the role's trust policy.",
    ),
    references: &["NIST SP 800-53r5 AC-6(9)", "HIPAA 164.312(d)", "HIPAA 164.312(a)(2)(ii)"],
    techniques: &[technique::CLOUD_ACCOUNTS, technique::TEMPORARY_ACCESS],
    examples: EXAMPLES,
    judge: Judge::Calls { service: STS, names: ASSUME, judge: role_without_mfa },
};

fn role_without_mfa(look: &Look<'_>) -> Option<Verdict> {
    let role = emergency_role(look)?;
    (gave_mfa(look) == Some(false))
        .then(|| look.says(ROLE_WITHOUT_MFA.severity, "assumed", "assume", format!("{role} without MFA")))
        .flatten()
}

pub(super) static ROLE: Rule = Rule {
    id: "emergency-role-assumed",
    title: "An emergency role was assumed",
    severity: Severity::High,
    why: "It may drop and raise keys. In an open incident that is what it is for.",
    next: Next::say(
        "If you know of no emergency, ask whoever it was; cut the session off if they do not know either.",
    ),
    references: &["NIST SP 800-53r5 AC-3(2)", "HIPAA 164.312(a)(2)(ii)"],
    techniques: &[technique::CLOUD_ACCOUNTS, technique::TEMPORARY_ACCESS],
    examples: EXAMPLES,
    judge: Judge::Calls { service: STS, names: ASSUME, judge: role_assumed },
};

fn role_assumed(look: &Look<'_>) -> Option<Verdict> {
    let role = emergency_role(look)?;
    let mfa = match gave_mfa(look) {
        Some(false) => return None,
        Some(true) => "with MFA",
        None => "(whether with MFA, the record does not say)",
    };
    if let Some(incident) = look.house.context.incident(look.sight.event.at) {
        let what = format!("{role} {mfa}, in incident {}", incident.id);
        return look.says(Severity::Notice, "assumed", "assume", what);
    }
    let what = format!("{role} {mfa}, and no incident is known that was open then");
    look.says(ROLE.severity, "assumed", "assume", what)
}

/// The emergency role that somebody took on, fit for a screen. Services take on roles of their own.
fn emergency_role(look: &Look<'_>) -> Option<String> {
    if look.sight.event.who.is_service() {
        return None;
    }
    let arn = match look.particulars() {
        Some(Particulars::RoleAssumed { role, .. }) => Some(role.as_str()),
        // A refused call's record names the role in its message only.
        _ => message(&look.sight.event)
            .and_then(|message| message.split_whitespace().find(|word| word.contains(":role/"))),
    };
    let name = arn?.rsplit('/').next()?;
    look.house.is_emergency_role(name).then(|| shown(Some(name)))
}

/// A code given with the call, or a session that was begun with one. SAML and web identities do not tell.
fn gave_mfa(look: &Look<'_>) -> Option<bool> {
    if !look.sight.is("AssumeRole") {
        return None;
    }
    match look.particulars() {
        Some(Particulars::RoleAssumed { mfa_serial: Some(_), .. }) => Some(true),
        // Without its parameters the record tells of the session alone.
        None => look.sight.event.who.mfa.filter(|mfa| *mfa),
        Some(_) => Some(look.sight.event.who.mfa == Some(true)),
    }
}

pub(super) static SECRET: Rule = Rule {
    id: "emergency-secret-read",
    title: "The emergency procedures were read",
    severity: Severity::High,
    why: "They tell how keys are dropped and raised, and by whom.",
    next: Next::say("If you know of no emergency, ask whoever it was, and change what the secret holds."),
    references: &[
        "Elastic credential_access_new_terms_secretsmanager_getsecretvalue",
        "NIST SP 800-53r5 AC-6",
    ],
    techniques: &[technique::SECRETS_STORE],
    examples: EXAMPLES,
    judge: Judge::Calls { service: SECRETS, names: &["GetSecretValue"], judge: secret_read },
};

fn secret_read(look: &Look<'_>) -> Option<Verdict> {
    let Some(Particulars::SecretRead { secret }) = look.particulars() else { return None };
    if look.sight.event.who.is_service() || !look.house.is_emergency_secret(secret) {
        return None;
    }
    let secret = shown(Some(secret));
    if let Some(incident) = look.house.context.incident(look.sight.event.at) {
        return look.says(
            Severity::Notice,
            "read",
            "read",
            format!("the secret {secret}, in incident {}", incident.id),
        );
    }
    let what = format!("the secret {secret}, and no incident is known that was open then");
    look.says(SECRET.severity, "read", "read", what)
}
