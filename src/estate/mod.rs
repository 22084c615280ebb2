//! An environment, opened: who we are, clients by Region, SQL servers, clock. It is handed its wire and does not know which one it is.

use std::sync::Arc;

use crate::clock::Clock;
use crate::cloud::{CloudSession, Failure, HttpWire, Identity};
use crate::database::{Dialer, Server};
use crate::model::IncidentId;
use crate::model::seen::Seen;
use crate::settings::Environment;

/// How everything outside is reached.
#[derive(Clone, Debug)]
pub struct Wire {
    /// AWS, with the credentials that go with it.
    pub http: HttpWire,
    pub sql: Dialer,
    /// Authorities trusted for SQL Server beside those of the settings, PEM.
    pub sql_ca: Option<String>,
}

/// An environment that can be read. Nothing in it can change a key.
///
/// Its cloud session is the ordinary credentials'. A role assumed with a session policy that allows
/// reads alone will take their place here, in [`Estate::open`], and nothing else has to know.
#[derive(Debug)]
pub struct Estate {
    pub environment: Environment,
    pub clock: Clock,
    pub cloud: CloudSession,
    pub servers: Vec<Server>,
    /// Not visible where STS could not be asked: the rest is of use all the same.
    pub identity: Seen<Identity>,
}

/// Why an environment was not opened.
#[derive(Debug, thiserror::Error)]
pub enum EstateError {
    #[error("environment `{environment}` cannot be opened: {failure}")]
    NotOpened { environment: String, failure: Failure },
    #[error(
        "environment `{environment}` is account {expected}, and these credentials ({arn}) are of account {found}: \
         sign in to account {expected}, or correct `account` in the settings"
    )]
    AnotherAccount { environment: String, expected: String, found: String, arn: String },
}

impl Estate {
    /// Opens an environment and asks who we are in it.
    ///
    /// # Errors
    /// Where the environment names no Region, or where the credentials belong to another account than the one it expects.
    pub async fn open(environment: Environment, wire: Wire, clock: Clock) -> Result<Arc<Self>, EstateError> {
        let cloud = CloudSession::open(&environment, wire.http, &clock)
            .await
            .map_err(|failure| EstateError::NotOpened { environment: environment.name.clone(), failure })?;
        let identity = cloud.identity().await;
        if let Ok(identity) = &identity {
            expect_account(&environment, identity)?;
        }
        let servers = environment
            .sql
            .iter()
            .map(|settings| Server::new(settings, wire.sql.clone(), wire.sql_ca.clone()))
            .collect();
        Ok(Arc::new(Self { environment, clock, cloud, servers, identity: identity.into() }))
    }
}

/// Refuses credentials of an account that the environment does not name.
fn expect_account(environment: &Environment, identity: &Identity) -> Result<(), EstateError> {
    match &environment.account {
        Some(expected) if *expected != identity.account => Err(EstateError::AnotherAccount {
            environment: environment.name.clone(),
            expected: expected.clone(),
            found: crate::model::text::visible(&identity.account).into_owned(),
            arn: crate::model::text::visible(&identity.arn).into_owned(),
        }),
        _ => Ok(()),
    }
}

/// The right to act in an estate, for one incident: what a gate is built from.
///
/// `watch` and `audit` never hold one, so that no client that could change a key can be built there.
#[derive(Clone, Debug)]
pub struct Acting {
    pub estate: Arc<Estate>,
    pub incident: IncidentId,
    /// Private, so that [`Acting::enter`] is the only way in.
    _entered: Entered,
}

/// The mark of having come through [`Acting::enter`].
#[derive(Clone, Debug)]
struct Entered;

impl Acting {
    /// Enters an estate to act in it. Only `respond`, drills and headless changes do.
    #[must_use]
    pub fn enter(estate: Arc<Estate>, incident: IncidentId) -> Self {
        Self { estate, incident, _entered: Entered }
    }
}

#[cfg(test)]
mod simulated;
#[cfg(test)]
mod tests;
