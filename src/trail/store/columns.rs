//! An event's texts, by column: how they are taken apart for keeping, and put together again.

use std::borrow::Cow;

use crate::model::arn::KeyArn;
use crate::model::event::{KeyEvent, Outcome, Severity, Who};
use crate::model::text::Untrusted;

/// A text that every event may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    Name,
    Source,
    EventType,
    Region,
    Who,
    Role,
    Session,
    SourceIdentity,
    Principal,
    Account,
    AccessKey,
    InvokedBy,
    IdentityKind,
    /// The ARNs of all keys, a line each.
    Keys,
    KeyAsTyped,
    KeyMaterial,
    From,
    UserAgent,
    VpcEndpoint,
    ErrorCode,
    ErrorMessage,
    Recipient,
    SharedId,
}

/// How many columns there are.
pub(super) const COLUMNS: usize = Column::SharedId as usize + 1;

/// An event's facts that are no texts, in a byte: outcome, MFA, read-only, from the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags(u8);

/// How a call ended, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Allowed,
    Denied,
    Failed,
    DryRun,
}

impl Ending {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Allowed => Self::Allowed,
            Outcome::Denied { .. } => Self::Denied,
            Outcome::Failed { .. } => Self::Failed,
            Outcome::DryRun => Self::DryRun,
        }
    }

    /// `allowed`, `denied`, `failed` or `dry-run`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::DryRun => "dry-run",
        }
    }
}

impl Flags {
    pub(super) fn of(event: &KeyEvent) -> Self {
        let ending = Ending::of(&event.outcome) as u8;
        let console = u8::from(event.who.from_console) << 6;
        Self(ending | three(event.who.mfa) << 2 | three(event.read_only) << 4 | console)
    }

    pub(super) fn ending(self) -> Ending {
        match self.0 & 3 {
            0 => Ending::Allowed,
            1 => Ending::Denied,
            2 => Ending::Failed,
            _ => Ending::DryRun,
        }
    }

    pub(super) fn mfa(self) -> Option<bool> {
        of_three(self.0 >> 2)
    }

    pub(super) fn read_only(self) -> Option<bool> {
        of_three(self.0 >> 4)
    }

    fn is_from_console(self) -> bool {
        self.0 >> 6 & 1 == 1
    }
}

fn three(truth: Option<bool>) -> u8 {
    truth.map_or(0, |truth| 1 + u8::from(truth))
}

fn of_three(bits: u8) -> Option<bool> {
    match bits & 3 {
        0 => None,
        bits => Some(bits == 2),
    }
}

/// An event's texts, each in its column; the empty one counts as none.
pub(super) fn texts(event: &KeyEvent) -> [Option<Cow<'_, str>>; COLUMNS] {
    let who = &event.who;
    let (code, message) = match &event.outcome {
        Outcome::Denied { code, message } | Outcome::Failed { code, message } => {
            (Some(code.as_str()), Some(message.raw()))
        }
        Outcome::Allowed | Outcome::DryRun => (None, None),
    };
    let keys = match event.keys.as_slice() {
        [] => None,
        [key] => Some(Cow::Borrowed(key.as_str())),
        keys => Some(Cow::Owned(keys.iter().map(KeyArn::as_str).collect::<Vec<_>>().join("\n"))),
    };
    let borrowed = [
        Some(event.name.raw()),
        Some(event.source.raw()),
        Some(event.event_type.raw()),
        Some(event.region.as_str()),
        Some(who.name.raw()),
        who.role.as_ref().map(Untrusted::raw),
        who.session.as_ref().map(Untrusted::raw),
        who.source_identity.as_ref().map(Untrusted::raw),
        who.principal.as_ref().map(Untrusted::raw),
        who.account.as_deref(),
        who.access_key.as_deref(),
        who.invoked_by.as_ref().map(Untrusted::raw),
        Some(who.kind.raw()),
        None,
        event.key_as_typed.as_ref().map(Untrusted::raw),
        event.key_material.as_deref(),
        Some(event.from.raw()),
        Some(event.user_agent.raw()),
        event.vpc_endpoint.as_deref(),
        code,
        message,
        event.recipient.as_deref(),
        event.shared_id.as_deref(),
    ];
    let mut texts = borrowed.map(|text| text.filter(|text| !text.is_empty()).map(Cow::Borrowed));
    texts[Column::Keys as usize] = keys;
    texts
}

/// One of an event's texts.
#[must_use]
pub fn column_text(event: &KeyEvent, column: Column) -> Option<Cow<'_, str>> {
    std::mem::take(&mut texts(event)[column as usize])
}

/// The event that these texts and facts were taken from.
pub(super) fn event<'a>(
    id: String,
    at: jiff::Timestamp,
    severity: Severity,
    flags: Flags,
    text: impl Fn(Column) -> Option<&'a str>,
) -> KeyEvent {
    let owned = |column| text(column).map(str::to_owned);
    let maybe = |column| text(column).map(Untrusted::from);
    let said = |column| Untrusted::from(text(column).unwrap_or_default());
    let error = || (owned(Column::ErrorCode).unwrap_or_default(), said(Column::ErrorMessage));
    KeyEvent {
        id,
        at,
        name: said(Column::Name),
        source: said(Column::Source),
        event_type: said(Column::EventType),
        region: owned(Column::Region).unwrap_or_default(),
        who: Who {
            name: said(Column::Who),
            role: maybe(Column::Role),
            session: maybe(Column::Session),
            source_identity: maybe(Column::SourceIdentity),
            principal: maybe(Column::Principal),
            account: owned(Column::Account),
            access_key: owned(Column::AccessKey),
            invoked_by: maybe(Column::InvokedBy),
            mfa: flags.mfa(),
            from_console: flags.is_from_console(),
            kind: said(Column::IdentityKind),
        },
        keys: text(Column::Keys)
            .into_iter()
            .flat_map(str::lines)
            .filter_map(|arn| arn.parse().ok())
            .collect(),
        key_as_typed: maybe(Column::KeyAsTyped),
        key_material: owned(Column::KeyMaterial),
        from: said(Column::From),
        user_agent: said(Column::UserAgent),
        vpc_endpoint: owned(Column::VpcEndpoint),
        outcome: match flags.ending() {
            Ending::Allowed => Outcome::Allowed,
            Ending::DryRun => Outcome::DryRun,
            Ending::Denied => {
                let (code, message) = error();
                Outcome::Denied { code, message }
            }
            Ending::Failed => {
                let (code, message) = error();
                Outcome::Failed { code, message }
            }
        },
        read_only: flags.read_only(),
        recipient: owned(Column::Recipient),
        shared_id: owned(Column::SharedId),
        severity,
    }
}
