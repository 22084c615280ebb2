//! The server, judged by tiberius over an in-memory stream.

use std::time::Duration;

use jiff::Timestamp;
use tiberius::{AuthMethod, Client, Command, Config, EncryptionLevel, Query, Row};
use tokio::io::DuplexStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt as _};

use super::state::{AuditRow, Column, ColumnKey, ColumnKeyValue, Database, Login, MasterKey, SqlServer};
use crate::simulator::Simulator;
use crate::simulator::clock::VirtualClock;
use crate::simulator::faults::{Effect, Fault, Target};
use crate::simulator::world::World;

type Sql = Client<Compat<DuplexStream>>;

const SERVER: &str = "buzz-prod-1.sim.internal";
const VIEW_KEYS: [&str; 2] =
    ["VIEW ANY COLUMN MASTER KEY DEFINITION", "VIEW ANY COLUMN ENCRYPTION KEY DEFINITION"];

fn at() -> Timestamp {
    "2026-01-02T03:04:05.5Z".parse().unwrap()
}

fn database(name: &str, database_id: i32) -> Database {
    Database {
        name: name.into(),
        database_id,
        state_desc: "ONLINE".into(),
        accessible: true,
        master_keys: vec![MasterKey {
            name: "CMK_1".into(),
            column_master_key_id: 1,
            create_date: at(),
            modify_date: at(),
            key_store_provider_name: "AWS_KMS".into(),
            key_path: format!("arn:aws:kms:eu-west-1:111122223333:key/{name}"),
            allow_enclave_computations: false,
        }],
        column_keys: vec![ColumnKey {
            name: "CEK_1".into(),
            column_encryption_key_id: 1,
            create_date: at(),
            modify_date: at(),
        }],
        values: vec![ColumnKeyValue {
            column_encryption_key_id: 1,
            column_master_key_id: 1,
            encrypted_value: (0..=255).cycle().take(7000).collect(),
            encryption_algorithm_name: "RSA_OAEP".into(),
        }],
        columns: vec![Column {
            schema: "sales".into(),
            table: "Users".into(),
            object_id: 100,
            column_id: 3,
            name: "SSN".into(),
            encryption_type: 1,
            encryption_algorithm_name: "AEAD_AES_256_CBC_HMAC_SHA_256".into(),
            column_encryption_key_id: 1,
            key_database: None,
        }],
        tde_state: Some(3),
        audit_procedure: true,
        audit_rows: Vec::new(),
    }
}

fn simulator(permissions: &[&str]) -> Simulator {
    let mut world = World::empty("111122223333", 1);
    world.sql.push(SqlServer {
        name: SERVER.into(),
        version: 15,
        logins: vec![Login {
            user: "auditor".into(),
            password: "S3cret!ß".into(),
            permissions: permissions.iter().map(|permission| (*permission).to_owned()).collect(),
        }],
        databases: vec![
            database("buzz_prod", 5),
            Database { state_desc: "OFFLINE".into(), ..database("buzz_arch", 6) },
            Database { accessible: false, ..database("buzz_hr", 7) },
        ],
    });
    Simulator::new(world, VirtualClock::frozen(at()))
}

async fn connect_with(simulator: &Simulator, config: Config) -> tiberius::Result<Sql> {
    let (ours, theirs) = tokio::io::duplex(4096);
    let simulator = simulator.clone();
    tokio::spawn(async move { simulator.sql(SERVER, theirs).await });
    Box::pin(Client::connect(config, ours.compat())).await
}

fn config(password: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.host(SERVER);
    config.authentication(AuthMethod::sql_server("auditor", password));
    config.database(database);
    config.encryption(EncryptionLevel::NotSupported);
    config
}

async fn connect(simulator: &Simulator) -> Sql {
    connect_with(simulator, config("S3cret!ß", "buzz_prod")).await.unwrap()
}

async fn rows(sql: &mut Sql, text: &str) -> Vec<Row> {
    sql.simple_query(text).await.unwrap().into_first_result().await.unwrap()
}

/// The number of the error that a batch ends with.
async fn error(sql: &mut Sql, text: &str) -> u32 {
    let outcome = match sql.simple_query(text).await {
        Ok(stream) => stream.into_results().await.map(drop),
        Err(error) => Err(error),
    };
    outcome.unwrap_err().code().unwrap()
}

