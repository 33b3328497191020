//! A policy cannot hurt: whatever its ranker does, the decision is completed.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::*;
use crate::testing::{Client, Faulty, Hanging, Panicking, Setup, With, ranked, settle};
use wastegate_core::decision::{Answer, Class, Fault, Question, Ranker};
use wastegate_core::types::{Clock, UserId};

async fn room_after_fault(ranker: impl Ranker) -> (World, Arc<Cleanup>) {
    let world = Setup::default().ranked_by(ranker).build();
    world.dead("ann", 0..1).await;
    world.healthy("ann", 1..20);
    let cleanup = world
        .cleaner
        .make_room(&user("ann"), Pass::BelowForce)
        .await;
    (world, cleanup)
}

/// D6: the built-in ranking completes the same decision.
#[tokio::test(start_paused = true)]
async fn d6_a_fault_is_completed_by_the_built_in_ranking() {
    let (world, cleanup) = room_after_fault(Faulty(Fault::OutOfFuel(1))).await;
    let run = cleanup.runs[0];
    assert_eq!(
        (run.tier, run.freed, run.fault, cleanup.enough),
        (Tier::Conservative, 1, true, true)
    );
    settle().await;
    let decided = &world.notes.decided()[0];
    assert_eq!(decided.answer.outcome, Err(Fault::OutOfFuel(1)));
    assert_eq!(
        decided.plan.victims()[0].rank,
        None,
        "not the policy's choice"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_ranker_is_a_fault_and_lands_the_flight() {
    let (world, cleanup) = room_after_fault(Panicking).await;
    assert!(cleanup.enough && cleanup.runs[0].fault);
    assert_eq!(world.cleaner.flights.running(), 0);
    assert_eq!(
        world
            .cleaner
            .make_room(&user("ann"), Pass::BelowForce)
            .await
            .runs
            .len(),
        0,
        "nothing is short"
    );
}

/// A ranker that never answers costs its patience once, not once a tier, and locks nobody out.
#[tokio::test(start_paused = true)]
async fn a_hanging_ranker_costs_its_patience_once() {
    let world = Setup::default().ranked_by(Hanging).build();
    world.healthy("ann", 0..20);
    for number in 20..23 {
        let start = world.clock.now();
        world.enter("ann", number).await;
        assert!(world.clock.now().since(start) < Duration::from_secs(2));
    }
    assert_eq!(world.notes.classes(), [(Tier::Force, Class::Responsive); 3]);
    settle().await;
    let fault = |decided: &Decided| decided.answer.outcome.clone().unwrap_err().name();
    assert!(
        world
            .notes
            .decided()
            .iter()
            .all(|decided| fault(decided) == "deadline")
    );
}

/// D7: a ranker that fails for one user ranks for another.
#[tokio::test(start_paused = true)]
async fn d7_a_fault_for_one_user_does_not_touch_another() {
    let moody = With(|question: &Question| {
        if question.rows[0].user == user("ann") {
            ranked(Err(Fault::Trap("ann".into())))
        } else {
            ranked(Ok(vec![1]))
        }
    });
    let world = Setup::default().ranked_by(moody).build();
    for name in ["ann", "bob"] {
        world.dead(name, 0..2).await;
        world.healthy(name, 2..20);
    }
    let of = |name: &'static str| {
        world
            .cleaner
            .make_room(Box::leak(Box::new(user(name))), Pass::BelowForce)
    };
    let (ann, bob) = tokio::join!(of("ann"), of("bob"));
    assert_eq!((ann.runs[0].fault, ann.enough), (true, true));
    assert_eq!((bob.runs[0].fault, bob.enough), (false, true));
    settle().await;
    let decided = world.notes.decided();
    let ranks: Vec<_> = decided
        .iter()
        .map(|decided| decided.plan.victims()[0].rank)
        .collect();
    assert!(
        ranks.contains(&None) && ranks.contains(&Some(0)),
        "{ranks:?}"
    );
}

/// Takes a moment, in which the user becomes active in the one it then proposes.
struct Nudging {
    clients: Arc<Mutex<Vec<Client>>>,
    clock: Clock,
}

impl Ranker for Nudging {
    fn rank(&self, question: &Arc<Question>) -> Answer {
        let (first, clients) = (question.rows[0].manager, self.clients.clone());
        let clock = self.clock.clone();
        Answer::Pending(Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            for client in clients
                .lock()
                .iter()
                .filter(|client| client.manager.id == first)
            {
                client.speak(clock.now());
            }
            ranked(Ok(vec![0]))
        }))
    }
}

fn nudged() -> (World, UserId) {
    let clients = Arc::new(Mutex::default());
    let nudging = Nudging {
        clients: clients.clone(),
        clock: Clock::system(),
    };
    let world = Setup::of_limit(5).ranked_by(nudging).build();
    *clients.lock() = world.healthy("ann", 0..5);
    (world, user("ann"))
}

/// Who became active since the snapshot is spared; `force` looks again, and the last look takes
/// somebody all the same.
#[tokio::test(start_paused = true)]
async fn who_became_active_is_spared_and_force_looks_again() {
    let (world, ann) = nudged();
    let cleanup = world.cleaner.make_room(&ann, Pass::Force).await;
    let force: Vec<_> = cleanup
        .runs
        .iter()
        .filter(|run| run.tier == Tier::Force)
        .collect();
    assert_eq!(
        force.iter().map(|run| run.freed).collect::<Vec<_>>(),
        [0, 0, 1]
    );
    assert_eq!((cleanup.enough, world.held("ann")), (true, 4));
    settle().await;
    world.pass(3).await;
    let names: Vec<_> = world
        .notes
        .outcomes()
        .iter()
        .map(|outcome| outcome.name())
        .collect();
    assert_eq!(names, ["spared", "spared", "echoed"]);
    assert_eq!(
        world.notes.evicted().len(),
        1,
        "the spared were not evicted"
    );
}
