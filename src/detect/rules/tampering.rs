//! The trail itself: stopped, narrowed, led elsewhere.

use super::super::look::{Look, Verdict, shown};
use super::super::rule::{Judge, Next, Rule, technique};
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/tampering.json");
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";

pub(super) static STOPPED: Rule = Rule {
    id: "trail-stopped",
    title: "A trail was stopped or deleted",
    severity: Severity::Critical,
    why: "What happens from now on is not recorded there: somebody may be about to do what should not be seen.",
    next: Next::say(
        "Start it again (cloudtrail:StartLogging), cut off whoever stopped it, and read the gap in event history (90 days).",
    ),
    references: &[
        "CIS AWS Foundations 4.5",
        "AWS Security Hub CloudTrail.1",
        "AWS Security Hub CloudWatch.5",
        "Elastic defense_evasion_cloudtrail_logging_suspended",
        "Elastic defense_evasion_cloudtrail_logging_deleted",
        "Sigma aws_cloudtrail_disable_logging",
        "Panther aws_cloudtrail_stopped",
        "NIST SP 800-53r5 AU-9",
    ],
    techniques: &[technique::CLOUD_LOGS],
    examples: EXAMPLES,
    judge: Judge::Calls {
        service: CLOUDTRAIL,
        names: &["StopLogging", "DeleteTrail", "DeleteEventDataStore", "StopEventDataStoreIngestion"],
        judge: stopped,
    },
};

fn stopped(look: &Look<'_>) -> Option<Verdict> {
    let (did, to_do) = if look.sight.event.name.raw().starts_with("Stop") {
        ("stopped", "stop")
    } else {
        ("deleted", "delete")
    };
    look.says(STOPPED.severity, did, to_do, trail(look))
}

pub(super) static LEAVES_OUT_KMS: Rule = Rule {
    id: "trail-leaves-out-kms",
    title: "A trail leaves the events of keys out",
    severity: Severity::Critical,
    why: "What is done to keys from now on is not recorded there.",
    next: Next::say(
        "Put the event selectors back (cloudtrail:PutEventSelectors), and read the gap in event history (90 days).",
    ),
    references: &[
        "Elastic defense_evasion_cloudtrail_management_events_disabled_via_eventselectors",
        "Panther aws_cloudtrail_event_selectors_disabled",
        "CIS AWS Foundations 4.5",
        "NIST SP 800-53r5 AU-12",
    ],
    techniques: &[technique::CLOUD_LOGS],
    examples: EXAMPLES,
    judge: Judge::Calls { service: CLOUDTRAIL, names: &["PutEventSelectors"], judge: leaves_out_kms },
};

fn leaves_out_kms(look: &Look<'_>) -> Option<Verdict> {
    let Some(Particulars::EventSelectors { leaves_out_kms, leaves_out_management, .. }) = look.particulars()
    else {
        return None;
    };
    let what =
        if *leaves_out_kms { "the events of KMS" } else { "management events, those of KMS among them," };
    (*leaves_out_kms || *leaves_out_management)
        .then(|| look.says(LEAVES_OUT_KMS.severity, "took", "take", format!("{what} out of {}", trail(look))))
        .flatten()
}

pub(super) static ALTERED: Rule = Rule {
    id: "trail-altered",
    title: "A trail was altered",
    severity: Severity::High,
    why: "It may go to another bucket, lose a Region, or lose the digests that prove that no file was changed.",
    next: Next::say(
        "Compare the trail with what it was (cloudtrail:GetTrail, GetEventSelectors); undo what nobody meant.",
    ),
    references: &[
        "CIS AWS Foundations 4.5",
        "AWS Security Hub CloudWatch.5",
        "Elastic defense_evasion_cloudtrail_logging_updated",
        "Sigma aws_cloudtrail_disable_logging",
        "NIST SP 800-53r5 AU-9",
    ],
    techniques: &[technique::CLOUD_LOGS],
    examples: EXAMPLES,
    judge: Judge::Calls {
        service: CLOUDTRAIL,
        names: &[
            "UpdateTrail",
            "PutEventSelectors",
            "PutInsightSelectors",
            "UpdateEventDataStore",
            "PutResourcePolicy",
        ],
        judge: altered,
    },
};

fn altered(look: &Look<'_>) -> Option<Verdict> {
    let selectors = match look.particulars() {
        Some(Particulars::EventSelectors { leaves_out_kms, leaves_out_management, .. }) => {
            if *leaves_out_kms || *leaves_out_management {
                return None;
            }
            true
        }
        _ => look.sight.is("PutEventSelectors") || look.sight.is("PutInsightSelectors"),
    };
    // Selectors that leave the events of keys in are worth a look, no more.
    let severity = if selectors { Severity::Notice } else { ALTERED.severity };
    look.says(severity, "altered", "alter", format!("{} ({})", trail(look), look.sight.event.name))
}

fn trail(look: &Look<'_>) -> String {
    let name = match look.particulars() {
        Some(Particulars::Trail { name } | Particulars::EventSelectors { trail: name, .. }) => {
            name.as_deref()
        }
        _ => None,
    };
    // The last part of an ARN says which it is.
    let name = name.map(|name| name.rsplit('/').next().unwrap_or(name));
    format!("the trail {}", shown(name))
}
