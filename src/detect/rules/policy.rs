//! Key policies: who was let in, and who was locked out.

use super::super::look::{Look, Verdict};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;
use crate::model::policy::{ActionGroup, Effect, KeyPolicy, Standing, Statement, Who, read};

const EXAMPLES: &str = include_str!("../examples/policy.json");
const CALLS: &[&str] = &["PutKeyPolicy", "CreateKey", "ReplicateKey"];
const PUT_BACK: Next = Next::say(
    "Read the policy, put the last good one back (kms:PutKeyPolicy), then look who used the key since.",
);

pub(super) static PUBLIC: Rule = Rule {
    id: "kms-key-policy-public",
    title: "A key policy lets everyone in",
    severity: Severity::Critical,
    why: "Anybody in any AWS account may do with the key what the statement allows.",
    next: PUT_BACK,
    references: &[
        "AWS Security Hub KMS.5",
        "Prowler kms_key_not_publicly_accessible",
        "Elastic defense_evasion_kms_key_policy_put",
        "NIST SP 800-53r5 AC-6",
        "PCI DSS v4.0.1 3.6.1",
    ],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: CALLS, judge: public },
};

fn public(look: &Look<'_>) -> Option<Verdict> {
    let policy = policy(look)?.ok()?;
    let number = allowing(&policy).find(|statement| {
        statement.standings(look.account().unwrap_or_default()).contains(&Standing::Public)
    })?;
    let what = format!("{} a policy that lets everyone in: {}", look.key_words(), place(number));
    look.says(PUBLIC.severity, "gave", "give", what)
}

pub(super) static FOREIGN: Rule = Rule {
    id: "kms-key-policy-foreign",
    title: "A key policy lets another account in",
    severity: Severity::High,
    why: "Somebody outside the account may do with the key what the statement allows, and decides there who.",
    next: PUT_BACK,
    references: &[
        "Elastic defense_evasion_kms_key_policy_put",
        "NIST SP 800-53r5 AC-6",
        "PCI DSS v4.0.1 3.6.1",
    ],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: CALLS, judge: foreign },
};

fn foreign(look: &Look<'_>) -> Option<Verdict> {
    let (policy, account) = (policy(look)?.ok()?, look.account()?);
    let outsider =
        allowing(&policy).find_map(|statement| Some((statement, outsider(look, statement, account)?)));
    let (statement, outsider) = outsider?;
    let what = format!("{} a policy that lets {outsider} in: {}", look.key_words(), place(statement));
    look.says(FOREIGN.severity, "gave", "give", what)
}

/// Whom of another account a statement lets in, that settings do not.
fn outsider(look: &Look<'_>, statement: &Statement, account: &str) -> Option<String> {
    let is_allowed = |account: &str| look.house.tuning.allows_account(account);
    match &statement.who {
        Who::These(these) => these.iter().find_map(|who| {
            let is_outside = statement.standing(who, account) == Standing::Foreign;
            let named = || {
                who.account().map_or_else(|| who.to_string(), |account| format!("{who} of account {account}"))
            };
            (is_outside && !who.account().is_some_and(is_allowed)).then(named)
        }),
        Who::AllBut(_) => {
            let is_outside = statement.standings(account).contains(&Standing::Foreign);
            is_outside.then(|| "other accounts".to_owned())
        }
    }
}

pub(super) static LOCKS_OUT: Rule = Rule {
    id: "kms-key-policy-locks-out-owner",
    title: "A key policy leaves nobody of the account to administer the key",
    severity: Severity::High,
    why: "No statement lets the key's own account change the key: from now on only AWS Support can.",
    next: Next::say(
        "Try to put the last good policy back at once. If that is denied, open a case with AWS Support.",
    ),
    references: &["NIST SP 800-53r5 SC-12", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::ACCESS_REMOVAL],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: CALLS, judge: locks_out },
};

fn locks_out(look: &Look<'_>) -> Option<Verdict> {
    let (policy, account) = (policy(look)?.ok()?, look.account()?);
    // A statement that cannot be read may be the one that lets the account in.
    let whole = policy.told().count() == policy.statements.len();
    let administers = |statement: &Statement| {
        statement.actions.groups.contains(&ActionGroup::Administer)
            && statement
                .standings(account)
                .iter()
                .any(|standing| !matches!(standing, Standing::Foreign | Standing::Service))
    };
    let what =
        format!("{} a policy by which nobody of account {account} may administer it", look.key_words());
    (whole && !allowing(&policy).any(administers))
        .then(|| look.says(LOCKS_OUT.severity, "gave", "give", what))
        .flatten()
}

