//! A few users who keep their policy, against everything that changes for the others.

use super::*;
use crate::experiment::definition::Definition;
use crate::experiment::entry::ExperimentState;
use crate::experiment::error::ExperimentError;
use crate::experiment::verdict::ExperimentVerdict;

/// Half and half, so that few users decide.
fn season(name: &str) -> Definition {
    let text = format!(
        "name = \"{name}\"\nholdout = true\nplanned_users = 400\nharm_after_s = 0\narms = [{{name=\"held\", policy=\"fifo\", weight=0.5}}, {{name=\"changed\", policy=\"champion\", weight=0.5}}]"
    );
    toml::from_str::<Definition>(&text).unwrap().named()
}

fn with_season(rest: &str) -> (Arc<FakeHost>, Arc<Experiments>) {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    experiments.start(season("season"), "ann").unwrap();
    experiments.start(definition(rest), "ann").unwrap();
    (host, experiments)
}

fn users(experiments: &Experiments, name: &str) -> Vec<u64> {
    let arms = experiments.view(name).unwrap().assessment.users;
    arms.iter().map(|arm| arm.users).collect()
}

#[test]
fn who_is_held_meets_no_other_experiment_and_the_others_count_in_both() {
    let (_host, experiments) = with_season("");
    let mut labels = std::collections::BTreeMap::<String, u64>::new();
    for number in 0..600 {
        let user = user(number);
        let arm = experiments
            .expose(&user, &question_of(&experiments, &user))
            .unwrap();
        assert!(arm.ranker.is_some(), "the arm of an experiment ranks");
        *labels.entry(arm.label.to_string()).or_default() += 1;
    }
    let names: Vec<&str> = labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["season/1/held", "x/1/champion", "x/1/lru"]);
    let season = users(&experiments, "season");
    assert_eq!(season[0], labels["season/1/held"]);
    assert_eq!(season.iter().sum::<u64>(), 600);
    assert_eq!(users(&experiments, "x").iter().sum::<u64>(), season[1]);
    // What happens to a user counts in both.
    for number in 0..600 {
        experiments.evicted(&user(number));
    }
    for name in ["season", "x"] {
        let assessment = experiments.view(name).unwrap().assessment;
        assert!(assessment.split.always_p > 0.001, "{name}");
        assert_eq!(assessment.split.multiple, 0);
    }
}

#[test]
fn without_another_experiment_the_active_policy_ranks_for_the_others() {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    experiments.start(season("season"), "ann").unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..100 {
        let user = user(number);
        let arm = experiments
            .expose(&user, &question_of(&experiments, &user))
            .unwrap();
        seen.insert((arm.label.to_string(), arm.ranker.is_some()));
    }
    let expected = [("season/1/changed", false), ("season/1/held", true)];
    assert!(
        seen.into_iter()
            .eq(expected.map(|(label, is)| (label.to_owned(), is)))
    );
}

#[test]
fn another_active_policy_begins_no_new_phase_not_by_a_restart_either() {
    let host = Arc::new(FakeHost::default());
    let folder = tempfile::tempdir().unwrap();
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(season("season"), "ann").unwrap();
    for number in 0..50 {
        expose(&experiments, number);
    }
    let before = users(&experiments, "season");
    *host.version.lock() += 1;
    experiments.look();
    let view = experiments.view("season").unwrap();
    assert_eq!(
        (view.phase.number, view.outdated),
        (1, vec!["held".to_owned()])
    );
    drop(experiments);
    let again = opened(&host, folder.path(), 20);
    let view = again.view("season").unwrap();
    assert_eq!(
        (view.phase.number, view.state),
        (1, ExperimentState::Running)
    );
    assert_eq!(users(&again, "season"), before);
    assert_eq!(
        view.phase.arms[0].digest, "fifo@0",
        "the held revision stays"
    );
}

#[test]
fn harm_is_said_and_rolls_nothing_back() {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    experiments.start(season("season"), "ann").unwrap();
    for number in 0..800 {
        let arm = expose(&experiments, number).unwrap();
        let user = user(number);
        experiments.admission(&user, Duration::from_millis(1), true, false);
        experiments.evicted(&user);
        if arm == "changed" || number % 10 == 0 {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
    for _ in 0..3 {
        experiments.look();
    }
    let view = experiments.view("season").unwrap();
    assert_eq!(
        view.assessment.verdict,
        ExperimentVerdict::Rollback,
        "{:?}",
        view.assessment.because
    );
    assert_eq!(view.state, ExperimentState::Running);
    assert_eq!(
        view.curve.len(),
        0,
        "a look of harm is kept as every other, at most once a minute"
    );
    let label = expose(&experiments, 0);
    assert!(label.is_some());
}

#[test]
fn a_holdout_comes_before_every_other_experiment() {
    let host = Arc::new(FakeHost::default());
    let experiments = Experiments::in_memory(given(&host, 20));
    experiments.start(definition(""), "ann").unwrap();
    let refused = |name: &str, expected: &str| {
        let started = experiments.start(season(name), "ann");
        assert!(
            matches!(&started, Err(ExperimentError::HoldoutFirst { other }) if other == expected),
            "{started:?}"
        );
    };
    refused("season", "x");
    experiments.stop("x", "ann", "").unwrap();
    experiments.start(season("season"), "ann").unwrap();
    refused("winter", "season");
}
