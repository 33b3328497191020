//! The distributions that everything here goes by: normal, Student's t, χ², and ln Γ.
//!
//! Thin over `statrs`, so that the rest of the room reads as its formulas do. Only the noncentral t
//! is computed here, because nobody else has it.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};
pub(super) use statrs::function::gamma::ln_gamma;

/// Halves of the width that the noncentral t is integrated over, in standard deviations of its scale.
const SCALE_DEVIATIONS: f64 = 12.0;
/// Steps of that integration; even, as Simpson's rule wants it.
const SCALE_STEPS: u32 = 400;

/// The probability of at most `z` under the standard normal distribution.
pub(super) fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The value that a standard normal variable stays below with probability `p`, in (0, 1).
pub(super) fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// How often |T| is at least `t` under Student's distribution of `df` degrees of freedom; 1 where
/// `df` is no positive number.
pub(super) fn t_two_sided(t: f64, df: f64) -> f64 {
    StudentsT::new(0.0, 1.0, df).map_or(1.0, |student| 2.0 * student.cdf(-t.abs()))
}

/// The value that Student's T stays below with probability `p`; infinite where `df` is no positive
/// number.
pub(super) fn t_quantile(p: f64, df: f64) -> f64 {
    let Ok(student) = StudentsT::new(0.0, 1.0, df) else {
        return f64::INFINITY;
    };
    // One step of Newton's method on top: the library's inverse is good to seven digits.
    let start = student.inverse_cdf(p);
    let slope = statrs::distribution::Continuous::pdf(&student, start);
    if slope > 0.0 && start.is_finite() {
        start - (student.cdf(start) - p) / slope
    } else {
        start
    }
}

/// How often χ² of `df` degrees of freedom is at least `x`; 1 where `df` is no positive number.
pub(super) fn chi2_upper(x: f64, df: f64) -> f64 {
    ChiSquared::new(df).map_or(1.0, |chi2| chi2.sf(x.max(0.0)))
}

/// The probability that a noncentral t of `df` degrees of freedom and noncentrality `shift` is at
/// most `t`: the mean of Φ(t·s − shift) over the distribution of s = √(χ²/df), by Simpson's rule.
pub(super) fn noncentral_t_cdf(t: f64, df: f64, shift: f64) -> f64 {
    let half = SCALE_DEVIATIONS / (2.0 * df).sqrt();
    let (from, to) = ((1.0 - half).max(0.0), 1.0 + half);
    let step = (to - from) / f64::from(SCALE_STEPS);
    let ln_norm = (df / 2.0) * (df / 2.0).ln() - ln_gamma(df / 2.0) + 2.0_f64.ln();
    let density = |s: f64| {
        if s <= 0.0 {
            0.0
        } else {
            (ln_norm + (df - 1.0) * s.ln() - df * s * s / 2.0).exp()
        }
    };
    let term = |place: u32| {
        let s = from + step * f64::from(place);
        let weight = match place {
            0 | SCALE_STEPS => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * density(s) * normal_cdf(t * s - shift)
    };
    (0..=SCALE_STEPS).map(term).sum::<f64>() * step / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::near;

    #[test]
    fn quantiles_undo_probabilities() {
        for p in [0.001, 0.025, 0.2, 0.5, 0.9, 0.975] {
            near(normal_cdf(normal_quantile(p)), p, 1e-10);
            for df in [1.5, 10.0796778805, 200.0] {
                let t = t_quantile(p, df);
                let two_sided = if p < 0.5 { 2.0 * p } else { 2.0 * (1.0 - p) };
                near(t_two_sided(t, df), two_sided, 1e-9);
            }
        }
        near(normal_quantile(0.975), 1.959_963_984_540_054, 1e-9);
    }

    #[test]
    fn without_a_shift_the_noncentral_t_is_the_central_one() {
        for (t, df) in [(0.7, 9.0), (2.1, 30.0), (1.96, 784.0)] {
            let central = 1.0 - t_two_sided(t, df) / 2.0;
            near(noncentral_t_cdf(t, df, 0.0), central, 1e-8);
        }
    }
}
