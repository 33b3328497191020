//! Levers of the node, and pins: a node is drained, its clients connect again at a rate, a pin outlives its manager.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use wastegate_tests::harness::{Client, Server, Setup, until_async};

use crate::cli::operate;

/// What the program prints for a verb that has to work.
async fn done(server: &Server, line: &[&str]) -> String {
    let (code, out, err) = operate(server, "olga", line).await;
    assert_eq!((code, err.as_str()), (Some(0), ""), "{line:?}");
    out
}

/// The words of the audit log.
async fn audit(server: &Server) -> Vec<String> {
    let audit = server.get("/v1/audit").await.json();
    let entries = audit["entries"].as_array().unwrap().iter();
    let words = entries.map(|entry| entry["note"]["what"].as_str().unwrap().to_owned());
    words
        .filter(|what| !["started", "accepted"].contains(&what.as_str()))
        .collect()
}

async fn node(server: &Server) -> Value {
    server.get("/v1/nodes").await.json()["nodes"][0].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_node_takes_no_new_connections_and_keeps_those_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let setup = || {
        let setup = Setup::new().limit(1).without_force().with(|config| {
            config.admission.queue_length_max = 4;
            config.admission.queue_wait = Duration::from_secs(60);
        });
        setup.state_dir(folder.path())
    };
    let server = setup().start().await;
    let mut ann = server.enter("ann", "tab").await;
    let waiting = server.dial("ann", "second").connect();
    let drain = async {
        until_async("one waits in the queue", async || {
            server.stats().await["queued"] == 1
        })
        .await;
        let line = ["drain", "--for", "1h", "--reason", "a new kernel"];
        done(&server, &line).await
    };
    let (refused, out) = tokio::join!(waiting, drain);
    assert!(
        out.starts_with("the node takes no new connections until 20"),
        "{out}"
    );
    assert!(out.contains("(a new kernel; olga (127.0.0.1:"), "{out}");
    assert_eq!(
        refused.unwrap_err().kind(),
        (503, "draining".to_owned()),
        "one that waits is told"
    );
    let refused = server.refused("bob", "tab").await;
    assert_eq!(refused.kind(), (503, "draining".to_owned()));
    let message = refused.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains("connect to another one"), "{message}");
    ann.echo("still here").await;

    assert_eq!(server.get("/readyz").await.status, 503);
    assert_eq!(server.get("/healthz").await.status, 200);
    assert!((server.metric("wastegate_draining").await - 1.0).abs() < f64::EPSILON);
    let (_, status, _) = operate(&server, "olga", &["status"]).await;
    assert!(
        status.contains("drains the node, so it takes no new connections: a new kernel"),
        "{status}"
    );
    let seen = node(&server).await;
    assert_eq!(
        (&seen["draining"], &seen["drain"]["reason"]),
        (&json!(true), &json!("a new kernel"))
    );
    let why = server.get("/v1/why?user=bob").await.json();
    let answer = why["answer"].as_str().unwrap();
    assert!(answer.contains("an operator drains the node"), "{why}");
    drop(ann);
    server.stop().await;

    // It survives a restart, and is taken back.
    let server = setup().start().await;
    let refused = server.refused("bob", "tab").await;
    assert_eq!(refused.kind(), (503, "draining".to_owned()));
    let out = done(&server, &["undrain", "--reason", "the kernel is in"]).await;
    assert_eq!(out, "the node takes new connections\n");
    server.enter("bob", "tab").await.echo("in").await;
    assert_eq!(server.get("/readyz").await.status, 200);
    let out = done(&server, &["undrain"]).await;
    assert_eq!(out, "the node was not drained\n");
    assert_eq!(audit(&server).await, ["node-drained", "node-undrained"]);
}

