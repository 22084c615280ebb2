//! Whether what a step depends on is so: read afresh, and not guessed.

use futures_util::FutureExt as _;

use super::actor::{Actor, Leaving};
use super::trouble::Stop;
use crate::model::dependents::Dependents;
use crate::model::key::{AutomaticRotation, Origin};
use crate::runbook::{Circumstance, Found};

impl Actor {
    /// Whether it is so; None, with the reason among the evidence, where it cannot be told.
    pub(super) async fn holds(&mut self, found: &Found, what: Circumstance) -> Result<Option<bool>, Stop> {
        let told = match what {
            Circumstance::StoresRds => self.storage_under(&found.key).await?.map(|all| !all.is_empty()),
            Circumstance::HasGrants => {
                let kms = self.kms(found.key.region());
                let read = kms.grants(&found.key);
                let read = self.attend("reading the grants", Leaving::Allowed, read.boxed()).await?;
                read.map(|grants| !grants.is_empty()).map_err(|failure| failure.to_string())
            }
            Circumstance::WrapsColumnKeys => {
                let depends = Dependents::of(&found.key, &self.inventory());
                let sure = !depends.column_keys.is_empty() || depends.blind_spots.is_empty();
                if sure { Ok(!depends.column_keys.is_empty()) } else { Err(depends.blind_spots.join("; ")) }
            }
            Circumstance::MultiRegion | Circumstance::Rotatable | Circumstance::ImportedMaterial => {
                let kms = self.kms(found.key.region());
                let read = kms.describe(found.key.as_str()).boxed();
                let read = self.attend("reading the key", Leaving::Allowed, read).await?;
                read.map_err(|failure| failure.to_string()).map(|key| match what {
                    Circumstance::MultiRegion => key.multi_region.is_some(),
                    Circumstance::Rotatable => key.automatic_rotation() == AutomaticRotation::Possible,
                    _ => key.origin == Origin::External,
                })
            }
        };
        Ok(match told {
            Ok(so) => Some(so),
            Err(why) => {
                self.fact(false, format!("whether {} is not known: {why}", what.told()));
                None
            }
        })
    }
}