pub(super) static LOCKOUT_BYPASSED: Rule = Rule {
    id: "kms-policy-lockout-check-bypassed",
    title: "The check against locking oneself out was bypassed",
    severity: Severity::High,
    why: "KMS refuses policies that lock their author out, unless told not to look: few have a reason to.",
    next: Next::say(
        "Read the policy: can the account still administer the key? If not, put the last good one back at once.",
    ),
    references: &["Elastic defense_evasion_kms_key_policy_put", "NIST SP 800-53r5 SC-12"],
    techniques: &[technique::ACCESS_REMOVAL],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: CALLS, judge: lockout_bypassed },
};

fn lockout_bypassed(look: &Look<'_>) -> Option<Verdict> {
    let bypasses = match look.particulars()? {
        Particulars::KeyPolicy { bypasses_lockout_check, .. }
        | Particulars::Replica { bypasses_lockout_check, .. } => *bypasses_lockout_check,
        _ => false,
    };
    let what = format!("{} a policy past the check against locking oneself out", look.key_words());
    bypasses.then(|| look.says(LOCKOUT_BYPASSED.severity, "gave", "give", what)).flatten()
}

pub(super) static WHILE_PENDING: Rule = Rule {
    id: "kms-key-policy-changed-while-deletion-pending",
    title: "A key's policy was changed while its deletion is pending",
    severity: Severity::Critical,
    why: "KMS allows it in the waiting period: with it the owner can be kept from cancelling the deletion.",
    next: Next::run(
        "key-recovery",
        "Check at once whether you may still cancel the deletion, and do: the runbook key-recovery.",
    ),
    references: &["AWS Security Hub KMS.3", "NIST SP 800-53r5 SC-12"],
    techniques: &[technique::INHIBIT_RECOVERY],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["PutKeyPolicy"], judge: while_pending },
};

fn while_pending(look: &Look<'_>) -> Option<Verdict> {
    let last =
        look.done_before().find(|sight| sight.is("ScheduleKeyDeletion") || sight.is("CancelKeyDeletion"))?;
    let what = format!("{}, whose deletion was scheduled at {}", look.key_words(), last.event.at);
    let is_pending = last.is("ScheduleKeyDeletion");
    is_pending
        .then(|| look.says(WHILE_PENDING.severity, "changed the policy of", "change the policy of", what))
        .flatten()
}

pub(super) static NOT_SHOWN: Rule = Rule {
    id: "kms-key-policy-not-shown",
    title: "A key policy was changed, and the record does not tell how",
    severity: Severity::Notice,
    why: "The record leaves the policy out, or part of it cannot be read: nothing here can say whom it lets in.",
    next: Next::say(
        "Read the policy as it is now (kms:GetKeyPolicy), and compare it with the last good one.",
    ),
    references: &["Elastic defense_evasion_kms_key_policy_put"],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["PutKeyPolicy"], judge: not_shown },
};

fn not_shown(look: &Look<'_>) -> Option<Verdict> {
    let is_whole = |policy: &KeyPolicy| policy.told().count() == policy.statements.len();
    if !look.sight.is_done()
        || policy(look).is_some_and(|policy| policy.is_ok_and(|policy| is_whole(&policy)))
    {
        return None;
    }
    let what = format!("{} a policy that the record does not tell whole", look.key_words());
    look.says(NOT_SHOWN.severity, "gave", "give", what)
}

/// The policy in the record, where it has one; an error where that cannot be read.
fn policy(look: &Look<'_>) -> Option<Result<KeyPolicy, ()>> {
    match look.particulars()? {
        Particulars::KeyPolicy { policy: Some(policy), .. }
        | Particulars::Replica { policy: Some(policy), .. } => Some(read(policy).map_err(|_| ())),
        _ => None,
    }
}

fn allowing(policy: &KeyPolicy) -> impl Iterator<Item = &Statement> {
    policy.told().filter(|statement| statement.effect == Effect::Allow)
}

fn place(statement: &Statement) -> String {
    match &statement.sid {
        Some(sid) => format!("statement {sid}"),
        None => format!("statement {}", statement.number),
    }
}
