//! Counts: how users fall into arms, how rare things fall on them, and shares of few.

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

use super::special::{chi2_upper, ln_gamma, normal_quantile};

/// The alarm level of a sample ratio mismatch (GrowthBook's `DEFAULT_SRM_THRESHOLD`).
pub const SRM_ALARM: f64 = 0.001;

/// Pearson's test that counts fall in given shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SampleRatio {
    /// χ² = Σ(o−e)²/e.
    pub chi2: f64,
    /// How often it comes this large by chance, at one look.
    pub p: f64,
}

impl SampleRatio {
    /// Of counts against shares, which need not sum to 1. None without two arms with a share, or
    /// with lists of different lengths.
    #[must_use]
    pub fn of(counts: &[u64], shares: &[f64]) -> Option<Self> {
        let (counts, shares) = paired(counts, shares)?;
        let total: f64 = counts.iter().sum();
        let chi2 = counts
            .iter()
            .zip(&shares)
            .map(|(count, share)| {
                let expected = share * total;
                if expected > 0.0 {
                    (count - expected) * (count - expected) / expected
                } else {
                    0.0
                }
            })
            .sum();
        #[expect(clippy::cast_precision_loss, reason = "arms are few")]
        let df = (shares.len() - 1) as f64;
        Some(Self {
            chi2,
            p: chi2_upper(chi2, df),
        })
    }
}

/// Counts and shares that sum to 1; arms without a share left out. A count where there is no share
/// makes any test reject, which is what `f64` gives: nothing is expected there.
fn paired(counts: &[u64], shares: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let sum: f64 = shares.iter().sum();
    let sound = shares
        .iter()
        .all(|share| share.is_finite() && *share >= 0.0);
    if counts.len() != shares.len() || !sound || sum <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    let pairs = counts
        .iter()
        .zip(shares)
        .filter(|(_, share)| **share > 0.0)
        .map(|(&count, share)| (count as f64, share / sum));
    let (counts, shares): (Vec<f64>, Vec<f64>) = pairs.unzip();
    (shares.len() >= 2).then_some((counts, shares))
}

/// The exact sequential multinomial test (Lindon and Malek, "Anytime-valid inference for multinomial
/// count data", `NeurIPS` 2022): evidence that may be looked at after every user.
///
/// E = B(a+c)/B(a) / Π θᵢ^{cᵢ} with a = k·θ. Under the null its mean is 1 at any stopping time, so
/// E ≥ 1/α happens with probability α at most, ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MultinomialTest {
    shares: Vec<f64>,
    k: f64,
    /// The largest ln E so far; zero before anything was seen.
    ln_most: f64,
}

impl MultinomialTest {
    /// Against those shares, with a prior as strong as `k` users: 100 for sample ratios, 2 to 10 for
    /// rare events. None without two arms with a share, or unless `k` is positive.
    #[must_use]
    pub fn against(shares: &[f64], k: f64) -> Option<Self> {
        let (_, shares) = paired(&vec![0; shares.len()], shares)?;
        (k > 0.0 && k.is_finite()).then_some(Self {
            shares,
            k,
            ln_most: 0.0,
        })
    }

    /// ln E of these counts, in the order of the arms that have a share.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub fn ln_e(&self, counts: &[u64]) -> f64 {
        let prior = |share: f64| self.k * share;
        let total: f64 = counts.iter().map(|&count| count as f64).sum();
        let parts = self.shares.iter().zip(counts).map(|(&share, &count)| {
            let count = count as f64;
            ln_gamma(prior(share) + count) - ln_gamma(prior(share)) - count * share.ln()
        });
        parts.sum::<f64>() + ln_gamma(self.k) - ln_gamma(self.k + total)
    }

    /// Looks at the counts so far. Returns p = min(1, 1/max E), valid at every look.
    pub fn look(&mut self, counts: &[u64]) -> f64 {
        self.ln_most = self.ln_most.max(self.ln_e(counts));
        self.p()
    }

    /// The p-value of all looks so far.
    #[must_use]
    pub fn p(&self) -> f64 {
        (-self.ln_most).exp().min(1.0)
    }
}

/// Wilson's interval of a share: right for few and for none. (0, 1) where nothing was tried.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "2^53 events are beyond anybody")]
pub fn wilson(hits: u64, tries: u64, alpha: f64) -> (f64, f64) {
    if tries == 0 {
        return (0.0, 1.0);
    }
    let (n, z) = (tries as f64, normal_quantile(1.0 - alpha / 2.0));
    let share = hits as f64 / n;
    let centre = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // Rounding may not push an end past what was seen.
    (
        ((centre - half) / scale).clamp(0.0, share),
        ((centre + half) / scale).clamp(share, 1.0),
    )
}

