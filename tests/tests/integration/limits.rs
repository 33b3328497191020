//! Limits: who gets in, who is told what, and what is left alone.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use wastegate_core::types::Tier;
use wastegate_tests::harness::{BUDGET, Client, Server, Setup, until, until_async};

/// Everybody in a list answers, and so was left alone.
async fn untouched(clients: &mut [Client]) {
    join_all(clients.iter_mut().map(|client| client.echo("still there"))).await;
}

/// L1, L3: nothing may be evicted, so the next one is refused at once, and told all there is to
/// know; those who are there notice nothing.
async fn refused_at(limit: u32) {
    let server = Setup::new().limit(limit).without_force().start().await;
    let mut clients = server.fill("ann", limit as usize).await;
    let refusal = server.refused("ann", "one-more").await;
    assert!(refusal.took < BUDGET, "{:?}", refusal.took);
    assert_eq!(refusal.reply.status, 429);
    assert_eq!(refusal.reply.header("retry-after"), Some("5"));
    let tier = |tier: &str| json!({ "tier": tier, "eligible": 0, "freed": 0, "fault": false });
    let told = json!({
        "error": "user-limit", "user": "ann", "limit": limit, "held": limit,
        "message": format!("this user holds {limit} of {limit}, and none of them can go"),
        "retry_after_ms": 5_000,
        "tiers": [tier("conservative"), tier("moderate"), tier("aggressive")],
    });
    assert_eq!(refusal.json(), told);
    untouched(&mut clients).await;
    let stats = server.stats().await;
    assert_eq!(stats["limit_hits"], 1);
    assert_eq!(stats["limits"]["managers_per_user"], limit);
    assert_eq!(server.held("ann"), limit);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l1_twenty_busy_managers_are_not_touched_for_a_twenty_first() {
    refused_at(20).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_the_limit_is_the_configured_one() {
    for limit in [2, 3, 5, 8] {
        refused_at(limit).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l2_what_clients_close_is_free_at_once() {
    let server = Setup::new().without_force().start().await;
    let mut clients = server.fill("ann", 20).await;
    server.refused("ann", "one-more").await;
    join_all(clients.drain(..5).map(Client::leave)).await;
    server.holds("ann", 15).await;
    let mut more = join_all(["a", "b", "c"].map(|key| server.enter("ann", key))).await;
    assert_eq!(server.held("ann"), 18);
    untouched(&mut more).await;
    untouched(&mut clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l4_a_second_socket_of_a_thread_joins_its_manager() {
    let server = Setup::new().limit(1).start().await;
    let mut one = server.enter("ann", "a").await;
    let mut two = server.enter("ann", "a").await;
    assert_eq!(server.held("ann"), 1);
    assert_eq!(
        two.ask("/who").await,
        "user ann manager a with 2 connection(s)"
    );
    one.echo("still there").await;
    let stats = server.stats().await;
    assert_eq!(
        (&stats["managers"], &stats["connections"]),
        (&1.into(), &2.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l8_responsive_managers_are_kept_whatever_the_proactive_threshold() {
    let server = Setup::new()
        .proactive(0.1, Duration::from_millis(20))
        .start()
        .await;
    let mut clients = server.fill("ann", 12).await;
    clients.push(server.enter("ann", "thirteenth").await);
    let mut events = server.events();
    for _ in 0..5 {
        let (run, _) = events.tier().await;
        assert_eq!((run.tier, run.eligible, run.freed), (Tier::Proactive, 0, 0));
    }
    assert_eq!(server.held("ann"), 13);
    untouched(&mut clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l9_dead_peers_leave_in_the_background_from_sixty_percent_on() {
    // Passes run when somebody enters; by the clock only once in an hour.
    let server = Setup::new()
        .impatient()
        .proactive(0.6, Duration::from_secs(3_600))
        .start()
        .await;
    let mut clients = server.fill("ann", 12).await;
    let dead = clients.split_off(6);
    join_all(dead.iter().map(Client::silence)).await;
    until_async("six to be found dead", async || {
        server.count_of("dead").await == 6
    })
    .await;
    assert_eq!(server.held("ann"), 12, "nobody looked yet");
    clients.push(server.enter("ann", "thirteenth").await);
    server.holds("ann", 7).await;
    untouched(&mut clients).await;
}

/// Attempts within a minute, and the one that is too much.
async fn knock(server: &Server, times: usize) -> Vec<Client> {
    let mut clients = Vec::new();
    for number in 0..times {
        clients.push(server.enter("ann", &format!("k{number}")).await);
    }
    clients
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l12_the_eleventh_attempt_in_a_minute_waits() {
    let server = Setup::new()
        .with(|config| config.admission.rate_max = 10)
        .start()
        .await;
    let mut clients = knock(&server, 10).await;
    let refusal = server.refused("ann", "k11").await;
    assert_eq!(refusal.kind(), (429, "rate-limited".to_owned()));
    let seconds: u64 = refusal
        .reply
        .header("retry-after")
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    clients.push(server.enter("bob", "k1").await);
    untouched(&mut clients).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l13_the_nodes_limit_is_another_refusal_than_the_users() {
    let server = Setup::new()
        .limit(3)
        .without_force()
        .with(|config| config.limits.managers_total = 5)
        .start()
        .await;
    let mut clients = server.fill("ann", 3).await;
    clients.extend(server.fill("bob", 2).await);
    let of_user = server.refused("ann", "k4").await;
    assert_eq!(of_user.kind(), (429, "user-limit".to_owned()));
    let of_node = server.refused("cid", "k1").await;
    assert_eq!(of_node.kind(), (503, "node-limit".to_owned()));
    let told = of_node.json();
    assert_eq!((&told["limit"], &told["held"]), (&5.into(), &5.into()));
    assert!(of_node.reply.header("retry-after").is_some());
    assert!(of_node.took < BUDGET);
    untouched(&mut clients).await;
}

/// Promise 1, with the slots that a user gets for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn temporary_slots_open_once_and_their_surplus_leaves_with_a_reason() {
    let server = Setup::new()
        .limit(2)
        .without_force()
        .short_goodbyes()
        .with(|config| {
            config.limits.temporary_slots = 1;
            config.limits.temporary_slots_for = Duration::from_secs(1);
        })
        .start()
        .await;
    let mut clients = server.fill("ann", 2).await;
    let mut guest = server.enter("ann", "guest").await;
    assert_eq!(server.held("ann"), 3);
    assert_eq!(server.refused("ann", "k4").await.kind().0, 429);
    server.holds("ann", 2).await;
    until("the surplus to be told", || {
        !guest.is_open() || clients.iter().any(|client| !client.is_open())
    })
    .await;
    clients.push(guest);
    let gone = clients.iter().position(|client| !client.is_open()).unwrap();
    let mut gone = clients.swap_remove(gone);
    assert_eq!(gone.closed().await, 4502);
    untouched(&mut clients).await;
    // The cool-down has begun.
    let refusal = server.refused("ann", "again").await;
    assert!(refusal.json()["retry_after_ms"].as_u64().unwrap() > 500_000);
    guest = clients.pop().unwrap();
    guest.echo("still there").await;
}
