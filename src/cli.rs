//! The words of the command line.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use portcullis::command::output;
use portcullis::model::IncidentId;
use portcullis::settings::Overrides;

/// What every exit code means; part of `--help` and of the man page.
pub const EXIT_CODES: &str = "\
Exit codes:
  0  done and verified
  1  failed, nothing changed
  2  usage or settings
  3  refused: not allowed, not approved, or the plan was stale
  4  changed but not verified, or the outcome is unknown
  5  findings: a check found something wrong";

/// A terminal incident console for encryption keys: AWS KMS keys behind SQL Server Always Encrypted.
///
/// Without a verb it watches, and can change nothing.
#[derive(Debug, Parser)]
#[command(version, about, long_about, after_help = EXIT_CODES, arg_required_else_help = false)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Flags that every verb takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The environment; `simulated` is built in and needs nothing.
    #[arg(short, long, global = true, env = "PORTCULLIS_ENVIRONMENT", value_name = "NAME")]
    pub environment: Option<String>,
    /// The settings file, instead of `$XDG_CONFIG_HOME/portcullis/settings.toml`.
    #[arg(long, global = true, env = "PORTCULLIS_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where journals and logs are kept, instead of `$XDG_STATE_HOME/portcullis`.
    #[arg(long, global = true, env = "PORTCULLIS_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Colours: dark, light, high-contrast, colour-blind or monochrome (which `NO_COLOR` picks).
    #[arg(long, global = true, env = "PORTCULLIS_THEME", value_name = "NAME")]
    pub theme: Option<String>,
    /// The seed of the simulated account: the same seed, the same account.
    #[arg(long, global = true, default_value_t = 7, value_name = "N", hide = true)]
    pub seed: u64,
}

impl Global {
    /// What the flags and environment variables say over the settings file.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            file: self.config.clone(),
            environment: self.environment.clone(),
            theme: self.theme.clone(),
            state_dir: self.state_dir.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The console, live and read-only (the default).
    Watch,
    /// The console, able to act through runbooks.
    Respond {
        /// What the incident is called, e.g. INC-2026-0142: names the journal.
        #[arg(long, value_name = "ID")]
        incident: IncidentId,
        #[command(flatten)]
        mfa: MfaWords,
    },
    /// The console on a simulated account: nothing real can be reached.
    Drill {
        /// What the drill's incident is called; a name made of the time by default.
        #[arg(long, value_name = "ID")]
        incident: Option<IncidentId>,
    },
    /// List the pairs of column keys and KMS keys.
    Keys(Keys),
    /// List recent key events.
    Events(Events),
    /// Drop the gate without a screen: disable the KMS key behind a column key, through the runbook.
    Revoke(Change),
    /// Raise the gate without a screen: enable the KMS key behind a column key, through the runbook.
    Recover(Change),
    /// Look at the journals of incidents.
    #[command(subcommand)]
    Journal(Journal),
    /// The simulated account for other programs.
    #[command(subcommand)]
    Simulator(Simulator),
    /// Write a commented settings file.
    Init {
        /// Write over a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Look at the settings.
    #[command(subcommand)]
    Config(Config),
    /// Files that the program carries inside.
    #[command(subcommand)]
    Assets(Assets),
    /// Print shell completions.
    Completions { shell: clap_complete::Shell },
    /// Print the man page.
    Man,
}

#[derive(Debug, Args)]
pub struct Keys {
    /// How to print: a table on a terminal, an array of objects for programs, or comma-separated values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only rows that match: words and fields, e.g. `state:disabled payments`.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub filter: String,
}

#[derive(Debug, Args)]
pub struct Events {
    /// How to print: a table on a terminal, an array of objects for programs, or comma-separated values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only events that match: words and fields, e.g. `outcome:denied name:Disable`.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub filter: String,
    /// How far to look back, e.g. 2h, 7d. CloudTrail keeps 90 days.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    pub since: jiff::SignedDuration,
    /// Events at most, newest first; a two-a-second limit makes 10,000 take about two minutes.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct Change {
    /// The environment, typed out: a habit must not pick it.
    #[arg(value_name = "ENV")]
    pub environment: String,
    /// The column encryption key, or the ARN of a KMS key.
    #[arg(value_name = "CEK")]
    pub cek: String,
    /// Why, in words; goes to the journal, the alert and the audit row.
    #[arg(value_name = "REASON")]
    pub reason: String,
    /// What the incident is called: names the journal.
    #[arg(long, value_name = "ID")]
    pub incident: IncidentId,
    /// The database, where several have a column key of this name: `DATABASE` or `SERVER/DATABASE`.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// The typed confirmation: the key's name, in production followed by the environment's.
    #[arg(long, value_name = "NAME")]
    pub yes_i_typed: Option<String>,
    /// How you know that what people must see to before the change has been seen to.
    #[arg(long, value_name = "NOTE")]
    pub attest: Option<String>,
    #[command(flatten)]
    pub mfa: MfaWords,
    /// The file descriptor to read the MFA code from, a line for each try; without it, it is asked for at the
    /// terminal. Never an argument: other people can see those.
    #[arg(long, value_name = "N")]
    pub mfa_code_fd: Option<u32>,
    /// How to print the result: a table, or one object for programs.
    #[arg(long, value_enum, default_value_t)]
    pub format: Structured,
}

/// Whose MFA device it is.
#[derive(Clone, Debug, Args)]
pub struct MfaWords {
    /// Your MFA device: its ARN, or a hardware device's serial number. Wins over `roles.mfa` of the settings.
    #[arg(long, env = "PORTCULLIS_MFA_SERIAL", value_name = "SERIAL", value_parser = serial)]
    pub mfa_serial: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Json,
    Csv,
}

/// Formats of answers that have a structure which no table of values can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Structured {
    #[default]
    Table,
    Json,
}

