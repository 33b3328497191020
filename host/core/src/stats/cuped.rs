//! Less noise by what was known before: CUPED (Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online
//! controlled experiments by utilizing pre-experiment data", WSDM 2013).
//!
//! What a user did before the first trigger cannot depend on the arm, and foretells a part of what comes. That part
//! is taken away from both arms: δ' = δ − θᵀ(Z̄_B − Z̄_A). θ is the coefficient of an analysis of covariance: from
//! both arms together, within them. For a ratio of sums the user's value is the linearised one of the delta method,
//! (y − R·x)/X̄ (Budylin et al., "Consistent transformation of ratio metrics for efficient online controlled
//! experiments", WSDM 2018). A user without a past has zeros and an indicator that is a covariate of its own, so
//! that newcomers are compared with newcomers.
//!
//! The adjusted difference is an asymptotically linear estimator whose influence function is the residual, so the
//! asymptotic sequence holds for it too (Waudby-Smith et al., arXiv 2103.06476, section 4). θ is estimated: below
//! [`ADJUSTED_MIN`] contributing users its own noise would count, and nothing is adjusted.

use super::contrast::{Contrast, Powers};
use super::moments::Moments;

/// What is known of a user before: some numbers, of which only their linear part counts.
pub type Covariates = [f64; COVARIATES];
/// How many numbers that are.
pub const COVARIATES: usize = 3;
/// Contributing users expected in the smaller arm, below which nothing is adjusted.
pub const ADJUSTED_MIN: f64 = 50.0;
/// Contributing users by whose past a difference may be adjusted, in the smaller arm.
const LEVERAGE_MIN: f64 = 20.0;
/// The part of a covariate that the others do not explain, below which it is left out.
const INDEPENDENT_MIN: f64 = 1e-9;

/// A user with the numerator and the denominator, and what was known before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed {
    /// The numerator and the denominator.
    pub pair: (f64, f64),
    /// What was known before.
    pub before: Covariates,
}

/// The difference that is left, and what the past explained of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// The difference, as everything else takes it.
    pub contrast: Contrast,
    /// The difference as it is without that.
    pub plain: Contrast,
    /// The weight of each covariate; zeros where nothing is adjusted.
    pub theta: Covariates,
    /// The part of the variance that is gone, 0 to 1.
    pub variance_removed: f64,
}

/// The difference of a metric between two arms, less what the past explains; as it is where the past explains
/// nothing, or too few users contribute to say so. None as [`Contrast::of`].
#[must_use]
pub fn adjust(control: &[Observed], treatment: &[Observed]) -> Option<Adjusted> {
    let plain = Contrast::of(&pairs(control), &pairs(treatment))?;
    let as_it_is = Adjusted {
        contrast: plain,
        plain,
        theta: [0.0; COVARIATES],
        variance_removed: 0.0,
    };
    if plain.effective < ADJUSTED_MIN {
        return Some(as_it_is);
    }
    let adjusted = weighed([control, treatment], plain);
    let better = adjusted.filter(|it| it.variance_removed > 0.0);
    Some(better.unwrap_or(as_it_is))
}

/// The part of the variance of users of one kind that their past explains, 0 to 1: what a plan counts on.
#[must_use]
pub fn explained(users: &[Observed]) -> f64 {
    let halves: [Vec<Observed>; 2] = [0, 1].map(|rest| {
        let half = users.iter().enumerate().filter(|(at, _)| at % 2 == rest);
        half.map(|(_, user)| *user).collect()
    });
    adjust(&halves[0], &halves[1]).map_or(0.0, |adjusted| adjusted.variance_removed)
}

fn pairs(users: &[Observed]) -> Vec<(f64, f64)> {
    users.iter().map(|user| user.pair).collect()
}

