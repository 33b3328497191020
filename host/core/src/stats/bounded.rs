//! Means of numbers between 0 and 1, at every moment and for few users: no asymptotics.
//!
//! Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting" (JRSS B, 2024):
//! the predictable-mixture empirical-Bernstein sequence, and the tighter hedged betting one, inverted
//! on a grid. Both are for observations in the order in which they came. [`mixture`] needs no order: the
//! beta-binomial mixture (Howard et al., "Time-uniform, nonparametric, nonasymptotic confidence sequences",
//! 2021, sub-Bernoulli case), which is exact for none at all of many.

use super::special::ln_gamma;

/// The largest bet of the empirical-Bernstein sequence.
const EB_TRUNCATION: f64 = 0.5;
/// The share of the largest possible bet that the betting sequence risks.
const BET_SHARE: f64 = 0.5;
/// What is believed of mean and variance before anything was seen, as one observation.
const PRIOR_MEAN: f64 = 0.5;
const PRIOR_VARIANCE: f64 = 0.25;

/// The bets λ₁, λ₂, …: each goes by what came before it only.
fn bets(x: &[f64], alpha: f64) -> Vec<f64> {
    let (mut sum, mut squares, mut variance) = (0.0, 0.0, PRIOR_VARIANCE);
    (1_u32..)
        .zip(x)
        .map(|(t, &x)| {
            let t = f64::from(t);
            let bet = (2.0 * (1.0 / alpha).ln() / (t * (1.0 + t).ln() * variance)).sqrt();
            sum += x;
            let mean = (PRIOR_MEAN + sum) / (t + 1.0);
            squares += (x - mean) * (x - mean);
            variance = (PRIOR_VARIANCE + squares) / (t + 1.0);
            bet
        })
        .collect()
}

/// The empirical-Bernstein interval after all of `x`, each in [0, 1]; it misses the mean at any time
/// with probability `alpha` at most. (0, 1) where nothing was seen.
#[must_use]
pub fn empirical_bernstein(x: &[f64], alpha: f64) -> (f64, f64) {
    let mirrored: Vec<f64> = x.iter().map(|x| 1.0 - x).collect();
    let low = lower(x, alpha / 2.0);
    let high = 1.0 - lower(&mirrored, alpha / 2.0);
    (low, high)
}

fn lower(x: &[f64], alpha: f64) -> f64 {
    let (mut sum, mut staked, mut won, mut cost) = (0.0, 0.0, 0.0, 0.0);
    let mut mean = 0.0;
    for ((t, &x), bet) in (1_u32..).zip(x).zip(bets(x, alpha)) {
        let bet = bet.min(EB_TRUNCATION);
        let psi = -(1.0 - bet).ln() - bet;
        staked += bet;
        won += bet * x;
        cost += (x - mean) * (x - mean) * psi;
        sum += x;
        mean = sum / f64::from(t);
    }
    if staked == 0.0 {
        return 0.0;
    }
    ((won - (1.0 / alpha).ln() - cost) / staked).max(0.0)
}

/// The hedged betting interval after all of `x`, each in [0, 1]: the means in steps of `1/steps` that
/// nobody could have become rich by betting against, widened by a step. (0, 1) where nothing was seen.
#[must_use]
pub fn betting(x: &[f64], alpha: f64, steps: u32) -> (f64, f64) {
    let bets = bets(x, alpha / 2.0);
    let width = 1.0 / f64::from(steps);
    let survives = |step: &u32| wealth(x, &bets, f64::from(*step) * width) <= 1.0 / alpha;
    let low = (0..=steps).find(survives);
    let high = (0..=steps).rev().find(survives);
    match (low, high) {
        (Some(low), Some(high)) => (
            (f64::from(low) * width - width).max(0.0),
            (f64::from(high) * width + width).min(1.0),
        ),
        _ => (0.0, 1.0),
    }
}

/// The wealth of whoever bets half on "the mean is above `m`" and half on "below".
fn wealth(x: &[f64], bets: &[f64], m: f64) -> f64 {
    let (mut above, mut below) = (0.5, 0.5);
    for (&x, &bet) in x.iter().zip(bets) {
        // At the edges the other side may be bet on without limit, and never loses.
        let up = if m > 0.0 { bet.min(BET_SHARE / m) } else { bet };
        let down = if m < 1.0 {
            bet.min(BET_SHARE / (1.0 - m))
        } else {
            bet
        };
        above *= 1.0 + up * (x - m);
        below *= 1.0 - down * (x - m);
    }
    f64::max(above, below)
}

