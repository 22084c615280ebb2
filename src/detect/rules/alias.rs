//! Aliases: the names by which programs find keys.

use super::super::look::{Look, Verdict, shown};
use super::super::rule::{Judge, Next, Rule, technique};
use super::KMS;
use crate::model::event::Severity;
use crate::model::particulars::Particulars;

const EXAMPLES: &str = include_str!("../examples/alias.json");

pub(super) static MOVED: Rule = Rule {
    id: "kms-alias-moved",
    title: "An alias points at another key",
    severity: Severity::High,
    why: "Whatever is encrypted by that name from now on is encrypted under the other key.",
    next: Next::say(
        "Whose is the other key? If nobody meant it, point the alias back (kms:UpdateAlias), and rewrap what was encrypted since.",
    ),
    references: &["PCI DSS v4.0.1 3.7.7", "NIST SP 800-53r5 SC-12"],
    techniques: &[technique::DATA_MANIPULATION],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["UpdateAlias", "CreateAlias"], judge: moved },
};

fn moved(look: &Look<'_>) -> Option<Verdict> {
    let (name, target) = pointed(look.particulars())?;
    let name = shown(Some(name));
    let (did, to_do) = ("pointed", "point");
    // KMS records the key that the alias left beside the one that it points at now.
    if let [first, .., second] = look.sight.event.keys.as_slice() {
        let names = &look.house.context;
        let what = format!(
            "{name} at another key: {} and {}",
            shown(Some(names.name(first))),
            shown(Some(names.name(second)))
        );
        return look.says(MOVED.severity, did, to_do, what);
    }
    let before = look.done_before().next();
    match before.map(|sight| (sight.is("DeleteAlias"), pointed(sight.particulars.as_ref()))) {
        Some((false, Some((_, before)))) if is_same(before, target) => None,
        Some((_, Some((_, before)))) => {
            let what = format!("{name} at {}, where it was {}", look.key_words(), shown(Some(before)));
            look.says(MOVED.severity, did, to_do, what)
        }
        // A new name is no move, but for one that was taken away before.
        _ if look.sight.is("CreateAlias") => None,
        _ => {
            let what =
                format!("{name} at {}: what it pointed at before is not among the events", look.key_words());
            look.says(Severity::Notice, did, to_do, what)
        }
    }
}

/// An alias and the key that it is pointed at.
fn pointed(particulars: Option<&Particulars>) -> Option<(&str, &str)> {
    match particulars? {
        Particulars::Alias { name: Some(name), target: Some(target) } => Some((name, target)),
        _ => None,
    }
}

/// Whether two names, ids or ARNs, are of one key.
fn is_same(one: &str, other: &str) -> bool {
    let id = |name: &str| name.rsplit_once(":key/").map_or(name, |(_, id)| id).to_ascii_lowercase();
    id(one) == id(other)
}

pub(super) static DELETED: Rule = Rule {
    id: "kms-alias-deleted",
    title: "An alias was deleted",
    severity: Severity::High,
    why: "Programs that find the key by that name stop working; and the name is free for another key.",
    next: Next::say(
        "Ask whoever did it; make the alias again (kms:CreateAlias) on the key that it pointed at.",
    ),
    references: &["PCI DSS v4.0.1 3.7.7"],
    techniques: &[technique::SERVICE_STOP],
    examples: EXAMPLES,
    judge: Judge::Calls { service: KMS, names: &["DeleteAlias"], judge: deleted },
};

fn deleted(look: &Look<'_>) -> Option<Verdict> {
    let name = match look.particulars() {
        Some(Particulars::Alias { name, .. }) => name.as_deref(),
        _ => None,
    };
    let what = format!("the alias {}", shown(name));
    look.says(DELETED.severity, "deleted", "delete", what)
}
