//! The room with real managers and no sockets.

mod pins;

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::*;
use crate::manager::{self, Application, Message, Peer};
use wastegate_core::types::{Clock, CloseReason, DeviceId, EvictionCause};

struct Silent;

impl Application for Silent {
    async fn message(&self, _: &Arc<Manager>, _: Peer, _: Message) {}
}

fn registry(limits: SlotLimits) -> Arc<Registry> {
    let surroundings = Surroundings::new(
        Clock::system(),
        manager::Config::default(),
        Silent.into(),
        crate::observe::activity::ActivitySink::disabled(),
    );
    Registry::new(
        limits,
        health::Config::default(),
        surroundings,
        Tasks::new(),
    )
}

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn key(number: usize) -> ManagerKey {
    ManagerKey::new(&format!("k{number}")).unwrap()
}

fn enter(registry: &Arc<Registry>, name: &str, number: usize) -> Entrance {
    let now = registry.surroundings.clock.now();
    registry.enter(&user(name), &key(number), now)
}

fn permit(registry: &Arc<Registry>, name: &str, number: usize) -> Permit {
    match enter(registry, name, number) {
        Entrance::Open(permit) => permit,
        other => panic!("{other:?}"),
    }
}

fn port(registry: &Registry, device: &str) -> Arc<Port> {
    let now = registry.surroundings.clock.now();
    Port::new(
        DeviceId::new(device).unwrap(),
        1_000,
        false,
        Weak::new(),
        now,
    )
}

/// L3: whatever the limit is, the next one is told it.
#[tokio::test(start_paused = true)]
async fn l3_the_limit_holds_whatever_it_is() {
    for limit in [1, 2, 3, 5, 8, 20] {
        let registry = registry(SlotLimits {
            managers_per_user: limit,
            ..SlotLimits::default()
        });
        let permits: Vec<_> = (0..limit as usize)
            .map(|number| permit(&registry, "ann", number))
            .collect();
        let full = enter(&registry, "ann", 99);
        assert!(
            matches!(full, Entrance::UserFull { held, limit: reported } if held == limit && reported == limit),
            "{full:?}"
        );
        assert_eq!(registry.held(&user("ann")) as usize, permits.len());
    }
}

/// L4, R1: a second connection of the same key joins, it takes no new slot.
#[tokio::test(start_paused = true)]
async fn l4_r1_the_same_key_joins() {
    let registry = registry(SlotLimits::default());
    let permits: Vec<_> = (0..5).map(|_| permit(&registry, "ann", 1)).collect();
    assert_eq!((registry.held(&user("ann")), registry.total()), (1, 1));
    let attachments: Vec<_> = permits
        .into_iter()
        .zip(["a", "b", "c", "d", "e"])
        .map(|(permit, device)| permit.attach(port(&registry, device)).unwrap())
        .collect();
    assert_eq!(registry.of(&user("ann"))[0].ports().len(), 5);
    drop(attachments);
}

/// L10, D11: a permit that is dropped gives its slot back, once.
#[tokio::test(start_paused = true)]
async fn l10_d11_an_unused_permit_gives_its_slot_back() {
    let registry = registry(SlotLimits::default());
    let (first, second) = (permit(&registry, "ann", 1), permit(&registry, "ann", 1));
    let id = first.manager().unwrap().id;
    drop(first);
    assert_eq!(registry.total(), 1, "the other one is still on its way");
    drop(second);
    assert_eq!((registry.total(), registry.users().len()), (0, 0));
    let cause = EvictionCause::Requested;
    assert!(
        registry
            .evict(&user("ann"), &key(1), id, cause, |_| true)
            .is_none()
    );
    assert!(
        registry
            .evict(&user("bob"), &key(7), id, cause, |_| true)
            .is_none()
    );
}

