//! How a manager ends: once, told once, and nothing reaches it afterwards.

use super::*;
use crate::testing::Peer as FakePeer;
use wastegate_core::types::{EvictionCause, Tier};

const EVICTED: EvictionCause = EvictionCause::Cleanup(Tier::Force);

/// A panic in a handler ends its manager and nothing else.
#[tokio::test(start_paused = true)]
async fn a_panic_closes_its_manager_only() {
    let (world, diary) = world();
    let bad = world.connect("ann", 0, FakePeer::Gone);
    let other = world.connect("ann", 1, FakePeer::Gone);
    let another = world.connect("bob", 0, FakePeer::Gone);
    say(&world, &bad, "panic");
    settle().await;
    assert_eq!(bad.manager.end(), Some(CloseReason::HandlerPanicked));
    assert_eq!(bad.port.end().unwrap().reason, CloseReason::HandlerPanicked);
    assert_eq!(
        (world.held("ann"), world.held("bob")),
        (1, 1),
        "its slot is free"
    );
    assert_eq!((other.manager.end(), another.manager.end()), (None, None));
    assert_eq!(say(&world, &other, "still here"), Some(Delivery::Accepted));
    settle().await;
    let lines = diary.lines();
    assert!(
        lines.contains(&"message still here".to_owned()),
        "{lines:?}"
    );
    assert!(
        lines.contains(&"ended k000 handler-panicked".to_owned()),
        "{lines:?}"
    );
}

/// D16: what was tied to ten managers is released by ten calls, each the last of its manager,
/// however they end.
#[tokio::test(start_paused = true)]
async fn d16_ended_is_called_once_and_last() {
    let (world, diary) = world();
    let clients = world.fill("ann", 0..10, FakePeer::Gone);
    settle().await;
    let (ann, kill) = (user("ann"), |_: &Manager| true);
    let evict = |number: usize| {
        let id = clients[number].manager.id;
        world.registry.evict(&ann, &key(number), id, EVICTED, kill)
    };
    // Evicted, also twice; while a handler hangs; panicked; said goodbye; lost and given up;
    // stopped. The rest when the server stops.
    assert!(evict(0).is_some() && evict(0).is_none());
    say(&world, &clients[1], "hang");
    say(&world, &clients[2], "panic");
    settle().await;
    assert!(evict(1).is_some());
    clients[3].leave(CloseReason::ClientClosed);
    clients[4].leave(CloseReason::ClientGone);
    settle().await;
    world.pass(60).await;
    assert_eq!(
        world
            .registry
            .release_expired(std::slice::from_ref(&ann), world.clock.now()),
        1
    );
    clients[5].manager.close(CloseReason::ApplicationClosed);
    clients[5].manager.close(CloseReason::Shutdown);
    settle().await;
    assert_eq!(world.held("ann"), 4);
    world.registry.close_some(CloseReason::Shutdown, usize::MAX);
    settle().await;
    let lines = diary.lines();
    let ends = [
        "evicted",
        "evicted",
        "handler-panicked",
        "manager-closed",
        "manager-closed",
        "application-closed",
        "shutdown",
        "shutdown",
        "shutdown",
        "shutdown",
    ];
    for (number, end) in ends.into_iter().enumerate() {
        let last = format!("ended {} {end}", key(number));
        assert_eq!(
            lines.iter().filter(|line| **line == last).count(),
            1,
            "{last}: {lines:?}"
        );
    }
    assert_eq!(
        lines
            .iter()
            .filter(|line| line.starts_with("ended"))
            .count(),
        10
    );
    assert_eq!((world.registry.total(), world.tasks.running()), (0, 0));
}

