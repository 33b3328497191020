//! Whoever stops waiting leaves nothing behind, at whatever point it stops.

use std::future::Future;
use std::pin::pin;
use std::task::Poll;

use super::*;
use crate::testing::{Peer, key, user};

/// Polls a future so many times, then drops it. Its result, if it came to one.
async fn polled<F: Future>(times: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut left = times;
    std::future::poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        let polled = future.as_mut().poll(cx).map(Some);
        if left == 0 && polled.is_pending() {
            cx.waker().wake_by_ref();
        }
        polled
    })
    .await
}

/// A user at its limit of silent, detached and answering managers, so that every tier has to wait.
async fn mixed(change: impl FnOnce(&mut Setup)) -> World {
    let mut setup = Setup::of_limit(6);
    change(&mut setup);
    let world = setup.build();
    world.fill("ann", 0..2, Peer::Silent);
    world.healthy("ann", 2..6);
    world.pass(60).await;
    world
}

async fn assert_nothing_left(world: &World, polls: usize) {
    world.pass(10).await;
    assert_eq!(
        world.admission.queued(),
        0,
        "a place in the queue, dropped after {polls} polls"
    );
    assert_eq!(
        world.registry.watched(),
        0,
        "a watch, dropped after {polls} polls"
    );
    let ports: usize = world
        .registry
        .all()
        .iter()
        .map(|manager| manager.ports().len())
        .sum();
    assert_eq!(
        world.registry.total() as usize,
        ports,
        "a slot, dropped after {polls} polls"
    );
    assert_eq!(
        world.leftovers(),
        ports,
        "a task, dropped after {polls} polls"
    );
}

#[tokio::test(start_paused = true)]
async fn an_admission_can_be_dropped_at_every_step() {
    let mut finished = 0;
    for polls in 1..12 {
        let world = mixed(|_| {}).await;
        let held = world.held("ann");
        finished += usize::from(polled(polls, world.admit("ann", 9)).await.is_some());
        assert_nothing_left(&world, polls).await;
        assert!(world.held("ann") <= held);
    }
    assert!(
        (1..11).contains(&finished),
        "some were dropped on the way: {finished} were not"
    );
}

#[tokio::test(start_paused = true)]
async fn an_admission_to_a_full_node_can_be_dropped_at_every_step() {
    let mut finished = 0;
    for polls in 1..12 {
        let world = mixed(|setup| setup.limits.managers_total = 6).await;
        finished += usize::from(polled(polls, world.admit("bob", 9)).await.is_some());
        assert_nothing_left(&world, polls).await;
    }
    assert!((1..11).contains(&finished), "{finished}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_the_queue_can_be_dropped_at_every_step() {
    let mut finished = 0;
    for polls in 1..60 {
        let world = mixed(|setup| {
            setup.admission.queue_length_max = 3;
            setup.admission.queue_wait = std::time::Duration::from_secs(5);
            setup.cleanup.user_last_tier = Tier::Conservative;
        })
        .await;
        let Ok(Admitted::Queued(ticket)) = world.admit("ann", 9).await else {
            panic!("nothing may go at that tier")
        };
        let (ann, key) = (user("ann"), key(9));
        let wait = polled(polls, world.admission.wait(ticket, &ann, &key));
        finished += usize::from(wait.await.is_some());
        assert_nothing_left(&world, polls).await;
        assert_eq!(world.held("ann"), 6);
    }
    assert!((1..59).contains(&finished), "{finished}");
}
