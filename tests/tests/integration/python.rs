//! Clients in another language, with a WebSocket library that is not ours.

use serde_json::{Value, json};
use wastegate_tests::harness::program::{python, script};
use wastegate_tests::harness::{Program, Server, Setup};

async fn run(server: &Server, name: &str, limit: u32) -> Value {
    let url = format!("ws://{}/ws", server.address);
    let arguments = [
        script(name).into_os_string(),
        url.into(),
        limit.to_string().into(),
    ];
    let (status, output) = Program::start(python(), &arguments).finish().await;
    assert!(status.success(), "{name}: {status}, its messages are above");
    serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error} in {output:?}"))
}

/// L1, Z4, M10: the one that died goes, is told so in as many words, and nobody else notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_limit_the_dead_session_goes_and_is_told_so() {
    let server = Setup::new().limit(5).start().await;
    let told = run(&server, "at_the_limit.py", 5).await;
    let closed = json!([4001, "evicted: room was needed"]);
    assert_eq!(
        told,
        json!({ "admitted": true, "kept": 4, "dead_was_told": closed })
    );
}

/// L1: the refusal as a library shows it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_readable_over_http() {
    let server = Setup::new().limit(3).without_force().start().await;
    let refusal = run(&server, "refused.py", 3).await;
    assert_eq!(
        (&refusal["status"], &refusal["retry_after"]),
        (&429.into(), &"5".into())
    );
    let body = &refusal["body"];
    assert_eq!(body["error"], "user-limit");
    assert_eq!(
        (&body["limit"], &body["held"], &body["user"]),
        (&3.into(), &3.into(), &"py".into())
    );
    assert_eq!(body["tiers"].as_array().unwrap().len(), 3);
}
