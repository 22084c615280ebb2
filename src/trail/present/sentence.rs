//! An event in one sentence.

use jiff::Timestamp;

use super::{error_of, key, outcome_word, time};
use crate::model::event::{KMS, KeyEvent, Outcome};
use crate::model::text::visible;
use crate::trail::names::KeyNames;

/// KMS's calls about a key, as they are told once done, and where they were only tried.
const DEEDS: &[(&str, &str, &str)] = &[
    ("CancelKeyDeletion", "cancelled the deletion of", "cancel the deletion of"),
    ("CreateAlias", "gave a new alias to", "give a new alias to"),
    ("CreateGrant", "made a grant on", "make a grant on"),
    ("CreateKey", "made", "make"),
    ("Decrypt", "decrypted with", "decrypt with"),
    ("DeleteAlias", "deleted an alias of", "delete an alias of"),
    ("DeleteExpiredKeyMaterial", "deleted the expired material of", "delete the expired material of"),
    ("DeleteImportedKeyMaterial", "deleted the material of", "delete the material of"),
    ("DeleteKey", "deleted", "delete"),
    ("DescribeKey", "looked at", "look at"),
    ("DisableKey", "disabled", "disable"),
    ("DisableKeyRotation", "switched off the rotation of", "switch off the rotation of"),
    ("EnableKey", "enabled", "enable"),
    ("EnableKeyRotation", "switched on the rotation of", "switch on the rotation of"),
    ("Encrypt", "encrypted with", "encrypt with"),
    ("GenerateDataKey", "made a data key with", "make a data key with"),
    ("GenerateDataKeyWithoutPlaintext", "made a data key with", "make a data key with"),
    ("GenerateMac", "made a MAC with", "make a MAC with"),
    ("GetKeyPolicy", "read the policy of", "read the policy of"),
    ("ImportKeyMaterial", "imported material into", "import material into"),
    ("ListGrants", "listed the grants of", "list the grants of"),
    ("PutKeyPolicy", "changed the policy of", "change the policy of"),
    ("ReEncrypt", "re-encrypted with", "re-encrypt with"),
    ("ReplicateKey", "made a replica of", "make a replica of"),
    ("RetireGrant", "retired a grant on", "retire a grant on"),
    ("RevokeGrant", "revoked a grant on", "revoke a grant on"),
    ("RotateKey", "rotated", "rotate"),
    ("RotateKeyOnDemand", "asked for the rotation of", "ask for the rotation of"),
    ("ScheduleKeyDeletion", "scheduled the deletion of", "schedule the deletion of"),
    ("Sign", "signed with", "sign with"),
    ("TagResource", "tagged", "tag"),
    ("UntagResource", "took tags off", "take tags off"),
    ("UpdateAlias", "moved an alias to", "move an alias to"),
    ("UpdateKeyDescription", "changed the description of", "change the description of"),
    ("UpdatePrimaryRegion", "moved the primary of", "move the primary of"),
    ("Verify", "verified a signature with", "verify a signature with"),
    ("VerifyMac", "verified a MAC with", "verify a MAC with"),
];

/// An event in one sentence, fit for a screen: who, through what, did what to which key, from where, when (UTC), and
/// how it ended.
#[must_use]
pub fn sentence(event: &KeyEvent, names: &KeyNames, now: Timestamp) -> String {
    let outcome = match error_of(&event.outcome) {
        Some((code, _)) => format!("{} ({})", outcome_word(&event.outcome), visible(code)),
        None if event.outcome == Outcome::DryRun => {
            "it would have been allowed, and nothing happened".to_owned()
        }
        None => outcome_word(&event.outcome).to_owned(),
    };
    let from = if event.from.is_empty() { String::new() } else { format!(" from {}", event.from) };
    format!(
        "{}{} {}{from} at {}; {outcome}",
        event.who.name,
        through(event),
        deed(event, names),
        time(event.at, now)
    )
}

/// The role, and whether MFA was given.
fn through(event: &KeyEvent) -> String {
    let mfa = match event.who.mfa {
        Some(true) => Some("MFA"),
        // Without a role it is daily business; with one, its session could have been begun with MFA.
        Some(false) if event.who.role.is_some() => Some("no MFA"),
        _ => None,
    };
    let role = event.who.role.as_ref().map(|role| format!("via {role}"));
    let told: Vec<String> = role.into_iter().chain(mfa.map(str::to_owned)).collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

fn deed(event: &KeyEvent, names: &KeyNames) -> String {
    let has_key = !event.keys.is_empty() || event.key_as_typed.is_some();
    let known = DEEDS.iter().find(|(name, ..)| event.source.raw() == KMS && event.name.raw() == *name);
    let key = key(event, names);
    match (known, &event.outcome) {
        (Some((_, done, _)), Outcome::Allowed) if has_key => format!("{done} {key}"),
        (Some((_, _, tried)), Outcome::DryRun) if has_key => format!("tried in a dry run to {tried} {key}"),
        (Some((_, _, tried)), _) if has_key => format!("tried to {tried} {key}"),
        _ if has_key => format!("called {} on {key}", super::what(event)),
        _ => format!("called {}", super::what(event)),
    }
}

#[cfg(test)]
mod tests {
    use super::sentence;
    use crate::model::event::{KeyEvent, Outcome, Who};
    use crate::trail::KeyNames;

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn event(name: &str) -> KeyEvent {
        KeyEvent {
            at: "2026-11-23T14:02:31Z".parse().unwrap(),
            name: name.into(),
            source: "kms.amazonaws.com".into(),
            keys: vec![KEY.parse().unwrap()],
            from: "203.0.113.7".into(),
            who: Who {
                name: "oncall-b".into(),
                role: Some("emergency-key-admin".into()),
                mfa: Some(true),
                ..Who::default()
            },
            ..KeyEvent::default()
        }
    }

    fn told(event: &KeyEvent) -> String {
        let names: KeyNames =
            [(KEY.parse().unwrap(), "buzz-tutor/user-data".to_owned())].into_iter().collect();
        sentence(event, &names, "2026-11-23T15:00:00Z".parse().unwrap())
    }

    #[test]
    fn who_did_what_is_told_in_one_sentence() {
        assert_eq!(
            told(&event("DisableKey")),
            "oncall-b (via emergency-key-admin, MFA) disabled buzz-tutor/user-data from 203.0.113.7 at 14:02:31Z; allowed"
        );
    }

    #[test]
    fn what_did_not_happen_is_not_told_as_done() {
        let denied = Outcome::Denied { code: "AccessDenied".into(), message: "no".into() };
        let denied = told(&KeyEvent { outcome: denied, ..event("ScheduleKeyDeletion") });
        assert!(denied.contains("tried to schedule the deletion of buzz-tutor/user-data"), "{denied}");
        assert!(denied.ends_with("; denied (AccessDenied)"), "{denied}");
        let dry = told(&KeyEvent { outcome: Outcome::DryRun, ..event("Encrypt") });
        assert!(dry.contains("tried in a dry run to encrypt with"), "{dry}");
    }

    #[test]
    fn calls_without_a_word_of_ours_keep_their_name() {
        let new = told(&event("FrobnicateKey\u{1b}[2J"));
        assert!(new.contains("called FrobnicateKey␛[2J on buzz-tutor/user-data"), "{new}");
        let other = told(&KeyEvent { source: "rds.amazonaws.com".into(), keys: Vec::new(), ..event("Sign") });
        assert!(other.contains("called rds:Sign from"), "{other}");
    }
}
