//! The end of a server, seen by a balancer and by many clients.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use wastegate_core::types::{Clock, Timestamp};
use wastegate_tests::harness::{Program, http, until};

use crate::cli::PROGRAM;
use crate::knock::{closed, echo, knock};

/// A moment of this test.
pub(crate) struct Since(Clock, Timestamp);

impl Since {
    pub(crate) fn now() -> Self {
        let clock = Clock::system();
        let now = clock.now();
        Self(clock, now)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.0.now().since(self.1)
    }
}

/// A server as a process with such settings, and where it listens.
pub(crate) async fn serve(settings: &[&str]) -> (Program, SocketAddr, SocketAddr) {
    let mut arguments = vec![
        "serve",
        "--json",
        "--listen=127.0.0.1:0",
        "--admin=127.0.0.1:0",
    ];
    for setting in settings {
        arguments.extend(["--set", *setting]);
    }
    let mut program = Program::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&program.line().await).unwrap();
    let address = |name: &str| told[name].as_str().unwrap().parse().unwrap();
    let (listen, admin) = (address("listen"), address("admin"));
    (program, listen, admin)
}

/// Clients leave evenly over the time that is set, the first after a balancer has seen 503, and who
/// comes meanwhile is let in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w73_clients_are_told_over_the_whole_time_and_a_balancer_first() {
    let (program, address, admin) = serve(&[
        "gateway.drain_spread_ms=3000",
        "gateway.drain_readyz_ms=800",
    ])
    .await;
    let mut clients = Vec::new();
    for number in 0..40 {
        let target = format!("/ws?user=u{number}");
        clients.push(knock(address, &target, &[]).await.unwrap());
    }
    let ready = async || http::ask(admin, "GET", "/readyz", None).await.status;
    assert_eq!(ready().await, 200);
    let start = Since::now();
    program.terminate();
    let mut status = ready().await;
    while status == 200 {
        status = ready().await;
    }
    assert_eq!(status, 503);
    let state = http::ask(admin, "GET", "/v1/status", None).await.json();
    let nodes = http::ask(admin, "GET", "/v1/nodes", None).await.json();
    assert_eq!(
        (&state["draining"], &nodes["nodes"][0]["draining"]),
        (&json!(true), &json!(true))
    );
    let mut late = knock(address, "/ws?user=late", &[]).await.unwrap();
    echo(&mut late, "let in").await;
    clients.push(late);
    let ends = clients.into_iter().map(async |mut client| {
        let code = closed(&mut client).await;
        let at = start.elapsed();
        while let Some(Ok(_)) = client.next().await {}
        (code, at)
    });
    let ends = join_all(ends).await;
    assert!(ends.iter().all(|(code, _)| *code == 1_012));
    let mut at: Vec<Duration> = ends.into_iter().map(|(_, at)| at).collect();
    at.sort();
    let (first, middle, last) = (at[0], at[20], at[40]);
    assert!(first >= Duration::from_millis(750), "{at:?}");
    assert!(last - first >= Duration::from_millis(2_500), "{at:?}");
    let half = middle - first;
    let even = Duration::from_millis(900)..Duration::from_millis(2_100);
    assert!(even.contains(&half), "{at:?}");
    assert!(program.finish().await.0.success());
}

/// Without connections there is nothing to wait for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w73_an_empty_server_stops_at_once() {
    let (program, _, _) = serve(&["gateway.drain_readyz_ms=60000"]).await;
    let start = Since::now();
    program.terminate();
    assert!(program.finish().await.0.success());
    assert!(start.elapsed() < Duration::from_secs(10));
}

/// A second signal does not wait for anybody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn w73_a_second_signal_ends_at_once() {
    let (program, address, admin) = serve(&["gateway.drain_readyz_ms=60000"]).await;
    let _client = knock(address, "/ws?user=ann", &[]).await.unwrap();
    program.terminate();
    let mut status = 200;
    while status == 200 {
        status = http::ask(admin, "GET", "/readyz", None).await.status;
    }
    let start = Since::now();
    program.signal("INT");
    let (status, _) = program.finish().await;
    assert_eq!(status.code(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(10));
    until("the address to be free", || {
        std::net::TcpListener::bind(address).is_ok()
    })
    .await;
}
