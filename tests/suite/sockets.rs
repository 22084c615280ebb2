//! A drill can reach nothing real: it opens no socket, whatever the environment points at.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use crate::program::Env;
use crate::pty::Terminal;
use crate::stage::ALL_PAIRS;

#[test]
fn a_drill_opens_no_socket() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    assert_ne!(connectable(std::process::id()), BTreeSet::new(), "the test sees a socket where there is one");

    let home = tempfile::tempdir().unwrap();
    let env = pointing_at(&format!("http://{}", listener.local_addr().unwrap()));
    let mut console = Terminal::start_with(home.path(), (80, 24), &["drill"], &env);
    console.see(ALL_PAIRS);
    assert_eq!(connectable(console.pid()), BTreeSet::new(), "while reading");
    console.press("/CEK_User_12345 db:buzz_prod");
    console.see("1 of 74");
    console.press("\r");
    console.press("r");
    console.see("Run a runbook");
    console.press("\r\rstolen laptop\r");
    console.see("DROP THE GATE");
    console.press("buzz-tutor/user-data simulated\r");
    console.give_code();
    console.see("GATE DOWN");
    console.see("Until ");
    assert_eq!(connectable(console.pid()), BTreeSet::new(), "after a revocation");
    console.press("\x03");
    console.end().well();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "somebody called");
}

/// Everything by which a client of AWS is told where to go and who it is.
fn pointing_at(url: &str) -> Env {
    let there = [
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_KMS",
        "AWS_ENDPOINT_URL_STS",
        "AWS_ENDPOINT_URL_CLOUDTRAIL",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ];
    let who = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
        ("AWS_REGION", "eu-west-1"),
    ];
    let named = there.map(|name| (name.to_owned(), url.to_owned())).into_iter();
    named.chain(who.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// The sockets of a process that reach beyond the machine's own files: TCP and UDP, loopback too.
fn connectable(pid: u32) -> BTreeSet<u64> {
    &sockets(pid) & &inet()
}

/// The inodes of a process's open sockets, of every kind.
fn sockets(pid: u32) -> BTreeSet<u64> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let inode =
        |link: std::path::PathBuf| link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok();
    open.filter_map(|fd| inode(std::fs::read_link(fd.ok()?.path()).ok()?)).collect()
}

/// The inodes of all of the machine's TCP and UDP sockets.
fn inet() -> BTreeSet<u64> {
    let inodes = |table: &str| {
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap_or_default();
        let inode = |line: &str| line.split_whitespace().nth(9)?.parse().ok();
        text.lines().skip(1).filter_map(inode).collect::<Vec<u64>>()
    };
    ["tcp", "tcp6", "udp", "udp6"].into_iter().flat_map(inodes).filter(|inode| *inode != 0).collect()
}
