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

/// Why a manager could not be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The user has no manager of that key.
    #[error("the user has no manager of that key")]
    NoSuchManager,
    /// The user's budget is spent.
    #[error("the user already has {0} pinned managers, the limit; unpin one first")]
    BudgetSpent(usize),
    /// The time is longer than a pin may last.
    #[error("a pin lasts at most {0:?}")]
    TooLong(Duration),
}

impl Registry {
    /// Pins a manager: nothing may evict it for so long.
    ///
    /// # Errors
    /// [`PinError`] if there is none, the user's budget is spent, or the time is too long.
    pub fn pin(&self, user: &UserId, key: &ManagerKey, lasting: Duration) -> Result<(), PinError> {
        let (now, config) = (self.surroundings.clock.now(), &self.surroundings.config);
        if lasting > config.pin_max {
            return Err(PinError::TooLong(config.pin_max));
        }
        let managers = self.table.of(user);
        let manager = managers
            .iter()
            .find(|manager| manager.key == *key)
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
