//! Pins of managers, within each user's budget.

use std::sync::Arc;
use std::time::Duration;

use super::Registry;
use crate::health;
use crate::manager::Manager;
use crate::observe::activity::HintName;
use wastegate_core::signals::Pin;
use wastegate_core::types::time::whole_ms;
use wastegate_core::types::{ManagerKey, UserId};

pub use crate::manager::PinError;

impl Registry {
    /// Pins a manager: nothing may evict it for so long.
    ///
    /// # Errors
    /// [`PinError`] if there is none, the user's budget is spent, or the time is too long.
    pub fn pin(&self, user: &UserId, key: &ManagerKey, lasting: Duration) -> Result<(), PinError> {
        self.pin_one(user, lasting, |manager| manager.key == *key)
    }

    /// Pins the manager of a user that `is_it` finds.
    pub(super) fn pin_one(
        &self,
        user: &UserId,
        lasting: Duration,
        is_it: impl Fn(&Manager) -> bool,
    ) -> Result<(), PinError> {
        let (now, config) = (self.surroundings.clock.now(), &self.surroundings.config);
        if lasting > config.pin_max {
            return Err(PinError::TooLong(config.pin_max));
        }
        let managers = self.table.of(user);
        let manager = managers
            .iter()
            .find(|manager| is_it(manager))
            .ok_or(PinError::NoSuchManager)?;
        let pinned = || managers.iter().filter(|other| other.hints.is_pinned(now));
        if pinned().count() >= config.pins_per_user_max && !manager.hints.is_pinned(now) {
            // A pin of a manager that nobody is left in makes room first.
            let is_lost =
                |other: &&Arc<Manager>| health::lost_since(other, &self.health, now).is_some();
            let Some(lost) = pinned().find(is_lost) else {
                return Err(PinError::BudgetSpent(pinned().count()));
            };
            lost.unpin();
        }
        manager.hints.pin(Pin {
            until: now.after(lasting),
        });
        let lasting = i64::try_from(whole_ms(lasting)).unwrap_or(i64::MAX);
        manager.note_hint(HintName::Pin, lasting);
        Ok(())
    }
}
