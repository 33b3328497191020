//! The breaker before a policy: opens, tries once, and closes or re-opens.

use std::time::Duration;

use futures_util::future::join_all;
use wastegate::types::Tier::Moderate;
use wastegate_tests::harness::{Client, Events, Server, until};

use crate::sleepers::{AWAKE, asleep, one_more};

/// The fault of a user's next decision at force, none if the policy answered.
async fn asked_awake(server: &Server, events: &mut Events, key: &str) -> (Client, String) {
    let (client, fault) = one_more(server, events, key).await;
    (
        client,
        fault.map_or_else(|| "answered".to_owned(), |fault| fault.name().to_owned()),
    )
}

/// Asks the policy about one row, which it answers: another user's detached manager.
async fn asked_asleep(server: &Server, events: &mut Events, leaves: Client, key: &str) -> Client {
    let manager = server.manager("bob", &leaves.key).unwrap();
    leaves.vanish().await;
    until("bob's to be left", || manager.ports().is_empty()).await;
    let client = server.enter("bob", key).await;
    let decided = events.decided().await;
    assert_eq!(decided.question.tier, Moderate);
    assert!(
        decided.answer.outcome.is_ok(),
        "{:?}",
        decided.answer.outcome
    );
    client
}

/// D6: one trial after the cool-down; its failure re-opens, refused tries do not move the time,
/// and enough successes close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_the_breaker_tries_once_after_its_cool_down() {
    let cool_down = Duration::from_secs(3);
    let server = asleep(1.0)
        .with(|config| {
            config.policy.breaker.cool_down = cool_down;
            config.policy.breaker.trials = 2;
        })
        .start()
        .await;
    let _ann = server.fill("ann", AWAKE).await;
    let mut bob = server.fill("bob", AWAKE).await;
    let mut events = server.events();
    let mut kept = Vec::new();
    let over = |since: wastegate::types::Timestamp| {
        let server = &server;
        until("the cool-down to end", move || {
            server.now().since(since) >= cool_down
        })
    };
    let mut ask = async |key: &str, events: &mut Events| {
        let (client, answer) = asked_awake(&server, events, key).await;
        kept.push(client);
        answer
    };
    for key in ["a1", "a2", "a3"] {
        assert_eq!(ask(key, &mut events).await, "trap");
    }
    let opened = server.now();
    for key in ["a4", "a5", "a6"] {
        assert_eq!(ask(key, &mut events).await, "quarantined");
    }
    over(opened).await;
    assert_eq!(
        ask("a7", &mut events).await,
        "trap",
        "the trial, not a moment later"
    );
    let reopened = server.now();
    assert_eq!(ask("a8", &mut events).await, "quarantined", "and it failed");
    over(reopened).await;
    for key in ["b1", "b2"] {
        let leaves = bob.pop().unwrap();
        bob.insert(0, asked_asleep(&server, &mut events, leaves, key).await);
    }
    assert_eq!(ask("a9", &mut events).await, "trap");
    assert_eq!(
        ask("a10", &mut events).await,
        "trap",
        "closed: one fault does not open it"
    );
    join_all(bob.iter_mut().map(|client| client.echo("unaffected"))).await;
}
