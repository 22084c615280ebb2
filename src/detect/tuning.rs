//! What a house may set about detections: thresholds, what is ordinary there, and mutes.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::Rule;
use crate::model::arn::KeyArn;

/// The settings of detections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Detections {
    /// So many denied calls of one principal within [`Self::burst_window`] are a burst.
    pub burst_count: usize,
    pub burst_window: SignedDuration,
    /// How long a key's use has to have been watched before the first use by somebody, or from somewhere, is a finding.
    pub baseline: SignedDuration,
    /// Who may be given grants: ARNs and service names.
    pub grantees: Vec<Pattern>,
    /// Principals whose use of a key is never unusual: ARNs, role and user names.
    pub principals: Vec<Pattern>,
    /// Networks from which use of a key is never unusual.
    pub networks: Vec<IpNet>,
    /// Accounts that may be let in: 12 digits each.
    pub accounts: Vec<String>,
    /// Roles that are for emergencies only, by name.
    pub emergency_roles: Vec<Pattern>,
    /// Secrets that are for emergencies only, by name or ARN.
    pub emergency_secrets: Vec<Pattern>,
    pub mutes: Vec<Mute>,
}

impl Default for Detections {
    /// 5 denied calls within 10 minutes; a baseline of 7 days; the roles of the runbooks that the program carries.
    fn default() -> Self {
        Self {
            burst_count: 5,
            burst_window: SignedDuration::from_mins(10),
            baseline: SignedDuration::from_hours(7 * 24),
            grantees: Vec::new(),
            principals: Vec::new(),
            networks: Vec::new(),
            accounts: Vec::new(),
            emergency_roles: ["*EmergencyKeyAdmin*", "*KeyRecoveryAdmin*"].map(Pattern::new).to_vec(),
            emergency_secrets: ["*emergency*"].map(Pattern::new).to_vec(),
            mutes: Vec::new(),
        }
    }
}

/// A rule that is not to speak for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mute {
    /// The rule's id.
    pub rule: String,
    /// The key's ARN, id or name; None mutes the rule for every key.
    pub key: Option<String>,
    pub reason: String,
    /// From then on it mutes no more.
    pub expires: Timestamp,
    /// Where it stands in the settings file, from 1; 0 where it stands in none.
    pub line: usize,
}

impl Mute {
    /// Whether it mutes a rule about a key that people call `name`, at `now`.
    pub(super) fn covers(&self, rule: &Rule, keys: &[(&KeyArn, &str)], now: Timestamp) -> bool {
        let is_it = |wanted: &str, key: &KeyArn, name: &str| {
            wanted == key.as_str()
                || wanted == key.id()
                || wanted.strip_prefix("alias/").unwrap_or(wanted) == name
        };
        now < self.expires
            && self.rule == rule.id
            && self.key.as_ref().is_none_or(|wanted| keys.iter().any(|(key, name)| is_it(wanted, key, name)))
    }
}

/// A name, in which `*` stands for anything; case counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// A pattern.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it fits the whole of `text`.
    #[must_use]
    pub fn fits(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        // `split` gives one part at least.
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// Whether any of the patterns fits any of the texts.
pub(super) fn any_fits<'a>(patterns: &[Pattern], texts: impl IntoIterator<Item = &'a str>) -> bool {
    !patterns.is_empty() && texts.into_iter().any(|text| patterns.iter().any(|pattern| pattern.fits(text)))
}

impl Detections {
    /// Whether use from that address is ordinary here.
    pub(super) fn allows_address(&self, address: IpAddr) -> bool {
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether that account may be let in.
    pub(super) fn allows_account(&self, account: &str) -> bool {
        self.accounts.iter().any(|allowed| allowed == account)
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;
    use proptest::prelude::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "ab", true),
            ("*b", "ab", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c", false),
            ("ab*ba", "aba", false),
            ("*Emergency*", "BuzzTutorEmergencyKeyAdmin-production", true),
        ] {
            assert_eq!(Pattern::new(pattern).fits(text), fits, "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_cut_anywhere_and_mended_with_a_star_fits(text in "[a-c*]{0,8}", at in 0usize..9, to in 0usize..9) {
            let (at, to) = (at.min(text.len()), to.min(text.len()));
            let pattern = Pattern::new(format!("{}*{}", &text[..at.min(to)], &text[at.max(to)..]));
            prop_assert!(pattern.fits(&text));
        }
    }
}
