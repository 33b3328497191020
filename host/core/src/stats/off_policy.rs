//! What a policy would have earned, from what another did: importance weighing, and when to refuse.
//!
//! Only decisions that were drawn at random can be weighed, and only by what follows at once: each
//! eviction changes what comes after, which no weight knows. Horvitz and Thompson (1952) for IPS,
//! Hájek's ratio for SNIPS, Dudík, Langford and Li (2011) for the doubly robust estimate.

use serde::Serialize;

/// Fewer effective decisions than this, and nothing is said.
pub const EFFECTIVE_MIN: f64 = 200.0;
/// A smaller share of effective decisions than this, and nothing is said.
pub const EFFECTIVE_SHARE_MIN: f64 = 0.05;
/// One decision may not count for more than so many.
pub const WEIGHT_MAX: f64 = 50.0;
/// How many of its errors the mean weight may be from 1.
pub const WEIGHT_ERRORS_MAX: f64 = 3.0;

/// One decision that was drawn at random.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn {
    /// The chance with which the host drew what it did.
    pub propensity: f64,
    /// What came of it.
    pub reward: f64,
    /// The chance with which the other policy would have done the same.
    pub target: f64,
    /// What a model expects of what was done.
    pub expected: f64,
    /// What the model expects of what the other policy would do.
    pub expected_target: f64,
}

/// An estimated mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ValueEstimate {
    /// The estimated mean reward of a decision.
    pub value: f64,
    /// Its standard error.
    pub se: f64,
}

/// Every estimate of one set of decisions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimates {
    /// How many decisions.
    pub decisions: usize,
    /// mean(w·r): unbiased, and noisy.
    pub ips: ValueEstimate,
    /// Σwr/Σw: a little biased, and much steadier.
    pub snips: ValueEstimate,
    /// mean(q̂(π)): as good as the model.
    pub direct: f64,
    /// mean(q̂(π) + w(r − q̂)): right if the model or the propensities are.
    pub doubly_robust: ValueEstimate,
    /// The same with its weights summing to one.
    pub self_normalised_doubly_robust: f64,
    /// (Σw)²/Σw²: how many decisions it really rests on.
    pub effective: f64,
    /// The largest weight.
    pub weight_max: f64,
    /// mean(w): 1 if the propensities are true and cover the other policy.
    pub weight_mean: f64,
    /// The standard error of that mean.
    pub weight_se: f64,
}

/// Why an estimate must not be believed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "why")]
pub enum Doubt {
    /// Some decisions have no propensity, so nothing was drawn.
    NotDrawn {
        /// How many decisions there are.
        decisions: usize,
    },
    /// It rests on too few decisions.
    FewEffective {
        /// On so many.
        effective: f64,
    },
    /// The policies are too different: nearly all decisions say nothing.
    SmallShare {
        /// Effective decisions among all.
        share: f64,
    },
    /// The weights do not average to 1: the propensities are wrong or do not cover the policy.
    WeightsOff {
        /// The mean of the weights; 1 is expected.
        mean: f64,
        /// The error of that mean.
        se: f64,
    },
    /// A single decision counts for too much.
    LargeWeight {
        /// The largest weight.
        weight: f64,
    },
}

/// Weighs decisions. None of none, or where the other policy would have done nothing of it.
#[must_use]
pub fn estimate(drawn: &[Drawn]) -> Option<Estimates> {
    let weight = |d: &Drawn| {
        if d.propensity > 0.0 {
            d.target / d.propensity
        } else {
            0.0
        }
    };
    let weights: Vec<f64> = drawn.iter().map(weight).collect();
    let each = || weights.iter().zip(drawn);
    let (sum, squares) = weights
        .iter()
        .fold((0.0, 0.0), |(sum, squares), w| (sum + w, squares + w * w));
    if sum <= 0.0 {
        return None;
    }
    let snips = each().map(|(w, d)| w * d.reward).sum::<f64>() / sum;
    let residual: f64 = each()
        .map(|(w, d)| (w * (d.reward - snips)).powi(2))
        .sum::<f64>()
        .sqrt();
    let corrections: f64 = each().map(|(w, d)| w * (d.reward - d.expected)).sum();
    let direct = mean(drawn.iter().map(|d| d.expected_target)).value;
    let weight_mean = mean(weights.iter().copied());
    Some(Estimates {
        decisions: drawn.len(),
        ips: mean(each().map(|(w, d)| w * d.reward)),
        snips: ValueEstimate {
            value: snips,
            se: residual / sum,
        },
        direct,
        doubly_robust: mean(each().map(|(w, d)| d.expected_target + w * (d.reward - d.expected))),
        self_normalised_doubly_robust: direct + corrections / sum,
        effective: sum * sum / squares,
        weight_max: weights.iter().copied().fold(0.0, f64::max),
        weight_mean: weight_mean.value,
        weight_se: weight_mean.se,
    })
}

