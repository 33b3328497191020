//! Nodes that are killed, frozen, restarted and stopped.

use wastegate_tests::harness::{Client, timed, until, until_async};

use super::{Engine, LIMIT, Node, enters};

/// A node that holds all that its user may have, and another one. What answers stays.
async fn full_and_empty(engine: &Engine) -> (Node, Node, Vec<Client>) {
    let full = Node::gentle(engine, "full").await;
    let empty = Node::gentle(engine, "empty").await;
    empty.sees_nodes(2).await;
    let clients = filled(&full).await;
    let refusal = empty.refused("ann", "one-more").await;
    assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
    (full, empty, clients)
}

async fn filled(node: &Node) -> Vec<Client> {
    let mut clients = Vec::new();
    for key in 0..LIMIT {
        clients.push(node.enter("ann", &format!("k{key}")).await);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_frees_what_it_held_and_one_that_stops_does_at_once() {
    let engine = Engine::start().await;
    let (mut full, empty, _clients) = full_and_empty(&engine).await;
    full.program.kill();
    let (_one_more, took) = timed(enters(&empty, "ann", "one-more")).await;
    // 3 s to death, a beat of the other node, and what a busy machine adds.
    assert!(took.as_secs() < 20, "{took:?}");
    empty.sees_nodes(1).await;

    let again = Node::gentle(&engine, "full").await;
    again.sees_nodes(2).await;
    let mut clients = Vec::new();
    for key in 1..LIMIT {
        clients.push(enters(&again, "ann", &format!("k{key}")).await);
    }
    let refusal = empty.refused("ann", "two-more").await;
    assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
    again.program.terminate();
    for client in &mut clients {
        assert_eq!(client.closed().await, 1012);
    }
    let (_, _) = again.program.finish().await;
    // Nothing waits for it to be taken for dead: it has said goodbye.
    empty.sees_nodes(1).await;
    let _next = enters(&empty, "ann", "two-more").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_again_under_its_name_holds_nothing_of_before() {
    let engine = Engine::start().await;
    let (mut full, empty, _clients) = full_and_empty(&engine).await;
    full.program.kill();
    let _again = Node::gentle(&engine, "full").await;
    let _next = enters(&empty, "ann", "one-more").await;
    let nodes = empty.get("/v1/nodes").await;
    let names: Vec<_> = nodes["cluster"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_frozen_asserts_what_it_has_and_the_surplus_leaves() {
    let engine = Engine::start().await;
    let full = Node::with(&engine, "full", "").await;
    let empty = Node::with(&engine, "empty", "").await;
    empty.sees_nodes(2).await;
    let clients = filled(&full).await;
    full.program.signal("STOP");
    empty.sees_nodes(1).await;
    let mut newcomers = Vec::new();
    for key in 0..2 {
        newcomers.push(empty.enter("ann", &format!("new{key}")).await);
    }
    full.program.signal("CONT");
    full.sees("up").await;
    until_async("what lives there is asserted", async || {
        full.metric("wastegate_cluster_reassertions_total", "")
            .await
            >= LIMIT as f64
    })
    .await;
    // Six are held where four may be: two leave by rank, wherever they are, and no more than two.
    until_async("the surplus has left", async || {
        full.held().await + empty.held().await == LIMIT as u64
    })
    .await;
    let all: Vec<&Client> = clients.iter().chain(&newcomers).collect();
    until("those that went have heard it, and no others", || {
        all.iter().filter(|client| client.is_open()).count() == LIMIT
    })
    .await;
    until_async("no surplus is known any more", async || {
        full.metric("wastegate_cluster_over_limit", "").await
            + empty.metric("wastegate_cluster_over_limit", "").await
            == 0.0
    })
    .await;
    assert_eq!(full.held().await + empty.held().await, LIMIT as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_or_secret_is_told_in_words() {
    let engine = Engine::start().await;
    let a = Node::with(&engine, "a", "").await;
    let stranger = "cluster.secret = \"a secret of another cluster\"";
    let stranger = Node::with(&engine, "stranger", stranger).await;
    a.sees_nodes(2).await;
    let nodes = &a.get("/v1/nodes").await["cluster"]["nodes"];
    for node in nodes.as_array().unwrap() {
        assert_eq!(node["other_secret"], node["name"] == "stranger", "{node}");
    }
    let says = async |node: &Node, words: &str| {
        let problems = node.get("/v1/status").await["problems"].to_string();
        assert!(problems.contains(words), "{problems}");
    };
    says(&a, "another `cluster.secret` than here is set on stranger").await;
    says(&stranger, "another `cluster.secret` than here is set on a").await;

    engine.does(&["CONFIG SET requirepass 1234"]).await;
    let late = Node::started(&engine, "late", "").await;
    until_async("the engine's words are there", async || {
        let nodes = late.get("/v1/nodes").await;
        nodes["cluster"]["engine_problem"]
            .as_str()
            .unwrap()
            .contains("NOAUTH")
    })
    .await;
    late.sees("away").await;
    says(&late, "the cluster's engine does not answer (").await;
    // It serves all the same, and joins once the password is gone.
    let _ann = late.enter("ann", "k0").await;
    engine
        .does(&["AUTH 1234", "CONFIG SET requirepass \"\""])
        .await;
    late.sees("up").await;
    assert_eq!(late.get("/v1/nodes").await["cluster"]["engine_problem"], "");
}