async fn number(sql: &mut Sql, text: &str) -> Option<i32> {
    rows(sql, text).await[0].get(0)
}

#[tokio::test]
async fn every_encryption_reaches_the_catalog() {
    let simulator = simulator(&VIEW_KEYS);
    for level in [
        EncryptionLevel::NotSupported,
        EncryptionLevel::Off,
        EncryptionLevel::On,
        EncryptionLevel::Required,
        EncryptionLevel::Strict,
    ] {
        let mut config = config("S3cret!ß", "buzz_prod");
        config.encryption(level);
        config.trust_cert_ca_bundle(simulator.sql_ca_pem().unwrap());
        let mut sql = connect_with(&simulator, config).await.unwrap();
        assert_eq!(
            number(&mut sql, "SELECT COUNT(*) FROM sys.column_master_keys").await,
            Some(1),
            "{level:?}"
        );
    }
}

#[tokio::test]
async fn a_stranger_to_the_authority_is_not_trusted() {
    let simulator = simulator(&[]);
    let mut config = config("S3cret!ß", "buzz_prod");
    config.encryption(EncryptionLevel::Required);
    config.trust_cert_ca_bundle(super::Tls::generate().unwrap().ca_pem());
    assert!(connect_with(&simulator, config).await.is_err());
}

#[tokio::test]
async fn logins_are_refused_as_the_server_does() {
    let simulator = simulator(&[]);
    for (password, database, code) in
        [("wrong", "buzz_prod", 18456), ("S3cret!ß", "nowhere", 4060), ("S3cret!ß", "buzz_arch", 4060)]
    {
        let refused = connect_with(&simulator, config(password, database)).await.err().unwrap();
        assert_eq!(refused.code(), Some(code), "{database}");
    }
}

#[tokio::test]
async fn the_catalog_joins_across_views() {
    let mut sql = connect(&simulator(&VIEW_KEYS)).await;
    let found = rows(
        &mut sql,
        "SELECT k.name, m.key_path, v.encrypted_value, s.name + N'.' + t.name + N'.' + c.name AS place, m.create_date, m.signature
         FROM [buzz_prod].sys.column_encryption_keys AS k
         INNER JOIN sys.column_encryption_key_values v ON v.column_encryption_key_id = k.column_encryption_key_id
         JOIN sys.column_master_keys m ON m.column_master_key_id = v.column_master_key_id
         LEFT JOIN sys.columns c ON c.column_encryption_key_id = k.column_encryption_key_id AND c.encryption_type IS NOT NULL
         LEFT JOIN sys.tables t ON t.object_id = c.object_id LEFT JOIN sys.schemas s ON s.schema_id = t.schema_id
         WHERE k.name LIKE 'cek[_]%' ORDER BY k.name",
    )
    .await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].get::<&str, _>(0), Some("CEK_1"));
    assert_eq!(found[0].get::<&str, _>(1), Some("arn:aws:kms:eu-west-1:111122223333:key/buzz_prod"));
    assert_eq!(found[0].get::<&[u8], _>(2).map(<[u8]>::len), Some(7000));
    assert_eq!(found[0].get::<&str, _>("place"), Some("sales.Users.SSN"));
    assert_eq!(found[0].get::<&[u8], _>("signature"), None);
}

#[tokio::test]
async fn old_versions_lack_the_enclave_columns() {
    let simulator = simulator(&VIEW_KEYS);
    simulator.world().sql[0].version = 14;
    let mut sql = connect(&simulator).await;
    assert_eq!(error(&mut sql, "SELECT signature FROM sys.column_master_keys").await, 207);
    assert_eq!(
        number(&mut sql, "SELECT CAST(COL_LENGTH(N'sys.column_master_keys', N'signature') AS int)").await,
        None
    );
    let probe = "SELECT COUNT(*) FROM sys.all_columns WHERE object_id = OBJECT_ID(N'sys.column_master_keys') AND name IN (N'signature', N'key_path')";
    assert_eq!(number(&mut sql, probe).await, Some(1));
}

