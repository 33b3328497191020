//! What is known of one user of an experiment: the exposure, and what has happened since.

use serde::{Deserialize, Serialize};

use super::past::UserPast;
use wastegate::observe::pseudonym::Pseudonym;
use wastegate_core::types::Tier;

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
    /// Runs of tiers that had managers they may evict.
    pub runs: u64,
    /// Those that freed nothing.
    pub freed_nothing: u64,
}

impl ExposureTally {
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
        self.runs += other.runs;
        self.freed_nothing += other.freed_nothing;
    }
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
