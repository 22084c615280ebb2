//! The laws of the join, over random estates with anomalies planted in them: what was planted is found where it
//! was planted and nowhere else, nothing vanishes, and the figures add up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;

use super::join::{Gathered, join};
use super::present::counts;
use super::testing::{self, ACCOUNT, REGION, alias, arn, cmk, database, key, now, objects, server};
use super::traits::{Trait, anomalies};
use crate::model::age::AgePolicies;
use crate::model::arn::KeyArn;
use crate::model::catalog::{Envelope, ServerName};
use crate::model::key::{KmsKey, Manager};
use crate::model::pair::{CmkRef, Inventory, KeyLink, Row};
use crate::model::seen::{Cause, NotVisible, Seen};
use crate::model::selector::KeySelector;

/// What a CMK's key path is made to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Planted {
    /// The ARN of a key of ours that is there.
    Key(u32),
    /// An alias of such a key.
    Alias(u32),
    Gone(u32),
    GoneAlias(u32),
    Denied(u32),
    TimedOut(u32),
    /// Another account's key, which may be seen.
    Foreign(u32),
    /// Another account's key, which may not.
    Closed(u32),
    Unwatched(u32),
    Vault,
}

/// One CMK to be, and the CEKs (1–4) that it wraps.
#[derive(Clone, Debug)]
struct Master {
    planted: Planted,
    wraps: BTreeSet<i32>,
    /// Whether its values name another key.
    stale: bool,
}

#[derive(Clone, Debug)]
enum Database {
    Readable { masters: Vec<Master>, without_value: BTreeSet<i32> },
    Hidden,
}

/// What marks a key of ours that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Tagged,
    Named,
    Plain,
    TagsHidden,
}

/// An estate to be built.
#[derive(Clone, Debug)]
struct Estate {
    /// The keys of ours that are there.
    keys: BTreeMap<u32, Mark>,
    databases: Vec<Database>,
    dead_server: bool,
    silent_region: bool,
}

const FOREIGN: &str = "999999999999";
const FAR: &str = "ap-south-1";

fn arn_in(region: &str, account: &str, n: u32) -> KeyArn {
    format!("arn:aws:kms:{region}:{account}:key/{n:08}-0000-4000-8000-000000000000").parse().unwrap()
}

impl Planted {
    /// The key path, and the number that its key would have. Each kind has numbers of its own, so that no key
    /// is gone and visible at once.
    fn path(self) -> String {
        match self {
            Self::Key(n) => arn(n).to_string(),
            Self::Alias(n) => alias(&format!("a{n}")).to_string(),
            Self::Gone(n) => arn(100 + n).to_string(),
            Self::GoneAlias(n) => alias(&format!("gone{n}")).to_string(),
            Self::Denied(n) => arn(200 + n).to_string(),
            Self::TimedOut(n) => arn(300 + n).to_string(),
            Self::Foreign(n) => arn_in(REGION, FOREIGN, n).to_string(),
            Self::Closed(n) => arn_in(REGION, FOREIGN, 100 + n).to_string(),
            Self::Unwatched(n) => arn_in(FAR, ACCOUNT, n).to_string(),
            Self::Vault => "https://vault.example/keys/cmk/1".to_owned(),
        }
    }

    /// The key that it leads to.
    fn key(self) -> Option<KeyArn> {
        match self {
            Self::Key(n) | Self::Alias(n) => Some(arn(n)),
            Self::Foreign(n) => Some(arn_in(REGION, FOREIGN, n)),
            _ => None,
        }
    }

    fn anomaly(self) -> Option<Trait> {
        match self {
            Self::Key(_) | Self::Alias(_) => None,
            Self::Gone(_) | Self::GoneAlias(_) => Some(Trait::KeyGone),
            Self::Denied(_) | Self::TimedOut(_) => Some(Trait::KeyNotVisible),
            Self::Foreign(_) | Self::Closed(_) => Some(Trait::ForeignKey),
            Self::Unwatched(_) => Some(Trait::UnwatchedRegion),
            Self::Vault => Some(Trait::NotKms),
        }
    }
}

