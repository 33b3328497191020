//! Plans against known answers, and against what happens when users come as they say.

use super::*;
use crate::experiment::testing::{definition, exposure, phase_key};
use crate::experiment::verdict::{ExperimentVerdict, judge};
use crate::experiment::{entry::PhaseKey, tally::Member};
use wastegate_core::stats::power::{mixture_users, tuned_sequence_users};
use wastegate_core::types::SplitMix64;

const WISH: Wish = Wish {
    effect: 0.2,
    days: None,
};

/// So many users, who come evenly over two days; every tenth of ten victims of the first tenth is back in a minute.
fn recorded(users: usize, share: impl Fn(usize) -> u64) -> RecordedUsers {
    let exposed = (0..users).map(|at| {
        let back = share(at);
        RecordedUser {
            after_hours: 48.0 * (at as f64 + 0.5) / users as f64,
            seen_after_hours: 48.0 * (at as f64 + 0.5) / users as f64,
            hours: 48.0,
            tally: ExposureTally {
                evictions: 10,
                returned: [back; 5],
                attempts: 10,
                decisions: 10,
                ..ExposureTally::default()
            },
            past: None,
        }
    });
    RecordedUsers {
        users: users as u64 * 3,
        hours: 48.0,
        exposed: exposed.collect(),
    }
}

const THRASH: &str = "primary = \"thrash\"\nguardrails = []";

/// J17: users are those that the sequence takes, by its closed form where that is tuned for them.
#[test]
fn j17_users_are_those_of_the_sequence() {
    let recorded = recorded(1_000, |at| (at % 3) as u64);
    let plan_of = |rest: &str| plan(&definition(rest), &recorded, WISH).unwrap();
    let plan = plan_of(&format!("{THRASH}\nplanned_users = 200"));
    let spread: Vec<f64> = recorded
        .exposed
        .iter()
        .map(|user| user.tally.returned[1] as f64 / 10.0)
        .collect();
    let mean = spread.iter().sum::<f64>() / 1_000.0;
    let variance = spread.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / 999.0;
    let se = (4.0 * variance / 1_000.0).sqrt();
    let best = tuned_sequence_users(0.05, (se, 1_000.0), 0.2 * mean, 0.8).unwrap();
    let planned = plan.planned_users.unwrap();
    assert!((f64::from(planned) - best).abs() < 2.0, "{planned} {best}");
    let tuned = plan_of(&format!("{THRASH}\nplanned_users = {planned}"));
    assert_eq!(tuned.planned_users, None);
    assert!(plan.users_needed.unwrap() > tuned.users_needed.unwrap());
    // 500 users a day in both arms.
    let days = tuned.users_needed.unwrap() / 500.0;
    assert!(
        (tuned.days_needed.unwrap() - days).abs() < 0.05,
        "{tuned:?}"
    );
}

/// J17: margins block a promotion, so they are planned for; each test has its part of the power.
#[test]
fn j17_margins_take_users_too() {
    let recorded = recorded(1_000, |at| (at % 3) as u64);
    let rest = "primary = \"thrash\"\nguardrails = [{metric=\"blocked-users\", margin=0.005}, {metric=\"live-kills\", margin=0.02}]";
    let plan = plan(&definition(rest), &recorded, WISH).unwrap();
    assert!((plan.power_each - (1.0 - 0.2 / 3.0)).abs() < 1e-12);
    let [primary, blocked, live] = &plan.metrics[..] else {
        panic!("{plan:?}")
    };
    // Nobody is blocked, so the exact bound decides: both arms' users by its closed form.
    let exact = 2.0 * mixture_users(0.0, 0.005, 0.05, plan.power_each);
    assert!(
        (blocked.users.unwrap() - exact).abs() < 3.0,
        "{blocked:?} {exact}"
    );
    // No victim could have answered: in nobody's way, and said.
    assert_eq!(live.users, Some(0.0));
    assert!(
        plan.notes
            .iter()
            .any(|note| note.contains("no victim had a connection")),
        "{:?}",
        plan.notes
    );
    assert_eq!(
        plan.users_needed,
        Some(primary.users.unwrap().max(blocked.users.unwrap()))
    );
}

