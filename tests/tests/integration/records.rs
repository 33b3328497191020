//! What is written down of every eviction, that looking leaves no trace, and that a worker that stops
//! is seen.

use serde_json::{Value, json};
use wastegate_tests::harness::{Server, Setup, until, until_async};

/// What one record says of its victims: tier, class, reason, facts and end of each.
fn explained(record: &Value) -> usize {
    let victims = record["victims"].as_array().unwrap();
    for victim in victims {
        let row = &record["rows"][usize::try_from(victim["row"].as_u64().unwrap()).unwrap()];
        assert_eq!(row["manager"], victim["manager"], "{record}");
        assert_eq!(row["class"], victim["class"], "{record}");
        assert!(
            record["tier"].is_string() && record["seed"].is_u64(),
            "{record}"
        );
        assert!(!victim["reason"].as_str().unwrap().is_empty(), "{record}");
        let signals = record["signals"].as_array().unwrap().len();
        assert_eq!(row["values"].as_array().unwrap().len(), signals, "{record}");
        assert!(
            signals > 0 && record["fuel"].as_u64().unwrap() > 0,
            "a policy saw facts: {record}"
        );
        let result = victim["result"].as_str().unwrap();
        assert!(
            ["released", "echoed", "gone", "aborted", "undecided"].contains(&result),
            "{record}"
        );
    }
    victims.len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m10_every_eviction_is_explained_in_the_journal() {
    let server = Setup::new()
        .limit(4)
        .short_goodbyes()
        .journal()
        .start()
        .await;
    let mut clients = server.fill("ann", 4).await;
    clients.remove(0).vanish().await;
    let manager = server.manager("ann", "k1").unwrap();
    until("k1 to be left", || manager.ports().is_empty()).await;
    clients[0].silence().await;
    let mut events = server.events();
    let mut told = Vec::new();
    for key in ["by-moderate", "by-aggressive", "by-force"] {
        clients.push(server.enter("ann", key).await);
        told.push(events.decided().await);
    }
    let tiers: Vec<&str> = told
        .iter()
        .map(|decided| decided.question.tier.name())
        .collect();
    assert_eq!(tiers, ["moderate", "aggressive", "force"]);
    let evicted: usize = told
        .iter()
        .map(|decided| decided.plan.victims().len())
        .sum();
    let records = server.stop().await.decisions;
    assert_eq!(records.iter().map(explained).sum::<usize>(), evicted);
    let text = serde_json::to_string(&records).unwrap();
    for name in ["ann", "k1", "by-force"] {
        assert!(
            !text.contains(&format!("\"{name}\"")),
            "a client's own name is in the journal"
        );
    }
}

/// Everything of a user's managers that reading could change.
fn dump(server: &Server) -> String {
    let user = wastegate_core::types::UserId::new("ann").unwrap();
    let mut managers = server.registry.of(&user);
    managers.sort_by(|a, b| a.key.cmp(&b.key));
    let lines = managers.iter().map(|manager| {
        let ports = manager.ports();
        let vitals = ports.iter().map(|port| {
            (
                port.vitals.received_at(),
                port.vitals.bytes(),
                port.vitals.missed(),
                port.outbox.queued(),
            )
        });
        let vitals: Vec<_> = vitals.collect();
        let (activity, standing) = (manager.activity(), manager.standing(server.now()));
        let (hints, totals) = (manager.hints.visible(), manager.totals());
        format!(
            "{:?} {activity:?} {standing:?} {hints:?} {totals:?} {vitals:?}\n",
            manager.id
        )
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m11_reading_changes_nothing() {
    let server = Setup::new().start().await;
    let mut clients = server.fill("ann", 5).await;
    clients.remove(0).vanish().await;
    let manager = server.manager("ann", "k1").unwrap();
    until("k1 to be left", || manager.ports().is_empty()).await;
    let before = dump(&server);
    for _ in 0..20 {
        for path in [
            "/v1/stats",
            "/v1/status",
            "/v1/nodes",
            "/v1/limits",
            "/v1/openapi.json",
            "/v1/users/ann",
            "/v1/users/nobody",
            "/metrics",
            "/healthz",
            "/readyz",
        ] {
            assert_eq!(server.get(path).await.status, 200, "{path}");
        }
    }
    assert_eq!(dump(&server), before);
    assert_eq!(
        server.registry.users().len(),
        1,
        "asking about nobody made nobody"
    );
    clients[0].echo("moves the stamp").await;
    assert_ne!(dump(&server), before, "the dump sees what matters");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m12_a_worker_that_stops_shows_in_the_health_at_once() {
    let server = Setup::new().start().await;
    let health = server.get("/healthz").await;
    assert_eq!((health.status, &health.json()["ok"]), (200, &json!(true)));
    server.supervisor.run(&server.tasks, "doomed", || async {
        panic!("as it was told to")
    });
    until("it to be down", || {
        server.supervisor.down().contains(&"doomed")
    })
    .await;
    // Down for 100 ms at a time, and again at once, so a look sees it soon.
    until_async("the health to say so", async || {
        let health = server.get("/healthz").await;
        health.status == 503 && health.json()["workers_down"] == json!(["doomed"])
    })
    .await;
    assert!(
        server.get("/healthz").await.json()["worker_restarts"]
            .as_u64()
            .unwrap()
            > 0
    );
}
