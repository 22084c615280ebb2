//! The whole road, from the wire to the rows, against the simulated account.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::io::DuplexStream;

use super::{Refresher, load_once};
use crate::clock::Clock;
use crate::cloud::{HttpWire, InProcessHttp, NoAnswer, StaticCredentials};
use crate::database::{Dialer, InProcessSql};
use crate::estate::{Estate, Wire};
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
        sql: vec![server("buzz-prod-1"), server("buzz-staging-1")],
        alert_topic: None,
        audit: None,
        age: AgePolicies::default(),
        roles: crate::settings::Roles::none("test"),
        estate: Vec::new(),
        column_key_cache: jiff::SignedDuration::from_hours(2),
        approvals: 0,
        recovery_window: jiff::SignedDuration::from_hours(168),
    }
}

async fn estate(simulator: &Simulator) -> Arc<Estate> {
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
    Estate::open(environment(), wire, Clock::from_fn(move || clock.now())).await.unwrap()
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
    let inventory = load_once(&estate, |_| steps += 1).await;
    assert!(inventory.sources.values().all(|health| health.failing.is_none()), "{:#?}", inventory.sources);
    assert!(steps > 10);
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
    let inventory = load_once(&estate(&simulator).await, |_| {}).await;
    let world = simulator.world();
    let ours = world.kms.keys().filter(|key| key.account == ACCOUNT);
    let truth: BTreeMap<String, &str> = ours.map(|key| (key.arn(), key.state.as_str())).collect();
    let read = inventory.keys.values().filter(|key| key.arn.account() == ACCOUNT);
    let read: BTreeMap<String, &str> = read.map(|key| (key.arn.to_string(), key.state.as_str())).collect();
    assert_eq!(read, truth);
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
    let inventory = load_once(&estate, |_| {}).await;
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
    let (mut inventories, handle) = Refresher::spawn(estate(&simulator).await);
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
