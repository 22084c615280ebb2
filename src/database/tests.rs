//! The adapter against the simulated SQL Server, over real TDS and TLS in this process.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::io::DuplexStream;

use super::{Dialer, Failure, InProcessSql, Reached, Server};
use crate::model::catalog::{DatabaseCatalog, Envelope, ServerName};
use crate::model::seen::{Cause, Seen};
use crate::model::text::Untrusted;
use crate::settings::secrecy_text::SecretText;
use crate::settings::{PasswordFrom, SqlServerSettings};
use crate::simulator::Simulator;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::seed::{SQL_BLIND, SQL_PASSWORD, SQL_READER, buzz_tutor};

const PRODUCTION: &str = "buzz-prod-1.sim.internal";

#[derive(Debug)]
struct Wire(Simulator);

#[async_trait]
impl InProcessSql for Wire {
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
    Simulator::new(buzz_tutor(7, now()), VirtualClock::frozen(now()))
}

fn settings(user: &str) -> SqlServerSettings {
    SqlServerSettings {
        name: ServerName("prod".into()),
        host: PRODUCTION.into(),
        port: None,
        instance: None,
        databases: None,
        user: user.into(),
        password: PasswordFrom::Given(SecretText::new(SQL_PASSWORD.into())),
        ca_bundle: None,
    }
}

fn server(simulator: &Simulator, settings: &SqlServerSettings) -> Server {
    let ca = simulator.sql_ca_pem().unwrap().to_owned();
    Server::new(settings, Dialer::InProcess(Arc::new(Wire(simulator.clone()))), Some(ca))
}

async fn databases(simulator: &Simulator, settings: &SqlServerSettings) -> Vec<DatabaseCatalog> {
    server(simulator, settings).read_catalog(now()).await.unwrap().databases
}

#[tokio::test]
async fn everything_that_the_server_holds_is_read() {
    let simulator = simulator();
    let read = databases(&simulator, &settings(SQL_READER)).await;
    let world = simulator.world();
    let truth = &world.sql.iter().find(|server| server.name == PRODUCTION).unwrap().databases;
    let readable = truth.iter().filter(|d| d.state_desc == "ONLINE" && d.accessible && d.database_id > 4);
    let mut compared = 0;
    for database in readable {
        let found = read.iter().find(|d| d.name.raw() == database.name).unwrap();
        let Seen::Known(objects) = &found.objects else { panic!("{}: {:?}", database.name, found.objects) };
        assert_eq!(objects.master_keys.len(), database.master_keys.len());
        assert_eq!(objects.column_keys.len(), database.column_keys.len());
        assert_eq!(objects.values.len(), database.values.len());
        assert_eq!(objects.columns.len(), database.columns.len());
        for key in &database.master_keys {
            let found = objects.master_keys.iter().find(|k| k.id == key.column_master_key_id).unwrap();
            assert_eq!((found.name.raw(), found.key_path.raw()), (&*key.name, &*key.key_path));
            // `datetime` keeps 300ths of a second.
            assert!(found.created.duration_since(key.create_date).as_millis().abs() < 4);
        }
        let common = |v: &&crate::model::catalog::KeyValue| matches!(v.envelope, Envelope::Common { .. });
        compared += objects.values.iter().filter(common).count();
    }
    assert!(compared > 0, "the seed holds values in the common envelope");
}

#[tokio::test]
async fn a_column_whose_key_is_in_another_database_is_told_apart() {
    let simulator = simulator();
    {
        let mut world = simulator.world();
        let server = world.sql.iter_mut().find(|server| server.name == PRODUCTION).unwrap();
        let report = server.databases.iter_mut().find(|database| database.name == "buzz_report").unwrap();
        report.columns[0].key_database = Some("buzz_prod".into());
        // The server may name the database itself, too.
        report.columns[1].key_database = Some("BUZZ_REPORT".into());
    }
    let count = simulator.world().sql.iter().find(|server| server.name == PRODUCTION).unwrap().databases[1]
        .columns
        .len();
    let read = databases(&simulator, &settings(SQL_READER)).await;
    let objects = read.iter().find(|d| d.name.raw() == "buzz_report").unwrap().objects.known().unwrap();
    assert_eq!(objects.columns.len(), count - 1);
    let [elsewhere] = &objects.columns_elsewhere[..] else { panic!("{:?}", objects.columns_elsewhere) };
    let home = elsewhere.column.database.as_ref().map(Untrusted::raw);
    assert_eq!((elsewhere.key_database.raw(), home), ("buzz_prod", Some("buzz_report")));
}

