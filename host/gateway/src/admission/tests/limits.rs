//! L and R: who is let in, who is not, and what a refusal says.

use std::time::Duration;

use futures_util::future::join_all;

use super::*;
use crate::testing::{key, settle, user};
use wastegate_core::types::CloseReason;

/// L1: refused within the budget, with all that there is to know; nobody is touched.
#[tokio::test(start_paused = true)]
async fn l1_a_full_house_is_refused_with_all_there_is_to_know() {
    let (world, clients) = full(20, |_| {});
    let denied = world.refused("ann", 20).await;
    assert!(
        world
            .clock
            .now()
            .since(wastegate_core::types::Timestamp::ZERO)
            < Duration::from_secs(2)
    );
    let message = serde_json::to_value(&denied).unwrap();
    assert_eq!(message["error"], "user-limit");
    assert_eq!(
        (message["user"].as_str(), message["held"].as_u64()),
        (Some("ann"), Some(20))
    );
    assert_eq!(
        (
            message["limit"].as_u64(),
            message["retry_after_ms"].as_u64()
        ),
        (Some(20), Some(5_000))
    );
    let tiers: Vec<_> = message["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["tier"])
        .collect();
    assert_eq!(tiers, ["conservative", "moderate", "aggressive"]);
    settle().await;
    assert!(clients.iter().all(|client| !client.port.is_closing()));
    assert_eq!(
        (world.held("ann"), world.admission.metrics().limit_hits()),
        (20, 1)
    );
}

/// L2: what the clients close is free at once.
#[tokio::test(start_paused = true)]
async fn l2_closed_managers_make_room() {
    let (world, clients) = full(20, |_| {});
    world.refused("ann", 20).await;
    for client in &clients[..5] {
        client.leave(CloseReason::ClientClosed);
    }
    settle().await;
    for number in 20..23 {
        world.enter("ann", number).await;
    }
    assert_eq!(world.held("ann"), 18);
}

/// L4 at the limit: whoever has a manager joins it, and needs no room.
#[tokio::test(start_paused = true)]
async fn l4_a_key_that_has_a_manager_is_never_refused() {
    let (world, _) = full(2, |_| {});
    world.enter("ann", 1).await;
    assert_eq!((world.held("ann"), world.notes.tiers().len()), (2, 0));
}

/// L12: one attempt too many is told how long to wait; others are not affected.
#[tokio::test(start_paused = true)]
async fn l12_one_attempt_too_many_waits() {
    let (world, _) = full(20, |setup| setup.admission.rate_max = 10);
    for _ in 0..10 {
        world.enter("ann", 0).await;
        world.pass(2).await;
    }
    let denied = world.refused("ann", 0).await;
    assert_eq!(
        (denied.why, denied.retry_after),
        (DenialReason::RateLimited, Duration::from_secs(40))
    );
    assert_eq!(
        (denied.tiers.len(), world.admission.metrics().limit_hits()),
        (0, 0)
    );
    world.enter("bob", 0).await;
    world.pass(40).await;
    world.enter("ann", 0).await;
}

/// L13: the node's refusal is another one, and costs nobody anything.
#[tokio::test(start_paused = true)]
async fn l13_the_nodes_limit_is_another_refusal() {
    let (world, clients) = full(3, |setup| setup.limits.managers_total = 3);
    let denied = world.refused("bob", 0).await;
    assert_eq!(
        (denied.why, denied.held, denied.limit),
        (DenialReason::NodeLimit, 3, 3)
    );
    assert!(clients.iter().all(|client| !client.port.is_closing()));
    assert_eq!(
        world.registry.users().len(),
        1,
        "a refused user leaves no trace"
    );
}

/// R2: one place, ten who want it.
#[tokio::test(start_paused = true)]
async fn r2_ten_come_for_one_place() {
    let (world, clients) = full(20, |_| {});
    clients[0].leave(CloseReason::ClientClosed);
    settle().await;
    let attempts = join_all((20..30).map(|number| world.admit("ann", number))).await;
    let (let_in, refused): (Vec<_>, Vec<_>) = attempts.into_iter().partition(Result::is_ok);
    assert_eq!((let_in.len(), refused.len(), world.held("ann")), (1, 9, 20));
    let denied = |result: &Result<Admitted, Denied>| result.as_ref().unwrap_err().clone();
    assert!(
        refused
            .iter()
            .map(denied)
            .all(|denied| (denied.held, denied.limit) == (20, 20))
    );
}

/// R3, R4: at once, and never more than the limit at any instant.
#[tokio::test(start_paused = true)]
async fn r3_r4_a_crowd_never_passes_the_limit() {
    for (limit, crowd) in [(2, 5), (10, 40)] {
        let (world, _) = full(0, |setup| setup.limits.managers_per_user = limit);
        let watched = async {
            loop {
                assert!(world.held("ann") <= limit);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        let crowd = join_all((0..crowd).map(|number| world.admit("ann", number)));
        let attempts = tokio::select! {
            attempts = crowd => attempts,
            () = watched => unreachable!(),
            () = tokio::time::sleep(Duration::from_secs(3)) => panic!("beyond the budget"),
        };
        let let_in = attempts.iter().filter(|attempt| attempt.is_ok()).count();
        assert_eq!((let_in, world.held("ann")), (limit as usize, limit));
        drop(attempts);
        assert_eq!(world.registry.total(), 0);
    }
}

/// Promise 2: a dead manager among many that answer is found and makes room for a crowd of one.
#[tokio::test(start_paused = true)]
async fn nobody_is_refused_while_somebody_may_go() {
    let world = Setup::of_limit(20).build();
    world.healthy("ann", 0..20);
    let crowd = join_all((20..30).map(|number| world.admit("ann", number))).await;
    assert!(
        crowd.iter().all(Result::is_ok),
        "force makes room for all of them"
    );
    assert_eq!(
        (world.held("ann"), world.notes.evicted().len()),
        (20, 10),
        "and for no more"
    );
    let manager = world.registry.get(&user("ann"), &key(20)).unwrap();
    assert_eq!(manager.end(), None);
}
