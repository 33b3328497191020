//! Victims that may still be wanted back: bounded, the oldest forgotten first.

use std::collections::{HashMap, VecDeque};

use super::HORIZONS;
use wastegate_core::types::{ManagerId, ManagerKey, Timestamp, UserId};

/// Victims that are waited for at the most; about 100 MB of them. More, and the oldest are forgotten,
/// which the report says.
pub(super) const PENDING_MAX: usize = 400_000;

/// A victim whose client has not come back yet.
#[derive(Debug, Clone)]
pub(super) struct Victim {
    pub(super) manager: ManagerId,
    pub(super) at: Timestamp,
    /// Whose choice it was, by place in the ledger.
    pub(super) policy: usize,
    /// What its client ran on, by code.
    pub(super) device: u8,
    /// Whether it answered when it was evicted.
    pub(super) answered: bool,
}

/// A victim of the last day that somebody came back for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Back {
    pub(super) at: Timestamp,
    pub(super) policy: usize,
    pub(super) device: u8,
    pub(super) away_ms: u64,
}

/// The victims of the last day.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Those that are back, in the order in which they came: as many as are waited for, at most. They count as
    /// soon as those that were evicted with them could have come back as late.
    back: VecDeque<Back>,
    by_name: HashMap<(UserId, ManagerKey), Victim>,
    /// In the order of their evictions; an entry whose victim is another by now is stale.
    order: VecDeque<(UserId, ManagerKey, ManagerId)>,
}

impl Pending {
    /// Waits for one more. Returns the victim that it had to forget for that before the last horizon was over.
    pub(super) fn add(&mut self, user: UserId, key: ManagerKey, victim: Victim) -> Option<Victim> {
        self.order
            .push_back((user.clone(), key.clone(), victim.manager));
        self.by_name.insert((user, key), victim);
        if self.order.len() <= PENDING_MAX {
            return None;
        }
        self.forget_first()
    }

    fn forget_first(&mut self) -> Option<Victim> {
        let (user, key, manager) = self.order.pop_front()?;
        let name = (user, key);
        let same = self.by_name.get(&name)?.manager == manager;
        same.then(|| self.by_name.remove(&name)).flatten()
    }

    /// A client came back for it, if it is pending.
    pub(super) fn take(&mut self, user: &UserId, key: &ManagerKey) -> Option<Victim> {
        self.by_name.remove(&(user.clone(), key.clone()))
    }

    /// Notes how soon.
    pub(super) fn came_back(&mut self, victim: &Victim, away_ms: u64) {
        if self.back.len() >= PENDING_MAX {
            self.back.pop_front();
        }
        self.back.push_back(Back {
            at: victim.at,
            policy: victim.policy,
            device: victim.device,
            away_ms,
        });
    }

    /// Those that are back and were evicted at most so long ago.
    pub(super) fn back_within(&self, now: Timestamp, ms: u64) -> impl Iterator<Item = &Back> {
        let is_young = move |one: &&Back| now.millis().saturating_sub(one.at.millis()) <= ms;
        self.back.iter().filter(is_young)
    }

    /// Removes the victims whose last horizon is over: no client came back in time.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let [.., (last_ms, _)] = HORIZONS;
        let is_over = |at: Timestamp| now.millis().saturating_sub(at.millis()) > last_ms;
        while self.back.front().is_some_and(|one| is_over(one.at)) {
            self.back.pop_front();
        }
        while let Some((user, key, manager)) = self.order.front() {
            let name = (user.clone(), key.clone());
            let waited = self
                .by_name
                .get(&name)
                .filter(|one| one.manager == *manager);
            if waited.is_some_and(|one| !is_over(one.at)) {
                return;
            }
            self.forget_first();
        }
    }

    /// All pending victims.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Victim> {
        self.by_name.values()
    }
}
