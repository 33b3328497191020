//! Less noise by what was known before: CUPED (Deng et al., WSDM 2013).
//!
//! Y' = Y − θ·(X − X̄), with θ from both arms together, within them: the coefficient of an analysis
//! of covariance. A user without a past has X = 0 and an indicator that is a covariate of its own, so
//! that newcomers are compared with newcomers.

use serde::{Deserialize, Serialize};

use super::ratio::{Difference, Estimate};

/// A mean's users of one arm, with their covariate.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Covariate {
    n: u64,
    /// Sums of (y, x, missing).
    sums: [f64; 3],
    /// Sums of products, of those three with each other.
    products: [[f64; 3]; 3],
}

impl Covariate {
    /// One more user: the metric, and the same metric before the first trigger if it is known.
    pub fn add(&mut self, y: f64, before: Option<f64>) {
        let row = [
            y,
            before.unwrap_or(0.0),
            f64::from(u8::from(before.is_none())),
        ];
        self.n += 1;
        for ((sum, products), a) in self.sums.iter_mut().zip(&mut self.products).zip(row) {
            *sum += a;
            for (product, b) in products.iter_mut().zip(row) {
                *product += a * b;
            }
        }
    }

    /// How many users.
    #[must_use]
    pub const fn n(&self) -> u64 {
        self.n
    }

    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond anybody")]
    const fn count(&self) -> f64 {
        self.n as f64
    }

    /// Sums of products around the means.
    fn centred(&self) -> [[f64; 3]; 3] {
        let mut centred = self.products;
        for (row, a) in centred.iter_mut().zip(self.sums) {
            for (product, b) in row.iter_mut().zip(self.sums) {
                *product -= a * b / self.count();
            }
        }
        centred
    }
}

/// What the covariate explains, and the difference that is left.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Adjusted {
    /// The weight of the covariate.
    pub theta: f64,
    /// The weight of having none.
    pub theta_missing: f64,
    /// The adjusted difference B − A of the means.
    pub difference: Difference,
    /// The share of the variance that is gone, 0 to 1.
    pub variance_removed: f64,
}

/// The difference of two means per user, adjusted. None below two users in an arm.
#[must_use]
pub fn adjust(a: &Covariate, b: &Covariate, alpha: f64) -> Option<Adjusted> {
    if a.n < 2 || b.n < 2 {
        return None;
    }
    let (ca, cb) = (a.centred(), b.centred());
    let pooled = |i: usize, j: usize| at(&ca, i, j) + at(&cb, i, j);
    let (theta, theta_missing) = weights(
        [pooled(1, 1), pooled(1, 2), pooled(2, 2)],
        [pooled(0, 1), pooled(0, 2)],
    );
    // The covariates are centred on the mean of both arms, which shifts both arms alike.
    let both = a.count() + b.count();
    let [_, ax, am] = a.sums;
    let [_, bx, bm] = b.sums;
    let centre = ((ax + bx) / both, (am + bm) / both);
    let estimate = |arm: &Covariate, centred: &[[f64; 3]; 3]| {
        let [y, x, m] = arm.sums.map(|sum| sum / arm.count());
        let of = |i, j| at(centred, i, j) / (arm.count() - 1.0);
        let variance =
            of(0, 0) + theta * theta * of(1, 1) + theta_missing * theta_missing * of(2, 2)
                - 2.0 * theta * of(0, 1)
                - 2.0 * theta_missing * of(0, 2)
                + 2.0 * theta * theta_missing * of(1, 2);
        Estimate {
            users: arm.n,
            value: y - theta * (x - centre.0) - theta_missing * (m - centre.1),
            variance: variance.max(0.0),
        }
    };
    let (ea, eb) = (estimate(a, &ca), estimate(b, &cb));
    let plain = at(&ca, 0, 0) / (a.count() - 1.0) / a.count()
        + at(&cb, 0, 0) / (b.count() - 1.0) / b.count();
    let left = ea.squared_error() + eb.squared_error();
    Some(Adjusted {
        theta,
        theta_missing,
        difference: Difference::of(&ea, &eb, alpha),
        variance_removed: if plain > 0.0 {
            (1.0 - left / plain).clamp(0.0, 1.0)
        } else {
            0.0
        },
    })
}

fn at(matrix: &[[f64; 3]; 3], i: usize, j: usize) -> f64 {
    matrix
        .get(i)
        .and_then(|row| row.get(j))
        .copied()
        .unwrap_or(0.0)
}

/// Solves the two normal equations; where one covariate says nothing it gets no weight.
fn weights([xx, xm, mm]: [f64; 3], [xy, my]: [f64; 2]) -> (f64, f64) {
    let determinant = xx * mm - xm * xm;
    if determinant > 1e-12 * xx * mm {
        return (
            (mm * xy - xm * my) / determinant,
            (xx * my - xm * xy) / determinant,
        );
    }
    if xx > 0.0 {
        (xy / xx, 0.0)
    } else if mm > 0.0 {
        (0.0, my / mm)
    } else {
        (0.0, 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{Uniform, near};

    fn arm(users: &[(f64, Option<f64>)]) -> Covariate {
        let mut arm = Covariate::default();
        users.iter().for_each(|&(y, before)| arm.add(y, before));
        arm
    }

    /// Checked against numpy.linalg.lstsq of y on (1, arm, x).
    #[test]
    fn it_is_the_analysis_of_covariance() {
        let a = arm(&[
            (1.0, Some(0.5)),
            (2.0, Some(1.5)),
            (4.0, Some(3.0)),
            (3.0, Some(2.0)),
        ]);
        let b = arm(&[
            (2.0, Some(0.0)),
            (3.5, Some(1.0)),
            (5.0, Some(4.0)),
            (4.0, Some(2.5)),
        ]);
        let adjusted = adjust(&a, &b, 0.05).unwrap();
        near(adjusted.theta, 0.829_145_728_643, 1e-9);
        near(adjusted.difference.delta, 1.021_356_783_920, 1e-9);
        assert!(adjusted.variance_removed > 0.5);
    }

    #[test]
    fn a_past_that_says_nothing_changes_nothing() {
        let a = arm(&[(1.0, None), (2.0, None), (4.0, None)]);
        let b = arm(&[(2.0, None), (3.0, None), (5.0, None)]);
        let adjusted = adjust(&a, &b, 0.05).unwrap();
        assert_eq!((adjusted.theta, adjusted.theta_missing), (0.0, 0.0));
        near(adjusted.difference.delta, 1.0, 1e-12);
        assert_eq!(adjusted.variance_removed, 0.0);
        assert_eq!(adjust(&a, &arm(&[(1.0, None)]), 0.05), None);
    }

    #[test]
    fn newcomers_are_compared_with_newcomers() {
        let mut uniform = Uniform(3);
        let mut draw = |arm_effect: f64| {
            let mut arm = Covariate::default();
            for user in 0..2_000 {
                let past = uniform.next() * 10.0;
                let noise = uniform.next() - 0.5;
                let known = user % 3 != 0;
                let y = if known { past } else { 2.0 } + noise + arm_effect;
                arm.add(y, known.then_some(past));
            }
            arm
        };
        let adjusted = adjust(&draw(0.0), &draw(0.1), 0.05).unwrap();
        near(adjusted.theta, 1.0, 0.02);
        assert!((adjusted.difference.delta - 0.1).abs() < 4.0 * adjusted.difference.se);
        assert!(adjusted.variance_removed > 0.9, "{adjusted:?}");
    }
}
