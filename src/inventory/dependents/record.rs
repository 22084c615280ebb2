//! Dependents as machines read them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::Moment;
use crate::model::catalog::Tde;
use crate::model::dependents::{
    Dependents, RdsInstance, Relative, Storage, exposed_until, storage_lost_from,
};
use crate::model::key::{Grant, KeyState};
use crate::model::pair::DatabaseRef;
use crate::model::policy::{ActionGroup, Effect, Entry, Principal, Standing, Statement, Who};
use crate::model::seen::Seen;
use crate::model::text::Untrusted;
use crate::model::usage::{KeyUser, Usage};

/// What depends on a key, as `dependents --format json` gives it. Names stand as SQL Server and AWS hold them.
///
/// A list that could not be read is `null`, never empty, and `not_visible` says why under the list's own name; an
/// empty list means none. Fields are added in time, never renamed and never given another meaning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DependentsRecord {
    pub key_arn: String,
    pub account: String,
    pub region: String,
    /// KMS's word, e.g. `Enabled`.
    pub kms_state: Option<String>,
    pub state_read_at: Option<Timestamp>,
    /// Since when the key is down, where the trail tells.
    pub down_since: Option<Timestamp>,
    /// Until when clients may go on with decrypted column keys: after a drop now, or after the drop that was.
    pub exposed_until: Option<Timestamp>,
    pub column_keys: Vec<ColumnKeyRecord>,
    pub databases: Vec<DatabaseRecord>,
    /// Why `column_keys` may lack some, in words; empty where every catalog was read in full.
    pub blind_spots: Vec<String>,
    pub rds_instances: Option<Vec<RdsRecord>>,
    pub used: Option<UsageRecord>,
    pub grants: Option<Vec<GrantRecord>>,
    pub policy: Option<Vec<StatementRecord>>,
    /// How far the policy reaches: `own`, `service`, `narrowed`, `foreign` or `public`, whichever is furthest.
    pub policy_reach: Option<Standing>,
    /// Multi-Region relatives, which a change to this key does not touch.
    pub relatives: Option<Vec<RelativeRecord>>,
    /// Why a field is `null`, by the field's name.
    pub not_visible: BTreeMap<&'static str, String>,
}

/// A column key that the key wraps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnKeyRecord {
    pub server: String,
    pub database: String,
    pub cek: String,
    pub columns: Vec<ColumnRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnRecord {
    /// Its database, where that is another than the column key's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    pub schema: String,
    pub table: String,
    pub column: String,
    /// `deterministic` or `randomized`.
    pub encryption: &'static str,
}

/// A database with column keys under the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatabaseRecord {
    pub server: String,
    pub database: String,
    /// Transparent data encryption in words, `none` where there is no key for it, `null` where it is not visible.
    pub tde_state: Option<&'static str>,
    /// e.g. `AES 256`.
    pub tde_algorithm: Option<String>,
    /// Why TDE is not visible.
    pub tde_not_visible: Option<String>,
}

/// An RDS instance whose storage the key encrypts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RdsRecord {
    pub id: String,
    pub status: String,
    pub engine: String,
    pub region: String,
    /// `open`, `recoverable` (down, and to be saved by enabling the key) or `lost` (restore from backup).
    pub storage: &'static str,
    /// From when on, at the earliest, only a restore from backup helps: after a drop now, or the drop that was.
    pub lost_from: Option<Timestamp>,
}

