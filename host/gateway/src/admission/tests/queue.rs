//! D9, D11: in order, bounded in length and time; who leaves frees its place.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::*;
use crate::registry::Permit;
use crate::testing::{Client, Hanging, key, settle, user};
use wastegate_core::types::CloseReason;

type Turn = JoinHandle<Result<Permit, Denied>>;

fn queueing(limit: u32, length: usize) -> (Arc<World>, Vec<Client>) {
    let (world, clients) = full(limit, |setup| setup.admission.queue_length_max = length);
    (Arc::new(world), clients)
}

async fn ticket(world: &World, number: usize) -> Ticket {
    match world.admit("ann", number).await.unwrap() {
        Admitted::Queued(ticket) => ticket,
        Admitted::Now(_) => panic!("there was no room"),
    }
}

fn wait(world: &Arc<World>, ticket: Ticket, number: usize) -> Turn {
    let own = world.clone();
    world.tasks.spawn("waiting", async move {
        own.admission.wait(ticket, &user("ann"), &key(number)).await
    })
}

async fn leave(client: &Client) {
    client.leave(CloseReason::ClientClosed);
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn d9_a_freed_slot_goes_to_the_first_at_once() {
    let (world, clients) = queueing(3, 50);
    let tickets = [
        ticket(&world, 3).await,
        ticket(&world, 4).await,
        ticket(&world, 5).await,
    ];
    assert_eq!(tickets.each_ref().map(Ticket::position), [1, 2, 3]);
    let mut places = tickets[2].positions();
    let [first, second, third] = tickets;
    let turns = [
        wait(&world, first, 3),
        wait(&world, second, 4),
        wait(&world, third, 5),
    ];
    // Past the first look, away from the next.
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let before = world.clock.now();
    leave(&clients[0]).await;
    assert_eq!(
        (turns[0].is_finished(), turns[1].is_finished()),
        (true, false)
    );
    assert_eq!(*places.borrow_and_update(), 2, "its place is told");
    leave(&clients[1]).await;
    assert!(turns[1].is_finished() && !turns[2].is_finished());
    assert_eq!(
        (
            world.clock.now(),
            world.held("ann"),
            world.admission.queued()
        ),
        (before, 3, 1)
    );
}

/// Nobody overtakes who waits; a key that has a manager needs no slot and does not wait.
#[tokio::test(start_paused = true)]
async fn d9_nobody_overtakes() {
    let (world, clients) = queueing(2, 50);
    let first = ticket(&world, 2).await;
    leave(&clients[0]).await;
    let second = ticket(&world, 3).await;
    world.enter("ann", 1).await;
    assert_eq!((world.held("ann"), second.position()), (1, 2));
    let permit = wait(&world, first, 2).await.unwrap().unwrap();
    assert_eq!(permit.manager().unwrap().key, key(2));
    assert_eq!(second.position(), 1);
}

#[tokio::test(start_paused = true)]
async fn d9_a_full_queue_refuses_at_once() {
    let (world, _) = queueing(1, 2);
    let tickets = [ticket(&world, 1).await, ticket(&world, 2).await];
    let start = world.clock.now();
    let denied = world.refused("ann", 3).await;
    assert_eq!(
        (denied.why, world.clock.now()),
        (DenialReason::QueueFull, start)
    );
    assert_eq!(denied.retry_after, Duration::from_secs(30));
    drop(tickets);
    assert_eq!(world.admission.queued(), 0);
}

/// Also where the ranker hangs: the wait has its end, and says so.
#[tokio::test(start_paused = true)]
async fn d9_the_wait_ends_in_time() {
    for hanging in [false, true] {
        let (world, _) = full(1, |setup| {
            setup.admission.queue_length_max = 50;
            if hanging {
                setup.ranker = Arc::new(Hanging);
            }
        });
        let world = Arc::new(world);
        world.detached("bob", 0..1).await;
        let (start, first) = (world.clock.now(), ticket(&world, 1).await);
        let denied = wait(&world, first, 1).await.unwrap().unwrap_err();
        let waited = world.clock.now().since(start).as_millis();
        assert!((30_000..30_010).contains(&waited), "{waited} ms");
        assert_eq!(
            (denied.why, denied.held, denied.limit),
            (DenialReason::QueueTimeout, 1, 1)
        );
        assert_eq!(world.admission.queued(), 0);
    }
}

/// What was in use may be gone later: the first in the queue has the tiers look again.
#[tokio::test(start_paused = true)]
async fn d9_the_tiers_look_again_for_the_first() {
    let (world, clients) = queueing(1, 50);
    let first = ticket(&world, 1).await;
    let turn = wait(&world, first, 1);
    world.pass(5).await;
    assert!(!turn.is_finished());
    clients[0].port.vitals.gone(world.clock.now());
    world.pass(2).await;
    assert!(turn.is_finished());
    assert_eq!(world.notes.evicted(), ["k000"]);
}

#[tokio::test(start_paused = true)]
async fn d11_who_leaves_frees_its_place_and_takes_no_slot() {
    let (world, clients) = queueing(1, 50);
    let (first, second) = (ticket(&world, 1).await, ticket(&world, 2).await);
    let turn = wait(&world, first, 1);
    settle().await;
    turn.abort();
    settle().await;
    assert_eq!((second.position(), world.admission.queued()), (1, 1));
    let turn = wait(&world, second, 2);
    leave(&clients[0]).await;
    let permit = turn.await.unwrap().unwrap();
    assert_eq!(permit.manager().unwrap().key, key(2));
    drop(permit);
    assert_eq!(
        (
            world.held("ann"),
            world.admission.queued(),
            world.registry.watched()
        ),
        (0, 0, 0)
    );
}

/// A queue is one user's: another's is not waited for.
#[tokio::test(start_paused = true)]
async fn d7_a_queue_is_one_users() {
    let (world, _) = queueing(1, 50);
    let _first = ticket(&world, 1).await;
    world.enter("bob", 0).await;
}
