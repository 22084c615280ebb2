//! Grants: keys handed on past their policies.

use super::super::look::{Look, Verdict, shown};
use super::super::rule::{Judge, Next, Rule, technique};
use super::super::tuning::any_fits;
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/grants.json");
const REVOKE: Next = Next::say(
    "If nobody knows the grantee, revoke the grant (kms:RevokeGrant) and look who used the key since.",
);

pub(super) static FOREIGN: Rule = Rule {
    id: "kms-grant-to-foreign-account",
    title: "A grant lets another account use a key",
    severity: Severity::High,
    why: "A grant works beside the key policy, and few people look at grants.",
    next: REVOKE,
    references: &["NIST SP 800-53r5 AC-6", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["CreateGrant"], judge: foreign },
};

fn foreign(look: &Look<'_>) -> Option<Verdict> {
    let grant = Granted::of(look)?;
    let (account, own) = (account_of(grant.grantee?)?, look.account()?);
    if account == own || look.house.tuning.allows_account(account) {
        return None;
    }
    look.says(FOREIGN.severity, "granted", "grant", grant.words(look, &format!(" of account {account}")))
}

pub(super) static UNUSUAL: Rule = Rule {
    id: "kms-grant-to-unusual-grantee",
    title: "A grant to somebody who never had one on this key",
    severity: Severity::Notice,
    why: "A grant works beside the key policy, and few people look at grants.",
    next: REVOKE,
    references: &["NIST SP 800-53r5 AC-6", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["CreateGrant"], judge: unusual },
};

fn unusual(look: &Look<'_>) -> Option<Verdict> {
    let grant = Granted::of(look)?;
    let had_one = |grantee: &str| {
        look.done_before().any(|sight| {
            matches!(&sight.particulars, Some(Particulars::Grant { grantee: Some(had), .. }) if had == grantee)
        })
    };
    let is_foreign =
        grant.grantee.and_then(account_of).is_some_and(|account| look.account() != Some(account));
    if is_foreign || grant.grantee.is_some_and(had_one) {
        return None;
    }
    look.says(UNUSUAL.severity, "granted", "grant", grant.words(look, ""))
}

/// A grant made by a person or a program of the account.
struct Granted<'a> {
    grantee: Option<&'a str>,
    operations: &'a [String],
}

impl<'a> Granted<'a> {
    /// None where it is nothing out of the ordinary: services make grants for themselves all day long.
    fn of(look: &Look<'a>) -> Option<Self> {
        let Some(Particulars::Grant { grantee, operations, .. }) = look.particulars() else { return None };
        let grantee = grantee.as_deref();
        let is_allowed = grantee.is_some_and(|grantee| {
            grantee.ends_with(".amazonaws.com") || any_fits(&look.house.tuning.grantees, [grantee])
        });
        (!is_allowed && !look.sight.event.who.is_service()).then_some(Self { grantee, operations })
    }

    fn words(&self, look: &Look<'_>, whose: &str) -> String {
        let operations = match self.operations {
            [] => "use".to_owned(),
            operations => shown(Some(&operations.join(", "))),
        };
        format!("{}{whose} {operations} on {}", shown(self.grantee), look.key_words())
    }
}

/// The account of a principal's ARN, or an account's bare number.
fn account_of(principal: &str) -> Option<&str> {
    let account = principal.split(':').nth(4).unwrap_or(principal);
    (account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())).then_some(account)
}
