//! How slots are given back, whatever way their managers ended: one way out for all of them.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::health;
use crate::manager::{Manager, Port};
use wastegate_core::decision::Standing;
use wastegate_core::types::{CloseReason, Timestamp, UserId};

impl Registry {
    /// Gives up every manager of these users whose client did not come back. Returns how many.
    pub fn release_expired(&self, users: &[UserId], now: Timestamp) -> usize {
        let over = |manager: &Manager| {
            matches!(
                manager.standing(now),
                Standing::Expired | Standing::NeverAttached
            )
        };
        let managers = users.iter().flat_map(|user| self.table.of(user));
        managers
            .filter(|manager| over(manager) && self.release_if(manager, over))
            .count()
    }

    /// Gives up every manager of a user whose connections have all been dead or stalled for so long. No
    /// policy is asked: nothing is left to be ranked, and a pin keeps it. Returns how many.
    pub(crate) fn release_lost(&self, user: &UserId, lasting: Duration, now: Timestamp) -> usize {
        let over = |manager: &Manager| {
            !manager.hints.is_pinned(now)
                && health::lost_since(manager, &self.health, now)
                    .is_some_and(|since| now.since(since) >= lasting)
        };
        let managers = self.table.of(user);
        managers
            .iter()
            .filter(|manager| over(manager) && self.give_up(manager, over))
            .count()
    }

    /// A permit was not used, and no connection needs its manager.
    pub(super) fn release_unused(&self, manager: &Arc<Manager>) {
        self.release_if(manager, |manager| {
            manager.is_empty() && manager.detached_since().is_none()
        });
    }

    /// A connection left its manager.
    pub(super) fn left(
        &self,
        manager: &Arc<Manager>,
        port: &Port,
        reason: CloseReason,
        for_good: bool,
    ) {
        let left = manager.detach(port.id, reason);
        self.observed.changed(manager, None);
        let grace = self.surroundings.config.reconnect_grace;
        if left.empty && (left.for_good || for_good || grace.is_zero()) {
            self.release_if(manager, Manager::is_empty);
        }
    }

    /// A manager has no connection left that could answer.
    fn give_up(&self, manager: &Arc<Manager>, still: impl FnOnce(&Manager) -> bool) -> bool {
        self.remove(manager, CloseReason::Unresponsive, still)
    }

    fn release_if(&self, manager: &Arc<Manager>, still: impl FnOnce(&Manager) -> bool) -> bool {
        self.remove(manager, CloseReason::ManagerClosed, still)
    }

    fn remove(
        &self,
        manager: &Arc<Manager>,
        reason: CloseReason,
        still: impl FnOnce(&Manager) -> bool,
    ) -> bool {
        let removed = self
            .table
            .remove_if(&manager.user, &manager.key, manager.id, still);
        if let Some(manager) = &removed {
            manager.close(reason);
            self.freed.notify(&manager.user);
            self.observed.freed(manager);
        }
        removed.is_some()
    }

    /// A manager ended by itself.
    pub(super) fn forget(&self, manager: &Arc<Manager>) {
        self.release_if(manager, |_| true);
        // Also where a successor has taken its slot already.
        self.observed.freed(manager);
    }
}
