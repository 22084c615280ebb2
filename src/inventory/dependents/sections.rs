//! The page about what depends on a key.

use std::collections::BTreeMap;

use super::brief::more;
use super::words::{counted, grouped, moment, of_account, principal, times};
use super::{Line, Moment, Section, Weight};
use crate::model::age::{ago, short};
use crate::model::dependents::{
    DependentColumn, Dependents, RdsInstance, Relative, Storage, exposed_until, storage_lost_from,
};
use crate::model::key::{Grant, KeyState};
use crate::model::pair::DatabaseRef;
use crate::model::policy::{Actions, Effect, Entry, KeyPolicy, Standing, Statement, Who};
use crate::model::seen::Seen;
use crate::model::text::{Untrusted, dotted, visible};
use crate::model::usage::{KeyUser, Usage};

/// The page, section by section, what a responder asks first at the top. Long lists end after `most` lines and
/// say how many more there are.
#[must_use]
pub fn sections(dependents: &Dependents, at: Moment, most: usize) -> Vec<Section> {
    let section = |title, lines| Section { title, lines };
    vec![
        section("A DROP", exposure(dependents, at)),
        section("SQL SERVER", databases(dependents)),
        section("RDS STORAGE", seen(&dependents.rds, |all| storage(dependents, all, at))),
        section("USED BY", seen(&dependents.usage, |usage| users(dependents, usage, at, most))),
        section("GRANTS", seen(&dependents.grants, |all| grants(dependents, all, most))),
        section("KEY POLICY", seen(&dependents.policy, |policy| statements(dependents, policy))),
        section("OTHER REGIONS", seen(&dependents.relatives, |all| relatives(all))),
        section("COLUMNS", columns(dependents, most)),
    ]
}

/// A fact's lines, or the one that stands for its absence.
fn seen<T>(fact: &Seen<T>, tell: impl FnOnce(&T) -> Vec<Line>) -> Vec<Line> {
    match fact {
        Seen::Loading => vec![Line::faint("loading")],
        Seen::NotVisible(why) => vec![Line::unknown(why.to_string())],
        Seen::Known(fact) => tell(fact),
    }
}

/// What goes on after a drop, and until when.
fn exposure(dependents: &Dependents, at: Moment) -> Vec<Line> {
    let cache = short(at.column_key_cache);
    let holders = "clients that hold decrypted column keys";
    let (state, read_at) = match &dependents.state {
        Seen::Known(known) => known,
        Seen::Loading => return vec![Line::faint("loading")],
        Seen::NotVisible(why) => return vec![Line::unknown(why.to_string())],
    };
    let now = Line::plain(format!("the key is {state} (read {} ago)", ago(*read_at, at.now)));
    let after = match (state, dependents.down_since) {
        (KeyState::Enabled, _) => {
            let until = moment(exposed_until(at.now, at.column_key_cache), at.now);
            Line::plain(format!("dropped now: {holders} go on until {until} at the latest (cache {cache})"))
        }
        (_, Some(since)) => {
            let until = exposed_until(since, at.column_key_cache);
            let down = moment(since, at.now);
            if until > at.now {
                let until = moment(until, at.now);
                Line::warn(format!(
                    "down since {down}: {holders} go on until {until} at the latest (cache {cache})"
                ))
            } else {
                let over = moment(until, at.now);
                Line::plain(format!("down since {down}: the caches of {holders} ran out by {over}"))
            }
        }
        (KeyState::Disabled | KeyState::PendingDeletion | KeyState::PendingReplicaDeletion, None) => {
            Line::unknown(format!(
                "since when it is down is not known: the trail does not reach back so far. For {cache} after a drop {holders} go on"
            ))
        }
        _ => Line::plain("KMS refuses its use in this state"),
    };
    vec![now, after]
}

/// Column keys, columns and databases; and what may hide more of them.
fn databases(dependents: &Dependents) -> Vec<Line> {
    let mut lines = Vec::new();
    if dependents.column_keys.is_empty() && dependents.servers == 0 {
        lines.push(Line::faint("none: this environment names no SQL server"));
    } else if dependents.column_keys.is_empty() {
        let visible = if dependents.blind_spots.is_empty() { "" } else { " that can be seen" };
        lines.push(Line::faint(format!("none: no column key{visible}")));
    } else {
        lines.push(Line::new(
            format!(
                "{} · {} · {}",
                counted(dependents.column_keys.len(), "column key"),
                counted(dependents.columns.len(), "column"),
                counted(dependents.databases.len(), "database")
            ),
            Weight::Strong,
        ));
    }
    let keys = counts(dependents.column_keys.iter().map(|(place, _)| place.clone()));
    let columns = counts(dependents.columns.iter().map(DependentColumn::home));
    for (place, tde) in &dependents.databases {
        let [keys, columns] = [&keys, &columns].map(|counts| counts.get(place).copied().unwrap_or_default());
        let tde = tde.told(|tde| tde.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string));
        lines.push(Line::plain(format!(
            "{} on {}: {}, {} · TDE {}",
            place.database,
            place.server,
            counted(keys, "column key"),
            counted(columns, "column"),
            visible(&tde)
        )));
    }
    lines.extend(dependents.blind_spots.iter().map(|spot| Line::unknown(format!("may hide more: {spot}"))));
    lines
}

