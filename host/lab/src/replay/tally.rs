//! What came of one strategy: counts, by the definitions of the reference.

use std::collections::BTreeMap;
use std::time::Duration;

use super::exposed::Exposed;
use wastegate_core::decision::Ranked;

/// After how long a return still counts as regret, ms: 10 s, 1 min, 10 min, 1 h, 24 h.
pub const HORIZONS_MS: [u64; 5] = [10_000, 60_000, 600_000, 3_600_000, 86_400_000];
/// The same as they are called.
pub const HORIZON_NAMES: [&str; 5] = ["10s", "60s", "10m", "1h", "24h"];
/// Which of them heads a report: about the longest pause in a conversation.
pub const HEADLINE: usize = 2;
/// A key that is admitted again within this after its eviction was thrashed, ms.
pub const THRASH_MS: u64 = 60_000;

/// What came of it, over any number of users.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReplayTally {
    /// Attempts to open a manager that was not held.
    pub attempts: u64,
    /// Those that found nobody who may go.
    pub blocked: u64,
    /// Users with at least one of those.
    pub blocked_users: u64,
    /// Calls of the strategy.
    pub decisions: u64,
    /// Calls that freed nothing although somebody might have gone.
    pub freed_nothing: u64,
    /// Managers that went.
    pub evictions: u64,
    /// Victims that were wanted again within each horizon.
    pub regret: [u64; 5],
    /// Admissions of a key that had been lost by eviction.
    pub reopen_misses: u64,
    /// Those within a minute of the eviction.
    pub thrash: u64,
    /// The longest chain of evictions of two keys by each other.
    pub ping_pong: u64,
    /// Victims that would have answered the Close.
    pub live_kills: u64,
    /// Victims that were taken because they seemed gone, and those of them that were.
    pub zombies: (u64, u64),
    /// Faults of the policy.
    pub faults: u64,
    /// Fuel of all calls; none for native code.
    pub fuel: u64,
    /// Evictions of each user with at least one decision, in the order of users.
    pub per_user: Vec<UserTally>,
    /// Each user for whom room had to be made, since then, in the order of users.
    pub exposed: Vec<Exposed>,
    /// By device class, by its code: evictions, and those regretted at the headline's horizon.
    pub by_device: BTreeMap<u8, (u64, u64)>,
    /// Time in calls, by the wall clock; never part of a comparison.
    pub in_calls: Duration,
}

/// One user's part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UserTally {
    /// Which user, by place in the trace.
    pub user: u32,
    /// Managers that went.
    pub evictions: u64,
    /// Those regretted at the headline's horizon.
    pub regrets: u64,
    /// Admissions of a key that had been lost by eviction.
    pub reopen_misses: u64,
}

impl ReplayTally {
    /// Adds the next users' part. Merged in the order of users, so that it is always the same.
    pub fn merge(&mut self, other: Self) {
        self.attempts += other.attempts;
        self.blocked += other.blocked;
        self.blocked_users += other.blocked_users;
        self.decisions += other.decisions;
        self.freed_nothing += other.freed_nothing;
        self.evictions += other.evictions;
        for (sum, more) in self.regret.iter_mut().zip(other.regret) {
            *sum += more;
        }
        self.reopen_misses += other.reopen_misses;
        self.thrash += other.thrash;
        self.ping_pong = self.ping_pong.max(other.ping_pong);
        self.live_kills += other.live_kills;
        self.zombies.0 += other.zombies.0;
        self.zombies.1 += other.zombies.1;
        self.faults += other.faults;
        self.fuel += other.fuel;
        self.per_user.extend(other.per_user);
        self.exposed.extend(other.exposed);
        for (class, (evictions, regrets)) in other.by_device {
            let entry = self.by_device.entry(class).or_default();
            entry.0 += evictions;
            entry.1 += regrets;
        }
        self.in_calls += other.in_calls;
    }

    /// A call of the strategy that was to free `needed` and freed `victims`.
    pub(super) fn count_call(&mut self, answer: &Ranked, needed: u32, victims: usize) {
        self.decisions += 1;
        self.fuel += answer.fuel.unwrap_or(0);
        self.in_calls += answer.duration;
        self.faults += u64::from(answer.outcome.is_err());
        self.freed_nothing += u64::from(needed > 0 && victims == 0);
    }

    /// A victim that was wanted again after so long, ms; none if never.
    pub(super) fn count_return(&mut self, away_ms: Option<u64>) {
        for (count, horizon) in self.regret.iter_mut().zip(HORIZONS_MS) {
            *count += u64::from(away_ms.is_some_and(|away_ms| away_ms <= horizon));
        }
    }

    /// Regretted victims among all, at a horizon by its place in [`HORIZONS_MS`]. None of none.
    #[must_use]
    pub fn regret_rate(&self, horizon: usize) -> Option<f64> {
        share(*self.regret.get(horizon)?, self.evictions)
    }

    /// Jain's index of evictions over the users that had a decision.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
    pub fn fairness(&self) -> Option<f64> {
        let evictions: Vec<f64> = self
            .per_user
            .iter()
            .map(|user| user.evictions as f64)
            .collect();
        wastegate_core::stats::spread::jain(&evictions)
    }

    /// The largest difference of regret rates between two device classes. None unless two have any.
    #[must_use]
    pub fn device_gap(&self) -> Option<f64> {
        let rates: Vec<f64> = self
            .by_device
            .values()
            .filter_map(|&(evictions, regrets)| share(regrets, evictions))
            .collect();
        let (least, most) = rates.iter().fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(least, most), &rate| (least.min(rate), most.max(rate)),
        );
        (rates.len() > 1).then_some(most - least)
    }
}

/// A share, none of none.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// (M − M_MIN)/(M_LRU − M_MIN) in reopen-misses: 0 as good as the oracle, 1 as LRU. None where LRU is
/// as good as the oracle: there is no headroom.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub fn regret_ratio(misses: u64, lru: u64, oracle: u64) -> Option<f64> {
    let (misses, lru, oracle) = (misses as f64, lru as f64, oracle as f64);
    (lru != oracle).then(|| (misses - oracle) / (lru - oracle))
}
