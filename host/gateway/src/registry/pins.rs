//! Pins of managers, within each user's budget.
//!
//! The budget leaves one slot of the user's limit without a pin, so that a newcomer can always be made room for. A
//! limit may fall later; a pin that is then too much ends when room is needed.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::health;
use crate::manager::Manager;
use crate::observe::activity::HintName;
use wastegate_core::signals::Pin;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{ManagerKey, Timestamp, UserId};

pub use crate::manager::PinError;

impl Registry {
    /// Pins a manager: nothing may evict it for so long.
    ///
    /// # Errors
    /// [`PinError`] if there is none, the user's budget is spent, or the time is too long.
    pub fn pin(&self, user: &UserId, key: &ManagerKey, lasting: Duration) -> Result<(), PinError> {
        self.pin_one(user, lasting, |manager| manager.key == *key)
    }

    /// Pins a manager until a moment because an operator wants it: also one of that key that comes after it, and for
    /// longer than an application may. It needs a place in the user's budget of pins all the same: a user whose
    /// managers are all pinned could not be made room for.
    ///
    /// # Errors
    /// [`PinError`] if there is no such manager now, or the user's budget is spent.
    pub fn keep_pinned(
        &self,
        user: &UserId,
        key: &ManagerKey,
        until: Timestamp,
    ) -> Result<(), PinError> {
        let lasting = until.since(self.surroundings.clock.now());
        self.pin_within(user, lasting, |manager| manager.key == *key)?;
        self.overrides.pin(user, key, Some(until));
        Ok(())
    }

    /// Pins a manager as soon as it comes, as an operator wanted before a restart.
    pub fn pin_when_it_comes(&self, user: &UserId, key: &ManagerKey, until: Timestamp) {
        self.overrides.pin(user, key, Some(until));
    }

    /// Takes an operator's pin of a manager back, and any other one of it.
    pub fn unpin(&self, user: &UserId, key: &ManagerKey) {
        self.overrides.pin(user, key, None);
        if let Some(manager) = self.get(user, key) {
            manager.unpin();
        }
    }

    /// Pins a new manager, where an operator has pinned that key before.
    pub(super) fn pin_again(&self, manager: &Manager) {
        let Some(until) = self.overrides.pinned_until(&manager.user, &manager.key) else {
            return;
        };
        let lasting = until.since(self.surroundings.clock.now());
        // Without a place in the budget it stays as others are.
        let _ = self.pin_within(&manager.user, lasting, |other| other.id == manager.id);
    }

    /// Pins the manager of a user that `is_it` finds.
    pub(super) fn pin_one(
        &self,
        user: &UserId,
        lasting: Duration,
        is_it: impl Fn(&Manager) -> bool,
    ) -> Result<(), PinError> {
        let most = self.surroundings.config.pin_max;
        if lasting > most {
            return Err(PinError::TooLong(most));
        }
        self.pin_within(user, lasting, is_it)
    }

    /// Pins it if the user's budget has a place for it.
    fn pin_within(
        &self,
        user: &UserId,
        lasting: Duration,
        is_it: impl Fn(&Manager) -> bool,
    ) -> Result<(), PinError> {
        let now = self.surroundings.clock.now();
        let managers = self.table.of(user);
        let manager = managers
            .iter()
            .find(|manager| is_it(manager))
            .ok_or(PinError::NoSuchManager)?;
        let pinned = || managers.iter().filter(|other| other.hints.is_pinned(now));
        let budget = self.pin_budget(self.limit(user, now));
        if pinned().count() >= budget && !manager.hints.is_pinned(now) {
            let spent = PinError::BudgetSpent {
                pinned: pinned().count(),
                budget,
            };
            // A pin of a manager that nobody is left in makes room first, where there may be any pin.
            let is_lost =
                |other: &&Arc<Manager>| health::lost_since(other, &self.health, now).is_some();
            let lost = pinned().find(is_lost).filter(|_| budget > 0);
            lost.ok_or(spent)?.unpin();
        }
        manager.hints.pin(Pin {
            until: now.after(lasting),
        });
        let lasting = i64::try_from(whole_ms(lasting)).unwrap_or(i64::MAX);
        manager.note_hint(HintName::Pin, lasting);
        Ok(())
    }

    /// How many managers a user of that limit may have pinned: one slot at least can be made free.
    fn pin_budget(&self, limit: u32) -> usize {
        let spare = usize::try_from(limit.saturating_sub(1)).unwrap_or(usize::MAX);
        self.surroundings.config.pins_per_user_max.min(spare)
    }

    /// Ends the pins that are more than a limit leaves, because a newcomer needs room: the limit fell after they
    /// were set. Those of applications end before those of operators, and of each the one with the least time left.
    pub(super) fn end_surplus_pins(&self, user: &UserId, limit: u32, now: Timestamp) {
        let mut pinned = self.table.of(user);
        pinned.retain(|manager| manager.hints.is_pinned(now));
        let surplus = pinned.len().saturating_sub(self.pin_budget(limit));
        if surplus == 0 {
            return;
        }
        pinned.sort_by_cached_key(|manager| {
            let wanted = self.overrides.pinned_until(user, &manager.key);
            (wanted.is_some(), manager.hints.pinned_until())
        });
        for manager in pinned.iter().take(surplus) {
            manager.unpin();
        }
        tracing::warn!(
            limit,
            surplus,
            "pins ended: a user's limit leaves no room for them"
        );
    }
}
