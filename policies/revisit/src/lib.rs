//! `revisit`: what is gone first, and of what is there the manager whose user is least likely to come
//! back to it.
//!
//! ```text
//! x     = idle^4 / (uses * (1 + returns)^3 * age^2)
//! order = (evidence of death as in `qos-lexicographic`; protection; priority; x, larger first)
//! score = the fourth root of x;    idle = idle-ms + floor-ms, age = age-ms + floor-ms, in minutes
//! uses  = max(1, activity-count),  returns = returns-before
//! ```
//!
//! Pauses in conversations have no typical length: whoever was silent for a time is likely to be
//! silent for about as long again, so the chance of a return within the next moment falls as one over
//! the idle time. What raises it is habit. A manager that its user has had for long, has used often,
//! or came back to after an eviction is a conversation that goes on; one of two lines is mostly over.
//! The three are weighed as powers, since then no unit of time and no rhythm of one product is in
//! the formula: everything may be ten times as fast, and the order stays (above `floor-ms`).
//!
//! The powers are fitted offline and rounded to quarters: 1, 1/4, 3/4 and 1/2 of the logarithms. The
//! fit ran on the users of one half of five public message logs, and it was judged on their other
//! users and on logs that it had not seen (`tests/python/fit_revisit.py`). `policies/README.md` has the
//! figures, and says where it gains little or loses.
//!
//! Good where users come back to the same managers over days. Worse than `lru` where each manager is
//! one sitting. Earlier returns are known of managers that were evicted recently only.
//!
//! Sources: Barabási, "The origin of bursts and heavy tails in human dynamics", Nature 435, 2005, for
//! pauses without a typical length; Beckmann, Chen and Cidon, "LHD: improving cache hit rate by
//! maximizing hit density", NSDI 2018, for ranking by the chance of a hit. The formula is ours.

use wastegate_policy::prelude::*;

/// The least likely to be wanted again first.
#[derive(Debug)]
pub struct Revisit;

manifest! {
    name: "revisit",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts by evidence of death first, then the managers that their users are least likely to come back to.",
    scopes: [User, Node],
    signals: {
        HEALTH: Health,
        TAKEN_OVER: TakenOver,
        DETACHED: DetachedMs,
        PROTECTION: Protection,
        PRIORITY: Priority,
        IDLE: IdleMs,
        AGE: AgeMs,
        COUNT: ActivityCount,
        RETURNS: ReturnsBefore,
    },
    parameters: {
        /// Added to idle time and age, in milliseconds: differences far below it hardly count.
        FLOOR_MS: "floor-ms" = 60_000.0 in 1.0..=86_400_000.0,
    },
    reasons: {
        DEAD: "dead",
        REPLACED: "taken over by a newer connection",
        UNANSWERING: "no sign of life",
        NOBODY_THERE: "nobody connected",
        UNLIKELY: "least likely to be wanted again",
    },
}

impl Policy for Revisit {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let floor = call.param(FLOOR_MS);
        Ok(top_k(rows, call.enough(rows), |row| {
            let unprotected = match Protection::from_signal(row.value(PROTECTION)) {
                Protection::Evictable => 1.0,
                Protection::Protected => 0.0,
                // The host would strike it, and it would crowd out one that may go.
                Protection::Pinned => return None,
            };
            let (class, reason) = class(row);
            let unlikely = unlikely(row, floor);
            let key = [
                2.0 * class + unprotected,
                -row.get(PRIORITY).unwrap_or(0.0),
                unlikely,
            ];
            Some(Bid::new(key, reason).score(unlikely.sqrt().sqrt()))
        }))
    }
}

export!(Revisit);

const MINUTE_MS: f64 = 60_000.0;

/// How unlikely its user is to come back, on a scale without a unit that is worth one.
fn unlikely(row: Row<'_>, floor: f64) -> f64 {
    let idle = (row.value(IDLE) + floor) / MINUTE_MS;
    // Whose age is unknown is as old as its last use.
    let age = (row.get(AGE).unwrap_or(row.value(IDLE)) + floor) / MINUTE_MS;
    let uses = row.get(COUNT).unwrap_or(0.0).max(1.0);
    let returns = 1.0 + row.get(RETURNS).unwrap_or(0.0);
    let (quiet, old) = (idle * idle, age * age);
    (quiet * quiet) / (uses * (returns * returns * returns) * old)
}

