//! What `check` and `verify` steps look at. Each leaves its own evidence, for and against, in the journal.

mod column_keys;
mod material;
mod people;
mod places;

pub(super) use people::{grant_told, principal_of};

use super::actor::Actor;
use super::trouble::Stop;
use crate::runbook::{Check, Found, Outcome, Verify};

/// Lines of a list that are kept as evidence; of the rest the number is.
const LISTED: usize = 12;

impl Actor {
    pub(super) async fn check(&mut self, found: &Found, check: &Check) -> Result<(), Stop> {
        match check {
            Check::State { expect } => return self.agree_on(found, expect, 1).await,
            Check::Administrable => return self.check_administrable(found).await,
            Check::Gone => self.check_gone(found).await?,
            Check::Grants { since } => self.check_grants(found, *since).await?,
            Check::Users { since } => self.check_users(found, *since).await?,
            Check::Rotation => self.check_rotation(found).await?,
            Check::Material => self.check_material(found).await?,
            Check::Storage => self.check_storage(found).await?,
            Check::Relatives => self.check_relatives(found).await?,
            Check::ColumnKeys => self.check_column_keys(found),
        }
        Ok(self.done(Outcome::Done)?)
    }

    pub(super) async fn verify(&mut self, found: &Found, verify: &Verify) -> Result<(), Stop> {
        match verify {
            Verify::State { expect, reads } => return self.agree_on(found, expect, *reads).await,
            Verify::NewMaterial => self.verify_new_material(found).await?,
            Verify::Rotated { since } => self.verify_rotated(found, *since).await?,
            Verify::ClientsWorking => self.verify_clients_working(found).await?,
            Verify::PrincipalCutOff => self.verify_cut_off(found).await?,
            Verify::RdsAvailable => self.verify_available(found).await?,
            Verify::Rewrapped => self.verify_rewrapped(found)?,
        }
        Ok(self.done(Outcome::Done)?)
    }

    /// Keeps the first lines of a list, and how many more there are.
    fn list(&mut self, lines: Vec<(bool, String)>) {
        let more = lines.len().saturating_sub(LISTED);
        let hides_bad = lines.iter().skip(LISTED).any(|(good, _)| !good);
        for (good, line) in lines.into_iter().take(LISTED) {
            self.fact(good, line);
        }
        if more > 0 {
            self.fact(!hides_bad, format!("and {more} more: the Keys screen (d) shows them all"));
        }
    }
}
