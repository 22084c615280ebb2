//! An event as rules see it.

use jiff::Timestamp;

use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Who};
use crate::model::particulars::Particulars;
use crate::model::text::Untrusted;

/// An event that rules look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sight {
    pub(super) event: KeyEvent,
    pub(super) particulars: Option<Particulars>,
}

/// What an event is about: rules judge it in the light of earlier events about the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Subject {
    Key(KeyArn),
    Alias {
        account: Option<String>,
        region: String,
        name: String,
    },
    /// A trail, a role, a sign-in: earlier ones say nothing about it.
    Other,
}

impl Sight {
    /// The order of time; events of one second by their ids.
    pub(super) fn order(&self) -> (Timestamp, &str) {
        (self.event.at, &self.event.id)
    }

    pub(super) fn subject(&self) -> Subject {
        if let Some(Particulars::Alias { name: Some(name), .. }) = &self.particulars {
            return Subject::Alias {
                account: self.event.recipient.clone().or_else(|| self.event.who.account.clone()),
                region: self.event.region.clone(),
                name: name.clone(),
            };
        }
        key(&self.event).map_or(Subject::Other, Subject::Key)
    }

    /// Whether it was done, and not only tried.
    pub(super) fn is_done(&self) -> bool {
        self.event.outcome == Outcome::Allowed
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.event.name.raw() == name
    }
}

/// The key that an event is about. A refused call's record names none but in its message.
pub(super) fn key(event: &KeyEvent) -> Option<KeyArn> {
    if let Some(key) = event.keys.first() {
        return Some(key.clone());
    }
    message(event)?
        .split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ','))
        .find_map(|word| word.trim_end_matches('.').parse().ok())
}

/// AWS's message, where the call was refused.
pub(super) fn message(event: &KeyEvent) -> Option<&str> {
    match &event.outcome {
        Outcome::Denied { message, .. } | Outcome::Failed { message, .. } => Some(message.raw()),
        Outcome::Allowed | Outcome::DryRun => None,
    }
}

/// Who it was beyond one session: the role's ARN without the session's name, the user's, the account.
pub(super) fn identity(who: &Who) -> &str {
    let Some(principal) = who.principal.as_ref().map(Untrusted::raw) else {
        return who.account.as_deref().unwrap_or_else(|| who.name.raw());
    };
    match principal.rfind('/') {
        Some(end) if principal.contains(":assumed-role/") => &principal[..end],
        _ => principal,
    }
}

/// The names that a list of principals may call somebody by.
pub(super) fn called(who: &Who) -> impl Iterator<Item = &str> {
    let names = [Some(&who.name), who.role.as_ref(), who.principal.as_ref()];
    names.into_iter().flatten().map(Untrusted::raw).chain([identity(who)])
}

/// Somebody in words fit for a screen: `oncall-b (via emergency-key-admin, MFA)`.
pub(super) fn words(who: &Who) -> String {
    let mut about = Vec::new();
    if let Some(role) = who.role.as_ref().filter(|role| **role != who.name) {
        about.push(format!("via {role}"));
    }
    match who.mfa {
        Some(true) => about.push("MFA".to_owned()),
        Some(false) if who.role.is_some() => about.push("no MFA".to_owned()),
        _ => {}
    }
    let name = if who.is_root() { "the root user".to_owned() } else { who.name.to_string() };
    if about.is_empty() { name } else { format!("{name} ({})", about.join(", ")) }
}
