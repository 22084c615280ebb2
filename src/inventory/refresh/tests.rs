//! The whole road, from the wire to the rows, against the simulated account.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::DuplexStream;

use super::{Refresher, Wants, load_once};
use crate::clock::Clock;
use crate::cloud::{HttpWire, InProcessHttp, NoAnswer, StaticCredentials};
use crate::database::{Dialer, InProcessSql};
use crate::estate::{Estate, Wire};
use crate::inventory::kept::Keeper;
use crate::inventory::present::{StateKind, counts, row_state};
use crate::model::age::AgePolicies;
use crate::model::catalog::ServerName;
use crate::model::key::KeyState;
use crate::model::pair::{Inventory, KeyLink, Row};
use crate::model::seen::{Cause, Seen};
use crate::model::source::Source;
use crate::settings::secrecy_text::SecretText;
use crate::settings::{Environment, PasswordFrom, SqlServerSettings};
use crate::simulator::Simulator;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::seed::{
    ACCOUNT, FOREIGN_ACCOUNT, HOME, REPLICA, SQL_PASSWORD, SQL_READER, buzz_tutor, credentials,
};

#[derive(Debug)]
struct Simulated(Simulator);

#[async_trait]
impl InProcessHttp for Simulated {
    async fn send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>, NoAnswer> {
        use crate::simulator::aws::front::NoAnswer as Silence;
        self.0.http(request).await.map_err(|no| match no {
            Silence::Timeout => NoAnswer::TimedOut,
            Silence::ConnectionLost => NoAnswer::ConnectionLost,
        })
    }
}

#[async_trait]
impl InProcessSql for Simulated {
    async fn dial(&self, host: &str, _port: u16) -> io::Result<DuplexStream> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let (simulator, host) = (self.0.clone(), host.to_owned());
        tokio::spawn(async move { simulator.sql(&host, theirs).await });
        Ok(ours)
    }
}

fn now() -> Timestamp {
    "2026-05-04T12:00:00Z".parse().unwrap()
}

fn simulator() -> Simulator {
    let simulator = Simulator::new(buzz_tutor(7, now()), VirtualClock::frozen(now()));
    // The clock stands still here, and with it the quotas' refilling.
    simulator.set_quotas(false);
    simulator
}

fn server(name: &str) -> SqlServerSettings {
    SqlServerSettings {
        name: ServerName(name.into()),
        host: format!("{name}.sim.internal"),
        port: None,
        instance: None,
        databases: None,
        user: SQL_READER.into(),
        password: PasswordFrom::Given(SecretText::new(SQL_PASSWORD.into())),
        ca_bundle: None,
    }
}

fn environment() -> Environment {
    Environment {
        name: "simulated".into(),
        production: false,
        simulated: true,
        account: Some(ACCOUNT.into()),
        regions: vec![HOME.into(), REPLICA.into()],
        profile: None,
        endpoint: None,
        sql: vec![server("buzz-prod-1"), server("buzz-staging-1"), server("buzz-classic-1")],
        trail: crate::settings::TrailSettings::default(),
        alert_topic: None,
        audit: None,
        age: AgePolicies::default(),
        roles: crate::settings::Roles::none("test"),
        estate: Vec::new(),
        column_key_cache: jiff::SignedDuration::from_hours(2),
        approvals: 0,
        approval_override: true,
        recovery_window: jiff::SignedDuration::from_hours(168),
    }
}

async fn estate(simulator: &Simulator) -> Arc<Estate> {
    opened(simulator, environment()).await
}

async fn opened(simulator: &Simulator, environment: Environment) -> Arc<Estate> {
    let user = credentials(&simulator.world(), "platform").unwrap();
    let wire = Arc::new(Simulated(simulator.clone()));
    let credentials = StaticCredentials {
        access_key_id: user.access_key_id,
        secret_access_key: SecretText::new(user.secret_access_key),
        session_token: None,
    };
    let wire = Wire {
        http: HttpWire::InProcess { http: wire.clone(), credentials },
        sql: Dialer::InProcess(wire),
        sql_ca: Some(simulator.sql_ca_pem().unwrap().to_owned()),
    };
    let clock = simulator.clock().clone();
    Estate::open(environment, wire, Clock::from_fn(move || clock.now())).await.unwrap()
}

