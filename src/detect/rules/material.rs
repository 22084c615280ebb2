//! Key material that comes from outside KMS, and the stores that keep it outside.

use super::super::look::{Look, Verdict};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;

const EXAMPLES: &str = include_str!("../examples/material.json");

pub(super) static IMPORTED: Rule = Rule {
    id: "kms-key-material-imported",
    title: "Key material was imported",
    severity: Severity::High,
    why: "Whoever imports material has a copy of it: ransomware takes this road, and so do few honest programs.",
    next: Next::say("Is this your own import? If not, drop the key and find out what it encrypts."),
    references: &["Sigma aws_kms_import_key_material", "PCI DSS v4.0.1 3.7.7", "NIST SP 800-53r5 SC-12"],
    techniques: &[technique::DATA_ENCRYPTED],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["ImportKeyMaterial"], judge: imported },
};

fn imported(look: &Look<'_>) -> Option<Verdict> {
    look.says(IMPORTED.severity, "imported material into", "import material into", look.key_words())
}

pub(super) static DELETED: Rule = Rule {
    id: "kms-key-material-deleted",
    title: "Imported key material was deleted",
    severity: Severity::Critical,
    why: "The key is of no use at once, without a waiting period; only the same material can bring it back.",
    next: Next::say(
        "Import the same material again from its escrow: nothing else opens what the key encrypted.",
    ),
    references: &["PCI DSS v4.0.1 3.7.5", "NIST SP 800-53r5 SC-12(1)"],
    techniques: &[technique::DATA_DESTRUCTION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DeleteImportedKeyMaterial"], judge: deleted },
};

fn deleted(look: &Look<'_>) -> Option<Verdict> {
    look.says(DELETED.severity, "deleted the material of", "delete the material of", look.key_words())
}

pub(super) static EXPIRED: Rule = Rule {
    id: "kms-key-material-expired",
    title: "Imported key material has expired",
    severity: Severity::High,
    why: "KMS deleted the material on the day that was set when it was imported: the key is of no use until it is back.",
    next: Next::say("Import the same material again from its escrow, with a later day or none."),
    references: &["NIST SP 800-53r5 SC-12(1)"],
    techniques: &[],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DeleteExpiredKeyMaterial"], judge: expired },
};

fn expired(look: &Look<'_>) -> Option<Verdict> {
    let reason = format!("KMS deleted the material of {}, which has expired", look.key_words());
    look.sight.is_done().then_some(Verdict { severity: EXPIRED.severity, reason })
}

pub(super) static STORE_CUT_OFF: Rule = Rule {
    id: "kms-custom-key-store-cut-off",
    title: "A custom key store was cut off or changed",
    severity: Severity::Critical,
    why: "Every key in the store is out of reach at once.",
    next: Next::say("Ask whoever did it; connect the store again (kms:ConnectCustomKeyStore)."),
    references: &["Sigma aws_kms_custom_key_store_connected_or_created", "NIST SP 800-53r5 SC-12(1)"],
    techniques: &[technique::SERVICE_STOP],
    examples: EXAMPLES,
    judge: Judge::Calls {
        service: KMS,
        names: &["DisconnectCustomKeyStore", "DeleteCustomKeyStore", "UpdateCustomKeyStore"],
        judge: store_cut_off,
    },
};

fn store_cut_off(look: &Look<'_>) -> Option<Verdict> {
    let (severity, did, to_do) = match look.sight.event.name.raw() {
        "DisconnectCustomKeyStore" => (Severity::Critical, "disconnected", "disconnect"),
        "DeleteCustomKeyStore" => (Severity::Critical, "deleted", "delete"),
        _ => (Severity::High, "changed", "change"),
    };
    look.says(severity, did, to_do, "a custom key store")
}
