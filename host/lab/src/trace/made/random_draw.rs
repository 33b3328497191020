//! Random draws from a seed, the same every time.

use wastegate_core::stats::random_draw::unit;
use wastegate_core::types::SplitMix64;

/// The 90th percentile of the standard normal distribution.
const Z90: f64 = 1.281_551_565_544_600_4;

/// A stream of random draws.
#[derive(Debug, Clone)]
pub(crate) struct RandomDraws(SplitMix64);

impl RandomDraws {
    /// The stream of a seed for one thing of many: streams of two things are independent.
    #[must_use]
    pub(crate) const fn of(seed: u64, thing: u64) -> Self {
        Self(SplitMix64::new(SplitMix64::nth(
            seed,
            thing.wrapping_add(1),
        )))
    }

    /// Even in [0, 1).
    pub(crate) fn even(&mut self) -> f64 {
        unit(self.0.next())
    }

    /// True in that share of cases.
    pub(crate) fn happens(&mut self, share: f64) -> bool {
        self.even() < share
    }

    /// Exponential with that mean.
    pub(crate) fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.even()).ln()
    }

    /// Log-normal by its median and its 90th percentile.
    pub(crate) fn log_normal(&mut self, median: f64, p90: f64) -> f64 {
        // Box and Muller (1958).
        let radius = (-2.0 * (1.0 - self.even()).ln()).sqrt();
        let normal = radius * (std::f64::consts::TAU * self.even()).cos();
        median * (normal * (p90 / median).ln() / Z90).exp()
    }

    /// A place among weights; none where they sum to nothing.
    pub(crate) fn weighted(&mut self, weights: &[f64]) -> Option<usize> {
        let sum: f64 = weights.iter().sum();
        if !(sum > 0.0 && sum.is_finite()) {
            return None;
        }
        let mut left = self.even() * sum;
        let found = weights.iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        found.or_else(|| weights.iter().rposition(|weight| *weight > 0.0))
    }
}

/// Milliseconds out of a number of them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it saturates, and negative lots do not exist"
)]
#[must_use]
pub const fn ms(value: f64) -> u64 {
    value as u64
}
