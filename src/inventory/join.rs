//! From what the sources said to rows: every wrapped key in exactly one pair, nothing dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::arn::{AliasArn, KeyArn};
use crate::model::catalog::{ServerCatalog, ServerName};
use crate::model::dependents::RdsInstance;
use crate::model::key::KmsKey;
use crate::model::pair::Inventory;
use crate::model::seen::{NotVisible, Seen};
use crate::model::source::{Source, SourceHealth};

/// What the sources have said so far.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The account that is ours, where it is known.
    pub account: Option<String>,
    /// How far each configured Region's list of aliases and keys has come.
    pub regions: BTreeMap<String, Seen<()>>,
    /// Keys that were described.
    pub keys: BTreeMap<KeyArn, Arc<KmsKey>>,
    /// Keys that were asked for and not described, and why; a `Cause::NotFound` means gone.
    pub missing: BTreeMap<KeyArn, NotVisible>,
    /// Where aliases lead, ours and those of other accounts that were asked for.
    pub aliases: BTreeMap<AliasArn, Seen<KeyArn>>,
    pub servers: BTreeMap<ServerName, Seen<Arc<ServerCatalog>>>,
    pub rds: Seen<Vec<RdsInstance>>,
    pub sources: BTreeMap<Source, SourceHealth>,
}

/// Joins what was gathered into rows, ordered by database, CEK and CMK.
#[must_use]
pub fn join(gathered: &Gathered) -> Inventory {
    let _ = gathered;
    todo!("filled in next")
}
