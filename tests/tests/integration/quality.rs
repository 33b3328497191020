//! Was it right? `GET /v1/quality` on real sockets: who was alive, who came back, who could not get in.

use std::time::Duration;

use serde_json::Value;
use wastegate_core::types::SplitMix64;
use wastegate_tests::harness::{Server, Setup, until_async};

async fn of_policy(server: &Server, name: &str) -> Value {
    let report = server.get("/v1/quality").await.json();
    let policies = report["since_start"]["policies"]
        .as_array()
        .unwrap()
        .clone();
    let mut known = policies.into_iter();
    known
        .find(|one| one["policy"]["name"] == name)
        .unwrap_or_default()
}

/// One of four fell silent and goes first; then one that answers has to, and its user comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_the_live_and_those_who_come_back_are_told_apart() {
    let server = Setup::new()
        .limit(4)
        .policy("lru")
        .short_goodbyes()
        .start()
        .await;
    let mut clients = server.fill("ann", 4).await;
    clients[2].silence().await;
    clients.push(server.enter("ann", "fifth").await);
    until_async("the silent one to be known as dead", async || {
        let lru = of_policy(&server, "lru").await;
        (lru["live_kills"]["hits"] == 0) && (lru["live_kills"]["of"] == 1)
    })
    .await;
    clients.push(server.enter("ann", "sixth").await);
    until_async("a live one to be known as such", async || {
        of_policy(&server, "lru").await["live_kills"]["hits"] == 1
    })
    .await;
    let lru = of_policy(&server, "lru").await;
    assert_eq!(lru["evictions"], 2, "{lru}");
    assert_eq!(lru["zombie_precision"]["hits"], 1, "{lru}");
    assert_eq!(lru["zombie_precision"]["of"], 1, "{lru}");
    let regret = |lru: &Value, at: &str| {
        let one = &lru["regret"][at];
        (one["rate"]["hits"].clone(), one["pending"].clone())
    };
    assert_eq!(regret(&lru, "1h"), (0.into(), 2.into()), "{lru}");
    assert_eq!(lru["regret"]["1h"]["at_most"], 1.0);

    // The live victim's user wants it back, and another has to go for it.
    let held = server.keys("ann");
    let first = clients[..4].iter().map(|client| client.key.clone());
    let silent = clients[2].key.clone();
    let gone: Vec<String> = first
        .filter(|key| *key != silent && !held.contains(key))
        .collect();
    assert_eq!(gone.len(), 1, "{gone:?}");
    clients.push(server.enter("ann", &gone[0]).await);
    let lru = of_policy(&server, "lru").await;
    // It is back at once, and counts in a rate when ten seconds are over for all who went with it.
    assert_eq!(regret(&lru, "10s").0, 0, "{lru}");
    for within in ["10s", "24h"] {
        let least = lru["regret"][within]["at_least"].as_f64().unwrap();
        assert!((least - 1.0 / 3.0).abs() < 1e-9, "{lru}");
    }
    assert_eq!(regret(&lru, "24h"), (0.into(), 2.into()), "{lru}");
    let report = server.get("/v1/quality").await.json();
    let admissions = &report["since_start"]["admissions"];
    assert_eq!(admissions["blocked"]["hits"], 0);
    assert_eq!(admissions["blocked"]["of"], 7, "{admissions}");
    assert!(admissions["triggered_p99_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(report["since_start"]["fairness"]["users"], 1);
    assert!(report["definitions"]["live_kills"].is_string());
    assert!(
        server
            .metric("wastegate_quality_victims_total{victim=\"alive\"}")
            .await
            >= 1.0
    );
    let within = "wastegate_quality_returns_total{within=\"10s\"}";
    assert_eq!(server.metric(within).await, 1.0);
}

/// Who is refused is blocked, and a refused return is a return all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blocked_are_counted_by_user() {
    let server = Setup::new().limit(2).without_force().start().await;
    let _clients = server.fill("ann", 2).await;
    for key in ["x", "y"] {
        server.refused("ann", key).await;
    }
    let report = server.get("/v1/quality").await.json();
    let admissions = &report["since_start"]["admissions"];
    assert_eq!(admissions["blocked"]["hits"], 2, "{report}");
    assert_eq!(admissions["blocked"]["of"], 4, "{report}");
    assert_eq!(admissions["blocked_users"], 1, "{report}");
    assert_eq!(server.metric("wastegate_quality_blocked_total").await, 2.0);
}

/// Nobody has to be evicted to be known as dead: two of five fell silent, one of which was noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dead_who_stayed_are_found_by_asking_a_sample() {
    let server = Setup::new()
        .limit(5)
        .with(|config| {
            config.health.audit_per_hour = 1.0;
            config.health.audit_deadline = Duration::from_millis(500);
            config.health.probe_deadline = Duration::from_millis(300);
        })
        .start()
        .await;
    let clients = server.fill("ann", 4).await;
    clients[1].silence().await;
    let mut lots = SplitMix64::new(1);
    let audit = async || {
        let report = server.get("/v1/quality").await.json();
        report["since_start"]["audit"].clone()
    };
    assert_eq!(audit().await["dead"]["of"], 0);
    server
        .auditor
        .once(&mut lots, Duration::from_secs(3_600))
        .await;
    let found = audit().await;
    assert_eq!(
        (&found["dead"]["hits"], &found["dead"]["of"]),
        (&1.into(), &4.into()),
        "{found}"
    );
    assert_eq!(found["suspected"]["hits"], 0, "nobody had noticed: {found}");
    assert_eq!(found["zombie_recall"], 0.0, "{found}");

    // What was found is evidence: whoever is asked again was suspected before.
    clients[2].silence().await;
    server
        .auditor
        .once(&mut lots, Duration::from_secs(3_600))
        .await;
    let found = audit().await;
    assert_eq!(
        (&found["dead"]["hits"], &found["dead"]["of"]),
        (&3.into(), &8.into()),
        "{found}"
    );
    assert_eq!(found["suspected"]["hits"], 1, "{found}");
    assert_eq!(found["wronged"]["hits"], 0, "{found}");
    assert_eq!(server.held("ann"), 4, "asking evicts nobody");
    let dead = server
        .metric("wastegate_quality_audited_total{victim=\"dead\"}")
        .await;
    assert!((dead - 3.0).abs() < f64::EPSILON, "{dead}");
}
