//! Parameters searched by replay, and judged on users that the search never saw.
//!
//! Every candidate runs over all users; which is best is decided on the larger part of them, and what
//! it gains is told on the rest, user by user, with an interval. A gain whose interval reaches zero is
//! not called one: the best of many tries looks good on what it was chosen by.

use std::sync::Arc;

use serde::Serialize;

use super::candidate::ReplayCandidate;
use super::paired::{ChangeVerdict, MeanChange, USERS_MIN, changes};
use super::run::{Keep, Progress, Replay, RunError};
use super::tally::UserTally;
use crate::trace::made::random_draw::RandomDraws;
use wastegate_core::stats::random_draw::unit;
use wastegate_core::types::SplitMix64;
use wastegate_engine::policy::{Parameter, Program};

/// Users without which the held-out part says nothing.
pub const HELD_OUT_USERS_MIN: usize = USERS_MIN;
/// Candidates that may be tried.
pub const TRIALS_MAX: u32 = 1_000;
/// A range this many times as wide as its beginning is searched by orders of magnitude.
const LOGARITHMIC_FROM: f64 = 50.0;
/// How far around the best so far the second half of the search looks, as a share of the range: at its
/// beginning and at its end.
const NEAR: (f64, f64) = (0.3, 0.05);

/// What is to become less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// Admissions of a key that had been lost by eviction.
    ReopenMisses,
    /// Victims wanted again within ten minutes.
    #[serde(rename = "regret-10m")]
    Regret10m,
    /// Managers that go.
    Evictions,
}

impl Objective {
    /// Every objective, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::ReopenMisses, Self::Regret10m, Self::Evictions];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReopenMisses => "reopen-misses",
            Self::Regret10m => "regret-10m",
            Self::Evictions => "evictions",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "counts of one user")]
    pub(super) const fn of(self, user: &UserTally) -> f64 {
        match self {
            Self::ReopenMisses => user.reopen_misses as f64,
            Self::Regret10m => user.regrets as f64,
            Self::Evictions => user.evictions as f64,
        }
    }
}

/// How it is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Search {
    /// What is to become less.
    pub objective: Objective,
    /// Candidates that are tried, besides the defaults.
    pub trials: u32,
    /// The share of users that only judge.
    pub held_out: f64,
    /// How often a gain that is none may be called one.
    pub alpha: f64,
    /// From which candidates and the split are drawn.
    pub seed: u64,
}

/// One set of parameters and what it achieved.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Its parameters, in the policy's order.
    pub params: Vec<f64>,
    /// The objective over the users that it is chosen by.
    pub chosen_by: f64,
    /// The objective over the others.
    pub held_out: f64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tuned {
    /// The parameters' names.
    pub parameters: Vec<String>,
    /// The defaults, then every candidate in the order of the search.
    pub trials: Vec<Trial>,
    /// The place of the best, by the users that it is chosen by.
    pub best: usize,
    /// Users that it was chosen by, and users that judge; those with a decision.
    pub users: (usize, usize),
    /// What the best changes for a user that judges: less is better.
    pub change: Option<MeanChange>,
    /// What may be said.
    pub verdict: TuneVerdict,
}

/// What may be said of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TuneVerdict {
    /// Better for users that the search never saw, beyond chance.
    Gain,
    /// Nothing that is beyond chance.
    Noise,
    /// Too few users to say anything.
    TooFew,
}

