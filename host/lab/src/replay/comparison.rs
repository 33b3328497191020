//! Which differences between strategies are more than noise.
//!
//! All strategies are measured against one of them, user by user ([`paired`](super::paired)). The
//! intervals hold together: the chance that any of them misses the truth is at most [`ALPHA`]
//! (Bonferroni). The oracle takes no part, because it is a bound and no strategy.

use serde::Serialize;

use super::paired::{ChangeVerdict, MeanChange, changes};
use super::tally::{ReplayTally, UserTally};
use super::tune::Objective;

/// The chance that any interval of a comparison misses the truth.
pub const ALPHA: f64 = 0.05;

/// What the strategies change against one of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyComparison {
    /// The place of the strategy that the others are measured against.
    pub against: usize,
    /// What is compared; less is better.
    pub objective: Objective,
    /// The others, in their order.
    pub changes: Vec<StrategyChange>,
}

/// What one strategy changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StrategyChange {
    /// Its place.
    pub strategy: usize,
    /// The whole change as a share of what the other has; none where that is zero.
    pub share: Option<f64>,
    /// The mean change of a user; none where fewer than two users had a decision.
    pub mean: Option<MeanChange>,
    /// What may be said of it.
    pub verdict: ChangeVerdict,
}

impl StrategyComparison {
    /// Measures the strategies at some places against the one at `against`. None where there is no other
    /// or no such place.
    #[must_use]
    pub fn of(
        tallies: &[&ReplayTally],
        against: usize,
        others: &[usize],
        objective: Objective,
    ) -> Option<Self> {
        let of_user = |user: &UserTally| (user.user, objective.of(user));
        let users = |tally: &ReplayTally| -> Vec<(u32, f64)> {
            tally.per_user.iter().map(of_user).collect()
        };
        let first = users(tallies.get(against).copied()?);
        let others: Vec<usize> = others.iter().copied().filter(|at| *at != against).collect();
        let alpha = ALPHA / f64::from(u32::try_from(others.len()).ok()?);
        let change = |strategy: usize| {
            let second = users(tallies.get(strategy).copied()?);
            let sum = |users: &[(u32, f64)]| users.iter().map(|(_, value)| value).sum::<f64>();
            let (before, after) = (sum(&first), sum(&second));
            let mean = MeanChange::of(&changes(first.iter().copied(), second), alpha);
            Some(StrategyChange {
                strategy,
                share: (before > 0.0).then(|| (after - before) / before),
                verdict: mean.map_or(ChangeVerdict::TooFew, |mean| mean.verdict(alpha)),
                mean,
            })
        };
        let changes: Vec<StrategyChange> = others.iter().copied().filter_map(change).collect();
        (!changes.is_empty()).then_some(Self {
            against,
            objective,
            changes,
        })
    }

    /// The strategies of which that may be said.
    pub fn those(&self, verdict: ChangeVerdict) -> impl Iterator<Item = &StrategyChange> {
        self.changes
            .iter()
            .filter(move |change| change.verdict == verdict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fifty users, each with the misses that `of` has for it.
    fn tally(of: impl Fn(u32) -> u64) -> ReplayTally {
        let user = |user| UserTally {
            user,
            reopen_misses: of(user),
            ..UserTally::default()
        };
        ReplayTally {
            per_user: (0..50).map(user).collect(),
            ..ReplayTally::default()
        }
    }

    #[test]
    fn each_is_measured_against_one_user_by_user() {
        let runs = [
            tally(u64::from),
            tally(|user| u64::from(user) + u64::from(user % 2)),
            tally(u64::from),
            tally(|user| u64::from(user).saturating_sub(1)),
            tally(|user| {
                if user % 2 == 0 {
                    user + 3
                } else {
                    user.saturating_sub(3)
                }
                .into()
            }),
        ];
        let tallies: Vec<&ReplayTally> = runs.iter().collect();
        let others = [0, 1, 2, 3, 4];
        let found = StrategyComparison::of(&tallies, 0, &others, Objective::ReopenMisses).unwrap();
        let said: Vec<_> = found
            .changes
            .iter()
            .map(|it| (it.strategy, it.verdict))
            .collect();
        // Users have up to 49 each: unpaired, no difference of one would be seen.
        assert_eq!(
            said,
            [
                (1, ChangeVerdict::More),
                (2, ChangeVerdict::Same),
                (3, ChangeVerdict::Less),
                (4, ChangeVerdict::Noise),
            ]
        );
        assert_eq!(found.changes[0].share, Some(25.0 / 1_225.0));
        assert_eq!(found.those(ChangeVerdict::Less).count(), 1);
    }

    #[test]
    fn the_more_are_compared_the_wider_is_each_interval() {
        let runs = [tally(|_| 1), tally(|user| u64::from(user % 3))];
        let tallies: Vec<&ReplayTally> = runs.iter().collect();
        let width = |others: &[usize]| {
            let found = StrategyComparison::of(&tallies, 0, others, Objective::ReopenMisses);
            let mean = found.unwrap().changes[0].mean.unwrap();
            mean.high - mean.low
        };
        assert!(width(&[1, 1, 1]) > width(&[1]));
        let alone = StrategyComparison::of(&tallies, 0, &[0], Objective::ReopenMisses);
        assert_eq!(alone, None, "there is nothing to compare");
        let gone = StrategyComparison::of(&tallies, 7, &[1], Objective::ReopenMisses);
        assert_eq!(gone, None);
    }
}
