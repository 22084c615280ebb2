//! Which events of an account belong on a screen about keys.

use crate::model::event::KeyEvent;
use crate::settings::TrailSettings;

/// KMS's name in CloudTrail.
pub(super) const KMS: &str = "kms.amazonaws.com";
const CLOUDTRAIL: &str = "cloudtrail.amazonaws.com";
const STS: &str = "sts.amazonaws.com";
const SIGN_IN: &str = "signin.amazonaws.com";
const SECRETS: &str = "secretsmanager.amazonaws.com";

/// Whether an event belongs here: KMS's own, any that names a key, changes to the trail itself, the roles taken on
/// and the secrets read that settings name, and the root user's sign-ins. `raw` is its record.
pub(super) fn tells_of_keys(event: &KeyEvent, raw: &str, watched: &TrailSettings) -> bool {
    let name = event.name.raw();
    match event.source.raw() {
        KMS => true,
        CLOUDTRAIL => event.read_only != Some(true),
        STS if name.starts_with("AssumeRole") => watched
            .roles
            .iter()
            .any(|role| raw.contains(&format!("role/{role}\"")) || raw.contains(&format!("/{role}\""))),
        STS => name == "AssumeRoot",
        SECRETS if name == "GetSecretValue" => {
            watched.secrets.iter().any(|secret| raw.contains(secret.as_str()))
        }
        SIGN_IN => name == "ConsoleLogin" && event.who.is_root(),
        _ => !event.keys.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::tells_of_keys;
    use crate::settings::TrailSettings;
    use crate::trail::parse;
    use serde_json::{Value, json};

    fn belongs(source: &str, name: &str, parameters: &Value, root: bool) -> bool {
        let kind = if root { "Root" } else { "AssumedRole" };
        let raw = json!({
            "eventID": "e-1", "eventTime": "2026-11-23T14:02:31Z", "eventName": name,
            "eventSource": format!("{source}.amazonaws.com"), "readOnly": true,
            "userIdentity": {"type": kind}, "requestParameters": parameters
        })
        .to_string();
        let watched = TrailSettings {
            roles: vec!["emergency-key-admin".into()],
            secrets: vec!["emergency-procedures".into()],
            ..TrailSettings::default()
        };
        tells_of_keys(&parse(&raw).unwrap(), &raw, &watched)
    }

    #[test]
    fn roles_and_secrets_belong_where_settings_name_them() {
        let role = |name: &str| json!({"roleArn": format!("arn:aws:iam::111122223333:role/{name}")});
        assert!(belongs("sts", "AssumeRole", &role("emergency-key-admin"), false));
        assert!(belongs("sts", "AssumeRole", &role("ops/emergency-key-admin"), false));
        assert!(!belongs("sts", "AssumeRole", &role("app"), false));
        assert!(!belongs("sts", "AssumeRole", &role("not-emergency-key-admin"), false));
        assert!(belongs(
            "secretsmanager",
            "GetSecretValue",
            &json!({"secretId": "buzz/emergency-procedures"}),
            false
        ));
        assert!(!belongs("secretsmanager", "GetSecretValue", &json!({"secretId": "buzz/db"}), false));
    }

    #[test]
    fn keys_that_other_services_name_and_the_root_user_belong() {
        let key = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert!(belongs("rds", "CreateDBInstance", &json!({"kmsKeyId": key}), false));
        assert!(!belongs("rds", "CreateDBInstance", &json!({}), false));
        assert!(belongs("signin", "ConsoleLogin", &json!({}), true));
        assert!(!belongs("signin", "ConsoleLogin", &json!({}), false));
        assert!(!belongs("cloudtrail", "GetTrailStatus", &json!({}), false));
    }
}
