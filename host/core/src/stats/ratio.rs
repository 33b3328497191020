//! A ratio of sums over users, and the difference of two of them.
//!
//! Events are clustered in users, so the binomial error over events is too small. The delta method
//! over users is right (Deng, Knoblich and Lu, "Applying the delta method in metric analytics",
//! KDD 2018): with R = ΣY/ΣX, V = (s²_Y − 2R·s_XY + R²·s²_X) / X̄² and SE = √(V/n).

use serde::{Deserialize, Serialize};

use super::moments::Moments;
use super::special::{t_quantile, t_two_sided};

/// ΣY/ΣX with the variance of one user's share in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Estimate {
    /// How many users it rests on.
    pub users: u64,
    /// The ratio; a mean per user where every denominator is 1.
    pub value: f64,
    /// V: `users` times the variance of `value`.
    pub variance: f64,
}

/// One estimate less another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// B − A.
    pub delta: f64,
    /// Its standard error.
    pub se: f64,
    /// Welch's degrees of freedom.
    pub df: f64,
    /// `delta / se`.
    pub t: f64,
    /// How often a difference at least as large comes by chance, both sides. Only for one look that
    /// was planned; for repeated looks there is `sequence`.
    pub p: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

impl Estimate {
    /// The ratio of the sums. None below two users, or where the denominators sum to nothing.
    #[must_use]
    pub fn of(sums: &Moments) -> Option<Self> {
        let mean_x = sums.mean_x();
        if sums.n() < 2 || mean_x <= 0.0 {
            return None;
        }
        let value = sums.sum_y() / sums.sum_x();
        let variance = (sums.variance_y() - 2.0 * value * sums.covariance()
            + value * value * sums.variance_x())
            / (mean_x * mean_x);
        Some(Self {
            users: sums.n(),
            value,
            variance: variance.max(0.0),
        })
    }

    /// The variance of the value.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub fn squared_error(&self) -> f64 {
        self.variance / self.users as f64
    }

    /// The standard error of the value.
    #[must_use]
    pub fn se(&self) -> f64 {
        self.squared_error().sqrt()
    }
}

impl Difference {
    /// B − A with an interval that misses the truth with probability `alpha`, by Welch's test.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    pub fn of(a: &Estimate, b: &Estimate, alpha: f64) -> Self {
        let (ea, eb) = (a.squared_error(), b.squared_error());
        let spread = |error: f64, users: u64| error * error / (users as f64 - 1.0);
        let welch = (ea + eb) * (ea + eb) / (spread(ea, a.users) + spread(eb, b.users));
        Self::with(b.value - a.value, (ea + eb).sqrt(), welch, alpha)
    }

    /// A difference whose error and degrees of freedom are known.
    #[must_use]
    pub fn with(delta: f64, se: f64, df: f64, alpha: f64) -> Self {
        if se <= 0.0 {
            // Nothing varies: the difference is what it is.
            let p = if delta == 0.0 { 1.0 } else { 0.0 };
            let t = if delta == 0.0 {
                0.0
            } else {
                f64::INFINITY.copysign(delta)
            };
            return Self {
                delta,
                se: 0.0,
                df: f64::INFINITY,
                t,
                p,
                low: delta,
                high: delta,
            };
        }
        let half = t_quantile(1.0 - alpha / 2.0, df) * se;
        Self {
            delta,
            se,
            df,
            t: delta / se,
            p: t_two_sided(delta / se, df),
            low: delta - half,
            high: delta + half,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::testing::near;

    /// Vector 1: (regrets, evictions) a user.
    pub(crate) const A: [(f64, f64); 8] = [
        (1.0, 3.0),
        (0.0, 1.0),
        (1.0, 2.0),
        (2.0, 5.0),
        (0.0, 1.0),
        (0.0, 4.0),
        (0.0, 2.0),
        (1.0, 1.0),
    ];
    pub(crate) const B: [(f64, f64); 8] = [
        (0.0, 2.0),
        (0.0, 1.0),
        (0.0, 3.0),
        (1.0, 6.0),
        (0.0, 1.0),
        (1.0, 4.0),
        (0.0, 2.0),
        (0.0, 1.0),
    ];

    #[test]
    fn vector_1() {
        let [a, b] = [A, B].map(|pairs| Estimate::of(&Moments::of(&pairs)).unwrap());
        near(a.value, 0.263_157_894_7, 1e-9);
        near(a.variance, 0.070_998_315_1, 1e-9);
        near(a.se(), 0.094_206_100_6, 1e-9);
        near(b.value, 0.1, 1e-9);
        near(b.variance, 0.016_457_142_9, 1e-9);
        near(b.se(), 0.045_355_736_8, 1e-9);
        let d = Difference::of(&a, &b, 0.05);
        near(d.delta, -0.163_157_894_7, 1e-9);
        near(d.se, 0.104_555_881_0, 1e-9);
        near(d.df, 10.079_677_880_5, 1e-9);
        near(d.t, -1.560_485_103_1, 1e-9);
        near(d.p, 0.149_466_068_6, 1e-8);
        near(d.low, -0.395_873_538_1, 1e-8);
        near(d.high, 0.069_557_748_7, 1e-8);
    }

    #[test]
    fn nothing_to_divide_by_is_no_estimate() {
        assert_eq!(Estimate::of(&Moments::of(&[(1.0, 1.0)])), None);
        assert_eq!(Estimate::of(&Moments::of(&[(0.0, 0.0), (0.0, 0.0)])), None);
        let same = Estimate::of(&Moments::of(&[(1.0, 1.0), (1.0, 1.0)])).unwrap();
        let d = Difference::of(&same, &same, 0.05);
        assert_eq!((d.delta, d.p, d.low, d.high), (0.0, 1.0, 0.0, 0.0));
    }

    proptest! {
        #[test]
        fn differences_turn_around_and_scale(
            a in prop::collection::vec((0..9_u32, 1..9_u32), 3..20),
            b in prop::collection::vec((0..9_u32, 1..9_u32), 3..20),
            scale in 1..9_u32,
        ) {
            let estimate = |pairs: &[(u32, u32)], scale: u32| {
                let pairs: Vec<(f64, f64)> = pairs
                    .iter()
                    .map(|&(y, x)| (f64::from(y * scale), f64::from(x)))
                    .collect();
                Estimate::of(&Moments::of(&pairs)).unwrap()
            };
            let forth = Difference::of(&estimate(&a, 1), &estimate(&b, 1), 0.05);
            let back = Difference::of(&estimate(&b, 1), &estimate(&a, 1), 0.05);
            near(forth.delta, -back.delta, 1e-12);
            near(forth.p, back.p, 1e-9);
            prop_assert!(forth.low <= forth.delta && forth.delta <= forth.high);
            let scaled = Difference::of(&estimate(&a, scale), &estimate(&b, scale), 0.05);
            near(scaled.delta, forth.delta * f64::from(scale), 1e-9);
            near(scaled.p, forth.p, 1e-6);
            let wider = Difference::of(&estimate(&a, 1), &estimate(&b, 1), 0.01);
            prop_assert!(wider.low <= forth.low && wider.high >= forth.high);
        }
    }
}
