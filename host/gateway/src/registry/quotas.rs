//! Limits of single users, where the identity provider sets one.

use std::collections::HashMap;

use parking_lot::Mutex;

use wastegate_core::types::UserId;

/// Users whose limit is remembered at once, unless more of them hold something.
const QUOTAS_MAX: usize = 100_000;

/// Users with another limit of managers than the gateway's.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    // Held for a map operation, or for one clean-up of the whole map when it is full.
    limits: Mutex<HashMap<UserId, u32>>,
}

impl Quotas {
    /// Sets a user's limit, or takes it back. `holds` says who still needs to be remembered.
    pub(super) fn set(&self, user: &UserId, limit: Option<u32>, holds: impl Fn(&UserId) -> bool) {
        let mut limits = self.limits.lock();
        match limit {
            None => {
                limits.remove(user);
            }
            Some(limit) => {
                if limits.len() >= QUOTAS_MAX && !limits.contains_key(user) {
                    limits.retain(|user, _| holds(user));
                }
                limits.insert(user.clone(), limit);
            }
        }
    }

    pub(super) fn of(&self, user: &UserId) -> Option<u32> {
        self.limits.lock().get(user).copied()
    }
}
