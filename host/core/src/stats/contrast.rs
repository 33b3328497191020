//! Two arms compared on one metric, when data are few, tied or ruled by a few users.
//!
//! The delta method ([`ratio`](super::ratio)) is right for many users who all contribute. Where few do, three
//! things go wrong with it, and each has its remedy here:
//!
//! - **An arm without events has no variance**, so any difference looks certain. The variance of an arm is
//!   never taken for less than that of all users together, as it is where the arms do not differ.
//! - **A few users carry the sum**, so it is not normal. How many contribute is measured by the kurtosis of
//!   their shares, (Σu²)²/Σu⁴: as many as there are where all contribute alike, few where few do. Below
//!   [`EFFECTIVE_MIN`] expected in the smaller arm nothing is concluded.
//! - **Shares are skewed and arms unequal**, so errors gather on one side. Each side of the interval is
//!   widened by the first term of Cornish and Fisher's expansion ("Moments and cumulants in the specification
//!   of distributions", 1938) where the skewness makes it too narrow.

use super::moments::Moments;
use super::ratio::Estimate;
use super::sequence::{ASYMPTOTIC_USERS_MIN, Always, Sequence};

/// Contributing users expected in the smaller arm, below which nothing is concluded.
pub const EFFECTIVE_MIN: f64 = 5.0;

/// The difference of a metric between two arms, and how much is behind it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// The treatment's value less the control's.
    pub delta: f64,
    /// Its standard error, from an arm's own variance or that of all users, whichever is larger.
    pub se: f64,
    /// The skewness of the difference where the arms do not differ.
    pub skew: f64,
    /// Contributing users expected in the smaller arm.
    pub effective: f64,
    /// V of each arm, as `se` is made of it.
    pub variances: [f64; 2],
    /// Users of each arm.
    pub users: [u64; 2],
}

/// Sums of powers of all users' shares in the difference.
#[derive(Default)]
struct Powers {
    two: f64,
    three: f64,
    four: f64,
}

impl Contrast {
    /// Of each user's numerator and denominator. None where an arm has fewer than two users or nothing to
    /// divide by.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond any node")]
    pub fn of(control: &[(f64, f64)], treatment: &[(f64, f64)]) -> Option<Self> {
        let arms = [Moments::of(control), Moments::of(treatment)];
        let [a, b] = [Estimate::of(&arms[0])?, Estimate::of(&arms[1])?];
        let both = arms[0].merge(&arms[1]);
        let (value, mean_x, n) = (both.sum_y() / both.sum_x(), both.mean_x(), both.count());
        let mut powers = Powers::default();
        for &(y, x) in control.iter().chain(treatment) {
            powers.add((y - value * x) / mean_x);
        }
        let pooled = powers.two / (n - 1.0);
        let variances = [a, b].map(|arm| arm.variance.max(pooled));
        let [na, nb] = [a, b].map(|arm| arm.users as f64);
        let se = (variances[0] / na + variances[1] / nb).sqrt();
        let third = powers.three / n * (1.0 / (nb * nb) - 1.0 / (na * na));
        Some(Self {
            delta: b.value - a.value,
            se,
            skew: if se > 0.0 { third / se.powi(3) } else { 0.0 },
            effective: powers.contributing() * na.min(nb) / n,
            variances,
            users: [a.users, b.users],
        })
    }

    /// Whether so much is behind it that an interval says something.
    #[must_use]
    pub fn is_founded(&self) -> bool {
        let [a, b] = self.users;
        self.effective >= EFFECTIVE_MIN && a.min(b) >= ASYMPTOTIC_USERS_MIN
    }

    /// What is certain about the difference whenever it is looked at; none where too little is behind it.
    #[must_use]
    pub fn at(&self, sequence: &Sequence) -> Option<Always> {
        self.is_founded()
            .then(|| sequence.skewed(self.delta, self.se, self.skew, self.both()))
    }

    /// Users of both arms.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "2^53 users are beyond any node")]
    pub const fn both(&self) -> f64 {
        (self.users[0] + self.users[1]) as f64
    }
}

impl Powers {
    fn add(&mut self, share: f64) {
        let square = share * share;
        self.two += square;
        self.three += square * share;
        self.four += square * square;
    }

    fn contributing(&self) -> f64 {
        if self.four > 0.0 {
            self.two * self.two / self.four
        } else {
            0.0
        }
    }
}
