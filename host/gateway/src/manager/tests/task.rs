//! The manager's own task: in order, and seen when it hangs.

use super::*;
use crate::health::{assess, probe_round};
use crate::testing::{Client, Peer as FakePeer};
use wastegate_core::decision::Class;
use wastegate_core::types::{EvidenceSource, Health, Protection, ProtectionReason, Tier};

fn health(world: &World, client: &Client) -> Health {
    assess(&client.manager, &world.health, world.clock.now())
        .evidence
        .health
}

fn class(world: &World, client: &Client) -> Option<Class> {
    world
        .registry
        .row(&client.manager, world.clock.now())
        .class()
}

#[tokio::test(start_paused = true)]
async fn everything_is_told_in_the_order_in_which_it_happened() {
    let (world, diary) = world();
    let client = world.connect("ann", 0, FakePeer::Gone);
    for text in ["a", "b"] {
        assert_eq!(say(&world, &client, text), Some(Delivery::Accepted));
    }
    settle().await;
    client.leave(CloseReason::ClientGone);
    settle().await;
    let report = [
        "attached device",
        "message a",
        "message b",
        "detached device client-gone",
    ];
    assert_eq!(diary.lines(), report);
}

/// A handler that hangs is found out after `stuck_after`, whatever its client says; and the moderate
/// tier may take it.
#[tokio::test(start_paused = true)]
async fn a_hanging_handler_is_stuck() {
    let (world, _) = world();
    let client = world.connect("ann", 0, FakePeer::Answers(Duration::ZERO));
    say(&world, &client, "hang");
    world.pass(9).await;
    client.port.vitals.hear(world.clock.now());
    assert_eq!(health(&world, &client), Health::Alive);
    world.pass(1).await;
    let evidence = assess(&client.manager, &world.health, world.clock.now()).evidence;
    assert_eq!(
        (evidence.health, evidence.source),
        (Health::Stuck, EvidenceSource::Noop)
    );
    assert_eq!(class(&world, &client), Some(Class::Stuck));
    let now = world.clock.now();
    let snapshot = world.registry.snapshot_user(&user("ann"), now);
    let table = wastegate_core::decision::TierTable::default();
    let admits = |tier| table.admits(tier, 0.05, &snapshot.rows[0]);
    assert_eq!(
        (admits(Tier::Conservative), admits(Tier::Moderate)),
        (false, true)
    );
}

/// Many short messages are work, not a hang: every one that is done counts.
#[tokio::test(start_paused = true)]
async fn a_busy_manager_is_not_stuck() {
    struct Slow;
    impl Application for Slow {
        async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {
            tokio::time::sleep(Duration::from_secs(9)).await;
        }
    }
    let setup = Setup {
        application: Slow.into(),
        ..Setup::default()
    };
    let world = setup.build();
    let client = world.connect("ann", 0, FakePeer::Gone);
    for _ in 0..20 {
        say(&world, &client, "x");
    }
    for _ in 0..170 {
        world.pass(1).await;
        assert_ne!(health(&world, &client), Health::Stuck);
    }
}

/// One long piece of work looks like a hang, and is protected from everything but force for as long
/// as it is marked as in flight.
#[tokio::test(start_paused = true)]
async fn long_work_in_flight_is_protected() {
    let (world, _) = world();
    let client = world.connect("ann", 0, FakePeer::Answers(Duration::ZERO));
    say(&world, &client, "work");
    world.pass(30).await;
    let row = world.registry.row(&client.manager, world.clock.now());
    let in_flight = Protection::Protected(ProtectionReason::InFlight);
    assert_eq!(
        (row.class(), row.protection),
        (Some(Class::Stuck), in_flight)
    );
    let table = wastegate_core::decision::TierTable::default();
    let admits = |tier| table.admits(tier, 0.05, &row);
    assert_eq!(Tier::ALL.map(admits), [false, false, false, false, true]);
    world.pass(31).await;
    let row = world.registry.row(&client.manager, world.clock.now());
    assert_eq!(
        (row.protection, client.manager.hints.in_flight()),
        (Protection::Evictable, 0)
    );
}

/// However often a busy manager is probed, its mailbox takes who attaches next.
#[tokio::test(start_paused = true)]
async fn probes_do_not_fill_the_mailbox() {
    let (world, _) = world();
    let client = world.connect("ann", 0, FakePeer::Answers(Duration::ZERO));
    say(&world, &client, "work");
    settle().await;
    let managers = world.registry.all();
    for _ in 0..2_000 {
        probe_round(&managers, &world.clock, &world.health).await;
    }
    let second = world.attach_as("second", world.permit("ann", 0), FakePeer::Gone);
    settle().await;
    assert_eq!(
        (client.manager.end(), second.port.is_closing()),
        (None, false)
    );
}

/// An idle manager answers the no-op of a probe, and waits for nothing after it.
#[tokio::test(start_paused = true)]
async fn an_idle_manager_answers_a_noop() {
    let (world, _) = world();
    let client = world.connect("ann", 0, FakePeer::Gone);
    settle().await;
    client
        .manager
        .mailbox
        .noop(world.clock.now())
        .unwrap()
        .await
        .unwrap();
    settle().await;
    assert_eq!(client.manager.mailbox.oldest_since(), None);
    client.manager.close(CloseReason::Shutdown);
    assert!(client.manager.mailbox.noop(world.clock.now()).is_none());
}
