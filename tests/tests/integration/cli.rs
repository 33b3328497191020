//! The program as a process: what it prints, how it ends, and what it leaves open.

use std::net::SocketAddr;
use std::process::{Command, Output};

use futures_util::future::join_all;
use serde_json::Value;
use wastegate_tests::harness::{Client, Dial, Program, Server, http, until, within};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_wastegate-under-test");

/// A server as a process, and where it listens.
pub(crate) async fn serve() -> (Program, SocketAddr, SocketAddr) {
    let arguments = [
        "serve",
        "--json",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "127.0.0.1:0",
    ];
    let mut program = Program::start(PROGRAM, &arguments);
    let told: Value = serde_json::from_str(&program.line().await).unwrap();
    let address = |name: &str| told[name].as_str().unwrap().parse().unwrap();
    assert_eq!(told["policy"], "qos-lexicographic");
    assert_eq!(told["managers_per_user"], 20);
    assert_eq!(
        told["url"],
        format!("ws://{}/ws", told["listen"].as_str().unwrap())
    );
    (program, address("listen"), address("admin"))
}

/// Runs the program: exit code, what it printed, what it complained of.
pub(crate) async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut program = Command::new(PROGRAM);
    program.args(arguments);
    finished(program).await
}

/// Runs a verb for operators against a server, by an operator of that name.
pub(crate) async fn operate(
    server: &Server,
    by: &str,
    line: &[&str],
) -> (Option<i32>, String, String) {
    operate_at(server.admin, by, line).await
}

/// The same of any operators' API.
pub(crate) async fn operate_at(
    admin: SocketAddr,
    by: &str,
    line: &[&str],
) -> (Option<i32>, String, String) {
    let admin = format!("http://{admin}");
    let mut program = Command::new(PROGRAM);
    program.args(line).args(["--admin", &admin]).env("USER", by);
    finished(program).await
}

async fn finished(mut program: Command) -> (Option<i32>, String, String) {
    let ran = tokio::task::spawn_blocking(move || program.output());
    let Output {
        status,
        stdout,
        stderr,
    } = within("the program", ran).await.unwrap().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// D17: a stop by signal tells everyone with 1012, and is no failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d17_serve_starts_serves_and_stops_by_signal() {
    let (program, address, admin) = serve().await;
    let dials = ["a", "b", "c"].map(|key| Dial::to(address, "ann", key).connect());
    let mut clients: Vec<Client> = join_all(dials)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    join_all(clients.iter_mut().map(|client| client.echo("hello"))).await;
    let stats = http::ask(admin, "GET", "/v1/stats", None).await.json();
    assert_eq!(stats["managers"], 3);
    program.terminate();
    for client in &mut clients {
        assert_eq!(client.closed().await, 1012);
    }
    let (status, output) = program.finish().await;
    assert_eq!((status.code(), output.as_str()), (Some(0), ""));
}

/// Promise 7 for the whole process: descriptors come back to where they were.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn descriptors_of_the_process_come_back() {
    let (program, address, admin) = serve().await;
    let before = program.descriptors();
    let stats = http::ask(admin, "GET", "/v1/stats", None).await.json();
    assert!(stats["process"]["open_fds"].is_u64(), "{stats}");
    for round in 0..5 {
        let users: Vec<String> = (0..50).map(|number| format!("r{round}u{number}")).collect();
        let dials = users
            .iter()
            .map(|user| Dial::to(address, user, "k").connect());
        let clients: Vec<Client> = join_all(dials)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        // Not compared with before: a policy may have been compiled then, over pipes.
        assert!(program.descriptors() >= 50, "one for each client");
        join_all(
            clients
                .into_iter()
                .enumerate()
                .map(async |(number, client)| {
                    if number % 2 == 0 {
                        client.vanish().await;
                    } else {
                        client.leave().await;
                    }
                }),
        )
        .await;
    }
    until("descriptors to come back", || {
        program.descriptors() <= before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn config_check_names_the_key_and_exits_78() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.toml");
    std::fs::write(
        &file,
        "[limits]\nmanagers_per_usr = 3\n\n[health]\nping_interval_ms = \"soon\"\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let (code, output, complaints) = run(&["config", "check", "--config", file]).await;
    assert_eq!((code, output.as_str()), (Some(78), ""));
    assert_eq!(complaints.lines().count(), 2, "{complaints}");
    for key in ["limits.managers_per_usr", "health.ping_interval_ms"] {
        assert!(complaints.contains(key), "{complaints}");
    }
    assert!(
        complaints.contains("managers_per_user"),
        "it says what was meant: {complaints}"
    );
    let (code, _, complaints) = run(&["serve", "--config", file]).await;
    assert_eq!(code, Some(78), "and serve does not start: {complaints}");
    let (code, output, _) = run(&["config", "check"]).await;
    assert_eq!(
        (code, output.as_str()),
        (Some(0), "the configuration is fine\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_says_what_to_mend_and_exits_69() {
    let (mut first, address, _) = serve().await;
    let listen = address.to_string();
    let (code, _, complaints) = run(&["serve", "--listen", &listen, "--admin", "off"]).await;
    assert_eq!(code, Some(69));
    let told =
        format!("error: cannot listen on {listen} (`server.listen`); is another process using it?");
    assert!(complaints.starts_with(&told), "{complaints}");
    first.kill();
    let policy = [
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--admin",
        "off",
        "--policy",
        "no/such.wasm",
    ];
    let (code, _, complaints) = run(&policy).await;
    assert_eq!(code, Some(69));
    assert!(
        complaints.contains("cannot read the policy in no/such.wasm"),
        "{complaints}"
    );
}