#[tokio::test]
async fn a_missing_permission_hides_rows_without_an_error() {
    let mut sql = connect(&simulator(&[])).await;
    assert_eq!(number(&mut sql, "SELECT COUNT(*) FROM sys.column_master_keys").await, Some(0));
    let asked = "SELECT HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW ANY COLUMN MASTER KEY DEFINITION')";
    assert_eq!(number(&mut sql, asked).await, Some(0));
    assert_eq!(error(&mut sql, "SELECT * FROM sys.dm_database_encryption_keys").await, 300);
}

#[tokio::test]
async fn errors_carry_the_servers_numbers() {
    let mut sql = connect(&simulator(&VIEW_KEYS)).await;
    for (text, code) in [
        ("FROBNICATE THE KEYS", 102),
        ("SELECT nope FROM sys.databases", 207),
        ("SELECT * FROM sys.nothing", 208),
        ("SELECT x.name FROM sys.databases d", 4104),
        ("SELECT name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id", 209),
        ("SELECT FROB(1)", 195),
        ("SELECT @x", 137),
        ("EXEC dbo.Nope", 2812),
        ("SELECT * FROM buzz_arch.sys.column_master_keys", 942),
        ("SELECT * FROM buzz_hr.sys.column_master_keys", 916),
        ("USE nowhere", 911),
        ("SELECT CAST('x' AS int)", 245),
        ("COMMIT", 3902),
    ] {
        assert_eq!(error(&mut sql, text).await, code, "{text}");
    }
    assert_eq!(number(&mut sql, "SELECT 1").await, Some(1), "the connection is still good");
}

#[tokio::test]
async fn parameters_come_back_as_they_went() {
    let mut sql = connect(&simulator(&[])).await;
    let long = "ключ🔑".repeat(20_000);
    let bytes = vec![7_u8; 50_000];
    let mut query =
        Query::new("SELECT @P1, @P2, @P3, @P4 + 1, CASE WHEN @P5 IS NULL THEN N'null' ELSE N'not' END");
    query.bind(long.as_str());
    query.bind(bytes.as_slice());
    query.bind(true);
    query.bind(41_i32);
    query.bind(Option::<String>::None);
    let row = query.query(&mut sql).await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<&str, _>(0), Some(long.as_str()));
    assert_eq!(row.get::<&[u8], _>(1), Some(bytes.as_slice()));
    assert_eq!(row.get::<bool, _>(2), Some(true));
    assert_eq!(row.get::<i32, _>(3), Some(42));
    assert_eq!(row.get::<&str, _>(4), Some("null"));
}

#[tokio::test]
async fn groups_subqueries_and_unions() {
    let mut sql = connect(&simulator(&VIEW_KEYS)).await;
    let found = rows(
        &mut sql,
        "SELECT d.state_desc, COUNT(*) AS n, MAX(d.name) FROM sys.databases d WHERE d.database_id > 4 GROUP BY d.state_desc HAVING COUNT(*) > 0 ORDER BY n DESC, 1",
    )
    .await;
    let counts: Vec<_> =
        found.iter().map(|row| (row.get::<&str, _>(0).unwrap(), row.get::<i32, _>("n").unwrap())).collect();
    assert_eq!(counts, [("ONLINE", 2), ("OFFLINE", 1)]);
    let asked = "SELECT (SELECT COUNT(*) FROM sys.column_encryption_key_values v WHERE v.column_encryption_key_id = k.column_encryption_key_id)
                 FROM sys.column_encryption_keys k UNION ALL SELECT 7 ORDER BY 1 DESC";
    let values: Vec<_> =
        rows(&mut sql, asked).await.iter().map(|row| row.get::<i32, _>(0).unwrap()).collect();
    assert_eq!(values, [7, 1]);
}

fn audit(cek_name: &str, operation: &str) -> AuditRow {
    AuditRow {
        at: at(),
        login: "auditor".into(),
        cek_name: cek_name.into(),
        operation: operation.into(),
        reason: "it's leaked".into(),
        correlation_id: "INC-1".into(),
    }
}

