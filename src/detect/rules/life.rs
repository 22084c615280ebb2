//! A key's life: disabled, deleted, raised again.

use super::super::look::{Look, Verdict};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/life.json");

pub(super) static DISABLED: Rule = Rule {
    id: "kms-key-disabled",
    title: "A key was disabled",
    severity: Severity::High,
    why: "Nothing that the key protects can be opened any more; RDS storage under it is lost after 7 days.",
    next: Next::run(
        "key-recovery",
        "Ask whoever did it. If nobody meant it, raise the gate: the runbook key-recovery.",
    ),
    references: &[
        "CIS AWS Foundations 4.7 (5.7 in v6)",
        "AWS Security Hub CloudWatch.7",
        "Elastic impact_kms_cmk_disabled_or_scheduled_for_deletion",
        "Panther aws_kms_cmk_loss",
        "NIST SP 800-53r5 SC-12",
    ],
    techniques: &[technique::SERVICE_STOP],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DisableKey"], judge: disabled },
};

fn disabled(look: &Look<'_>) -> Option<Verdict> {
    let incident = look.house.context.incident(look.sight.event.at).filter(|_| look.through_emergency_role());
    match incident {
        Some(incident) => {
            let what = format!("{}, in incident {}", look.key_words(), incident.id);
            look.says(Severity::Notice, "disabled", "disable", what)
        }
        None => look.says(DISABLED.severity, "disabled", "disable", look.key_words()),
    }
}

pub(super) static DELETION_SCHEDULED: Rule = Rule {
    id: "kms-key-deletion-scheduled",
    title: "A key is to be deleted",
    severity: Severity::Critical,
    why: "When the waiting period is over, everything under the key is lost for good.",
    next: Next::run(
        "key-recovery",
        "Cancel the deletion while its window is open: the runbook key-recovery. Check first that the key policy still lets you.",
    ),
    references: &[
        "CIS AWS Foundations 4.7 (5.7 in v6)",
        "AWS Security Hub KMS.3",
        "AWS Security Hub CloudWatch.7",
        "Prowler kms_cmk_not_deleted_unintentionally",
        "Elastic impact_kms_cmk_disabled_or_scheduled_for_deletion",
        "Panther aws_kms_cmk_loss",
        "PCI DSS v4.0.1 3.7.5",
    ],
    techniques: &[technique::DATA_DESTRUCTION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["ScheduleKeyDeletion"], judge: deletion_scheduled },
};

fn deletion_scheduled(look: &Look<'_>) -> Option<Verdict> {
    // KMS takes 30 days where none are given.
    let days = match look.particulars() {
        Some(Particulars::Deletion { window_days: Some(days) }) => *days,
        _ => 30,
    };
    let what = format!("{} for deletion in {days} days", look.key_words());
    look.says(DELETION_SCHEDULED.severity, "scheduled", "schedule", what)
}

pub(super) static DELETED: Rule = Rule {
    id: "kms-key-deleted",
    title: "A key is gone",
    severity: Severity::Critical,
    why: "KMS deleted the key when its waiting period was over: what it wrapped can be read by nobody again.",
    next: Next::say(
        "Find out what it wrapped (`portcullis keys`), and restore that from copies under other keys.",
    ),
    references: &["AWS Security Hub KMS.3", "PCI DSS v4.0.1 3.7.5"],
    techniques: &[technique::DATA_DESTRUCTION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DeleteKey"], judge: deleted },
};

fn deleted(look: &Look<'_>) -> Option<Verdict> {
    let reason = format!("KMS deleted {}, its waiting period being over", look.key_words());
    look.sight.is_done().then_some(Verdict { severity: DELETED.severity, reason })
}

pub(super) static RAISED_WHILE_HELD: Rule = Rule {
    id: "kms-key-raised-while-held",
    title: "A key that responders dropped was raised",
    severity: Severity::Critical,
    why: "Somebody undoes what an incident did: whoever could use the key then can again.",
    next: Next::run(
        "emergency-revocation",
        "Drop the gate again, the runbook emergency-revocation, and cut off whoever raised it.",
    ),
    references: &["NIST SP 800-53r5 IR-4", "HIPAA 164.308(a)(6)(ii)"],
    techniques: &[technique::IMPAIR_DEFENSES],
    examples: EXAMPLES,
    judge: Judge::Calls {
        service: KMS,
        names: &["EnableKey", "CancelKeyDeletion"],
        judge: raised_while_held,
    },
};

fn raised_while_held(look: &Look<'_>) -> Option<Verdict> {
    let (did, to_do) = if look.sight.is("EnableKey") {
        ("enabled", "enable")
    } else {
        ("cancelled the deletion of", "cancel the deletion of")
    };
    let key = look.key()?;
    if let Some(held) = look.house.context.hold(&key, look.sight.event.at) {
        let what = format!("{}, which incident {} holds down", look.key_words(), held.incident);
        return look.says(RAISED_WHILE_HELD.severity, did, to_do, what);
    }
    // Without its journal at hand, a drop through an emergency role is an incident's.
    let before =
        look.done_before().find(|sight| ["DisableKey", "EnableKey"].iter().any(|name| sight.is(name)))?;
    let role = before.event.who.role.as_ref().filter(|role| look.house.is_emergency_role(role.raw()))?;
    if !before.is("DisableKey") || look.through_emergency_role() {
        return None;
    }
    let what = format!(
        "{}, which {} had dropped through {role} at {}",
        look.key_words(),
        before.event.who.name,
        before.event.at
    );
    look.says(Severity::High, did, to_do, what)
}