/// L13: the node's limit is told apart from the user's.
#[tokio::test(start_paused = true)]
async fn l13_the_nodes_limit_is_another_refusal() {
    let registry = registry(SlotLimits {
        managers_total: 3,
        ..SlotLimits::default()
    });
    let permits: Vec<_> = (0..3)
        .map(|number| permit(&registry, "ann", number))
        .collect();
    let full = enter(&registry, "bob", 0);
    assert!(
        matches!(full, Entrance::NodeFull { held: 3, limit: 3 }),
        "{full:?}"
    );
    assert_eq!(registry.users().len(), 1, "a refused user leaves no trace");
    drop(permits);
    assert_eq!(registry.total(), 0);
}

/// Failure mode 1: the count drops on the last close; at once if the client said goodbye, after
/// the grace if it was lost. R14, R18.
#[tokio::test(start_paused = true)]
async fn the_last_close_gives_the_slot_back() {
    let registry = registry(SlotLimits::default());
    permit(&registry, "ann", 1)
        .attach(port(&registry, "d"))
        .unwrap()
        .leave(CloseReason::ClientClosed);
    assert_eq!(registry.total(), 0);

    permit(&registry, "ann", 2)
        .attach(port(&registry, "d"))
        .unwrap()
        .leave(CloseReason::ClientGone);
    let (clock, users) = (registry.surroundings.clock.clone(), [user("ann")]);
    assert_eq!(
        (
            registry.total(),
            registry.release_expired(&users, clock.now())
        ),
        (1, 0)
    );
    for _ in 0..30 {
        tokio::time::advance(Duration::from_secs(10)).await;
        let attachment = permit(&registry, "ann", 2)
            .attach(port(&registry, "d"))
            .unwrap();
        assert_eq!(registry.total(), 1);
        attachment.leave(CloseReason::ClientGone);
    }
    tokio::time::advance(registry.surroundings.config.reconnect_grace).await;
    assert_eq!(registry.release_expired(&users, clock.now()), 1);
    assert_eq!(registry.total(), 0);
}

/// A newer connection of the same device takes over; the older one is told.
#[tokio::test(start_paused = true)]
async fn the_same_device_takes_over() {
    let registry = registry(SlotLimits::default());
    let old = permit(&registry, "ann", 1)
        .attach(port(&registry, "phone"))
        .unwrap();
    let other = permit(&registry, "ann", 1)
        .attach(port(&registry, "desk"))
        .unwrap();
    let new = permit(&registry, "ann", 1)
        .attach(port(&registry, "phone"))
        .unwrap();
    assert!(old.port().is_superseded() && old.port().is_closing());
    assert!(!other.port().is_closing() && !new.port().is_closing());
    old.leave(CloseReason::TakenOver);
    assert_eq!(new.manager().ports().len(), 2);
    assert_eq!(new.manager().reconnects(), 2);
}

/// U9: what was evicted takes nothing any more; its slot is free at once, and its key is another
/// life.
#[tokio::test(start_paused = true)]
async fn u9_an_evicted_manager_takes_nothing() {
    let registry = registry(SlotLimits {
        managers_per_user: 1,
        ..SlotLimits::default()
    });
    let attached = permit(&registry, "ann", 1)
        .attach(port(&registry, "d"))
        .unwrap();
    let manager = attached.manager().clone();
    let cause = EvictionCause::Requested;
    let ports = registry
        .evict(&user("ann"), &key(1), manager.id, cause, |_| true)
        .unwrap();
    assert_eq!((ports.len(), registry.total()), (1, 0));
    assert!(
        manager
            .send(ports[0].id, Message::Text("late".into()))
            .is_err()
    );
    assert_eq!(manager.broadcast(&Message::Text("late".into()), None), 0);
    let next = permit(&registry, "ann", 1);
    assert_ne!(next.manager().unwrap().id, manager.id);
    assert!(
        registry
            .evict(&user("ann"), &key(1), manager.id, cause, |_| true)
            .is_none()
    );
    assert_eq!(registry.history().of(&user("ann"), &key(1)).returns, 1);
}

