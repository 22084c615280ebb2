//! How a key's material changes, and when it will next.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::arn::KeyArn;
use super::key::{
    AutomaticRotation, KeySpec, KeyState, KmsKey, Manager, Origin, RotationStatus, RotationType,
};
use super::seen::Seen;

/// The on-demand rotations that KMS grants a key, ever; not adjustable. Source: AWS KMS quotas.
pub const ON_DEMAND_EVER: u32 = 25;

/// How a key's material changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotation {
    pub kind: RotationKind,
    pub next: NextRotation,
}

/// What makes a key's material change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RotationKind {
    /// KMS does it, every so many days (90–2560).
    Automatic {
        period_days: Option<u32>,
        /// Where the key is a replica: its primary, with which it rotates.
        with: Option<KeyArn>,
    },
    /// AWS does it to its own keys, every year or so, and nobody else can.
    ByAws,
    /// KMS does it when it is asked to, and not by itself.
    OnDemand { why: String },
    /// KMS cannot: a new key takes over, and what the old one wrapped is wrapped again.
    Manual { why: String },
    /// Not as the key now is.
    Impossible { why: String },
}

/// When a key's material will change next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "next")]
pub enum NextRotation {
    /// At KMS's `NextRotationDate`.
    At { at: Timestamp },
    /// That date has passed, and nothing has happened.
    Late { at: Timestamp },
    /// KMS rotates it, and does not say when.
    Unsaid,
    /// Disabled keys do not rotate.
    Paused,
    /// Its deletion is pending.
    Never,
    /// When somebody does it.
    ByHand,
}

/// The on-demand rotations of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnDemand {
    /// Done, and the one under way.
    pub used: u32,
    /// Whether every rotation of the key could be listed; else more may have been used.
    pub whole: bool,
}

impl OnDemand {
    /// Those left of [`ON_DEMAND_EVER`]; at most so many where the list is not whole.
    #[must_use]
    pub fn left(self) -> u32 {
        ON_DEMAND_EVER.saturating_sub(self.used)
    }

    /// `23 of 25 left`, `at most 25 of 25 left`.
    #[must_use]
    pub fn told(self) -> String {
        let bound = if self.whole { "" } else { "at most " };
        format!("{bound}{} of {ON_DEMAND_EVER} left", self.left())
    }
}

impl RotationKind {
    /// The word for it, stable: `automatic`, `by_aws`, `on_demand`, `manual`, `impossible`.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Automatic { .. } => "automatic",
            Self::ByAws => "by_aws",
            Self::OnDemand { .. } => "on_demand",
            Self::Manual { .. } => "manual",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// In words: `automatic every 90 d`, `manual: …`.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Automatic { period_days, with } => {
                let every = period_days.map(|days| format!(" every {days} d")).unwrap_or_default();
                let with = with.as_ref().map(|primary| format!(", with its primary in {}", primary.region()));
                format!("automatic{every}{}", with.unwrap_or_default())
            }
            Self::ByAws => "automatic: AWS rotates its own keys every year".to_owned(),
            Self::OnDemand { why } => format!("on demand only: {why}"),
            Self::Manual { why } => format!("manual: {why}"),
            Self::Impossible { why } => format!("impossible: {why}"),
        }
    }
}

impl Rotation {
    /// How `key`'s material changes, at `now`. Loading or not visible where only `GetKeyRotationStatus` can tell.
    #[must_use]
    pub fn of(key: &KmsKey, now: Timestamp) -> Seen<Self> {
        if let Some((why, next)) = impossible(&key.state) {
            let why = why.to_owned();
            return Seen::Known(Self { kind: RotationKind::Impossible { why }, next });
        }
        let by_hand = |kind| Seen::Known(Self { kind, next: NextRotation::ByHand });
        match key.automatic_rotation() {
            _ if key.manager == Manager::Aws => {
                let next = key.rotation.known().map_or(NextRotation::Unsaid, |told| next(key, told, now));
                Seen::Known(Self { kind: RotationKind::ByAws, next })
            }
            AutomaticRotation::Impossible(why) if key.can_rotate_on_demand() => {
                by_hand(RotationKind::OnDemand { why: why.to_owned() })
            }
            AutomaticRotation::Impossible(why) => by_hand(RotationKind::Manual { why: why.to_owned() }),
            AutomaticRotation::Possible => match &key.rotation {
                Seen::Loading => Seen::Loading,
                Seen::NotVisible(why) => Seen::NotVisible(why.clone()),
                Seen::Known(told) if told.automatic => Seen::Known(Self {
                    kind: RotationKind::Automatic { period_days: told.period_days, with: primary_of(key) },
                    next: next(key, told, now),
                }),
                Seen::Known(_) => {
                    by_hand(RotationKind::OnDemand { why: "automatic rotation is off".to_owned() })
                }
            },
        }
    }
}

/// Why a key in this state cannot get new material at all.
fn impossible(state: &KeyState) -> Option<(&'static str, NextRotation)> {
    match state {
        KeyState::PendingDeletion => Some(("its deletion is pending", NextRotation::Never)),
        KeyState::PendingReplicaDeletion => {
            Some(("its deletion waits for its replicas to go", NextRotation::Never))
        }
        KeyState::PendingImport => Some(("it has no usable material: import it first", NextRotation::ByHand)),
        _ => None,
    }
}

fn next(key: &KmsKey, told: &RotationStatus, now: Timestamp) -> NextRotation {
    match (&key.state, told.next) {
        (KeyState::Enabled | KeyState::Updating, Some(at)) if at > now => NextRotation::At { at },
        (KeyState::Enabled | KeyState::Updating, Some(at)) => NextRotation::Late { at },
        (KeyState::Enabled | KeyState::Updating, None) => NextRotation::Unsaid,
        _ => NextRotation::Paused,
    }
}

fn primary_of(key: &KmsKey) -> Option<KeyArn> {
    let primary = &key.multi_region.as_ref()?.primary;
    (*primary != key.arn).then(|| primary.clone())
}

impl KmsKey {
    /// Whether `RotateKeyOnDemand` is for keys of this kind: symmetric customer keys, with material from KMS
    /// or imported. For a replica it is the primary that is asked.
    #[must_use]
    pub fn can_rotate_on_demand(&self) -> bool {
        self.manager != Manager::Aws
            && self.spec == KeySpec::SymmetricDefault
            && matches!(self.origin, Origin::AwsKms | Origin::External)
    }

    /// The on-demand rotations that it has used up; None for kinds of keys that have none. A replica's are
    /// those of its primary.
    #[must_use]
    pub fn on_demand(&self) -> Option<OnDemand> {
        if !self.can_rotate_on_demand() {
            return None;
        }
        let under_way = self.rotation.known().is_some_and(|told| told.on_demand_since.is_some());
        let listed = self.rotations.known();
        let done = listed
            .into_iter()
            .flatten()
            .filter(|rotation| rotation.at.is_some() && rotation.kind == Some(RotationType::OnDemand))
            .count();
        let used = u32::try_from(done).unwrap_or(u32::MAX).saturating_add(u32::from(under_way));
        Some(OnDemand { used, whole: listed.is_some() })
    }
}

#[cfg(test)]
#[path = "rotation_tests.rs"]
mod tests;
