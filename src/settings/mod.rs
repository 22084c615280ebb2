//! Settings: files, environment variables and flags, later ones winning, validated into one [`Settings`].

mod age;
mod detections;
mod load;
mod queue;
mod roles;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;

use crate::detect::Detections;
use crate::model::age::AgePolicies;
use crate::model::catalog::ServerName;
use crate::model::column::Column;
use crate::model::selector::KeySelector;

pub use load::{Mistake, Mistakes, SIMULATED, load, read, settings_path};
pub use queue::{NoQueue, QueueAddress};
pub use roles::{EMERGENCY_TAG, ENVIRONMENT_TAG, Mfa, Roles, check_serial};

/// The commented settings file that `portcullis init` writes.
pub const TEMPLATE: &str = include_str!("../../assets/settings.toml");

/// What environment variables and flags say; they win over the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Another settings file.
    pub file: Option<PathBuf>,
    pub environment: Option<String>,
    pub theme: Option<String>,
    pub state_dir: Option<PathBuf>,
}

/// Everything that a person can set.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub environments: BTreeMap<String, Environment>,
    /// The environment used where `-e` names none.
    pub default_environment: Option<String>,
    pub console: ConsoleSettings,
    pub detections: Arc<Detections>,
    /// Where journals, logs and kept inventories live: `$XDG_STATE_HOME/portcullis` by default.
    pub state_dir: PathBuf,
    /// Folders of the user's own runbooks.
    pub runbook_dirs: Vec<PathBuf>,
}

/// How the console looks and answers.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsoleSettings {
    /// `dark`, `light`, `high-contrast`, `colour-blind` or `monochrome`; `NO_COLOR` picks the last.
    pub theme: Option<String>,
    /// Events kept in memory, where an environment does not say; 1,000,000 by default.
    pub events: Option<usize>,
    /// The columns of the Keys screen, until somebody chooses others there.
    pub columns: Option<Vec<Column>>,
    /// Command word to keys, e.g. `quit = ["q", "ctrl-c"]`.
    pub keys: BTreeMap<String, Vec<String>>,
    /// Whether the terminal's bell sounds for what is new and severe; true by default.
    pub bell: bool,
}

impl Default for ConsoleSettings {
    fn default() -> Self {
        Self { theme: None, events: None, columns: None, keys: BTreeMap::new(), bell: true }
    }
}

/// One environment: an account, its Regions, its SQL servers.
#[derive(Clone, Debug, PartialEq)]
pub struct Environment {
    pub name: String,
    /// Production looks different on every screen and asks for the environment's name at each change.
    pub production: bool,
    /// Whether this is a simulated account: said on every screen.
    pub simulated: bool,
    /// The account expected; another one is refused. None takes whichever the credentials lead to.
    pub account: Option<String>,
    /// At least one; the first is home, where the trail is followed and identity asked.
    pub regions: Vec<String>,
    /// A profile of the AWS configuration files.
    pub profile: Option<String>,
    /// Another endpoint for every AWS service, e.g. a simulator's.
    pub endpoint: Option<String>,
    pub sql: Vec<SqlServerSettings>,
    pub trail: TrailSettings,
    /// The SNS topic that is told of each change.
    pub alert_topic: Option<String>,
    /// Where the SQL audit row of each change goes.
    pub audit: Option<AuditSettings>,
    pub age: AgePolicies,
    /// The roles that changes, and reads, are made in.
    pub roles: Roles,
    /// What marks a KMS key as one of this estate's, so that one which no master key names stands out.
    pub estate: Vec<KeySelector>,
    /// How long clients may keep decrypted column keys: SqlClient's default is 2 hours.
    pub column_key_cache: SignedDuration,
    /// People who must approve a change besides the requester.
    pub approvals: u8,
    /// Whether the operator may do without those approvals, by typing so: it is recorded and told to everybody.
    pub approval_override: bool,
    /// How long after a drop this house allows a recovery without a new decision. KMS sets no such limit.
    pub recovery_window: SignedDuration,
}

/// What is kept and watched of an account's trail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrailSettings {
    /// Events kept in memory; where there are more, the oldest leave.
    pub events: usize,
    /// Roles whose assumption is watched, by name: the emergency role.
    pub roles: Vec<String>,
    /// Secrets whose reading is watched, by a part of their name or ARN: the emergency procedures.
    pub secrets: Vec<String>,
    /// An SQS queue that EventBridge feeds with the trail's records. It has to be portcullis' own: messages are deleted
    /// once their events are kept.
    pub queue: Option<QueueAddress>,
    /// What the house sets about detections; the same in every environment.
    pub detections: Arc<Detections>,
}

impl TrailSettings {
    /// Events kept where settings say nothing.
    pub const EVENTS: usize = 1_000_000;
}

impl Default for TrailSettings {
    fn default() -> Self {
        let (roles, secrets) = (Vec::new(), Vec::new());
        Self { events: Self::EVENTS, roles, secrets, queue: None, detections: Arc::default() }
    }
}

/// A SQL Server.
#[derive(Clone, Debug, PartialEq)]
pub struct SqlServerSettings {
    pub name: ServerName,
    pub host: String,
    /// 1433 where neither a port nor an instance is given.
    pub port: Option<u16>,
    /// A named instance, asked of the SQL Browser.
    pub instance: Option<String>,
    /// None reads all.
    pub databases: Option<Vec<String>>,
    pub user: String,
    pub password: PasswordFrom,
    /// PEM file of the authorities that sign the server's certificate.
    pub ca_bundle: Option<PathBuf>,
}

/// Where a SQL login's password comes from. Never from a file or a flag.
#[derive(Clone, Debug, PartialEq)]
pub enum PasswordFrom {
    /// An environment variable of this name.
    Variable(String),
    /// Asked at start.
    Prompt,
    /// Handed in by the simulator.
    Given(secrecy_text::SecretText),
}

/// The database that keeps the audit rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditSettings {
    pub server: ServerName,
    pub database: String,
}

/// A secret that compares and clones, and never shows itself.
pub mod secrecy_text {
    use secrecy::{ExposeSecret as _, SecretString};

    /// A password held in memory.
    #[derive(Clone)]
    pub struct SecretText(SecretString);

    impl SecretText {
        /// Takes a secret in.
        #[must_use]
        pub fn new(secret: String) -> Self {
            Self(SecretString::from(secret))
        }

        /// The secret, for the one call that needs it.
        #[must_use]
        pub fn expose(&self) -> &str {
            self.0.expose_secret()
        }
    }

    impl PartialEq for SecretText {
        fn eq(&self, other: &Self) -> bool {
            self.expose() == other.expose()
        }
    }

    impl std::fmt::Debug for SecretText {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("SecretText(…)")
        }
    }
}
