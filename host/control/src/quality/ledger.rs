//! The one place that hears of evictions, of their ends, of returns and of admissions.
//!
//! Told on the path of what it is told of, so each call is a few additions under one lock.

use std::collections::{HashMap, VecDeque};
use std::hash::RandomState;
use std::time::Duration;

use parking_lot::Mutex;

use super::audit::{Audited, Sample};
use super::counts::Counts;
use super::metrics::Metrics;
use super::pending::{Pending, Victim};
use super::report::{self, QualityReport};
use super::turns::OfUser;
use super::{HORIZONS, THRASH_MS};
use wastegate_core::decision::{Class, PolicyRef, VictimOutcome};
use wastegate_core::types::{ManagerId, ManagerKey, Timestamp, UserId};

/// Policies that are told apart; the evictions of more are counted together.
const POLICIES_MAX: usize = 64;
/// Users whose evictions and refusals are counted one by one.
const USERS_MAX: usize = 200_000;
/// Admissions that waited for room, of which quantiles are told.
const LATENCIES_MAX: usize = 4_096;
/// The horizon of the comparison between device classes, by place: ten minutes.
pub(super) const HEADLINE: usize = 2;

/// What is known of decisions by what came after.
#[derive(Debug, Default)]
pub struct Quality {
    // Held for a few additions, or for one report.
    state: Mutex<State>,
    metrics: Metrics,
}

/// One victim, and by whose choice.
#[derive(Debug, Clone, Copy)]
pub struct RankedVictim<'a> {
    /// The policy that chose the victim.
    pub policy: &'a PolicyRef,
    /// Whose it was.
    pub user: &'a UserId,
    /// The manager's name among those of its user.
    pub key: &'a ManagerKey,
    /// Which life of it.
    pub manager: ManagerId,
    /// What kind of candidate it was.
    pub class: Class,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) policies: Vec<(PolicyRef, Counts)>,
    pub(super) pending: Pending,
    pub(super) users: HashMap<UserId, OfUser>,
    /// By what keys of users are told apart.
    pub(super) hasher: RandomState,
    pub(super) sample: Sample,
    /// The share of managers that is drawn every hour.
    pub(super) audited_per_hour: f64,
    /// Evictions and refusals of users beyond [`USERS_MAX`].
    pub(super) uncounted: u64,
    pub(super) attempts: u64,
    pub(super) refused: u64,
    pub(super) freed_nothing: u64,
    /// Managers that answered and were evicted, and those of them that were wanted back within a minute.
    pub(super) displaced: (u64, u64),
    /// The last admissions that waited for room, ms.
    pub(super) latencies: VecDeque<f64>,
}

impl State {
    fn policy(&mut self, policy: &PolicyRef) -> usize {
        let same = |known: &PolicyRef| known.name == policy.name && known.digest == policy.digest;
        if let Some(place) = self.policies.iter().position(|(known, _)| same(known)) {
            return place;
        }
        if self.policies.len() >= POLICIES_MAX {
            return self.policies.len() - 1;
        }
        self.policies.push((policy.clone(), Counts::default()));
        self.policies.len() - 1
    }

    fn counts(&mut self, place: usize) -> Option<&mut Counts> {
        self.policies.get_mut(place).map(|(_, counts)| counts)
    }

    fn user(&mut self, user: &UserId) -> Option<&mut OfUser> {
        if !self.users.contains_key(user) && self.users.len() >= USERS_MAX {
            self.uncounted += 1;
            return None;
        }
        Some(self.users.entry(user.clone()).or_default())
    }
}

impl Quality {
    /// The room's metrics, to be registered.
    #[must_use]
    pub const fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// A manager was evicted; `device` is what its client ran on, by code.
    pub fn evicted(&self, now: Timestamp, victim: RankedVictim<'_>, device: u8) {
        let mut state = self.state.lock();
        state.pending.expire(now);
        let policy = state.policy(victim.policy);
        if let Some(counts) = state.counts(policy) {
            counts.evictions += 1;
            counts.by_device.entry(device).or_default().0 += 1;
        }
        state.displaced.0 += u64::from(victim.class == Class::Responsive);
        let hasher = state.hasher.clone();
        if let Some(user) = state.user(victim.user) {
            user.evictions += 1;
            user.turns.evicted(victim.key, &hasher);
        }
        let waited = Victim {
            manager: victim.manager,
            at: now,
            policy,
            device,
            answered: victim.class == Class::Responsive,
        };
        let forgotten = state
            .pending
            .add(victim.user.clone(), victim.key.clone(), waited);
        if let Some(forgotten) = forgotten
            && let Some(counts) = state.counts(forgotten.policy)
        {
            counts.forgotten += 1;
        }
    }