fn any_planted(keys: Vec<u32>) -> impl Strategy<Value = Planted> {
    let there = prop::sample::select(keys);
    prop_oneof![
        6 => there.clone().prop_map(Planted::Key),
        3 => there.prop_map(Planted::Alias),
        1 => (0..2u32).prop_map(Planted::Gone),
        1 => (0..2u32).prop_map(Planted::GoneAlias),
        1 => (0..2u32).prop_map(Planted::Denied),
        1 => (0..2u32).prop_map(Planted::TimedOut),
        1 => (0..2u32).prop_map(Planted::Foreign),
        1 => (0..2u32).prop_map(Planted::Closed),
        1 => (0..2u32).prop_map(Planted::Unwatched),
        1 => Just(Planted::Vault),
    ]
}

fn any_database(keys: Vec<u32>) -> impl Strategy<Value = Database> {
    let master = (any_planted(keys), prop::collection::btree_set(1..5i32, 0..4), any::<bool>())
        .prop_map(|(planted, wraps, stale)| Master { planted, wraps, stale });
    let readable = (prop::collection::vec(master, 0..6), prop::collection::btree_set(5..7i32, 0..2))
        .prop_map(|(masters, without_value)| Database::Readable { masters, without_value });
    prop_oneof![6 => readable, 1 => Just(Database::Hidden)]
}

fn any_estate() -> impl Strategy<Value = Estate> {
    let mark = prop_oneof![Just(Mark::Tagged), Just(Mark::Named), Just(Mark::Plain), Just(Mark::TagsHidden)];
    prop::collection::btree_map(0..8u32, mark, 1..8).prop_flat_map(|keys| {
        let databases = prop::collection::vec(any_database(keys.keys().copied().collect()), 0..5);
        (Just(keys), databases, any::<bool>(), any::<bool>()).prop_map(
            |(keys, databases, dead_server, silent_region)| Estate {
                keys,
                databases,
                dead_server,
                silent_region,
            },
        )
    })
}

fn no(cause: Cause) -> NotVisible {
    NotVisible::new(cause, "no")
}

fn marked(n: u32, mark: Mark) -> KmsKey {
    let tags = match mark {
        Mark::Tagged => Seen::Known([("Application".to_owned(), "buzz".into())].into()),
        Mark::TagsHidden => Seen::NotVisible(no(Cause::Denied)),
        Mark::Named | Mark::Plain => Seen::Known(BTreeMap::new()),
    };
    let name = if mark == Mark::Named { format!("buzz/{n}") } else { format!("a{n}") };
    KmsKey { tags, aliases: Seen::Known(vec![name.into()]), ..(*key(n)).clone() }
}

impl Estate {
    fn masters(&self) -> impl Iterator<Item = (usize, i32, &Master)> {
        self.databases.iter().enumerate().flat_map(|(at, one)| match one {
            Database::Readable { masters, .. } => {
                masters.iter().zip(1..).map(|(master, id)| (at, id, master)).collect()
            }
            Database::Hidden => Vec::new(),
        })
    }

    fn catalog(at: usize, one: &Database) -> crate::model::catalog::DatabaseCatalog {
        let Database::Readable { masters, without_value } = one else {
            return testing::hidden_database(&format!("d{at}"));
        };
        let cmks = masters.iter().zip(1..).map(|(master, id)| cmk(id, &master.planted.path())).collect();
        let values: Vec<(i32, i32)> = masters
            .iter()
            .zip(1..)
            .flat_map(|(master, id)| master.wraps.iter().map(move |cek| (*cek, id)))
            .collect();
        let mut objects = objects(cmks, &values);
        objects.column_keys.extend(without_value.iter().map(|id| testing::cek(*id)));
        for (value, (_, id)) in objects.values.iter_mut().zip(&values) {
            let master = &masters[usize::try_from(id - 1).unwrap()];
            let path = master.planted.path();
            let inner = if master.stale { arn(999).to_string() } else { path.to_lowercase() };
            value.envelope =
                Envelope::Common { key_path: inner.into(), ciphertext_bytes: 1, signature_bytes: 0 };
        }
        database(&format!("d{at}"), objects)
    }

