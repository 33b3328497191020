//! Races: many at once, and things that break while others are under way.

use std::time::Duration;

use futures_util::future::join_all;
use wastegate::manager::SendError;
use wastegate_tests::harness::{Client, Refusal, Server, Setup, until};

/// So many connects at once, each of its own key; who got in and who did not.
async fn rush(server: &Server, user: &str, count: usize) -> (Vec<Client>, Vec<Refusal>) {
    let keys: Vec<String> = (1..=count).map(|number| format!("rush{number}")).collect();
    let (mut in_, mut out) = (Vec::new(), Vec::new());
    for answer in join_all(keys.iter().map(|key| server.dial(user, key).connect())).await {
        match answer {
            Ok(client) => in_.push(client),
            Err(refusal) => out.push(refusal),
        }
    }
    (in_, out)
}

/// What a rush may come to: `in_` of them get in, the others are told why, and, as nobody left,
/// the managers ever made are the most there were at any instant.
async fn comes_to(server: &Server, rush_of: usize, in_: usize, limit: u32) {
    let (mut clients, refusals) = rush(server, "ann", rush_of).await;
    assert_eq!((clients.len(), refusals.len()), (in_, rush_of - in_));
    for refusal in &refusals {
        assert_eq!(refusal.kind(), (429, "user-limit".to_owned()));
    }
    assert_eq!(server.held("ann"), limit);
    assert_eq!(
        server.registry.created().0,
        u64::from(limit),
        "never above the limit"
    );
    join_all(clients.iter_mut().map(|client| client.echo("in"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_five_connects_to_one_thread_make_one_manager() {
    let server = Setup::new().start().await;
    let mut clients = join_all((0..5).map(|_| server.enter("ann", "a"))).await;
    assert_eq!(server.held("ann"), 1);
    assert_eq!(server.registry.created().0, 1);
    assert_eq!(server.manager("ann", "a").unwrap().ports().len(), 5);
    join_all(clients.iter_mut().map(|client| async {
        client.say("/who").await;
        until("an answer", || !client.unread().is_empty()).await;
    }))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_one_place_is_taken_once() {
    let server = Setup::new().without_force().start().await;
    let mut clients = server.fill("ann", 19).await;
    comes_to(&server, 10, 1, 20).await;
    join_all(clients.iter_mut().map(|client| client.echo("untouched"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_two_places_are_taken_twice() {
    let server = Setup::new().limit(2).without_force().start().await;
    comes_to(&server, 5, 2, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r4_forty_at_once_never_hold_more_than_ten() {
    let server = Setup::new().limit(10).without_force().start().await;
    comes_to(&server, 40, 10, 10).await;
}

/// R2 with force: every one of the rush gets in, and the limit holds at every instant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r2_a_rush_at_the_limit_is_let_in_by_force_and_the_limit_holds() {
    let server = Setup::new().limit(5).short_goodbyes().start().await;
    let _clients = server.fill("ann", 5).await;
    let watched = server.registry.clone();
    let user = wastegate_core::types::UserId::new("ann").unwrap();
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let watch = tokio::task::spawn_blocking(move || {
        let mut most = 0;
        while stopped.try_recv().is_err() {
            most = most.max(watched.held(&user));
            std::thread::yield_now();
        }
        most
    });
    let (in_, refusals) = rush(&server, "ann", 5).await;
    stop.send(()).unwrap();
    assert_eq!(watch.await.unwrap(), 5);
    assert_eq!((in_.len(), refusals.len()), (5, 0), "{refusals:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_send_that_meets_an_eviction_ends() {
    let server = Setup::new()
        .short_goodbyes()
        .with(|config| config.connection.outbox_bytes_max = 64 << 20)
        .start()
        .await;
    let client = server
        .attach(server.dial("ann", "a").receive_buffer(4_096))
        .await;
    client.silence().await;
    client.say("/push 400 65536").await;
    let manager = server.manager("ann", "a").unwrap();
    let port = manager.ports().remove(0);
    until("a send to be under way", || port.outbox.queued().bytes > 0).await;
    let evicted = server
        .post("/v1/users/ann/managers/a/evict", &serde_json::json!({}))
        .await;
    assert_eq!(evicted.json()["evicted"], true);
    let message = wastegate::manager::Message::Text("too late".into());
    assert_eq!(
        manager.send(port.id, message.clone()),
        Err(SendError::Closed)
    );
    assert_eq!(manager.broadcast(&message, None), 0);
    until("its connection to end", || manager.ports().is_empty()).await;
    assert_eq!(server.held("ann"), 0);
    assert_eq!(port.outbox.queued().bytes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_broken_socket_does_not_keep_its_siblings_waiting() {
    let server = Setup::new().start().await;
    let mut sender = server.enter("ann", "a").await;
    let mut reader = server.enter("ann", "a").await;
    let broken = server.enter("ann", "a").await;
    broken.vanish().await;
    sender.echo("one").await;
    assert_eq!(reader.hear_text().await, "one");
    let manager = server.manager("ann", "a").unwrap();
    until("the broken one to leave", || manager.ports().len() == 2).await;
    sender.echo("two").await;
    assert_eq!(reader.hear_text().await, "two");
    assert_eq!(server.held("ann"), 1);
}

/// R7 with a sibling that does not read: it is closed for that, and nobody waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_slow_reader_is_closed_and_its_siblings_read_on() {
    let server = Setup::new()
        .short_goodbyes()
        .with(|config| {
            config.connection.message_bytes_max = 256 * 1_024;
            config.connection.outbox_bytes_max = 256 * 1_024;
        })
        .start()
        .await;
    let mut sender = server.enter("ann", "a").await;
    let mut reader = server.enter("ann", "a").await;
    let slow = server
        .attach(server.dial("ann", "a").receive_buffer(4_096))
        .await;
    slow.silence().await;
    let manager = server.manager("ann", "a").unwrap();
    let text = "x".repeat(60_000);
    let mut sent = 0;
    while manager.ports().len() == 3 {
        sender.echo(&text).await;
        assert_eq!(reader.hear_text().await, text);
        sent += 1;
        assert!(sent < 2_000, "the slow reader was never closed");
    }
    let closed = r#"wastegate_gateway_closed_total{reason="slow-consumer"}"#;
    wastegate_tests::harness::until_async("it to be counted", async || {
        server.metric(closed).await == 1.0
    })
    .await;
    sender.echo("after").await;
    assert_eq!(reader.hear_text().await, "after");
}

/// R7: slow is not broken. Whoever reads, however slowly, gets everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_reader_that_is_only_slow_gets_everything() {
    let server = Setup::new().start().await;
    let mut sender = server.enter("ann", "a").await;
    let dial = server.dial("ann", "a").receive_buffer(4_096);
    let mut slow = server.attach(dial).await;
    slow.read_every(Duration::from_millis(5)).await;
    let texts: Vec<String> = (0..100)
        .map(|number| format!("{number} {}", "x".repeat(4_000)))
        .collect();
    for text in &texts {
        sender.echo(text).await;
    }
    for text in &texts {
        assert_eq!(slow.hear_text().await, *text);
    }
    assert!(slow.is_open());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r14_tabs_that_are_closed_are_gone_after_the_grace() {
    let server = Setup::new()
        .with(|config| {
            config.manager.reconnect_grace = Duration::from_millis(100);
            config.cleanup.sweep_interval = Duration::from_millis(50);
        })
        .start()
        .await;
    let keys: Vec<String> = (1..=8).map(|number| format!("tab{number}")).collect();
    let mut clients = join_all(keys.iter().map(|key| server.enter("ann", key))).await;
    join_all(clients.drain(..4).map(Client::vanish)).await;
    server.holds("ann", 4).await;
    assert_eq!(server.registry.created().0, 8);
    join_all(clients.iter_mut().map(|client| client.echo("still there"))).await;
    assert_eq!(server.keys("ann"), ["tab5", "tab6", "tab7", "tab8"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_thirty_reconnects_of_one_tab_hold_one_place() {
    let server = Setup::new().limit(1).without_force().start().await;
    for round in 0..30 {
        let mut client = server
            .attach(server.dial("ann", "tab").device("laptop"))
            .await;
        client.echo("here again").await;
        assert_eq!(server.held("ann"), 1, "round {round}");
        // Some go before the server has heard that the one before is gone, some after.
        if round % 2 == 0 {
            client.vanish().await;
        }
    }
    assert_eq!(server.registry.created().0, 1);
}

/// R18: the old socket of a device is told that a newer one took over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r18_a_newer_connection_of_a_device_takes_over() {
    let server = Setup::new().start().await;
    let mut old = server
        .attach(server.dial("ann", "tab").device("laptop"))
        .await;
    let mut new = server
        .attach(server.dial("ann", "tab").device("laptop"))
        .await;
    assert_eq!(old.closed().await, 4500);
    new.echo("mine").await;
    let manager = server.manager("ann", "tab").unwrap();
    until("the old one to leave", || manager.ports().len() == 1).await;
}
