//! How much has to be known before anything is concluded: field cases J01 to J05, J16, J19, J20, J22 and J24.

use super::*;
use crate::experiment::entry::ExperimentState;
use crate::experiment::verdict::{ExperimentVerdict, PhaseAssessment};
use wastegate_core::decision::VictimOutcome;

/// On a clock that a test moves.
fn on(rest: &str) -> (Clock, Arc<Experiments>) {
    let (host, clock) = (Arc::new(FakeHost::default()), Clock::manual());
    let given = ExperimentsContext {
        clock: clock.clone(),
        ..given(&host, 20)
    };
    let experiments = Experiments::in_memory(given);
    experiments.start(definition(rest), "ann").unwrap();
    (clock, experiments)
}

fn hours(number: u64) -> Duration {
    Duration::from_secs(3_600 * number)
}

fn seen(experiments: &Experiments) -> PhaseAssessment {
    experiments.view("x").unwrap().assessment
}

fn victim(experiments: &Experiments, user: &UserId, is_alive: bool) {
    experiments.evicted(user);
    let outcome = if is_alive {
        VictimOutcome::Echoed { after_ms: 1 }
    } else {
        VictimOutcome::Gone
    };
    experiments.ended(user, outcome);
}

/// Of the first user of each arm, 27 victims: those of the control never answer, the other's always do.
#[test]
fn j01_one_user_of_each_arm_is_no_evidence() {
    let (clock, experiments) =
        on("primary = \"live-kills\"\nguardrails = []\nharm_after_s = 0\nhours_min = 0");
    let mut busy: std::collections::BTreeMap<String, usize> = Default::default();
    for number in 0..220 {
        let arm = expose(&experiments, number).unwrap();
        busy.entry(arm).or_insert(number);
    }
    for (arm, number) in &busy {
        for _ in 0..27 {
            victim(&experiments, &user(*number), arm == "lru");
        }
    }
    clock.advance(Duration::from_secs(6));
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.state, view.assessment.verdict),
        (ExperimentState::Running, ExperimentVerdict::Continue)
    );
    let finding = &view.assessment.comparisons[0].findings[0];
    assert_eq!((finding.difference, finding.harm_low), (None, None));
    assert!(finding.contributing < 2.0, "{}", finding.contributing);
    let why = view.assessment.because.join("; ");
    assert!(why.contains("too few decide it"), "{why}");
}

/// 0 of 105 users allow several in a hundred; a thousand times as many do not.
#[test]
fn j03_a_guardrail_without_an_event_has_an_exact_bound() {
    let rest = "primary = \"thrash\"\nhours_min = 0\nguardrails = [{metric=\"blocked-users\", margin=0.005}]";
    let (_clock, experiments) = on(rest);
    live(&experiments, 230, 0);
    let assessment = seen(&experiments);
    assert_eq!(assessment.verdict, ExperimentVerdict::Continue);
    let worst = assessment.comparisons[0].findings[1].worst.unwrap();
    assert!((0.028..0.12).contains(&worst), "{worst}");
    let why = assessment.because.join("; ");
    assert!(
        why.contains("`blocked-users` of `lru` may be worse by up to"),
        "{why}"
    );
    let (_clock, experiments) = on(rest);
    live(&experiments, 6_000, 0);
    let assessment = seen(&experiments);
    assert_eq!(
        assessment.verdict,
        ExperimentVerdict::Promotable,
        "{:?}",
        assessment.because
    );
}

/// The arm refuses one user of a hundred, four times what its guardrail allows.
#[test]
fn j04_few_refusals_are_not_none() {
    let rest = "primary = \"thrash\"\nhours_min = 0\nguardrails = [{metric=\"blocked-users\", margin=0.0025}]";
    let (_clock, experiments) = on(rest);
    live(&experiments, 440, 0);
    for number in 0..440 {
        if number % 100 == 0 && expose(&experiments, number).as_deref() == Some("lru") {
            experiments.admission(&user(number), Duration::ZERO, true, true);
        }
    }
    assert_ne!(seen(&experiments).verdict, ExperimentVerdict::Promotable);
}

#[test]
fn j16_the_report_of_an_ended_experiment_stays_as_it_was() {
    let (clock, experiments) = on("primary = \"churn\"\nguardrails = []");
    live(&experiments, 400, 1);
    clock.advance(hours(1));
    experiments.stop("x", "ann", "seen").unwrap();
    let value = || {
        let finding = &seen(&experiments).comparisons[0].findings[0];
        (finding.control, finding.treatment, finding.difference)
    };
    let then = value();
    clock.advance(Duration::from_secs(30));
    assert_eq!(value(), then);
    clock.advance(hours(24));
    assert_eq!(value(), then);
}

