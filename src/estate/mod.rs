//! An environment, opened: who we are, clients by Region, SQL servers, clock. It is handed its wire and does not know which one it is.

pub mod roles;

use std::sync::Arc;

use crate::clock::Clock;
use crate::cloud::{CloudSession, Failure, HttpWire, Identity};
use crate::database::{Dialer, Server};
use crate::model::IncidentId;
use crate::model::seen::Seen;
use crate::settings::Environment;
use roles::Assumption;

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
/// Its cloud session is the ordinary credentials', or, opened by [`Estate::open_to_read`] where settings name a
/// role for audits, that role's with a session policy that allows reads alone.
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
        "environment `{environment}` is read in the role that `roles.audit` names, and {why}. Without `audit` in the \
         settings it is read with your own credentials"
    )]
    NotInRole { environment: String, why: String },
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
        let sql = Sql { dialer: wire.sql, ca: wire.sql_ca };
        let (cloud, identity) = sign_in(&environment, wire.http, &clock).await?;
        Ok(Self::of(environment, clock, cloud, identity, &sql))
    }

    /// The same for reading alone: in the role for audits, where settings name one.
    ///
    /// # Errors
    /// As [`Estate::open`], and where that role cannot be assumed: other credentials would not do, because
    /// they may be able to change something.
    pub async fn open_to_read(
        environment: Environment,
        wire: Wire,
        clock: Clock,
    ) -> Result<Arc<Self>, EstateError> {
        let sql = Sql { dialer: wire.sql, ca: wire.sql_ca };
        let (mut cloud, mut identity) = sign_in(&environment, wire.http, &clock).await?;
        let not = |why: String| EstateError::NotInRole { environment: environment.name.clone(), why };
        if let Some(reading) = Assumption::for_reading(&environment, identity.as_ref().ok()).map_err(not)? {
            cloud = cloud.reading_as(reading.request).await.map_err(|why| not(why.to_string()))?;
            identity = cloud.identity().await;
        }
        Ok(Self::of(environment, clock, cloud, identity, &sql))
    }

    fn of(
        environment: Environment,
        clock: Clock,
        cloud: CloudSession,
        identity: Result<Identity, Failure>,
        sql: &Sql,
    ) -> Arc<Self> {
        let servers = environment
            .sql
            .iter()
            .map(|settings| Server::new(settings, sql.dialer.clone(), sql.ca.clone()))
            .collect();
        Arc::new(Self { environment, clock, cloud, servers, identity: identity.into() })
    }
}

/// How SQL servers are reached.
struct Sql {
    dialer: Dialer,
    ca: Option<String>,
}

/// Opens the account and asks who we are in it.
async fn sign_in(
    environment: &Environment,
    http: HttpWire,
    clock: &Clock,
) -> Result<(CloudSession, Result<Identity, Failure>), EstateError> {
    let cloud = CloudSession::open(environment, http, clock)
        .await
        .map_err(|failure| EstateError::NotOpened { environment: environment.name.clone(), failure })?;
    let identity = cloud.identity().await;
    if let Ok(identity) = &identity {
        expect_account(environment, identity)?;
    }
    Ok((cloud, identity))
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
