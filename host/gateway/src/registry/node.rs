//! What is done to the node as a whole: it is drained, its clients are asked to connect again, it ends.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};

use super::Registry;
use crate::manager::Port;
use wastegate_core::types::CloseReason;

impl Registry {
    /// Whether the node takes new connections from now on. What is connected stays.
    pub fn set_drained(&self, is_drained: bool) {
        self.is_drained.store(is_drained, Ordering::Release);
        if is_drained {
            // Those who wait for a slot are refused now, and not when one is free.
            self.freed.notify_all();
        }
    }

    /// Whether an operator drains the node, so that it takes no new connection.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.is_drained.load(Ordering::Acquire)
    }

    /// Whether the node takes no new connection: an operator drains it, or it stops.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.is_drained() || self.tasks.stopping().is_cancelled()
    }

    /// How many connections are attached to managers.
    #[must_use]
    pub fn attached(&self) -> u32 {
        self.attached.load(Ordering::Relaxed)
    }

    /// Every connection that is open now. Holds none of them.
    #[must_use]
    pub fn connections(&self) -> Vec<Weak<Port>> {
        let managers = self.all().into_iter();
        let ports = managers.flat_map(|manager| manager.ports());
        ports.map(|port| Arc::downgrade(&port)).collect()
    }

    /// Closes so many managers at most, for the end of the server. Returns how many.
    pub fn close_some(&self, reason: CloseReason, most: usize) -> usize {
        let mut all = self.table.all();
        all.truncate(most);
        for manager in &all {
            manager.close(reason);
            self.forget(manager);
        }
        all.len()
    }
}