/// How many there are of each.
fn counts(places: impl Iterator<Item = DatabaseRef>) -> BTreeMap<DatabaseRef, usize> {
    places.fold(BTreeMap::new(), |mut counts, place| {
        *counts.entry(place).or_default() += 1;
        counts
    })
}

fn storage(dependents: &Dependents, instances: &[RdsInstance], at: Moment) -> Vec<Line> {
    if instances.is_empty() {
        return vec![Line::faint("none: no instance stores its data under it")];
    }
    let mut lines = Vec::new();
    for instance in instances {
        let named = format!("{} ({}, {})", instance.id, instance.status, visible(&instance.engine));
        let fate = match (instance.storage(), dependents.down_since) {
            (Storage::Open, _) => match &dependents.state {
                Seen::Known((KeyState::Enabled, _)) => format!(
                    "a drop takes it down; dropped now, from {} on it can only be restored from backup",
                    moment(storage_lost_from(at.now), at.now)
                ),
                Seen::Known(_) => "it goes down as soon as RDS asks for the key".to_owned(),
                Seen::Loading | Seen::NotVisible(_) => {
                    "it goes down where the key is down, and the key's state is not visible".to_owned()
                }
            },
            (Storage::Recoverable, Some(since)) => format!(
                "down: enable the key and start it before {}; from then on it can only be restored from backup",
                moment(storage_lost_from(since), at.now)
            ),
            (Storage::Recoverable, None) => {
                "down: enable the key and start it within 7 days of when RDS noticed, which is not known here; then it can only be restored from backup"
                    .to_owned()
            }
            (Storage::Lost, _) => "lost: it can only be restored from backup".to_owned(),
        };
        lines.push(Line::warn(named));
        lines.push(Line::new(fate, Weight::Warn).under());
    }
    lines
}

fn users(dependents: &Dependents, usage: &Usage, at: Moment, most: usize) -> Vec<Line> {
    let since = moment(usage.since, at.now);
    let mut lines = Vec::new();
    if usage.uses() == 0 {
        lines.push(Line::faint(format!("none seen since {since}")));
    } else {
        let users = usage.users.iter().filter(|user| user.uses() > 0).count();
        let text = format!("{} since {since} by {}", times(usage.uses()), counted(users, "principal"));
        lines.push(Line::new(text, Weight::Strong));
    }
    for user in usage.users.iter().take(most) {
        lines.extend(user_lines(dependents, user, at));
    }
    lines.extend(more(usage.users.len(), most));
    lines.push(Line::unknown(format!("not known before {since}; CloudTrail delivers some 5 minutes late")));
    lines
}

fn user_lines(dependents: &Dependents, user: &KeyUser, at: Moment) -> [Line; 2] {
    let role = user.role.as_ref().filter(|role| **role != user.name);
    let role = role.map(|role| format!(" (role {role})")).unwrap_or_default();
    let through = user.through.as_ref().filter(|service| **service != user.name);
    let through = through.map(|service| format!(" through {service}")).unwrap_or_default();
    let foreign = user.account.as_ref().filter(|account| *account != dependents.key.account());
    let name = format!("{}{role}{through}", user.name);
    let head = match foreign {
        Some(account) => Line::warn(format!("{name} of account {}: foreign", visible(account))),
        None => Line::plain(name),
    };
    let mut done: Vec<String> =
        user.operations.iter().map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
    if user.refused > 0 {
        done.push(format!("refused {}", times(user.refused)));
    }
    let last = user.last.strftime("%H:%M:%SZ");
    let under = format!("{} · last {last}, {} ago", done.join(", "), ago(user.last, at.now));
    [head, Line::new(under, if user.refused > 0 { Weight::Warn } else { Weight::Faint }).under()]
}

fn grants(dependents: &Dependents, grants: &[Grant], most: usize) -> Vec<Line> {
    if grants.is_empty() {
        return vec![Line::faint("none")];
    }
    let home = dependents.key.account();
    let mut lines = Vec::new();
    for grant in grants.iter().take(most) {
        let name = grant.name.as_ref().map(|name| format!(" · {name}")).unwrap_or_default();
        let holder = format!("{}{name}", principal(grant.grantee.raw(), home));
        lines.push(if dependents.is_foreign(grant) {
            Line::warn(format!("{holder}: foreign"))
        } else {
            Line::plain(holder)
        });
        let operations: Vec<_> = grant.operations.iter().map(|word| visible(word)).collect();
        lines.push(Line::faint(operations.join(", ")).under());
        if let Some(constraints) = &grant.constraints {
            lines.push(Line::faint(format!("only with {constraints}")).under());
        }
        if let Some(retiring) = &grant.retiring {
            let who = principal(retiring.raw(), home);
            lines.push(Line::faint(format!("may be retired by {who}")).under());
        }
    }
    lines.extend(more(grants.len(), most));
    lines
}

