//! The breaker before a policy: opens, tries in shadow, and closes or re-opens; meanwhile the
//! revision before it answers.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::broadcast;
use wastegate_core::types::Tier::Moderate;
use wastegate_engine::policy::breaker::BreakerState::{self, Closed, HalfOpen, Open};
use wastegate_engine::policy::{BreakerChange, Params, Pick};
use wastegate_tests::guests::guest;
use wastegate_tests::harness::{Client, Events, Server, until, until_async, within};

use crate::sleepers::{AWAKE, asleep, one_more};

/// The fault of a user's next decision at force, none if the policy answered.
async fn asked_awake(server: &Server, events: &mut Events, key: &str) -> (Client, String) {
    let (client, fault) = one_more(server, events, key).await;
    (
        client,
        fault.map_or_else(|| "answered".to_owned(), |fault| fault.name().to_owned()),
    )
}

/// A question about one row, on which the policy does not fail: another user's detached manager.
/// Nobody goes by its answer while it is quarantined, and the one manager goes all the same.
async fn asked_asleep(server: &Server, events: &mut Events, leaves: Client, key: &str) -> Client {
    let manager = server.manager("bob", &leaves.key).unwrap();
    leaves.vanish().await;
    until("bob's to be left", || manager.ports().is_empty()).await;
    let client = server.enter("bob", key).await;
    let decided = events.decided().await;
    assert_eq!(decided.question.tier, Moderate);
    assert_eq!(
        decided.answer.outcome.as_ref().err().map(|f| f.name()),
        Some("quarantined"),
    );
    assert_eq!(decided.plan.victims().len(), 1);
    client
}

/// The next change of standing.
async fn change(changes: &mut broadcast::Receiver<BreakerChange>) -> (BreakerState, BreakerState) {
    let change = within("the breaker to change", changes.recv())
        .await
        .unwrap();
    (change.from, change.to)
}

/// D6: trials after the cool-down, one at a time and in shadow; a failure re-opens, refused calls do
/// not move the time, and enough successes close.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d6_the_breaker_tries_in_shadow_after_its_cool_down() {
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
    let mut changes = server.breakers.changes();
    let mut kept = Vec::new();
    let over = |since: wastegate_core::types::Timestamp| {
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
    assert_eq!(change(&mut changes).await, (Closed, Open));
    let opened = server.now();
    for key in ["a4", "a5", "a6"] {
        assert_eq!(ask(key, &mut events).await, "quarantined");
    }
    over(opened).await;
    assert_eq!(
        ask("a7", &mut events).await,
        "quarantined",
        "a user is no trial"
    );
    assert_eq!(change(&mut changes).await, (Open, HalfOpen));
    assert_eq!(
        change(&mut changes).await,
        (HalfOpen, Open),
        "the trial failed"
    );
    let reopened = server.now();
    assert_eq!(ask("a8", &mut events).await, "quarantined");
    over(reopened).await;
    for (key, passed) in [("b1", 1.0), ("b2", 2.0)] {
        let leaves = bob.pop().unwrap();
        bob.insert(0, asked_asleep(&server, &mut events, leaves, key).await);
        let series = r#"wastegate_policy_trials_total{result="answered"}"#;
        until_async(format!("trial {passed} to pass"), async || {
            server.metric(series).await == passed
        })
        .await;
    }
    assert_eq!(change(&mut changes).await, (Open, HalfOpen));
    assert_eq!(change(&mut changes).await, (HalfOpen, Closed));
    assert_eq!(ask("a9", &mut events).await, "trap");
    assert_eq!(
        ask("a10", &mut events).await,
        "trap",
        "closed: one fault does not open it"
    );
    join_all(bob.iter_mut().map(|client| client.echo("unaffected"))).await;
}

/// While the active revision is quarantined the one before it answers, and the record says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_revision_before_answers_for_one_that_is_quarantined() {
    let server = asleep(0.0).journal().start().await;
    let digest = server.catalog.current().unwrap().about().digest.clone();
    let awake = Params::from([("dream".to_owned(), 1.0)]);
    // Another digest: a breaker is the bytes' and not the parameters'.
    let pick = Pick::Shipped("lru".to_owned());
    server
        .catalog
        .activate_async(pick, Params::new())
        .await
        .unwrap();
    let pick = Pick::Bytes(guest("sleeper").into());
    server.catalog.activate_async(pick, awake).await.unwrap();
    let _ann = server.fill("ann", AWAKE).await;
    let mut events = server.events();
    let mut kept = Vec::new();
    for number in 0..6 {
        let key = format!("new{number}");
        let (client, answer) = asked_awake(&server, &mut events, &key).await;
        kept.push(client);
        let expected = if number < 3 { "trap" } else { "answered" };
        assert_eq!(answer, expected, "{key}");
    }
    let why = server.breakers.last_change(&digest).unwrap().why;
    assert!(why.starts_with("it failed 3 times in a row"), "{why}");
    let case = server.breakers.last_fault(&digest).unwrap();
    let decisions = server.stop().await.decisions;
    let who: Vec<(u64, &str)> = decisions
        .iter()
        .map(|record| {
            let name = record["policy"]["name"].as_str().unwrap();
            (record["revision"].as_u64().unwrap(), name)
        })
        .collect();
    let sleeper = (3, "sleeper");
    assert_eq!(
        who,
        [
            sleeper,
            sleeper,
            sleeper,
            (2, "lru"),
            (2, "lru"),
            (2, "lru")
        ]
    );
    assert_eq!(case.revision.map(|r| r.get()), Some(3));
    assert_eq!(case.decision, decisions[2]["id"].as_u64());
    assert_eq!(decisions[0]["last"], true, "force is the last tier");
}
