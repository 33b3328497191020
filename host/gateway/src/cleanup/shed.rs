//! Connections that do not answer leave a manager that has others.
//!
//! A manager is judged by its best connection, so one that answers keeps the dead ones beside it from
//! being noticed. They would fill the places of the manager, and nobody would ever be let in to it.

use std::sync::Arc;

use super::driver::Cleaner;
use crate::manager::{Manager, Port};
use wastegate_core::types::{CloseReason, DeviceId, Health, Timestamp};

impl Cleaner {
    /// Makes a place for one more connection of a manager by closing one that does not answer: at once
    /// where that is known, else after one round of probes. `device` is the newcomer's, whose own older
    /// connection gives way in any case. True if there is a place now.
    pub(crate) async fn make_place(
        &self,
        manager: &Arc<Manager>,
        device: Option<&DeviceId>,
    ) -> bool {
        if !manager.is_crowded(device) || self.shed_one(manager, known_gone) {
            return true;
        }
        self.prober.round(std::slice::from_ref(manager)).await;
        !manager.is_crowded(device) || self.shed_one(manager, silent)
    }

    /// Closes the connection of a manager that says least, if `bad` says so.
    fn shed_one(&self, manager: &Manager, bad: fn(Health) -> bool) -> bool {
        let now = self.clock.now();
        let mut ports = self.bad_ports(manager, bad, now);
        ports.sort_by_key(|(_, received_at)| *received_at);
        let longest_silent = ports.first();
        if let Some((port, _)) = longest_silent {
            port.close(CloseReason::Unresponsive);
        }
        longest_silent.is_some()
    }

    fn bad_ports(
        &self,
        manager: &Manager,
        bad: fn(Health) -> bool,
        now: Timestamp,
    ) -> Vec<(Arc<Port>, Timestamp)> {
        let ports = manager.ports().into_iter();
        let open = ports.filter(|port| !port.is_closing());
        open.filter(|port| bad(self.prober.health(port, now)))
            .map(|port| {
                let received_at = port.vitals.received_at();
                (port, received_at)
            })
            .collect()
    }

    /// Closes the connections of a manager that are known to be gone beside one that is not. Where all
    /// are, the manager itself is the background pass's matter.
    pub(super) fn shed_dead(&self, manager: &Manager) {
        let now = self.clock.now();
        let dead = |health| health == Health::Dead;
        let open = manager
            .ports()
            .iter()
            .filter(|port| !port.is_closing())
            .count();
        let gone = self.bad_ports(manager, dead, now);
        if open > 1 && gone.len() < open {
            for (port, _) in gone {
                port.close(CloseReason::Unresponsive);
            }
        }
    }
}

/// What needs no probe to be believed.
const fn known_gone(health: Health) -> bool {
    matches!(health, Health::Dead | Health::HalfOpen | Health::Stalled)
}

/// What did not answer a probe.
const fn silent(health: Health) -> bool {
    known_gone(health) || matches!(health, Health::Suspect)
}