/// Settings for another of the simulated servers.
fn on(host: &str) -> SqlServerSettings {
    SqlServerSettings { name: ServerName(host.into()), host: host.into(), ..settings(SQL_READER) }
}

#[tokio::test]
async fn each_column_is_read_with_its_table_and_kind_of_encryption() {
    let simulator = simulator();
    let read = databases(&simulator, &settings(SQL_READER)).await;
    let objects = read.iter().find(|d| d.name.raw() == "buzz_prod").unwrap().objects.known().unwrap();
    let key = objects.column_keys.iter().find(|key| key.name.raw() == "CEK_User_12345").unwrap().id;
    let columns: BTreeSet<_> = objects
        .columns
        .iter()
        .filter(|column| column.column_key_id == key)
        .map(|c| (c.schema.raw(), c.table.raw(), c.name.raw(), c.encryption.word()))
        .collect();
    let users = |name, encryption| ("dbo", "Users", name, encryption);
    assert_eq!(
        columns,
        BTreeSet::from([
            users("NationalId", "deterministic"),
            users("DateOfBirth", "randomized"),
            users("HomeAddress", "randomized"),
            users("Phone", "deterministic"),
        ])
    );
}

#[tokio::test]
async fn a_server_of_2016_is_read_although_it_lacks_the_newer_columns() {
    let simulator = simulator();
    let classic = server(&simulator, &on("buzz-classic-1.sim.internal"));
    // The server is as old as it says: what came with 2019 is an error there.
    let mut connection = classic.connect(Some("buzz_classic")).await.unwrap();
    for newer in ["allow_enclave_computations", "signature"] {
        let asked = format!("SELECT {newer} FROM sys.column_master_keys");
        let refused = connection.query("trying", &asked, &[]).await.unwrap_err();
        assert_eq!(refused.number, Some(207), "{newer}: invalid column name");
    }
    let catalog = classic.read_catalog(now()).await.unwrap();
    assert!(catalog.version.raw().starts_with("13."), "{}", catalog.version);
    let [database] = &catalog.databases[..] else { panic!("{:?}", catalog.databases) };
    let objects = database.objects.known().unwrap();
    assert_eq!(objects.master_keys.iter().map(|key| key.enclave).collect::<Vec<_>>(), [None]);
    assert_eq!((objects.column_keys.len(), objects.values.len(), objects.columns.len()), (2, 2, 3));
    let tde = database.tde.known().unwrap().as_ref().unwrap();
    assert_eq!(tde.to_string(), "encrypting, 50 % done (AES 256)");

    let newer = databases(&simulator, &settings(SQL_READER)).await;
    let newer = newer[0].objects.known().unwrap();
    assert!(newer.master_keys.iter().all(|key| key.enclave == Some(false)), "2022 has the column");
}

#[tokio::test]
async fn each_of_several_servers_is_read_for_itself() {
    let simulator = simulator();
    let mut names = BTreeSet::new();
    for host in [PRODUCTION, "buzz-staging-1.sim.internal", "buzz-classic-1.sim.internal"] {
        let catalog = server(&simulator, &on(host)).read_catalog(now()).await.unwrap();
        assert_eq!(catalog.server, ServerName(host.into()));
        names.extend(catalog.databases.into_iter().map(|database| database.name.raw().to_owned()));
    }
    let wanted = ["buzz_prod", "buzz_report", "buzz_arch", "buzz_hr", "buzz_staging", "buzz_classic"];
    assert_eq!(names, wanted.map(str::to_owned).into());
}

