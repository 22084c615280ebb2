//! Reads the settings file: TOML into raw words, raw words into [`Settings`], each mistake with its line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::Deserialize;
use toml::Spanned;

use super::age::{RawAge, RawMark};
use super::detections::RawDetections;
use super::queue::is_region;
use super::roles::RawRoles;
use super::{
    AuditSettings, ConsoleSettings, Environment, Overrides, PasswordFrom, QueueAddress, Settings,
    SqlServerSettings, TrailSettings,
};
use crate::model::catalog::ServerName;
use crate::model::column::Column;
use crate::model::text::visible;

/// The name of the environment that is built in, and so cannot be set.
pub const SIMULATED: &str = "simulated";

/// One thing wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub file: PathBuf,
    /// From 1; None where it is about the file as a whole.
    pub line: Option<usize>,
    pub reason: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.reason)
    }
}

/// Every mistake found in the settings; at least one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the settings have {} mistake(s):\n{}", .0.len(), .0.iter().map(|m| format!("  {m}")).collect::<Vec<_>>().join("\n"))]
pub struct Mistakes(pub Vec<Mistake>);

/// Where the settings file is looked for: what the caller names, else `$XDG_CONFIG_HOME/portcullis/settings.toml`.
///
/// # Errors
/// When no home folder is known.
pub fn settings_path(named: Option<&Path>) -> Result<PathBuf, Mistakes> {
    match named {
        Some(path) => Ok(path.to_owned()),
        None => folders().map(|(config, _)| config.join("settings.toml")),
    }
}

/// The XDG folders of portcullis: settings, state.
fn folders() -> Result<(PathBuf, PathBuf), Mistakes> {
    use etcetera::base_strategy::{BaseStrategy as _, Xdg};
    let xdg = Xdg::new().map_err(|_| {
        Mistakes(vec![Mistake {
            file: "settings.toml".into(),
            line: None,
            reason: "no home folder is known: set HOME, or name files with --config and --state-dir".into(),
        }])
    })?;
    let state = xdg.state_dir().unwrap_or_else(|| xdg.data_dir());
    Ok((xdg.config_dir().join("portcullis"), state.join("portcullis")))
}

/// Reads, validates and overrides the settings. A file that nobody named and that is not there counts as empty.
///
/// # Errors
/// Every mistake found, each with file and line.
pub fn load(overrides: &Overrides) -> Result<Settings, Mistakes> {
    let path = settings_path(overrides.file.as_deref())?;
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && overrides.file.is_none() => {
            String::new()
        }
        Err(error) => {
            let reason = format!("cannot be read: {error}; `portcullis init` writes one");
            return Err(Mistakes(vec![Mistake { file: path, line: None, reason }]));
        }
    };
    let state_dir = match &overrides.state_dir {
        Some(dir) => dir.clone(),
        None => folders()?.1,
    };
    let mut settings = read(&path, &text, state_dir)?;
    if let Some(theme) = &overrides.theme {
        settings.console.theme = Some(theme.clone());
    }
    if let Some(environment) = &overrides.environment {
        settings.default_environment = Some(environment.clone());
    }
    Ok(settings)
}

