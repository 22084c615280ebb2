//! By whose hands: the root user's, or somebody's in the web console.

use super::super::look::{Look, Verdict};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::{KeyEvent, Severity};
use crate::model::text::visible;

const EXAMPLES: &str = include_str!("../examples/hands.json");

/// Whether hands matter in an event.
pub(super) fn look_into(event: &KeyEvent) -> bool {
    is_assume_root(event)
        || (event.who.is_root() && !event.who.is_service())
        || (event.who.from_console && event.read_only == Some(false) && event.source.raw() == KMS)
}

/// An organisation's management account takes on the root user of another account.
fn is_assume_root(event: &KeyEvent) -> bool {
    event.name.raw() == "AssumeRoot" && event.source.raw() == "sts.amazonaws.com"
}

pub(super) static ROOT: Rule = Rule {
    id: "root-user",
    title: "The root user acted",
    severity: Severity::High,
    why: "The root user is above every policy but an organisation's: nobody needs it for keys.",
    next: Next::say(
        "Ask who holds the root credentials; change them and look at what else was done, if nobody meant this.",
    ),
    references: &[
        "CIS AWS Foundations 4.3",
        "AWS Security Hub CloudWatch.1",
        "Sigma aws_root_account_usage",
        "Panther aws_console_root_login",
        "NIST SP 800-53r5 AC-6(9)",
    ],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Hands(root),
};

fn root(look: &Look<'_>) -> Option<Verdict> {
    let who = &look.sight.event.who;
    if is_assume_root(&look.sight.event) {
        return look.says(ROOT.severity, "acts as", "act as", "the root user of an account (AssumeRoot)");
    }
    if !who.is_root() || who.is_service() {
        return None;
    }
    if look.sight.is("ConsoleLogin") {
        return look.says(ROOT.severity, "signed in", "sign in", "to the web console");
    }
    look.says(ROOT.severity, "called", "call", call(look))
}

pub(super) static CONSOLE: Rule = Rule {
    id: "console-session-changes-key",
    title: "A key was changed from the web console",
    severity: Severity::High,
    why: "Changes to keys come from code or through a runbook; a hand in the console is neither, and leaves no plan behind.",
    next: Next::say("Ask whoever it was; undo it if nobody meant it."),
    references: &["NIST SP 800-53r5 AC-6(9)", "NIST SP 800-53r5 AU-12"],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Hands(console),
};

fn console(look: &Look<'_>) -> Option<Verdict> {
    let event = &look.sight.event;
    if !event.who.from_console
        || event.read_only != Some(false)
        || event.source.raw() != KMS
        || event.who.is_root()
    {
        return None;
    }
    let severity = if event.who.mfa == Some(true) { Severity::Notice } else { CONSOLE.severity };
    look.says(severity, "called", "call", format!("{} from the web console", call(look)))
}

/// The call, and the key where it names one.
fn call(look: &Look<'_>) -> String {
    let event = &look.sight.event;
    match look.key() {
        Some(_) => format!("{} on {}", event.name, look.key_words()),
        None => {
            format!("{} of {}", event.name, visible(event.source.raw().trim_end_matches(".amazonaws.com")))
        }
    }
}