fn pairs_in_truth(simulator: &Simulator) -> usize {
    let world = simulator.world();
    let databases = world.sql.iter().flat_map(|server| &server.databases);
    databases.filter(|d| d.accessible && d.state_desc == "ONLINE").map(|d| d.values.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_first_load_knows_everything_and_leaves_nothing_loading() {
    let simulator = simulator();
    let estate = estate(&simulator).await;
    let mut steps = 0;
    let inventory = load_once(&estate, Wants::ALL, |_| steps += 1).await;
    assert!(inventory.sources.values().all(|health| health.failing.is_none()), "{:#?}", inventory.sources);
    assert!(steps > 1);
    assert_eq!(inventory.pairs().count(), pairs_in_truth(&simulator));
    let state = |row: &Row| row_state(&inventory, row, &AgePolicies::default(), now()).0;
    assert!(inventory.rows.iter().all(|row| state(row) != StateKind::Loading));
    for row in &inventory.rows {
        let Some(key) = inventory.key_of(row) else { continue };
        assert_ne!(key.rotations, Seen::Loading, "{}", key.name());
        assert_ne!(key.policy, Seen::Loading, "{}", key.name());
        assert_ne!(key.aliases, Seen::Loading, "{}", key.name());
        if key.arn.account() == ACCOUNT {
            assert_ne!(key.last_use, Seen::Loading, "{}", key.name());
        }
    }
    assert!(inventory.sources.values().all(|health| health.failing.is_none()), "{:?}", inventory.sources);
    assert!(inventory.rds.values().any(|rds| rds.known().is_some_and(|rds| !rds.is_empty())));
    let states: std::collections::BTreeSet<_> = inventory.rows.iter().map(state).collect();
    for kind in [
        StateKind::Enabled,
        StateKind::Overdue,
        StateKind::Disabled,
        StateKind::PendingDeletion,
        StateKind::NotKms,
    ] {
        assert!(states.contains(&kind), "{kind:?} of {states:?}");
    }
    let counts = counts(&inventory, &AgePolicies::default(), now());
    assert_eq!(counts.pairs, inventory.pairs().count());
    assert!(inventory.pairs().any(|pair| pair.rotating));
    assert!(inventory.pairs().any(|pair| pair.cmk.key_path.raw().contains(FOREIGN_ACCOUNT)));
}

#[tokio::test(start_paused = true)]
async fn every_key_is_as_the_account_has_it_and_nothing_was_changed_by_looking() {
    let simulator = simulator();
    let inventory = load_once(&estate(&simulator).await, Wants::ALL, |_| {}).await;
    let world = simulator.world();
    let ours = world.kms.keys().filter(|key| key.account == ACCOUNT);
    let truth: BTreeMap<String, &str> = ours.map(|key| (key.arn(), key.state.as_str())).collect();
    let read = inventory.keys.values().filter(|key| key.arn.account() == ACCOUNT);
    let read: BTreeMap<String, &str> = read.map(|key| (key.arn.to_string(), key.state.as_str())).collect();
    // What may not be described is told as that, and everything else is as it is.
    let hidden: Vec<&str> = inventory
        .missing
        .iter()
        .filter(|(arn, why)| arn.account() == ACCOUNT && why.cause == Cause::Denied)
        .map(|(arn, _)| arn.as_str())
        .collect();
    assert_eq!(hidden.len(), 1);
    let visible: BTreeMap<String, &str> =
        truth.into_iter().filter(|(arn, _)| !hidden.contains(&arn.as_str())).collect();
    assert_eq!(read, visible);
    drop(world);
    assert!(simulator.calls().iter().all(|call| !call.mutating));
}

#[tokio::test(start_paused = true)]
async fn a_denied_call_and_a_dead_server_leave_the_rest_usable() {
    let simulator = simulator();
    let estate = estate(&simulator).await;
    let denied = |operation: &str| Fault {
        on: Target::Operation(operation.into()),
        effect: Effect::AccessDenied,
        times: None,
    };
    simulator.faults().add(denied("ListGrants"));
    simulator.faults().add(denied("DescribeDBInstances"));
    simulator.faults().add(Fault {
        on: Target::Sql(Some("buzz-staging-1.sim.internal".into())),
        effect: Effect::ConnectionLoss,
        times: None,
    });
    let inventory = load_once(&estate, Wants::ALL, |_| {}).await;
    let unreadable =
        |row: &&Row| matches!(row, Row::UnreadableServer { server, .. } if server.0 == "buzz-staging-1");
    assert_eq!(inventory.rows.iter().filter(unreadable).count(), 1);
    assert!(inventory.pairs().count() > 0);
    assert!(
        inventory.rds.values().all(|rds| rds.not_visible().is_some_and(|why| why.cause == Cause::Denied))
    );
    let ours = inventory.pairs().find_map(|pair| inventory.keys.get(pair.cmk.link.arn()?)).unwrap();
    assert_eq!(ours.grants.not_visible().map(|why| why.cause), Some(Cause::Denied));
    assert!(ours.policy.known().is_some());
    let staging = &inventory.sources[&Source::Sql(ServerName("buzz-staging-1".into()))];
    assert!(staging.failing.is_some() && staging.last_success.is_none());
    assert!(inventory.sources[&Source::Kms(HOME.into())].failing.is_none());
}

/// Waits for an inventory that is as wanted; the test's own time limit ends a wait in vain.
async fn until(
    inventories: &mut tokio::sync::watch::Receiver<Arc<Inventory>>,
    wanted: impl Fn(&Inventory) -> bool,
) -> Arc<Inventory> {
    let found = inventories.wait_for(|inventory| wanted(inventory));
    let found = tokio::time::timeout(std::time::Duration::from_mins(1), found).await;
    Arc::clone(&found.expect("no such inventory within a minute").unwrap())
}

#[tokio::test(start_paused = true)]
async fn states_come_first_and_a_wish_reads_a_key_again_at_once() {
    let simulator = simulator();
    let (mut inventories, handle) = Refresher::spawn(estate(&simulator).await, None);
    let linked = |inventory: &Inventory| {
        inventory.pairs().find_map(|pair| match &pair.cmk.link {
            KeyLink::ThroughAlias { arn, .. } | KeyLink::Key { arn } => {
                let key = inventory.keys.get(arn)?;
                (key.state == KeyState::Enabled && key.arn.region() == HOME).then(|| arn.clone())
            }
            _ => None,
        })
    };
    let early = until(&mut inventories, |inventory| linked(inventory).is_some()).await;
    let key = linked(&early).unwrap();
    {
        let mut world = simulator.world();
        let truth = world.kms.key_mut(key.region(), key.id());
        truth.unwrap().state = crate::simulator::aws::kms::key::KeyState::Disabled;
    }
    handle.key_now(key.clone());
    let is_disabled =
        |inventory: &Inventory| inventory.keys.get(&key).is_some_and(|key| key.state == KeyState::Disabled);
    until(&mut inventories, is_disabled).await;
}

fn faulty(simulator: &Simulator, on: Target, effect: Effect) {
    simulator.faults().add(Fault { on, effect, times: None });
}

fn asked(simulator: &Simulator, operation: &str) -> usize {
    simulator.calls().iter().filter(|call| call.operation == operation).count()
}

#[tokio::test(start_paused = true)]
async fn only_what_is_wanted_is_asked_for() {
    let simulator = simulator();
    let inventory = load_once(&estate(&simulator).await, Wants::TABLE, |_| {}).await;
    for operation in ["ListGrants", "GetKeyPolicy", "GetKeyLastUsage"] {
        assert_eq!(asked(&simulator, operation), 0, "{operation}");
    }
    let rotations = simulator.calls().into_iter().filter(|call| call.operation == "ListKeyRotations");
    assert!(
        rotations.map(|call| call.error).all(|error| error.is_none()),
        "asked of a key that cannot rotate"
    );
    let ours = || inventory.keys.values().filter(|key| key.arn.account() == ACCOUNT);
    let listed = |key: &&Arc<crate::model::key::KmsKey>| key.manager == crate::model::key::Manager::Customer;
    assert!(ours().filter(listed).all(|key| key.rotations != Seen::Loading && key.last_use == Seen::Loading));

    simulator.forget_calls();
    load_once(&estate(&simulator).await, Wants::STATES, |_| {}).await;
    let facts = ["ListKeyRotations", "GetKeyRotationStatus", "ListResourceTags"];
    assert!(facts.iter().all(|operation| asked(&simulator, operation) == 0));
}

#[tokio::test(start_paused = true)]
async fn throttled_calls_are_asked_again_and_no_row_is_lost() {
    let (calm, rough) = (simulator(), simulator());
    faulty(&rough, Target::Aws, Effect::Throttle(0.3));
    let expected = load_once(&estate(&calm).await, Wants::ALL, |_| {}).await;
    let found = load_once(&estate(&rough).await, Wants::ALL, |_| {}).await;
    assert!(rough.calls().iter().any(|call| call.error.as_deref() == Some("ThrottlingException")));
    assert_eq!(found.keys, expected.keys);
    assert_eq!(found.rows, expected.rows);
    assert!(found.sources.values().all(|health| health.failing.is_none()), "{:?}", found.sources);
}

#[tokio::test(start_paused = true)]
async fn a_region_that_gives_no_answer_costs_its_own_timeout_once_and_the_rest_is_right() {
    let simulator = simulator();
    faulty(&simulator, Target::Region(REPLICA.into()), Effect::Timeout);
    faulty(&simulator, Target::Operation("GetKeyPolicy".into()), Effect::ConnectionLoss);
    let estate = estate(&simulator).await;
    let begun = tokio::time::Instant::now();
    let inventory = load_once(&estate, Wants::ALL, |_| {}).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(90), "{:?}", begun.elapsed());
    assert_eq!(inventory.pairs().count(), pairs_in_truth(&simulator));
    assert!(inventory.sources[&Source::Kms(REPLICA.into())].failing.is_some());
    assert!(inventory.sources[&Source::Kms(HOME.into())].failing.is_none());
    let ours = inventory.pairs().find_map(|pair| inventory.keys.get(pair.cmk.link.arn()?)).unwrap();
    assert_eq!(ours.policy.not_visible().map(|why| why.cause), Some(Cause::Unreachable));
    assert!(ours.rotations.known().is_some() && ours.grants.known().is_some());
}

/// A company's account with so many keys and no SQL Server, opened; its quotas are on.
async fn company(keys: u32) -> (Simulator, Arc<Estate>) {
    let now = now();
    let size = crate::simulator::seed::Size { keys, pairs: 0 };
    let simulator = Simulator::new(crate::simulator::seed::company(7, now, size), VirtualClock::frozen(now));
    let user = credentials(&simulator.world(), "platform").unwrap();
    let wire = Arc::new(Simulated(simulator.clone()));
    let credentials = StaticCredentials {
        access_key_id: user.access_key_id,
        secret_access_key: SecretText::new(user.secret_access_key),
        session_token: None,
    };
    let wire = Wire {
        http: HttpWire::InProcess { http: wire.clone(), credentials },
        sql: Dialer::InProcess(wire),
        sql_ca: None,
    };
    let environment = Environment { sql: Vec::new(), regions: vec![HOME.into()], ..environment() };
    let estate = Estate::open(environment, wire, Clock::from_fn(move || now)).await.unwrap();
    (simulator, estate)
}

#[tokio::test(start_paused = true)]
async fn a_load_uses_the_quotas_and_overruns_none() {
    let (simulator, estate) = company(300).await;
    faulty(&simulator, Target::Aws, Effect::Latency(std::time::Duration::from_millis(20)));
    let begun = tokio::time::Instant::now();
    let inventory = load_once(&estate, Wants::TABLE, |_| {}).await;
    let took = begun.elapsed().as_secs_f64();
    let throttled = simulator.calls().iter().filter(|call| call.error.is_some()).count();
    assert_eq!(throttled, 0);
    let listed = f64::from(u32::try_from(asked(&simulator, "ListKeyRotations")).unwrap());
    assert!(took < listed / 100.0 * 1.3, "{took} s for {listed} rotations at 100 a second");
    assert!(inventory.keys.values().all(|key| key.rotations.known().is_some() && key.tags.known().is_some()));
}

#[tokio::test(start_paused = true)]
async fn the_standing_refresh_stays_far_under_the_quotas() {
    let (simulator, estate) = company(150).await;
    let (_inventories, _handle) = Refresher::spawn(estate, None);
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    simulator.forget_calls();
    tokio::time::sleep(std::time::Duration::from_mins(5)).await;
    let a_second = |operation| asked(&simulator, operation) / 300;
    assert!(a_second("DescribeKey") < 2000 / 20, "{}", a_second("DescribeKey"));
    assert!(asked(&simulator, "DescribeKey") >= 150 * 5);
    for operation in ["GetKeyRotationStatus", "ListResourceTags", "ListKeyRotations", "ListGrants"] {
        assert_eq!(a_second(operation), 0, "{operation}");
    }
    assert!(simulator.calls().iter().all(|call| call.error.is_none()));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_falls_silent_amid_many_keys_is_not_asked_for_each_of_them() {
    let (simulator, estate) = company(400).await;
    faulty(&simulator, Target::Operation("DescribeKey".into()), Effect::Timeout);
    let begun = tokio::time::Instant::now();
    let inventory = load_once(&estate, Wants::TABLE, |_| {}).await;
    assert!(begun.elapsed() < std::time::Duration::from_mins(2), "{:?}", begun.elapsed());
    assert_eq!(inventory.missing.len(), 400, "each key is a row, and says why it cannot be seen");
    assert!(inventory.missing.values().all(|why| matches!(why.cause, Cause::TimedOut | Cause::Unreachable)));
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_asked_for_again() {
    let simulator = simulator();
    let (mut inventories, _handle) = Refresher::spawn(estate(&simulator).await, None);
    let is_whole = |inventory: &Inventory| {
        let ours = || inventory.keys.values().filter(|key| key.arn.account() == ACCOUNT);
        inventory.pairs().count() > 0
            && ours().filter(|key| key.manager == crate::model::key::Manager::Customer).all(|key| {
                key.last_use != Seen::Loading && key.grants != Seen::Loading && key.rotations != Seen::Loading
            })
    };
    until(&mut inventories, is_whole).await;
    simulator.forget_calls();
    tokio::time::sleep(std::time::Duration::from_mins(20)).await;
    let keys = simulator.world().kms.keys().filter(|key| key.account == ACCOUNT).count();
    assert!(asked(&simulator, "DescribeKey") > keys * 10, "states are read again");
    for operation in [
        "ListKeyRotations",
        "GetKeyRotationStatus",
        "ListResourceTags",
        "ListGrants",
        "GetKeyPolicy",
        "GetKeyLastUsage",
    ] {
        assert_eq!(asked(&simulator, operation), 0, "{operation}");
    }
    // A rotation shows in DescribeKey, and then the list is read again.
    let rotated = {
        let mut world = simulator.world();
        // One that KMS rotates, and that may be described.
        let visible = |arn: &str| {
            let inventory = inventories.borrow();
            inventory.keys.values().any(|seen| {
                seen.arn.as_str() == arn
                    && seen.manager == crate::model::key::Manager::Customer
                    && seen.automatic_rotation() == crate::model::key::AutomaticRotation::Possible
            })
        };
        let ours = world.kms.keys().filter(|key| key.account == ACCOUNT && visible(&key.arn()));
        let key = ours.into_iter().find(|key| key.rotation.is_some()).unwrap();
        let (region, id) = (key.region.clone(), key.id.clone());
        let crate::simulator::world::World { kms, rng, .. } = &mut *world;
        kms.rotate(&region, &id, now(), crate::simulator::aws::kms::key::RotationType::OnDemand, rng);
        id
    };
    tokio::time::sleep(std::time::Duration::from_mins(2)).await;
    let calls = simulator.calls();
    let listed: std::collections::BTreeSet<_> = calls
        .iter()
        .filter(|call| call.operation == "ListKeyRotations")
        .filter_map(|call| call.key_id.clone())
        .collect();
    assert_eq!(listed, std::collections::BTreeSet::from([rotated]));
}

#[tokio::test(start_paused = true)]
async fn a_replica_in_a_region_that_the_settings_do_not_name_has_its_own_state() {
    let simulator = simulator();
    let home_alone = Environment { regions: vec![HOME.into()], ..environment() };
    let inventory = load_once(&opened(&simulator, home_alone).await, Wants::TABLE, |_| ()).await;
    let elsewhere = inventory.keys.values().flat_map(|key| {
        key.multi_region
            .iter()
            .flat_map(|family| family.relatives_of(&key.arn))
            .filter(|arn| arn.region() != HOME)
    });
    let mut seen = 0;
    for arn in elsewhere {
        let Seen::Known(relative) = inventory.relative(arn) else {
            panic!("{arn}: {:?}", inventory.relative(arn))
        };
        let world = simulator.world();
        let truth = world.kms.keys().find(|key| key.arn() == arn.as_str()).unwrap();
        assert_eq!(relative.state.as_str(), truth.state.as_str(), "{arn}");
        let why = relative.rotations.not_visible().unwrap();
        assert!(why.reason.contains("not among this environment's Regions"), "{why}");
        seen += 1;
    }
    assert!(seen > 1);
}

#[tokio::test(start_paused = true)]
async fn the_keys_that_somebody_looks_at_come_first() {
    let simulator = simulator();
    let estate = estate(&simulator).await;
    let last = load_once(&estate, Wants::STATES, |_| {}).await;
    let wanted = last.keys.values().rfind(|key| key.state == KeyState::Enabled && key.arn.region() == HOME);
    let wanted = wanted.unwrap().arn.clone();
    simulator.forget_calls();
    let (mut inventories, handle) = Refresher::spawn(estate, None);
    handle.interested(std::slice::from_ref(&wanted));
    let is_there =
        |inventory: &Inventory| inventory.keys.get(&wanted).is_some_and(|key| key.last_use != Seen::Loading);
    until(&mut inventories, is_there).await;
    assert!(asked(&simulator, "GetKeyLastUsage") < 24, "{}", asked(&simulator, "GetKeyLastUsage"));
}

#[tokio::test(start_paused = true)]
async fn a_start_shows_what_was_kept_and_then_the_truth() {
    let (simulator, dir) = (simulator(), tempfile::tempdir().unwrap());
    let keeper = Keeper::in_folder(dir.path(), "simulated");
    let rows = {
        let (mut inventories, _handle) = Refresher::spawn(estate(&simulator).await, Some(keeper.clone()));
        let is_whole = |inventory: &Inventory| {
            inventory.pairs().count() == pairs_in_truth(&simulator)
                && inventory.sources.values().all(|health| health.last_success.is_some())
        };
        let whole = until(&mut inventories, is_whole).await;
        tokio::time::sleep(super::pace::KEPT * 2).await;
        whole.rows.len()
    };
    // It cannot be asked any more: all that is shown was kept.
    faulty(&simulator, Target::Aws, Effect::Timeout);
    faulty(&simulator, Target::Sql(None), Effect::ConnectionLoss);
    let (mut inventories, _handle) = Refresher::spawn(estate(&simulator).await, Some(keeper));
    let kept = until(&mut inventories, |inventory| !inventory.rows.is_empty()).await;
    assert_eq!(kept.rows.len(), rows);
    assert!(kept.sources.values().all(|health| health.kept.is_some()), "{:?}", kept.sources);
    assert!(kept.keys.values().all(|key| key.grants.known().is_none()));
    simulator.faults().clear();
    let truth = |inventory: &Inventory| {
        inventory.sources.values().all(|health| health.kept.is_none() && health.failing.is_none())
    };
    let found = inventories.wait_for(|inventory| truth(inventory));
    tokio::time::timeout(std::time::Duration::from_mins(5), found).await.unwrap().unwrap();
}
