//! Use of keys, and refusals: what shows over many events. Watched in [`watches`](super::super::watches).

use super::super::rule::{Judge, Next, Rule, technique};
use crate::model::event::Severity;

const EXAMPLES: &str = include_str!("../examples/usage.json");
const WHO_IS_IT: Next = Next::run(
    "emergency-revocation",
    "Ask whose it is. If nobody knows, cut that principal off; drop the key if that is too slow: the runbook emergency-revocation.",
);

pub(in crate::detect) static DENIED_BURST: Rule = Rule {
    id: "kms-denied-burst",
    title: "Somebody is refused again and again",
    severity: Severity::High,
    why: "Somebody tries what they may not: a stolen credential feeling its way, or a program that lost its permission. Refusals of calls that only look are worth a look themselves, and no more.",
    next: WHO_IS_IT,
    references: &[
        "CIS AWS Foundations 4.1",
        "AWS Security Hub CloudWatch.2",
        "Panther aws_iam_user_recon_denied",
        "NIST SP 800-53r5 AC-6",
    ],
    techniques: &[technique::DISCOVERY],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static NEW_PRINCIPAL: Rule = Rule {
    id: "kms-key-used-by-new-principal",
    title: "Somebody uses a key for the first time",
    severity: Severity::High,
    why: "Who uses a key changes seldom: a new program, a new person, or a stolen credential.",
    next: WHO_IS_IT,
    references: &["NIST SP 800-53r5 AC-6", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static NEW_NETWORK: Rule = Rule {
    id: "kms-key-used-from-new-network",
    title: "A key is used from a network not seen with it before",
    severity: Severity::High,
    why: "A credential that works from elsewhere than it used to may be in other hands.",
    next: WHO_IS_IT,
    references: &[
        "Elastic credential_access_iam_long_term_access_key_first_seen_from_source_ip",
        "NIST SP 800-53r5 AC-6",
    ],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static NEW_ADDRESS: Rule = Rule {
    id: "kms-key-used-from-new-address",
    title: "A key is used from an internet address not seen with it before",
    severity: Severity::Notice,
    why: "A neighbour of known addresses: most likely the same people, by another machine.",
    next: Next::say(
        "Name the network in the settings ([detections] networks) if it is yours; else ask whose it is.",
    ),
    references: &["NIST SP 800-53r5 AC-6"],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static FOREIGN_USE: Rule = Rule {
    id: "kms-key-used-by-foreign-account",
    title: "Another account uses a key",
    severity: Severity::High,
    why: "A policy or a grant lets that account in, and it does use the key.",
    next: Next::say(
        "Name the account in the settings ([detections] accounts) if it may; else take its grant and its statement away.",
    ),
    references: &["NIST SP 800-53r5 AC-6", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::CLOUD_STORAGE],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static FOREIGN_KEY_ENCRYPTS: Rule = Rule {
    id: "kms-foreign-key-encrypts",
    title: "Data is encrypted under another account's key",
    severity: Severity::High,
    why: "Whoever owns that key decides who can read the data again: ransomware works like this.",
    next: Next::say(
        "Name the account in the settings ([detections] accounts) if it is a partner's; else stop that principal at once.",
    ),
    references: &["PCI DSS v4.0.1 3.7.7"],
    techniques: &[technique::DATA_ENCRYPTED],
    examples: EXAMPLES,
    judge: Judge::Watch,
};

pub(in crate::detect) static DROPPED_KEY_TRIED: Rule = Rule {
    id: "kms-dropped-key-tried",
    title: "Somebody still tries to use a key that is down",
    severity: Severity::High,
    why: "A program that was not told, or the intruder whom the drop was meant for.",
    next: Next::say(
        "If it is a program, tell its owners that the key is down; if nobody knows it, it is evidence: keep it.",
    ),
    references: &["NIST SP 800-53r5 IR-4"],
    techniques: &[technique::CLOUD_ACCOUNTS],
    examples: EXAMPLES,
    judge: Judge::Watch,
};