    fn gathered(&self) -> Gathered {
        // Two servers, in turns.
        let on = |server_at: usize| {
            let mine = self.databases.iter().enumerate().filter(|(at, _)| at % 2 == server_at);
            mine.map(|(at, one)| Self::catalog(at, one)).collect::<Vec<_>>()
        };
        let mut gathered = testing::gathered(vec![server("s0", on(0)), server("s1", on(1))]);
        gathered.estate = vec![
            KeySelector::Tag { name: "Application".into(), value: "buzz".into() },
            KeySelector::Alias(crate::model::selector::AliasPattern::new("buzz/*")),
        ];
        let listed = if self.silent_region { Seen::NotVisible(no(Cause::TimedOut)) } else { Seen::Known(()) };
        gathered.keys_listed.insert(REGION.to_owned(), listed);
        for (n, mark) in &self.keys {
            gathered.keys.insert(arn(*n), Arc::new(marked(*n, *mark)));
            gathered.aliases.insert(alias(&format!("a{n}")), Seen::Known(arn(*n)));
        }
        // AWS's own, which is never a row.
        let aws = KmsKey { manager: Manager::Aws, ..(*key(50)).clone() };
        gathered.keys.insert(arn(50), Arc::new(aws));
        for n in 0..2 {
            gathered.missing.insert(arn(100 + n), no(Cause::NotFound));
            gathered.missing.insert(arn(200 + n), no(Cause::Denied));
            gathered.missing.insert(arn(300 + n), no(Cause::TimedOut));
            gathered.missing.insert(arn_in(REGION, FOREIGN, 100 + n), no(Cause::Denied));
            let theirs = arn_in(REGION, FOREIGN, n);
            gathered.keys.insert(theirs.clone(), Arc::new(KmsKey { arn: theirs, ..(*key(n)).clone() }));
            gathered.aliases.insert(alias(&format!("gone{n}")), Seen::NotVisible(no(Cause::NotFound)));
        }
        if self.dead_server {
            gathered.servers.insert(ServerName("dead".into()), Seen::NotVisible(no(Cause::Unreachable)));
        }
        gathered
    }

    /// How many CMKs lead to the key that this one leads to.
    fn leading_with(&self, planted: Planted) -> usize {
        let Some(key) = planted.key() else { return 0 };
        self.masters().filter(|(_, _, other)| other.planted.key().as_ref() == Some(&key)).count()
    }

    /// What is to be found about a CMK.
    fn expected_of_cmk(&self, planted: Planted) -> BTreeSet<Trait> {
        let shared = (self.leading_with(planted) > 1).then_some(Trait::SharedKey);
        planted.anomaly().into_iter().chain(shared).collect()
    }
}

/// Where a row stands: its database's place, its CEK, its CMK.
type Spot = (usize, Option<i32>, Option<i32>);

fn place(cmk: &CmkRef) -> usize {
    cmk.database.database.raw()[1..].parse().unwrap()
}

fn number(name: &str) -> i32 {
    name.rsplit('_').next().unwrap().parse().unwrap()
}

