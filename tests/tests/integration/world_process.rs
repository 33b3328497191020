//! W20 to W24: a process with few descriptors, and with few local ports.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wastegate_tests::harness::program::script;
use wastegate_tests::harness::{Program, http, until_async, within};

use crate::behind::backend;

/// A gateway that runs behind a shell command, such as `ulimit`.
struct Limited {
    program: Program,
    gateway: SocketAddr,
    admin: SocketAddr,
    folder: tempfile::TempDir,
}

impl Limited {
    async fn start(before: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let script = format!("{before}; exec \"$0\" \"$@\" 2>{}", log.display());
        let fixed = [
            "-c",
            &script,
            env!("CARGO_BIN_EXE_wastegate-under-test"),
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
        ];
        let mut program = Program::start("sh", &[&fixed, arguments].concat());
        let welcome: Value = serde_json::from_str(&program.line().await).unwrap();
        let address = |key: &str| welcome[key].as_str().unwrap().parse().unwrap();
        Self {
            program,
            gateway: address("listen"),
            admin: address("admin"),
            folder,
        }
    }

    fn log(&self) -> String {
        let log: &Path = self.folder.path();
        std::fs::read_to_string(log.join("log")).unwrap()
    }

    async fn get(&self, path: &str) -> http::Reply {
        http::ask(self.admin, "GET", path, None).await
    }

    /// Both of what balancers and supervisors ask.
    async fn answers(&self) {
        for path in ["/healthz", "/readyz", "/v1/stats"] {
            let reply = self.get(path).await;
            assert_eq!(reply.status, 200, "{path}: {}", reply.body);
        }
    }

    async fn places(&self) -> usize {
        let stats = self.get("/v1/stats").await.json();
        let places = stats["limits"]["connections_total"].as_u64().unwrap();
        usize::try_from(places).unwrap()
    }

