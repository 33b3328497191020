//! "Why was ann disconnected?" for the ends that take something to happen: a token expires, a client does not
//! read, the server drains, a user sends too much.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use wastegate::connection::OverBudget;
use wastegate::manager::NoApplication;
use wastegate_tests::harness::{Issuer, Setup, http, until_async};

use crate::identity::{Published, by_tokens, publisher};
use crate::knock::{closed, knock};
use crate::why::answered;
use crate::world_backend::backend;
use crate::world_drain::serve;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_expired_is_named() {
    let published = Arc::new(Published::default());
    let issuer = Issuer::new("one");
    published.keys.lock().push(issuer.public());
    let server = by_tokens(publisher(published.clone()).await).await;
    let token = issuer.token(&json!({ "sub": "ann" }), 0.5);
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let mut client = knock(server.address, "/ws?key=tab", &headers)
        .await
        .unwrap();
    assert_eq!(closed(&mut client).await, 4005);
    let says = "the token that it was let in by expired";
    let expired = answered(&server, "user=ann&key=tab", says).await;
    assert!(
        expired["answer"].as_str().unwrap().contains("told 4005"),
        "{expired}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_is_named() {
    let upstream = backend(|mut stream, _| async move {
        // A message of 32 KiB after another, until it is hung up on.
        let mut message = vec![0x82, 126, 0x80, 0];
        message.resize(4 + 32 * 1_024, 7);
        while stream.write_all(&message).await.is_ok() {}
    })
    .await;
    let server = Setup::new()
        .application(NoApplication)
        .short_goodbyes()
        .with(|config| {
            config.gateway.upstream = vec![format!("ws://{upstream}").parse().unwrap()];
            config.connection.stall_max = Duration::from_millis(300);
            config.health.stalled_after = Duration::from_millis(100);
        })
        .start()
        .await;
    let client = server.enter("ann", "tab").await;
    client.silence().await;
    answered(
        &server,
        "user=ann&key=tab",
        "it did not read what was sent to it",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_that_sends_too_much_is_named() {
    let server = Setup::new()
        .short_goodbyes()
        .with(|config| {
            config.budget.messages_per_s = 2;
            config.budget.burst = Duration::from_secs(1);
            config.budget.over = OverBudget::Close;
        })
        .start()
        .await;
    let mut client = server.enter("ann", "tab").await;
    for _ in 0..3 {
        client.say("hello").await;
    }
    assert_eq!(client.closed().await, 4007);
    let says = "its user sent more than `limits.traffic` allows";
    answered(&server, "user=ann&key=tab", says).await;
}

/// Operators are served until the end, so the end of a client can be asked for while others are still told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_drains_is_named() {
    let settings = ["gateway.drain_spread_ms=2000", "gateway.drain_readyz_ms=1"];
    let (program, address, admin) = serve(&settings).await;
    let mut clients = Vec::new();
    for number in 0..20 {
        let target = format!("/ws?user=u{number}&key=tab");
        clients.push(knock(address, &target, &[]).await.unwrap());
    }
    program.terminate();
    let told = clients.iter_mut().enumerate();
    let mut told: FuturesUnordered<_> = told
        .map(async |(number, client)| (number, closed(client).await))
        .collect();
    // Whichever is told first: its timeline says so before the last one is told.
    let (first, code) = told.next().await.unwrap();
    assert_eq!(code, 1_012);
    let path = format!("/v1/why?user=u{first}&key=tab");
    until_async("an answer that names the drain", async || {
        let answer = http::ask(admin, "GET", &path, None).await.json();
        let answer = answer["answer"].as_str().unwrap_or_default();
        answer.contains("the server stopped")
    })
    .await;
    while let Some((_, code)) = told.next().await {
        assert_eq!(code, 1_012);
    }
    drop(told);
    drop(clients);
    assert!(program.finish().await.0.success());
}