/// What the join found of SQL Server's objects, by where.
fn found(inventory: &Inventory) -> Vec<(Spot, BTreeSet<Trait>)> {
    let rows = inventory.rows.iter().filter_map(|row| {
        let spot = match row {
            Row::Pair(pair) => (place(&pair.cmk), Some(pair.cek_id), Some(number(pair.cmk.name.raw()))),
            Row::UnusedMasterKey { cmk } => (place(cmk), None, Some(number(cmk.name.raw()))),
            Row::OrphanColumnKey { database, cek, .. } => {
                (database.database.raw()[1..].parse().unwrap(), Some(number(cek.raw())), None)
            }
            Row::UnreadableDatabase { database, .. } => {
                (database.database.raw()[1..].parse().unwrap(), None, None)
            }
            _ => return None,
        };
        Some((spot, anomalies(row).into_iter().collect()))
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort();
    rows
}

/// What was planted, by where.
fn planted(estate: &Estate) -> Vec<(Spot, BTreeSet<Trait>)> {
    let mut rows = Vec::new();
    for (at, one) in estate.databases.iter().enumerate() {
        match one {
            Database::Hidden => rows.push(((at, None, None), [Trait::UnreadableDatabase].into())),
            Database::Readable { without_value, .. } => {
                rows.extend(
                    without_value.iter().map(|cek| ((at, Some(*cek), None), [Trait::NoValue].into())),
                );
            }
        }
    }
    for (at, id, master) in estate.masters() {
        let of_cmk = estate.expected_of_cmk(master.planted);
        if master.wraps.is_empty() {
            let mut all = of_cmk.clone();
            all.insert(Trait::UnusedMasterKey);
            rows.push(((at, None, Some(id)), all));
        }
        for cek in &master.wraps {
            let values =
                estate.masters().filter(|(there, _, other)| *there == at && other.wraps.contains(cek));
            let mut all = of_cmk.clone();
            all.extend((values.count() > 1).then_some(Trait::TwoValues));
            // What an alias that is gone used to name, nobody can tell.
            let told = master.stale && !matches!(master.planted, Planted::GoneAlias(_));
            all.extend(told.then_some(Trait::EnvelopeMismatch));
            rows.push(((at, Some(*cek), Some(id)), all));
        }
    }
    rows.sort();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Every value is in exactly one pair, every CMK and every CEK is in some row, and each anomaly is where it
    /// was planted and nowhere else: the rows of the SQL side are exactly these.
    #[test]
    fn what_was_planted_is_found_where_it_was_planted(estate in any_estate()) {
        let inventory = join(&estate.gathered());
        prop_assert_eq!(found(&inventory), planted(&estate));
    }

    /// Every key of ours is in some row, AWS's own in none, and a key that no CMK names is told once, with its
    /// mark.
    #[test]
    fn no_key_vanishes(estate in any_estate()) {
        let inventory = join(&estate.gathered());
        let named: BTreeSet<KeyArn> =
            estate.masters().filter_map(|(_, _, master)| master.planted.key()).collect();
        let mut unnamed: Vec<(KeyArn, Trait)> = estate
            .keys
            .iter()
            .filter(|(n, _)| !named.contains(&arn(**n)))
            .map(|(n, mark)| match mark {
                Mark::Tagged | Mark::Named => (arn(*n), Trait::UnusedEstateKey),
                Mark::Plain | Mark::TagsHidden => (arn(*n), Trait::UnnamedKey),
            })
            .collect();
        // Keys that are there and hidden, and that no path names.
        let paths: BTreeSet<String> = estate.masters().map(|(_, _, master)| master.planted.path()).collect();
        let hidden = [200, 201, 300, 301].map(arn);
        unnamed.extend(
            hidden.into_iter().filter(|arn| !paths.contains(arn.as_str())).map(|arn| (arn, Trait::UnnamedKey)),
        );
        unnamed.sort();
        let mut told: Vec<(KeyArn, Trait)> = inventory
            .rows
            .iter()
            .filter_map(|row| match row {
                Row::UnreferencedKey { key, .. } => Some((key.clone(), anomalies(row)[0])),
                _ => None,
            })
            .collect();
        told.sort();
        prop_assert_eq!(told, unnamed);
        let led_to: BTreeSet<&KeyArn> = inventory.rows.iter().filter_map(Row::key_arn).collect();
        prop_assert!(estate.keys.keys().all(|n| led_to.contains(&arn(*n))));
        prop_assert!(!led_to.contains(&arn(50)));
    }

    /// What could not be read is a row, once.
    #[test]
    fn what_could_not_be_read_is_a_row(estate in any_estate()) {
        let inventory = join(&estate.gathered());
        let told = |wanted: Trait| {
            inventory.rows.iter().filter(|row| anomalies(row).contains(&wanted)).count()
        };
        prop_assert_eq!(told(Trait::UnreadableServer), usize::from(estate.dead_server));
        prop_assert_eq!(told(Trait::UnreadableRegion), usize::from(estate.silent_region));
        prop_assert!(inventory.rows.iter().all(|row| !anomalies(row).contains(&Trait::UnlistedMasterKey)));
    }

    /// The header's law: states add up to the pairs, pairs and the rest to the rows, and there is nothing else.
    #[test]
    fn the_counts_add_up(estate in any_estate()) {
        let inventory = join(&estate.gathered());
        let counts = counts(&inventory, &AgePolicies::default(), now());
        let pairs: usize = estate.masters().map(|(_, _, master)| master.wraps.len()).sum();
        prop_assert_eq!(counts.pairs, pairs);
        prop_assert_eq!(counts.states().iter().map(|(count, ..)| count).sum::<usize>(), counts.pairs);
        let besides: usize = counts.besides().iter().map(|(count, _)| count).sum();
        prop_assert_eq!(counts.pairs + besides, counts.rows);
        prop_assert_eq!(counts.rows, inventory.rows.len());
        prop_assert_eq!(counts.master_keys, estate.masters().count());
        let gone = |planted| matches!(planted, Planted::Gone(_) | Planted::GoneAlias(_));
        let in_state = |is: &dyn Fn(Planted) -> bool| -> usize {
            estate.masters().filter(|(_, _, one)| is(one.planted)).map(|(_, _, one)| one.wraps.len()).sum()
        };
        prop_assert_eq!(counts.gone, in_state(&gone));
        prop_assert_eq!(counts.not_kms, in_state(&|planted| planted == Planted::Vault));
        prop_assert_eq!(counts.enabled, in_state(&|planted| planted.key().is_some()));
        prop_assert_eq!(counts.loading + counts.other + counts.disabled + counts.pending_deletion, 0);
    }

    /// The order in which the sources answered leaves no trace.
    #[test]
    fn the_join_does_not_depend_on_the_order(estate in any_estate(), turn in 0..7usize) {
        let straight = estate.gathered();
        let mut turned = straight.clone();
        testing::edit_objects(&mut turned, |objects| {
            objects.master_keys.reverse();
            objects.column_keys.reverse();
            let values = objects.values.len().max(1);
            objects.values.rotate_left(turn % values);
        });
        for catalog in turned.servers.values_mut() {
            if let Seen::Known(catalog) = catalog {
                Arc::make_mut(catalog).databases.reverse();
            }
        }
        prop_assert_eq!(join(&straight).rows, join(&turned).rows);
    }

    /// Every CMK tells the others that lead to its key, and no more.
    #[test]
    fn a_shared_key_counts_its_master_keys(estate in any_estate()) {
        let inventory = join(&estate.gathered());
        for cmk in inventory.rows.iter().filter_map(Row::cmk) {
            let (_, _, master) = estate
                .masters()
                .find(|(at, id, _)| *at == place(cmk) && *id == number(cmk.name.raw()))
                .unwrap();
            let all = estate.leading_with(master.planted);
            prop_assert_eq!(usize::try_from(cmk.siblings).unwrap(), all.saturating_sub(1));
            prop_assert_eq!(matches!(cmk.link, KeyLink::Loading { .. }), false);
        }
    }
}
