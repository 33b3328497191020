//! Running sums of pairs: all that an estimator needs of its users.
//!
//! One pair a user: a numerator `y` and a denominator `x` (1 for a mean per user). Sums are kept
//! plain, so a user's pair can be taken out again when it has grown; with counts below 2^53 nothing
//! is lost by that.

use serde::{Deserialize, Serialize};

/// Sums over users.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    n: u64,
    y: f64,
    x: f64,
    yy: f64,
    xy: f64,
    xx: f64,
}

impl Moments {
    /// The sums over these pairs.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Self {
        let mut sums = Self::default();
        for &(y, x) in pairs {
            sums.add(y, x);
        }
        sums
    }

    /// One more user.
    pub fn add(&mut self, y: f64, x: f64) {
        self.n += 1;
        self.shift(y, x, 1.0);
    }

    /// A user's pair is another now.
    pub fn replace(&mut self, old: (f64, f64), new: (f64, f64)) {
        self.shift(old.0, old.1, -1.0);
        self.shift(new.0, new.1, 1.0);
    }

    /// The users of both.
    #[must_use]
    pub fn merge(mut self, other: &Self) -> Self {
        self.n += other.n;
        self.y += other.y;
        self.x += other.x;
        self.yy += other.yy;
        self.xy += other.xy;
        self.xx += other.xx;
        self
    }

    fn shift(&mut self, y: f64, x: f64, sign: f64) {
        self.y += sign * y;
        self.x += sign * x;
        self.yy += sign * y * y;
        self.xy += sign * x * y;
        self.xx += sign * x * x;
    }

    /// How many users.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    /// The same as a number to calculate with.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub const fn count(&self) -> f64 {
        self.n as f64
    }

    /// The numerators' sum.
    #[must_use]
    pub const fn sum_y(&self) -> f64 {
        self.y
    }

    /// The denominators' sum.
    #[must_use]
    pub const fn sum_x(&self) -> f64 {
        self.x
    }

    /// The numerators' mean.
    #[must_use]
    pub fn mean_y(&self) -> f64 {
        self.y / self.count()
    }

    /// The denominators' mean.
    #[must_use]
    pub fn mean_x(&self) -> f64 {
        self.x / self.count()
    }

    /// The numerators' sample variance (over n − 1).
    #[must_use]
    pub fn variance_y(&self) -> f64 {
        self.centred(self.yy, self.y, self.y).max(0.0)
    }

    /// The denominators' sample variance (over n − 1).
    #[must_use]
    pub fn variance_x(&self) -> f64 {
        self.centred(self.xx, self.x, self.x).max(0.0)
    }

    /// Their sample covariance (over n − 1).
    #[must_use]
    pub fn covariance(&self) -> f64 {
        self.centred(self.xy, self.x, self.y)
    }

    /// How many equal denominators say as much as these: (Σx)²/Σx², Kish's effective number. None where all are
    /// zero.
    #[must_use]
    pub fn equal_weights(&self) -> Option<f64> {
        (self.xx > 0.0).then(|| self.x * self.x / self.xx)
    }

    fn centred(&self, products: f64, a: f64, b: f64) -> f64 {
        (products - a * b / self.count()) / (self.count() - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::near;

    proptest! {
        #[test]
        fn order_parts_and_corrections_do_not_matter(
            pairs in prop::collection::vec((0..50_u32, 1..20_u32), 2..40),
            cut in 0..40_usize,
        ) {
            let pairs: Vec<(f64, f64)> =
                pairs.iter().map(|&(y, x)| (f64::from(y), f64::from(x))).collect();
            let whole = Moments::of(&pairs);
            let (left, right) = pairs.split_at(cut.min(pairs.len()));
            prop_assert_eq!(Moments::of(left).merge(&Moments::of(right)), whole);
            let reversed: Vec<_> = pairs.iter().rev().copied().collect();
            prop_assert_eq!(Moments::of(&reversed), whole);
            let mut corrected = Moments::of(&vec![(7.0, 3.0); pairs.len()]);
            for &pair in &pairs {
                corrected.replace((7.0, 3.0), pair);
            }
            prop_assert_eq!(corrected, whole);
        }
    }

    #[test]
    fn they_are_the_textbooks() {
        let sums = Moments::of(&[(1.0, 2.0), (3.0, 2.0), (5.0, 5.0)]);
        near(sums.mean_y(), 3.0, 1e-12);
        near(sums.variance_y(), 4.0, 1e-12);
        near(sums.variance_x(), 3.0, 1e-12);
        near(sums.covariance(), 3.0, 1e-12);
    }
}
