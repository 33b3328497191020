//! W40 to W46: backends that are ill, in front of their clients and of operators.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wastegate::tasks::Tasks;
use wastegate_tests::harness::{Program, Server, http, until_async};

use crate::behind::{backend, greeting, in_front_of};
use crate::knock::knock;

/// Between two users.
const APART: Duration = Duration::from_millis(50);
/// `gateway.upstream_timeout_ms` where a backend says nothing.
const TIMEOUT: Duration = Duration::from_secs(1);

/// What is wrong with a backend.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ill {
    ClosesAtOnce,
    ResetsAtOnce,
    ClosesAfterReading,
    Answers(&'static str),
    NeverAnswers,
}

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
const NO_HTTP: &str = "220 mail.example ESMTP\r\n";
const NO_ACCEPT: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\
connection: upgrade\r\nsec-websocket-accept: nonsense\r\n\r\n";

async fn behave(mut stream: TcpStream, ill: Ill) {
    match ill {
        Ill::ClosesAtOnce => return,
        Ill::ResetsAtOnce => {
            let reset = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return reset.unwrap();
        }
        _ => {}
    }
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    match ill {
        Ill::Answers(words) => {
            // The gateway may have heard enough before all of it is said.
            let _ = stream.write_all(words.as_bytes()).await;
            let _ = stream.read(&mut [0; 64]).await;
        }
        Ill::NeverAnswers => {
            let _ = stream.read(&mut [0; 64]).await;
        }
        _ => {}
    }
}

async fn ill(how: Ill) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    Tasks::new().spawn("ill", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("ill", behave(stream, how));
        }
    });
    address
}

/// A gateway in front of an ill backend and a good one.
async fn scene(ill: SocketAddr) -> Server {
    let good = backend("good").await;
    in_front_of(&[format!("ws://{ill}"), format!("ws://{good}")])
        .with(|config| config.gateway.upstream_timeout = TIMEOUT)
        .start()
        .await
}

/// So many users, one after another; each is greeted by the good backend.
async fn users_get_in(server: &Server, count: u32) {
    let users = (0..count).map(|number| async move {
        tokio::time::sleep(APART * number).await;
        let target = format!("/ws?user=u{number}&key=k");
        match knock(server.address, &target, &[]).await {
            Ok(mut client) => greeting(&mut client).await.starts_with("good"),
            Err(refused) => panic!("user {number}: {refused:?}"),
        }
    });
    assert!(join_all(users).await.into_iter().all(|good| good));
}

async fn upstream(admin: SocketAddr, number: usize) -> Value {
    let told = http::ask(admin, "GET", "/v1/upstreams", None).await.json();
    told["upstreams"][number].clone()
}

