//! `lru-k`: whose second last use is longest ago goes first (LRU-2).
//!
//! ```text
//! distance = since the second last uncorrelated use; infinite where there is none
//! in use   = idle-ms <= correlated-ms
//! order    = (not in use; distance, longer first; idle-ms, longer first)
//! score    = distance, and age-ms where that is infinite
//! ```
//!
//! Two uses that are at most `correlated-ms` apart are one: a person who sends three lines in a row
//! was there once. Who is within such a burst now goes last of all. Among those with an infinite
//! distance, the least recently used goes first.
//!
//! What can be had of that without the history of the paper, from the last use, the last but one,
//! their number and the age:
//!
//! - The last two are more than `correlated-ms` apart: the distance is `second-last-idle-ms`, exactly.
//! - There were fewer than two uses, or two that are correlated: the distance is infinite, exactly.
//! - There were more, and the last two are correlated: the burst hides what came before it. The uses
//!   before the last two are taken to be spread evenly over the time before, so the distance is
//!   `second-last-idle-ms` and one such step, which is at least `correlated-ms`, and it is at most
//!   `age-ms`. An estimate; with `correlated-ms` 0 it is never needed.
//!
//! K is 2: the host keeps the last use but one and no earlier one. The paper found K = 3 little better.
//!
//! Good against what is touched once and never again, which `lru` keeps for as long as anything else.
//! Bad at newcomers: a conversation that was just begun has an infinite distance, so with new ones
//! coming in all the time it evicts exactly those. On chat-like traces it lost to `lru` for that.
//!
//! Source: O'Neil, O'Neil and Weikum, "The LRU-K page replacement algorithm for database disk
//! buffering", SIGMOD 1993, definition 2.1 (backward K-distance) and section 2.1.1 (correlated uses).

use wastegate_policy::prelude::*;

/// The longest backward distance to the second last use first.
#[derive(Debug)]
pub struct LruK;

manifest! {
    name: "lru-k",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts the managers whose second last use is longest ago, and those used once before them.",
    scopes: [User, Node],
    signals: { IDLE: IdleMs, SECOND: SecondLastIdleMs, COUNT: ActivityCount, AGE: AgeMs },
    parameters: {
        /// Uses that are at most so far apart count as one, in milliseconds.
        CORRELATED_MS: "correlated-ms" = 60_000.0 in 0.0..=86_400_000.0,
    },
    reasons: {
        ONCE: "not used twice",
        LONG_AGO: "second last use is longest ago",
        IN_USE: "in use just now",
    },
}

impl Policy for LruK {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        let correlated = call.param(CORRELATED_MS);
        Ok(top_k(rows, call.enough(rows), |row| {
            let idle = row.value(IDLE);
            let distance = distance(row, idle, correlated);
            // An unknown idle time is not longer, so it speaks for the manager.
            let (at_rest, reason) = match idle > correlated {
                false => (0.0, IN_USE),
                true if distance == f64::INFINITY => (1.0, ONCE),
                true => (1.0, LONG_AGO),
            };
            let score = distance.min(row.value(AGE));
            Some(Bid::new([at_rest, distance, idle], reason).score(score))
        }))
    }
}

export!(LruK);

/// The backward distance to the second last uncorrelated use, in milliseconds.
fn distance(row: Row<'_>, idle: f64, correlated: f64) -> f64 {
    let Some(second) = row.get(SECOND) else {
        return f64::INFINITY;
    };
    if second - idle > correlated {
        return second;
    }
    let before = row.get(COUNT).unwrap_or(0.0) - 2.0;
    if before <= 0.0 {
        return f64::INFINITY;
    }
    let age = row.value(AGE);
    let step = (age - second) / (before + 1.0);
    (second + step.max(correlated)).min(age)
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    const MINUTE: f64 = 60_000.0;

    /// Adds a manager by the times of its uses, in minutes ago, the latest first.
    fn used(fixture: Fixture, uses: &[f64], age: f64) -> Fixture {
        let mut row = vec![
            (Signal::ActivityCount, uses.len() as f64),
            (Signal::AgeMs, age * MINUTE),
            (Signal::IdleMs, uses.first().unwrap_or(&age) * MINUTE),
        ];
        if let [_, second, ..] = uses {
            row.push((Signal::SecondLastIdleMs, second * MINUTE));
        }
        fixture.row(&row)
    }

    /// What it says of one manager: the score in minutes, and the reason.
    fn said(uses: &[f64], age: f64) -> (f64, Reason) {
        let choices = used(Fixture::new(), uses, age).rank::<LruK>().unwrap();
        (choices[0].score / MINUTE, choices[0].reason)
    }

    /// The reference string A B C B A D C D, one use a minute, the last one now: A was
    /// used 3 and 7 minutes ago, B 4 and 6, C 1 and 5, D 0 and 2.
    #[test]
    fn the_second_last_use_decides() {
        let string = [[3.0, 7.0], [4.0, 6.0], [1.0, 5.0], [0.0, 2.0]];
        let all = string
            .iter()
            .fold(Fixture::new(), |fixture, uses| used(fixture, uses, 9.0));
        let exact = all.clone().param("correlated-ms", 0.0);
        // D is in use at this very moment, so it also comes last.
        assert_eq!(exact.victims::<LruK>(), [0, 1, 2, 3]);
        let lru = [1, 0, 2, 3];
        assert_ne!(exact.victims::<LruK>(), lru, "`lru` goes by 4, 3, 1, 0");
    }

    #[test]
    fn who_was_not_used_twice_goes_first_and_among_those_the_idle() {
        let all = used(Fixture::new(), &[5.0], 50.0);
        let all = used(all, &[9.0, 99.0], 100.0);
        let all = used(all, &[], 30.0);
        let all = used(all, &[3.0, 3.5], 60.0);
        assert_eq!(all.victims::<LruK>(), [2, 0, 3, 1]);
        assert_eq!(said(&[5.0], 50.0), (50.0, ONCE));
        assert_eq!(
            said(&[3.0, 3.5], 60.0),
            (60.0, ONCE),
            "two lines of one burst"
        );
        assert_eq!(said(&[9.0, 99.0], 100.0), (99.0, LONG_AGO));
    }

    #[test]
    fn who_is_within_a_burst_goes_last() {
        let all = used(Fixture::new(), &[0.9, 500.0], 900.0);
        let all = used(all, &[1.1, 2.2], 9.0);
        assert_eq!(all.victims::<LruK>(), [1, 0]);
        assert_eq!(said(&[0.9, 500.0], 900.0), (500.0, IN_USE));
    }

    /// Behind a burst the other uses are spread evenly: 42 minutes less 2, 8 other uses, steps of
    /// 40 / 9; with 98 of them a step is at least the correlated period; and none is beyond the age.
    #[test]
    fn what_a_burst_hides_is_estimated() {
        let uses = |count: usize| [vec![1.5, 2.0], vec![3.0; count - 2]].concat();
        let (minutes, reason) = said(&uses(10), 42.0);
        assert!((minutes - (2.0 + 40.0 / 9.0)).abs() < 1e-9);
        assert_eq!(reason, LONG_AGO);
        assert_eq!(said(&uses(100), 42.0).0, 3.0);
        assert_eq!(said(&uses(100), 2.5).0, 2.5);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<LruK>();
    }
}
