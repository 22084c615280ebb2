//! Reads the age policies and the estate's marks of an environment.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use jiff::civil::Date;
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::load::Reader;
use crate::model::age::{AgeException, AgePolicies, AgePolicy, AgeRule, ExceptedKeys};
use crate::model::arn::KeyArn;
use crate::model::selector::{AliasPattern, KeySelector};
use crate::model::text::visible;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAge {
    max_days: Option<Spanned<u32>>,
    grace_days: Option<Spanned<u32>>,
    #[serde(default)]
    rules: Vec<Spanned<RawRule>>,
    #[serde(default)]
    exceptions: Vec<Spanned<RawException>>,
}

type RawTag = Spanned<BTreeMap<String, String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    tag: Option<RawTag>,
    alias: Option<Spanned<String>>,
    max_days: Spanned<u32>,
    grace_days: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawException {
    key: Option<Spanned<String>>,
    alias: Option<Spanned<String>>,
    reason: Spanned<String>,
    expires: Spanned<Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMark {
    tag: Option<RawTag>,
    alias: Option<Spanned<String>>,
}

const MAX_DAYS: RangeInclusive<u32> = 1..=3650;
const GRACE_DAYS: RangeInclusive<u32> = 0..=365;

impl Reader<'_> {
    /// The age policies, in the file's order.
    pub(super) fn age(&mut self, raw: Option<RawAge>) -> AgePolicies {
        let Some(raw) = raw else { return AgePolicies::default() };
        let usual = AgePolicy::default();
        let default = AgePolicy {
            max_days: self.days("max_days", MAX_DAYS, raw.max_days.as_ref()).unwrap_or(usual.max_days),
            grace_days: self
                .days("grace_days", GRACE_DAYS, raw.grace_days.as_ref())
                .unwrap_or(usual.grace_days),
        };
        let mut rules: Vec<AgeRule> = Vec::new();
        for raw in raw.rules {
            let at = raw.span().start;
            let Some(rule) = self.rule(at, raw.into_inner(), default) else { continue };
            if rules.iter().any(|earlier| earlier.keys == rule.keys) {
                let reason =
                    format!("the rule for {} is never reached: an earlier one is for the same", rule.keys);
                self.mistake(Some(at), reason);
            }
            rules.push(rule);
        }
        let exceptions = raw
            .exceptions
            .into_iter()
            .filter_map(|raw| self.exception(raw.span().start, raw.into_inner()))
            .collect();
        AgePolicies { default, rules, exceptions }
    }

    /// What marks KMS keys as of the estate.
    pub(super) fn estate(&mut self, raw: Vec<Spanned<RawMark>>) -> Vec<KeySelector> {
        raw.into_iter()
            .filter_map(|raw| {
                let at = raw.span().start;
                let raw = raw.into_inner();
                self.selector(at, "an estate mark", raw.tag, raw.alias)
            })
            .collect()
    }

    fn days(&mut self, what: &str, range: RangeInclusive<u32>, raw: Option<&Spanned<u32>>) -> Option<u32> {
        let raw = raw?;
        if !range.contains(raw.get_ref()) {
            let reason = format!("{what} takes {} to {}", range.start(), range.end());
            self.mistake(Some(raw.span().start), reason);
        }
        Some(*raw.get_ref())
    }

    fn rule(&mut self, at: usize, raw: RawRule, default: AgePolicy) -> Option<AgeRule> {
        let max_days = self.days("max_days", MAX_DAYS, Some(&raw.max_days)).unwrap_or(default.max_days);
        let grace_days =
            self.days("grace_days", GRACE_DAYS, raw.grace_days.as_ref()).unwrap_or(default.grace_days);
        let keys = self.selector(at, "an age rule", raw.tag, raw.alias)?;
        Some(AgeRule { keys, policy: AgePolicy { max_days, grace_days } })
    }

    fn selector(
        &mut self,
        at: usize,
        what: &str,
        tag: Option<RawTag>,
        alias: Option<Spanned<String>>,
    ) -> Option<KeySelector> {
        match (tag, alias) {
            (Some(tag), None) => {
                let at = tag.span().start;
                let mut pairs = tag.into_inner().into_iter();
                if let (Some((name, value)), None) = (pairs.next(), pairs.next()) {
                    return Some(KeySelector::Tag { name, value });
                }
                self.mistake(Some(at), "tag takes one name and value, e.g. { DataClass = \"pci\" }".into());
                None
            }
            (None, Some(alias)) => self.pattern(&alias).map(KeySelector::Alias),
            _ => {
                let reason = format!(
                    "{what} is for a tag or an alias, one of them: tag = {{ DataClass = \"pci\" }}, or alias = \"buzz-tutor/*\""
                );
                self.mistake(Some(at), reason);
                None
            }
        }
    }

    fn pattern(&mut self, alias: &Spanned<String>) -> Option<AliasPattern> {
        if alias.get_ref().trim().is_empty() {
            let reason =
                "alias is empty: it takes an alias's name, in which * stands for any run of characters";
            self.mistake(Some(alias.span().start), reason.into());
            return None;
        }
        Some(AliasPattern::new(alias.get_ref()))
    }

    fn exception(&mut self, at: usize, raw: RawException) -> Option<AgeException> {
        if raw.reason.get_ref().trim().is_empty() {
            let reason = "reason is empty: say why these keys may be older, for whoever audits them";
            self.mistake(Some(raw.reason.span().start), reason.into());
        }
        let expires = self.day(&raw.expires)?;
        let keys = match (&raw.key, &raw.alias) {
            (Some(key), None) => self.excepted_key(key)?,
            (None, Some(alias)) => ExceptedKeys::Alias(self.pattern(alias)?),
            _ => {
                let reason = "an exception is for a key or an alias, one of them: key = \"ARN or key id\", or alias = \"buzz-tutor/legacy\"";
                self.mistake(Some(at), reason.into());
                return None;
            }
        };
        Some(AgeException { keys, reason: raw.reason.into_inner(), expires })
    }

    fn excepted_key(&mut self, key: &Spanned<String>) -> Option<ExceptedKeys> {
        let word = key.get_ref().trim();
        if let Ok(arn) = word.parse::<KeyArn>() {
            return Some(ExceptedKeys::Arn(arn));
        }
        let shaped = word.len() >= 32 && word.chars().all(|c| c.is_ascii_hexdigit() || "-mrk".contains(c));
        if !shaped {
            let reason = format!(
                "key `{}` is neither the ARN nor the id of a KMS key; for a name use alias",
                visible(word)
            );
            self.mistake(Some(key.span().start), reason);
            return None;
        }
        Some(ExceptedKeys::Id(word.to_ascii_lowercase()))
    }

    fn day(&mut self, raw: &Spanned<Datetime>) -> Option<Date> {
        let read = match raw.get_ref() {
            Datetime { date: Some(date), time: None, offset: None } => i16::try_from(date.year)
                .ok()
                .zip(i8::try_from(date.month).ok())
                .zip(i8::try_from(date.day).ok())
                .and_then(|((year, month), day)| Date::new(year, month, day).ok()),
            _ => None,
        };
        if read.is_none() {
            self.mistake(Some(raw.span().start), "expires takes a day, e.g. 2026-12-31".into());
        }
        read
    }
}

#[cfg(test)]
#[path = "age_tests.rs"]
mod tests;
