//! What is concluded, and what is done about it.

use super::*;
use crate::experiment::entry::ExperimentState;
use crate::experiment::error::ExperimentError;
use crate::experiment::verdict::ExperimentVerdict;

/// Killed without a word: whoever was exposed stays so, nobody is counted twice, and what was counted
/// up to the last look is there.
#[tokio::test]
async fn harm_is_rolled_back_once_for_good_and_everybody_has_the_control() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(PRIMARY), "ann").unwrap();
    live(&experiments, 150, 9);
    experiments.look();
    assert_eq!(
        experiments.view("x").unwrap().state,
        ExperimentState::Running,
        "too few users to say anything"
    );
    for number in 150..600 {
        let Some(arm) = expose(&experiments, number) else {
            continue;
        };
        let user = user(number);
        experiments.evicted(&user);
        if number % 10 < if arm == "lru" { 9 } else { 1 } {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::RolledBack);
    assert!(
        view.reason
            .contains("`lru` is worse than the control in `thrash`"),
        "{}",
        view.reason
    );
    experiments.look();
    let notes = host
        .notes
        .lock()
        .iter()
        .filter(|(what, _)| *what == Noted::RolledBack)
        .count();
    assert_eq!(notes, 1, "one line in the audit log");
    let arms: std::collections::BTreeSet<_> =
        (0..100).filter_map(|it| expose(&experiments, it)).collect();
    assert_eq!(arms.into_iter().collect::<Vec<_>>(), ["champion"]);
    drop(experiments);
    let again = opened(&host, folder.path(), 20);
    assert_eq!(
        again.view("x").unwrap().state,
        ExperimentState::RolledBack,
        "never resumed"
    );
    again.stop("x", "ann", "seen").unwrap();
    assert!(matches!(
        again.stop("x", "ann", ""),
        Err(ExperimentError::Over(_))
    ));
    assert_eq!(expose(&again, 1), None);
}

#[tokio::test]
async fn no_difference_stays_undecided_and_a_better_arm_may_be_promoted() {
    let (_house, experiments) = in_memory(PRIMARY);
    live(&experiments, 2_000, 1);
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.state, view.assessment.verdict),
        (ExperimentState::Running, ExperimentVerdict::Continue)
    );
    let (_house, experiments) = in_memory(&PRIMARY.replace("0.05", "0.2"));
    live(&experiments, 3_000, 0);
    experiments.look();
    let view = experiments.view("x").unwrap();
    let assessment = &view.assessment;
    assert_eq!(
        assessment.verdict,
        ExperimentVerdict::Promotable,
        "{:?}",
        assessment.because
    );
    assert_eq!(assessment.arm.as_deref(), Some("lru"));
}

#[tokio::test]
async fn a_quarantined_arm_ends_it_by_the_breaker_and_a_quarantined_control_does_not() {
    let (host, experiments) = in_memory("");
    *host.quarantined.lock() = Some("champion@0".to_owned());
    experiments.look();
    assert_eq!(
        experiments.view("x").unwrap().state,
        ExperimentState::Running
    );
    *host.quarantined.lock() = Some("lru@0".to_owned());
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::RolledBack);
    assert!(view.reason.starts_with("breaker: "), "{}", view.reason);
}

#[tokio::test]
async fn a_diluted_arm_and_a_broken_split_are_not_compared() {
    let (_house, experiments) = in_memory("");
    for number in 0..100 {
        if expose(&experiments, number).as_deref() == Some("lru") {
            experiments.decided(&user(number), true);
        }
    }
    let assessment = experiments.view("x").unwrap().assessment;
    assert_eq!(assessment.verdict, ExperimentVerdict::Hold);
    assert!(
        assessment.because[0].contains("diluted"),
        "{:?}",
        assessment.because
    );
    assert!(assessment.users[1].is_diluted && !assessment.users[0].is_diluted);

    let (_house, experiments) = in_memory("");
    // Half of the arm's users never get as far as a trigger.
    for number in 0..2_000 {
        let place = crate::experiment::assign::place(
            crate::experiment::assign::HashVersion::V2,
            "x",
            user(number).as_str(),
        );
        if !(0.5..=0.75).contains(&place) {
            expose(&experiments, number);
        }
    }
    let assessment = experiments.view("x").unwrap().assessment;
    assert_eq!(assessment.verdict, ExperimentVerdict::Hold);
    assert!(
        assessment.because[0].contains("do not fall into the arms"),
        "{:?}",
        assessment.because
    );
}

#[tokio::test]
async fn only_victims_since_the_first_trigger_are_regretted() {
    let (_house, experiments) = in_memory("");
    let clock = experiments.given.clock.clone();
    let before = clock.now();
    tokio::time::pause();
    tokio::time::advance(Duration::from_millis(20)).await;
    expose(&experiments, 1).unwrap();
    experiments.returned(&user(1), before, 30);
    let events = |experiments: &Experiments| {
        experiments.view("x").unwrap().assessment.comparisons[0].findings[0].events
    };
    assert_eq!(events(&experiments), 0.0);
    experiments.returned(&user(1), clock.now(), 30);
    assert_eq!(events(&experiments), 1.0);
}

/// What ended because an arm cannot be had stays ended, also where its numbers would roll it back.
#[tokio::test]
async fn a_stopped_experiment_is_not_rolled_back_in_the_same_look() {
    let (host, experiments) = in_memory(PRIMARY);
    live(&experiments, 600, 9);
    let verdict = experiments.view("x").unwrap().assessment.verdict;
    assert_eq!(verdict, ExperimentVerdict::Rollback);
    *host.missing.lock() = Some("lru".to_owned());
    *host.version.lock() = 1;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::Stopped, "{}", view.reason);
    let notes = host.notes.lock();
    assert!(notes.iter().all(|(what, _)| *what != Noted::RolledBack));
}