    /// One upgrade of a user of its own; its status, its `Retry-After`, and the socket.
    async fn knock(&self, number: usize) -> (u16, bool, TcpStream) {
        let mut stream = TcpStream::connect(self.gateway).await.unwrap();
        let request = format!(
            "GET /ws?user=u{number}&key=k HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
             connection: upgrade\r\nsec-websocket-version: 13\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        // One that is refused need not take it.
        let _ = stream.write_all(request.as_bytes()).await;
        let head = within("an answer", http::read_head(&mut stream)).await;
        let head = head.unwrap_or_else(|| panic!("user {number} had no answer"));
        (head.status, head.header("retry-after").is_some(), stream)
    }

    /// So many at once: those that are in, with their sockets. The others were refused, and told when to
    /// come back.
    async fn crowd(&self, count: usize) -> Vec<TcpStream> {
        let knocks = join_all((0..count).map(|number| self.knock(number))).await;
        let mut held = Vec::new();
        for (status, has_retry_after, stream) in knocks {
            match status {
                101 => held.push(stream),
                503 => assert!(has_retry_after),
                other => panic!("{other}"),
            }
        }
        held
    }
}

/// Lines of a log that are about refused connections.
fn refusals(log: &str) -> usize {
    let is_one = |line: &&str| line.contains("refused") && line.contains("WARN");
    log.lines().filter(is_one).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w20_w23_few_descriptors_are_shared_out_and_the_rest_is_refused() {
    let upstream = format!("ws://{}", backend("b").await);
    // These clients answer no ping: a round of probes would rightly give their places to others.
    let mild = ["--set", "cleanup.tiers.aggressive.enabled=false"];
    let behind = [&mild[..], &["--upstream", &upstream]].concat();
    for arguments in [&mild[..], &behind] {
        let server = Limited::start("ulimit -n 128", arguments).await;
        let places = server.places().await;
        assert!((20..100).contains(&places), "{places}");
        let said = server.log();
        assert!(said.contains(&format!("places={places}")), "{said}");
        let held = server.crowd(140).await;
        assert_eq!(held.len(), places);
        server.answers().await;
        // Again and again, and no line for each.
        for _ in 0..3 {
            assert_eq!(server.crowd(40).await.len(), 0);
            server.answers().await;
        }
        assert_eq!(refusals(&server.log()), 1, "{}", server.log());
        assert!(server.log().contains("refused=1"));
        drop(held);
    }
}

/// Descriptors can be short in spite of every plan: another limit, another part of the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w23_without_a_descriptor_clients_are_refused_and_not_left_waiting() {
    let server = Limited::start("ulimit -n 256", &[]).await;
    let held = server.crowd(20).await;
    assert_eq!(held.len(), 20);
    let open = server.program.descriptors();
    let limited = Command::new("prlimit")
        .args([
            &format!("--pid={}", server.program.id()),
            &format!("--nofile={open}:256"),
        ])
        .status();
    assert!(limited.unwrap().success(), "prlimit (util-linux) is needed");
    // The limit is of their numbers, and some below it may be free.
    let mut held = held;
    loop {
        let more = server.crowd(20).await;
        if more.is_empty() {
            break;
        }
        held.extend(more);
    }
    for _ in 0..5 {
        assert_eq!(server.crowd(20).await.len(), 0);
    }
    let log = server.log();
    assert_eq!(log.matches("cannot accept").count(), 1, "{log}");
    // It goes on as soon as there are some.
    drop(held);
    until_async("a client to be in", async || {
        !server.crowd(1).await.is_empty()
    })
    .await;
    server.answers().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w21_the_soft_limit_is_raised_to_the_hard_one() {
    let server = Limited::start("ulimit -Sn 128; ulimit -Hn 4096", &[]).await;
    assert_eq!(server.crowd(300).await.len(), 300);
    server.answers().await;
    let stats = server.get("/v1/stats").await.json();
    assert_eq!(stats["limits"]["open_fds"], 4_096);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w22_connections_between_two_requests_leave_operators_theirs() {
    for limits in ["ulimit -Sn 256; ulimit -Hn 4096", "ulimit -n 256"] {
        let server = Limited::start(limits, &[]).await;
        let idle = (0..245).map(|_| async {
            let mut stream = TcpStream::connect(server.gateway).await.unwrap();
            let request = b"GET /x HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let _ = stream.write_all(request).await;
            let head = within("an answer", http::read_head(&mut stream)).await;
            assert!(head.is_some_and(|head| matches!(head.status, 404 | 503)));
            stream
        });
        let _idle = join_all(idle).await;
        server.answers().await;
        // They give way to a client that upgrades.
        let (status, _, _stream) = server.knock(0).await;
        assert_eq!(status, 101, "{limits}");
        // The same on the operators' own listener.
        let idle = (0..300).map(|_| async {
            let mut stream = TcpStream::connect(server.admin).await.unwrap();
            let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let _ = stream.write_all(request).await;
            let _ = within("an answer", http::read_head(&mut stream)).await;
            stream
        });
        let _idle = join_all(idle).await;
        server.answers().await;
    }
}

/// In a network namespace of its own, with ten local ports.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w24_a_shortage_of_local_ports_is_named_and_blames_no_backend() {
    let inside = "ip link set lo up && echo 40000 40009 >/proc/sys/net/ipv4/ip_local_port_range && \
                  exec python3 \"$0\" \"$1\"";
    let arguments = [
        "-rn".into(),
        "sh".into(),
        "-c".into(),
        inside.into(),
        script("few_ports.py").into_os_string(),
        env!("CARGO_BIN_EXE_wastegate-under-test").into(),
    ];
    let (status, told) = Program::start("unshare", &arguments).finish().await;
    assert!(
        status.success(),
        "this test needs user and network namespaces (unshare -rn, ip, a writable /proc/sys/net): \
         {status}: {told}"
    );
    let told: Value = serde_json::from_str(told.trim()).unwrap();
    assert!((8..=10).contains(&told["in"].as_u64().unwrap()), "{told}");
    assert_eq!(told["then"], 502, "{told}");
    let upstream = &told["upstreams"]["upstreams"][0];
    assert_eq!(
        (&upstream["up"], &upstream["failures"]),
        (&true.into(), &0.into())
    );
    let log = told["log"].as_str().unwrap();
    assert!(log.contains("no local port is left"), "{log}");
    assert!(!log.contains("a backend failed"), "{log}");
}
