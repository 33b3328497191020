//! T: who goes at which tier, and how many.

use std::time::Duration;

use super::*;
use crate::testing::{Always, Client, Peer, Setup, empty, key, settle};
use crate::testing::{With, ranked};
use wastegate_core::decision::Class;
use wastegate_core::types::CloseReason;

const HOUR: u64 = 3_600;

#[tokio::test(start_paused = true)]
async fn t2_conservative_takes_the_inactive_and_counts_one_run() {
    let world = Setup::of_limit(8).build();
    world.detached("ann", 0..2).await;
    world.pass(HOUR).await;
    world.healthy("ann", 2..6);
    assert_eq!(world.run("ann", Tier::Conservative, 2).await, 2);
    assert_eq!(
        (world.held("ann"), world.notes.evicted()),
        (4, vec!["k000".into(), "k001".into()])
    );
    let counted = "tier_runs_total{tier=\"conservative\",result=\"freed\"} 1";
    assert!(world.metrics().contains(counted), "{}", world.metrics());
}

#[tokio::test(start_paused = true)]
async fn t3_aggressive_leaves_the_healthy_and_no_zombie() {
    let world = Setup::default().build();
    world.detached("ann", 0..5).await;
    world.fill("ann", 5..10, Peer::Silent);
    world.healthy("ann", 10..15);
    for number in 10..15 {
        world.attach_as(
            "second",
            world.permit("ann", number),
            Peer::Answers(Duration::ZERO),
        );
    }
    world.pass(1).await;
    assert_eq!(world.run("ann", Tier::Aggressive, 10).await, 10);
    let left: Vec<_> = world
        .registry
        .of(&user("ann"))
        .iter()
        .map(|m| m.key.clone())
        .collect();
    assert_eq!(left, (10..15).map(key).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn t4_the_bad_go_in_the_background_and_everybody_gets_in() {
    let world = Setup::default().build();
    world.detached("ann", 0..2).await;
    let zombies = world.fill("ann", 2..8, Peer::Silent);
    world.healthy("ann", 8..18);
    world.pass(120).await;
    for zombie in &zombies {
        zombie.miss(4, world.clock.now());
    }
    for number in 20..23 {
        world.enter("ann", number).await;
        assert!(world.held("ann") <= 20);
    }
    world.cleaner.sweep().await;
    assert_eq!(world.held("ann"), 13);
    assert!(
        world
            .notes
            .classes()
            .iter()
            .all(|(_, class)| *class != Class::Responsive)
    );
}

#[tokio::test(start_paused = true)]
async fn t6_the_inactive_are_gone_before_force_and_force_takes_none() {
    let world = Setup::default().build();
    world.detached("ann", 0..12).await;
    world.pass(30 * 60).await;
    world.healthy("ann", 12..18);
    let mut freed = 0;
    for tier in [Tier::Conservative, Tier::Moderate, Tier::Aggressive] {
        freed += world.run("ann", tier, 12 - freed).await;
    }
    assert_eq!((freed, world.held("ann")), (12, 6));
    assert_eq!(world.run("ann", Tier::Force, 0).await, 0);
    assert_eq!(world.held("ann"), 6);
}

#[tokio::test(start_paused = true)]
async fn t7_force_takes_exactly_one_the_idle_longest() {
    let world = Setup::default().build();
    let clients = world.healthy("ann", 0..20);
    world.pass(1).await;
    for client in clients.iter().filter(|client| client.manager.key != key(7)) {
        client.speak(world.clock.now());
    }
    for tier in [
        Tier::Proactive,
        Tier::Conservative,
        Tier::Moderate,
        Tier::Aggressive,
    ] {
        assert_eq!(world.run("ann", tier, 1).await, 0, "{tier}");
    }
    assert_eq!(world.run("ann", Tier::Force, 1).await, 1);
    assert_eq!(
        (world.held("ann"), world.notes.evicted()),
        (19, vec!["k007".into()])
    );
}

#[tokio::test(start_paused = true)]
async fn t9_later_tiers_do_not_run() {
    let world = Setup::default().build();
    world.dead("ann", 0..1).await;
    world.healthy("ann", 1..20);
    world.enter("ann", 20).await;
    assert_eq!(world.notes.tiers(), [(Tier::Conservative, 1)]);
    assert_eq!(world.clock.now().millis(), 0, "and none of it waited");
}

/// T10: a policy that proposes nobody is passed over, tier by tier, and completed at the last tier,
/// whichever that is: its silence locks nobody out.
#[tokio::test(start_paused = true)]
async fn t10_a_policy_that_evicts_nobody_is_passed_over() {
    let lazy = || With(|_: &_| empty());
    let world = Setup::default()
        .ranked_by(lazy())
        .up_to(Tier::Aggressive)
        .build();
    world.dead("ann", 0..1).await;
    world.healthy("ann", 1..20);
    world.enter("ann", 20).await;
    assert_eq!(world.notes.classes(), [(Tier::Aggressive, Class::Dead)]);

    let world = Setup::default().ranked_by(lazy()).build();
    world.dead("ann", 0..1).await;
    world.healthy("ann", 1..20);
    world.enter("ann", 20).await;
    assert_eq!(
        world.notes.classes(),
        [(Tier::Force, Class::Dead)],
        "worst first, topped up"
    );
    assert!(world.clock.now().millis() < 2_000);
}

/// T15: the order of the table decides nothing, and the same input gives the same decision.
#[tokio::test(start_paused = true)]
async fn t15_ties_are_broken_by_activity_then_key() {
    let mut plans = Vec::new();
    for numbers in [[3, 1, 4, 0, 2], [0, 1, 2, 3, 4]] {
        let world = Setup::of_limit(5).build();
        let clients: Vec<Client> = numbers
            .iter()
            .map(|&n| world.connect("ann", n, Peer::Answers(Duration::ZERO)))
            .collect();
        world.pass(1).await;
        for client in clients.iter().filter(|client| client.manager.key == key(0)) {
            client.speak(world.clock.now());
        }
        world.run("ann", Tier::Force, 4).await;
        settle().await;
        let decided = world.notes.decided().remove(0);
        let scores: Vec<_> = decided
            .plan
            .victims()
            .iter()
            .map(|victim| victim.score)
            .collect();
        plans.push((world.notes.evicted(), scores, decided.question.seed));
    }
    assert_eq!(plans[0].0, ["k001", "k002", "k003", "k004"]);
    assert_eq!(plans[0], plans[1]);
}

/// Below force what is needed and the reserve; at force not one more than is needed.
#[tokio::test(start_paused = true)]
async fn exactly_what_is_needed_and_the_reserve() {
    let world = Setup::default().build();
    world.dead("ann", 0..5).await;
    world.healthy("ann", 5..20);
    assert_eq!(world.run("ann", Tier::Conservative, 1).await, 2);
    assert_eq!(world.run("ann", Tier::Force, 4).await, 4);
    let classes: Vec<_> = world
        .notes
        .classes()
        .into_iter()
        .map(|(_, class)| class)
        .collect();
    assert_eq!(classes[..5], [Class::Dead; 5], "the worst first");
    assert_eq!(classes[5..], [Class::Responsive]);
}

/// Z11: a manager whose first connection is on its way is not touched, whoever asks for it.
#[tokio::test(start_paused = true)]
async fn z11_a_newborn_is_kept() {
    let world = Setup::default().ranked_by(Always).build();
    world.detached("ann", 0..19).await;
    let permit = world.permit("ann", 19);
    assert_eq!(world.run("ann", Tier::Aggressive, 20).await, 19);
    assert_eq!(world.run("ann", Tier::Force, 20).await, 0);
    world.pass(0).await;
    world.attach(permit, Peer::Silent);
    assert_eq!(world.held("ann"), 1);
}

#[tokio::test(start_paused = true)]
async fn z12_a_newborn_that_never_attaches_is_evictable_at_the_first_tier() {
    let world = Setup::default().build();
    let permit = world.permit("ann", 0);
    world.pass(9).await;
    assert_eq!(world.run("ann", Tier::Conservative, 1).await, 0);
    world.pass(1).await;
    assert_eq!(world.run("ann", Tier::Conservative, 1).await, 1);
    let manager = permit.manager().unwrap();
    assert!(matches!(manager.end(), Some(CloseReason::Evicted(_))));
    drop(permit);
    assert_eq!(world.registry.total(), 0);
}

/// A pin that comes while the ranker thinks is kept, also in the last look of `force`, which takes
/// the active ones as they are.
#[tokio::test(start_paused = true)]
async fn a_pin_that_comes_late_is_kept() {
    struct Pinning(std::sync::Arc<std::sync::OnceLock<std::sync::Arc<crate::registry::Registry>>>);
    impl wastegate_core::decision::Ranker for Pinning {
        fn rank(
            &self,
            question: &std::sync::Arc<wastegate_core::decision::Question>,
        ) -> wastegate_core::decision::Answer {
            let (row, registry) = (&question.rows[0], self.0.get().unwrap());
            // One slot can always be made free: the last pin is refused.
            let _ = registry.pin(&row.user, &row.key, Duration::from_secs(60));
            wastegate_core::decision::Answer::Ready(ranked(Ok(vec![0])))
        }
    }
    let registry = std::sync::Arc::default();
    let world = Setup::of_limit(3)
        .ranked_by(Pinning(std::sync::Arc::clone(&registry)))
        .build();
    registry.set(world.registry.clone()).unwrap();
    world.healthy("ann", 0..3);
    world.enter("ann", 3).await;
    let now = world.clock.now();
    let is_pinned =
        |manager: &std::sync::Arc<crate::manager::Manager>| manager.hints.is_pinned(now);
    let pinned = world
        .registry
        .of(&user("ann"))
        .iter()
        .filter(|one| is_pinned(one))
        .count();
    assert_eq!((pinned, world.notes.evicted().len()), (2, 1));
}
