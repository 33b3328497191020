//! Eviction finishes, and what became of each victim is known.

use std::time::Duration;

use super::*;
use crate::testing::{Client, Peer, Setup, settle};
use wastegate_core::decision::VictimOutcome;
use wastegate_core::types::{CloseReason, EvictionCause, Timestamp};

async fn evict_one(peer: Peer) -> (World, Client, VictimOutcome, Timestamp) {
    let world = Setup::of_limit(1).build();
    let client = world.connect("ann", 0, peer);
    settle().await;
    assert_eq!(world.run("ann", Tier::Force, 1).await, 1);
    assert_eq!(
        (world.held("ann"), world.clock.now()),
        (0, Timestamp::ZERO),
        "free at once"
    );
    while world.notes.decided().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (outcome, now) = (world.notes.outcomes()[0], world.clock.now());
    (world, client, outcome, now)
}

#[tokio::test(start_paused = true)]
async fn one_that_answers_is_a_live_kill() {
    let (world, client, outcome, _) = evict_one(Peer::Answers(Duration::from_millis(30))).await;
    assert_eq!(outcome, VictimOutcome::Echoed { after_ms: 30 });
    let reason = CloseReason::Displaced(EvictionCause::Cleanup(Tier::Force));
    assert_eq!(client.port.end().unwrap().reason, reason);
    assert!(
        world.metrics().contains("peer=\"alive\"} 1"),
        "{}",
        world.metrics()
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_answer_is_cut_off_at_the_deadline() {
    let (_, client, outcome, now) = evict_one(Peer::Silent).await;
    assert_eq!(
        (outcome, client.port.end().unwrap().aborted),
        (VictimOutcome::Aborted, true)
    );
    assert!(now <= Timestamp::from_millis(2_001), "{now:?}");
}

#[tokio::test(start_paused = true)]
async fn one_whose_transport_is_gone_is_gone() {
    let (_, _, outcome, _) = evict_one(Peer::Gone).await;
    assert_eq!(outcome, VictimOutcome::Gone);
}

/// Failure mode 42: not even a connection whose own task never reports keeps a decision open.
#[tokio::test(start_paused = true)]
async fn one_that_never_reports_counts_as_cut_off() {
    let (_, _, outcome, now) = evict_one(Peer::Lost).await;
    assert_eq!(outcome, VictimOutcome::Aborted);
    assert!(now <= Timestamp::from_millis(7_001), "{now:?}");
}

#[tokio::test(start_paused = true)]
async fn one_without_connections_is_released() {
    let world = Setup::of_limit(1).build();
    world.detached("ann", 0..1).await;
    assert_eq!(world.run("ann", Tier::Moderate, 1).await, 1);
    settle().await;
    assert_eq!(world.notes.outcomes(), [VictimOutcome::Released]);
}

/// One of several connections that answers speaks for its manager.
#[tokio::test(start_paused = true)]
async fn the_best_sign_of_life_counts() {
    let world = Setup::of_limit(1).build();
    world.connect("ann", 0, Peer::Silent);
    let second = Peer::Answers(Duration::from_millis(7));
    world.attach_as("second", world.permit("ann", 0), second);
    settle().await;
    world.run("ann", Tier::Force, 1).await;
    world.pass(3).await;
    assert_eq!(
        world.notes.outcomes(),
        [VictimOutcome::Echoed { after_ms: 7 }]
    );
}

/// Promise 7: after it all, every task and every slot is back.
#[tokio::test(start_paused = true)]
async fn nothing_is_left_behind() {
    let world = Setup::default().build();
    for peer in [Peer::Answers(Duration::ZERO), Peer::Silent, Peer::Gone] {
        world.fill("ann", 0..6, peer);
        world.run("ann", Tier::Force, 6).await;
    }
    world.detached("ann", 0..6).await;
    world.run("ann", Tier::Moderate, 6).await;
    world.pass(4).await;
    assert_eq!((world.tasks.running(), world.registry.total()), (0, 0));
    assert_eq!(
        (world.registry.users().len(), world.notes.outcomes().len()),
        (0, 24)
    );
}
