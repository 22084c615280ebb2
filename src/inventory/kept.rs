//! The last inventory, kept on disk, so that a start has something to show at once.
//!
//! One file for each environment, readable by its owner alone and replaced as a whole: a line that says whose it
//! is, then what the sources said, a line of JSON each. Left out is what the detail and the gate ask for anew in any case:
//! policies and grants. No secret is in it: names, states and dates, no encrypted values.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::join::Gathered;
use crate::estate::Estate;
use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{DatabaseCatalog, ServerCatalog, ServerName};
use crate::model::dependents::RdsInstance;
use crate::model::key::KmsKey;
use crate::model::seen::{NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};
use crate::model::text::Texts;

/// Changes with the form of the file: one of another version is not read.
const VERSION: u32 = 2;
/// More than any inventory comes to; what is longer is not ours.
const LONGEST: u64 = 1 << 30;

/// Keeps the inventory of one environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keeper {
    file: PathBuf,
}

/// Whose inventory it is: one of another account, Region or endpoint is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whose {
    environment: String,
    account: String,
    regions: Vec<String>,
    servers: Vec<ServerName>,
    endpoint: Option<String>,
}

impl Whose {
    /// That of an open estate.
    #[must_use]
    pub fn of(estate: &Estate, account: String) -> Self {
        Self {
            environment: estate.environment.name.clone(),
            account,
            regions: estate.environment.regions.clone(),
            servers: estate.servers.iter().map(|server| server.name().clone()).collect(),
            endpoint: estate.environment.endpoint.clone(),
        }
    }
}

/// The file's first line.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    portcullis_inventory: u32,
    kept_at: Timestamp,
    #[serde(flatten)]
    whose: Whose,
}

/// Each of the file's other lines. Line by line, so that neither writing nor reading needs the whole text in memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Key(Arc<KmsKey>),
    Missing(KeyArn, NotVisible),
    Alias(AliasArn, KeyArn),
    /// A server without its databases, each of which has a line of its own after it.
    Server(ServerCatalog),
    Database(ServerName, DatabaseCatalog),
    /// Of a Region.
    Rds(String, Vec<RdsInstance>),
    Source(Source, SourceHealth),
    /// The last line: without it the file is not whole.
    End,
}

impl Keeper {
    /// The keeper of an environment's inventory, in the folder for what lasts between runs.
    #[must_use]
    pub fn in_folder(state_dir: &Path, environment: &str) -> Self {
        Self { file: state_dir.join("inventory").join(format!("{environment}.json")) }
    }

    /// What was kept for `whose`; None where there is nothing, or nothing that may be shown. Why is in the log.
    #[must_use]
    pub fn load(&self, whose: &Whose) -> Option<Gathered> {
        match self.read(whose) {
            Ok(found) => found,
            Err(error) => {
                let file = self.file.display();
                tracing::warn!(%file, %error, "the kept inventory cannot be used and is passed over: it will be written anew");
                None
            }
        }
    }

