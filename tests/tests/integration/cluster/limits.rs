//! One limit over nodes, and who goes for a newcomer.

use futures_util::future::join_all;
use wastegate_tests::harness::{until, until_async};

use super::{Engine, LIMIT, Node, enters};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_has_its_limit_on_all_nodes_together() {
    let engine = Engine::start().await;
    let nodes = join_all(["a", "b", "c"].map(|name| Node::gentle(&engine, name))).await;
    join_all(nodes.iter().map(|node| node.sees_nodes(3))).await;
    // Twelve at once, four on each node.
    let all = (0..12).map(|number| {
        let node = &nodes[number % 3];
        node.dial("ann", &format!("k{number}")).connect()
    });
    let (let_in, refused): (Vec<_>, Vec<_>) =
        join_all(all).await.into_iter().partition(Result::is_ok);
    assert_eq!((let_in.len(), refused.len()), (LIMIT, 12 - LIMIT));
    for refusal in refused {
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
        assert_eq!(
            (&refusal.json()["held"], &refusal.json()["limit"]),
            (&4.into(), &4.into())
        );
    }
    let held: u64 = join_all(nodes.iter().map(Node::held)).await.iter().sum();
    assert_eq!(held, LIMIT as u64);
    // Another user is not concerned, and the same manager on another node is not one more.
    let mut clients: Vec<_> = let_in.into_iter().map(Result::unwrap).collect();
    let _bob = nodes[0].enter("bob", "k0").await;
    let first = clients[0].key.clone();
    for node in &nodes {
        node.enter("ann", &first).await.echo("here").await;
    }
    // A place that becomes free on one node is free on every other.
    let gone = clients.pop().unwrap();
    gone.leave().await;
    for node in &nodes {
        super::enters(node, "ann", "late").await.leave().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_gone_elsewhere_goes_before_one_that_answers_here() {
    let engine = Engine::start().await;
    let (here, there) = Node::pair(&engine, "").await;
    let mut alive = Vec::new();
    for key in ["one", "two", "three"] {
        alive.push(here.enter("ann", key).await);
    }
    let lost = there.enter("ann", "lost").await;
    // As it came and as it was attached; or again soon, because its user is at the limit.
    published(&there, 2.0).await;
    let before = publications(&there).await;
    lost.vanish().await;
    published(&there, before + 1.0).await;
    let mut newcomer = here.enter("ann", "new").await;
    newcomer.echo("let in").await;
    for client in &mut alive {
        client.echo("still here").await;
    }
    until_async("the node that held it has let it go", async || {
        there.held().await == 0
    })
    .await;

    // What answers goes where nothing else is left: one of the others, which are all on the other node.
    alive.push(newcomer);
    let mut newer = there.enter("ann", "newer").await;
    newer.echo("let in").await;
    until_async("one went, and one only", async || {
        here.held().await + there.held().await == LIMIT as u64
    })
    .await;
    until("it has heard so", || {
        alive.iter().any(|client| !client.is_open())
    })
    .await;
    let mut gone: Vec<_> = alive.iter_mut().filter(|it| !it.is_open()).collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    assert_eq!(gone[0].closed().await, 4_501, "evicted while it answered");
    newer.echo("still here").await;
}

async fn publications(node: &Node) -> f64 {
    let publish = "call=\"publish\",outcome=\"ok\"";
    node.metric("wastegate_cluster_calls_total", publish).await
}

/// Waits until the node has published so often.
async fn published(node: &Node, count: f64) {
    until_async("it is published", async || {
        publications(node).await >= count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pins_on_several_nodes_lock_nobody_out() {
    let engine = Engine::start().await;
    let (a, b) = Node::pair(&engine, "").await;
    // Each node keeps to the budget of pins for what it holds; together they leave no slot.
    let mut clients = Vec::new();
    for number in 0..LIMIT {
        let (node, key) = ([&a, &b][number % 2], format!("k{number}"));
        clients.push(node.enter("ann", &key).await);
        let pin = ["pin", "ann", &key, "--for", "1h", "--reason", "a show"];
        node.verb(&pin).await;
    }
    let is_full = async || a.held().await + b.held().await == LIMIT as u64;
    for (number, node) in [&a, &b, &a].into_iter().enumerate() {
        let mut newcomer = enters(node, "ann", &format!("new{number}")).await;
        newcomer.echo("let in").await;
        until_async("one went for it", is_full).await;
        newcomer.echo("still here").await;
        clients.push(newcomer);
    }
    // One slot of the limit was without a pin from the first newcomer on, and no more than that.
    until("who went has heard it", || {
        clients.iter().filter(|it| it.is_open()).count() == LIMIT
    })
    .await;
    let pinned = clients.iter().take(LIMIT).filter(|it| it.is_open());
    assert_eq!(pinned.count(), LIMIT - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_is_asked_whether_peers_there_answer() {
    let engine = Engine::start().await;
    // No heartbeat finds the silent one within the test: only a probe can.
    let settings = "cleanup.last_tier = \"aggressive\"\nhealth.ping_interval_ms = 600000";
    let (here, there) = Node::pair(&engine, settings).await;
    let mut alive = Vec::new();
    for number in 1..LIMIT {
        alive.push(there.enter("ann", &format!("k{number}")).await);
    }
    let silent = there.enter("ann", "silent").await;
    // All answer, so nobody is let in for one of them.
    assert_eq!(here.refused("ann", "new").await.kind().0, 429);
    silent.silence().await;
    // Until it is published that it was attached, nothing may touch it.
    let mut newcomer = enters(&here, "ann", "new").await;
    newcomer.echo("let in").await;
    for client in &mut alive {
        client.echo("still here").await;
    }
    until_async("the silent one went, and no other", async || {
        there.held().await == LIMIT as u64 - 1
    })
    .await;
}
