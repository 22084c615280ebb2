//! One SQL Server instance: how it is reached, and what can be asked of it.

use jiff::Timestamp;

use crate::model::catalog::{ServerCatalog, ServerName};
use crate::settings::SqlServerSettings;

use super::connection::Connection;
use super::dial::Dialer;
use super::failure::Failure;

/// One SQL Server instance, not connected. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Server {
    settings: SqlServerSettings,
    dialer: Dialer,
    /// Authorities trusted beside the settings' bundle, PEM.
    extra_ca: Option<String>,
}

impl Server {
    /// The server that settings name, reached through `dialer`. `extra_ca` (PEM) is trusted beside the
    /// settings' own bundle: a simulator's authority.
    #[must_use]
    pub fn new(settings: &SqlServerSettings, dialer: Dialer, extra_ca: Option<String>) -> Self {
        Self { settings: settings.clone(), dialer, extra_ca }
    }

    /// The name that settings give it.
    #[must_use]
    pub fn name(&self) -> &ServerName {
        &self.settings.name
    }

    /// Logs in, to `database` or the login's own.
    ///
    /// # Errors
    /// [`Failure`], with nothing left behind.
    pub async fn connect(&self, database: Option<&str>) -> Result<Connection, Failure> {
        let _ = (&self.dialer, &self.extra_ca, database);
        todo!("filled in next")
    }

    /// Reads every database's Always Encrypted objects; `now` is written beside them. A database that cannot
    /// be read is in the answer as such, and does not spoil the rest.
    ///
    /// # Errors
    /// [`Failure`] where the server as a whole could not be read.
    pub async fn read_catalog(&self, now: Timestamp) -> Result<ServerCatalog, Failure> {
        let _ = now;
        todo!("filled in next")
    }
}