/// Why nothing was searched.
#[derive(Debug, thiserror::Error)]
pub enum TuneError {
    /// There is nothing to search.
    #[error("`{0}` declares no parameter, so there is nothing to tune")]
    NoParameters(String),
    /// The replay failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Searches the declared ranges of a policy's parameters.
///
/// # Errors
/// [`TuneError`] where there is nothing to search, or it was stopped.
pub fn tune(
    replay: &Replay<'_>,
    program: &Arc<Program>,
    search: &Search,
    progress: &Progress,
) -> Result<Tuned, TuneError> {
    let ranges = &program.manifest().parameters;
    let name = program.about().name.to_string();
    if ranges.is_empty() {
        return Err(TuneError::NoParameters(name));
    }
    let run = |params: &[f64]| {
        let candidate = ReplayCandidate::policy(name.clone(), program.clone(), params.into());
        let outcome = replay.run(&candidate, Keep::Counts, progress)?;
        Ok::<_, RunError>(Run::new(&outcome.tally.per_user, search))
    };
    let defaults: Vec<f64> = ranges.iter().map(|range| range.default).collect();
    let first = run(&defaults)?;
    let mut trials = vec![first.trial(defaults)];
    let (mut best, mut best_run) = (0, first.clone());
    let mut draws = RandomDraws::of(search.seed, 0);
    for number in 0..search.trials.min(TRIALS_MAX) {
        let around = trials
            .get(best)
            .map(|trial| trial.params.clone())
            .unwrap_or_default();
        let params = propose(
            ranges,
            &around,
            f64::from(number) / f64::from(search.trials),
            &mut draws,
        );
        let this = run(&params)?;
        if this.chosen_by < best_run.chosen_by {
            (best, best_run) = (trials.len(), this.clone());
        }
        trials.push(this.trial(params));
    }
    let pairs = first.paired(&best_run);
    let change = (best != 0).then(|| MeanChange::of(&pairs, search.alpha));
    let change = change.flatten();
    let verdict = match change.map(|change| change.verdict(search.alpha)) {
        _ if pairs.len() < HELD_OUT_USERS_MIN => TuneVerdict::TooFew,
        Some(ChangeVerdict::Less) => TuneVerdict::Gain,
        _ => TuneVerdict::Noise,
    };
    Ok(Tuned {
        parameters: ranges.iter().map(|range| range.name.clone()).collect(),
        trials,
        best,
        users: (first.users, pairs.len()),
        change,
        verdict,
    })
}

/// The first half anywhere, the second half ever nearer to the best so far.
fn propose(ranges: &[Parameter], best: &[f64], come: f64, draws: &mut RandomDraws) -> Vec<f64> {
    let near = (come >= 0.5).then_some(NEAR.0 + (NEAR.1 - NEAR.0) * (come - 0.5) * 2.0);
    let each = ranges.iter().zip(best).map(|(range, &best)| {
        let place = match near {
            None => draws.even(),
            Some(near) => {
                (share_of(range, best) + (draws.even() * 2.0 - 1.0) * near).clamp(0.0, 1.0)
            }
        };
        at_share(range, place)
    });
    each.collect()
}

fn is_logarithmic(range: &Parameter) -> bool {
    range.min > 0.0 && range.max / range.min >= LOGARITHMIC_FROM
}

fn at_share(range: &Parameter, share: f64) -> f64 {
    let value = if is_logarithmic(range) {
        range.min * (range.max / range.min).powf(share)
    } else {
        range.min + (range.max - range.min) * share
    };
    value.clamp(range.min, range.max)
}

fn share_of(range: &Parameter, value: f64) -> f64 {
    let share = if is_logarithmic(range) {
        (value / range.min).ln() / (range.max / range.min).ln()
    } else {
        (value - range.min) / (range.max - range.min)
    };
    if share.is_finite() { share } else { 0.0 }
}

/// One run, by the part of users.
#[derive(Debug, Clone)]
struct Run {
    chosen_by: f64,
    users: usize,
    /// Of users that judge, in their order.
    held_out: Vec<(u32, f64)>,
}

impl Run {
    fn new(users: &[UserTally], search: &Search) -> Self {
        let judges = |user: &UserTally| {
            let lot = unit(SplitMix64::nth(search.seed, u64::from(user.user) + 1));
            lot < search.held_out
        };
        let mut run = Self {
            chosen_by: 0.0,
            users: 0,
            held_out: Vec::new(),
        };
        for user in users {
            let value = search.objective.of(user);
            if judges(user) {
                run.held_out.push((user.user, value));
            } else {
                run.chosen_by += value;
                run.users += 1;
            }
        }
        run
    }

    fn trial(&self, params: Vec<f64>) -> Trial {
        Trial {
            params,
            chosen_by: self.chosen_by,
            // The sum of nothing is -0 in floating point.
            held_out: self
                .held_out
                .iter()
                .fold(0.0, |sum, (_, value)| sum + value),
        }
    }

    /// Each judging user's change.
    fn paired(&self, other: &Self) -> Vec<f64> {
        let values = |run: &Self| run.held_out.clone();
        changes(values(self), values(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: f64, max: f64) -> Parameter {
        Parameter {
            name: "p".to_owned(),
            default: min,
            min,
            max,
            doc: String::new(),
        }
    }

    #[test]
    fn candidates_keep_to_their_ranges_and_come_nearer() {
        let ranges = [range(1.0, 1e6), range(-1.0, 1.0), range(2.0, 2.0)];
        let mut draws = RandomDraws::of(1, 1);
        let mut small = 0;
        for step in 0..1_000 {
            let come = f64::from(step) / 1_000.0;
            let best = [1_000.0, 0.5, 2.0];
            let params = propose(&ranges, &best, come, &mut draws);
            for (value, range) in params.iter().zip(&ranges) {
                assert!((range.min..=range.max).contains(value));
            }
            small += u32::from(come < 0.5 && params[0] < 1_000.0);
            if come > 0.99 {
                assert!((params[1] - 0.5).abs() < 0.13, "{params:?}");
            }
        }
        assert!(
            (200..300).contains(&small),
            "by orders of magnitude: {small}"
        );
    }

    #[test]
    fn p25_nobody_held_out_comes_to_zero() {
        let search = Search {
            objective: Objective::Evictions,
            trials: 1,
            held_out: 0.1,
            alpha: 0.05,
            seed: 1,
        };
        let trial = Run::new(&[], &search).trial(Vec::new());
        assert_eq!(
            serde_json::to_string(&trial).unwrap(),
            r#"{"params":[],"chosen_by":0.0,"held_out":0.0}"#
        );
    }
}
