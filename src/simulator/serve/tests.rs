//! Served on real loopback sockets.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::simulator::clock::VirtualClock;

fn simulator() -> Simulator {
    let now = "2026-05-04T12:00:00Z".parse().unwrap();
    Simulator::new(seed::buzz_tutor(1, now), VirtualClock::frozen(now))
}

#[tokio::test]
async fn refuses_every_address_but_loopback() {
    for outside in ["0.0.0.0:0", "[::]:0", "10.0.0.1:0"] {
        let outside: SocketAddr = outside.parse().unwrap();
        let sim = simulator();
        let options = ServeOptions { http: outside, ..ServeOptions::free_ports(&sim) };
        let refused = serve(sim.clone(), options).await.unwrap_err();
        assert!(matches!(refused, ServeError::NotLoopback(address) if address == outside));
        assert!(refused.to_string().contains("127.0.0.1"), "says what to do");
        let mut options = ServeOptions::free_ports(&sim);
        options.sql[0].1 = outside;
        assert!(matches!(serve(sim, options).await.unwrap_err(), ServeError::NotLoopback(_)));
    }
}

#[tokio::test]
async fn names_what_is_not_there() {
    let sim = simulator();
    let options = ServeOptions { user: "nobody".into(), ..ServeOptions::free_ports(&sim) };
    assert!(matches!(serve(sim.clone(), options).await.unwrap_err(), ServeError::NoSuchUser(_)));
    let mut options = ServeOptions::free_ports(&sim);
    options.sql[0].0 = "elsewhere".into();
    assert!(matches!(serve(sim, options).await.unwrap_err(), ServeError::NoSuchSqlServer(_)));
}

#[tokio::test]
async fn a_taken_port_is_said_to_be_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let sim = simulator();
    let options = ServeOptions { http: address, ..ServeOptions::free_ports(&sim) };
    let refused = serve(sim, options).await.unwrap_err();
    assert!(refused.to_string().contains(&address.to_string()));
}

#[tokio::test]
async fn every_sql_server_has_a_port_of_its_own_and_all_close_on_stop() {
    let sim = simulator();
    let served = serve(sim.clone(), ServeOptions::free_ports(&sim)).await.unwrap();
    let (http, sql) = (served.http(), served.sql().to_vec());
    assert_eq!(sql.len(), 3);
    for (name, address) in &sql {
        assert_eq!(Box::pin(server_name(&served, *address)).await, *name);
    }
    let idle = TcpStream::connect(http).await.unwrap();
    served.stop().await;
    drop(idle);
    assert!(TcpStream::connect(http).await.is_err());
    assert!(TcpStream::connect(sql[0].1).await.is_err());
}

/// What the server at this port calls itself, asked over verified TLS.
async fn server_name(served: &Served, address: SocketAddr) -> String {
    use tokio_util::compat::TokioAsyncWriteCompatExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, served.sql_ca_pem()).unwrap();
    let mut config = tiberius::Config::new();
    config.host("localhost");
    config.port(address.port());
    config.authentication(tiberius::AuthMethod::sql_server(seed::SQL_READER, seed::SQL_PASSWORD));
    config.encryption(tiberius::EncryptionLevel::Required);
    config.trust_cert_ca(ca.to_string_lossy());
    let stream = TcpStream::connect(address).await.unwrap().compat_write();
    let mut client = Box::pin(tiberius::Client::connect(config, stream)).await.unwrap();
    let row = client.simple_query("SELECT @@SERVERNAME").await.unwrap().into_row().await.unwrap().unwrap();
    row.get::<&str, _>(0).unwrap().to_lowercase()
}

#[tokio::test]
async fn one_connection_carries_many_requests() {
    let sim = simulator();
    let served = serve(sim.clone(), ServeOptions::free_ports(&sim)).await.unwrap();
    let mut stream = TcpStream::connect(served.http()).await.unwrap();
    for _ in 0..3 {
        let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\
                       X-Amz-Target: TrentService.ListKeys\r\nContent-Type: application/x-amz-json-1.1\r\n\r\n{}";
        stream.write_all(request.as_bytes()).await.unwrap();
        let (status, body) = read_response(&mut stream).await;
        assert!((400..500).contains(&status), "unsigned: {status} {body}");
        assert!(!body.is_empty());
    }
    served.stop().await;
}

async fn read_response(stream: &mut TcpStream) -> (u16, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length =
        head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    (head[9..12].parse().unwrap(), String::from_utf8(body).unwrap())
}

#[cfg(unix)]
#[tokio::test]
async fn the_environment_file_is_whole_private_and_sufficient() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it's here.env");
    let sim = simulator();
    let options = ServeOptions::free_ports(&sim);
    let served = serve(sim.clone(), options).await.unwrap();
    write_env_file(&served, &file, &[("MORE", "it's".to_owned())]).await.unwrap();
    write_env_file(&served, &file, &[("MORE", "it's".to_owned())]).await.unwrap();
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["it's here.env", "it's here.env.ca.pem"], "no draft is left");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    let script = format!(". {} && env", quoted(&file.to_string_lossy()));
    let shell = std::process::Command::new("sh").arg("-c").arg(script).output().unwrap();
    let environment = String::from_utf8(shell.stdout).unwrap();
    let value = |name: &str| environment.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
    assert_eq!(value("MORE"), Some("it's"));
    assert_eq!(value("AWS_ENDPOINT_URL"), Some(format!("http://{}", served.http()).as_str()));
    let user = seed::credentials(&sim.world(), "platform").unwrap();
    assert_eq!(value("AWS_ACCESS_KEY_ID"), Some(user.access_key_id.as_str()));
    assert_eq!(value("AWS_SECRET_ACCESS_KEY"), Some(user.secret_access_key.as_str()));
    assert_eq!(value("PORTCULLIS_SIM_SQL_PORT"), Some(served.sql()[0].1.port().to_string().as_str()));
    assert_eq!(value("PORTCULLIS_SIM_SQL_PASSWORD"), Some(seed::SQL_PASSWORD));
    assert_eq!(
        std::fs::read_to_string(value("PORTCULLIS_SIM_SQL_CA_FILE").unwrap()).unwrap(),
        served.sql_ca_pem()
    );
    served.stop().await;
}

#[test]
fn a_shell_reads_back_what_was_quoted() {
    assert_eq!(quoted("plain/1.2:3"), "plain/1.2:3");
    assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    assert_eq!(quoted(""), "''");
}
