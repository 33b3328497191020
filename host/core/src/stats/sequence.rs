//! Inference that may be looked at all the time.
//!
//! A fixed test that is looked at fifty times calls noise an effect in about a third of all
//! experiments. These hold at every moment at once: the asymptotic confidence sequence (Waudby-Smith
//! et al., "Time-uniform central limit theory", arXiv 2103.06476, eq. 9, in GrowthBook's form), the
//! normal mixture boundary (Howard et al., "Time-uniform, nonparametric, nonasymptotic confidence
//! sequences", 2021), and the mixture likelihood ratio of Johari et al. ("Always valid inference",
//! 2022) as a cross-check.

use serde::Serialize;

/// Users that an arm needs before an asymptotic sequence says anything.
pub const ASYMPTOTIC_USERS_MIN: u64 = 100;

/// The asymptotic confidence sequence of one phase: its settings are fixed before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sequence {
    alpha: f64,
    rho: f64,
}

/// What the sequence says at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Always {
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// The always-valid p-value of this moment; the smallest so far is valid too.
    pub p: f64,
}

impl Sequence {
    /// Tightest when `planned_users`, both arms together, have come; valid at any number. `alpha` is
    /// the probability of ever missing the truth, in (0, 1). None for settings that make no sense.
    #[must_use]
    pub fn new(alpha: f64, planned_users: f64) -> Option<Self> {
        let settings = alpha > 0.0 && alpha < 1.0 && planned_users > 0.0;
        let log = -2.0 * alpha.ln();
        settings.then(|| Self {
            alpha,
            rho: ((log + (log + 1.0).ln()) / planned_users).sqrt(),
        })
    }

    /// The mixture's parameter ρ; it sets at how many users the interval is tightest.
    #[must_use]
    pub const fn rho(&self) -> f64 {
        self.rho
    }

    /// How many standard errors the interval reaches to either side with that many users in both arms:
    /// √(2(Nρ²+1)/(Nρ²)·ln(√(Nρ²+1)/α)), from σ²·2(Nρ²+1)/(N²ρ²) with σ² = SE²·N.
    #[must_use]
    pub fn reach(&self, users: f64) -> f64 {
        let spent = users * self.rho * self.rho;
        (2.0 * (spent + 1.0) / spent * ((spent + 1.0).sqrt() / self.alpha).ln()).sqrt()
    }

    /// The interval around a difference with that standard error, resting on `users` in both arms.
    /// Asymptotic: the caller says nothing before each arm has [`ASYMPTOTIC_USERS_MIN`].
    #[must_use]
    pub fn at(&self, delta: f64, se: f64, users: f64) -> Always {
        let spent = users * self.rho * self.rho;
        let half = se * self.reach(users);
        let evidence = if se > 0.0 {
            spent * delta * delta / (se * se) / (2.0 * (spent + 1.0))
        } else if delta == 0.0 {
            0.0
        } else {
            f64::INFINITY
        };
        Always {
            low: delta - half,
            high: delta + half,
            p: ((spent + 1.0).sqrt() * (-evidence).exp()).min(1.0),
        }
    }

    /// The same of a difference whose estimate is skewed: each side is widened where that makes it too narrow.
    #[must_use]
    pub fn skewed(&self, delta: f64, se: f64, skew: f64, users: f64) -> Always {
        let reach = self.reach(users);
        let spread = if se > 0.0 { delta.abs() / se } else { 0.0 };
        let plain = relaxed(spread, skew * delta.signum()) * se;
        Always {
            low: delta - se * stretched(reach, skew),
            high: delta + se * stretched(reach, -skew),
            p: self.at(plain, se, users).p,
        }
    }
}

/// The quantile of a skewed sum at the place that `z` has in a normal one, by the first term of Cornish and
/// Fisher's expansion; never nearer to zero.
fn stretched(z: f64, skew: f64) -> f64 {
    z + skew.max(0.0) * (z * z - 1.0).max(0.0) / 6.0
}

/// What [`stretched`] made of it.
fn relaxed(z: f64, skew: f64) -> f64 {
    let c = skew.max(0.0) / 6.0;
    if c == 0.0 || z <= 1.0 {
        return z;
    }
    // The root of c·q² + q − (z + c) = 0.
    ((1.0 + 4.0 * c * (z + c)).sqrt() - 1.0) / (2.0 * c)
}

