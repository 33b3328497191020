//! Every admission ends within its budget, whatever hangs.

use std::time::Duration;

use super::*;
use crate::testing::{Faulty, Hanging, Peer, settle};
use wastegate_core::types::{CloseReason, Timestamp};

/// Silent peers, a ranker that never answers: still an answer within two seconds, and the right
/// one.
#[tokio::test(start_paused = true)]
async fn hanging_rankers_and_probes_keep_nobody_out() {
    let world = Setup::default().ranked_by(Hanging).build();
    world.detached("ann", 0..2).await;
    world.fill("ann", 2..20, Peer::Silent);
    world.pass(10).await;
    for number in 20..25 {
        let start = world.clock.now();
        world.enter("ann", number).await;
        assert!(world.clock.now().since(start) < Duration::from_secs(2));
    }
}

/// The budget is a budget: a cleanup that takes longer ends in a refusal in time.
#[tokio::test(start_paused = true)]
async fn the_budget_is_kept() {
    let mut setup = Setup::default().ranked_by(Faulty(wastegate_core::decision::Fault::Saturated));
    setup.admission.budget = Duration::from_millis(300);
    let world = setup.build();
    world.fill("ann", 0..20, Peer::Silent);
    world.pass(10).await;
    let start = world.clock.now();
    let denied = world.refused("ann", 20).await;
    assert_eq!(world.clock.now().since(start), Duration::from_millis(300));
    assert_eq!((denied.why, denied.held), (DenialReason::UserLimit, 20));
    world.pass(2).await;
    assert_eq!(
        (world.held("ann"), world.leftovers()),
        (20, 20),
        "nobody waits any more"
    );
}

/// While newborns are about they are waited for: what they turn out to be may help.
#[tokio::test(start_paused = true)]
async fn newborns_are_waited_for() {
    let (world, _) = full(3, |_| {});
    let world = std::sync::Arc::new(world);
    let clients = world.healthy("bob", 0..2);
    let newborn = world.permit("bob", 2);
    let (other, start) = (world.clone(), world.clock.now());
    let waiting = world
        .tasks
        .spawn("waiting", async move { other.enter("bob", 3).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!waiting.is_finished());
    drop(newborn);
    waiting.await.unwrap();
    assert_eq!(
        world.clock.now().since(start),
        Duration::from_millis(500),
        "woken, not polled"
    );
    assert_eq!((world.held("bob"), clients.len()), (3, 2));
}

/// A newborn that attaches is looked at like any other; one that stays on its way is not waited
/// for beyond the budget.
#[tokio::test(start_paused = true)]
async fn newborns_are_not_waited_for_for_ever() {
    let (world, _) = full(1, |_| {});
    let newborn = world.permit("bob", 0);
    let denied = world.refused("bob", 1).await;
    assert_eq!(world.clock.now(), Timestamp::from_millis(2_000));
    assert_eq!(denied.why, DenialReason::UserLimit);
    let client = world.attach(newborn, Peer::Gone);
    client.port.vitals.gone(world.clock.now());
    world.enter("bob", 1).await;
    settle().await;
    assert!(matches!(
        client.port.end().unwrap().reason,
        CloseReason::Evicted(_)
    ));
}
