//! `[environments.NAME.roles]`: the role for each duty, and how it is assumed.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use toml::Spanned;

use super::load::Reader;
use crate::model::duty::Duty;
use crate::model::text::visible;

/// STS's least session, and our default: a session is for one change.
pub const SHORTEST: SignedDuration = SignedDuration::from_mins(15);
/// STS's longest session, for a role that allows it.
const LONGEST: SignedDuration = SignedDuration::from_hours(12);
/// The session tag that the emergency role's policies ask for.
pub const EMERGENCY_TAG: &str = "EmergencyAccess";
/// The session tag that says for which environment a session is.
pub const ENVIRONMENT_TAG: &str = "Environment";
/// STS takes 50; two are ours.
const MOST_TAGS: usize = 48;

/// The roles of an environment. Empty: everything is done with the credentials at hand.
#[derive(Clone, Debug, PartialEq)]
pub struct Roles {
    /// ARNs of roles.
    pub by_duty: BTreeMap<Duty, String>,
    pub mfa: Mfa,
    /// How long a session lasts, 15 minutes to 12 hours.
    pub session: SignedDuration,
    /// Session tags, `Environment` among them.
    pub tags: BTreeMap<String, String>,
}

/// How a session proves MFA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mfa {
    /// By a code of this device: its ARN, or a hardware device's serial number.
    Device(String),
    /// By a code of a device whose serial number is asked for at start.
    Ask,
    /// The credentials at hand are of a session with MFA already, or the roles ask for none.
    Session,
}

impl Roles {
    /// No roles, for an environment of this name.
    #[must_use]
    pub fn none(environment: &str) -> Self {
        Self {
            by_duty: BTreeMap::new(),
            mfa: Mfa::Session,
            session: SHORTEST,
            tags: BTreeMap::from([(ENVIRONMENT_TAG.to_owned(), environment.to_owned())]),
        }
    }

    /// The role for a duty.
    #[must_use]
    pub fn role(&self, duty: Duty) -> Option<&str> {
        self.by_duty.get(&duty).map(String::as_str)
    }

    /// The names, without path, of the roles that are for emergencies only.
    #[must_use]
    pub fn for_emergencies(&self) -> Vec<String> {
        let roles = [Duty::EmergencyKeyAdmin, Duty::KeyRecoveryAdmin].into_iter();
        let names = roles.filter_map(|duty| self.role(duty)?.rsplit('/').next().map(str::to_owned));
        names.collect()
    }

    /// Whether a code of an MFA device will be needed to change anything.
    #[must_use]
    pub fn change_asks_for_mfa(&self) -> bool {
        self.mfa != Mfa::Session && self.by_duty.keys().any(|duty| *duty != Duty::Audit)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRoles {
    #[serde(rename = "emergency-key-admin")]
    emergency_key_admin: Option<Spanned<String>>,
    #[serde(rename = "key-recovery-admin")]
    key_recovery_admin: Option<Spanned<String>>,
    #[serde(rename = "key-management-admin")]
    key_management_admin: Option<Spanned<String>>,
    audit: Option<Spanned<String>>,
    mfa: Option<Spanned<String>>,
    session: Option<Spanned<String>>,
    #[serde(default)]
    tags: BTreeMap<Spanned<String>, Spanned<String>>,
}

impl Reader<'_> {
    pub(super) fn roles(&mut self, raw: Option<RawRoles>, environment: &str, account: Option<&str>) -> Roles {
        let mut roles = Roles::none(environment);
        let Some(raw) = raw else { return roles };
        roles.mfa = self.mfa(raw.mfa.as_ref());
        roles.session = self.session(raw.session.as_ref());
        self.tags(raw.tags, &mut roles.tags);
        let named = [
            (Duty::EmergencyKeyAdmin, raw.emergency_key_admin),
            (Duty::KeyRecoveryAdmin, raw.key_recovery_admin),
            (Duty::KeyManagementAdmin, raw.key_management_admin),
            (Duty::Audit, raw.audit),
        ];
        for (duty, arn) in named {
            let Some(arn) = arn else { continue };
            self.check_role(duty, &arn, account);
            roles.by_duty.insert(duty, arn.into_inner());
        }
        roles
    }

    fn check_role(&mut self, duty: Duty, arn: &Spanned<String>, account: Option<&str>) {
        let text = arn.get_ref();
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let reason = match parts.as_slice() {
            ["arn", partition, "iam", "", of, role]
                if partition.starts_with("aws")
                    && of.len() == 12
                    && of.bytes().all(|b| b.is_ascii_digit())
                    && role.strip_prefix("role/").is_some_and(is_role_name) =>
            {
                match account {
                    Some(account) if account != *of => {
                        format!(
                            "the role for {duty} is of account {of}, and this environment is account {account}"
                        )
                    }
                    _ => return,
                }
            }
            _ => format!(
                "`{}` is not the ARN of a role, such as arn:aws:iam::111122223333:role/KeyAdmin",
                visible(text)
            ),
        };
        self.mistake(Some(arn.span().start), reason);
    }

    fn mfa(&mut self, raw: Option<&Spanned<String>>) -> Mfa {
        let Some(raw) = raw else { return Mfa::Ask };
        match raw.get_ref().as_str() {
            "ask" => Mfa::Ask,
            "session" => Mfa::Session,
            serial => {
                if let Err(reason) = check_serial(serial) {
                    self.mistake(Some(raw.span().start), reason);
                }
                Mfa::Device(serial.to_owned())
            }
        }
    }

    fn session(&mut self, raw: Option<&Spanned<String>>) -> SignedDuration {
        let session = self.duration(raw, SHORTEST);
        if let Some(raw) = raw
            && !(SHORTEST..=LONGEST).contains(&session)
        {
            let reason = format!("session takes 15m to 12h, not `{}`", visible(raw.get_ref()));
            self.mistake(Some(raw.span().start), reason);
        }
        session
    }

    fn tags(&mut self, raw: BTreeMap<Spanned<String>, Spanned<String>>, tags: &mut BTreeMap<String, String>) {
        if raw.len() > MOST_TAGS {
            let at = raw.keys().map(|key| key.span().start).max();
            self.mistake(at, format!("a session takes {MOST_TAGS} tags at most besides our own two"));
        }
        for (key, value) in raw {
            if let Some(reason) = tag_mistake(key.get_ref(), value.get_ref()) {
                self.mistake(Some(key.span().start), reason);
            }
            tags.insert(key.into_inner(), value.into_inner());
        }
    }
}

/// Whether a text can be an MFA device's serial number: its ARN, or what is printed on a hardware device.
///
/// # Errors
/// What is wrong with it.
pub fn check_serial(text: &str) -> Result<(), String> {
    let fits = (9..=256).contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "+=/:,.@-_".contains(c));
    if fits {
        return Ok(());
    }
    Err(format!(
        "`{}` is no MFA device: it takes a device's ARN, such as arn:aws:iam::111122223333:mfa/NAME, a hardware device's serial number, \"ask\" or \"session\"",
        visible(text)
    ))
}

