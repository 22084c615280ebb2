//! Aspects of a key: the one thing in which a change shows when it is read back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::key::{Grant, KeyState};
use super::operation::ON_DEMAND_ROTATIONS;
use super::plan::Digest;
use super::text::{Untrusted, visible};

/// One aspect of a key, as it was read. As JSON a state is its plain word, and each other aspect an object that its
/// first field tells apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Aspect {
    State(KeyState),
    Rotation {
        automatic: bool,
        /// Only where it is on.
        period_days: Option<u32>,
    },
    /// The material in use, and how often the key was rotated on demand.
    Material {
        material_id: String,
        on_demand_rotations: u32,
    },
    /// A grant, whole: who approves its end approves the end of this one.
    Grant {
        grant: Box<Grant>,
    },
    /// That no grant of this id is listed.
    NoGrant {
        no_grant: String,
    },
    /// The key policy, and whether a change's denial stands in it.
    Policy {
        policy_digest: Digest,
        denied: bool,
    },
    /// An RDS instance's status.
    Instance {
        instance_status: Untrusted,
    },
}

impl Aspect {
    /// Whether it is an instance that is stopped, or cut off from its key.
    #[must_use]
    pub fn is_down(&self) -> bool {
        let Self::Instance { instance_status } = self else { return false };
        let status = instance_status.raw();
        status == "stopped" || status.starts_with("inaccessible-encryption-credentials")
    }
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(state) => state.fmt(f),
            Self::Rotation { automatic: true, period_days: Some(days) } => {
                write!(f, "rotation every {days} days")
            }
            Self::Rotation { automatic: true, period_days: None } => f.write_str("rotation is on"),
            Self::Rotation { automatic: false, .. } => f.write_str("rotation is off"),
            Self::Material { material_id, on_demand_rotations } => write!(
                f,
                "material {} ({on_demand_rotations} of {ON_DEMAND_ROTATIONS} rotations on demand used)",
                short(material_id)
            ),
            Self::Grant { grant } => write!(f, "grant {} to {} is listed", short(&grant.id), grant.grantee),
            Self::NoGrant { no_grant } => write!(f, "no grant {} is listed", short(no_grant)),
            Self::Policy { policy_digest, denied } => write!(
                f,
                "policy {} {} the denial",
                policy_digest.short(),
                if *denied { "holds" } else { "does not hold" }
            ),
            Self::Instance { instance_status } => write!(f, "instance {instance_status}"),
        }
    }
}

/// The first twelve characters of an id of 64.
#[must_use]
pub fn short(id: &str) -> String {
    let mut head: String = id.chars().take(12).collect();
    if head.len() < id.len() {
        head.push('…');
    }
    visible(&head).into_owned()
}
