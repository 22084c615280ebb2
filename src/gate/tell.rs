//! Telling people and the audit table; and what is owed to them.

use jiff::Timestamp;
use serde::Serialize;

use super::outcome::{Channel, Owed, Progress, Verdict};
use super::record::{Intent, Proof, Record, SettledAs, Settlement, StillOwed, Told, Unproved};
use super::{Gate, ProgressTo};
use crate::database::AuditRow;
use crate::journal::{Entry, Head};
use crate::model::dependents::exposed_until;
use crate::model::plan::{Operation, Plan};
use crate::model::text::visible;

/// The version of the message's fields.
const SCHEMA: u8 = 1;

/// What people are told of a change: the SNS message, as JSON. Field names are stable.
#[derive(Debug, Serialize)]
pub(super) struct Notice {
    schema: u8,
    source: &'static str,
    /// Whether the account is simulated: nothing real happened.
    drill: bool,
    environment: String,
    production: bool,
    account: String,
    region: String,
    incident: String,
    #[serde(flatten)]
    operation: Operation,
    /// `verified`, `not verified`, `unknown`, `happened` or `does not stand`.
    outcome: &'static str,
    key: String,
    key_name: String,
    column_key: Option<String>,
    reason: String,
    requester: String,
    approved_by: Vec<String>,
    /// Whether the operator did without the approvals that were asked for.
    without_approval: bool,
    at: Timestamp,
    /// Until when clients that hold decrypted column keys may go on decrypting, after a drop.
    exposed_until: Option<Timestamp>,
    plan_digest: String,
    /// The journal's entry that this tells of: with the incident, what tells a repeat apart.
    entry: u64,
    /// Where the journal stood when this was sent.
    journal: Head,
}

impl Notice {
    fn subject(&self) -> String {
        let Self { operation, outcome, key_name, environment, incident, .. } = self;
        let mark = if self.drill { "[DRILL] " } else { "" };
        let alarm = if self.without_approval { "[WITHOUT APPROVAL] " } else { "" };
        format!("{mark}{alarm}[EMERGENCY] {operation} {outcome}: {key_name} ({environment}, {incident})")
    }

    fn audit_row(&self) -> AuditRow {
        let Self { operation, outcome, entry, journal, reason, requester, .. } = self;
        let drill = if self.drill { "DRILL: " } else { "" };
        let alarm = if self.without_approval { "WITHOUT APPROVAL: " } else { "" };
        let mark = format!("{drill}{alarm}");
        AuditRow {
            key: self.column_key.clone().unwrap_or_else(|| self.key_name.clone()),
            operation: operation.word(),
            reason: format!(
                "{mark}{operation}: {outcome}; by {requester}; journal entry {entry}, head {}; {reason}",
                journal.hash
            ),
            correlation_id: self.incident.clone(),
        }
    }
}

/// What has not been told yet, oldest first. Of each change only the newest outcome is owed, and that a
/// change does not stand only where people were told otherwise.
#[must_use]
pub fn owed(entries: &[Entry]) -> Vec<Owed> {
    let told: Vec<Told> = entries.iter().filter_map(Told::of).collect();
    let is_told = |about, channel: &Channel| told.iter().any(|t| t.about == about && t.channel == *channel);
    let mut owed = Vec::new();
    for entry in entries {
        let Some(intent) = Intent::of(entry) else { continue };
        let outcomes: Vec<_> =
            entries.iter().filter(|e| outcome_of(e).is_some_and(|o| o.0 == entry.seq)).collect();
        let Some((newest, earlier)) = outcomes.split_last() else { continue };
        let does_not_stand = SettledAs::of(newest).is_some_and(|s| s.settlement == Settlement::DoesNotStand);
        for channel in intent.tell {
            let told_otherwise = earlier.iter().any(|e| is_told(e.seq, &channel));
            if is_told(newest.seq, &channel) || does_not_stand && !told_otherwise {
                continue;
            }
            let mut failed = entries.iter().filter_map(StillOwed::of);
            let why = failed.rfind(|f| f.about == newest.seq && f.channel == channel).map(|f| f.why);
            owed.push(Owed { about: newest.seq, channel, why });
        }
    }
    owed
}

/// The intent that an entry tells the outcome of, and the outcome's word.
fn outcome_of(entry: &Entry) -> Option<(u64, &'static str)> {
    if let Some(proof) = Proof::of(entry) {
        return Some((proof.intent, "verified"));
    }
    if let Some(unproved) = Unproved::of(entry) {
        return Some((unproved.intent, if unproved.accepted { "not verified" } else { "unknown" }));
    }
    let settled = SettledAs::of(entry)?;
    match settled.settlement {
        Settlement::Happened => Some((settled.intent, "happened")),
        Settlement::DoesNotStand => Some((settled.intent, "does not stand")),
        Settlement::CannotBeTold => None,
    }
}

