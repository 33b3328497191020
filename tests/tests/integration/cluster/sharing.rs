//! What ranks on all nodes: shared on one, followed by the others.

use serde_json::{Value, json};
use wastegate_core::types::Tier;
use wastegate_engine::policy::shipped;
use wastegate_tests::harness::{http, until_async};

use super::{Engine, Node};

const SHARED: &str = "/v1/cluster/policies";
/// A key of minisign that has signed nothing here.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

/// What ranks on a node, tier by tier.
async fn ranks(node: &Node) -> Vec<String> {
    let list = node.get("/v1/nodes").await;
    let policies = list["nodes"][0]["policies"].as_array().unwrap().clone();
    policies
        .iter()
        .map(|at| at["policy"].as_str().unwrap().to_owned())
        .collect()
}

async fn all_rank(nodes: &[&Node], policy: &str) {
    for node in nodes {
        let wanted = vec![policy.to_owned(); Tier::ALL.len()];
        until_async(format!("{policy} ranks"), async || {
            ranks(node).await == wanted
        })
        .await;
    }
}

async fn post(node: &Node, path: &str, body: Value) {
    let reply = http::ask(node.admin, "POST", path, Some(&body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

/// Shares what ranks on a node, and returns the document's number.
async fn share(node: &Node, reason: &str) -> u64 {
    let body = json!({ "reason": reason });
    let reply = http::ask(node.admin, "PUT", SHARED, Some(&body)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json()["number"].as_u64().unwrap()
}

/// What the nodes say that they follow, as one of them knows it.
async fn followed(node: &Node) -> Vec<(u64, String)> {
    let nodes = node.get("/v1/nodes").await["cluster"]["nodes"].clone();
    let nodes = nodes.as_array().unwrap().iter();
    nodes
        .map(|it| {
            (
                it["shared"].as_u64().unwrap(),
                it["problem"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

/// A shipped policy with other bytes: nothing but the engine has them.
fn another(name: &str) -> Vec<u8> {
    let mut bytes = shipped::find(name).unwrap().to_vec();
    // A custom section of that name, without contents.
    bytes.extend_from_slice(b"\x00\x05\x04note");
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_shares_ranks_on_every_node_and_is_taken_back_on_every_node() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let b = Node::with(&engine, "b", "").await;
    b.sees_nodes(2).await;
    assert_eq!(a.get(SHARED).await["shared"], Value::Null);

    // A change is its node's own until it is shared.
    let upload = http::put(
        a.admin,
        "/v1/policies/lru?activate=true",
        &[],
        &another("lru"),
    )
    .await;
    assert_eq!(upload.status, 201, "{}", upload.body);
    assert_eq!(share(&a, "a week on one node").await, 1);
    all_rank(&[&a, &b], "lru").await;
    let newest = b.get("/v1/policies/lru").await["revisions"][0].clone();
    assert!(newest.to_string().contains("cluster a"), "{newest}");
    until_async("both say so", async || {
        followed(&a).await == [(1, String::new()), (1, String::new())]
    })
    .await;
    let audit = b.get("/v1/audit").await.to_string();
    assert!(
        audit.contains("on a)") && audit.contains("a week on one node"),
        "{audit}"
    );

    // Another operator has seen the document of before.
    let stale = json!({ "from": 0, "reason": "too late" });
    let refused = http::ask(b.admin, "PUT", SHARED, Some(&stale)).await;
    assert_eq!(
        (refused.status, &refused.json()["error"]),
        (409, &json!("changed"))
    );
    let none = http::ask(b.admin, "PUT", SHARED, Some(&json!({ "reason": " " }))).await;
    assert_eq!(none.status, 422, "{}", none.body);

    // A node that joins later ranks as the others do; one of its own is out of step, and says so.
    let c = Node::with(&engine, "c", "").await;
    all_rank(&[&c], "lru").await;
    post(
        &c,
        "/v1/policies/fifo/activate",
        json!({ "reason": "a trial here" }),
    )
    .await;
    assert_eq!(c.get(SHARED).await["in_step"], false);
    assert_eq!(ranks(&b).await, ranks(&a).await);

    // The verbs do both in one step, and a rollback reaches every node.
    let everywhere = [
        "policy",
        "rollback",
        "--everywhere",
        "--reason",
        "more came back",
    ];
    let out = a.verb(&everywhere).await;
    assert!(out.contains("document 2"), "{out}");
    all_rank(&[&a, &b, &c], "qos-lexicographic").await;
    let shown = b.verb(&["policy", "shared"]).await;
    assert!(
        shown.contains("more came back") && shown.contains("this node ranks by it"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_refuses_what_is_shared_keeps_what_it_has_and_says_why() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let strict = format!("policy.signatures.keys = [\"{KEY}\"]");
    let strict = Node::with(&engine, "strict", &strict).await;
    let upload = http::put(
        a.admin,
        "/v1/policies/lru?activate=true",
        &[],
        &another("lru"),
    )
    .await;
    assert_eq!(upload.status, 201, "{}", upload.body);
    share(&a, "nobody has signed it").await;
    until_async("a knows why the other does not follow", async || {
        let nodes = followed(&a).await;
        nodes.iter().any(|(_, problem)| problem.contains("sign"))
    })
    .await;
    assert_eq!(
        ranks(&strict).await,
        vec!["qos-lexicographic"; Tier::ALL.len()]
    );
    assert_eq!(strict.get(SHARED).await["in_step"], false);
    // What the host ships needs no signature, also with other parameters.
    post(
        &a,
        "/v1/policies/fifo/activate",
        json!({ "reason": "back" }),
    )
    .await;
    share(&a, "shipped").await;
    all_rank(&[&a, &strict], "fifo").await;
    assert_eq!(strict.get(SHARED).await["problem"], "");
}

/// An engine that has lost everything takes nothing back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ranks_outlives_an_engine_that_forgets() {
    let mut engine = Engine::start().await;
    let (a, b) = (
        Node::with(&engine, "a", "").await,
        Node::with(&engine, "b", "").await,
    );
    post(&a, "/v1/policies/fifo/activate", json!({ "reason": "try" })).await;
    share(&a, "for all").await;
    all_rank(&[&b], "fifo").await;
    engine.kill();
    b.sees("away").await;
    let away = http::ask(
        b.admin,
        "PUT",
        SHARED,
        Some(&json!({ "reason": "no engine" })),
    )
    .await;
    assert_eq!(away.status, 503, "{}", away.body);
    engine.start_again().await;
    b.sees("up").await;
    assert_eq!(ranks(&b).await, vec!["fifo"; Tier::ALL.len()]);
    let from_nothing = json!({ "from": 0, "reason": "again, for nodes that come" });
    let again = http::ask(b.admin, "PUT", SHARED, Some(&from_nothing)).await;
    assert_eq!(again.json()["number"], 1, "{}", again.body);
}