/// Howard's normal mixture boundary: a centred sum with intrinsic time `v` stays within it at all
/// times with probability 1 − `alpha`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalMixture {
    rho: f64,
    alpha: f64,
}

impl NormalMixture {
    /// With a given ρ > 0.
    #[must_use]
    pub const fn new(rho: f64, alpha: f64) -> Self {
        Self { rho, alpha }
    }

    /// Tightest at the intrinsic time `v_opt`.
    #[must_use]
    pub fn tuned(v_opt: f64, alpha: f64) -> Self {
        let log = -2.0 * alpha.ln();
        Self::new(v_opt / (log + (1.0 + log).ln()), alpha)
    }

    /// The mixture's parameter ρ; it sets at how many users the interval is tightest.
    #[must_use]
    pub const fn rho(&self) -> f64 {
        self.rho
    }

    /// The logarithm of the mixture supermartingale at the sum `s` and intrinsic time `v`.
    #[must_use]
    pub fn log_mixture(&self, s: f64, v: f64) -> f64 {
        0.5 * (self.rho / (v + self.rho)).ln() + s * s / (2.0 * (v + self.rho))
    }

    /// u(v) = √((v+ρ)·ln((v+ρ)/(α²ρ))).
    #[must_use]
    pub fn bound(&self, v: f64) -> f64 {
        let total = v + self.rho;
        (total * (total / (self.alpha * self.alpha * self.rho)).ln()).sqrt()
    }
}

/// Johari's likelihood ratio after `n` pairs with known variance `sigma2` of one observation, mixed
/// over effects of variance `tau2`. Evidence against "no difference" at 1/α.
#[must_use]
pub fn msprt(n: f64, difference: f64, sigma2: f64, tau2: f64) -> f64 {
    let total = 2.0 * sigma2 + n * tau2;
    let exponent = n * n * tau2 * difference * difference / (4.0 * sigma2 * total);
    (2.0 * sigma2 / total).sqrt() * exponent.exp()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::near;

    /// Vector 4, on the data of vector 1.
    #[test]
    fn vector_4() {
        let sequence = Sequence::new(0.05, 5_000.0).unwrap();
        near(sequence.rho(), 0.039_840_066_8, 1e-9);
        let always = sequence.at(-0.163_157_894_737, 0.104_555_881_0, 16.0);
        near(always.low, -1.792_782_895_6, 1e-8);
        near(always.high, 1.466_467_106_1, 1e-8);
        assert_eq!(Sequence::new(0.0, 5_000.0), None);
        assert_eq!(Sequence::new(0.05, 0.0), None);
    }

    /// The p-value is below α exactly when the interval leaves zero out.
    #[test]
    fn interval_and_p_value_agree() {
        let sequence = Sequence::new(0.05, 2_000.0).unwrap();
        for users in [50.0, 500.0, 2_000.0, 40_000.0] {
            for step in 1..200 {
                let delta = f64::from(step) * 0.05;
                let always = sequence.at(delta, 1.0, users);
                assert_eq!(always.low > 0.0, always.p < 0.05, "{users} {delta}");
            }
        }
    }

    #[test]
    fn the_published_boundary() {
        let mixture = NormalMixture::tuned(100.0, 0.05);
        near(mixture.rho(), 12.600_56, 1e-6);
        near(mixture.log_mixture(10.0, 100.0), -0.651_005_2, 1e-7);
        near(mixture.bound(100.0), 30.352_09, 1e-6);
        near(
            NormalMixture::new(50.0, 0.05).bound(1_000.0),
            97.405_268_512_9,
            1e-9,
        );
        // The bound is where the mixture reaches 1/α.
        let at = mixture.log_mixture(mixture.bound(70.0), 70.0);
        near(at, -(0.05_f64.ln()), 1e-9);
    }

    #[test]
    fn the_likelihood_ratio_starts_at_one_and_grows_with_the_difference() {
        near(msprt(0.0, 3.0, 1.0, 0.5), 1.0, 1e-12);
        assert!(msprt(100.0, 0.0, 1.0, 0.5) < 1.0);
        let grows = [0.2, 0.4, 0.8].map(|difference| msprt(100.0, difference, 1.0, 0.5));
        assert!(grows.is_sorted(), "{grows:?}");
    }
}