fn weighed(arms: [&[Observed]; 2], plain: Contrast) -> Option<Adjusted> {
    let shares = arms.map(shares);
    let means = arms.map(mean);
    let theta = coefficients(arms, &shares, means);
    let weight = |before: &Covariates, around: &Covariates| -> f64 {
        let from_mean = before.iter().zip(around).zip(&theta);
        from_mean
            .map(|((value, mean), theta)| theta * (value - mean))
            .sum()
    };
    let n = arms.map(count);
    let both = n[0] + n[1];
    let centre: Covariates = std::array::from_fn(|at| {
        (at_of(&means[0], at) * n[0] + at_of(&means[1], at) * n[1]) / both
    });
    let sums = arms.map(|arm| Moments::of(&pairs(arm)));
    let all = sums[0].merge(&sums[1]);
    let (value, mean_x) = (all.sum_y() / all.sum_x(), all.mean_x());
    let (mut powers, mut leverage) = (Powers::default(), Powers::default());
    for user in arms.into_iter().flatten() {
        let (y, x) = user.pair;
        let explained = weight(&user.before, &centre);
        powers.add((y - value * x) / mean_x - explained);
        leverage.add(explained);
    }
    let smaller = n[0].min(n[1]) / both;
    if leverage.contributing() * smaller < LEVERAGE_MIN {
        return None;
    }
    let pooled = powers.two / (both - 1.0);
    let variance = |arm: usize| -> Option<f64> {
        let (users, shares, mean) = (arms.get(arm)?, shares.get(arm)?, means.get(arm)?);
        let left = users.iter().zip(shares);
        let squares: f64 = left
            .map(|(user, share)| (share - weight(&user.before, mean)).powi(2))
            .sum();
        Some((squares / (count(users) - 1.0)).max(pooled))
    };
    let variances = [variance(0)?, variance(1)?];
    let se = (variances[0] / n[0] + variances[1] / n[1]).sqrt();
    let third = powers.three / both * (1.0 / (n[1] * n[1]) - 1.0 / (n[0] * n[0]));
    Some(Adjusted {
        contrast: Contrast {
            delta: plain.delta - weight(&means[1], &means[0]),
            se,
            skew: if se > 0.0 { third / se.powi(3) } else { 0.0 },
            effective: powers.contributing() * smaller,
            variances,
            users: plain.users,
        },
        plain,
        theta,
        variance_removed: if plain.se > 0.0 {
            1.0 - (se / plain.se).powi(2)
        } else {
            0.0
        },
    })
}

/// Each user's share in the arm's ratio, by the delta method; they sum to zero.
fn shares(users: &[Observed]) -> Vec<f64> {
    let sums = Moments::of(&pairs(users));
    let value = sums.sum_y() / sums.sum_x();
    let share = |user: &Observed| (user.pair.0 - value * user.pair.1) / sums.mean_x();
    users.iter().map(share).collect()
}

fn mean(users: &[Observed]) -> Covariates {
    let mut mean = [0.0; COVARIATES];
    for user in users {
        for (sum, value) in mean.iter_mut().zip(user.before) {
            *sum += value / count(users);
        }
    }
    mean
}

#[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond any node")]
const fn count(users: &[Observed]) -> f64 {
    users.len() as f64
}

fn at_of(values: &Covariates, at: usize) -> f64 {
    values.get(at).copied().unwrap_or(0.0)
}

/// The weights by least squares within the arms. A covariate that the ones before it explain gets none.
fn coefficients(
    arms: [&[Observed]; 2],
    shares: &[Vec<f64>; 2],
    means: [Covariates; 2],
) -> Covariates {
    // The products of the covariates around their arm's mean, and in the last column those with the shares.
    let mut rows = [[0.0; COVARIATES + 1]; COVARIATES];
    for ((users, shares), mean) in arms.iter().zip(shares).zip(&means) {
        for (user, share) in users.iter().zip(shares) {
            let around: Covariates =
                std::array::from_fn(|at| at_of(&user.before, at) - at_of(mean, at));
            for (row, a) in rows.iter_mut().zip(around) {
                for (product, b) in row.iter_mut().zip(around.into_iter().chain([*share])) {
                    *product += a * b;
                }
            }
        }
    }
    solved(rows)
}

