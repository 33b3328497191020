//! Effects by device class: shown with correction, and a class that is worse off keeps an arm from being promoted.

use super::*;
use crate::experiment::tally::{ExposureTally, Member};
use crate::experiment::testing::{exposure, phase_key};
use crate::experiment::verdict::{ExperimentVerdict, PhaseAssessment, judge};
use wastegate_core::types::Signal;

/// Users of classes 1 and 2 in turn, in both arms, of whose ten victims so many are back in a minute.
fn judged(rest: &str, users: usize, back: impl Fn(usize, u8) -> u64) -> PhaseAssessment {
    let members: Vec<Member> = (0..users)
        .map(|at| {
            let (arm, device) = (at % 2, 1 + (at / 2 % 2) as u8);
            let mut exposure = exposure(at, arm);
            exposure.device = Some(device);
            // Every user differs a little.
            let back = back(arm, device) + (at / 4 % 3) as u64;
            let tally = ExposureTally {
                evictions: 10,
                returned: [back; 5],
                attempts: 10,
                ..ExposureTally::default()
            };
            Member { exposure, tally }
        })
        .collect();
    let arm = |arm: usize| members.iter().filter(|it| it.exposure.arm == arm).collect();
    judge(
        &definition(rest),
        &phase_key(),
        &[arm(0), arm(1)],
        3_600_000,
    )
}

#[test]
fn a_class_that_is_worse_off_keeps_an_arm_from_being_promoted() {
    let mixed = judged(PRIMARY, 800, |arm, device| match (arm, device) {
        (0, _) => 4,
        (_, 1) => 0,
        (_, _) => 6,
    });
    let [desktop, mobile] = &mixed.comparisons[0].by_class[..] else {
        panic!("{mixed:?}")
    };
    assert_eq!((&*desktop.class, &*mobile.class), ("desktop", "mobile"));
    assert_eq!(desktop.users, [200, 200]);
    assert!(
        desktop.difference.unwrap().high < 0.0 && desktop.adjusted_p < 0.001,
        "{desktop:?}"
    );
    assert!(
        mobile.difference.unwrap().low > 0.0 && mobile.adjusted_p < 0.001,
        "{mobile:?}"
    );
    // Better on the whole.
    let whole = mixed.comparisons[0].findings[0].difference.unwrap();
    assert!(whole.high < 0.0, "{whole:?}");
    assert_eq!(mixed.verdict, ExperimentVerdict::Continue);
    let because = mixed.because.join("; ");
    assert!(
        because.contains("worse for users of the device class `mobile`"),
        "{because}"
    );
    let better = judged(PRIMARY, 800, |arm, _| if arm == 0 { 4 } else { 0 });
    assert_eq!(
        better.verdict,
        ExperimentVerdict::Promotable,
        "{:?}",
        better.because
    );
}

/// The correction is over all classes and arms, and few users of a class are not compared.
#[test]
fn intervals_of_classes_share_the_level() {
    let found = judged(PRIMARY, 800, |_, _| 3);
    let classes = &found.comparisons[0].by_class;
    let whole = found.comparisons[0].findings[0].difference.unwrap();
    for class in classes {
        let interval = class.difference.unwrap();
        let wider = (interval.high - interval.low) / (whole.high - whole.low);
        // Half of the users are √2 wider, and a quarter of the level more than that.
        assert!(wider > 1.5, "{wider}");
        assert_eq!(class.adjusted_p, 1.0);
    }
    let few = judged(PRIMARY, 300, |_, _| 3);
    assert!(
        few.comparisons[0]
            .by_class
            .iter()
            .all(|it| it.difference.is_none()),
        "{few:?}"
    );
}

#[tokio::test]
async fn the_class_is_what_most_managers_run_on_at_the_first_trigger() {
    let (_host, experiments) = in_memory("");
    let someone = user(1);
    let mut question = question_of(&experiments, &someone);
    let mut third = question.rows[1].clone();
    third.signals[Signal::DeviceClass] = 2.0;
    question.rows[0].signals[Signal::DeviceClass] = 2.0;
    question.rows[1].signals[Signal::DeviceClass] = 1.0;
    question.rows.push(third);
    experiments.expose(&someone, &question).unwrap();
    let running = experiments.named("x").unwrap();
    let now = running.now.lock();
    let device = now.members.values().next().unwrap().exposure.device;
    assert_eq!(device, Some(2));
}
