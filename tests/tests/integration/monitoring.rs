//! What operators see: numbers that follow what is there, explanations for what was done, and no
//! trace of having looked.

use futures_util::future::join_all;
use serde_json::{Value, json};
use wastegate_tests::harness::{Client, Server, Setup, until, until_async};

async fn stats_are(server: &Server, managers: u32, users: usize, connections: u32) {
    let expected = json!([managers, users, connections]);
    until_async(format!("stats of {expected}"), async || {
        let stats = server.stats().await;
        json!([stats["managers"], stats["users"], stats["connections"]]) == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m1_stats_follow_what_is_there() {
    let server = Setup::new().start().await;
    let places: Vec<(String, String)> = (0..3)
        .flat_map(|user| (0..2).map(move |key| (format!("u{user}"), format!("k{key}"))))
        .collect();
    let sockets = places
        .iter()
        .flat_map(|place| std::iter::repeat_n(place, 3));
    let mut clients = join_all(sockets.map(|(user, key)| server.enter(user, key))).await;
    let stats = server.stats().await;
    assert_eq!(
        (&stats["created"], &stats["managers"]),
        (&6.into(), &6.into())
    );
    assert_eq!(
        (&stats["users"], &stats["connections"]),
        (&3.into(), &18.into())
    );
    let user = server.get("/v1/users/u0").await.json();
    for manager in user["managers"].as_array().unwrap() {
        assert_eq!(manager["signals"]["connections"], 3.0);
    }
    let half = clients.split_off(9);
    join_all(half.into_iter().map(Client::leave)).await;
    stats_are(&server, 3, 2, 9).await;
    join_all(clients.into_iter().map(Client::leave)).await;
    stats_are(&server, 0, 0, 0).await;
    assert_eq!(server.stats().await["created"], 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m2_three_users_at_their_limits_are_counted_exactly() {
    let server = Setup::new().limit(4).start().await;
    let _clients = join_all(["ann", "bob", "cid"].map(|user| server.fill(user, 4))).await;
    let stats = server.stats().await;
    assert_eq!(
        (&stats["created"], &stats["managers"]),
        (&12.into(), &12.into())
    );
    let at_limit = json!({ "managers": 4, "limit": 4, "pressure": "emergency" });
    let expected = json!({ "ann": at_limit, "bob": at_limit, "cid": at_limit });
    assert_eq!(stats["per_user"], expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m3_an_eviction_by_an_operator_shows_in_the_same_snapshot() {
    let server = Setup::new().start().await;
    let mut clients = server.fill("ann", 6).await;
    for number in 1..=4 {
        let path = format!("/v1/users/ann/managers/k{number}/evict");
        assert_eq!(server.post(&path, &json!({})).await.json()["evicted"], true);
        let (stats, left) = (server.stats().await, 6 - number);
        assert_eq!(stats["managers"], left);
        assert_eq!(stats["per_user"]["ann"]["managers"], left);
    }
    for client in clients.iter_mut().take(4) {
        assert_eq!(client.closed().await, 4003);
    }
    join_all(clients.iter_mut().skip(4).map(|client| client.echo("here"))).await;
}

/// M5: runs, evictions by class and end, durations; what still answered is counted apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m5_every_tier_counts_what_it_did() {
    let server = Setup::new().limit(3).short_goodbyes().start().await;
    let mut clients = server.fill("ann", 3).await;
    clients.remove(0).vanish().await;
    let manager = server.manager("ann", "k1").unwrap();
    until("k1 to be left", || manager.ports().is_empty()).await;
    clients.push(server.enter("ann", "by-moderate").await);
    clients.push(server.enter("ann", "by-force").await);
    let evictions = |tier: &str, class: &str, outcome: &str, peer: &str| {
        format!(
            r#"wastegate_cleanup_evictions_total{{tier="{tier}",class="{class}",outcome="{outcome}",peer="{peer}"}}"#
        )
    };
    let forced = evictions("force", "responsive", "echoed", "alive");
    until_async("the forced one to be counted", async || {
        server.metric(&forced).await == 1.0
    })
    .await;
    let expected = [
        (evictions("moderate", "detached", "released", "dead"), 1.0),
        ("wastegate_cleanup_forced_responsive_total".to_owned(), 1.0),
        (
            r#"wastegate_cleanup_tier_runs_total{tier="conservative",result="empty"}"#.to_owned(),
            2.0,
        ),
        (
            r#"wastegate_cleanup_tier_runs_total{tier="moderate",result="freed"}"#.to_owned(),
            1.0,
        ),
        (
            r#"wastegate_cleanup_tier_runs_total{tier="force",result="freed"}"#.to_owned(),
            1.0,
        ),
        (
            r#"wastegate_cleanup_freed_total{tier="force"}"#.to_owned(),
            1.0,
        ),
        (
            r#"wastegate_cleanup_tier_duration_seconds_count{tier="force"}"#.to_owned(),
            1.0,
        ),
        (
            r#"wastegate_admission_outcomes_total{outcome="admitted-by-cleanup"}"#.to_owned(),
            2.0,
        ),
    ];
    for (series, value) in expected {
        assert_eq!(server.metric(&series).await, value, "{series}");
    }
}

/// M6, M7: what operators need is there, and a user's pressure has its level.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn m6_m7_the_fields_are_there_and_pressure_has_levels() {
    let server = Setup::new().limit(10).start().await;
    let mut events = server.events();
    let mut clients = Vec::new();
    for number in 0..10 {
        clients.push(server.enter("ann", &format!("k{number}")).await);
    }
    let changes = events.so_far().pressure;
    let changes: Vec<(&str, u32)> = changes
        .iter()
        .map(|change| (change.change.to.name(), change.held))
        .collect();
    assert_eq!(
        changes,
        [
            ("info", 4),
            ("warning", 6),
            ("critical", 8),
            ("emergency", 9)
        ]
    );
    let stats = server.stats().await;
    assert_eq!(stats["per_user"]["ann"]["pressure"], "emergency");
    for field in [
        "managers",
        "zombies",
        "bytes_in",
        "bytes_out",
        "connections",
        "oldest_age_ms",
    ] {
        assert!(stats[field].is_u64(), "{field} in {stats}");
    }
    for field in ["rss_bytes", "open_fds", "cpu_ms"] {
        assert!(stats["process"][field].is_u64(), "{field} in {stats}");
    }
}

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
            ["released", "echoed", "gone", "aborted"].contains(&result),
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
    let user = wastegate::types::UserId::new("ann").unwrap();
    let mut managers = server.registry.of(&user);
    managers.sort_by(|a, b| a.key.cmp(&b.key));
    let lines = managers.iter().map(|manager| {
        let ports = manager.ports();
        let vitals = ports.iter().map(|port| {
            (
                port.vitals.heard_at(),
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