    fn read(&self, whose: &Whose) -> io::Result<Option<Gathered>> {
        let file = match File::open(&self.file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut file = BufReader::new(file.take(LONGEST));
        let mut line = Vec::new();
        file.read_until(b'\n', &mut line)?;
        let version: serde_json::Value = serde_json::from_slice(&line)?;
        if version["portcullis_inventory"] != VERSION {
            return Err(io::Error::other(format!(
                "it is of version {}, not {VERSION}",
                version["portcullis_inventory"]
            )));
        }
        let head: Head = serde_json::from_value(version)?;
        if head.whose != *whose {
            return Err(io::Error::other(
                "it is of another account, or the environment's Regions, servers or endpoint have changed",
            ));
        }
        let (mut found, mut texts) = (nothing_of(head.whose), Texts::default());
        loop {
            line.clear();
            file.read_until(b'\n', &mut line)?;
            match serde_json::from_slice(&line)? {
                Line::End => break,
                told => take(&mut found, told, head.kept_at, &mut texts),
            }
        }
        tracing::info!(kept_at = %head.kept_at, keys = found.keys.len(), "showing the kept inventory");
        Ok(Some(found))
    }

    /// Writes what was gathered in the place of what was kept before.
    ///
    /// # Errors
    /// Whatever the file system says; what was kept before is still there then.
    pub fn save(&self, whose: &Whose, gathered: &Gathered, now: Timestamp) -> io::Result<()> {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        owners_folder(folder)?;
        let draft = self.file.with_extension(format!("{}.tmp", std::process::id()));
        let written = write(&draft, whose, gathered, now).and_then(|()| fs::rename(&draft, &self.file));
        if written.is_err() {
            // What is left of it is of no use.
            let _ = fs::remove_file(&draft);
        }
        written
    }
}

fn write(draft: &Path, whose: &Whose, gathered: &Gathered, kept_at: Timestamp) -> io::Result<()> {
    match fs::remove_file(draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = BufWriter::new(options.open(draft)?);
    let head = Head { portcullis_inventory: VERSION, kept_at, whose: whose.clone() };
    serde_json::to_writer(&mut file, &head)?;
    file.write_all(b"\n")?;
    let mut say = |line: &Line| {
        serde_json::to_writer(&mut file, line)?;
        file.write_all(b"\n")
    };
    for key in gathered.keys.values() {
        let slim = KmsKey { policy: Seen::Loading, grants: Seen::Loading, ..KmsKey::clone(key) };
        say(&Line::Key(Arc::new(slim)))?;
    }
    for (key, why) in &gathered.missing {
        say(&Line::Missing(key.clone(), why.clone()))?;
    }
    for (alias, target) in &gathered.aliases {
        target.known().map_or(Ok(()), |key| say(&Line::Alias(alias.clone(), key.clone())))?;
    }
    for catalog in gathered.servers.values().filter_map(Seen::known) {
        let ServerCatalog { server, version, databases, read_at } = &**catalog;
        let (version, read_at) = (version.clone(), *read_at);
        say(&Line::Server(ServerCatalog {
            server: server.clone(),
            version,
            databases: Vec::new(),
            read_at,
        }))?;
        for database in databases {
            say(&Line::Database(server.clone(), database.clone()))?;
        }
    }
    for (region, instances) in &gathered.rds {
        instances.known().map_or(Ok(()), |all| say(&Line::Rds(region.clone(), all.clone())))?;
    }
    for (source, health) in &gathered.sources {
        say(&Line::Source(source.clone(), health.clone()))?;
    }
    say(&Line::End)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

/// Makes a folder that only its owner can look into.
fn owners_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// An inventory before anything of it is read. Until its aliases are listed again, what is not among those kept
/// is not taken for gone.
fn nothing_of(whose: Whose) -> Gathered {
    let loading = |region: &String| (region.clone(), Seen::Loading);
    Gathered {
        account: Some(whose.account),
        regions: whose.regions.iter().map(loading).collect(),
        keys_listed: whose.regions.iter().map(loading).collect(),
        rds: whose.regions.into_iter().map(|region| (region, Seen::Loading)).collect(),
        servers: whose.servers.into_iter().map(|server| (server, Seen::Loading)).collect(),
        ..Gathered::default()
    }
}

/// Takes in a line as its source would have said it; each source says that it was not asked since.
fn take(found: &mut Gathered, line: Line, kept_at: Timestamp, texts: &mut Texts) {
    match line {
        Line::Key(key) => drop(found.keys.insert(key.arn.clone(), key)),
        Line::Missing(key, why) => drop(found.missing.insert(key, why)),
        Line::Alias(alias, key) => {
            // The key's own ARN: its text is there already.
            let key = found.keys.get_key_value(&key).map_or(key, |(known, _)| known.clone());
            found.aliases.insert(alias, Seen::Known(key));
        }
        Line::Server(catalog) => {
            if let Some(had) = found.servers.get_mut(&catalog.server) {
                *had = Seen::Known(Arc::new(catalog));
            }
        }
        Line::Database(server, mut database) => {
            if let Seen::Known(objects) = &mut database.objects {
                objects.share_texts(texts);
            }
            if let Some(Seen::Known(catalog)) = found.servers.get_mut(&server) {
                // Nobody else has it yet.
                Arc::make_mut(catalog).databases.push(database);
            }
        }
        Line::Rds(region, instances) => {
            found.rds.entry(region).and_modify(|had| *had = Seen::Known(instances));
        }
        Line::Source(source, health) if health.last_success.is_some() => {
            let last_success = health.last_success;
            let health = SourceHealth { last_success, kept: Some(kept_at), ..SourceHealth::default() };
            found.sources.insert(source, health);
        }
        Line::Source(..) | Line::End => {}
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