/// A verdict's word in messages.
pub(super) fn word_of(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Verified => "verified",
        Verdict::NotVerified { .. } => "not verified",
        Verdict::Unknown { .. } => "unknown",
        Verdict::Failed { .. } => "failed",
        Verdict::Refused(_) => "refused",
    }
}

impl Gate {
    /// Sends all that is owed again; gives what is still owed after that.
    pub async fn settle_owed(&self, progress: ProgressTo<'_>) -> Vec<Owed> {
        let entries = self.journal.entries();
        let mut still = Vec::new();
        for owed in owed(&entries) {
            let Some(notice) = self.notice_about(&entries, owed.about) else { continue };
            still.extend(self.send(&owed.channel, &notice, progress).await.0);
        }
        let mut owed = super::owed(&self.journal.entries());
        owed.retain(|known| !still.iter().any(|o| o.about == known.about && o.channel == known.channel));
        owed.extend(still);
        owed
    }

    /// The notice of an outcome that the journal holds.
    fn notice_about(&self, entries: &[Entry], about: u64) -> Option<Notice> {
        let entry = entries.iter().find(|entry| entry.seq == about)?;
        let (intent, outcome) = outcome_of(entry)?;
        let intent = Intent::of(entries.iter().find(|entry| entry.seq == intent)?)?;
        Some(self.notice(&intent, about, entry.at, outcome))
    }

    /// What to tell of a change.
    pub(super) fn notice(&self, intent: &Intent, about: u64, at: Timestamp, outcome: &'static str) -> Notice {
        let environment = &self.estate.environment;
        let Intent { plan, digest, approved_by, without_approval, .. } = intent;
        let shown = |text: &str| visible(text).into_owned();
        let Plan { operation, reason, cek, .. } = plan;
        let exposed = operation.stands() && outcome != "does not stand";
        Notice {
            schema: SCHEMA,
            source: "portcullis",
            drill: environment.simulated,
            environment: plan.environment.clone(),
            production: environment.production,
            account: plan.account.clone(),
            region: plan.region.clone(),
            incident: plan.incident.to_string(),
            operation: operation.clone(),
            outcome,
            key: plan.key.to_string(),
            key_name: shown(&plan.key_name),
            column_key: cek.as_ref().map(ToString::to_string),
            reason: reason.to_string(),
            requester: shown(&plan.requester),
            approved_by: approved_by.clone(),
            without_approval: *without_approval,
            at,
            exposed_until: exposed.then(|| exposed_until(at, environment.column_key_cache)),
            plan_digest: digest.to_string(),
            entry: about,
            journal: self.journal.head(),
        }
    }

    /// Sends one notice on one channel and journals how that went. Gives what is owed where the journal could
    /// not take even that, or where sending failed; and the journal's trouble.
    pub(super) async fn send(
        &self,
        channel: &Channel,
        notice: &Notice,
        progress: ProgressTo<'_>,
    ) -> (Option<Owed>, Option<String>) {
        progress(Progress::Telling { channel: channel.clone() });
        let about = notice.entry;
        let (owed, recorded) = match self.deliver(channel, notice).await {
            Ok(reference) => {
                progress(Progress::Told { channel: channel.clone() });
                (None, self.record(&Told { about, channel: channel.clone(), reference }))
            }
            Err(why) => {
                let owed = Owed { about, channel: channel.clone(), why: Some(why.clone()) };
                progress(Progress::Owed { owed: owed.clone() });
                (Some(owed), self.record(&StillOwed { about, channel: channel.clone(), why }))
            }
        };
        let trouble = recorded.err().map(|error| error.to_string());
        if let Some(why) = trouble.clone() {
            progress(Progress::JournalFailed { why });
        }
        (owed, trouble)
    }

    async fn deliver(&self, channel: &Channel, notice: &Notice) -> Result<Option<String>, String> {
        match channel {
            Channel::Sns { topic } => {
                let message = serde_json::to_string_pretty(notice).map_err(|e| e.to_string())?;
                crate::cloud::notify::publish(&self.estate.cloud, topic, &notice.subject(), &message)
                    .await
                    .map_err(|failure| failure.to_string())
            }
            Channel::SqlAudit { server, database } => {
                let known = self.estate.servers.iter().find(|known| known.name() == server);
                let known = known.ok_or_else(|| {
                    format!("settings name no SQL server {server}: put it back, or correct `audit`")
                })?;
                known
                    .write_audit_row(database, &notice.audit_row())
                    .await
                    .map(|()| None)
                    .map_err(|failure| failure.to_string())
            }
        }
    }
}