/// Gauss and Jordan's elimination.
fn solved(mut rows: [[f64; COVARIATES + 1]; COVARIATES]) -> Covariates {
    let before = rows;
    let mut used = [false; COVARIATES];
    for place in 0..COVARIATES {
        let cell = |rows: &[[f64; COVARIATES + 1]; COVARIATES]| {
            rows.get(place).and_then(|row| row.get(place)).copied()
        };
        let (Some(pivot), Some(whole)) = (cell(&rows), cell(&before)) else {
            continue;
        };
        if pivot <= INDEPENDENT_MIN * whole || pivot <= 0.0 {
            continue;
        }
        let Some(chosen) = rows.get(place).map(|row| row.map(|value| value / pivot)) else {
            continue;
        };
        for (at, row) in rows.iter_mut().enumerate() {
            if at == place {
                *row = chosen;
                continue;
            }
            let times = row.get(place).copied().unwrap_or(0.0);
            for (value, chosen) in row.iter_mut().zip(chosen) {
                *value -= times * chosen;
            }
        }
        if let Some(used) = used.get_mut(place) {
            *used = true;
        }
    }
    let mut theta = [0.0; COVARIATES];
    for ((theta, row), used) in theta.iter_mut().zip(rows).zip(used) {
        if used {
            *theta = row.last().copied().unwrap_or(0.0);
        }
    }
    theta
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::{Uniform, near};

    /// Users whose value is a mean, and one number was known before.
    fn arm(users: &[(f64, f64)]) -> Vec<Observed> {
        let of = |&(y, before): &(f64, f64)| Observed {
            pair: (y, 1.0),
            before: [before, 0.0, 0.0],
        };
        users.iter().map(of).collect()
    }

    const A: [(f64, f64); 4] = [(1.0, 0.5), (2.0, 1.5), (4.0, 3.0), (3.0, 2.0)];
    const B: [(f64, f64); 4] = [(2.0, 0.0), (3.5, 1.0), (5.0, 4.0), (4.0, 2.5)];

    /// Checked against numpy.linalg.lstsq of y on (1, arm, x).
    #[test]
    fn it_is_the_analysis_of_covariance() {
        // As often as it takes to adjust; neither θ nor the difference changes by that.
        let (a, b) = (arm(&A).repeat(60), arm(&B).repeat(60));
        let adjusted = adjust(&a, &b).unwrap();
        near(adjusted.theta[0], 0.829_145_728_643, 1e-9);
        near(adjusted.contrast.delta, 1.021_356_783_920, 1e-9);
        assert!(adjusted.variance_removed > 0.5);
        assert_eq!(adjusted.theta[1..], [0.0, 0.0]);
    }

    #[test]
    fn few_users_and_a_past_that_says_nothing_change_nothing() {
        let few = adjust(&arm(&A), &arm(&B)).unwrap();
        assert_eq!((few.theta, few.variance_removed), ([0.0; 3], 0.0));
        let same: Vec<Observed> = arm(&A.map(|(y, _)| (y, 7.0))).repeat(60);
        let none = adjust(&same, &same).unwrap();
        assert_eq!((none.theta, none.variance_removed), ([0.0; 3], 0.0));
        assert_eq!(adjust(&arm(&A), &arm(&B[..1])), None);
    }

    /// Two covariates that say the same are one.
    #[test]
    fn a_doubled_covariate_gets_no_weight() {
        let doubled = |users: &[(f64, f64)]| -> Vec<Observed> {
            let of = |user: Observed| Observed {
                before: [user.before[0], 2.0 * user.before[0], 0.0],
                ..user
            };
            arm(users).into_iter().map(of).collect()
        };
        let (a, b) = (doubled(&A).repeat(60), doubled(&B).repeat(60));
        let adjusted = adjust(&a, &b).unwrap();
        near(adjusted.theta[0], 0.829_145_728_643, 1e-9);
        assert_eq!(adjusted.theta[1], 0.0);
    }

    /// One user's enormous past adjusts nobody's difference.
    #[test]
    fn one_user_with_a_past_adjusts_nothing() {
        let mut a = arm(&A.map(|(y, _)| (y, 0.0))).repeat(60);
        a[0].before = [1e6, 0.0, 0.0];
        let b = arm(&B.map(|(y, _)| (y, 0.0))).repeat(60);
        assert_eq!(adjust(&a, &b).unwrap().variance_removed, 0.0);
    }

    #[test]
    fn newcomers_are_compared_with_newcomers() {
        let mut uniform = Uniform(3);
        let mut draw = |arm_effect: f64| -> Vec<Observed> {
            let user = |at: usize, uniform: &mut Uniform| {
                let past = uniform.next() * 10.0;
                let is_known = !at.is_multiple_of(3);
                let y = if is_known { past } else { 2.0 } + uniform.next() - 0.5 + arm_effect;
                Observed {
                    pair: (y, 1.0),
                    before: if is_known {
                        [past, 0.0, 0.0]
                    } else {
                        [0.0, 0.0, 1.0]
                    },
                }
            };
            (0..2_000).map(|at| user(at, &mut uniform)).collect()
        };
        let (a, b) = (draw(0.0), draw(0.1));
        let adjusted = adjust(&a, &b).unwrap();
        near(adjusted.theta[0], 1.0, 0.02);
        let it = adjusted.contrast;
        assert!((it.delta - 0.1).abs() < 4.0 * it.se, "{it:?}");
        assert!(adjusted.variance_removed > 0.9, "{adjusted:?}");
        near(explained(&a), adjusted.variance_removed, 0.03);
    }
}