/// IPS with no weight above `most`: biased towards the recorded policy, and never wild.
#[must_use]
pub fn clipped_ips(drawn: &[Drawn], most: f64) -> ValueEstimate {
    let clipped = |d: &Drawn| {
        if d.propensity > 0.0 {
            (d.target / d.propensity).min(most) * d.reward
        } else {
            0.0
        }
    };
    mean(drawn.iter().map(clipped))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "2^53 decisions are beyond anybody"
)]
fn mean(terms: impl Iterator<Item = f64> + Clone) -> ValueEstimate {
    let (n, sum) = terms
        .clone()
        .fold((0_u64, 0.0), |(n, sum), term| (n + 1, sum + term));
    let n = n as f64;
    let value = sum / n;
    let squares: f64 = terms.map(|term| (term - value) * (term - value)).sum();
    ValueEstimate {
        value,
        se: (squares / (n - 1.0) / n).sqrt(),
    }
}

impl Estimates {
    /// Everything that speaks against believing it; to be shown in place of a verdict.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 decisions are beyond anybody"
    )]
    pub fn doubts(&self, drawn: &[Drawn]) -> Vec<Doubt> {
        let mut doubts = Vec::new();
        let undrawn = drawn.iter().filter(|d| d.propensity <= 0.0).count();
        if undrawn > 0 {
            doubts.push(Doubt::NotDrawn { decisions: undrawn });
        }
        let effective = self.effective;
        if effective < EFFECTIVE_MIN {
            doubts.push(Doubt::FewEffective { effective });
        }
        let share = effective / self.decisions as f64;
        if share < EFFECTIVE_SHARE_MIN {
            doubts.push(Doubt::SmallShare { share });
        }
        let (mean, se) = (self.weight_mean, self.weight_se);
        if (mean - 1.0).abs() > WEIGHT_ERRORS_MAX * se {
            doubts.push(Doubt::WeightsOff { mean, se });
        }
        if self.weight_max > WEIGHT_MAX {
            let weight = self.weight_max;
            doubts.push(Doubt::LargeWeight { weight });
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{Uniform, near};

    fn vector_8() -> Vec<Drawn> {
        [
            (0.5, 1.0, 1.0, 0.8, 0.8),
            (0.25, 0.0, 0.0, 0.6, 0.7),
            (0.25, 1.0, 1.0, 0.9, 0.9),
            (0.5, 0.0, 1.0, 0.5, 0.5),
            (0.8, 1.0, 0.0, 0.7, 0.6),
            (0.1, 1.0, 1.0, 0.6, 0.6),
        ]
        .map(
            |(propensity, reward, target, expected, expected_target)| Drawn {
                propensity,
                reward,
                target,
                expected,
                expected_target,
            },
        )
        .to_vec()
    }

    #[test]
    fn vector_8_by_every_estimate() {
        let drawn = vector_8();
        let e = estimate(&drawn).unwrap();
        near(e.ips.value, 2.666_666_7, 1e-7);
        near(e.ips.se, 1.605_545_9, 1e-7);
        near(e.snips.value, 0.888_888_9, 1e-7);
        near(e.snips.se, 0.119_695_8, 1e-7);
        near(e.direct, 0.683_333_3, 1e-7);
        near(e.doubly_robust.value, 1.316_666_7, 1e-7);
        near(e.doubly_robust.se, 0.706_831_7, 1e-7);
        near(e.self_normalised_doubly_robust, 0.894_444_4, 1e-7);
        near(e.effective, 2.612_903_2, 1e-7);
        near(clipped_ips(&drawn, 4.0).value, 1.666_666_7, 1e-7);
        let doubts = e.doubts(&drawn);
        assert!(
            matches!(doubts[..], [Doubt::FewEffective { .. }]),
            "{doubts:?}"
        );
    }

    /// Three actions of known worth, drawn unevenly: the worth of another policy comes out.
    #[test]
    fn they_recover_a_known_value_and_refuse_where_they_cannot() {
        let worth = [0.2, 0.5, 0.8];
        let (logging, target) = ([0.6, 0.3, 0.1], [0.1, 0.2, 0.7]);
        let truth: f64 = worth.iter().zip(target).map(|(w, p)| w * p).sum();
        let mut uniform = Uniform(11);
        let drawn: Vec<Drawn> = (0..40_000)
            .map(|_| {
                let draw = uniform.next();
                let action = if draw < 0.6 {
                    0
                } else if draw < 0.9 {
                    1
                } else {
                    2
                };
                Drawn {
                    propensity: logging[action],
                    reward: f64::from(u8::from(uniform.next() < worth[action])),
                    target: target[action],
                    // A model that is wrong everywhere.
                    expected: 0.4,
                    expected_target: 0.4,
                }
            })
            .collect();
        let e = estimate(&drawn).unwrap();
        assert_eq!(e.doubts(&drawn), []);
        for value in [e.ips, e.snips, e.doubly_robust] {
            assert!((value.value - truth).abs() < 4.0 * value.se, "{value:?}");
        }
        let mut lied = drawn.clone();
        lied.iter_mut().for_each(|d| d.propensity *= 0.5);
        let doubts = estimate(&lied).unwrap().doubts(&lied);
        assert!(
            matches!(doubts[..], [Doubt::WeightsOff { .. }]),
            "{doubts:?}"
        );
        lied[0].propensity = 0.0;
        let doubts = estimate(&lied).unwrap().doubts(&lied);
        assert!(
            doubts.contains(&Doubt::NotDrawn { decisions: 1 }),
            "{doubts:?}"
        );
        assert_eq!(estimate(&[]), None);
    }
}