/// Pins have a budget and an end.
/// M11, failure mode 24: looking changes nothing.
#[tokio::test(start_paused = true)]
async fn m11_a_snapshot_leaves_no_trace() {
    let registry = registry(SlotLimits::default());
    let _attached = permit(&registry, "ann", 1)
        .attach(port(&registry, "d"))
        .unwrap();
    let now = registry.surroundings.clock.now();
    let dump = |registry: &Registry| format!("{:?}", registry.snapshot_user(&user("ann"), now));
    let before = dump(&registry);
    let _ = (
        registry.users(),
        registry.all(),
        registry.snapshot_node(5, now),
    );
    assert_eq!(dump(&registry), before);
    assert_eq!(dump(&registry), before);
}

/// R19: whatever comes and goes, the count is the number of managers that are there.
#[tokio::test(start_paused = true)]
async fn r19_counts_are_what_is_there() {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    let steps = proptest::collection::vec((0..4_u8, 0..6_usize, 0..3_usize), 1..120);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(200));
    runner
        .run(&steps, |steps| {
            let registry = registry(SlotLimits {
                managers_per_user: 4,
                managers_total: 9,
                ..SlotLimits::default()
            });
            let mut permits = Vec::new();
            let mut attached: Vec<Attachment> = Vec::new();
            for (step, number, who) in steps {
                let name = ["ann", "bob", "cyd"][who];
                match step {
                    0 => permits.extend(match enter(&registry, name, number) {
                        Entrance::Open(permit) => Some(permit),
                        _ => None,
                    }),
                    1 => attached.extend(
                        permits
                            .pop()
                            .and_then(|permit| permit.attach(port(&registry, "d")).ok()),
                    ),
                    2 => drop(attached.pop()),
                    _ => {
                        if let Some(manager) = registry.get(&user(name), &key(number)) {
                            let cause = EvictionCause::Requested;
                            registry
                                .evict(&manager.user, &manager.key, manager.id, cause, |_| true);
                        }
                    }
                }
                let users = registry.users();
                let summed: u32 = users.iter().map(|(_, held)| held).sum();
                prop_assert_eq!(summed, registry.total());
                prop_assert_eq!(registry.all().len(), registry.total() as usize);
                prop_assert!(registry.total() <= 9 && users.iter().all(|(_, held)| *held <= 4));
            }
            Ok(())
        })
        .unwrap();
}

/// A user that routes count apart has a name for each of them; an operator means all of them.
#[tokio::test]
async fn a_block_is_for_every_name_of_a_user_and_for_no_other_user() {
    let registry = registry(SlotLimits::default());
    let names = ["ann", "ann@@/own", "anna@@/own", "bob"];
    let held = names.map(|name| permit(&registry, name, 1));
    assert_eq!(
        registry.evict_user(&user("ann"), EvictionCause::Requested),
        1
    );
    registry.scoped_by("@@");
    assert_eq!(registry.block(&user("ann"), BlockTerm::Open), 1);
    let enters = names.map(|name| matches!(enter(&registry, name, 2), Entrance::Open(_)));
    assert_eq!(enters, [false, false, true, true]);
    assert_eq!(names.map(|name| registry.held(&user(name))), [0, 0, 1, 1]);
    registry.unblock(&user("ann"));
    let again = names.map(|name| permit(&registry, name, 3));
    assert_eq!(names.map(|name| registry.held(&user(name))), [1, 1, 2, 2]);
    drop((held, again));
}

#[tokio::test]
async fn the_operators_limit_goes_before_that_of_the_identity() {
    let registry = registry(SlotLimits::default());
    let (ann, now) = (user("ann"), Clock::system().now());
    registry.set_limit(&ann, Some(3));
    registry.override_limit(&ann, Some(1));
    let _held = permit(&registry, "ann", 1);
    let full = enter(&registry, "ann", 2);
    assert!(
        matches!(full, Entrance::UserFull { held: 1, limit: 1 }),
        "{full:?}"
    );
    registry.override_limit(&ann, None);
    assert_eq!(
        (registry.own_limit(&ann), registry.limit(&ann, now)),
        (3, 3)
    );
}
