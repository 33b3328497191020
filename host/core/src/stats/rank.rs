//! How alike two orders are.
//!
//! Orders are lists of names, best first; each name once. These measure whole orders. Whether two rankings
//! take different managers is another question, and a
//! [`Disagreement`](crate::decision::Disagreement)'s.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Kendall's τ-b of paired values, ties corrected: 1 for the same order, −1 for the opposite. None
/// where all values of a side are tied, or with fewer than two pairs.
#[must_use]
pub fn kendall_tau_b(pairs: &[(f64, f64)]) -> Option<f64> {
    let (mut agree, mut tied_a, mut tied_b, mut all) = (0_i64, 0_u64, 0_u64, 0_u64);
    for (i, &(a, b)) in pairs.iter().enumerate() {
        for &(other_a, other_b) in pairs.iter().skip(i + 1) {
            all += 1;
            let (by_a, by_b) = (a.total_cmp(&other_a), b.total_cmp(&other_b));
            let (same_a, same_b) = (a == other_a, b == other_b);
            tied_a += u64::from(same_a);
            tied_b += u64::from(same_b);
            if !same_a && !same_b {
                agree += if by_a == by_b { 1 } else { -1 };
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "rows are few")]
    let (agree, free) = (
        agree as f64,
        ((all - tied_a) as f64 * (all - tied_b) as f64).sqrt(),
    );
    (free > 0.0).then(|| agree / free)
}

/// Rank-biased overlap down to depth `k` (Webber et al., 2010), normalised so that the same order
/// gives 1: Σ p^{d−1}·A_d / Σ p^{d−1}, where A_d is the share of names that the first d have in
/// common. `p` in (0, 1): the smaller, the more the top counts. None at depth zero.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rows are few")]
pub fn rank_biased_overlap<T: Eq + Hash>(a: &[T], b: &[T], p: f64, k: usize) -> Option<f64> {
    let (mut seen_a, mut seen_b) = (HashSet::new(), HashSet::new());
    let (mut common, mut sum, mut most, mut weight) = (0_usize, 0.0, 0.0, 1.0);
    for depth in 0..k {
        let (a, b) = (a.get(depth), b.get(depth));
        match (a, b) {
            (Some(a), Some(b)) if a == b => common += 1,
            (a, b) => {
                common += usize::from(a.is_some_and(|a| seen_b.contains(a)));
                common += usize::from(b.is_some_and(|b| seen_a.contains(b)));
            }
        }
        seen_a.extend(a);
        seen_b.extend(b);
        sum += weight * common as f64 / (depth + 1) as f64;
        most += weight;
        weight *= p;
    }
    (k > 0).then(|| sum / most)
}

/// Kendall's τ of two orders, over the names that both hold. None unless they are at least two.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rows are few")]
pub fn kendall_of_orders<T: Eq + Hash>(a: &[T], b: &[T]) -> Option<f64> {
    let place: HashMap<&T, usize> = b.iter().enumerate().map(|(at, name)| (name, at)).collect();
    let pairs: Vec<(f64, f64)> = a
        .iter()
        .enumerate()
        .filter_map(|(at, name)| Some((at as f64, *place.get(name)? as f64)))
        .collect();
    kendall_tau_b(&pairs)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::near;

    #[test]
    fn the_reference_orders() {
        let order = [1, 2, 3, 4, 5, 6];
        near(
            kendall_of_orders(&order, &[2, 1, 4, 3, 6, 5]).unwrap(),
            0.6,
            1e-12,
        );
        near(
            kendall_of_orders(&[1, 2, 3, 4, 5], &[5, 4, 3, 2, 1]).unwrap(),
            -1.0,
            1e-12,
        );
        let rbo = rank_biased_overlap(b"abcd", b"badc", 0.9, 4).unwrap();
        near(rbo, 0.630_706_600_8, 1e-9);
        assert_eq!(kendall_tau_b(&[(1.0, 1.0)]), None);
        assert_eq!(kendall_tau_b(&[(1.0, 1.0), (1.0, 2.0)]), None);
    }

    /// scipy.stats.kendalltau of the same.
    #[test]
    fn ties_are_corrected_for() {
        let pairs = [(1.0, 1.0), (2.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        near(kendall_tau_b(&pairs).unwrap(), 0.8, 1e-12);
    }

    proptest! {
        #[test]
        fn measures_know_the_same_the_opposite_and_both_ways(
            order in Just((0..9_u8).collect::<Vec<_>>()).prop_shuffle(),
            other in Just((0..9_u8).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            near(kendall_of_orders(&order, &order).unwrap(), 1.0, 1e-12);
            let back: Vec<u8> = order.iter().rev().copied().collect();
            near(kendall_of_orders(&order, &back).unwrap(), -1.0, 1e-12);
            near(rank_biased_overlap(&order, &order, 0.9, 9).unwrap(), 1.0, 1e-12);
            near(
                rank_biased_overlap(&order, &other, 0.9, 9).unwrap(),
                rank_biased_overlap(&other, &order, 0.9, 9).unwrap(),
                1e-12,
            );
            near(
                kendall_of_orders(&order, &other).unwrap(),
                kendall_of_orders(&other, &order).unwrap(),
                1e-12,
            );
        }
    }
}