impl From<Format> for output::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Table => Self::Table,
            Format::Json => Self::Json,
            Format::Csv => Self::Csv,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Journal {
    /// List the journals of an environment.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Tell one journal as a timeline.
    Show {
        incident: IncidentId,
        /// A table, or an array of the entries as they are.
        #[arg(long, value_enum, default_value_t)]
        format: Structured,
    },
    /// Check a journal's chain of hashes.
    Verify { incident: IncidentId },
}

#[derive(Debug, Subcommand)]
pub enum Simulator {
    /// Serve the simulated account on loopback ports until interrupted.
    Serve(Serve),
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Loopback address to serve on.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    pub bind: Ipv4Addr,
    /// Port for every AWS service; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Port for the first SQL server, the next ones following; 0 takes free ones.
    #[arg(long, default_value_t = 0)]
    pub sql_port: u16,
    /// Once ready, write the `export …` lines that point the AWS CLI, boto3 and portcullis at it.
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Answer every request, instead of AWS's quotas.
    #[arg(long)]
    pub no_quotas: bool,
    /// Seconds after which CloudTrail delivers an event, instead of AWS's minutes.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i64).range(0..=86_400))]
    pub trail_delay: Option<i64>,
}

#[derive(Debug, Subcommand)]
pub enum Config {
    /// Say what is wrong with the settings, with file, line and reason.
    Check,
    /// Print where the settings are looked for.
    Path,
}

#[derive(Debug, Subcommand)]
pub enum Assets {
    /// Write runbooks and templates to a folder.
    Export { dir: PathBuf },
}

/// An MFA device's serial number.
fn serial(text: &str) -> Result<String, String> {
    portcullis::settings::check_serial(text).map(|()| text.to_owned())
}

/// A span of time such as `2h` or `7d`.
fn span(text: &str) -> Result<jiff::SignedDuration, String> {
    text.parse::<jiff::Span>()
        .and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()))
        .map_err(|_| format!("`{text}` is not a span of time, such as 2h, 90m or 7d"))
        .and_then(|span| {
            if span.is_positive() { Ok(span) } else { Err("a span of time has to be above zero".to_owned()) }
        })
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_words_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }
}
