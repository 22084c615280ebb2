//! What a rule found.

use jiff::Timestamp;
use serde::Serialize;

use super::Rule;
use crate::model::arn::KeyArn;
use crate::model::event::{Severity, Who};
use crate::model::text::Untrusted;

/// What a rule found. Texts are fit for a screen, but for the [`Untrusted`] ones, which make themselves so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Made of the rule and what it is about: the same finding has the same id whenever it is asked for.
    pub id: String,
    pub rule: &'static Rule,
    pub severity: Severity,
    /// When it happened: of a burst, when it became one.
    pub at: Timestamp,
    /// The events that it rests on, the oldest first, 50 at most; none where it rests on the inventory.
    pub events: Vec<(Timestamp, String)>,
    pub keys: Vec<KeyArn>,
    pub who: Option<Who>,
    /// Address or service.
    pub from: Option<Untrusted>,
    pub region: String,
    /// In one sentence.
    pub reason: String,
    /// Whether it was only tried.
    pub attempt: bool,
    /// The mute that keeps it quiet.
    pub muted: Option<Muted>,
}

/// Why a finding is quiet, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Muted {
    pub reason: String,
    pub expires: Timestamp,
}

/// A finding for machines. These field names are stable; text from outside stands as it came, but for `reason`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingRecord {
    /// Stable: the rule and the event that it speaks of, or the key.
    pub id: String,
    /// The rule's id, e.g. `kms-key-disabled`.
    pub rule: &'static str,
    /// The rule in a few words.
    pub title: &'static str,
    /// `info`, `notice`, `high` or `critical`.
    pub severity: Severity,
    /// RFC 3339, UTC.
    pub at: Timestamp,
    /// CloudTrail's `eventID` of each event that it rests on, the oldest first, 50 at most.
    pub events: Vec<String>,
    /// ARNs.
    pub keys: Vec<String>,
    /// What people call them, in the same order.
    pub key_names: Vec<String>,
    /// The person or service, as near as the records tell.
    pub who: Option<String>,
    /// The role acted through.
    pub role: Option<String>,
    /// The caller's account.
    pub account: Option<String>,
    /// Whether the session was begun with MFA.
    pub mfa: Option<bool>,
    /// Source address or service name.
    pub from: Option<String>,
    /// The Region where it happened.
    pub region: String,
    /// What was found, in one sentence fit for a screen.
    pub reason: String,
    /// Whether it was only tried: refused or failed.
    pub attempt: bool,
    /// What to do next.
    pub next: &'static str,
    /// The id of the runbook that fits.
    pub runbook: Option<&'static str>,
    /// Public rules and controls that the rule corresponds to.
    pub references: &'static [&'static str],
    /// Ids of MITRE ATT&CK.
    pub techniques: Vec<&'static str>,
    /// `{reason, expires}` of the mute that keeps it quiet; only the reason in CSV.
    pub muted: Option<Muted>,
    /// The environment of the settings in whose trail it was found; `null` for trail logs.
    pub environment: Option<String>,
}

impl FindingRecord {
    /// The columns of [`Self::csv_row`].
    pub const CSV_HEADER: [&'static str; 19] = [
        "id",
        "rule",
        "title",
        "severity",
        "at",
        "events",
        "keys",
        "key_names",
        "who",
        "role",
        "account",
        "mfa",
        "from",
        "region",
        "reason",
        "attempt",
        "next",
        "muted",
        "environment",
    ];

    /// The finding for machines; `name` tells what people call a key.
    #[must_use]
    pub fn of<'a>(
        finding: &'a Finding,
        environment: Option<&str>,
        name: impl Fn(&'a KeyArn) -> &'a str,
    ) -> Self {
        let who = finding.who.as_ref();
        let raw = |text: &Untrusted| text.raw().to_owned();
        Self {
            id: finding.id.clone(),
            rule: finding.rule.id,
            title: finding.rule.title,
            severity: finding.severity,
            at: finding.at,
            events: finding.events.iter().map(|(_, id)| id.clone()).collect(),
            keys: finding.keys.iter().map(|key| key.as_str().to_owned()).collect(),
            key_names: finding.keys.iter().map(|key| name(key).to_owned()).collect(),
            who: who.map(|who| raw(&who.name)),
            role: who.and_then(|who| who.role.as_ref().map(raw)),
            account: who.and_then(|who| who.account.clone()),
            mfa: who.and_then(|who| who.mfa),
            from: finding.from.as_ref().map(raw),
            region: finding.region.clone(),
            reason: finding.reason.clone(),
            attempt: finding.attempt,
            next: finding.rule.next.say,
            runbook: finding.rule.next.runbook,
            references: finding.rule.references,
            techniques: finding.rule.techniques.iter().map(|technique| technique.id).collect(),
            muted: finding.muted.clone(),
            environment: environment.map(str::to_owned),
        }
    }

    /// The fields as CSV cells: lists joined by blanks, the unknown empty, `muted` by its reason.
    #[must_use]
    pub fn csv_row(&self) -> [String; 19] {
        let maybe = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            self.id.clone(),
            self.rule.to_owned(),
            self.title.to_owned(),
            self.severity.word().to_owned(),
            self.at.to_string(),
            self.events.join(" "),
            self.keys.join(" "),
            self.key_names.join(" "),
            maybe(&self.who),
            maybe(&self.role),
            maybe(&self.account),
            self.mfa.map_or(String::new(), |mfa| mfa.to_string()),
            maybe(&self.from),
            self.region.clone(),
            self.reason.clone(),
            self.attempt.to_string(),
            self.next.to_owned(),
            self.muted.as_ref().map_or(String::new(), |muted| muted.reason.clone()),
            maybe(&self.environment),
        ];
        cells.map(|cell| crate::model::text::visible(&cell).into_owned())
    }
}
