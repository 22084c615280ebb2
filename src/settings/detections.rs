//! Reads `[detections]`: thresholds, what is ordinary in this house, mutes.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::load::Reader;
use crate::detect::{Detections, Mute, Pattern, RULES, rule};
use crate::model::text::visible;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDetections {
    burst_count: Option<Spanned<usize>>,
    burst_window: Option<Spanned<String>>,
    baseline_days: Option<Spanned<u32>>,
    #[serde(default)]
    grantees: Vec<Spanned<String>>,
    #[serde(default)]
    principals: Vec<Spanned<String>>,
    #[serde(default)]
    networks: Vec<Spanned<String>>,
    #[serde(default)]
    accounts: Vec<Spanned<String>>,
    emergency_roles: Option<Vec<Spanned<String>>>,
    emergency_secrets: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    mutes: Vec<Spanned<RawMute>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMute {
    rule: Spanned<String>,
    key: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Spanned<Datetime>,
}

impl Reader<'_> {
    pub(super) fn detections(&mut self, raw: RawDetections) -> Detections {
        let default = Detections::default();
        Detections {
            burst_count: self.burst_count(raw.burst_count.as_ref()).unwrap_or(default.burst_count),
            burst_window: self.duration(raw.burst_window.as_ref(), default.burst_window),
            baseline: self.baseline(raw.baseline_days.as_ref()).unwrap_or(default.baseline),
            grantees: self.patterns("grantees", raw.grantees),
            principals: self.patterns("principals", raw.principals),
            networks: raw.networks.iter().filter_map(|network| self.network(network)).collect(),
            accounts: raw.accounts.iter().filter_map(|account| self.account(account)).collect(),
            emergency_roles: raw
                .emergency_roles
                .map_or(default.emergency_roles, |roles| self.patterns("emergency_roles", roles)),
            emergency_secrets: raw
                .emergency_secrets
                .map_or(default.emergency_secrets, |secrets| self.patterns("emergency_secrets", secrets)),
            mutes: raw.mutes.iter().filter_map(|mute| self.mute(mute)).collect(),
        }
    }

    fn burst_count(&mut self, raw: Option<&Spanned<usize>>) -> Option<usize> {
        let count = raw?;
        if !(2..=1000).contains(count.get_ref()) {
            self.mistake(Some(count.span().start), "burst_count takes 2 to 1000".into());
        }
        Some(*count.get_ref())
    }

    fn baseline(&mut self, raw: Option<&Spanned<u32>>) -> Option<SignedDuration> {
        let days = raw?;
        if !(1..=90).contains(days.get_ref()) {
            let reason = "baseline_days takes 1 to 90: CloudTrail's event history reaches back no further";
            self.mistake(Some(days.span().start), reason.into());
        }
        Some(SignedDuration::from_hours(i64::from(*days.get_ref()) * 24))
    }

    fn patterns(&mut self, field: &str, raw: Vec<Spanned<String>>) -> Vec<Pattern> {
        let mut patterns = Vec::with_capacity(raw.len());
        for text in raw {
            if text.get_ref().chars().all(|c| c == '*') {
                let reason = format!(
                    "`{}` in {field} would fit everything: name what is meant",
                    visible(text.get_ref())
                );
                self.mistake(Some(text.span().start), reason);
            }
            patterns.push(Pattern::new(text.into_inner()));
        }
        patterns
    }

    fn network(&mut self, raw: &Spanned<String>) -> Option<ipnet::IpNet> {
        let text = raw.get_ref();
        let network = text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(Into::into));
        if network.is_none() {
            let reason =
                format!("`{}` is no network, such as 203.0.113.0/24 or 2001:db8::/32", visible(text));
            self.mistake(Some(raw.span().start), reason);
        }
        network
    }

    fn account(&mut self, raw: &Spanned<String>) -> Option<String> {
        let id = raw.get_ref();
        if id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit()) {
            return Some(id.clone());
        }
        let reason = format!("`{}` in accounts is not the 12 digits of an AWS account", visible(id));
        self.mistake(Some(raw.span().start), reason);
        None
    }

    fn mute(&mut self, raw: &Spanned<RawMute>) -> Option<Mute> {
        let mute = raw.get_ref();
        let id = mute.rule.get_ref();
        if rule(id).is_none() {
            let like = nearest(id).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            let reason =
                format!("`{}` is no rule{like} `portcullis detections list` names them all", visible(id));
            self.mistake(Some(mute.rule.span().start), reason);
        }
        if mute.reason.get_ref().trim().is_empty() {
            self.mistake(
                Some(mute.reason.span().start),
                "a mute needs a reason, for whoever reads it later".into(),
            );
        }
        let key = mute.key.as_ref();
        if let Some(key) = key.filter(|key| key.get_ref().trim().is_empty()) {
            let reason =
                "key is empty: name a key by ARN, id or alias, or leave it out to mute the rule for all keys";
            self.mistake(Some(key.span().start), reason.into());
        }
        let expires = moment(mute.expires.get_ref());
        if expires.is_none() {
            let reason = format!(
                "`{}` is no day, such as 2026-12-31, and no time with an offset",
                mute.expires.get_ref()
            );
            self.mistake(Some(mute.expires.span().start), reason);
        }
        Some(Mute {
            rule: id.clone(),
            key: key.map(|key| key.get_ref().clone()),
            reason: mute.reason.get_ref().clone(),
            expires: expires?,
            line: self.line(raw.span().start),
        })
    }
}

