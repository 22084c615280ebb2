//! Rotation: switched off, made rarer, overdue.

use super::super::look::{Look, Verdict};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/rotation.json");

pub(super) static DISABLED: Rule = Rule {
    id: "kms-rotation-disabled",
    title: "Rotation was switched off",
    severity: Severity::High,
    why: "The key keeps its material from now on, however old it gets.",
    next: Next::say(
        "Ask why; switch rotation on again (kms:EnableKeyRotation) with the period that the house keeps.",
    ),
    references: &[
        "CIS AWS Foundations 3.6 (v3 to v5)",
        "AWS Security Hub KMS.4",
        "Prowler kms_cmk_rotation_enabled",
        "PCI DSS v4.0.1 3.7.4",
        "NIST SP 800-53r5 SC-12",
    ],
    techniques: &[technique::IMPAIR_DEFENSES],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DisableKeyRotation"], judge: disabled },
};

fn disabled(look: &Look<'_>) -> Option<Verdict> {
    look.says(
        DISABLED.severity,
        "switched off the rotation of",
        "switch off the rotation of",
        look.key_words(),
    )
}

pub(super) static LENGTHENED: Rule = Rule {
    id: "kms-rotation-lengthened",
    title: "Rotation was made rarer",
    severity: Severity::High,
    why: "The key's material stays longer than it did, or longer than the house allows.",
    next: Next::say("Ask why; set the period that the house keeps (kms:EnableKeyRotation)."),
    references: &["AWS Security Hub KMS.4", "PCI DSS v4.0.1 3.7.4", "NIST SP 800-53r5 SC-12"],
    techniques: &[technique::IMPAIR_DEFENSES],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["EnableKeyRotation"], judge: lengthened },
};

/// KMS takes 365 days where none are given.
const DEFAULT_PERIOD: u32 = 365;

fn period(particulars: Option<&Particulars>) -> Option<u32> {
    match particulars? {
        Particulars::RotationOn { period_days } => Some(period_days.unwrap_or(DEFAULT_PERIOD)),
        _ => None,
    }
}

fn lengthened(look: &Look<'_>) -> Option<Verdict> {
    let days = period(look.particulars())?;
    let (did, to_do) = ("set the rotation of", "set the rotation of");
    if let Some(longest) =
        look.house.context.longest_period(look.key().as_ref()).filter(|longest| days > *longest)
    {
        let what = format!("{} to every {days} days, where the house allows {longest}", look.key_words());
        return look.says(LENGTHENED.severity, did, to_do, what);
    }
    let before = look.done_before().find_map(|sight| period(sight.particulars.as_ref()))?;
    let what = format!("{} to every {days} days, from every {before}", look.key_words());
    (days > before).then(|| look.says(Severity::Notice, did, to_do, what)).flatten()
}

pub(in crate::detect) static OVERDUE: Rule = Rule {
    id: "kms-rotation-overdue",
    title: "A rotation is overdue",
    severity: Severity::Notice,
    why: "The key's material is older than the house allows, or KMS did not rotate it on its day.",
    next: Next::say(
        "Rotate it: on demand where KMS can (25 times a key, ever), else by a new key and new column keys.",
    ),
    references: &["CIS AWS Foundations 3.6 (v3 to v5)", "AWS Security Hub KMS.4", "PCI DSS v4.0.1 3.7.4"],
    techniques: &[],
    examples: EXAMPLES,
    judge: Judge::Inventory,
};
