//! Multi-Region keys: copies in other Regions.

use super::super::look::{Look, Verdict, shown};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/replicas.json");

pub(super) static REPLICATED: Rule = Rule {
    id: "kms-key-replicated",
    title: "A key was copied into another Region",
    severity: Severity::High,
    why: "The replica opens all that the key opens, under a policy and a state of its own: dropping one does not drop the other.",
    next: Next::say(
        "If nobody meant it, drop the replica too, and look into that Region's trail; else add the Region to the settings.",
    ),
    references: &["Prowler kms_cmk_not_multi_region", "NIST SP 800-53r5 SC-12", "PCI DSS v4.0.1 3.6.1"],
    techniques: &[technique::CLOUD_STORAGE],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["ReplicateKey"], judge: replicated },
};

fn replicated(look: &Look<'_>) -> Option<Verdict> {
    let region = match look.particulars() {
        Some(Particulars::Replica { region, .. }) => region.as_deref(),
        _ => None,
    };
    let what = format!("{} into {}", look.key_words(), shown(region));
    look.says(severity(look, region), "copied", "copy", what)
}

pub(super) static PRIMARY_MOVED: Rule = Rule {
    id: "kms-primary-moved",
    title: "A multi-Region key's primary was moved",
    severity: Severity::High,
    why: "Rotation and new replicas are decided in the primary's Region from now on.",
    next: Next::say("Ask whoever did it; the primary can be moved back (kms:UpdatePrimaryRegion)."),
    references: &["NIST SP 800-53r5 SC-12"],
    techniques: &[technique::ACCOUNT_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["UpdatePrimaryRegion"], judge: primary_moved },
};

fn primary_moved(look: &Look<'_>) -> Option<Verdict> {
    let region = match look.particulars() {
        Some(Particulars::Primary { region }) => region.as_deref(),
        _ => None,
    };
    let what = format!("the primary of {} to {}", look.key_words(), shown(region));
    look.says(severity(look, region), "moved", "move", what)
}

/// Within the Regions that are watched it can be seen what comes of it.
fn severity(look: &Look<'_>, region: Option<&str>) -> Severity {
    let is_watched =
        region.is_some_and(|region| look.house.context.regions.iter().any(|watched| watched == region));
    if is_watched { Severity::Notice } else { Severity::High }
}