/// A day mutes until its end, UTC.
fn moment(datetime: &Datetime) -> Option<Timestamp> {
    let text = datetime.to_string();
    if datetime.time.is_none() {
        let day: Date = text.parse().ok()?;
        return TimeZone::UTC.to_timestamp(day.tomorrow().ok()?.at(0, 0, 0, 0)).ok();
    }
    text.parse().ok()
}

/// The rule whose id begins most like this one.
fn nearest(id: &str) -> Option<&'static str> {
    let alike = |rule: &str| rule.bytes().zip(id.bytes()).take_while(|(a, b)| a == b).count();
    RULES
        .into_iter()
        .map(|rule| rule.id)
        .max_by_key(|rule| alike(rule))
        .filter(|rule| alike(rule) > "kms-".len())
}

#[cfg(test)]
mod tests {
    use crate::settings::read;
    use std::path::Path;

    const ENVIRONMENT: &str = "\n[environments.prod]\nregions = [\"eu-west-1\"]\n";

    #[test]
    fn words_become_settings() {
        let text = format!(
            r#"[detections]
burst_count = 8
burst_window = "5m"
baseline_days = 14
networks = ["203.0.113.0/24", "192.0.2.7"]
accounts = ["444455556666"]
emergency_roles = ["BreakGlass*"]
[[detections.mutes]]
rule = "kms-key-disabled"
key = "alias/buzz-tutor/legacy"
reason = "it is being retired"
expires = 2026-12-31{ENVIRONMENT}"#
        );
        let settings = read(Path::new("s.toml"), &text, "/state".into()).unwrap();
        let detections = &settings.environments["prod"].trail.detections;
        assert_eq!((detections.burst_count, detections.burst_window.as_mins()), (8, 5));
        assert_eq!((detections.baseline.as_hours(), detections.networks.len()), (14 * 24, 2));
        let [mute] = detections.mutes.as_slice() else { panic!("one mute") };
        assert_eq!((mute.line, mute.expires.to_string().as_str()), (8, "2027-01-01T00:00:00Z"));
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let text = format!(
            r#"[detections]
burst_count = 1
burst_window = "soon"
baseline_days = 400
networks = ["203.0.113.0/99"]
accounts = ["12"]
principals = ["*"]
[[detections.mutes]]
rule = "kms-key-disable"
key = ""
reason = " "
expires = 10:00:00{ENVIRONMENT}"#
        );
        let told: Vec<String> = read(Path::new("s.toml"), &text, "/state".into())
            .unwrap_err()
            .0
            .iter()
            .map(ToString::to_string)
            .collect();
        for line in [2, 3, 4, 5, 6, 7, 9, 10, 11, 12] {
            assert!(told.iter().any(|m| m.starts_with(&format!("s.toml:{line}: "))), "{line}: {told:#?}");
        }
        assert!(told.iter().any(|m| m.contains("did you mean `kms-key-disabled`?")), "{told:#?}");
    }
}
