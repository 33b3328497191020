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

/// What users of one kind bring to a difference, whichever arm they are in: the sums that a plan is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// V: the variance of one user's share.
    pub variance: f64,
    /// The third moment of one user's share.
    pub third: f64,
    /// The part of users who contribute, from 0 to 1.
    pub contributing: f64,
}

impl Spread {
    /// Of users' numerators and denominators. None of fewer than two users, or with nothing to divide by.
    #[must_use]
    pub fn of(pairs: &[(f64, f64)]) -> Option<Self> {
        let sums = Moments::of(pairs);
        let (value, n) = (Estimate::of(&sums)?.value, sums.count());
        let mut powers = Powers::default();
        for &(y, x) in pairs {
            powers.add((y - value * x) / sums.mean_x());
        }
        Some(Self {
            variance: powers.two / (n - 1.0),
            third: powers.three / n,
            contributing: powers.contributing() / n,
        })
    }

    /// The difference of arms of `users` such users, as if their values were equal.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "users are counted, and a float beyond 2^64 saturates"
    )]
    pub fn between(&self, [a, b]: [f64; 2]) -> Contrast {
        let se = (self.variance / a + self.variance / b).sqrt();
        let third = self.third * (1.0 / (b * b) - 1.0 / (a * a));
        Contrast {
            delta: 0.0,
            se,
            skew: if se > 0.0 { third / se.powi(3) } else { 0.0 },
            effective: self.contributing * a.min(b),
            variances: [self.variance; 2],
            users: [a as u64, b as u64],
        }
    }
}

/// Sums of powers of all users' shares in the difference.
#[derive(Default)]
pub(super) struct Powers {
    pub(super) two: f64,
    pub(super) three: f64,
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
    pub(super) fn add(&mut self, share: f64) {
        let square = share * share;
        self.two += square;
        self.three += square * share;
        self.four += square * square;
    }

    pub(super) fn contributing(&self) -> f64 {
        if self.four > 0.0 {
            self.two * self.two / self.four
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::testing::Uniform;

    /// One user's pairs over time: so many tries between two looks, and how many of them hit.
    struct User {
        arm: usize,
        tries: u32,
        chance: f64,
        pair: (f64, f64),
    }

    /// How many of `runs` experiments without a difference were ever called better or worse, at fifty looks.
    fn mistaken(
        uniform: &mut Uniform,
        (runs, users, weight): (u32, u32, f64),
        habit: fn(&mut Uniform) -> (u32, f64),
    ) -> [u32; 2] {
        let sequence = Sequence::new(0.05, 5_000.0).unwrap();
        let mut mistakes = [0; 2];
        for _ in 0..runs {
            let mut all: Vec<User> = (0..users)
                .map(|_| {
                    let arm = usize::from(uniform.next() < weight);
                    let (tries, chance) = habit(uniform);
                    User {
                        arm,
                        tries,
                        chance,
                        pair: (0.0, 0.0),
                    }
                })
                .collect();
            let mut ever = [false; 2];
            for _ in 0..50 {
                let mut arms = [Vec::new(), Vec::new()];
                for user in &mut all {
                    for _ in 0..user.tries {
                        // Four looks of five bring nothing.
                        if uniform.next() < 0.2 {
                            user.pair.1 += 1.0;
                            user.pair.0 += f64::from(u8::from(uniform.next() < user.chance));
                        }
                    }
                    arms[user.arm].push(user.pair);
                }
                let always = Contrast::of(&arms[0], &arms[1]).and_then(|it| it.at(&sequence));
                if let Some(always) = always {
                    ever[0] |= always.high < 0.0;
                    ever[1] |= always.low > 0.0;
                }
            }
            for (count, ever) in mistakes.iter_mut().zip(ever) {
                *count += u32::from(ever);
            }
        }
        mistakes
    }

    /// J02: one user in a hundred has all the events.
    #[test]
    fn j02_few_contributing_users_are_not_called_a_difference() {
        let habit = |uniform: &mut Uniform| {
            let has_victims = uniform.next() < 0.01;
            (
                if has_victims { 3 } else { 0 },
                f64::from(u8::from(uniform.next() < 0.5)),
            )
        };
        let [better, worse] = mistaken(&mut Uniform(5), (100, 500, 0.5), habit);
        assert!(
            better + worse <= 5,
            "{better} better, {worse} worse, of 100"
        );
    }

    /// J05: nine users in ten are the control's, and most have no regret.
    #[test]
    fn j05_unequal_weights_make_no_mistakes_on_one_side() {
        let habit = |uniform: &mut Uniform| (1, 0.3 * uniform.next().powi(4));
        let [better, worse] = mistaken(&mut Uniform(6), (100, 1_200, 0.1), habit);
        assert!(
            better <= 3 && worse <= 3,
            "{better} better, {worse} worse, of 100"
        );
    }

    /// A user who has everything is one user, and an arm without events is not certain to have none.
    #[test]
    fn few_users_are_few_whatever_their_events() {
        let mut arms = [vec![(0.0, 0.0); 300], vec![(0.0, 0.0); 300]];
        arms[0][0] = (0.0, 27.0);
        arms[1][0] = (27.0, 27.0);
        let contrast = Contrast::of(&arms[0], &arms[1]).unwrap();
        assert!(
            contrast.effective < 1.5 && !contrast.is_founded(),
            "{contrast:?}"
        );
        let arms = [
            vec![(0.0, 1.0); 300],
            (0..300)
                .map(|at| (f64::from(u8::from(at % 10 == 0)), 1.0))
                .collect(),
        ];
        let contrast = Contrast::of(&arms[0], &arms[1]).unwrap();
        assert!(contrast.variances[0] > 0.0, "{contrast:?}");
        assert!(
            contrast.skew.abs() < 1e-9,
            "equal arms have no skewed difference"
        );
    }
}
