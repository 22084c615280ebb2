//! The words of the command line.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use portcullis::command::keys::FailOn;
use portcullis::command::{events, output};
use portcullis::filter::FORMS;
use portcullis::inventory::filter::LANGUAGE;
use portcullis::inventory::{Column, Sort};
use portcullis::model::IncidentId;
use portcullis::model::event::Severity;
use portcullis::settings::Overrides;
use portcullis::simulator::trouble::Trouble;
use portcullis::trail;

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
    /// The environment; `simulated` is built in and needs nothing. Repeated, `watch`, `keys` and `events` show
    /// several side by side; what acts takes exactly one.
    #[arg(
        short,
        long,
        global = true,
        env = "PORTCULLIS_ENVIRONMENT",
        value_name = "NAME",
        value_delimiter = ','
    )]
    pub environment: Vec<String>,
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
            environment: self.environment.first().cloned(),
            theme: self.theme.clone(),
            state_dir: self.state_dir.clone(),
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The console, live and read-only (the default).
    Watch(Watch),
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
        #[command(flatten)]
        faults: Faults,
    },
    /// List the pairs of column keys and KMS keys.
    Keys(Keys),
    /// Tell what depends on a KMS key: column keys, columns, RDS storage, grants, policy, and who uses it.
    Dependents(Dependents),
    /// List recent key events, of an account or of trail logs in files.
    Events(Events),
    /// The rules that say which events are findings.
    #[command(subcommand)]
    Detections(Detections),
    /// Drop the gate without a screen: disable the KMS key behind a column key, through the runbook.
    Revoke(Change),
    /// Raise the gate without a screen: enable the KMS key behind a column key, through the runbook.
    Recover(Change),
    /// Look at the runbooks: ours, and those of your own folders.
    #[command(subcommand)]
    Runbook(Runbook),
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
pub struct Dependents {
    /// A column key's name, or a KMS key by its ARN, id or alias.
    #[arg(value_name = "CEK|ARN|ALIAS")]
    pub target: String,
    /// The column key's database, as DATABASE or SERVER/DATABASE, where several have one of its name.
    #[arg(long, value_name = "NAME")]
    pub database: Option<String>,
    /// How far back to ask who used it, e.g. 1h, 90m, 1d; a busy key is read as far as 40 pages of events go.
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = span)]
    pub since: jiff::SignedDuration,
    /// How to print: sections for people, or an array with an object for each key meant.
    #[arg(long, value_enum, default_value_t)]
    pub format: Structured,
}

#[derive(Debug, Args)]
#[command(after_long_help = keys_help())]
pub struct Keys {
    /// How to print: a table on a terminal, an array of objects or an object a line for programs, or comma-separated
    /// values.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Only rows that match: words and fields, e.g. `state:disabled age:>80 not db:test`. `--help` lists the fields.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub filter: String,
    /// Read when each key was last used, too. KMS answers five such requests a second: 10,000 keys take half an hour.
    #[arg(long)]
    pub last_use: bool,
    /// What to print of each row, in this order: columns of the table, or fields of the other formats.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub columns: Vec<String>,
    /// The column to sort by; `-age` for the other way round. Without it: by database, column key, master key.
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub sort: Option<Sort>,
    /// End with exit code 5 when a row printed is one of these, and say which on standard error.
    #[arg(long, value_name = "WORD,…", value_delimiter = ',')]
    pub fail_on: Vec<String>,
}

/// What `keys --help` says of filters, columns and `--fail-on`: made from what declares them.
fn keys_help() -> String {
    let line = |(form, means): (String, String)| format!("  {form:<14} {means}\n");
    let forms = FORMS.iter().map(|(form, means)| line(((*form).to_owned(), (*means).to_owned())));
    format!(
        "Filter:\n{}\nFields of the filter:\n{}\nColumns of the table:\n  {}\n\nWords of --fail-on:\n  {}",
        forms.collect::<String>(),
        LANGUAGE.help().map(line).collect::<String>(),
        Column::ALL.map(Column::word).join(", "),
        FailOn::words().join(", "),
    )
}

#[derive(Debug, Args)]
pub struct Events {
    /// How to print: a table on a terminal, an array of objects, an object a line, comma-separated values, or OCSF
    /// (API Activity 6003; Detection Finding 2004 with --findings), an object a line.
    #[arg(long, value_enum, default_value_t)]
    pub format: EventFormat,
    /// Only events that match: words and fields, e.g. `outcome:denied name:Disable`.
    #[arg(long, value_name = "WORDS", default_value = "")]
    pub filter: String,
    /// Only events about this key: its name, alias, id or ARN, or a part of one.
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// How far to look back, e.g. 2h, 7d: 24h by default, all of it with --from. CloudTrail keeps 90 days.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub since: Option<jiff::SignedDuration>,
    /// Events at most, the newest: 1000 by default, 1,000,000 with --from. CloudTrail answers two requests of 50 a
    /// second, so that 10,000 take about two minutes.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// List what the rules find in the events, instead of the events; `detections list` names the rules.
    #[arg(long)]
    pub findings: bool,
    /// Only what is as bad as this, or worse.
    #[arg(long, value_enum, value_name = "WORD")]
    pub min_severity: Option<Level>,
    /// Exit with 5 where a finding that is not muted is as bad as this, or worse.
    #[arg(long, value_enum, value_name = "WORD")]
    pub fail_on: Option<Level>,
    /// Go on until interrupted, and print what comes as it comes, the oldest first and each once.
    #[arg(long, conflicts_with_all = ["from", "limit"])]
    pub follow: bool,
    /// Read trail logs instead of an account: files, folders (as in S3), or - for standard input; gzip or not. Needs
    /// no credentials. May be repeated.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub from: Vec<PathBuf>,
    /// Count events by this instead of listing them.
    #[arg(long, value_enum, value_name = "WHAT", requires = "from", conflicts_with_all = ["findings", "min_severity", "fail_on"])]
    pub count_by: Option<CountBy>,
}

