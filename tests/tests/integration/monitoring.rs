//! What operators see: numbers that follow what is there and what was done.

use futures_util::future::join_all;
use serde_json::json;
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

/// Operators pin: nothing evicts what is pinned, and what is not there cannot be pinned.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_that_an_operator_pinned_is_kept_even_by_force() {
    let server = Setup::new().limit(2).start().await;
    let mut client = server.enter("ann", "k").await;
    let mut other = server.enter("ann", "other").await;
    let minute = json!({ "for_ms": 60_000 });
    let pinned = server.post("/v1/users/ann/managers/k/pin", &minute).await;
    assert_eq!(
        (pinned.status, pinned.json()),
        (200, json!({ "pinned": true }))
    );
    let third = server.enter("ann", "third").await;
    assert_eq!(other.closed().await, 4_501);
    client.echo("still here").await;
    // The last slot that could be made free is never pinned, so no user is locked out by pins.
    let all = "/v1/users/ann/managers/third/pin";
    let spent = server.post(all, &minute).await;
    assert_eq!(spent.status, 409);
    assert!(
        spent.body.contains("one fewer than its limit"),
        "{}",
        spent.body
    );
    let one = json!({ "managers": 1, "reason": "a smaller plan" });
    assert_eq!(server.put("/v1/users/ann/limit", &one).await.status, 200);
    let _fourth = server.enter("ann", "fourth").await;
    assert_eq!(server.held("ann"), 1);
    drop(third);
    let nobody = server
        .post("/v1/users/ann/managers/none/pin", &minute)
        .await;
    assert_eq!(nobody.status, 404);
}
