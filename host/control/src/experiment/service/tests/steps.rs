//! What changes while an experiment runs: its coverage by a ramp, and the looks that are kept.

use super::*;
use crate::experiment::entry::ExperimentState;

const RAMP: &str = "ramp = {steps=[0.1, 0.5, 1.0], hours=1.0}\nprimary = \"thrash\"\nguardrails = [{metric=\"blocked-users\", margin=0.004}]\nhours_min = 0\nharm_after_s = 0";
const HOUR: Duration = Duration::from_secs(3_600);

fn coverage(experiments: &Experiments) -> f64 {
    experiments.view("x").unwrap().definition.coverage
}

fn waits(experiments: &Experiments) -> String {
    experiments
        .view("x")
        .unwrap()
        .ramp
        .unwrap()
        .waits
        .join("; ")
}

#[tokio::test(start_paused = true)]
async fn a_ramp_takes_in_more_users_while_every_guardrail_holds() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(RAMP), "ann").unwrap();
    assert_eq!(coverage(&experiments), 0.1);
    live(&experiments, 100, 1);
    tokio::time::advance(HOUR).await;
    experiments.look();
    let few = waits(&experiments);
    assert!(
        coverage(&experiments) == 0.1 && few.contains("needs 25 in each arm"),
        "{few}"
    );
    live(&experiments, 1_000, 1);
    experiments.look();
    assert_eq!(coverage(&experiments), 0.5, "{}", waits(&experiments));
    let notes = host.notes.lock().clone();
    let (what, reason) = notes.last().unwrap();
    assert!(
        *what == Noted::Covered && reason.contains("from 10 % to 50 %"),
        "{notes:?}"
    );
    // The next step takes its own hour, also after a restart.
    drop(experiments);
    let experiments = opened(&host, folder.path(), 20);
    tokio::time::advance(HOUR / 2).await;
    experiments.look();
    let early = waits(&experiments);
    assert!(
        coverage(&experiments) == 0.5 && early.contains("a step lasts 1 hours"),
        "{early}"
    );
    // Two refused users are more than the margin allows, and may be chance.
    let arm: Vec<usize> = (0..1_000)
        .filter(|it| expose(&experiments, *it).as_deref() == Some("lru"))
        .collect();
    for number in &arm[..2] {
        experiments.admission(&user(*number), Duration::ZERO, false, true);
    }
    // The clock of a new process begins at the real time, an hour before the step was taken.
    tokio::time::advance(HOUR * 2).await;
    experiments.look();
    let held = waits(&experiments);
    assert!(
        coverage(&experiments) == 0.5 && held.contains("only 0.004 is allowed"),
        "{held}"
    );
    // As many of the control's: no difference.
    let control = (0..1_000).filter(|it| expose(&experiments, *it).as_deref() == Some("champion"));
    for number in control.take(2) {
        experiments.admission(&user(number), Duration::ZERO, false, true);
    }
    experiments.look();
    assert_eq!(coverage(&experiments), 1.0);
    assert_eq!(experiments.view("x").unwrap().ramp.unwrap().next, None);
}

/// Harm ends an experiment at its first step.
#[tokio::test(start_paused = true)]
async fn a_ramp_does_not_go_on_where_there_is_harm() {
    let (_host, experiments) = in_memory(RAMP);
    live(&experiments, 3_000, 9);
    tokio::time::advance(HOUR).await;
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(view.state, ExperimentState::RolledBack, "{}", view.reason);
    assert_eq!((view.definition.coverage, view.ramp), (0.1, None));
}

#[tokio::test(start_paused = true)]
async fn looks_are_kept_over_a_restart_and_a_phase_begins_without_any() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    experiments.start(definition(PRIMARY), "ann").unwrap();
    live(&experiments, 300, 1);
    experiments.look();
    assert_eq!(experiments.view("x").unwrap().curve, []);
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(61)).await;
        experiments.look();
        experiments.look();
    }
    let view = experiments.view("x").unwrap();
    assert_eq!(view.curve.len(), 3, "{:?}", view.curve);
    let last = view.curve.last().unwrap();
    assert_eq!(last.users.iter().sum::<u64>(), 300);
    let shown = view.assessment.comparisons[0].findings[0]
        .difference
        .unwrap();
    assert_eq!(
        (last.intervals[0].low, last.intervals[0].high),
        (shown.low, shown.high)
    );
    let page = crate::experiment::page::html(&view);
    assert!(
        page.contains("How the intervals became narrower") && page.contains("<polygon"),
        "{page}"
    );
    drop(experiments);
    let again = opened(&host, folder.path(), 20);
    assert_eq!(again.view("x").unwrap().curve, view.curve);
    // Harm is the last look that is kept, whenever it is seen.
    live(&again, 300, 9);
    again.look();
    let after = again.view("x").unwrap();
    assert_eq!(
        (after.state, after.curve.len()),
        (ExperimentState::RolledBack, 4)
    );
    drop(again);
    let other = opened(&host, folder.path(), 20);
    assert_eq!(other.view("x").unwrap().curve.len(), 4);
}