/// How events and findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum EventFormat {
    #[default]
    Table,
    Json,
    Jsonl,
    Csv,
    Ocsf,
}

impl From<EventFormat> for events::Format {
    fn from(format: EventFormat) -> Self {
        match format {
            EventFormat::Table => Self::As(output::Format::Table),
            EventFormat::Json => Self::As(output::Format::Json),
            EventFormat::Jsonl => Self::As(output::Format::Jsonl),
            EventFormat::Csv => Self::As(output::Format::Csv),
            EventFormat::Ocsf => Self::Ocsf,
        }
    }
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Level {
    Info,
    Notice,
    High,
    Critical,
}

impl From<Level> for Severity {
    fn from(level: Level) -> Self {
        match level {
            Level::Info => Self::Info,
            Level::Notice => Self::Notice,
            Level::High => Self::High,
            Level::Critical => Self::Critical,
        }
    }
}

impl Events {
    /// What is to be told; `limit` where the words give none.
    pub fn wanted(&self, limit: usize, state_dir: Option<PathBuf>) -> events::Wanted {
        events::Wanted {
            format: self.format.into(),
            filter: self.filter.clone(),
            key: self.key.clone(),
            since: self.since.unwrap_or(jiff::SignedDuration::from_hours(24)),
            limit: self.limit.unwrap_or(limit),
            findings: self.findings,
            min_severity: self.min_severity.map(Into::into),
            fail_on: self.fail_on.map(Into::into),
            state_dir,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Detections {
    /// List the rules, with severity and the public rules and controls that they correspond to.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Tell one rule.
    Show {
        /// Its id, e.g. kms-key-disabled.
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Structured,
    },
}

/// What events can be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CountBy {
    /// The call's name.
    Name,
    /// Person or service.
    Who,
    Role,
    /// The caller's ARN.
    Principal,
    /// The ARN of each key named.
    Key,
    /// Address or service.
    From,
    Agent,
    /// The service called.
    Source,
    Region,
    /// The caller's account.
    Account,
    AccessKey,
    /// AWS's error code.
    Error,
}

impl From<CountBy> for trail::Column {
    fn from(by: CountBy) -> Self {
        match by {
            CountBy::Name => Self::Name,
            CountBy::Who => Self::Who,
            CountBy::Role => Self::Role,
            CountBy::Principal => Self::Principal,
            CountBy::Key => Self::Keys,
            CountBy::From => Self::From,
            CountBy::Agent => Self::UserAgent,
            CountBy::Source => Self::Source,
            CountBy::Region => Self::Region,
            CountBy::Account => Self::Account,
            CountBy::AccessKey => Self::AccessKey,
            CountBy::Error => Self::ErrorCode,
        }
    }
}

#[derive(Debug, Default, Args)]
pub struct Watch {
    /// Show trail logs too: files, folders (as in S3), gzip or not. Where -e names no environment, these alone, without
    /// any account.
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub trail: Vec<PathBuf>,
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
    Jsonl,
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
            Format::Jsonl => Self::Jsonl,
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
pub enum Runbook {
    /// List the runbooks.
    List {
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a runbook: for reading, or its parts as one object for programs.
    Show {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Structured,
    },
    /// Say what is wrong with runbooks, with file, line and reason: of the files named, else of the settings' folders.
    Check {
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Print a runbook to be followed on paper: boxes to tick, deadlines, people to tell, and what to type by hand.
    Print {
        id: String,
        #[arg(long, value_enum, default_value_t)]
        format: Paper,
    },
}

/// How a runbook is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Paper {
    /// Plain text, 78 columns.
    #[default]
    Text,
    Markdown,
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
    /// A big company's account with so many KMS keys, instead of Buzz Tutor's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub keys: Option<u32>,
    /// A big company's account with so many pairs of column keys and KMS keys, instead of Buzz Tutor's.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub pairs: Option<u32>,
    /// How long every AWS answer takes at least, e.g. 20ms.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub latency: Option<jiff::SignedDuration>,
    /// The share of AWS requests that are throttled whatever the quotas say, e.g. 10%.
    #[arg(long, value_name = "PERCENT", value_parser = share)]
    pub throttle: Option<f64>,
    #[command(flatten)]
    pub faults: Faults,
}

#[derive(Debug, Args)]
pub struct Faults {
    /// What of the simulated account cannot be read, with commas or repeated: dead-sql[=SERVER] or
    /// hidden-catalog[=SERVER] (every server where none is named), silent-region=REGION.
    #[arg(long = "fault", value_name = "WORD", value_delimiter = ',')]
    pub words: Vec<Trouble>,
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

/// A share such as `10%`, as a number from 0 to 1.
fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    number
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| percent / 100.0)
        .ok_or_else(|| format!("`{text}` is not a share, such as 10%"))
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