#[tokio::test]
async fn the_audit_procedure_answers_every_way_of_calling_it() {
    let simulator = simulator(&[]);
    let mut sql = connect(&simulator).await;
    let mut command = Command::new("buzz_prod.dbo.LogEmergencyKeyRevocation");
    command.bind_param("@CekName", "CEK_1");
    command.bind_param("@Reason", "it's leaked");
    command.bind_param("@CorrelationId", "INC-1");
    command.bind_param("@Operation", "RECOVER");
    command.bind_out_param("@Outcome", 0_i32);
    let result = command.exec(&mut sql).await.unwrap().into_command_result().await.unwrap();
    assert_eq!(result.return_code(), 0);
    assert_eq!(result.try_return_value::<i32>("@Outcome").unwrap(), Some(1));

    let mut query = Query::new(
        "SET NOCOUNT ON; DECLARE @rc int; EXEC @rc = dbo.LogEmergencyKeyRevocation @P1, @P2, @P3; SELECT @rc",
    );
    for text in ["CEK_2", "it's leaked", "INC-1"] {
        query.bind(text);
    }
    let row = query.query(&mut sql).await.unwrap().into_row().await.unwrap().unwrap();
    assert_eq!(row.get::<i32, _>(0), Some(0));

    let text = "EXEC dbo.LogEmergencyKeyRevocation 'CEK_3', 'it''s leaked', 'INC-1'";
    sql.simple_query(text).await.unwrap().into_results().await.unwrap();
    assert_eq!(
        simulator.world().sql[0].databases[0].audit_rows,
        [audit("CEK_1", "RECOVER"), audit("CEK_2", "REVOKE"), audit("CEK_3", "REVOKE")]
    );
    assert_eq!(
        number(&mut sql, "SELECT COUNT(*) FROM dbo.KeyRevocationAudit WHERE Operation = 'revoke'").await,
        Some(2)
    );
    assert_eq!(error(&mut sql, "EXEC dbo.LogEmergencyKeyRevocation 'CEK_3', 'why'").await, 201);
    simulator.world().sql[0].databases[0].audit_procedure = false;
    assert_eq!(error(&mut sql, text).await, 2812);
}

#[tokio::test]
async fn nocount_leaves_the_counts_out() {
    let mut sql = connect(&simulator(&[])).await;
    let call = "EXEC dbo.LogEmergencyKeyRevocation N'c', N'r', N'i'";
    let counted = sql.execute(call, &[]).await.unwrap();
    assert_eq!(counted.rows_affected().iter().sum::<u64>(), 1);
    let silent = sql.execute(format!("SET NOCOUNT ON; {call}"), &[]).await.unwrap();
    assert_eq!(silent.rows_affected().iter().sum::<u64>(), 0);
}

#[tokio::test]
async fn what_is_not_committed_is_undone() {
    let simulator = simulator(&[]);
    let mut sql = connect(&simulator).await;
    let call = "EXEC dbo.LogEmergencyKeyRevocation N'c', N'r', N'i'";
    sql.begin_transaction().await.unwrap();
    sql.simple_query(call).await.unwrap().into_results().await.unwrap();
    assert_eq!(number(&mut sql, "SELECT @@TRANCOUNT").await, Some(1));
    sql.rollback_transaction().await.unwrap();
    assert!(simulator.world().sql[0].databases[0].audit_rows.is_empty());
    sql.begin_transaction().await.unwrap();
    sql.simple_query(call).await.unwrap().into_results().await.unwrap();
    sql.commit_transaction().await.unwrap();
    assert_eq!(simulator.world().sql[0].databases[0].audit_rows.len(), 1);
}

