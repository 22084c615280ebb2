//! An event in one sentence.

use super::event::{KMS, KeyEvent, Outcome};
use super::text::visible;

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

impl KeyEvent {
    /// The event in one sentence, made fit for a screen: who, through what, did what to which key, from where, when, and
    /// how it ended. Keys by ARN, times in full: for machines and records.
    #[must_use]
    pub fn sentence(&self) -> String {
        let key = self.keys.first().map(ToString::to_string);
        let key = key.or_else(|| self.key_as_typed.as_ref().map(ToString::to_string));
        self.told(key.as_deref(), &self.at.to_string())
    }

    /// The same, with the words for its key and its time, both fit for a screen.
    #[must_use]
    pub fn told(&self, key: Option<&str>, when: &str) -> String {
        let outcome = match &self.outcome {
            Outcome::Allowed => "allowed".to_owned(),
            Outcome::DryRun => "it would have been allowed, and nothing happened".to_owned(),
            Outcome::Denied { code, .. } => format!("denied ({})", visible(code)),
            Outcome::Failed { code, .. } => format!("failed ({})", visible(code)),
        };
        let from = if self.from.is_empty() { String::new() } else { format!(" from {}", self.from) };
        format!("{}{} {}{from} at {when}; {outcome}", self.who.name, through(self), deed(self, key))
    }
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

fn deed(event: &KeyEvent, key: Option<&str>) -> String {
    let service = event.source.raw().trim_end_matches(".amazonaws.com");
    let call = match service {
        "kms" | "" => event.name.to_string(),
        other => format!("{}:{}", visible(other), event.name),
    };
    let Some(key) = key else { return format!("called {call}") };
    let known = DEEDS.iter().find(|(name, ..)| event.source.raw() == KMS && event.name.raw() == *name);
    match (known, &event.outcome) {
        (Some((_, done, _)), Outcome::Allowed) => format!("{done} {key}"),
        (Some((_, _, tried)), Outcome::DryRun) => format!("tried in a dry run to {tried} {key}"),
        (Some((_, _, tried)), _) => format!("tried to {tried} {key}"),
        (None, _) => format!("called {call} on {key}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::model::event::{KeyEvent, Outcome, Who};

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
        event.told(event.keys.first().map(|_| "buzz-tutor/user-data"), "14:02:31Z")
    }

    #[test]
    fn who_did_what_is_told_in_one_sentence() {
        assert_eq!(
            told(&event("DisableKey")),
            "oncall-b (via emergency-key-admin, MFA) disabled buzz-tutor/user-data from 203.0.113.7 at 14:02:31Z; allowed"
        );
    }

    #[test]
    fn machines_are_told_the_arn() {
        assert!(event("DisableKey").sentence().contains(&format!("disabled {KEY} from")));
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
