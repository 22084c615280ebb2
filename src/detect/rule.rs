//! What a rule is.

use super::look::{Look, Verdict};
use crate::model::event::Severity;

/// A named judgement.
#[derive(Debug)]
pub struct Rule {
    /// Stable: settings mute by it, records name it.
    pub id: &'static str,
    pub title: &'static str,
    /// The highest that it gives. A refused attempt counts one step less.
    pub severity: Severity,
    /// What it means when it speaks.
    pub why: &'static str,
    pub next: Next,
    /// Public rules and controls that it corresponds to.
    pub references: &'static [&'static str],
    pub techniques: &'static [Technique],
    /// A JSON object: for each rule of its family, by id, what it has to find and what it has to pass over.
    pub examples: &'static str,
    pub(super) judge: Judge,
}

/// What to do about a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    pub say: &'static str,
    /// The id of the runbook that fits.
    pub runbook: Option<&'static str>,
}

/// A technique of MITRE ATT&CK (v17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Technique {
    /// e.g. `T1485`.
    pub id: &'static str,
    pub name: &'static str,
}

/// How a rule judges.
#[derive(Clone, Copy, Debug)]
pub(super) enum Judge {
    /// Certain calls of a service, each in the light of the earlier ones on the same key or alias.
    Calls { service: &'static str, names: &'static [&'static str], judge: fn(&Look<'_>) -> Option<Verdict> },
    /// Whatever the root user does, or whatever is changed from a console session.
    Hands(fn(&Look<'_>) -> Option<Verdict>),
    /// Watched over many events: see [`super::watches`].
    Watch,
    /// What the inventory says.
    Inventory,
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Rule {}

impl Next {
    pub(super) const fn say(say: &'static str) -> Self {
        Self { say, runbook: None }
    }

    pub(super) const fn run(runbook: &'static str, say: &'static str) -> Self {
        Self { say, runbook: Some(runbook) }
    }
}

pub(super) mod technique {
    //! Those that rules name.

    use super::Technique;

    const fn technique(id: &'static str, name: &'static str) -> Technique {
        Technique { id, name }
    }

    pub const DATA_DESTRUCTION: Technique = technique("T1485", "Data Destruction");
    pub const DATA_ENCRYPTED: Technique = technique("T1486", "Data Encrypted for Impact");
    pub const SERVICE_STOP: Technique = technique("T1489", "Service Stop");
    pub const INHIBIT_RECOVERY: Technique = technique("T1490", "Inhibit System Recovery");
    pub const ACCESS_REMOVAL: Technique = technique("T1531", "Account Access Removal");
    pub const ACCOUNT_MANIPULATION: Technique = technique("T1098", "Account Manipulation");
    pub const CLOUD_ACCOUNTS: Technique = technique("T1078.004", "Valid Accounts: Cloud Accounts");
    pub const CLOUD_LOGS: Technique = technique("T1562.008", "Impair Defenses: Disable or Modify Cloud Logs");
    pub const IMPAIR_DEFENSES: Technique = technique("T1562", "Impair Defenses");
    pub const SECRETS_STORE: Technique =
        technique("T1555.006", "Credentials from Password Stores: Cloud Secrets Management Stores");
    pub const TEMPORARY_ACCESS: Technique =
        technique("T1548.005", "Abuse Elevation Control Mechanism: Temporary Elevated Cloud Access");
    pub const DATA_MANIPULATION: Technique = technique("T1565", "Data Manipulation");
    pub const DISCOVERY: Technique = technique("T1580", "Cloud Infrastructure Discovery");
    pub const CLOUD_STORAGE: Technique = technique("T1530", "Data from Cloud Storage");
}