#[tokio::test]
async fn tde_is_told_with_its_cipher_and_a_database_without_it_says_so() {
    let simulator = simulator();
    for (state, words) in [
        (0, "no encryption key"),
        (1, "unencrypted"),
        (2, "encrypting, 50 % done"),
        (3, "encrypted"),
        (4, "key change in progress, 50 % done"),
        (5, "decrypting, 50 % done"),
        (6, "protection change in progress, 0 % done"),
    ] {
        simulator.world().sql[0].databases[0].tde_state = Some(state);
        let read = databases(&simulator, &settings(SQL_READER)).await;
        let of =
            |name: &str| read.iter().find(|d| d.name.raw() == name).unwrap().tde.known().unwrap().clone();
        assert_eq!(of("buzz_prod").unwrap().to_string(), format!("{words} (AES 256)"));
        assert_eq!(of("buzz_arch"), None, "it has no database encryption key");
    }
}

#[tokio::test]
async fn without_view_server_state_tde_is_not_visible_and_the_keys_still_are() {
    let simulator = simulator();
    for login in &mut simulator.world().sql[0].logins {
        login.permissions.remove("VIEW SERVER STATE");
    }
    for database in databases(&simulator, &settings(SQL_READER)).await {
        let why = database.tde.not_visible().unwrap();
        assert_eq!(why.cause, Cause::Denied);
        assert!(why.reason.contains("VIEW SERVER STATE") && why.reason.contains("grant it"), "{why}");
        // buzz_hr is shut to this login all the same.
        assert_eq!(database.objects.known().is_some(), database.name.raw() != "buzz_hr", "{}", database.name);
    }
}

#[tokio::test]
async fn a_database_that_is_offline_or_shut_to_us_is_said_to_be() {
    let simulator = simulator();
    {
        let mut world = simulator.world();
        let databases = &mut world.sql[0].databases;
        "OFFLINE".clone_into(&mut databases[1].state_desc);
        databases[1].tde_state = None;
        databases[2].accessible = false;
    }
    let read = databases(&simulator, &settings(SQL_READER)).await;
    let of = |name: &str| read.iter().find(|d| d.name.raw() == name).unwrap();
    let offline = of("buzz_report");
    assert!(offline.objects.not_visible().unwrap().reason.contains("offline"));
    assert!(
        offline.tde.not_visible().is_some(),
        "the view has no row for it, which is not the same as no TDE"
    );
    assert_eq!(of("buzz_arch").objects.not_visible().unwrap().cause, Cause::Denied);
    assert!(of("buzz_prod").objects.known().is_some());
}

#[tokio::test]
async fn hidden_columns_are_said_to_be() {
    let simulator = simulator();
    for login in &mut simulator.world().sql[0].logins {
        login.permissions.retain(|name| name != "VIEW DEFINITION" && name != "VIEW ANY DEFINITION");
    }
    let read = databases(&simulator, &settings(SQL_READER)).await;
    let objects = read[0].objects.known().unwrap();
    let why = objects.columns_hidden.as_ref().unwrap();
    assert!(why.reason.contains("VIEW DEFINITION"), "{why}");
}

#[tokio::test]
async fn a_missing_permission_is_said_and_never_shown_as_none() {
    let simulator = simulator();
    for database in databases(&simulator, &settings(SQL_BLIND)).await {
        let why = database.objects.not_visible().unwrap_or_else(|| panic!("{} shows keys", database.name));
        if why.cause == Cause::Denied && !why.reason.contains("no access") {
            assert!(why.reason.contains("grant it VIEW ANY COLUMN MASTER KEY DEFINITION"), "{why}");
        }
    }
}

#[tokio::test]
async fn one_broken_database_does_not_spoil_the_rest() {
    let simulator = simulator();
    let whole = databases(&simulator, &settings(SQL_READER)).await;
    let readable = |all: &[DatabaseCatalog]| all.iter().filter(|d| d.objects.known().is_some()).count();
    simulator.faults().add(Fault {
        on: Target::Statement("sys.column_encryption_key_values".into()),
        effect: Effect::ConnectionLoss,
        times: Some(1),
    });
    let read = databases(&simulator, &settings(SQL_READER)).await;
    assert_eq!(read.len(), whole.len());
    assert_eq!(readable(&read), readable(&whole) - 1);
}

