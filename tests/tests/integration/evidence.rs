//! What is believed of a manager as time passes, and that only what is there is counted.

use std::time::Duration;

use wastegate_tests::harness::{Server, Setup, until, until_async};

/// One manager as operators see it; null if it is gone.
async fn view(server: &Server, key: &str) -> serde_json::Value {
    let user = server.get("/v1/users/ann").await.json();
    let managers = user["managers"].as_array().unwrap();
    managers
        .iter()
        .find(|manager| manager["key"] == key)
        .cloned()
        .unwrap_or_default()
}

async fn becomes(server: &Server, key: &str, field: &str, value: &str) {
    until_async(format!("{key} to have {field} {value}"), async || {
        view(server, key).await[field] == value
    })
    .await;
}

/// Z2: left by its client, a manager is detached, then expired, then gone; with the times shortened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z2_silence_without_connections_is_detached_then_expired() {
    let grace = Duration::from_millis(1_500);
    let server = Setup::new()
        .with(|config| config.manager.reconnect_grace = grace)
        .start()
        .await;
    let mut stays = server.enter("ann", "stays").await;
    server.enter("ann", "left").await.vanish().await;
    becomes(&server, "left", "class", "detached").await;
    let manager = server.manager("ann", "left").unwrap();
    becomes(&server, "left", "class", "expired").await;
    assert!(server.now().since(manager.detached_since().unwrap()) >= grace);
    server.cleaner.sweep().await;
    assert!(view(&server, "left").await.is_null());
    assert_eq!(view(&server, "stays").await["class"], "responsive");
    stays.echo("here").await;
}

/// Z3: there is nothing that could disagree. Sockets are counted where they are, managers in the
/// registry, and the limit goes by that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z3_what_is_there_is_what_counts() {
    let server = Setup::new().limit(3).without_force().start().await;
    let _three = [
        server.enter("ann", "three").await,
        server.enter("ann", "three").await,
        server.enter("ann", "three").await,
    ];
    server.enter("ann", "none").await.vanish().await;
    becomes(&server, "none", "standing", "detached").await;
    let signals = |key: &'static str| {
        let server = &server;
        async move { view(server, key).await["signals"]["connections"].as_f64() }
    };
    assert_eq!(
        (signals("three").await, signals("none").await),
        (Some(3.0), Some(0.0))
    );
    let stats = server.stats().await;
    assert_eq!(
        (&stats["managers"], &stats["connections"]),
        (&2.into(), &3.into())
    );
    let _last = server.enter("ann", "last").await;
    assert_eq!(
        server
            .registry
            .held(&wastegate_core::types::UserId::new("ann").unwrap()),
        3
    );
    assert_eq!(
        server.keys("ann"),
        ["last", "none", "three"],
        "the third place was free"
    );
}

/// Z14: two misses make a peer suspect and four half-open, whatever the clock says by then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z14_missed_heartbeats_make_suspect_then_half_open() {
    let server = Setup::new()
        .impatient()
        .with(|config| config.health.dead_after = Duration::from_secs(3_600))
        .start()
        .await;
    let mut answers = server.enter("ann", "answers").await;
    let silent = server.enter("ann", "silent").await;
    let port = server.manager("ann", "silent").unwrap().ports().remove(0);
    silent.silence().await;
    becomes(&server, "silent", "health", "suspect").await;
    assert!(
        (2..4).contains(&port.vitals.missed()),
        "{}",
        port.vitals.missed()
    );
    becomes(&server, "silent", "health", "half-open").await;
    assert!(port.vitals.missed() >= 4);
    assert_eq!(view(&server, "answers").await["health"], "alive");
    answers.echo("here").await;
    // One byte clears every doubt.
    silent.wake().await;
    becomes(&server, "silent", "health", "alive").await;
}

/// Z14: round trips from the thresholds on are degraded, and poor; the thresholds are configured.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn z14_slow_answers_are_degraded_and_poor_by_configured_thresholds() {
    let never = Duration::from_secs(60);
    for (degraded, poor, link) in [
        (never / 2, never, "good"),
        (Duration::ZERO, never, "degraded"),
        (Duration::ZERO, Duration::from_nanos(1), "poor"),
    ] {
        let server = Setup::new()
            .impatient()
            .with(|config| (config.health.degraded_rtt, config.health.poor_rtt) = (degraded, poor))
            .start()
            .await;
        let _client = server.enter("ann", "k").await;
        let port = server.manager("ann", "k").unwrap().ports().remove(0);
        until("a round trip", || port.vitals.rtt_ms().is_some()).await;
        assert_eq!(server.stats().await["links"][link], 1);
    }
}
