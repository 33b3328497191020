//! How two rankings of one question disagree: by the managers that are taken.
//!
//! Two rankings disagree where one takes a manager that the other spares. The order among those that are
//! taken is no disagreement, because the same managers are gone in the end. A shadow is compared by what the
//! rankings propose ([`Disagreement::of_rankings`]); replay and `policy diff` by the victims that the guard
//! left ([`Disagreement::between`]).
//!
//! Not here: how alike two whole orders are, also behind the last manager that is taken
//! ([`stats::rank`](crate::stats::rank)), and what became of those that were taken.

use std::collections::HashSet;
use std::hash::Hash;

/// Which managers only one of two rankings takes. Names are rows, or whatever else means one manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement<T> {
    /// The managers that both take, in the order of the first.
    pub both: Vec<T>,
    /// Those that only the first takes, in its order.
    pub only_a: Vec<T>,
    /// Those that only the second takes, in its order.
    pub only_b: Vec<T>,
}

impl<T: Copy + Eq + Hash> Disagreement<T> {
    /// Between two lists of managers that are taken, each manager once in a list.
    #[must_use]
    pub fn between(a: &[T], b: &[T]) -> Self {
        let (in_a, in_b): (HashSet<&T>, HashSet<&T>) = (a.iter().collect(), b.iter().collect());
        let (both, only_a) = a.iter().partition(|name| in_b.contains(name));
        Self {
            both,
            only_a,
            only_b: b
                .iter()
                .filter(|name| !in_a.contains(name))
                .copied()
                .collect(),
        }
    }

    /// Between two rankings, best first, of which the first `taken` are taken.
    #[must_use]
    pub fn of_rankings(a: &[T], b: &[T], taken: usize) -> Self {
        let first = |ranking: &[T]| ranking.iter().take(taken).copied().collect::<Vec<T>>();
        Self::between(&first(a), &first(b))
    }

    /// Whether there is none: both take the same managers.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.only_a.is_empty() && self.only_b.is_empty()
    }

    /// The share of managers that both take, of as many as the one that takes more: from 0, where they have
    /// no manager in common, to 1, where they take the same. 1 where neither takes any.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "rows are few")]
    pub fn overlap(&self) -> f64 {
        let most = self.both.len() + self.only_a.len().max(self.only_b.len());
        if most == 0 {
            return 1.0;
        }
        self.both.len() as f64 / most as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_order_of_those_that_are_taken_is_no_disagreement() {
        let found = Disagreement::between(&[3, 1, 2], &[2, 3, 1]);
        assert!(found.is_none());
        assert_eq!(
            (found.both.as_slice(), found.overlap()),
            (&[3, 1, 2][..], 1.0)
        );
        let found = Disagreement::between(&[3, 1, 2, 7], &[2, 5, 9]);
        assert_eq!((found.only_a, found.only_b), (vec![3, 1, 7], vec![5, 9]));
        let nothing = Disagreement::<u32>::between(&[], &[]);
        assert!(nothing.is_none());
        assert_eq!(nothing.overlap(), 1.0);
    }

    #[test]
    fn rankings_are_compared_as_far_as_they_are_taken() {
        let overlap = |taken| Disagreement::of_rankings(&[1, 2, 3], &[3, 9, 1], taken).overlap();
        assert_eq!(overlap(2), 0.0);
        assert_eq!(overlap(3), 2.0 / 3.0);
        assert_eq!(Disagreement::of_rankings(&[1, 2], &[], 1).overlap(), 0.0);
        // One that proposes less than is taken disagrees by what it leaves.
        assert_eq!(Disagreement::of_rankings(&[1, 2], &[2], 2).overlap(), 0.5);
    }

    proptest! {
        #[test]
        fn it_is_the_same_both_ways(
            a in Just((0..9_u8).collect::<Vec<_>>()).prop_shuffle(),
            b in Just((0..9_u8).collect::<Vec<_>>()).prop_shuffle(),
            taken in 0..10_usize,
        ) {
            let (one, other) = (
                Disagreement::of_rankings(&a, &b, taken),
                Disagreement::of_rankings(&b, &a, taken),
            );
            prop_assert_eq!(one.overlap(), other.overlap());
            prop_assert!((0.0..=1.0).contains(&one.overlap()));
            prop_assert_eq!(one.is_none(), one.overlap() == 1.0);
            prop_assert_eq!(one.only_a, other.only_b);
        }
    }
}
