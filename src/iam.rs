//! The IAM policies that are shipped with the program, as text: `assets/iam`. Data alone, below every room:
//! `assets export` writes them out, and the simulated account loads them.

/// The file's name and what is in it.
pub type Document = (&'static str, &'static str);

macro_rules! documents {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../assets/iam/", $name)))),+]
    };
}

/// Every file, the one that explains them first.
pub const DOCUMENTS: &[Document] = documents![
    "README.md",
    "emergency-key-admin.trust.json",
    "emergency-key-admin.permissions.json",
    "key-recovery-admin.trust.json",
    "key-recovery-admin.permissions.json",
    "key-management-admin.trust.json",
    "key-management-admin.permissions.json",
    "audit.trust.json",
    "audit.permissions.json",
    "responder.permissions.json",
    "key-policy.json",
];

/// A document with its words in double braces filled in; `None` if there is no such document.
#[must_use]
pub fn filled(name: &str, words: &[(&str, &str)]) -> Option<String> {
    let (_, text) = DOCUMENTS.iter().find(|(known, _)| *known == name)?;
    Some(
        words
            .iter()
            .fold((*text).to_owned(), |text, (word, value)| text.replace(&format!("{{{{{word}}}}}"), value)),
    )
}

#[cfg(test)]
mod tests {
    use super::{DOCUMENTS, filled};

    const WORDS: [&str; 12] = [
        "account",
        "environment",
        "responder-1",
        "responder-2",
        "manager-1",
        "manager-2",
        "auditor-1",
        "emergency-role",
        "recovery-role",
        "management-role",
        "audit-role",
        "alert-topic",
    ];

    #[test]
    fn every_policy_is_json_and_uses_only_the_words_that_are_explained() {
        let (_, readme) = DOCUMENTS[0];
        for (name, text) in &DOCUMENTS[1..] {
            let filled = filled(name, &WORDS.map(|word| (word, "x"))).unwrap();
            assert!(!filled.contains("{{"), "{name}: {filled}");
            let policy: serde_json::Value = serde_json::from_str(&filled).unwrap();
            assert_eq!(policy["Version"], "2012-10-17", "{name}: policy variables need this version");
            assert!(text.len() < 10_240, "{name}: longer than a role's inline policies may be");
        }
        for word in WORDS {
            assert!(readme.contains(&format!("`{{{{{word}}}}}`")), "{word} is not explained");
        }
    }

    #[test]
    fn no_role_may_read_what_a_key_protects_or_sign_with_it() {
        for (name, text) in DOCUMENTS.iter().filter(|(name, _)| name.contains(".permissions.")) {
            for action in [
                "kms:Decrypt",
                "kms:ReEncrypt",
                "kms:GenerateDataKey",
                "kms:Sign",
                "kms:CreateGrant",
                "\"kms:*\"",
            ] {
                assert!(!text.contains(action), "{name} allows {action}");
            }
        }
    }
}