/// `McNemar`'s exact test on the pairs that disagree: how often a split at least as uneven comes by
/// chance, both sides.
#[must_use]
pub fn mcnemar(one: u64, other: u64) -> f64 {
    let (fewer, total) = (one.min(other), one.saturating_add(other));
    Binomial::new(0.5, total).map_or(1.0, |coin| (2.0 * coin.cdf(fewer)).min(1.0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::near;

    const HALVES: [f64; 2] = [0.5, 0.5];

    #[test]
    fn fixed_sample_ratios() {
        let even = SampleRatio::of(&[1_000, 1_200], &HALVES).unwrap();
        near(even.chi2, 18.181_818_181_8, 1e-10);
        near(even.p / 2.007_865_6e-5, 1.0, 1e-6);
        let three = SampleRatio::of(&[900, 950, 1_150], &[1.0; 3]).unwrap();
        near(three.p / 2.510_999e-8, 1.0, 1e-6);
        let uneven = SampleRatio::of(&[180, 820], &[0.2, 0.8]).unwrap();
        near(uneven.p, 0.113_846_298_3, 1e-9);
        assert_eq!(SampleRatio::of(&[5], &[1.0]), None);
        assert_eq!(SampleRatio::of(&[5, 6], &[1.0, f64::NAN]), None);
    }

    /// Vector 6 and the small ones beside it.
    #[test]
    fn sequential_evidence() {
        let e = |k: f64, counts: [u64; 2]| {
            MultinomialTest::against(&HALVES, k)
                .unwrap()
                .ln_e(&counts)
                .exp()
        };
        near(e(100.0, [10, 12]), 0.920_031_906_671_246, 1e-10);
        near(e(100.0, [60, 72]), 0.895_494_436_4, 1e-9);
        near(e(2.0, [3, 7]), 1_024.0 / 1_320.0, 1e-10);
        near(e(2.0, [0, 10]), 1_024.0 / 11.0, 1e-9);
        near(e(10.0, [12, 31]), 14.853_685_112_0, 1e-9);
        near(e(100.0, [12, 31]), 2.990_189_369_3, 1e-9);
        let mut evidence = MultinomialTest::against(&HALVES, 2.0).unwrap();
        near(evidence.look(&[0, 10]), 11.0 / 1_024.0, 1e-9);
        near(evidence.look(&[10, 10]), 11.0 / 1_024.0, 1e-9);
        assert_eq!(MultinomialTest::against(&[1.0], 2.0), None);
    }

    #[test]
    fn shares_of_few() {
        let (low, high) = wilson(12, 40, 0.05);
        near(low, 0.180_748_452_3, 1e-9);
        near(high, 0.454_300_188_2, 1e-9);
        let (low, high) = wilson(0, 20, 0.05);
        near(low, 0.0, 1e-12);
        near(high, 0.161_125_158_1, 1e-9);
        assert_eq!(wilson(0, 0, 0.05), (0.0, 1.0));
    }

    #[test]
    fn pairs_that_disagree() {
        near(mcnemar(3, 12), 0.035_156_25, 1e-10);
        near(mcnemar(12, 3), 0.035_156_25, 1e-10);
        assert_eq!(mcnemar(4, 4), 1.0);
        assert_eq!(mcnemar(0, 0), 1.0);
    }

    proptest! {
        #[test]
        fn the_order_of_arms_does_not_matter(
            counts in prop::collection::vec(0..500_u64, 2..5),
            k in 1.0..200.0_f64,
        ) {
            let shares: Vec<f64> = (1..=counts.len()).map(|arm| arm as f64).collect();
            let forth = MultinomialTest::against(&shares, k).unwrap().ln_e(&counts);
            let turned = |list: &[f64]| list.iter().rev().copied().collect::<Vec<_>>();
            let back: Vec<u64> = counts.iter().rev().copied().collect();
            let back = MultinomialTest::against(&turned(&shares), k).unwrap().ln_e(&back);
            near(forth, back, 1e-8);
        }

        #[test]
        fn wilson_holds_what_was_seen(hits in 0..200_u64, more in 0..200_u64) {
            let tries = hits + more;
            prop_assume!(tries > 0);
            let (low, high) = wilson(hits, tries, 0.05);
            let share = hits as f64 / tries as f64;
            prop_assert!(0.0 <= low && low <= share && share <= high && high <= 1.0);
        }
    }
}
