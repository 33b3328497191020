//! What is known of one user of an experiment: the exposure, and what has happened since.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::past::UserPast;
use wastegate::observe::pseudonym::Pseudonym;
use wastegate_core::decision::Question;
use wastegate_core::types::{Signal, Tier};

/// The first trigger of a user in a phase: written down before the arm is asked, whatever it answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exposure {
    /// The user, as a keyed hash.
    pub unit: Pseudonym,
    /// The arm, by place in the definition.
    pub arm: usize,
    /// Where the user is in [0, 1) under the experiment's seed.
    pub place: f64,
    /// At which tier the first cleanup was asked for.
    pub tier: Tier,
    /// Managers held then.
    pub held: u32,
    /// The limit then.
    pub limit: u32,
    /// When, ms since the Unix epoch.
    pub unix_ms: u64,
    /// When, microseconds on the node's monotonic clock.
    pub now_us: u64,
    /// When it ends, ms since the Unix epoch, where it is a window and not a user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_ms: Option<u64>,
    /// What most of the user's managers ran on then, by the code of the `device-class` signal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u8>,
    /// What the user did before, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<UserPast>,
}

/// What happened to a user since then, counted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExposureTally {
    /// Decisions that the arm was asked for.
    pub decisions: u64,
    /// Those that the built-in ranking had to complete.
    pub fallbacks: u64,
    /// Managers that went.
    pub evictions: u64,
    /// Of those, who answered our Close.
    pub echoed: u64,
    /// Who did not.
    pub silent: u64,
    /// Victims wanted back within 10 s, 1 min, 10 min, 1 h, 24 h.
    pub returned: [u64; 5],
    /// Admissions that the user asked for.
    pub attempts: u64,
    /// Those that were refused.
    pub blocked: u64,
    /// Those that waited for room.
    pub waited: u64,
    /// For how long, ms.
    pub waited_ms: f64,
    /// Of those, how many waited longer than each of [`WAITS`].
    #[serde(skip_serializing_if = "is_none")]
    pub waited_over: [u64; 3],
    /// Runs of tiers that had managers they may evict.
    pub runs: u64,
    /// Those that freed nothing.
    pub freed_nothing: u64,
}

/// Waits for room that are counted apart: a quantile of the wait is below one of them where the share that waited
/// longer is small enough.
pub const WAITS: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

fn is_none(waits: &[u64; 3]) -> bool {
    waits.iter().all(|count| *count == 0)
}

impl ExposureTally {
    /// An admission waited for room.
    pub(super) fn wait(&mut self, took: Duration) {
        self.waited += 1;
        self.waited_ms += took.as_secs_f64() * 1e3;
        for (count, wait) in self.waited_over.iter_mut().zip(WAITS) {
            *count += u64::from(took > wait);
        }
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: &Self) {
        self.decisions += other.decisions;
        self.fallbacks += other.fallbacks;
        self.evictions += other.evictions;
        self.echoed += other.echoed;
        self.silent += other.silent;
        for (sum, more) in self.returned.iter_mut().zip(other.returned) {
            *sum += more;
        }
        self.attempts += other.attempts;
        self.blocked += other.blocked;
        self.waited += other.waited;
        self.waited_ms += other.waited_ms;
        for (sum, more) in self.waited_over.iter_mut().zip(other.waited_over) {
            *sum += more;
        }
        self.runs += other.runs;
        self.freed_nothing += other.freed_nothing;
    }
}

/// The device class of most managers of a question; of equally many, the one with the lower code.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "codes are small whole numbers"
)]
pub(super) fn most_common_device(question: &Question) -> u8 {
    let mut counts = BTreeMap::<u8, usize>::new();
    for row in &question.rows {
        let code = row.signals[Signal::DeviceClass] as u8;
        *counts.entry(code).or_default() += 1;
    }
    let most = counts.into_iter().rev().max_by_key(|(_, count)| *count);
    most.map_or(0, |(code, _)| code)
}

/// A user of an experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// How it began.
    pub exposure: Exposure,
    /// The counts since the exposure.
    pub tally: ExposureTally,
}

impl Member {
    /// Whether everything that belongs to it has happened: of a window, that it is over and what came of
    /// its last eviction is known, `ahead_ms` after.
    #[must_use]
    pub fn is_whole(&self, unix_ms: u64, ahead_ms: u64) -> bool {
        let until = self.exposure.until_ms;
        until.is_none_or(|until| unix_ms >= until.saturating_add(ahead_ms))
    }

    /// How long the user has been watched, hours.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "2^53 milliseconds are 285,000 years"
    )]
    pub fn hours(&self, unix_ms: u64) -> f64 {
        let until = self.exposure.until_ms.unwrap_or(u64::MAX).min(unix_ms);
        until.saturating_sub(self.exposure.unix_ms) as f64 / 3_600_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_counted_at_every_bound_that_it_is_over() {
        let mut tally = ExposureTally::default();
        for ms in [100, 101, 600, 2_000] {
            tally.wait(Duration::from_millis(ms));
        }
        assert_eq!((tally.waited, tally.waited_over), (4, [3, 2, 1]));
        let mut twice = tally.clone();
        twice.add(&tally);
        assert_eq!((twice.waited, twice.waited_over), (8, [6, 4, 2]));
        // A ledger of an earlier version has no such counts.
        let old: ExposureTally = serde_json::from_str(r#"{"waited":2,"waited_ms":7.0}"#).unwrap();
        assert_eq!((old.waited, old.waited_over), (2, [0; 3]));
    }
}
