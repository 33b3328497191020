//! The engine away: frozen, killed, and back as another process.

use wastegate_tests::harness::{until, until_async};

use super::{Engine, LIMIT, Node};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_stay_while_the_engine_is_away_and_admissions_go_by_the_rule() {
    let mut engine = Engine::start().await;
    let (a, b) = (
        Node::with(&engine, "a", "").await,
        Node::with(&engine, "b", "").await,
    );
    let shut = Node::with(&engine, "shut", "cluster.away = \"closed\"").await;
    a.sees_nodes(3).await;
    let mut clients = vec![a.enter("ann", "k0").await, b.enter("ann", "k1").await];
    // What its managers are was published by both: each knows what the other holds.
    until_async("b has published after a", async || {
        b.metric(
            "wastegate_cluster_calls_total",
            "call=\"publish\",outcome=\"ok\"",
        )
        .await
            >= 1.0
    })
    .await;
    clients.push(b.enter("ann", "k2").await);

    engine.kill();
    for node in [&a, &b, &shut] {
        node.sees("away").await;
        let status = node.get("/v1/status").await;
        assert!(
            status["problems"]
                .to_string()
                .contains("engine does not answer")
        );
    }
    for client in &mut clients {
        client.echo("still here").await;
    }
    // `static`: a holds one and knew of no other; b holds two and knew of one, so it lets one more in.
    clients.push(b.enter("ann", "k3").await);
    // The next one is let in for one that goes here.
    clients.push(b.enter("ann", "k4").await);
    until_async("one went for it", async || b.held().await == 3).await;
    assert_eq!(
        shut.refused("bob", "k0").await.kind(),
        (503, "cluster-away".to_owned())
    );
    // Who joins a manager needs no count.
    b.enter("ann", "k4").await.echo("a second device").await;
    clients.push(a.enter("ann", "k5").await);

    engine.start_again().await;
    for node in [&a, &b, &shut] {
        node.sees("up").await;
    }
    until_async(
        "what lives is asserted, and the surplus has left",
        async || {
            let asserted = a.metric("wastegate_cluster_reassertions_total", "").await
                + b.metric("wastegate_cluster_reassertions_total", "").await;
            asserted >= 5.0 && a.held().await + b.held().await == LIMIT as u64
        },
    )
    .await;
    until("those that went have heard it, and no others", || {
        clients.iter().filter(|client| client.is_open()).count() == LIMIT
    })
    .await;
    let counted = b
        .metric(
            "wastegate_cluster_away_admissions_total",
            "admitted=\"yes\"",
        )
        .await;
    assert!(counted >= 1.0, "{counted}");
    let _bob = shut.enter("bob", "k0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_hangs_holds_no_admission_up_and_loses_nothing() {
    let engine = Engine::start().await;
    let (a, b) = (
        Node::gentle(&engine, "a").await,
        Node::gentle(&engine, "b").await,
    );
    a.sees_nodes(2).await;
    let mut clients = vec![a.enter("ann", "k0").await];
    engine.signal("STOP");
    a.sees("away").await;
    b.sees("away").await;
    for key in 1..LIMIT {
        clients.push(b.enter("ann", &format!("k{key}")).await);
    }
    let gone = clients.pop().unwrap();
    gone.leave().await;
    engine.signal("CONT");
    a.sees("up").await;
    b.sees("up").await;
    // Three are held: what was let in meanwhile is told, and what left meanwhile has left.
    until_async("what lives is asserted", async || {
        b.metric("wastegate_cluster_reassertions_total", "").await >= 2.0
    })
    .await;
    let _last = a.enter("ann", "last").await;
    for node in [&a, &b] {
        assert_eq!(node.refused("ann", "one-more").await.kind().0, 429);
    }
    for client in &mut clients {
        client.echo("still here").await;
    }
}