/// Who used the key.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UsageRecord {
    /// Nothing is known from before this.
    pub known_since: Timestamp,
    pub until: Timestamp,
    pub uses: usize,
    pub refused: usize,
    pub users: Vec<UserRecord>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UserRecord {
    pub who: String,
    pub role: Option<String>,
    pub account: Option<String>,
    /// Whether that is another account than the key's.
    pub foreign: bool,
    /// The AWS service that called for them.
    pub through: Option<String>,
    pub uses: usize,
    /// How many of them in the last hour.
    pub uses_last_hour: usize,
    pub refused: usize,
    /// Uses by call, e.g. `Decrypt`.
    pub operations: BTreeMap<String, usize>,
    pub last_at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GrantRecord {
    pub id: String,
    pub name: Option<String>,
    pub grantee: String,
    pub foreign: bool,
    pub operations: Vec<String>,
    /// AWS's JSON, as text.
    pub constraints: Option<String>,
    pub retiring_principal: Option<String>,
    pub created: Option<Timestamp>,
}

/// A statement of the key policy.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StatementRecord {
    /// Its place in the policy, counted from 1.
    pub number: usize,
    /// Why the statement could not be read; every other field is empty then.
    pub unreadable: Option<String>,
    pub sid: Option<String>,
    /// `allow` or `deny`.
    pub effect: Option<Effect>,
    /// Whether `principals` are those whom it is *not* about (`NotPrincipal`).
    pub all_but_principals: bool,
    pub principals: Vec<PrincipalRecord>,
    /// `use`, `grant`, `administer`, `read`.
    pub groups: Vec<ActionGroup>,
    /// Whether `actions` are those which it is *not* about (`NotAction`).
    pub all_but_actions: bool,
    pub actions: Vec<String>,
    pub conditions: Vec<ConditionRecord>,
    /// Empty for `*`, the key itself.
    pub resources: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PrincipalRecord {
    #[serde(flatten)]
    pub principal: Principal,
    /// `own`, `service`, `narrowed`, `foreign` or `public`.
    pub standing: Option<Standing>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConditionRecord {
    pub operator: String,
    pub key: String,
    pub values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelativeRecord {
    pub key_arn: String,
    pub region: String,
    /// `primary` or `replica`.
    pub role: &'static str,
    pub kms_state: Option<String>,
    pub not_visible: Option<String>,
}

/// The record, as it is at a moment.
#[must_use]
pub fn record(dependents: &Dependents, at: Moment) -> DependentsRecord {
    let mut hidden = BTreeMap::new();
    let state = taken("kms_state", &dependents.state, &mut hidden);
    let enabled = matches!(state, Some((KeyState::Enabled, _)));
    // The drop that was, or one now.
    let drop = dependents.down_since.or_else(|| enabled.then_some(at.now));
    let account = dependents.key.account();
    let policy = taken("policy", &dependents.policy, &mut hidden);
    DependentsRecord {
        key_arn: dependents.key.as_str().to_owned(),
        account: account.to_owned(),
        region: dependents.key.region().to_owned(),
        kms_state: state.map(|(state, _)| state.as_str().to_owned()),
        state_read_at: state.map(|(_, read_at)| *read_at),
        down_since: dependents.down_since,
        exposed_until: drop.map(|drop| exposed_until(drop, at.column_key_cache)),
        column_keys: column_keys(dependents),
        databases: databases(dependents),
        blind_spots: dependents.blind_spots.clone(),
        rds_instances: taken("rds_instances", &dependents.rds, &mut hidden)
            .map(|all| all.iter().map(|instance| RdsRecord::of(instance, drop)).collect()),
        used: taken("used", &dependents.usage, &mut hidden).map(|usage| UsageRecord::of(usage, account)),
        grants: taken("grants", &dependents.grants, &mut hidden).map(|all| {
            all.iter().map(|grant| GrantRecord::of(grant, dependents.is_foreign(grant))).collect()
        }),
        policy: policy.map(|policy| {
            policy.statements.iter().map(|entry| StatementRecord::of(entry, account)).collect()
        }),
        policy_reach: policy.and_then(|policy| policy.furthest(account)),
        relatives: taken("relatives", &dependents.relatives, &mut hidden)
            .map(|all| all.iter().map(RelativeRecord::of).collect()),
        not_visible: hidden,
    }
}

/// A fact where it is known; else why not, under its name.
fn taken<'a, T>(
    name: &'static str,
    fact: &'a Seen<T>,
    hidden: &mut BTreeMap<&'static str, String>,
) -> Option<&'a T> {
    match fact {
        Seen::Known(fact) => return Some(fact),
        Seen::Loading => hidden.insert(name, "not read yet".to_owned()),
        Seen::NotVisible(why) => hidden.insert(name, why.reason.clone()),
    };
    None
}

fn raw(text: &Untrusted) -> String {
    text.raw().to_owned()
}

fn raws(texts: &[Untrusted]) -> Vec<String> {
    texts.iter().map(raw).collect()
}

fn column_keys(dependents: &Dependents) -> Vec<ColumnKeyRecord> {
    let mut columns: BTreeMap<(&DatabaseRef, &Untrusted), Vec<ColumnRecord>> =
        dependents.column_keys.iter().map(|(place, cek)| ((place, cek), Vec::new())).collect();
    for column in &dependents.columns {
        columns.entry((&column.database, &column.cek)).or_default().push(ColumnRecord {
            database: column.elsewhere.as_ref().map(raw),
            schema: raw(&column.schema),
            table: raw(&column.table),
            column: raw(&column.name),
            encryption: if column.deterministic { "deterministic" } else { "randomized" },
        });
    }
    let tell = |((place, cek), columns): ((&DatabaseRef, &Untrusted), Vec<ColumnRecord>)| ColumnKeyRecord {
        server: place.server.0.clone(),
        database: raw(&place.database),
        cek: raw(cek),
        columns,
    };
    columns.into_iter().map(tell).collect()
}

fn databases(dependents: &Dependents) -> Vec<DatabaseRecord> {
    let tell = |(place, tde): (&DatabaseRef, &Seen<Option<Tde>>)| {
        let known = tde.known();
        DatabaseRecord {
            server: place.server.0.clone(),
            database: raw(&place.database),
            tde_state: known.map(|tde| tde.as_ref().map_or("none", |tde| tde.state.words())),
            tde_algorithm: known
                .and_then(Option::as_ref)
                .map(|tde| format!("{} {}", tde.algorithm.raw(), tde.key_bits)),
            tde_not_visible: tde.not_visible().map(|why| why.reason.clone()),
        }
    };
    dependents.databases.iter().map(tell).collect()
}

impl RdsRecord {
    fn of(instance: &RdsInstance, drop: Option<Timestamp>) -> Self {
        let storage = instance.storage();
        Self {
            id: raw(&instance.id),
            status: raw(&instance.status),
            engine: instance.engine.clone(),
            region: instance.region.clone(),
            storage: match storage {
                Storage::Open => "open",
                Storage::Recoverable => "recoverable",
                Storage::Lost => "lost",
            },
            lost_from: drop.filter(|_| storage != Storage::Lost).map(storage_lost_from),
        }
    }
}

impl UsageRecord {
    fn of(usage: &Usage, account: &str) -> Self {
        Self {
            known_since: usage.since,
            until: usage.until,
            uses: usage.uses(),
            refused: usage.refused(),
            users: usage.users.iter().map(|user| UserRecord::of(user, account)).collect(),
        }
    }
}

impl UserRecord {
    fn of(user: &KeyUser, account: &str) -> Self {
        Self {
            who: raw(&user.name),
            role: user.role.as_ref().map(raw),
            account: user.account.clone(),
            foreign: user.account.as_deref().is_some_and(|of| of != account),
            through: user.through.as_ref().map(raw),
            uses: user.uses(),
            uses_last_hour: user.recent,
            refused: user.refused,
            operations: user.operations.iter().map(|(name, count)| (raw(name), *count)).collect(),
            last_at: user.last,
        }
    }
}

impl GrantRecord {
    fn of(grant: &Grant, foreign: bool) -> Self {
        Self {
            id: grant.id.clone(),
            name: grant.name.as_ref().map(raw),
            grantee: raw(&grant.grantee),
            foreign,
            operations: grant.operations.clone(),
            constraints: grant.constraints.as_ref().map(raw),
            retiring_principal: grant.retiring.as_ref().map(raw),
            created: grant.created,
        }
    }
}

impl StatementRecord {
    fn of(entry: &Entry, account: &str) -> Self {
        match entry {
            Entry::Told(statement) => Self::told(statement, account),
            Entry::Unreadable { number, why } => Self {
                number: *number,
                unreadable: Some(why.clone()),
                sid: None,
                effect: None,
                all_but_principals: false,
                principals: Vec::new(),
                groups: Vec::new(),
                all_but_actions: false,
                actions: Vec::new(),
                conditions: Vec::new(),
                resources: Vec::new(),
            },
        }
    }

    fn told(statement: &Statement, account: &str) -> Self {
        let (all_but, these) = match &statement.who {
            Who::These(these) => (false, these),
            Who::AllBut(these) => (true, these),
        };
        let named = |principal: &Principal| PrincipalRecord {
            principal: principal.clone(),
            // Those left out stand nowhere.
            standing: (!all_but).then(|| statement.standing(principal, account)),
        };
        let condition = |condition: &crate::model::policy::Condition| ConditionRecord {
            operator: raw(&condition.operator),
            key: raw(&condition.key),
            values: raws(&condition.values),
        };
        Self {
            number: statement.number,
            unreadable: None,
            sid: statement.sid.as_ref().map(raw),
            effect: Some(statement.effect),
            all_but_principals: all_but,
            principals: these.iter().map(named).collect(),
            groups: statement.actions.groups.iter().copied().collect(),
            all_but_actions: statement.actions.all_but,
            actions: raws(&statement.actions.patterns),
            conditions: statement.conditions.iter().map(condition).collect(),
            resources: raws(&statement.resources),
        }
    }
}

impl RelativeRecord {
    fn of(relative: &Relative) -> Self {
        Self {
            key_arn: relative.arn.as_str().to_owned(),
            region: relative.arn.region().to_owned(),
            role: if relative.primary { "primary" } else { "replica" },
            kms_state: relative.state.known().map(|state| state.as_str().to_owned()),
            not_visible: relative.state.not_visible().map(|why| why.reason.clone()),
        }
    }
}