/// What is known against a manager, the strongest evidence highest, and how to say it.
fn class(row: Row<'_>) -> (f64, Reason) {
    match Health::from_signal(row.value(HEALTH)) {
        Health::Dead => (7.0, DEAD),
        _ if row.is_set(TAKEN_OVER) => (6.0, REPLACED),
        Health::Stuck => (5.0, UNANSWERING),
        Health::HalfOpen => (4.0, UNANSWERING),
        Health::Stalled => (3.0, UNANSWERING),
        Health::Suspect => (2.0, UNANSWERING),
        Health::Unknown | Health::Alive if row.get(DETACHED).is_some() => (1.0, NOBODY_THERE),
        Health::Unknown | Health::Alive => (0.0, UNLIKELY),
    }
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    const MINUTE: f64 = 60_000.0;

    /// Idle minutes, age in minutes, uses and returns.
    fn fixture(rows: &[(f64, f64, f64, f64)]) -> Fixture {
        let row = |fixture: Fixture, &(idle, age, uses, returns)| {
            fixture.row(&[
                (Signal::Health, Health::Alive.to_signal()),
                (Signal::Protection, Protection::Evictable.to_signal()),
                (Signal::IdleMs, idle * MINUTE),
                (Signal::AgeMs, age * MINUTE),
                (Signal::ActivityCount, uses),
                (Signal::ReturnsBefore, returns),
            ])
        };
        rows.iter().fold(Fixture::new(), row)
    }

    fn victims(rows: &[(f64, f64, f64, f64)]) -> Vec<u32> {
        fixture(rows).victims::<Revisit>()
    }

    #[test]
    fn among_equals_the_longest_idle_goes() {
        assert_eq!(
            victims(&[(10.0, 90.0, 2.0, 0.0), (20.0, 90.0, 2.0, 0.0)]),
            [1, 0]
        );
    }

    #[test]
    fn each_habit_outweighs_some_idle_time() {
        let plain = (60.0, 60.0, 1.0, 0.0);
        for habit in [
            (90.0, 600.0, 1.0, 0.0),
            (90.0, 90.0, 40.0, 0.0),
            (90.0, 90.0, 1.0, 2.0),
        ] {
            assert_eq!(victims(&[plain, habit]), [0, 1], "{habit:?}");
            let long_gone = (9_000.0, habit.1.max(9_000.0), habit.2, habit.3);
            assert_eq!(victims(&[plain, long_gone]), [1, 0], "{long_gone:?}");
        }
    }

    /// (15 + 1)^4 / (4 * 2^3 * (31 + 1)^2) = 65,536 / 32,768 = 2.
    #[test]
    fn the_score_is_the_fourth_root_of_the_formula() {
        let choices = fixture(&[(15.0, 31.0, 4.0, 1.0)])
            .rank::<Revisit>()
            .unwrap();
        let score = choices.first().map(|choice| choice.score).unwrap();
        assert!((score - 2.0_f64.powf(0.25)).abs() < 1e-12, "{score}");
    }

    #[test]
    fn evidence_of_death_comes_before_every_habit() {
        let known = |health: Health| (Signal::Health, health.to_signal());
        let evictable = (Signal::Protection, Protection::Evictable.to_signal());
        let habit = [
            (Signal::ActivityCount, 1e6),
            (Signal::IdleMs, 1.0),
            (Signal::AgeMs, 1e9),
        ];
        let fixture = Fixture::new()
            .row(&[known(Health::Alive), evictable, (Signal::IdleMs, 1e9)])
            .row(
                &[
                    habit.as_slice(),
                    &[known(Health::Alive), evictable, (Signal::DetachedMs, 1.0)],
                ]
                .concat(),
            )
            .row(&[habit.as_slice(), &[known(Health::Suspect), evictable]].concat())
            .row(&[habit.as_slice(), &[known(Health::Dead), evictable]].concat())
            .row(&[
                known(Health::Dead),
                (Signal::Protection, Protection::Pinned.to_signal()),
            ]);
        assert_eq!(fixture.victims::<Revisit>(), [3, 2, 1, 0]);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Revisit>();
    }
}
