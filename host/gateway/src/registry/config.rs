//! The one limit table.

use std::time::Duration;

use wastegate_core::decision::{LendOrder, Lending};

/// What may be held at once. Exported in the stats, so that operators see the limits in force.
#[derive(Debug, Clone, PartialEq)]
pub struct SlotLimits {
    /// Managers that one user may hold. 20.
    pub managers_per_user: u32,
    /// Managers that the node may hold. 100,000.
    pub managers_total: u32,
    /// Sockets that the node may hold, those in handshake included. 15,000.
    pub connections_total: usize,
    /// Slots that a user gets beyond the limit before a manager that answers is evicted; 0 for none. 25.
    pub temporary_slots: u32,
    /// How long temporary slots last. 60 s.
    pub temporary_slots_for: Duration,
    /// How long after temporary slots ended a user gets none again. 10 min.
    pub temporary_slots_cool_down: Duration,
    /// When temporary slots are lent. Before `force`.
    pub temporary_slots_order: LendOrder,
    /// Keys of evicted managers that are remembered, to count who came back. 100,000.
    pub history_keys_max: usize,
}

impl SlotLimits {
    /// How temporary slots are lent.
    #[must_use]
    pub const fn lending(&self) -> Lending {
        Lending {
            slots: self.temporary_slots,
            lasting: self.temporary_slots_for,
            cool_down: self.temporary_slots_cool_down,
            order: self.temporary_slots_order,
        }
    }
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self {
            managers_per_user: 20,
            managers_total: 100_000,
            connections_total: 15_000,
            temporary_slots: 25,
            temporary_slots_for: Duration::from_secs(60),
            temporary_slots_cool_down: Duration::from_secs(600),
            temporary_slots_order: LendOrder::BeforeForce,
            history_keys_max: 100_000,
        }
    }
}
