//! Levers of one user: its limit, a block, evictions.

use super::everywhere::{LeverName, LeverSetting};
use super::{LeverChange, LeverError, LeverOrder, Levers};
use crate::rollout::audit::What;
use wastegate::manager::Manager;
use wastegate::registry::Registry;
use wastegate_core::types::{EvictionCause, UserId};

impl Levers {
    /// Sets a user's limit, before that of its token and of the configuration. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn limit(
        &self,
        user: &UserId,
        managers: u32,
        order: LeverOrder,
    ) -> Result<LeverChange, LeverError> {
        let most = self.registry.limits().managers_total;
        if !(1..=most).contains(&managers) {
            return Err(LeverError::Managers { most });
        }
        let reason = format!("{managers} managers{}: {}", order.span(), order.reason);
        let terms = order.terms(self.unix_ms())?;
        let by = terms.by.clone();
        let set = (LeverSetting::Limit { managers }, terms);
        let change = self.change(user, LeverName::Limit(user.clone()), set, |registry| {
            registry.override_limit(user, Some(managers));
            0
        })?;
        self.write(&by, What::LimitSet, user, &reason);
        Ok(change)
    }

    /// Takes back a user's limit, if one is set. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long.
    pub fn clear_limit(&self, user: &UserId, order: LeverOrder) -> Result<LeverChange, LeverError> {
        self.lifted(
            user,
            order,
            What::LimitCleared,
            LeverName::Limit(user.clone()),
            |registry| registry.override_limit(user, None),
        )
    }

    /// Blocks a user and evicts its managers. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn block(&self, user: &UserId, order: LeverOrder) -> Result<LeverChange, LeverError> {
        let span = order.span();
        let terms = order.terms(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let term = self.term(&terms);
        let set = (LeverSetting::Block, terms);
        let name = LeverName::Block(user.clone());
        let change = self.change(user, name, set, |registry| registry.block(user, term))?;
        let evicted = change.evicted;
        let reason = format!("{evicted} managers evicted, blocked{span}: {reason}");
        self.write(&by, What::UserBlocked, user, &reason);
        Ok(change)
    }

    /// Lets a user in again, if it is blocked. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long.
    pub fn unblock(&self, user: &UserId, order: LeverOrder) -> Result<LeverChange, LeverError> {
        self.lifted(
            user,
            order,
            What::UserUnblocked,
            LeverName::Block(user.clone()),
            |registry| registry.unblock(user),
        )
    }

    /// Takes a lever back, and writes it down if it was set.
    fn lifted(
        &self,
        user: &UserId,
        order: LeverOrder,
        what: What,
        name: LeverName,
        tell: impl FnOnce(&Registry),
    ) -> Result<LeverChange, LeverError> {
        let terms = order.lifting(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let lifted = (LeverSetting::Lifted, terms);
        let change = self.change(user, name, lifted, |registry| {
            tell(registry);
            0
        })?;
        if change.is_new {
            self.write(&by, what, user, &reason);
        }
        Ok(change)
    }

    /// Evicts all managers of a user; its clients may connect again. Returns how many. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] without a reason, or for one that is too long; nothing changed.
    pub fn evict(&self, user: &UserId, order: LeverOrder) -> Result<usize, LeverError> {
        let order = order.needed()?;
        let evicted = self.registry.evict_user(user, EvictionCause::Requested);
        let reason = format!("{evicted} managers: {}", order.reason);
        self.write(&order.by, What::Evicted, user, &reason);
        Ok(evicted)
    }

    /// Evicts one manager, and writes it down. False if it had ended. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] without a reason, or for one that is too long; nothing changed.
    pub fn evict_one(&self, manager: &Manager, order: LeverOrder) -> Result<bool, LeverError> {
        let order = order.needed()?;
        let evicted = manager.evict(EvictionCause::Requested);
        if evicted {
            let reason = format!("manager {}: {}", manager.key, order.reason);
            self.write(&order.by, What::Evicted, &manager.user, &reason);
        }
        Ok(evicted)
    }
}
