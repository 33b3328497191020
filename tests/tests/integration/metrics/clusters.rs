//! Two gateways that share one engine, for the metrics of a cluster.

use std::time::Duration;

use wastegate_cli::config::ProgramConfig;
use wastegate_core::types::Secret;
use wastegate_tests::harness::{Server, Setup, until_async};

use super::movement::Seen;
use crate::cluster::Engine;

/// Makes a node of that name of it.
pub(super) fn node_of(config: &mut ProgramConfig, engine: &str, name: &str) {
    config.cluster.engine = Secret::new(engine.to_owned());
    config.cluster.secret = Secret::new("the secret of these tests");
    name.clone_into(&mut config.cluster.node);
    config.cluster.dead_after = Duration::from_secs(3);
    config.cluster.budget = Duration::from_secs(1);
}

async fn node(engine: &Engine, name: &str) -> Server {
    let setup = Setup::new().limit(2);
    let server = setup
        .with(|config| {
            node_of(config, &engine.address(), name);
            config.cleanup.force_per_user_max = 20;
        })
        .start()
        .await;
    sees(&server, "up").await;
    server
}

async fn sees(server: &Server, word: &str) {
    until_async(format!("the engine is {word}"), async || {
        server.get("/readyz").await.json()["cluster"] == word
    })
    .await;
}

async fn has(server: &Server, sample: &str) {
    until_async(format!("{sample} is there"), async || {
        server.get("/metrics").await.body.contains(sample)
    })
    .await;
}

/// A manager that was pinned a moment ago is chosen and kept, a surplus leaves, and the engine goes and comes back.
pub(super) async fn sharing(seen: &mut Seen) {
    let mut engine = Engine::start().await;
    let one = node(&engine, "one").await;
    has(&one, "wastegate_cluster_nodes 1").await;
    seen.look(&one).await;
    let two = node(&engine, "two").await;
    for server in [&one, &two] {
        has(server, "wastegate_cluster_nodes 2").await;
        seen.look(server).await;
    }
    let _idle = one.enter("ann", "k0").await;
    let mut ann = one.enter("ann", "k1").await;
    // As they came and as they were attached; or again soon, because their user is at the limit.
    let published = "wastegate_cluster_calls_total{call=\"publish\",outcome=\"ok\"} ";
    until_async("ann is published", async || {
        value(&one, published).await >= 3.0
    })
    .await;
    ann.echo("not the idlest").await;
    // Not published yet as the other node chooses: that takes up to five seconds.
    let pin = serde_json::json!({ "for_ms": 60_000 });
    let pinned = one.post("/v1/users/ann/managers/k0/pin", &pin).await;
    assert_eq!(pinned.status, 200, "{}", pinned.body);
    let _newcomer = two.enter("ann", "k2").await;
    has(&two, "wastegate_cluster_spared_total 1").await;
    has(&one, "wastegate_cluster_over_limit 1").await;
    has(&one, "wastegate_cluster_news_total{news=\"forced\"} 1").await;
    for server in [&one, &two] {
        seen.look(server).await;
    }
    engine.kill();
    sees(&one, "away").await;
    let _bob = one.enter("bob", "k0").await;
    seen.look(&one).await;
    let before = value(&one, "wastegate_cluster_reassertions_total ").await;
    engine.start_again().await;
    sees(&one, "up").await;
    until_async("bob is asserted", async || {
        value(&one, "wastegate_cluster_reassertions_total ").await > before
    })
    .await;
    seen.look(&one).await;
}

/// The value of a sample.
async fn value(server: &Server, sample: &str) -> f64 {
    let text = server.get("/metrics").await.body;
    let mut values = text.lines().filter_map(|line| line.strip_prefix(sample));
    values.next().map_or(0.0, |value| value.parse().unwrap())
}
