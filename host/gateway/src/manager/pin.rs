//! What an application decides about its managers by itself: to pin one, to evict one. Both go through the
//! registry, as an operator's requests do.

use std::time::Duration;

use super::unit::Manager;
use wastegate_core::types::Eviction;

/// Why a manager could not be pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PinError {
    /// The user has no manager of that key.
    #[error("the user has no manager of that key")]
    NoSuchManager,
    /// The user's budget is spent.
    #[error(
        "the user has {pinned} pinned managers and may have {budget}: at most manager.pins_per_user_max, and one \
         fewer than its limit; unpin one, or raise the limit"
    )]
    BudgetSpent {
        /// How many of its managers are pinned.
        pinned: usize,
        /// How many may be: at least one slot of the limit is never pinned.
        budget: usize,
    },
    /// The time is longer than a pin may last.
    #[error("a pin lasts at most {0:?}")]
    TooLong(Duration),
}

impl Manager {
    /// Pins the manager: no cleanup evicts it for so long, at most `pin_max` of the room's settings. A pin
    /// on a pinned manager replaces the earlier one. [`unpin`](Self::unpin) ends it early.
    ///
    /// # Errors
    /// [`PinError`] if the time is too long, the user's budget of pins is spent, or the manager has ended.
    pub fn pin(&self, lasting: Duration) -> Result<(), PinError> {
        let slots = self.surroundings.slots().ok_or(PinError::NoSuchManager)?;
        slots.pin(self, lasting)
    }

    /// Evicts the manager because the application wants it, whatever protects it, pins included. When this
    /// returns, its slot is free and an admission that waits for one may take it; its connections are
    /// closing, and its own task calls `detached` and `ended`. False if it had ended before.
    ///
    /// ```
    /// use wastegate::manager::Manager;
    /// use wastegate_core::types::{Eviction, EvictionCause, PeerState};
    ///
    /// fn close_thread(manager: &Manager) {
    ///     // Clients may connect again, after a pause.
    ///     manager.evict(EvictionCause::Requested);
    /// }
    ///
    /// fn ban(manager: &Manager) {
    ///     // Clients are told not to connect again by themselves.
    ///     manager.evict(Eviction {
    ///         peer: PeerState::Answering,
    ///         ..EvictionCause::Requested.into()
    ///     });
    /// }
    /// ```
    pub fn evict(&self, eviction: impl Into<Eviction>) -> bool {
        let slots = self.surroundings.slots();
        slots.is_some_and(|slots| slots.evict(self, eviction.into()))
    }
}
