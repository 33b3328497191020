//! Z: what is known of peers, and what it takes to find out.

use std::time::Duration;

use super::*;
use crate::testing::{Peer, Setup, key};
use wastegate_core::decision::Class;
use wastegate_core::types::Health;

/// Without a connection it is detached for the grace, and after it as good as gone, however long.
#[tokio::test(start_paused = true)]
async fn z2_silence_without_connections_expires() {
    let minutes = [
        (0, Class::Detached),
        (30, Class::Expired),
        (120, Class::Expired),
    ];
    for (minutes, class) in minutes
        .into_iter()
        .chain([(480, Class::Expired), (1_440, Class::Expired)])
    {
        let world = Setup::default().build();
        world.detached("ann", 0..1).await;
        world.pass(minutes * 60).await;
        let manager = world.registry.get(&user("ann"), &key(0)).unwrap();
        let row = world.registry.row(&manager, world.clock.now());
        assert_eq!(row.class(), Some(class), "after {minutes} min");
        let gone = u32::from(class == Class::Expired);
        assert_eq!(world.run("ann", Tier::Conservative, 1).await, gone);
    }
}

#[tokio::test(start_paused = true)]
async fn z4_the_silent_go_and_the_others_stay() {
    let world = Setup::of_limit(10).build();
    world.fill("ann", 0..6, Peer::Silent);
    world.healthy("ann", 6..10);
    world.pass(2 * 3_600).await;
    assert_eq!(world.run("ann", Tier::Aggressive, 6).await, 6);
    assert_eq!(
        world.notes.evicted(),
        (0..6).map(|n| key(n).to_string()).collect::<Vec<_>>()
    );
}

/// Z9: a round takes one deadline for all of them, and what it found is used as long as it is young.
#[tokio::test(start_paused = true)]
async fn z9_one_round_for_all_and_cached_verdicts_take_no_time() {
    let world = Setup::default().build();
    world.fill("ann", 0..20, Peer::Silent);
    world.pass(60).await;
    let start = world.clock.now();
    world.run("ann", Tier::Aggressive, 0).await;
    let first = world.clock.now();
    assert_eq!(first.since(start), world.health.probe_deadline);
    assert_eq!(world.run("ann", Tier::Aggressive, 1).await, 2);
    assert_eq!(world.clock.now(), first, "asked a moment ago");
    let rounds = world.notes.rounds();
    assert_eq!((rounds[0].asked, rounds[0].answered), (20, 0));
    assert_eq!((rounds[1].asked, rounds[1].fresh), (0, 20));
    world.pass(world.health.evidence_age.as_secs()).await;
    world.run("ann", Tier::Aggressive, 0).await;
    assert_eq!(
        world.notes.rounds()[2].asked,
        18,
        "old evidence is asked for again"
    );
}

/// A peer that two heartbeats missed is asked before it goes, and stays if it answers.
#[tokio::test(start_paused = true)]
async fn who_missed_heartbeats_is_asked_before_it_goes() {
    let world = Setup::of_limit(2).build();
    let back = world.connect("ann", 0, Peer::Answers(Duration::from_millis(20)));
    let silent = world.connect("ann", 1, Peer::Silent);
    for client in [&back, &silent] {
        client.miss(2, world.clock.now());
    }
    world.pass(20).await;
    assert_eq!(world.run("ann", Tier::Aggressive, 2).await, 1);
    assert_eq!(world.notes.evicted(), ["k001"]);
    assert_eq!(world.notes.rounds()[0].asked, 2);
}

/// Z10: what cannot be probed is unknown, and unknown is never proof of death.
#[tokio::test(start_paused = true)]
async fn z10_unknown_is_kept_below_force() {
    let world = Setup::of_limit(2).build();
    for client in world.fill("ann", 0..2, Peer::Silent) {
        client.port.vitals.set_read_paused(true);
    }
    world.pass(3_600).await;
    assert_eq!(world.run("ann", Tier::Aggressive, 2).await, 0);
    let manager = world.registry.get(&user("ann"), &key(0)).unwrap();
    let row = world.registry.row(&manager, world.clock.now());
    assert_eq!(
        (row.health, row.class()),
        (Health::Unknown, Some(Class::Responsive))
    );
    assert_eq!(world.run("ann", Tier::Force, 1).await, 1);
}

/// R12: one user's silent peers do not keep another waiting.
#[tokio::test(start_paused = true)]
async fn r12_slow_probes_of_one_user_do_not_delay_another() {
    let world = std::sync::Arc::new(Setup::default().build());
    world.fill("ann", 0..20, Peer::Silent);
    world.dead("bob", 0..1).await;
    world.healthy("bob", 1..20);
    world.pass(60).await;
    let start = world.clock.now();
    let slow = world.clone();
    let ann = world
        .tasks
        .spawn("ann", async move { slow.enter("ann", 20).await });
    tokio::task::yield_now().await;
    world.enter("bob", 20).await;
    assert_eq!(world.clock.now(), start, "bob did not wait");
    assert!(!ann.is_finished());
    ann.await.unwrap();
    assert_eq!(world.clock.now().since(start), world.health.probe_deadline);
}

/// R16: silent managers come in as fast as they can; the background pass keeps up.
#[tokio::test(start_paused = true)]
async fn r16_silent_managers_do_not_pile_up() {
    let world = Setup::default().build();
    world.cleaner.start();
    for number in 0..20 {
        let client = world.enter("ann", number).await;
        client.port.vitals.gone(world.clock.now());
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(world.held("ann") <= 20);
    }
    assert!(world.held("ann") <= 10, "{} left", world.held("ann"));
    assert!(
        world
            .notes
            .classes()
            .iter()
            .all(|(_, class)| *class == Class::Dead)
    );
}
