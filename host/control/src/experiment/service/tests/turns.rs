//! Arms in turns on the whole node.

use super::*;
use crate::experiment::entry::ExperimentState;
use crate::experiment::verdict::ExperimentVerdict;

const TURNS: &str = "primary = \"admission-ms\"\nguardrails = [{metric=\"freed-nothing\", margin=0.5}]\nplanned_users = 400\nswitchback = {window_s=600, washout_s=60}";

fn node() -> (Arc<FakeHost>, Clock, Arc<Experiments>) {
    let (host, clock) = (Arc::new(FakeHost::default()), Clock::manual());
    let given = ExperimentsContext {
        clock: clock.clone(),
        ..given(&host, 20)
    };
    let experiments = Experiments::in_memory(given);
    experiments.start(definition(TURNS), "ann").unwrap();
    (host, clock, experiments)
}

fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

#[test]
fn everybody_has_one_arm_in_a_window_and_its_beginning_does_not_count() {
    let (_house, clock, experiments) = node();
    let members = || {
        let users = experiments.view("x").unwrap().assessment.users;
        users.iter().map(|arm| arm.users).sum::<u64>()
    };
    let arm = expose(&experiments, 1);
    assert!(arm.is_some(), "ranked for from the first moment");
    clock.advance(minutes(2));
    for number in 0..20 {
        assert_eq!(expose(&experiments, number), arm);
    }
    assert_eq!(members(), 0, "a window that is not over says nothing");
    clock.advance(minutes(8) + Duration::from_secs(30));
    assert_eq!(members(), 1, "one window is one data point");
    // In the washout of the next one.
    expose(&experiments, 1);
    clock.advance(minutes(10));
    assert_eq!(members(), 1);
    // Every arm gets its turns.
    let mut arms = std::collections::BTreeSet::new();
    for _ in 0..50 {
        clock.advance(minutes(10));
        arms.extend(expose(&experiments, 3));
    }
    assert_eq!(arms.len(), 2);
}

#[test]
fn an_arm_that_lets_the_node_wait_is_found_by_windows() {
    let (_house, clock, experiments) = node();
    for window in 0_u64..400 {
        clock.advance(minutes(2));
        let arm = expose(&experiments, 1).unwrap();
        // A node has busy hours, and these fall on the active policy.
        let busy = window % 7;
        let wait = busy + if arm == "lru" { 30 } else { 3 };
        for number in 0..(3 + usize::try_from(busy).unwrap()) {
            let wait = Duration::from_millis(wait);
            experiments.admission(&user(number), wait, true, false);
        }
        clock.advance(minutes(8));
        if window % 20 == 19 {
            experiments.look();
        }
    }
    let view = experiments.view("x").unwrap();
    assert_eq!(view.assessment.verdict, ExperimentVerdict::Rollback);
    assert_eq!(view.state, ExperimentState::RolledBack);
    assert!(view.reason.contains("`admission-ms`"), "{}", view.reason);
    assert_eq!(expose(&experiments, 1).as_deref(), Some("champion"));
}

#[test]
fn what_came_of_an_eviction_belongs_to_the_window_of_the_eviction() {
    let (host, clock) = (Arc::new(FakeHost::default()), Clock::manual());
    let given = ExperimentsContext {
        clock: clock.clone(),
        ..given(&host, 20)
    };
    let experiments = Experiments::in_memory(given);
    let turns = "primary = \"thrash\"\nguardrails = []\nswitchback = {window_s=600, washout_s=60}";
    experiments.start(definition(turns), "ann").unwrap();
    clock.advance(minutes(9));
    let first = expose(&experiments, 1);
    let evicted = clock.now();
    experiments.evicted(&user(1));
    let events = |experiments: &Experiments| {
        let assessment = experiments.view("x").unwrap().assessment;
        assessment.comparisons[0].findings[0].events
    };
    // Wanted back in another window, whose arm did nothing.
    clock.advance(Duration::from_secs(70));
    experiments.returned(&user(1), evicted, 50_000);
    assert!(events(&experiments).abs() < f64::EPSILON, "not over yet");
    clock.advance(minutes(2));
    assert!((events(&experiments) - 1.0).abs() < f64::EPSILON);
    assert!(first.is_some());
}