#[tokio::test]
async fn settings_choose_databases_and_an_unknown_one_is_told() {
    let simulator = simulator();
    let all = databases(&simulator, &settings(SQL_READER)).await;
    let chosen = all[0].name.raw().to_uppercase();
    let wanted = Some(vec![chosen.clone(), "no_such_database".into()]);
    let read = databases(&simulator, &SqlServerSettings { databases: wanted, ..settings(SQL_READER) }).await;
    let causes: Vec<_> =
        read.iter().map(|d| (d.name.raw(), d.objects.not_visible().map(|w| w.cause))).collect();
    assert!(causes.contains(&("no_such_database", Some(Cause::NotFound))), "{causes:?}");
    assert_eq!(read.len(), 2);
    assert!(read.iter().any(|d| d.name.raw().eq_ignore_ascii_case(&chosen)));
}

async fn refused(server: &Server) -> Failure {
    server.connect(None).await.unwrap_err()
}

#[tokio::test]
async fn a_wrong_password_is_told_with_its_number_and_never_shown() {
    let simulator = simulator();
    let wrong = SqlServerSettings {
        password: PasswordFrom::Given(SecretText::new("hunter2-wrong".into())),
        ..settings(SQL_READER)
    };
    let failure = refused(&server(&simulator, &wrong)).await;
    assert_eq!(
        (failure.cause, failure.number, failure.reached),
        (Cause::Denied, Some(18456), Reached::NoEffect)
    );
    assert!(!format!("{failure} {failure:?}").contains("hunter2"));
}

#[tokio::test]
async fn an_untrusted_certificate_says_what_to_set() {
    let simulator = simulator();
    let dialer = Dialer::InProcess(Arc::new(Wire(simulator.clone())));
    // Another simulator's authority: a CA all right, but not this server's.
    let stranger = self::simulator().sql_ca_pem().unwrap().to_owned();
    let failure = refused(&Server::new(&settings(SQL_READER), dialer, Some(stranger))).await;
    assert!(failure.to_string().contains("no trusted TLS"), "{failure}");
    assert!(failure.next.contains("ca_bundle"), "{failure}");
}

#[tokio::test]
async fn a_missing_password_variable_is_named() {
    let simulator = simulator();
    let unset = SqlServerSettings {
        password: PasswordFrom::Variable("PORTCULLIS_TEST_NO_SUCH_VARIABLE".into()),
        ..settings(SQL_READER)
    };
    let failure = refused(&server(&simulator, &unset)).await;
    assert!(failure.to_string().contains("PORTCULLIS_TEST_NO_SUCH_VARIABLE is not set"), "{failure}");
}

#[tokio::test]
async fn after_a_timeout_the_connection_is_given_up_and_the_outcome_is_unknown() {
    let simulator = simulator();
    let mut connection = server(&simulator, &settings(SQL_READER)).connect(None).await.unwrap();
    connection.batch("trying", "SELECT 1").await.unwrap();
    let mut connection = connection.bounded(std::time::Duration::from_millis(100));
    simulator.faults().add(Fault { on: Target::Sql(None), effect: Effect::TimeoutAfter, times: None });
    let failure = connection.batch("trying", "SELECT 1").await.unwrap_err();
    assert_eq!((failure.cause, failure.reached), (Cause::TimedOut, Reached::Unknown));
    simulator.faults().clear();
    assert!(!connection.usable());
    let failure = connection.batch("trying", "SELECT 1").await.unwrap_err();
    assert_eq!(failure.reached, Reached::NoEffect);
}

#[tokio::test]
async fn a_sql_error_keeps_its_number_and_the_connection() {
    let simulator = simulator();
    let mut connection = server(&simulator, &settings(SQL_READER)).connect(None).await.unwrap();
    let failure = connection.batch("trying", "SELECT * FROM dbo.no_such_table").await.unwrap_err();
    assert_eq!((failure.number, failure.cause), (Some(208), Cause::NotFound));
    assert!(connection.usable());
}