#[tokio::test]
async fn a_master_key_is_rotated() {
    let simulator = simulator(&[
        VIEW_KEYS[0],
        VIEW_KEYS[1],
        "ALTER ANY COLUMN MASTER KEY",
        "ALTER ANY COLUMN ENCRYPTION KEY",
    ]);
    let mut sql = connect(&simulator).await;
    let add = |master: &str| {
        format!(
            "ALTER COLUMN ENCRYPTION KEY [CEK_1] ADD VALUE (COLUMN_MASTER_KEY = [{master}], ALGORITHM = 'RSA_OAEP', ENCRYPTED_VALUE = 0x0102)"
        )
    };
    for name in ["CMK_2", "CMK_3"] {
        let create = format!(
            "CREATE COLUMN MASTER KEY [{name}] WITH (KEY_STORE_PROVIDER_NAME = N'AWS_KMS', KEY_PATH = N'arn:2')"
        );
        sql.simple_query(create).await.unwrap().into_results().await.unwrap();
    }
    assert_eq!(error(&mut sql, &add("CMK_9")).await, 15151);
    sql.simple_query(add("CMK_2")).await.unwrap().into_results().await.unwrap();
    let values = "SELECT COUNT(*) FROM sys.column_encryption_key_values";
    assert_eq!(number(&mut sql, values).await, Some(2));
    assert!(error(&mut sql, &add("CMK_3")).await > 0, "at most two values");
    assert_eq!(error(&mut sql, "DROP COLUMN MASTER KEY [CMK_1]").await, 15580);
    for text in [
        "ALTER COLUMN ENCRYPTION KEY [CEK_1] DROP VALUE (COLUMN_MASTER_KEY = [CMK_1])",
        "DROP COLUMN MASTER KEY [CMK_1]",
    ] {
        sql.simple_query(text).await.unwrap().into_results().await.unwrap();
    }
    assert_eq!(number(&mut sql, values).await, Some(1));
    assert_eq!(error(&mut sql, "DROP COLUMN MASTER KEY [CMK_1]").await, 15151);
    let mut reader = connect(&self::simulator(&VIEW_KEYS)).await;
    assert_eq!(error(&mut reader, "DROP COLUMN MASTER KEY [CMK_1]").await, 15151, "no permission");
}

fn fault(on: Target, effect: Effect) -> Fault {
    Fault { on, effect, times: Some(1) }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_leaves_the_outcome_to_be_found_out() {
    let simulator = simulator(&[]);
    for (effect, written) in [
        (Effect::Timeout, 0),
        (Effect::TimeoutAfter, 1),
        (Effect::ConnectionLoss, 1),
        (Effect::ConnectionLossAfter, 2),
    ] {
        let mut config = config("S3cret!ß", "buzz_prod");
        config.command_timeout(Some(Duration::from_secs(5)));
        let mut sql = connect_with(&simulator, config).await.unwrap();
        simulator.faults().add(fault(Target::Statement("logemergency".into()), effect.clone()));
        let call = "EXEC dbo.LogEmergencyKeyRevocation N'c', N'r', N'i'";
        let outcome = match sql.simple_query(call).await {
            Ok(stream) => stream.into_results().await.map(drop),
            Err(error) => Err(error),
        };
        assert!(outcome.is_err(), "{effect:?}");
        assert_eq!(simulator.world().sql[0].databases[0].audit_rows.len(), written, "{effect:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attention_stops_a_statement_that_never_answers() {
    let simulator = simulator(&[]);
    let mut sql = connect(&simulator).await;
    simulator.faults().add(fault(Target::Sql(None), Effect::Timeout));
    let stuck = tokio::time::timeout(Duration::from_secs(1), async {
        sql.simple_query("SELECT 1").await.unwrap().into_results().await
    });
    assert!(stuck.await.is_err());
    sql.cancel_query().await.unwrap();
    assert_eq!(number(&mut sql, "SELECT 2").await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn faults_deny_hide_delay_and_refuse() {
    let simulator = simulator(&VIEW_KEYS);
    let mut sql = connect(&simulator).await;
    simulator.faults().add(fault(Target::Sql(Some(SERVER.into())), Effect::AccessDenied));
    assert_eq!(error(&mut sql, "SELECT * FROM sys.column_master_keys").await, 229);
    simulator.faults().add(fault(Target::Sql(None), Effect::HiddenCatalog));
    assert_eq!(number(&mut sql, "SELECT COUNT(*) FROM sys.column_master_keys").await, Some(0));
    simulator.faults().add(fault(Target::Sql(None), Effect::Latency(Duration::from_secs(20))));
    let before = tokio::time::Instant::now();
    assert_eq!(number(&mut sql, "SELECT COUNT(*) FROM sys.column_master_keys").await, Some(1));
    assert_eq!(before.elapsed(), Duration::from_secs(20));
    simulator.faults().add(fault(Target::Sql(None), Effect::LoginRefused));
    let refused = connect_with(&simulator, config("S3cret!ß", "buzz_prod")).await.err().unwrap();
    assert_eq!(refused.code(), Some(18456));
}