fn is_role_name(path: &str) -> bool {
    !path.is_empty() && path.chars().all(|c| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c))
}

/// What is wrong with a session tag, by STS's rules and ours.
fn tag_mistake(key: &str, value: &str) -> Option<String> {
    let letters = |text: &str| text.chars().all(|c| c.is_alphanumeric() || " _.:/=+-@".contains(c));
    if key == EMERGENCY_TAG {
        Some(format!("{EMERGENCY_TAG} is not for settings: it is set where the duty needs it"))
    } else if key.to_ascii_lowercase().starts_with("aws:") {
        Some(format!("a tag may not begin with `aws:`, as `{}` does", visible(key)))
    } else if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        Some("a tag's name takes 1 to 128 characters, its value up to 256".to_owned())
    } else if !letters(key) || !letters(value) {
        Some(format!(
            "the tag `{}` has characters that STS does not take: letters, digits, blanks and _.:/=+-@",
            visible(key)
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::SignedDuration;

    use super::super::{Settings, read};
    use super::{Duty, Mfa};

    fn settings(roles: &str) -> Result<Settings, Vec<String>> {
        let text = format!(
            "[environments.prod]\naccount = \"111122223333\"\nregions = [\"eu-west-1\"]\n[environments.prod.roles]\n{roles}"
        );
        read(Path::new("s.toml"), &text, "/state".into())
            .map_err(|mistakes| mistakes.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn roles_are_read_with_their_defaults() {
        let read = settings(
            "emergency-key-admin = \"arn:aws:iam::111122223333:role/keys/Emergency\"\ntags = { Environment = \"production\" }\n",
        );
        let environment = read.unwrap().environments["prod"].clone();
        assert_eq!(environment.trail.roles, ["Emergency"], "who takes them on is watched");
        let roles = environment.roles;
        assert_eq!(
            roles.role(Duty::EmergencyKeyAdmin),
            Some("arn:aws:iam::111122223333:role/keys/Emergency")
        );
        assert_eq!(roles.role(Duty::Audit), None);
        assert_eq!(roles.for_emergencies(), ["Emergency"]);
        assert_eq!((&roles.mfa, roles.session), (&Mfa::Ask, SignedDuration::from_secs(900)));
        assert_eq!(roles.tags["Environment"], "production");
        assert!(roles.change_asks_for_mfa());
        let roles = settings("audit = \"arn:aws:iam::111122223333:role/Audit\"\n").unwrap();
        let roles = &roles.environments["prod"].roles;
        assert!(!roles.change_asks_for_mfa(), "reading needs no code");
        assert_eq!(roles.tags["Environment"], "prod");
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        for (line, words) in [
            ("audit = \"arn:aws:iam::111122223333:user/x\"", "not the ARN of a role"),
            ("audit = \"arn:aws:iam::999999999999:role/x\"", "is of account 999999999999"),
            ("mfa = \"123456\"", "is no MFA device"),
            ("session = \"10m\"", "15m to 12h"),
            ("session = \"soon\"", "not a span of time"),
            ("tags = { EmergencyAccess = \"true\" }", "not for settings"),
            ("tags = { \"aws:x\" = \"y\" }", "may not begin with"),
            ("tags = { x = \"a\\u001b\" }", "does not take"),
            ("emergency_key_admin = \"x\"", "unknown field"),
        ] {
            let told = settings(&format!("\n{line}\n")).unwrap_err();
            assert!(told[0].starts_with("s.toml:6: "), "{line}: {told:?}");
            assert!(told[0].contains(words), "{line}: {told:?}");
        }
    }
}
