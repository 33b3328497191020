//! The background pass.

use std::time::Duration;

use super::*;
use crate::manager::Manager;
use crate::testing::{Setup, key};
use wastegate_core::decision::Class;
use wastegate_core::decision::Granted;
use wastegate_core::types::{CloseReason, EvictionCause};

/// L9: at 60 % the dead go in the background; below it they cost nobody anything.
#[tokio::test(start_paused = true)]
async fn l9_the_dead_go_from_sixty_percent_on() {
    let world = Setup::default().build();
    world.dead("ann", 0..6).await;
    world.healthy("ann", 6..11);
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 11, "55 %");
    world.enter("ann", 11).await;
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 6);
}

/// L8: below the limit nothing that answers goes, whatever the threshold.
#[tokio::test(start_paused = true)]
async fn l8_the_background_pass_spares_who_answers() {
    let mut setup = Setup::default();
    setup.cleanup.proactive_from = 0.0;
    let world = setup.build();
    world.healthy("ann", 0..12);
    world.pass(3_600).await;
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 12);
}

/// Detached managers idle away by the scaled trigger: at 60 % of the limit after ten minutes.
#[tokio::test(start_paused = true)]
async fn the_idle_ttl_takes_detached_managers_only() {
    let mut setup = Setup::default();
    setup.manager.reconnect_grace = Duration::from_secs(3_600);
    let world = setup.build();
    world.detached("ann", 0..6).await;
    world.healthy("ann", 6..12);
    world.pass(600).await;
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 12);
    world.pass(1).await;
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 6);
    assert_eq!(
        world.notes.classes(),
        [(Tier::Proactive, Class::Detached); 6]
    );
}

/// Whose grace is over is given up by the pass, with nobody under pressure.
#[tokio::test(start_paused = true)]
async fn ended_graces_are_collected() {
    let world = Setup::default().build();
    world.cleaner.start();
    world.detached("ann", 0..2).await;
    world.pass(29).await;
    assert_eq!(world.held("ann"), 2);
    world.pass(7).await;
    assert_eq!(
        (world.held("ann"), world.notes.evicted().len()),
        (0, 0),
        "no eviction"
    );
}

/// A pass that may not look at everybody goes on where the last one ended.
#[tokio::test(start_paused = true)]
async fn nobody_is_left_out_for_good() {
    let mut setup = Setup::default();
    setup.cleanup.sweep_users_max = 2;
    let world = setup.build();
    for number in 0..10 {
        let name = format!("u{number}");
        world.healthy(&name, 0..1);
        world.detached(&name, 1..2).await;
    }
    world.pass(60).await;
    world.cleaner.sweep().await;
    assert_eq!(world.registry.total(), 20 - 2, "no more users than it may");
    for _ in 0..4 {
        world.cleaner.sweep().await;
    }
    assert_eq!(world.registry.total(), 10, "each had its turn");
}

fn with_temporary_slots(force: bool) -> World {
    let mut setup = Setup::of_limit(3);
    setup.limits.temporary_slots = 2;
    let mut rules = setup.cleanup.table.rules();
    rules[4].enabled = force;
    setup.cleanup.table = wastegate_core::decision::TierTable::new(rules, 1, false).unwrap();
    if force {
        setup.cleanup.user_last_tier = Tier::Aggressive;
    }
    setup.build()
}

/// At expiry the surplus leaves by rank, and the limit is the ordinary one again; also where the
/// operator switched `force` off.
#[tokio::test(start_paused = true)]
async fn temporary_slots_end_and_the_limit_holds() {
    for force in [true, false] {
        let world = with_temporary_slots(force);
        world.cleaner.start();
        let clients = world.healthy("ann", 0..3);
        world.pass(1).await;
        for client in clients.iter().filter(|client| client.manager.key != key(1)) {
            client.speak(world.clock.now());
        }
        let extra = [world.enter("ann", 3).await, world.enter("ann", 4).await];
        world.refused("ann", 5).await;
        world.pass(59).await;
        assert_eq!(world.held("ann"), 5);
        world.pass(2).await;
        assert_eq!(world.held("ann"), 3, "with force: {force}");
        assert_eq!(world.registry.ceiling(&user("ann")), 3);
        assert_eq!(
            world.notes.evicted(),
            ["k001", "k000"],
            "least recently active first"
        );
        let reason = CloseReason::Displaced(EvictionCause::TemporarySlotExpired);
        assert_eq!(clients[1].port.end().unwrap().reason, reason);
        assert!(extra.iter().all(|client| client.port.end().is_none()));
        let grant = |world: &World| {
            let limits = &world.registry.limits().lending();
            world
                .registry
                .temporary()
                .grant(&user("ann"), limits, world.clock.now())
        };
        assert!(
            matches!(grant(&world), Granted::CoolingDown(_)),
            "once per cool-down"
        );
    }
}

/// A surplus that may not leave keeps the pass from nothing: it rests in between, and comes back.
#[tokio::test(start_paused = true)]
async fn a_surplus_that_may_not_leave_is_tried_again_later() {
    let world = with_temporary_slots(true);
    world.healthy("ann", 0..3);
    world.enter("ann", 3).await;
    let pin = Duration::from_secs(120);
    let pinned: Vec<_> = (0..3)
        .map(|n| world.registry.pin(&user("ann"), &key(n), pin))
        .collect();
    assert!(pinned.iter().all(Result::is_ok));
    world.healthy("bob", 0..1);
    let newcomer = world.registry.get(&user("ann"), &key(3)).unwrap();
    newcomer.hints.set_in_flight(1);
    let evicted = |manager: &Manager| manager.end().is_some();
    world.cleaner.start();
    world.pass(70).await;
    assert!(evicted(&newcomer), "protected is not pinned");
    assert_eq!(world.held("ann"), 3);
}

/// Like the one before, with nobody at all who may leave until the pins end.
#[tokio::test(start_paused = true)]
async fn a_pinned_surplus_leaves_when_the_pins_end() {
    let world = with_temporary_slots(true);
    world.cleaner.start();
    world.healthy("ann", 0..3);
    for number in 3..5 {
        world.enter("ann", number).await;
    }
    let newborns: Vec<_> = (0..5).map(|number| world.permit("ann", number)).collect();
    for client in world
        .registry
        .of(&user("ann"))
        .iter()
        .flat_map(|manager| manager.ports())
    {
        client.close(CloseReason::ClientGone);
    }
    world.pass(65).await;
    drop(newborns);
    world.pass(10).await;
    assert!(world.held("ann") <= 3);
    let running = world.tasks.running();
    assert!(running < 20, "{running} tasks");
}
