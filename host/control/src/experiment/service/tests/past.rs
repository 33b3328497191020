//! What users did before they were met: kept, written down, and taken away from what differs.

use super::*;
use crate::experiment::definition::Definition;
use crate::experiment::metric::Metric;
use crate::experiment::past::UserPast;
use crate::experiment::tally::{ExposureTally, Member};
use crate::experiment::testing::{exposure, phase_key};
use crate::experiment::verdict::judge;
use wastegate_core::types::SplitMix64;

fn pasts(experiments: &Experiments) -> Vec<Option<UserPast>> {
    let running = experiments.named("x").unwrap();
    let now = running.now.lock();
    now.members
        .values()
        .map(|it| it.exposure.past.clone())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_user_did_before_the_first_trigger_is_in_the_exposure_and_stays_as_it_was() {
    let (host, folder) = (Arc::new(FakeHost::default()), tempfile::tempdir().unwrap());
    let experiments = opened(&host, folder.path(), 20);
    let visit = |experiments: &Experiments| {
        experiments.admission(&user(1), Duration::from_millis(5), false, false);
        experiments.evicted(&user(1));
    };
    visit(&experiments);
    visit(&experiments);
    tokio::time::advance(Duration::from_secs(7_200)).await;
    experiments.start(definition(PRIMARY), "ann").unwrap();
    expose(&experiments, 1).unwrap();
    visit(&experiments);
    expose(&experiments, 2).unwrap();
    let found = pasts(&experiments);
    let known: Vec<&UserPast> = found.iter().flatten().collect();
    assert_eq!((found.len(), known.len()), (2, 1), "one is new: {found:?}");
    assert_eq!((known[0].tally.attempts, known[0].tally.evictions), (2, 2));
    assert!((known[0].hours - 2.0).abs() < 0.01, "{known:?}");
    experiments.stop("x", "ann", "").unwrap();
    drop(experiments);
    // A restart forgets what was in memory; the ledger knows what happened in the experiment.
    let again = opened(&host, folder.path(), 20);
    assert_eq!(pasts(&again), found);
    let next = Definition {
        name: "y".to_owned(),
        ..definition(PRIMARY)
    };
    again.start(next, "ann").unwrap();
    expose(&again, 1).unwrap();
    let running = again.named("y").unwrap();
    let now = running.now.lock();
    let past = now.members.values().next().unwrap().exposure.past.clone();
    assert_eq!(
        past.map(|past| (past.tally.attempts, past.tally.evictions)),
        Some((1, 1))
    );
}

/// Users who differ by their habits, and an arm that differs from the other by a tenth of that.
fn members(seed: u64, effect: f64) -> Vec<Member> {
    let mut dice = SplitMix64::new(seed);
    let mut share = move || (dice.next() >> 11) as f64 / (1_u64 << 53) as f64;
    (0..2_000)
        .map(|at| {
            let habit = share().powi(2);
            let mut back = |chance: f64| (0..20).filter(|_| share() < chance).count() as u64;
            let tally = |back: u64| ExposureTally {
                evictions: 20,
                returned: [back; 5],
                attempts: 20,
                ..ExposureTally::default()
            };
            let past = tally(back(habit));
            let chance = if at % 2 == 1 { habit * effect } else { habit };
            let mut exposure = exposure(at, at % 2);
            exposure.past = Some(UserPast {
                hours: 10.0,
                tally: past,
            });
            Member {
                exposure,
                tally: tally(back(chance)),
            }
        })
        .collect()
}

#[test]
fn what_the_past_explains_is_taken_away() {
    let found = |rest: &str| {
        let members = members(3, 0.9);
        let arm = |arm: usize| members.iter().filter(|it| it.exposure.arm == arm).collect();
        let definition = definition(&format!("{PRIMARY}\n{rest}"));
        let assessment = judge(&definition, &phase_key(), &[arm(0), arm(1)], 3_600_000);
        assessment.comparisons[0].findings[0].clone()
    };
    let (with, without) = (found("use_past = true"), found("use_past = false"));
    assert_eq!(
        (with.metric, without.variance_removed),
        (Metric::Thrash, 0.0)
    );
    assert!(with.variance_removed > 0.6, "{with:?}");
    let [narrow, wide] = [with, without].map(|it| {
        let difference = it.difference.unwrap();
        assert!(
            difference.low < -1.0 / 30.0 && -1.0 / 30.0 < difference.high,
            "{difference:?}"
        );
        assert_eq!(
            it.relative.unwrap().ratio,
            it.treatment.unwrap().value / it.control.unwrap().value
        );
        difference
    });
    assert!(
        narrow.high - narrow.low < 0.7 * (wide.high - wide.low),
        "{narrow:?} {wide:?}"
    );
    assert!(narrow.high < 0.0, "{narrow:?}");
}

/// Without a difference the adjusted interval leaves zero out as seldom as it may.
#[test]
fn what_is_adjusted_is_wrong_as_seldom() {
    let runs = 40;
    let definition = definition(&format!("{PRIMARY}\nuse_past = true"));
    let wrong = (0..runs).filter(|run| {
        let members = members(100 + run, 1.0);
        // Looks after so many users of each arm.
        (250..=2_000).step_by(350).any(|users| {
            let arm = |arm: usize| {
                let there = members.iter().take(users);
                there.filter(|it| it.exposure.arm == arm).collect()
            };
            let arms = [arm(0), arm(1)];
            let assessment = judge(&definition, &phase_key(), &arms, 3_600_000);
            let finding = &assessment.comparisons[0].findings[0];
            assert!(
                users < 1_000 || finding.variance_removed > 0.5,
                "{finding:?}"
            );
            finding
                .difference
                .is_some_and(|it| it.low > 0.0 || it.high < 0.0)
        })
    });
    let wrong = wrong.count();
    assert!(wrong <= 2, "{wrong} of {runs}");
}
