//! Two runs of the same users, compared user by user.
//!
//! Users differ from each other far more than strategies do. So what counts is the change of each user
//! from one run to the other: its mean, with an interval by Student's t over users.
//!
//! The interval alone is too sure where few users have a change. By the sign test, m users who all
//! change in the same direction do so by chance with a probability of 2^(1 − m), so below
//! [`changed_min`] no mean is called more than noise.

use std::collections::BTreeMap;

use serde::Serialize;

use wastegate_core::stats::moments::Moments;
use wastegate_core::stats::ratio::{Difference, Estimate};

/// Users below which a comparison says nothing.
pub const USERS_MIN: usize = 30;

/// A mean change of a user, with its interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeanChange {
    /// The mean, the second run less the first.
    pub mean: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// How often a change at least as large comes by chance.
    pub p: f64,
    /// Users whose value is another in the second run.
    pub changed: usize,
    /// All users of the comparison.
    pub users: usize,
}

/// What may be said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeVerdict {
    /// Less in the second run, beyond chance.
    Less,
    /// More in the second run, beyond chance.
    More,
    /// Nothing that is beyond chance.
    Noise,
    /// The same for every user.
    Same,
    /// Too few users to say anything.
    TooFew,
}

/// The change of each user between two runs; who has no value in a run counts as zero there.
pub(super) fn changes(
    before: impl IntoIterator<Item = (u32, f64)>,
    after: impl IntoIterator<Item = (u32, f64)>,
) -> Vec<f64> {
    let mut users: BTreeMap<u32, f64> = BTreeMap::new();
    for (user, value) in before {
        *users.entry(user).or_default() -= value;
    }
    for (user, value) in after {
        *users.entry(user).or_default() += value;
    }
    users.into_values().collect()
}

/// Users who have to change before a mean may be beyond chance, at a chance of error `alpha`: the
/// least m with 2^(1 − m) ≤ alpha.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few dozen at the most"
)]
pub fn changed_min(alpha: f64) -> usize {
    (1.0 - alpha.log2()).ceil() as usize
}

impl MeanChange {
    /// The mean of these changes, with an interval that misses the truth with probability `alpha`. None
    /// below two users.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "users are far below 2^53")]
    pub fn of(changes: &[f64], alpha: f64) -> Option<Self> {
        let pairs: Vec<(f64, f64)> = changes.iter().map(|change| (*change, 1.0)).collect();
        let mean = Estimate::of(&Moments::of(&pairs))?;
        let it = Difference::with(mean.value, mean.se(), changes.len() as f64 - 1.0, alpha);
        Some(Self {
            mean: it.delta,
            low: it.low,
            high: it.high,
            p: it.p,
            changed: changes.iter().filter(|change| **change != 0.0).count(),
            users: changes.len(),
        })
    }

    /// What may be said of it, where its interval was made with `alpha`.
    #[must_use]
    pub fn verdict(&self, alpha: f64) -> ChangeVerdict {
        if self.users < USERS_MIN {
            ChangeVerdict::TooFew
        } else if self.changed == 0 {
            ChangeVerdict::Same
        } else if self.changed < changed_min(alpha) {
            ChangeVerdict::Noise
        } else if self.high < 0.0 {
            ChangeVerdict::Less
        } else if self.low > 0.0 {
            ChangeVerdict::More
        } else {
            ChangeVerdict::Noise
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::made::random_draw::RandomDraws;

    fn verdict(changes: &[f64], alpha: f64) -> ChangeVerdict {
        MeanChange::of(changes, alpha).unwrap().verdict(alpha)
    }

    #[test]
    fn users_are_paired_whether_or_not_both_runs_have_them() {
        let (before, after) = ([(1, 2.0), (3, 1.0)], [(1, 1.0), (7, 4.0)]);
        assert_eq!(changes(before, after), [-1.0, -1.0, 4.0]);
    }

    #[test]
    fn noise_is_not_called_a_change() {
        let mut draws = RandomDraws::of(3, 3);
        let noise: Vec<f64> = (0..60).map(|_| draws.even() - 0.5).collect();
        assert_eq!(verdict(&noise, 0.05), ChangeVerdict::Noise);
        let less: Vec<f64> = noise.iter().map(|change| change - 0.5).collect();
        assert_eq!(verdict(&less, 0.05), ChangeVerdict::Less);
        let more: Vec<f64> = less.iter().map(|change| -change).collect();
        assert_eq!(verdict(&more, 0.05), ChangeVerdict::More);
        assert_eq!(verdict(&less[..29], 0.05), ChangeVerdict::TooFew);
        assert_eq!(verdict(&[0.0; 40], 0.05), ChangeVerdict::Same);
        assert_eq!(MeanChange::of(&[], 0.05), None);
    }

    /// Four users of forty who all have one more: the interval alone is sure, and a coin is as good in
    /// one case of eight.
    #[test]
    fn few_users_with_a_change_are_no_evidence() {
        let mut changes = [0.0; 40];
        changes[..4].fill(1.0);
        let change = MeanChange::of(&changes, 0.05).unwrap();
        assert!(change.low > 0.0, "{change:?}");
        assert_eq!(change.verdict(0.05), ChangeVerdict::Noise);
        changes[..6].fill(1.0);
        assert_eq!(verdict(&changes, 0.05), ChangeVerdict::More);
        assert_eq!([0.05, 0.05 / 3.0, 0.5].map(changed_min), [6, 7, 2]);
    }

    /// Two runs that differ by chance only, of users as traces have them: most have no change, some a few.
    /// At most as many as promised are called a change.
    #[test]
    fn chance_is_called_a_change_as_rarely_as_promised() {
        const RUNS: u32 = 2_000;
        for (users, share) in [(40, 0.15), (40, 0.8), (400, 0.02), (400, 0.5)] {
            let mut draws = RandomDraws::of(11, users);
            let mut wrong = 0;
            for _ in 0..RUNS {
                let changes: Vec<f64> = (0..users)
                    .map(|_| {
                        let size = if draws.even() < share {
                            // Few have many: a user's size is up to a hundred, mostly one or two.
                            (1.0 / (0.01 + 0.99 * draws.even())).floor()
                        } else {
                            0.0
                        };
                        if draws.even() < 0.5 { size } else { -size }
                    })
                    .collect();
                let said = verdict(&changes, 0.05);
                wrong += u32::from(matches!(said, ChangeVerdict::Less | ChangeVerdict::More));
            }
            assert!(wrong <= RUNS * 55 / 1_000, "{wrong} of {users}, {share}");
        }
    }
}
