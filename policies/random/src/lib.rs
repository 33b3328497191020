//! `random`: anyone may go, with equal chances.
//!
//! Score: a number from 0 to 1, hashed from the decision's seed and what the row says of itself
//! (`age-ms` and `bytes-in`). The row number stays out of it, so the same managers in another order
//! get the same answer; and as both values differ between any two managers that matter, each
//! manager's lot is its own. Two with the same age and traffic go in the order of their rows.
//!
//! It is the calibration arm of an experiment: every manager has a known chance of being chosen,
//! which off-policy estimates need, and a policy that does not beat it has learnt nothing. Source:
//! the `allkeys-random` of Redis.

use wastegate_policy::prelude::*;
use wastegate_policy::random::{mix, unit};

/// By lot.
#[derive(Debug)]
pub struct Random;

manifest! {
    name: "random",
    version: env!("CARGO_PKG_VERSION"),
    summary: "Evicts by lot, drawn from the decision's seed.",
    scopes: [User, Node],
    signals: { AGE: AgeMs, BYTES_IN: BytesIn },
    parameters: {},
    reasons: { LOT: "drawn by lot" },
}

impl Policy for Random {
    const MANIFEST: Manifest = MANIFEST;

    fn rank(call: &Call, rows: &Rows<'_>) -> Result<Vec<Choice>, String> {
        Ok(top_k(rows, call.enough(rows), |row| {
            Some(Bid::new([lot(call.seed, row)], LOT))
        }))
    }
}

export!(Random);

fn lot(seed: u64, row: Row<'_>) -> f64 {
    // An unknown value is one of many NaNs; which one must not matter.
    let bits = |column| row.get(column).map_or(u64::MAX, f64::to_bits);
    unit(mix(mix(seed, bits(AGE)), bits(BYTES_IN)))
}

#[cfg(test)]
mod tests {
    use wastegate_policy::testing::{Fixture, check_laws};

    use super::*;

    fn twenty(seed: u64) -> Fixture {
        let row = |fixture: Fixture, i| {
            fixture.row(&[(Signal::AgeMs, f64::from(i)), (Signal::BytesIn, 1_000.0)])
        };
        (0..20).fold(Fixture::new().seed(seed), row)
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(twenty(1).victims::<Random>(), twenty(1).victims::<Random>());
        assert_ne!(twenty(1).victims::<Random>(), twenty(2).victims::<Random>());
    }

    #[test]
    fn everybody_goes_first_equally_often() {
        let mut first = [0_u32; 20];
        for seed in 0..4_000 {
            first[twenty(seed).victims::<Random>()[0] as usize] += 1;
        }
        // 200 expected; five standard deviations of a binomial are 69.
        assert!(
            first.iter().all(|count| (131..=269).contains(count)),
            "{first:?}"
        );
    }

    #[test]
    fn either_signal_tells_rows_apart() {
        let scores = |rows: &[(f64, f64)]| {
            let row = |fixture: Fixture, &(age, bytes)| {
                fixture.row(&[(Signal::AgeMs, age), (Signal::BytesIn, bytes)])
            };
            let choices = rows
                .iter()
                .fold(Fixture::new(), row)
                .rank::<Random>()
                .unwrap();
            choices
                .iter()
                .map(|choice| choice.score)
                .collect::<Vec<_>>()
        };
        let [a, b, c] = scores(&[(1.0, 1.0), (1.0, 2.0), (2.0, 1.0)])[..] else {
            panic!()
        };
        assert!(a > b && b > c);
    }

    #[test]
    fn keeps_the_laws() {
        check_laws::<Random>();
    }
}
