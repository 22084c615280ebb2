//! How much an event matters by itself, before any rule speaks: daily traffic, or worth a look. What is more than that
//! is for the rules of [`crate::detect`] to say.

use crate::model::event::{KeyEvent, Outcome, Severity};

/// `info` or `notice`.
pub(super) fn of(event: &KeyEvent) -> Severity {
    match &event.outcome {
        Outcome::DryRun => Severity::Info,
        Outcome::Denied { .. } => Severity::Notice,
        Outcome::Failed { .. } if event.is_use() => Severity::Notice,
        Outcome::Failed { .. } | Outcome::Allowed => of_call(event),
    }
}

fn of_call(event: &KeyEvent) -> Severity {
    // CloudTrail calls these reads; what they open is worth a look.
    let opens = matches!(event.name.raw(), "GetSecretValue" | "AssumeRoot")
        || event.name.raw().starts_with("AssumeRole");
    let changes = event.read_only != Some(true) && !event.is_use();
    if (opens && !event.who.is_service()) || changes { Severity::Notice } else { Severity::Info }
}