/// Reads settings from TOML text.
///
/// # Errors
/// Every mistake found.
pub fn read(file: &Path, text: &str, state_dir: PathBuf) -> Result<Settings, Mistakes> {
    let mut reader = Reader { file, text, mistakes: Vec::new() };
    let settings = match toml::from_str::<RawSettings>(text) {
        Ok(raw) => reader.settings(raw, state_dir),
        Err(error) => {
            reader.mistake(error.span().map(|s| s.start), error.message().to_owned());
            return Err(Mistakes(reader.mistakes));
        }
    };
    if reader.mistakes.is_empty() { Ok(settings) } else { Err(Mistakes(reader.mistakes)) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSettings {
    default_environment: Option<Spanned<String>>,
    #[serde(default)]
    runbook_dirs: Vec<PathBuf>,
    #[serde(default)]
    console: RawConsole,
    #[serde(default)]
    detections: RawDetections,
    #[serde(default)]
    environments: BTreeMap<Spanned<String>, RawEnvironment>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConsole {
    theme: Option<String>,
    events: Option<Spanned<usize>>,
    bell: Option<bool>,
    columns: Option<Vec<Spanned<String>>>,
    #[serde(default)]
    keys: BTreeMap<String, Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnvironment {
    #[serde(default)]
    production: bool,
    account: Option<Spanned<String>>,
    regions: Spanned<Vec<String>>,
    profile: Option<String>,
    endpoint: Option<Spanned<String>>,
    alert_topic: Option<Spanned<String>>,
    approvals: Option<u8>,
    approval_override: Option<bool>,
    column_key_cache: Option<Spanned<String>>,
    recovery_window: Option<Spanned<String>>,
    #[serde(default)]
    trail: RawTrail,
    age: Option<RawAge>,
    roles: Option<RawRoles>,
    #[serde(default)]
    estate: Vec<Spanned<RawMark>>,
    audit: Option<RawAudit>,
    #[serde(default)]
    sql: Vec<RawSql>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrail {
    events: Option<Spanned<usize>>,
    roles: Option<Vec<String>>,
    #[serde(default)]
    secrets: Vec<String>,
    queue: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAudit {
    server: Spanned<String>,
    database: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSql {
    name: Option<String>,
    host: Spanned<String>,
    port: Option<Spanned<u16>>,
    instance: Option<String>,
    databases: Option<Vec<String>>,
    user: String,
    password_env: Option<Spanned<String>>,
    ca_bundle: Option<PathBuf>,
}

/// Turns raw words into settings and collects what is wrong with them.
pub(super) struct Reader<'a> {
    file: &'a Path,
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    pub(super) fn mistake(&mut self, offset: Option<usize>, reason: String) {
        let line = offset.map(|at| self.line(at));
        self.mistakes.push(Mistake { file: self.file.to_owned(), line, reason });
    }

    /// The line, from 1, of a place in the text.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).map_or(1, |head| head.matches('\n').count() + 1)
    }

    fn settings(&mut self, raw: RawSettings, state_dir: PathBuf) -> Settings {
        let names: Vec<String> = raw.environments.keys().map(|name| name.get_ref().clone()).collect();
        if let Some(default) = &raw.default_environment
            && default.get_ref() != SIMULATED
            && !names.contains(default.get_ref())
        {
            let reason =
                format!("default_environment `{}` is not among the environments", visible(default.get_ref()));
            self.mistake(Some(default.span().start), reason);
        }
        let events = self.events(raw.console.events.as_ref());
        let detections = Arc::new(self.detections(raw.detections));
        let mut environments: BTreeMap<_, _> = raw
            .environments
            .into_iter()
            .map(|(name, raw)| (name.get_ref().clone(), self.environment(&name, raw, events)))
            .collect();
        for environment in environments.values_mut() {
            environment.trail.detections = Arc::clone(&detections);
        }
        Settings {
            environments,
            default_environment: raw.default_environment.map(Spanned::into_inner),
            console: ConsoleSettings {
                theme: raw.console.theme,
                events,
                columns: self.columns(&raw.console.columns.unwrap_or_default()),
                keys: raw.console.keys,
                bell: raw.console.bell.unwrap_or(true),
            },
            detections,
            state_dir,
            runbook_dirs: raw.runbook_dirs,
        }
    }

    fn environment(
        &mut self,
        name: &Spanned<String>,
        raw: RawEnvironment,
        events: Option<usize>,
    ) -> Environment {
        self.check_name(name);
        self.check_account(raw.account.as_ref());
        self.check_regions(&raw.regions);
        self.check_endpoint(raw.endpoint.as_ref());
        self.check_topic(raw.alert_topic.as_ref());
        let sql: Vec<_> = raw.sql.into_iter().map(|sql| self.sql(sql)).collect();
        let audit = raw.audit.map(|audit| self.audit(audit, &sql));
        let account = raw.account.as_ref().map(|account| account.get_ref().as_str());
        let roles = self.roles(raw.roles, name.get_ref(), account);
        Environment {
            name: name.get_ref().clone(),
            production: raw.production,
            simulated: false,
            account: raw.account.map(Spanned::into_inner),
            regions: raw.regions.into_inner(),
            profile: raw.profile,
            endpoint: raw.endpoint.map(Spanned::into_inner),
            sql,
            trail: TrailSettings {
                events: self.events(raw.trail.events.as_ref()).or(events).unwrap_or(TrailSettings::EVENTS),
                // Where nobody says which, those that changes are made in.
                roles: raw.trail.roles.unwrap_or_else(|| roles.for_emergencies()),
                secrets: raw.trail.secrets,
                queue: self.queue(raw.trail.queue.as_ref()),
                ..TrailSettings::default()
            },
            alert_topic: raw.alert_topic.map(Spanned::into_inner),
            audit,
            age: self.age(raw.age),
            roles,
            estate: self.estate(raw.estate),
            column_key_cache: self.duration(raw.column_key_cache.as_ref(), SignedDuration::from_hours(2)),
            approvals: raw.approvals.unwrap_or(0),
            approval_override: raw.approval_override.unwrap_or(true),
            recovery_window: self.duration(raw.recovery_window.as_ref(), SignedDuration::from_hours(7 * 24)),
        }
    }

    fn events(&mut self, raw: Option<&Spanned<usize>>) -> Option<usize> {
        let events = raw?;
        if !(1..=100_000_000).contains(events.get_ref()) {
            self.mistake(Some(events.span().start), "events takes 1 to 100000000".into());
        }
        Some(*events.get_ref())
    }

    fn queue(&mut self, raw: Option<&Spanned<String>>) -> Option<QueueAddress> {
        let raw = raw?;
        let read = raw.get_ref().parse();
        if let Err(no_queue) = &read {
            let reason = format!("queue `{}` {no_queue}", visible(raw.get_ref()));
            self.mistake(Some(raw.span().start), reason);
        }
        read.ok()
    }

    /// The columns of the Keys screen; None where none are named.
    fn columns(&mut self, words: &[Spanned<String>]) -> Option<Vec<Column>> {
        let mut columns = Vec::new();
        for word in words {
            match word.get_ref().parse::<Column>() {
                Ok(column) => columns.push(column),
                Err(why) => self.mistake(Some(word.span().start), format!("console.columns: {why}")),
            }
        }
        (!columns.is_empty()).then_some(columns)
    }

    fn check_name(&mut self, name: &Spanned<String>) {
        let word = name.get_ref();
        let reason = if word == SIMULATED {
            "the environment `simulated` is built in and cannot be set; give yours another name".to_owned()
        } else if word.is_empty()
            || word.len() > 64
            || !word.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        {
            format!(
                "`{}` is no environment name: it takes 1–64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
                visible(word)
            )
        } else {
            return;
        };
        self.mistake(Some(name.span().start), reason);
    }

    fn check_account(&mut self, account: Option<&Spanned<String>>) {
        let Some(account) = account else { return };
        let id = account.get_ref();
        if id.len() != 12 || !id.bytes().all(|b| b.is_ascii_digit()) {
            let reason = format!("account `{}` is not the 12 digits of an AWS account", visible(id));
            self.mistake(Some(account.span().start), reason);
        }
    }

    fn check_regions(&mut self, regions: &Spanned<Vec<String>>) {
        let at = Some(regions.span().start);
        if regions.get_ref().is_empty() {
            self.mistake(at, "regions is empty: name at least one, home first, e.g. [\"eu-west-1\"]".into());
        }
        for region in regions.get_ref() {
            if !is_region(region) {
                self.mistake(at, format!("`{}` is not a Region's name, such as eu-west-1", visible(region)));
            }
        }
    }

    fn check_endpoint(&mut self, endpoint: Option<&Spanned<String>>) {
        let Some(endpoint) = endpoint else { return };
        let good = endpoint.get_ref().parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some_and(|host| !host.is_empty())
        });
        if !good {
            let reason = format!("endpoint `{}` is not an http(s) URL", visible(endpoint.get_ref()));
            self.mistake(Some(endpoint.span().start), reason);
        }
    }

    fn check_topic(&mut self, topic: Option<&Spanned<String>>) {
        let Some(topic) = topic else { return };
        let parts: Vec<&str> = topic.get_ref().split(':').collect();
        if !matches!(parts.as_slice(), ["arn", _, "sns", _, _, name] if !name.is_empty()) {
            let reason = format!("alert_topic `{}` is not the ARN of an SNS topic", visible(topic.get_ref()));
            self.mistake(Some(topic.span().start), reason);
        }
    }

    fn sql(&mut self, raw: RawSql) -> SqlServerSettings {
        if raw.host.get_ref().trim().is_empty() {
            self.mistake(Some(raw.host.span().start), "host is empty: name the SQL server's host".into());
        }
        if let (Some(port), Some(_)) = (&raw.port, &raw.instance) {
            let reason = "give a port or an instance, not both: the SQL Browser tells an instance's port";
            self.mistake(Some(port.span().start), reason.into());
        }
        if let Some(variable) = &raw.password_env
            && (variable.get_ref().is_empty() || variable.get_ref().contains(['=', '\0']))
        {
            let reason = "password_env takes the name of an environment variable, e.g. \"BUZZ_SQL_PASSWORD\"";
            self.mistake(Some(variable.span().start), reason.into());
        }
        let host = raw.host.into_inner();
        SqlServerSettings {
            name: ServerName(raw.name.unwrap_or_else(|| host.clone())),
            host,
            port: raw.port.map(Spanned::into_inner),
            instance: raw.instance,
            databases: raw.databases,
            user: raw.user,
            password: raw
                .password_env
                .map_or(PasswordFrom::Prompt, |variable| PasswordFrom::Variable(variable.into_inner())),
            ca_bundle: raw.ca_bundle,
        }
    }

    fn audit(&mut self, raw: RawAudit, sql: &[SqlServerSettings]) -> AuditSettings {
        if !sql.iter().any(|server| server.name.0 == *raw.server.get_ref()) {
            let reason = format!(
                "audit server `{}` is not among this environment's sql servers",
                visible(raw.server.get_ref())
            );
            self.mistake(Some(raw.server.span().start), reason);
        }
        AuditSettings { server: ServerName(raw.server.into_inner()), database: raw.database }
    }

    pub(super) fn duration(
        &mut self,
        raw: Option<&Spanned<String>>,
        default: SignedDuration,
    ) -> SignedDuration {
        let Some(raw) = raw else { return default };
        let read = raw
            .get_ref()
            .parse::<Span>()
            .and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()))
            .ok()
            .filter(SignedDuration::is_positive);
        if read.is_none() {
            let reason = format!(
                "`{}` is not a span of time, such as \"2h\", \"90m\" or \"7d\"",
                visible(raw.get_ref())
            );
            self.mistake(Some(raw.span().start), reason);
        }
        read.unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::{Mistakes, read};
    use crate::model::column::Column;
    use crate::settings::{PasswordFrom, Settings};
    use proptest::prelude::*;
    use std::path::Path;

    fn read_text(text: &str) -> Result<Settings, Mistakes> {
        read(Path::new("s.toml"), text, "/state".into())
    }

    fn mistakes(text: &str) -> Vec<String> {
        read_text(text).unwrap_err().0.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_file_that_init_writes_is_valid() {
        let settings = read_text(crate::settings::TEMPLATE).unwrap();
        assert!(settings.environments.contains_key("production"));
    }

    #[test]
    fn words_become_settings() {
        let settings = read_text(
            r#"
            default_environment = "prod"
            [environments.prod]
            production = true
            account = "111122223333"
            regions = ["eu-west-1", "us-east-1"]
            column_key_cache = "90m"
            recovery_window = "7d"
            audit = { server = "a", database = "d" }
            [[environments.prod.sql]]
            name = "a"
            host = "h"
            user = "u"
            password_env = "P"
            "#,
        )
        .unwrap();
        let prod = &settings.environments["prod"];
        assert!(prod.production && !prod.simulated);
        assert_eq!(prod.column_key_cache.as_mins(), 90);
        assert_eq!(prod.recovery_window.as_hours(), 168);
        assert_eq!(prod.sql[0].password, PasswordFrom::Variable("P".into()));
    }

    #[test]
    fn each_mistake_is_told_with_its_line() {
        let text = "default_environment = \"x\"\n[environments.prod]\nregions = []\naccount = \"12\"\nendpoint = \"ftp://h\"\nrecovery_window = \"soon\"\n";
        let told = mistakes(text);
        assert_eq!(told.len(), 5, "{told:#?}");
        for line in [1, 3, 4, 5, 6] {
            assert!(told.iter().any(|m| m.starts_with(&format!("s.toml:{line}: "))), "{line}: {told:#?}");
        }
    }

    #[test]
    fn a_queue_is_named_by_url_or_arn() {
        let with = |queue: &str| {
            format!(
                "[environments.prod]\nregions = [\"eu-west-1\"]\n[environments.prod.trail]\nqueue = \"{queue}\"\n"
            )
        };
        let settings = read_text(&with("arn:aws:sqs:eu-west-1:111122223333:portcullis")).unwrap();
        let queue = settings.environments["prod"].trail.queue.as_ref().unwrap();
        assert_eq!(queue.url(), "https://sqs.eu-west-1.amazonaws.com/111122223333/portcullis");
        let told = mistakes(&with("portcullis"));
        assert!(told[0].starts_with("s.toml:4: queue `portcullis` is no SQS queue"), "{told:?}");
    }

    #[test]
    fn a_word_that_is_no_column_is_told_with_its_line() {
        let told = mistakes("[console]\ncolumns = [\n  \"state\",\n  \"stat\",\n  \"cek\",\n]\n");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with("s.toml:4: console.columns: `stat` is no column; there are: state, env, cek")
        );
        let read = read_text("[console]\ncolumns = [\"Age\", \"cek\"]\n").unwrap();
        assert_eq!(read.console.columns, Some(vec![Column::Age, Column::ColumnKey]));
        assert_eq!(read_text("[console]\ncolumns = []\n").unwrap().console.columns, None);
    }

    #[test]
    fn an_unknown_word_is_a_mistake_and_not_passed_over() {
        let told = mistakes("[environments.prod]\nregions = [\"eu-west-1\"]\nprodcution = true\n");
        assert!(told[0].starts_with("s.toml:3: unknown field `prodcution`"), "{told:?}");
    }

    #[test]
    fn the_simulated_environment_cannot_be_redefined() {
        assert!(mistakes("[environments.simulated]\nregions = [\"eu-west-1\"]\n")[0].contains("built in"));
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = read_text(&text);
        }
    }
}