    /// What became of a victim's connections is known.
    pub fn ended(&self, victim: RankedVictim<'_>, outcome: VictimOutcome) {
        let mut state = self.state.lock();
        let policy = state.policy(victim.policy);
        let Some(counts) = state.counts(policy) else {
            return;
        };
        let alive = match outcome {
            VictimOutcome::Spared | VictimOutcome::Elsewhere => return,
            VictimOutcome::Echoed { .. } => {
                counts.echoed += 1;
                true
            }
            VictimOutcome::Gone | VictimOutcome::Aborted => {
                counts.silent += 1;
                false
            }
            VictimOutcome::Released => {
                counts.unattended += 1;
                false
            }
            VictimOutcome::Undecided => {
                counts.undecided += 1;
                self.metrics.ended(outcome);
                return;
            }
        };
        if !matches!(victim.class, Class::Responsive | Class::Detached) {
            counts.zombies.0 += 1;
            counts.zombies.1 += u64::from(!alive);
        }
        self.metrics.ended(outcome);
    }

    /// A user wanted a manager of that key: it was created, or refused. If it had been evicted, that
    /// is a return: when it was evicted, and how many milliseconds it was away.
    pub fn wanted(
        &self,
        now: Timestamp,
        user: &UserId,
        key: &ManagerKey,
    ) -> Option<(Timestamp, u64)> {
        let mut state = self.state.lock();
        let victim = state.pending.take(user, key)?;
        let away_ms = now.millis().saturating_sub(victim.at.millis());
        state.displaced.1 += u64::from(victim.answered && away_ms <= THRASH_MS);
        state.pending.came_back(&victim, away_ms);
        let counts = state.counts(victim.policy)?;
        for (place, (count, (horizon_ms, _))) in
            counts.returned.iter_mut().zip(HORIZONS).enumerate()
        {
            let within = away_ms <= horizon_ms;
            *count += u64::from(within);
            if within && place == HEADLINE {
                counts.by_device.entry(victim.device).or_default().1 += 1;
            }
        }
        counts.thrash += u64::from(away_ms <= THRASH_MS);
        drop(state);
        self.metrics.returned(away_ms, victim.answered);
        Some((victim.at, away_ms))
    }

    /// An admission ended: how long it took, whether room had to be made for it, whether it was refused.
    pub fn admission(&self, user: &UserId, took: Duration, triggered: bool, refused: bool) {
        let mut state = self.state.lock();
        state.attempts += 1;
        if refused {
            state.refused += 1;
            if let Some(user) = state.user(user) {
                user.refused += 1;
            }
        }
        if triggered {
            if state.latencies.len() >= LATENCIES_MAX {
                state.latencies.pop_front();
            }
            state.latencies.push_back(took.as_secs_f64() * 1e3);
        }
        drop(state);
        if refused {
            self.metrics.blocked();
        }
    }

    /// Managers were drawn at random and asked: this time a `share` of all, `per_hour` of all in an hour.
    pub fn audited(&self, per_hour: f64, share: f64, drawn: &[Audited]) {
        let mut state = self.state.lock();
        state.audited_per_hour = per_hour;
        state.sample.drawn_share += share;
        for one in drawn {
            state.sample.take(*one);
        }
        drop(state);
        self.metrics.audited(drawn);
    }

    /// A tier had managers that it may evict, and freed nothing.
    pub fn freed_nothing(&self) {
        self.state.lock().freed_nothing += 1;
        self.metrics.freed_nothing();
    }

    /// Everything that is known now.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> QualityReport {
        let mut state = self.state.lock();
        state.pending.expire(now);
        report::of(&state, now)
    }
}