/// Every connection ends with 1012, so many a second, and one that comes back is not asked twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_are_asked_to_connect_again_at_a_rate() {
    let server = Setup::new().start().await;
    let names: Vec<String> = (0..30).map(|number| format!("u{number}")).collect();
    let enter = names.iter().map(|name| server.enter(name, "tab"));
    let mut clients: Vec<Client> = join_all(enter).await;
    let line = ["disconnect", "--per-s", "1", "--reason", "a new node"];
    let out = done(&server, &line).await;
    assert_eq!(out, "30 connections are closed, 1 a second\n");
    let closing = &node(&server).await["disconnecting"];
    assert_eq!(
        (&closing["per_s"], &closing["reason"]),
        (&json!(1), &json!("a new node"))
    );
    assert!(closing["left"].as_u64().unwrap() > 0, "{closing}");
    let out = done(&server, &["disconnect", "--stop"]).await;
    assert_eq!(out, "no more connections are closed\n");
    assert_eq!(node(&server).await["disconnecting"], Value::Null);
    let out = done(&server, &["disconnect", "--stop"]).await;
    assert_eq!(out, "no connections were being closed\n");

    // Some may have been asked already.
    let body = json!({ "per_s": 10_000, "reason": "all of them" });
    let reply = server.put("/v1/node/disconnect", &body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    for client in &mut clients {
        assert_eq!(client.closed().await, 1012);
    }
    until_async("nothing is left to close", async || {
        node(&server).await["disconnecting"] == Value::Null
    })
    .await;
    let mut back = server.enter("u0", "tab").await;
    back.echo("back").await;
    assert_eq!(server.held("u1"), 1, "its manager waits for its client");
    let why = server.get("/v1/why?user=u1").await.json();
    let answer = why["answer"].as_str().unwrap();
    assert!(
        answer.contains("asked all clients of the node to connect again"),
        "{why}"
    );
    for (per_s, reason) in [(0, "why"), (10_001, "why"), (1, "")] {
        let body = json!({ "per_s": per_s, "reason": reason });
        let reply = server.put("/v1/node/disconnect", &body).await;
        assert_eq!(reply.status, 422, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pin_of_an_operator_outlives_its_manager_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let setup = || Setup::new().limit(5).state_dir(folder.path());
    let server = setup().start().await;
    let client = server.enter("ann", "tab").await;
    let line = ["pin", "ann", "tab", "--for", "9d", "--reason", "a show"];
    let out = done(&server, &line).await;
    assert_eq!(out, "ann, tab: no cleanup evicts it\n");
    let is_pinned = async |server: &Server| {
        let ann = server.get("/v1/users/ann").await.json();
        ann["managers"][0]["protection"]["level"] == "pinned"
    };
    assert!(
        is_pinned(&server).await,
        "for longer than an application may"
    );
    let user = done(&server, &["user", "ann"]).await;
    assert!(
        user.contains("tab pinned until 20") && user.contains("(a show; olga"),
        "{user}"
    );
    client.leave().await;
    server.holds("ann", 0).await;
    let again = server.enter("ann", "tab").await;
    assert!(is_pinned(&server).await, "the next one of its key");
    drop(again);
    server.stop().await;

    let server = setup().start().await;
    let _client = server.enter("ann", "tab").await;
    assert!(is_pinned(&server).await, "after a restart");
    let out = done(&server, &["unpin", "ann", "tab"]).await;
    assert_eq!(out, "ann, tab: not pinned any more\n");
    assert!(!is_pinned(&server).await);
    let (code, _, err) = operate(&server, "olga", &["unpin", "ann", "gone"]).await;
    assert!(code != Some(0) && err.contains("no such manager"), "{err}");
    assert_eq!(audit(&server).await, ["pinned", "unpinned"]);

    // The budget of pins holds for operators too: a user that is all pinned could not be made room for.
    let mut held = Vec::new();
    let pin = json!({ "for_ms": 60_000, "reason": "a show" });
    for (key, status) in [("a", 200), ("b", 200), ("c", 200), ("d", 409)] {
        held.push(server.enter("bob", key).await);
        let path = format!("/v1/users/bob/managers/{key}/pin");
        let reply = server.post(&path, &pin).await;
        assert_eq!(reply.status, status, "{key}: {}", reply.body);
    }
    let bob = server.get("/v1/users/bob").await.json();
    let kept = bob["levers"]["pins"].as_object().unwrap();
    assert_eq!(kept.len(), 3, "nothing is kept that was refused");
    let never = json!({ "for_ms": 0, "reason": "a show" });
    let path = "/v1/users/bob/managers/a/pin";
    assert_eq!(server.post(path, &never).await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_do_is_in_the_timeline_of_its_user() {
    let server = Setup::new().start().await;
    let _ann = server.enter("ann", "tab").await;
    let limit = json!({ "managers": 7, "reason": "ticket 7" });
    assert_eq!(server.put("/v1/users/ann/limit", &limit).await.status, 200);
    let drain = json!({ "reason": "a look" });
    assert_eq!(server.put("/v1/node/drain", &drain).await.status, 200);
    let why = server.get("/v1/why?user=ann").await.json();
    let lines = why["lines"].as_array().unwrap().iter();
    let changes: Vec<_> = lines.filter(|line| line["kind"] == "change").collect();
    assert_eq!(changes.len(), 1, "the node's is not hers: {why}");
    assert_eq!(changes[0]["reason"], "limit-set");
    let text = changes[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("limit-set by ") && text.ends_with("7 managers: ticket 7"),
        "{text}"
    );
}
