//! What a backend sends is not held in the gateway's memory, however fast it comes and whoever takes it.
//! The gateway is a process of its own here, so that the kernel's count is about nothing else.

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use wastegate_tests::harness::{Program, http, until_async, within};

use super::backend::Backend;
use crate::cli::PROGRAM;

/// Clients that take nothing of what is sent to them.
const SILENT: usize = 16;
/// What one client takes of it.
const TAKEN_BYTES: usize = 256 * 1_024 * 1_024;
/// By how much the memory of the process may grow at its peak: a small part of what is sent.
const GROWTH_KIB: u64 = 12 * 1_024;

/// The most that the process ever held, KiB.
fn peak_kib(program: &Program) -> u64 {
    let status = program.status();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_not_held_in_memory() {
    let backend = Backend::start().await;
    let upstream = format!("ws://{}", backend.address);
    let arguments = [
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "--set",
        "connection.stall_max_ms=2000",
        "--set",
        "health.stalled_after_ms=1000",
    ];
    let mut program = Program::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&program.line().await).unwrap();
    let address = |name: &str| told[name].as_str().unwrap().parse().unwrap();
    let (listen, admin): (std::net::SocketAddr, std::net::SocketAddr) =
        (address("listen"), address("admin"));
    let connect = async |key: &str| {
        let url = format!("ws://{listen}/ws?user=ann&key={key}&device=d");
        let stream = TcpStream::connect(listen).await.unwrap();
        let (client, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
        client
    };
    let mut one = connect("echo").await;
    futures_util::SinkExt::send(&mut one, "hello".into())
        .await
        .unwrap();
    assert_eq!(
        one.next().await.unwrap().unwrap().into_text().unwrap(),
        "hello"
    );
    let before = peak_kib(&program);

    let silent: Vec<String> = (0..SILENT)
        .map(|number| format!("flood-{number}"))
        .collect();
    let silent = join_all(silent.iter().map(|key| connect(key))).await;
    let mut takes = connect("flood").await;
    let taking = async {
        let (mut bytes, mut taken) = (vec![0; 65_536], 0);
        while taken < TAKEN_BYTES {
            let read = takes.get_mut().read(&mut bytes).await.unwrap();
            assert!(read > 0);
            taken += read;
        }
    };
    within("what is sent", taking).await;
    drop(takes);
    until_async("those that take nothing to be given up", async || {
        let metrics = http::ask(admin, "GET", "/metrics", None).await.body;
        let series = "wastegate_gateway_closed_total{reason=\"slow-consumer\"} ";
        let count = metrics.lines().find_map(|line| line.strip_prefix(series));
        count.is_some_and(|count| count.parse() == Ok(SILENT))
    })
    .await;
    let growth = peak_kib(&program) - before;
    assert!(growth < GROWTH_KIB, "{growth} KiB");
    drop((one, silent));
}