/// Nothing is told about a manager after its end, and a connection that was on its way to it is
/// turned away.
#[tokio::test(start_paused = true)]
async fn the_end_is_the_last_that_is_told() {
    let (world, diary) = world();
    let client = world.connect("ann", 0, FakePeer::Gone);
    let late = world.permit("ann", 0);
    settle().await;
    client.manager.close(CloseReason::Shutdown);
    say(&world, &client, "late");
    settle().await;
    assert_eq!(diary.lines().last().unwrap(), "ended k000 shutdown");
    let port = Port::new(
        client.port.device.clone(),
        1,
        false,
        std::sync::Weak::new(),
        client.manager.created,
    );
    assert_eq!(late.attach(port).err(), Some(AttachError::Closed));
    settle().await;
    assert_eq!(diary.lines().last().unwrap(), "ended k000 shutdown");
    assert_eq!(world.registry.total(), 0);
}

/// U9: no write reaches a manager that was evicted; every operation is refused.
#[tokio::test(start_paused = true)]
async fn u9_nothing_reaches_an_evicted_manager() {
    let (world, diary) = world();
    let client = world.connect("ann", 0, FakePeer::Silent);
    settle().await;
    world
        .registry
        .evict(&user("ann"), &key(0), client.manager.id, EVICTED, |_| true)
        .unwrap();
    let message = Message::Text("late".into());
    assert_eq!(say(&world, &client, "late"), Some(Delivery::Closed));
    assert_eq!(
        client.manager.send(client.port.id, message.clone()),
        Err(SendError::Closed)
    );
    assert_eq!(client.manager.broadcast(&message, None), 0);
    assert!(!client.manager.expect_connection());
    assert_eq!(client.port.outbox.queued().messages, 0);
    world.pass(5).await;
    assert!(!diary.lines().contains(&"message late".to_owned()));
    let next = world.connect("ann", 0, FakePeer::Gone);
    assert_eq!(
        next.manager.send(next.port.id, message),
        Ok(()),
        "its successor is another life"
    );
    assert_eq!(
        client
            .manager
            .broadcast(&Message::Text("older".into()), None),
        0
    );
    assert_eq!(next.port.outbox.queued().messages, 1);
}

/// A device that comes back takes its own place, also where all places are taken; another device
/// finds none.
#[tokio::test(start_paused = true)]
async fn a_taken_over_place_is_free_for_its_device() {
    let mut setup = Setup::default();
    setup.manager.connections_max = 2;
    let world = setup.build();
    let old = world.attach_as("phone", world.permit("ann", 0), FakePeer::Silent);
    world.attach_as("desk", world.permit("ann", 0), FakePeer::Silent);
    let new = world.attach_as("phone", world.permit("ann", 0), FakePeer::Silent);
    assert!(old.port.is_superseded() && !new.port.is_closing());
    let device = wastegate_core::types::DeviceId::new("third").unwrap();
    let port = Port::new(device, 1, false, std::sync::Weak::new(), world.clock.now());
    let refused = world.permit("ann", 0).attach(port).err();
    assert_eq!(refused, Some(AttachError::TooMany(2)));
    // One that has ended and has not left yet is no older connection of anybody.
    new.port.report_end(EndReport {
        reason: CloseReason::ClientGone,
        echoed_after: None,
        aborted: false,
        undecided: false,
    });
    let newest = world.attach_as("phone", world.permit("ann", 0), FakePeer::Silent);
    assert!(!newest.port.is_closing());
}

/// The task of a connection that is dropped, for whatever reason, has ended too.
#[tokio::test(start_paused = true)]
async fn a_dropped_connection_reports_its_end() {
    let (world, _) = world();
    let device = wastegate_core::types::DeviceId::new("device").unwrap();
    let port = Port::new(
        device,
        100,
        false,
        std::sync::Weak::new(),
        world.clock.now(),
    );
    let attachment = world.permit("ann", 0).attach(port.clone()).unwrap();
    drop(attachment);
    assert_eq!(port.ended().await.reason, CloseReason::ClientGone);
    assert_eq!(
        port.send(world.clock.now(), Message::Text("late".into())),
        Err(SendError::Closed)
    );
}
