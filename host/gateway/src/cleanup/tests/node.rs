//! The node's own pressure, across users.

use super::*;
use crate::testing::{Setup, With, empty, settle};
use wastegate_core::decision::Class;

fn of_total(managers_total: u32) -> Setup {
    let mut setup = Setup::default();
    setup.limits.managers_total = managers_total;
    setup
}

/// Whoever holds them, the dead make room, and nobody who answers goes.
#[tokio::test(start_paused = true)]
async fn the_dead_of_others_make_room_on_a_full_node() {
    let world = of_total(6).build();
    world.dead("ann", 0..2).await;
    world.healthy("bob", 0..4);
    world.enter("cyd", 0).await;
    assert_eq!(world.notes.node_tiers(), [Tier::Conservative]);
    assert_eq!(
        world.notes.classes(),
        [(Tier::Conservative, Class::Dead); 2],
        "and the reserve"
    );
    assert_eq!((world.held("bob"), world.held("cyd")), (4, 1));
}

/// Failure mode 33 for the node: whoever comes meanwhile shares one cleanup, which makes room for
/// all of them.
#[tokio::test(start_paused = true)]
async fn all_who_wait_share_one_cleanup_and_get_in() {
    let world = of_total(10).build();
    world.dead("ann", 0..6).await;
    world.healthy("bob", 0..4);
    let (a, b, c, d) = tokio::join!(
        world.enter("cyd", 0),
        world.enter("dan", 0),
        world.enter("eve", 0),
        world.enter("fay", 0)
    );
    assert_eq!(world.notes.node_tiers(), [Tier::Conservative]);
    assert_eq!((world.held("bob"), world.registry.total()), (4, 9));
    drop((a, b, c, d));
}

/// A crowd that finds nothing to evict leaves one cleanup behind it, not one each.
#[tokio::test(start_paused = true)]
async fn a_refused_crowd_leaves_no_cleanups_behind() {
    let world = of_total(2).build();
    world.fill("bob", 0..2, crate::testing::Peer::Silent);
    for client in world
        .registry
        .all()
        .iter()
        .flat_map(|manager| manager.ports())
    {
        client.vitals.set_read_paused(true);
    }
    world.pass(60).await;
    let crowd = (0..50).map(|number| world.refused("cyd", number));
    let denied = futures_util::future::join_all(crowd).await;
    assert_eq!(denied[0].why, crate::admission::DenialReason::NodeLimit);
    settle().await;
    assert_eq!(world.notes.node_tiers().len(), 3, "one pass over the tiers");
    assert_eq!(
        (world.leftovers(), world.cleaner.node_flights.running()),
        (2, 0),
        "two peers"
    );
}

/// The node stops at its last tier; `force` is not among them unless the operator says so.
#[tokio::test(start_paused = true)]
async fn the_nodes_force_is_the_operators_choice() {
    let world = of_total(3).build();
    world.healthy("bob", 0..3);
    world.refused("cyd", 0).await;
    assert_eq!(world.held("bob"), 3);

    let mut setup = of_total(3);
    setup.cleanup.node_last_tier = Tier::Force;
    let world = setup.build();
    world.healthy("bob", 0..3);
    world.enter("cyd", 0).await;
    assert_eq!(
        (world.held("bob"), world.held("cyd")),
        (2, 1),
        "one, without a reserve"
    );
}

/// Memory over its limit is pressure too: the background pass frees what is dead, and no more.
#[tokio::test(start_paused = true)]
async fn memory_over_its_limit_lets_the_dead_go() {
    let mut setup = Setup::default();
    setup.cleanup.memory_bytes_max = 1;
    let world = setup.build();
    world.dead("ann", 0..3).await;
    world.healthy("bob", 0..3);
    world.cleaner.sweep().await;
    assert_eq!((world.held("ann"), world.held("bob")), (0, 3));

    let world = Setup::default().build();
    world.dead("ann", 0..3).await;
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 3, "no limit, no pressure");
}

/// T10 at node scope: a policy that proposes nobody is completed at the last tier that the node may
/// use.
#[tokio::test(start_paused = true)]
async fn a_lazy_policy_is_passed_over_at_node_scope() {
    let world = of_total(2).ranked_by(With(|_: &_| empty())).build();
    world.dead("ann", 0..2).await;
    world.enter("cyd", 0).await;
    assert_eq!(world.notes.classes(), [(Tier::Aggressive, Class::Dead)]);
}
