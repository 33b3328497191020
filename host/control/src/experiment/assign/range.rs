//! Which part of [0, 1) each arm owns.

/// How far weights may be from summing to 1 (GrowthBook takes .4 + .5999).
const WEIGHTS_TOLERANCE: f64 = 0.01;

/// Half-open: from `from`, below `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Its first place.
    pub from: f64,
    /// The end of the range, exclusive.
    pub to: f64,
}

impl Range {
    /// Whether a place lies in it.
    #[must_use]
    pub fn holds(&self, place: f64) -> bool {
        self.from <= place && place < self.to
    }
}

/// The ranges of so many arms: arm i owns [sᵢ, sᵢ + coverage·wᵢ) with sᵢ = Σ_{j<i} wⱼ.
///
/// A coverage outside [0, 1] is clamped. Weights of another number than the arms, or that do not sum
/// to 1, are taken as equal, as GrowthBook does; a definition is refused for it long before.
#[must_use]
pub fn ranges(arms: usize, coverage: f64, weights: &[f64]) -> Vec<Range> {
    let coverage = coverage.clamp(0.0, 1.0);
    let sum: f64 = weights.iter().sum();
    let sound = weights.len() == arms && (sum - 1.0).abs() <= WEIGHTS_TOLERANCE;
    #[expect(clippy::cast_precision_loss, reason = "arms are few")]
    let equal = 1.0 / arms as f64;
    let mut from = 0.0;
    (0..arms)
        .map(|arm| {
            let weight = match weights.get(arm) {
                Some(&weight) if sound => weight,
                _ => equal,
            };
            let range = Range {
                from,
                to: from + coverage * weight,
            };
            from += weight;
            range
        })
        .collect()
}

/// The arm that owns a place: the first that does, if any.
#[must_use]
pub fn choose(place: f64, ranges: &[Range]) -> Option<usize> {
    ranges.iter().position(|range| range.holds(place))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn near(arms: usize, coverage: f64, weights: &[f64], expected: &[(f64, f64)]) {
        let found = ranges(arms, coverage, weights);
        assert_eq!(found.len(), expected.len());
        for (range, (from, to)) in found.iter().zip(expected) {
            assert!(
                (range.from - from).abs() < 1e-9 && (range.to - to).abs() < 1e-9,
                "{found:?}"
            );
        }
    }

    #[test]
    fn the_official_cases() {
        near(2, 0.5, &[], &[(0.0, 0.25), (0.5, 0.75)]);
        near(
            3,
            0.2,
            &[0.2, 0.3, 0.5],
            &[(0.0, 0.04), (0.2, 0.26), (0.5, 0.6)],
        );
        near(2, -0.2, &[], &[(0.0, 0.0), (0.5, 0.5)]);
        near(2, 1.5, &[], &[(0.0, 0.5), (0.5, 1.0)]);
        near(2, 1.0, &[0.4, 0.1], &[(0.0, 0.5), (0.5, 1.0)]);
        near(2, 1.0, &[0.4, 0.4, 0.2], &[(0.0, 0.5), (0.5, 1.0)]);
        near(2, 1.0, &[0.4, 0.5999], &[(0.0, 0.4), (0.4, 0.9999)]);
    }

    #[test]
    fn edges_are_half_open() {
        let arms = ranges(2, 0.5, &[]);
        for (place, arm) in [
            (0.0, Some(0)),
            (0.2499, Some(0)),
            (0.25, None),
            (0.5, Some(1)),
            (0.75, None),
        ] {
            assert_eq!(choose(place, &arms), arm, "{place}");
        }
        assert!(choose(0.0, &ranges(2, 0.0, &[])).is_none());
    }

    proptest! {
        #[test]
        fn more_coverage_moves_nobody(
            place in 0.0..1.0_f64,
            first in 0.05..0.95_f64,
            less in 0.0..1.0_f64,
            more in 0.0..1.0_f64,
        ) {
            let weights = [first, 1.0 - first];
            let arm = |coverage| choose(place, &ranges(2, coverage, &weights));
            let (less, more) = (less.min(more), less.max(more));
            if let Some(before) = arm(less) {
                prop_assert_eq!(arm(more), Some(before));
            }
        }
    }
}
