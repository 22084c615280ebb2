//! One SQL Server instance: how it is reached, and what can be asked of it.

use std::time::Duration;

use jiff::Timestamp;
use tiberius::{AuthMethod, Client, Config, EncryptionLevel};
use tokio_util::compat::TokioAsyncReadCompatExt as _;

use crate::model::catalog::{ServerCatalog, ServerName};
use crate::model::seen::Cause;
use crate::model::text::visible;
use crate::settings::SqlServerSettings;

use super::connection::{Connection, SqlClient};
use super::dial::{Dialer, Stream};
use super::failure::{Failure, Reached};
use super::{catalog, login};

/// SQL Server's registered port.
const SQL_SERVER_PORT: u16 = 1433;
/// How often a server may send us on to another address (read-only routing, gateways): to one, no further.
const MOST_HOPS: usize = 2;
/// Pre-login, TLS and login.
const HANDSHAKE: Duration = Duration::from_secs(15);
/// The handshake and what the library does around it.
const LOGIN: Duration = Duration::from_secs(20);
/// How long the server may be silent in the middle of an answer.
const STALL: Duration = Duration::from_secs(30);

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

    /// Logs in, to `database` or else to master.
    ///
    /// # Errors
    /// [`Failure`], with nothing left behind.
    pub async fn connect(&self, database: Option<&str>) -> Result<Connection, Failure> {
        let mut config = self.config(database).await?;
        let mut address = (self.settings.host.clone(), self.settings.port);
        let mut instance = self.settings.instance.as_deref().filter(|_| self.settings.port.is_none());
        let mut error = None;
        for _ in 0..MOST_HOPS {
            config.host(&address.0);
            let stream = self.stream(&address, instance, &config).await?;
            match self.login(config.clone(), stream).await? {
                Ok(client) => return Ok(Connection::new(self.settings.name.clone(), client)),
                Err(tiberius::error::Error::Routing { host, port }) => {
                    address = (host.clone(), Some(port));
                    instance = None;
                    error = Some(tiberius::error::Error::Routing { host, port });
                }
                Err(other) => return Err(self.refused(&other)),
            }
        }
        let circle = tiberius::error::Error::Protocol("it sends its clients round in circles".into());
        Err(self.refused(&error.unwrap_or(circle)))
    }

    /// Reads every database's Always Encrypted objects; `now` is written beside them. A database that cannot
    /// be read is in the answer as such, and does not spoil the rest.
    ///
    /// # Errors
    /// [`Failure`] where the server as a whole could not be read.
    pub async fn read_catalog(&self, now: Timestamp) -> Result<ServerCatalog, Failure> {
        catalog::read(self, self.settings.databases.as_deref(), now).await
    }

    async fn config(&self, database: Option<&str>) -> Result<Config, Failure> {
        let password = login::password(&self.settings, |name| std::env::var(name).ok())?;
        let mut config = Config::new();
        config.authentication(AuthMethod::sql_server(&self.settings.user, password.expose()));
        config.encryption(EncryptionLevel::Required);
        config.application_name("portcullis");
        config.handshake_timeout(Some(HANDSHAKE));
        config.command_timeout(Some(STALL));
        // SQL Server does not check the UTF-16 of its names; one bad name must not hide a catalog.
        config.lossy_utf16_decoding(true);
        if let Some(database) = database {
            config.database(database);
        }
        if let Some(port) = self.settings.port {
            config.port(port);
        }
        if let Some(instance) = self.settings.instance.as_ref().filter(|_| self.settings.port.is_none()) {
            config.instance_name(instance);
        }
        let given = [self.extra_ca.clone(), self.authority().await?];
        let given = given.into_iter().flatten().map(String::into_bytes);
        for bundle in self.bundle().await?.into_iter().chain(given) {
            config.trust_cert_ca_bundle(bundle);
        }
        Ok(config)
    }

    async fn authority(&self) -> Result<Option<String>, Failure> {
        self.dialer.authority().await.map_err(|error| {
            let why = visible(&error.to_string()).into_owned();
            let next = "the crypto library refused; try again";
            Failure::unsent(&self.settings.name, "asking for its authority", Cause::Unreadable, why, next)
        })
    }

    /// The settings' CA bundle, read at each connection so that a renewed file counts at once.
    async fn bundle(&self) -> Result<Option<Vec<u8>>, Failure> {
        let Some(path) = &self.settings.ca_bundle else { return Ok(None) };
        let unreadable = |why: &str| {
            let path = path.display().to_string();
            let why = format!("`{}` {why}", visible(&path));
            let next = "`ca_bundle` is to name a PEM file of certificate authorities";
            Failure::unsent(&self.settings.name, "reading its CA bundle", Cause::Unreadable, why, next)
        };
        let bundle = tokio::fs::read(path)
            .await
            .map_err(|error| unreadable(&format!("cannot be read: {}", visible(&error.to_string()))))?;
        if bundle.is_empty() {
            return Err(unreadable("is empty"));
        }
        Ok(Some(bundle))
    }

    async fn stream(
        &self,
        (host, port): &(String, Option<u16>),
        instance: Option<&str>,
        config: &Config,
    ) -> Result<Box<dyn Stream>, Failure> {
        let port = port.unwrap_or(SQL_SERVER_PORT);
        let dialled = match instance {
            Some(_) => self.dialer.dial_instance(host, config).await,
            None => self.dialer.dial(host, port).await,
        };
        let place =
            instance.map_or_else(|| format!("{host}:{port}"), |instance| format!("{host}\\{instance}"));
        dialled.map_err(|error| Failure::no_stream(&self.settings.name, "connecting", &place, &error))
    }

    /// Pre-login, TLS and login; within a bound of our own, because the library's is per stage.
    async fn login(
        &self,
        config: Config,
        stream: Box<dyn Stream>,
    ) -> Result<tiberius::Result<SqlClient>, Failure> {
        let login = Box::pin(Client::connect(config, stream.compat()));
        tokio::time::timeout(LOGIN, login).await.map_err(|_| {
            let late = Failure::late(&self.settings.name, "logging in", LOGIN);
            Failure { reached: Reached::NoEffect, ..late }
        })
    }

    fn refused(&self, error: &tiberius::error::Error) -> Failure {
        let doing = format!("logging in as {}", visible(&self.settings.user));
        let failure = Failure::told(&self.settings.name, &doing, error);
        Failure { reached: Reached::NoEffect, ..failure }
    }
}
