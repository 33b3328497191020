//! What users did before an experiment met them: the covariates by which its noise is less (CUPED).
//!
//! Every user's counts are kept, whether an experiment runs or not, for the users that were met last. At a user's
//! first trigger they are copied into the exposure, so the ledger has them, and what comes later cannot change
//! them. Members of experiments that are over are remembered from the ledger after a restart.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::tally::ExposureTally;
use wastegate::observe::pseudonym::Pseudonym;
use wastegate_core::stats::Covariates;

/// Users whose past is known; beyond that those are forgotten that were not met for longest, half of them at a time.
pub const PASTS_MAX: usize = 65_536;
/// The least time over which a rate is taken, hours: what is shorter says little.
const HOURS_MIN: f64 = 1.0;

/// What was counted of a user before the first trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPast {
    /// Over how long, hours.
    pub hours: f64,
    /// The counts.
    pub tally: ExposureTally,
}

/// What foretells a metric of a user: the metric's own value before, how often the user came, and whether there is
/// a value at all. On a logarithmic scale, so that no user's past outweighs all others'.
#[must_use]
pub fn covariates(metric: Metric, past: Option<&UserPast>) -> Covariates {
    let Some(past) = past else {
        return [0.0, 0.0, 1.0];
    };
    let hours = past.hours.max(HOURS_MIN);
    let (y, x) = metric.pair(&past.tally, hours);
    let (came, during) = Metric::Reconnects.pair(&past.tally, hours);
    let rate = (came / during).ln_1p();
    // A time without an event says nothing of a policy that was never asked.
    let is_known = x > 0.0 && (!metric.is_per_time_of_evictions() || past.tally.evictions > 0);
    if is_known {
        [(y / x).ln_1p(), rate, 0.0]
    } else {
        [0.0, rate, 1.0]
    }
}

/// The counts of the users that were met last.
#[derive(Debug, Default)]
pub(super) struct Pasts {
    recent: HashMap<Pseudonym, PastTally>,
    older: HashMap<Pseudonym, PastTally>,
}

/// A user's counts since some moment.
#[derive(Debug)]
struct PastTally {
    /// When they begin, ms since the Unix epoch.
    since_ms: u64,
    tally: ExposureTally,
}

impl Pasts {
    /// Something happened to a user.
    pub(super) fn note(
        &mut self,
        user: Pseudonym,
        unix_ms: u64,
        change: impl FnOnce(&mut ExposureTally),
    ) {
        if !self.recent.contains_key(&user) {
            if self.recent.len() >= PASTS_MAX / 2 {
                self.older = std::mem::take(&mut self.recent);
            }
            let known = self.older.remove(&user).unwrap_or_else(|| PastTally {
                since_ms: unix_ms,
                tally: ExposureTally::default(),
            });
            self.recent.insert(user, known);
        }
        if let Some(past) = self.recent.get_mut(&user) {
            change(&mut past.tally);
        }
    }

    /// What is known from an experiment that is over, whose user was watched since a moment.
    pub(super) fn remember(&mut self, user: Pseudonym, since_ms: u64, tally: &ExposureTally) {
        self.note(user, since_ms, |past| past.add(tally));
    }

    /// What is known of a user at a moment; none of who was not met.
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 milliseconds are 285,000 years"
    )]
    pub(super) fn of(&self, user: Pseudonym, unix_ms: u64) -> Option<UserPast> {
        let past = self.recent.get(&user).or_else(|| self.older.get(&user))?;
        Some(UserPast {
            hours: unix_ms.saturating_sub(past.since_ms) as f64 / 3_600_000.0,
            tally: past.tally.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::testing::unit;

    #[test]
    fn whoever_was_not_met_for_longest_is_forgotten() {
        let mut pasts = Pasts::default();
        for user in 0..PASTS_MAX {
            pasts.note(unit(user), user as u64, |tally| tally.attempts += 1);
            // Met all along.
            pasts.note(unit(0), user as u64, |tally| tally.attempts += 1);
        }
        assert!(pasts.recent.len() + pasts.older.len() <= PASTS_MAX);
        let first = pasts.of(unit(0), PASTS_MAX as u64).unwrap();
        assert_eq!(first.tally.attempts, PASTS_MAX as u64 + 1);
        pasts.note(unit(PASTS_MAX), 0, |tally| tally.attempts += 1);
        assert_eq!(pasts.of(unit(1), 0), None);
        assert_eq!(
            pasts
                .of(unit(PASTS_MAX - 1), 3_600_000)
                .unwrap()
                .tally
                .attempts,
            1
        );
    }

    #[test]
    fn covariates_are_the_past_and_newcomers_have_none() {
        assert_eq!(covariates(Metric::Thrash, None), [0.0, 0.0, 1.0]);
        let mut past = UserPast {
            hours: 2.0,
            tally: ExposureTally {
                attempts: 6,
                ..ExposureTally::default()
            },
        };
        // Came three times an hour, and was never evicted.
        let rate = 3.0_f64.ln_1p();
        assert_eq!(covariates(Metric::Thrash, Some(&past)), [0.0, rate, 1.0]);
        assert_eq!(covariates(Metric::Regret1h, Some(&past)), [0.0, rate, 1.0]);
        past.tally.evictions = 4;
        past.tally.returned = [0, 1, 2, 3, 4];
        assert_eq!(
            covariates(Metric::Thrash, Some(&past)),
            [0.25_f64.ln_1p(), rate, 0.0]
        );
        // Three in two hours are 36 a day.
        assert_eq!(
            covariates(Metric::Regret1h, Some(&past)),
            [36.0_f64.ln_1p(), rate, 0.0]
        );
        // A moment is no rate.
        past.hours = 0.001;
        assert_eq!(covariates(Metric::Churn, Some(&past))[0], 4.0_f64.ln_1p());
    }
}
