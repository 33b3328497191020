//! Users' pressure: held over limit, as a level that rises at once and falls late, so that a user's
//! sockets hear of it once when it begins and once when it ends.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use parking_lot::Mutex;

use crate::observe::alerts::{Pressure, PressureChange, PressureLevel, PressureThresholds};
use wastegate_core::decision::snapshot::occupancy;
use wastegate_core::types::{Timestamp, UserId};

/// A change of one user's level.
#[derive(Debug, Clone, PartialEq)]
pub struct UserPressure {
    /// The user whose level changed.
    pub user: UserId,
    /// From what to what.
    pub change: PressureChange,
    /// How many managers it holds.
    pub held: u32,
    /// How many it may.
    pub limit: u32,
}

/// The levels of all users that are not at rest.
#[derive(Debug, Default)]
pub struct PressureBook {
    thresholds: PressureThresholds,
    // Users at rest are not in it, so it holds no more than those who hold something.
    levels: Mutex<HashMap<UserId, Pressure>>,
}

impl PressureBook {
    /// A book with those thresholds.
    #[must_use]
    pub fn new(thresholds: PressureThresholds) -> Self {
        Self {
            thresholds,
            levels: Mutex::default(),
        }
    }

    /// Takes a user's numbers; returns the change of level they make, if any.
    pub fn observe(
        &self,
        user: &UserId,
        held: u32,
        limit: u32,
        now: Timestamp,
    ) -> Option<UserPressure> {
        let ratio = occupancy(held, limit);
        let mut levels = self.levels.lock();
        let change = match levels.entry(user.clone()) {
            Entry::Occupied(mut entry) => {
                let change = entry.get_mut().observe(&self.thresholds, now, ratio);
                if entry.get().level() == PressureLevel::Normal {
                    entry.remove();
                }
                change
            }
            Entry::Vacant(entry) => {
                let mut pressure = Pressure::default();
                let change = pressure.observe(&self.thresholds, now, ratio);
                if change.is_some() {
                    entry.insert(pressure);
                }
                change
            }
        };
        drop(levels);
        change.map(|change| UserPressure {
            user: user.clone(),
            change,
            held,
            limit,
        })
    }

    /// The users that are not at rest.
    #[must_use]
    pub fn users(&self) -> Vec<UserId> {
        self.levels.lock().keys().cloned().collect()
    }

    /// How many users are at each level that is above `normal`.
    #[must_use]
    pub fn counts(&self) -> [(PressureLevel, u64); 4] {
        let mut counts = PressureLevel::RAISED.map(|level| (level, 0));
        for pressure in self.levels.lock().values() {
            let level = pressure.level();
            if let Some((_, count)) = counts.iter_mut().find(|(known, _)| *known == level) {
                *count += 1;
            }
        }
        counts
    }

    /// A user's level.
    #[must_use]
    pub fn level(&self, user: &UserId) -> PressureLevel {
        self.levels
            .lock()
            .get(user)
            .map_or(PressureLevel::Normal, Pressure::level)
    }
}