/// Coverage, layers and arms' weights thin the users out, and a promotion waits for its hours.
#[test]
fn users_who_take_part_come_slower() {
    let recorded = recorded(2_000, |at| (at % 3) as u64);
    let days = |rest: &str| {
        plan(
            &definition(&format!("{THRASH}\nhours_min = 0\n{rest}")),
            &recorded,
            WISH,
        )
        .unwrap()
    };
    let (all, tenth) = (days(""), days("coverage = 0.1"));
    assert_eq!(all.users_needed, tenth.users_needed);
    assert!(
        (tenth.days_needed.unwrap() / all.days_needed.unwrap() - 10.0).abs() < 0.1,
        "{tenth:?}"
    );
    let half = days("layer = {name=\"l\", from=0.0, to=0.5}");
    assert!((half.days_needed.unwrap() / all.days_needed.unwrap() - 2.0).abs() < 0.1);
    let waits = plan(
        &definition(&format!("{THRASH}\nhours_min = 240")),
        &recorded,
        WISH,
    )
    .unwrap();
    assert_eq!(waits.days_needed, Some(10.0));
    let first = &all.days[0];
    assert!(
        (first.users - 1_000.0).abs() < 2.0
            && first.detectable.unwrap() > all.days[3].detectable.unwrap()
    );
}

#[test]
fn what_cannot_be_planned_is_said() {
    let few = recorded(10, |_| 1);
    let said = |rest: &str, recorded: &RecordedUsers| {
        plan(&definition(rest), recorded, WISH)
            .unwrap_err()
            .to_string()
    };
    let sentence = said(THRASH, &few);
    assert!(
        sentence.contains("10 of the 30 recorded users"),
        "{sentence}"
    );
    let many = recorded(100, |_| 0);
    let turns =
        "primary = \"freed-nothing\"\nguardrails = []\nswitchback = {window_s=600, washout_s=60}";
    assert!(said(turns, &many).contains("200 windows of 600 s, which is 1.4 days"));
    assert!(said("coverage = 2.0", &many).contains("coverage"));
    // Nothing happens, so nothing can become less, and nothing else is promised.
    let nothing = plan(&definition(THRASH), &many, WISH).unwrap();
    assert_eq!((nothing.users_needed, nothing.days_needed), (None, None));
    assert!(
        nothing.notes[0].contains("no event in the recording"),
        "{:?}",
        nothing.notes
    );
    let waits = plan(
        &definition("primary = \"admission-ms\"\nguardrails = []"),
        &many,
        WISH,
    )
    .unwrap();
    assert!(
        waits.notes[0].contains("a replay lets nobody wait"),
        "{:?}",
        waits.notes
    );
}

/// J17: experiments with as many users as planned are promotable about as often as planned.
#[test]
fn j17_as_many_users_as_planned_show_the_effect() {
    let mut dice = SplitMix64::new(11);
    let mut rolls = move |of: u64| dice.next() % of;
    let recorded = recorded(2_000, |at| if at % 4 == 0 { 5 } else { 1 });
    let rest = format!("{THRASH}\nhours_min = 0\nharm_after_s = 0\nplanned_users = 1000");
    let definition = definition(&rest);
    let plan = plan(&definition, &recorded, WISH).unwrap();
    let users = plan.users_needed.unwrap() as usize;
    let (mut seen, runs) = (0, 100);
    for _ in 0..runs {
        let members: Vec<Member> = (0..users)
            .map(|at| {
                let drawn = rolls(recorded.exposed.len() as u64) as usize;
                let mut tally = recorded.exposed[drawn].tally.clone();
                // A fifth less for the arm.
                let kept = (0..tally.returned[1]).filter(|_| at % 2 == 0 || rolls(5) > 0);
                tally.returned = [kept.count() as u64; 5];
                Member {
                    exposure: exposure(at, at % 2),
                    tally,
                }
            })
            .collect();
        let arm = |arm: usize| members.iter().filter(|it| it.exposure.arm == arm).collect();
        let key: PhaseKey = phase_key();
        let verdict = judge(&definition, &key, &[arm(0), arm(1)], 90_000_000).verdict;
        seen += u32::from(verdict == ExperimentVerdict::Promotable);
    }
    // Eighty of a hundred, give or take four errors.
    assert!(
        (64..=96).contains(&seen),
        "{seen} of {runs} with {users} users"
    );
}
