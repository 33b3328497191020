//! The room against a ledger in memory: two nodes in one process, on one clock.

use std::sync::Arc;
use std::time::Duration;

use super::{ClusterNode, Config, CountAnswer, NotCounted};
use crate::registry::{Entrance, Permit};
use crate::testing::{Setup, World, key, settle, user};
use wastegate_cluster::ledger::{AwayRule, Leases, NameHasher, NodeName, NodeNote};
use wastegate_cluster::local::LocalLedger;

const BUDGET: Duration = Duration::from_millis(50);

struct Node {
    world: World,
    cluster: Arc<ClusterNode>,
}

impl Node {
    fn of(ledger: &Arc<LocalLedger>, name: &str, away: AwayRule) -> Self {
        let world = Setup::of_limit(3).build();
        let config = Config {
            node: NodeName::new(name).unwrap(),
            note: NodeNote::default(),
            hasher: NameHasher::new("a secret of sixteen").unwrap(),
            dead_after: Duration::from_secs(6),
            budget: BUDGET,
            away,
        };
        let (registry, clock) = (world.registry.clone(), world.clock.clone());
        let cluster = ClusterNode::new(ledger.clone(), config, registry, clock).unwrap();
        Self { world, cluster }
    }

    fn permit(&self, number: usize) -> Permit {
        let now = self.world.clock.now();
        match self.world.registry.enter(&user("ann"), &key(number), now) {
            Entrance::Open(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    async fn enter(&self, permit: &Permit) -> CountAnswer {
        let manager = permit.manager().unwrap();
        self.cluster.enter(manager, &[], BUDGET).await
    }

    /// Does what waits to be told.
    async fn tell(&self) {
        let _ = tokio::time::timeout(Duration::from_millis(1), self.cluster.leave_on()).await;
    }
}

fn ledger(node: &World) -> Arc<LocalLedger> {
    LocalLedger::new(node.clock.clone(), Leases::default())
}

fn is_in(counted: &CountAnswer) -> bool {
    matches!(counted, CountAnswer::In)
}

#[tokio::test(start_paused = true)]
async fn nodes_share_a_limit_and_a_permit_that_is_dropped_gives_its_entry_back() {
    let ledger = ledger(&Setup::default().build());
    let (a, b) = (
        Node::of(&ledger, "a", AwayRule::Static),
        Node::of(&ledger, "b", AwayRule::Static),
    );
    a.cluster.beat().await;
    b.cluster.beat().await;
    let held: Vec<Permit> = (0..2).map(|number| a.permit(number)).collect();
    for permit in &held {
        assert!(is_in(&a.enter(permit).await));
    }
    let third = b.permit(2);
    assert!(is_in(&b.enter(&third).await));
    assert!(
        is_in(&b.enter(&third).await),
        "who is in is not asked for again"
    );
    let fourth = b.permit(3);
    let CountAnswer::Not(NotCounted::Full(full)) = b.enter(&fourth).await else {
        panic!("the user is at its limit");
    };
    assert_eq!((full.held, full.limit, full.needed()), (3, 3, 1));
    assert!(full.has_newborns_elsewhere() && full.gone_here().is_empty());
    // One goes on this node, and before the ledger hears of it, it goes first.
    drop(third);
    settle().await;
    let CountAnswer::Not(NotCounted::Full(full)) = b.enter(&fourth).await else {
        panic!("the ledger has not heard of it");
    };
    let gone = full.gone_here();
    assert_eq!(gone.len(), 1);
    let manager = fourth.manager().unwrap();
    assert!(is_in(&b.cluster.enter(manager, &gone, BUDGET).await));
    // One that goes on the other node is free here once that has told it.
    drop(held);
    settle().await;
    a.tell().await;
    let (fifth, sixth, seventh) = (b.permit(4), b.permit(5), a.permit(6));
    assert!(is_in(&b.enter(&fifth).await) && is_in(&b.enter(&sixth).await));
    assert!(!is_in(&a.enter(&seventh).await));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_beaten_goes_by_its_rule_and_asserts_later() {
    let ledger = ledger(&Setup::default().build());
    let closed = Node::of(&ledger, "closed", AwayRule::Closed);
    let permit = closed.permit(0);
    let refused = closed.enter(&permit).await;
    assert!(matches!(refused, CountAnswer::Not(NotCounted::Closed)));

    let node = Node::of(&ledger, "static", AwayRule::Static);
    let (first, second) = (node.permit(0), node.permit(1));
    assert!(is_in(&node.enter(&first).await) && is_in(&node.enter(&second).await));
    let hash = node.cluster.user_hash(&user("ann"));
    assert!(ledger.parts(hash).is_empty(), "nothing was asked");
    // Elsewhere two are held already: what was let in is asserted all the same, and the surplus is known.
    let other = Node::of(&ledger, "other", AwayRule::Static);
    other.cluster.beat().await;
    let held = [other.permit(7), other.permit(8)];
    assert!(is_in(&other.enter(&held[0]).await) && is_in(&other.enter(&held[1]).await));
    node.cluster.beat().await;
    node.cluster.tell(&user("ann")).await.unwrap();
    assert_eq!(ledger.parts(hash).len(), 4);
    assert_eq!(node.cluster.over_limit(), 1);
    // What it publishes next says how much is held elsewhere, and by that the rule goes from then on.
    node.cluster.tell(&user("ann")).await.unwrap();
    node.world.pass(7).await;
    assert!(node.cluster.is_away(), "its last beat is too old");
    let third = node.permit(2);
    let CountAnswer::Not(NotCounted::Full(full)) = node.enter(&third).await else {
        panic!("two here and two elsewhere");
    };
    assert!(full.is_alone());
    // For one that goes here one may come, however many are held elsewhere.
    assert_eq!((full.held, full.limit, full.needed()), (3, 3, 1));
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_life_is_over_asserts_everything_under_another() {
    let ledger = ledger(&Setup::default().build());
    let (frozen, other) = (
        Node::of(&ledger, "frozen", AwayRule::Static),
        Node::of(&ledger, "other", AwayRule::Static),
    );
    frozen.cluster.beat().await;
    let held = frozen.permit(0);
    assert!(is_in(&frozen.enter(&held).await));
    let first_life = frozen.cluster.life(held.manager().unwrap().id);
    // The other one beats on, and buries it.
    for _ in 0..8 {
        other.world.pass(1).await;
        other.cluster.beat().await;
    }
    frozen.cluster.beat().await;
    let life = frozen.cluster.life(held.manager().unwrap().id);
    assert_ne!(life.epoch, first_life.epoch);
    assert!(
        held.manager().unwrap().mark.is_assumed(),
        "it has to be told again"
    );
    frozen.cluster.beat().await;
    frozen.cluster.tell(&user("ann")).await.unwrap();
    let hash = frozen.cluster.user_hash(&user("ann"));
    let parts = ledger.parts(hash);
    assert!(
        parts
            .iter()
            .any(|(_, part)| part.life == life && !part.provisional)
    );
}

#[tokio::test(start_paused = true)]
async fn operators_see_what_a_node_holds_and_which_one_fell_silent() {
    let ledger = ledger(&Setup::default().build());
    let (a, b) = (
        Node::of(&ledger, "a", AwayRule::Static),
        Node::of(&ledger, "b", AwayRule::Static),
    );
    let _permits: Vec<Permit> = (0..2).map(|number| b.permit(number)).collect();
    b.world.registry.set_drained(true);
    b.cluster.beat().await;
    a.cluster.beat().await;
    let view = a.cluster.view();
    let node = view.nodes.iter().find(|node| node.name == "b").unwrap();
    assert_eq!(
        (node.managers, node.connections, node.draining),
        (Some(2), Some(0), Some(true))
    );
    assert_eq!(view.gone, []);

    let mut silent_ms = 0;
    while a.cluster.view().gone.is_empty() {
        assert!(silent_ms < 10_000, "a silent node is missed in time");
        tokio::time::advance(Duration::from_secs(1)).await;
        silent_ms += 1000;
        a.cluster.beat().await;
    }
    let gone = &a.cluster.view().gone[0];
    assert_eq!((gone.name.as_str(), gone.beat_age_ms), ("b", silent_ms));
    b.cluster.beat().await;
    b.cluster.beat().await;
    a.cluster.beat().await;
    assert_eq!(a.cluster.view().gone, [], "it came back under its name");
    b.cluster.leave().await;
    a.cluster.beat().await;
    assert_eq!(a.cluster.view().nodes.len(), 1);
    assert_eq!(a.cluster.view().gone, [], "it said goodbye");
}
