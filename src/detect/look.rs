//! One event under a rule's eye, and what the rule says of it.

use std::fmt::Display;
use std::sync::Arc;

use super::engine::Judged;
use super::sight::{Sight, words};
use super::tuning::any_fits;
use super::{Context, Detections};
use crate::model::arn::KeyArn;
use crate::model::event::{Outcome, Severity};
use crate::model::particulars::Particulars;
use crate::model::text::{Untrusted, visible};

/// Settings and circumstances.
#[derive(Clone, Debug, Default)]
pub(super) struct House {
    pub(super) tuning: Arc<Detections>,
    pub(super) context: Context,
}

/// One event, what was done before it to the same key or alias, and the house.
pub(super) struct Look<'a> {
    pub(super) sight: &'a Sight,
    /// Oldest first.
    pub(super) earlier: &'a [Judged],
    pub(super) house: &'a House,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) severity: Severity,
    /// One sentence, fit for a screen.
    pub(super) reason: String,
}

impl<'a> Look<'a> {
    pub(super) fn particulars(&self) -> Option<&'a Particulars> {
        self.sight.particulars.as_ref()
    }

    /// Earlier calls on the same that were done, the newest first.
    pub(super) fn done_before(&self) -> impl Iterator<Item = &'a Sight> {
        self.earlier.iter().rev().map(|judged| &judged.sight).filter(|sight| sight.is_done())
    }

    pub(super) fn key(&self) -> Option<KeyArn> {
        super::sight::key(&self.sight.event)
    }

    /// The key in words fit for a screen.
    pub(super) fn key_words(&self) -> String {
        match (self.key(), &self.sight.event.key_as_typed) {
            (Some(key), _) => visible(self.house.context.name(&key)).into_owned(),
            (None, Some(typed)) => typed.to_string(),
            (None, None) => "a key that the record does not name".to_owned(),
        }
    }

    /// The account watched.
    pub(super) fn account(&self) -> Option<&'a str> {
        let event = &self.sight.event;
        let own = self.house.context.account.as_deref().or(event.recipient.as_deref());
        own.or_else(|| event.keys.first().map(KeyArn::account))
    }

    /// Whether the caller acts through a role for emergencies.
    pub(super) fn through_emergency_role(&self) -> bool {
        self.sight.event.who.role.as_ref().is_some_and(|role| self.house.is_emergency_role(role.raw()))
    }

    /// A verdict in words: who `did` `what`, or tried to.
    #[expect(clippy::unnecessary_wraps, reason = "what rules end with: they answer a verdict or none")]
    pub(super) fn says(
        &self,
        severity: Severity,
        did: &str,
        to_do: &str,
        what: impl Display,
    ) -> Option<Verdict> {
        let event = &self.sight.event;
        let who = words(&event.who);
        let reason = match &event.outcome {
            Outcome::Allowed | Outcome::DryRun => format!("{who} {did} {what}"),
            Outcome::Denied { code, .. } => {
                format!("{who} tried to {to_do} {what}: refused, {}", visible(code))
            }
            Outcome::Failed { code, .. } => {
                format!("{who} tried to {to_do} {what}: failed, {}", visible(code))
            }
        };
        Some(Verdict { severity, reason })
    }
}

impl House {
    pub(super) fn is_emergency_role(&self, role: &str) -> bool {
        // A role's name without its path.
        let name = role.rsplit('/').next().unwrap_or(role);
        any_fits(&self.tuning.emergency_roles, [name]) || self.context.roles.iter().any(|known| known == name)
    }

    pub(super) fn is_emergency_secret(&self, secret: &str) -> bool {
        any_fits(&self.tuning.emergency_secrets, [secret])
            || self.context.secrets.iter().any(|known| secret.contains(known.as_str()))
    }
}

/// Severity of what was tried and did not happen: a step less, but never daily traffic.
pub(super) fn of_attempt(severity: Severity) -> Severity {
    match severity {
        Severity::Critical => Severity::High,
        _ => Severity::Notice,
    }
}

/// A name from a record, fit for a screen.
pub(super) fn shown(text: Option<&str>) -> String {
    text.map_or_else(
        || "one that the record does not name".to_owned(),
        |text| Untrusted::from(text).to_string(),
    )
}
