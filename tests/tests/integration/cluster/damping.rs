//! What slows a user's clients down on one node does so on all.

use wastegate_tests::harness::until_async;

use super::{Engine, LIMIT, Node};

/// Waits until the node has heard so many news of a kind.
async fn hears(node: &Node, news: &str, count: f64) {
    until_async(format!("{news} is heard"), async || {
        let labels = format!("news=\"{news}\"");
        node.metric("wastegate_cluster_news_total", &labels).await >= count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_displaced_displaces_nobody_on_another_node() {
    let engine = Engine::start().await;
    let settings = "cleanup.displaced_hold_ms = 60000";
    let (a, b) = Node::pair(&engine, settings).await;
    let mut clients = Vec::new();
    for number in 0..LIMIT {
        clients.push(a.enter("ann", &format!("k{number}")).await);
    }
    // One that answers goes for a newcomer, all on one node.
    let _newcomer = a.enter("ann", "new").await;
    until_async("one went for it", async || {
        clients.iter().any(|client| !client.is_open())
    })
    .await;
    let gone = clients.iter().find(|client| !client.is_open()).unwrap();
    hears(&b, "displaced", 1.0).await;
    let refusal = b.refused("ann", &gone.key).await;
    assert_eq!(refusal.kind().0, 429, "{refusal:?}");
    // Another newcomer may: it was not displaced.
    let _other = b.enter("ann", "other").await;
    assert_eq!(a.refused("ann", &gone.key).await.kind().0, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ration_of_force_is_one_for_all_nodes() {
    let engine = Engine::start().await;
    let settings = "cleanup.force_per_user_max = 2\ncleanup.force_window_ms = 600000";
    let (a, b) = Node::pair(&engine, settings).await;
    let mut clients = Vec::new();
    for number in 0..LIMIT {
        clients.push(a.enter("ann", &format!("k{number}")).await);
    }
    clients.push(a.enter("ann", "first").await);
    hears(&b, "forced", 1.0).await;
    clients.push(b.enter("ann", "second").await);
    hears(&a, "forced", 1.0).await;
    for node in [&a, &b] {
        assert_eq!(node.refused("ann", "third").await.kind().0, 429);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ban_on_one_node_holds_on_another() {
    let engine = Engine::start().await;
    let settings = "gateway.flap.lives_max = 3\nmanager.reconnect_grace_ms = 0";
    let (a, b) = Node::pair(&engine, settings).await;
    // The last life is counted right after its slot is free.
    until_async("a ban", async || {
        match a.dial("ann", "k0").device("d").connect().await {
            Ok(client) => {
                client.vanish().await;
                until_async("it is gone", async || a.held().await == 0).await;
                false
            }
            Err(refusal) => refusal.kind() == (429, "flapping".to_owned()),
        }
    })
    .await;
    hears(&b, "banned", 1.0).await;
    for node in [&a, &b] {
        let refused = node.dial("ann", "k0").device("d").connect().await;
        assert_eq!(refused.unwrap_err().kind(), (429, "flapping".to_owned()));
    }
    let _other = b.enter("ann", "k0").await;
}