fn statements(dependents: &Dependents, policy: &KeyPolicy) -> Vec<Line> {
    if policy.statements.is_empty() {
        return vec![Line::faint("none: the policy has no statement, so that nobody may use the key")];
    }
    let account = dependents.key.account();
    let tell = |entry: &Entry| match entry {
        Entry::Told(statement) => statement_lines(statement, account),
        Entry::Unreadable { number, why } => {
            vec![Line::unknown(format!("statement {number} is unreadable: {why}"))]
        }
    };
    policy.statements.iter().flat_map(tell).collect()
}

fn statement_lines(statement: &Statement, account: &str) -> Vec<Line> {
    let standings = statement.standings(account);
    let (these, all_but) = match &statement.who {
        Who::These(these) => (these, false),
        Who::AllBut(these) => (these, true),
    };
    let named = these.iter().enumerate().map(|(at, who)| {
        let standing = if all_but { Standing::Own } else { standings[at] };
        let who = of_account(who, account);
        match standing {
            Standing::Own | Standing::Service => who,
            outside => format!("{who}: {}", outside.word()),
        }
    });
    let named: Vec<String> = named.collect();
    let who =
        if all_but { format!("everyone but {} (NotPrincipal)", named.join(", ")) } else { named.join(", ") };
    let outside = standings.iter().any(|standing| standing.is_outside());
    let mut lines = vec![match statement.effect {
        Effect::Allow if outside => Line::warn(format!("allows {who}")),
        Effect::Allow => Line::plain(format!("allows {who}")),
        Effect::Deny => Line::plain(format!("denies {who}")),
    }];
    lines.push(Line::faint(actions(&statement.actions)).under());
    for condition in &statement.conditions {
        let values: Vec<String> = condition.values.iter().map(Untrusted::to_string).collect();
        let told = format!("only where {} {} {}", condition.key, condition.operator, values.join(" or "));
        lines.push(Line::plain(told).under());
    }
    if !statement.resources.is_empty() {
        let on: Vec<String> = statement.resources.iter().map(Untrusted::to_string).collect();
        lines.push(Line::faint(format!("about {}", on.join(", "))).under());
    }
    lines
}

/// `use, read: kms:Decrypt, kms:DescribeKey`.
fn actions(actions: &Actions) -> String {
    let groups: Vec<&str> = actions.groups.iter().map(|group| group.word()).collect();
    let groups = if groups.is_empty() { "no call of KMS".to_owned() } else { groups.join(", ") };
    let patterns: Vec<String> = actions.patterns.iter().map(Untrusted::to_string).collect();
    let but = if actions.all_but { "everything but " } else { "" };
    let note = if actions.all_but { " (NotAction)" } else { "" };
    format!("{groups}: {but}{}{note}", patterns.join(", "))
}

fn relatives(relatives: &[Relative]) -> Vec<Line> {
    if relatives.is_empty() {
        return vec![Line::faint("none: it is no multi-Region key, or has no replica")];
    }
    let tell = |relative: &Relative| {
        let kind = if relative.primary { "primary" } else { "replica" };
        let state = relative.state.told(ToString::to_string);
        Line::warn(format!(
            "{kind} in {}: {}; a plan for this key does not cover it",
            visible(relative.arn.region()),
            visible(&state)
        ))
    };
    relatives.iter().map(tell).collect()
}

/// Each column key with what it protects, database by database.
fn columns(dependents: &Dependents, most: usize) -> Vec<Line> {
    if dependents.columns.is_empty() {
        let hidden = if dependents.blind_spots.is_empty() { "none" } else { "none that can be seen" };
        return vec![Line::faint(hidden)];
    }
    // They are in the order of their databases and column keys.
    let same_key = |a: &&DependentColumn, b: &&DependentColumn| a.database == b.database && a.cek == b.cek;
    let all: Vec<&DependentColumn> = dependents.columns.iter().collect();
    let mut lines = Vec::new();
    let mut shown = 0;
    for columns in all.chunk_by(same_key) {
        if shown >= most {
            break;
        }
        let (place, cek) = (&columns[0].database, &columns[0].cek);
        lines.push(Line::plain(format!("{cek} · {} on {}", place.database, place.server)));
        for column in columns.iter().take(most - shown) {
            let kind = if column.deterministic { "deterministic" } else { "randomized" };
            let text = format!("{} · {kind}", dotted(column.parts()));
            lines.push(Line::faint(text).under());
            shown += 1;
        }
    }
    lines.extend(more(all.len(), most));
    lines
}
