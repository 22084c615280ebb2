//! The rules that look at an environment's events.

use crate::detect::{Context, Engine};
use crate::estate::Estate;

/// What an environment's settings tell the rules. Names, incidents and inventory are told beside.
#[must_use]
pub fn context_of(estate: &Estate) -> Context {
    let environment = &estate.environment;
    let identity = estate.identity.known().map(|identity| identity.account.clone());
    Context {
        account: environment.account.clone().or(identity),
        regions: environment.regions.clone(),
        roles: [environment.trail.roles.clone(), environment.roles.for_emergencies()].concat(),
        secrets: environment.trail.secrets.clone(),
        rotation_days: Some(environment.age.default.max_days),
        ..Context::default()
    }
}

/// The rules for an environment.
pub(super) fn rules_of(estate: &Estate) -> Engine {
    Engine::new(std::sync::Arc::clone(&estate.environment.trail.detections), context_of(estate))
}
