//! Pins of managers by operators.

use std::collections::BTreeMap;

use super::table::{LeverTerms, UserLevers};
use super::{LeverChange, LeverError, LeverOrder, Levers};
use crate::rollout::Actor;
use crate::rollout::audit::What;
use wastegate_core::types::{ManagerKey, UserId};

impl Levers {
    /// Pins a manager: no cleanup evicts it, nor one of the same key that comes after it, also after a restart. It
    /// counts to the user's budget of pins (`manager.pins_per_user_max`). Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] with what to give instead; nothing changed.
    pub fn pin(
        &self,
        user: &UserId,
        key: &ManagerKey,
        order: LeverOrder,
    ) -> Result<LeverChange, LeverError> {
        if order.lasting.is_none() {
            return Err(LeverError::PinLasting);
        }
        let span = order.span();
        let terms = order.terms(self.unix_ms())?;
        let (by, reason) = (terms.by.clone(), terms.reason.clone());
        let until = self.moment(terms.until_unix_ms.unwrap_or_default());
        let set = |levers: &mut UserLevers| {
            levers.pins.insert(key.to_string(), terms);
        };
        let change = self.replace(
            |before| {
                let table = before.with(user, set)?;
                // Nothing is kept that the registry does not take.
                self.registry
                    .keep_pinned(user, key, until)
                    .map_err(LeverError::Pin)?;
                Ok(table)
            },
            |table| table.of(user),
            |_, _| 0,
        )?;
        self.write(
            &by,
            What::Pinned,
            user,
            &format!("manager {key}{span}: {reason}"),
        );
        Ok(change)
    }

    /// Takes an operator's pin back, if there is one. Any other pin of the manager ends too. Blocks on the disk.
    ///
    /// # Errors
    /// [`LeverError`] for a reason that is too long.
    pub fn unpin(
        &self,
        user: &UserId,
        key: &ManagerKey,
        order: LeverOrder,
    ) -> Result<LeverChange, LeverError> {
        let order = order.checked()?;
        let lift = |levers: &mut UserLevers| {
            levers.pins.remove(key.as_str());
        };
        let change = self.replace(
            |before| before.with(user, lift),
            |table| table.of(user),
            |registry, _| {
                registry.unpin(user, key);
                0
            },
        )?;
        if change.is_new {
            let reason = format!("manager {key}: {}", order.reason);
            self.write(&order.by, What::Unpinned, user, &reason);
        }
        Ok(change)
    }

    /// Pins whose managers may come back, as they were set before a restart.
    pub(super) fn pin_again(&self, user: &UserId, pins: &BTreeMap<String, LeverTerms>) {
        for (key, terms) in pins {
            // A key that this version does not take was held by no manager either.
            let Ok(key) = ManagerKey::held(key) else {
                continue;
            };
            let until = self.moment(terms.until_unix_ms.unwrap_or_default());
            self.registry.pin_when_it_comes(user, &key, until);
        }
    }

    /// Pins whose time is over.
    pub(super) fn pins_are_over(&self, user: &UserId, pins: BTreeMap<String, LeverTerms>) {
        for (key, LeverTerms { by, reason, .. }) in pins {
            if let Ok(key) = ManagerKey::held(&key) {
                self.registry.unpin(user, &key);
            }
            let reason = format!("manager {key}: its time is over; {by} set it: {reason}");
            self.write(&Actor::expiry(), What::PinExpired, user, &reason);
        }
    }
}