async fn is_counted_and_left_alone(how: Ill) {
    let server = scene(ill(how).await).await;
    users_get_in(&server, 12).await;
    let ill = upstream(server.admin, 0).await;
    assert_eq!(ill["up"], false, "{how:?}: {ill}");
    assert!(ill["failures"].as_u64() >= Some(1), "{how:?}: {ill}");
    assert_eq!(ill["connections"], 0, "{how:?}: {ill}");
    assert!(ill["last_error"].is_string(), "{how:?}: {ill}");
    assert_eq!(upstream(server.admin, 1).await["up"], true);
    // The first of them, and after that one now and then.
    assert!(ill["failures"].as_u64() <= Some(4), "{how:?}: {ill}");
    let health = server.get("/healthz").await;
    assert_eq!(
        (health.status, &health.json()["degraded"]),
        (200, &true.into())
    );
    assert_eq!(server.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w40_a_backend_that_closes_at_once_is_left_alone() {
    is_counted_and_left_alone(Ill::ClosesAtOnce).await;
    is_counted_and_left_alone(Ill::ResetsAtOnce).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w41_a_backend_that_closes_after_reading_is_left_alone() {
    is_counted_and_left_alone(Ill::ClosesAfterReading).await;
    is_counted_and_left_alone(Ill::Answers(NO_HTTP)).await;
    is_counted_and_left_alone(Ill::Answers(NO_ACCEPT)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w42_a_backend_that_answers_503_is_left_alone() {
    is_counted_and_left_alone(Ill::Answers(UNAVAILABLE)).await;
    is_counted_and_left_alone(Ill::Answers(BAD_GATEWAY)).await;
}

/// What a setting does not call sick is the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w42_an_answer_that_is_not_sick_goes_to_the_client() {
    let server = in_front_of(&[
        format!("ws://{}", ill(Ill::Answers(UNAVAILABLE)).await),
        format!("ws://{}", backend("good").await),
    ])
    .with(|config| config.gateway.upstream_unhealthy_statuses = Vec::new())
    .start()
    .await;
    let (status, _) = knock(server.address, "/ws?user=ann&key=k", &[])
        .await
        .unwrap_err();
    assert_eq!(status, 503);
    assert_eq!(upstream(server.admin, 0).await["failures"], 0);
}

/// Listens, and has a backlog that is full: no SYN is answered any more.
fn full() -> (SocketAddr, Vec<Socket>) {
    let socket = || Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let listener = socket();
    let any: SocketAddr = ([127, 0, 0, 1], 0).into();
    listener.bind(&any.into()).unwrap();
    listener.listen(0).unwrap();
    let address: SockAddr = listener.local_addr().unwrap();
    let mut held = vec![listener];
    for _ in 0..8 {
        let filler = socket();
        filler.set_nonblocking(true).unwrap();
        // On its way, or already without an answer.
        let _ = filler.connect(&address);
        held.push(filler);
    }
    (address.as_socket().unwrap(), held)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w43_a_backend_that_answers_no_syn_makes_its_clients_late_at_most() {
    let (full, _held) = full();
    let server = scene(full).await;
    users_get_in(&server, 6).await;
    assert_eq!(upstream(server.admin, 0).await["up"], false);
}

/// A bare connection is no proof: what takes one is still away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w44_a_backend_that_never_answers_makes_its_clients_late_at_most() {
    let ill = ill(Ill::NeverAnswers).await;
    let good = backend("good").await;
    let server = in_front_of(&[format!("ws://{ill}"), format!("ws://{good}")])
        .with(|config| {
            config.gateway.upstream_timeout = TIMEOUT;
            config.gateway.upstream_check = Duration::from_millis(10);
        })
        .start()
        .await;
    users_get_in(&server, 6).await;
    let seen = upstream(server.admin, 0).await;
    assert_eq!(
        (&seen["up"], &seen["reached"]),
        (&false.into(), &true.into())
    );
    // Two looks later it is still no backend that upgrades.
    until_async("two looks", async || {
        upstream(server.admin, 0).await["since_ms"].as_u64() > Some(2_200)
    })
    .await;
    let seen = upstream(server.admin, 0).await;
    assert_eq!(
        (&seen["up"], &seen["state"]),
        (&false.into(), &"away".into())
    );
}

/// A gateway as a process, with what it says when it is ready.
async fn serve(arguments: &[&str]) -> (Program, Value) {
    let fixed = [
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let mut server = Program::start(program, &[&fixed, arguments].concat());
    let welcome = serde_json::from_str(&server.line().await).unwrap();
    (server, welcome)
}

fn address(welcome: &Value, key: &str) -> SocketAddr {
    welcome[key].as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w45_connections_are_counted_across_reloads() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wastegate.toml");
    let (a, b) = (backend("a").await, backend("b").await);
    let write = |upstreams: &[SocketAddr]| {
        let urls: Vec<String> = upstreams
            .iter()
            .map(|at| format!("\"ws://{at}\""))
            .collect();
        let text = format!("[gateway]\nupstream = [{}]\n", urls.join(", "));
        std::fs::write(&file, text).unwrap();
    };
    write(&[a]);
    let config = file.display().to_string();
    let (server, welcome) = serve(&["--config", &config]).await;
    let (gateway, admin) = (address(&welcome, "listen"), address(&welcome, "admin"));
    let enter = async |number: u32| {
        let target = format!("/ws?user=u{number}&key=k");
        let mut client = knock(gateway, &target, &[]).await.unwrap();
        let name = greeting(&mut client).await;
        (client, name.chars().next().unwrap())
    };
    let mut clients = Vec::new();
    for number in 0..10 {
        clients.push(enter(number).await);
    }
    for upstreams in [&[b][..], &[a, b]] {
        write(upstreams);
        server.signal("HUP");
        until_async("the reload", async || {
            let told = http::ask(admin, "GET", "/v1/upstreams", None).await.json();
            let urls = told["upstreams"].as_array().unwrap().clone();
            let wanted = upstreams.iter().map(|at| format!("ws://{at}"));
            urls.len() == upstreams.len() && wanted.zip(&urls).all(|(url, is)| is["url"] == url)
        })
        .await;
    }
    assert_eq!(upstream(admin, 0).await["connections"], 10);
    for number in 10..18 {
        clients.push(enter(number).await);
        assert_eq!(clients.last().unwrap().1, 'b', "{number}");
    }
}

/// A port that nobody listens on.
async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w46_reports_of_a_backend_state_what_was_seen() {
    let gone = nowhere().await;
    let url = format!("ws://{gone}");
    let check = "gateway.upstream_check_ms=1000";
    let (_server, welcome) = serve(&["--upstream", &url, "--set", check]).await;
    let (gateway, admin) = (address(&welcome, "listen"), address(&welcome, "admin"));
    let seen = upstream(admin, 0).await;
    assert_eq!(
        (&seen["up"], &seen["state"]),
        (&false.into(), &"away".into())
    );
    assert_eq!(seen["reached"], false);
    let ready = http::ask(admin, "GET", "/readyz", None).await;
    assert_eq!(ready.status, 503, "{}", ready.body);
    let health = http::ask(admin, "GET", "/healthz", None).await;
    assert_eq!(
        (health.status, &health.json()["degraded"]),
        (200, &true.into())
    );

    let pass = "gateway.readyz_without_backend=pass";
    let (_other, passing) = serve(&["--upstream", &url, "--set", pass]).await;
    let ready = http::ask(address(&passing, "admin"), "GET", "/readyz", None).await;
    assert_eq!(ready.status, 200, "{}", ready.body);

    // It comes back: a client finds out, and not a bare connection.
    let listener = TcpListener::bind(gone).await.unwrap();
    Tasks::new().spawn("back", async move {
        while let Ok((stream, _)) = listener.accept().await {
            Tasks::new().spawn("back", crate::behind::serve("back", stream));
        }
    });
    until_async("the port to be seen", async || {
        http::ask(admin, "GET", "/readyz", None).await.status == 200
    })
    .await;
    assert_eq!(upstream(admin, 0).await["up"], false);
    let mut client = knock(gateway, "/ws?user=ann&key=k", &[]).await.unwrap();
    assert!(greeting(&mut client).await.starts_with("back"));
    assert_eq!(upstream(admin, 0).await["up"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w46_the_welcome_says_what_was_seen() {
    let program = env!("CARGO_BIN_EXE_wastegate-under-test");
    let (gone, there) = (nowhere().await, backend("there").await);
    for (at, said, not_said) in [
        (gone, "cannot be reached now", "takes"),
        (there, "takes", "cannot"),
    ] {
        let url = format!("ws://{at}");
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            "--upstream",
            &url,
        ];
        let mut server = Program::start(program, &arguments);
        let mut line = server.line().await;
        while !line.contains(&url) {
            line = server.line().await;
        }
        assert!(line.contains(said) && !line.contains(not_said), "{line}");
        assert!(!line.contains("answers"), "{line}");
    }
}