/// Both parameters of the beta prior that [`mixture`] mixes over: Jeffreys'.
const MIXED_OVER: f64 = 0.5;
/// Halvings by which an end of [`mixture`] is found: more than a double has digits.
const HALVINGS: u32 = 60;

/// The interval of a mean of numbers in [0, 1] that sum to `sum`, `n` of them; it misses the mean at any time
/// with probability `alpha` at most. `n` need not be whole: of unequal weights it is the number of equal ones
/// that would say as much (Kish's). (0, 1) where nothing was seen.
#[must_use]
pub fn mixture(sum: f64, n: f64, alpha: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let sum = sum.clamp(0.0, n);
    let a = MIXED_OVER;
    let mixed = ln_gamma(a + sum) + ln_gamma(a + n - sum)
        - ln_gamma(2.0 * a + n)
        - (2.0 * ln_gamma(a) - ln_gamma(2.0 * a));
    // ln of the likelihood ratio against a mean of `m`; the mean is believable where it is below ln 1/α.
    let against = |m: f64| {
        let part = |count: f64, share: f64| if count > 0.0 { count * share.ln() } else { 0.0 };
        mixed - part(sum, m) - part(n - sum, 1.0 - m)
    };
    let is_believable = |m: f64| against(m) < -alpha.ln();
    let end = |outside: f64| {
        let (mut inside, mut outside) = (sum / n, outside);
        if is_believable(outside) {
            return outside;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(inside, outside);
            if is_believable(middle) {
                inside = middle;
            } else {
                outside = middle;
            }
        }
        outside
    };
    (end(0.0), end(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{Uniform, near};

    fn vector_7() -> Vec<f64> {
        [0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0].repeat(5)
    }

    #[test]
    fn vector_7_empirical_bernstein() {
        let x = vector_7();
        let (low, high) = empirical_bernstein(&x[..25], 0.05);
        near(low, 0.0, 1e-12);
        near(high, 0.730_956_779_5, 1e-9);
        let (low, high) = empirical_bernstein(&x, 0.05);
        near(low, 0.061_841_240_6, 1e-9);
        near(high, 0.547_113_652_0, 1e-9);
        assert_eq!(empirical_bernstein(&[], 0.05), (0.0, 1.0));
    }

    #[test]
    fn vector_7_betting() {
        let (low, high) = betting(&vector_7(), 0.05, 1_000);
        near(low, 0.132, 1e-9);
        near(high, 0.503, 1e-9);
        assert_eq!(betting(&[], 0.05, 100), (0.0, 1.0));
    }

    /// Of none in 105 the bound has a closed form: 1 − (α·B(½, n + ½)/B(½, ½))^(1/n).
    #[test]
    fn none_of_many_is_not_none_at_all() {
        let (low, high) = mixture(0.0, 105.0, 0.05);
        near(low, 0.0, 1e-12);
        near(high, 0.054_6, 2e-4);
        let (low, high) = mixture(105.0, 105.0, 0.05);
        near(low, 1.0 - 0.054_6, 2e-4);
        near(high, 1.0, 1e-12);
        assert_eq!(mixture(0.0, 0.0, 0.05), (0.0, 1.0));
        let (low, high) = mixture(30.0, 100.0, 0.05);
        assert!(
            0.15 < low && low < 0.21 && 0.4 < high && high < 0.47,
            "{low} {high}"
        );
    }

    /// Looked at after every observation, the truth is missed in at most one run of twenty.
    #[test]
    fn they_hold_at_every_look() {
        let (mut uniform, mut missed, runs) = (Uniform(7), [0; 3], 200);
        for _ in 0..runs {
            let x: Vec<f64> = (0..120)
                .map(|_| f64::from(u8::from(uniform.next() < 0.3)))
                .collect();
            let out = |(low, high): (f64, f64)| !(low..=high).contains(&0.3);
            let ever = |interval: &dyn Fn(&[f64]) -> (f64, f64)| {
                (1..=x.len()).any(|seen| out(interval(&x[..seen])))
            };
            missed[0] += u32::from(ever(&|x| empirical_bernstein(x, 0.05)));
            missed[1] += u32::from(ever(&|x| betting(x, 0.05, 50)));
            missed[2] += u32::from(ever(&|x| mixture(x.iter().sum(), x.len() as f64, 0.05)));
        }
        assert!(
            missed.iter().all(|missed| *missed <= runs / 20),
            "{missed:?}"
        );
    }
}
