//! The last inventory, kept on disk, so that a start has something to show at once.
//!
//! One file for each environment, readable by its owner alone and replaced as a whole: a line that says whose it
//! is, then what the sources said, as JSON. Left out is what the detail and the gate ask for anew in any case:
//! policies and grants. No secret is in it: names, states and dates, no encrypted values.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::join::Gathered;
use crate::estate::Estate;
use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{ServerCatalog, ServerName};
use crate::model::dependents::RdsInstance;
use crate::model::key::KmsKey;
use crate::model::seen::{NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};

/// Changes with the form of the file: one of another version is not read.
const VERSION: u32 = 1;
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

/// The file's second line, read.
#[derive(Debug, Deserialize)]
struct Body {
    keys: Vec<Arc<KmsKey>>,
    missing: BTreeMap<KeyArn, NotVisible>,
    aliases: BTreeMap<AliasArn, KeyArn>,
    servers: Vec<Arc<ServerCatalog>>,
    rds: BTreeMap<String, Vec<RdsInstance>>,
    sources: Vec<(Source, SourceHealth)>,
}

/// The same, to be written.
#[derive(Serialize)]
struct BodyOf<'a> {
    keys: Slim<'a>,
    missing: &'a BTreeMap<KeyArn, NotVisible>,
    aliases: BTreeMap<&'a AliasArn, &'a KeyArn>,
    servers: Vec<&'a Arc<ServerCatalog>>,
    rds: BTreeMap<&'a String, &'a Vec<RdsInstance>>,
    sources: Vec<(&'a Source, &'a SourceHealth)>,
}

/// Keys without their policies and grants.
struct Slim<'a>(&'a BTreeMap<KeyArn, Arc<KmsKey>>);

impl Serialize for Slim<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.values().map(|key| KmsKey {
            policy: Seen::Loading,
            grants: Seen::Loading,
            ..KmsKey::clone(key)
        }))
    }
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
        let mut text = Vec::new();
        file.read_to_end(&mut text)?;
        let body: Body = serde_json::from_slice(&text)?;
        tracing::info!(kept_at = %head.kept_at, keys = body.keys.len(), "showing the kept inventory");
        Ok(Some(body.gathered(head.whose, head.kept_at)))
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
    serde_json::to_writer(&mut file, &BodyOf::of(gathered))?;
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

impl<'a> BodyOf<'a> {
    fn of(gathered: &'a Gathered) -> Self {
        let known = |(alias, target): (&'a AliasArn, &'a Seen<KeyArn>)| Some((alias, target.known()?));
        Self {
            keys: Slim(&gathered.keys),
            missing: &gathered.missing,
            aliases: gathered.aliases.iter().filter_map(known).collect(),
            servers: gathered.servers.values().filter_map(Seen::known).collect(),
            rds: gathered.rds.iter().filter_map(|(region, all)| Some((region, all.known()?))).collect(),
            sources: gathered.sources.iter().collect(),
        }
    }
}

impl Body {
    /// As the sources would have said it; each source says that it was not asked yet.
    fn gathered(self, whose: Whose, kept_at: Timestamp) -> Gathered {
        let mut servers: BTreeMap<ServerName, Seen<Arc<ServerCatalog>>> =
            whose.servers.into_iter().map(|server| (server, Seen::Loading)).collect();
        for catalog in self.servers {
            servers.entry(catalog.server.clone()).and_modify(|had| *had = Seen::Known(catalog));
        }
        let kept = |(source, health): (Source, SourceHealth)| {
            let health = SourceHealth {
                last_success: health.last_success,
                kept: Some(kept_at),
                ..SourceHealth::default()
            };
            health.last_success.is_some().then_some((source, health))
        };
        let loading = |region: &String| (region.clone(), Seen::Loading);
        let mut rds: BTreeMap<_, _> =
            whose.regions.iter().map(|region| (region.clone(), Seen::Loading)).collect();
        for (region, instances) in self.rds {
            rds.entry(region).and_modify(|had| *had = Seen::Known(instances));
        }
        Gathered {
            account: Some(whose.account),
            // Until its aliases are listed again, what is not among those kept is not taken for gone.
            regions: whose.regions.iter().map(loading).collect(),
            keys_listed: whose.regions.iter().map(loading).collect(),
            estate: Vec::new(),
            keys: self.keys.into_iter().map(|key| (key.arn.clone(), key)).collect(),
            missing: self.missing,
            aliases: self.aliases.into_iter().map(|(alias, key)| (alias, Seen::Known(key))).collect(),
            servers,
            rds,
            sources: self.sources.into_iter().filter_map(kept).collect(),
        }
    }
}

#[cfg(test)]
#[path = "kept_tests.rs"]
mod tests;
