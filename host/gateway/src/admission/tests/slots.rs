//! Temporary slots: once per cool-down, and never for those who would overtake.

use std::time::Duration;

use super::*;
use crate::testing::{key, user};

fn lending(change: impl FnOnce(&mut Setup)) -> World {
    full(2, |setup| {
        setup.limits.temporary_slots = 2;
        change(setup);
    })
    .0
}

#[tokio::test(start_paused = true)]
async fn temporary_slots_are_lent_once_per_cool_down() {
    let world = lending(|_| {});
    world.cleaner.start();
    world.enter("ann", 2).await;
    world.enter("ann", 3).await;
    let denied = world.refused("ann", 4).await;
    assert_eq!(
        (denied.held, denied.limit),
        (4, 4),
        "the limit with what is lent"
    );
    world.pass(61).await;
    assert_eq!(world.held("ann"), 2);
    let denied = world.refused("ann", 5).await;
    let cool_down = Duration::from_secs(600);
    assert!(
        denied.retry_after > cool_down - Duration::from_secs(5),
        "{:?}",
        denied.retry_after
    );
    assert!(denied.retry_after <= cool_down);
    world.pass(600).await;
    world.enter("ann", 5).await;
    assert_eq!(world.held("ann"), 3);
}

/// What is lent to one user is nobody else's.
#[tokio::test(start_paused = true)]
async fn temporary_slots_are_a_users_own() {
    let world = lending(|_| {});
    world.enter("ann", 2).await;
    world.healthy("bob", 0..2);
    assert_eq!(world.registry.limit(&user("bob"), world.clock.now()), 2);
    world.enter("bob", 2).await;
    assert_eq!((world.held("ann"), world.held("bob")), (3, 3));
}

/// A newcomer gets no temporary slot while somebody waits in the queue: the first who waits does.
#[tokio::test(start_paused = true)]
async fn a_newcomer_does_not_overtake_by_a_temporary_slot() {
    let world = lending(|setup| setup.admission.queue_length_max = 5);
    for number in 2..4 {
        world.enter("ann", number).await;
    }
    let Ok(Admitted::Queued(first)) = world.admit("ann", 4).await else {
        panic!("there is a queue")
    };
    // Its slots run still, and one of them is free again: it is the first's who waits.
    let gone = world.registry.get(&user("ann"), &key(3)).unwrap();
    gone.ports()[0].close(wastegate_core::types::CloseReason::ClientClosed);
    crate::testing::settle().await;
    assert_eq!(world.held("ann"), 3);
    let second = match world.admit("ann", 5).await.unwrap() {
        Admitted::Queued(ticket) => ticket,
        Admitted::Now(_) => panic!("overtaken"),
    };
    let permit = world
        .admission
        .wait(first, &user("ann"), &key(4))
        .await
        .unwrap();
    assert_eq!((world.held("ann"), second.position()), (4, 1));
    drop(permit);
}

/// Who waits gets the slots that are lent anew when the cool-down is over.
#[tokio::test(start_paused = true)]
async fn the_first_in_the_queue_gets_the_next_grant() {
    let world = lending(|setup| {
        setup.admission.queue_length_max = 5;
        setup.admission.queue_wait = Duration::from_secs(60);
        setup.limits.temporary_slots_cool_down = Duration::from_secs(20);
    });
    world.cleaner.start();
    world.enter("ann", 2).await;
    world.pass(61).await;
    let Ok(Admitted::Queued(ticket)) = world.admit("ann", 3).await else {
        panic!("cooling down")
    };
    let start = world.clock.now();
    let permit = world
        .admission
        .wait(ticket, &user("ann"), &key(3))
        .await
        .unwrap();
    let waited = world.clock.now().since(start);
    assert!((18..22).contains(&waited.as_secs()), "{waited:?}");
    drop(permit);
}
