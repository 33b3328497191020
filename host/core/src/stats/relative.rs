//! How much larger, relative to the control: by Fieller's theorem and by the log-ratio.
//!
//! Never by an interval that takes the control's value as fixed: with few or noisy users that calls
//! noise a change (on vector 1 it claims p = .018 where the difference itself has p = .149). Verdicts
//! are made on the absolute scale; this is for showing.

use serde::{Deserialize, Serialize};

use super::ratio::Estimate;
use super::special::normal_quantile;

/// The interval of a ratio B/A.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Relative {
    /// The mean of B over the mean of A.
    pub ratio: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// A control so uncertain that the set of ratios has no end: print "relative change not estimable".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the control is too uncertain to divide by: relative change not estimable")]
pub struct NotEstimable;

/// Fieller's set (1954): exact for normal estimates, also where the control is noisy.
///
/// # Errors
/// [`NotEstimable`] where g = z²·Var(A)/A² is 1 or more, so that the set is unbounded.
pub fn fieller(a: &Estimate, b: &Estimate, alpha: f64) -> Result<Relative, NotEstimable> {
    fieller_within(a, b, normal_quantile(1.0 - alpha / 2.0))
}

/// The same with an interval that reaches `z` standard errors: with a sequence's
/// [`reach`](super::sequence::Sequence::reach) it holds whenever it is looked at.
///
/// # Errors
/// As [`fieller`].
pub fn fieller_within(a: &Estimate, b: &Estimate, z: f64) -> Result<Relative, NotEstimable> {
    let (va, vb) = (a.squared_error(), b.squared_error());
    let g = z * z * va / (a.value * a.value);
    // Not a number where the control is zero, and then not below 1 either.
    if g.is_nan() || g >= 1.0 {
        return Err(NotEstimable);
    }
    let ratio = b.value / a.value;
    let spread = vb * (1.0 - g) + ratio * ratio * va;
    let half = z * spread.max(0.0).sqrt() / a.value.abs();
    Ok(Relative {
        ratio,
        low: (ratio - half) / (1.0 - g),
        high: (ratio + half) / (1.0 - g),
    })
}

/// The delta method on ln B − ln A: simple, never below zero, right for small errors.
///
/// # Errors
/// [`NotEstimable`] unless both values are positive.
pub fn log_ratio(a: &Estimate, b: &Estimate, alpha: f64) -> Result<Relative, NotEstimable> {
    if !(a.value > 0.0 && b.value > 0.0) {
        return Err(NotEstimable);
    }
    let z = normal_quantile(1.0 - alpha / 2.0);
    let part = |e: &Estimate| e.squared_error() / (e.value * e.value);
    let half = z * (part(a) + part(b)).sqrt();
    let ratio = b.value / a.value;
    Ok(Relative {
        ratio,
        low: ratio * (-half).exp(),
        high: ratio * half.exp(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::near;

    fn estimate(value: f64, squared_error: f64) -> Estimate {
        Estimate {
            users: 1_000,
            value,
            variance: squared_error * 1_000.0,
        }
    }

    #[test]
    fn the_reference_pair() {
        let (a, b) = (estimate(0.29, 0.0005), estimate(0.24, 0.0004));
        let set = fieller(&a, &b, 0.05).unwrap();
        near(set.ratio, 0.827_586_206_9, 1e-9);
        near(set.low, 0.659_632_781_8, 1e-8);
        near(set.high, 1.034_225_036_6, 1e-8);
        let log = log_ratio(&a, &b, 0.05).unwrap();
        near(log.low, 0.662_481_504_8, 1e-8);
        near(log.high, 1.033_838_567_3, 1e-8);
    }

    /// J18: an interval for every look is as much wider as the difference's own.
    #[test]
    fn j18_the_relative_interval_holds_at_every_look_too() {
        let (a, b) = (estimate(0.29, 0.0005), estimate(0.24, 0.0004));
        let sequence = crate::stats::Sequence::new(0.05, 5_000.0).unwrap();
        let reach = sequence.reach(2_000.0);
        assert!(reach > 3.0, "{reach}");
        let (always, once) = (
            fieller_within(&a, &b, reach).unwrap(),
            fieller(&a, &b, 0.05).unwrap(),
        );
        assert!(always.low < once.low && once.high < always.high);
        // It excludes 1 where the difference's interval excludes 0, and there only (Fieller).
        let edge = (b.value - a.value).abs() / (0.0009_f64).sqrt();
        assert!(fieller_within(&a, &b, edge * 1.01).unwrap().high > 1.0);
        assert!(fieller_within(&a, &b, edge * 0.99).unwrap().high < 1.0);
    }

    #[test]
    fn a_control_that_may_be_zero_cannot_be_divided_by() {
        let b = estimate(0.2, 0.001);
        assert_eq!(fieller(&estimate(0.1, 0.01), &b, 0.05), Err(NotEstimable));
        assert_eq!(fieller(&estimate(0.0, 0.0), &b, 0.05), Err(NotEstimable));
        assert_eq!(log_ratio(&estimate(0.0, 0.1), &b, 0.05), Err(NotEstimable));
    }
}