#[test]
fn j19_nothing_to_divide_by_is_reported_and_blocks_nothing() {
    let rest =
        "primary = \"thrash\"\nhours_min = 0\nguardrails = [{metric=\"live-kills\", margin=0.02}]";
    let (_clock, experiments) = on(rest);
    for number in 0..3_000 {
        let arm = expose(&experiments, number).unwrap();
        let user = user(number);
        experiments.evicted(&user);
        if arm != "lru" && number % 10 == 0 {
            experiments.returned(&user, experiments.given.clock.now(), 100);
        }
    }
    let assessment = seen(&experiments);
    assert_eq!(
        assessment.verdict,
        ExperimentVerdict::Promotable,
        "{:?}",
        assessment.because
    );
    let why = assessment.because.join("; ");
    assert!(
        why.contains("`live-kills` has nothing to count in any arm: no victim had a connection"),
        "{why}"
    );
    // What decides cannot be empty.
    let (_clock, experiments) = on("primary = \"live-kills\"\nhours_min = 0\nguardrails = []");
    (0..300).for_each(|number| drop(expose(&experiments, number)));
    let assessment = seen(&experiments);
    assert_eq!(assessment.verdict, ExperimentVerdict::Continue);
    assert!(
        assessment.because[0].ends_with("take another `primary`"),
        "{:?}",
        assessment.because
    );
}

/// Two of three of the control's users are missing, which alone would be "hold"; every user of the arm is refused.
#[test]
fn j20_refused_users_are_stopped_whatever_else_is_in_doubt() {
    let (_clock, experiments) = on("");
    for number in 0..1_200 {
        let unit = user(number);
        let place = crate::experiment::assign::place(
            crate::experiment::assign::HashVersion::V2,
            "x",
            unit.as_str(),
        );
        if place < 0.17 {
            continue;
        }
        let arm = expose(&experiments, number).unwrap();
        experiments.admission(&unit, Duration::ZERO, true, arm == "lru");
    }
    let assessment = seen(&experiments);
    assert!(
        assessment.split.always_p < 0.001,
        "{}",
        assessment.split.always_p
    );
    assert_eq!(assessment.verdict, ExperimentVerdict::Rollback);
    assert_eq!(assessment.arm.as_deref(), Some("lru"));
    let why = assessment.because.join("; ");
    assert!(
        why.contains("blocked-users") || why.contains("refusal"),
        "{why}"
    );
}

#[test]
fn j22_one_fallback_of_three_decisions_dilutes_nothing() {
    let (_clock, experiments) = on("");
    for number in 0..6 {
        let arm = expose(&experiments, number).unwrap();
        experiments.decided(&user(number), arm == "lru" && number < 3);
    }
    let assessment = seen(&experiments);
    assert!(assessment.users.iter().all(|arm| !arm.is_diluted));
    assert_eq!(assessment.verdict, ExperimentVerdict::Continue);
}

#[test]
fn j22_a_phase_has_a_least_age_for_harm_and_for_a_promotion() {
    let rest = "primary = \"thrash\"\nguardrails = [{metric=\"blocked-users\", margin=0.2}]";
    let (clock, experiments) = on(rest);
    clock.advance(Duration::from_secs(13));
    live(&experiments, 800, 9);
    experiments.look();
    let view = experiments.view("x").unwrap();
    assert_eq!(
        (view.state, view.assessment.verdict),
        (ExperimentState::Running, ExperimentVerdict::Continue)
    );
    assert!(
        view.assessment.because[0].contains("`harm_after_s`"),
        "{:?}",
        view.assessment.because
    );
    clock.advance(Duration::from_secs(47));
    experiments.look();
    assert_eq!(
        experiments.view("x").unwrap().state,
        ExperimentState::RolledBack
    );

    let (clock, experiments) = on(rest);
    live(&experiments, 3_000, 0);
    clock.advance(hours(2));
    let assessment = seen(&experiments);
    assert_eq!(assessment.verdict, ExperimentVerdict::Continue);
    let why = assessment.because.join("; ");
    assert!(
        why.contains("at least 24 hours before a promotion (`hours_min`), and this one is 2 h old"),
        "{why}"
    );
    clock.advance(hours(22));
    assert_eq!(seen(&experiments).verdict, ExperimentVerdict::Promotable);
}

/// An arm that is what is active already.
#[test]
fn j24_two_arms_of_the_same_bytes_are_not_compared() {
    let (host, clock) = (Arc::new(FakeHost::default()), Clock::manual());
    let experiments = Experiments::in_memory(ExperimentsContext {
        clock,
        ..given(&host, 20)
    });
    let same = toml::from_str::<crate::experiment::Definition>(
        "name = \"x\"\narms = [{policy=\"lru\", name=\"a\"}, {policy=\"lru\", name=\"b\"}]",
    );
    experiments.start(same.unwrap(), "ann").unwrap();
    live(&experiments, 400, 1);
    let assessment = seen(&experiments);
    assert_eq!(assessment.verdict, ExperimentVerdict::Hold);
    assert!(
        assessment.because[0].starts_with("`a` and `b` are the same: `lru` 1 (lru@0)"),
        "{:?}",
        assessment.because
    );
}
